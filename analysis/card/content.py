"""What a card says of a method: what it is, what it reaches beside baselines at about its images, what was tested with
which power, what the field's check-lists find, and the commands that make it all again."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from analysis import answer, caption, stats
from analysis.answer import Line, Yardsticks
from analysis.load import BOTH, Setting, base_of, settings, targets_of
from analysis.papers import GREYS, Search
from analysis.plots import number
from analysis.report import checklist, markup, runs
from analysis.report.checklist import Answer, Facts
from analysis.style import FAIR, parts, printed
from analysis.tables import claims, contrasts
from analysis.tables.grid import UNKNOWN
from analysis.tables.judging import CLAIMS, Claim, Judged, judged, without_draws
from analysis.tables.measures import BEATEN, TAU_CE, TEST, Measure
from bench.errors import BadRecord, UnknownName
from bench.runs.study import BASELINES, FREE, ONE_SHOT, RIVALS
from bench.store import names
from bench.store.bases import BASES, ELSEWHERE
from bench.store.labels import parsed
from bench.store.labels import printed as label_of
from bench.store.record import Record, Results
from bench.store.spec import scale_typed

NEAR = 1.25
"""Baselines whose images differ from a search's by at most this factor stand beside it."""
FIELDS = ("space", "dataset", "scale", "truth", "target")
"""By what a setting is chosen, in the words of the command line."""
_NOUNS = {"dataset": "image set of these results", "target": "target of these results"}


@dataclass(frozen=True)
class About:
    """What a method says of itself: its name, its file, and the docstring there."""

    label: str
    file: str
    words: str

    @property
    def paper(self) -> str:
        """The first paragraph: what it is called, and where it was published."""
        return _paragraphs(self.words)[0]

    @property
    def idea(self) -> str:
        """The second paragraph; nothing where there is none, or where it begins a list."""
        second = [*_paragraphs(self.words), ""][1]
        return "" if second.endswith(":") else second

    @property
    def deviates(self) -> bool:
        """Whether the file says where it deviates from its paper."""
        return any("eviations" in text.split(":")[0] for text in _paragraphs(self.words))


@dataclass(frozen=True)
class Row:
    """A method in the table: its means, and how many of its choices are worse than the mean architecture."""

    name: str
    line: Line
    own: bool  # of the card's method
    collapsed: str

    @property
    def inks(self) -> tuple[str, str]:
        """On paper and on a dark screen: those of its paper, grey for what trains nothing."""
        return (self.line.search.ink, self.line.search.dark) if self.line.images > 0 else GREYS


@dataclass(frozen=True)
class Group:
    """Rows under one heading."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Tested:
    """A comparison with its verdict, as text; images: those of the first in those of the second."""

    words: str
    measure: str
    n: str
    images: str
    difference: str
    p: str
    shown: str
    verdict: str


@dataclass(frozen=True)
class Card:
    """All that the page shows."""

    about: About
    search: Search
    setting: Setting
    scale: str
    settings: tuple[tuple[str, str], ...]  # of each part, or of the whole where the name is empty
    sentences: tuple[tuple[str, str], ...]
    groups: tuple[Group, ...]
    yard: Yardsticks
    claims: tuple[Tested, ...]  # of the papers, corrected with all claims of their table
    corrected: int  # how many these are
    beside: tuple[Tested, ...]  # with the baselines, corrected together
    random: tuple[Tested, ...]  # with an architecture drawn at random, corrected with all methods of the setting
    methods: int  # how many these are
    answers: tuple[Answer, ...]
    place: tuple[tuple[str, str], ...]
    commands: tuple[str, ...]

    @property
    def stem(self) -> str:
        """Of its files."""
        return f"{names.slug(self.about.label)[:90]}-{self.setting.slug}"

    @property
    def lines(self) -> list[Line]:
        """Of the card's method, one for each protocol."""
        return [row.line for group in self.groups for row in group.rows if row.own]


