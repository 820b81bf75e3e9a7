"""DARTS: Differentiable Architecture Search (Liu, Simonyan & Yang, ICLR 2019, arXiv 1806.09055).

Every edge is the softmax-weighted sum of its operations (eq. 2). Alpha and weights take turns: alpha follows the
validation loss, the weights the training loss (algorithm 1).

First order (section 2.3, xi = 0) takes the gradient of the validation loss at the current weights. Second order
unrolls one weight step w' = w - xi dL_train(w, alpha) and corrects by a finite difference (eqs. 7 and 8):

    d_alpha L_valid(w', alpha) - xi (d_alpha L_train(w+, alpha) - d_alpha L_train(w-, alpha)) / (2 eps),
    w+- = w +- eps d_w' L_valid(w', alpha),  eps = 0.01 / ||d_w' L_valid||.

As in the authors' code the unrolled step includes momentum and weight decay, and xi is the current learning rate.
It costs five passes for one: four of them for alpha, three more than first order. The weights move in place and
are put back from one copy of the weights; there is no second network.

beta-DARTS (Ye et al., CVPR 2022, arXiv 2203.01665; Sunshine-Ye/Beta-DARTS) is first order with a penalty on alpha that
keeps architecture weights from drifting apart: `beta`, from 0 to 50 over the training, as in its code, which trains for
100 epochs. Deviation: it grows with every step, in the code with every epoch.

NAS-Bench-201 settings (Dong & Yang, ICLR 2020): see `Training`; their code moves the weights before alpha in a step.
Those of the DARTS space are the authors' code's, with plain momentum and less decay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from torch import Tensor

from bench.errors import BadSpec
from bench.images.batches import Batch
from bench.search.learner import Learner, Static, Training
from bench.search.optimisers import MOMENTUM
from bench.spaces.space import Region
from bench.store.spec import added, require_range
from methods.oneshot import OneShot


@dataclass(frozen=True)
class Darts(OneShot):
    """Softmax relaxation with alternating gradient steps."""

    version: ClassVar[int] = 1
    static: ClassVar[Static] = "mixture"
    order: Literal[1, 2] = 1
    eps: float = 0.01  # numerator of the finite difference's step, section 2.3
    beta: float = added(0.0)  # beta-DARTS: strength of its penalty at the end of the training

    def __post_init__(self) -> None:
        super().__post_init__()
        require_range(self, 0, "beta")
        if self.stopping is not None and self.order == 2:
            raise BadSpec("operations stop by the gradients of one validation pass; use order=1")

    @property
    def alpha_passes(self) -> int:
        """Second order: four passes, forward and back."""
        return 2 if self.order == 1 else 8

    def theta(self, learner: Learner) -> tuple[Tensor, Region]:
        """Softmax of alpha over the operations that the region allows (eq. 2)."""
        return learner.masked_alpha().softmax(-1), learner.region

    def step(self, learner: Learner, train: Batch, valid: Batch) -> None:
        """One Adam step on alpha."""
        learner.update_alpha(self.gradient(learner, train, valid))

    def gradient(self, learner: Learner, train: Batch, valid: Batch) -> Tensor:
        """The gradient `[E, O]` that alpha follows."""
        if self.order == 1:
            return learner.alpha_gradient(self.alpha_loss(learner, valid))
        with learner.meter.phase("unrolled"):
            unrolled = self.unrolled(learner, train, valid)
        return unrolled + learner.alpha_gradient(self.decay(learner)) if self.beta else unrolled

    def alpha_loss(self, learner: Learner, valid: Batch) -> Tensor:
        """The validation loss, and beta-DARTS's penalty where it has a strength."""
        loss = super().alpha_loss(learner, valid)
        return loss + self.decay(learner) if self.beta else loss

    def decay(self, learner: Learner) -> Tensor:
        """beta-DARTS: a strength that grows with training, times the mean over edges of the logarithm of the sum of
        exp(alpha)."""
        strength = learner.given(lambda: torch.tensor(self.beta * learner.progress))
        return strength * learner.masked_alpha().logsumexp(-1).mean()

    def unrolled(self, learner: Learner, train: Batch, valid: Batch) -> Tensor:
        """The second-order gradient of alpha `[E, O]` (eqs. 7 and 8)."""
        weights, xi = learner.weights, learner.optimiser.rate
        kept = [w.detach().clone() for w in weights]
        gradients = torch.autograd.grad(self._loss(learner, train), weights, allow_unused=True)
        with torch.no_grad():
            for w, g in zip(weights, gradients, strict=True):
                momentum = learner.optimiser.state[w].get(MOMENTUM)  # zeros before the first gradient
                move = learner.training.weight_decay * w
                move += 0 if g is None else g
                if momentum is not None:
                    move += learner.training.momentum * momentum
                w.sub_(xi * move)
        at_valid = torch.autograd.grad(self._loss(learner, valid), [learner.alpha, *weights], allow_unused=True)
        direct, direction = torch.zeros_like(learner.alpha) if at_valid[0] is None else at_valid[0], at_valid[1:]
        norm = torch.stack([d.norm() for d in direction if d is not None]).norm()
        radius = self.eps / norm
        ahead, behind = (self._alpha_gradient(learner, train, kept, direction, sign * radius) for sign in (1.0, -1.0))
        _put(weights, kept)
        return direct - xi * (ahead - behind) / (2 * radius)  # type: ignore[no-any-return]

    def _loss(self, learner: Learner, batch: Batch) -> Tensor:
        return learner.loss(batch, *self.theta(learner))

    def _alpha_gradient(
        self, learner: Learner, batch: Batch, at: Sequence[Tensor], direction: Sequence[Tensor | None], step: Tensor
    ) -> Tensor:
        """The gradient of alpha at weights `at + step * direction`."""
        _put(learner.weights, [w if d is None else w + step * d for w, d in zip(at, direction, strict=True)])
        return learner.alpha_gradient(self._loss(learner, batch))


@torch.no_grad()
def _put(weights: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    for w, v in zip(weights, values, strict=True):
        w.copy_(v)


TRAINING = Training(nesterov=False, weight_decay=3e-4)
VARIANTS = {
    "darts": Darts(),
    "darts-2nd": Darts(order=2),
    "beta-darts": Darts(replace(TRAINING, epochs=100), beta=50.0),
}
OWN_SPACE = {label: replace(search, training=TRAINING) for label, search in VARIANTS.items()}
SETTINGS = {"darts": OWN_SPACE, "darts-none": OWN_SPACE}
