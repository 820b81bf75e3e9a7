"""How searches order architectures against how these rank when trained alone: rank against rank, in eight panels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from analysis import caption, findings, groups, papers, plots, stats, style
from analysis.answer import is_principal, told
from analysis.chart import Axis, Chart
from analysis.load import RESCORE, Setting, settings
from analysis.output import Drawn, write_figure
from analysis.pairs import TENTHS, read_pairs, sides, tenths
from bench.store.record import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "estimate_vs_truth"
MOST = 8  # panels on a page
PANEL = (1.85, 2.0)  # inches
TOP = 100 - 100 / TENTHS  # percent: where the true top tenth begins
MIDDLE = (5, 95)  # percentiles between which the estimates are told
SHARE = "share of the largest"
NO_ACCURACY = {"parameters": SHARE, "multiply-adds": SHARE, "bayes": "a regression"}
"""What is told of methods whose estimates are no accuracies on a supernet."""
DENSE = 2_000  # from this many points on they are an image inside the PDF

DEFINITIONS = (
    "Each point is an architecture of the probe: its rank by test accuracy when trained alone against its rank by the "
    "search's estimate, both in percent (100: best), equal values at their mean rank. Points are of the run with the "
    "median tau (the lower of two middle ones). Lines join the mean ranks of ten groups of equal number by true rank: "
    "the thick one is of that run, thin ones of other seeds, the dotted diagonal of an estimate that orders as the "
    "truth does. Above a panel: Kendall's tau-b as the mean over seeds with its interval; tau inside the true top "
    f"tenth (shaded), and between which values the middle {MIDDLE[1] - MIDDLE[0]} % of the run's estimates lie, for "
    "ranks hide distances. Panels are the parameter count, of each paper the configuration that ranks best, and what "
    "ranks best of the others, without ablations; all others are in the table of rankings."
)

CHAPTER = "ranking"
READ = (
    "Points and the thick line are the run of median tau, thin lines other seeds, the dotted line a perfect order; the "
    "true top tenth is shaded."
)
"""How the figure is read, in a sentence."""
WORDS = caption.Words(NAME, "Order of estimates against true order.", READ)

CHART = Chart(
    x=Axis("true_rank", "true rank (%, 100 is best)"),
    y=Axis("rank", "rank by the estimate (%)"),
    marks=(("point", "dots"), ("tenth", "trend")),
    panel="label",
    head="words",
    tell=("architecture", "test", "estimate"),
    most=200,
)


@dataclass(frozen=True)
class Panel:
    """One method: the run of the median tau, its points, and the tenths of all its runs."""

    label: str
    seed: int
    tau: stats.Mean  # of all runs
    top: stats.Mean  # the same inside the true top tenth
    points: pd.DataFrame  # architecture, test (%), estimate (%), true_rank (%), rank (%)
    tenths: dict[int, pd.DataFrame]  # by seed: true_rank (%), rank (%)

    @property
    def said(self) -> tuple[str, str]:
        """The two lines above the panel: tau with interval and n; the top tenth and the spread of the estimates."""
        n = f"  n = {self.tau.n}" if self.tau.n > 1 else ""
        low, high = np.percentile(self.points["estimate"], MIDDLE)
        base = style.parts(self.label)[0]
        spread = NO_ACCURACY.get(base, f"estimates {low:.0f} to {high:.0f} %")
        top = "" if self.top.mean is None else f"top tenth {plots.number(self.top.mean)} \N{MIDDLE DOT} "
        return f"\N{GREEK SMALL LETTER TAU} {told(self.tau, 2)}{n}", f"{top}{spread}"


def draw(frame: pd.DataFrame, results: Results) -> Drawn:
    """One figure per space, image set, target, scale and truth that has probe pairs, below `figures/`."""
    paths: list[Path] = []
    missing: list[str] = []
    for setting, rows in settings(frame, by_target=True):
        done = stats.done(rows)
        panels = prepare(setting, done, results, missing)
        if not panels:
            missing.append(f"{NAME} {setting.slug}: no run has probe estimates with a truth; {RESCORE} pairs them")
            continue
        labels = [panel.label for panel in panels]
        shown = rows[rows["label"].isin(labels)]
        partial = groups.mark(setting, rows, labels)
        found = findings.found(NAME, setting, rows)
        words = caption.text(WORDS, setting, shown, results.root, partial, _notes(panels, done), found)
        with style.page():
            stem = results.root / "figures" / f"{NAME}-{setting.slug}"
            paths += write_figure(stem, paint(panels, partial), plotted(panels), words)
    return Drawn(tuple(paths), tuple(missing))


def chosen(rows: pd.DataFrame) -> list[str]:
    """The labels of at most `MOST` panels: the parameter count; the best-ranking configuration of each paper; then
    those that rank best of the others. Ablations only where nothing else is there."""
    means = rows.groupby("label")["tau"].mean().sort_values(ascending=False, kind="stable")
    labels = [str(label) for label in means.index]
    searches = [label for label in labels if label not in groups.SIZES]
    known = [label for label in searches if is_principal(label)] or searches
    first = list({papers.search(label).paper: label for label in reversed(known)}.values())[::-1]
    wanted = [*(label for label in labels if label == "parameters"), *first]
    wanted += [label for label in known if label not in wanted]
    return sorted(wanted[:MOST], key=style.order)


def prepare(setting: Setting, rows: pd.DataFrame, results: Results, missing: list[str]) -> list[Panel]:
    """The panels, baselines first. A method whose side files are not at hand gets a line in `missing` instead."""
    rows = rows[rows["pairs"].notna() & rows["tau"].notna()]
    panels = []
    for label in chosen(rows):
        of_label = rows[rows["label"] == label].sort_values(["tau", "seed"])
        files = {
            int(row.seed): sides(  # type: ignore[arg-type]
                results, str(row.key), setting.truth, setting.target, str(row.truth_checksum)
            )
            for row in of_label.itertuples()
        }
        absent = [path for of in files.values() for path in of.absent]
        if absent:
            missing.append(f"{NAME} {setting.slug}: {label} lacks {absent[0]}; {RESCORE} makes it again")
            continue
        seed = list(files)[(len(files) - 1) // 2]
        sizes = dict(zip(of_label["seed"], of_label["probe_n"], strict=True))
        pairs = {seed: ranked(read_pairs(of, int(sizes[seed]))) for seed, of in files.items()}
        lines = {seed: tenths(pairs[seed]) for seed in sorted(pairs)}
        top = stats.mean_of(of_label["tau_top10"])
        panels.append(Panel(label, seed, stats.mean_of(of_label["tau"]), top, pairs[seed], lines))
    return panels


def ranked(pairs: pd.DataFrame) -> pd.DataFrame:
    """With true_rank and rank (of the estimate) in percent: 0 the worst, 100 the best, ties at their mean."""
    last = max(len(pairs) - 1, 1)
    return pairs.assign(
        true_rank=100 * (pairs["test"].rank() - 1) / last, rank=100 * (pairs["estimate"].rank() - 1) / last
    ).round({"true_rank": 2, "rank": 2})


def plotted(panels: Sequence[Panel]) -> pd.DataFrame:
    """All that is drawn: `kind` is point or tenth (of each seed); `words` is the first line above a panel."""
    parts = []
    for panel in panels:
        points = panel.points.assign(architecture=panel.points["architecture"].astype(str))
        parts.append(points.assign(label=panel.label, seed=panel.seed, kind="point"))
        for seed, line in panel.tenths.items():
            parts.append(line.assign(label=panel.label, seed=seed, kind="tenth", words=panel.said[0]))
    columns = ["label", "seed", "kind", "architecture", "test", "estimate", "true_rank", "rank", "words"]
    return pd.concat(parts, ignore_index=True)[columns]


def _notes(panels: Sequence[Panel], rows: pd.DataFrame) -> str:
    """How many architectures, which seed, and what is not drawn."""
    seeds = caption.usually({p.label: str(p.seed) for p in panels})
    counts = caption.usually({p.label: f"{len(p.points):,}" for p in panels})
    drawn = {panel.label for panel in panels}
    left = sorted(set(rows.loc[rows["pairs"].notna() & rows["tau"].notna(), "label"]) - drawn, key=style.order)
    without = f" For want of room without {', '.join(map(style.printed, left))}." if left else ""
    return f"n of architectures: {counts}. Seed of the points: {seeds}.{without}"


def paint(panels: Sequence[Panel], partial: str = "") -> Figure:
    """The figure: panels in rows of up to four on the same axes."""
    figure, grid = plots.grid(len(panels), PANEL, extra=0.3, most=4, sharex=True, sharey=True)
    for panel, axes in zip(panels, grid, strict=True):
        _panel(axes, panel)
    figure.supxlabel("true rank (%, 100 is best)", fontsize=plots.LABEL)
    figure.supylabel("rank by the estimate (%)", fontsize=plots.LABEL)
    plots.say(figure, partial)
    return figure


def _panel(axes: Axes, panel: Panel) -> None:
    ink = papers.search(panel.label).ink if panel.label not in groups.SIZES else papers.NEUTRAL
    n = len(panel.points)
    size, alpha = float(np.clip(1200 / n, 0.6, 7.0)), float(np.clip(600 / n, 0.22, 0.7))
    axes.axvspan(TOP, 100, color="#ECEFF4", zorder=0)
    axes.plot([0, 100], [0, 100], color="#555555", linestyle=style.DOTTED, linewidth=0.8, zorder=1)
    axes.scatter(
        panel.points["true_rank"], panel.points["rank"], s=size, alpha=alpha, color=ink, linewidths=0,
        rasterized=n >= DENSE, zorder=2,
    )  # fmt: skip
    for seed, line in panel.tenths.items():
        if seed != panel.seed:
            axes.plot(line["true_rank"], line["rank"], color="#6B7280", linewidth=0.6, zorder=3)
    own = panel.tenths[panel.seed]
    axes.plot(own["true_rank"], own["rank"], color="white", linewidth=3.0, zorder=4)
    axes.plot(own["true_rank"], own["rank"], color=style.BLACK, linewidth=1.6, zorder=5)
    axes.set(xlim=(-1, 101), ylim=(-1, 101), xticks=(0, 50, TOP), yticks=(0, 50, 100))
    axes.grid(visible=False)
    name = plots.broken(style.printed(panel.label), 24).splitlines()
    first, second = panel.said
    axes.set_title(f"{first}\n{second}", fontsize=5.5, pad=3)
    axes.annotate(
        "\n".join(name), (0, 1), (0, 21), "axes fraction", "offset points", weight="bold", fontsize=7.5, color=ink
    )
