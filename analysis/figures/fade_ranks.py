"""Whether FaDE orders the cells that it trains together as the truth does: predicted rank against evaluated rank."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from analysis import caption, figure_files, groups, plots, stats, style
from analysis.load import RESCORE
from analysis.output import Drawn, as_frame
from analysis.runs import rounds, runs, searched
from analysis.tables.fade import LEAST_CELLS
from bench import metrics
from bench.store.record import Record, Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "fade_ranks"
WANTED = ("fade", "fade-dependent", "fade-unregularised", "fade-random")
DOT = 420.0  # square points of a mark that would hold half of a panel's cells

DEFINITIONS = (
    "Each round of FaDE trains one hyper-architecture of k cells. Its predicted ranks order the cells by FaDE-rank, "
    "the product of a cell's weights over the rows (1 is the largest); the evaluated ranks order them by test accuracy "
    "when trained alone (1 is the best; ties share their mean rank). Both are among the cells of the round whose truth "
    "is known, since FaDE-ranks of different hyper-architectures cannot be compared. The area of a mark is the share "
    "of cells at that place; all on the dashed diagonal would be agreement. τ is Kendall's tau-b and ρ Spearman's "
    "correlation inside a round, averaged over the rounds of a run and then over runs; rounds in which one side is "
    "constant are left out, n counts those averaged. FaDE, random cells, draws its cells uniformly; the others draw "
    "them around a point that moves, so that later cells are more alike."
)

CHAPTER = "parts"
READ = (
    "Each panel is one method: the larger a mark, the more cells have that predicted and that evaluated rank; on the "
    "diagonal both agree."
)
"""How the figure is read, in a sentence."""
WORDS = caption.Words("fade_ranks", "FaDE's ranks against evaluated ranks.", READ)


def draw(frame: pd.DataFrame, results: Results) -> Drawn:
    """One figure per space, image set, scale and truth, below `figures/`."""
    paths: list[Path] = []
    missing: list[str] = []
    for setting, rows in searched(frame):
        data = prepare(stats.done(rows), results)
        having = set(rows["label"]) & set(WANTED)
        missing += groups.gaps(NAME, setting, rows, WANTED)
        if data.empty:
            if having:
                missing.append(
                    f"{NAME} {setting.slug}: no round has {LEAST_CELLS} cells with a truth; {RESCORE} by a fuller one"
                )
            continue
        paths += figure_files.write(WORDS, setting, rows, data, paint, results)
    return Drawn(tuple(paths), tuple(dict.fromkeys(missing)))


def prepare(rows: pd.DataFrame, results: Results) -> pd.DataFrame:
    """All that is drawn: label, kind, seed, round, predicted and evaluated (ranks), value, low, high, n.

    `kind`: `cell` with its two ranks; `tau` and `spearman` of a round, with n cells; `mean_tau` and `mean_spearman`
    over runs, with n rounds.
    """
    lines: list[dict[str, Any]] = []
    for label in sorted(set(rows["label"]), key=style.order):
        means: dict[str, list[float]] = {"tau": [], "spearman": []}
        count = dict.fromkeys(means, 0)
        for row, record in runs(rows[rows["label"] == label], results):
            found: dict[str, list[float]] = {"tau": [], "spearman": []}
            for number, ranks, truth in judged_rounds(record, row["visited"]):
                shared = {"label": label, "seed": row["seed"], "round": number}
                ours, real = rankdata(-ranks), rankdata(-truth)
                lines += ({**shared, "kind": "cell", "predicted": p, "evaluated": e}
                          for p, e in zip(ours, real, strict=True))  # fmt: skip
                for kind, value in (("tau", metrics.tau_b(ranks, truth)), ("spearman", metrics.spearman(ranks, truth))):
                    if np.isfinite(value):
                        found[kind].append(value)
                        lines.append({**shared, "kind": kind, "value": value, "n": len(ranks)})
            for kind, values in found.items():
                means[kind] += [float(np.mean(values))] if values else []
                count[kind] += len(values)
        for kind, values in means.items():
            mean = stats.mean_of(values)
            if mean.mean is not None:
                ends = {"value": mean.mean, "low": mean.low, "high": mean.high}
                lines.append({"label": label, "kind": f"mean_{kind}", **ends, "n": count[kind]})
    columns = ["label", "kind", "seed", "round", "predicted", "evaluated", "value", "low", "high", "n"]
    return as_frame(lines, columns, ("seed", "round", "n"))


def judged_rounds(
    record: Record, visited: tuple[Mapping[str, Any], ...]
) -> Iterator[tuple[int, np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
    """Round number from 1, FaDE-ranks `[n]` and test accuracies `[n]` of its cells with a known truth, where there
    are `LEAST_CELLS` of them."""
    truths = {tuple(cell["genotype"]): cell["test"] for cell in visited}
    for number, one in enumerate(rounds(record), 1):
        both = [(rank, truths.get(tuple(cell))) for rank, cell in zip(one["ranks"], one["cells"], strict=True)]
        known = np.array([(rank, test) for rank, test in both if test is not None], dtype=np.float64).reshape(-1, 2)
        if len(known) >= LEAST_CELLS:
            yield number, known[:, 0], known[:, 1]


def paint(data: pd.DataFrame, partial: str) -> Figure:
    """The figure: a panel per method."""
    labels = list(dict.fromkeys(data["label"]))
    figure, panels = plots.grid(len(labels), (1.7, 2.2), 0.1, most=4, sharex=True, sharey=True)
    most = int(max(data["predicted"].max(), data["evaluated"].max()))
    for label, axes in zip(labels, panels, strict=True):
        _panel(axes, label, data[data["label"] == label], most)
    panels[0].set_ylabel("evaluated rank")
    plots.say(figure, partial)
    return figure


def _panel(axes: Axes, label: str, data: pd.DataFrame, most: int) -> None:
    look = style.look(label)
    places = data[data["kind"] == "cell"].groupby(["predicted", "evaluated"]).size().rename("count").reset_index()
    share = places["count"] / places["count"].sum()
    axes.plot([1, most], [1, most], color=plots.QUIET, linestyle=style.DASHED, linewidth=0.7, zorder=1)
    axes.scatter(
        places["predicted"],
        places["evaluated"],
        s=2 * DOT * share,
        color=look.colour,
        alpha=0.75,
        linewidths=0,
        zorder=2,
    )
    axes.set_xlim(0.5, most + 0.5)
    axes.set_ylim(most + 0.5, 0.5)
    axes.set_xticks(range(1, most + 1))
    axes.set_yticks(range(1, most + 1))
    axes.set_aspect("equal")
    axes.set_xlabel("predicted rank")
    said = [_said(sign, data[data["kind"] == kind]) for sign, kind in (("τ", "mean_tau"), ("ρ", "mean_spearman"))]
    axes.set_title(look.name, weight="bold", fontsize=7.0, pad=20)
    axes.annotate("\n".join(said), (0, 1), (0, 3), "axes fraction", "offset points", fontsize=6.2)


def _said(sign: str, rows: pd.DataFrame) -> str:
    if rows.empty:
        return f"{sign} undefined"
    row = rows.iloc[0]
    ends = "" if np.isnan(row["low"]) else f" [{plots.number(row['low'])}, {plots.number(row['high'])}]"
    return f"{sign} {plots.number(row['value'])}{ends}, n {row['n']}"
