"""The parts of a Markdown page that are made from scores, between `<!-- generated: NAME -->` and `<!-- end -->`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from analysis import answer, caption, decided, definitions, stats
from analysis.load import BOTH, Setting, settings
from analysis.output import write_text
from analysis.plots import number
from analysis.style import order, printed
from analysis.tables.grid import Grid, markdown
from bench.errors import BadRecord, UnknownName, counted

RESULTS = Path("results")
ALL = "all 15,625"
FIRST = Setting("nb201", "cifar10-jpeg", "mini", "nb201-extract", "cifar10", ALL)
WIDE = replace(FIRST, scale="wide")
EMBEDDED = Setting("nb201", "patches", "quick", "patches-v1", "patches", ALL)
"""The settings of NAS-Bench-201 that README.md and docs/first-results.md tell of."""
SIZES = ("parameters", "multiply-adds")
NO_SEARCH = ("random", "largest", *SIZES)
NAMES = {
    "random-best-of-10": "the best of ten random architectures, each trained alone",
    "darts": "DARTS, first order",
    "darts-2nd": "DARTS, second order",
    "fewshot(protocol=fair)": "Few-Shot NAS on DARTS, second order",
    "fewshot-snas(protocol=fair)": "Few-Shot NAS on SNAS",
    "fewshot-rsps(protocol=fair)": "Few-Shot NAS on RSPS",
    "gm-darts(protocol=fair)": "GM-NAS on DARTS, second order",
    "gm-snas(protocol=fair)": "GM-NAS on SNAS",
    "gm-rsps(protocol=fair)": "GM-NAS on RSPS",
    "hep(protocol=fair)": "HEP-NAS on DARTS",
}
"""Names for readers who have not met the methods yet; all others as in the tables."""
HEADS = (
    "method",
    "test accuracy of the choice (%)",
    "rank among {among}",
    "tau-b of estimates",
    "images forward + backward",
)
_UNKNOWN = "\N{EN DASH}"
_BLOCK = re.compile(r"(<!-- generated: (?P<name>[\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def update(path: Path, frame: pd.DataFrame, root: Path = RESULTS) -> Path:
    """Write the file with all its generated parts made anew, from the scores and the tables of a results folder. Raises
    BadRecord where it cannot be read, or a part needs scores that are not there; UnknownName for a part that nobody
    makes."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadRecord(f"cannot read {path}: {error.strerror}; name another file with --readme") from None
    return write_text(
        path, _BLOCK.sub(lambda found: f"{found[1]}{_made(found['name'], frame, root)}\n{found[3]}", text)
    )


def _made(name: str, frame: pd.DataFrame, root: Path) -> str:
    if name not in PARTS:
        raise UnknownName("generated part", name, PARTS)
    return PARTS[name](frame, root)


def rows_of(setting: Setting, frame: pd.DataFrame) -> pd.DataFrame:
    """The finished runs of a setting. Raises BadRecord where there is none."""
    rows = next((rows for one, rows in settings(frame, by_target=True) if one == setting), frame.iloc[:0])
    done = stats.done(rows)
    if done.empty:
        raise BadRecord(f"no scores of {setting.slug} for the generated text; `python -m bench score` that setting")
    return done


def table(rows: pd.DataFrame) -> str:
    """The first table: what costs nothing, then the searches; means over seeds."""
    known, ranked = rows.iloc[0], rows["ranked"].iloc[0]
    middle, among = f"{(ranked + 1) / 2:,.0f}", caption.among(rows)
    lines = [
        (f"one of {among}, on average", number(known["random_mean"]), middle, _UNKNOWN, "0"),
        (f"the median of {among}", number(known["random_median"]), middle, _UNKNOWN, "0"),
    ]
    labels = set(rows["label"])
    if "largest" in labels:
        taus = _tau(rows, "parameters") if "parameters" in labels else _UNKNOWN
        name = "largest architecture; its rank by parameter count"
        lines.append((name, _mean(rows, "largest", "test"), _rank(rows, "largest"), taus, "0"))
    for label in sorted(labels - set(NO_SEARCH), key=lambda label: (label != "random-best-of-10", order(label))):
        images = f"{_value(rows, label, 'images') / 1e6:.2f} M"
        lines.append((_name(label), _mean(rows, label, "test"), _rank(rows, label), _tau(rows, label), images))
    head = [f"| {' | '.join(HEADS).format(among=among)} |", "|---" * len(HEADS) + "|"]
    return "\n".join([*head, *(f"| {' | '.join(line)} |" for line in lines)])


def reading(rows: pd.DataFrame) -> str:
    """What the numbers of a setting say, in short sentences: choices against the median and the largest architecture,
    and how estimates rank against sizes."""
    return " ".join([*_choices(rows), *_rankings(rows)])


def _choices(rows: pd.DataFrame) -> Iterator[str]:
    labels = [label for label in sorted(set(rows["label"]), key=order) if label not in NO_SEARCH]
    ranks = {label: value for label in labels if (value := _value(rows, label, "rank")) == value}
    if not ranks:
        return
    ranked = rows["ranked"].iloc[0]
    above = [label for label in ranks if ranks[label] < (ranked + 1) / 2]
    yield f"On average, {len(above)} of {len(ranks)} searches choose above the median architecture."
    best = min(ranks, key=ranks.__getitem__)
    yield f"The best choice is that of {_name(best)}, at rank {ranks[best]:,.0f} of {ranked:,.0f}."
    if "largest" in set(rows["label"]):
        yield f"The largest architecture has rank {_rank(rows, 'largest')}."


