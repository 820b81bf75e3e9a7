"""From the space `macro` to ImageNet: what a chain that was found on small images may be worth as a network of `accel`.

Chains have no ImageNet accuracy, and networks of Accel-NASBench have blocks that chains lack. The correspondence is
ours and no paper's, and what follows from it is a prediction (`kind` is surrogate):

- Blocks correspond by how often the image was halved: stages 0 and 1 to blocks 1 and 2, stage 2 to blocks 3 and 4.
- A block has as many layers as the stage has blocks of MobileNetV2, one at least.
- It takes the option that most of them have, the larger of equals: kernel 3 with expansion 4, the nearest to 3, or
  kernel 5 with expansion 6. A stage without any has kernel 3 and expansion 1.
- The other blocks are those of EfficientNet-B0. No block has squeeze-and-excitation, as chains have none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bench.spaces import accel, macro
from bench.spaces.operations import mobile
from bench.spaces.space import Genotype, Space
from bench.store.names import slug
from bench.truth import Kind, Reference, Target
from bench.truth.surrogate import Surrogate

VERSION = 1  # raised by hand when the correspondence changes
STAGE_OF = {1: 0, 2: 1, 3: 2, 4: 2}
"""Block of `accel`: stage of `macro`."""
OTHERS = {0: mobile(1, 3, 1, False), 5: mobile(6, 5, 4, False), 6: mobile(6, 3, 1, False)}
"""What the blocks without a counterpart are."""
OPTIONS = {"ir_3x3_t3": (4, 3), "ir_5x5_t6": (6, 5)}
"""Expansion and kernel, by the name in `macro`; the larger stands last."""


def corresponding(genotype: Genotype) -> Genotype:
    """The network of `accel` that a chain of `macro` corresponds to."""
    chosen = []
    for block in range(len(accel.SPACE.edges)):
        if block in OTHERS:
            name = OTHERS[block].name
        else:
            kind = macro.CELLS[STAGE_OF[block]].name
            layers = [macro.OPS[genotype[edge]] for edge, _ in macro.SPACE.of_cell(kind)]
            name = _block([layer for layer in layers if layer in OPTIONS])
        chosen.append(accel.OPS.index(name))
    return tuple(chosen)


def _block(layers: Sequence[str]) -> str:
    if not layers:
        return mobile(1, 3, 1, False).name
    places = list(OPTIONS)
    most = max(OPTIONS, key=lambda name: (layers.count(name), places.index(name)))
    expansion, size = OPTIONS[most]
    return mobile(expansion, size, len(layers), False).name


class Transferred:
    """`GroundTruth` of `macro` by prediction of what corresponds."""

    kind: Kind = "surrogate"
    space: Space = macro.SPACE

    def __init__(self, inner: Surrogate) -> None:
        self.inner, self.name = inner, slug("transfer", inner.name)
        self.checksum = hashlib.blake2b(repr((VERSION, inner.checksum)).encode(), digest_size=16).hexdigest()

    @property
    def about(self) -> str:
        """What it is, in a line."""
        return f"{self.name} predicts what blocks that correspond, by a rule of ours, are worth; {self.inner.about}"

    def targets(self) -> Mapping[str, Target]:
        """That of the surrogate."""
        return self.inner.targets()

    def scores(self, genotypes: Sequence[Genotype], dataset: str) -> NDArray[np.float64]:
        """`[n, 2]`: no validation accuracy, and the predicted one. Raises NoSuchEntry, BadGenotype."""
        return self.inner.scores([corresponding(self.space.check(genotype)) for genotype in genotypes], dataset)

    def reference(self, dataset: str) -> Reference:
        """What is predicted of all chains. Raises NoSuchEntry."""
        predicted = self._all if dataset in self.targets() else self.scores((), dataset)[:, 1]
        return Reference(self.space.population.about, np.full(len(predicted), np.nan), predicted, None)

    @cached_property
    def _all(self) -> NDArray[np.float64]:
        return self.scores(list(self.space.population), next(iter(self.targets())))[:, 1]
