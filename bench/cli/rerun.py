"""`rerun KEY...`: make runs again, as their records say, in another results folder."""

from __future__ import annotations

import json as json_
import shlex
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.cli.asking import check_images
from bench.cli.outcome import Common, said, told
from bench.cli.verify import require_without
from bench.errors import BadSpec, BenchError

if TYPE_CHECKING:
    from bench.store.record import Record

FRESH = "again"
"""What folders of runs made again are called, with a number, within a results folder."""


@dataclass(frozen=True, kw_only=True)
class Rerun(Common):
    """Make runs again as their records say: method with every setting, space, images, seed and scale.

    The new records lie in a folder of their own, and no record is replaced. `diff KEY --with FOLDER` compares them.
    """

    keys: tuple[str, ...] = field(default=(), kw_only=False)
    """The keys of runs, or their beginnings."""
    into: Path | None = None
    """Results folder of the new records; by default a new one, RESULTS/again-1, RESULTS/again-2 and so on."""
    device: str = "auto"
    """`auto`, `cpu` or `cuda`."""
    threads: int | None = None
    """Torch threads of one run; by default as many as it had."""
    data: Path | None = None
    """Folder of image files."""
    keep_supernet: bool = False
    """Keep the trained supernets in a file beside each record."""

    def __call__(self) -> int:
        from rich.console import Console

        from bench.runs.again import spec_of
        from bench.runs.pool import Serial
        from bench.runs.progress import Report
        from bench.runs.run import Settings, make, provenance
        from bench.store.record import Results

        if not self.keys:
            raise BadSpec("rerun takes keys of runs; `python -m bench list` shows them")
        if self.threads is not None and self.threads < 1:
            raise BadSpec(f"--threads {self.threads}: a run has 1 thread or more")
        results = Results(self.results)
        found = {record.key: record for record in map(results.named, self.keys)}
        specs = [spec_of(record) for record in found.values()]  # all of them, before the first is made
        for spec in specs:
            check_images(spec.dataset, self.data)
        folder = self._folder(found)
        provenance()  # now, for this process, and not after hours in which the sources may have changed
        console, names = Console(stderr=self.json), [f"{spec.label} seed {spec.seed}" for spec in specs]
        jobs: list[Any] = [
            partial(make, spec, self._settings(Settings, folder, record), debug=self.debug)
            for spec, record in zip(specs, found.values(), strict=True)
        ]
        outcomes = []
        with Report(names, [spec.label for spec in specs], 1, console) as report:
            for at, (made, new) in Serial().map(jobs, report.tick):
                report.finish(at, told(made, new, folder))
                outcomes.append(made)
        done = [one for one in outcomes if not isinstance(one, BenchError)]
        if self.json:
            print(json_.dumps([{"key": r.key, "status": r.status, "results": str(folder)} for r in done]))
        else:
            compare = f"diff {specs[0].key[:8]} --with {shlex.quote(str(folder))}"
            said(f"records in {folder}; {results.command(compare)} compares", self.results)
        return 0 if len(done) == len(specs) and all(r.status == "done" for r in done) else 1

    def _folder(self, found: dict[str, Record]) -> Path:
        """Where the new records go. Raises BadSpec where one of them is there already."""
        from bench.store.record import Results

        if self.into is None:
            return fresh(self.results)
        require_without(self.into, list(found))
        Results(self.into).check_writable()
        return self.into

    def _settings(self, kind: Any, folder: Path, record: Record) -> Any:
        threads = int(record.place.get("threads", 1)) if self.threads is None else self.threads
        return kind(folder, self.device, threads, self.data, keep=self.keep_supernet)


def fresh(results: Path) -> Path:
    """A new folder within a results folder, which no other process gets."""
    number = 1
    while True:
        folder = results / f"{FRESH}-{number}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
        except OSError as error:
            raise BadSpec(f"cannot make {folder}: {error.strerror}; name another folder by --into") from None
        else:
            return folder
