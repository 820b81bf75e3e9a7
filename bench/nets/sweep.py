"""Many architectures on one trained supernet, each exactly as `Supernet.forward` would score it alone.

Architectures that are one function on shared weights are computed once (`Space.functions`). Where a skeleton has a fast
form for this (`bench.nets.nb201_sweep`), that is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from bench.images.batches import Batch
from bench.nets import nb201_sweep
from bench.nets.supernet import Supernet
from bench.spaces.space import Genotype

KEPT_BYTES = 512 * 2**20
"""What outputs of first-cell edges may take, by default; those beyond are computed again when needed. In NAS-Bench-201
they are at most 24 of one activation each and, with one cell per stage, 12 shortcuts of half that size."""


def scores(
    supernet: Supernet,
    batches: Iterable[Batch],
    genotypes: Sequence[Genotype],
    charge: Callable[[int, int], None] = lambda images, multiply_adds: None,
    kept_bytes: int = KEPT_BYTES,
    tell: Callable[[float], None] = lambda share: None,
) -> NDArray[np.float64]:
    """`[n, 2]` accuracy [0, 1] and cross-entropy (nats) of each genotype, in the order asked.

    supernet: in evaluation mode. Batch statistics are those of each batch. kept_bytes bounds what is kept between
    architectures; on top come the activations of one forward pass, a ReLU per node and a sum per edge.

    charge: called for every batch with forward images and multiply-adds, of every distinct function as if it passed
    alone: a count that depends neither on the machine nor on what is shared here. A supernet that has no fast form is
    called once per distinct function, and then its own hooks count.

    tell: called now and then with the share done since it was called last; the shares of every batch add up to 1.
    """
    rows, chosen = supernet.space.functions(genotypes)
    if not nb201_sweep.known(supernet):
        return _one_by_one(supernet, batches, chosen, tell)[rows]
    multiply_adds = sum(supernet.multiply_adds(supernet.space.alone(genotype)) for genotype in chosen)
    total, count = torch.zeros(len(chosen), 2, dtype=torch.float64), 0
    with torch.inference_mode():
        network = nb201_sweep.Prepared(supernet, supernet.space)  # type: ignore[arg-type]  # as `known` says
        for batch in batches:
            parts = []
            for logits in network.logits(batch.images, chosen, kept_bytes):
                parts.append(_right_and_nats(logits, batch.labels))
                tell(len(logits) / len(chosen))
            images = len(batch.labels)
            total += torch.cat(parts).cpu() if parts else 0
            count += images
            charge(images * len(chosen), images * multiply_adds)
    means: NDArray[np.float64] = (total / max(count, 1)).numpy()
    return means[rows]


@torch.no_grad()
def _one_by_one(
    supernet: Supernet, batches: Iterable[Batch], genotypes: Sequence[Genotype], tell: Callable[[float], None]
) -> NDArray[np.float64]:
    """The definition: every architecture through the supernet, on the region of itself alone."""
    regions = [supernet.space.alone(genotype) for genotype in genotypes]
    total, count = np.zeros((len(regions), 2)), 0
    for batch in batches:
        count += len(batch.labels)
        for row, region in enumerate(regions):
            logits = supernet(batch.images, None, region)
            total[row] += _right_and_nats(logits[None], batch.labels)[0].cpu().numpy()
            tell(1 / len(regions))
    return total / max(count, 1)


def _right_and_nats(logits: Tensor, labels: Tensor) -> Tensor:
    """`[A, 2]` float64: images that are right, and the sum of cross-entropies, of logits `[A, B, classes]`."""
    right = (logits.argmax(2) == labels).sum(1)
    nats = F.cross_entropy(logits.flatten(0, 1), labels.repeat(len(logits)), reduction="none").view(len(logits), -1)
    return torch.stack([right.double(), nats.sum(1, dtype=torch.float64)], dim=1)
