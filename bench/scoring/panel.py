"""The panel: what a score says of estimates and choice beside its plain fields. Each number is defined here, once.

No single number tells how well a supernet ranks: tau over a whole space is mostly about cells that nobody would choose.
So a score carries all of these, and captions take their words from `DEFINITIONS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bench import metrics

Array = NDArray[np.float64]

TOPS = (50.0, 20.0, 10.0, 5.0, 1.0, 0.5, 0.2)
"""The true top shares, percent, inside which tau and Spearman are computed; 0.5 and 0.2 as in GM-NAS, Table 7."""
STEPS = (0.1, 0.5, 1.0)
"""Percent points to which sparse tau rounds the truth."""
PRECISIONS = (1.0, 5.0, 10.0)
"""The top shares of P@k, percent."""
FIRST = (1, 10, 100)
"""The k of best rank@k."""
DRAWS = (1, 2, 4, 5, 8, 16, 25, 64, 125)
"""The N of the random best-of-N curve."""


@dataclass(frozen=True)
class Ranking:
    """The architectures that have both an estimate and a truth, `[n]` each: estimate, estimated cross-entropy (nats;
    NaN where it is not measured), test accuracy (percent), the number of a class whose members are equal when trained
    alone, and weights per pair of channels."""

    estimate: Array
    cross_entropy: Array
    truth: Array
    classes: Array
    parameters: Array


@dataclass(frozen=True)
class Choice:
    """What a search gave, percent of test accuracy: its own choice (NaN where unknown), the number of its finalists,
    and the known truths of the whole space."""

    test: float
    finalists: int
    truth: Array


def _ranking() -> dict[str, tuple[str, Callable[[Ranking], float]]]:
    """Name, definition and function of everything that compares estimates with the truth."""
    found: dict[str, tuple[str, Callable[[Ranking], float]]] = {}

    def inside(metric: Callable[[Array, Array, float], float], percent: float, r: Ranking) -> float:
        return metric(r.estimate, r.truth, percent / 100)

    def sparse(step: float, r: Ranking) -> float:
        return metrics.sparse_tau(r.estimate, r.truth, step)

    def best_rank(k: int, r: Ranking) -> float:
        return metrics.best_rank_at(r.estimate, r.truth, k)

    for name, said, metric in (
        ("tau", "tau-b", metrics.tau_top),
        ("spearman", "Spearman's correlation", metrics.spearman_top),
    ):
        for top in TOPS:
            found[f"{name}_top{top:g}"] = (f"{said} inside the true top {top:g} %", partial(inside, metric, top))
    for step in STEPS:
        found[f"sparse_tau_{step:g}"] = (
            f"tau-b with the truth rounded to {step:g} %",
            partial(sparse, step),
        )
    for top in PRECISIONS:
        found[f"precision_top{top:g}"] = (
            f"P@{top:g} %: the share of the estimated top {top:g} % that lies in the true top {top:g} %",
            partial(inside, metrics.precision_at, top),
        )
    for k in FIRST:
        found[f"best_rank_{k}"] = (
            f"the best true rank within the probe among the {k} best estimates",
            partial(best_rank, k),
        )
    found["regret_probe"] = (
        "points of the best estimate's test accuracy below the best of the probe",
        lambda r: metrics.top_regret(r.estimate, r.truth),
    )
    found["tau_unique"] = (
        "tau-b with one row for each class of cells that are equal when trained alone (means of the class)",
        lambda r: metrics.tau_unique(r.estimate, r.truth, r.classes),
    )
    found["tau_cross_entropy"] = (
        "tau-b of the estimated cross-entropy, the least first: another quantity, with fewer ties; it also punishes "
        "confident errors",
        lambda r: metrics.tau_b(-r.cross_entropy, r.truth),
    )
    found["ties"] = ("the share of estimates that equal another one", lambda r: metrics.share_tied(r.estimate))
    found["partial_tau_parameters"] = (
        "Kendall's partial correlation of estimate and truth with the parameter count held fixed",
        lambda r: metrics.partial_tau(r.estimate, r.truth, r.parameters),
    )
    return found


def _choice() -> dict[str, tuple[str, Callable[[Choice], float]]]:
    """Name, definition and function of everything that compares a choice with the whole space."""

    def best_of(n: int, c: Choice) -> float:
        return metrics.random_best_of_n(c.truth, n)

    found: dict[str, tuple[str, Callable[[Choice], float]]] = {
        "random_mean": ("the mean test accuracy of the known truths", lambda c: metrics.random_best_of_n(c.truth, 1)),
        "random_median": (
            "the median test accuracy of the known truths",
            lambda c: float(np.median(c.truth)) if len(c.truth) else math.nan,
        ),
        "optimum": ("the best known test accuracy", lambda c: float(c.truth.max()) if len(c.truth) else math.nan),
        "relative_improvement": (
            "100 (test - random mean) / random mean, percent",
            lambda c: metrics.relative_improvement(c.test, c.truth),
        ),
        "range_used": (
            "(test - random mean) / (optimum - random mean)",
            lambda c: metrics.range_used(c.test, c.truth),
        ),
        "beaten": (
            "the share of all known architectures that the choice is better than, ties counting half: the chance that "
            "it beats one drawn at random",
            lambda c: float((np.sign(c.test - c.truth) + 1).mean() / 2) if len(c.truth) else math.nan,
        ),
        "random_best_of_finalists": (
            "the expected best test accuracy of as many random architectures as there are finalists",
            lambda c: metrics.random_best_of_n(c.truth, c.finalists),
        ),
    }
    for n in DRAWS:
        found[f"random_best_of_{n}"] = (
            f"the expected best test accuracy of {n} random architectures, drawn without replacement",
            partial(best_of, n),
        )
    return found


_RANKING, _CHOICE = _ranking(), _choice()

DEFINITIONS: Mapping[str, str] = {name: text for name, (text, _) in (*_RANKING.items(), *_CHOICE.items())}
"""Every name of the panel with its definition, for captions."""


def panel(ranking: Ranking | None, choice: Choice) -> dict[str, float | None]:
    """All names of `DEFINITIONS`; None where a value is undefined, or where there are no estimates."""
    chosen = {name: of(choice) for name, (_, of) in _CHOICE.items()}
    return {**ranked(ranking), **_plain(chosen)}


def ranked(ranking: Ranking | None) -> dict[str, float | None]:
    """The part of the panel that compares estimates with the truth."""
    return _plain({name: math.nan if ranking is None else of(ranking) for name, (_, of) in _RANKING.items()})


def _plain(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: float(value) if math.isfinite(value) else None for name, value in values.items()}
