"""On a GPU: the numbers of a CPU, captured steps those of ordinary ones, every method a record, all in one account.

Everything is compared in double precision, where a GPU differs from a CPU by the order of its sums alone.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import methods
from bench.contract.searches import COUNTS, cost_in_order, outcome_in_order
from bench.contract.small import spec as _spec
from bench.contract.stops import Stop, kept_at_every_epoch
from bench.nets.convolve import average_pool, convolve
from bench.nets.mixture import weighted_sum
from bench.nets.operations import Norm
from bench.nets.precision import arithmetic
from bench.runs.run import Settings, execute
from bench.search.learner import Learner, Relaxation, Training
from bench.search.steps import Captured, Steps, stepper_for
from bench.spaces.nb201 import SPACE as NB201
from bench.spaces.rows import rows_of
from bench.spaces.space import Region, Space
from bench.spaces.toy import SPACE as TOY
from bench.store.record import Record, Results
from methods.darts import Darts
from methods.hepnas import MutualDistillation
from methods.hyper import HyperDarts
from methods.rsps import Rsps
from methods.snas import Snas
from tests import contract, tiny

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

GPU = torch.device("cuda")
ROUNDING = 1e-9  # of six steps in double precision, where sums are taken in another order
TRAINING = Training(batch=32, alpha_start=0.5)
RUNNING = Training(batch=32, alpha_start=0.5, norm=Norm("running", affine=True))
CUT = Region.of([{0, 1, 3}, {2, 3, 4}, {1, 2}, {0, 1, 2, 3, 4}, {3}, {1, 4}])
CHAIN = rows_of(NB201, [[(3, 1, 0, 2, 1, 0), (1, 2, 3, 0, 0, 4)]] * 3)
KINDS: dict[str, tuple[Relaxation, Space, Region | None]] = {
    "darts": (Darts(TRAINING), NB201, None),
    "darts on a region": (Darts(TRAINING), NB201, CUT),
    "darts, running statistics": (Darts(RUNNING), NB201, CUT),
    "darts-2nd": (Darts(TRAINING, order=2), NB201, CUT),
    "snas": (Snas(TRAINING), NB201, None),
    "rsps": (Rsps(TRAINING), NB201, None),
    "fade": (HyperDarts(TRAINING), CHAIN, None),
    "fade, joint": (HyperDarts(TRAINING, joint=True), CHAIN, None),
}


@pytest.fixture(autouse=True)
def _rates_in_single_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a captured step reads its learning rate: so all can be compared to the last digits."""
    set_rate = Learner._set_rate
    monkeypatch.setattr(Learner, "_set_rate", lambda self, rate: set_rate(self, float(np.float32(rate))))


def _learner(kind: str, device: torch.device, steps: Steps = "ordinary", seed: int = 0) -> Learner:
    """In float64: two of a kind and seed start alike and see the same batches, on whatever device."""
    relaxation, space, region = KINDS[kind]
    training = RUNNING if "running" in kind else TRAINING
    made = tiny.in_float64(tiny.task(space, seed, device=device).learner(relaxation, training, region))
    made.stepper = stepper_for(steps)
    return made


def _lesson(kind: str) -> dict[str, Any]:
    relaxation = KINDS[kind][0]
    return {"lesson": relaxation.lesson()} if isinstance(relaxation, HyperDarts) else {}


OPERATIONS = {
    "pooling": lambda x, k: average_pool(x),
    "halving": lambda x, k: F.avg_pool2d(x, 2, 2),
    "1x1": lambda x, k: convolve(x, k[:, :, :1, :1]),
    "3x3": lambda x, k: convolve(x, k),
    "3x3, stride 2": lambda x, k: convolve(x, k, stride=2),
    "normalised": lambda x, k: F.batch_norm(convolve(x, k), None, None, None, None, True),
    "normalised and scaled": lambda x, k: F.batch_norm(x, None, None, k[0, :, 0, 0], k[0, :, 1, 1], True),
    "a sum": lambda x, k: weighted_sum([x, x.relu()], [(x.square(), k[0, 0, 0, 0]), (x, k[0, 0, 0, 1])]),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["single", "double"])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format], ids=["last", "first"])
