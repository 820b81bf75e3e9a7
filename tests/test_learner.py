"""Relaxations: costs against a hand count, the second-order gradient against exact differentiation."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call

from bench.errors import BadSpec, Diverged
from bench.images.batches import Batch
from bench.nets.operations import Norm
from bench.search.learner import Learner, Training
from bench.search.meter import Cost, Meter
from bench.spaces.nb201 import SPACE as NB201
from bench.spaces.space import Region, Space
from bench.spaces.toy import SPACE as TOY
from methods.darts import Darts
from methods.oneshot import OneShot
from methods.rsps import PathPerCell, Rsps
from methods.snas import Snas
from tests import tiny

TRAINING = Training(batch=32)
STEPS = 2 * 3  # two epochs of three batches at the tiny scale
B = 32


def _search(method: OneShot) -> dict[str, Cost]:
    task = tiny.task()
    with task.meter.phase("search"):
        method.search(task)
    total = task.meter.total()
    for name in ("forward_images", "backward_images", "supernets", "parameters"):
        assert getattr(total, name) == sum(getattr(c, name) for c in task.meter.phases.values())
    return task.meter.phases


@pytest.mark.parametrize("method", [Darts(TRAINING), Snas(TRAINING)], ids=["darts", "snas"])
def test_cost_of_first_order_search(method: OneShot) -> None:
    """Every step: one pass forward and back for alpha, one for the weights. The choice: 64 validation images once."""
    phases = _search(method)
    for name in ("alpha", "weights"):
        assert (phases[name].forward_images, phases[name].backward_images) == (STEPS * B, STEPS * B)
    assert (phases["choose"].forward_images, phases["choose"].backward_images) == (64, 0)
    assert phases["search"].supernets == 1


def test_a_search_is_followed_epoch_by_epoch() -> None:
    """The trace of two epochs and the choice: alpha and weights see three batches an epoch, the choice 64 images."""
    task = tiny.task()
    with task.meter.phase("search"):
        Darts(TRAINING).search(task)
    assert [point["forward_images"] for point in task.trace] == [2 * 3 * B, 4 * 3 * B, 4 * 3 * B + 64]


def test_cost_of_second_order_search() -> None:
    """Four passes forward and back for alpha, in a phase of their own."""
    phases = _search(Darts(TRAINING, order=2))
    assert (phases["unrolled"].forward_images, phases["unrolled"].backward_images) == (4 * STEPS * B, 4 * STEPS * B)
    assert (phases["weights"].forward_images, phases["weights"].backward_images) == (STEPS * B, STEPS * B)
    assert phases["alpha"].forward_images == 0


def test_cost_of_single_paths() -> None:
    """One pass per step, no alpha; five candidates on 64 images each, equal functions on shared weights once."""
    phases = _search(Rsps(replace(TRAINING, epochs=50), candidates=5))
    assert (phases["weights"].forward_images, phases["weights"].backward_images) == (STEPS * B, STEPS * B)
    assert "alpha" not in phases
    assert phases["choose"].backward_images == 0
    assert phases["choose"].forward_images in {64 * n for n in range(1, 6)}


def test_multiply_adds_count_one_forward_and_two_backward() -> None:
    learner = tiny.learner(Darts(TRAINING), TRAINING)
    batch = next(learner.train.epoch())
    per_image = learner.supernet.multiply_adds(TOY.region)
    with learner.meter.phase("both"):
        learner.loss(batch, torch.full((3, 3), 1 / 3), TOY.region).backward()
    with learner.meter.phase("forward"), torch.no_grad():
        learner.loss(batch, torch.full((3, 3), 1 / 3), TOY.region)
    assert learner.meter.phases["both"].gmacs == pytest.approx(3 * B * per_image / 1e9)
    assert learner.meter.phases["forward"].gmacs == pytest.approx(B * per_image / 1e9)


def test_a_retained_graph_is_paid_for_at_every_backward_pass() -> None:
    learner = tiny.learner(Darts(TRAINING), TRAINING)
    with learner.meter.phase("twice"):
        loss = learner.loss(next(learner.train.epoch()), None, Region.of([{2}] * 3))
        torch.autograd.grad(loss, learner.supernet.stem, retain_graph=True)
        torch.autograd.grad(loss, learner.supernet.stem)
    assert learner.meter.phases["twice"].forward_images == B
    assert learner.meter.phases["twice"].backward_images == 2 * B


def test_nothing_is_charged_while_the_meter_is_paused_or_outside_phases() -> None:
    learner = tiny.learner(Darts(TRAINING), TRAINING)
    batch = next(learner.train.epoch())
    learner.loss(batch, None, Region.of([{1}] * 3))
    with learner.meter.phase("outer"):
        with learner.meter.paused():
            learner.loss(batch, None, Region.of([{1}] * 3))
        with learner.meter.phase("inner"):
            learner.loss(batch, None, Region.of([{1}] * 3))
    counts = {name: cost.forward_images for name, cost in learner.meter.phases.items()}
    assert counts == {"outer": 0, "inner": B}


def test_phases_share_time_without_counting_it_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clocks that advance whenever they are read, that of the wall by one second, that of the process by a quarter:
    outer, inner, outer again, nobody, outer."""
    clocks = (itertools.count(step=step).__next__ for step in (1.0, 0.25))
    wall, process = clocks
    monkeypatch.setattr("bench.search.meter.time", SimpleNamespace(perf_counter=wall, process_time=process))
    meter = Meter(torch.device("cpu"))
    with meter.phase("outer"):  # starts at 0
        with meter.phase("inner"):  # 0 to 1 outer
            pass  # 1 to 2 inner
        with meter.paused():  # 2 to 3 outer
            pass  # 3 to 4 nobody
        # 4 to 5 outer
    seconds = {name: (cost.wall_s, cost.device_s) for name, cost in meter.phases.items()}
    assert seconds == {"outer": (3, 0.75), "inner": (1, 0.25)}
    assert (meter.total().wall_s, meter.total().device_s) == (4, 1)


