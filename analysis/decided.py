"""What a study decides, read from the tables that analysis made of it: which differences its pairs bear out, at what
cost, beside which yardsticks, and how far an hour or a day of the same machine would go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from analysis import power
from analysis.answer import FREE, bracket
from analysis.papers import search
from analysis.plots import number
from analysis.style import printed
from analysis.tables.grid import UNKNOWN, Cell, Grid
from analysis.tables.judging import without_draws
from analysis.tables.measures import TAU_CE, TEST, UNSEEN_TAU, UNSEEN_TEST, Measure
from bench.errors import BadRecord, counted
from bench.runs.agreed import NAME as PLAN

COUNTED = ("parameters", "multiply-adds")
SIZES = (*COUNTED, "additive")
DECIDED = ("for", "against")
RANKINGS, CHOICES = (TAU_CE, UNSEEN_TAU), (TEST, UNSEEN_TEST)
VERBS = {**{one.source: "ranks" for one in RANKINGS}, **{one.source: "chooses" for one in CHOICES}}
UNITS = {
    **{one.source: "in tau of cross-entropy" for one in RANKINGS},
    **{one.source: "in points of test accuracy" for one in CHOICES},
}
CORES = 2
SPANS = {"an hour": 1, "a day": 24}
"""What a reader may have, in hours."""
MILLION = 1e3  # tables count images in thousands


@dataclass(frozen=True)
class Comparison:
    """A claim that was tested: first less second by one measure, over `n` pairs.

    p: after Holm's correction over `claims` tests; shown: the difference that these pairs find with power 0.8."""

    paper: str
    words: str
    first: str
    second: str
    named: tuple[str, str]  # both sides as a sentence names them
    measure: Measure
    mean: float
    low: float
    high: float
    n: int
    p: float
    claims: int
    sd: float
    apart: float  # sd of a difference of runs that share nothing
    shown: float
    verdict: str

    @property
    def difference(self) -> str:
        """`0.021 [0.010, 0.032]`, with a sign."""
        digits = self.measure.digits
        sign = "+" if self.mean > 0 else ""
        return f"{sign}{number(self.mean, digits)} {bracket(self.low, self.high, digits)}"

    @property
    def told(self) -> str:
        """A decided difference in words, the better side first."""
        better, worse = self.named if self.mean > 0 else reversed(self.named)
        low, high = sorted((abs(self.low), abs(self.high)))
        size = f"{number(abs(self.mean), self.measure.digits)} {bracket(low, high, self.measure.digits)}"
        return f"{better} {VERBS[self.measure.source]} {size} better than {worse}"


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % interval; NaN where unknown."""

    mean: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")

    def text(self, digits: int) -> str:
        """`0.487 [0.457, 0.513]`."""
        if self.mean != self.mean:
            return UNKNOWN
        size = number(self.mean, digits) if digits else f"{self.mean:,.0f}"
        if self.low != self.low or self.low == self.high:
            return size
        ends = bracket(self.low, self.high, digits) if digits else f"[{self.low:,.0f}, {self.high:,.0f}]"
        return f"{size} {ends}"


@dataclass(frozen=True)
class Arm:
    """A method of the study: means over its seeds with their intervals, and what a search costs on average.

    images: passed through supernets, in millions; gmacs: 1e12 multiply-adds; seconds: of one thread."""

    name: str
    label: str
    n: int
    cross_entropy: Interval
    accuracy: Interval
    top: Interval  # tau of accuracy inside the true top tenth
    test: Interval
    rank: Interval
    images: float
    gmacs: float
    seconds: float


class Study:
    """The tables of one results folder. Raises BadRecord where they were not made."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._tables = root / "tables"

    @property
    def planned(self) -> bool:
        """Whether its runs were written down (`python -m bench run --pin`)."""
        return (self.root / PLAN).exists()

    def table(self, kind: str) -> pd.DataFrame:
        """All files of a kind of table as one."""
        paths = sorted(self._tables.glob(f"{kind}-*.csv"))
        if not paths:
            raise BadRecord(f"no table {kind} in {self._tables}; `python -m analysis --results {self.root}` makes it")
        return pd.concat([pd.read_csv(path, keep_default_na=False, na_values=[""]) for path in paths])

    @cached_property
    def comparisons(self) -> tuple[Comparison, ...]:
        """The claims that have pairs, in the order of the table."""
        rows = self.table("claims")
        own = rows[(rows["role"] == "claim") & rows["second"].notna() & (rows["n"] > 1) & rows["p_holm"].notna()]
        measures = {measure.source: measure for measure in (*RANKINGS, *CHOICES)}
        return tuple(_comparison(row, measures[row["quantity"]]) for _, row in own.iterrows())

    @cached_property
    def arms(self) -> tuple[Arm, ...]:
        """The methods that searched, by multiply-adds, dearest last; of several scales the name says which."""
        ranking, main, cost = self.table("ranking"), self.table("main"), self.table("cost")
        total = cost[cost["phase"] == "total"]
        scales = set(main["scale"])
        found = []
        for (scale, label), chosen in main.groupby(["scale", "label"], sort=True):
            if label not in (*FREE, *SIZES):
                ranked, paid = (rows[(rows["scale"] == scale) & (rows["label"] == label)] for rows in (ranking, total))
                found.append(_arm(str(label), _apart(str(scale), scales), chosen, ranked, paid))
        return tuple(sorted(found, key=lambda arm: (arm.gmacs, arm.name)))

    def size(self, label: str) -> Interval:
        """Tau that a size reaches on the cells of this study's supernets, by the test accuracies."""
        rows = self.table("ranking")
        return _interval(rows[rows["label"] == label], "tau")

    @property
    def best(self) -> Arm:
        """Of the highest mean tau of cross-entropy."""
        ranked = [arm for arm in self.arms if arm.cross_entropy.mean == arm.cross_entropy.mean]
        return max(ranked, key=lambda arm: arm.cross_entropy.mean)


