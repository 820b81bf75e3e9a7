"""How well estimates rank, against the number of supernets that share the space: Few-Shot NAS's own claim."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis import caption, groups, plots, stats, style
from analysis.chart import Axis, Chart
from analysis.load import Setting
from analysis.output import Drawn, as_frame, write_figure
from analysis.runs import config, leaves, record_of, searched
from bench.store.record import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "tau_vs_supernets"
BASES = {
    ("Rsps", None): "RSPS",
    ("Darts", 1): "DARTS 1st order",
    ("Darts", 2): "DARTS 2nd order",
    ("Snas", None): "SNAS",
}
WANTED = (
    *("rsps", "rsps-longer", "fewshot-rsps", "gm-rsps", "darts-2nd", "darts-2nd-longer", "fewshot", "gm-darts"),
    *("snas", "snas-longer", "fewshot-snas", "gm-snas"),
)
CEILING = style.Look("ceiling", style.BLACK, "", style.SOLID)
SPREAD = 0.16  # of the places beside each other at one number of supernets

DEFINITIONS = (
    "τ is Kendall's tau-b between a method's estimates of architectures (validation accuracy on supernet weights; each "
    "architecture by the deepest sub-supernet that holds it) and their test accuracy when trained alone, over the "
    "probe. The x axis counts the supernets that the space is divided among at the end, equally spaced. Large markers "
    "are means over seeds, dots are runs. Filled markers have their paper's budget, outlined ones (fair) the budget of "
    "the base on one supernet; “longer” is one supernet with the epochs of all supernets of Few-Shot NAS. The line "
    "“ceiling” is the tau-b to expect of the truth with itself, trained again from as many seeds; the lines of the two "
    "sizes are the tau-b of ranking by them alone. "
    f"{caption.SIZES}"
)

CHAPTER = "ranking"
READ = (
    "A large marker is the mean tau-b of a method at its number of supernets, dots are runs; an outlined one has the "
    "images of one supernet."
)
"""How the figure is read, in a sentence."""
WORDS = caption.Words("tau_vs_supernets", "Ranking against the number of supernets.", READ)

CHART = Chart(
    x=Axis("supernets", "number of supernets"),
    y=Axis("tau", "tau-b of estimates with truth"),
    marks=(("run", "dots"), ("mean", "marker"), ("size", "level"), ("ceiling", "level")),
    panel="base",
    low="low",
    high="high",
    tell=("images",),
)


def draw(frame: pd.DataFrame, results: Results) -> Drawn:
    """One figure per space, image set, scale and truth, a panel per relaxation, below `figures/`."""
    paths: list[Path] = []
    missing: list[str] = []
    for setting, rows in searched(frame):
        ranked = stats.done(rows)
        data = prepare(ranked[ranked["tau"].notna()], results)
        cut = any(data.loc[data["kind"] == "run", "supernets"] > 1)
        missing += groups.gaps(NAME, setting, rows, WANTED)
        if not cut:
            continue
        stem = results.root / "figures" / f"{NAME}-{setting.slug}"
        partial = groups.mark(setting, rows, data["label"])
        with style.page():
            figure = paint(data, partial)
            paths += write_figure(
                stem, figure, data, describe(setting, rows[rows["label"].isin(data["label"])], partial, results.root)
            )
    return Drawn(tuple(paths), tuple(dict.fromkeys(missing)))


def prepare(rows: pd.DataFrame, results: Results) -> pd.DataFrame:
    """All that is drawn: base, label, kind, seed, supernets, images, tau, low, high. `kind`: `run`, `mean` of a
    method, `ceiling` and `size` for the lines of reference."""
    lines: list[dict[str, Any]] = []
    for label in sorted(set(rows["label"]), key=style.order):
        of_label = rows[rows["label"] == label].sort_values("seed")
        record = record_of(results, str(of_label["key"].iloc[0]))
        base = relaxation(of_label["method_id"].iloc[0])
        if label in groups.SIZES:
            lines.append({"base": "", "label": label, "kind": "size", "tau": stats.mean_of(of_label["tau"]).mean})
        count = leaves(record) if base else None
        if base is None or count is None or re.match(groups.BEST_OF, label):
            continue
        images = of_label["forward_images"] + of_label["backward_images"]
        shared = {"base": base, "label": label, "supernets": count}
        for seed, spent, tau in zip(of_label["seed"], images, of_label["tau"], strict=True):
            lines.append({**shared, "kind": "run", "seed": seed, "images": spent, "tau": tau})
        mean = stats.mean_of(of_label["tau"])
        ends = {"tau": mean.mean, "low": mean.low, "high": mean.high}
        lines.append({**shared, "kind": "mean", "images": images.mean(), **ends})
    ceiling = rows["ceiling"].dropna()
    if len(ceiling):
        lines.append({"base": "", "label": "", "kind": "ceiling", "tau": float(ceiling.iloc[0])})
    columns = ["base", "label", "kind", "seed", "supernets", "images", "tau", "low", "high"]
    return as_frame(lines, columns, ("seed", "supernets"))


def relaxation(method: Mapping[str, Any]) -> str | None:
    """The relaxation that a method trains on its supernets, by its identity; None where it trains none of these."""
    base = config(method, "base")
    known = base if isinstance(base, Mapping) and config(method, "grouping") else method
    return BASES.get((str(known["name"]).rpartition(".")[2], config(known, "order")))


def describe(setting: Setting, rows: pd.DataFrame, partial: str, root: Path) -> str:
    """The caption, in Markdown."""
    return caption.text(WORDS, setting, rows, root, partial)


def paint(data: pd.DataFrame, partial: str) -> Figure:
    """The figure: one panel per relaxation that is cut in some method."""
    means = data[data["kind"] == "mean"]
    cut = set(means.loc[means["supernets"] > 1, "base"])
    bases = [base for base in BASES.values() if base in cut]
    of = {base: sorted(set(means.loc[means["base"] == base, "label"]), key=style.order) for base in bases}
    most = max(map(len, of.values()), default=0)
    figure, panels = plots.grid(len(bases), (1.85, 1.95), plots.below(most, 1) + 0.1, sharey=True)
    for base, axes in zip(bases, panels, strict=True):
        _panel(axes, data[data["base"] == base])
        _references(axes, data)
        plots.title(axes, base)
        axes.set_xlabel("number of supernets")
        plots.own_legend(axes, of[base], with_line=False, columns=1)
    panels[0].set_ylabel("tau-b of estimates with truth")
    lines = [_look(row["label"]) for row in _lines(data)]
    plots.legend(figure, [plots.stroke(look.colour, look.dash, 0.8, look.name) for look in lines])
    plots.say(figure, partial)
    return figure


def _panel(axes: Axes, data: pd.DataFrame) -> None:
    counts = sorted(set(data["supernets"].dropna().astype(int)))
    for place, count in enumerate(counts):
        here = data[data["supernets"] == count]
        labels = sorted(set(here["label"]), key=style.order)
        for at, label in enumerate(labels):
            x = place + SPREAD * (at - (len(labels) - 1) / 2)
            _method(axes, x, label, here[here["label"] == label])
    axes.set_xticks(range(len(counts)), [str(count) for count in counts])
    axes.set_xlim(-0.5, len(counts) - 0.5)
    axes.grid(visible=False, axis="x")


def _method(axes: Axes, x: float, label: str, data: pd.DataFrame) -> None:
    look = style.look(label)
    seeds = data[data["kind"] == "run"]
    axes.scatter([x] * len(seeds), seeds["tau"], s=4, color=look.colour, alpha=0.45, linewidths=0, zorder=2)
    mean = data[data["kind"] == "mean"].iloc[0]
    if not np.isnan(mean["low"]):
        axes.vlines(x, mean["low"], mean["high"], color=look.colour, linewidth=1.0, zorder=3)
    axes.plot([x], [mean["tau"]], linestyle="none", zorder=4, **plots.marker(look))


def _references(axes: Axes, data: pd.DataFrame) -> None:
    """The ceiling and the rankings by size as lines, named below the figure: markers would cover names beside them."""
    for row in _lines(data):
        look = _look(row["label"])
        axes.axhline(float(row["tau"]), color=look.colour, linestyle=look.dash, linewidth=0.8, zorder=1)


def _lines(data: pd.DataFrame) -> list[dict[Any, Any]]:
    return data[data["kind"].isin(["ceiling", "size"])].to_dict("records")


def _look(label: str) -> style.Look:
    return style.look(label) if label else CEILING