def _exact_unrolled(
    method: Darts, learner: Learner, train: tuple[Tensor, Tensor], valid: tuple[Tensor, Tensor]
) -> Tensor:
    """d alpha of L_valid(w - xi (momentum + dL_train + decay), alpha), by differentiating through the step itself.

    The plain form is used, because autograd can differentiate it twice.
    """
    net = learner.supernet
    for stage in net.stages:
        for cell in stage:  # type: ignore[attr-defined]
            cell.lean = False
    names = [name for name, _ in net.named_parameters()]
    weights = {name: p.detach().clone().requires_grad_() for name, p in net.named_parameters()}
    alpha = learner.alpha.detach().clone().requires_grad_()

    def loss(at: dict[str, Tensor], batch: tuple[Tensor, Tensor]) -> Tensor:
        return F.cross_entropy(functional_call(net, at, (batch[0], alpha.softmax(-1), learner.region)), batch[1])

    gradients = torch.autograd.grad(loss(weights, train), list(weights.values()), create_graph=True)
    xi = learner.optimiser.rate
    moved = {}
    for name, w, g, p in zip(names, weights.values(), gradients, net.parameters(), strict=True):
        momentum = learner.optimiser.state[p]["momentum_buffer"]
        step = g + learner.training.weight_decay * w + learner.training.momentum * momentum
        moved[name] = w - xi * step
    (gradient,) = torch.autograd.grad(loss(moved, valid), alpha)
    return gradient


