"""Scores, and what their records say about them, as one pandas frame; refuses what must not be compared.

A table or figure takes its rows from one `Setting`, so two scales, spaces, image sets, truths or populations never meet
in one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from analysis.stats import LEAST_ARCHITECTURES
from bench.errors import BadRecord, counted
from bench.scoring.panel import DEFINITIONS
from bench.store import hints, names
from bench.store.own import content, own
from bench.store.parents import differing
from bench.store.record import Record, Results, Score
from bench.store.spec import canonical

COSTS = ("forward_images", "backward_images", "device_s", "supernets")
NUMBERS = (
    *("valid", "test", "regret_valid", "regret_test", "rank", "ranked", "test_best_candidate", "n_candidates"),
    *("tau", "spearman", "probe_n", "coverage", "ceiling", "choice_estimate", "asked", *COSTS, *DEFINITIONS),
)
"""The columns that are float64, NaN where the value is not known."""
BOTH = "both"
"""The protocol of a method that has no such setting: its one record stands beside either."""
RESCORE = "`python -m bench score`"
TRAINED = "trained"
STATED = ("space", "dataset", "scale", "truth", "population", "kind")
"""The columns that the rows of a table share; those of a panel share the target too."""


@dataclass(frozen=True, order=True)
class Setting:
    """What the rows of one table or panel share. `target` is empty where several targets stand side by side; without a
    truth, as of the search alone, there is no population either."""

    space: str
    dataset: str  # the image set that was searched
    scale: str
    truth: str
    target: str = ""  # the data set that is scored
    population: str = ""  # of architectures that the truth is stated of
    kind: str = TRAINED  # of the truth

    @property
    def search(self) -> Setting:
        """The same for figures of the search alone, which no truth has scored."""
        return Setting(self.space, self.dataset, self.scale, "")

    @property
    def about(self) -> str:
        """The population, and of which kind its truth is where that is not trained: `240 sampled, surrogate`."""
        return self.population if self.kind == TRAINED else f"{self.population}, {self.kind}"

    @property
    def slug(self) -> str:
        """The setting as part of a file name; a truth of all architectures that was trained goes without saying."""
        population = "" if self.population.startswith("all ") else self.population
        kind = "" if self.kind == TRAINED else self.kind
        parts = (self.space, self.dataset, self.target, self.scale, self.truth, population, kind)
        return names.slug(*parts)


@dataclass(frozen=True)
class Loaded:
    """One row per score, and one without accuracies per failed run. Columns: the fields of `Score`; costs and the names
    of the panel as columns of their own; and from the record `method_id`, `scale_numbers`, `searched_images` (of both
    parts), `device`, `code` (a digest of the sources), `sharing` (runs at a time on its GPU), `choice_estimate`
    ([0, 1]), `asked` (how many accuracies of trained networks a search on a table was told), `protocol` ("paper",
    "fair", or "both" where the method knows no such difference) and `base` (the label without its protocol). `missing`:
    a line for each gap that was let through.
    """

    frame: pd.DataFrame
    missing: tuple[str, ...]


def load(results: Results, partial: bool = False) -> Loaded:
    """All scores below `results`. Raises BadRecord where a file cannot be trusted, where two truths, scales or
    configurations would be mixed, where there is no score at all, and, unless `partial`, where a record lacks one."""
    records = {record.key: record for record in results.records()}
    scores = list(results.judged(records))
    if not scores:
        raise BadRecord(f"{results.root} holds no scores; {_first_steps(results, len(records))}")
    failures = list(results.failures())
    rows = [_row(score, records[score.key], results) for score in scores]
    frame = pd.DataFrame([*rows, *_failed_rows(rows, failures)])
    text = [name for name in frame if isinstance(frame[name].dtype, pd.StringDtype)]
    frame = frame.astype({**dict.fromkeys(text, object), **dict.fromkeys(NUMBERS, "float64")})
    frame = frame.copy()  # so that each type is one block: rows are selected for every cell, which is paid by the block
    _check_one_row_each(frame, results)
    _check_one_truth(frame, results)
    _check_one_scale(frame, results)
    _check_one_method(frame, results)
    _check_one_image_set(frame, results)
    unscored = _unscored(frame, records)
    rescore = f"run {results.command('score')} with that truth"
    if unscored and not partial:
        raise BadRecord(f"{unscored}; {rescore}, or draw without by --partial")
    missing = [f"{unscored}; {rescore}"] if unscored else []
    failed = [f"{r.label} seed {r.identity['seed']}" for r in failures]
    if failed:
        missing.append(f"{len(failed)} failed or interrupted ({', '.join(failed)}); `python -m bench run` tries again")
    return Loaded(frame, tuple(missing))


def _first_steps(results: Results, records: int) -> str:
    score = results.command("score")
    if records:
        return f"{counted(records, 'record')} {'waits' if records == 1 else 'wait'} for {score}"
    return f"start with {results.command('run smoke')}, then {score}"


def settings(frame: pd.DataFrame, by_target: bool) -> Iterator[tuple[Setting, pd.DataFrame]]:
    """The rows of each setting, in order; with all its targets together unless `by_target`."""
    common = [*STATED, *(["target"] if by_target else [])]
    for values, rows in frame.groupby(common, sort=True):
        yield Setting(**dict(zip(common, map(str, values), strict=True))), rows


def targets_of(setting: Setting, rows: pd.DataFrame) -> list[tuple[Setting, pd.DataFrame]]:
    """The targets of a setting with their rows: the data set that was searched first, then the others by name."""
    targets = sorted(set(rows["target"]), key=lambda target: (not is_searched(setting.dataset, target), target))
    return [(replace(setting, target=target), rows[rows["target"] == target]) for target in targets]


def is_searched(dataset: str, target: str) -> bool:
    """Whether the image set is the target or a form of it, as `cifar10-jpeg` is of `cifar10`; a person's own set is
    what its content says, or what the person calls it."""
    if (mine := own(dataset)) is not None:
        return target == mine.word or content(target) == content(dataset)
    return dataset == target or dataset.startswith(f"{target}-")


def _row(score: Score, record: Record, results: Results) -> dict[str, Any]:
    path = results.score_path(score.key, score.truth)
    if set(score.panel) != set(DEFINITIONS):
        odd = min(set(score.panel) ^ set(DEFINITIONS))
        raise BadRecord(f"{path}: the panel lacks, or alone has, {odd}; run {RESCORE} again")
    return {
        **vars(score),
        **score.panel,
        **{name: score.cost[name] for name in COSTS},
        "ceiling": score.ceiling if (score.ranked or 0) >= LEAST_ARCHITECTURES else None,  # of fewer it is luck
        **_of_record(record),
    }


_OF_THE_TRUTH = (
    "truth",
    "truth_checksum",
    "truth_coverage",
    "population",
    "kind",
    "target",
    "ceiling",
    "ranked",
    "random_mean",
    "random_median",
    "optimum",
)


def _of_record(record: Record) -> dict[str, Any]:
    """What a row takes from the record."""
    estimates = {candidate.genotype: candidate.estimate for candidate in record.candidates}
    method = record.identity["method"]
    return {
        "method_id": method,
        "scale_numbers": record.identity["scale"],
        "device": str(record.place.get("device_name") or record.place.get("device", "unknown")),
        "code": str(record.place.get("code") or ""),
        "sharing": int(record.place.get("workers", 1)) if record.place.get("device") == "cuda" else 1,
        "searched_images": tuple(record.place.get("searched_images", ())),
        "image_set": " ".join(str(record.place[name]) for name in ("images_digest", "split") if record.place.get(name)),
        "protocol": method["config"].get("protocol", BOTH),
        "base": base_of(record.label),
        "choice_estimate": _alone(record, estimates.get(record.genotype)) if record.genotype else None,
        "asked": record.details.get("architectures_asked_for"),
    }


def _alone(record: Record, estimate: float | None) -> float | None:
    """The accuracy of the choice by itself, where a search compared the mixtures that its finalists come from."""
    compared = [node["final"] for node in record.details.get("tree", ()) if node.get("final")]
    return next((final["proposal"] for final in compared if final["mixture"] == estimate), estimate)


def _of_identity(record: Record) -> dict[str, Any]:
    """What a score repeats of its record."""
    identity = record.identity
    return {
        "key": record.key,
        "label": record.label,
        "method": identity["method"]["name"],
        "space": identity["space"],
        "dataset": identity["dataset"],
        "seed": identity["seed"],
        "scale": identity["scale"]["name"],
        "status": record.status,
        "n_candidates": 0,
        "n_candidates_known": 0,
        "panel": {},
        "candidates": (),
        "visited": (),
        "cost": record.cost,
        "curve": (),
    }


def _failed_rows(rows: Sequence[Mapping[str, Any]], failures: Sequence[Record]) -> Iterator[dict[str, Any]]:
    """A row without accuracies for every failed run, under each truth and target that scored others of its kind: it
    is counted there, and never averaged."""
    kinds = {tuple(row[name] for name in (*STATED, "target")): row for row in rows}
    for record in failures:
        identity = record.identity
        searched = (identity["space"], identity["dataset"], identity["scale"]["name"])
        for kind, like in kinds.items():
            if kind[:3] == searched:
                same = {name: like[name] for name in _OF_THE_TRUTH}
                yield {**dict.fromkeys(like), **same, **_of_record(record), **_of_identity(record)}


def base_of(label: str) -> str:
    """The label without its protocol: `gm-darts(protocol=fair)` is `gm-darts`, all other changed settings stay."""
    name, bracket, inside = label.partition("(")
    kept = [part for part in inside[:-1].split(", ") if part and not part.startswith("protocol=")]
    return f"{name}({', '.join(kept)})" if bracket and kept else name


def _check_one_row_each(frame: pd.DataFrame, results: Results) -> None:
    twice = frame[frame.duplicated(["key", *STATED, "target"])]
    for row in twice.itertuples():
        path = results.score_path(str(row.key), str(row.truth))
        raise BadRecord(f"{path} scores target {row.target} twice; run {RESCORE} again")


def _check_one_truth(frame: pd.DataFrame, results: Results) -> None:
    for (truth, target), rows in frame.groupby(["truth", "target"]):
        first = rows.drop_duplicates("truth_checksum")
        if len(first) > 1:
            a, b = (f"{sum_} ({results.score_path(key, str(truth))})" for key, sum_ in _two(first, "truth_checksum"))
            raise BadRecord(f"two truths mixed: {truth} on {target} has checksums {a} and {b}; run {RESCORE} again")


def _check_one_scale(frame: pd.DataFrame, results: Results) -> None:
    texts = frame.assign(text=frame["scale_numbers"].map(canonical))
    for (space, dataset, scale), rows in texts.groupby(["space", "dataset", "scale"]):
        first = rows.drop_duplicates("text")
        if len(first) > 1:
            (a, one), (b, other) = _two(first, "scale_numbers")
            raise BadRecord(
                f"two scales mixed: {scale!r} on {space}/{dataset} differs in {', '.join(differing(one, other))} "
                f"(runs {a} and {b}); {_rarer(rows, 'text', results)}"
            )


def _check_one_method(frame: pd.DataFrame, results: Results) -> None:
    texts = frame.assign(text=frame["method_id"].map(canonical))
    for (_, _, _, label), rows in texts.groupby(["space", "dataset", "scale", "label"]):
        first = rows.drop_duplicates("text")
        if len(first) > 1:
            (a, one), (b, other) = _two(first, "method_id")
            raise BadRecord(
                f"two methods mixed: label {label!r} differs in {', '.join(differing(one, other))} (runs {a} and {b}); "
                f"{_rarer(rows, 'text', results)}"
            )


def _check_one_image_set(frame: pd.DataFrame, results: Results) -> None:
    for (dataset, scale), rows in frame.groupby(["dataset", "scale"]):
        named = rows[rows["image_set"] != ""]
        first = named.drop_duplicates("image_set")
        if len(first) > 1:
            (a, one), (b, other) = _two(first, "image_set")
            raise BadRecord(
                f"two sets of images mixed: {dataset} at scale {scale} was {one} in run {a} and {other} in run {b}; "
                f"{_rarer(named, 'image_set', results)}"
            )


def _rarer(rows: pd.DataFrame, column: str, results: Results) -> str:
    """What to do where runs differ in what they must have in common: those unlike most of them are set aside."""
    most = rows[column].value_counts().index[0]
    return hints.aside(*map(results.run_path, sorted(set(rows.loc[rows[column] != most, "key"]))))


def _two(first: pd.DataFrame, column: str) -> list[tuple[str, Any]]:
    return list(zip(first["key"].iloc[:2], first[column].iloc[:2], strict=True))


def _unscored(frame: pd.DataFrame, records: Mapping[str, Record]) -> str:
    """Which records lack a score that others of their space, image set and scale have; empty if none does."""
    have = set(zip(frame["key"], frame["truth"], frame["target"], strict=True))
    wanted = defaultdict(set)
    for row in frame.itertuples():
        wanted[row.space, row.dataset, row.scale].add((row.truth, row.target))
    gaps = []
    for record in records.values():
        identity = record.identity
        kinds = wanted[identity["space"], identity["dataset"], identity["scale"]["name"]]
        lacking = sorted(f"{truth}/{target}" for truth, target in kinds if (record.key, truth, target) not in have)
        if lacking or not kinds:
            by = f" by {', '.join(lacking)}" if lacking else ""
            gaps.append(f"{record.label} seed {identity['seed']} (runs/{record.key}.json) has no score{by}")
    more = f", and {len(gaps) - 1} more records lack one" if len(gaps) > 1 else ""
    return f"{gaps[0]}{more}" if gaps else ""
