"""A run that is stopped, whenever and however often, ends as an unbroken one would have."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.contract.stops import Stop, kept_at_every_epoch
from bench.errors import BadRecord, Diverged
from bench.nets.operations import Norm
from bench.runs.run import Settings, execute
from bench.search import checkpoints
from bench.search.checkpoints import Checkpoints, read, to_bytes
from bench.search.learner import Fit, Learner, Relaxation, Training
from bench.search.steps import Captured
from bench.spaces.rows import rows_of
from bench.spaces.space import Region, Space
from bench.spaces.toy import SPACE as TOY
from bench.store.record import Record, Results
from bench.store.spec import RunSpec, canonical
from methods.darts import Darts
from methods.fewshot import FewShot
from methods.hepnas import HepNas
from methods.oneshot import OneShot
from methods.rsps import PathPerCell, Rsps
from methods.snas import Snas
from tests import tiny

pytestmark = pytest.mark.usefixtures("images_once")

SHORT = Training(batch=32)
FEWSHOT = FewShot(base=Darts(SHORT, order=2), levels=(25,), final=50)
HEP = HepNas(base=Darts(SHORT), levels=(25,), tuning=50)


def _left(folder: Path) -> list[Path]:
    return list((folder / "checkpoints").rglob("*.npz"))


def _run(spec: RunSpec, folder: Path, **settings: Any) -> Record:
    return execute(spec, Settings(folder, device="cpu", **settings), debug=True)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Record, int]:
    """The record of FEWSHOT that nothing stopped, and how many epochs it trains."""
    folder = tmp_path_factory.mktemp("unbroken")
    with kept_at_every_epoch() as trained:
        record = _run(tiny.spec(FEWSHOT), folder)
    assert record.place["stops"] == 0
    assert not _left(folder)
    assert len(trained) > 6
    return record, len(trained)


@pytest.mark.parametrize("only_every", [1, 2])
def test_a_search_stopped_at_any_epoch_ends_as_an_unbroken_one(
    only_every: int, unbroken: tuple[Record, int], tmp_path: Path
) -> None:
    """The record is equal to the bit, images and multiply-adds by phase and the trace included; epochs that were kept
    are not trained again, and those that were not do no harm."""
    spec, (whole, epochs) = tiny.spec(FEWSHOT), unbroken
    for stop in {1, 4, epochs}:
        folder = tmp_path / str(stop)
        with kept_at_every_epoch(stop, only_every), pytest.raises(Stop):
            _run(spec, folder)
        kept = len(_left(folder)) > 0
        assert kept == (stop >= only_every)
        with kept_at_every_epoch() as again:
            record = _run(spec, folder)
        assert canonical(record.essence()) == canonical(whole.essence())
        assert record.estimates == whole.estimates  # the digest of all of them
        assert record.place["stops"] == int(kept)
        assert len(again) == epochs - stop if only_every == 1 else len(again) < epochs or not kept
        assert not _left(folder)


@pytest.mark.parametrize("base", [Snas(SHORT), Rsps(SHORT, candidates=4)])
def test_teachers_draw_alike_whichever_fits_were_kept(base: OneShot, tmp_path: Path) -> None:
    """Siblings that teach draw paths or noise in the fits of others; every third of these is kept here."""
    spec = tiny.spec(replace(HEP, base=base))
    with kept_at_every_epoch() as trained:
        whole = _run(spec, tmp_path / "whole")
    for stop in range(1, len(trained) + 1):
        folder = tmp_path / str(stop)
        with kept_at_every_epoch(stop, 1 + stop % 3), pytest.raises(Stop):
            _run(spec, folder)
        assert canonical(_run(spec, folder).essence()) == canonical(whole.essence())


def test_stopped_again_and_again(tmp_path: Path) -> None:
    """After every single epoch: nothing is trained twice, and seconds go on from those of the last checkpoint."""
    spec = tiny.spec(HEP)
    with kept_at_every_epoch() as trained:
        whole = _run(spec, tmp_path / "whole")
    seconds = []
    for _ in trained:
        with kept_at_every_epoch(1), pytest.raises(Stop):
            _run(spec, tmp_path)
        note, _ = read(max(_left(tmp_path)))
        seconds.append(note["task"]["wall_s"])
    with kept_at_every_epoch() as again:
        record = _run(spec, tmp_path)
    assert again == []
    assert record.place["stops"] == len(trained)
    assert canonical(record.essence()) == canonical(whole.essence())
    assert seconds == sorted(seconds)
    assert record.trace[-1]["wall_s"] >= seconds[-1]
    assert [p["wall_s"] for p in record.trace] == sorted(p["wall_s"] for p in record.trace)


def test_every_stop_is_counted(tmp_path: Path) -> None:
    """Also those between which nothing was kept."""
    spec = tiny.spec(HEP)
    with kept_at_every_epoch(1), pytest.raises(Stop):
        _run(spec, tmp_path)
    for _ in range(3):
        with kept_at_every_epoch(1, only_every=2), pytest.raises(Stop):
            _run(spec, tmp_path)
    record = _run(spec, tmp_path)
    assert record.place["stops"] == 4
    assert not Results(tmp_path).checkpoints_path(record.key).exists()


@pytest.mark.parametrize("steps", ["captured", "masked"])
@pytest.mark.parametrize("base", [Snas(SHORT), Rsps(replace(SHORT, epochs=75), candidates=4)])
def test_captured_steps_go_on_too(base: OneShot, steps: Any, tmp_path: Path) -> None:
    spec = tiny.spec(base)
    whole = _run(spec, tmp_path / "whole", steps=steps)
    with kept_at_every_epoch(1), pytest.raises(Stop):
        _run(spec, tmp_path, steps=steps)
    with kept_at_every_epoch() as again:
        record = _run(spec, tmp_path, steps=steps)
    assert canonical(record.essence()) == canonical(whole.essence())
    assert record.place["stops"] == 1
    assert again


def test_what_was_captured_is_dropped_where_a_state_is_taken_up() -> None:
    """A graph would go on with the tensors that it was captured from."""
    learner = tiny.learner(Snas(SHORT), SHORT)
    learner.stepper = Captured(masks=False)
    learner.fit(1)
    assert learner.stepper._bodies
    learner.restore(*learner.state())
    assert not learner.stepper._bodies


@pytest.mark.parametrize(
    "relaxation",
    [
        Darts(replace(SHORT, norm=Norm(statistics="running", affine=True))),
        Darts(SHORT, order=2),
        Snas(SHORT),
        Rsps(SHORT),
        PathPerCell(replace(SHORT, momentum=0.0)),
    ],
)
def test_a_learner_goes_on_from_its_state(relaxation: Relaxation, tmp_path: Path) -> None:
    """Through a file, in the middle of a pass over the validation images: weights, alpha, both optimisers, running
    statistics and all draws."""
    training = relaxation.training  # type: ignore[attr-defined]
    straight, first, second = (tiny.learner(relaxation, training) for _ in range(3))
    straight.fit(1 / 3).fit(1).fit(1)
    first.fit(1 / 3).fit(1)
    images = next(first.valid.in_order(32)).images
    first.mixture(images)  # visitors draw from streams of their own, which are part of the state
    tensors, plain = first.state()
    note = {"learner": plain, "identity": {}, "task": {}, "stops": 0, "steps": 4}
    (tmp_path / "kept.npz").write_bytes(to_bytes(note, tensors))
    note, tensors = read(tmp_path / "kept.npz")
    second.restore(tensors, note["learner"])
    first.fit(1)
    second.fit(1)
    for one, other in ((first, second), (second, straight)):
        for a, b in zip(one.supernet.state_dict().values(), other.supernet.state_dict().values(), strict=True):
            assert torch.equal(a, b)
        assert torch.equal(one.alpha, other.alpha)
        assert one.curve == other.curve
        assert one.train.drawn().equal(other.train.drawn())
        assert one.paths.bit_generator.state == other.paths.bit_generator.state
    assert torch.equal(first.mixture(images), second.mixture(images))


@pytest.mark.parametrize(
    "change",
    [
        lambda patch: patch.setattr("bench.runs.run.code_digest", lambda: "of other sources"),
        lambda patch: patch.setattr("bench.runs.run.processor", lambda: "another processor"),
        lambda patch: patch.setattr("bench.runs.run.torch.__version__", "9.9"),
    ],
)
def test_what_other_code_or_another_device_kept_is_not_taken_up(
    change: Callable[[pytest.MonkeyPatch], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor lost, until the run is over: the right one may still come."""
    spec = tiny.spec(FEWSHOT)
    with kept_at_every_epoch(4), pytest.raises(Stop):
        _run(spec, tmp_path)
    old = _left(tmp_path)
    assert old
    with monkeypatch.context() as patch:
        change(patch)
        with (
            kept_at_every_epoch(1) as trained,
            pytest.raises(Stop),
            pytest.warns(UserWarning, match="was stopped before"),
        ):
            _run(spec, tmp_path)
        assert len(trained) == 1
    assert set(old) < set(_left(tmp_path))
    with kept_at_every_epoch(2) as trained, pytest.raises(Stop):
        _run(spec, tmp_path)
    assert len(trained) == 2
    assert _run(spec, tmp_path).place["stops"] == 2
    assert not _left(tmp_path)


