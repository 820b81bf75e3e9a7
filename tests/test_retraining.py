"""Retraining: recipes, what is done to images, one training whole and in pieces, the command and its records."""

from __future__ import annotations

import dataclasses
import json
import shlex
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from bench import images
from bench.cli.commands import main
from bench.errors import BadRecord, BadSpec, BenchError, UnknownName
from bench.nets.darts_alone import alone
from bench.retraining import memory, retrain
from bench.retraining.pictures import InMemory, blanked, seen
from bench.retraining.recipes import RECIPES, recipe_named
from bench.retraining.retrain import Job
from bench.retraining.training import Share, Training
from bench.runs import batch as batches
from bench.runs import room
from bench.runs.pool import Serial
from bench.spaces.darts import SPACE
from bench.spaces.layout import Shape
from bench.spaces.toy_darts import SPACE as TOY
from bench.store import retrained
from bench.store.record import Results
from bench.store.spec import SCALES, Scale
from tests.published_cells import V2

SCALE = Scale("tiny", 4, 1, 96, 32, 0.6, 0, 0)
"""Five epochs become three, of four steps of 32 images."""

GENOTYPE = TOY.population.at(3)
QUICK = dataclasses.replace(recipe_named("quick"), batch=32).shrunk(SCALE)


def _job(tmp_path: Path, **changes: Any) -> Job:
    parts = {"recipe": QUICK.with_parts(changes.pop("parts", 1)), "results": tmp_path, **changes}
    return Job(**{"space": "toy-darts", "genotype": GENOTYPE, "scale": SCALE, "dataset": "patches", "seed": 0, **parts})


ONCE = pytest.mark.usefixtures("images_once")

# Recipes


def test_recipes_are_those_of_the_paper() -> None:
    """DARTS, appendix A.1.2: 600 epochs, batch 96, cutout 16, drop-path 0.2, auxiliary 0.4, 20 cells of 36 channels; of
    ImageNet 250 epochs, batch 128, rate 0.1 that falls by 0.97, decay 3e-5, 14 cells of 48."""
    cifar, imagenet = recipe_named("darts-cifar"), recipe_named("darts-imagenet")
    assert (cifar.epochs, cifar.batch, cifar.cutout, cifar.drop_path, cifar.auxiliary) == (600, 96, 16, 0.2, 0.4)
    assert (3 * cifar.cells + 2, cifar.channels, 3 * imagenet.cells + 2, imagenet.channels) == (20, 36, 14, 48)
    assert [cifar.rate(e) for e in (0, 300, 600)] == pytest.approx([0.025, 0.0125, 0], abs=1e-12)
    assert [imagenet.rate(e) for e in (0, 1, 249)] == pytest.approx([0.1, 0.097, 0.1 * 0.97**249])
    assert (cifar.dropped(0), cifar.dropped(300)) == (0, 0.1)
    assert (cifar.cut(32), cifar.cut(8)) == (16, 4)


def test_a_scale_shrinks_a_recipe() -> None:
    cifar = recipe_named("darts-cifar")
    assert cifar.shrunk(SCALES["paper"]) == cifar
    quick = cifar.shrunk(SCALES["quick"])
    assert (quick.channels, quick.cells, quick.epochs, quick.batch) == (8, 1, 120, 96)
    with pytest.raises(UnknownName, match="did you mean 'darts-cifar'"):
        recipe_named("dart-cifar")
    with pytest.raises(BadSpec, match="96 cannot be cut into 5 equal parts"):
        cifar.with_parts(5)


def test_a_field_of_a_recipe_changes_the_key(tmp_path: Path) -> None:
    keys = {
        _job(tmp_path, recipe=dataclasses.replace(QUICK, **{name: value})).key
        for name, value in (
            ("epochs", 4),
            ("cutout", 8),
            ("drop_path", 0.1),
            ("parts", 2),
            ("momentum", 0.8),
            ("smoothing", 0.1),
        )
    }
    assert len({_job(tmp_path).key, _job(tmp_path, seed=1).key, *keys}) == 8
    assert _job(tmp_path, parts=2).key == _job(tmp_path, parts=2, processes=2, threads=3).key


