"""A search from Python, in one call: the run that the command line would make, and what it found as plain values."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.store.record import Record, Results

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from bench.nets.supernet import Supernet
    from bench.search.trained import Home
    from bench.spaces.space import Genotype, Space

OWN = Path("results") / "own"
"""Where runs of one's own lie, unless another folder is named."""


@dataclass(frozen=True)
class Searched:
    """A finished run: `record` is all that is written of it (settings, candidates, cost by phase, place), `results`
    the folder that holds it."""

    record: Record
    results: Results

    @property
    def architecture(self) -> str | None:
        """The choice in the space's own notation; None of a search that diverged."""
        return self.record.architecture

    @property
    def genotype(self) -> tuple[int, ...] | None:
        """The choice as one operation per edge."""
        return self.record.genotype

    @property
    def estimates(self) -> pd.DataFrame:
        """What the search thinks of the architectures of its probe: architecture (the official string), accuracy
        ([0, 1]) and cross_entropy (nats); NaN where it has no opinion, no row of a search that ranks nothing. Raises
        BadRecord where their file is not what the record was written with."""
        from bench import spaces
        from bench.runs import probe

        space = spaces.get(self.record.identity["space"])
        if self.record.estimates is None:
            return _table(space, [], None)
        keys, values = probe.of_record(self.record.key, self.record.estimates, self.results)
        return _table(space, probe.genotypes_of(space, keys), values)

    @property
    def supernets(self) -> Path | None:
        """The file of the trained supernets, where they were kept; `load_supernets` reads it."""
        path = self.results.supernets_path(self.record.key)
        return path if path.exists() else None

    def load_supernets(self, *, device: str = "auto", data: Path | None = None) -> Supernets:
        """The trained supernets, from their file. Nothing in it can be run: it holds arrays alone.

        device: `auto`, `cpu` or `cuda`. data: the folder of image files. Raises BadRecord where the run kept none
        (`keep_supernet`), or the file is of another run, space or version.
        """
        from bench.runs.estimate import restored
        from bench.runs.run import Settings
        from bench.store.spec import Scale

        scale = Scale(**self.record.identity["scale"])
        settings = Settings(self.results.root, device, data=data)
        task, homes, _ = restored(self.record, None, scale, self.results, settings)
        return Supernets(task.space, tuple(homes), scale.estimated_on, len(task.images.valid))


@dataclass(frozen=True)
class Supernets:
    """The trained supernets of a run: one, or those of the last cut of a partition search. Together they estimate any
    architecture of the space, also those that the run never looked at."""

    space: Space
    homes: tuple[Home, ...]  # each with the number of cuts before it
    asked: int | None  # validation images of one of the run's own estimates, None for all
    seen: int  # validation images that there are

    @property
    def networks(self) -> tuple[Supernet, ...]:
        """The torch modules: `forward(images, theta, region)` with `[B, C, H, W]` normalised images, `[E, O]` weights
        of the operations and the region that is computed."""
        return tuple(home.supernet.supernet for home in self.homes)

    def estimates(self, architectures: Iterable[str | Genotype], images: int | None = None) -> pd.DataFrame:
        """What they think of these architectures: the columns of `Searched.estimates`.

        architectures: in the space's notation, such as official strings, or as one operation per edge. images: the
        validation images of an estimate, from the first on; as many as the run took, by default; 0 for all. Raises
        BadGenotype, and BadSpec where there are fewer images.
        """
        from bench.errors import BadSpec
        from bench.runs.estimate import by

        if images is not None and not 0 <= images <= self.seen:
            raise BadSpec(f"images={images}: the run has {self.seen:,} validation images; 0 is all of them")
        wanted = [self.space.parse(one) if isinstance(one, str) else self.space.check(one) for one in architectures]
        if not wanted:
            return _table(self.space, [], None)
        count = self.asked if images is None else images or None
        return _table(self.space, wanted, by(self.space, self.homes)(wanted, count))


def run(
    method: str,
    *,
    dataset: str = "patches",
    scale: str = "quick",
    seed: int = 0,
    space: str = "nb201",
    settings: Mapping[str, str] | None = None,
    results: Path | str = OWN,
    device: str = "auto",
    data: Path | None = None,
    keep_supernet: bool = False,
) -> Searched:
    """Search, or find the record of the same search: `bench.run("rsps", scale="smoke").architecture`.

    method: a printed name, as `python -m bench list methods` shows it. dataset, scale, space: names, as `list
    datasets`, `list scales` and `list spaces` show them; dataset also one's own, `folder:PATH` or `npz:FILE`. settings:
    fields with their values as `--set` takes them, `{"training.epochs": "10"}`. results: the folder in which the record
    lies afterwards. device: `auto`, `cpu` or `cuda`. data: the folder of image files. keep_supernet: keep what was
    trained, for `Searched.load_supernets`; warns where the search was made before without it.

    Raises BenchError in one line, also where the search failed.
    """
    from bench.errors import BadSpec, BenchError
    from bench.runs.asked import asked
    from bench.runs.run import Settings, execute
    from bench.runs.study import STUDIES, changed

    if isinstance(seed, bool) or not isinstance(seed, int):
        raise BadSpec(f"seed {seed!r} is no whole number")
    folder = Results(results)
    images = asked(dataset, data, lambda: {one.identity["dataset"] for one in folder.records()})
    study = changed(STUDIES["nb201"], methods=(method,), dataset=images.name, scale=scale, seeds=(seed,), space=space)
    (spec,) = study.specs(settings)
    known = folder.run_path(spec.key).exists()
    record = execute(spec, Settings(folder.root, device, data=images.data, keep=keep_supernet))
    if record.status not in ("done", "diverged"):
        raise BenchError(
            f"{spec.label} seed {seed} {record.status}: {(record.message.strip().splitlines() or [''])[-1]}"
        )
    found = Searched(record, folder)
    if keep_supernet and known and found.supernets is None:
        warnings.warn(
            f"run {record.key} was made before, and kept no supernet; name another folder as results", stacklevel=2
        )
    return found


def load(key: str, results: Path | str = "results") -> Searched:
    """A run that was made before: `bench.load("1cb2ff91").estimates`.

    key: of the run, or its beginning; `python -m bench list` shows them. results: the folder that holds it. Raises
    BadRecord where there is none of that key, or it cannot be trusted.
    """
    folder = Results(results)
    return Searched(folder.named(key), folder)


def _table(space: Space, genotypes: Iterable[Genotype], values: NDArray[np.float64] | None) -> pd.DataFrame:
    """Architectures with their estimates `[n, 2]`."""
    import pandas as pd

    accuracy, cross_entropy = ([], []) if values is None else values.T
    names = [space.show(genotype) for genotype in genotypes]
    return pd.DataFrame({"architecture": names, "accuracy": accuracy, "cross_entropy": cross_entropy})
