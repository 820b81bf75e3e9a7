"""Which runs are asked for: the options that `run` and `plan` share."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from bench.cli.outcome import Common, said
from bench.errors import BadSpec

if TYPE_CHECKING:
    from bench.runs.asked import Asked
    from bench.runs.study import Study
    from bench.store.spec import RunSpec


@dataclass(frozen=True, kw_only=True)
class StudyOptions(Common):
    """A study, or its parts in another way."""

    study: str = field(default="nb201", kw_only=False)
    """The study: `python -m bench list studies` names them."""
    methods: tuple[str, ...] = ()
    """Instead of the study's: `python -m bench list methods` names them."""
    dataset: str | None = None
    """Instead of the study's: `python -m bench list datasets` names them; or your own images, as folder:PATH or
    npz:FILE (docs/own-data.md)."""
    scale: str | None = None
    """Instead of the study's: smoke, quick, mini, small, wide or paper."""
    resized: Annotated[
        dict[str, str],
        Parameter(
            name="--scale",
            help="A field of the scale, in another size: --scale.train-images 24000 --scale.epochs 0.3. It becomes "
            "part of the scale's name; `python -m bench list scales` shows the fields.",
        ),
    ] = field(default_factory=dict)
    seeds: tuple[int, ...] = ()
    """Instead of the study's: 0, 1, 2, …"""
    space: str | None = None
    """Instead of the study's: `python -m bench list spaces` names them."""
    set: Annotated[
        tuple[str, ...],
        Parameter(
            consume_multiple=False,
            help="FIELD=VALUE, a setting of all the methods, once for each: --set order=2 --set training.epochs=10. "
            "The fields of a part stand behind a dot, members of a list are parted by commas; "
            "`python -m bench list methods --all` shows what there is to set.",
        ),
    ] = ()
    device: str = "auto"
    """`auto`, `cpu` or `cuda`."""
    threads: int = 1
    """Torch threads of one run; 1 is repeatable to the bit."""
    data: Path | None = None
    """Folder of image files."""
    shard: str | None = None
    """K/N: only part K of N parts of the study, such as 3/16; `collect` makes their results one."""

    def asked(self) -> tuple[Study, list[RunSpec]]:
        """The study and its runs, those of all its parts. Raises UnknownName, BadSpec."""
        from bench.runs.study import changed, study_named

        if self.methods:
            from bench.cli import known, listing

            known.require(self.methods, listing.methods_offered)
        study = changed(
            study_named(self.study),
            methods=self.methods,
            dataset=None if self._images is None else self._images.name,
            scale=self.scale,
            seeds=self.seeds,
            space=self.space,
        )
        return study, study.specs(dict(_pair(text) for text in self.set), self.resized)

    def here(self, study: Study, specs: list[RunSpec]) -> list[RunSpec]:
        """Those of its runs that are made here. Raises BadSpec, and BadData where the images are missing."""
        from bench.runs.shard import Shard

        part = Shard() if self.shard is None else Shard.parsed(self.shard)
        check_images(study.dataset, self.where)
        cores = os.cpu_count() or 1
        if not 1 <= self.threads <= cores:
            raise BadSpec(f"--threads {self.threads}: a run has 1 thread or more, of the {cores} that there are here")
        return part.of_all(specs)

    @property
    def where(self) -> Path | None:
        """The folder of image files, or one's own set itself."""
        return self.data if self._images is None else self._images.data

    @cached_property
    def _images(self) -> Asked | None:
        """The set that was named, if one was; read once."""
        if self.dataset is None:
            return None
        found = asked_of(self.dataset, self.data, self.results)
        for note in found.notes:
            said(note, self.results)
        return found

    @property
    def part(self) -> str:
        """How the part is printed."""
        return "" if self.shard is None else f" of part {self.shard}"


def asked_of(dataset: str, data: Path | None, folder: Path) -> Asked:
    """The set that is asked for, as the runs in a results folder call it. Raises BadSpec, BadData."""
    from bench.runs.asked import asked

    def known() -> set[str]:
        from bench.cli.listing import rows
        from bench.store.record import Results

        return {str(row["dataset"]) for row in rows("runs", Results(folder))} if folder.is_dir() else set()

    return asked(dataset, data, known)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise BadSpec(f"--set takes FIELD=VALUE, not {text!r}")
    return name, value


def check_images(dataset: str, data: Path | None) -> None:
    """Raise now, not in every run, where the images are missing."""
    from bench import images
    from bench.errors import BadData

    why = images.available(dataset, data)
    if why:
        raise BadData(why)
