"""Training one architecture alone, several seeds at once: the ground truth of a weight-sharing benchmark.

The seeds are the groups of grouped convolutions: activations are `[B, G * C, H, W]` with the channels of seed
0, then seed 1, and so on; weights are disjoint, so the result is that of G separate trainings, while every
kernel works on G times as much. All weights lie in one flat vector, which makes the optimiser four vector
operations. Macro skeleton, operations and initial widths are those of NAS-Bench-201 (Dong & Yang, ICLR 2020,
section 2): stem, three stages of cells with a stride-2 residual block between them, ReLU-Conv-BN operations
with trained affine and running statistics.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from bench.nets.convolve import convolve
from bench.nets.streams import torch_stream
from bench.spaces import nb201
from bench.spaces.space import Genotype
from bench.streams import numpy_stream

VERSION = 1  # raised by hand when the results of a training change
STAGES = 3
BN_MOMENTUM = 0.1


@dataclass(frozen=True)
class Training:
    """How a stand-alone network is built and trained. Part of a table's identity."""

    channels: int = 16  # of the first stage; doubled at each reduction
    cells: int = 1  # per stage
    images: int = 24_000  # training images per pass
    passes: int = 1
    batch: int = 64  # per seed
    learning_rate: float = 0.1  # peak; linear warm-up, then cosine to zero
    warmup: float = 0.05  # share of all steps
    momentum: float = 0.9  # Nesterov
    weight_decay: float = 5e-4


@dataclass(frozen=True)
class Split:
    """Normalised images `[n, C, H, W]`, whose dtype is that of all the arithmetic, and labels `[n]` int64."""

    images: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Outcome:
    """Per seed, arrays `[G]`: accuracy in percent and cross-entropy in nats on each evaluated split.

    A seed whose loss is not finite holds NaN everywhere; the other seeds are not touched by it.
    """

    accuracy: dict[str, np.ndarray]
    cross_entropy: dict[str, np.ndarray]
    seconds: float  # CPU seconds of training and evaluation, all seeds together