def _rankings(rows: pd.DataFrame) -> Iterator[str]:
    labels = sorted(set(rows["label"]), key=order)
    taus = {label: value for label in labels if (value := _value(rows, label, "tau")) == value}
    searches = [label for label in taus if label not in NO_SEARCH]
    if searches:
        low, high = min(searches, key=taus.__getitem__), max(searches, key=taus.__getitem__)
        yield (
            f"Tau-b of the estimates lies between {number(taus[low])} ({_name(low)}) and {number(taus[high])} "
            f"({_name(high)})."
        )
    sizes = [f"{printed(label).lower()} has {number(taus[label])}" for label in SIZES if label in taus]
    if sizes:
        yield f"{' and '.join(sizes)}.".capitalize()


def first_result(frame: pd.DataFrame, root: Path = RESULTS) -> str:
    """The table of the first setting with its reading."""
    rows = rows_of(FIRST, frame)
    return f"{table(rows)}\n\n{_runs(rows)} {reading(rows)}"


def further_results(frame: pd.DataFrame, root: Path = RESULTS) -> str:
    """The readings of two further settings, as a list."""
    heads = {WIDE: "At the papers' width", EMBEDDED: "On the embedded images"}
    lines = []
    for setting, head in heads.items():
        rows = rows_of(setting, frame)
        lines.append(f"- **{head}** (scale `{setting.scale}`). {_runs(rows)} {reading(rows)}")
    return "\n".join(lines)


def answered(frame: pd.DataFrame, root: Path = RESULTS) -> str:
    """The sentences of the embedded images as a list, and how many runs stand behind them. Raises BadRecord."""
    rows_of(EMBEDDED, frame)  # or none is there
    own = frame[(frame["dataset"] == EMBEDDED.dataset) & (frame["scale"] == EMBEDDED.scale)]
    found = next(one for one in answer.answers(own, root) if one.setting == EMBEDDED)
    lines = [f"{at}. **{head}.** {text}" for at, (head, text) in enumerate(found.sentences, 1)]
    low, high = found.seeds
    seeds = counted(high, "seed") if low == high else f"{low} to {high} seeds"
    protocol = "" if found.protocol == BOTH else f", {answer.PROTOCOLS[found.protocol]}"
    return "\n".join([*lines, "", f"Scale `{EMBEDDED.scale}`{protocol}, {seeds}. It says nothing of other sizes."])


def decision(frame: pd.DataFrame, root: Path = RESULTS) -> str:
    """What the deciding study says, as a list. Raises BadRecord without its tables."""
    told = decided.sentences(_study(root))
    return "\n".join(f"{at}. **{head}.** {text}" for at, (head, text) in enumerate(told, 1))


def means(frame: pd.DataFrame, root: Path = RESULTS) -> str:
    """What to run with how much time, by the deciding study, as a list."""
    study = _study(root)
    return "\n".join(f"- {text}" for text in (decided.cheapest(study), *decided.within(study)))


def _study(root: Path, name: str = "decisive") -> decided.Study:
    return decided.Study(root / "studies" / name)


def _of(grid: Callable[[decided.Study], Grid], name: str = "decisive") -> Callable[[pd.DataFrame, Path], str]:
    """A table of a study as a part of a page."""
    return lambda frame, root: markdown(grid(_study(root, name))).rstrip()


PARTS: Mapping[str, Callable[[pd.DataFrame, Path], str]] = {
    "answer": answered,
    "first-result": first_result,
    "further-results": further_results,
    "decision": decision,
    "decision-in-short": lambda frame, root: decided.in_short(_study(root)),
    "decision-arms": _of(decided.arms),
    "decision-claims": _of(decided.comparisons),
    "decision-pairing": _of(decided.pairing),
    "decision-means": means,
    "pilot": lambda frame, root: decided.recipes(_study(root, "pilot")),
    "pilot-arms": _of(decided.arms, "pilot"),
    "definitions-of-tables": lambda frame, root: definitions.tables(),
    "definitions-of-figures": lambda frame, root: definitions.figures(),
}


def _runs(rows: pd.DataFrame) -> str:
    seeds = rows.groupby("label")["seed"].nunique()
    least, most = int(seeds.min()), int(seeds.max())
    return f"Means of {counted(least, 'seed') if least == most else f'{least} to {most} seeds'}."


def _name(label: str) -> str:
    return NAMES.get(label, printed(label))


def _value(rows: pd.DataFrame, label: str, quantity: str) -> float:
    """The mean over a method's runs, NaN where none is known."""
    own = rows[rows["label"] == label]
    values = own["forward_images"] + own["backward_images"] if quantity == "images" else own[quantity]
    return float(values.mean())


def _mean(rows: pd.DataFrame, label: str, quantity: str) -> str:
    value = _value(rows, label, quantity)
    return _UNKNOWN if value != value else number(value)


def _tau(rows: pd.DataFrame, label: str) -> str:
    return _mean(rows, label, "tau")


def _rank(rows: pd.DataFrame, label: str) -> str:
    value = _value(rows, label, "rank")
    return _UNKNOWN if value != value else f"{value:,.0f}"
