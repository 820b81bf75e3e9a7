"""PC-DARTS: Partial Channel Connections for Memory-Efficient Architecture Search (Xu et al., ICLR 2020, arXiv
1907.05737).

Operations see a quarter of the channels; the others pass beside them (section 3.1, `share`, which any search may take).
That makes alpha less sure of which edge matters, so every edge has a second parameter: the softmax of it over the edges
into a node multiplies the edge's architecture weights (edge normalisation, section 3.2). Alpha waits for the first 15
of 50 epochs.

Settings are those of the authors' code (yuhuixu1993/PC-DARTS) on the DARTS space; on NAS-Bench-201, where they have
none, those of DARTS there. Deviations:

- Edge parameters start at 0, in the code at 0.001 times a normal draw.
- An architecture is estimated on the supernet's shared weights with partial channels, too.
- On `macro`, whose edges alone enter their node, edges weigh 1; layers that change the width see all channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bench.images.batches import Batch
from bench.search.learner import Learner, Training
from bench.spaces.space import Genotype, Region, Space
from methods.darts import Darts

EDGES = "edges"
"""The name of the second parameter."""


@dataclass(frozen=True)
class PcDarts(Darts):
    """Partial channels and edge normalisation."""

    version: ClassVar[int] = 1
    waits: float = 0.3
    share: int = 4

    def more(self, space: Space) -> Mapping[str, Tensor]:
        """A number `[E]` for every edge."""
        return {EDGES: torch.zeros(len(space.edges))}

    def theta(self, learner: Learner) -> tuple[Tensor, Region]:
        """Softmax of alpha times the edge's share of its node."""
        theta, region = super().theta(learner)
        siblings = learner.given(lambda: same_target(learner.space))
        return theta * edge_shares(learner.more[EDGES], siblings)[:, None], region

    def step(self, learner: Learner, train: Batch, valid: Batch) -> None:
        """One Adam step on alpha and on the edges."""
        learner.update_alpha(**learner.architecture_gradients(self.alpha_loss(learner, valid)))

    def expected(self, learner: Learner) -> Tensor:
        """The products."""
        return self.theta(learner)[0].detach()

    def decoded(self, learner: Learner) -> Genotype:
        """By the products, by which edges are compared too."""
        return learner.space.best(self.expected(learner).double().cpu().numpy(), learner.region)


def same_target(space: Space) -> Tensor:
    """`[E, E]`, true where two edges end in the same node."""
    ends = [(edge.cell, edge.target) for edge in space.edges]
    return torch.tensor([[a == b for b in ends] for a in ends])


def edge_shares(edges: Tensor, siblings: Tensor) -> Tensor:
    """The softmax `[E]` of every edge's number over the edges of its node."""
    return edges.expand(len(edges), -1).masked_fill(~siblings, -torch.inf).softmax(-1).diagonal()


VARIANTS = {"pc-darts": PcDarts()}
OF_CODE = Training(
    batch=256, learning_rate=0.1, learning_rate_end=0.0, nesterov=False, weight_decay=3e-4, alpha_rate=6e-4
)
SETTINGS = {space: {"pc-darts": PcDarts(OF_CODE)} for space in ("darts", "darts-none")}
