"""The Markdown that tables and captions are written in, as HTML: pipe tables become sortable, filterable ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from markupsafe import Markup, escape

if TYPE_CHECKING:
    from markdown_it.token import Token

_CELL = re.compile(
    r"(?P<value>.*?)(?P<fewer> \(n = \d+\))?(?P<interval> \[[^\]]*\])?(?P<notes> \(published .*\))?", re.DOTALL
)
_VERDICT = re.compile(
    r"(?:.*; )?(within|above|below|not comparable|for|against|equal|undecided|not run)\b.*", re.DOTALL
)
_AT_COST = re.compile(r" \(at [\d.]+ times the images\)$")
"""Behind the verdict on a claim at unequal cost."""
_NUMBER = re.compile(r"[-+\u2212]?\d")
_UNKNOWN = "\N{EN DASH}"
LONG = 28  # letters of a text from which on its column is wide and its lines break


@dataclass(frozen=True)
class Row:
    """One row of a printed table: its cells as text, and the method that it is about."""

    cells: tuple[str, ...]
    method: str = ""  # a label, or nothing where the row is about none


@dataclass(frozen=True)
class Table:
    """A printed table."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def cells(self) -> tuple[tuple[str, ...], ...]:
        """The rows as text alone."""
        return tuple(row.cells for row in self.rows)

    @property
    def methods(self) -> tuple[str, ...]:
        """The label of each row, or nothing."""
        return tuple(row.method for row in self.rows)


@dataclass(frozen=True)
class Text:
    """A paragraph or list between tables."""

    html: Markup


def read(markdown: str, method_of: Callable[[str], str]) -> list[Table | Text]:
    """Tables and texts in their order. `method_of` gives the label of a printed name, or nothing.

    A paragraph in bold, or a heading, right before a table is its title. Raw HTML stays text.
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    found: list[Table | Text] = []
    title = ""
    for block in _blocks(parser.parse(markdown)):
        if block[0].type == "table_open":
            found.append(_table(block, title, method_of))
            title = ""
            continue
        if title:
            found.append(Text(Markup("<p><strong>{}</strong></p>").format(title)))
        title = _title(block)
        if not title:
            found.append(Text(Markup(parser.renderer.render(block, parser.options, {}))))
    if title:
        found.append(Text(Markup("<p><strong>{}</strong></p>").format(title)))
    return found


def rows_html(heads: Sequence[str], rows: Sequence[Sequence[str]], methods: Sequence[str] = ()) -> Markup:
    """The head and body of a table: its first cell names a row, columns without a number are set left."""
    kinds = [_kind([row[at] for row in rows if at < len(row)]) for at in range(len(heads))]
    head = Markup("").join(
        Markup('<th scope="col" class="{}">{}</th>').format(f"{kind}{' long' if len(text) > LONG / 2 else ''}", text)
        for kind, text in zip(kinds, heads, strict=True)
    )
    body = [Markup("<thead><tr>{}</tr></thead>\n<tbody>").format(head)]
    for at, row in enumerate(rows):
        label = Markup(' data-m="{}"').format(methods[at]) if methods and methods[at] else Markup("")
        named = next((place for place, text in enumerate(row) if text), 0)
        cells = [_cell(text, kind, place == named) for place, (kind, text) in enumerate(zip(kinds, row, strict=True))]
        body.append(Markup("<tr{}>{}</tr>").format(label, Markup("").join(cells)))
    return Markup("\n").join([*body, Markup("</tbody>")])


def _cell(text: str, kind: str, names: bool) -> Markup:
    """A cell of a body; the first that says anything names its row."""
    if names:
        return Markup('<th scope="row">{}</th>').format(text)
    return (
        Markup('<td class="{}">{}</td>').format(kind, cell_html(text))
        if kind
        else Markup(f"<td>{cell_html(text)}</td>")
    )


def _kind(cells: Sequence[str]) -> str:
    """The class of a column: nothing for numbers, `text`, or `text wide` where its words need lines."""
    known = [cell for cell in cells if not cell.startswith(_UNKNOWN) and cell]
    if sum(bool(_NUMBER.match(cell)) for cell in known) * 2 >= len(known):
        return ""
    words = [cell for cell in known if not cell.startswith("|")]  # an architecture stays in one line
    return "text wide" if max(map(len, words), default=0) > LONG else "text"


def line_html(text: str) -> Markup:
    """A line in which what stands between backticks is a command."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return Markup("").join(Markup("<code>{}</code>").format(p) if at % 2 else escape(p) for at, p in enumerate(parts))


