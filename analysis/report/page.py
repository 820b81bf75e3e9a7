"""The pages put together: what the templates get; `report.html` and `report-runs.html`, equal bytes
for equal results."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from analysis import answer, caption, decided, definitions, stats, style
from analysis.chapters import CHAPTERS
from analysis.load import Loaded, Setting, settings, targets_of
from analysis.output import Drawn, write_text
from analysis.report import checklist, first, items, markup, runs
from bench.store.record import Results

NAME, RUNS = "report.html", "report-runs.html"


@dataclass(frozen=True)
class Told:
    """A setting as the first section tells it."""

    id: str  # its slug
    words: str
    scale: str
    targets: tuple[tuple[str, str, str, str], ...]  # target, checksum, coverage, ceiling
    methods: int
    runs: int
    seeds: str


@dataclass(frozen=True)
class Chapter:
    """A chapter with the tables and figures that named it."""

    id: str
    title: str
    about: str
    groups: tuple[items.Group, ...]


def write(
    results: Results, loaded: Loaded, drawn: Sequence[tuple[str, Any, Drawn]], missing: Sequence[str] = ()
) -> Path:
    """Write `report.html` and the pages of its runs into the results' folder, from the frame and from what each module
    drew (name, module, result). `missing`: a line for each thing that could not be drawn. Raises BadRecord."""
    pages = runs.pages(results)
    write_text(results.root / RUNS, render_runs(results, pages))
    return write_text(results.root / NAME, render(results, loaded, drawn, missing, pages))


def render(
    results: Results,
    loaded: Loaded,
    drawn: Sequence[tuple[str, Any, Drawn]],
    missing: Sequence[str],
    pages: Sequence[runs.Page] | None = None,
) -> str:
    """The text of the report."""
    frame = loaded.frame
    pages = runs.pages(results) if pages is None else pages
    groups, others = items.groups(drawn, frame, {page.label for page in pages}, results.root)
    records = list(results.records())
    facts = checklist.Facts(frame, records, list(results.failures()), list(items.tables(groups)), results.root)
    answers = checklist.answers(facts)
    targets = sorted(set(frame["target"]))
    told = [_told(setting, rows) for setting, rows in settings(frame, by_target=False)]
    script, digest = _script("chart.js", "report.js")
    chapters = (
        Chapter(name, title, about, _pictures_first([group for group in groups if group.chapter == name]))
        for name, (title, about) in CHAPTERS.items()
    )
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            style=Markup(_source("report.css")),
            script=script,
            script_digest=digest,
            question=answer.QUESTION,
            views=first.views(answer.answers(frame, results.root), first.scales(frame)),
            studies=decided.studies(results.root),
            sentences=decided.sentences,
            settings=told,
            targets=targets,
            target_in=lambda title: target_in(title, targets),
            chapters=[chapter for chapter in chapters if chapter.groups],
            others=[path.relative_to(results.root).as_posix() for path in others],
            pages=pages,
            runs_page=RUNS,
            setting_of={page.key: setting_ids(page, told, frame) for page in pages},
            tests=_tests(frame),
            missing=[_gap(line) for line in dict.fromkeys(missing)],
            unfinished=[page for page in pages if not page.finished],
            answers=answers,
            counts=checklist.counts(answers),
            methods=_methods(pages),
            looks=_looks(pages),
            command=caption.command(results.root),
            glossary=definitions.GLOSSARY.items(),
        )
    )


def render_runs(results: Results, pages: Sequence[runs.Page]) -> str:
    """The text of the pages of all runs."""
    script, digest = _script("runs.js")
    return (
        _environment()
        .get_template("runs.html.j2")
        .render(
            style=Markup(_source("report.css")),
            script=script,
            script_digest=digest,
            pages=pages,
            report=NAME,
            command=caption.command(results.root),
        )
    )


def target_in(title: str, targets: Sequence[str]) -> str:
    """The target that a table's title names, or nothing."""
    return next((word for word in re.findall(r"[\w.-]+", title) if word in targets), "")


