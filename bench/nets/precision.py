"""The arithmetic of passes on a GPU, where convolutions and matrix products may round their factors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from bench.nets.supernet import Precision


@contextmanager
def arithmetic(device: torch.device, precision: Precision) -> Iterator[None]:
    """Passes inside, forward and back, take TF32 products only where `precision` says so.

    torch's own default differs between convolutions (on) and matrix products (off), so both are said. On a CPU there is
    no such choice.
    """
    if device.type != "cuda":
        yield
        return
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    _allow(precision == "tf32", precision == "tf32")
    try:
        yield
    finally:
        _allow(*before)


def _allow(convolutions: bool, products: bool) -> None:
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = convolutions, products
