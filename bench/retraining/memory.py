"""What memory a training takes, found from one pass of two images on the CPU, and what there is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench.errors import BadSpec
from bench.nets.darts_alone import DartsAlone
from bench.spaces.space import Region

SPARE = 1.2
"""What else is in use while a step runs, as a factor: gradients on their way, a library's work space."""

PROBED = 2  # images


def needed(net: DartsAlone, region: Region, images: int) -> int:
    """Bytes that a step of so many images keeps: weights, gradients and momentum, and what the way back needs."""
    shape, kept = net.shape, dict[int, int]()

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    def back(tensor: Any) -> Any:
        return tensor

    before = [buffer.clone() for buffer in net.buffers()]
    with torch.autograd.graph.saved_tensors_hooks(note, back):
        made = net.train().trained(torch.zeros(PROBED, shape.image_channels, *[shape.image_size] * 2), region, None)
    with torch.no_grad():
        for buffer, value in zip(net.buffers(), before, strict=True):
            buffer.copy_(value)
    del made
    weights = {p.untyped_storage().data_ptr(): p.untyped_storage().nbytes() for p in net.parameters()}
    saved = sum(size for pointer, size in kept.items() if pointer not in weights)
    return int(SPARE * (3 * sum(weights.values()) + saved / PROBED * images))


def free(device: torch.device) -> int | None:
    """Bytes that are free on a device; None where that cannot be known."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def require(net: DartsAlone, region: Region, images: int, device: torch.device, processes: int = 1) -> str:
    """A line on what a training takes of what there is. Raises BadSpec where it would not fit.

    processes: how many share the memory of the device.
    """
    wanted, there = needed(net, region, images) * processes, free(device)
    if there is None:
        return f"a step of {images} images takes about {_in_words(wanted)} of memory"
    if wanted > there:
        raise BadSpec(
            f"a step of {images} images takes about {_in_words(wanted)} of memory, and {device} has {_in_words(there)} "
            "free: choose a smaller --scale, or more --devices"
        )
    return (
        f"a step of {images} images takes about {_in_words(wanted)} of the {_in_words(there)} that are free on {device}"
    )


def _in_words(size: int) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"
