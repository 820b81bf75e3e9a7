"""By what two methods are compared, and which difference is too small to matter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.load import Setting
from analysis.pairs import read_ranking, sides
from analysis.tables.columns import Column
from bench import metrics
from bench.runs.study import STUDIES
from bench.scoring import halves
from bench.store.record import Results

SEARCHED = STUDIES["own-search"]
"""What the search for a search of our own looked at, and half of whose cells it did."""


@dataclass(frozen=True)
class Measure(Column):
    """A quantity that methods are compared by. A difference within `margin`, where there is one, is none that matters.
    of_estimates: whether it hangs on how architectures were estimated."""

    interval: bool = True
    margin: float = 0.0
    of_estimates: bool = False


def _ranking(source: str, head: str) -> Measure:
    return Measure(source, head, "", 3, margin=0.02, of_estimates=True)


TAU_CE, TAU = _ranking("tau_cross_entropy", "tau, cross-entropy"), _ranking("tau", "tau, accuracy")
UPPER_CE = _ranking("upper_cross_entropy", "tau in the upper half, cross-entropy")
UPPER = _ranking("tau_top50", "tau in the upper half, accuracy")
PARTIAL_CE = _ranking("partial_cross_entropy", "tau given parameters, cross-entropy")
PARTIAL = _ranking("partial_tau_parameters", "tau given parameters, accuracy")
TEST = Measure("test", "test accuracy (points)", "points", 2, margin=0.2)
CORRELATION = Measure("rank_correlation", "Spearman of FaDE-ranks", "", 3)
UNSEEN_TAU = _ranking("unseen_tau", "tau, cross-entropy, unseen")
UNSEEN_TEST = Measure("unseen_test", "test accuracy, unseen (points)", "points", 2, margin=0.2)
"""What a search that was itself searched for is judged by. Where that search looked at half of the cells, both are over
the other half, and the accuracy is that of its best estimate. Elsewhere tau is over all, and the choice its own."""
BEATEN = Measure("beaten", "share of architectures beaten", "", 3)

EVERY = (TAU_CE, TAU, UPPER_CE, UPPER, PARTIAL_CE, PARTIAL, TEST)
"""What every pair of methods is compared by."""
_FROM_PAIRS = (UPPER_CE.source, PARTIAL_CE.source, UNSEEN_TAU.source, UNSEEN_TEST.source)


def with_cross_entropy(setting: Setting, rows: pd.DataFrame, results: Results) -> pd.DataFrame:
    """The rows with the measures that no score holds, from the pairs of each run; NaN where these are not at hand."""
    values = np.full((len(rows), len(_FROM_PAIRS)), np.nan)
    halved = (setting.space, setting.dataset) == (SEARCHED.space, SEARCHED.dataset)
    if not halved:
        values[:, 3] = rows["test"].to_numpy(np.float64)
    columns = zip(rows["key"], rows["target"], rows["truth_checksum"], rows["pairs"], strict=True)
    for at, (key, target, checksum, has_pairs) in enumerate(columns):
        of = sides(results, key, setting.truth, target, checksum)
        if not isinstance(has_pairs, str) or of.absent:
            continue
        ranking = read_ranking(of)
        if np.isfinite(ranking.cross_entropy).any():
            estimate = -ranking.cross_entropy
            values[at, 0] = metrics.tau_top(estimate, ranking.truth, 0.5)
            values[at, 1] = metrics.partial_tau(estimate, ranking.truth, ranking.parameters)
            unseen = halves.unseen(setting.space, ranking.classes) if halved else np.full(len(estimate), True)
            values[at, 2] = metrics.tau_b(estimate[unseen], ranking.truth[unseen])
            if halved and unseen.any():
                known = ranking.truth[unseen]
                values[at, 3] = known.max() - metrics.top_regret(estimate[unseen], known)
    return rows.assign(**dict(zip(_FROM_PAIRS, values.T, strict=True)))
