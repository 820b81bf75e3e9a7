"""How the updates of a training step are carried out: as they come, or written down once and repeated.

A captured step is a pure function of buffers that stay where they are: batches, weights, the optimisers' state, the
learning rate and whatever the host makes anew (`Feeds`). On a GPU it becomes a CUDA graph, so that a step costs one
launch; on a CPU the same function is called, which is how it is tested. It computes what an ordinary step computes, in
the same order: records differ by rounding at most, and the account is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor

from bench.images.batches import Batch
from bench.search.learner import Learner, Lesson, Stepper
from bench.search.meter import AROUND, Cost
from bench.search.optimisers import MOMENTUM
from bench.spaces.cells import CellSpace
from bench.spaces.space import Region

Steps = Literal["ordinary", "captured", "masked"]
"""captured: mixture steps are captured, once per region. masked: so are sampled paths, as gates of 0 and 1 on all
operations of the region: about eight times the arithmetic of one path, in one launch."""

WARM_UP = 3  # runs before a capture, in which libraries choose their kernels


class Captured(Stepper):
    """The steps of one learner, captured where its relaxation is static; other steps as they come, and steps with a
    lesson, whose teachers change."""

    def __init__(self, masks: bool) -> None:
        self.masks = masks
        self._bodies: dict[str, _Body] = {}
        self._paths: _Paths | None = None
        self._pool: Any = None  # of device memory, shared by the graphs of a learner: they never run at once

    def alpha(self, learner: Learner, train: Batch, valid: Batch) -> None:
        """The update of alpha."""
        if learner.relaxation.capture != "mixture":
            return super().alpha(learner, train, valid)
        if "alpha" not in self._bodies:
            run = lambda train, valid: learner.relaxation.step(learner, train, valid)  # noqa: E731
            self._bodies["alpha"] = _Body(learner, run, (train, valid), self._shared(learner))
        self._bodies["alpha"].charged(train, valid)
        return None

    def weights(self, learner: Learner, batch: Batch, lesson: Lesson | None, alpha: bool) -> Tensor:
        """The update of the weights; the loss of the batch."""
        if lesson is not None:
            return super().weights(learner, batch, lesson, alpha)
        if learner.relaxation.capture == "mixture":
            name = f"weights, alpha {'moves' if alpha else 'rests'}"
            if name not in self._bodies:
                run = lambda batch: learner.update_weights(batch, None, alpha)  # noqa: E731
                self._bodies[name] = _Body(learner, run, (batch,), self._shared(learner))
            return self._bodies[name].charged(batch)
        if learner.relaxation.capture == "path" and self.masks and maskable(learner):
            if self._paths is None:
                self._paths = _Paths(learner, batch)
            return self._paths(batch)
        return super().weights(learner, batch, lesson, alpha)

    def _shared(self, learner: Learner) -> Any:
        if self._pool is None and learner.alpha.device.type == "cuda":
            self._pool = torch.cuda.graph_pool_handle()
        return self._pool

    def forget(self) -> None:
        """Capture anew at the next step."""
        self._bodies.clear()
        self._paths = self._pool = None  # a pool ends with its last graph


def stepper_for(steps: Steps) -> Stepper:
    """A stepper for one learner."""
    return Stepper() if steps == "ordinary" else Captured(masks=steps == "masked")


class Feeds:
    """Buffers for what the host makes anew for every step. The first run writes down who makes what, in order."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._slots: list[tuple[Callable[[], Tensor], Tensor]] = []
        self._next = 0
        self._known = False

    def __call__(self, make: Callable[[], Tensor]) -> Tensor:
        """The buffer of this place in the step."""
        if not self._known:
            self._slots.append((make, make().to(self.device, copy=True)))
        buffer = self._slots[self._next][1]
        self._next += 1
        return buffer

    def rewind(self) -> None:
        """A run is over."""
        self._known, self._next = True, 0

    def refill(self) -> None:
        """New values, in the order of the step; nothing waits for the device."""
        for make, buffer in self._slots:
            value = make()
            if self.device.type == "cuda":
                buffer.copy_(value.pin_memory(), non_blocking=True)
            else:
                buffer.copy_(value)


class _Body:
    """A part of a step as a function of buffers. Capturing leaves weights, alpha and optimisers as they were."""

    def __init__(
        self, learner: Learner, run: Callable[..., Tensor | None], batches: Sequence[Batch], pool: Any = None
    ) -> None:
        self.learner, self.run, self._pool = learner, run, pool
        self.device = learner.alpha.device
        self.batches = [Batch(b.images.clone(), b.labels.clone()) for b in batches]
        self.feeds = Feeds(self.device)
        self.account: dict[str, Cost] | None = None
        self._graph: torch.cuda.CUDAGraph | None = None
        self._output = torch.zeros((), device=self.device)

    def __call__(self, *batches: Batch) -> Tensor:
        for own, new in zip(self.batches, batches, strict=True):
            own.images.copy_(new.images)
            own.labels.copy_(new.labels)
        known = self.account is not None
        if known:
            self.feeds.refill()
        if self.device.type == "cuda":
            if self._graph is None:
                self._capture()
            assert self._graph is not None
            self._graph.replay()
        else:
            if not known:
                _device_rate(self.learner)
            self._once()
        return self._output

    def charged(self, *batches: Batch) -> Tensor:
        """The same, with what its passes cost charged."""
        output = self(*batches)
        assert self.account is not None
        self.learner.meter.charge(self.account)
        return output

    def _once(self) -> None:
        self.learner.feeds = self.feeds
        try:
            with self.learner.meter.written() as account:
                output = self.run(*self.batches)
        finally:
            self.learner.feeds = None
            self.feeds.rewind()
        self.account = account
        if output is not None:
            self._output = output

    def _capture(self) -> None:
        _device_rate(self.learner)
        with _kept(self.learner):
            stream = torch.cuda.Stream(self.device)
            stream.wait_stream(torch.cuda.current_stream(self.device))
            with torch.cuda.stream(stream):
                for _ in range(WARM_UP):
                    self._once()
            torch.cuda.current_stream(self.device).wait_stream(stream)
        self.learner.optimiser.zero_grad()
        self.learner.alpha_optimiser.zero_grad()
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, pool=self._pool):
            self._once()


