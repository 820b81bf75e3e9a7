"""The fast form of training an architecture alone, for cells of one input in stages: several seeds at once.

The seeds are the groups of grouped convolutions: activations are `[B, G * C, H, W]` with the channels of seed
0, then seed 1, and so on; weights are disjoint, so the result is that of G separate trainings, while every
kernel works on G times as much. All weights lie in one flat vector, which makes the optimiser four vector
operations. Macro skeleton, operations and initial widths are those of NAS-Bench-201 (Dong & Yang, ICLR 2020,
section 2): stem, three stages of cells with a stride-2 residual block between them, ReLU-Conv-BN operations
with trained affine and running statistics.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeGuard

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.nets import lean
from bench.nets.convolve import convolve, halved
from bench.nets.streams import torch_stream
from bench.spaces.dag import Dag
from bench.spaces.layout import ResidualStages, Shape
from bench.spaces.operations import Convolution
from bench.spaces.space import Genotype, Space
from bench.streams import numpy_stream
from bench.truth.recipe import Labelled, Recipe, orders

BN_MOMENTUM = 0.1


def serves(space: Space) -> TypeGuard[Dag]:
    """Whether this form knows the network and all operations of a space."""
    return isinstance(space, Dag) and type(space.layout) is ResidualStages and lean.serves(space)


class SeedStack:
    """G copies of one stand-alone network, one per seed, in one set of grouped kernels.

    Operations off all input-output paths are not built. (NAS-Bench-201 has them; one that reads an empty node adds
    its trained shift to what it feeds.) Initial weights come from streams named by place (`stage/cell/edge`), so
    that a seed gives the same kernel to the same edge of different architectures: differences between architectures
    are less noisy for it.
    """

    chunk = 100

    def __init__(
        self,
        space: Dag,
        genotype: Genotype,
        seeds: Sequence[int],
        shape: Shape,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.space, self.shape = space, shape
        self.genotype = space.live(genotype)
        self.seeds = tuple(seeds)
        self._values: list[Tensor] = []
        self._running: list[tuple[Tensor, Tensor]] = []  # mean and variance of every normalisation
        width = self._body()
        self._norm(width)
        bound = width**-0.5  # the head as torch.nn.Linear starts it
        heads = [torch.rand(width, shape.classes, generator=torch_stream(s, "head")) * 2 - 1 for s in self.seeds]
        self._values += [torch.stack(heads) * bound, torch.zeros(len(self.seeds), 1, shape.classes)]
        self._shapes = [v.shape for v in self._values]
        self._sizes = [v.numel() for v in self._values]
        self.weights = torch.cat([v.reshape(-1) for v in self._values]).to(dtype).requires_grad_()
        self._running = [(mean.to(dtype), var.to(dtype)) for mean, var in self._running]
        self._values = []

    def _body(self) -> int:
        """Draw what stands before the head. Returns the width of the last stage."""
        width = self.shape.channels
        self._conv("stem", self.shape.image_channels, width, 3)
        for stage in range(self.space.layout.stages):
            if stage:
                self._conv(f"{stage}/reduce/a", width, 2 * width, 3)
                self._conv(f"{stage}/reduce/b", 2 * width, 2 * width, 3)
                self._weights(f"{stage}/reduce/skip", (2 * width, width, 1, 1))
                width *= 2
            for cell in range(self.shape.cells):
                for edge, op in enumerate(self.genotype):
                    operation = self.space.operations[op]
                    if isinstance(operation, Convolution):
                        self._conv(f"{stage}/{cell}/{edge}", width, width, operation.size)
        return width

    def _weights(self, name: str, shape: tuple[int, int, int, int]) -> None:
        """He-normal kernels by fan-out, one per seed; held in channels-last order, as the convolutions want them."""
        scale = (2.0 / (shape[0] * shape[2] * shape[3])) ** 0.5
        draws = [torch.randn(shape, generator=torch_stream(seed, name)) for seed in self.seeds]
        self._values.append((torch.cat(draws) * scale).permute(0, 2, 3, 1))

    def _norm(self, width: int) -> None:
        n = len(self.seeds) * width
        self._values += [torch.ones(n), torch.zeros(n)]
        self._running.append((torch.zeros(n), torch.ones(n)))

    def _conv(self, name: str, inputs: int, outputs: int, size: int) -> None:
        self._weights(name, (outputs, inputs, size, size))
        self._norm(outputs)

    def parts(self) -> list[Tensor]:
        """Views of `weights` in the order in which the network uses them: kernels `[G * out, k, k, in]`, scales and
        shifts `[G * channels]`, the head `[G, channels, classes]` and its bias `[G, 1, classes]`."""
        return [v.view(s) for v, s in zip(torch.split(self.weights, self._sizes), self._shapes, strict=True)]

    def forward(self, images: Tensor, train: bool) -> Tensor:
        """Logits `[G, B, classes]` of images `[B, G * C, H, W]`."""
        values = iter(self.parts())
        running = iter(self._running)
        groups = len(self.seeds)

        def norm(x: Tensor) -> Tensor:
            mean, var = next(running)
            return F.batch_norm(x, mean, var, next(values), next(values), train, BN_MOMENTUM)

        def conv(x: Tensor, stride: int = 1) -> Tensor:
            return convolve(x, next(values).permute(0, 3, 1, 2), stride, groups)

        x = norm(conv(images))
        for stage in range(self.space.layout.stages):
            if stage:
                y = norm(conv(F.relu(norm(conv(F.relu(x), 2)))))
                x = y + conv(halved(x))
            for _ in range(self.shape.cells):
                x = self._cell(x, lambda h: norm(conv(h)))
        features = F.relu(norm(x)).mean((2, 3)).view(len(x), groups, -1).transpose(0, 1)
        head, bias = next(values), next(values)
        return torch.baddbmm(bias, features, head)

    def _cell(self, x: Tensor, conv_norm: Callable[[Tensor], Tensor]) -> Tensor:
        nodes: dict[int, Tensor] = {0: x}
        rectified: dict[int, Tensor] = {}
        pooled: dict[int, Tensor] = {}
        for edge, op in zip(self.space.edges, self.genotype, strict=True):
            if op == self.space.none:
                continue
            source = edge.source
            if op == self.space.skip:
                y = nodes[source]
            elif op == self.space.pool:
                if source not in pooled:
                    pooled[source] = F.avg_pool2d(nodes[source], 3, 1, 1, count_include_pad=False)
                y = pooled[source]
            else:
                if source not in rectified:
                    rectified[source] = F.relu(nodes[source])
                y = conv_norm(rectified[source])
            nodes[edge.target] = nodes[edge.target] + y if edge.target in nodes else y
        output = self.space.output
        return nodes[output] if output in nodes else torch.zeros_like(x)

    def logits(self, images: Tensor) -> Tensor:
        """See `bench.truth.recipe.Networks`."""
        return self.forward(_side_by_side(images.expand(len(self.seeds), *images.shape)), train=False)

    def descend(self, recipe: Recipe, train_set: Labelled) -> None:
        """See `bench.truth.recipe.Networks`."""
        velocity = torch.zeros_like(self.weights)
        rngs = [numpy_stream(seed, "order") for seed in self.seeds]
        for step in range(recipe.steps):
            at = step % recipe.per_pass
            if at == 0:
                order = orders(rngs, recipe.images)
            chosen = order[:, at * recipe.batch :][:, : recipe.batch]  # [G, batch]
            logits = self.forward(_side_by_side(train_set.images[chosen]), train=True)
            loss = F.cross_entropy(logits.flatten(0, 1), train_set.labels[chosen].flatten()) * len(self.seeds)
            (gradient,) = torch.autograd.grad(loss, self.weights)
            if recipe.clip is not None:
                self._clip(gradient, recipe.clip)
            with torch.no_grad():
                gradient.add_(self.weights, alpha=recipe.weight_decay)
                velocity.mul_(recipe.momentum).add_(gradient)
                self.weights.sub_(gradient.add_(velocity, alpha=recipe.momentum), alpha=recipe.rate(step))

    def _clip(self, gradient: Tensor, most: float) -> None:
        """Shorten the gradient of every seed to a norm of `most`, in place, as torch does it."""
        parts = [part.view(len(self.seeds), -1) for part in torch.split(gradient, self._sizes)]
        norm = torch.linalg.vector_norm(torch.cat(parts, dim=1), dim=1, keepdim=True)
        for part in parts:
            part.mul_((most / (norm + 1e-6)).clamp(max=1))


def _side_by_side(images: Tensor) -> Tensor:
    """`[G, B, C, H, W]` to `[B, G * C, H, W]`, channels last in memory (1.4x to 1.6x faster on a CPU)."""
    return images.transpose(0, 1).flatten(1, 2).contiguous(memory_format=torch.channels_last)