def make(about: About, frame: pd.DataFrame, results: Results, wanted: Mapping[str, str | None]) -> Card:
    """The card of a method in the setting that `wanted` (`FIELDS`, None for any) leaves; of several that in which the
    method has most runs. Raises UnknownName, BadRecord."""
    setting, rows = chosen(about.label, frame, results, wanted)
    one, part = targets_of(setting, rows)[0]
    if wanted.get("target"):
        one, part = next(pair for pair in targets_of(setting, rows) if pair[0].target == wanted["target"])
    own = [label for label in sorted(set(part["label"])) if base_of(label) == about.label]
    own.sort(key=lambda label: FAIR in parts(label)[1])
    yard = answer.yardsticks(part)
    groups = tuple(_groups(own, one, part))
    costed = claims.costed(part, results)
    every = judged(CLAIMS, costed, results)
    of_papers = [claim for claim in every if claim.verdict != "not run" and about.label in _sides(claim)]
    random = judged(claims.beats_random(costed), costed, results)
    beside = judged(list(_comparisons(groups, one, of_papers)), costed, results)
    records = [record for record in results.records() if _is_of(record, one)]
    failures = [record for record in results.failures() if _is_of(record, one)]
    facts = Facts(rows, records, failures, _tables(results.root, setting), results.root)
    lines = [row.line for group in groups for row in group.rows if row.own]
    return Card(
        about=about,
        search=lines[0].search,
        setting=one,
        scale=caption.scale_numbers(part["scale_numbers"].iloc[0]),
        settings=tuple(_settings(part[part["label"] == own[0]]["method_id"].iloc[0])),
        sentences=tuple(sentences(groups, yard)),
        groups=groups,
        yard=yard,
        claims=tuple(map(_tested, of_papers)),
        corrected=max((claim.claims for claim in every), default=0),
        beside=tuple(_tested(one) for one in beside if one.found.difference.n),
        random=tuple(_tested(one) for one in random if _is_own(one, own) and one.found.difference.n),
        methods=max((one.claims for one in random), default=0),
        answers=tuple(checklist.answers(facts)),
        place=tuple(_place([record for record in (*records, *failures) if record.label in own], one, part)),
        commands=tuple(_commands(about, groups, one, part, results)),
    )


def chosen(
    label: str, frame: pd.DataFrame, results: Results, wanted: Mapping[str, str | None]
) -> tuple[Setting, pd.DataFrame]:
    """The setting, all its targets together, with its rows. Raises UnknownName for a value that no score has, BadRecord
    where the method has no run there."""
    asked = {name: value for name, value in wanted.items() if value is not None}
    for name, value in asked.items():
        known = sorted(set(frame[name]))
        if value not in known:
            raise UnknownName(_NOUNS.get(name, f"{name} of these results"), value, known)
    own = frame[frame["label"].map(base_of) == label]
    if own.empty:
        words = f"run --methods {shlex.quote(label)}"
        raise BadRecord(f"{results.root} holds no scored run of {label}; make some with {results.command(words)}")
    here = own
    for name, value in asked.items():
        here = here[here[name] == value]
    if here.empty:
        where = "; ".join(f"{one.space}, {one.dataset}, {one.scale}, {one.truth}" for one, _ in settings(own, False))
        said = ", ".join(f"{name} {value}" for name, value in asked.items())
        raise BadRecord(f"{label} has no scored run with {said}; it has some in: {where}")
    parted = list(settings(here, by_target=False))
    setting, _ = max(parted, key=lambda pair: stats.done(pair[1])["key"].nunique())
    return next((one, rows) for one, rows in settings(frame, by_target=False) if one == setting)