@pytest.mark.parametrize("space", [TOY, NB201], ids=lambda s: s.name)
def test_unrolled_gradient_is_that_of_the_unrolled_step(space: object) -> None:
    """Finite differences (eq. 8) against exact second derivatives, in float64, after a few steps of training. A larger
    weight step than in practice makes the second-order part a visible share of the gradient."""
    training = Training(batch=32, learning_rate=0.2, learning_rate_end=0.2, alpha_start=0.5)
    method = Darts(training, order=2, eps=1e-7)
    learner = tiny.learner(method, training, space)  # type: ignore[arg-type]
    learner.fit(1)
    learner.supernet.double()
    learner.alpha.data = learner.alpha.data.double()
    for state in learner.optimiser.state.values():
        state["momentum_buffer"] = state["momentum_buffer"].double()
    batches = [(b.images.double(), b.labels) for b in learner.train.epoch()]
    train, valid = batches[0], batches[1]
    before = [w.detach().clone() for w in learner.weights]
    ours = method.unrolled(learner, Batch(*train), Batch(*valid))
    assert all(torch.equal(a, b) for a, b in zip(before, learner.weights, strict=True))  # put back, to the bit
    exact = _exact_unrolled(method, learner, train, valid)
    theta, region = method.theta(learner)
    (first,) = torch.autograd.grad(learner.loss(Batch(*valid), theta, region), learner.alpha)
    second_order = float((exact - first).norm())
    assert second_order > 0.05 * float(exact.norm())  # else this test would not see the correction
    assert float((ours - exact).norm()) < 0.02 * second_order


def test_first_order_step_is_adam_on_the_validation_gradient() -> None:
    learner = tiny.learner(Darts(TRAINING), TRAINING)
    twin = torch.nn.Parameter(learner.alpha.detach().clone())
    adam = torch.optim.Adam([twin], lr=3e-4, betas=(0.5, 0.999), weight_decay=1e-3)
    train, valid = next(learner.train.epoch()), next(learner.valid.epoch())
    for _ in range(3):
        loss = F.cross_entropy(learner.supernet(valid.images, twin.softmax(-1), TOY.region), valid.labels)
        (twin.grad,) = torch.autograd.grad(loss, twin)
        adam.step()
        learner.relaxation.step(learner, train, valid)
    torch.testing.assert_close(learner.alpha, twin)


def test_weight_steps_are_sgd_with_clipping_and_a_cosine() -> None:
    """One epoch against torch's SGD written out: learning rates, clipping and batches."""
    training = Training(batch=32, clip=0.1)
    learner, twin = (tiny.learner(Rsps(training), training) for _ in range(2))
    rates: list[float] = []
    optimiser = torch.optim.SGD(twin.weights, lr=0.025, momentum=0.9, nesterov=True, weight_decay=5e-4)
    planned = learner.schedule.epochs * 3
    for step, batch in enumerate(twin.train.epoch()):
        rate = 0.001 + (0.025 - 0.001) * (1 + np.cos(np.pi * step / planned)) / 2
        rates.append(rate)
        optimiser.param_groups[0]["lr"] = rate
        path = Region.of([{op} for op in twin.region.draw(twin.paths)])
        optimiser.zero_grad()
        F.cross_entropy(twin.supernet(batch.images, None, path), batch.labels).backward()
        norm = torch.stack([w.grad.norm() for w in twin.weights if w.grad is not None]).norm()
        assert norm > 0.1
        for w in twin.weights:
            if w.grad is not None:
                w.grad *= 0.1 / (norm + 1e-6)
        optimiser.step()
    learner.fit(1)
    for ours, theirs in zip(learner.weights, twin.weights, strict=True):
        torch.testing.assert_close(ours, theirs)
    assert rates[0] == pytest.approx(0.025)


