"""The training of one network from one seed, in one process or as one of several that share every batch.

A batch is cut into parts, which are normalised each by itself and whose losses are averaged; a process takes its share
of the parts. So the result depends on how many parts there are, and but for rounding not on how many processes carry
them. The first part alone moves the running statistics, as in torch's DistributedDataParallel.

Deviation from the code of DARTS: images that are left over behind the last whole batch of a pass, others every time,
are not shown in it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from bench.errors import BadRecord, Diverged
from bench.images.batches import Batch
from bench.nets.darts_alone import DartsAlone
from bench.nets.streams import torch_stream
from bench.retraining.recipes import Recipe
from bench.search.checkpoints import read, to_bytes
from bench.spaces.space import Region
from bench.store import hints
from bench.store.files import write_atomically

NOTE = frozenset({"identity", "epoch", "curve", "seconds"})
"""The parts of a checkpoint's note."""


class Pictures(Protocol):
    """The images that a network is trained and tested on."""

    def __len__(self) -> int:
        """Batches of a pass."""

    def epoch(self, generator: torch.Generator) -> Iterator[Batch]:
        """One shuffled, augmented pass. Processes that are given equal generators see equal batches."""

    def tests(self) -> Iterator[Batch]:
        """The test images, in order and as they are."""


@dataclass(frozen=True)
class Share:
    """Which process this is, of how many."""

    rank: int = 0
    of: int = 1

    def parts(self, parts: int) -> range:
        """The parts of a batch that this process takes."""
        each = parts // self.of
        return range(self.rank * each, (self.rank + 1) * each)


@dataclass
class State:
    """How far a training has come. seconds: of all processes that it was made by so far."""

    epoch: int = 0
    curve: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0


class _Trained(nn.Module):
    """What DistributedDataParallel wraps: the call is `trained`."""

    def __init__(self, net: DartsAlone, region: Region) -> None:
        super().__init__()
        self.net, self.region = net, region

    def forward(self, images: Tensor, kept: Tensor | None) -> tuple[Tensor, Tensor | None]:
        return self.net.trained(images, self.region, kept)


