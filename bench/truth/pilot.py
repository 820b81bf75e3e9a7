"""Choosing how the embedded benchmark trains: candidate settings, tried on a sample of cells.

`python -m bench.truth.pilot --config n1-24k-b64 n2-24k-b128 --cells 100 --seeds 6` trains what is missing and writes
a report: how well seeds agree, within the better cells too, at which price, and how much the ranking is like that of
photographs. A sample on which settings were chosen flatters them: confirm on other cells (`--skip`).
"""

from __future__ import annotations

import csv
import gzip
import os
import sys
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from bench import spaces
from bench.errors import BadData, BadSpec, UnknownName
from bench.images import patches
from bench.metrics import partial_tau, tau_b
from bench.spaces.cells import CellSpace
from bench.spaces.layout import RELEASED_MACRO, Shape
from bench.spaces.space import Genotype, Space
from bench.store.typed import options
from bench.truth import FIRST_SPACE
from bench.truth.counts import parameters
from bench.truth.plan import Plan, class_order, load_images, series
from bench.truth.recipe import Recipe
from bench.truth.reliability import split_tau, stepped_up, tied_pairs, top_tau
from bench.truth.shards import Series
from bench.truth.workers import Context, exit_code, run

BLOCK = 10  # cells per shard
SHARES = {"all": 1.0, "top half": 0.5, "top 25 %": 0.25, "top 10 %": 0.1}
CEILINGS = range(3, 9)  # seeds
SHAPE = Shape(16, 5, 10, 3, 32)  # of NAS-Bench-201 on CIFAR-10, in which parameters are counted


@dataclass(frozen=True)
class Extract:
    """A file of released test accuracies in percent, with `arch`. columns: those whose mean is the accuracy on a data
    set, by its name; shape: of the networks."""

    name: str
    columns: Mapping[str, tuple[str, ...]]
    shape: Shape


EXTRACTS: Mapping[str, Extract] = {
    "nb201": Extract(
        "nb201.csv.gz",
        {"CIFAR-10": ("c10_test_200",), "CIFAR-100": ("c100_test_200",), "ImageNet16-120": ("in16_test_200",)},
        SHAPE,
    ),
    "macro": Extract("nas_bench_macro_cifar10.csv.gz", {"CIFAR-10": ("test_1", "test_2", "test_3")}, RELEASED_MACRO),
}
"""By space."""

CONFIGS: Mapping[str, Recipe] = {
    "n1-12k-b32": Recipe(cells=1, images=12_000, batch=32, learning_rate=0.05),
    "n1-12k-b64": Recipe(cells=1, images=12_000, batch=64, learning_rate=0.1),
    "n1-24k-b32": Recipe(cells=1, images=24_000, batch=32, learning_rate=0.05),
    "n1-24k-b64": Recipe(cells=1, images=24_000, batch=64, learning_rate=0.1),
    "n2-12k-b32": Recipe(cells=2, images=12_000, batch=32, learning_rate=0.05),
    "n2-12k-b32-fast": Recipe(cells=2, images=12_000, batch=32, learning_rate=0.1),
    "n2-12k-b64": Recipe(cells=2, images=12_000, batch=64, learning_rate=0.1),
    "n2-24k-b64": Recipe(cells=2, images=24_000, batch=64, learning_rate=0.1),
    "n2-24k-b128": Recipe(cells=2, images=24_000, batch=128, learning_rate=0.2),
    "n3-12k-b32": Recipe(cells=3, images=12_000, batch=32, learning_rate=0.05),
    "c4-1k5-b32": Recipe(channels=4, images=1_536, batch=32, learning_rate=0.1, clip=5.0),
    "c4-24k-b64": Recipe(channels=4, images=24_000, batch=64, learning_rate=0.1),
    "c8-12k-b64": Recipe(channels=8, images=12_000, batch=64, learning_rate=0.1),
    "c8-12k-b64-slow": Recipe(channels=8, images=12_000, batch=64, learning_rate=0.05),
    "c8-12k-b32": Recipe(channels=8, images=12_000, batch=32, learning_rate=0.1),
    "c8-24k-b64": Recipe(channels=8, images=24_000, batch=64, learning_rate=0.1),
    "c16-12k-b64": Recipe(channels=16, images=12_000, batch=64, learning_rate=0.1),
}


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Try settings of stand-alone training on a sample of distinct cells."""

    config: tuple[str, ...]
    """Names of settings."""
    space: str = FIRST_SPACE
    """Whose cells."""
    cells: int = 100
    """How many cells, a multiple of 10."""
    seeds: int = 6
    """Trainings per cell."""
    skip: int = 0
    """Leave out so many cells of the fixed random order, a multiple of 10."""
    workers: int = 1
    """Processes, one thread each."""
    out: Path = Path("results/pilot")
    """Folder of trainings and reports."""


@dataclass(frozen=True)
class Sample:
    """What was measured with one configuration. scores: name to `[cells, seeds]`, higher is better."""

    genotypes: list[Genotype]
    scores: dict[str, NDArray[np.float64]]
    seconds: float  # CPU seconds per cell and seed


def sample(space: Space, shards: Series, blocks: range) -> Sample:
    """Read finished blocks. Seeds that diverged count as chance."""
    table = pa.concat_tables(shards.read(block) for block in blocks)
    each = len(shards.seeds)

    def scores(name: str, chance: float) -> NDArray[np.float64]:
        values = table[name].to_numpy().astype(np.float64)
        return np.where(np.isfinite(values), values, chance).reshape(-1, each)

    positions = table["position"].to_numpy()[::each].tolist()
    return Sample(
        [space.population.at(position) for position in positions],
        {
            "accuracy": scores("test_accuracy", 100 / patches.CLASSES),
            "-cross-entropy": -scores("test_cross_entropy", np.log(patches.CLASSES)),
        },
        float(table["seconds"].to_numpy().mean()),
    )


def describe(
    scores: NDArray[np.float64], counts: NDArray[np.int64], official: Mapping[str, NDArray[np.float64]]
) -> dict[str, float]:
    """All measures of one configuration and score. counts: parameters `[cells]`; official: accuracies `[cells]`."""
    cells, seeds = scores.shape
    means = scores.mean(1)
    found: dict[str, float] = {"cells": cells, "seeds": seeds}
    found |= {f"quantile {q:.0%}": float(np.quantile(means, q)) for q in (0.05, 0.5, 0.95)}
    found["sd between seeds, median"] = float(np.median(scores.std(1, ddof=1)))
    found["tied pairs, %"] = 100 * tied_pairs(scores)
    for size in sorted({1, seeds // 2}):
        found[f"tau {size} vs {size} seeds, all"] = split_tau(scores, size)
    for name, share in SHARES.items():
        tau = found[f"tau 1 vs 1 seeds, {name}"] = top_tau(scores, share)
        found |= {f"expected tau {k} vs {k} seeds, {name}": stepped_up(tau, k) for k in CEILINGS}
    found["tau with parameters"] = tau_b(means, counts)
    for name, accuracy in official.items():
        found[f"tau with {name}"] = tau_b(means, accuracy)
        found[f"partial tau with {name} given parameters"] = partial_tau(means, accuracy, counts)
    return found


def report(
    samples: Mapping[str, Sample], official: Mapping[str, Mapping[Genotype, float]], space: CellSpace
) -> pd.DataFrame:
    """One column per configuration and score, one row per measure."""
    columns = {}
    shape = EXTRACTS[space.name].shape if space.name in EXTRACTS else SHAPE
    for name, one in samples.items():
        counts = np.array([parameters(space, genotype, shape) for genotype in one.genotypes])
        real = {key: np.array([known[genotype] for genotype in one.genotypes]) for key, known in official.items()}
        for kind, scores in one.scores.items():
            found = {"CPU seconds per cell and seed": one.seconds, **describe(scores, counts, real)}
            columns[f"{name} {kind}"] = found
    return pd.DataFrame(columns)


def read_official(path: Path, space: Space) -> dict[str, dict[Genotype, float]]:
    """Test accuracies in percent by data set and genotype, from the space's extract. Raises BadData."""
    columns = EXTRACTS[space.name].columns
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            rows = [(space.parse(row["arch"]), row) for row in csv.DictReader(file)]
            return {
                name: {genotype: sum(float(row[key]) for key in keys) / len(keys) for genotype, row in rows}
                for name, keys in columns.items()
            }
    except (OSError, EOFError, KeyError, ValueError, csv.Error, zlib.error) as error:
        raise BadData(f"{path} is no readable extract of released accuracies ({error!r})") from None


