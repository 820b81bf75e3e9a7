"""FaDE's outer search, round by round: how good the cells are that it looks at, beside its rivals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis import caption, groups, plots, stats, style
from analysis.chart import Axis, Chart
from analysis.load import RESCORE
from analysis.output import Drawn, as_frame, write_figure
from analysis.runs import rounds, runs, searched
from bench.store.record import Record, Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "fade_outer"
WANTED = ("fade", "fade-random", "bayes")
KINDS = {
    "mean": "mean of the round's cells",
    "best": "best cell so far",
    "choice": "choice so far",
}

BESIDE = 0.09  # rounds between methods beside each other

DEFINITIONS = (
    "A round of FaDE trains one hyper-architecture of k cells; a round of Bayesian optimisation trains one cell "
    "alone, at about a k-th of the cost. All accuracies are of cells trained alone, on the test images of the truth. "
    "Left: the mean over the cells of a round. Middle: the highest among all cells that were looked at until then, "
    "which the search does not know. Right: the cell that the search would choose then, by validation accuracy on the "
    "supernet. Lines are means over all runs, bands reach from the lowest to the highest of three or more; methods are "
    "set beside each other in a round. Cells "
    f"without a known truth are left out; a round in which some run knows none is a gap. {plots.ENDS}"
)

CHAPTER = "parts"
READ = (
    "Lines are means over runs, round by round: of the cells of the round, of the best one so far, and of the one that "
    "the search would choose."
)
"""How the figure is read, in a sentence."""
WORDS = caption.Words("fade_outer", "Outer search of FaDE.", READ)

CHART = Chart(
    x=Axis("round", "round"),
    y=Axis("test", "true test accuracy (%)", far=plots.FAR),
    marks=(("mean", "line"), ("best", "line"), ("choice", "line")),
    panel="kind",
)


def draw(frame: pd.DataFrame, results: Results) -> Drawn:
    """One figure per space, image set, scale and truth, below `figures/`."""
    paths: list[Path] = []
    missing: list[str] = []
    for setting, rows in searched(frame):
        having = set(rows["label"]) & set(WANTED)
        data = prepare(stats.done(rows), results) if having else pd.DataFrame()
        missing += groups.gaps(NAME, setting, rows, WANTED)
        if data.empty:
            if having:
                missing.append(f"{NAME} {setting.slug}: no cell of a round has a truth; {RESCORE} by a fuller one")
            continue
        partial = groups.mark(setting, rows, data["label"])
        shown = rows[rows["label"].isin(data["label"])]
        words = caption.text(WORDS, setting, shown, results.root, partial)
        with style.page():
            stem = results.root / "figures" / f"{NAME}-{setting.slug}"
            paths += write_figure(stem, paint(data, partial), data, words)
    return Drawn(tuple(paths), tuple(dict.fromkeys(missing)))


def prepare(rows: pd.DataFrame, results: Results) -> pd.DataFrame:
    """All that is drawn: label, kind (`mean`, `best`, `choice`), seed (none for the mean over runs), round, test (%),
    low, high, n (runs)."""
    lines: list[dict[str, Any]] = []
    for label in sorted(set(rows["label"]), key=style.order):
        found = [
            {"label": label, "seed": row["seed"], **point}
            for row, record in runs(rows[rows["label"] == label], results)
            for point in progress(row, record)
        ]
        lines += found
        if not found:
            continue
        of_label = len({point["seed"] for point in found})
        for (kind, number), tests in pd.DataFrame(found).groupby(["kind", "round"], sort=False)["test"]:
            if len(tests) < of_label:
                continue
            ends = (tests.min(), tests.max()) if len(tests) >= stats.LEAST_RUNS else (np.nan, np.nan)
            shared = {"label": label, "kind": kind, "round": number, "test": tests.mean()}
            lines.append({**shared, "low": ends[0], "high": ends[1], "n": len(tests)})
    columns = ["label", "kind", "seed", "round", "test", "low", "high", "n"]
    return as_frame(lines, columns, ("seed", "n"))


def progress(row: pd.Series, record: Record) -> list[dict[str, Any]]:
    """The points of one run by kind and round, where a truth is known; nothing for a search without rounds."""
    each = tests_of_rounds(row, record)
    best: Any = np.fmax.accumulate([max(tests, default=np.nan) for tests in each]) if each else []
    choice = [np.nan if point["test"] is None else float(point["test"]) for point in row["curve"]]
    values = {
        "mean": [float(np.mean(tests)) if tests else np.nan for tests in each],
        "best": [float(value) for value in best],
        "choice": choice if len(choice) == len(each) else [],
    }
    return [
        {"kind": kind, "round": number, "test": test}
        for kind, tests in values.items()
        for number, test in enumerate(tests, 1)
        if not np.isnan(test)
    ]


def tests_of_rounds(row: pd.Series, record: Record) -> list[list[float]]:
    """The known test accuracies of the cells of each round. Bayesian optimisation trains one cell a round: its
    candidates are in that order."""
    if record.identity["method"]["name"] == "bayes.Bayes":
        return [[] if cell["test"] is None else [float(cell["test"])] for cell in row["candidates"]]
    truths = {tuple(cell["genotype"]): cell["test"] for cell in row["visited"]}
    found = [[truths.get(tuple(cell)) for cell in one["cells"]] for one in rounds(record)]
    return [[float(test) for test in tests if test is not None] for tests in found]


def paint(data: pd.DataFrame, partial: str) -> Figure:
    """The figure: a panel per kind, a line per method."""
    from matplotlib.ticker import MaxNLocator

    labels = list(dict.fromkeys(data["label"]))
    figure, panels = plots.grid(len(KINDS), (1.9, 1.75), plots.below(len(labels)))
    for (kind, title), axes in zip(KINDS.items(), panels, strict=True):
        of_kind = data[(data["kind"] == kind) & data["seed"].isna()]
        for place, label in enumerate(labels):
            shift = BESIDE * (place - (len(labels) - 1) / 2)
            _line(axes, label, of_kind[of_kind["label"] == label], shift, plots.width(place))
        runs_ = data.loc[(data["kind"] == kind) & data["seed"].notna(), "test"]
        axes.set_ylim(*plots.ends(runs_))
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.set_xlabel("round")
        plots.title(axes, title)
    panels[0].set_ylabel("true test accuracy (%)")
    plots.legend(figure, [plots.handle(label) for label in labels])
    plots.say(figure, partial)
    return figure


def _line(axes: Axes, label: str, data: pd.DataFrame, shift: float, width: float) -> None:
    if data.empty:
        return
    look = style.look(label)
    every = data.set_index("round").reindex(range(int(data["round"].min()), int(data["round"].max()) + 1))
    x = every.index + shift
    axes.fill_between(x, every["low"], every["high"], color=look.colour, alpha=0.13, linewidth=0)
    axes.plot(x, every["test"], **plots.line(look, width), **plots.marker(look, 3.6))
