"""Cells of two inputs and two types: the rule by brute force, alpha decoded as DARTS's code does it, the network
against one written out by hand, costs against torch's own counter."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from bench.errors import BadGenotype, BadRegion, BadSpec
from bench.nets.darts import DartsNetwork
from bench.nets.operations import Norm
from bench.runs import probe
from bench.spaces.layout import Shape
from bench.spaces.space import Genotype, Region
from bench.spaces.toy_darts import SPACE
from tests import tiny

NONE, SKIP, POOL, SEP = range(4)
SHAPE = Shape(channels=4, cells=1, classes=10, image_channels=3, image_size=16)


def _by_hand() -> set[Genotype]:
    """Node 2 takes sources 0 and 1, node 3 two of 0, 1 and 2; what an edge may take is written in `may`."""
    may = [[SPACE.ops.index(name) for name in names] for names in SPACE.may]
    found = set()
    for pairs in itertools.product(itertools.combinations((2, 3, 4), 2), itertools.combinations((7, 8, 9), 2)):
        kept = [0, 1, *pairs[0], 5, 6, *pairs[1]]
        for ops in itertools.product(*(may[e] for e in kept)):
            taken = dict(zip(kept, ops, strict=True))
            found.add(tuple(taken.get(e, NONE) for e in range(10)))
    return found


EVERY = sorted(_by_hand())


def test_the_space_is_what_brute_force_finds() -> None:
    assert len(EVERY) == SPACE.size == 2_304
    assert list(SPACE.listed(SPACE.region)) == EVERY
    rng = np.random.default_rng(0)
    for genotype in [tuple(map(int, rng.integers(0, 4, 10))) for _ in range(2_000)]:
        assert SPACE.feasible(genotype) == (genotype in set(EVERY))
    for genotype in EVERY[::97]:
        assert SPACE.parse(SPACE.show(genotype)) == genotype


def test_regions_hold_what_they_admit() -> None:
    """Counted and listed as the architectures that brute force leaves; a dropped edge asks nothing of a region."""
    child = SPACE.region.narrowed(2, {SKIP}).narrowed(8, {POOL})
    left = [g for g in EVERY if g[2] in (NONE, SKIP) and g[8] in (NONE, POOL)]
    assert SPACE.count(child) == len(left)
    assert list(SPACE.listed(child)) == left
    assert [g for g in EVERY if SPACE.admits(child, g)] == left
    halves = SPACE.region.cut(2, [{SKIP}, {SEP}])
    both = [g for g in EVERY if all(SPACE.admits(half, g) for half in halves)]
    assert both == [g for g in EVERY if g[2] == NONE]


def test_samples_are_uniform() -> None:
    """Chi-square over 2,304 architectures, ten of each expected: mean 2,303, standard deviation 68."""
    rng, row = np.random.default_rng(1), {g: k for k, g in enumerate(EVERY)}
    counts = np.zeros(len(EVERY))
    for _ in range(10 * len(EVERY)):
        counts[row[SPACE.sample(SPACE.region, rng)]] += 1
    assert ((counts - 10) ** 2 / 10).sum() < 2_303 + 4 * 68


def test_the_population_is_a_fixed_sample_without_repetition() -> None:
    drawn = list(SPACE.population)
    assert len(set(drawn)) == len(SPACE.population) == 240
    assert set(drawn) < set(EVERY)
    assert [SPACE.population.find(g) for g in drawn] == list(range(240))
    outside = next(g for g in EVERY if g not in set(drawn))
    assert SPACE.population.find(outside) is None
    with pytest.raises(BadGenotype, match="240 sampled"):
        SPACE.population.row(outside)
    assert len(probe.probe_set(SPACE, 0)) == 240
    assert set(probe.probe_set(SPACE, 50)) < set(drawn)
    with pytest.raises(BadSpec, match="more than the 240 sampled"):
        probe.probe_set(SPACE, 241)


def _parse(weights: np.ndarray) -> list[tuple[int, int]]:
    """One cell's (edge, operation), as `_parse` of quark0/darts model_search.py sorts: two sources by their best
    operation that is not `none`; Python's sort leaves equals in their order."""
    found, start = [], 0
    for node in range(2):
        rows = weights[start : start + 2 + node]
        sources = sorted(range(2 + node), key=lambda x: -max(rows[x][k] for k in range(4) if k != NONE))[:2]
        found += [(start + s, max((k for k in range(4) if k != NONE), key=lambda k: rows[s][k])) for s in sources]
        start += 2 + node
    return found


