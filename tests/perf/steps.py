"""A supernet training step: the lean form of the cell against the plain one, which is its definition."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from bench.errors import BadSpec
from bench.nets import nb201
from bench.nets.operations import Norm
from bench.nets.supernet import Precision, network_of
from bench.search.optimisers import SGD
from bench.spaces import darts
from bench.spaces.layout import Shape
from bench.spaces.nb201 import SPACE
from bench.spaces.space import Region, Space
from tests.perf.interleaved import table, timed


def darts_step(
    shape: Shape,
    batch: int,
    lean: bool,
    precision: Precision = "fp32",
    region: Region | None = None,
    space: Space = SPACE,
) -> Callable[[], object]:
    """Forward, cross-entropy, backward to weights and alpha, SGD with momentum: one step on random images.

    The lean form has the layout and the optimiser that `Task` and `Learner` give it, and other forms torch's defaults.
    """
    generator = torch.Generator().manual_seed(0)
    region = space.region if region is None else region
    net = network_of(space)(space, shape, Norm(), seed=0, lean=lean, precision=precision)
    images = torch.randn(batch, shape.image_channels, shape.image_size, shape.image_size, generator=generator)
    if lean:
        net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        images = images.contiguous(memory_format=torch.channels_last)
    labels = torch.randint(0, shape.classes, (batch,), generator=generator)
    alpha = torch.nn.Parameter(1e-3 * torch.randn(len(space.edges), len(space.ops), generator=generator))
    moved, rate, momentum, decay = [*net.parameters(), alpha], 0.025, 0.9, 3e-4
    optimiser: SGD | torch.optim.SGD = torch.optim.SGD(moved, rate, momentum, weight_decay=decay)
    if lean:
        optimiser = SGD(moved, rate, momentum, nesterov=False, decay=decay)
    allowed = torch.from_numpy(region.mask(len(space.ops)))

    def step() -> None:
        optimiser.zero_grad()
        theta = alpha.masked_fill(~allowed, -torch.inf).softmax(-1)
        F.cross_entropy(net(images, theta, region), labels).backward()
        optimiser.step()

    return step


def peer_step(checkout: Path, shape: Shape, batch: int) -> Callable[[], object]:
    """The same step by the supernet of a peer's checkout, on the same shapes. Raises BadSpec where it has none.

    Looked for: the DARTS supernet for NAS-Bench-201 cells of AutoDL-Projects and of codes that grew out of it, which is
    `TinyNetworkDarts(C, N, nodes, classes, operations, affine, track_running_stats)` in a package `models` or
    `xautodl.models`, with `alphas` among its parameters and logits as the last of its outputs.
    """
    network = _peer_network(checkout, shape)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(batch, shape.image_channels, shape.image_size, shape.image_size, generator=generator)
    labels = torch.randint(0, shape.classes, (batch,), generator=generator)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.025, momentum=0.9, weight_decay=3e-4)

    def step() -> None:
        optimiser.zero_grad()
        F.cross_entropy(network(images)[-1], labels).backward()
        optimiser.step()

    return step


def _peer_network(checkout: Path, shape: Shape) -> Any:
    sys.path[:0] = [str(checkout), str(checkout / "lib")]
    tried = []
    for package in ("xautodl.models.cell_searchs", "models.cell_searchs"):
        try:
            kind = importlib.import_module(f"{package}.search_model_darts").TinyNetworkDarts
        except ImportError as error:
            tried.append(f"{package}: {error}")
            continue
        operations = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]
        return kind(shape.channels, shape.cells, 4, shape.classes, operations, False, False)
    raise BadSpec(f"{checkout} has no NAS-Bench-201 DARTS supernet that can be imported ({'; '.join(tried)})")


LARGE, QUICK, SMALL = Shape(16, 5, 10, 3, 32), Shape(8, 1, 10, 3, 8), Shape(4, 1, 10, 3, 8)

HALVED = Region.of([{0, 3}, {1, 2}, {3, 4}, {0, 3}, {1, 2}, {3, 4}])
"""A leaf of a partition tree: two operations on every edge, among them four of six 3x3 and two of six 1x1 kernels."""


def main(rounds: int = 9, peer: Path | None = None) -> None:
    """Print three sizes: forms of the step, and regions with fewer operations."""
    for shape, calls in ((LARGE, 1), (QUICK, 5), (SMALL, 10)):
        size = f"C={shape.channels} N={shape.cells} {shape.image_size}x{shape.image_size}, batch 64"
        forms = {name: darts_step(shape, 64, lean) for name, lean in (("plain", False), ("lean", True))}
        forms["lean, bf16"] = darts_step(shape, 64, True, "bf16")
        if peer is not None:
            forms[f"peer {peer.name}"] = peer_step(peer, shape, 64)
        print(table(f"DARTS step, {size}", timed(forms, rounds, calls), "plain"), flush=True)
        base = nb201.NB201Network(SPACE, shape, Norm(), seed=0)
        regions = {"whole space": SPACE.region, "two operations an edge": HALVED}
        regions["one path"] = Region.of([{3}, {1}, {2}, {4}, {3}, {1}])
        shares = {
            name: base.multiply_adds(region) / base.multiply_adds(SPACE.region) for name, region in regions.items()
        }
        by_region = {
            f"{name} ({shares[name]:.0%} of MACs)": darts_step(shape, 64, True, region=region)
            for name, region in regions.items()
        }
        print(table(f"DARTS step by region, {size}, fp32", timed(by_region, rounds, calls), next(iter(by_region))))
    darts_space(rounds)


def darts_space(rounds: int) -> None:
    """Print the same of cells of two inputs and seven operations an edge, in networks of five cells."""
    for shape in (Shape(4, 1, 10, 1, 8), Shape(8, 1, 10, 1, 8), Shape(16, 1, 10, 1, 8), Shape(16, 1, 10, 3, 32)):
        size = f"C={shape.channels} N={shape.cells} {shape.image_size}x{shape.image_size}, batch 64"
        forms = {
            name: darts_step(shape, 64, lean, space=darts.SPACE) for name, lean in (("plain", False), ("lean", True))
        }
        print(table(f"DARTS step in the space darts, {size}", timed(forms, rounds, 1), "plain"), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", type=Path, help="a checkout of AutoDL-Projects, or of a code that grew out of it")
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    main(arguments.rounds, arguments.peer)
