"""Progressive shrinking: nested kernels against separate networks of the same weights, the order of channels, and what
is trained when and taught by whom."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from bench import spaces
from bench.errors import BadSpace, BadSpec
from bench.nets.macro import MacroNetwork
from bench.nets.nb201 import NB201Network
from bench.nets.nested import NestedBlock, ordered, part_of
from bench.nets.operations import Conv, InvertedBlock, Norm
from bench.search.learner import Learner, Training
from bench.spaces import macro, nb201
from bench.spaces.cells import CellSpace
from bench.spaces.layout import Shape
from bench.spaces.operations import OPERATIONS, InvertedResidual, Kernel
from bench.spaces.space import Genotype, Region
from methods.shrink import Shrink, grown
from tests import tiny
from tests.test_macro import SOME

SHAPE = Shape(4, 1, 10, 3, 16)
SHORT = Training(epochs=445, batch=32, nested=True)


def images(count: int = 6, side: int = 16) -> Tensor:
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def learner(method: Shrink, space: str = "macro") -> Learner:
    return tiny.in_float64(tiny.task(spaces.get(space)).learner(method, method.training))


def stirred(net: torch.nn.Module) -> Any:
    """The network in double precision with the matrices of taps away from the identity."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, p in net.named_parameters():
            if name.endswith("taps"):
                p += 0.3 * torch.randn(p.shape, generator=generator)
    return net.double()


# Kernels within kernels


def _sliced(nested: MacroNetwork, alone: MacroNetwork, genotype: Genotype) -> None:
    """Write the kernels of an architecture into a network of its own, cut out by hand."""
    edges = [(stage, edge) for stage in range(3) for edge, _ in nested.inner.of_cell(f"stage{stage}")]
    with torch.no_grad():
        for (stage, edge), op in zip(edges, genotype, strict=True):
            cells = [net.stages[stage][0] for net in (nested, alone)]  # type: ignore[index]
            if op == 0:
                for mine, theirs in zip(
                    *([p for e, o, p in c.owned() if (e, o) == (edge, 0)] for c in cells[::-1]), strict=True
                ):
                    mine.copy_(theirs)
                continue
            block, own = cells[0].weighted[f"{edge}/2"], cells[1].weighted[f"{edge}/{op}"]
            expand, deep, project = block.kernels
            if op == 1:
                half = len(expand) // 2
                taps = cells[0].weighted[f"{edge}/1"].centre.taps
                small = torch.zeros(half, 1, 3, 3, dtype=deep.dtype)
                for channel in range(half):
                    for to in range(9):
                        for of in range(9):
                            small[channel, 0, to // 3, to % 3] += (
                                taps[to, of] * deep[channel, 0, 1 + of // 3, 1 + of % 3]
                            )
                expand, deep, project = expand[:half], small, project[:, :half]
            for mine, theirs in zip(own.kernels, (expand, deep, project), strict=True):
                mine.copy_(theirs)
        for name in ("stem", "last"):
            getattr(alone, name).copy_(getattr(nested, name))
        alone.head.load_state_dict(nested.head.state_dict())


@pytest.mark.parametrize("text", SOME)
def test_a_nested_architecture_is_the_separate_network_of_its_weights(text: str) -> None:
    """Logits of the network of `macro` that shares nothing, with the kernels cut out; and gradients reach the holder's
    kernels where they were cut out, and nowhere else."""
    genotype = macro.SPACE.parse(text)
    nested = stirred(MacroNetwork(macro.SPACE, SHAPE, Norm(), 3, nested=True))
    alone = MacroNetwork(macro.SPACE, SHAPE, Norm(), 3, region=macro.SPACE.alone(genotype)).double()
    _sliced(nested, alone, genotype)
    region = macro.SPACE.alone(genotype)
    ours, theirs = nested(images(), None, region), alone(images(), None, region)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)
    for logits in (ours, theirs):
        logits.square().sum().backward()
    torch.testing.assert_close(nested.stem.grad, alone.stem.grad, rtol=1e-9, atol=1e-9)
    for edge, op in enumerate(genotype):
        stage = sum(edge >= first for first in (2, 5))
        block = nested.stages[stage][0].weighted[f"{edge}/2"]
        expand, deep, project = (kernel.grad for kernel in block.kernels)
        if op == 0:
            assert expand is None or not expand.any()
        if op == 1:
            half, own = len(expand) // 2, alone.stages[stage][0].weighted[f"{edge}/1"]
            torch.testing.assert_close(expand[:half], own.kernels[0].grad, rtol=1e-9, atol=1e-9)
            torch.testing.assert_close(project[:, :half], own.kernels[2].grad, rtol=1e-9, atol=1e-9)
            assert not expand[half:].any()
            assert not deep[:, :, 0].any()
            assert not project[:, half:].any()