def _groups(own: Sequence[str], setting: Setting, rows: pd.DataFrame) -> Iterator[Group]:
    """The method's searches, each with the baselines of about its images; the other baselines; what trains nothing."""
    known = [label for label in _baselines(own[0], setting.space, set(rows["label"])) if label not in own]
    lines = {label: answer.measured(label, rows[rows["label"] == label]) for label in (*own, *known)}

    def row(label: str) -> Row:
        of = stats.done(rows[rows["label"] == label]).dropna(subset=["test", "random_mean"])
        lost = f"{contrasts.collapsed(of)} of {len(of)}" if len(of) else UNKNOWN
        told = ", paper" if label in own and len(own) > 1 and FAIR not in parts(label)[1] else ""
        return Row(f"{printed(label)}{told}", lines[label], label in own, lost)

    taken: set[str] = set()
    for label in own:
        near = [other for other in known if _is_near(lines[other], lines[label])]
        protocol = rows.loc[rows["label"] == label, "protocol"].iloc[0]
        spent = f"{answer.millions(lines[label].images)} images" if lines[label].images > 0 else "no image"
        with_ = "" if protocol == BOTH else f"{answer.PROTOCOLS[str(protocol)]}: "
        title = f"{with_}{spent}" + ("" if near else "; no baseline of about as many has runs here")
        yield Group(title[:1].upper() + title[1:], (row(label), *map(row, near)))
        taken |= {*near}
    trained = [label for label in known if lines[label].images > 0 and label not in taken]
    if trained:
        yield Group("Baselines at other images", tuple(map(row, trained)))
    free = [label for label in known if not lines[label].images > 0]
    if free:
        yield Group("Without an image", tuple(map(row, free)))


def _baselines(label: str, space: str, present: Iterable[str]) -> list[str]:
    """Those that have runs here: the method's base on one supernet, one-shot searches, rivals, and what trains
    nothing."""
    name = parts(label)[0]
    base = {**BASES, **ELSEWHERE.get(space, {})}.get(name, "")
    longer = (one for one in RIVALS if one not in FREE)
    found = (base, *ONE_SHOT, *longer, *BASELINES, *FREE)
    return [one for one in dict.fromkeys(found) if one in set(present)]


def _is_near(one: Line, other: Line) -> bool:
    ratio = _ratio(one, other)
    return ratio is not None and 1 / NEAR <= ratio <= NEAR


def _ratio(one: Line, other: Line) -> float | None:
    return one.images / other.images if one.images > 0 and other.images > 0 else None


def _comparisons(groups: Sequence[Group], setting: Setting, of_papers: Sequence[Judged]) -> Iterator[Claim]:
    """The method against every baseline of about its images, and against its base whatever the images, by ranking and
    by choice; without what the papers' claims compare already."""
    there = {(one.claim.first, one.claim.second, one.claim.measure) for one in of_papers}
    every = {row.line.label: row for group in groups for row in group.rows}
    for group in groups:
        for row in (row for row in group.rows if row.own):
            base = {**BASES, **ELSEWHERE.get(setting.space, {})}.get(parts(row.line.label)[0], "")
            others = [other.line.label for other in group.rows if not other.own]
            others += [base] if base in every and base not in others else []
            for other in others:
                for measure in (TAU_CE, TEST):
                    if (row.line.label, other, measure) not in there:
                        yield Claim("", f"{row.name} against {every[other].name}", row.line.label, other, measure)


def _sides(one: Judged) -> set[str]:
    """The methods of a claim, by the labels of their runs."""
    return {base_of(without_draws(str(label))) for rows in (one.first, one.second) for label in rows["label"].unique()}


def _is_own(one: Judged, own: Sequence[str]) -> bool:
    return one.claim.first in {without_draws(label) for label in own}