@pytest.mark.parametrize("settings", [{"threads": 2}, {"steps": "captured"}])
def test_what_was_kept_with_other_settings_is_not_taken_up(settings: dict[str, Any], tmp_path: Path) -> None:
    spec = tiny.spec(Darts(SHORT))
    with kept_at_every_epoch(1), pytest.raises(Stop):
        _run(spec, tmp_path)
    with pytest.warns(UserWarning, match="starts from its beginning"):
        assert _run(spec, tmp_path, **settings).place["stops"] == 0


def test_what_another_run_kept_is_not_taken_up(tmp_path: Path) -> None:
    """A folder that was renamed by hand."""
    with kept_at_every_epoch(1), pytest.raises(Stop):
        _run(tiny.spec(FEWSHOT), tmp_path)
    other = tiny.spec(FEWSHOT, seed=1)
    (folder,) = (tmp_path / "checkpoints").iterdir()
    folder.rename(folder.with_name(other.key))
    with pytest.warns(UserWarning, match="seed 1 was stopped before"):
        assert _run(other, tmp_path).place["stops"] == 0


@pytest.mark.parametrize("change", ["name", "region", "cells"])
def test_a_search_that_goes_another_way_leaves_what_was_kept(change: str, tmp_path: Path) -> None:
    """As it may on a GPU, where what is computed again can round otherwise."""

    def fitted(space: Space, region: Region | None = None, before: int = 0) -> Checkpoints:
        task = tiny.task(space)
        for _ in range(before):
            task.learner(Darts(SHORT), SHORT)
        learner = task.learner(Darts(SHORT), SHORT, region)
        learner.keeper = keeper = Checkpoints(tmp_path, task, share=float("inf"))
        keeper._fit = 4  # the next is the sixth
        learner.fit(1)
        return keeper

    first, second = (rows_of(TOY, [cells] * 3) for cells in ([(1, 1, 2), (2, 2, 2)], [(1, 0, 2), (2, 2, 2)]))
    part = Region.of([{0}, {0, 1}, {0, 1}])
    fitted(first)
    assert fitted(first).stops == 1
    (tmp_path / "00004.npz").write_bytes(b"of an earlier fit")
    (tmp_path / "00009.npz").write_bytes(b"of a later fit")
    other = {"name": (first, None, 1), "region": (first, part, 0), "cells": (second, None, 0)}[change]
    assert fitted(*other).stops == 0
    assert sorted(path.name for path in tmp_path.glob("*.npz")) == ["00004.npz", "00005.npz"]


