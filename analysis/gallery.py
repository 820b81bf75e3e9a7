"""One small picture of each kind of figure with a short caption, for pages that show what there is."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.chart import Chart
from analysis.load import Setting
from analysis.output import Drawn, write_text
from analysis.report.items import known_settings, said, setting_in
from bench.errors import BadRecord, counted
from bench.store.files import write_atomically

BYTES = 120_000  # of one picture, at most
WIDEST, NARROWEST = 1100, 300  # pixels across
COLOURS = 64  # of its palette
FIRST = ("patches", "patches", "quick")
"""The image set, target and scale of the README's picture: a figure of it is taken before others of its kind."""
PAGE = "README.md"
_HEAD = re.compile(r"\*\*(.+?)\.?\*\*")


@dataclass(frozen=True)
class Picture:
    """A kind of figure, the file of one of them, and what to say below it: what it shows, of what, how it is read."""

    name: str
    file: Path
    head: str
    caption: str


def write(folder: Path, drawn: Sequence[tuple[str, Any, Drawn]], frame: pd.DataFrame) -> tuple[Path, ...]:
    """Write `<kind>.png` for every kind of figure that was drawn, and a page of all. Raises BadRecord."""
    found = list(pictures(drawn, frame))
    for picture in found:
        write_atomically(folder / f"{picture.name}.png", small(picture.file))
    page = write_text(folder / PAGE, _page(found))
    return (*(folder / f"{picture.name}.png" for picture in found), page)


def pictures(drawn: Sequence[tuple[str, Any, Drawn]], frame: pd.DataFrame) -> Iterator[Picture]:
    """One picture of each module of figures that drew something, in their order."""
    known = known_settings(frame)
    for name, module, result in drawn:
        files = [path for path in result.paths if path.suffix == ".png"]
        if files:
            file = min(files, key=lambda path: (_distance(setting_in(path.stem, known)), path.name))
            yield Picture(name, file, _head(file), describe(file, setting_in(file.stem, known), module))


def describe(file: Path, setting: Setting | None, module: Any) -> str:
    """Up to three sentences on the figure in `file`: its head, its setting, and how its module says that it is read."""
    data = pd.read_csv(file.with_name(f"{file.stem}.csv"))
    sentences = [f"{_head(file)}.", "" if setting is None else _setting_said(setting, data)]
    chart: Chart | None = getattr(module, "CHART", None)
    own = getattr(module, "READ", "")
    sentences.append(own if own or chart is None else read(chart, data))
    return " ".join(filter(None, sentences))


def read(chart: Chart, data: pd.DataFrame) -> str:
    """How the figure is read, from what is drawn: the axes, what is one colour and one panel, the bars."""
    parts = [f"The horizontal axis is {_plain(chart.x.title)}, the vertical axis {_plain(chart.y.title)}"]
    if chart.panel == "label":
        parts.append("each panel is one method")
    elif chart.series:
        parts.append("each colour and mark is one method")
    if chart.low and chart.low in data and data[chart.low].notna().any():
        parts.append("bars are intervals of the mean over seeds")
    return "; ".join(parts) + "."


def small(path: Path) -> bytes:
    """The picture as a PNG of at most `BYTES`: with a palette, and no wider than fits. Raises BadRecord."""
    from PIL import Image

    try:
        with Image.open(path) as opened:
            whole = opened.convert("RGB")
    except OSError as error:
        raise BadRecord(f"cannot read the picture {path} ({error}); draw it again") from None
    width = min(WIDEST, whole.width)
    while True:
        image = whole.resize((width, round(whole.height * width / whole.width)), Image.Resampling.LANCZOS)
        stream = io.BytesIO()
        # An octree keeps rare colours, such as those of thin lines, that a median cut of the pixels would merge.
        image.quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(stream, "PNG", optimize=True)
        if stream.tell() <= BYTES or width <= NARROWEST:
            return stream.getvalue()
        width = max(NARROWEST, width * 9 // 10)


def _distance(setting: Setting | None) -> int:
    """How far a setting is from `FIRST`: parts that differ, where it has them."""
    if setting is None:
        return 0
    own = (setting.dataset, setting.target or FIRST[1], setting.scale)
    return sum(a != b for a, b in zip(own, FIRST, strict=True))


def _setting_said(setting: Setting, data: pd.DataFrame) -> str:
    text = f"Setting: {said(setting)}"
    if "label" in data:
        text += f"; {counted(data['label'].nunique(), 'method')}"
    return text + "."


def _head(file: Path) -> str:
    """The head of the figure's caption. Raises BadRecord where it has none."""
    path = file.with_name(f"{file.stem}.md")
    found = _HEAD.match(path.read_text(encoding="utf-8"))
    if found is None:
        raise BadRecord(f"{path} does not begin with a head in bold type; `python -m analysis` writes it again")
    return found[1]


def _plain(title: str) -> str:
    return title.removeprefix("the ")


def _page(found: Sequence[Picture]) -> str:
    """The page of all pictures."""
    lines = [
        "# Gallery",
        "One picture of each kind of figure, in few colours and pixels. `make gallery` makes this page. `make figures` "
        "draws every figure of every setting in full, into `results/figures`.",
    ]
    for picture in found:
        lines += [f"## {picture.head}", f"![{picture.head}]({picture.name}.png)", picture.caption]
    return "\n\n".join(lines) + "\n"
