"""What the searches of a setting answer: do they rank and choose better than counting parameters? The numbers, and
three sentences that are made from them by rule."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from analysis import stats
from analysis.chapters import APOSTROPHE
from analysis.groups import SIZES, UNTRAINED
from analysis.load import BOTH, Setting, settings, targets_of
from analysis.papers import Search, search
from analysis.plots import number
from analysis.style import parts
from bench.errors import counted
from bench.runs.study import ABLATIONS, SAMPLING

QUESTION = "Does a weight-sharing search rank and choose better than counting parameters?"
PROTOCOLS = {"paper": f"papers{APOSTROPHE} epochs", "fair": "equal images", BOTH: "one protocol"}
FREE = (*UNTRAINED, *SIZES)
_READ = (
    *("label", "key", "status", "tau", "tau_cross_entropy", "tau_top10", "rank", "test", "test_best_candidate"),
    *("forward_images", "backward_images", "device_s"),
)
"""The columns of a frame that a line is made from."""
NAMED = 2
"""Searches that a sentence names at most."""
CLAIMED = {
    "test": ("chooses", "points"),
    "tau": ("ranks", "in tau"),
    "tau_top10": ("ranks the top tenth", "in tau"),
    "tau_cross_entropy": ("ranks", "in tau of cross-entropy"),
}
"""How a sentence tells a quantity that a claim is about."""


@dataclass(frozen=True)
class Line:
    """A search of a setting: means over its finished runs, and every run's tau."""

    label: str
    search: Search
    tau: stats.Mean
    taus: tuple[float, ...]
    cross_entropy: stats.Mean
    rank: stats.Mean
    ranks: tuple[float, ...]
    test: stats.Mean
    top: stats.Mean  # tau inside the true top tenth
    oracle: stats.Mean  # points that the best finalist by the truth is above the choice
    images: float
    seconds: float
    done: int
    lost: int  # diverged, failed or interrupted

    @property
    def shares(self) -> bool:
        """Whether its estimates come from shared weights."""
        return not self.label.startswith("random-best-of-")


@dataclass(frozen=True)
class Yardsticks:
    """What costs nothing, and what noise allows; None where it is not known. Ranks count from 1."""

    parameters: float | None
    parameters_top: float | None
    multiply_adds: float | None
    ceiling: float | None
    largest: float | None
    largest_test: float | None
    random: float | None
    random_test: float | None
    ranked: int | None


@dataclass(frozen=True)
class Claims:
    """Verdicts on the papers' claims that have runs, and the decided ones in words."""

    verdicts: Mapping[str, int]
    decided: tuple[str, ...]
    corrected: bool


NO_CLAIMS = Claims({}, (), corrected=False)


@dataclass(frozen=True)
class Answer:
    """The searches of one setting and protocol, best kept apart from ablations, with the yardsticks beside them."""

    setting: Setting
    protocol: str
    lines: tuple[Line, ...]
    further: int  # configurations that the lines leave out: ablations and changed settings
    yard: Yardsticks
    claims: Claims
    seeds: tuple[int, int]

    @property
    def id(self) -> str:
        """A name for an address."""
        return f"{self.setting.slug}-{self.protocol}"

    @property
    def sentences(self) -> tuple[tuple[str, str], ...]:
        """Head and sentence: ranking, choice, claims, or where no claim was tested the limits. A sentence without
        anything to say is left out."""
        claims = _claims(self.claims)
        last = ("Claims", claims) if claims else ("Limits", _limits(self))
        told = (("Ranking", _ranking(self)), ("Choice", _choice(self)), last)
        return tuple((head, text) for head, text in told if text)


def answers(frame: pd.DataFrame, root: Path) -> list[Answer]:
    """An answer for each setting and protocol in which something searched, settings of most runs first."""
    found: list[tuple[int, Answer]] = []
    for setting, rows in settings(frame, by_target=False):
        one, part = targets_of(setting, rows)[0]
        told = claims_of(root, setting, one.target)
        for protocol in protocols(part):
            made = answer(one, part, protocol, told)
            if made.lines:
                found.append((-len(rows), made))
    return [made for _, made in sorted(found, key=lambda pair: pair[0])]