def test_keeping_takes_its_share_of_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hundredths: many short fits add up, and one slow write does not end it for good."""
    clock, write = [0.0], [0.01]
    monkeypatch.setattr(checkpoints.time, "perf_counter", lambda: clock[0])

    def writing(path: Path, content: bytes) -> None:
        clock[0] += write[0]
        kept.append(path.stem)

    monkeypatch.setattr(checkpoints, "write_atomically", writing)
    task, kept = tiny.task(), []  # type: ignore[var-annotated]
    keeper, learner = Checkpoints(tmp_path, task), task.learner(Darts(SHORT), SHORT)

    def fits(count: int, seconds: float) -> int:
        before = len(kept)
        for _ in range(count):
            keeper.begun(learner, Fit(9, alpha=True, taught=False))
            clock[0] += seconds
            keeper.reached(learner, 3)
        return len(kept) - before

    assert fits(9, 0.1) == 0  # not before a second is over
    assert fits(1, 0.2) == 1
    assert 9 <= fits(50, 0.1) <= 10  # of 0.01 s each, in 5 s
    write[0] = 10.0
    assert fits(5, 400.0) == 1 + 2  # the first as if it were quick, then one in 500 s
    write[0] = 0.01
    assert fits(5, 400.0) == 1 + 3  # as after a slow one, and then each


def test_a_disk_that_takes_no_checkpoint_costs_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = tiny.spec(FEWSHOT)
    whole = _run(spec, tmp_path / "whole")
    calls = []

    def full(path: Path, content: bytes) -> None:
        calls.append(path)
        raise BadRecord(f"cannot write {path}: No space left on device")

    monkeypatch.setattr(checkpoints, "write_atomically", full)
    monkeypatch.setattr(checkpoints, "GUESS", 0.0)
    with pytest.warns(UserWarning, match=r"No space left .* search goes on"):
        record = _run(spec, tmp_path)
    assert len(calls) == 1
    assert canonical(record.essence()) == canonical(whole.essence())


def test_what_a_killed_clean_up_left_goes_when_the_run_is_asked_for(tmp_path: Path) -> None:
    spec = tiny.spec(Darts(SHORT))
    record = _run(spec, tmp_path)
    folder = tmp_path / "checkpoints" / spec.key / "of this code"
    folder.mkdir(parents=True)
    for name in ("00000.npz", ".00001.npz.unfinished"):
        (folder / name).write_bytes(b"left")
    assert _run(spec, tmp_path) == record
    assert not _left(tmp_path)


def test_a_damaged_checkpoint_is_one_line(tmp_path: Path) -> None:
    spec = tiny.spec(Darts(SHORT))
    with kept_at_every_epoch(1), pytest.raises(Stop):
        _run(spec, tmp_path)
    (path,) = _left(tmp_path)
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"no archive", whole[:2000] + b"\xff" * 100 + whole[2100:]):
        path.write_bytes(content)
        with pytest.raises(BadRecord, match=r"cannot read the checkpoint .* `python -m bench aside") as caught:
            _run(spec, tmp_path)
        assert "\n" not in str(caught.value)
    path.write_bytes(whole)
    assert _run(spec, tmp_path).status == "done"


def test_a_diverged_run_leaves_no_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an epoch that was kept."""
    seen: list[Path] = []

    def check(self: Learner, loss: float) -> None:
        seen.extend(_left(tmp_path))
        if self.curve:
            raise Diverged("as if")

    monkeypatch.setattr(Learner, "check_finite", check)
    with kept_at_every_epoch():
        record = _run(tiny.spec(Darts(SHORT)), tmp_path)
    assert record.status == "diverged"
    assert seen
    assert not _left(tmp_path)