# Images


def test_cutout_blanks_a_square_where_the_reference_blanks_it() -> None:
    """`Cutout` of the code of DARTS, utils.py, with its clipping at the border, drawn here pixel by pixel."""
    generator = torch.Generator().manual_seed(1)
    found = blanked(torch.ones(50, 2, 8, 8), 4, generator)
    again = torch.Generator().manual_seed(1)
    rows = torch.randint(8, (50, 1), generator=again)
    columns = torch.randint(8, (50, 1), generator=again)
    for image, (y,), (x,) in zip(found, rows.tolist(), columns.tolist(), strict=True):
        expected = torch.ones(8, 8)
        expected[max(0, y - 2) : min(8, y + 2), max(0, x - 2) : min(8, x + 2)] = 0
        assert torch.equal(image, expected.expand(2, 8, 8))


@ONCE
def test_both_halves_of_a_search_are_trained_on_and_no_test_image() -> None:
    loaded = images.load("patches")
    assert len(seen(loaded, SCALES["paper"])) == len(loaded.train) + len(loaded.valid)
    some = seen(loaded, SCALE)
    assert len(some) == 96 + 32
    assert (some.pixels[96:] == loaded.valid.pixels[:32]).all()
    tested = InMemory(loaded, QUICK, SCALE, torch.device("cpu")).tests()
    assert sum(len(batch.labels) for batch in tested) == len(loaded.test)
    with pytest.raises(BadSpec, match="takes more images than patches has"):
        seen(loaded, dataclasses.replace(SCALE, train_images=10**6))


# Training


def _training(parts: int = 1, seed: int = 0) -> Training:
    loaded, recipe = images.load("patches"), QUICK.with_parts(parts)
    net = alone(TOY, GENOTYPE, recipe.shape(loaded.classes, loaded.channels, loaded.size), seed, auxiliary=False)
    pictures = InMemory(loaded, recipe, SCALE, torch.device("cpu"))
    return Training(net, TOY.alone(GENOTYPE), recipe, seed, pictures, torch.device("cpu"), Share(), {"of": "tests"})


@ONCE
def test_a_training_is_torchs_own_written_out() -> None:
    """The first epoch drops no paths, so that it is plain SGD on the batches that were seen; the second is not."""
    training, twin = _training(), _training()
    training.recipe = dataclasses.replace(training.recipe, epochs=1, learning_rate=0.1)
    training.fit()
    net, weights = twin.net.train(), list(twin.net.parameters())
    sgd = torch.optim.SGD(weights, 0.1, 0.9, weight_decay=3e-4)
    from bench.nets.streams import torch_stream

    for batch in twin.pictures.epoch(torch_stream(0, "retraining/images/0")):
        sgd.zero_grad()
        F.cross_entropy(net.trained(batch.images, twin.region, None)[0], batch.labels).backward()
        torch.nn.utils.clip_grad_norm_(weights, 5.0)
        sgd.step()
    for a, b in zip(training.net.state_dict().values(), net.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b)


