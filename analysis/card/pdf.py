"""A card as PDF: one page of A4, whatever there is to say; letters shrink where it is much. Needs ReportLab (`pip
install "supernet-bench[card]"`). Equal cards give equal bytes.

Letters are those of the figures, which come with matplotlib, so every sign of a name or docstring has one.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import escape

from analysis.card import layout
from analysis.card.content import Card, Row
from analysis.report import checklist
from bench.errors import BenchError

if TYPE_CHECKING:
    from analysis.card.layout import Axis

MARGIN = 27.0  # points
FONT, BOLD, MONO = "DejaVuSans", "DejaVuSans-Bold", "DejaVuSansMono"
BODY, SMALL, TINY = 6.7, 6.0, 5.5  # points
TRACK_LEAST, TRACK_GAP, TRACK_HEIGHT, PAD = 70.0, 5.0, 10.0, 5.0
NAME_MOST = 130.0
INK, SOFT, RULE = "#1b1b1b", "#555555", "#d9dce1"
COLOURS = {
    "yes": "#0a6b3d", "for": "#0a6b3d", "partly": "#7a5200", "equal": "#7a5200", "undecided": "#7a5200",
    "no": "#a3261b", "against": "#a3261b",
}  # fmt: skip
"""Of verdicts."""
DASHES = {"parameters": None, "adds": [2.5, 1.5], "ceiling": [0.7, 1.3]}


def render(card: Card) -> bytes:
    """The file. Raises BenchError where ReportLab is not there."""
    try:
        from reportlab.lib.pagesizes import A4
        from reportlab.pdfgen.canvas import Canvas
        from reportlab.platypus import Frame, KeepInFrame
    except ImportError:
        raise BenchError('a card as PDF needs ReportLab; run `pip install "supernet-bench[card]"`') from None
    _fonts()
    wide, high = A4[0] - 2 * MARGIN, A4[1] - 2 * MARGIN
    stream = io.BytesIO()
    canvas = Canvas(stream, pagesize=A4, invariant=1, pageCompression=1)
    canvas.setTitle(f"{card.about.label}: method card")
    canvas.setCreator("supernet-bench")
    frame = Frame(MARGIN, MARGIN, wide, high, 0, 0, 0, 0)
    frame.addFromList([KeepInFrame(wide, high, list(story(card, wide)), mode="shrink")], canvas)
    canvas.showPage()
    canvas.save()
    return stream.getvalue()


def story(card: Card, wide: float) -> Iterator[Any]:
    """Everything from top to bottom."""
    axis = layout.axis_of(card)
    yield _header(card, wide)
    deviates = f" Where it deviates from its paper is said in `{card.about.file}`." if card.about.deviates else ""
    yield _text(f"{card.about.paper} {card.about.idea}{deviates}", after=4)
    yield _columns([_said(head, text) for head, text in card.sentences], wide, ruled=True)
    yield _head("Beside baselines")
    yield _table(card, axis, wide)
    yield _text(layout.table_note(card, axis), size=SMALL, colour=SOFT, before=1.5)
    yield _head("Tested")
    if card.claims or card.beside or card.random:
        yield _tested(card, wide)
        yield _text(layout.tested_note(card), size=SMALL, colour=SOFT, before=1.5)
    else:
        yield _text(layout.NOTHING_TESTED)
    counts = checklist.counts(card.answers)
    said = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    yield _head("Check-list", f"{said}, from the records of this setting alone")
    yield _checks(card, wide)
    settings = "".join(
        f"{f'<b>{escape(part)}:</b> ' if part else ''}{escape(values)}. " for part, values in card.settings
    )
    place = "".join(f"<b>{escape(name)}:</b> {escape(value)}. " for name, value in card.place)
    yield _columns(
        [
            [_head("Settings"), _paragraph(settings, SMALL, SOFT)],
            [_head("Where the numbers come from"), _paragraph(place, SMALL, SOFT)],
        ],
        wide,
        shares=(1.7, 1),
    )
    yield _head("Made again by")
    for command in card.commands:
        yield _paragraph(f'<font name="{MONO}">{escape(command)}</font>', TINY, INK, after=1)


def _header(card: Card, wide: float) -> Any:
    from reportlab.platypus import Table

    setting = card.setting
    scored = "" if setting.target == setting.dataset else f", scored on {setting.target}"
    where = f"{setting.space} searched on {setting.dataset}{scored} · scale {setting.scale}: {card.scale}"
    name = (
        f'<font name="{BOLD}" size="14">{escape(card.search.name)}</font> '
        f'<font name="{MONO}" size="8" color="{SOFT}">{escape(card.about.label)}</font>'
    )
    kind = _paragraph("supernet-bench: method card", BODY, SOFT, align="right")
    inside = Table(
        [[_paragraph(name, 14, INK), kind], [_paragraph(escape(where), BODY, SOFT), ""]],
        (wide - 138, 130),
        hAlign="LEFT",
    )
    inside.setStyle([("SPAN", (0, 1), (1, 1)), *_PLAIN, ("VALIGN", (0, 0), (-1, -1), "MIDDLE")])
    outer = Table([[inside]], (wide,), spaceAfter=4, hAlign="LEFT")
    outer.setStyle(
        [*_PLAIN, ("LEFTPADDING", (0, 0), (-1, -1), 8), ("LINEBEFORE", (0, 0), (0, 0), 3.5, card.search.ink)]
    )
    return outer


def _said(head: str, text: str) -> list[Any]:
    tied = escape(text).replace("(n = ", "(n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}")
    return [_paragraph(f"<b>{escape(head)}.</b> {tied}", BODY, INK)]


def _columns(parts: Sequence[Any], wide: float, ruled: bool = False, shares: Sequence[float] = ()) -> Any:
    """Things side by side, with a gap between them."""
    from reportlab.platypus import Table

    gap = 10.0
    shares = shares or [1.0] * len(parts)
    free = wide - gap * (len(parts) - 1)
    cells: list[Any] = []
    widths: list[float] = []
    rules = []
    for at, (part, share) in enumerate(zip(parts, shares, strict=True)):
        cells += ([""] if at else []) + [part]
        widths += ([gap] if at else []) + [free * share / sum(shares)]
        rules.append(("LINEABOVE", (2 * at, 0), (2 * at, 0), 1.2, INK))
    made = Table([cells], widths, hAlign="LEFT", spaceAfter=2)
    made.setStyle([*_PLAIN, *([*rules, ("TOPPADDING", (0, 0), (-1, -1), 2.5)] if ruled else [])])
    return made


def _table(card: Card, axis: Axis | None, wide: float) -> Any:
    """The rows of all groups, each with its marks on the axis, which takes the width that the numbers leave."""
    rows = [(row, layout.cells(row)) for group in card.groups for row in group.rows]
    widths = _widths(layout.HEADS, [(texts, row.own) for row, texts in rows])
    if axis is not None:
        track = max(TRACK_LEAST, wide - sum(widths))
        widths.insert(layout.TRACK, track)
        track -= PAD + TRACK_GAP
    widths[0] += wide - sum(widths)
    heads = [
        _paragraph(escape(head), SMALL, SOFT, align="right" if at else "left") for at, head in enumerate(layout.HEADS)
    ]
    if axis is not None:
        heads.insert(layout.TRACK, _ticks(axis, track))
    lines = [heads]
    rules: list[Any] = [("LINEBELOW", (0, 0), (-1, 0), 0.6, RULE)]
    for group in card.groups:
        rules.append(("SPAN", (0, len(lines)), (-1, len(lines))))
        rules.append(("TOPPADDING", (0, len(lines)), (-1, len(lines)), 2.5))
        title = _paragraph(f"<i>{escape(group.title)}</i>", SMALL, SOFT)
        lines.append([title, *[""] * (len(heads) - 1)])
        for row in group.rows:
            cells = [_number(text, row.own, at) for at, text in enumerate(layout.cells(row))]
            if axis is not None:
                cells.insert(layout.TRACK, _marks(row, axis, track))
            lines.append(cells)
    return _grid(lines, widths, rules)


def _tested(card: Card, wide: float) -> Any:
    heads = [
        _paragraph(escape(head), SMALL, SOFT, align="left" if at in (0, 1, len(layout.TESTED_HEADS) - 1) else "right")
        for at, head in enumerate(layout.TESTED_HEADS)
    ]
    lines = [heads]
    rules: list[Any] = [("LINEBELOW", (0, 0), (-1, 0), 0.6, RULE)]
    for title, tests in layout.tested(card):
        if not tests:
            continue
        rules.append(("SPAN", (0, len(lines)), (-1, len(lines))))
        rules.append(("TOPPADDING", (0, len(lines)), (-1, len(lines)), 2.5))
        lines.append([_paragraph(f"<i>{escape(title)}</i>", SMALL, SOFT), *[""] * (len(heads) - 1)])
        for one in tests:
            numbers = (one.n, one.images, one.difference, one.p, one.shown)  # in the order of the heads
            lines.append(
                [
                    _text(one.words),
                    _text(one.measure),
                    *(_number(text, False, at) for at, text in enumerate(numbers, 1)),
                    _verdict(one.verdict, BODY),
                ]
            )
    texts = [tuple(vars(one).values()) for _, tests in layout.tested(card) for one in tests]
    widths = _widths(layout.TESTED_HEADS, [(one, True) for one in texts])
    widths[0] = wide - sum(widths[1:])
    return _grid(lines, widths, rules)


def _checks(card: Card, wide: float) -> Any:
    """The items in three columns, each read from top to bottom."""
    from reportlab.platypus import Table

    third = -(-len(card.answers) // 3)
    parts = []
    for start in range(0, len(card.answers), third):
        some = card.answers[start : start + third]
        lines = [[_verdict(one.verdict, SMALL), _text(one.asks, SMALL)] for one in some]
        made = Table(lines, (24, (wide - 20) / 3 - 24), hAlign="LEFT")
        made.setStyle(_PLAIN)
        parts.append(made)
    return _columns(parts, wide)


def _marks(row: Row, axis: Axis, wide: float) -> Any:
    """Both taus of a row with their intervals, and the yardsticks, on the axis."""
    from reportlab.graphics.shapes import Circle, Drawing, Line
    from reportlab.lib.colors import HexColor

    drawing = Drawing(wide, TRACK_HEIGHT)

    def line(x: float, y: float, to_x: float, to_y: float, colour: str, width: float, dash: Any = None) -> None:
        drawing.add(Line(x, y, to_x, to_y, strokeColor=HexColor(colour), strokeWidth=width, strokeDashArray=dash))

    for kind, _, tau in axis.yards:
        x = wide * axis.at(tau)
        line(x, 0, x, TRACK_HEIGHT, SOFT if kind == "ceiling" else INK, 0.7, DASHES[kind])
    ink, _ = row.inks
    for mean, y, width in ((row.line.tau, 7.0, 1.7), (row.line.cross_entropy, 2.2, 0.7)):
        if mean.mean is None:
            continue
        if mean.low is not None and mean.high is not None:
            line(wide * axis.at(mean.low), y, wide * axis.at(mean.high), y, ink, width)
        x = wide * axis.at(mean.mean)
        if mean is row.line.tau:
            drawing.add(Circle(x, y, 2.4, fillColor=HexColor(ink), strokeColor=None))
        else:
            line(x, y - 2.1, x, y + 2.1, ink, 1.1)
    return drawing


def _ticks(axis: Axis, wide: float) -> Any:
    from reportlab.graphics.shapes import Drawing, String
    from reportlab.lib.colors import HexColor

    drawing = Drawing(wide, TRACK_HEIGHT - 3)
    for text, tau in axis.ticks:
        x = wide * axis.at(tau)
        drawing.add(String(x, 1.5, text, fontName=FONT, fontSize=SMALL, fillColor=HexColor(SOFT), textAnchor="middle"))
    return drawing


def _grid(lines: Sequence[Sequence[Any]], widths: Sequence[float], rules: Sequence[Any]) -> Any:
    from reportlab.platypus import Table

    made = Table(lines, widths, hAlign="LEFT")
    made.setStyle([*_PLAIN, ("RIGHTPADDING", (0, 0), (-2, -1), PAD), ("VALIGN", (0, 0), (-1, -1), "MIDDLE"), *rules])
    return made


def _widths(heads: Sequence[str], rows: Sequence[tuple[Sequence[str], bool]]) -> list[float]:
    """What each column needs so that no number breaks; names may."""
    from reportlab.pdfbase.pdfmetrics import stringWidth

    def needed(text: str, bold: bool) -> float:
        value, bracket, rest = text.partition(" [")
        small = stringWidth(f" [{rest}", FONT, TINY) if bracket else 0.0
        return float(stringWidth(value, BOLD if bold else FONT, BODY) + small)

    found = []
    for at, head in enumerate(heads):
        words = max(stringWidth(word, FONT, SMALL) for word in head.split())
        found.append(max(words, *(needed(texts[at], bold) for texts, bold in rows)) + PAD + 1)
    return [min(found[0], NAME_MOST), *found[1:]]


def _number(text: str, own: bool, at: int) -> Any:
    """A cell: its interval in small print, all of it bold in a row of the card's own method."""
    value, bracket, rest = text.partition(" [")
    said = f'<font name="{BOLD}">{escape(value)}</font>' if own else str(escape(value))
    said += f' <font size="{TINY}" color="{SOFT}">[{escape(rest)}</font>' if bracket else ""
    return _paragraph(said, BODY, INK, align="right" if at else "left")


