"""Scoring many architectures at once against the supernet called on one after the other."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.images.batches import Batch
from bench.nets import nb201, nb201_sweep, sweep
from bench.nets.operations import Norm
from bench.nets.supernet import Supernet
from bench.nets.sweep import scores
from bench.search.learner import Training
from bench.spaces.layout import Shape
from bench.spaces.nb201 import SPACE as NB201
from bench.spaces.space import Genotype, Region, Space
from bench.spaces.toy import SPACE as TOY
from methods.rsps import Rsps
from tests import tiny

TRAINING = Training(batch=32)
NORMS = [*(Norm(s, a) for s in ("batch", "running") for a in (False, True)), Norm("skeleton")]
DEAD: list[Genotype] = [
    (0,) * 6,
    (0, 0, 3, 0, 2, 0),
    (0, 0, 3, 0, 2, 2),
    (3, 2, 4, 0, 0, 0),
    (0, 3, 2, 1, 3, 4),
    (2, 0, 0, 4, 0, 3),
]
"""Disconnected cells, operations on nodes without input, operations that lead nowhere."""


def _net(space: Space, norm: Norm, channels: int = 2, cells: int = 1, size: int = 8, seed: int = 0) -> Supernet:
    """In float64 and evaluation mode; affine parameters and running statistics moved off their start."""
    net = nb201.NB201Network(space, Shape(channels, cells, 5, 2, size), norm, seed).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in net.parameters():
            if p.ndim < 4:
                p.add_(0.3 * torch.randn(p.shape, generator=generator, dtype=p.dtype))
        for name, buffer in net.named_buffers():
            if "mean" in name:
                buffer += 0.3 * torch.randn(buffer.shape, generator=generator, dtype=buffer.dtype)
            elif "var" in name:
                buffer += torch.rand(buffer.shape, generator=generator, dtype=buffer.dtype)
    return net.eval()


def _batches(net: Supernet, counts: tuple[int, ...] = (9, 6), seed: int = 0) -> list[Batch]:
    generator = torch.Generator().manual_seed(seed)
    size, dtype = net.shape.image_size, net.stem.dtype
    return [
        Batch(
            torch.randn(count, net.shape.image_channels, size, size, generator=generator, dtype=dtype),
            torch.randint(0, net.shape.classes, (count,), generator=generator),
        )
        for count in counts
    ]


@torch.no_grad()
def _naive(net: Supernet, batches: list[Batch], genotypes: list[Genotype]) -> NDArray[np.float64]:
    rows = []
    for genotype in genotypes:
        region = Region.of([{op} for op in genotype])
        logits = torch.cat([net(batch.images, None, region) for batch in batches])
        labels = torch.cat([batch.labels for batch in batches])
        rows.append([float((logits.argmax(1) == labels).double().mean()), float(F.cross_entropy(logits, labels))])
    return np.array(rows)


cells = st.tuples(*[st.integers(0, 4)] * 6)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(cells, min_size=1, max_size=12),
    st.sampled_from(NORMS),
    st.integers(2, 4),
    st.integers(1, 2),
    st.sampled_from([8, 16]),
    st.integers(0, 2**20),
    st.sampled_from([0, 40_000, sweep.KEPT_BYTES]),
)
def test_scores_are_those_of_the_supernet(
    genotypes: list[Genotype], norm: Norm, channels: int, depth: int, size: int, seed: int, kept: int
) -> None:
    """Any genotypes in any order, repeated ones too, sizes, normalisation and memory limit, to 1e-12 in float64."""
    net = _net(NB201, norm, channels, depth, size, seed)
    batches = _batches(net, seed=seed)
    found = scores(net, batches, genotypes, kept_bytes=kept)
    np.testing.assert_allclose(found, _naive(net, batches, genotypes), rtol=0, atol=1e-12)


@pytest.mark.parametrize("norm", NORMS, ids=str)
@pytest.mark.parametrize("depth", [1, 2])
def test_dead_cells_are_scored_as_the_supernet_scores_them(norm: Norm, depth: int) -> None:
    net = _net(NB201, norm, cells=depth)
    batches = _batches(net)
    np.testing.assert_allclose(scores(net, batches, DEAD), _naive(net, batches, DEAD), rtol=0, atol=1e-12)


@pytest.mark.parametrize("norm", NORMS, ids=str)
def test_whole_toy_space(norm: Norm) -> None:
    """Another number of nodes, other operations, no pooling."""
    net = _net(TOY, norm, channels=3)
    batches, genotypes = _batches(net), list(TOY.population)
    np.testing.assert_allclose(scores(net, batches, genotypes), _naive(net, batches, genotypes), rtol=0, atol=1e-12)


def test_a_slice_of_the_space_in_another_order() -> None:
    """125 neighbours, which share most of their first cell, come back in the order asked."""
    net = _net(NB201, Norm())
    batches = _batches(net)
    genotypes = [NB201.population.at(int(row)) for row in np.random.default_rng(0).permutation(np.arange(9_000, 9_125))]
    np.testing.assert_allclose(scores(net, batches, genotypes), _naive(net, batches, genotypes), rtol=0, atol=1e-12)


def test_single_precision_is_within_1e5_of_the_supernet() -> None:
    net = nb201.NB201Network(NB201, Shape(8, 1, 10, 3, 8), Norm(), seed=0).eval()
    batches = _batches(net, (200,))
    genotypes = [NB201.region.draw(np.random.default_rng(seed)) for seed in range(40)]
    ours, naive = scores(net, batches, genotypes), _naive(net, batches, genotypes)
    assert np.abs(ours - naive)[:, 1].max() < 1e-5


def test_a_sub_supernet_uses_nothing_outside_its_region() -> None:
    """Kernels that the region excludes may be NaN."""
    net = _net(NB201, Norm())
    region = Region.of([{0, 3}, {2}, {1, 4}, {3}, {0, 1}, {2, 3}])
    with torch.no_grad():
        for stage in net.stages:
            for cell in stage:  # type: ignore[attr-defined]
                for e in range(6):
                    for op in {2, 3} - region.allowed[e]:
                        cell.conv(e, op).kernel.fill_(torch.nan)
    batches, genotypes = _batches(net), list(region.combinations())
    np.testing.assert_allclose(scores(net, batches, genotypes), _naive(net, batches, genotypes), rtol=0, atol=1e-12)


def test_distinct_functions_of_nb201() -> None:
    """7,548: coarser than the classes by live edges, finer than those of training alone, where weights lose their
    names; and a representative computes no more than its class needs."""
    genotypes = list(NB201.population)
    rows, chosen = NB201.functions(genotypes)
    assert len(chosen) == 7_548
    assert chosen == sorted(chosen)
    by_live: dict[object, set[int]] = {}
    for row, genotype in zip(rows, genotypes, strict=True):
        by_live.setdefault(NB201.live(genotype), set()).add(row)
    assert len(by_live) == 9_445
    assert all(len(forms) == 1 for forms in by_live.values())
    for at in range(0, len(genotypes), 97):
        mine = chosen[rows[at]]
        assert NB201.trained_class(mine) == NB201.trained_class(genotypes[at])
        assert NB201.live(mine) == mine


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ((1, 0, 0, 0, 1, 0), (0, 0, 0, 1, 0, 0), True),  # skips are transparent
        ((4, 1, 1, 0, 0, 4), (4, 4, 4, 0, 0, 1), True),  # pooling distributes: pool(pool x + x) in two ways
        ((1, 0, 0, 0, 3, 0), (0, 0, 0, 3, 0, 0), False),  # two edges have two kernels
        ((3, 0, 0, 1, 1, 0), (3, 1, 0, 0, 1, 1), True),  # the same terms through other nodes
        ((3, 0, 1, 0, 1, 1), (3, 0, 0, 0, 1, 0), False),  # a term twice is not the term once
    ],
)
def test_what_is_one_function_on_shared_weights(one: Genotype, other: Genotype, same: bool) -> None:
    names: dict[object, int] = {}
    assert (NB201.shared_form(one, names) == NB201.shared_form(other, names)) == same
    net = _net(NB201, Norm())
    first, second = _naive(net, _batches(net), [one, other])
    assert (abs(first[1] - second[1]) < 1e-10) == same


@pytest.mark.parametrize("limit", [0, 20_000, 100_000])
def test_no_more_is_kept_than_allowed(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted over all terms of the first cell after every architecture; without the limit more would be kept."""
    net = _net(NB201, Norm())
    batches, genotypes = _batches(net), [NB201.population.at(row) for row in range(7_000, 7_300)]
    held: list[int] = []
    output = nb201_sweep._Tree.output

    def watched(tree: nb201_sweep._Tree, genotype: Genotype) -> nb201_sweep.Value:
        value = output(tree, genotype)
        tensors = [t for kept in tree.kept for term in kept.values() for t in term]
        held.append(sum(t.numel() * t.element_size() for t in tensors))
        return value

    monkeypatch.setattr(nb201_sweep._Tree, "output", watched)
    bounded = scores(net, batches, genotypes, kept_bytes=limit)
    assert max(held) <= limit
    held.clear()
    whole = scores(net, batches, genotypes)
    assert max(held) > 100_000
    np.testing.assert_allclose(bounded, whole, rtol=0, atol=1e-12)


