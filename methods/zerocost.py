"""Zero-cost scores: architectures ranked by one batch through an untrained network.

- synflow (Tanaka et al., NeurIPS 2020; for architectures Abdelfattah et al., ICLR 2021, arXiv 2101.08134): with all
  weights at their absolute values, an image of ones and no normalisation, the sum of weight times gradient of the sum
  of logits;
- nwot (Mellor et al., ICML 2021, arXiv 2006.04647): the log-determinant of how often the ReLUs agree on two images;
- jacov (Mellor et al., 2020; as Abdelfattah et al. compute it): minus the sum of log v + 1 / v over the eigenvalues v
  of the correlation of the images' input gradients.

Every architecture is a path of one supernet at its initial weights, so all of them share these. What a search spends is
a pass forward for every architecture, and one back but for nwot: `images` images each. The architecture of the largest
score is chosen. Estimates are ranks among the scores that were found, between 0 and 1, since scores are no accuracies.

`parameters` and `multiply-adds` in `free.py` are the scores that pass no image. Deviations: synflow in double precision
takes the logarithm; the authors' networks are each drawn anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from torch.overrides import TorchFunctionMode

from bench.images.batches import Batch
from bench.search.learner import Learner
from bench.search.task import Foreseen, Found, Task
from bench.spaces.space import Genotype, Region
from bench.store.spec import require_range
from methods.rsps import Rsps

Kind = Literal["synflow", "nwot", "jacov"]


class _Linear(TorchFunctionMode):
    """Normalisation passes its input on."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return args[0] if func is F.batch_norm else func(*args, **(kwargs or {}))


class _Codes(TorchFunctionMode):
    """Counts on how many ReLUs two images agree: `[B, B]`."""

    def __init__(self, images: int) -> None:
        super().__init__()
        self.agree = torch.zeros(images, images, dtype=torch.float64)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if func is F.relu:
            on = (out > 0).flatten(1).double()
            self.agree = self.agree.to(on.device) + on @ on.T + (1 - on) @ (1 - on).T
        return out


def synflow(learner: Learner, region: Region, theta: Tensor | None, batch: Batch) -> float:
    """The logarithm of the sum, over all kernels and the head's weights."""
    weights, network = learner.weights, learner.supernet
    dtype = weights[0].dtype
    kept = [w.detach().clone() for w in weights]
    network.double()  # products of many layers overflow single precision
    try:
        with torch.no_grad():
            for w in weights:
                w.abs_()
        gates = None if theta is None else theta.double()
        with _Linear():
            total = network(torch.ones_like(batch.images[:1]).double(), gates, region).sum()
        slopes = torch.autograd.grad(total, weights, materialize_grads=True)
        pairs = zip(weights, slopes, strict=True)
        products = [float((w.detach() * slope).sum()) for w, slope in pairs if w.ndim > 1]
        return float(np.log(max(sum(products), 1e-300)))
    finally:
        network.to(dtype)
        with torch.no_grad():
            for w, value in zip(weights, kept, strict=True):
                w.copy_(value)


def nwot(learner: Learner, region: Region, theta: Tensor | None, batch: Batch) -> float:
    """The log-determinant; minus infinity becomes the least number where two images are told apart by no ReLU."""
    with torch.no_grad(), _Codes(len(batch.labels)) as codes:
        learner.supernet(batch.images, theta, region)
    value = float(torch.linalg.slogdet(codes.agree)[1])
    return value if np.isfinite(value) else -1e9


def jacov(learner: Learner, region: Region, theta: Tensor | None, batch: Batch) -> float:
    """From the correlation of input gradients."""
    images = batch.images.detach().clone().requires_grad_()
    (slope,) = torch.autograd.grad(learner.supernet(images, theta, region).sum(), images, materialize_grads=True)
    return spread(slope.flatten(1).double().cpu().numpy())


def spread(slopes: NDArray[np.float64]) -> float:
    """Minus the sum of log v + 1 / v over the eigenvalues of the correlation of rows `[B, n]`; rows that are all alike
    give the least number."""
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = np.corrcoef(slopes)
    if not np.isfinite(correlation).all():
        return -1e9
    values = np.linalg.eigvalsh(correlation) + 1e-5
    return float(-np.sum(np.log(values) + 1 / values))


SCORES: dict[str, Callable[[Learner, Region, Tensor | None, Batch], float]] = {
    "synflow": synflow,
    "nwot": nwot,
    "jacov": jacov,
}
SUPERNET = Rsps()


@dataclass(frozen=True)
class ZeroCost:
    """A score of untrained paths as the estimate."""

    version: ClassVar[int] = 1
    of: Kind = "synflow"
    images: int = 64
    candidates: int = 1_000  # random architectures that are scored; the best is chosen

    def __post_init__(self) -> None:
        require_range(self, 2, "images")
        require_range(self, 1, "candidates")

    def foreseen(self, task: Task) -> Foreseen:
        """A pass forward of every candidate, and one back at the price of two but for nwot."""
        candidates = min(self.candidates, task.space.count(task.region))
        images = candidates * (1 if self.of == "synflow" else self.images) * (1 if self.of == "nwot" else 3)
        return Foreseen(estimates=images * task.mean_multiply_adds(task.region) / 1e9)

    def search(self, task: Task) -> Found:
        """Score a sample of the region."""
        learner = task.learner(SUPERNET, replace(SUPERNET.training, batch=self.images))
        with task.meter.phase("choose"):
            score = _scorer(self.of, learner, self.images)
            some = task.space.some(task.region, self.candidates, lambda: task.stream("candidates"))
            scores = {genotype: score(genotype) for genotype in some}
        best = max(scores, key=lambda genotype: scores[genotype])
        task.report(best)
        known = np.sort(np.array(list(scores.values())))

        def estimate(genotypes: Sequence[Genotype], images: int | None = None) -> NDArray[np.float64]:
            values = [scores[g] if g in scores else score(g) for g in genotypes]
            return np.stack([rank(known, np.array(values)), np.full(len(values), np.nan)], axis=1)

        return Found(best, ((best, None),), estimate)


def rank(known: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where values stand among sorted `known` ones, 0 to 1, larger for larger; between two of them by their distance,
    so that all that differ are told apart."""
    places = np.linspace(0.1, 0.9, len(known)) if len(known) > 1 else np.array([0.5])
    inside: NDArray[np.float64] = np.interp(values, known, places)
    width = max(float(known[-1] - known[0]), 1e-12)
    above, below = np.maximum(values - known[-1], 0) / width, np.maximum(known[0] - values, 0) / width
    beyond: NDArray[np.float64] = inside + 0.1 * above / (1 + above) - 0.1 * below / (1 + below)
    return beyond


def _scorer(of: Kind, learner: Learner, images: int) -> Callable[[Genotype], float]:
    batch = next(iter(learner.train.in_order(images)))

    def score(genotype: Genotype) -> float:
        with learner.aside():
            return SCORES[of](learner, learner.space.alone(genotype), None, batch)

    return score


VARIANTS = {"synflow": ZeroCost(), "nwot": ZeroCost("nwot"), "jacov": ZeroCost("jacov")}
