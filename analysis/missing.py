"""Which runs a table or figure still lacks, and the command that makes them."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.load import Setting
from bench.runs.study import STUDIES, Study


@dataclass(frozen=True)
class Progress:
    """How much of a study the rows of a setting hold, as far as some methods are concerned. `made` and `wanted` count
    the study's own runs; methods that were asked for, but that no study of the image set has, stand beside it."""

    study: Study
    made: int
    wanted: int
    lacking: tuple[tuple[str, tuple[int, ...]], ...]  # the study's methods and the seeds that they lack
    others: tuple[tuple[str, tuple[int, ...]], ...] = ()  # the same of the methods without a study

    @property
    def mark(self) -> str:
        """`12 of 40 runs of study nb201`, empty where nothing of it is missing."""
        return "" if not self.lacking else f"{self.made} of {self.wanted} runs of study {self.study.name}"

    @property
    def further(self) -> str:
        """`12 further methods that it could show belong to no study of this image set`, empty where all have runs. It:
        the figure or table that asked for them."""
        absent = sum(seeds == self.study.seeds for _, seeds in self.others)
        if not absent:
            return ""
        method, belong = ("method", "belongs") if absent == 1 else ("methods", "belong")
        return f"{absent} further {method} that it could show {belong} to no study of this image set"

    @property
    def commands(self) -> tuple[str, ...]:
        """One command for each set of seeds that methods lack; a study can be run with any method."""
        by_seeds: dict[tuple[int, ...], list[str]] = {}
        for label, seeds in (*self.lacking, *self.others):
            by_seeds.setdefault(seeds, []).append(label)
        return tuple(
            f"python -m bench run {self.study.name} --methods {' '.join(map(shlex.quote, labels))} "
            f"--seeds {' '.join(map(str, seeds))}"
            for seeds, labels in by_seeds.items()
        )


def progress(setting: Setting, rows: pd.DataFrame, methods: Collection[str] = ()) -> Progress | None:
    """What the study of this setting has of `methods` (all by default); None where no study makes such runs.

    Of several studies the smallest that holds all runs of `rows`, and all of `methods` that any does, is meant; else
    the largest. A run that diverged is made; one that failed is not.
    """
    studies = [s for s in STUDIES.values() if (s.space, s.dataset, s.sized) == _kind(setting)]
    known = [s for s in studies if set(methods) & set(s.labels) or not methods]
    if not known:
        return None
    runs = {(str(row.label), int(row.seed)) for row in rows.itertuples() if row.status in ("done", "diverged")}  # type: ignore[arg-type]
    somewhere = {m for s in studies for m in s.labels}
    wanted = {label for label, _ in runs if label in somewhere} | (set(methods) & somewhere)
    seeds = {seed for label, seed in runs if label in somewhere}
    by_size = sorted(known, key=lambda s: len(s.labels) * len(s.seeds))
    study = next((s for s in by_size if wanted <= set(s.labels) and seeds <= set(s.seeds)), by_size[-1])
    own = [label for label in study.labels if not methods or label in methods]
    lacking = _lacking(own, study, runs)
    others = _lacking([label for label in methods if label not in somewhere], study, runs)
    total = len(own) * len(study.seeds)
    return Progress(study, total - sum(len(seeds) for _, seeds in lacking), total, lacking, others)


def _lacking(
    labels: Iterable[str], study: Study, runs: Collection[tuple[str, int]]
) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Those of the methods that lack a seed of the study, with these seeds."""
    seeds = [(label, tuple(seed for seed in study.seeds if (label, seed) not in runs)) for label in labels]
    return tuple((label, absent) for label, absent in seeds if absent)


def lines(name: str, setting: Setting, rows: pd.DataFrame, methods: Sequence[str] = ()) -> list[str]:
    """What to print about the gaps of the table or figure `name`: one line, or none."""
    found = progress(setting, rows, methods)
    if found is None or not found.commands:
        return []
    commands = (f"`{command}`" for command in found.commands)
    return [f"{name} {setting.slug}: {'; '.join(filter(None, (found.mark, found.further, *commands)))}"]


def _kind(setting: Setting) -> tuple[str, str, str]:
    return setting.space, setting.dataset, setting.scale
