"""A run estimated anew from the supernets that it kept, without training: of other architectures, on other images, by
other statistics.

What comes of it is a record of its own, of the same search with other estimates, beside the first. A search does not
ask what is estimated after it; so the record is that of the run that would have been made at such a scale, to the bit
on one CPU thread, and has its key. Only estimates by other statistics have a key that no run has. `place` says which
run it was made from, by which weights, where and when; scoring and drawing take it as any other.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from bench import images, spaces
from bench.errors import BadRecord, BadSpec
from bench.runs import probe
from bench.runs.run import Settings, device_named, processor, provenance, visible
from bench.search.kept import AGAIN, Statistics
from bench.search.task import Task
from bench.search.trained import Estimator, Home, deepest
from bench.spaces.space import Genotype, Space
from bench.store import seals
from bench.store.files import write_atomically
from bench.store.labels import parsed, printed
from bench.store.record import Record, Results
from bench.store.spec import Scale, canonical, key_of, plain, resized

ESTIMATED = "estimated"
"""The part of an identity that says by which statistics, where these are not those of training."""


@dataclass(frozen=True)
class How:
    """How a run is to be estimated; None is as it was."""

    images: int | None = None  # validation images of one estimate; 0 is all
    cells: int | None = None  # architectures; 0 is the whole population
    draw: Literal["first", "stratified"] | None = None  # which images, of fewer than all
    statistics: Statistics | None = None  # of normalisation

    def scale(self, scale: Scale) -> Scale:
        """The scale at which a run would be estimated so."""
        wanted = {"probe_images": self.images, "probe": self.cells, "draw": self.draw}
        return resized(scale, **{field: value for field, value in wanted.items() if value is not None})


def anew(
    record: Record, how: How, source: Results, settings: Settings, tell: Callable[[float], None] = lambda count: None
) -> tuple[Record, bool]:
    """The record of the run estimated so, written to `settings.results`, and whether it was made now.

    source: where the run and its supernets lie. tell: of how many architectures were estimated. Raises BadRecord where
    the run kept none, or none that can be read; BadSpec where it is asked for what it has or cannot give.
    """
    identity, label = _identity(record, how)
    key, results = key_of(identity), Results(settings.results)
    if key == record.key:
        raise BadSpec(
            f"run {record.key} is estimated so already; ask for other --images, --cells, --draw, --statistics"
        )
    known = results.find(key)
    if known is not None:
        return known, False
    provenance()
    with results.claim(key):
        began = datetime.now(UTC)
        scale = Scale(**identity["scale"])
        task, kept, digest = restored(record, how.statistics, scale, source, settings)
        task.estimated = tell
        asked = probe.probe_set(task.space, scale.probe)
        estimate = by(task.space, kept)
        partial = results.partial_path(key)
        unfinished = probe.read(partial) if partial.exists() else None
        found = probe.estimated(estimate, task.space, asked, scale.estimated_on, partial, unfinished, tell)
        count = min(scale.estimated_on or len(task.images.valid), len(task.images.valid))
        made = replace(
            record,
            key=key,
            label=label,
            identity=identity,
            message="",
            estimates=probe.note(results.estimates_path(key), found, count),
            place={**record.place, "estimated_anew": {**_place(task, settings, began), "of": record.key, **digest}},
        )
        results.save(made, probe.to_bytes(found))
        partial.unlink(missing_ok=True)
    return made, True


def by_blocks(
    record: Record,
    size: int,
    cells: int | None,
    source: Results,
    settings: Settings,
    tell: Callable[[float], None] = lambda count: None,
) -> Path:
    """The file of a run's estimates on every block of so many validation images, one after the other, each as if there
    were no others; what is left over at the end belongs to no block.

    Columns: the architecture, and `accuracy_k` and `cross_entropy_k` of block k. The metadata name the run, the size
    and the digest of the weights. Raises BadRecord, BadSpec.
    """
    if size < 1:
        raise BadSpec(f"--blocks {size}: a block has 1 image or more")
    scale = How(images=0, cells=cells).scale(Scale(**record.identity["scale"]))
    task, kept, digest = restored(record, None, replace(scale, evaluation_batch=size), source, settings)
    count = len(task.images.valid) // size
    if count < 2:
        raise BadSpec(f"--blocks {size}: {len(task.images.valid):,} validation images have no two blocks of that size")
    asked = [g for g in probe.probe_set(task.space, scale.probe) if task.space.feasible(g)]
    values = np.stack([_on_block(task, kept, asked, k, size, tell) for k in range(count)], axis=1)
    note = {"run": record.key, "images": str(size), **{name: str(value) for name, value in digest.items()}}
    path = Results(settings.results).blocks_path(record.key)
    write_atomically(path, _blocks_file(probe.keys_of(task.space, asked), values, note))
    return path


def by(space: Space, homes: Sequence[Home]) -> Estimator:
    """Estimates of any architecture by kept supernets, as the search that left them makes its own; NaN of what the
    space cannot find."""
    return probe.within(space, deepest(homes) if len(homes) > 1 else homes[0].supernet.estimates)


def _on_block(
    task: Task, kept: Sequence[Any], asked: Sequence[Genotype], block: int, size: int, tell: Callable[[float], None]
) -> NDArray[np.float64]:
    """`[n, 2]` estimates on one block of images."""
    inside = np.arange(block * size, (block + 1) * size)
    homes = [replace(home, supernet=home.supernet.on(task.valid_images(inside))) for home in kept]
    found = (deepest(homes) if len(homes) > 1 else homes[0].supernet.estimates)(asked, None)
    tell(len(asked))
    return found


def _identity(record: Record, how: How) -> tuple[dict[str, Any], str]:
    """Of the run estimated so, and its label."""
    identity = dict(record.identity)
    identity["scale"] = plain(how.scale(Scale(**identity["scale"])))
    trained = statistics_of(record)
    if how.statistics is None or how.statistics == trained:
        return identity, record.label
    name, settings = parsed(record.label)
    return {**identity, ESTIMATED: {"statistics": how.statistics}}, printed(
        name, {**settings, "statistics": how.statistics}
    )


def statistics_of(record: Record) -> str | None:
    """By which statistics a run trained, and so estimates; None where its method trains nothing that says so."""
    config = record.identity["method"]["config"]
    training = config.get("base", {}).get("config", config).get("training", {})
    found = training.get("norm", {}).get("statistics")
    return None if found is None else str(found)


def restored(
    record: Record, statistics: Statistics | None, scale: Scale, source: Results, settings: Settings
) -> tuple[Task, list[Home], dict[str, Any]]:
    """A task on the run's images, its supernets, and what is said of their file.

    Raises BadRecord where the run kept none, or the file is of another run, space or version; BadSpec where it lacks
    those statistics."""
    said = record.place.get("supernets")
    path = source.supernets_path(record.key)
    if not said or not path.exists():
        why = "kept no supernets" if not said else f"kept its supernets in {path}, which is not there"
        raise BadRecord(f"run {record.key} ({record.label} seed {record.identity['seed']}) {why}; {AGAIN}")
    digest = hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
    if digest != said["blake2b"]:
        raise BadRecord(f"{path} is not what record {record.key} was written with; {AGAIN}")
    torch.set_num_threads(settings.threads)
    loaded = images.load(record.identity["dataset"], settings.data)
    if record.place.get("images_digest") not in (None, loaded.digest):
        raise BadRecord(
            f"run {record.key} searched images {record.place['images_digest']}, {loaded.title} is {loaded.digest} "
            "here; estimate it on the images that it was trained on"
        )
    seen, device = visible(loaded, scale), device_named(settings.device)
    if scale.probe_images > len(seen.valid):
        raise BadSpec(f"--images {scale.probe_images}: run {record.key} has {len(seen.valid):,} validation images")
    task = Task(spaces.get(record.identity["space"]), seen, scale, record.identity["seed"], device)
    return task, task.kept(path, record.key, statistics), {"weights": digest}


def _place(task: Task, settings: Settings, began: datetime) -> dict[str, Any]:
    """Where and with what the estimates were made."""
    name = torch.cuda.get_device_name(task.device) if task.device.type == "cuda" else processor()
    return {
        **provenance(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "device": task.device.type,
        "device_name": name,
        "threads": settings.threads,
        "started": began.isoformat(timespec="seconds"),
    }


def _blocks_file(keys: probe.Keys, values: NDArray[np.float64], note: dict[str, str]) -> bytes:
    """A Parquet file of `[n, blocks, 2]` estimates."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {probe.column_of(keys): keys}
    for block in range(values.shape[1]):
        columns[f"accuracy_{block}"] = values[:, block, 0].astype("f4")
        columns[f"cross_entropy_{block}"] = values[:, block, 1].astype("f4")
    stream = io.BytesIO()
    seal = {probe.SEAL: seals.of_arrays(columns, canonical(note))}
    table = pa.table(columns).replace_schema_metadata({**note, **seal})
    pq.write_table(table, stream, compression="zstd", compression_level=19)
    return stream.getvalue()