def _device_rate(learner: Learner) -> None:
    """The learning rate of the weights as a tensor, so that a captured step reads it where it is. A GPU's kernels read
    it in single precision, whatever the weights are in."""
    device, optimiser = learner.alpha.device, learner.optimiser
    dtype = torch.float32 if device.type == "cuda" else learner.weights[0].dtype
    if not isinstance(optimiser.rate, Tensor):
        optimiser.rate = torch.tensor(optimiser.rate, dtype=dtype, device=device)


@contextmanager
def _kept(learner: Learner) -> Iterator[None]:
    """Whatever runs inside, weights, alpha, running statistics and both optimisers are put back; state that an
    optimiser makes inside is set to zero, where it starts."""
    tensors = [*learner.weights, learner.alpha, *learner.more.values(), *learner.supernet.buffers()]
    optimisers = (learner.optimiser, learner.alpha_optimiser)

    def states() -> dict[int, Tensor]:
        values = [v for o in optimisers for state in o.state.values() for v in state.values() if isinstance(v, Tensor)]
        return {id(v): v for v in values}

    before = {id(t): t.detach().clone() for t in [*tensors, *states().values()]}
    yield
    with torch.no_grad():
        for tensor in tensors:
            tensor.copy_(before[id(tensor)])
        for name, tensor in states().items():
            if name in before:
                tensor.copy_(before[name])
            else:
                tensor.zero_()


def maskable(learner: Learner) -> bool:
    """Whether a sampled path may be a mask: running statistics would take in operations that are not on it."""
    whole = learner.relaxation.channel_share == 1  # in a mixture `none` passes the other channels; alone it is no edge
    return whole and learner.supernet.maskable and learner.training.norm.statistics != "running"


def computed(space: CellSpace, path: Region) -> Tensor:
    """`[E, O]`, 1 where a supernet computes the operation of a path: it leads from the input to the output."""
    gates = torch.zeros(len(space.edges), len(space.ops))
    for e, ops in enumerate(space.used(path)):
        gates[e, list(ops)] = 1
    return gates


class _Paths:
    """Steps on sampled paths as masks over the learner's region.

    A weight off the path gets no gradient in an ordinary step, so neither momentum nor weight decay moves it. Here its
    gradient is 0, so it and its momentum are put back after the update.
    """

    def __init__(self, learner: Learner, batch: Batch) -> None:
        self.learner, self.space = learner, learner.supernet.inner
        self.path = learner.region
        self._dtype = learner.weights[0].dtype
        ends = {(kind.name, node) for kind in self.space.cells for node in kind.results}
        last = [e for e, edge in enumerate(self.space.edges) if (edge.cell, edge.target) in ends]
        self._last = torch.tensor(last, device=learner.alpha.device)  # a list would be moved there in every step
        self._owners = owners(learner)
        self._body = _Body(learner, self._step, (batch,))

    def __call__(self, batch: Batch) -> Tensor:
        _, self.path = self.learner.relaxation.theta(self.learner)  # one that says "path" draws one for all cells
        images = len(batch.labels)
        gmacs = 3 * images * self.learner.supernet.multiply_adds(self.path) / 1e9
        account = Cost(forward_images=images, backward_images=images, gmacs=gmacs)  # of the path, not of the mask
        loss = self._body(batch)
        self.learner.meter.charge({AROUND: account})
        return loss

    def _step(self, batch: Batch) -> Tensor:
        learner = self.learner
        gates = learner.given(lambda: computed(self.space, self.path).to(self._dtype))
        held = [(w, learner.optimiser.state[w].get(MOMENTUM), owner) for w, owner in self._owners]
        before = [(w.detach().clone(), None if m is None else m.clone()) for w, m, _ in held]
        loss = learner.descend(batch, [(gates, learner.region)])
        on_path, connected = gates > 0, gates.index_select(0, self._last).sum() > 0
        with torch.no_grad():
            for (w, m, owner), (old_w, old_m) in zip(held, before, strict=True):
                moved = connected if owner is None else on_path[owner]
                w.copy_(torch.where(moved, w, old_w))
                if m is not None and old_m is not None:
                    m.copy_(torch.where(moved, m, old_m))
        return loss


def owners(learner: Learner) -> list[tuple[torch.nn.Parameter, tuple[int, int] | None]]:
    """The parameters that a path may leave alone, with their edge and operation; None for those of the skeleton before
    the head, which only a disconnected cell cuts off."""
    inside = {id(p): (edge, op) for edge, op, p in learner.supernet.owned()}
    behind = {id(p) for p in learner.supernet.behind()}
    return [(p, inside.get(id(p))) for p in learner.weights if id(p) not in behind]
