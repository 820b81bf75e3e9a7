"""Best accuracy against the number of samples: regularised evolution over the estimates of one supernet, of several,
and over the truth, as in Few-Shot NAS."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from analysis import caption, figure_files, plots, stats, style
from analysis.chart import Axis, Chart
from analysis.output import Drawn, as_frame
from analysis.runs import searched
from bench.errors import BadRecord
from bench.store import evolved
from bench.store.evolved import Evolved
from bench.store.record import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "evolution"
EVOLVE = "`python -m bench evolve`"

DEFINITIONS = (
    "Regularised evolution (Real et al., AAAI 2019, with the population and the tournament of Few-Shot NAS's code) "
    "asks for one score after another. After each it would choose the architecture with the best score so far. The "
    "line is the true test accuracy of that choice, the mean over evolutions and then over seeds, with its interval. "
    "Black: evolution that is told true accuracies. Grey: the expected best of as many random architectures by the "
    "truth, which is an oracle. Evolution breeds among the architectures of the probe, for which alone there are "
    "estimates: a child that is none of them is drawn again. In a probe of less than two fifths of the space it would "
    "get stuck, and such a probe is left out. Nothing is trained for it; a sample costs a search what an estimate "
    "costs."
)
CHAPTER = "choice"
READ = (
    "A line is the true accuracy of what evolution would choose after so many samples, by the estimates of a search; "
    "black is evolution over the truth."
)
"""How the figure is read, in a sentence."""
WORDS = caption.Words(NAME, "Evolution over estimates and over the truth.", READ)
SIZE = (4.4, 2.6)  # inches

CHART = Chart(
    x=Axis("samples", "architectures that evolution asked for", scale="log"),
    y=Axis("test", "true test accuracy (%)", far=plots.FAR),
    marks=(("estimates", "marker"), ("truth", "line"), ("random", "dots")),
    low="low",
    high="high",
    tell=("n", "architectures"),
)


def draw(frame: pd.DataFrame, results: Results) -> Drawn:
    """One figure for each setting, of the runs that evolution was bred over."""
    paths: list[Path] = []
    missing: list[str] = []
    for setting, rows in searched(frame):
        found = of_runs(stats.done(rows), results)
        if not found:
            missing.append(
                f"{NAME} {setting.slug}: nothing was bred over its estimates; {EVOLVE} does, without training"
            )
            continue
        paths += figure_files.write(WORDS, setting, rows, prepare(found), paint, results)
    return Drawn(tuple(paths), tuple(missing))


def of_runs(rows: pd.DataFrame, results: Results) -> dict[str, list[Evolved]]:
    """By label, what was bred over the runs of a setting by its truth as it is now. Files that cannot be trusted are
    named in `results.damaged`."""
    found: dict[str, list[Evolved]] = defaultdict(list)
    columns = ["label", "key", "truth", "target", "truth_checksum"]
    for label, key, truth, target, checksum in rows.sort_values("seed")[columns].itertuples(index=False):
        path = evolved.path_of(results, str(key), str(truth), str(target))
        try:
            one = evolved.read(path) if path.exists() else None
        except BadRecord as error:
            results.damaged[path] = str(error)
            continue
        if one is not None and one.truth_checksum == checksum:
            found[str(label)].append(one)
    return found


def prepare(found: dict[str, list[Evolved]]) -> pd.DataFrame:
    """All that is drawn: label, kind (`estimates`; without a label `truth` and `random`), samples, test (%), low, high,
    n (runs), architectures (of which evolution bred)."""
    every = [one for ones in found.values() for one in ones]
    lines = [line for label in sorted(found, key=style.order) for line in _mean(label, "estimates", found[label])]
    lines += [line for kind in ("truth", "random") for line in _mean("", kind, every)]
    columns = ["label", "kind", "samples", "test", "low", "high", "n", "architectures"]
    return as_frame(lines, columns, ("samples", "n", "architectures"))


def _mean(label: str, kind: str, ones: list[Evolved]) -> list[dict[str, Any]]:
    """A line for each number of samples that all of them have."""
    curves = {"estimates": "by_estimates", "truth": "by_truth", "random": "at_random"}
    common = set.intersection(*(set(one.samples) for one in ones))
    lines = []
    for samples in sorted(common):
        mean = stats.mean_of(getattr(one, curves[kind])[one.samples.index(samples)] for one in ones)
        ends = {"low": mean.low, "high": mean.high} if label else {}  # of the truth all runs tell alike
        few = min(one.architectures for one in ones)
        told = {"label": label, "kind": kind, "samples": samples, "test": mean.mean, "n": mean.n, "architectures": few}
        lines.append({**told, **ends})
    return lines


def paint(data: pd.DataFrame, partial: str) -> Figure:
    """The figure: a line for each search, evolution over the truth in black, random search in grey."""
    labels = [label for label in dict.fromkeys(data["label"]) if label]
    figure, (axes,) = plots.grid(1, SIZE, plots.below(len(labels) + 2))
    axes.set_xscale("log")
    for label in labels:
        own, look = data[data["label"] == label], style.look(label)
        x, y = own["samples"].astype(float), own["test"].astype(float)
        axes.fill_between(x, own["low"].astype(float), own["high"].astype(float), color=look.colour, alpha=0.12, lw=0)
        axes.plot(x, y, zorder=3, **{**plots.line(look), **plots.marker(look, 3.5)})
    for kind, colour, dash in (("truth", style.BLACK, style.SOLID), ("random", style.GREY, style.DASH_DOT)):
        own = data[data["kind"] == kind]
        axes.plot(own["samples"].astype(float), own["test"].astype(float), color=colour, linestyle=dash, linewidth=1.1)
    axes.set_ylim(*plots.ends(data["test"]))
    axes.set_xlabel("architectures that evolution asked for")
    axes.set_ylabel("true test accuracy (%)")
    handles = [plots.handle(label) for label in labels]
    handles.append(plots.stroke(style.BLACK, style.SOLID, 1.1, "evolution over the truth"))
    handles.append(plots.stroke(style.GREY, style.DASH_DOT, 1.1, "best of as many at random (oracle)"))
    plots.legend(figure, handles, columns=2)
    plots.say(figure, partial)
    return figure