@ONCE
def test_a_stopped_training_goes_on_as_if_it_had_not_been_stopped(tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stop(share: float) -> None:
        if share > 0.5:
            raise Stopped

    whole, path = _training(), tmp_path / "kept.npz"
    whole.fit()
    with pytest.raises(Stopped):
        _training().fit(path, stop)
    resumed = _training()
    state = resumed.fit(path)
    assert [point["epoch"] for point in state.curve] == [1, 2, 3]
    for a, b in zip(whole.net.state_dict().values(), resumed.net.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    other = _training(seed=1)
    other.identity = {"of": "others"}
    assert len(other.fit(path).curve) == 3


@ONCE
def test_parts_are_normalised_each_by_itself_and_the_first_moves_the_statistics() -> None:
    """The gradient of a step is the mean of those of its parts."""
    training, twin = _training(parts=2), _training()
    batch = next(twin.pictures.epoch(torch.Generator().manual_seed(1)))
    training.optimiser = torch.optim.SGD(training.weights, 0.0)
    training.recipe = dataclasses.replace(training.recipe, clip=1e9)
    training.called.train()
    training._step(batch, None)
    net = twin.net.train()
    losses = [F.cross_entropy(net.trained(batch.images[:16], twin.region, None)[0], batch.labels[:16])]
    statistics = [buffer.clone() for buffer in net.buffers()]
    losses.append(F.cross_entropy(net.trained(batch.images[16:], twin.region, None)[0], batch.labels[16:]))
    gradients = torch.autograd.grad(sum(losses) / 2, list(net.parameters()))
    for w, gradient in zip(training.weights, gradients, strict=True):
        torch.testing.assert_close(w.grad, gradient)
    for buffer, expected in zip(training.net.buffers(), statistics, strict=True):
        torch.testing.assert_close(buffer, expected)


@pytest.mark.slow
def test_two_processes_train_what_one_trains(tmp_path: Path) -> None:
    """Torch's DistributedDataParallel over gloo, a part of every batch each, with paths that drop."""
    one = retrain.make(_job(tmp_path / "one", parts=2))
    two = retrain.make(_job(tmp_path / "two", parts=2, processes=2))
    assert one.key == two.key
    assert (one.cost["processes"], two.cost["processes"]) == (1, 2)
    assert two.error == one.error
    assert two.cross_entropy == pytest.approx(one.cross_entropy, abs=1e-5)
    for a, b in zip(one.curve, two.curve, strict=True):
        assert a["train_loss"] == pytest.approx(b["train_loss"], abs=1e-5)


# Memory


def test_memory_is_that_of_weights_and_of_what_the_way_back_needs() -> None:
    """Twice the images keep twice as much, beside three times the weights."""
    net = alone(SPACE, SPACE.parse(V2), Shape(4, 1, 10, 3, 16), 0, auxiliary=False)
    region, before = SPACE.alone(SPACE.parse(V2)), [buffer.clone() for buffer in net.buffers()]
    nothing, some, more = (memory.needed(net, region, count) for count in (0, 10, 20))
    assert nothing == int(memory.SPARE * 3 * 4 * sum(p.numel() for p in net.parameters()))
    assert more - some == pytest.approx(some - nothing, abs=2)
    least = 16 * 16 * 4 * (3 * 4 + 4)  # the stem's output and one map of the first cell, in bytes
    assert (some - nothing) / 10 > least
    assert all(torch.equal(a, b) for a, b in zip(before, net.buffers(), strict=True))


@ONCE
def test_what_would_not_fit_is_said_before_it_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(room, "of_device", lambda device: 1000)
        with pytest.raises(BadSpec, match=r"a step of 32 images takes about .* of memory, and cpu has 1 KiB free: "):
            retrain.looked_at(_job(tmp_path))
    monkeypatch.setattr(room, "disk", lambda folder: 1000)
    with pytest.raises(BadSpec, match=r"a training takes up to .* of disk, and .* has 1 KiB free: make room"):
        retrain.looked_at(_job(tmp_path))


# Records and the command


@ONCE
def test_a_record_is_made_once_and_read_strictly(tmp_path: Path) -> None:
    job, results = _job(tmp_path), Results(tmp_path)
    made = retrain.make(job)
    assert retrain.make(job) == made == retrained.find(results, job.key)
    assert list(retrained.records(results)) == [made]
    assert not results.checkpoints_path(job.key).exists()
    assert (len(made.curve), made.cost["backward_images"]) == (3, 3 * 128)
    assert 0 <= made.error <= 100
    path = retrained.path_of(results, job.key)
    retrained.save(results, dataclasses.replace(made, searched=("0" * 16,)))  # who asked is no part of what was found
    with pytest.raises(BadRecord, match="another result of the same key"):
        retrained.save(results, dataclasses.replace(made, error=1.0))
    text = path.read_text()
    path.write_text(text.replace('"error": ', '"error": 1'))
    with pytest.raises(BadRecord, match="no record of a retraining that can be trusted"):
        retrained.read(path)


@ONCE
def test_the_command_trains_every_seed_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RECIPES, "quick", dataclasses.replace(QUICK, epochs=2))
    monkeypatch.setitem(SCALES, "tiny", SCALE)
    words = ["retrain", TOY.show(GENOTYPE), "--space", "toy-darts", "--results", str(tmp_path), "--device", "cpu"]
    words += ["--scale", "tiny"]
    assert main([*words, "--seeds", "0", "1"]) == 0
    said = capsys.readouterr().out
    assert "a step of 32 images takes about" in said
    assert "of 2;" in said
    assert main([*words, "--seeds", "0", "1", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["seed"] for row in rows] == [0, 1]
    assert {row["key"] for row in rows} == {path.stem for path in (tmp_path / "retrained").iterdir()}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "takes the key of a run, or an architecture"),
        (["0123"], "0123"),
        (["sep_conv_3x3"], "no notation"),
        ([V2, "--recipe", "darts"], "unknown recipe 'darts'; did you mean 'darts-cifar'"),
        ([V2, "--recipe", "darts-cifar", "--dataset", "patches"], "auxiliary head takes maps of 8 to 10 pixels"),
        ([V2, "--parts", "7"], "64 cannot be cut into 7 equal parts"),
        ([V2, "--parts", "4", "--devices", "3"], "4 parts of a batch cannot be shared by 3 processes"),
        ([V2, "--seeds", "-1"], "seed -1 is not allowed"),
        ([V2, "--dataset", "patch"], "did you mean 'patches'"),
        (["|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|", "--space", "nb201"], "nb201 has no recipes"),
    ],
)
def test_bad_input_is_refused_in_one_line(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "runs").mkdir()
    assert main(["retrain", *words, "--device", "cpu", "--results", str(tmp_path)]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert said in lines[0] or (words == ["0123"] and lines[0].startswith("error: "))


@ONCE
def test_a_failed_process_says_why_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> None:
        raise retrain.ProcessRaisedException("a\ntraceback\nBadData: there is no image", 0, 0)

    monkeypatch.setattr(retrain, "spawn", fails)
    with pytest.raises(BenchError, match="a process of the training failed: BadData: there is no image"):
        retrain.make(_job(tmp_path, parts=2, processes=2))


@ONCE
def test_one_that_cannot_be_made_costs_itself_and_its_remedy_works(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A damaged record, a damaged checkpoint: the other seeds are trained, and the command that is named mends it."""
    monkeypatch.setitem(RECIPES, "quick", dataclasses.replace(QUICK, epochs=1))
    monkeypatch.setitem(SCALES, "tiny", SCALE)
    words = ["retrain", TOY.show(GENOTYPE), "--space", "toy-darts", "--results", str(tmp_path), "--device", "cpu"]
    words += ["--scale", "tiny", "--seeds", "0", "1"]
    results, recipe = Results(tmp_path), dataclasses.replace(QUICK, epochs=1).shrunk(SCALE).with_parts(1)
    keys = [_job(tmp_path, recipe=recipe, seed=seed).key for seed in (0, 1)]
    for damaged in (retrained.path_of(results, keys[0]), results.checkpoints_path(keys[0]) / retrain.CHECKPOINT):
        damaged.parent.mkdir(parents=True, exist_ok=True)
        damaged.write_bytes(b"{")
        capsys.readouterr()
        assert main(words) == 1
        said = capsys.readouterr().out
        assert "of 1;" in said
        remedy = said.split("`python -m bench ")[1].split("`")[0]
        assert main(shlex.split(remedy)) == 0
        assert main(words) == 0
        assert {record.key for record in retrained.records(results)} == set(keys)
        retrained.path_of(results, keys[0]).unlink()


@ONCE
def test_one_that_another_process_makes_is_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its claim is let go after a while, as when its process dies: then it is made here."""
    job, claims = _job(tmp_path, recipe=dataclasses.replace(QUICK, epochs=1)), ExitStack()
    results = Results(tmp_path)
    claims.enter_context(results.claim(job.key))
    monkeypatch.setattr(batches, "time", SimpleNamespace(sleep=lambda seconds: claims.close()))
    told: list[str] = []
    jobs = [partial(retrain.attempted, job)]
    ((_, record, made),) = batches.settled(jobs, [job.key], Serial(), results, lambda at, share: None, told.append)
    assert record == retrained.find(results, job.key)
    assert made
    assert len(told) == 1
