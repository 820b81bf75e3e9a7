"""`verify KEY...`: make runs again in another folder, and say what came out the same."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.cli.outcome import Common
from bench.errors import BadSpec
from bench.store.record import Record, Results

EXACT = ("forward_images", "backward_images", "supernets")
"""Costs that no machine changes."""


@dataclass(frozen=True, kw_only=True)
class Verify(Common):
    """Make runs again and compare: choice, estimates, images. The exit code is 1 where a cost differs, or a choice.

    On the same processor and build of torch, with one thread, a run is the same to the bit. Elsewhere it is as another
    seed: its estimates order the architectures alike, and its choice can be another.
    """

    keys: tuple[str, ...] = field(default=(), kw_only=False)
    """The keys of runs, or their beginnings."""
    into: Path | None = None
    """Where the new runs lie; by default a folder that is removed afterwards."""
    device: str = "auto"
    """`auto`, `cpu` or `cuda`."""
    data: Path | None = None
    """Folder of image files."""

    def __call__(self) -> int:
        from bench.runs.run import Settings, execute

        if not self.keys:
            raise BadSpec("verify takes keys of runs; `python -m bench list` shows them")
        results = Results(self.results)
        found = [results.named(key) for key in self.keys]
        specs = [_spec(record) for record in found]  # all of them, before the first is made
        told = []
        with _folder(self.into) as folder:
            for record, spec in zip(found, specs, strict=True):
                threads = int(record.place.get("threads", 1))
                made = execute(spec, Settings(folder, self.device, threads, self.data))
                told.append(compared(record, made, results, Results(folder)))
                if not self.json:
                    print(_said(told[-1]))
        if self.json:
            print(json.dumps(told))
        return 0 if all(one["choice"] and one["costs"] and one["status"] for one in told) else 1


def compared(old: Record, new: Record, at: Results, there: Results) -> dict[str, Any]:
    """What is the same in two records of one key; `tau` orders the estimates of one by the other's."""
    from bench import metrics
    from bench.runs import probe

    estimates: bool | None = None
    tau: float | None = None
    paths = at.estimates_path(old.key), there.estimates_path(new.key)
    if all(path.exists() for path in paths):
        (keys, a), (others, b) = (probe.read(path) for path in paths)
        same = list(keys) == list(others)
        estimates = same and bool(((a == b) | ((a != a) & (b != b))).all())
        known = (a[:, 0] == a[:, 0]) & (b[:, 0] == b[:, 0]) if same else None
        tau = None if known is None or known.sum() < 2 else metrics.tau_b(a[known, 0], b[known, 0])
    return {
        "key": old.key,
        "label": old.label,
        "seed": old.identity["seed"],
        "status": old.status == new.status,
        "choice": old.genotype == new.genotype,
        "estimates": estimates,
        "tau": tau,
        "costs": all(old.cost.get(name) == new.cost.get(name) for name in EXACT),
        "place": [_place(old), _place(new)],
    }


def _said(told: dict[str, Any]) -> str:
    """A run's comparison in one line."""
    words = [f"{told['label']} seed {told['seed']} ({told['key'][:8]}):"]
    words.append("same choice," if told["choice"] else "another choice,")
    words.append("same costs" if told["costs"] else "OTHER COSTS")
    if told["estimates"]:
        words[-1] += ", estimates the same to the bit"
    elif told["estimates"] is not None:
        order = "unknown" if told["tau"] is None else f"{told['tau']:.3f}"
        words[-1] += f", estimates differ (tau-b between the two {order})"
    if told["place"][0] != told["place"][1]:
        words[-1] += f"; made on {told['place'][0]}, now on {told['place'][1]}"
    return " ".join(words)


def _place(record: Record) -> str:
    name = record.place.get("device_name") or record.place.get("device", "unknown")
    return f"{name}, torch {record.place.get('torch', 'unknown')}"


def _spec(record: Record) -> Any:
    """The run as this version would make it. Raises BadSpec where that has another key."""
    from bench.runs.study import STUDIES, changed
    from bench.store.spec import SCALES

    identity = record.identity
    name, *changes = str(identity["scale"]["name"]).split("+")
    if name not in SCALES:
        raise BadSpec(f"run {record.key[:8]} is of scale {identity['scale']['name']}, which no search here has")
    study = changed(
        STUDIES["nb201"],
        methods=(record.label,),
        dataset=identity["dataset"],
        scale=name,
        seeds=(identity["seed"],),
        space=identity["space"],
    )
    (spec,) = study.specs(resized=dict(change.split("=", 1) for change in changes))
    if spec.key != record.key:
        raise BadSpec(
            f"{record.label} is another run in this version ({spec.key[:8]}, not {record.key[:8]}): a setting or the "
            "version of the method has changed; check out the commit that its record names"
        )
    return spec


@contextmanager
def _folder(named: Path | None) -> Iterator[Path]:
    if named is not None:
        yield named
        return
    with tempfile.TemporaryDirectory(prefix="supernet-bench-") as made:
        yield Path(made)
