"""The commands that look after the files of a results folder: `seal` and `aside`."""

from __future__ import annotations

import json as json_
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from bench.cli.outcome import Common, ended
from bench.errors import BadRecord, BadSpec, counted


@dataclass(frozen=True, kw_only=True)
class Aside(Common):
    """Set files that cannot be trusted aside, with what belongs to them: they are moved to a folder of their own below
    aside/, and what they held can be made again."""

    files: tuple[Path, ...] = field(default=(), kw_only=False)
    """Files of a results folder, as messages name them."""

    def __call__(self) -> int:
        from bench.store.asides import FOLDERS, root_of, run_of, set_aside
        from bench.store.record import Results

        if not self.files:
            raise BadSpec("aside takes the files to set aside, as messages name them")
        moved = []
        for path in self.files:
            root = root_of(path)
            if root is None:
                raise BadSpec(f"{path} lies in no results folder; its files are in {', '.join(FOLDERS)}")
            results, key = Results(root), run_of(path)
            with results.claim(key) if key else nullcontext():
                moved += set_aside(results, path)
        print(json_.dumps([str(path) for path in moved]) if self.json else "\n".join(map(str, moved)))
        return 0


@dataclass(frozen=True, kw_only=True)
class Seal(Common):
    """Seal records that were written before records had seals, once everything in them that can be checked was checked:
    key, kinds, ranges, sums, the choice in both notations, and the estimates beside them."""

    def __call__(self) -> int:
        from bench.runs import probe
        from bench.store.record import Results

        results = Results(self.results)
        results.check_there()
        sealed = []
        for record in results.records():
            try:
                if record.estimates is not None:
                    probe.of_record(record.key, record.estimates, results)
                if not record.sealed:
                    results.seal(record.key)
                    sealed.append(record.key)
            except BadRecord as error:
                results.damaged[results.run_path(record.key)] = str(error)
        print(json_.dumps(sealed) if self.json else f"{counted(len(sealed), 'record')} sealed in {self.results}/runs")
        return ended(results, 0)