def test_the_account_is_that_of_distinct_architectures_alone() -> None:
    """Three functions in five genotypes, batches of 9 and 6 images."""
    net = _net(NB201, Norm())
    genotypes = [(0, 0, 3, 0, 2, 0), (1, 0, 0, 0, 1, 0), (0, 0, 0, 1, 0, 0), (0,) * 6, (3, 0, 0, 0, 1, 0)]
    charged: list[tuple[int, int]] = []
    scores(net, _batches(net), genotypes, lambda images, macs: charged.append((images, macs)))
    alone = [net.multiply_adds(Region.of([{op} for op in g])) for g in [(0,) * 6, (0, 0, 0, 1, 0, 0), genotypes[4]]]
    assert charged == [(9 * 3, 9 * sum(alone)), (6 * 3, 6 * sum(alone))]


def test_estimates_are_charged_once_per_function() -> None:
    learner = tiny.learner(Rsps(TRAINING), TRAINING, NB201)
    genotypes = [(1, 0, 0, 0, 3, 0), (1, 0, 0, 0, 3, 0), (1, 2, 0, 0, 3, 0), (0, 0, 0, 3, 0, 0)]
    with learner.meter.phase("scored"):
        learner.estimates(genotypes, 40)
    alone = [learner.supernet.multiply_adds(Region.of([{op} for op in g])) for g in (genotypes[0], genotypes[3])]
    assert learner.meter.phases["scored"].forward_images == 2 * 40
    assert learner.meter.phases["scored"].gmacs == pytest.approx(40 * sum(alone) / 1e9)


