"""A supernet training step: the lean form of the cell against the plain one, which is its definition."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

from bench.nets.cell import Norm
from bench.nets.supernet import Shape, Supernet
from bench.spaces.nb201 import SPACE
from tests.perf.interleaved import table, timed


def darts_step(shape: Shape, batch: int, lean: bool) -> Callable[[], object]:
    """Forward, cross-entropy, backward to weights and alpha, SGD with momentum: one step on random images."""
    generator = torch.Generator().manual_seed(0)
    net = Supernet(SPACE, shape, Norm(), seed=0, lean=lean)
    images = torch.randn(batch, shape.image_channels, shape.image_size, shape.image_size, generator=generator)
    if lean:  # as `Batches` and `Task` lay them out
        net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        images = images.contiguous(memory_format=torch.channels_last)
    labels = torch.randint(0, shape.classes, (batch,), generator=generator)
    alpha = torch.nn.Parameter(1e-3 * torch.randn(6, 5, generator=generator))
    optimiser = torch.optim.SGD([*net.parameters(), alpha], lr=0.025, momentum=0.9, weight_decay=3e-4)

    def step() -> None:
        optimiser.zero_grad()
        F.cross_entropy(net(images, alpha.softmax(-1), SPACE.region), labels).backward()
        optimiser.step()

    return step


def main(rounds: int = 9) -> None:
    """Print both sizes."""
    for shape, calls in ((Shape(16, 5, 10, 3, 32), 1), (Shape(4, 1, 10, 3, 8), 10)):
        forms = {name: darts_step(shape, 64, lean) for name, lean in (("plain", False), ("lean", True))}
        title = f"DARTS step, C={shape.channels} N={shape.cells} {shape.image_size}x{shape.image_size}, batch 64, fp32"
        print(table(title, timed(forms, rounds, calls), "plain"), flush=True)
