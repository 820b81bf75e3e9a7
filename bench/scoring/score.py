"""How good a run was: a record joined with ground truth, in a process that searches nothing.

This is the only module that sees both a search's outcome and the truth. Scoring again, by another table or after the
table has grown, repeats no search.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from bench import metrics, spaces
from bench.errors import BadRecord
from bench.runs import probe
from bench.scoring import sizes, truths
from bench.scoring.panel import DEFINITIONS, Choice, Ranking, panel
from bench.spaces.space import Genotype
from bench.store.record import Record, Results, Score, read_scores
from bench.truth import GroundTruth, Reference


def score(record: Record, truth: GroundTruth, results: Results) -> list[Score]:
    """One row per data set that the truth can score; written to `results`, and the truth of all estimated
    architectures with them (`truths.py`).

    Raises BadRecord where the record's space is not the truth's or its estimates are not those it names.
    """
    if spaces.judged_by(record.identity["space"]) != truth.space.name:
        raise BadRecord(f"run {record.key} searched {record.identity['space']}, the table holds {truth.space.name}")
    estimates = _estimates(record, results)
    rows = [_row(record, truth, target, estimates, results) for target in truth.targets()]
    results.save_scores(record.key, truth.name, rows)
    return rows


def scored(record: Record, truth: GroundTruth, results: Results) -> list[Score] | None:
    """The rows that `score` would write, where they are there already; None where the run is to be scored.

    Scored again is a run whose rows are of another layout or checksum, lack the truth of an architecture that the
    table may know by now, or whose estimates are not in the file of truths. Raises BadRecord for estimates that are
    not the record's.
    """
    path = results.score_path(record.key, truth.name)
    if not path.exists():
        return None
    try:
        rows = read_scores(path)
    except BadRecord:  # of an older layout, or damaged: it is written anew
        return None
    if {row.target for row in rows} != set(truth.targets()) or not all(_whole(row, truth.checksum) for row in rows):
        return None
    estimates = _estimates(record, results)
    files = [results.truths_path(truth.name, row.target) for row in rows if row.pairs is not None]
    there = estimates is None or all(truths.holds(file, truth.checksum, estimates[0]) for file in files)
    return rows if there else None


def _whole(row: Score, checksum: str) -> bool:
    """Whether a row is by the truth of that checksum, and knows it of every architecture that it names."""
    own = [] if row.architecture is None else [row.test]
    others = [each["test"] for each in (*row.candidates, *row.visited, *row.curve)]
    return row.truth_checksum == checksum and set(row.panel) == set(DEFINITIONS) and None not in own + others


def named_by(record: Record, finalists: bool, choice: bool = True) -> list[Genotype]:
    """The architectures whose truth a score asks for by name: the choice, where `choice`, and, where `finalists`, all
    finalists and the cells that the search trained together."""
    chosen = [] if record.genotype is None or not choice else [record.genotype]
    others = [*(c.genotype for c in record.candidates), *_visited(record)] if finalists else []
    return list(dict.fromkeys([*chosen, *others]))


def _estimates(record: Record, results: Results) -> probe.Estimates | None:
    """The estimates of the probe set, checked against the record."""
    if record.estimates is None:
        return None
    return probe.of_record(record.key, record.estimates, results)


@dataclass(frozen=True)
class _Judge:
    """One truth on one of its data sets."""

    truth: GroundTruth
    target: str

    @cached_property
    def reference(self) -> Reference:
        """The population that an architecture is ranked in."""
        return self.truth.reference(self.target)

    def accuracies(self, genotype: Genotype | None) -> tuple[float | None, float | None]:
        """Validation and test accuracy (percent), None where unknown."""
        if genotype is None:
            return None, None
        valid, test = self.truth.scores([genotype], self.target)[0]
        return _or_none(valid), _or_none(test)

    @cached_property
    def every(self) -> truths.Truths:
        """What is known of the space's own population: of it the probes are drawn. Architectures that were trained on
        demand are no part of what a truth says of a population."""
        space, reference = self.truth.space, self.reference
        alike = reference.population == space.population.about and len(reference.test) == len(space.population)
        test = reference.test if alike else self.truth.scores(list(space.population), self.target)[:, 1]
        return truths.made(self.truth.checksum, sizes.keys(space.name), {"test": test, **sizes.facts(space.name)})

    def judged(self, genotype: Genotype, estimate: float | None) -> dict[str, Any]:
        """An architecture with the method's estimate of it and its truth, None where one is unknown."""
        valid, test = self.accuracies(genotype)
        rank = None if test is None else metrics.rank_of(test, self.reference.test)
        return {"genotype": list(genotype), "estimate": estimate, "valid": valid, "test": test, "rank": rank}

    def point(self, point: Mapping[str, Any]) -> dict[str, Any]:
        """A trace entry with its truth."""
        _, test = self.accuracies(tuple(point["genotype"]))
        cost = {k: v for k, v in point.items() if k != "genotype"}
        return {**cost, "test": test, "regret_test": _less(self.reference.best.test, test)}