@pytest.mark.parametrize("ties", [False, True])
def test_alpha_is_decoded_as_the_code_of_darts_does_it(ties: bool) -> None:
    rng, mask = np.random.default_rng(2), SPACE.region.mask(4)
    for _ in range(300):
        alpha = rng.integers(0, 3, (10, 4)).astype(float) if ties else rng.normal(size=(10, 4))
        weights = np.where(mask, np.exp(alpha), 0)
        weights /= weights.sum(1, keepdims=True)
        kept = {**dict(_parse(weights[:5])), **{e + 5: op for e, op in _parse(weights[5:])}}
        assert SPACE.decode(alpha, SPACE.region) == tuple(kept.get(e, NONE) for e in range(10))


def test_the_largest_architecture_has_the_most_parameters() -> None:
    largest = SPACE.best(SPACE.weights, SPACE.region)
    assert SPACE.sizes(largest).parameters == max(SPACE.sizes(g).parameters for g in EVERY)


def test_names_of_nodes_make_no_difference() -> None:
    """Where the two nodes of a cell take the inputs alone, they can be exchanged; where one takes the other, not."""
    one = (SKIP, SEP, SEP, SEP, NONE, *[POOL, SEP, POOL, SEP, NONE])
    other = (SEP, SEP, SKIP, SEP, NONE, *[POOL, SEP, POOL, SEP, NONE])
    assert SPACE.trained_class(one) == SPACE.trained_class(other)
    stacked = (SKIP, SEP, SEP, NONE, SEP, *[POOL, SEP, POOL, SEP, NONE])
    assert SPACE.trained_class(one) != SPACE.trained_class(stacked)


# The network


def _net(norm: Norm | None = None, region: Region | None = None) -> DartsNetwork:
    return DartsNetwork(SPACE, SHAPE, norm or Norm(), 3, region=region).double()


def _normed(x: Tensor) -> Tensor:
    mean = x.mean((0, 2, 3), keepdim=True)
    return (x - mean) / torch.sqrt(((x - mean) ** 2).mean((0, 2, 3), keepdim=True) + 1e-5)


def _reduced(x: Tensor, module: nn.Module) -> Tensor:
    """A factorised reduction by einsum, on every other pixel."""
    halves = [torch.einsum("bchw,oc->bohw", x.clamp(min=0)[:, :, k::2, k::2], h[:, :, 0, 0])
              for k, h in enumerate(module.halves)]  # type: ignore[arg-type]  # fmt: skip
    return _normed(torch.cat(halves, 1))


