"""The font of figures draws what the whole font draws; legends and names of yardsticks stay where they can be read."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from analysis import answer, letters, plots, style
from analysis.load import load, settings
from analysis.output import lay_out
from analysis.report import first
from bench.store.record import Results
from tests.test_analysis import made_up_run

WORDS = "AV fine affluent To 0.385 [\N{MINUS SIGN}0.01] \u03c4 \u00d7 \u2013 \u2026"


def drawn(families: Sequence[str], weight: str) -> np.ndarray:
    with style.page():
        figure = Figure(figsize=(3, 0.5))
        figure.text(0.02, 0.3, WORDS, family=families, weight=weight, fontsize=9)
        stream = io.BytesIO()
        FigureCanvasAgg(figure).print_png(stream)  # type: ignore[no-untyped-call]
    return np.asarray(Image.open(stream))


@pytest.mark.parametrize("weight", ["normal", "bold"])
def test_the_small_font_draws_as_the_whole_one(weight: str) -> None:
    small, whole = drawn(letters.families(), weight), drawn([letters.WHOLE], weight)
    assert (small < 128).any()
    assert (small == whole).all()
    assert (drawn([letters.FAMILY], weight) == whole).all()  # it has all of these signs itself


def test_a_legend_ends_inside_its_figure() -> None:
    with style.page():
        figure = Figure(figsize=(3, 2), layout="constrained")
        axes = figure.subplots(1, 2)[1]
        plots.own_legend(axes, ["gm-darts(protocol=fair)", "gm-darts-no-restart", "darts-2nd-longer"])
        legend = axes.get_legend()
        assert legend.get_window_extent().x1 > figure.bbox.x1
        lay_out(figure)
        assert legend.get_window_extent().x1 <= figure.bbox.x1
        assert legend.get_window_extent().y1 < axes.get_window_extent().y0  # below the panel, as before
        assert legend.get_texts()[0].get_text() == "GM-NAS, DARTS, fair"


@pytest.mark.parametrize("sizes", [(0.484, 0.5), (-0.41, -0.41), (0.02, 0.03), (0.8, 0.82)])
def test_names_of_yardsticks_never_touch(tmp_path: Path, sizes: tuple[float, float]) -> None:
    results = Results(tmp_path)
    for label, tau in zip(("parameters", "multiply-adds"), sizes, strict=True):
        made_up_run(results, label, 0, tau=tau, images=(0, 0))
    made_up_run(results, "rsps", 0, tau=0.4)
    ((setting, rows),) = settings(load(results).frame, by_target=True)
    (view,) = first.views([answer.answer(setting, rows, "both", answer.NO_CLAIMS)], {})
    assert len(view.yards) == 3
    for one, other in combinations(view.yards, 2):
        if one.level == other.level:
            a, b = (
                (y.at - first.LETTER * len(y.words), y.at)
                if y.side == "left"
                else (y.at, y.at + first.LETTER * len(y.words))
                for y in (one, other)
            )
            assert a[1] <= b[0] or b[1] <= a[0], (one, other)