def answer(setting: Setting, rows: pd.DataFrame, protocol: str, told: Claims) -> Answer:
    """The answer of the rows of one setting and target; of methods that know two protocols those of `protocol`."""
    own = rows.loc[rows["protocol"].isin([protocol, BOTH]), list(_READ)]  # the fewer columns the faster
    lines = [measured(str(label), part) for label, part in own.groupby("label") if label not in FREE]
    lines = [line for line in lines if line.done or line.lost]
    known = {parts(line.label)[0] for line in lines if is_principal(line.label)}
    shown = [line for line in lines if is_principal(line.label) or _stands_in(line.label, known)] or lines
    counts = [line.done for line in shown if line.done] or [0]
    return Answer(
        setting=setting,
        protocol=protocol,
        lines=tuple(sorted(shown, key=lambda line: line.search.place)),
        further=len(lines) - len(shown),
        yard=yardsticks(rows),
        claims=told,
        seeds=(min(counts), max(counts)),
    )


def is_principal(label: str) -> bool:
    """Whether a method stands in the first table: no ablation, and at the settings of its paper."""
    base, changes = parts(label)
    return base not in (*ABLATIONS, *SAMPLING) and all(change.startswith("protocol=") for change in changes)


def _stands_in(label: str, known: Collection[str]) -> bool:
    """Whether a changed method is all there is of it: it then stands in the first table, its changes with its name."""
    base, changes = parts(label)
    return bool(changes) and base not in (*ABLATIONS, *SAMPLING, *known)


def yardsticks(rows: pd.DataFrame) -> Yardsticks:
    """Of the rows of one setting and target."""
    done = stats.done(rows)

    def mean(label: str, column: str) -> float | None:
        return stats.mean_of(done.loc[done["label"] == label, column]).mean

    ranked = done["ranked"].dropna()
    return Yardsticks(
        parameters=mean("parameters", "tau"),
        parameters_top=mean("parameters", "tau_top10"),
        multiply_adds=mean("multiply-adds", "tau"),
        ceiling=stats.mean_of(set(done["ceiling"].dropna())).mean,
        largest=mean("largest", "rank"),
        largest_test=mean("largest", "test"),
        random=None if ranked.empty else (float(ranked.iloc[0]) + 1) / 2,
        random_test=stats.mean_of(set(done["random_mean"].dropna())).mean if "random_mean" in done else None,
        ranked=None if ranked.empty else int(ranked.iloc[0]),
    )


def claims_of(root: Path, setting: Setting, target: str) -> Claims:
    """The verdicts in the table of claims of a setting; none where it was not drawn."""
    path = root / "tables" / f"claims-{replace(setting, target='').slug}.csv"
    if not path.exists():
        return NO_CLAIMS
    try:
        data = pd.read_csv(path, keep_default_na=False, na_values=[""])
    except pd.errors.EmptyDataError:  # a table of no claim
        return NO_CLAIMS
    own = data[data["paper"].notna() & (data["target"] == target) & (data["n"] > 0)]
    own = own[(own["verdict"] != "not run") & (own["role"] == "claim")]
    decided = own[own["verdict"].isin(["for", "against"])]
    words = tuple(_claim(row) for _, row in decided.iterrows())
    return Claims(Counter(own["verdict"]), tuple(filter(None, words)), corrected=any("holm" in str(c) for c in data))


def _claim(row: pd.Series) -> str:
    """A decided claim in words."""
    verb, unit = CLAIMED.get(row["quantity"], ("", ""))
    if not verb or pd.isna(row["second"]):
        return ""
    digits = 3 if row["quantity"].startswith("tau") else 2
    size = abs(row["mean"])
    ends = sorted((abs(row["low"]), abs(row["high"])))
    by = f"{size:.{digits}f} {unit} {bracket(ends[0], ends[1], digits)}"
    than = "better" if row["mean"] > 0 else "worse"
    names = search(row["label"]).name, search(row["second"]).name
    return f"{names[0]} {verb} {by} {than} than {names[1]} ({counted(int(row['n']), 'pair')})"


def bracket(low: float, high: float, digits: int = 3) -> str:
    """`[0.457, 0.513]`."""
    return f"[{_printed(low, digits)}, {_printed(high, digits)}]"


def told(mean: stats.Mean, digits: int = 3) -> str:
    """`0.487 [0.457, 0.513]`; the interval only where there is one."""
    if mean.mean is None:
        return "unknown"
    text = _printed(mean.mean, digits)
    if mean.low is None or mean.high is None or mean.low == mean.high:  # without chance there is nothing to bracket
        return text
    return f"{text} {bracket(mean.low, mean.high, digits)}"