def _applied(op: int, x: Tensor, stride: int, module: nn.Module | None) -> Tensor:
    if op == SKIP:
        return x if stride == 1 else _reduced(x, module)  # type: ignore[arg-type]
    if op == POOL:
        padded = F.pad(x, (1, 1, 1, 1), value=-math.inf)
        return _normed(
            F.unfold(padded, 3, stride=stride).view(*x.shape[:2], 9, *(s // stride for s in x.shape[2:])).amax(2)
        )
    for k in range(2):
        deep, wide = module.depthwise[k], module.pointwise[k]  # type: ignore[union-attr, index]
        parts = [
            F.conv2d(x[:, [c]].clamp(min=0), deep[[c]], stride=stride if k == 0 else 1, padding=1)
            for c in range(x.shape[1])
        ]
        x = _normed(torch.einsum("bchw,oc->bohw", torch.cat(parts, 1), wide[:, :, 0, 0]))
    return x


def _alone(net: DartsNetwork, genotype: Genotype, images: Tensor) -> Tensor:
    """One architecture without the supernet's own forward pass."""
    x = _normed(F.conv2d(images, net.stem, padding=1)) * net.stem_norm.weight[:, None, None]
    before, last = [x + net.stem_norm.bias[:, None, None]] * 2, None
    for cell in net.blocks():
        first, stride = (5, 2) if cell.place.cell == "reduce" else (0, 1)
        nodes = []
        for source, module in zip(before, cell.inputs, strict=True):  # type: ignore[arg-type]
            halved = hasattr(module, "halves")
            nodes.append(
                _reduced(source, module) if halved
                else _normed(torch.einsum("bchw,oc->bohw", source.clamp(min=0), module.kernel[:, :, 0, 0]))
            )  # fmt: skip
        for edges in ((0, 1), (2, 3, 4)):
            terms = []
            for source, edge in enumerate(edges):
                op, step = genotype[first + edge], stride if source < 2 else 1
                if op != NONE:
                    module = dict(cell.weighted.items()).get(f"{first + edge}/{op}")
                    terms.append(_applied(op, nodes[source], step, module))
            nodes.append(terms[0] + terms[1])
        last = torch.cat(nodes[2:], 1)
        before = [before[1], last]
    assert last is not None
    return last.mean((2, 3)) @ net.head.weight.T + net.head.bias


@pytest.mark.parametrize("row", range(0, 2_304, 331))
def test_one_architecture_is_the_network_written_out_by_hand(row: int) -> None:
    net, genotype = _net(), EVERY[row]
    images = torch.randn(5, 3, 16, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    theta = torch.zeros(10, 4, dtype=torch.float64)
    theta[torch.arange(10), list(genotype)] = 1
    expected = _alone(net, genotype, images)
    torch.testing.assert_close(net(images, None, SPACE.alone(genotype)), expected, rtol=0, atol=1e-9)
    kept = Region.of([{op} if op != NONE else {NONE} for op in genotype])
    torch.testing.assert_close(net(images, theta, kept), expected, rtol=0, atol=1e-9)


def test_a_network_of_one_architecture_has_its_weights_alone_and_starts_alike() -> None:
    whole, region = dict(_net().named_parameters()), SPACE.alone(EVERY[100])
    own = dict(_net(region=region).named_parameters())
    assert set(own) < set(whole)
    assert all(torch.equal(value, whole[name]) for name, value in own.items())


def test_multiply_adds_are_those_of_torchs_counter() -> None:
    """Of the plain form: the lean form multiplies by zeros, too."""
    net = DartsNetwork(SPACE, SHAPE, Norm(), 0, lean=False)
    for region in (SPACE.region, *(SPACE.alone(g) for g in EVERY[::577])):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            net(torch.zeros(3, 3, 16, 16), None, region)
        assert counter.get_total_flops() == 2 * 3 * net.multiply_adds(region)


def test_parameters_are_those_of_the_layout() -> None:
    """With trained affine: kernels, scales, shifts and the head's bias, from the layout and the operations alone."""
    genotype = EVERY[1_234]
    net = DartsNetwork(SPACE, SHAPE, Norm(affine=True), 0, region=SPACE.alone(genotype))
    kernels = list(SPACE.layout.fixed(SHAPE).values())
    for e, op in enumerate(genotype):
        kernels += SPACE.kernels(SHAPE, e, op)
    pools = sum(2 * place.channels for place in SPACE.layout.places(SHAPE) for e, _ in SPACE.of_cell(place.cell)
                if genotype[e] == POOL)  # fmt: skip
    assert sum(p.numel() for p in net.parameters()) == sum(k.weights + k.affine for k in kernels) + pools


def test_tiny_networks_train_without_writing_where_they_should_not() -> None:
    """Two channels: one output in each half of a factorised reduction, channels last, forty architectures."""
    from methods.rsps import Rsps

    learner = tiny.learner(Rsps(), tiny.Training(batch=16), SPACE)
    learner.fit(2)
    assert all(torch.isfinite(w).all() for w in learner.weights)


@pytest.mark.parametrize("edge", [2, 8])
def test_a_region_without_an_architecture_is_refused_before_training(edge: int) -> None:
    task = tiny.task(SPACE)
    none = [{NONE} if e in (2, 3) else ops for e, ops in enumerate(SPACE.region.allowed)]
    with pytest.raises(BadRegion):
        task.learner(None, tiny.Training(batch=16), Region.of(none))  # type: ignore[arg-type]
    with pytest.raises(BadRegion, match="fewer than 2 inputs"):
        SPACE.sample(Region.of(none), np.random.default_rng(0))


def test_a_narrower_space_names_all_that_it_is_judged_by() -> None:
    """It may find fewer architectures, and knows the names of the others."""
    import dataclasses

    narrow = dataclasses.replace(SPACE, name="narrow", may=(*SPACE.may[:5], *[("sep_conv_3x3", "skip_connect")] * 5),
                                 sampled=0, population_of=SPACE)  # fmt: skip
    assert narrow.population is SPACE.population
    strange = [genotype for genotype in SPACE.population if not narrow.feasible(genotype)]
    assert strange
    assert [narrow.parse(narrow.show(genotype)) for genotype in strange[:5]] == strange[:5]
