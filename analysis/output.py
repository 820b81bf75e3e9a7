"""How results leave: whole files only, and equal bytes for equal results."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from bench.store.files import write_atomically
from bench.store.names import cell

if TYPE_CHECKING:
    from matplotlib.backend_bases import RendererBase
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend

EDGE = 0.02
"""Inches that a legend keeps from the right edge of its figure."""


@dataclass(frozen=True)
class Drawn:
    """What was written, and one line for each thing that could not be, naming the command that makes it possible."""

    paths: tuple[Path, ...]
    missing: tuple[str, ...] = ()
    fault: str = ""  # why nothing was, where a file that it reads cannot be trusted


def as_frame(lines: Sequence[Mapping[str, Any]], columns: Sequence[str], integers: Sequence[str] = ()) -> pd.DataFrame:
    """What a figure plots: columns without a value are float64, `integers` may lack values."""
    data = pd.DataFrame(lines, columns=list(columns))
    empty = [name for name in columns if data[name].isna().all()]
    return data.astype({**dict.fromkeys(empty, "float64"), **dict.fromkeys(integers, "Int64")})


def csv_text(data: pd.DataFrame) -> str:
    """Comma-separated values, 10 significant digits, empty where nothing is known; no cell is a formula."""
    words = data.select_dtypes(include=["object", "string"]).columns
    data = data.assign(**{name: data[name].map(lambda v: cell(v) if isinstance(v, str) else v) for name in words})
    return data.to_csv(index=False, float_format="%.10g", lineterminator="\n")


def write_text(path: Path, text: str) -> Path:
    """Write UTF-8 text as a whole."""
    write_atomically(path, text.encode())
    return path


def lay_out(figure: Figure) -> None:
    """Give everything its place, once and for all formats: laying out takes longer than drawing."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine("none")
    legends = [legend for axes in figure.axes if (legend := axes.get_legend()) is not None]
    if legends:
        agg: Any = FigureCanvasAgg(figure)
        renderer = agg.get_renderer()  # one for all: each would else draw the figure to get one
        for legend in legends:
            _keep_inside(figure, legend, renderer)


def _keep_inside(figure: Figure, legend: Legend, renderer: RendererBase) -> None:
    """A legend that would pass the right edge of the figure ends there."""
    from matplotlib.transforms import Bbox

    beyond = legend.get_window_extent(renderer).x1 - figure.bbox.x1 + EDGE * figure.dpi
    if beyond > 0:
        anchor = legend.get_bbox_to_anchor()
        moved = Bbox.from_bounds(anchor.x0 - beyond, anchor.y0, anchor.width, anchor.height)
        legend.set_bbox_to_anchor(Bbox(moved.get_points() / figure.dpi), figure.dpi_scale_trans)  # in inches


def write_figure(stem: Path, figure: Figure, data: pd.DataFrame, caption: str) -> tuple[Path, ...]:
    """Write `stem`.pdf, .png, .csv (what is plotted) and .md (the caption), without time stamps."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_pdf import FigureCanvasPdf

    paths = []
    lay_out(figure)
    png, pdf = io.BytesIO(), io.BytesIO()
    to_png: Any = FigureCanvasAgg(figure).print_png  # savefig would draw everything twice
    to_pdf: Any = FigureCanvasPdf(figure).print_pdf
    to_png(png, metadata={"Software": None})
    to_pdf(pdf, metadata={"CreationDate": None})  # last: it sets the resolution
    for suffix, stream in ((".pdf", pdf), (".png", png)):
        path = Path(f"{stem}{suffix}")  # not with_suffix: the stem may hold dots
        write_atomically(path, stream.getvalue())
        paths.append(path)
    return (*paths, write_text(Path(f"{stem}.csv"), csv_text(data)), write_text(Path(f"{stem}.md"), caption))
