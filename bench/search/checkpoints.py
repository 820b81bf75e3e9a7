"""What a search has trained so far, kept while it goes on, so that a run that is stopped need not begin again.

A search is a program of its own and its state lies anywhere in it. So a run that was stopped is started from its first
line, and everything is done as before but the training: the nth call of `Learner.fit` takes over the state that the nth
call reached then. What lies between is computed again from equal numbers. So a fit may change its own learner and the
account, and nothing else. Which calls were kept never matters to the result, only to what is trained again; on one CPU
thread the record is that of an unbroken run, to the bit.
"""

from __future__ import annotations

import io
import json
import time
import warnings
from collections.abc import Mapping, Set
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.errors import BadRecord
from bench.search.learner import Fit, Keeper, Learner
from bench.store import hints, seals, strict
from bench.store.files import content_of, write_atomically

SHARE = 0.02
"""Of the time of a search, about what keeping it may take."""

GUESS = 0.02
"""Seconds that keeping is thought to take before it was done once; so nothing is kept of the first second."""

STOPS = "stops.json"
"""How often a run was stopped and taken up again."""

NOTE = "note"  # the member of a checkpoint that is JSON
PARTS = {"identity", "learner", "task", "stops", "steps"}  # of the note


class Account(Protocol):
    """What has been spent on a run, and how it is put back: of a task."""

    def spent(self) -> dict[str, Any]:
        """So far, as JSON values."""

    def resume(self, spent: Mapping[str, Any]) -> None:
        """Go on from an earlier account."""

    def paused(self) -> AbstractContextManager[None]:
        """Nothing inside is charged."""


class Checkpoints(Keeper):
    """The fits of one run, a file each, with the account of the whole task at that moment.

    folder: of this run and nothing else, as made by this code on this device. share: see `SHARE`.
    """

    def __init__(self, folder: Path, account: Account, share: float = SHARE) -> None:
        self.folder, self.account, self.share = folder, account, share
        self.stops = 0  # how often this run was stopped and taken up again
        self._fit = -1
        self._since = time.perf_counter()  # when something was kept or taken up
        self._took = GUESS

    def begun(self, learner: Learner, fit: Fit) -> int:
        """Take up the fit where an earlier process left it, if it kept it. Raises BadRecord where the file is damaged.

        A fit that is not the one that was kept ends the likeness: what was kept of it, and after it, is removed.
        """
        self._fit += 1
        if not self._path().exists():
            return 0
        note, tensors = read(self._path())
        if note["identity"] != _identity(learner):
            self._forget()
            return 0
        learner.restore(tensors, note["learner"])
        self.account.resume(note["task"])
        self._count_stop(note["stops"])
        self._since = time.perf_counter()
        return int(note["steps"])

    def reached(self, learner: Learner, steps: int) -> None:
        """Keep the fit, unless that would take more than its share of the time since something was kept.

        Where it cannot be written, the search goes on and keeps nothing more, with a warning.
        """
        began = time.perf_counter()
        if self.share * (began - self._since) < self._took:
            return
        with self.account.paused():
            tensors, plain = learner.state()
            note = {
                "identity": _identity(learner),
                "learner": plain,
                "task": self.account.spent(),
                "stops": self.stops,
                "steps": steps,
            }
            try:
                write_atomically(self._path(), to_bytes(note, tensors))
            except BadRecord as error:
                self.share = 0.0
                warnings.warn(f"{error}; the search goes on and cannot be taken up if it is stopped", stacklevel=2)
        self._since = time.perf_counter()
        self._took = self._since - began

    def _count_stop(self, before: int) -> None:
        """Count the stop that this process follows, once, in a file of its own: another may come before anything more
        is kept. before: stops that a checkpoint knows of."""
        if not self.stops:
            path = self.folder / STOPS
            self.stops = _stops(path) + 1
            with suppress(BadRecord):  # where nothing can be written, checkpoints tell so
                write_atomically(path, json.dumps(seals.sealed({"stops": max(self.stops, before + 1)})).encode())
        self.stops = max(self.stops, before + 1)

    def _path(self) -> Path:
        return self.folder / f"{self._fit:05d}.npz"

    def _forget(self) -> None:
        for path in self.folder.glob("[0-9]" * 5 + ".npz"):
            if int(path.stem) >= self._fit:
                path.unlink()


def _stops(path: Path) -> int:
    """The stops that such a file counts; none where there is no file that can be trusted."""
    try:
        content, whole = seals.opened(strict.parsed(content_of(path)))
        return int(content["stops"]) if whole else 0
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return 0


def _identity(learner: Learner) -> dict[str, Any]:
    """Which learner it is: a search that rounds otherwise, as on a GPU, may come to another one."""
    region = [sorted(ops) for ops in learner.region.allowed]
    return {"name": learner.name, "space": repr(learner.space), "region": region}


def to_bytes(note: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> bytes:
    """A NumPy archive of arrays alone: the tensors by name, and the note as UTF-8 text."""
    arrays = {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}
    plain = json.loads(json.dumps(note))  # as it is read: tuples are lists
    text = np.frombuffer(json.dumps({**plain, seals.NAME: _seal(arrays, plain)}).encode(), np.uint8)
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **{NOTE: text}, **arrays)
    return stream.getvalue()


def read(
    path: Path,
    parts: Set[str] = frozenset(PARTS),
    again: str = "run it again",
    what: str = "checkpoint",
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The note, of these parts, and the tensors of such a file, on the CPU. Raises BadRecord, with what it is and how
    it is made again."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        note: dict[str, Any] = json.loads(arrays.pop(NOTE).tobytes())
        if seals.NAME in note:
            seals.require(note.pop(seals.NAME), _seal(arrays, note))
        if note.keys() != parts:
            raise ValueError(f"its note holds {sorted(note)}")
    except Exception as error:  # a damaged archive raises whatever its bytes happen to say
        why = str(error).split("\n")[0]
        remedy = f"{hints.aside(path)}, {again} then"
        raise BadRecord(f"cannot read the {what} {path} ({why}); {remedy}") from None
    return note, {name: torch.from_numpy(array) for name, array in arrays.items()}


def _seal(arrays: Mapping[str, NDArray[Any]], note: Mapping[str, Any]) -> str:
    return seals.of_arrays(arrays, json.dumps(note, sort_keys=True))  # a note may hold a loss that is not finite
