"""The command that estimates runs anew from the supernets that they kept: `estimate`."""

from __future__ import annotations

import json as json_
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bench.errors import BadSpec, BenchError


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Estimate runs anew from the supernets that they kept (`run --keep-supernet`): of other architectures, on other
    images, by other statistics, without training. Makes a record of its own for each, beside the first, to be scored
    and drawn as any other."""

    keys: tuple[str, ...] = field(default=(), kw_only=False)
    """The keys of runs, or their beginnings."""
    images: int | None = None
    """Validation images of one estimate; 0 is all."""
    cells: int | None = None
    """Architectures; 0 is the whole population."""
    draw: Literal["first", "stratified"] | None = None
    """Which images, of fewer than all: the first, or a stratified draw of the run's seed."""
    statistics: Literal["batch", "skeleton", "running"] | None = None
    """Of normalisation; those that the run was trained with by default."""
    blocks: int | None = None
    """Instead, every block of so many images by itself, into one file for each run: what the figure `image_noise`
    draws."""
    into: Path | None = None
    """Another results folder for what is made."""
    device: str = "auto"
    """`auto`, `cpu` or `cuda`."""
    threads: int = 1
    """Torch threads."""
    data: Path | None = None
    """Folder of image files."""
    results: Path = Path("results")
    """Folder of the runs and their supernets."""
    json: bool = False
    """Machine-readable output on standard output."""
    debug: bool = False
    """Tracebacks instead of one-line errors."""

    def __call__(self) -> int:
        from bench.store.record import Results

        if not self.keys:
            raise BadSpec("estimate takes the keys of runs; `python -m bench list` shows them")
        if self.blocks is not None and any(x is not None for x in (self.images, self.draw, self.statistics)):
            raise BadSpec("--blocks takes all images by themselves: leave --images, --draw and --statistics out")
        if self.threads < 1:
            raise BadSpec(f"--threads {self.threads}: estimates have 1 thread or more")
        source = Results(self.results)
        source.check_there()
        records = [source.named(key) for key in self.keys]
        made, failed = [], 0
        for record in records:
            try:
                made.append(self._made(record, source))
            except BenchError as error:  # the others go on
                if self.debug or len(records) == 1:
                    raise
                failed += 1
                print(f"error: {error}", file=sys.stderr)
        if self.json:
            print(json_.dumps(made))
        return 1 if failed else 0

    def _made(self, record: Any, source: Any) -> dict[str, Any]:
        """Estimate one run; a line about it."""
        from bench.runs import estimate
        from bench.runs.run import Settings

        settings = Settings(self.into or self.results, self.device, self.threads, self.data)
        out = sys.stderr if self.json else sys.stdout
        name = f"{record.label} seed {record.identity['seed']}"
        if self.blocks is not None:
            path = estimate.by_blocks(record, self.blocks, self.cells, source, settings)
            print(f"{name} ({record.key}): {path}", file=out)
            return {"of": record.key, "file": str(path)}
        how = estimate.How(self.images, self.cells, self.draw, self.statistics)
        found, new = estimate.anew(record, how, source, settings)
        told = found.estimates or {}
        said = f"{told['probe']:,} architectures on {told['images']:,} images, scale {found.identity['scale']['name']}"
        print(f"{name} ({record.key}): {found.key}{'' if new else ' already'}, {said}", file=out)
        return {"of": record.key, "key": found.key, "label": found.label, "made": new}
