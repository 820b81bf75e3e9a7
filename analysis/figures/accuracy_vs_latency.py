"""Accuracy against time on a device: what searches chose, among the architectures of the probe. The times are sums over
blocks that were fitted on measured networks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis import caption, figure_files, plots, stats, style
from analysis.chart import Axis, Chart
from analysis.load import settings
from analysis.output import Drawn, as_frame
from analysis.runs import runs
from bench import spaces
from bench.errors import BadRecord
from bench.runs import probe
from bench.scoring import truths
from bench.store import speeds
from bench.store.record import Results
from bench.store.speeds import Speeds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "accuracy_vs_latency"
PANEL = (2.9, 2.3)  # inches

DEFINITIONS = (
    "Times are sums over blocks, one number for each option of each block, fitted on networks that were measured on "
    "the device (`python -m bench latency TABLE DEVICE OUT`); a file of them in `speeds/` makes a panel. Those of a "
    "throughput are of 100 images. Small grey dots: the architectures of the probe. Grey line: the best of them at no "
    "more time. Markers: the choices of a search, one for each seed, with the accuracy that the truth gives them; of "
    "a surrogate that is a prediction. Dotted: the time that the file names as a target. Choices without a known "
    "accuracy are left out."
)
CHAPTER = "choice"
READ = (
    "A marker is the choice of a search from one seed: the higher the better, the further left the faster; grey dots "
    "are the architectures of the probe, the grey line the best at no more time."
)
"""How the figure is read, in a sentence."""
WORDS = caption.Words(NAME, "Accuracy against time on a device.", READ)

CHART = Chart(
    x=Axis("milliseconds", "milliseconds"),
    y=Axis("test", "true test accuracy (%)", far=plots.FAR),
    marks=(("probe", "dots"), ("front", "line"), ("choice", "marker")),
    panel="device",
    tell=("seed",),
)


def draw(frame: pd.DataFrame, results: Results) -> Drawn:
    """One figure for each setting whose space has speeds in the folder."""
    paths: list[Path] = []
    missing: list[str] = []
    for setting, rows in settings(frame, by_target=True):
        devices = [one for one in speeds.those_of(results, setting.space) if _fits(one)]
        done = stats.done(rows)
        if not devices or done["test"].isna().all():
            continue
        data = prepare(done, devices, results)
        paths += figure_files.write(WORDS, setting, rows, data, paint, results)
    return Drawn(tuple(paths), tuple(missing))


def _fits(one: Speeds) -> bool:
    known = spaces.SPACES.get(one.space)
    return known is not None and one.blocks.shape == (len(known.edges), len(known.ops))


def prepare(rows: pd.DataFrame, devices: list[Speeds], results: Results) -> pd.DataFrame:
    """All that is drawn: device, kind (`probe`, `front`, `choice`, `target`), label, seed, milliseconds, test (%)."""
    lines: list[dict[str, Any]] = []
    genotypes, test = _probed(rows, results)
    known = rows[rows["test"].notna()]
    chosen = [(row, record.genotype) for row, record in runs(known, results) if record.genotype is not None]
    for one in devices:
        shared = {"device": one.device}
        if genotypes:
            times = one.of(genotypes)
            lines += (
                {**shared, "kind": "probe", "milliseconds": t, "test": a} for t, a in zip(times, test, strict=True)
            )
            lines += ({**shared, "kind": "front", "milliseconds": t, "test": a} for t, a in front(times, test))
        for row, genotype in chosen:
            (time,) = one.of([genotype])
            told = {"label": row["label"], "seed": row["seed"], "milliseconds": time, "test": row["test"]}
            lines.append({**shared, "kind": "choice", **told})
        lines.append({**shared, "kind": "target", "milliseconds": one.target})
    return as_frame(lines, ["device", "kind", "label", "seed", "milliseconds", "test"], ("seed",))


def front(times: Any, test: Any) -> list[tuple[float, float]]:
    """Those that are better than all that take no longer, by time."""
    found: list[tuple[float, float]] = []
    for at in np.lexsort((-np.asarray(test), np.asarray(times))):
        if not found or test[at] > found[-1][1]:
            found.append((float(times[at]), float(test[at])))
    return found


def _probed(rows: pd.DataFrame, results: Results) -> tuple[list[Any], Any]:
    """The architectures of the probe whose accuracy the truth knows, and that accuracy; none without a file of them."""
    with_pairs = rows[rows["pairs"].notna()]
    if with_pairs.empty:
        return [], np.zeros(0)
    first = with_pairs.iloc[0]
    path = results.truths_path(str(first["truth"]), str(first["target"]))
    try:
        known = truths.read(path) if path.exists() else None
    except BadRecord:
        return [], np.zeros(0)  # named among the damaged by whoever reads pairs
    if known is None or known.checksum != first["truth_checksum"]:
        return [], np.zeros(0)
    there = np.isfinite(known.columns["test"])
    genotypes = probe.genotypes_of(spaces.get(str(first["space"])), known.keys[there])
    return genotypes, known.columns["test"][there].astype(np.float64)


def paint(data: pd.DataFrame, partial: str) -> Figure:
    """The figure: a panel for each device."""
    devices = list(dict.fromkeys(data["device"]))
    labels = sorted(set(data["label"].dropna()) - {""}, key=style.order)
    figure, axes = plots.grid(len(devices), PANEL, plots.below(len(labels)), sharey=True)
    for device, one in zip(devices, axes, strict=True):
        _panel(one, data[data["device"] == device], labels)
        plots.title(one, device)
        one.set_xlabel("milliseconds")
    axes[0].set_ylim(*plots.ends(data["test"].dropna()))
    figure.supylabel("true test accuracy (%)", fontsize=plots.LABEL)
    plots.legend(figure, [plots.handle(label, with_line=False) for label in labels])
    plots.say(figure, partial)
    return figure


def _panel(axes: Axes, data: pd.DataFrame, labels: list[str]) -> None:
    cloud, best = data[data["kind"] == "probe"], data[data["kind"] == "front"]
    axes.plot(
        cloud["milliseconds"], cloud["test"], linestyle="none", marker=".", markersize=1.5, color="#C8C8C8", zorder=1
    )
    axes.step(best["milliseconds"], best["test"], where="post", color=style.GREY, linewidth=0.9, zorder=2)
    for target in data.loc[data["kind"] == "target", "milliseconds"].astype(float):
        axes.axvline(target, color=style.BLACK, linestyle=style.DOTTED, linewidth=0.8, zorder=1)
    for label in labels:
        own = data[(data["kind"] == "choice") & (data["label"] == label)]
        axes.plot(own["milliseconds"], own["test"], linestyle="none", zorder=4, **plots.marker(style.look(label), 4.5))
