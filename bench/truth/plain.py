"""The plain form of training an architecture alone: a supernet of its space for each seed, which holds nothing else.

It serves every space that has a network. A fast form that stands beside it (`bench.truth.stacked`) is held to it by
tests.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.nets.operations import Norm
from bench.nets.supernet import Supernet, network_of
from bench.spaces.layout import Shape
from bench.spaces.space import Genotype, Space
from bench.streams import numpy_stream
from bench.truth.recipe import Labelled, Recipe, orders

NORM = Norm("running", affine=True)


class OneByOne:
    """Networks that are trained one after the other.

    Initial weights come from the streams of a supernet's weights, so that a seed gives the same kernel to the same
    operation on the same edge of different architectures: differences between architectures are less noisy for it.
    """

    chunk = 1_000

    def __init__(
        self,
        space: Space,
        genotype: Genotype,
        seeds: Sequence[int],
        shape: Shape,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.seeds, self.region = tuple(seeds), space.alone(genotype)
        made = network_of(space)
        nets = [made(space, shape, NORM, seed, "alone", region=self.region) for seed in self.seeds]
        self.nets: list[Supernet] = [net.to(dtype) for net in nets]

    def descend(self, recipe: Recipe, train_set: Labelled) -> None:
        """See `bench.truth.recipe.Networks`."""
        for seed, net in zip(self.seeds, self.nets, strict=True):
            self._descend(net, seed, recipe, train_set)

    def _descend(self, net: Supernet, seed: int, recipe: Recipe, train_set: Labelled) -> None:
        rng, decay = numpy_stream(seed, "order"), recipe.weight_decay
        weights = list(net.parameters())
        sgd = torch.optim.SGD(weights, 1.0, recipe.momentum, weight_decay=decay, nesterov=True, foreach=True)
        net.train()
        for step in range(recipe.steps):
            at = step % recipe.per_pass
            if at == 0:
                order = orders([rng], recipe.images)[0]
            chosen = order[at * recipe.batch :][: recipe.batch]
            loss = F.cross_entropy(net(train_set.images[chosen], None, self.region), train_set.labels[chosen])
            sgd.zero_grad()
            loss.backward()
            if recipe.clip is not None:
                torch.nn.utils.clip_grad_norm_(weights, recipe.clip)
            sgd.param_groups[0]["lr"] = recipe.rate(step)
            sgd.step()

    def logits(self, images: Tensor) -> Tensor:
        """See `bench.truth.recipe.Networks`."""
        return torch.stack([net.eval()(images, None, self.region) for net in self.nets])
