"""The commands that bring in official files: `import` and `fetch`."""

from __future__ import annotations

import json as json_
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import BadSpec, counted

if TYPE_CHECKING:
    from bench.truth.table import Table

_EVERY = 10.0  # seconds between two lines of progress where there is no terminal


@dataclass(frozen=True, kw_only=True)
class Import:
    """Turn official files of NAS-Bench-201, NATS-Bench, NASLib, NAS-Bench-Macro or Accel-NASBench, or anybody's
    accuracies by architecture (--dataset), into the table that `score --truth` reads."""

    source: Path = field(kw_only=False)
    """NATS-tss folder or .tar, .pickle.pbz2, .pth, nb201_*.pickle, the extract as CSV, nas-bench-macro_cifar10.json,
    anb_dataset_jsons.tar.gz, folder of NAS-Bench-301's results (they become a list in CSV, to fit a surrogate on)."""
    out: Path = field(default=Path("nb201-official.parquet"), kw_only=False)
    """The table."""
    trust: bool = False
    """Open a pickle that no known hash vouches for: you know where it came from."""
    partial: bool = False
    """Accept files that lack architectures, which stay missing."""
    dataset: str = ""
    """For CSV with a heading, or JSON, of accuracies by architecture: the data set that they are of; one's own as
    folder:PATH or npz:FILE, or by the name that runs on it have."""
    column: tuple[str, ...] = ()
    """What their columns are: NAME=test or NAME=valid; `accuracy=test` by default."""
    space: str | None = None
    """With --dataset, whose architectures they are of: `python -m bench list spaces` names them; nb201 by default."""
    workers: int | None = None
    """Processes that read; all cores by default."""
    json: bool = False
    """Machine-readable output on standard output."""
    debug: bool = False
    """Tracebacks instead of one-line errors."""

    def __call__(self) -> int:
        from bench import spaces
        from bench.spaces.darts import DartsSpace
        from bench.truth.official.importing import import_official
        from bench.truth.official.nb301 import convert_nb301, is_nb301

        progress = Ticker("architectures", 1)
        if self.dataset:
            return self._plain()
        if self.column or self.space:
            raise BadSpec("--column and --space are of plain tables; --dataset NAME says of which data set one is")
        if is_nb301(self.source):
            if self.out.suffix != ".csv":
                raise BadSpec(f"{self.source} becomes a list in CSV; name it: python -m bench import DIR nb301.csv")
            space = spaces.get("darts")
            assert isinstance(space, DartsSpace)
            said = convert_nb301(self.source, self.out, space)
            print(json_.dumps({"list": str(self.out)}) if self.json else f"{self.out}: {said}")
            return 0
        table = import_official(
            self.source,
            self.out,
            trusted=self.trust,
            partial=self.partial,
            workers=self.workers,
            say=progress.line,
            tick=progress.tick,
        )
        return self._said(table)

    def _plain(self) -> int:
        """Write the table of accuracies by architecture, and say what it is of. Raises BadTable, BadSpec, BadData,
        UnknownName."""
        from bench import spaces
        from bench.runs.asked import asked
        from bench.truth.official.plain import convert_plain
        from bench.truth.tabular import TableTruth

        dataset = asked(self.dataset, None).name
        table = convert_plain(self.source, dataset, self.column, spaces.get(self.space or "nb201"))
        table.save(self.out)
        known = [TableTruth(table).reference(dataset).known for dataset in TableTruth(table).targets()]
        of = counted(len(table.population), "architecture")
        return self._said(table, f", test accuracies of {max(known, default=0):,} of {of} on {dataset}")

    def _said(self, table: Table, known: str = "") -> int:
        about = {"table": str(self.out), "name": table.header.name, "content": table.checksum}
        print(json_.dumps(about) if self.json else f"{self.out}: {about['name']}, content {about['content']}{known}")
        return 0


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Fit how long every option of a block takes on a device that an imported table of Accel-NASBench measured. The
    file is a setting of ProxylessNAS: `run --space accel --methods proxyless --set latency=FILE`."""

    table: Path = field(kw_only=False)
    """The imported table."""
    device: str = field(kw_only=False)
    """What was measured: latency_zcu102, latency_vck190, throughput_a100, throughput_3090, …"""
    out: Path = field(kw_only=False)
    """The file, which ends in .json; in speeds/ of a results folder a figure shows accuracy against it."""
    target: float | None = None
    """Milliseconds that a search aims at; the median of the measured networks by default."""
    json: bool = False
    """Machine-readable output on standard output."""
    debug: bool = False
    """Tracebacks instead of one-line errors."""

    def __call__(self) -> int:
        from bench.spaces import accel
        from bench.store import speeds
        from bench.truth.latency import fitted
        from bench.truth.table import Table

        if self.out.suffix != ".json":
            raise BadSpec(f"{self.out} does not end in .json, as a file of settings does")
        found = fitted(Table.load(self.table, accel.SPACE.population), self.device, self.target).speeds
        speeds.write(found, self.out)
        print(json_.dumps({"file": str(self.out), "about": found.said}) if self.json else f"{self.out}: {found.said}")
        return 0


@dataclass(frozen=True, kw_only=True)
class Fetch:
    """Fetch files that the program can use but does not bring along, or say where to put them."""

    what: str = field(default="", kw_only=False)
    """Leave it out to see what there is."""
    data: Path | None = None
    """The folder to put them in; the folder of image files by default."""
    json: bool = False
    """Machine-readable output on standard output."""
    debug: bool = False
    """Tracebacks instead of one-line errors."""

    def __call__(self) -> int:
        from bench.folders import data_folder
        from bench.images import sources
        from bench.images.fetch import fetch_all

        if not self.what:
            listed = {name: entry.title for name, entry in sources.collections().items()}
            print(json_.dumps(listed) if self.json else "\n".join(f"{n:16}{title}" for n, title in listed.items()))
            return 0
        progress = Ticker("MB", 1_000_000)
        paths = fetch_all(sources.collection(self.what), data_folder(self.data), progress.line, progress.tick)
        print(json_.dumps([str(path) for path in paths]) if self.json else "\n".join(map(str, paths)))
        return 0


@dataclass(frozen=True, kw_only=True)
class Naslib:
    """Run NASLib's searches on a table, as baselines among the records. Needs a checkout, see docs/official.md."""

    table: Path = field(kw_only=False)
    """An imported or converted table of NAS-Bench-201."""
    checkout: Path | None = None
    """A checkout of NASLib; $SUPERNET_BENCH_NASLIB by default."""
    optimisers: tuple[str, ...] = ("RandomSearch", "RegularizedEvolution", "LocalSearch")
    """Searches of NASLib."""
    dataset: str = "cifar10"
    """The image set: cifar10, cifar100 or imagenet16-120."""
    seeds: tuple[int, ...] = (0,)
    """Of every search, a record for each."""
    steps: int = 100
    """Architectures that a search asks for."""
    epochs: int = 200
    """Length of the trainings whose validation accuracy a search is given."""
    results: Path = Path("results")
    """The folder of records."""
    json: bool = False
    """Machine-readable output on standard output."""
    debug: bool = False
    """Tracebacks instead of one-line errors."""

    def __call__(self) -> int:
        from bench.adapters.naslib import Search
        from bench.store.record import Results
        from bench.truth.table import Table

        results = Results(self.results)
        results.check_writable()
        table = Table.load(self.table)
        keys = []
        for name in self.optimisers:
            for seed in self.seeds:
                search = Search(name, self.dataset, seed, self.steps, self.epochs)
                record = results.find(search.key(table))
                if record is None:
                    record = search.run(table, self.checkout)
                    results.save(record)
                keys.append(record.key)
                print(f"{record.label} seed {seed}: {record.architecture}", file=sys.stderr)
        print(json_.dumps(keys) if self.json else f"{counted(len(keys), 'record')} in {self.results}/runs")
        return 0


class Ticker:
    """How far one thing is, in lines on standard error: one that is rewritten on a terminal, one now and then else."""

    def __init__(self, unit: str, per: int) -> None:
        self._unit, self._per = unit, per
        self._last = time.monotonic()
        self._open = False

    def line(self, text: str) -> None:
        """A line that stays."""
        print(("\n" if self._open else "") + text, file=sys.stderr, flush=True)
        self._open = False

    def tick(self, have: int, total: int | None) -> None:
        """`have` of `total` are there."""
        terminal, now = sys.stderr.isatty(), time.monotonic()
        if have != total and now - self._last < (0.2 if terminal else _EVERY):
            return
        self._last = now
        text = f"{have // self._per:,} of {'?' if total is None else f'{total // self._per:,}'} {self._unit}"
        self._open = terminal and have != total
        print(f"\r{text}" if terminal else text, end="" if self._open else "\n", file=sys.stderr, flush=True)
