"""What the number of validation images, and which they are, does to the rank correlation of one supernet: the same
weights estimated on a few images, on the first of them, and on all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis import caption, figure_files, plots, stats, style
from analysis.chart import Axis, Chart
from analysis.load import RESCORE
from analysis.output import Drawn, as_frame
from analysis.runs import searched
from bench import metrics
from bench.errors import BadRecord
from bench.runs import probe
from bench.scoring import truths
from bench.store import hints
from bench.store.files import content_of
from bench.store.record import Results
from bench.store.spec import canonical

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

NAME = "image_noise"
DRAWS = 150
"""Sets of blocks that are drawn for each number of images."""
MEASURES = ("cross-entropy", "accuracy")
MOST = 3
"""Runs in a figure."""

CHAPTER = "ranking"
DEFINITIONS = (
    "All points are estimates of the same architectures by one trained supernet; what differs are the validation "
    "images that they are made on. The images lie in blocks, one after the other, and every block is estimated by "
    "itself, normalised by its own statistics; more images are several blocks, whose accuracies and cross-entropies "
    "are averaged. tau is Kendall's tau-b with test accuracy over the probe. First: the blocks that come first, which "
    f"every run with so few images is judged by where none are drawn. Drawn: {DRAWS} sets of blocks, drawn without "
    "repetition, their mean with a bar of one standard deviation to either side, and the range that holds 95 % of "
    "them; of nearly all blocks "
    "any two sets share most, so their deviation shrinks a little too fast. Dots are single blocks."
)
READ = (
    "A dot is one block of images; the line is the mean over drawn sets of so many images with the range of 95 % of "
    "them; crosses are the images that come first."
)
"""How the figure is read, in a sentence."""
WORDS = caption.Words(NAME, "One supernet, other images.", READ)

CHART = Chart(
    x=Axis("images", "validation images of one estimate", scale="log"),
    y=Axis("tau", "tau-b of estimates with truth"),
    marks=(("block", "dots"), ("drawn", "line"), ("first", "hollow")),
    panel="measure",
    low="low",
    high="high",
    tell=("sd",),
)


@dataclass(frozen=True)
class Blocks:
    """A run's estimates by block: architectures `[n]`, `[n, blocks]` accuracy and cross-entropy, images of a block."""

    keys: probe.Keys
    accuracy: Array
    cross_entropy: Array
    images: int

    @property
    def count(self) -> int:
        """How many blocks there are."""
        return int(self.accuracy.shape[1])


def draw(frame: pd.DataFrame, results: Results) -> Drawn:
    """One figure per space, image set, scale and truth with runs that were estimated block by block."""
    paths: list[Path] = []
    missing: list[str] = []
    for setting, rows in searched(frame):
        done = stats.done(rows)
        there = done[[results.blocks_path(str(key)).exists() for key in done["key"]]]
        if there.empty:
            continue
        shown = there.sort_values(["label", "seed"]).head(MOST)
        if (unpaired := shown["pairs"].isna()).any():
            missing.append(
                f"{NAME} {setting.slug}: {unpaired.sum()} runs have no truths beside their blocks; {RESCORE}"
            )
        shown = shown[~unpaired]
        data = prepare(shown, results)
        if not data.empty:
            paths += figure_files.write(WORDS, setting, shown, data, paint, results, said(data))
    return Drawn(tuple(paths), tuple(missing))


