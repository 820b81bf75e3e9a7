"""The random streams of `bench.streams` for torch."""

from __future__ import annotations

import torch

from bench.streams import entropy


def torch_stream(seed: int, name: str) -> torch.Generator:
    """The torch CPU generator of that name. Draws are made on the CPU, so they are equal on every device."""
    return torch.Generator().manual_seed(entropy(seed, name) >> 1)  # torch takes 63 bits