def test_a_convolution_of_one_pixel_is_the_middle_of_nine() -> None:
    """On NAS-Bench-201, against the plain cell with the middle written into its own kernel."""
    genotype = (2, 3, 2, 1, 3, 2)
    shape = Shape(3, 1, 10, 3, 16)
    nested = stirred(NB201Network(nb201.SPACE, shape, Norm(), 0, nested=True))
    plain = NB201Network(nb201.SPACE, shape, Norm(), 0, lean=False).double()
    names = dict(nested.named_parameters())
    with torch.no_grad():
        for name, p in plain.named_parameters():
            if "/2." not in name:
                p.copy_(names[name])
                continue
            held, taps = names[name.replace("/2.", "/3.")], names[name.replace("kernel", "centre.taps")]
            p.copy_(held[:, :, 1:2, 1:2] * taps)
    region = nb201.SPACE.alone(genotype)
    torch.testing.assert_close(nested(images(), None, region), plain(images(), None, region), rtol=0, atol=1e-10)


def test_a_small_kernel_has_no_weight_but_its_taps() -> None:
    nested, plain = (MacroNetwork(macro.SPACE, SHAPE, Norm(), 3, nested=flag) for flag in (True, False))
    small = [(e, op, p.numel()) for e, op, p in nested.owned() if op == 1]
    assert small == [(edge, 1, 81) for edge in range(8)]
    for op in (0, 2):
        own, shared = ([p for _, o, p in net.owned() if o == op] for net in (plain, nested))
        assert all(torch.equal(a, b) for a, b in zip(own, shared, strict=True))
    assert nested.multiply_adds(macro.SPACE.region) == plain.multiply_adds(macro.SPACE.region)


def test_a_kernel_that_is_larger_than_its_holder_is_refused() -> None:
    conv = Conv(torch.zeros(4, 4, 3, 3), Norm())
    with pytest.raises(BadSpace, match="a kernel of 5 is no part of one of 3"):
        part_of(conv, [Kernel(4, 4, 5, 8)], Norm())
    block = InvertedBlock([torch.zeros(12, 4, 1, 1), torch.zeros(12, 1, 5, 5), torch.zeros(4, 12, 1, 1)], Norm(), 1)
    wide = [Kernel(24, 4, 1, 8), Kernel(24, 24, 3, 8, groups=24), Kernel(4, 24, 1, 8)]
    with pytest.raises(BadSpace, match="24 channels and a kernel of 3 is no part of one of 12 and 5"):
        part_of(block, wide, Norm())
    with pytest.raises(BadSpace, match="hold no smaller"):
        part_of(lambda x: x, [], Norm())


def test_operations_of_which_none_holds_the_other_are_refused_before_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OPERATIONS, "ir_7x7_t3", InvertedResidual("ir_7x7_t3", 7, expansion=3))
    space: CellSpace = dataclasses.replace(macro.SPACE, name="crossed", ops=("id", "ir_7x7_t3", "ir_5x5_t6"))
    with pytest.raises(BadSpace, match="is larger; train it on weights of its own"):
        Shrink().check(tiny.task(space))
    assert macro.SPACE.holders == {1: 2}
    assert nb201.SPACE.holders == {2: 3}
    assert spaces.get("toy-darts").holders == {}  # type: ignore[attr-defined]


# The order of channels


@pytest.mark.parametrize("norm", [Norm(), Norm("running", affine=True)], ids=["batch", "running"])
def test_ordered_channels_change_no_whole_block_and_bring_the_heaviest_first(norm: Norm) -> None:
    net = stirred(MacroNetwork(macro.SPACE, SHAPE, norm, 3, nested=True))
    sgd = torch.optim.SGD(net.parameters(), 0.05, momentum=0.9)
    largest, small = (macro.SPACE.alone((op,) * 8) for op in (2, 1))
    net.train()
    for _ in range(3):
        sgd.zero_grad()
        net(images(), None, largest).square().mean().backward()
        sgd.step()
    net.eval()
    before = [net(images(), None, region) for region in (largest, small)]
    ordered(net, sgd.state)
    after = [net(images(), None, region) for region in (largest, small)]
    torch.testing.assert_close(after[0], before[0], rtol=0, atol=1e-9)
    assert not torch.allclose(after[1], before[1], rtol=0, atol=1e-9)
    holders = {id(m.holder[0]): m.holder[0] for m in net.modules() if isinstance(m, NestedBlock)}
    assert len(holders) == 8
    for block in holders.values():
        weights = block.kernels[2].abs().sum((0, 2, 3))
        assert (weights.diff() <= 1e-12).all()


