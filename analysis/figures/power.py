"""What the pairs of each claim can show: the chance that a difference of a given size is found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis import caption, figure_files, plots, power, style
from analysis.chart import Axis, Chart
from analysis.output import Drawn, as_frame
from analysis.runs import searched
from analysis.style import printed
from analysis.tables import claims
from analysis.tables.judging import CLAIMS, Judged, judged
from analysis.tables.measures import TAU_CE, TEST, Measure
from bench.store.record import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = (style.BLUE, style.VERMILLION, style.GREEN, style.PURPLE, style.ORANGE, style.SKY, style.BLACK)
_DASHES = (style.SOLID, style.DASHED)

NAME = "power"
SHOWN = {TAU_CE: "true difference of tau, cross-entropy", TEST: "true difference of test accuracy (points)"}
SPAN = (0.5, 50.0)
"""The ends of the axis, in margins: differences that matter, and others."""
POINTS = 41
MOST = 12
"""Claims in a panel, those first that could show least."""

DEFINITIONS = (
    "A curve is the power of the paired Student test of one claim: the chance that it finds a true difference of the "
    "size on the axis, for the pairs that there are and the standard deviation that their differences show, at the "
    "first step of Holm's correction for all claims of the table. A dot marks the difference that is found in 80 % of "
    "all cases; the grey line the smallest difference that matters, 0.02 of tau or 0.2 points. The deviation is itself "
    "known from few pairs alone: the table of claims gives its interval. Of more claims than fit a panel those are "
    "shown that could show the smallest differences."
)
CHAPTER = "claims"
READ = (
    "A curve is a claim: the chance that its pairs find a true difference of the size on the axis; a dot marks where "
    "that is 80 %, the grey line the smallest difference that matters."
)
"""How the figure is read, in a sentence."""
WORDS = caption.Words(NAME, "What the claims could show.", READ)

CHART = Chart(
    x=Axis("difference", "true difference", scale="log"),
    y=Axis("power", "power"),
    marks=(("curve", "line"), ("found", "marker")),
    series="claim",
    run="",
    panel="measure",
    tell=("n", "sd"),
)


def draw(frame: pd.DataFrame, results: Results) -> Drawn:
    """One figure per space, image set, scale and truth with claims that have a deviation, below `figures/`."""
    paths: list[Path] = []
    for setting, rows in searched(frame):
        if claims.of_claims(rows).empty:
            continue
        data = prepare(judged(CLAIMS, claims.prepared(setting, rows, results), results))
        if not data.empty:
            paths += figure_files.write(WORDS, setting, rows, data, paint, results)
    return Drawn(tuple(paths))


def prepare(found: list[Judged]) -> pd.DataFrame:
    """All that is drawn: label (the first of the two methods), claim, measure, kind (`curve`, `found`), difference,
    power, n (pairs), sd."""
    lines: list[dict[str, Any]] = []
    for measure in SHOWN:
        known = [one for one in found if one.claim.measure == measure and one.found.sd]
        for one in sorted(known, key=lambda one: one.shown or np.inf)[:MOST]:
            lines += _lines(one, measure)
    columns = ["label", "claim", "measure", "kind", "difference", "power", "n", "sd"]
    return as_frame(lines, columns, ("n",))


def _lines(one: Judged, measure: Measure) -> Iterator[dict[str, Any]]:
    sd, n = one.found.sd or np.nan, one.found.difference.n
    claim = f"{printed(one.claim.first)} / {printed(one.claim.second)}"
    same = {"label": one.claim.first, "claim": claim, "measure": measure.head, "n": n, "sd": sd}
    for difference in np.geomspace(SPAN[0] * measure.margin, SPAN[1] * measure.margin, POINTS):
        found = power.power(float(difference), sd, n, one.level)
        yield {**same, "kind": "curve", "difference": difference, "power": found}
    yield {**same, "kind": "found", "difference": one.shown, "power": power.WANTED}


def paint(data: pd.DataFrame, partial: str) -> Figure:
    """A panel for each measure, a legend of its claims below it."""
    measures = [measure for measure in SHOWN if measure.head in set(data["measure"])]
    most = max(data[data["measure"] == measure.head]["claim"].nunique() for measure in measures)
    figure, grid = plots.grid(len(measures), (3.6, 2.2), 0.2 + 0.125 * most, most=2, sharey=True)
    for measure, axes in zip(measures, grid, strict=True):
        part = data[data["measure"] == measure.head]
        axes.axhline(power.WANTED, color=plots.QUIET, linewidth=0.5, linestyle=style.DOTTED, zorder=1)
        axes.axvline(measure.margin, color=style.GREY, linewidth=1.0, zorder=1)
        for at, (claim, lines) in enumerate(part.groupby("claim", sort=False)):
            look: dict[str, Any] = {
                "color": _COLOURS[at % len(_COLOURS)],
                "linestyle": _DASHES[at // len(_COLOURS)],
            }
            curve, dot = lines[lines["kind"] == "curve"], lines[lines["kind"] == "found"]
            said = f"{claim} (n {curve['n'].iloc[0]}, sd {measure.text(curve['sd'].iloc[0])})"
            axes.plot(curve["difference"], curve["power"], linewidth=1.1, label=said, **look)
            axes.plot(dot["difference"], dot["power"], marker="o", markersize=3.0, color=look["color"], zorder=3)
        axes.set_xscale("log")
        axes.set_xlim(*(end * measure.margin for end in SPAN))
        axes.set_ylim(0, 1.02)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_xlabel(SHOWN[measure])
        axes.legend(fontsize=5.5, loc="upper left", bbox_to_anchor=(-0.1, -0.22), labelspacing=0.35)
    grid[0].set_ylabel("power")
    plots.say(figure, partial)
    return figure