def test_a_part_of_an_epoch_is_its_first_steps() -> None:
    """1.7 epochs of three batches are five steps: those of a learner that is stopped after five; then a new shuffle."""
    part, whole = (tiny.learner(Darts(TRAINING), TRAINING) for _ in range(2))
    part.fit(1.7)
    assert part.steps == 5
    assert [point["step"] for point in part.curve] == [3, 5]
    whole.fit(1)
    for batch in itertools.islice(whole.train.epoch(), 2):
        whole.stepper.alpha(whole, batch, next(whole._valid_stream))
        whole._schedule()
        whole.stepper.weights(whole, batch, None, True)
        whole.steps += 1
    assert all(torch.equal(a, b) for a, b in zip(part.weights, whole.weights, strict=True))
    assert torch.equal(part.alpha, whole.alpha)
    part.fit(1 / 3)
    assert part.steps == 6


def test_snas_samples_sharpen_with_training() -> None:
    """Mean largest weight of a row: that of a softmax sample at temperature 1 at the start, 0.55 half way, 0.1 at the
    end: the temperature falls linearly."""
    method = Snas(TRAINING)
    learner = tiny.learner(method, TRAINING, NB201)

    def peak() -> float:
        return float(np.mean([method.theta(learner)[0].detach().amax(-1).mean() for _ in range(200)]))

    steps = learner.schedule.epochs * len(learner.train)
    peaks = []
    for learner.steps in (0, steps // 2, steps):
        peaks.append(peak())
    assert steps % 2 == 0
    # Independent draws: softmax(Gumbel / T) over five equal logits.
    rng = np.random.default_rng(0)
    gumbel = rng.gumbel(size=(4_000, 5))
    for temperature, measured in zip((1.0, 0.55, 0.1), peaks, strict=True):
        weights = np.exp(gumbel / temperature - (gumbel / temperature).max(1, keepdims=True))
        expected = (weights / weights.sum(1, keepdims=True)).max(1).mean()
        assert measured == pytest.approx(expected, abs=0.03)


def test_the_temperature_falls_linearly() -> None:
    assert [Snas().heat(progress) for progress in (0, 0.25, 0.5, 1)] == pytest.approx([1, 0.775, 0.55, 0.1])


def test_snas_chooses_operations_with_softmax_probability() -> None:
    """The arg-max of a concrete sample is distributed as softmax(alpha), whatever the temperature."""
    method = Snas(TRAINING)
    learner = tiny.learner(method, TRAINING)
    learner.alpha.data = torch.tensor([[0.0, 1.0, -1.0]] * 3)
    wins = np.zeros(3)
    for _ in range(1_500):
        for op in method.theta(learner)[0].argmax(-1).tolist():
            wins[op] += 1
    expected = np.exp([0, 1, -1]) / np.exp([0, 1, -1]).sum()
    assert wins / wins.sum() == pytest.approx(expected, abs=0.03)


def test_theta_and_choice_stay_within_the_region() -> None:
    task = tiny.task(NB201)
    region = Region.of([{0, 1}, {2}, {3, 4}, {0, 1, 2, 3, 4}, {1, 4}, {3}])
    for method in (Darts(TRAINING), Snas(TRAINING)):
        learner = task.learner(method, TRAINING, region)
        theta, _ = method.theta(learner)
        assert theta.detach()[~learner.allowed].abs().max() == 0
        torch.testing.assert_close(theta.sum(-1), torch.ones(6))
        learner.fit(1)
        assert region.holds(method.choose(learner)[0])
    learner = task.learner(Rsps(TRAINING), TRAINING, region)
    assert region.holds(Rsps(TRAINING, candidates=3).choose(learner)[0])


def test_rsps_keeps_the_best_of_its_candidates() -> None:
    """Against all 27 cells evaluated one by one."""
    method = Rsps(TRAINING, candidates=10_000)
    learner = tiny.learner(method, TRAINING)
    learner.fit(2)
    by_hand = {g: learner.estimate(g)[0] for g in TOY.population}
    genotype, accuracy = method.choose(learner)
    assert accuracy == max(by_hand.values()) == by_hand[genotype]


def test_a_path_for_every_cell_is_drawn_apart_and_paid_for() -> None:
    learner = tiny.learner(PathPerCell(TRAINING), TRAINING, NB201)
    drawn = [learner.relaxation.theta(learner) for _ in range(50)]
    assert all(theta is None and len(paths.cells) == 3 for theta, paths in drawn)
    assert all(path.size == 1 for _, paths in drawn for path in paths.cells)
    assert len({paths for _, paths in drawn}) == 50
    assert sum(len(set(paths.cells)) == 3 for _, paths in drawn) > 40
    with learner.meter.phase("weights"):
        learner.fit(1)
    cost = learner.meter.total()
    assert cost.backward_images == len(learner.train) * TRAINING.batch
    assert cost.gmacs > 0


def test_estimates_merge_equal_functions_and_match_one_by_one() -> None:
    learner = tiny.learner(Rsps(TRAINING), TRAINING, NB201)
    learner.fit(1)
    rng = np.random.default_rng(0)
    genotypes = [NB201.region.draw(rng) for _ in range(40)]
    together = learner.estimates(genotypes)
    alone = np.array([learner.estimate(g) for g in genotypes])
    np.testing.assert_array_equal(together[:, 0], alone[:, 0])
    np.testing.assert_allclose(together[:, 1], alone[:, 1], rtol=0, atol=1e-5)


def test_estimate_is_accuracy_and_cross_entropy_of_validation_images() -> None:
    learner = tiny.learner(Rsps(TRAINING), TRAINING)
    learner.fit(1)
    images = tiny.search_images().valid
    pixels = torch.from_numpy(images.pixels).double() / 255
    mean, std = tiny.search_images().mean[0], tiny.search_images().std[0]
    with torch.no_grad():
        logits = learner.supernet(((pixels - mean) / std).float(), None, Region.of([{2}, {1}, {2}]))
    labels = torch.from_numpy(images.labels)
    accuracy, nats = learner.estimate((2, 1, 2))
    assert accuracy == pytest.approx(float((logits.argmax(1) == labels).double().mean()))
    assert nats == pytest.approx(float(F.cross_entropy(logits, labels)), rel=1e-5)


def test_a_loss_that_is_not_finite_stops_the_search() -> None:
    training = Training(batch=32, learning_rate=1e30, learning_rate_end=1e30, clip=0)
    with pytest.raises(Diverged, match="the loss of supernet 0 is no finite number after"):
        tiny.learner(Darts(training), training).fit()


def test_a_weight_that_overflows_in_the_last_step_is_seen() -> None:
    """The loss of the step before it was a number."""
    learner = tiny.learner(Darts(TRAINING), TRAINING)
    step = learner.stepper.weights

    def last(*rest: object) -> Tensor:
        loss = step(*rest)  # type: ignore[arg-type]
        if learner.steps == 2:
            with torch.no_grad():
                learner.weights[3].fill_(torch.inf)
        return loss

    learner.stepper.weights = last  # type: ignore[method-assign]
    with pytest.raises(Diverged, match="a weight of supernet 0 is no finite number after 3 steps"):
        learner.fit(1)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (lambda: tiny.task().learner(Darts(), Training(batch=65)), "64 validation images are fewer than a batch of 65"),
        (lambda: tiny.task().learner(Darts(), Training(batch=97)), "96 training images are fewer"),
        (lambda: Training(epochs=0), "epochs must be 1 or more, got 0"),
        (lambda: Training(batch=0), "batch must be 1 or more, got 0"),
        (lambda: Training(learning_rate=-0.1), "learning_rate must be 0 or more, got -0.1"),
        (lambda: Training(weight_decay=float("nan")), "weight_decay must be 0 or more, got nan"),
        (lambda: Training(clip=-5.0), "clip must be 0 or more, got -5.0"),
        (lambda: Training(momentum=1.0), "momentum must be 0 or more and less than 1, got 1.0"),
        (lambda: Training(alpha_betas=(0.5, 1.5)), "alpha_betas must be 0 or more and less than 1, got 1.5"),
        (lambda: Rsps(candidates=0), "candidates must be 1 or more, got 0"),
    ],
)
def test_settings_that_cannot_work_are_refused_before_training(fault: object, message: str) -> None:
    with pytest.raises(BadSpec, match=message):
        fault()  # type: ignore[operator]