def test_momentum_moves_with_the_channels() -> None:
    """A step after the order is the order of the step."""
    nets = [stirred(MacroNetwork(macro.SPACE, SHAPE, Norm(), 3, nested=True)) for _ in range(2)]
    largest, ends = macro.SPACE.alone((2,) * 8), []
    for net, early in zip(nets, (True, False), strict=True):
        sgd = torch.optim.SGD(net.parameters(), 0.05, momentum=0.9)
        for step in range(3):
            if step == 2 and early:
                ordered(net, sgd.state)
            sgd.zero_grad()
            net(images(), None, largest).square().mean().backward()
            sgd.step()
        ends.append(net(images(), None, largest))
    torch.testing.assert_close(*ends, rtol=0, atol=1e-9)


# The phases


def test_regions_grow_by_kernels_and_then_by_depth() -> None:
    whole = macro.SPACE.region
    assert [r.lists for r in grown(macro.SPACE, whole)] == [((2,),) * 8, ((1, 2),) * 8, ((0, 1, 2),) * 8]
    part = Region.of([{0, 1}, {1, 2}, {0}, {0, 2}] * 2)
    first, second, third = grown(macro.SPACE, part)
    assert first.lists == ((1,), (2,), (0,), (2,)) * 2
    assert second.lists == ((1,), (1, 2), (0,), (2,)) * 2
    assert third == part
    assert [r.lists[0] for r in grown(nb201.SPACE, nb201.SPACE.region)] == [(3,), (2, 3), (0, 1, 2, 3, 4)]


def test_paths_are_of_the_phase_and_channels_are_ordered_once() -> None:
    """445 epochs are 18 here, of 3 steps: phases of 22, 14 and 18 steps."""
    method = Shrink(SHORT)
    own, seen, order = tiny.learner(method, SHORT, macro.SPACE), [], []
    first = own.supernet.stages[0][0].weighted["0/2"]  # type: ignore[index,union-attr]
    assert own.schedule.epochs * len(own.train) == 54
    theta, before = method.theta, method.prepare

    def watched(learner: Learner) -> Any:
        found = theta(learner)
        seen.append((learner.steps, next(found[1].combinations())))
        return found

    def prepared(learner: Learner) -> None:
        kernel = first.kernels[2].detach().clone()
        before(learner)
        if not torch.equal(kernel, first.kernels[2]):
            order.append(learner.steps)

    object.__setattr__(method, "theta", watched)
    object.__setattr__(method, "prepare", prepared)
    tiny.fit(own, 18)
    ops = [
        {op for step, path in seen if low <= step < high for op in path} for low, high in ((0, 22), (22, 36), (36, 54))
    ]
    assert ops == [{2}, {1, 2}, {0, 1, 2}]
    assert order == [22]
    assert [sum(step == each for each, _ in seen) for step in (0, 21, 22, 35, 36, 53)] == [1, 1, 1, 1, 2, 2]


@pytest.mark.parametrize(("steps", "paths"), [(0, 1), (30, 1), (40, 2)])
def test_the_gradient_of_a_step_is_that_of_the_loss_of_the_paper(steps: int, paths: int) -> None:
    """Cross-entropy with labels and, once there are smaller networks, with the answers of the largest; of each path,
    added up."""
    method = Shrink(replace(SHORT, smoothing=0.1, clip=0.0), distillation=0.7)
    own = learner(method)
    own.steps = steps
    own.supernet.train()
    batch = next(iter(own.valid.in_order(32)))
    state = own.paths.bit_generator.state
    largest = own.supernet(batch.images, None, own.space.alone((2,) * 8)).detach().softmax(-1)
    loss = torch.zeros((), dtype=torch.float64)
    for _, region in method.descents(own):
        answers = own.supernet(batch.images, None, region)
        loss = loss + F.cross_entropy(answers, batch.labels, label_smoothing=0.1)
        if steps:
            loss = loss - 0.7 * (largest * answers.log_softmax(-1)).sum(-1).mean()
    expected = torch.autograd.grad(loss, own.weights, allow_unused=True)
    own.paths.bit_generator.state = state
    own.update_weights(batch)
    for weight, gradient in zip(own.weights, expected, strict=True):
        if gradient is not None:
            torch.testing.assert_close(weight.grad, gradient, rtol=0, atol=1e-10)
    assert len(method.descents(own)) == paths


def test_the_account_holds_teachers_and_further_paths() -> None:
    """22 steps of one path; 14 of one and a teacher; 18 of two, each with a teacher."""
    method = Shrink(SHORT)
    own = tiny.fit(tiny.learner(method, SHORT, macro.SPACE), 18)
    total = own.meter.total()
    assert total.forward_images == 32 * (22 + 14 * 2 + 18 * 4)
    assert total.backward_images == 32 * (22 + 14 + 18 * 2)
    expected = (2 * 180 + 3 * 120 + 6 * 145) / 445
    assert method.passes(macro.SPACE) == pytest.approx(expected)
    assert (total.forward_images + total.backward_images) / (32 * 54) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("settings", [{"phases": (1, 2)}, {"phases": (0, 0, 0)}, {"paths": (1, 0, 1)}])
def test_phases_that_cannot_be_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(BadSpec):
        Shrink(**settings)
