"""From the release of Accel-NASBench (`anb_dataset_jsons.tar.gz`, afzalxo/Accel-NASBench) to the canonical table.

A file `result_0.json` for every training, in an archive, packed or not, or in a folder:

{"architecture": {"block0_e": 6, "block0_k": 3, "block0_l": 1, "block0_se": false, …}, "metrics": {"val_top1": 59.368,
"val_top5": 82.636, "train_time": 2660.4}, "model_info": {"macs": 415.361072, "params": 2.50116}, "platform_perf":
{"latency_zcu102": {"latency_mean": 5.02, "latency_std": null}, "throughput_a100": {"throughput_mean": 7034.9, …}, …}}

Accuracies are in percent of ImageNet's 50,000 validation images, which nothing was chosen by; sizes in millions, times
in seconds, latencies in milliseconds, throughputs in images per second, null where a device was not measured. Thirteen
architectures were trained twice: their second training is one of its own. Sizes must be those of the network.
Deviations of throughputs from their mean are not read.
"""

from __future__ import annotations

import itertools
import re
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, TypedDict

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from bench.errors import BadGenotype, BadSpace, BadTable, counted
from bench.spaces.accel import COUNT, SPACE, remember
from bench.spaces.layout import RELEASED_ACCEL
from bench.spaces.operations import Kernel
from bench.spaces.space import Genotype
from bench.store import strict
from bench.truth import counts, plausible
from bench.truth.column import LATENCIES, THROUGHPUTS, Column
from bench.truth.table import Header, Table, about

NOTE = (
    "16 epochs at 160 to 192 pixels, a schedule that its authors shortened; one seed; some ten points below networks "
    "that are fully trained"
)
EPOCHS = 16
MEMBER = re.compile(r"(?:.*/)?result_(\d{1,9})\.json")
LARGEST = 2**20
"""Bytes of one file; the released ones have 1,350."""
AGAIN = "fetch it again"
TOLERANCE = 1e-5
"""Of sizes, which copies may round to six digits."""
UNREADABLE = (tarfile.TarError, EOFError, OSError, zlib.error)
SECOND = "the second training of the 13 architectures that were trained twice"

Percent = Annotated[float, Meta(ge=0, le=100)]
Positive = Annotated[float, Meta(gt=0)]


class Metrics(TypedDict):
    """What training came to."""

    val_top1: Percent
    val_top5: Percent
    train_time: Positive


class Info(TypedDict):
    """Sizes in millions."""

    macs: Positive
    params: Positive


class Result(TypedDict):
    """One file. Platforms are read by name below."""

    architecture: dict[str, int | bool]
    metrics: Metrics
    model_info: Info
    platform_perf: dict[str, dict[str, float | None]]


Numbers = dict[str, float]
"""By metric, in our units; what was not measured is not there."""


def convert_accel(path: Path) -> Table:
    """The table of the release. Raises BadTable with one line naming the file and what is wrong."""
    try:
        trainings = _trainings(path)
        remember({genotype for _, genotype, _ in trainings})
        return _table(trainings, path.name)
    except BadTable as error:
        raise BadTable(f"{path}: {error}") from None
    except BadSpace:
        raise BadTable(f"{path}: it does not hold the {COUNT:,} architectures that were trained; {AGAIN}") from None
    except UNREADABLE as error:
        raise BadTable(f"{path}: is cut off or damaged ({' '.join(str(error).split())}); {AGAIN}") from None


def is_accel(path: Path) -> bool:
    """Whether an archive, packed or not, begins like the release."""
    try:
        with tarfile.open(path) as archive:
            return any(MEMBER.fullmatch(entry.name) for entry, _ in zip(archive, range(4), strict=False))
    except UNREADABLE:
        return False


def files_of(folder: Path) -> list[tuple[int, Path]]:
    """The files of trainings in a folder, with their numbers, in order."""
    named = ((MEMBER.fullmatch(path.name), path) for path in folder.iterdir())
    return sorted((int(match[1]), path) for match, path in named if match)