def test_running_statistics_are_used_in_evaluation_only_where_asked_for() -> None:
    """With running statistics an image's logits do not depend on its batch; with batch statistics they do."""
    for norm, alike in ((Norm("running"), True), (Norm("batch"), False)):
        training = Training(batch=32, norm=norm)
        learner = tiny.learner(Rsps(training), training)
        learner.fit(1)
        learner.supernet.eval()
        images = next(learner.valid.in_order(32)).images
        region = Region.of([{2}] * 3)
        with torch.no_grad():
            whole, part = learner.supernet(images, None, region)[:4], learner.supernet(images[:4], None, region)
        assert torch.allclose(whole, part, atol=1e-5) == alike


def test_streams_of_one_supernet_do_not_move_those_of_another() -> None:
    """The second learner starts the same whether or not the first was trained."""
    first, second = tiny.task(), tiny.task()
    first.learner(Darts(TRAINING), TRAINING).fit(1)
    second.learner(Darts(TRAINING), TRAINING)
    trained, fresh = (t.learner(Darts(TRAINING), TRAINING).fit(1) for t in (first, second))
    for a, b in zip(trained.weights, fresh.weights, strict=True):
        assert torch.equal(a, b)
    assert torch.equal(trained.alpha, fresh.alpha)


@dataclass(frozen=True)
class PerEdge(Darts):
    """Darts whose edges have a weight of their own each: a second parameter of the architecture."""

    version: ClassVar[int] = 1

    def more(self, space: Space) -> dict[str, torch.Tensor]:
        return {"beta": torch.zeros(len(space.edges))}

    def theta(self, learner: Learner) -> tuple[torch.Tensor, Region]:
        theta, region = super().theta(learner)
        return theta * torch.sigmoid(learner.more["beta"])[:, None], region

    def step(self, learner: Learner, train: Batch, valid: Batch) -> None:
        learner.update_alpha(**learner.architecture_gradients(learner.loss(valid, *self.theta(learner))))