def read(path: Path, key: str) -> Blocks:
    """Raises BadRecord where the file is not what `bench estimate --blocks` writes, or of another run."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    remedy = f"{hints.aside(path)}; `python -m bench estimate {key} --blocks N` makes another"
    try:
        table = pq.read_table(pa.BufferReader(content_of(path)))
        about = {name.decode(): text.decode() for name, text in (table.schema.metadata or {}).items()}
        if about.get("run") != key:
            raise ValueError(f"they are of run {about.get('run') or 'none'}")
        keys, count = probe.keys_in(table), sum(name.startswith("accuracy_") for name in table.column_names)
        columns = {name: table[name].to_numpy() for name in table.column_names[1:]}
        note = canonical({name: text for name, text in about.items() if name != probe.SEAL})
        probe.require_sealed(table, {probe.column_of(keys): keys, **columns}, note)
        accuracy, cross_entropy = (
            np.stack([columns[f"{name}_{block}"] for block in range(count)], axis=1).astype(np.float64)
            for name in ("accuracy", "cross_entropy")
        )
        return Blocks(keys, accuracy, cross_entropy, int(about["images"]))
    except (pa.ArrowException, *probe.UNREADABLE) as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadRecord(f"{path} holds no estimates by blocks ({why}); {remedy}") from None


def prepare(rows: pd.DataFrame, results: Results) -> pd.DataFrame:
    """All that is drawn: label, seed, measure, kind (`block`, `first`, `drawn`), images, tau, and of those drawn sd,
    low and high."""
    lines: list[dict[str, Any]] = []
    for row in rows.itertuples():
        blocks = read(results.blocks_path(str(row.key)), str(row.key))
        known = truths.read(results.truths_path(str(row.truth), str(row.target)))
        try:
            truth = known.at(blocks.keys).columns["test"].astype(np.float64)
        except KeyError as error:
            path = results.blocks_path(str(row.key))
            raise BadRecord(f"no truth of architecture {error} of {path} is at hand; run {RESCORE} again") from None
        same = {"label": row.label, "seed": row.seed}
        for measure, values in (("accuracy", blocks.accuracy), ("cross-entropy", -blocks.cross_entropy)):
            lines += [{**same, "measure": measure, **line} for line in _lines(values, truth, blocks)]
    columns = ["label", "seed", "measure", "kind", "images", "tau", "sd", "low", "high"]
    return as_frame(lines, columns, ("seed", "images"))


def sizes(count: int) -> list[int]:
    """Numbers of blocks: 1, 2, 4, … and all."""
    return [2**power for power in range(count.bit_length()) if 2**power < count] + [count]


def _lines(values: Array, truth: Array, blocks: Blocks) -> Iterator[dict[str, Any]]:
    """values: `[n, blocks]`, the larger the better."""
    rng = np.random.default_rng(0)
    for block in range(blocks.count):
        yield {"kind": "block", "images": blocks.images, "tau": metrics.tau_b(values[:, block], truth)}
    for size in sizes(blocks.count):
        images = size * blocks.images
        yield {"kind": "first", "images": images, "tau": metrics.tau_b(values[:, :size].mean(axis=1), truth)}
        if size == 1:
            taus = np.array([metrics.tau_b(values[:, block], truth) for block in range(blocks.count)])
        else:
            many = 1 if size == blocks.count else DRAWS
            sets = (rng.choice(blocks.count, size, replace=False) for _ in range(many))
            taus = np.array([metrics.tau_b(values[:, chosen].mean(axis=1), truth) for chosen in sets])
        spread = float(taus.std(ddof=1)) if len(taus) > 1 else None
        low, high = np.quantile(taus, [0.025, 0.975]) if len(taus) > 1 else (None, None)
        drawn = {"kind": "drawn", "images": images, "tau": float(taus.mean())}
        yield {**drawn, "sd": spread, "low": low, "high": high}


def said(data: pd.DataFrame) -> str:
    """The numbers of the first run in words, by cross-entropy: few images, the first of them, and all."""
    own = data[(data["label"] == data["label"].iloc[0]) & (data["seed"] == data["seed"].iloc[0])]
    own = own[own["measure"] == MEASURES[0]]
    drawn, first = (own[own["kind"] == kind].sort_values("images") for kind in ("drawn", "first"))
    least, most = drawn.iloc[0], drawn.iloc[-1]
    rank = int((own.loc[own["kind"] == "block", "tau"] < first["tau"].iloc[0]).sum()) + 1
    blocks, least_first = int((own["kind"] == "block").sum()), first["tau"].iloc[0]
    return (
        f"By cross-entropy, tau on {least['images']:,} images is {least['tau']:.3f} (sd {least['sd']:.3f}), on the "
        f"first {least['images']:,} {least_first:.3f} (rank {rank} of {blocks} blocks, the worst first), on all "
        f"{most['images']:,} {most['tau']:.3f}."
    )


def paint(data: pd.DataFrame, partial: str) -> Figure:
    """A panel for each way of estimating, a line for each run."""
    runs = list(data[["label", "seed"]].drop_duplicates().itertuples(index=False, name=None))
    figure, grid = plots.grid(len(MEASURES), plots.WIDE, plots.below(len(runs) + 2, 2), most=2, sharey=True)
    colours = (style.BLUE, style.VERMILLION, style.GREEN)
    for measure, axes in zip(MEASURES, grid, strict=True):
        for (label, seed), colour in zip(runs, colours, strict=False):
            of = data[(data["label"] == label) & (data["seed"] == seed) & (data["measure"] == measure)]
            blocks, first, drawn = (of[of["kind"] == kind] for kind in ("block", "first", "drawn"))
            axes.fill_between(
                drawn["images"].astype(float), drawn["low"].astype(float), drawn["high"].astype(float),
                color=colour, alpha=0.15, linewidth=0,
            )  # fmt: skip
            axes.errorbar(
                drawn["images"],
                drawn["tau"],
                drawn["sd"].fillna(0),
                color=colour,
                linewidth=1.2,
                elinewidth=0.8,
                zorder=3,
            )
            axes.plot(blocks["images"], blocks["tau"], ".", color=colour, alpha=0.45, markersize=3.0, zorder=2)
            axes.plot(first["images"], first["tau"], "x", color=style.BLACK, markersize=4.5, zorder=4)
        axes.set_xscale("log")
        ticks = sorted(set(data["images"]))
        crowded = ticks[-2:-1] if ticks[-1] < 1.8 * ticks[-2] else []
        axes.set_xticks(ticks, ["" if tick in crowded else f"{tick:,}" for tick in ticks])
        axes.minorticks_off()
        axes.set_xlabel("validation images of one estimate")
        plots.title(axes, f"by {measure}")
    grid[0].set_ylabel("tau-b of estimates with truth")
    handles = [
        plots.stroke(colour, style.SOLID, 1.2, f"{style.printed(label)} seed {seed}: drawn sets of blocks")
        for (label, seed), colour in zip(runs, colours, strict=False)
    ]
    plots.legend(
        figure, [*handles, _mark("x", style.BLACK, "the first images"), _mark(".", colours[0], "single blocks")], 2
    )
    plots.say(figure, partial)
    return figure


def _mark(marker: str, colour: str, label: str) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], linestyle="none", marker=marker, markersize=4.5, color=colour, label=label)
