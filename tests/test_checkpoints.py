"""A run that is stopped, whenever and however often, ends as an unbroken one would have."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from bench import checkpoints
from bench.checkpoints import Checkpoints, read, to_bytes
from bench.errors import BadRecord
from bench.learner import Relaxation, Training
from bench.nets.cell import Norm
from bench.record import Record, Results
from bench.run import Settings, execute
from bench.spec import RunSpec, canonical
from methods.darts import Darts
from methods.fewshot import FewShot
from methods.hepnas import HepNas
from methods.oneshot import OneShot
from methods.rsps import PathPerCell, Rsps
from methods.snas import Snas
from tests import contract, tiny
from tests.stops import Stop, kept_at_every_epoch

SHORT = Training(batch=32)
FEWSHOT = FewShot(base=Darts(SHORT, order=2), levels=(25,), final=50)
HEP = HepNas(base=Darts(SHORT), levels=(25,), tuning=50)


@pytest.fixture(autouse=True)
def _images_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = contract.patches("patches")
    monkeypatch.setattr("bench.run.images.load", lambda name, root=None: loaded)


def _left(folder: Path) -> list[Path]:
    return list((folder / "checkpoints").rglob("*.npz"))


def _run(spec: RunSpec, folder: Path, **settings: Any) -> Record:
    return execute(spec, Settings(folder, device="cpu", **settings), debug=True)


@pytest.mark.parametrize("only_every", [1, 2])
def test_a_search_stopped_at_any_epoch_ends_as_an_unbroken_one(only_every: int, tmp_path: Path) -> None:
    """The record is equal to the bit, images and multiply-adds by phase and the trace included; epochs that were kept
    are not trained again, and those that were not do no harm."""
    spec = tiny.spec(FEWSHOT)
    with kept_at_every_epoch() as trained:
        whole = _run(spec, tmp_path / "whole")
    assert whole.place["stops"] == 0
    assert not _left(tmp_path / "whole")
    epochs = len(trained)
    assert epochs > 6
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


def test_stopped_again_and_again(tmp_path: Path) -> None:
    """After every single epoch: nothing is trained twice, and the seconds are those of all processes."""
    spec = tiny.spec(HEP)
    with kept_at_every_epoch() as trained:
        whole = _run(spec, tmp_path / "whole")
    seconds = []
    for _ in trained:
        with kept_at_every_epoch(1), pytest.raises(Stop):
            _run(spec, tmp_path)
        note, _ = read(max((tmp_path / "checkpoints" / spec.key).iterdir()))
        seconds.append(note["task"]["wall_s"])
    with kept_at_every_epoch() as again:
        record = _run(spec, tmp_path)
    assert again == []
    assert record.place["stops"] == len(trained)
    assert canonical(record.essence()) == canonical(whole.essence())
    assert seconds == sorted(seconds)
    assert record.trace[-1]["wall_s"] >= seconds[-1]
    assert [p["wall_s"] for p in record.trace] == sorted(p["wall_s"] for p in record.trace)


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
    (tmp_path / "kept.npz").write_bytes(to_bytes({"plain": plain}, tensors))
    note, tensors = read(tmp_path / "kept.npz")
    second.restore(tensors, note["plain"])
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


def test_a_checkpoint_of_other_code_is_not_taken_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = tiny.spec(FEWSHOT)
    with kept_at_every_epoch() as trained:
        whole = _run(spec, tmp_path / "whole")
    with kept_at_every_epoch(4), pytest.raises(Stop):
        _run(spec, tmp_path)
    old = sorted(_left(tmp_path))
    monkeypatch.setattr("bench.run.code_digest", lambda: "of other sources")
    with kept_at_every_epoch(1), pytest.raises(Stop):
        _run(spec, tmp_path)
    assert len(_left(tmp_path)) < len(old)  # none of the old ones is left to be met later
    with kept_at_every_epoch() as again:
        record = _run(spec, tmp_path)
    assert len(again) == len(trained) - 1
    assert canonical(record.essence()) == canonical(whole.essence())


def test_a_search_that_goes_another_way_leaves_what_was_kept(tmp_path: Path) -> None:
    """As it may on a GPU, where what is computed again can round otherwise."""
    task = tiny.task()
    for name in ("first", "second"):
        learner = task.learner(Darts(SHORT), SHORT)
        learner.keeper = keeper = Checkpoints(tmp_path, {}, task, share=1e12)
        keeper._fit = 4  # as the sixth fit
        learner.fit(1)
        assert [path.name for path in tmp_path.iterdir()] == ["00005.npz"], name
        assert keeper.stops == 0, name
    again = tiny.task().learner(Darts(SHORT), SHORT)  # named as the first, whose file the second has replaced
    again.keeper = Checkpoints(tmp_path, {}, task, share=0)
    again.keeper._fit = 4
    again.fit(1)
    assert list(tmp_path.iterdir()) == []


def test_a_short_fit_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeping may take two hundredths of the time: of a fit of 10 seconds, not of one of a moment."""
    clock = [0.0]
    monkeypatch.setattr(checkpoints.time, "perf_counter", lambda: clock[0])
    task = tiny.task()
    keeper = Checkpoints(tmp_path, {}, task)
    learner = task.learner(Darts(SHORT), SHORT)
    keeper.begun(learner)
    for seconds, kept in ((0.9, 0), (10.0, 1)):
        clock[0] += seconds
        keeper.reached(learner, 3)
        assert len(list(tmp_path.iterdir())) == kept


