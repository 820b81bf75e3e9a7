"""The networks of NAS-Bench-Macro (`bench.spaces.layout.WideningStages`) and of Accel-NASBench (`MobileBlocks`) on
shared weights.

Normalisation of the layers follows `Norm`; that of the stem and of the last convolution has a trained affine.
"""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from bench.nets.cell import State
from bench.nets.convolve import channels_last, convolve
from bench.nets.supernet import Supernet, pooled_head


class MacroNetwork(Supernet):
    """Stem, stages of layers, last convolution, head."""

    def __init__(self, *made: Any, **how: Any) -> None:
        super().__init__(*made, **how)
        self.stem, self.last = (nn.Parameter(self.drawn(name)) for name in ("stem", "last"))
        self.stem_norm, self.last_norm = (self.skeleton_norm(len(kernel)) for kernel in (self.stem, self.last))
        self.stages = nn.ModuleList(self.stretch(stage) for stage in range(self.inner.layout.stages))
        self.head = self.linear_head()

    def begin(self, images: Tensor) -> State:
        """The stem."""
        return (F.relu(self.stem_norm(convolve(channels_last(images), self.stem, self.fixed["stem"].stride))),)

    def end(self, state: State) -> Tensor:
        """The last convolution, average pooling, head."""
        return pooled_head(F.relu(self.last_norm(convolve(state[-1], self.last))), self.head)

    def behind(self) -> list[nn.Parameter]:
        """Those of the last convolution, its normalisation and the head."""
        return [self.last, *self.last_norm.parameters(), *self.head.parameters()]
