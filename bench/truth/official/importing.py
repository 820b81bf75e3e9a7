"""The import of a folder, archive or file of any of the official formats; one that was stopped goes on."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from bench.errors import BadSpec, BadTable
from bench.spaces.nb201 import SPACE
from bench.truth.convert import convert_csv
from bench.truth.official import trust
from bench.truth.official.accel import convert_accel
from bench.truth.official.assembling import Assembler
from bench.truth.official.children import read_all
from bench.truth.official.formats import TITLES, Kind, Source, recognise
from bench.truth.official.journal import Journal
from bench.truth.official.macro import convert_macro
from bench.truth.official.measurements import Row
from bench.truth.table import Table

AUTHORS = "derived from NATS-Bench (Dong et al., TPAMI 2021) and NAS-Bench-201 (Dong & Yang, ICLR 2020)"

TEXTS: Mapping[Kind, Callable[[Path], Table]] = {"csv": convert_csv, "macro": convert_macro, "accel": convert_accel}
"""What is no program and needs no trust, and is read as a whole."""

Say = Callable[[str], None]
Tick = Callable[[int, int], None]


def import_official(
    source: str | Path,
    out: str | Path,
    *,
    trusted: bool = False,
    partial: bool = False,
    workers: int | None = None,
    say: Say = print,
    tick: Tick = lambda done, total: None,
) -> Table:
    """Import a folder, archive or file and write the table `out`; an import that was stopped goes on.

    trusted: the user's word that the file may be opened though no known hash vouches for it. partial: take a folder
    that lacks architectures, which stay missing. workers: processes that read, by default one per core. say: told
    in one line what will take memory or time. tick: told how many architectures of how many are read.

    Raises BadTable, or BadSpec for no workers, in one line; what stands at `out` is never written over.
    """
    source, out = Path(source), Path(out)
    if workers is not None and workers < 1:
        raise BadSpec(f"{workers} workers can read nothing; give 1 or more")
    if out.exists():
        raise BadTable(f"{out} exists already; move it away or choose another name")
    found = recognise(source)
    if found.kind in TEXTS:
        table = TEXTS[found.kind](source)
        table.save(out)
        return table
    trust.require(found, trusted, say)
    trust.require_memory(found, say)
    assembler, journal = Assembler(), None
    if found.members:
        _require_whole(found, partial)
        journal = Journal(out.with_name(out.name + ".partial"), {"source": str(source.resolve()), "kind": found.kind})
    try:
        for done, (size, row) in enumerate(_rows(found, journal, workers or os.cpu_count() or 1), start=1):
            _add(assembler, row, source)
            if journal and size is not None:
                journal.append(size, row)  # only once it is known to be right
            tick(done, len(found.members) or SPACE.size)
        _require_rows(assembler, source, partial)
        if assembler.broken_images:
            say(
                f"accuracies that are no whole number of images: {assembler.broken_images:,}; the file is made up, or "
                "was damaged where nothing else shows it (the table's header counts them)"
            )
        table = _table(assembler, found)
        table.save(out)
        if journal:
            journal.remove()
        return table
    finally:
        if journal:
            journal.close()


def _rows(source: Source, journal: Journal | None, workers: int) -> Iterator[tuple[int | None, Row]]:
    """All rows: those of an earlier attempt whose files have the same size, with None; then those that are read now,
    with the size of their file."""
    jobs = source.jobs()
    if journal is None:
        workers = 1
    else:
        sizes = {index: size for index, _, _, size in source.members}
        known = set()
        for size, row in journal.rows():
            if sizes.get(row["index"]) == size and row["index"] not in known:
                known.add(row["index"])
                yield None, row
        jobs = [job for job in jobs if job["index"] not in known]
    for job, row in read_all(jobs, max(1, min(workers, len(jobs)))):
        yield job["size"], row


def _add(assembler: Assembler, row: Row, source: Path) -> None:
    try:
        assembler.add(row)
    except BadTable as error:
        raise BadTable(f"{source}: {error}") from None


def _table(assembler: Assembler, found: Source) -> Table:
    about = f"imported from {found.path.name}; {AUTHORS}"
    try:
        return assembler.table(_name(found), TITLES[found.kind], about, found.kind)
    except BadTable as error:
        raise BadTable(f"{found.path}: {error}") from None


def _require_whole(source: Source, partial: bool) -> None:
    """Raises BadTable before anything is read where architectures are missing, unless that is wanted."""
    have = {index for index, _, _, _ in source.members}
    lacking = [index for index in range(SPACE.size) if index not in have]
    if lacking and not partial:
        raise BadTable(
            f"{source.path}: {len(lacking)} of {SPACE.size} architectures are missing, e.g. file {lacking[0]:06d}; "
            "unpack or fetch it again, or pass --partial to leave them missing"
        )


def _require_rows(assembler: Assembler, source: Path, partial: bool) -> None:
    lacking = assembler.missing
    if lacking and not partial:
        raise BadTable(
            f"{source}: {len(lacking)} of {SPACE.size} architectures are missing, e.g. number {lacking[0]}; "
            "is the file whole? --partial leaves them missing"
        )


def _name(source: Source) -> str:
    """How the table is called in scores: by format, version and, where there is only one, data set."""
    version = re.search(r"v\d+_\d+", source.path.name)
    base = {"pth": "nas-bench-201", "naslib": "naslib-nb201"}.get(source.kind, "nats-tss")
    if source.kind == "naslib":
        dataset = re.search(r"cifar100|cifar10|ImageNet16", source.path.name)
        return base + (f"-{dataset[0]}" if dataset else "")
    return base + (f"-{version[0]}" if version else "")
