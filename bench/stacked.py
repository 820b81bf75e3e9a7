"""Several supernets of one shape trained at once: siblings of a partition tree, stacked along a new dimension.

Each learner keeps its own weights, alpha, optimiser state, batches and noise, and comes out as if it had been trained
alone. Convolutions of a stack are grouped ones (`torch.func.vmap`), over the union of the regions: operations outside a
learner's own region get weight 0, and weights that a step of its own would not move are put back. That is more
arithmetic in fewer launches: meant for GPUs, where small supernets are bound by launches; on a CPU it is slower. No
search asks for it by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call, vmap

from bench.errors import BadSpec
from bench.images.batches import Batch
from bench.learner import Learner
from bench.meter import AROUND, Cost
from bench.nets.supernet import Supernet
from bench.space import Region, Space
from bench.steps import computed, owners


def stackable(learners: Sequence[Learner]) -> bool:
    """Whether these may be trained as a stack: plain supernets of one shape, trained alike from one place in the
    schedule, with batch statistics, on paths or on mixtures whose alpha follows the gradient of the validation loss."""
    first = learners[0]
    alike = all(
        type(one.supernet) is Supernet
        and one.supernet.shape == first.supernet.shape
        and (one.space, one.relaxation, one.training, one.steps, one.epochs, one.horizon)
        == (first.space, first.relaxation, first.training, first.steps, first.epochs, first.horizon)
        and len(one.train) == len(first.train)
        for one in learners
    )
    relaxation = first.relaxation
    static = relaxation.static == "path" or (relaxation.static == "mixture" and relaxation.first_order)
    return alike and static and not relaxation.single_level and first.training.norm.statistics == "batch"


@lru_cache(maxsize=4096)
def reached(space: Space, region: Region) -> bool:
    """Whether anything is computed in the cells of a region."""
    return bool(computed(space, region).any())


def fit_together(learners: Sequence[Learner], epochs: int | None = None, alpha: bool = True) -> None:
    """`Learner.fit` of each, at once, for whole epochs. Raises BadSpec where they cannot be stacked, Diverged as `fit`
    does."""
    planned = learners[0].epochs if epochs is None else epochs
    if planned != int(planned):
        raise BadSpec(f"a stack is trained for whole epochs, not {planned}")
    if not stackable(learners):
        raise BadSpec("these supernets differ in shape or training, so they cannot be trained as one stack")
    stack = _Stack(learners)
    try:
        for _ in range(int(planned)):
            stack.epoch(alpha)
    finally:
        stack.give_back()


class _Stack:
    def __init__(self, learners: Sequence[Learner]) -> None:
        self.learners, first = learners, learners[0]
        self.device, training = first.alpha.device, first.training
        net = first.supernet
        self.net = Supernet(net.space, net.shape, training.norm, 0, lean=False, precision=net.precision)
        self.net.to(self.device, net.stem.dtype).train()
        self.names = [name for name, _ in net.named_parameters()]
        self.owners = {id(p): owner for p, owner in owners(first)}
        self.region = Region.of(
            [frozenset().union(*(one.region.allowed[e] for one in learners)) for e in range(len(first.space.edges))]
        )
        self.weights = [_stacked([one.weights[row] for one in learners]) for row in range(len(self.names))]
        self.alpha = _stacked([one.alpha for one in learners])
        self.own_alphas = [one.alpha for one in learners]
        self.optimiser = torch.optim.SGD(self.weights, **_settings(first.optimiser))
        self.alpha_optimiser = torch.optim.Adam([self.alpha], **_settings(first.alpha_optimiser))
        for stacked, row in [(w, row) for row, w in enumerate(self.weights)]:
            _take_state(self.optimiser, stacked, [(one.optimiser, one.weights[row]) for one in learners])
        _take_state(self.alpha_optimiser, self.alpha, [(one.alpha_optimiser, one.alpha) for one in learners])
        self._live: dict[Region, Tensor] = {}

    def epoch(self, alpha: bool) -> None:
        """One pass over the training images of each."""
        relaxation, total = self.learners[0].relaxation, torch.zeros(len(self.learners), device=self.device)
        for batches in zip(*(one.train.epoch() for one in self.learners), strict=True):
            if alpha and relaxation.trains_alpha:
                with self.learners[0].meter.phase("alpha"):
                    losses, _ = self._losses([next(one._valid_stream) for one in self.learners])
                    (gradient,) = torch.autograd.grad(losses.sum(), self.alpha, materialize_grads=True)
                    self.alpha.grad = gradient.contiguous()
                    self.alpha_optimiser.step()
            total += self._update_weights(batches)
        for one, loss in zip(self.learners, (total / len(self.learners[0].train)).tolist(), strict=True):
            one.check_finite(loss)
            one.curve.append({"step": one.steps, "train_loss": loss})

    def _losses(self, batches: Sequence[Batch], move_alpha: bool = True) -> tuple[Tensor, Tensor]:
        """`[k]` losses, and `[k, E, O]`, which operations each computes."""
        gates, live = [], []
        for row, (one, batch) in enumerate(zip(self.learners, batches, strict=True)):
            one.alpha = self.alpha[row]  # type: ignore[assignment]  # a view, so that gradients reach the stack
            theta, region = one.relaxation.theta(one)
            assert isinstance(region, Region)  # a static relaxation has one for all cells
            live.append(self._of(region))
            gates.append(live[-1] if theta is None else (theta if move_alpha else theta.detach()) * live[-1])
            images, gmacs = len(batch.labels), one.supernet.multiply_adds(region) / 1e9
            back = images if not move_alpha or reached(one.space, region) else 0  # no way to alpha, no way back
            one.meter.charge({AROUND: Cost(images, back, (images + 2 * back) * gmacs)})
        parameters: dict[str, Tensor] = dict(zip(self.names, self.weights, strict=True))

        def logits(own: dict[str, Tensor], images: Tensor, theta: Tensor) -> Tensor:
            return functional_call(self.net, own, (images, theta, self.region))  # type: ignore[no-any-return]

        found = vmap(logits)(parameters, torch.stack([b.images for b in batches]), torch.stack(gates))
        labels = torch.stack([b.labels for b in batches])
        losses = F.cross_entropy(found.flatten(0, 1), labels.flatten(), reduction="none").view(len(labels), -1).mean(1)
        return losses, torch.stack(live)

    def _of(self, region: Region) -> Tensor:
        if region not in self._live:
            if len(self._live) > 4_096:
                self._live.clear()
            live = computed(self.learners[0].space, region)
            self._live[region] = live.to(self.device, self.weights[0].dtype)
        return self._live[region]

    def _update_weights(self, batches: Sequence[Batch]) -> Tensor:
        for one in self.learners:
            one._schedule()
        for group in self.optimiser.param_groups:
            group["lr"] = self.learners[0].optimiser.param_groups[0]["lr"]
        losses, live = self._losses(batches, move_alpha=False)
        self.optimiser.zero_grad(set_to_none=True)
        losses.sum().backward()
        self._clip()
        momenta = [self.optimiser.state[w].get("momentum_buffer") for w in self.weights]
        before = [
            (w.detach().clone(), None if m is None else m.clone()) for w, m in zip(self.weights, momenta, strict=True)
        ]
        self.optimiser.step()
        self._put_back(live > 0, momenta, before)
        for one in self.learners:
            one.steps += 1
        return losses.detach()

    def _clip(self) -> None:
        """Each learner's gradient by its own norm."""
        most = self.learners[0].training.clip
        gradients = [w.grad for w in self.weights if w.grad is not None]
        if most and gradients:
            norm = torch.stack([g.flatten(1).square().sum(1) for g in gradients]).sum(0).sqrt()
            share = (most / (norm + 1e-6)).clamp(max=1.0)
            for g in gradients:
                g.mul_(share.view(-1, *[1] * (g.ndim - 1)))

    @torch.no_grad()
    def _put_back(
        self, live: Tensor, momenta: Sequence[Tensor | None], before: Sequence[tuple[Tensor, Tensor | None]]
    ) -> None:
        """Weights that a learner's own step would have left alone, with their momentum."""
        edges = self.learners[0].space.edges
        output = max(edge.target for edge in edges)
        connected = torch.stack([live[:, e].any(1) for e, edge in enumerate(edges) if edge.target == output]).any(0)
        for row, (w, m, (old_w, old_m)) in enumerate(zip(self.weights, momenta, before, strict=True)):
            place = id(self.learners[0].weights[row])
            if place not in self.owners:  # the head
                continue
            owner = self.owners[place]
            moved = connected if owner is None else live[:, owner[0], owner[1]]
            moved = moved.view(-1, *[1] * (w.ndim - 1))
            w.copy_(torch.where(moved, w, old_w))
            if m is not None and old_m is not None:
                m.copy_(torch.where(moved, m, old_m))

    @torch.no_grad()
    def give_back(self) -> None:
        """Every learner gets what is its own."""
        for row, (one, alpha) in enumerate(zip(self.learners, self.own_alphas, strict=True)):
            one.alpha = alpha
            alpha.copy_(self.alpha[row])
            for w, stacked in zip(one.weights, self.weights, strict=True):
                w.copy_(stacked[row])
                _give_state(self.optimiser.state[stacked], one.optimiser, w, row)
            _give_state(self.alpha_optimiser.state[self.alpha], one.alpha_optimiser, alpha, row)
            one.stepper.forget()