def cell_html(text: str) -> Markup:
    """A cell: number of runs and interval behind a mean in small print, below it what a paper says, and a verdict
    marked as one."""
    parts = _CELL.fullmatch(text)
    if parts is None or parts["value"] == text:
        return _judged(text)
    said = escape(parts["value"])
    for small in filter(None, (parts["fewer"], parts["interval"])):
        said += Markup(' <span class="ci">{}</span>').format(small.strip())
    if not parts["notes"]:
        return said
    published, _, verdict = parts["notes"].strip(" ()").partition("; ")
    ending = Markup("; {}").format(_judged(verdict)) if verdict else Markup("")
    return said + Markup(' <span class="beside">{}{}</span>').format(published, ending)


def verdict_of(text: str) -> str:
    """The verdict that a cell holds, alone or behind a published number; nothing for other cells."""
    text = _AT_COST.sub("", text)
    if text.endswith(")"):
        _, published, notes = text.partition("(published ")
        text = notes if published else ""
    found = _VERDICT.fullmatch(text)
    return found[1] if found and (text.startswith(found[1]) or "; " in text) else ""


def _judged(text: str) -> Markup:
    verdict = verdict_of(text) if ";" not in text else ""
    if not verdict:
        return escape(text)
    return Markup('<span class="verdict {}">{}</span>').format(verdict.replace(" ", "-"), text)


def _blocks(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """The tokens of each block at the top level."""
    block: list[Token] = []
    depth = 0
    for token in tokens:
        block.append(token)
        depth += token.nesting
        if depth == 0:
            yield block
            block = []


def _title(block: Sequence[Token]) -> str:
    """The text of a heading, or of a paragraph that is one bold text; nothing for any other block."""
    if len(block) != 3 or block[1].type != "inline":
        return ""
    inner = [token for token in block[1].children or [] if token.content or token.nesting]
    bold = len(inner) == 3 and (inner[0].type, inner[2].type) == ("strong_open", "strong_close")
    return _plain(block[1]) if block[0].type == "heading_open" or bold else ""


def _table(block: Sequence[Token], title: str, method_of: Callable[[str], str]) -> Table:
    lines: list[list[str]] = []
    for token in block:
        if token.type == "tr_open":
            lines.append([])
        elif token.type == "inline":
            lines[-1].append(_plain(token))
    heads, *rows = _verdict_first(lines)
    return Table(title, tuple(heads), tuple(_row(cells, method_of) for cells in rows))


def _verdict_first(lines: list[list[str]]) -> list[list[str]]:
    """The lines with their verdict right behind what is compared, so that no one scrolls for it."""
    heads = lines[0]
    if "verdict" not in heads:
        return lines
    old, new = heads.index("verdict"), heads.index("Second") + 1 if "Second" in heads else 1
    return [[*cells[:new], cells[old], *cells[new:old], *cells[old + 1 :]] for cells in lines] if new < old else lines


def _row(cells: Sequence[str], method_of: Callable[[str], str]) -> Row:
    return Row(tuple(cells), next(filter(None, map(method_of, cells)), ""))


def _plain(inline: Token) -> str:
    """The text of an inline token without its marks."""
    return "".join(" " if t.type == "softbreak" else t.content for t in inline.children or [])