def test_a_second_parameter_of_the_architecture_is_trained_kept_and_adopted() -> None:
    """Its first step is Adam's: the rate against the sign of the gradient, which a difference quotient finds too."""
    training = Training(batch=32, alpha_rate=0.01, alpha_decay=0.0)
    learner = tiny.in_float64(tiny.learner(PerEdge(training), training))
    learner.more["beta"].data = learner.more["beta"].data.double()
    batch = next(learner.valid.endless())
    gradient = learner.architecture_gradients(learner.loss(batch, *learner.relaxation.theta(learner)))["beta"]
    for edge in range(3):
        moved = []
        for sign in (1, -1):
            with torch.no_grad():
                learner.more["beta"][edge] += sign * 1e-5
                moved.append(float(learner.loss(batch, *learner.relaxation.theta(learner)).detach()))
                learner.more["beta"][edge] -= sign * 1e-5
        assert float(gradient[edge]) == pytest.approx((moved[0] - moved[1]) / 2e-5, rel=1e-4)
    learner.relaxation.step(learner, batch, batch)
    torch.testing.assert_close(learner.more["beta"].detach(), -0.01 * gradient.sign(), rtol=0, atol=1e-5)
    trained = tiny.fit(tiny.learner(PerEdge(training), training), 1)
    again, child = (tiny.learner(PerEdge(training), training) for _ in range(2))
    again.restore(*trained.state())
    child.adopt(trained, state=True)
    for one in (again, child):
        assert torch.equal(one.more["beta"], trained.more["beta"])
    assert float(trained.more["beta"].detach().abs().min()) > 0