def test_a_supernet_of_another_kind_is_called_one_by_one() -> None:
    """Nothing is assumed of a subclass; its own hooks count, and nothing is charged beside them."""

    class Other(nb201.NB201Network):
        pass

    net = Other(TOY, Shape(2, 1, 5, 2, 8), Norm(), seed=0).double().eval()
    genotypes: list[Genotype] = [(2, 1, 2), (2, 1, 2), (1, 0, 2)]
    batches = _batches(net)
    calls: list[int] = []
    net.register_forward_hook(lambda module, inputs, logits: calls.append(len(logits)))
    found = scores(net, batches, genotypes, lambda images, macs: pytest.fail("charged twice"))
    assert calls == [9, 9, 6, 6]
    np.testing.assert_allclose(found, _naive(net, batches, genotypes), rtol=0, atol=1e-12)


def test_nothing_asked_is_nothing_found() -> None:
    net = _net(NB201, Norm())
    assert scores(net, _batches(net), []).shape == (0, 2)


@pytest.mark.parametrize("kind", ["swept", "one by one"])
def test_progress_adds_up_to_one_for_every_batch(kind: str) -> None:
    """More than one batch and more heads than are computed together."""

    class Other(nb201.NB201Network):
        pass

    net = (
        (nb201.NB201Network if kind == "swept" else Other)(NB201, Shape(2, 1, 5, 2, 8), Norm(), seed=0).double().eval()
    )
    shares: list[float] = []
    scores(net, _batches(net), [NB201.population.at(row) for row in range(3_000, 4_000, 8)], tell=shares.append)
    assert len(shares) > 4
    assert sum(shares) == pytest.approx(2)  # batches