def _verdict(word: str, size: float) -> Any:
    return _paragraph(f'<font name="{BOLD}">{escape(word)}</font>', size, COLOURS.get(word, SOFT))


def _head(text: str, small: str = "") -> Any:
    more = f' <font size="{BODY}" color="{SOFT}">{escape(small)}</font>' if small else ""
    return _paragraph(f'<font name="{BOLD}">{escape(text)}</font>{more}', 7.6, INK, before=5, after=1)


def _text(text: str, size: float = BODY, colour: str = INK, before: float = 0, after: float = 0) -> Any:
    """Plain text, in which what stands between backticks is code."""
    parts = (
        f'<font name="{MONO}">{escape(part)}</font>' if at % 2 else str(escape(part))
        for at, part in enumerate(text.split("`"))
    )
    return _paragraph("".join(parts), size, colour, before=before, after=after)


def _paragraph(text: str, size: float, colour: str, align: str = "left", before: float = 0, after: float = 0) -> Any:
    """Marked-up text as a part of the page."""
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import Paragraph

    side = 2 if align == "right" else 0
    looks = {"fontName": FONT, "fontSize": size, "leading": size * 1.24, "textColor": colour, "alignment": side}
    style = ParagraphStyle("card", **looks, spaceBefore=before, spaceAfter=after, splitLongWords=1)
    return Paragraph(text, style)


_PLAIN: list[Any] = [
    ("LEFTPADDING", (0, 0), (-1, -1), 0),
    ("RIGHTPADDING", (0, 0), (-1, -1), 0),
    ("TOPPADDING", (0, 0), (-1, -1), 0),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 0.6),
    ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ("FONTSIZE", (0, 0), (-1, -1), 1),  # of empty cells, which would else make their row higher
    ("LEADING", (0, 0), (-1, -1), 1),
]
"""A table that is only a place for things."""


@lru_cache
def _fonts() -> None:
    """Make the letters known, once a process."""
    import matplotlib
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    for name in (FONT, BOLD, MONO, "DejaVuSans-Oblique", "DejaVuSans-BoldOblique"):
        pdfmetrics.registerFont(TTFont(name, str(folder / f"{name}.ttf")))
    pdfmetrics.registerFontFamily(FONT, FONT, BOLD, "DejaVuSans-Oblique", "DejaVuSans-BoldOblique")
