"""What figures share on the page: markers of a look, panels in rows, a legend below, a word on missing runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDE = (2.75, 2.1)  # inches: a panel with its own legend
LABEL = 7.5  # points: axis labels that figures share
FAR = 3.0
ENDS = "The accuracy axis begins no lower than three interquartile ranges below the lower quartile of what is drawn."
BEYOND = f"{ENDS[:-1]}; a triangle at its beginning stands for a mean that lies beyond."
QUIET = "#555555"


def marker(look: style.Look, size: float = 5.0, outline: str = "white") -> dict[str, Any]:
    """Keywords of `plot` for the marker of a look: filled, or an outline for the fair protocol."""
    larger = {"*": 1.4, "s": 0.9, "D": 0.85, "d": 1.1, "X": 1.1, "P": 1.1}.get(look.marker, 1.0)
    return {
        "marker": look.marker,
        "markersize": size * larger,
        "markerfacecolor": "white" if look.open else look.colour,
        "markeredgecolor": look.colour if look.open else outline,
        "markeredgewidth": 0.9 if look.open else 0.5,
    }


def beyond(look: style.Look, shape: str) -> dict[str, Any]:
    """Keywords of `plot` for the triangle at the end of an axis that stands for a value beyond it."""
    return {"marker": shape, "markersize": 4.5, "linestyle": "none", "color": look.colour, "markeredgewidth": 0}


def line(look: style.Look, width: float = 1.2) -> dict[str, Any]:
    """Keywords of `plot` for the line of a look."""
    return {"color": look.colour, "linestyle": look.dash, "linewidth": width}


def rows_of(panels: int, most: int = 3) -> tuple[int, int]:
    """Rows and columns of so many panels: one row up to `most`, 2 x 2 rather than 3 + 1."""
    across = panels if panels <= most else 2 if panels == 4 and most < 4 else most
    return -(-panels // across), across


def grid(
    panels: int, panel: tuple[float, float], extra: float = 0.5, most: int = 3, **sharing: Any
) -> tuple[Figure, list[Axes]]:
    """A figure of panels of that size in inches, `extra` inches of height for what stands around them, and its axes
    in reading order."""
    from matplotlib.figure import Figure

    down, across = rows_of(panels, most)
    width = max(across * panel[0], style.COLUMN_WIDTH)
    figure = Figure(figsize=(width, down * panel[1] + extra), layout="constrained")
    axes = figure.subplots(down, across, squeeze=False, **sharing)
    for unused in axes.flat[panels:]:
        unused.remove()
    kept = list(axes.flat[:panels])
    for one in kept:
        one.tick_params(labelbottom=True, labelleft=True)
    return figure, kept


def ends(values: Any) -> tuple[float, float]:
    """The ends of an axis of accuracies: all values but those further below the lower quartile than `FAR`
    interquartile ranges, which would squeeze the others."""
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    if not known.size:
        return 0.0, 100.0
    lower, upper = np.percentile(known, [25, 75])
    start = max(float(known.min()), lower - FAR * (upper - lower))
    margin = 0.05 * max(float(known.max()) - start, 0.1)
    return start - margin, float(known.max()) + margin


def title(axes: Axes, text: str) -> None:
    """The name of a panel."""
    if text:
        axes.set_title(text, weight="bold", fontsize=7.0, pad=4)


def legend(figure: Figure, handles: Sequence[Any], columns: int = 3) -> None:
    """One legend for the figure, below it."""
    if handles:
        figure.legend(
            handles=list(handles), loc="outside lower center", ncols=min(columns, len(handles)),
            columnspacing=1.2, handletextpad=0.5,
        )  # fmt: skip


def own_legend(axes: Axes, labels: Sequence[str], with_line: bool = True, lines: float = 0.0) -> None:
    """The methods of one panel, in two columns below its label, or in one where a name is too long for two. `lines`:
    points that the labels of the axis are higher than one line."""
    from matplotlib.transforms import ScaledTranslation

    if labels:
        figure = axes.get_figure(root=True)
        assert figure is not None
        under = axes.transAxes + ScaledTranslation(0, -(25 + lines) / 72, figure.dpi_scale_trans)
        axes.legend(
            handles=[handle(label, with_line) for label in labels], fontsize=5.5,
            ncols=1 if max(len(style.printed(label)) for label in labels) > 30 else 2,
            loc="upper left", bbox_to_anchor=(-0.14, 0), bbox_transform=under,
            columnspacing=0.9, handletextpad=0.4, handlelength=2.5, labelspacing=0.4,
        )  # fmt: skip


def below(entries: int, columns: int = 3) -> float:
    """The height in inches of a legend of so many entries, for `grid`."""
    return 0.1 + 0.145 * -(-entries // columns)


def handle(label: str, with_line: bool = True, with_marker: bool = True) -> Any:
    """The entry of a method in a legend."""
    from matplotlib.lines import Line2D

    look = style.look(label)
    drawn = line(look) if with_line else {"linestyle": "none"}
    return Line2D([], [], label=look.name, **{**(marker(look) if with_marker else {}), **drawn})


def stroke(colour: str, dash: style.Dash, width: float, label: str) -> Any:
    """The entry of a line in a legend."""
    from matplotlib.lines import Line2D

    look: dict[str, Any] = {"color": colour, "linestyle": dash, "linewidth": width}
    return Line2D([], [], label=label, **look)


def say(figure: Figure, text: str) -> None:
    """A remark in the upper right corner: that only `n of N runs` are in the figure."""
    if text:
        figure.suptitle(text, x=0.995, ha="right", fontsize=6.5, color="#B00000")
