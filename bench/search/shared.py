"""Training that several runs have in common, done once: what the first of them trained, the others take over.

A fit is a function of its learner's state, its settings and the images, and changes nothing else (`checkpoints.py`). So
two fits that begin alike end alike, to the bit on one CPU thread, and a run may take over where another's fit ended:
its weights, and its account, as if it had trained alone. Arms of a comparison that begin with one parent then differ in
what follows it alone, and the parent's luck cancels in their difference.

What is taught by other learners is not shared: its end depends on them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from typing import Any, Protocol, Self

from torch import Tensor

from bench.search.checkpoints import Account, read, to_bytes
from bench.search.learner import Fit, Keeper, Learner
from bench.search.meter import Cost
from bench.store.files import write_atomically
from bench.store.locks import waiting
from bench.store.spec import canonical, described, plain

PARTS = {"learner", "earned"}
"""Of the note of a file."""

SUMS = tuple(field.name for field in fields(Cost) if field.name != "peak_bytes")
"""What adds up in an account of a phase; its peak of memory does not."""

STAMPS = ("forward_images", "backward_images", "wall_s")
"""What an entry of a trace counts from the start of its run."""


class SharedAccount(Account, Protocol):
    """An account that what others spent can be added to."""

    def add(self, earned: Mapping[str, Any]) -> None:
        """Charge what `between` gives, as if it had been spent now."""


class Shared(Keeper):
    """The fits of runs that share a folder, a file each, under a hash of all that decides about their end.

    sameness: what decides beside the learner: code, device, images. inner: keeps this run's own way. A run that meets a
    fit which another process is training waits for it. To be closed, as a context.
    """

    def __init__(self, folder: Path, sameness: Mapping[str, Any], account: SharedAccount, inner: Keeper) -> None:
        self.folder, self.sameness, self.account, self.inner = folder, sameness, account, inner
        self.taken = 0  # fits that were taken over
        self._held = ExitStack()
        self._open: tuple[Path, Fit, Mapping[str, Any]] | None = None  # the fit that is trained here for others too

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._let_go()

    def begun(self, learner: Learner, fit: Fit) -> int:
        """Take over what this run kept itself or, if it kept nothing, what another trained. Raises BadRecord."""
        done = self.inner.begun(learner, fit)
        if done or fit.taught:
            return done
        path = self.folder / f"{name_of(learner, fit, self.sameness)}.npz"
        self._let_go()
        self._held.enter_context(waiting(path.with_suffix(".lock")))
        if not path.exists():
            self._open = path, fit, self.account.spent()
            return 0
        note, tensors = read(path, PARTS)
        learner.restore(tensors, note["learner"])
        self.account.add(note["earned"])
        self.taken += 1
        self._let_go()
        return fit.steps

    def reached(self, learner: Learner, steps: int) -> None:
        """Keep the end of a fit for others. Raises BadRecord where it cannot be written."""
        self.inner.reached(learner, steps)
        if self._open is None or steps < self._open[1].steps:
            return
        path, _, before = self._open
        tensors, state = learner.state()
        write_atomically(path, to_bytes({"learner": state, "earned": between(before, self.account.spent())}, tensors))
        self._let_go()

    def _let_go(self) -> None:
        self._open = None
        self._held.close()


def name_of(learner: Learner, fit: Fit, sameness: Mapping[str, Any]) -> str:
    """32 hexadecimal digits: a hash of the learner's state, how it is trained, on what, and for how long."""
    tensors, state = learner.state()
    settings = {
        "space": repr(learner.space),
        "region": [list(ops) for ops in learner.region.lists],
        "relaxation": described(learner.relaxation.as_trained),
        "training": plain(learner.training),
        "schedule": plain(learner.schedule),
        "batches": [len(learner.train), len(learner.valid)],
        "fit": plain(fit),
        "state": state,
        **sameness,
    }
    digest = hashlib.blake2b(canonical(settings).encode(), digest_size=16)
    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode() + b"\0" + _bytes_of(tensor))
    return digest.hexdigest()


def _bytes_of(tensor: Tensor) -> bytes:
    content: bytes = tensor.detach().cpu().contiguous().numpy().tobytes()
    return content


def between(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What was spent between two moments of one account (`Task.spent`), whatever was spent before."""
    none = dict.fromkeys(SUMS, 0)
    phases = {}
    for name, spent in after["phases"].items():
        earlier = before["phases"].get(name, none)
        phases[name] = {**spent, **{field: spent[field] - earlier[field] for field in SUMS}}
    start = _stamp(before)
    trace = [{**entry, **{f: entry[f] - start[f] for f in STAMPS}} for entry in after["trace"][len(before["trace"]) :]]
    return {"phases": phases, "trace": trace, "wall_s": after["wall_s"] - before["wall_s"]}


def _stamp(account: Mapping[str, Any]) -> dict[str, float]:
    """What an entry of its trace would say at that moment."""
    images = {f: sum(phase[f] for phase in account["phases"].values()) for f in STAMPS if f != "wall_s"}
    return {**images, "wall_s": account["wall_s"]}


def added(before: Mapping[str, Any], earned: Mapping[str, Any]) -> dict[str, Any]:
    """The account after `before` and what was `earned` elsewhere (`between`)."""
    phases = dict(before["phases"])
    for name, more in earned["phases"].items():
        phases[name] = vars(Cost(**phases.get(name, {})) + Cost(**more))
    start = _stamp(before)
    trace = [{**entry, **{field: entry[field] + start[field] for field in STAMPS}} for entry in earned["trace"]]
    return {"phases": phases, "trace": [*before["trace"], *trace], "wall_s": before["wall_s"] + earned["wall_s"]}