def _trainings(path: Path) -> list[tuple[str, Genotype, Numbers]]:
    """Name, architecture and numbers of every file, by number. Raises BadTable."""
    contents = sorted(_contents(path))
    for (number, _, _), (following, name, _) in itertools.pairwise(contents):
        if number == following:
            raise BadTable(f"{name} stands twice")
    return [_read(name, content) for _, name, content in contents]


def _contents(path: Path) -> Iterator[tuple[int, str, bytes]]:
    if path.is_dir():
        for number, file in files_of(path):
            if file.stat().st_size > LARGEST:
                raise BadTable(f"{file.name} has {file.stat().st_size:,} bytes, which no such file has")
            yield number, file.name, file.read_bytes()
        return
    with tarfile.open(path) as archive:
        for entry in archive:
            match = MEMBER.fullmatch(entry.name)
            if not match or not entry.isfile():
                continue
            name = Path(entry.name).name
            if entry.size > LARGEST:
                raise BadTable(f"{name} has {entry.size:,} bytes, which no such file has")
            stream = archive.extractfile(entry)
            yield int(match[1]), name, b"" if stream is None else stream.read()


def _read(name: str, content: bytes) -> tuple[str, Genotype, Numbers]:
    try:
        found = strict.parsed(content)
        strict.require(Result, found)
        genotype = _architecture(found["architecture"])
        _require_sizes(genotype, found["model_info"])
        return name, genotype, dict(_numbers(found))
    except (ValueError, BadGenotype) as error:
        raise BadTable(f"{name}: {error}") from None


def _architecture(told: dict[str, int | bool]) -> Genotype:
    """Raises ValueError, BadGenotype where a choice is missing or is none."""
    wanted = {f"block{block}_{choice}" for block in range(len(SPACE.edges)) for choice in ("e", "k", "l", "se")}
    odd = sorted(wanted ^ set(told))
    if odd:
        raise ValueError(f"architecture {'lacks' if odd[0] in wanted else 'has'} {odd[0][:40]!r}")
    for name, value in told.items():
        if (type(value) is bool) != name.endswith("se"):
            raise ValueError(f"{name} is {value}; it takes {'true or false' if name.endswith('se') else 'a number'}")
    blocks = ([int(told[f"block{block}_{choice}"]) for choice in ("e", "k", "l", "se")] for block in range(7))
    return SPACE.parse(";".join("e{}k{}l{}s{}".format(*block) for block in blocks))


def _numbers(found: Result) -> Iterator[tuple[str, float]]:
    metrics, platforms = found["metrics"], found["platform_perf"]
    if metrics["val_top5"] < metrics["val_top1"]:
        raise ValueError(f"val_top5 is {metrics['val_top5']}, less than val_top1, {metrics['val_top1']}")
    yield "accuracy", metrics["val_top1"]
    yield "accuracy_top5", metrics["val_top5"]
    yield "train_seconds", metrics["train_time"]
    for kind, metric in ((kind, metric) for kind, names in KINDS.items() for metric in names):
        if f"{kind}_mean" not in platforms.get(metric, {}):
            raise ValueError(f"platform_perf lacks {metric}.{kind}_mean")
        if (value := platforms[metric][f"{kind}_mean"]) is not None:
            if value <= 0:
                raise ValueError(f"{metric}.{kind}_mean is {value:g}; it takes more than 0, or null")
            yield metric, value / 1_000 if kind == "latency" else value


KINDS = {"latency": LATENCIES, "throughput": THROUGHPUTS}
METRICS = ("accuracy", "accuracy_top5", "train_seconds", *LATENCIES, *THROUGHPUTS)


def _require_sizes(genotype: Genotype, info: Info) -> None:
    """Raises ValueError unless they are those of the network."""
    for name, right in (("params", counts.parameters(SPACE, genotype, RELEASED_ACCEL)), ("macs", profiled(genotype))):
        if abs(info[name] * 1e6 / right - 1) > TOLERANCE:  # type: ignore[literal-required]
            raise ValueError(f"{name} are {info[name]:g} million, but the network has {right / 1e6:g}")  # type: ignore[literal-required]