def studies(root: Path) -> list[Study]:
    """Those that lie in a results folder and whose tables tell of tested claims."""
    found = (
        Study(folder) for folder in sorted((root / "studies").glob("*")) if any(folder.glob("tables/claims-*.csv"))
    )
    return [study for study in found if study.comparisons]


def sentences(study: Study) -> list[tuple[str, str]]:
    """Head and sentence: which comparisons of rankings are decided, which of choices, and what sizes do as well."""
    ranked = [one for one in study.comparisons if one.measure in RANKINGS]
    chosen = [one for one in study.comparisons if one.measure in CHOICES]
    told = (
        ("Ranking", _verdicts(ranked, "rankings")),
        ("Choice", _verdicts(chosen, "choices")),
        ("Size", _beside_size(study)),
    )
    return [(head, text) for head, text in told if text]


def in_short(study: Study) -> str:
    """How many comparisons are decided, the clearest of them, and what counting gives."""
    of, decided = study.comparisons, [one for one in study.comparisons if one.verdict in DECIDED]
    text = f"Of {counted(len(of), 'comparison')} {_word(len(decided))} {_is(decided)} decided"
    if decided:
        clearest = min(decided, key=lambda one: one.p)
        text += f"; the clearest: {clearest.told} ({UNITS[clearest.measure.source]}, {counted(clearest.n, 'pair')})"
    return " ".join(filter(None, [f"{text}.", _beside_size(study)]))


def _verdicts(of: Sequence[Comparison], what: str) -> str:
    """How many are decided, which, and what the others could have shown."""
    if not of:
        return ""
    decided = sorted((one for one in of if one.verdict in DECIDED), key=lambda one: -abs(one.mean))
    same = [one for one in of if one.verdict == "equal"]
    open_ = [one for one in of if one.verdict not in (*DECIDED, "equal")]
    least, most = min(one.n for one in of), max(one.n for one in of)
    pairs = counted(most, "pair") if least == most else f"{least} to {most} pairs"
    by = UNITS[of[0].measure.source]
    text = f"Of {counted(len(of), 'comparison')} of {what}, over {pairs} and {by},"
    text += f" {_word(len(decided))} {_is(decided)} decided"
    text += f": {'; '.join(one.told for one in decided)}." if decided else "."
    if same:
        text += f" {_word(len(same)).capitalize()} {_is(same)} equal within {of[0].measure.margin:g}."
    if open_:
        shown = sorted(one.shown for one in open_)
        text += (
            f" {_word(len(open_)).capitalize()} {_is(open_)} undecided; {_seen(shown, of[0].measure)} would have shown."
        )
    return text


def _seen(shown: Sequence[float], measure: Measure) -> str:
    low, high = (number(shown[at], measure.digits) for at in (0, -1))
    return f"a difference of {low}" if low == high else f"differences of {low} to {high}"


