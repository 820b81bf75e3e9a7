"""What files of records and scores hold: annotated kinds and ranges, which `strict.require` checks, and what must agree
within one file. Keys that are not named here may be there too: methods keep what they want in `details`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NotRequired, TypedDict

from msgspec import Meta

from bench.errors import BadGenotype
from bench.store.names import LABEL, NAME

Status = Literal["done", "diverged", "failed", "interrupted", "timeout"]
Kind = Literal["trained", "surrogate"]
"""Where a truth has its accuracies from: networks that were trained, or a model that predicts them."""

Hex = Annotated[str, Meta(pattern=r"^[0-9a-f]{16}\Z")]
Name = Annotated[str, Meta(pattern=rf"^{NAME}\Z", max_length=200)]
Label = Annotated[str, Meta(pattern=rf"^{LABEL}\Z")]
Line = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f-\x9f]*\Z", max_length=20_000)]
Count = Annotated[int, Meta(ge=0)]
Seconds = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Percent = Annotated[float, Meta(ge=0, le=100)]
Difference = Annotated[float, Meta(ge=-100, le=100)]  # of two percentages
Correlation = Annotated[float, Meta(ge=-1, le=1)]
Genotype = list[Count]


class Account(TypedDict):
    """A phase's cost, or the total."""

    forward_images: Count
    backward_images: Count
    gmacs: Seconds
    supernets: Count
    parameters: Count
    wall_s: Seconds
    device_s: Seconds
    peak_bytes: Count


class Cost(Account):
    """The total, and what it is the sum of."""

    phases: dict[Line, Account]


class MethodId(TypedDict):
    """The method within an identity."""

    name: Line
    version: int
    config: dict[str, Any]


class ScaleId(TypedDict):
    """The scale within an identity."""

    name: Label


class Identity(TypedDict):
    """What the key is made of."""

    schema: int
    method: MethodId
    space: Name
    dataset: Name
    seed: Count
    scale: ScaleId


class Candidate(TypedDict):
    """A finalist."""

    genotype: Genotype
    estimate: float | None


class Point(TypedDict):
    """What a search would have given on its way."""

    forward_images: Count
    backward_images: Count
    wall_s: Seconds
    genotype: Genotype


class Final(TypedDict):
    """What a leaf of a tree gave."""

    proposal: float | None
    mixture: float | None


class Node(TypedDict):
    """A region of a tree."""

    name: Line
    parent: Line | None
    kept: bool
    region: NotRequired[list[list[Count]]]
    depth: Count
    cut: dict[str, Any] | None
    final: NotRequired[Final | None]


class Round(TypedDict):
    """Cells that were trained together."""

    cells: list[Genotype]
    weights: NotRequired[list[Any]]
    ranks: NotRequired[list[Any]]
    accuracy: NotRequired[float]


class Details(TypedDict, total=False):
    """What scoring and analysis read of what a method kept."""

    tree: list[Node]
    rounds: list[Round]
    curve: list[dict[str, Any]]
    architectures_asked_for: Count


class Estimates(TypedDict):
    """The note on the file of estimates."""

    file: Name
    blake2b: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
    probe: Count
    images: Count


class PlugIn(TypedDict):
    """A package from outside that a run was made with."""

    distribution: Line
    version: Line
    code: Line


class Place(TypedDict):
    """Where and with what a run was made."""

    code: Line
    commit: NotRequired[Line | None]
    dirty: NotRequired[bool | None]
    device: NotRequired[Line]
    device_name: NotRequired[Line]
    images: NotRequired[Line]
    images_digest: NotRequired[Line]
    split: NotRequired[Line]
    started: NotRequired[Line]
    took_s: NotRequired[Seconds]
    cpu_s: NotRequired[Seconds]
    threads: NotRequired[Count]
    workers: NotRequired[Count]
    stops: NotRequired[Count]
    stood_still_s: NotRequired[Seconds]
    slept_s: NotRequired[Seconds]
    python: NotRequired[Line]
    torch: NotRequired[Line]
    plug_ins: NotRequired[dict[Line, PlugIn]]


class Record(TypedDict):
    """A record."""

    key: Hex
    label: Label
    identity: Identity
    status: Status
    message: Annotated[str, Meta(max_length=1_000_000)]
    genotype: Genotype | None
    architecture: Line | None
    candidates: list[Candidate]
    trace: list[Point]
    details: Details
    cost: Cost
    estimates: Estimates | None
    place: Place