KILLED = """
import itertools, os, signal, sys, threading
from pathlib import Path
from bench.search.checkpoints import Checkpoints
from bench.runs.run import Settings, execute
from tests import tiny
from bench.contract.stops import kept_at_every_epoch
from tests.test_checkpoints import FEWSHOT
folder, delay = Path(sys.argv[1]), float(sys.argv[2])
ends = itertools.count(1)
with kept_at_every_epoch():
    keep = Checkpoints.reached
    def reached(self, learner, steps):
        if next(ends) == 2:
            threading.Timer(delay, os.kill, (os.getpid(), signal.SIGKILL)).start()
        keep(self, learner, steps)
    Checkpoints.reached = reached
    execute(tiny.spec(FEWSHOT), Settings(folder, device="cpu"), debug=True)
"""


def test_killed_at_random(unbroken: tuple[Record, int], tmp_path: Path) -> None:
    """Processes that die while they keep their second epoch or soon after; the record at the end is that of a run that
    nobody killed."""
    spec, (whole, _) = tiny.spec(FEWSHOT), unbroken
    rng, root = random.Random(0), Path(__file__).parents[1]
    for _ in range(2):
        command = [sys.executable, "-c", KILLED, str(tmp_path), str(rng.uniform(0, 0.02))]
        process = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"})
        assert process.returncode == -signal.SIGKILL
    record = _run(spec, tmp_path)
    assert record.place["stops"] == 2
    assert canonical(record.essence()) == canonical(whole.essence())
    assert not _left(tmp_path)
