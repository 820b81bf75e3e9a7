"""Whether a network is what its space and layout say of it: looked at once, before anything trains."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from bench.errors import BadSpace, BenchError
from bench.nets.operations import Norm
from bench.nets.supernet import Supernet, network_of
from bench.spaces.cells import CellSpace
from bench.spaces.layout import Shape
from bench.spaces.space import Space

SMALL = Shape(channels=4, cells=1, classes=3, image_channels=2, image_size=16)


@lru_cache
def check_network(space: Space) -> None:
    """Build a small network of a space twice, and let one image pass. Raises BadSpace, in one line, where it cannot be
    built or computed, or differs from what is said of it."""
    make = network_of(space)
    shape = replace(SMALL, image_size=space.layout.side_tried) if isinstance(space, CellSpace) else SMALL
    try:
        one, other = (make(space, shape, Norm(), 0, lean=False) for _ in range(2))
        faults = list(_faults(one, other))
    except BenchError:
        raise
    except Exception as error:  # whatever a network of somebody else's does wrong
        said = " ".join(str(error).split())
        raise BadSpace(f"{space.network} cannot be built for {space.name}: {type(error).__name__}: {said}") from error
    if faults:
        raise BadSpace(f"{space.network} of {space.name} {faults[0]}")


def _faults(one: Supernet, other: Supernet) -> Iterator[str]:
    images = torch.ones(1, SMALL.image_channels, one.shape.image_size, one.shape.image_size)
    with FlopCounterMode(display=False) as counter:
        state = one.through(images, None, one.space.region)
        logits = one.end(state)
    if logits.shape != (1, SMALL.classes):
        yield f"gives logits of shape {list(logits.shape)} for one image of {SMALL.classes} classes"
    if not all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True)):
        yield "starts otherwise from the same seed; draw weights by `drawn`, `uniform` and `linear_head` alone"
    counted, said = counter.get_total_flops() // 2, one.multiply_adds(one.space.region)
    if counted != said:
        yield f"takes {counted:,} multiply-adds where its layout says {said:,}; see `places` and `fixed`"
    behind = _reached(one, one.end(tuple(part.detach() for part in state)))
    if behind != {id(p) for p in one.behind()}:
        yield "uses other parameters in `end` than it names in `behind`"
    outside = {id(p) for p in one.parameters()} - behind - {id(p) for p in one.stages.parameters()}
    if outside - _reached(one, *one.begin(images)) != {id(p) for p in one.between()}:
        yield "uses other parameters between cells than it names in `between`"


def _reached(net: Supernet, *outputs: Tensor) -> set[int]:
    """The parameters that outputs depend on."""
    parameters = list(net.parameters())
    total = torch.stack([output.sum() for output in outputs]).sum()
    if not total.requires_grad:
        return set()
    gradients = torch.autograd.grad(total, parameters, allow_unused=True)
    return {id(p) for p, gradient in zip(parameters, gradients, strict=True) if gradient is not None}