class Judged(TypedDict):
    """An architecture with its truth."""

    genotype: Genotype
    estimate: float | None
    valid: Percent | None
    test: Percent | None
    rank: Count | None


class Step(TypedDict):
    """A point of a trace with its truth."""

    forward_images: Count
    backward_images: Count
    test: Percent | None
    regret_test: Difference | None


class Score(TypedDict):
    """A row of scores."""

    key: Hex
    label: Label
    method: Line
    space: Name
    dataset: Name
    target: Name
    seed: Count
    scale: Label
    status: Status
    truth: Name
    truth_checksum: Line
    truth_coverage: Share
    population: Line
    kind: Kind
    architecture: Line | None
    valid: Percent | None
    test: Percent | None
    regret_valid: Difference | None
    regret_test: Difference | None
    rank: Count | None
    ranked: Count | None
    test_best_candidate: Percent | None
    n_candidates: Count
    n_candidates_known: Count
    tau: Correlation | None
    spearman: Correlation | None
    estimates_measured: bool | None
    probe_n: Count
    coverage: Share | None
    ceiling: Correlation | None
    panel: dict[str, float | None]
    candidates: list[Judged]
    visited: list[Judged]
    cost: Cost
    curve: list[Step]
    pairs: Name | None


def check_record(content: Mapping[str, Any]) -> None:
    """Raises ValueError where parts of a record, each of its kind, disagree with one another."""
    estimates, genotype, architecture = content["estimates"], content["genotype"], content["architecture"]
    if estimates is not None and estimates["file"] != f"{content['key']}.parquet":
        raise ValueError(f"its estimates are said to lie in {estimates['file']}")
    if (genotype is None) != (architecture is None):
        raise ValueError("it has a choice in one notation only")
    if content["status"] == "done" and genotype is None:
        raise ValueError("it is done without a choice")
    _require_sum(content["cost"])


def check_architectures(content: Mapping[str, Any]) -> None:
    """Raises ValueError where a record names what is no architecture of its space, or its choice in two notations that
    disagree: of a record without a seal."""
    from bench import spaces  # here: it loads an array library, which to read a sealed record needs not

    genotype, architecture = content["genotype"], content["architecture"]
    space = spaces.known(content["identity"]["space"])
    if space is None:  # one from elsewhere, that is not registered here
        return
    named = [*content["candidates"], *content["trace"], *([] if genotype is None else [content])]
    try:
        for found in {tuple(one["genotype"]) for one in named}:
            space.check(found)
    except BadGenotype as error:
        raise ValueError(f"it names what is no architecture of {space.name}: {error}") from None
    if genotype is not None and space.show(tuple(genotype)) != architecture:
        raise ValueError(f"its choice {genotype} is {space.show(tuple(genotype))}, but it says {architecture}")


def check_score(row: Mapping[str, Any]) -> None:
    """Raises ValueError where parts of a row of scores, each in its range, disagree with one another."""
    known = sum(one["test"] is not None for one in row["candidates"])
    if (row["n_candidates"], row["n_candidates_known"]) != (len(row["candidates"]), known):
        raise ValueError("it miscounts its finalists")
    if row["rank"] is not None and not 1 <= row["rank"] <= (row["ranked"] or 0) + 1:
        raise ValueError(f"rank {row['rank']} of {row['ranked']} is none")
    best = row["panel"].get("optimum")
    if None not in (row["test"], row["regret_test"], best) and not _equal(row["test"] + row["regret_test"], best):
        raise ValueError(
            f"test accuracy {row['test']} and regret {row['regret_test']} do not add up to the best, {best}"
        )
    _require_sum(row["cost"])


def _require_sum(cost: Mapping[str, Any]) -> None:
    """Raises ValueError unless a total is the sum of its phases."""
    for name in Account.__annotations__:
        parts = [phase[name] for phase in cost["phases"].values()]
        whole = max(parts, default=0) if name == "peak_bytes" else math.fsum(parts)
        if not _equal(cost[name], whole):
            raise ValueError(f"its cost says {name} {cost[name]}, the phases make {whole}")


def _equal(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-6)
