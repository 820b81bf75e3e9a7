"""How good a run was: a record joined with ground truth, in a process that searches nothing.

This is the only module that sees both a search's outcome and the truth. Scoring again, by another table or after the
table has grown, repeats no search.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from bench import metrics
from bench.errors import BadRecord, NoSuchEntry
from bench.runs import probe
from bench.scoring import sizes, truths
from bench.scoring.panel import DEFINITIONS, Choice, Ranking, panel
from bench.spaces.space import Genotype
from bench.store.record import Record, Results, Score, read_scores
from bench.truth import GroundTruth


def score(record: Record, truth: GroundTruth, results: Results) -> list[Score]:
    """One row per data set that the truth can score; written to `results`, and the truth of all estimated
    architectures with them (`truths.py`).

    Raises BadRecord where the record's space is not the truth's or its estimates are not those it names.
    """
    if record.identity["space"] != truth.space.name:
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


def named_by(record: Record, finalists: bool) -> list[Genotype]:
    """The architectures whose truth a score asks for by name: the choice, and, where `finalists`, all finalists and
    the cells that the search trained together."""
    chosen = [] if record.genotype is None else [record.genotype]
    others = [*(c.genotype for c in record.candidates), *_visited(record)] if finalists else []
    return list(dict.fromkeys([*chosen, *others]))


def _estimates(record: Record, results: Results) -> probe.Estimates | None:
    """The estimates of the probe set, checked against the record."""
    if record.estimates is None:
        return None
    path = results.estimates_path(record.key)
    estimates = probe.read(path)
    if probe.digest(estimates) != record.estimates["blake2b"]:
        raise BadRecord(f"{path} is not what record {record.key} was written with; move both aside and run again")
    return estimates


def _row(
    record: Record,
    truth: GroundTruth,
    target: str,
    estimates: probe.Estimates | None,
    results: Results,
) -> Score:
    test = truth.column(target, "test")
    best = truth.best(target)
    own = _known(truth, record.genotype, target)
    candidates = tuple(_judged(truth, target, c.genotype, c.estimate) for c in record.candidates)
    known = [c["test"] for c in candidates if c["test"] is not None]
    ceiling = truth.ceiling(target)
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
        truth_coverage=truth.coverage(target),
        population=truth.space.population.about,
        kind="trained",
        architecture=record.architecture,
        valid=None if own is None else own.valid,
        test=None if own is None else own.test,
        regret_valid=None if own is None or own.valid is None or best.valid is None else best.valid - own.valid,
        regret_test=None if own is None else best.test - own.test,
        rank=None if own is None else metrics.rank_of(own.test, test),
        ranked=int(np.isfinite(test).sum()),
        test_best_candidate=max(known) if known and len(known) == len(candidates) else None,
        n_candidates=len(record.candidates),
        n_candidates_known=len(known),
        ceiling=None if ceiling is None else ceiling["tau"],
        candidates=candidates,
        visited=tuple(_judged(truth, target, cell, None) for cell in _visited(record)),
        cost=record.cost,
        curve=tuple(_point(point, truth, target, best.test) for point in record.trace),
        **_agreement(record, truth, target, estimates, own, results),
    )


def _known(truth: GroundTruth, genotype: Genotype | None, target: str) -> Any:
    """The truth's scores of a genotype, or None where it has none."""
    if genotype is None:
        return None
    try:
        return truth.scores(genotype, target)
    except NoSuchEntry:
        return None


def _judged(truth: GroundTruth, target: str, genotype: Genotype, estimate: float | None) -> dict[str, Any]:
    """An architecture with the method's estimate of it and its truth, None where one is unknown."""
    scores = _known(truth, genotype, target)
    return {
        "genotype": list(genotype),
        "estimate": estimate,
        "valid": None if scores is None else scores.valid,
        "test": None if scores is None else scores.test,
        "rank": None if scores is None else metrics.rank_of(scores.test, truth.column(target, "test")),
    }


def _visited(record: Record) -> Iterator[Genotype]:
    """The cells of all rounds of a search that trains cells together, each once, in order."""
    rounds = record.details.get("rounds", ())
    yield from dict.fromkeys(tuple(cell) for one in rounds for cell in one["cells"])


def _point(point: Mapping[str, Any], truth: GroundTruth, target: str, best: float) -> dict[str, Any]:
    """A trace entry with its truth."""
    scores = _known(truth, tuple(point["genotype"]), target)
    cost = {k: v for k, v in point.items() if k != "genotype"}
    test = None if scores is None else scores.test
    return {**cost, "test": test, "regret_test": None if test is None else best - test}


def _agreement(
    record: Record,
    truth: GroundTruth,
    target: str,
    estimates: probe.Estimates | None,
    own: Any,
    results: Results,
) -> dict[str, Any]:
    """How the method's estimates rank the probe set, by test accuracy, and what its choice is worth in the space."""
    test = truth.column(target, "test")
    choice = Choice(np.nan if own is None else own.test, len(record.candidates), test[np.isfinite(test)])
    if estimates is None:
        names = ("tau", "spearman", "estimates_measured", "coverage", "pairs")
        return {**dict.fromkeys(names), "probe_n": 0, "panel": panel(None, choice)}
    keys, values = estimates
    path, space = results.truths_path(truth.name, target), truth.space.name
    every = truths.made(truth.checksum, sizes.keys(space), {"test": test, **sizes.facts(space)})
    truths.extend(path, keys, every)
    known = every.at(keys).columns
    accuracy, true = values[:, 0], known["test"]
    both = np.isfinite(accuracy) & np.isfinite(true)
    guess, real = accuracy[both], true[both]
    entropy = values[both, 1]
    ranking = Ranking(guess, entropy, real, known["cell_class"][both], known["parameters"][both])
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