def ordinal(value: float) -> str:
    """`685th`, `1st`, `1,002nd`, `11th`."""
    whole = round(value)
    ending = "th" if whole % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(whole % 10, "th")
    return f"{whole:,}{ending}"


def _printed(value: float, digits: int) -> str:
    return f"{value:,.0f}" if digits == 0 else number(value, digits)


def protocols(rows: pd.DataFrame) -> Iterator[str]:
    """Those that runs differ in; one for all where they know none."""
    known = [name for name in PROTOCOLS if name != BOTH and name in set(rows["protocol"])]
    yield from known or [BOTH]


def measured(label: str, rows: pd.DataFrame) -> Line:
    """A search from its rows of one setting and target."""
    done = stats.done(rows)
    images = done["forward_images"] + done["backward_images"]
    return Line(
        label=label,
        search=search(label),
        tau=stats.mean_of(done["tau"]),
        taus=tuple(done["tau"].dropna()),
        cross_entropy=stats.mean_of(done["tau_cross_entropy"]),
        rank=stats.mean_of(done["rank"]),
        ranks=tuple(done["rank"].dropna()),
        test=stats.mean_of(done["test"]),
        top=stats.mean_of(done["tau_top10"]),
        oracle=stats.mean_of(done["test_best_candidate"] - done["test"]),
        images=float(images.mean()) if len(images) else math.nan,
        seconds=float(done["device_s"].mean()) if len(done) else math.nan,
        done=stats.count(rows, "done"),
        lost=len(set(rows["key"])) - stats.count(rows, "done"),
    )


def _tau(line: Line) -> float:
    return -math.inf if line.tau.mean is None else line.tau.mean


def _named(line: Line, mean: stats.Mean, digits: int) -> str:
    return f"{line.search.name} ({told(mean, digits)}, n = {mean.n})"


def _ranking(of: Answer) -> str:
    """Whether estimates rank clearly better than the parameter count: their whole interval lies above it."""
    lines = [line for line in of.lines if line.tau.mean is not None and line.shares]
    if not lines:
        return ""
    yard, best = of.yard.parameters, max(lines, key=_tau)
    ceiling = "" if of.yard.ceiling is None else f"; the noise of the truth would allow {number(of.yard.ceiling, 3)}"
    reaches = f"{best.search.name}, reaches tau {told(best.tau)} (n = {best.tau.n}){ceiling}."
    if yard is None:
        return f"Of {counted(len(lines), 'estimator')} the best, {reaches}"
    than = f"better than counting parameters does (tau {number(yard, 3)})"
    if all(line.tau.low is None for line in lines):
        above = [line for line in lines if max(line.taus) > yard]
        verb = "rank" if len(above) > 1 else "ranks"
        runs = "in some run" if above else "in any run"
        few = f"with {_seeds(of)}, too few for an interval, the best, {reaches}"
        return f"{_some(len(above), len(lines))} {verb} {than} {runs}; {few}"
    clear = [line for line in lines if line.tau.low is not None and line.tau.low > yard]
    verb = "rank" if len(clear) > 1 else "ranks"
    return f"{_some(len(clear), len(lines))} {verb} clearly {than}: the best, {reaches}"


def _choice(of: Answer) -> str:
    """Whether choices are clearly better than the largest architecture: their whole interval lies before its rank."""
    lines = sorted((line for line in of.lines if line.rank.mean is not None), key=lambda line: line.rank.mean or 0)
    yard = of.yard
    if not lines or yard.ranked is None:
        return ""
    best = f"{lines[0].search.name} at mean rank {told(lines[0].rank, 0)} (n = {lines[0].rank.n})"
    among = f"{yard.ranked:,}"
    if yard.largest is None:
        return f"The best choice is that of {best}, of {among} architectures."
    said = f"The largest architecture, found without a search, is {ordinal(yard.largest)} of {among}; "
    before = [line for line in lines if (line.rank.mean or 0) < yard.largest]
    if not before:
        return f"{said}no search chooses better on average, the best being {best}."
    if all(line.rank.low is None for line in lines):
        return f"{said}{best} chooses best, and {_seeds(of)} are too few to tell the two apart."
    clear = [line for line in before if line.rank.high is not None and line.rank.high < yard.largest]
    if clear:
        return f"{said}{_some(len(clear), len(lines)).lower()} {_verb(clear)} clearly better, first {best}."
    first = " and ".join(_named(line, line.rank, 0) for line in lines[:NAMED])
    return f"{said}the best searches choose about as well and none clearly better: {first}, by mean rank."


