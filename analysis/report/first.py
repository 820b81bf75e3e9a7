"""The first screen of a report: an answer as a table whose rows hold marks, beside choices against cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import pandas as pd
from markupsafe import Markup, escape

from analysis import answer as answers
from analysis import caption, stats
from analysis.answer import Answer, Line
from analysis.chapters import APOSTROPHE
from analysis.load import BOTH, settings, targets_of
from analysis.plots import number
from bench.errors import counted

DASH = "\N{EN DASH}"
_IMAGES = {"patches": "Oriented patches", "cifar10-jpeg": "CIFAR-10 (JPEG)", "cifar10": "CIFAR-10, table"}
STEP = 0.2  # between ticks of tau
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 540, 372, 52, 12, 22, 40  # of the chart of choices
RADIUS, GAP = 9, 18  # of a circle, and the least distance of two side by side
LETTER, LEVELS = 2.0, 3  # of the name of a yardstick: percent of the axis that a letter takes, and heights
NOTHING, START = LEFT + 20, LEFT + 48  # where no image at all stands, and where the logarithmic axis begins

Place = Callable[[float], float]
"""From a value to where it stands on an axis."""


@dataclass(frozen=True)
class Mark:
    """A mean with its interval, as percent of the width of the axis."""

    at: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Row:
    """A search in the table: its number, names, marks and values as text."""

    number: int
    line: Line
    first: bool  # of its paper
    accuracy: Mark | None
    entropy: Mark | None
    tau: str
    interval: str
    entropy_text: str
    lost: str


@dataclass(frozen=True)
class Yard:
    """A line of reference of the axis of tau, with its name at one side of it and on one of three heights."""

    kind: str
    words: str
    at: float
    side: str  # left or right
    level: int


@dataclass(frozen=True)
class View:
    """What one setting and protocol shows before anything else."""

    answer: Answer
    tab: tuple[str, str]
    about: str
    rows: tuple[Row, ...]
    yards: tuple[Yard, ...]
    ticks: tuple[tuple[str, float], ...]
    zero: float
    choices: Markup
    caption: str
    chapters: dict[str, str]

    @property
    def id(self) -> str:
        """Its name in addresses."""
        return self.answer.id

    @property
    def slug(self) -> str:
        """The setting that the rest of the page filters by: without its target."""
        return replace(self.answer.setting, target="").slug

    @property
    def protocol(self) -> str:
        """The same of the protocol; nothing where there is one alone."""
        return "" if self.answer.protocol == BOTH else self.answer.protocol


def views(found: Sequence[Answer], scales: dict[str, str]) -> list[View]:
    """A view of each answer. scales: what the scale of a setting stands for, by slug."""
    tabs = [_tab(one, found) for one in found]
    return [_view(one, tab, scales.get(one.setting.slug, "")) for one, tab in zip(found, tabs, strict=True)]


def _view(of: Answer, tab: tuple[str, str], scale: str) -> View:
    low, high = _ends(of)

    def place(value: float) -> float:
        return round(100 * (value - low) / (high - low), 2)

    ranked = any(line.tau.mean is not None for line in of.lines)
    ticks = [tick * STEP for tick in range(math.ceil(low / STEP - 1e-9), math.floor(high / STEP + 1e-9) + 1)]
    papers = [line.search.paper for line in of.lines]
    rows = tuple(
        _row(at, line, at == 1 or papers[at - 2] != line.search.paper, place) for at, line in enumerate(of.lines, 1)
    )
    return View(
        answer=of,
        tab=tab,
        about=_about(of, scale),
        rows=rows,
        yards=tuple(_yards(of, place)) if ranked else (),
        ticks=tuple((number(tick, 1), place(tick)) for tick in ticks) if ranked else (),
        zero=place(0.0),
        choices=choices(of),
        caption=_caption(of),
        chapters=answers.chapters(of),
    )


def _tab(of: Answer, found: Sequence[Answer]) -> tuple[str, str]:
    """The words of a view in the bar: its images, with space and scale where these differ; protocol and seeds."""
    setting = of.setting
    words = _IMAGES.get(setting.dataset, setting.dataset)
    same = [one for one in found if one.setting.dataset == setting.dataset and one.setting != setting]
    if any(one.setting.space != setting.space for one in same) and setting.space != found[0].setting.space:
        words += f", {setting.space}"
    if any(one.setting.scale != setting.scale and one.setting.space == setting.space for one in same):
        words += f", {setting.scale}"
    low, high = of.seeds
    seeds = counted(high, "seed") if low == high else f"{low} to {high} seeds"
    two = sum(one.setting == setting for one in found) > 1
    return words, answers.PROTOCOLS[of.protocol] if two else seeds


def _about(of: Answer, scale: str) -> str:
    low, high = of.seeds
    said = [
        f"{of.setting.space} searched on {of.setting.dataset}",
        f"scale {of.setting.scale}: {scale}",
        f"scored by {of.setting.truth}, {of.setting.about}",
        counted(high, "seed") if low == high else f"{low} to {high} seeds",
    ]
    return " \N{MIDDLE DOT} ".join(said)


def _ends(of: Answer) -> tuple[float, float]:
    """Of the axis of tau: 0, the yardsticks, and all marks, with a margin."""
    means = [mean for line in of.lines for mean in (line.tau, line.cross_entropy)]
    values = [v for mean in means for v in (mean.mean, mean.low, mean.high) if v is not None]
    values += [v for v in (of.yard.parameters, of.yard.multiply_adds, of.yard.ceiling) if v is not None]
    low, high = min([0.0, *values]), max([0.2, *values])
    return low - 0.02 * (high - low), high + 0.04 * (high - low)


def _row(at: int, line: Line, first: bool, place: Place) -> Row:
    def mark(mean: stats.Mean) -> Mark | None:
        if mean.mean is None:
            return None
        ends = (None, None) if mean.low is None or mean.high is None else (place(mean.low), place(mean.high))
        return Mark(place(mean.mean), *ends)

    tau, entropy = line.tau, line.cross_entropy
    interval = "" if tau.low is None or tau.high is None else answers.bracket(tau.low, tau.high)
    return Row(
        number=at,
        line=line,
        first=first,
        accuracy=mark(tau),
        entropy=mark(entropy),
        tau=DASH if tau.mean is None else number(tau.mean, 3),
        interval=interval,
        entropy_text=DASH if entropy.mean is None else number(entropy.mean, 3),
        lost=f", {line.lost} lost" if line.lost else "",
    )


def _yards(of: Answer, place: Place) -> Iterator[Yard]:
    """Their names: the lower size to the left, the higher to the right, the ceiling above; each as high as it must be
    to touch no other."""
    sizes = [("parameters", "parameter count", of.yard.parameters), ("adds", "multiply-adds", of.yard.multiply_adds)]
    known = sorted(((value, kind, words) for kind, words, value in sizes if value is not None))
    wanted = []
    for at, (value, kind, words) in enumerate(known):
        side = "left" if at == 0 and (len(known) > 1 or place(value) > 50) and place(value) > 30 else "right"
        wanted.append((kind, words, value, side, 0))
    if of.yard.ceiling is not None:
        side = "left" if place(of.yard.ceiling) > 50 else "right"
        wanted.append(("ceiling", "noise ceiling", of.yard.ceiling, side, 1))
    taken: list[tuple[float, float, int]] = []
    for kind, words, value, side, least in wanted:
        text = f"{words} {number(value, 3)}"
        where, wide = place(value), LETTER * len(text)
        low, high = (where - wide, where) if side == "left" else (where, where + wide)
        free = (n for n in range(least, LEVELS) if not any(a < high and low < b and n == on for a, b, on in taken))
        level = next(free, LEVELS - 1)
        taken.append((low, high, level))
        yield Yard(kind, text, where, side, level)


def _caption(of: Answer) -> str:
    ranked = any(line.tau.mean is not None for line in of.lines)
    few = of.seeds[1] < stats.LEAST_RUNS
    left = (
        f"Left: Kendall{APOSTROPHE}s tau-b of a search{APOSTROPHE}s estimates with "
        "accuracies of networks trained alone; right: the true rank of the one cell that it returns. "
        if ranked
        else "The true rank of the one cell that each search returns. "
    )
    bars = (
        f"Numbers in circles are the rows; fewer than {stats.LEAST_RUNS} seeds get no interval. "
        if few
        else "Numbers in circles are the rows; bars are 95 % bootstrap intervals of the mean over seeds, too "
        "narrow for few seeds. "
    )
    more = f"{counted(of.further, 'more configuration')} stand below. " if of.further else ""
    return f"{left}{bars}{more}It says nothing of other scales or images."


def choices(of: Answer) -> Markup:
    """Mean true rank of the choice against images, as SVG; nothing where no rank is known."""
    known = [(at, line) for at, line in enumerate(of.lines, 1) if line.rank.mean is not None]
    ranked = of.yard.ranked
    if not known or not ranked or ranked < 2:
        return Markup("")
    spent = [line.images for _, line in known if line.images > 0]
    low, high = (min(spent) / 1.25, max(spent) * 1.25) if spent else (1.0, 10.0)

    def across(images: float) -> float:
        if not images > 0:
            return NOTHING
        return START + (WIDTH - RIGHT - START) * math.log(images / low) / math.log(high / low)

    def down(rank: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (rank - 1) / (ranked - 1)

    parts = [*_frame(ranked, low, high, across, down), *_references(of, down)]
    places = _apart([(across(line.images), down(line.rank.mean or 1), at, line) for at, line in known])
    for x, _, _, line in places:
        if line.rank.low is not None and line.rank.high is not None:
            ends = f"M{x:.1f},{down(line.rank.low):.1f}V{down(line.rank.high):.1f}"
            parts.append(f'<path class="whisker" style="{_ink(line)}" d="{ends}"/>')
    for x, y, at, line in places:
        title = f"{line.search.name}: mean rank {answers.told(line.rank, 0)}, {answers.millions(line.images)} images"
        parts.append(
            f'<g class="choice" style="{_ink(line)}"><title>{escape(title)}</title>'
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{RADIUS}"/><text x="{x:.1f}" y="{y + 3.8:.1f}">{at}</text></g>'
        )
    parts += _names(places)
    words = f"Mean true rank of the choice against images, {counted(len(known), 'search')}; the table holds the names"
    return Markup(
        f'<svg class="choices" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(words)}">'
        f"{''.join(parts)}</svg>"
    )


def _ink(line: Line) -> str:
    return f"--c:{line.search.ink};--d:{line.search.dark}"


def _frame(ranked: int, low: float, high: float, across: Place, down: Place) -> Iterator[str]:
    step = _nice(ranked / 3.2)
    for rank in [1, *range(step, ranked - step // 3, step), ranked]:
        y = down(rank)
        yield f'<path class="grid" d="M{LEFT},{y:.1f}H{WIDTH - RIGHT}"/>'
        yield f'<text class="tick y" x="{LEFT - 6}" y="{y + 4:.1f}">{rank:,}</text>'
    base = HEIGHT - BOTTOM
    yield f'<path class="axis" d="M{LEFT},{base}H{NOTHING + 14}M{START - 12},{base}H{WIDTH - RIGHT}"/>'
    yield f'<text class="tick" x="{NOTHING}" y="{base + 16}">0</text>'
    for power in range(12):
        for factor in (1, 2, 5):
            images = factor * 10**power
            if low <= images <= high:
                yield f'<text class="tick" x="{across(images):.1f}" y="{base + 16}">{_short(images)}</text>'
    yield (
        f'<text class="tick end" x="{WIDTH - RIGHT}" y="{HEIGHT - 6}">images through supernets, '
        "forward + backward (log)</text>"
    )


def _references(of: Answer, down: Place) -> Iterator[str]:
    if of.yard.random is not None:
        yield f'<path class="random" d="M{LEFT},{down(of.yard.random):.1f}H{WIDTH - RIGHT}"/>'
    if of.yard.largest is not None:
        y = down(of.yard.largest)
        yield f'<path class="largest" d="M{LEFT},{y:.1f}H{WIDTH - RIGHT}"/>'
        yield f'<rect class="largest" x="{NOTHING - 6}" y="{y - 6:.1f}" width="12" height="12"/>'


Placed = tuple[float, float, int, Line]


def _apart(places: Sequence[Placed]) -> list[Placed]:
    """Circles that would lie on another are moved to the right of it, or to the left at the end of the axis."""
    done: list[Placed] = []
    for x, y, at, line in sorted(places, key=lambda place: (place[0], place[1])):
        for shift in (0, GAP, -GAP, 2 * GAP, -2 * GAP):
            moved = min(x + shift, WIDTH - RIGHT - RADIUS)
            if all(math.hypot(moved - a, y - b) >= GAP for a, b, _, _ in done):
                break
        done.append((moved, y, at, line))
    return done


def _names(places: Sequence[Placed]) -> Iterator[str]:
    """Names on the front alone, of searches that none beats in both rank and cost; left out where they would touch."""
    taken: list[tuple[float, float, float, float]] = []
    circles = [(x - RADIUS, x + RADIUS, y - RADIUS, y + RADIUS) for x, y, _, _ in places]
    best = math.inf
    for x, y, _, line in sorted(places, key=lambda place: (place[3].images, place[1])):
        if y >= best:
            continue
        best = y
        name = line.search.name
        wide = 6.3 * len(name)
        for left, height in ((x + 13, y + 4), (x - 13 - wide, y + 4), (x - wide / 2, y + 24), (x - wide / 2, y - 14)):
            box = (left, left + wide, height - 11, height + 3)
            inside = box[0] >= LEFT and box[1] <= WIDTH and box[2] >= 0
            if inside and not any(_touch(box, other) for other in [*taken, *circles]):
                taken.append(box)
                yield f'<text class="named" x="{left:.1f}" y="{height:.1f}">{escape(name)}</text>'
                break


def _touch(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[1] and b[0] < a[1] and a[2] < b[3] and b[2] < a[3]


def _nice(value: float) -> int:
    """A round step of about the value: 1, 2 or 5 times a power of ten."""
    power = int(10.0 ** int(math.log10(max(value, 1))))
    return next(factor for factor in (1, 2, 5, 10) if factor * power >= value * 0.75) * power


def _short(images: float) -> str:
    if images >= 1e6:
        return f"{images / 1e6:g} M"
    return f"{images / 1e6:g} M" if images >= 1e5 else f"{images:,.0f}"


def scales(frame: pd.DataFrame) -> dict[str, str]:
    """What each setting's scale stands for, by the slug with its target."""
    found = {}
    for setting, rows in settings(frame, by_target=False):
        one, _ = targets_of(setting, rows)[0]
        found[one.slug] = caption.scale_numbers(rows["scale_numbers"].iloc[0])
    return found