def _stacked(tensors: Sequence[Tensor]) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.stack([t.detach() for t in tensors]).contiguous())


def _settings(optimiser: torch.optim.Optimizer) -> dict[str, Any]:
    """The arguments with which an equal optimiser is made."""
    return {name: value for name, value in optimiser.param_groups[0].items() if name in optimiser.defaults}


def _take_state(
    optimiser: torch.optim.Optimizer, stacked: Tensor, owned: Sequence[tuple[torch.optim.Optimizer, Tensor]]
) -> None:
    states = [own.state[w] for own, w in owned if w in own.state]
    if len(states) < len(owned):
        return  # not moved yet
    for name, value in states[0].items():
        one_for_all = name == "step"
        together = torch.empty_like(stacked)  # in its layout: fused optimisers read memory as it lies
        if not one_for_all:
            together.copy_(torch.stack([s[name] for s in states]))
        optimiser.state[stacked][name] = value.clone() if one_for_all else together


def _give_state(state: dict[str, Tensor], optimiser: torch.optim.Optimizer, own: Tensor, row: int) -> None:
    """In the layout of the tensor itself: fused optimisers read memory as it lies."""
    for name, value in state.items():
        one_for_all = name == "step"
        optimiser.state[own][name] = value.clone() if one_for_all else torch.empty_like(own).copy_(value[row])
