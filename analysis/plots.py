"""What figures share on the page: markers of a look, panels in rows, a legend below, a word on missing runs."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from analysis import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDE = (2.75, 2.1)  # inches: a panel with its own legend
LABEL = 7.5  # points: axis labels that figures share
FAR = 3.0
ENDS = "The accuracy axis begins no lower than three interquartile ranges below the lower quartile of what is drawn."
BEYOND = (
    f"{ENDS[:-1]}; a chevron just outside its beginning stands for a mean that lies beyond, an outlined one for one of "
    "the fair protocol."
)
SILENT = 25.0  # percent of a search's images
SILENCE = (
    "Thin dots stand where a search proposed nothing with a known truth for more than a quarter of its images: the "
    "level there is only that of its last proposal."
)
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


def beyond(axes: Axes, x: float, y: float, look: style.Look, side: Literal["left", "bottom"]) -> None:
    """A chevron just outside the axis, where (x, y) lies, for a value beyond it: no method has such a marker. It takes
    the place of tick labels, which move away."""
    from matplotlib.path import Path
    from matplotlib.transforms import Affine2D

    corners = [(-1, -0.9), (0, -1.7), (1, -0.9), (1, -0.2), (0, -1.0), (-1, -0.2), (-1, -0.9)]  # below the axis
    shape = Affine2D().rotate_deg(-90 if side == "left" else 0).transform_path(Path(corners, closed=True))
    axes.plot(
        [x], [y], linestyle="none", marker=shape, markersize=10, clip_on=False, zorder=5, markeredgecolor=look.colour,
        markerfacecolor="white" if look.open else look.colour, markeredgewidth=0.7 if look.open else 0.0,
    )  # fmt: skip
    axes.tick_params(axis="y" if side == "left" else "x", pad=7)
    if side == "bottom":
        axes.xaxis.labelpad = 0.5  # the name of the axis stays where it is in the other panels


def line(look: style.Look, width: float = 1.2) -> dict[str, Any]:
    """Keywords of `plot` for the line of a look."""
    return {"color": look.colour, "linestyle": look.dash, "linewidth": width}


def width(place: int, widest: float = 1.5) -> float:
    """The width in points of the line of the method at that place among those of a panel: later ones, which lie above,
    are thinner, so that lines that coincide are all seen."""
    return max(widest * 0.82**place, 0.45 * widest)


def size(place: int, largest: float) -> float:
    """The same of its marker, in points."""
    return max(largest * 0.9**place, 0.64 * largest)


def known_parts(x: ArrayLike) -> Iterator[tuple[slice, bool]]:
    """The points of a search's curve in parts that share their ends, and whether it is known between them: parts
    without it join two points that are further apart than `SILENT` percent of the last x."""
    x = np.asarray(x, dtype=np.float64)
    far = np.diff(x) > SILENT / 100 * x[-1] if len(x) else []
    start = 0
    for at in np.flatnonzero(far):
        if at > start:
            yield slice(start, at + 1), True
        yield slice(at, at + 2), False
        start = int(at) + 1
    if start < len(x) - 1:
        yield slice(start, len(x)), True


def has_line(x: ArrayLike, least: float = 0.0) -> bool:
    """Whether any part of the curve of more than `least` is drawn in its method's own dashes."""
    x = np.asarray(x, dtype=np.float64)
    return any(known and np.ptp(x[part]) > least for part, known in known_parts(x))


def steps(axes: Axes, x: ArrayLike, y: ArrayLike, **drawn: Any) -> None:
    """A curve that holds each value until the next, thin dots where it is not known to."""
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    for part, known in known_parts(x):
        faint = {"linestyle": (0, (0.8, 3.0)), "linewidth": min(0.8, drawn.get("linewidth", 0.8))}
        axes.step(x[part], y[part], where="post", **{**drawn, **({} if known else faint)})


def number(value: float, digits: int = 2) -> str:
    """The number with a minus of its own width, and none before a zero; `unknown` for NaN."""
    text = f"{value:.{digits}f}"
    if np.isnan(value):
        return "unknown"
    return (text if text.strip("-0.") else text.removeprefix("-")).replace("-", "\N{MINUS SIGN}")


def broken(name: str, letters: int) -> str:
    """The name in lines of so many letters, broken before a bracket or behind a comma where it can be: long names are
    not printed in smaller type."""
    lines: list[str] = []
    for part in re.split(r"(?<=,) | (?=\()", name):
        if lines and len(lines[-1]) + 1 + len(part) <= letters:
            lines[-1] += f" {part}"
        else:
            lines += textwrap.wrap(part, letters, break_long_words=False)
    return "\n".join(lines)


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


def own_legend(
    axes: Axes, labels: Sequence[str], with_line: Collection[str] | bool = True, lines: float = 0.0, columns: int = 2
) -> None:
    """The methods of one panel, in so many columns below its label, or in one where a name is too long for two.
    `with_line`: whether, or which of them, have a line in the panel. `lines`: points that the labels of the axis are
    higher than one line."""
    from matplotlib.transforms import ScaledTranslation

    if labels:
        figure = axes.get_figure(root=True)
        assert figure is not None
        lined = set(labels) if with_line is True else set() if with_line is False else set(with_line)
        under = axes.transAxes + ScaledTranslation(0, -(25 + lines) / 72, figure.dpi_scale_trans)
        axes.legend(
            handles=[handle(label, label in lined) for label in labels], fontsize=5.5,
            ncols=1 if max(len(style.printed(label)) for label in labels) > 30 else columns,
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