def _tested(one: Judged) -> Tested:
    found, measure = one.found, one.claim.measure
    mean, low, high = found.difference.mean, found.difference.low, found.difference.high
    told = UNKNOWN
    if mean is not None:
        told = f"{'+' if mean > 0 else ''}{number(mean, measure.digits)}"
        told += "" if low is None or high is None else f" {answer.bracket(low, high, measure.digits)}"
    ratio = one.ratio("images") if one.claim.second else None
    return Tested(
        words=_words(one.claim),
        measure=_head(measure),
        n=str(found.difference.n),
        images=UNKNOWN if ratio is None else f"{ratio:.2f}",
        difference=told,
        p=UNKNOWN if one.corrected is None else number(one.corrected, 3),
        shown=UNKNOWN if one.shown is None else number(one.shown, measure.digits),
        verdict=one.verdict,
    )


def _words(claim: Claim) -> str:
    if not claim.second and claim.measure is BEATEN:
        return f"{printed(claim.first)} {claim.words}"
    return f"{claim.paper}: {claim.words}" if claim.paper else claim.words


def _head(measure: Measure) -> str:
    return {TEST.source: "test (points)", BEATEN.source: "share beaten"}.get(measure.source, measure.head)


def sentences(groups: Sequence[Group], yard: Yardsticks) -> Iterator[tuple[str, str]]:
    """Head and sentence: how it ranks beside counting, what it chooses, what it costs; nothing is said of what is not
    known."""
    rows = [row for group in groups for row in group.rows if row.own]
    ranked = [row.line for row in rows if row.line.tau.mean is not None]
    if ranked:
        yield "Ranking", "; ".join(_ranks(line, yard, with_yard=at == 0) for at, line in enumerate(ranked)) + "."
    chosen_ = [row for row in rows if row.line.rank.mean is not None]
    if chosen_:
        yield "Choice", "; ".join(map(_chooses, chosen_)) + _beside_size(yard) + "."
    spent = [row.line for row in rows if row.line.images > 0]
    if spent:
        yield "Cost", "; ".join(_costs(line) for line in spent) + "."


def _whose(line: Line) -> str:
    _, changes = parts(line.label)
    return "at equal images " if FAIR in changes else ""


def _ranks(line: Line, yard: Yardsticks, with_yard: bool) -> str:
    entropy = "" if line.cross_entropy.mean is None else f", by cross-entropy {answer.told(line.cross_entropy)}"
    text = f"{_whose(line)}tau is {answer.told(line.tau)} by accuracy{entropy} (n = {line.tau.n})"
    text = text if _whose(line) else text[:1].upper() + text[1:]
    if yard.parameters is None:
        return text
    low, high = line.tau.low, line.tau.high
    beside = f"counting parameters ({number(yard.parameters, 3)})" if with_yard else "it"
    if low is None or high is None:
        return f"{text}, of too few seeds to set beside {beside}"
    if low > yard.parameters:
        return f"{text}, clearly above {beside}"
    return f"{text}, {'clearly below' if high < yard.parameters else 'not clearly apart from'} {beside}"


def _chooses(row: Row) -> str:
    line, whose = row.line, _whose(row.line)
    text = f"{whose}the choice has mean rank {answer.told(line.rank, 0)} (n = {line.rank.n})"
    text = text if whose else text[:1].upper() + text[1:]
    return text if row.collapsed == UNKNOWN else f"{text}, {row.collapsed} worse than the mean architecture"


def _beside_size(yard: Yardsticks) -> str:
    if yard.largest is None or yard.ranked is None:
        return ""
    return f"; the largest architecture, without a search, is {answer.ordinal(yard.largest)} of {yard.ranked:,}"


def _costs(line: Line) -> str:
    whose = _whose(line)
    text = f"{whose}a search passes {answer.millions(line.images)} images through supernets"
    text = text if whose else text[:1].upper() + text[1:]
    return text if line.seconds != line.seconds else f"{text}, in {line.seconds:,.0f} seconds of its device"