@lru_cache(maxsize=8)
def _judge(truth: GroundTruth, target: str) -> _Judge:
    return _Judge(truth, target)


def _less(best: float | None, own: float | None) -> float | None:
    return None if best is None or own is None else best - own


def _row(
    record: Record,
    truth: GroundTruth,
    target: str,
    estimates: probe.Estimates | None,
    results: Results,
) -> Score:
    judge = _judge(truth, target)
    reference = judge.reference
    valid, test = judge.accuracies(record.genotype)
    candidates = tuple(judge.judged(c.genotype, c.estimate) for c in record.candidates)
    known = [c["test"] for c in candidates if c["test"] is not None]
    return Score(
        key=record.key,
        label=record.label,
        method=record.identity["method"]["name"],
        space=record.identity["space"],
        dataset=record.identity["dataset"],
        target=target,
        seed=record.identity["seed"],
        scale=record.identity["scale"]["name"],
        status=record.status,
        truth=truth.name,
        truth_checksum=truth.checksum,
        truth_coverage=reference.coverage,
        population=reference.population,
        kind=truth.kind,
        architecture=record.architecture,
        valid=valid,
        test=test,
        regret_valid=_less(reference.best.valid, valid),
        regret_test=_less(reference.best.test, test),
        rank=None if test is None else metrics.rank_of(test, reference.test),
        ranked=reference.known,
        test_best_candidate=max(known) if known and len(known) == len(candidates) else None,
        n_candidates=len(record.candidates),
        n_candidates_known=len(known),
        ceiling=None if reference.ceiling is None else reference.ceiling["tau"],
        candidates=candidates,
        visited=tuple(judge.judged(cell, None) for cell in _visited(record)),
        cost=record.cost,
        curve=tuple(judge.point(point) for point in record.trace),
        **_agreement(record, judge, estimates, test, results),
    )


def _visited(record: Record) -> Iterator[Genotype]:
    """The cells of all rounds of a search that trains cells together, each once, in order."""
    rounds = record.details.get("rounds", ())
    yield from dict.fromkeys(tuple(cell) for one in rounds for cell in one["cells"])


def _agreement(
    record: Record, judge: _Judge, estimates: probe.Estimates | None, own: float | None, results: Results
) -> dict[str, Any]:
    """How the method's estimates rank the probe set, by test accuracy, and what its choice is worth in the
    population."""
    known = judge.reference.test[np.isfinite(judge.reference.test)]
    choice = Choice(np.nan if own is None else own, len(record.candidates), known)
    if estimates is None:
        names = ("tau", "spearman", "estimates_measured", "coverage", "pairs")
        return {**dict.fromkeys(names), "probe_n": 0, "panel": panel(None, choice)}
    keys, values = estimates
    path = results.truths_path(judge.truth.name, judge.target)
    truths.extend(path, keys, judge.every)
    there = judge.every.at(keys).columns
    accuracy, true = values[:, 0], there["test"]
    both = np.isfinite(accuracy) & np.isfinite(true)
    guess, real, entropy = accuracy[both], true[both], values[both, 1]
    ranking = Ranking(guess, entropy, real, there["cell_class"][both], there["parameters"][both])
    return {
        "tau": _or_none(metrics.tau_b(guess, real)),
        "spearman": _or_none(metrics.spearman(guess, real)),
        "estimates_measured": bool(np.isfinite(values[:, 1]).any()),
        "coverage": float(np.isfinite(accuracy).mean()),
        "probe_n": int(both.sum()),
        "pairs": path.name,
        "panel": panel(ranking, choice),
    }


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