def _beside_size(study: Study) -> str:
    """The best arm beside what counting gives."""
    searched = [arm for arm in study.arms if arm.cross_entropy.mean == arm.cross_entropy.mean]
    if not searched:
        return ""
    best = study.best
    known = [(printed(label).lower(), study.size(label)) for label in COUNTED]
    known = [(name, tau) for name, tau in known if tau.mean == tau.mean]
    said = (
        f"The best ranking is that of {search(best.label).name}: tau {best.cross_entropy.text(3)} by cross-entropy and "
        f"{best.accuracy.text(3)} by accuracy, in the mean of {counted(best.n, 'seed')}."
    )
    if not known:
        return said
    sizes = " and ".join(f"{name} reaches {number(tau.mean, 3)}" for name, tau in known)
    above = [name for name, tau in known if tau.mean > best.accuracy.mean]
    verb = "ranks" if len(above) == 1 else "rank"
    better = f"; {' and '.join(above)} {verb} better than every arm" if above else ""
    return f"{said} Without a search {sizes}{better}."


def arms(study: Study) -> Grid:
    """The arms with what they cost, also as multiples of the cheapest."""
    first = study.arms[0]
    heads = (
        "Arm", "n", TAU_CE.head, "tau, accuracy", "tau in the top 10 %", "test accuracy of the choice (%)",
        "rank of the choice", "images", "multiply-adds",
    )  # fmt: skip
    body = tuple(
        (
            Cell(arm.name),
            Cell(str(arm.n)),
            Cell(arm.cross_entropy.text(3)),
            Cell(arm.accuracy.text(3)),
            Cell(arm.top.text(3)),
            Cell(arm.test.text(2)),
            Cell(arm.rank.text(0)),
            Cell(f"{arm.images:.2f} M ({arm.images / first.images:.2f}x)"),
            Cell(f"{arm.gmacs:.2f}e12 ({arm.gmacs / first.gmacs:.2f}x)"),
        )
        for arm in study.arms
    )
    sizes = tuple(
        (Cell(printed(label)), Cell(UNKNOWN), Cell(UNKNOWN), Cell(study.size(label).text(3)))
        + (Cell(UNKNOWN),) * 3
        + (Cell("0"),) * 2
        for label in SIZES
        if study.size(label).mean == study.size(label).mean
    )
    return Grid("What each arm reaches, and what it costs", heads, body + sizes)


def comparisons(study: Study) -> Grid:
    """Every tested claim with its difference, its corrected p and its verdict."""
    heads = ("Claim", "paper", "measure", "n", "difference", "p (Holm)", "could show", "verdict")
    body = tuple(
        (
            Cell(one.words),
            Cell(one.paper or UNKNOWN),
            Cell(one.measure.head),
            Cell(str(one.n)),
            Cell(one.difference),
            Cell(number(one.p, 3)),
            Cell(number(one.shown, one.measure.digits)),
            Cell(one.verdict),
        )
        for one in study.comparisons
    )
    return Grid("Claims, corrected together", heads, body)


def pairing(study: Study) -> Grid:
    """How much a shared parent narrows differences."""
    heads = ("First", "second", "measure", "n", "sd of the paired difference", "sd without a shared parent", "ratio")
    body = tuple(
        (
            Cell(one.first),
            Cell(one.second),
            Cell(one.measure.head),
            Cell(str(one.n)),
            Cell(number(one.sd, one.measure.digits)),
            Cell(number(one.apart, one.measure.digits)),
            Cell(number(one.sd / one.apart, 2) if one.apart else UNKNOWN),
        )
        for one in study.comparisons
    )
    return Grid("What a shared parent is worth", heads, body)