class Training:
    """A network on its way. identity: what a checkpoint must have been made by to be taken up."""

    def __init__(
        self,
        net: DartsAlone,
        region: Region,
        recipe: Recipe,
        seed: int,
        pictures: Pictures,
        device: torch.device,
        share: Share = Share(),
        identity: Mapping[str, Any] | None = None,
    ) -> None:
        self.net, self.region, self.recipe, self.seed, self.pictures = net, region, recipe, seed, pictures
        self.device, self.share, self.identity = device, share, dict(identity or {})
        whole = _Trained(net, region).to(device)
        self.called: nn.Module = DistributedDataParallel(whole) if share.of > 1 else whole
        self.weights = list(net.parameters())
        self.optimiser = torch.optim.SGD(
            self.weights, recipe.learning_rate, recipe.momentum, weight_decay=recipe.weight_decay
        )
        self.state = State()

    def fit(self, checkpoint: Path | None = None, progress: Callable[[float], None] = lambda share: None) -> State:
        """All epochs, from where a checkpoint left them. Raises Diverged, BadRecord where the file is damaged."""
        if checkpoint is not None and checkpoint.exists():
            self._resume(checkpoint)
        while self.state.epoch < self.recipe.epochs:
            began, epoch = time.perf_counter(), self.state.epoch
            loss = self._epoch(epoch, progress)
            self.state.curve.append({"epoch": epoch + 1, "train_loss": loss, "rate": self.recipe.rate(epoch)})
            self.state.epoch += 1
            self.state.seconds += time.perf_counter() - began
            if checkpoint is not None and self.share.rank == 0:
                self._keep(checkpoint)
        return self.state

    def _epoch(self, epoch: int, progress: Callable[[float], None]) -> float:
        """One pass; the mean loss of all parts."""
        recipe, steps = self.recipe, len(self.pictures)
        self.called.train()
        for group in self.optimiser.param_groups:
            group["lr"] = recipe.rate(epoch)
        dropping = torch_stream(self.seed, f"retraining/paths/{epoch}")
        total = torch.zeros((), device=self.device)
        batches = self.pictures.epoch(torch_stream(self.seed, f"retraining/images/{epoch}"))
        for step, batch in enumerate(batches):
            total += self._step(batch, self._kept(recipe.dropped(epoch), len(batch.labels), dropping))
            progress((epoch + (step + 1) / steps) / recipe.epochs)
        if self.share.of > 1:
            dist.all_reduce(total)
        loss = float(total) / (steps * self.share.of)
        if not torch.isfinite(total):
            raise Diverged(f"the loss of epoch {epoch + 1} is not finite; choose a smaller learning rate")
        return loss

    def _kept(self, chance: float, images: int, generator: torch.Generator) -> Tensor | None:
        """`[cells, edges, B]`: 0 with that chance, else what keeps the mean."""
        if not chance:
            return None
        cells = list(self.net.blocks())
        edges = max(len(cell.edges) for cell in cells)
        draws = torch.rand(len(cells), edges, images, generator=generator)
        return ((draws >= chance) / (1 - chance)).to(self.device)

    def _step(self, batch: Batch, kept: Tensor | None) -> Tensor:
        recipe, mine = self.recipe, self.share.parts(self.recipe.parts)
        self.optimiser.zero_grad()
        size, total = len(batch.labels) // recipe.parts, torch.zeros((), device=self.device)
        for part in mine:
            rows = slice(part * size, (part + 1) * size)
            last = part == mine[-1] or not isinstance(self.called, DistributedDataParallel)
            with nullcontext() if last else self.called.no_sync(), self._statistics(moving=part == 0):  # type: ignore[operator]
                some = None if kept is None else kept[:, :, rows]
                loss = self._loss(batch.images[rows], batch.labels[rows], some) / len(mine)
                loss.backward()
            total += loss.detach()
        nn.utils.clip_grad_norm_(self.weights, recipe.clip)
        self.optimiser.step()
        return total

    def _loss(self, images: Tensor, labels: Tensor, kept: Tensor | None) -> Tensor:
        logits, beside = self.called(images, kept)
        loss = F.cross_entropy(logits, labels, label_smoothing=self.recipe.smoothing)
        if beside is None:
            return loss
        return loss + self.recipe.auxiliary * F.cross_entropy(beside, labels, label_smoothing=self.recipe.smoothing)

    @contextmanager
    def _statistics(self, moving: bool) -> Iterator[None]:
        """Inside, running statistics move only where that is said."""
        before = [] if moving else [buffer.clone() for buffer in self.net.buffers()]
        yield
        with torch.no_grad():
            for buffer, value in zip(self.net.buffers() if before else [], before, strict=True):
                buffer.copy_(value)

    @torch.no_grad()
    def tested(self) -> tuple[float, float]:
        """Accuracy in percent and cross-entropy in nats of the test images, with running statistics."""
        self.called.eval()
        right = nats = count = 0.0
        for batch in self.pictures.tests():
            logits, _ = self.net.trained(batch.images, self.region, None)
            right += float((logits.argmax(1) == batch.labels).sum())
            nats += float(F.cross_entropy(logits.double(), batch.labels, reduction="sum"))
            count += len(batch.labels)
        return 100 * right / count, nats / count

    def _keep(self, path: Path) -> None:
        momentum = {f"m/{k}": self.optimiser.state[w]["momentum_buffer"] for k, w in enumerate(self.weights)}
        note = {
            "identity": self.identity,
            "epoch": self.state.epoch,
            "curve": self.state.curve,
            "seconds": self.state.seconds,
        }
        tensors = {f"w/{name}": value for name, value in self.net.state_dict().items()}
        write_atomically(path, to_bytes(note, {**tensors, **momentum}))

    def _resume(self, path: Path) -> None:
        note, tensors = read(path, NOTE)
        if note["identity"] != self.identity:
            return  # of other code, settings or device: it is trained anew
        weights = {name[2:]: value for name, value in tensors.items() if name.startswith("w/")}
        try:
            self.net.load_state_dict(weights)
        except RuntimeError as error:
            why = str(error).split("\n")[0]
            raise BadRecord(f"{path} is of another network ({why}); {hints.aside(path)}, run it again then") from None
        for k, w in enumerate(self.weights):
            self.optimiser.state[w]["momentum_buffer"] = tensors[f"m/{k}"].to(self.device)
        self.state = State(note["epoch"], note["curve"], note["seconds"])