def setting_ids(page: runs.Page, told: Sequence[Told], frame: pd.DataFrame) -> str:
    """The slugs of a run's settings, one per truth that scored it, or that scored others like it."""
    own = frame[frame["key"] == page.key]
    here = (frame["space"] == page.space) & (frame["dataset"] == page.dataset) & (frame["scale"] == page.scale)
    slugs = {one.slug for one, _ in settings(own if len(own) else frame[here], by_target=False)}
    return " ".join(sorted(slugs & {one.id for one in told}))


def _told(setting: Setting, rows: pd.DataFrame) -> Told:
    targets = []
    for one, part in targets_of(setting, rows):
        first = part.iloc[0]
        ceiling = "unknown" if pd.isna(first["ceiling"]) else f"{first['ceiling']:.3f}"
        coverage = f"{100 * first['truth_coverage']:.1f} %"
        targets.append((one.target, str(first["truth_checksum"]), coverage, ceiling))
    done = stats.done(rows).groupby("label")["seed"].nunique()
    counts = done.reindex(sorted(set(rows["label"])), fill_value=0)
    return Told(
        id=setting.slug,
        words=items.said(setting),
        scale=caption.scale_numbers(rows["scale_numbers"].iloc[0]),
        targets=tuple(targets),
        methods=len(counts),
        runs=int(rows["key"].nunique()),
        seeds=str(counts.min()) if counts.min() == counts.max() else f"{counts.min()} to {counts.max()}",
    )


def _pictures_first(groups: Sequence[items.Group]) -> tuple[items.Group, ...]:
    return tuple(sorted(groups, key=lambda group: group.kind != "figure"))


def _tests(frame: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """Test accuracy and tau of each run on the target that is first in its setting, as text."""
    found: dict[str, tuple[str, str]] = {}
    for setting, rows in settings(frame, by_target=False):
        _, part = targets_of(setting, rows)[0]
        for row in part.itertuples():
            test, tau = (float(str(getattr(row, name))) for name in ("test", "tau"))
            texts = (runs.DASH if pd.isna(test) else f"{test:.2f}", runs.DASH if pd.isna(tau) else f"{tau:.3f}")
            found.setdefault(str(row.key), texts)
    return found


def _gap(line: str) -> tuple[str, str]:
    """What is missing, and why: the parts of a line around its first colon."""
    what, colon, why = line.partition(": ")
    return (what, why) if colon and "`" not in what else ("runs", line)


def _methods(pages: Sequence[runs.Page]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Families with their methods (label, printed name), in the order of tables."""
    families: dict[str, dict[str, str]] = {}
    for page in sorted(pages, key=lambda page: style.order(page.label)):
        families.setdefault(page.family, {})[page.label] = page.name
    return [(family, list(found.items())) for family, found in families.items()]


def _looks(pages: Sequence[runs.Page]) -> dict[str, Any]:
    """Name, colour, marker and dashes of every label, and the protocol that it is of: what charts draw by."""
    looks = {}
    for page in pages:
        look = style.look(page.label)
        dash = "" if isinstance(look.dash, str) else " ".join(f"{length:g}" for length in look.dash[1])
        colour = "" if look.colour == style.BLACK else look.colour  # black follows the page's ink
        looks[page.label] = [look.name, colour, look.marker, dash, page.protocol, int(look.open)]
    return dict(sorted(looks.items(), key=lambda item: style.order(item[0])))


def _script(*names: str) -> tuple[Markup, str]:
    """The scripts as one, and its digest for the policy of the page."""
    text = "\n".join(_source(name) for name in names)
    return Markup(text), base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _source(name: str) -> str:
    return (Path(__file__).parent / "templates" / name).read_text(encoding="utf-8")


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("analysis.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(cell=markup.cell_html, line=markup.line_html, json=_json, tied=tied)
    made.globals.update(table_rows=markup.rows_html)
    made.tests.update(table=lambda part: isinstance(part, markup.Table))
    return made


def tied(text: str) -> Markup:
    """Text in which an interval, and a number with what counts it, stay in one line."""
    parts = re.split(r"(\[[^\]]*\]|\(n = \d+\))", text)
    return Markup("").join(
        Markup('<span class="tied">{}</span>').format(part) if at % 2 else Markup("{}").format(part)
        for at, part in enumerate(parts)
    )


def _json(value: Any) -> Markup:
    """JSON that may stand inside a `script` element: nothing in it ends one."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    return Markup(text.replace("<", "\\u003c").replace("&", "\\u0026"))
