"""Agreement with the authors' code on equal weights and batches.

The numbers were made by running the functions named below on the network, batch and logits of `tests/golden_net.py` in
double precision (the two networks' logits agree to 1e-15). Their formulas were left as they are; to run on today's
torch without a GPU, gradients were zeroed in place and `.cuda()` and torchvision were stood in for:

- github.com/skhu101/GM-NAS, commit a69837daca5b845a4d42e5fb2a76e90b929db3b9, WS-GM/nasbench201:
  `train_search.split_supernet`, `utils.match_loss`, `utils.mincut_split_201`, `TinyNetworkWS`, and
  `Architect._step_darts_so`, which is that of DARTS (`add_` and `sub_` with a factor in front, which torch no longer
  takes, put back for it);
- github.com/Jianf-l/hepnas, commit c61798fb4ca69acd4d7552a6b9504845dc36a6c2, nasbench201:
  the cut of node 2 in `train_search.main`, and `distill_loss` (parent, siblings, both).
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from bench.images.batches import Batch
from bench.search.learner import Learner, Training
from bench.search.optimisers import SGD
from bench.spaces.nb201 import SPACE as NB201
from bench.spaces.space import Region
from methods.darts import Darts
from methods.gmnas import OneEdge
from methods.hepnas import HepNas, MutualDistillation
from methods.matching import Matching, parted
from methods.partition import Growth
from methods.parts import Split
from tests import golden_net, tiny

UPPER = np.triu_indices(5, 1)

# Distances of the ten pairs of operations, by edge; the groups; the cut.
COSINE = """
0.744210 0.921943 0.875695 0.791450 0.971207 0.920316 0.773124 1.021269 0.996203 0.892721
0.844189 0.891013 0.874769 0.770639 0.823685 0.916509 0.775953 0.976099 0.919077 0.862333
0.723631 0.860226 0.836421 0.454236 0.853874 0.949234 0.582906 0.926300 0.874585 0.884930
0.934339 1.003777 1.008688 0.870450 0.961098 0.999972 0.951354 0.976890 1.031933 0.997308
0.867907 1.001923 0.956267 0.640086 0.962490 0.932953 0.834012 0.980438 1.033877 0.985619
0.771824 0.977581 0.974754 0.658447 0.970149 0.923320 0.679702 0.992322 0.910306 0.933422
"""
COSINE_SOFT = """
0.826379 0.858514 0.815394 0.830530 1.000079 0.917236 0.816452 0.891463 0.961335 0.966023
0.698451 0.638736 0.553967 0.449391 0.685262 0.761835 0.576764 0.776638 0.663556 0.592042
0.220649 0.364673 0.408663 0.142802 0.452057 0.417374 0.177546 0.581892 0.429663 0.405895
0.453558 0.810372 0.625982 0.230405 0.792700 0.627525 0.374073 0.835402 0.743519 0.607680
0.214322 0.635002 0.706400 0.241552 0.669811 0.717758 0.267855 0.686208 0.607379 0.703867
0.182445 0.537273 0.700741 0.126167 0.494792 0.715567 0.138567 0.781937 0.498821 0.733515
"""
FILTERS = """
278.302451 329.717984 329.668183 295.973553 333.010333 334.364960 272.137575 349.804137 342.726101 327.014304
312.333545 305.914779 320.019072 273.589246 296.247937 322.417056 276.628169 341.289058 309.917091 309.952689
"""
SQUARED = """
15.037061 18.916197 16.568507 17.437474 23.273143 20.596694 19.605503 23.245573 25.628633 21.570211
16.306146 15.669699 16.461296 17.681354 14.426333 17.173700 17.743092 16.591530 19.396657 19.269669
13.868011 16.423201 18.156472 10.526352 17.457090 21.838972 14.045215 21.258223 20.898194 23.376040
18.074045 21.570406 20.944552 22.639381 9.721353 9.390856 13.931792 11.536468 17.496832 16.220436
"""
COSINE_PAIRS = [(2, 3), (1, 2), (2, 3), (2, 3), (2, 3), (2, 3)]
COSINE_CUTS = [5.578084, 5.32284, 5.259269, 6.002776, 5.873129, 5.689533]
SQUARED_PAIRS = [(2, 3), (3, 4), (2, 3), (0, 4)]
SQUARED_CUTS = [126.553384, 105.047629, 118.149969, 108.238063]
MASKS = [
    [[0, 1, 1, 0, 0], [0, 0, 1, 1, 0]],
    [[0, 1, 1, 0, 0], [1, 1, 0, 0, 1]],
    [[1, 0, 0, 1, 1], [0, 0, 1, 1, 0]],
    [[1, 0, 0, 1, 1], [1, 1, 0, 0, 1]],
]
SMD = {"parent": 2.266209018, "siblings": 2.256377096, "both": 4.522586114}


# The gradient of alpha, `[6, 5]`, of one second-order step.
SECOND_ORDER = """
-0.012711405 -0.034503997 0.115264806 -0.058708369 -0.009341035
0.008165377 0.052457694 -0.076488267 0.008060388 0.007804808
-0.021719883 0.017103171 -0.063435315 0.054016846 0.014035181
-0.054060067 -0.008659069 0.044325681 0.043529333 -0.025135877
0.026996047 0.020434829 -0.024365111 -0.122044603 0.098978837
-0.006093011 0.018321629 -0.015176820 -0.003012812 0.005961013
"""


class _Learner:
    """The golden network as a learner."""

    def __init__(self) -> None:
        self.supernet, self.region, self.name = golden_net.network().train(), golden_net.REGION, "golden"
        self.relaxation = SimpleNamespace(theta=lambda _: (golden_net.alpha().softmax(-1), golden_net.REGION))

    def loss(self, batch: Batch, theta: torch.Tensor, region: Region) -> torch.Tensor:
        return F.cross_entropy(self.supernet(batch.images, theta, region), batch.labels)


class _Fixed(Matching):
    """Matching on the golden batch alone."""

    def split(self, task: Any, parent: Any, edge: int) -> Split:
        table = self.distances(parent, Batch(*golden_net.batch()), edge)
        return parted(table.numpy(), parent.region.lists[edge])


def _read(text: str) -> list[list[float]]:
    return [[float(word) for word in line.split()] for line in text.strip().splitlines()]


@pytest.mark.parametrize(
    ("matching", "table"),
    [
        (_Fixed(), COSINE),
        (_Fixed(weight="soft"), COSINE_SOFT),
        (_Fixed(distance="filter-cosine"), FILTERS),
        (_Fixed(distance="squared"), SQUARED),
    ],
    ids=["cosine", "soft", "filters", "squared"],
)
def test_distances_are_the_authors(matching: Matching, table: str) -> None:
    learner = _Learner()
    for edge, wanted in enumerate(_read(table)):
        distances = matching.split(None, learner, edge).distances  # type: ignore[arg-type]
        assert distances is not None
        assert distances[UPPER] == pytest.approx(wanted, abs=2e-6)


@pytest.mark.parametrize(
    ("matching", "pairs", "cuts"),
    [(_Fixed(), COSINE_PAIRS, COSINE_CUTS), (_Fixed(distance="squared"), SQUARED_PAIRS, SQUARED_CUTS)],
    ids=["cosine", "squared"],
)
def test_groups_and_cuts_are_the_authors(matching: Matching, pairs: list[tuple[int, int]], cuts: list[float]) -> None:
    splits = {e: matching.split(None, _Learner(), e) for e in range(len(pairs))}  # type: ignore[arg-type]
    assert [split.groups[0] for split in splits.values()] == pairs
    assert [split.between for split in splits.values()] == pytest.approx(cuts, abs=2e-5)
    if matching.distance == "cosine":
        assert OneEdge().chosen(splits) == [3]


def test_the_masks_of_a_hierarchy_are_the_authors() -> None:
    """Node 2: the product of the groups of edges 1 and 2."""
    search, task = HepNas(grouping=_Fixed()), tiny.task(NB201)
    regions, _ = Growth(search, task, search.written(task)).regions(_Learner(), 1)  # type: ignore[arg-type]
    assert [region.mask(5)[1:3].astype(int).tolist() for region in regions] == MASKS


@pytest.mark.parametrize("teachers", ["parent", "siblings", "both"])
def test_the_distillation_loss_is_the_authors(teachers: Any) -> None:
    own, *rest = (_Voice(z) for z in golden_net.logits())
    lesson = MutualDistillation(teachers).lesson([own, *rest[1:]], rest[0])  # type: ignore[list-item, arg-type]
    assert lesson is not None
    batch: Any = SimpleNamespace(images=None)
    assert float(lesson(own, batch, own.z)) == pytest.approx(SMD[teachers], abs=1e-8)  # type: ignore[arg-type]


class _Voice:
    """A learner of fixed logits."""

    def __init__(self, z: torch.Tensor) -> None:
        self.z, self.meter = z, tiny.task().meter

    def mixture(self, images: Any, visitor: Any = None) -> torch.Tensor:
        return self.z


def test_the_second_order_gradient_of_alpha_is_the_authors() -> None:
    """One unrolled step of rate 0.025 with weight decay 5e-4 and no momentum yet; first order is far from it."""
    learner: Any = _Learner()
    learner.alpha = torch.nn.Parameter(golden_net.alpha())
    learner.weights = list(learner.supernet.parameters())
    learner.optimiser = SGD(learner.weights, 0.025, momentum=0.0, nesterov=False, decay=0.0)
    learner.training = Training(weight_decay=5e-4, momentum=0.9)
    learner.masked_alpha = lambda: learner.alpha
    learner.alpha_gradient = lambda loss: Learner.alpha_gradient(learner, loss)
    learner._gradients = lambda loss, wanted: Learner._gradients(learner, loss, wanted)
    learner.watched, learner.meter = [], tiny.task().meter
    train, valid = Batch(*golden_net.batch()), Batch(*golden_net.other_batch())
    wanted = np.array(_read(SECOND_ORDER))
    second = Darts(order=2).gradient(learner, train, valid)
    assert second.numpy() == pytest.approx(wanted, abs=2e-7)
    first = Darts().gradient(learner, train, valid)
    assert float(np.abs(first.numpy() - wanted).max()) > 1e-3
