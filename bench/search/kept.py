"""The supernets of a search in a file, so that other estimates can be made of them without training.

A NumPy archive of arrays alone, as checkpoints are: nothing in it can be run. It holds the weights and buffers of every
supernet that some architecture is estimated by, their alpha, and a note that says what they are of.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from bench.errors import BadRecord, BadRegion, BadSpec, counted
from bench.images.batches import Batches
from bench.nets.operations import Norm
from bench.nets.supernet import Supernet
from bench.search.checkpoints import read, to_bytes
from bench.search.trained import Home, estimated
from bench.spaces.space import Genotype, Region, Space

FORMAT = 1
"""Raised when the layout of the file changes."""
PARTS = {"format", "key", "space", "supernets"}
AGAIN = "run the search again, elsewhere, with --keep-supernet"
Statistics = Literal["batch", "skeleton", "running"]
"""By which architectures are normalised when they are estimated, as in `Norm`."""
FROM: Mapping[Statistics, tuple[str, ...]] = {
    "batch": ("batch", "skeleton", "running"),
    "skeleton": ("skeleton", "running"),
    "running": ("running",),
}
"""By the statistics of estimates, under which statistics of training they are kept."""


@dataclass(frozen=True)
class Kept:
    """A supernet that was kept, and its estimates."""

    name: str
    space: Space
    region: Region
    supernet: Supernet
    valid: Batches
    batch: int  # images of a batch of estimates
    tell: Callable[[float], None]

    def on(self, valid: Batches) -> Kept:
        """The same, estimating on other images."""
        return replace(self, valid=valid)

    def estimates(self, genotypes: Sequence[Genotype], images: int | None = None) -> NDArray[np.float64]:
        """`[n, 2]` accuracy [0, 1] and cross-entropy (nats), as the search's own learner gives them."""
        checked = [self.space.check(genotype) for genotype in genotypes]
        return estimated(self.supernet, self.valid, self.batch, checked, images, tell=self.tell)


def written(key: str, homes: Sequence[Home]) -> bytes:
    """The file of the run `key`."""
    tensors: dict[str, Tensor] = {}
    notes = []
    for number, home in enumerate(homes):
        one = home.supernet
        tensors.update({f"{number}/weights/{name}": value for name, value in one.supernet.state_dict().items()})
        if (alpha := getattr(one, "alpha", None)) is not None:
            tensors[f"{number}/alpha"] = alpha.detach()
        notes.append(
            {
                "name": one.name,
                "depth": home.depth,
                "region": [list(ops) for ops in one.region.lists],
                "statistics": one.supernet.norm.statistics,
                "affine": one.supernet.norm.affine,
                "precision": one.supernet.precision,
                "share": getattr(one.supernet.space, "share", 1),
                "nested": one.supernet.nested,
            }
        )
    space = homes[0].supernet.space
    if getattr(space, "share", 1) != 1:
        space = replace(space, share=1)  # type: ignore[call-arg]  # how a supernet computes the space, and not which
    note = {"format": FORMAT, "key": key, "space": repr(space), "supernets": notes}
    return to_bytes(note, tensors)


def restored(
    path: Path,
    key: str,
    space: Space,
    made: Callable[[Norm, Any, int, bool], Supernet],
    valid: Batches,
    batch: int,
    statistics: Statistics | None = None,
    tell: Callable[[float], None] = lambda count: None,
) -> list[Home]:
    """The supernets of such a file, of the run `key` on `space`.

    made: an untrained supernet of a normalisation, precision, part of the channels, and whether kernels are nested, on
    the device of `valid`. statistics: by which they
    estimate, as they were trained by default. Raises BadRecord where the file is of another run, space or version,
    BadSpec where it lacks those statistics.
    """
    note, tensors = read(path, PARTS, AGAIN, "kept supernet")
    if note["format"] != FORMAT:
        raise BadRecord(f"{path} has format {note['format']}, this version reads {FORMAT}; {AGAIN}")
    if note["key"] != key:
        raise BadRecord(f"{path} holds supernets of run {note['key']}, not of {key}; move it back to its name")
    if note["space"] != repr(space):
        raise BadRecord(f"{path} holds supernets of another space, or of another version of {space.name}; {AGAIN}")
    homes = []
    for number, one in enumerate(note["supernets"]):
        own = _under(tensors, f"{number}/weights/")
        try:
            norm = Norm(one["statistics"], one["affine"])
            region = Region.of(one["region"])
            norm = _asked(norm, statistics, path)
            supernet = made(norm, one["precision"], one["share"], one["nested"])
            _load(supernet, own)
            homes.append(Home(Kept(one["name"], space, region, supernet, valid, batch, tell), one["depth"]))
        except (KeyError, TypeError, ValueError, RuntimeError, BadRegion) as error:
            why = str(error).strip().split("\n")[0]
            raise BadRecord(f"{path} holds supernets of another version ({why}); {AGAIN}") from None
    return homes


def said(path: Path, homes: Sequence[Home], content: bytes) -> dict[str, Any]:
    """What a record says of the file."""
    digest = hashlib.blake2b(content, digest_size=16).hexdigest()
    return {"file": path.name, "blake2b": digest, "bytes": len(content), "supernets": len(homes)}


def told(size: int, supernets: int) -> str:
    """The size of a file in words."""
    return f"{counted(supernets, 'supernet')}, {size / 1e6:,.1f} MB"


def _asked(norm: Norm, statistics: Statistics | None, path: Path) -> Norm:
    """The normalisation of estimates by these statistics. Raises BadSpec where the file has none to normalise with."""
    if statistics is None:
        return norm
    if norm.statistics not in FROM[statistics]:
        raise BadSpec(
            f"{path} keeps no {statistics} statistics: the run was trained with training.norm.statistics="
            f"{norm.statistics}; estimate it by those of batches"
        )
    return replace(norm, statistics=statistics)


def _load(supernet: Supernet, tensors: Mapping[str, Tensor]) -> None:
    """Raises RuntimeError, ValueError where they are not those of such a supernet; statistics that it does not use are
    left out."""
    wanted = supernet.state_dict()
    lacking = sorted(wanted.keys() - tensors.keys())
    extra = sorted(name for name in tensors.keys() - wanted.keys() if _is_parameter(name))
    if lacking or extra:
        raise ValueError(f"it lacks {lacking[0]}" if lacking else f"it has {extra[0]}, which is not of this network")
    supernet.load_state_dict({name: tensors[name] for name in wanted})


def _is_parameter(name: str) -> bool:
    """Whether a tensor is trained, and no running statistic."""
    return name.rpartition(".")[2] not in ("mean", "var", "running_mean", "running_var", "num_batches_tracked")


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