@pytest.mark.parametrize("pixels", [2, 4, 8, 32])
@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_and_its_way_back(name: str, pixels: int, layout: Any, dtype: torch.dtype) -> None:
    """Values and gradients in either layout and precision are those of a CPU in double precision. A library may be
    wrong on one layout only, and in silence: `bench.nets.convolve.Pooled`."""
    generator = torch.Generator().manual_seed(pixels)
    x, k = (
        torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((4, 6, pixels, pixels), (6, 6, 3, 3))
    )
    found = []
    with arithmetic(GPU, "fp32"):
        for device, kind in ((GPU, dtype), (tiny.CPU, torch.float64)):
            own = [t.to(device, kind).contiguous(memory_format=layout).requires_grad_() for t in (x, k)]
            y = OPERATIONS[name](*own)
            back = torch.randn(y.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(y)
            gradients = torch.autograd.grad(y, own, back, allow_unused=True)
            found.append([t.detach().double().cpu() for t in (y, *gradients) if t is not None])
    for there, here in zip(*found, strict=True):
        assert float((there - here).norm() / here.norm()) < (1e-5 if dtype == torch.float32 else 1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_gpu_trains_as_a_cpu_does(kind: str) -> None:
    """Six steps, with every number that they change."""
    there, here = (tiny.fit(_learner(kind, device), **_lesson(kind)) for device in (GPU, tiny.CPU))
    tiny.assert_equal(there, here, ROUNDING)
    tiny.assert_equal_accounts(there, here)


@pytest.mark.parametrize("kind", KINDS)
def test_steps_captured_as_cuda_graphs_are_the_ordinary_ones(kind: str) -> None:
    steps: Steps = "masked" if kind == "rsps" else "captured"
    one, other = (tiny.fit(_learner(kind, GPU, s), **_lesson(kind)) for s in ("ordinary", steps))  # type: ignore[arg-type]
    assert isinstance(other.stepper, Captured)
    graphs = [body._graph for body in other.stepper._bodies.values()]
    graphs += [other.stepper._paths._body._graph] if other.stepper._paths is not None else []
    if not _lesson(kind):
        assert graphs
    assert all(graph is not None for graph in graphs)
    tiny.assert_equal(one, other, ROUNDING)
    tiny.assert_equal_accounts(one, other)


def test_captured_steps_on_tens_of_paths() -> None:
    """Ten epochs of paths, by one graph: paths that lead nowhere among them."""
    one, other = (tiny.fit(_learner("rsps", GPU, steps), 10) for steps in ("ordinary", "masked"))  # type: ignore[arg-type]
    tiny.assert_equal(one, other, 10 * ROUNDING)
    tiny.assert_equal_accounts(one, other)


def test_alpha_that_rests_and_moves_and_a_child_that_adopts() -> None:
    """Graphs are made anew where tensors are exchanged."""
    states = []
    for steps in ("ordinary", "captured"):
        parent, child = (_learner("darts", GPU, steps) for _ in range(2))  # type: ignore[arg-type]
        tiny.fit(child, 1)
        tiny.fit(parent, 1, alpha=False)
        tiny.fit(parent, 1)
        child.adopt(parent, state=True)
        states.append(tiny.state(tiny.fit(child, 1)))
    tiny.assert_states_equal(*states, ROUNDING)


def test_siblings_teach_each_other_beside_captured_steps() -> None:
    states = []
    for steps in ("ordinary", "captured"):
        children = [_learner("darts", GPU, steps, seed) for seed in (0, 1)]  # type: ignore[arg-type]
        lesson = MutualDistillation("siblings").lesson(children, children[0])
        states.append([t for child in children for t in tiny.state(tiny.fit(child, 1, lesson=lesson))])
    tiny.assert_states_equal(*states, ROUNDING)


@pytest.mark.parametrize("norm", [Norm(), Norm("running", affine=True)], ids=["batch", "running"])
@pytest.mark.parametrize("space", [TOY, NB201], ids=["toy", "nb201"])
def test_a_gpu_scores_as_a_cpu_does(space: Space, norm: Norm) -> None:
    """Every architecture of the toy space and a few hundred of NAS-Bench-201, and one by one by the definition."""
    training = Training(batch=32, norm=norm)
    there, here = (
        tiny.in_float64(tiny.task(space, device=device).learner(Rsps(training), training)) for device in (GPU, tiny.CPU)
    )
    some = list(space.population)[:: 1 if space is TOY else 61]
    found, known = there.estimates(some), here.estimates(some)
    np.testing.assert_allclose(found, known, rtol=0, atol=1e-9)
    for row in (0, len(some) // 2, len(some) - 1):
        np.testing.assert_allclose(found[row], there.estimate(some[row]), rtol=0, atol=1e-6)  # its sums are float32


@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16"])
@pytest.mark.parametrize("steps", ["ordinary", "captured"])
def test_coarser_arithmetic_learns_nearly_the_same(precision: str, steps: Steps) -> None:
    """The loss of six steps, against double precision: to 1e-4 in single, to a few hundredths in the others."""
    training = Training(batch=32, alpha_start=0.5, precision=precision)  # type: ignore[arg-type]
    made = tiny.task(NB201, device=GPU).learner(Darts(training), training)
    made.stepper = stepper_for(steps)
    exact = tiny.fit(_learner("darts", GPU))
    tiny.fit(made)
    for a, b in zip(made.curve, exact.curve, strict=True):
        assert a["train_loss"] == pytest.approx(b["train_loss"], abs=1e-4 if precision == "fp32" else 5e-2)
    assert all(w.dtype == torch.float32 for w in made.weights)


# Whole runs


def _run(label: str, folder: Path, device: str, steps: Steps = "ordinary", space: str = "nb201") -> Record:
    return execute(_spec(label, space), Settings(folder, device=device, steps=steps), debug=True)


@pytest.mark.usefixtures("images_once")
@pytest.mark.parametrize("steps", ["ordinary", "captured", "masked"])
@pytest.mark.parametrize("label", contract.LABELS)
def test_every_method_makes_a_record_on_a_gpu(label: str, steps: Steps, tmp_path: Path) -> None:
    """In every way of carrying steps out; what it costs is what it costs on a CPU, unless rounding chose otherwise."""
    started = time.perf_counter()
    record = _run(label, tmp_path / "gpu", "cuda", steps)
    wall = time.perf_counter() - started
    assert record.status == "done"
    outcome_in_order(record, _spec(label, "nb201"))
    cost_in_order(record)
    phases = record.cost["phases"].values()
    assert sum(phase["wall_s"] for phase in phases) == pytest.approx(record.cost["wall_s"])
    assert 0 <= record.cost["device_s"] <= 1.05 * wall
    assert record.place["device"] == "cuda"
    assert record.place["device_name"] == torch.cuda.get_device_name()
    if record.cost["supernets"]:
        assert record.cost["peak_bytes"] > 4 * record.cost["parameters"] / record.cost["supernets"]
    if steps == "ordinary":
        known = _run(label, tmp_path / "cpu", "cpu")
        assert known.key == record.key
        follow = {"gmacs", "forward_images"}  # which architectures are looked at
        follow |= {"backward_images"} if label.startswith("gm") else set()  # and which paths are left by a cut
        for name in set(COUNTS) - follow:
            assert record.cost[name] == known.cost[name]


@pytest.mark.usefixtures("images_once")
@pytest.mark.parametrize("steps", ["ordinary", "masked"])
@pytest.mark.parametrize("label", contract.KINDS)
def test_a_search_that_is_stopped_goes_on_on_a_gpu(label: str, steps: Steps, tmp_path: Path) -> None:
    spec, settings = _spec(label, "toy"), Settings(tmp_path, device="cuda", steps=steps)
    with kept_at_every_epoch() as trained:
        whole = execute(spec, Settings(tmp_path / "whole", device="cuda", steps=steps), debug=True)
    if len(trained) < 2:
        pytest.skip("trains one epoch at most")
    with kept_at_every_epoch(len(trained) - 1), pytest.raises(Stop):
        execute(spec, settings, debug=True)
    with kept_at_every_epoch() as again:
        record = execute(spec, settings, debug=True)
    assert (record.status, record.place["stops"], len(again)) == ("done", 1, 1)
    assert record.cost["backward_images"] == whole.cost["backward_images"]
    assert not Results(tmp_path).checkpoints_path(spec.key).exists()


@pytest.mark.usefixtures("images_once")
@pytest.mark.parametrize("label", ["darts", "rsps", "snas", "fewshot", "hep", "fade"])
def test_equal_seeds_on_one_gpu(label: str, tmp_path: Path) -> None:
    """The same choice; estimates equal to rounding, since the order of a GPU's sums may change."""
    one, two = (_run(label, tmp_path / name, "cuda") for name in "ab")
    assert one.genotype == two.genotype
    assert [c.genotype for c in one.candidates] == [c.genotype for c in two.candidates]


@pytest.mark.usefixtures("images_once")
def test_too_little_memory_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def greedy(self: Learner, *rest: Any) -> int:
        torch.empty(2**50, device=GPU)
        raise AssertionError("so much memory there is nowhere")

    monkeypatch.setattr(Learner, "_epoch", greedy)
    record = execute(_spec("darts", "toy"), Settings(tmp_path, device="cuda"))
    assert record.status == "failed"
    assert record.message.startswith("out of memory on cuda")
    assert "\n" not in record.message


def test_processes_share_a_gpu(tmp_path: Path) -> None:
    """A study of one process per run, two at a time, from the command line."""
    words = ["run", "smoke", "--methods", "darts", "rsps", "snas", "--seeds", "0", "1", "--device", "cuda"]
    words += ["--pool", "processes", "--workers", "2", "--steps", "captured", "--results", str(tmp_path)]
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-m", "bench", *words], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "runs").glob("*.json"))) == 6


def test_the_labels_of_this_file_are_methods() -> None:
    assert {"darts", "rsps", "snas", "fewshot", "hep", "fade"} <= set(methods.variants())