def _settings(method: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every number of the method as the record holds it, by the part that it belongs to: `base.training`, and `epochs
    250, batch 48`."""
    found: dict[str, list[str]] = {}
    for name, value in runs.flat(method):
        part, _, field = name.rpartition(".")
        if field not in ("name", "version"):
            found.setdefault(part, []).append(f"{field} {value}")
        elif field == "name" and part:  # which class stands there
            found.setdefault(part, []).append(value)
    for part, values in sorted(found.items(), key=lambda pair: pair[0] != ""):
        yield part, ", ".join(values)


def _place(records: Sequence[Record], setting: Setting, rows: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Seeds, runs and where they were made, truth."""
    seeds = sorted({record.identity["seed"] for record in records})
    yield "seeds", _spans(seeds)
    status = Counter(record.status for record in records)
    yield "runs", ", ".join(f"{count} {name}" for name, count in sorted(status.items(), key=lambda pair: -pair[1]))
    yield "version of the method", ", ".join(sorted({str(r.identity["method"]["version"]) for r in records}))
    for name, field in (("device", "device_name"), ("torch", "torch")):
        yield name, ", ".join(sorted({str(r.place.get(field) or r.place.get(name) or "unknown") for r in records}))
    commits = sorted({str(r.place.get("commit") or "")[:8] for r in records} - {""})
    yield "commit", ", ".join(commits) or "unknown"
    first = rows.iloc[0]
    share = f"{100 * first['truth_coverage']:.1f} %"
    yield "truth", f"{setting.truth}, {share} of {setting.about}, checksum {str(first['truth_checksum'])[:12]}"


def _spans(seeds: Sequence[int]) -> str:
    """`0 to 4, 7`."""
    spans: list[list[int]] = []
    for seed in seeds:
        if spans and seed == spans[-1][1] + 1:
            spans[-1][1] = seed
        else:
            spans.append([seed, seed])
    return ", ".join(str(low) if low == high else f"{low} to {high}" for low, high in spans)


def _commands(
    about: About, groups: Sequence[Group], setting: Setting, rows: pd.DataFrame, results: Results
) -> Iterator[str]:
    """What makes every run of the table, scores them, and makes this card."""
    option = caption.option(results.root)
    by_seeds: dict[tuple[int, ...], list[str]] = {}
    for label in dict.fromkeys(row.line.label for group in groups for row in group.rows):
        seeds = tuple(sorted(set(map(int, rows.loc[rows["label"] == label, "seed"]))))
        by_seeds.setdefault(seeds, []).append(label)
    where = f"--space {setting.space} --dataset {setting.dataset} {scale_typed(setting.scale)}".rstrip()
    for seeds, labels in by_seeds.items():
        methods = " ".join(map(shlex.quote, labels))
        yield f"python -m bench run --methods {methods} --seeds {' '.join(map(str, seeds))} {where}{option}"
    own = setting.truth.startswith(f"{setting.dataset}-")  # a table that comes with the program is named so
    truth = "" if own else " --truth FILE"
    yield f"python -m bench score --dataset {setting.dataset}{truth}{option}"
    chosen_ = " ".join(f"--{name} {shlex.quote(getattr(setting, name))}" for name in FIELDS)
    yield f"python -m bench card {shlex.quote(about.label)} {chosen_}{option}"


def _tables(root: Path, setting: Setting) -> list[markup.Table]:
    """The tables of a setting that lie drawn in the folder."""
    found: list[markup.Table] = []
    for path in sorted((root / "tables").glob(f"*-{setting.slug}.md")):
        read = markup.read(caption.unfolded(path.read_text(encoding="utf-8"))[0], lambda _: "")
        found += (part for part in read if isinstance(part, markup.Table))
    return found


def _is_of(record: Record, setting: Setting) -> bool:
    identity = record.identity
    return (identity["space"], identity["dataset"], identity["scale"]["name"]) == (
        setting.space,
        setting.dataset,
        setting.scale,
    )


def normal(label: str) -> str:
    """A label as records have it, without its protocol: the settings in the order of the alphabet. Raises BadSpec."""
    return base_of(label_of(*parsed(label)))


def _paragraphs(text: str) -> list[str]:
    return [" ".join(part.split()) for part in text.strip().split("\n\n")]
