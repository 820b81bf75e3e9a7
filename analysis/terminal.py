"""The end of a command: an answer in eighty columns, as sentences, a table and a chart of characters."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from analysis.answer import Answer, Line
from analysis.plots import number
from bench.errors import counted

WIDTH = 80
NAME = 28  # letters of a search in the table
SHORT = 25  # of one in the chart
UNKNOWN = "-"
_SHORTER = ((", second order", " 2nd"), (", first order", " 1st"), (", Bayesian optimisation instead", ": Bayesian"))


def ending(of: Answer, report: Path, runs: int) -> str:
    """Everything: setting, sentences, table, chart, and where the page is. No line is longer than `WIDTH`, but for an
    address that is."""
    low, high = of.seeds
    seeds = counted(high, "seed") if low == high else f"{low} to {high} seeds"
    setting = of.setting
    head = f"ANSWER  {setting.space} on {setting.dataset}, scale {setting.scale}, {seeds}, {counted(runs, 'run')}"
    parts = [head, *_sentences(of), "\n".join(_table(of)), "\n".join(_chart(of)), _advice()]
    return "\n\n".join(filter(None, parts)) + f"\n\nThe page with everything:  {report}"


def _sentences(of: Answer) -> Iterator[str]:
    """Numbered, in one block."""
    texts = [f"{head}. {text}" for head, text in of.sentences]
    wrapped = [
        textwrap.fill(text, WIDTH - 1, initial_indent=f" {at} ", subsequent_indent="   ")
        for at, text in enumerate(texts, 1)
    ]
    yield "\n".join(wrapped)


def _table(of: Answer) -> Iterator[str]:
    """One line a search, by rank of the choice; below a rule what costs nothing. In brackets the ends of its runs; im.:
    images passed through supernets."""
    rule = "-" * WIDTH
    yield _row("search", "tau", "(low, high)", "rank", "(best, worst)", "im.")
    yield rule
    for line in sorted(of.lines, key=lambda line: (line.rank.mean is None, line.rank.mean or 0.0)):
        spread = f"({number(min(line.taus))}, {number(max(line.taus))})" if len(line.taus) > 1 else ""
        rank = UNKNOWN if line.rank.mean is None else f"{line.rank.mean:,.0f}"
        ends = f"({min(line.ranks):,.0f}, {max(line.ranks):,.0f})" if len(line.ranks) > 1 else ""
        yield _row(line.search.name, _tau(line.tau.mean), spread, rank, ends, _images(line))
    yield rule
    yard = of.yard
    for name, tau, place in (
        ("Parameter count", yard.parameters, yard.largest),
        ("Multiply-adds", yard.multiply_adds, yard.largest),
        ("Largest architecture", None, yard.largest),
        ("One at random", None, yard.random),
    ):
        if tau is not None or place is not None:
            at = UNKNOWN if place is None else f"{place:,.0f}"
            yield _row(name, _tau(tau), "", at, "", "0")


def _row(name: str, tau: str, spread: str, rank: str, ends: str, images: str) -> str:
    return f"{_fit(name, NAME)} {tau:>6} {spread:14} {rank:>6} {ends:16} {images:>5}".rstrip()


def _chart(of: Answer) -> Iterator[str]:
    """The tau of every run as `o`, the mean as `#`, on one axis with the yardsticks; nothing where none is known."""
    lines = [line for line in of.lines if line.taus]
    if not lines:
        return
    yards = {"|": of.yard.parameters, ":": of.yard.ceiling}
    values = [0.0, *(tau for line in lines for tau in line.taus), *(v for v in yards.values() if v is not None)]
    low, high = min(values), max(values)
    span = WIDTH - SHORT - 2

    def place(value: float) -> int:
        return round((value - low) / (high - low or 1.0) * (span - 1))

    names = {"|": "parameter count", ":": "noise ceiling"}
    known = [f"{names[mark]} {mark}" for mark, value in yards.items() if value is not None]
    yield "; ".join(["tau of every run o, mean #", *known])
    for line in sorted(lines, key=lambda line: -(line.tau.mean or 0.0)):
        row = [" "] * span
        row[place(0.0)] = "."
        for mark, value in yards.items():
            if value is not None:
                row[place(value)] = mark
        for tau in line.taus:
            row[place(tau)] = "o"
        if line.tau.mean is not None and len(line.taus) > 1:
            row[place(line.tau.mean)] = "#"
        yield f"{_fit(line.search.name, SHORT)} {''.join(row)}".rstrip()
    axis = [" "] * (span + 3)
    for tick in _ticks(low, high):
        text = number(tick, 1)
        start = max(0, place(tick) - len(text) // 2)
        axis[start : start + len(text)] = text
    yield f"{'':{SHORT}} {''.join(axis)}".rstrip()


def _ticks(low: float, high: float) -> Sequence[float]:
    step = next(step for step in (0.1, 0.2, 0.5, 1.0) if (high - low) / step <= 6)
    return [at * step for at in range(-int(-low / step), int(high / step + 1e-9) + 1)]


def _advice() -> str:
    return textwrap.fill(
        "On another processor or build of torch the same seeds can choose other architectures: take that for another "
        "seed.",
        WIDTH,
    )


def _fit(name: str, width: int) -> str:
    """The name in so many letters, its usual words shortened where they must be."""
    for long, short in ((", trained longer", ", longer"), (" trained longer", ", longer"), *_SHORTER):
        name = name.replace(long, short) if len(name) > width else name
    return (name if len(name) <= width else name[: width - 1] + "\N{HORIZONTAL ELLIPSIS}").ljust(width)


def _tau(value: float | None) -> str:
    return UNKNOWN if value is None else number(value, 3)


def _images(line: Line) -> str:
    if line.images != line.images:
        return UNKNOWN
    return f"{line.images / 1e3:.0f}k" if line.images < 1e5 else f"{line.images / 1e6:.2g}M"
