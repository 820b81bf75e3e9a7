"""A search from Python, in one call: the run that the command line would make, and what it found as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.store.record import Record, Results

if TYPE_CHECKING:
    import pandas as pd

OWN = Path("results") / "own"
"""Where runs of one's own lie, unless another folder is named."""


@dataclass(frozen=True)
class Searched:
    """A finished run. `record` has all of it: settings, candidates, cost by phase, place."""

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
        ([0, 1]) and cross_entropy (nats); NaN where it has no opinion, no row of a search that ranks nothing."""
        import pandas as pd

        from bench import spaces
        from bench.runs import probe

        path = self.results.estimates_path(self.record.key)
        if not path.exists():
            return pd.DataFrame({"architecture": [], "accuracy": [], "cross_entropy": []})
        keys, values = probe.read(path)
        space = spaces.get(self.record.identity["space"])
        names = [key if isinstance(key, str) else space.show(space.population.at(int(key))) for key in keys.tolist()]
        return pd.DataFrame({"architecture": names, "accuracy": values[:, 0], "cross_entropy": values[:, 1]})

    @property
    def supernets(self) -> Path | None:
        """The file of the trained supernets, where they were kept; `bench.search.kept` reads it."""
        path = self.results.supernets_path(self.record.key)
        return path if path.exists() else None


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

    method: a printed name, as `python -m bench list methods` shows it. dataset: the name of an image set, or one's own
    as `folder:PATH` or `npz:FILE`. settings: fields with their values as `--set`
    takes them, `{"training.epochs": "10"}`. results: the folder in which the record lies afterwards. data: the folder
    of image files. Raises BenchError in one line, also where the search failed.
    """
    from bench.errors import BadSpec, BenchError
    from bench.runs.asked import asked
    from bench.runs.run import Settings, execute
    from bench.runs.study import STUDIES, changed

    if isinstance(seed, bool) or not isinstance(seed, int):
        raise BadSpec(f"seed {seed!r} is no whole number")
    folder = Path(results)
    images = asked(dataset, data, lambda: {one.identity["dataset"] for one in Results(folder).records()})
    study = changed(STUDIES["nb201"], methods=(method,), dataset=images.name, scale=scale, seeds=(seed,), space=space)
    (spec,) = study.specs(settings)
    record = execute(spec, Settings(folder, device, data=images.data, keep=keep_supernet))
    if record.status not in ("done", "diverged"):
        raise BenchError(
            f"{spec.label} seed {seed} {record.status}: {(record.message.strip().splitlines() or [''])[-1]}"
        )
    return Searched(record, Results(folder))
