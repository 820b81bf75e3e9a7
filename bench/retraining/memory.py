"""What memory and disk a training takes, found from one pass of two images on the CPU, held against what there is."""

from __future__ import annotations

from pathlib import Path

import torch

from bench.errors import BadSpec
from bench.nets.darts_alone import DartsAlone
from bench.runs import room
from bench.runs.needs import NUMBER, PROBED, RECORD, saved
from bench.runs.room import in_words
from bench.spaces.space import Region

SPARE = 1.2
"""What else is in use while a step runs, as a factor: gradients on their way, a library's work space."""


def needed(net: DartsAlone, region: Region, images: int) -> int:
    """Bytes that a step of so many images keeps: weights, gradients and momentum, and what the way back needs."""
    shape, before = net.shape, [buffer.clone() for buffer in net.buffers()]
    blank = torch.zeros(PROBED, shape.image_channels, *[shape.image_size] * 2)
    kept = saved(lambda: net.train().trained(blank, region, None), net.parameters())
    with torch.no_grad():
        for buffer, value in zip(net.buffers(), before, strict=True):
            buffer.copy_(value)
    return int(SPARE * (3 * NUMBER * _weights(net) + kept / PROBED * images))


def on_disk(net: DartsAlone) -> int:
    """Bytes of a record, and of two checkpoints: one is written before the other goes."""
    return RECORD + 2 * 2 * NUMBER * _weights(net)


def _weights(net: DartsAlone) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def require(
    net: DartsAlone, region: Region, images: int, device: torch.device, processes: int = 1, folder: Path | None = None
) -> str:
    """A line on what a training takes of what there is. Raises BadSpec where it would not fit.

    processes: how many share the memory of the device. folder: of the results.
    """
    wanted, there = needed(net, region, images) * processes, room.of_device(device)
    if folder is not None:
        room.require_disk(folder, on_disk(net), "a training takes")
    size = f"a step of {images} images takes about {in_words(wanted)}"
    if there is None:
        return f"{size} of memory"
    if wanted > there:
        raise BadSpec(
            f"{size} of memory, and {device} has {in_words(there)} free: choose a smaller --scale, or more --devices"
        )
    return f"{size} of the {in_words(there)} that are free on {device}"
