"""Successive halving over searches (Jamieson & Talwalkar, AISTATS 2016): many on one seed, the better half on two, the
better half of these on four, and so on. The images of a search stay the same; what grows is the number of its seeds.

Searches are compared by the truth of the first half of the space alone (`halves.py`); no other is asked for. Nothing is
kept but the records: the order follows from them, so a search of searches that was stopped goes on where it was.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench import metrics
from bench.errors import BadSpec
from bench.runs import probe
from bench.scoring import halves
from bench.store.record import Record, Results
from bench.truth import GroundTruth

POINT = 0.1
"""Tau that a point of regret is worth: differences of 0.02 of tau and of 0.2 points are the least that matter."""


@dataclass(frozen=True)
class Mark:
    """How good one run is on the first half. tau: tau-b of estimated cross-entropy and test accuracy; regret: points by
    which the architecture that it estimates best stays below the best. NaN of a run without estimates."""

    tau: float
    regret: float

    @property
    def both(self) -> float:
        """Tau, less what the regret is worth."""
        return self.tau - POINT * self.regret


@dataclass(frozen=True)
class Rung:
    """So many searches, from so many seeds each."""

    searches: int
    seeds: int


def rungs(searches: int, seeds: int) -> Iterator[Rung]:
    """Half as many from twice as many seeds, as long as there are so many seeds and two searches to compare. Raises
    BadSpec where there is nothing to halve."""
    if searches < 2 or seeds < 1:
        raise BadSpec(f"halving takes 2 searches and 1 seed or more, not {searches} and {seeds}; name more")
    many, count = searches, 1
    while count <= seeds and many > 1:
        yield Rung(many, count)
        many, count = math.ceil(many / 2), 2 * count


Marks = Mapping[str, Sequence[Mark]]
"""Of every search, by label, a mark for each of its seeds."""


def halved(
    labels: Sequence[str], seeds: Sequence[int], marked: Callable[[Sequence[str], Sequence[int]], Marks]
) -> Iterator[tuple[Rung, Marks]]:
    """Every rung with all marks of its searches, the best first. marked: runs these searches from seeds that are new to
    them."""
    marks: dict[str, list[Mark]] = {label: [] for label in labels}
    left = list(labels)
    for rung in rungs(len(labels), len(seeds)):
        left = left[: rung.searches]
        for label, more in marked(left, seeds[len(marks[left[0]]) : rung.seeds]).items():
            marks[label] += more
        left = ordered({label: marks[label] for label in left})
        yield rung, {label: tuple(marks[label]) for label in left}


def mark(record: Record, truth: GroundTruth, results: Results) -> Mark:
    """By the estimates and the truth of the first half. Raises BadRecord for estimates that are not the record's."""
    if record.estimates is None:
        return Mark(math.nan, math.nan)
    keys, values = probe.of_record(record.key, record.estimates, results)
    first = halves.seen(truth.space.name, keys)
    genotypes = probe.genotypes_of(truth.space, keys[first])
    test = truth.scores(genotypes, target(truth, record.identity["dataset"]))[:, 1]
    estimate = -values[first, 1]
    return Mark(metrics.tau_b(estimate, test), metrics.top_regret(estimate, test))


def target(truth: GroundTruth, dataset: str) -> str:
    """What a search on that image set is scored on. Raises BadSpec where the truth does not know it."""
    if dataset not in truth.targets():
        known = ", ".join(truth.targets())
        raise BadSpec(f"{truth.name} knows no accuracies on {dataset} but {known}; halve a study on those images")
    return dataset


def ordered(marks: Marks) -> list[str]:
    """The searches by their mean tau, the best first; of equals the first, and last what has none for some seed."""
    return sorted(marks, key=lambda label: -_mean([one.tau for one in marks[label]]))


def best(marks: Marks) -> str:
    """Of those that are left in the end, the one of the largest mean of tau and regret together; of equals the first.
    Raises BadSpec where none has estimates."""
    found = max(marks, key=lambda label: _mean([one.both for one in marks[label]]))
    if _mean([one.both for one in marks[found]]) == -math.inf:
        raise BadSpec("none of these searches estimates architectures: there is nothing to compare them by")
    return found


def _mean(values: Sequence[float]) -> float:
    mean = float(np.mean(values))
    return mean if math.isfinite(mean) else -math.inf