def _limits(of: Answer) -> str:
    """What it does not speak of."""
    return (
        f"It holds for scale {of.setting.scale} on {of.setting.dataset} and says nothing of other sizes; no claim of "
        "the papers has pairs of runs here."
    )


def _claims(of: Claims) -> str:
    """How many claims the seeds bear out, and the first that is decided."""
    total = sum(of.verdicts.values())
    if not total:
        return ""
    if of.verdicts.get("undecided", 0) == total:
        if total == 1:
            return "The one claim of the papers that has runs here stays undecided."
        return f"All {total} claims of the papers that have runs here stay undecided."
    parts_ = [
        f"bear out {_none(of.verdicts.get('for', 0))}",
        f"speak against {_none(of.verdicts.get('against', 0))}",
        *([f"find {equal} without a difference"] if (equal := of.verdicts.get("equal", 0)) else []),
        f"leave {_none(of.verdicts.get('undecided', 0))} undecided",
    ]
    corrected = f", corrected for {total} looks" if of.corrected else f", uncorrected for {total} looks"
    corrected = corrected if total > 1 and (of.decided or of.corrected) else ""
    have = f"{total} of the papers' claims {'has' if total == 1 else 'have'} runs"
    said = f"{have}; the seeds {', '.join(parts_[:-1])} and {parts_[-1]}{corrected}"
    return f"{said}: {of.decided[0]}." if of.decided else f"{said}."


def _none(count: int) -> str:
    return str(count) if count else "none"


def _some(count: int, total: int) -> str:
    """`None of 14 searches`, `All 14 searches`."""
    who = {0: "None", 1: "One"}.get(count, f"{count:,}")
    return f"All {total:,} searches" if count == total > 1 else f"{who} of {total:,} searches"


def _verb(lines: Sequence[Line]) -> str:
    return "choose" if len(lines) > 1 else "chooses"


def _seeds(of: Answer) -> str:
    low, high = of.seeds
    return counted(high, "seed") if low == high else f"{low} to {high} seeds"


def chapters(of: Answer) -> dict[str, str]:
    """What each chapter of a report finds here, in a sentence; nothing for one without a rule."""
    return {name: text for name, rule in _CHAPTERS.items() if (text := rule(of))}


def _top(of: Answer) -> str:
    known = [line for line in of.lines if line.top.mean is not None and line.shares]
    if not known:
        return ""
    best = max(known, key=lambda line: line.top.mean or 0)
    sizes = "" if of.yard.parameters_top is None else f"; parameter count has {number(of.yard.parameters_top)}"
    return f"Inside the true top tenth no search passes tau {number(best.top.mean or 0)} ({best.search.name}){sizes}."


def _beside(of: Answer) -> str:
    known = [line for line in of.lines if line.rank.mean is not None]
    yard = of.yard.largest
    if not known or yard is None:
        return ""
    before = [line for line in known if (line.rank.mean or 0) < yard]
    who = _some(len(before), len(known)).lower()
    return f"The largest architecture is {ordinal(yard)}; {who} {'stands' if len(before) < 2 else 'stand'} before it."


def _oracle(of: Answer) -> str:
    gains = [line.oracle.mean for line in of.lines if line.oracle.mean is not None]
    if not gains:
        return ""
    if max(gains) < 0.05:
        return "Looking up the best finalist would add nothing."
    return f"Looking up the best finalist would add {min(gains):.1f} to {max(gains):.1f} points; no search may do that."


def _verdicts(of: Answer) -> str:
    counts = of.claims.verdicts
    words = [f"{counts[name]} {name}" for name in ("for", "against", "equal", "undecided") if counts.get(name)]
    return f"{counted(sum(counts.values()), 'claim')}: {', '.join(words)}." if words else ""


def _cost(of: Answer) -> str:
    known = sorted((line for line in of.lines if line.images > 0), key=lambda line: line.images)
    if len(known) < 2:
        return ""
    low, high = known[0], known[-1]
    return f"From {millions(low.images)} images ({low.search.name}) to {millions(high.images)} ({high.search.name})."


def millions(images: float) -> str:
    """`0.16 M`, `4.2 M`; small numbers as they are."""
    return f"{images:,.0f}" if images < 10_000 else f"{images / 1e6:.2g} M"


_CHAPTERS = {"ranking": _top, "choice": _beside, "oracle": _oracle, "claims": _verdicts, "cost": _cost}