def profiled(genotype: Genotype) -> int:
    """Operations of one image as the release counts them (by the package `thop`): multiply-adds; four for each number
    that is normalised; in squeeze-and-excitation one for each number that a mean is taken of, and one for each mean.
    The means before the head, biases and sums count nothing. Found by comparison with all that were released."""
    fixed, blocks = _profiles()
    return fixed + sum(blocks[edge][op] for edge, op in enumerate(genotype))


@lru_cache
def _profiles() -> tuple[int, list[list[int]]]:
    """What stands outside the blocks, and by edge and operation."""
    outside = SPACE.layout.fixed(RELEASED_ACCEL).values()
    edges, ops = range(len(SPACE.edges)), range(len(SPACE.ops))
    blocks = [[_profile(tuple(SPACE.kernels(RELEASED_ACCEL, edge, op))) for op in ops] for edge in edges]
    return _profile(tuple(outside)), blocks


def _profile(kernels: Sequence[Kernel]) -> int:
    total, before = 0, 0
    for kernel in kernels:
        total += kernel.multiply_adds
        if kernel.affine == 2 * kernel.outputs:
            total, before = total + 4 * kernel.outputs * kernel.side**2, kernel.side
        elif kernel.outputs < kernel.inputs and before:  # the inner one of squeeze-and-excitation takes means
            total += kernel.inputs * (before**2 + 1)
    return total


def _table(trainings: Sequence[tuple[str, Genotype, Numbers]], name: str) -> Table:
    columns = _columns(trainings)
    population = SPACE.population
    title = "Accel-NASBench: networks trained on ImageNet for 16 epochs"
    seeds = "places of trainings in the files, which do not tell their seeds"
    header = Header(
        name="accel-nasbench",
        version="1",
        space=SPACE.name,
        title=f"{title}, {population.about}",
        source=f"imported from {name}; numbers of Accel-NASBench (Ahmad et al. 2024)",
        complete=False,
        settings={"accuracies": NOTE, "seeds": seeds},
        notes={c.name: f"{NOTE}; {SECOND}" if c.seed == "1" else NOTE for c in columns if c.metric == "accuracy"},
        population=about(population),
    )
    sizes = {
        "parameters": [counts.parameters(SPACE, genotype, RELEASED_ACCEL) for genotype in population],
        "multiply_adds": [counts.multiply_adds(SPACE, genotype, RELEASED_ACCEL) for genotype in population],
    }
    table = Table(header, columns, sizes)
    for column, values in columns.items():
        if column.metric.startswith("accuracy"):
            plausible.accuracies(column, values, population)
    return table


def _columns(trainings: Sequence[tuple[str, Genotype, Numbers]]) -> dict[Column, NDArray[np.float64]]:
    """`[N]` each, in the order of the population. Raises BadTable where an architecture is missing or is unknown."""
    population, made = SPACE.population, dict[Column, NDArray[np.float64]]()
    seen: dict[Genotype, list[str]] = {}
    for name, genotype, numbers in trainings:
        row, before = population.find(genotype), seen.setdefault(genotype, [])
        if row is None:
            raise BadTable(f"{name} is of {SPACE.show(genotype)}, which is none of the {population.about}")
        if len(before) == 2:
            raise BadTable(f"{name} is of {SPACE.show(genotype)}, as {before[0]} and {before[1]} are")
        for metric, value in numbers.items():
            split = "train" if metric == "train_seconds" else "val"
            column = Column(metric, "ImageNet", split, EPOCHS, str(len(before)))
            made.setdefault(column, np.full(len(population), np.nan))[row] = value
        before.append(name)
    lacking = [genotype for genotype in population if genotype not in seen]
    if lacking:
        missing = f"{len(lacking):,} of {counted(len(population), 'architecture')}"
        raise BadTable(f"lacks {missing}, e.g. {SPACE.show(lacking[0])}; is it whole?")
    return made