def test_a_damaged_checkpoint_is_one_line(tmp_path: Path) -> None:
    spec = tiny.spec(Darts(SHORT))
    with kept_at_every_epoch(1), pytest.raises(Stop):
        _run(spec, tmp_path)
    (path,) = (tmp_path / "checkpoints" / spec.key).iterdir()
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"no archive", whole[:2000] + b"\xff" * 100 + whole[2100:]):
        path.write_bytes(content)
        with pytest.raises(BadRecord, match=r"cannot read the checkpoint .* move its folder aside") as caught:
            _run(spec, tmp_path)
        assert "\n" not in str(caught.value)
    path.write_bytes(whole)
    assert _run(spec, tmp_path).status == "done"


def test_a_diverged_run_leaves_no_checkpoint(tmp_path: Path) -> None:
    wild = replace(SHORT, learning_rate=1e30, learning_rate_end=1e30, clip=0.0, epochs=100)
    with kept_at_every_epoch():
        record = _run(tiny.spec(Darts(wild)), tmp_path)
    assert record.status == "diverged"
    assert not _left(tmp_path)


KILLED = """
import sys
from pathlib import Path
from bench.run import Settings, execute
from tests import tiny
from tests.stops import kept_at_every_epoch
from tests.test_checkpoints import FEWSHOT
with kept_at_every_epoch():
    execute(tiny.spec(FEWSHOT), Settings(Path(sys.argv[1]), device="cpu"), debug=True)
"""


def test_killed_at_random(tmp_path: Path) -> None:
    """Processes killed while they search; the record at the end is that of a run that nobody killed."""
    spec = tiny.spec(FEWSHOT)
    whole = _run(spec, tmp_path / "whole")
    rng, kills, root = random.Random(0), 0, Path(__file__).parents[1]
    folder = tmp_path / "checkpoints" / spec.key
    while True:
        seen = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.npz")}
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path)],
            env={**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
        )
        wanted = rng.randint(1, 4)  # new files before the kill
        while process.poll() is None:
            now = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.npz")}
            if len(now.items() - seen.items()) >= wanted and kills < 3:
                process.send_signal(signal.SIGKILL)
                kills += 1
                break
            time.sleep(0.002)
        if process.wait() == 0:
            break
        assert process.returncode == -signal.SIGKILL
    record = Results(tmp_path).find(spec.key)
    assert record is not None
    assert kills >= 1
    assert record.place["stops"] >= 1
    assert canonical(record.essence()) == canonical(whole.essence())
    assert not _left(tmp_path)
