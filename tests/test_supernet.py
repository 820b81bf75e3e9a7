"""The supernet against independent forms of itself: plain against lean, one architecture against a network built alone,
counts against torch's own flop counter."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from bench.nets import nb201
from bench.nets.mixture import Gates, Group
from bench.nets.operations import Norm
from bench.nets.supernet import Supernet
from bench.spaces.layout import Shape
from bench.spaces.nb201 import SPACE as NB201
from bench.spaces.space import EachCell, Genotype, Region, Space
from bench.spaces.toy import SPACE as TOY

SHAPE = Shape(channels=3, cells=1, classes=5, image_channels=2, image_size=8)
NORMS = [*(Norm(s, a) for s in ("batch", "running") for a in (False, True)), Norm("skeleton")]  # type: ignore[arg-type]


def _nets(space: Space, norm: Norm, shape: Shape = SHAPE) -> tuple[Supernet, Supernet]:
    """The lean and the plain form with equal weights, in float64, affine parameters moved off their start."""
    lean = nb201.NB201Network(space, shape, norm, seed=1, lean=True).double()
    plain = nb201.NB201Network(space, shape, norm, seed=1, lean=False).double()
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for a, b in zip(lean.parameters(), plain.parameters(), strict=True):
            if a.ndim < 4:
                a += 0.3 * torch.rand(a.shape, generator=generator, dtype=a.dtype)
                b.copy_(a)
    return lean, plain


def _images(batch: int = 6, size: int = 8) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    images = torch.randn(batch, 2, size, size, generator=generator, dtype=torch.float64)
    return images, torch.randint(0, 5, (batch,), generator=generator)


def _loss_and_gradients(
    net: Supernet, theta: Tensor | None, region: Region, size: int = 8
) -> tuple[Tensor, list[Tensor | None]]:
    images, labels = _images(size=size)
    loss = F.cross_entropy(net(images, theta, region), labels)
    wanted = [*net.parameters(), *([] if theta is None else [theta])]
    return loss.detach(), list(torch.autograd.grad(loss, wanted, allow_unused=True))


def _assert_equal(lean: tuple[Tensor, list[Tensor | None]], plain: tuple[Tensor, list[Tensor | None]]) -> None:
    assert abs(lean[0] - plain[0]) < 1e-10
    for ours, theirs in zip(lean[1], plain[1], strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None and theirs is not None:
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)


regions = st.lists(st.frozensets(st.integers(0, 4), min_size=1), min_size=6, max_size=6).map(Region.of)


@settings(max_examples=30, deadline=None)
@given(regions, st.integers(0, 2**31), st.sampled_from(NORMS), st.booleans())
def test_lean_form_is_the_plain_form(region: Region, seed: int, norm: Norm, weighted: bool) -> None:
    """Loss and every gradient within 1e-10 in float64, over random regions, weights and kinds of normalisation."""
    lean, plain = _nets(NB201, norm)
    theta = None
    if weighted:
        theta = torch.randn(6, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).requires_grad_()
    _assert_equal(_loss_and_gradients(lean, theta, region), _loss_and_gradients(plain, theta, region))


@pytest.mark.parametrize("edge", range(6))
@pytest.mark.parametrize("op", [2, 3])
def test_one_convolution_in_the_whole_region(edge: int, op: int) -> None:
    """A scale of one weight repeated must not be a view of it: normalisation would read the memory behind it."""
    lean, plain = _nets(NB201, Norm())
    region = Region.of([{op, 1} if e == edge else {1} for e in range(6)])
    theta = torch.full((6, 5), 0.5, dtype=torch.float64, requires_grad=True)
    _assert_equal(_loss_and_gradients(lean, theta, region), _loss_and_gradients(plain, theta, region))
    group = Group(op, (edge,))
    (scale,) = Gates(torch.rand(6, 5), torch.float32).scales((group,), 7)
    assert scale.is_contiguous()
    assert scale.untyped_storage().nbytes() >= 7 * 4


def test_lean_form_is_the_plain_form_at_32_pixels_and_two_cells() -> None:
    """The size at which average pooling takes its depthwise form (from 16 pixels)."""
    lean, plain = _nets(NB201, Norm(), Shape(3, 2, 5, 2, 32))
    theta = (
        torch.randn(6, 5, generator=torch.Generator().manual_seed(5), dtype=torch.float64).softmax(-1).requires_grad_()
    )
    region = NB201.region
    _assert_equal(_loss_and_gradients(lean, theta, region, 32), _loss_and_gradients(plain, theta, region, 32))


@pytest.mark.parametrize("norm", [n for n in NORMS if n.statistics == "running"])
def test_running_statistics_are_equal_in_both_forms(norm: Norm) -> None:
    lean, plain = _nets(NB201, norm)
    theta = torch.full((6, 5), 0.2, dtype=torch.float64)
    images, _ = _images()
    for net in (lean, plain):
        net.train()
        net(images, theta, NB201.region)
        net.eval()
    buffers = dict(lean.named_buffers())
    assert any("mean" in name for name in buffers)
    for name, value in plain.named_buffers():
        torch.testing.assert_close(buffers[name], value, rtol=0, atol=1e-12)
    torch.testing.assert_close(
        lean(images, theta, NB201.region), plain(images, theta, NB201.region), rtol=0, atol=1e-10
    )


class _Alone(nn.Module):
    """One NB201 architecture in the plainest torch, no supernet in sight: the second implementation."""

    def __init__(self, genotype: Genotype, net: Supernet) -> None:
        super().__init__()
        self.genotype, self.net = genotype, net

    def forward(self, x: Tensor) -> Tensor:
        def norm(y: Tensor) -> Tensor:
            mean = y.mean((0, 2, 3), keepdim=True)
            return (y - mean) / torch.sqrt(((y - mean) ** 2).mean((0, 2, 3), keepdim=True) + 1e-5)

        def scaled(y: Tensor, layer: nn.BatchNorm2d) -> Tensor:
            return norm(y) * layer.weight[:, None, None] + layer.bias[:, None, None]

        def operation(op: int, h: Tensor, kernel: Tensor | None) -> Tensor:
            if op == 0:
                return h * 0
            if op == 1:
                return h
            if op == 4:
                padded, ones = F.pad(h, (1, 1, 1, 1)), F.pad(torch.ones_like(h), (1, 1, 1, 1))
                return F.unfold(padded, 3).view(*h.shape[:2], 9, *h.shape[2:]).sum(2) / F.unfold(ones, 3).view(
                    *h.shape[:2], 9, *h.shape[2:]
                ).sum(2)
            assert kernel is not None
            return norm(F.conv2d(h.clamp(min=0), kernel, padding=(kernel.shape[-1] - 1) // 2))

        x = scaled(F.conv2d(x, self.net.stem, padding=1), self.net.stem_norm)
        for stage, cells in enumerate(self.net.stages):
            if stage:
                block = self.net.reductions[stage - 1]
                y = scaled(F.conv2d(x.clamp(min=0), block.first, stride=2, padding=1), block.first_norm)
                y = scaled(F.conv2d(y.clamp(min=0), block.second, padding=1), block.second_norm)
                halved = (x[:, :, ::2, ::2] + x[:, :, 1::2, ::2] + x[:, :, ::2, 1::2] + x[:, :, 1::2, 1::2]) / 4
                x = y + F.conv2d(halved, block.shortcut)
            for cell in cells:  # type: ignore[attr-defined]
                o = [
                    lambda h, e=e, op=op, cell=cell: operation(  # type: ignore[misc]
                        op, h, cell.conv(e, op).kernel if op in (2, 3) else None
                    )
                    for e, op in enumerate(self.genotype)
                ]
                one = o[0](x)
                two = o[1](x) + o[2](one)
                x = o[3](x) + o[4](one) + o[5](two)
        x = scaled(x, self.net.head_norm).clamp(min=0).mean((2, 3))
        return x @ self.net.head.weight.T + self.net.head.bias


@settings(max_examples=15, deadline=None)
@given(st.tuples(*[st.integers(0, 4)] * 6))
def test_one_architecture_is_the_network_built_alone(genotype: Genotype) -> None:
    """Logits of a region of one genotype, of a one-hot theta, and of the network written out by hand."""
    net, _ = _nets(NB201, Norm())
    images, _ = _images()
    alone = _Alone(genotype, net)(images)
    region = Region.of([{op} for op in genotype])
    torch.testing.assert_close(net(images, None, region), alone, rtol=0, atol=1e-9)
    one_hot = F.one_hot(torch.tensor(genotype), 5).double()
    torch.testing.assert_close(net(images, one_hot, NB201.region), alone, rtol=0, atol=1e-9)


def test_operations_outside_the_region_are_not_computed() -> None:
    """Kernels that the region excludes may be NaN without anybody noticing, and get no gradient."""
    net, _ = _nets(NB201, Norm())
    region = Region.of([{0, 3}, {2}, {1, 4}, {3}, {0, 1}, {2, 3}])
    with torch.no_grad():
        for stage in net.stages:
            for cell in stage:  # type: ignore[attr-defined]
                for e in range(6):
                    for op in {2, 3} - region.allowed[e]:
                        cell.conv(e, op).kernel.fill_(torch.nan)
    theta = torch.full((6, 5), 0.2, dtype=torch.float64, requires_grad=True)
    loss, gradients = _loss_and_gradients(net, theta, region)
    assert torch.isfinite(loss)
    assert all(torch.isfinite(g).all() for g in gradients if g is not None)


@pytest.mark.parametrize("space", [NB201, TOY], ids=lambda s: s.name)
def test_multiply_adds_are_those_of_torchs_counter(space: Space) -> None:
    """FlopCounterMode counts two operations per multiply-add of convolutions and matrix products. The plain form is
    counted at 8 pixels, where pooling is no convolution."""
    net = nb201.NB201Network(space, Shape(4, 2, 10, 3, 8), Norm(), seed=0, lean=False)
    full = [set(range(len(space.ops)))] * len(space.edges)
    half = [{len(space.ops) - 1}] + [{1, 2}] * (len(space.edges) - 1)
    drawn = np.random.default_rng(0).choice(space.size, 12, replace=False)
    paths = [[{op} for op in space.population.at(int(row))] for row in drawn]
    if space is NB201:
        paths.append([{0}, {1}, {3}, {1}, {3}, {3}])  # node 1 has no input, so nothing is computed on the way out of it
    for allowed in (full, half, [{2}] * len(space.edges), *paths):
        region = Region.of(allowed)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            net(torch.zeros(5, 3, 8, 8), None, region)
        assert counter.get_total_flops() == 2 * 5 * net.multiply_adds(region)


def test_a_weight_starts_the_same_whatever_else_exists() -> None:
    """The toy space has other edges and operations, yet stem, reductions and head start equal."""
    a = nb201.NB201Network(NB201, SHAPE, Norm(), seed=4)
    b = nb201.NB201Network(TOY, SHAPE, Norm(), seed=4)
    c = nb201.NB201Network(NB201, SHAPE, Norm(), seed=5)
    named = dict(b.named_parameters())
    for name, value in a.named_parameters():
        if not name.startswith("stages"):
            assert torch.equal(named[name], value)
    assert not torch.equal(a.stem, c.stem)
    kernels = [p for n, p in a.named_parameters() if n.startswith("stages")]
    assert len({float(k.detach().flatten()[0]) for k in kernels}) == len(kernels)


def test_initial_kernels_are_spread_as_torchs_own() -> None:
    net = nb201.NB201Network(NB201, Shape(16, 1, 10, 3, 8), Norm(), seed=0)
    theirs = nn.Conv2d(16, 32, 3, bias=False).weight
    ours = net.reductions[0].first
    assert float(ours.detach().abs().max()) <= 1 / (16 * 9) ** 0.5
    assert abs(float(ours.detach().std()) / float(theirs.detach().std()) - 1) < 0.05


def test_parameters_of_an_edge_and_the_rest() -> None:
    net = nb201.NB201Network(NB201, SHAPE, Norm(), seed=0)
    for edge in range(6):
        own, shared = net.of_edge(edge), net.shared_by(edge)
        assert len(own) == 3 * 2  # three cells, two weighted operations
        ids = {id(p) for p in own}
        assert not ids & {id(p) for p in shared}
        inside = [*net.stages.parameters(), *net.reductions.parameters()]
        assert len(own) + len(shared) == len(inside)
    outside = {id(net.stem), *map(id, net.head.parameters())}
    assert not outside & {id(p) for p in net.shared_by(0)}


def test_a_disconnected_cell_gives_constant_logits() -> None:
    net, _ = _nets(NB201, Norm())
    images, _ = _images()
    logits = net(images, None, Region.of([{0}] * 6))
    assert torch.isfinite(logits).all()
    torch.testing.assert_close(logits, logits[:1].expand_as(logits))


def test_every_cell_can_have_a_region_of_its_own() -> None:
    """Three paths in three cells: the cells one by one, by hand, and the meter's count of their multiply-adds."""
    net = nb201.NB201Network(NB201, Shape(4, 1, 10, 3, 8), Norm(), seed=0).double()
    cells = ((3, 1, 3, 2, 4, 1), (2, 4, 1, 3, 3, 2), (4, 0, 3, 0, 4, 2))
    paths = tuple(Region.of([{op} for op in cell]) for cell in cells)
    nothing = Region.of([{0}] * 6)
    images = torch.randn(6, 3, 8, 8, dtype=torch.float64)
    x = net.stem_norm(F.conv2d(images, net.stem, padding=1))
    for stage, ((cell,), path) in enumerate(zip(net.stages, paths, strict=True)):
        (x,) = cell((net.reductions[stage - 1](x) if stage else x,), None, path)
    expected = net.head(F.relu(net.head_norm(x)).mean((2, 3)))
    torch.testing.assert_close(net(images, None, EachCell.together(paths)), expected, rtol=0, atol=1e-12)
    alike = [net(images, None, form) for form in (paths[0], EachCell.together([paths[0]] * 3))]
    torch.testing.assert_close(*alike, rtol=0, atol=0)
    free = net.multiply_adds(nothing)
    inside = [net.multiply_adds(EachCell.together([one, nothing, nothing])) - free for one in paths]
    assert [3 * cell for cell in inside] == [net.multiply_adds(one) - free for one in paths]  # stages cost alike
    assert net.multiply_adds(EachCell.together(paths)) - free == sum(inside)


