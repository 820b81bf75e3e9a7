"""`python -m analysis`: every table and figure that the results allow, the page that shows them all, and what the rest
waits for."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from analysis import answer, gallery, generated, terminal
from analysis.drawings import all_drawn
from analysis.load import load
from analysis.pairs import note_damage
from analysis.report import page
from analysis.tables.main import print_main
from bench.errors import BenchError, counted
from bench.runs.progress import Pulse
from bench.store.hints import DEFAULT, addressed
from bench.store.names import plain_terminal, printable
from bench.store.record import Results
from bench.store.typed import options

SHOWN = 5
"""Lines about missing runs that are printed unless all are asked for; records without a score come first."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Draw every table and figure that the results allow."""

    results: Path = field(default=Path("results"), kw_only=False)
    """The folder with runs/ and scores/; tables/ and figures/ are written into it."""
    partial: bool = False
    """Draw although some records have no score yet."""
    workers: int = 1
    """Processes that draw at a time."""
    missing: bool = False
    """Print a line for everything that is missing, not for the first few alone; report.html has them all."""
    tables: bool = False
    """Print the main table of every setting, with intervals."""
    gallery: Path | None = None
    """Also write one small picture of each kind of figure, and a page of them, into this folder."""
    readme: tuple[Path, ...] = ()
    """Also write the generated parts of these Markdown files anew."""


def draw_all(asked: Options) -> int:
    """Draw, say what was written, what is missing and what was skipped. The exit code is 1 where files were skipped, 2
    where nothing was drawn. Raises BenchError."""
    results = Results(asked.results)
    try:
        code = _drawn(asked, results)
    finally:
        for why in results.damaged.values():
            print(printable(addressed(f"skipped: {why}", results.root)), file=sys.stderr)
    return code or int(bool(results.damaged))


def _drawn(asked: Options, results: Results) -> int:
    loaded = load(results, asked.partial)
    note_damage(loaded.frame, results)
    drawn = all_drawn(loaded.frame, results.root, asked.workers, Pulse("drawn"))
    written = [path for _, _, one in drawn for path in one.paths]
    results.damaged |= {Path(name): one.fault for name, _, one in drawn if one.fault}
    missing = [*loaded.missing, *earlier(results.root, written), *(line for _, _, one in drawn for line in one.missing)]
    missing = [addressed(line, results.root) for line in missing]
    report = page.write(results, loaded, drawn, missing)
    also = [] if asked.gallery is None else [*gallery.write(asked.gallery, drawn, loaded.frame)]
    also += [generated.update(page_, loaded.frame, results.root) for page_ in asked.readme]
    if asked.tables:
        print_main(loaded.frame)
    shown = missing if asked.missing else missing[:SHOWN]
    for line in shown:
        print(printable(f"missing: {line}"), file=sys.stderr)
    if len(shown) < len(missing):
        print(f"missing: {len(missing) - len(shown)} more, listed in {report} and by --missing", file=sys.stderr)
    files = Counter(path.parent for path in (*written, *also))
    print(*(f"{folder}: {counted(count, 'file')}" for folder, count in sorted(files.items())), sep="\n", end="\n\n")
    print(told(loaded.frame, results.root, report))
    return 0 if written else 2


def told(frame: pd.DataFrame, root: Path, report: Path) -> str:
    """The answer of the setting with most runs, as a screen of text; the address alone where nothing searched."""
    found = answer.answers(frame, root)
    if not found:
        return str(report)
    setting = found[0].setting
    own = (frame["space"] == setting.space) & (frame["dataset"] == setting.dataset) & (frame["scale"] == setting.scale)
    return terminal.ending(found[0], report, int(frame.loc[own, "key"].nunique()))


def earlier(root: Path, written: Sequence[Path]) -> list[str]:
    """A line about files that an earlier drawing left and this one did not write: they tell of other results."""
    present = {path for folder in ("tables", "figures") for path in (root / folder).glob("*") if path.is_file()}
    left = sorted(present - set(written))
    return [f"records of files drawn earlier ({len(left)}, such as {left[0]}); move those files away"] if left else []


def main() -> int:
    """The command line; errors that a person can act on are one line and exit code 2."""
    root = DEFAULT
    plain_terminal()
    try:
        asked = options(Options, "python -m analysis")
        root = asked.results
        return draw_all(asked)
    except BenchError as error:
        print(printable(addressed(f"error: {error}", root)), file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