def within(study: Study) -> Iterator[str]:
    """For every span of time: how many pairs of two arms fit, and the difference that they would show, one test alone.
    The arms are those whose difference varies like the median one; seconds are those of their searches, one thread
    each, estimates of the probe not counted."""
    seconds = {printed(without_draws(arm.label)): arm.seconds for arm in study.arms}
    ranked = [one for one in study.comparisons if one.measure in RANKINGS and {one.first, one.second} <= seconds.keys()]
    if not ranked:
        return
    typical = sorted(ranked, key=lambda one: one.sd)[len(ranked) // 2]
    of_pair = seconds[typical.first] + seconds[typical.second]
    for span, hours in SPANS.items():
        n = int(hours * 3600 * CORES / of_pair)
        if n < 2:
            yield f"In {span} {CORES} cores make {counted(n, 'pair')} of such arms: no comparison."
            continue
        shown = power.smallest_difference(typical.sd, n)
        yield (
            f"In {span} {CORES} cores make {n:,} pairs of such arms, at {of_pair:,.0f} seconds a pair. They show a "
            f"difference of {number(shown, 3)} {UNITS[TAU_CE.source]} with power {power.WANTED:g}, if it is the one "
            "question."
        )


def cheapest(study: Study) -> str:
    """The cheapest arm that is not clearly below the best, by the intervals of both."""
    best = study.best
    fair = [arm for arm in study.arms if arm.cross_entropy.high >= best.cross_entropy.low]
    if not fair or fair[0] is best:
        return f"The best arm, {best.name}, is also the cheapest of those that rank as well."
    one = fair[0]
    return (
        f"The cheapest arm whose interval reaches that of the best ({best.name}) is {one.name}, at "
        f"{one.images / best.images:.0%} of its images and {one.gmacs / best.gmacs:.0%} of its multiply-adds."
    )


def _is(of: Sequence[Comparison]) -> str:
    return "is" if len(of) == 1 else "are"


def recipes(study: Study) -> str:
    """The best, the cheapest and the worst arm of a study without claims."""
    ranked = sorted(study.arms, key=lambda arm: -arm.cross_entropy.mean)
    best, worst, cheap = ranked[0], ranked[-1], study.arms[0]
    seeds = counted(best.n, "seed")
    said = (
        f"Of {counted(len(ranked), 'recipe')}, {seeds} each, {best.name} ranks best (tau {best.cross_entropy.text(3)})"
    )
    if cheap is not best:
        said += (
            f", at {best.gmacs / cheap.gmacs:.1f} times the multiply-adds of the cheapest, {cheap.name} (tau "
            f"{cheap.cross_entropy.text(3)})"
        )
    return f"{said}. {worst.name} ranks worst (tau {worst.cross_entropy.text(3)})."


def _apart(scale: str, scales: Set[str]) -> str:
    """What tells a scale from the others: what it changes, where all change one scale."""
    bases = {one.partition("+")[0] for one in scales}
    return "" if len(scales) == 1 else scale.partition("+")[2] if len(bases) == 1 else scale


def _word(count: int) -> str:
    words = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    return words[count] if count < len(words) else str(count)


def _comparison(row: pd.Series, measure: Measure) -> Comparison:
    labels = [without_draws(str(row[side])) for side in ("label", "second")]
    first, second = map(printed, labels)
    return Comparison(
        paper="" if pd.isna(row["paper"]) else str(row["paper"]),
        words=str(row["claim"]),
        first=first,
        second=second,
        named=(search(labels[0]).name, search(labels[1]).name),
        measure=measure,
        mean=float(row["mean"]),
        low=float(row["low"]),
        high=float(row["high"]),
        n=int(row["n"]),
        p=float(row["p_holm"]),
        claims=int(row["claims"]),
        sd=float(row["sd"]),
        apart=float(row["sd_unpaired"]),
        shown=float(row["could_show"]),
        verdict=str(row["verdict"]),
    )


def _interval(rows: pd.DataFrame, quantity: str) -> Interval:
    own = rows[rows["quantity"] == quantity]
    if own.empty:
        return Interval()
    row = own.iloc[0]
    return Interval(float(row["mean"]), float(row["low"]), float(row["high"]))


def _arm(label: str, scale: str, chosen: pd.DataFrame, ranked: pd.DataFrame, paid: pd.DataFrame) -> Arm:
    costs = {name: _interval(paid, name).mean for name in ("forward_images", "backward_images", "gmacs", "device_s")}
    return Arm(
        name=f"{printed(label)}, {scale}" if scale else printed(label),
        label=label,
        n=int(chosen["done"].iloc[0]),
        cross_entropy=_interval(ranked, "tau_cross_entropy"),
        accuracy=_interval(ranked, "tau"),
        top=_interval(ranked, "tau_top10"),
        test=_interval(chosen, "test"),
        rank=_interval(chosen, "rank"),
        images=(costs["forward_images"] + costs["backward_images"]) / MILLION,
        gmacs=costs["gmacs"],
        seconds=costs["device_s"],
    )