@pytest.mark.parametrize("lean", [True, False])
def test_bf16_is_for_training_alone(lean: bool) -> None:
    """Training passes are near those in single precision and not equal, gradients too and in single precision;
    evaluation is the same to the bit."""
    one, other = (
        nb201.NB201Network(NB201, Shape(8, 1, 10, 3, 8), Norm(), seed=0, lean=lean, precision=precision)
        for precision in ("fp32", "bf16")
    )
    images, labels = torch.randn(64, 3, 8, 8, generator=torch.Generator().manual_seed(0)), torch.arange(64) % 10
    images = images.contiguous(memory_format=torch.channels_last)
    theta = torch.full((6, 5), 0.2, requires_grad=True)
    found = []
    for net in (one, other):
        logits = net(images, theta, NB201.region)
        assert logits.dtype == torch.float32
        found.append(
            torch.autograd.grad(
                F.cross_entropy(logits, labels), [theta, net.stem, net.stages[0][0].weighted["3/3"].kernel]
            )
        )  # type: ignore[index, union-attr]
    for a, b in zip(*found, strict=True):
        assert a.dtype == b.dtype == torch.float32
        assert not torch.equal(a, b)
        assert F.cosine_similarity(a.flatten(), b.flatten(), dim=0) > 0.95
    one.eval(), other.eval()
    with torch.no_grad():
        assert torch.equal(one(images, None, NB201.region), other(images, None, NB201.region))
