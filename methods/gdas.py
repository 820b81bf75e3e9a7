"""GDAS: Searching for a Robust Neural Architecture in Four GPU Hours (Dong & Yang, CVPR 2019, arXiv 1910.04465).

An architecture is drawn for every forward pass: on every edge the operation of the largest alpha + Gumbel noise. Only
it is computed. The gradient of alpha is that of the softmax of the same noised alpha at a temperature (straight
through), which falls linearly from 10 to 0.1. Alpha and weights take turns on validation and training batches.

NAS-Bench-201 settings are those of its authors' code (D-X-Y/AutoDL-Projects, GDAS.config): 250 epochs. On spaces whose
architectures drop edges a pass computes one operation on every edge, as that code does there. Deviations:

- An operation that is not drawn gives nothing to the gradient. In the code its weight, which is 0, is added to every
  number of the sum at a node, so that its gradient is the sum of the node's; the code's later form
  (`forward_gdas_v1`) leaves that out, as the paper does.
- The temperature falls with every step, in the code with every epoch.
- Alpha's gradient does not count in the norm that is clipped.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor

from bench.search.learner import Learner, Training
from bench.spaces.space import Region
from methods.gumbel import Heated, hard


@dataclass(frozen=True)
class Gdas(Heated):
    """Hard Gumbel-softmax: one operation per edge and pass."""

    version: ClassVar[int] = 1
    samples: ClassVar[bool] = True
    training: Training = Training(epochs=250)
    temperature: float = 10.0

    def theta(self, learner: Learner) -> tuple[Tensor, Region]:
        """One-hot rows with the gradient of the softmax sample, and the region of the drawn operations."""
        noised, heat = self.noised(learner)
        drawn = noised.detach().argmax(-1)
        return hard((noised / heat).softmax(-1), drawn), Region.of([{op} for op in drawn.tolist()])


VARIANTS = {"gdas": Gdas()}
SETTINGS = {space: {"gdas": Gdas(replace(Gdas().training, batch=256))} for space in ("darts", "darts-none")}
