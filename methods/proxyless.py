"""ProxylessNAS: Direct Neural Architecture Search on Target Task and Hardware (Cai, Zhu & Han, ICLR 2019, 1812.00332).

Every edge has binary gates: one of its operations is drawn with the probabilities p = softmax(alpha), and it alone is
computed (section 3.1). Weights train on such paths. Alpha takes the gradient of the gates for its own (section 3.2.1,
eq. 4): with operations k, their outputs o_k and the gate g_k, 1 for the one that was drawn and 0 for the others,

    dL/dg_k = <o_k, dL/dout>,    dL/dalpha_i = sum_k dL/dg_k p_k (delta_ik - p_i).

`gates="two"` (section 3.2.2): two operations of an edge are drawn by p, without repetition; p is theirs alone, one of
them is drawn, and after the step both alphas are shifted so that exp(alpha_i) + exp(alpha_j) is what it was. Memory and
time are those of two paths. `gates="all"` computes all operations, as the released code does by default (`full_v2`).

Settings are those of the released code: alpha rests for 40 of 160 epochs, and moves at every fifth step after that;
Adam with a rate of 1e-3 and betas 0 and 0.999, no decay; label smoothing of 0.1; weight decay of 4e-5. A table of
latencies (section 3.3) adds that term to the loss of alpha: `Latency`. Deviations:

- One cosine of the learning rate spans warm-up and search; in the code each has its own.
- The batches and rates of ImageNet are those of this harness: 64, and from 0.025 to 0.001.
- The architecture is that of the largest alphas, with its weights as they are; nothing is trained anew here.
- On spaces whose architectures drop edges, paths keep all of them: what is dropped is decided at the end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from bench.errors import BadSpec
from bench.images.batches import Batch
from bench.search.learner import Learner, Training
from bench.search.task import Task
from bench.spaces.space import Region, Space
from methods.oneshot import OneShot


@dataclass(frozen=True)
class Latency:
    """How long every operation takes on every edge, and how the expected sum enters the loss of alpha.

    blocks: `[E][O]` milliseconds, as measured by the user; rest: of what is no block. term: "multiplied" is the code's
    `mul#log`, loss * weight * (log expected / log target) ** power; "added" its `add#linear`, loss + weight * (expected
    - target) / target. Raises BadSpec for numbers that cannot be.
    """

    blocks: tuple[tuple[float, ...], ...]
    target: float  # milliseconds
    rest: float = 0.0
    term: Literal["multiplied", "added"] = "multiplied"
    weight: float = 0.2
    power: float = 0.3

    def __post_init__(self) -> None:
        numbers = [self.rest, self.weight, self.power, *(value for row in self.blocks for value in row)]
        if not all(math.isfinite(value) and value >= 0 for value in numbers):
            raise BadSpec("latencies are finite numbers of milliseconds, 0 or more; so are rest, weight and power")
        if not math.isfinite(self.target) or self.target <= (1 if self.term == "multiplied" else 0):
            least = "more than 1 millisecond, whose logarithm divides" if self.term == "multiplied" else "more than 0"
            raise BadSpec(f"the target of latency is {self.target}; it takes {least}")

    def check(self, space: Space) -> None:
        """Raise BadSpec, naming the block, where the table lacks one of the space or has one too many."""
        for edge in range(max(len(space.edges), len(self.blocks))):
            if edge >= len(self.blocks) or edge >= len(space.edges):
                words = "lacks" if edge >= len(self.blocks) else "has"
                raise BadSpec(f"the latency table {words} edge {edge}; {space.name} has {len(space.edges)} edges")
            if len(self.blocks[edge]) != len(space.ops):
                given, wanted = len(self.blocks[edge]), ", ".join(space.ops)
                raise BadSpec(f"the latency table has {given} numbers for edge {edge}; it takes one each of {wanted}")

    def expected(self, probabilities: Tensor) -> Tensor:
        """Milliseconds, of operations drawn by `[E, O]`."""
        return (probabilities * probabilities.new_tensor(self.blocks)).sum() + self.rest

    def with_loss(self, loss: Tensor, probabilities: Tensor) -> Tensor:
        """The loss of alpha."""
        expected = self.expected(probabilities)
        if self.term == "added":
            return loss + self.weight * (expected - self.target) / self.target
        # Of less than a millisecond the logarithm has no power; there is nothing left to gain then.
        return loss * self.weight * (expected.clamp_min(1).log() / math.log(self.target)) ** self.power


@dataclass(frozen=True)
class Gates:
    """One draw. involved: `[E, O]`, which operations have a gate; p: `[E, O]`, their probabilities, 0 for the others;
    values: `[E, O]`, 1 for the one that is drawn on each edge."""

    involved: Tensor
    p: Tensor
    values: Tensor

    def gradient(self, of_gates: Tensor) -> Tensor:
        """That of alpha `[E, O]` from that of the gates (eq. 4)."""
        return self.p * (of_gates - (self.p * of_gates).sum(-1, keepdim=True))


def drawn(probabilities: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """`[E, O]`, true for `count` operations of every edge, or all that have a probability where they are fewer; drawn
    by `probabilities` `[E, O]` on the CPU, without repetition."""
    races = torch.empty(probabilities.shape, dtype=torch.float64).exponential_(generator=generator)
    times = torch.where(probabilities > 0, races / probabilities.double(), torch.inf)  # the first k of these are it
    first = times.argsort(-1)[:, :count]
    chosen = torch.zeros_like(probabilities, dtype=torch.bool).scatter_(-1, first, True)
    return chosen & (probabilities > 0)


@dataclass(frozen=True)
class Proxyless(OneShot):
    """Binary gates."""

    version: ClassVar[int] = 1
    samples: ClassVar[bool] = True
    training: Training = Training(
        epochs=160,
        weight_decay=4e-5,
        clip=0.0,
        alpha_rate=1e-3,
        alpha_betas=(0.0, 0.999),
        alpha_decay=0.0,
        smoothing=0.1,
    )
    gates: Literal["two", "all"] = "two"
    every: int = 5  # steps of the weights to one of alpha
    latency: Latency | None = None
    waits: float = 0.25  # share of the training before alpha moves: 40 of 160 epochs

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.every < 1:
            raise BadSpec(f"alpha moves at every so many steps, 1 or more, not {self.every}")

    def check(self, task: Task) -> None:
        """A latency table is of the task's space."""
        if self.latency is not None:
            self.latency.check(task.space)

    def passes(self, space: Space) -> float:
        """Two for the weights, and two for alpha when it moves; those are of two operations an edge, or of all."""
        moving = self.alpha_passes * (1 - self.waits) / self.every
        return self.weight_passes(space) + (moving if self.moves_alpha else 0)

    def alpha_turn(self, learner: Learner) -> bool:
        """At every so many steps after the warm-up."""
        return super().alpha_turn(learner) and not (learner.steps + 1) % self.every

    def probabilities(self, learner: Learner) -> Tensor:
        """`[E, O]`."""
        return learner.masked_alpha().softmax(-1)

    def theta(self, learner: Learner) -> tuple[Tensor | None, Region]:
        """A path drawn by alpha, with weight 1."""
        return None, _region(drawn(self.probabilities(learner).detach().cpu(), 1, learner.noise))

    def step(self, learner: Learner, train: Batch, valid: Batch) -> None:
        """One Adam step on alpha along the gradient of the gates."""
        gates = self.draw(learner)
        before = learner.alpha.detach().clone()
        learner.update_alpha(self.gradient(learner, valid, gates))
        if self.gates == "two":
            _keep_mass(learner.alpha, before, gates.involved)

    def draw(self, learner: Learner) -> Gates:
        """The operations that have a gate, their probabilities, and the one that is open."""
        p = self.probabilities(learner).detach().cpu()
        involved = drawn(p, 2, learner.noise) if self.gates == "two" else p > 0
        p = torch.where(involved, p, 0)
        p = p / p.sum(-1, keepdim=True)
        values = drawn(p, 1, learner.noise)
        device = learner.alpha.device
        return Gates(involved.to(device), p.to(device), values.to(device, p.dtype))

    def gradient(self, learner: Learner, batch: Batch, gates: Gates) -> Tensor:
        """That of alpha `[E, O]`."""
        values = gates.values.clone().requires_grad_()
        loss = learner.loss(batch, values, _region(gates.involved.cpu()))
        if self.latency is None:
            (of_gates,) = torch.autograd.grad(loss, values, materialize_grads=True)
            return gates.gradient(of_gates)
        loss = self.latency.with_loss(loss, self.probabilities(learner))
        of_gates, direct = torch.autograd.grad(loss, (values, learner.alpha), materialize_grads=True)
        return gates.gradient(of_gates) + direct


def _region(chosen: Tensor) -> Region:
    return Region.of([set(row.nonzero().flatten().tolist()) for row in chosen])


@torch.no_grad()
def _keep_mass(alpha: Tensor, before: Tensor, involved: Tensor) -> None:
    """Shift the alphas that moved so that the sum of their exponentials on every edge is what it was."""
    masses = [a.masked_fill(~involved, -torch.inf).logsumexp(-1, keepdim=True) for a in (before, alpha)]
    alpha += torch.where(involved, masses[0] - masses[1], 0)


VARIANTS = {"proxyless": Proxyless(), "proxyless-all": Proxyless(gates="all")}
SETTINGS = {"macro": dict(VARIANTS), "accel": dict(VARIANTS)}