class SeedStack:
    """G copies of one stand-alone network, one per seed, in one set of grouped kernels.

    Operations off all input-output paths are not built. (NAS-Bench-201 has them; one that reads an empty node adds
    its trained shift to what it feeds.) Initial weights come from streams named by place (`stage/cell/edge`), so
    that a seed gives the same kernel to the same edge of different architectures: differences between architectures
    are less noisy for it.
    """

    def __init__(
        self,
        genotype: Genotype,
        seeds: Sequence[int],
        channels: int,
        cells: int,
        classes: int,
        image_channels: int,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.genotype = nb201.SPACE.live(genotype)
        self.seeds = tuple(seeds)
        self.cells = cells
        self.classes = classes
        self._values: list[Tensor] = []
        self._running: list[tuple[Tensor, Tensor]] = []  # mean and variance of every normalisation
        width = channels
        self._conv("stem", image_channels, width, 3)
        for stage in range(STAGES):
            if stage:
                self._conv(f"{stage}/reduce/a", width, 2 * width, 3)
                self._conv(f"{stage}/reduce/b", 2 * width, 2 * width, 3)
                self._weights(f"{stage}/reduce/skip", (2 * width, width, 1, 1))
                width *= 2
            for cell in range(cells):
                for edge, op in enumerate(self.genotype):
                    if op in (nb201.CONV1, nb201.CONV3):
                        self._conv(f"{stage}/{cell}/{edge}", width, width, 1 if op == nb201.CONV1 else 3)
        self._norm(width)
        bound = width**-0.5  # the head as torch.nn.Linear starts it
        heads = [torch.rand(width, classes, generator=torch_stream(s, "head")) * 2 - 1 for s in self.seeds]
        self._values += [torch.stack(heads) * bound, torch.zeros(len(self.seeds), 1, classes)]
        self._shapes = [v.shape for v in self._values]
        self._sizes = [v.numel() for v in self._values]
        self.weights = torch.cat([v.reshape(-1) for v in self._values]).to(dtype).requires_grad_()
        self._running = [(mean.to(dtype), var.to(dtype)) for mean, var in self._running]
        self._values = []

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
        for stage in range(STAGES):
            if stage:
                y = norm(conv(F.relu(norm(conv(F.relu(x), 2)))))
                x = y + conv(F.avg_pool2d(x, 2, 2))
            for _ in range(self.cells):
                x = self._cell(x, lambda h: norm(conv(h)))
        features = F.relu(norm(x)).mean((2, 3)).view(len(x), groups, -1).transpose(0, 1)
        head, bias = next(values), next(values)
        return torch.baddbmm(bias, features, head)

    def _cell(self, x: Tensor, conv_norm: Callable[[Tensor], Tensor]) -> Tensor:
        nodes: dict[int, Tensor] = {0: x}
        rectified: dict[int, Tensor] = {}
        pooled: dict[int, Tensor] = {}
        for edge, op in zip(nb201.SPACE.edges, self.genotype, strict=True):
            if op == nb201.NONE:
                continue
            source = edge.source
            if op == nb201.SKIP:
                y = nodes[source]
            elif op == nb201.POOL:
                if source not in pooled:
                    pooled[source] = F.avg_pool2d(nodes[source], 3, 1, 1, count_include_pad=False)
                y = pooled[source]
            else:
                if source not in rectified:
                    rectified[source] = F.relu(nodes[source])
                y = conv_norm(rectified[source])
            nodes[edge.target] = nodes[edge.target] + y if edge.target in nodes else y
        output = nb201.SPACE.output
        return nodes[output] if output in nodes else torch.zeros_like(x)


def learning_rate(step: int, steps: int, peak: float, warmup: float) -> float:
    """Linear warm-up over `warmup * steps`, times a half cosine from `peak` to zero."""
    return peak * min(1.0, (step + 1) / (warmup * steps + 1)) * 0.5 * (1 + math.cos(math.pi * step / steps))


def train(
    genotype: Genotype,
    seeds: Sequence[int],
    training: Training,
    train_set: Split,
    test_sets: dict[str, Split],
    classes: int,
) -> Outcome:
    """Train one architecture from each seed and evaluate it on the test sets.

    The result of a seed does not depend on which seeds it is stacked with (up to rounding).
    """
    start = time.process_time()
    images = train_set.images
    net = SeedStack(genotype, seeds, training.channels, training.cells, classes, images.shape[1], images.dtype)
    descend(net, training, train_set)
    accuracy, entropy = {}, {}
    for name, split in test_sets.items():
        accuracy[name], entropy[name] = evaluate(net, split)
    diverged = ~np.isfinite(list(entropy.values())).all(0)
    for values in (*accuracy.values(), *entropy.values()):
        values[diverged] = np.nan
    return Outcome(accuracy, entropy, time.process_time() - start)


def descend(net: SeedStack, training: Training, train_set: Split) -> None:
    """Train the weights in place: SGD with Nesterov momentum, every seed with its own order of the images.

    Momentum and weight decay as in torch.optim.SGD; all weights decay, as in NAS-Bench-201.
    """
    batch = training.batch  # images left over at the end of a pass are not used in it
    per_pass = training.images // batch
    steps = per_pass * training.passes
    velocity = torch.zeros_like(net.weights)
    orders = [numpy_stream(seed, "order") for seed in net.seeds]
    for step in range(steps):
        if step % per_pass == 0:
            order = torch.from_numpy(np.stack([rng.permutation(training.images) for rng in orders]))
        chosen = order[:, (step % per_pass) * batch :][:, :batch]  # [G, batch]
        logits = net.forward(_side_by_side(train_set.images[chosen]), train=True)
        loss = F.cross_entropy(logits.flatten(0, 1), train_set.labels[chosen].flatten()) * len(net.seeds)
        (gradient,) = torch.autograd.grad(loss, net.weights)
        rate = learning_rate(step, steps, training.learning_rate, training.warmup)
        with torch.no_grad():
            gradient.add_(net.weights, alpha=training.weight_decay)
            velocity.mul_(training.momentum).add_(gradient)
            net.weights.sub_(gradient.add_(velocity, alpha=training.momentum), alpha=rate)


def _side_by_side(images: Tensor) -> Tensor:
    """`[G, B, C, H, W]` to `[B, G * C, H, W]`, channels last in memory (1.4x to 1.6x faster on a CPU)."""
    return images.transpose(0, 1).flatten(1, 2).contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def evaluate(net: SeedStack, split: Split, chunk: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """Accuracy in percent and cross-entropy in nats per seed, arrays `[G]`, with running statistics."""
    groups = len(net.seeds)
    right = torch.zeros(groups, dtype=torch.float64)
    nats = torch.zeros(groups, dtype=torch.float64)
    for images, labels in zip(torch.split(split.images, chunk), torch.split(split.labels, chunk), strict=True):
        logits = net.forward(_side_by_side(images.expand(groups, *images.shape)), train=False)
        right += (logits.argmax(-1) == labels).sum(1)
        loss = F.cross_entropy(logits.flatten(0, 1), labels.repeat(groups), reduction="none")
        nats += loss.view(groups, -1).sum(1, dtype=torch.float64)
    return (100 * right / len(split.labels)).numpy(), (nats / len(split.labels)).numpy()
