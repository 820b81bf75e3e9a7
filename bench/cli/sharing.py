"""The commands for studies of several machines: `plan` before them, `collect` after them."""

from __future__ import annotations

import dataclasses
import json as json_
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.cli.asking import StudyOptions
from bench.cli.outcome import Common, ended
from bench.errors import BadSpec, counted


@dataclass(frozen=True, kw_only=True)
class Plan(StudyOptions):
    """Say what a study will take: its runs, long ones first, with hours, memory and disk. Nothing is trained.

    Estimates are taken from records in --results or --records of the same settings, or of the same method class at the
    same scale; else from multiply-adds that the method counts and the pace of some passes that are made now.
    """

    records: tuple[Path, ...] = ()
    """More results folders whose records say what runs take."""

    def __call__(self) -> int:
        study, specs = self.asked()  # first: what it refuses needs no torch
        specs = self.here(study, specs)
        import torch

        from bench.runs.expected import Estimator, planned_on
        from bench.store.record import Results

        device = planned_on(self.device)
        torch.set_num_threads(self.threads)
        results = Results(self.results)
        folders = [results, *map(Results, self.records)]
        for folder in folders[1:]:
            folder.check_there()
        at_hand = [record for folder in folders for record in folder.records()]
        there = {record.key for record in at_hand if results.run_path(record.key).exists()}
        estimator = Estimator(at_hand, device, self.where, shares=study.shares)
        left = [spec for spec in specs if spec.key not in there]
        each = sorted(((spec, estimator.of(spec)) for spec in left), key=lambda one: -(one[1].seconds or 0))
        for folder in folders[1:]:
            results.damaged.update(folder.damaged)
        rows: list[Mapping[str, Any]] = [
            {"key": spec.key, "method": spec.label, "seed": spec.seed, **dataclasses.asdict(expected)}
            for spec, expected in each
        ]
        unit = "GPU" if device.type == "cuda" else "CPU"
        known = [expected.seconds for _, expected in each if expected.seconds is not None]
        whole = {
            "runs": len(specs),
            "there already": len(specs) - len(left),
            f"{unit} hours": round(sum(known) / 3600, 3),
            "longest hours": round(max(known, default=0.0) / 3600, 3),
            "memory": max((expected.memory for _, expected in each), default=0),
            "disk": sum(expected.disk.stays for _, expected in each),
            "unknown": len(each) - len(known),
        }
        if self.json:
            print(json_.dumps({"runs": rows, "whole": whole}))
        else:
            _print(rows, whole, unit, self.part)
        return ended(results, 0)


def _print(rows: Sequence[Mapping[str, Any]], whole: Mapping[str, Any], unit: str, part: str) -> None:
    from bench.cli.listing import show
    from bench.runs.progress import duration

    if rows:
        show(
            [
                {
                    "method": row["method"],
                    "seed": row["seed"],
                    f"{unit} time": duration(row["seconds"]),
                    "memory": f"{row['memory'] / 2**30:.1f} GiB",
                    "by": row["basis"] + (f" ({counted(row['records'], 'record')})" if row["records"] else ""),
                }
                for row in rows
            ]
        )
    there = f", {whole['there already']:,} there already" if whole["there already"] else ""
    unknown = f"; of {counted(whole['unknown'], 'run')} nothing is known" if whole["unknown"] else ""
    print(
        f"{counted(whole['runs'], 'run')}{part}{there}: {whole[f'{unit} hours']:.2f} {unit} hours, the longest "
        f"{whole['longest hours']:.2f}, up to {whole['memory'] / 2**30:.1f} GiB each, {whole['disk'] / 2**20:.0f} MiB "
        f"of disk in all{unknown}"
    )


@dataclass(frozen=True, kw_only=True)
class Collect(Common):
    """Take over the finished runs of other results folders, with their estimates: what parts of a study left.

    Two folders that contradict each other about a run are refused. Scores are made again by `score`.
    """

    folders: tuple[Path, ...] = field(default=(), kw_only=False)
    """Results folders to take over from; they stay as they are."""

    def __call__(self) -> int:
        from bench.runs.collect import collect
        from bench.store.record import Results

        if not self.folders:
            raise BadSpec("collect takes the results folders to take over from")
        results = Results(self.results)
        found = collect(self.folders, results)
        said = {"new": found.new, "known": found.known}
        known = f"; {found.known:,} were there already, or in two folders" if found.known else ""
        print(json_.dumps(said) if self.json else f"{counted(found.new, 'run')} taken over to {self.results}{known}")
        return ended(results, 0)