def official_extract(space: Space) -> Path | None:
    """The extract of a space in the folder that SUPERNET_BENCH_DATA names, by default beside the repository; None where
    there is none."""
    beside = Path(__file__).parents[2].parent / "shared" / "data"
    if space.name not in EXTRACTS:
        return None
    path = Path(os.environ.get("SUPERNET_BENCH_DATA", beside)) / EXTRACTS[space.name].name
    return path if path.exists() else None


def train(name: str, arguments: Arguments, context: Context | None = None) -> Sample | None:
    """Train what is missing of one configuration. None where it was stopped before the end."""
    if name not in CONFIGS:
        raise UnknownName("configuration", name, CONFIGS)
    space = spaces.get(arguments.space)
    plan = Plan(CONFIGS[name], tuple(range(arguments.seeds)), block=BLOCK, space=space.name)
    folder = arguments.out / "shards" / f"{name}-{arguments.seeds}"
    shards = series(plan, folder, load_images(plan).digest, class_order(space))
    blocks = range(arguments.skip // BLOCK, (arguments.skip + arguments.cells) // BLOCK)
    return sample(space, shards, blocks) if run(plan, shards, blocks, arguments.workers, context) else None


def main(arguments: Arguments, context: Context | None = None) -> int:
    """Run the command. Returns the exit code."""
    if arguments.cells % BLOCK or arguments.skip % BLOCK or arguments.cells < BLOCK or arguments.skip < 0:
        raise BadSpec(f"--cells {arguments.cells} and --skip {arguments.skip} take multiples of {BLOCK}")
    if arguments.seeds < 2 or arguments.workers < 1:
        raise BadSpec("two seeds and one worker are the least that can be compared")
    space = spaces.get(arguments.space)
    if not isinstance(space, CellSpace):
        raise BadSpec(f"{space.name} is no space of cells, whose parameters could be counted")
    classes = len(class_order(space))
    if arguments.skip + arguments.cells > classes:
        raise BadSpec(f"--skip {arguments.skip} and --cells {arguments.cells} ask for more than {classes:,} cells")
    extract = official_extract(space)
    official = read_official(extract, space) if extract else {}
    found = {name: train(name, arguments, context) for name in arguments.config}
    samples = {name: one for name, one in found.items() if one}
    table = report(samples, official, space)
    stem = f"report-{arguments.skip}-{arguments.skip + arguments.cells}-{arguments.seeds}"
    text = table.to_markdown(floatfmt=".3f")
    table.to_csv(arguments.out / f"{stem}.csv", index_label="measure")
    (arguments.out / f"{stem}.md").write_text(f"{text}\n", encoding="utf-8")
    print(text)
    return 0 if len(samples) == len(arguments.config) else 1


if __name__ == "__main__":
    sys.exit(exit_code(lambda: main(options(Arguments, "python -m bench.truth.pilot"))))
