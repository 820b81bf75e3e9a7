"""Gradient matching at work: distances between the operations of an edge, and how well each edge would be cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis import caption, figure_files, graphs, groups, plots, stats, style
from analysis.chart import Axis, Chart
from analysis.figures.cells import LOOKS
from analysis.load import Setting
from analysis.output import Drawn, as_frame
from analysis.runs import runs, searches
from bench import spaces
from bench.store.record import Record, Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "cuts"
WANTED = ("gm-darts", "gm-snas", "gm-rsps", "hep")
MOST = 10  # methods, one row each
GAP = 3.0  # between matrices, in operations: room for their names
LETTER, SMALL = 0.58, 0.42  # in operations: of the name of an edge, and of an operation or an edge below the scores
ACROSS = 8  # matrices in a line
ABOVE, TITLE, BELOW, AROUND = 3.9, 1.7, 2.2, 1.1  # in operations: a method's name and an edge's, an edge's, names below
SHORT = 4  # letters of an edge below the scores; longer names are turned
INCH = 0.092  # of one operation in a matrix

DEFINITIONS = (
    "Left: for every edge of the cell (target ← source) the distances between its operations, as the search measured "
    "them when it first compared the edge: 1 - cos of the gradients that the operations, each alone on the edge, give "
    "the weights that all share, averaged over batches (or the measure that the method's settings name). White is 0, "
    "the darkest blue the number beside the method's name. Operations are ordered by the two groups that a cut would "
    "make, lines part the groups; “cut” marks edges that were cut there. Of GM-NAS this is its first cut alone: the "
    "later ones are of parts of the space, where the other edges were compared anew, by distances that are not shown. "
    "The run with the lowest seed is shown. Right: the cut score of every edge, the sum of distances between the two "
    "groups, each pair once; dots are runs, stars those that cut this edge, dashes the means. GM-NAS compares all "
    "edges of the whole space and cuts the one of the largest score; HEP-NAS cuts all edges of a node in turn, each "
    "measured in the space that the stages before left."
)

CHAPTER = "parts"
READ = (
    "Each matrix has the distances between the operations of one edge, dark where they are large; at the right stands "
    "the cut score of each edge, a star where a run cut it."
)
"""How the figure is read, in a sentence, where its chart is another drawing."""
WORDS = caption.Words("cuts", "Distances and cut scores.", READ)

CHART = Chart(
    x=Axis("edge", "edge", scale="category"),
    y=Axis("value", "cut score"),
    marks=(("between", "dots"), ("within", "hollow")),
    panel="label",
    tell=("cut",),
)


def draw(frame: pd.DataFrame, results: Results) -> Drawn:
    """One figure per space, image set and scale, below `figures/`."""
    paths: list[Path] = []
    missing: list[str] = []
    for setting, rows in searches(frame):
        data = prepare(setting, stats.done(rows), results)
        missing += groups.gaps(NAME, setting, rows, WANTED)
        if data.empty:
            continue
        data, left_out = groups.fitting(data, WANTED, MOST)
        paths += figure_files.write(WORDS, setting, rows, data, paint, results, left_out.strip())
    return Drawn(tuple(paths), tuple(dict.fromkeys(missing)))


def prepare(setting: Setting, rows: pd.DataFrame, results: Results) -> pd.DataFrame:
    """What can be drawn: label, seed, edge, kind, first and second (operations), group, value, cut.

    `kind`: `distance` of two operations, of the lowest seed, with the group (0 or 1) of the first of them; `between`
    and `within` of every run.
    """
    space = spaces.get(setting.space)
    measured = {
        label: [(int(row["seed"]), found) for row, record in runs(rows[rows["label"] == label], results)
                if (found := first_splits(record))]
        for label in set(rows["label"])
    }  # fmt: skip
    having = [label for label in sorted(measured, key=style.order) if measured[label]]
    kept = [label for label in having if style.parts(label)[0] in WANTED]
    lines: list[dict[str, Any]] = []
    for label in kept or having:
        for at, (seed, found) in enumerate(measured[label]):
            for edge, (split, cut) in sorted(found.items()):
                shared = {"label": label, "seed": seed, "edge": graphs.edge_name(space, edge), "cut": cut}
                lines += ({**shared, "kind": kind, "value": split[kind]} for kind in ("between", "within"))
                if at == 0:
                    lines += ({**shared, "kind": "distance", **pair} for pair in _pairs(split, space.ops))
    columns = ["label", "seed", "edge", "kind", "first", "second", "group", "value", "cut"]
    return as_frame(lines, columns, ("group",))


def first_splits(record: Record) -> dict[int, tuple[dict[str, Any], bool]]:
    """Edge → its first split with measured distances, shallowest supernets first, and whether it was cut there."""
    found: dict[int, tuple[dict[str, Any], bool]] = {}
    for node in record.details.get("tree", ()):
        cut = node["cut"] or {"edges": [], "splits": {}}
        for edge, split in cut["splits"].items():
            if "distances" in split and int(edge) not in found:
                found[int(edge)] = (split, int(edge) in cut["edges"])
    return found


def _pairs(split: dict[str, Any], ops: Sequence[str]) -> list[dict[str, Any]]:
    """Every ordered pair of operations with its distance, ordered by group."""
    place = {op: at for at, op in enumerate(sorted(op for group in split["groups"] for op in group))}
    ordered = [(number, op) for number, group in enumerate(split["groups"]) for op in group]
    return [
        {"first": ops[a], "second": ops[b], "group": group, "value": split["distances"][place[a]][place[b]]}
        for group, a in ordered
        for _, b in ordered
    ]


@dataclass(frozen=True)
class Places:
    """Where the matrices of a method stand, in operations."""

    lines: tuple[tuple[str, ...], ...]  # edges
    widest: int  # operations of an edge, at most
    names: int  # letters of an operation, at most

    @property
    def step(self) -> float:
        """From a matrix to the next."""
        edge = max(len(f"{edge}, cut") for line in self.lines for edge in line)
        return max(self.widest + GAP, SMALL * self.names + self.widest + 1, LETTER * edge + 1)

    @property
    def left(self) -> float:
        """Of the names beside the first matrix."""
        return max(BELOW, SMALL * self.names) + 0.2

    @property
    def line(self) -> float:
        """From a line to the next."""
        return self.widest + self.below + TITLE

    @property
    def below(self) -> float:
        """Of the names below a line."""
        return max(BELOW, SMALL * self.names + 0.3)

    @property
    def wide(self) -> float:
        """Of a line."""
        return len(self.lines[0]) * self.step

    @property
    def high(self) -> float:
        """Of all lines, without the name of the method."""
        return (len(self.lines) - 1) * self.line + self.widest + self.below


def places_of(data: pd.DataFrame) -> Places:
    """Lines of about equal length for all edges and operations of the distances."""
    edges = sorted(set(data["edge"]))
    across = -(-len(edges) // -(-len(edges) // ACROSS))
    lines = tuple(tuple(edges[at : at + across]) for at in range(0, len(edges), across))
    widest = int(data.groupby(["label", "edge"])["first"].nunique().max())
    return Places(lines, widest, max(len(_short(op)) for op in set(data["first"])))


def paint(data: pd.DataFrame, partial: str) -> Figure:
    """The figure: a row per method, its matrices left and its scores right."""
    from matplotlib.figure import Figure

    labels = list(dict.fromkeys(data["label"]))
    places = places_of(data[data["kind"] == "distance"])
    edges = sorted(set(data["edge"]))
    names = [edge.replace(" ← ", "←") for edge in edges]
    turned = max(map(len, names)) if max(map(len, names)) > SHORT else 0
    wide, scores = places.wide * INCH, max(1.35, 0.13 * len(edges))
    high = (places.high + ABOVE + AROUND + SMALL * turned) * INCH
    figure = Figure(figsize=(wide + scores + 0.4, len(labels) * high + 0.35), layout="constrained")
    grid = figure.subplots(len(labels), 2, squeeze=False, width_ratios=(wide, scores))
    for (left, right), label in zip(grid, labels, strict=True):
        of_label = data[data["label"] == label]
        _matrices(left, label, of_label[of_label["kind"] == "distance"], places)
        _scores(right, label, of_label[of_label["kind"] == "between"], edges)
        right.set_xticks(range(len(edges)), names, fontsize=5.0, rotation=90 if turned else 0)
    grid[0][1].set_title("cut score of each edge", fontsize=6.5)
    plots.say(figure, partial)
    return figure


def _short(operation: str) -> str:
    return LOOKS.get(operation, (operation,))[0] or operation


def _matrices(axes: Axes, label: str, data: pd.DataFrame, places: Places) -> None:
    """The matrices of a method in lines, below its name."""
    axes.set_axis_off()
    darkest = max(float(data["value"].max()), 1e-12)
    axes.text(-2.2, -3.3, style.printed(label), weight="bold", fontsize=6.5, va="center")
    axes.text(
        places.wide - GAP, -3.3, f"seed {data['seed'].iloc[0]}, darkest {darkest:.3g}", fontsize=5.5,
        va="center", ha="right", color=plots.QUIET,
    )  # fmt: skip
    for row, edges in enumerate(places.lines):
        for at, edge in enumerate(edges):
            here = data[data["edge"] == edge]
            if len(here):
                _matrix(axes, (at * places.step, row * places.line), edge, here, darkest)
    axes.set_xlim(-places.left, places.wide - GAP + 0.2)
    axes.set_ylim(places.high, -ABOVE)
    axes.set_aspect("equal", anchor="W")


def _matrix(axes: Axes, place: tuple[float, float], edge: str, data: pd.DataFrame, darkest: float) -> None:
    """The distances of one edge, with its upper left corner at a place."""
    x, y = place
    ops = list(dict.fromkeys(data["first"]))
    n, names = len(ops), list(map(_short, ops))
    matrix = data["value"].to_numpy(dtype=float).reshape(n, n)
    axes.imshow(matrix, cmap="Blues", vmin=0, vmax=darkest, extent=(x, x + n, y + n, y), interpolation="nearest")
    part = int((data.drop_duplicates("first")["group"] == 0).sum())
    axes.plot([x, x + n], [y + part, y + part], color=style.BLACK, linewidth=0.8)
    axes.plot([x + part, x + part], [y, y + n], color=style.BLACK, linewidth=0.8)
    axes.plot([x, x + n, x + n, x, x], [y, y, y + n, y + n, y], color="#444444", linewidth=0.5)
    for k, name in enumerate(names):
        axes.text(x - 0.25, y + k + 0.55, name, fontsize=4.4, ha="right", va="center")
        axes.text(x + k + 0.5, y + n + 0.25, name, fontsize=4.4, ha="center", va="top", rotation=90)
    cut = bool(data["cut"].iloc[0])
    axes.text(x, y - 0.35, f"{edge}, cut" if cut else edge, fontsize=5.8, va="bottom", weight="bold" if cut else None)


def _scores(axes: Axes, label: str, data: pd.DataFrame, edges: list[str]) -> None:
    look = style.look(label)
    place = {edge: at for at, edge in enumerate(edges)}
    for cut, size, mark in ((False, 5, "o"), (True, 22, "*")):
        here = data[data["cut"] == cut]
        x = np.array([place[edge] for edge in here["edge"]]) + 0.18
        axes.scatter(x, here["value"], s=size, marker=mark, color=look.colour, alpha=0.7, linewidths=0, zorder=3)
    means = data.groupby("edge")["value"].mean()
    at = np.array([place[str(edge)] for edge in means.index], dtype=float)
    axes.hlines(means, at - 0.3, at + 0.02, color="#333333", linewidth=1.3, zorder=4)
    axes.set_xlim(-0.6, len(edges) - 0.4)
    axes.set_ylim(0, 1.1 * max(float(data["value"].max()), 1e-12))
    axes.tick_params(axis="y", labelsize=5.5)
    axes.grid(visible=False, axis="x")
