"""The tables and figures that were written, as parts of the page: found by their files, whatever drew them."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from analysis import caption, definitions
from analysis.chapters import chapter_of
from analysis.chart import Chart
from analysis.links import without_links
from analysis.load import Setting, settings
from analysis.output import Drawn
from analysis.report import markup, plots
from analysis.style import printed
from bench.errors import BadRecord

WIDEST, LARGEST = 900, 2_000_000  # pixels across, and in all, of a picture inside the page
QUALITY = 50  # of its compression, of 100
MARKS = "†‡§* "  # behind a method's name in a table
ORDER = (".csv", ".md", ".tex", ".pdf", ".png")


@dataclass(frozen=True)
class Picture:
    """A figure as an image inside the page."""

    data: str  # a data: address
    width: int
    height: int
    words: str  # what it shows, for those who do not see it


@dataclass(frozen=True)
class Item:
    """A table or a figure: what shares a folder and a name but for the ending."""

    id: str
    kind: str  # table or figure
    title: str
    setting: Setting | None  # None: it is about no single one; without a truth: it is about the search alone
    settings: tuple[str, ...]  # the slugs, without targets, that the page's filter goes by
    parts: tuple[markup.Table | markup.Text, ...]
    notes: tuple[markup.Table | markup.Text, ...]  # behind the caption
    links: tuple[tuple[str, str], ...]  # ending and relative address
    picture: Picture | None = None
    plot: plots.Plot | None = None


@dataclass(frozen=True)
class Group:
    """All items of one module of `tables` or `figures`, with the first paragraph of what the module says of itself."""

    id: str
    kind: str
    title: str
    lead: str
    definitions: str  # of its quantities, where the captions do not define them
    chapter: str
    items: tuple[Item, ...]


def groups(
    drawn: Sequence[tuple[str, Any, Drawn]], frame: pd.DataFrame, labels: Iterable[str], root: Path
) -> tuple[list[Group], list[Path]]:
    """What each module drew (name, module, result), and the paths that are no part of an item, having no Markdown.

    `labels` are those of all runs, scored or not. Links are relative to `root`. Raises BadRecord for a file that cannot
    be read.
    """
    known = known_settings(frame)
    names = {printed(label): label for label in sorted(labels)}
    found: list[Group] = []
    others: list[Path] = []
    for name, module, result in drawn:
        items = []
        for stem, paths in _by_stem(result.paths).items():
            if ".md" not in paths:
                others += paths.values()
                continue
            items.append(_item(stem, paths, known, names, getattr(module, "CHART", None), root))
        if items:
            kind = items[0].kind
            lead = " ".join((module.__doc__ or "").strip().split("\n\n")[0].split())
            words, chapter = definitions.of(module), chapter_of(module)
            found.append(Group(f"{kind}s-{name}", kind, _words(name, kind), lead, words, chapter, tuple(items)))
    return found, others


def known_settings(frame: pd.DataFrame) -> dict[str, Setting]:
    """Every setting that a file name can carry, by its slug: with a target, without one, and of the search alone."""
    found = [one for by_target in (True, False) for one, _ in settings(frame, by_target)]
    return {one.slug: one for one in (*found, *(one.search for one in found))}


def _by_stem(paths: Sequence[Path]) -> dict[Path, dict[str, Path]]:
    """Paths by what they share but for the ending, in the order of the first."""
    found: dict[Path, dict[str, Path]] = {}
    for path in paths:
        found.setdefault(path.parent / path.name.removesuffix(path.suffix), {})[path.suffix] = path
    return found


def _item(
    stem: Path,
    paths: Mapping[str, Path],
    known: Mapping[str, Setting],
    names: Mapping[str, str],
    chart: Chart | None,
    root: Path,
) -> Item:
    kind = stem.parent.name.removesuffix("s")
    whole = caption.unfolded(without_links(paths[".md"].read_text(encoding="utf-8")))
    words, notes = (markup.read(part, lambda text: names.get(text.rstrip(MARKS), "")) for part in whole)
    setting = setting_in(stem.name, known)
    title = _where(stem.name, setting)
    links = tuple(
        (suffix[1:], paths[suffix].relative_to(root).as_posix())
        for suffix in sorted(paths, key=lambda suffix: (ORDER.index(suffix) if suffix in ORDER else 9, suffix))
    )
    plot = plots.read(paths[".csv"], chart) if chart is not None and ".csv" in paths else None
    alone = ".png" in paths and plot is None  # a chart has the numbers of its picture, which is a link away
    picture = _picture(paths[".png"], f"{_words(stem.name.split('-')[0], kind)}, {title}") if alone else None
    slugs = () if setting is None else _slugs(setting, known.values())
    return Item(f"{kind}-{stem.name}", kind, title, setting, slugs, tuple(words), tuple(notes), links, picture, plot)


def _slugs(setting: Setting, known: Iterable[Setting]) -> tuple[str, ...]:
    """The settings without targets that are this one, or scored its searches where it names no truth."""
    scored = {replace(one, target="") for one in known if one.truth}
    if setting.truth:
        return tuple(one.slug for one in scored if one == replace(setting, target=""))
    return tuple(sorted(one.slug for one in scored if one.search == setting))


def setting_in(name: str, known: Mapping[str, Setting]) -> Setting | None:
    """The setting whose slug the file's name holds, the longest if several do."""
    fitting = [slug for slug in known if f"-{slug}-" in f"-{name}-"]
    return known[max(fitting, key=len)] if fitting else None


def _where(name: str, setting: Setting | None) -> str:
    """The item's own heading: its setting in words, and what else its name holds."""
    if setting is None:
        return name.replace("_", " ")
    before, _, after = f"-{name}-".partition(f"-{setting.slug}-")
    more = [part for part in (before.strip("-").partition("-")[2], after.strip("-")) if part]
    return ", ".join([said(setting), *more])


def said(setting: Setting) -> str:
    """A setting in words."""
    scored = f", {setting.target} by {setting.truth}" if setting.target else f", scored by {setting.truth}"
    scored += f" ({setting.about})"
    return f"{setting.space} searched on {setting.dataset}, scale {setting.scale}{scored if setting.truth else ''}"


def _words(name: str, kind: str) -> str:
    words = name.replace("_", " ")
    return f"{words[:1].upper()}{words[1:]}" + (" table" if kind == "table" and "table" not in words else "")


def _picture(path: Path, words: str) -> Picture:
    """The image, compressed and no larger than a screen needs; the file beside the page is for print."""
    from PIL import Image

    try:
        with Image.open(path) as opened:
            image = opened.convert("RGB")
    except OSError as error:
        raise BadRecord(f"cannot read the picture {path} ({error}); draw it again") from None
    factor = min(1.0, WIDEST / image.width, (LARGEST / (image.width * image.height)) ** 0.5)
    image = image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    image.save(stream, "WEBP", quality=QUALITY, method=6)
    data = base64.b64encode(stream.getvalue()).decode()
    return Picture(f"data:image/webp;base64,{data}", image.width, image.height, words)


def tables(groups: Sequence[Group]) -> Iterator[markup.Table]:
    """Every printed table of the groups."""
    for group in groups:
        for item in group.items:
            yield from (part for part in item.parts if isinstance(part, markup.Table))
