"""Scales: sizes from the command line, parts of epochs, what estimates take, alpha at rest, phases that train."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench import images
from bench.cli.commands import main
from bench.errors import BadSpec, BenchError, UnknownName
from bench.images.batches import Batches
from bench.images.splits import stratified
from bench.runs.run import Settings, execute, visible
from bench.search.learner import Training
from bench.store.record import Results
from bench.store.spec import SCALES, RunSpec, plain, scale_named, scale_typed
from methods.darts import Darts
from methods.fewshot import FewShot
from methods.gmnas import GmNas
from methods.matching import Matching
from methods.rsps import Rsps
from methods.snas import Snas
from tests import tiny

pytestmark = pytest.mark.usefixtures("images_once")

SHORT = Training(batch=32)


def test_a_field_of_a_scale_is_part_of_its_name_and_of_the_key() -> None:
    made = scale_named("quick", {"train-images": "24000", "epochs": "0.3"})
    assert made == replace(SCALES["quick"], name="quick+epochs=0.3+train_images=24000", train_images=24_000, epochs=0.3)
    assert scale_named("quick", {}) == SCALES["quick"]
    usual, other = (RunSpec("rsps", Rsps(), "nb201", "patches", 0, scale) for scale in (SCALES["quick"], made))
    assert usual.key != other.key
    assert set(plain(SCALES["quick"])) == {
        *("name", "channels", "cells", "train_images", "valid_images", "epochs", "probe", "probe_images")
    }


@pytest.mark.parametrize(
    ("fields", "fault", "said"),
    [
        ({"train-image": "1"}, UnknownName, "train_images"),
        ({"train-images": "many"}, BadSpec, "a whole number"),
        ({"train-images": "0"}, BadSpec, "train_images must be 1 or more"),
        ({"epochs": "-1"}, BadSpec, "epochs must be 0 or more"),
        ({"draw": "any"}, UnknownName, "stratified"),
        ({"name": "mine"}, BadSpec, "is not set"),
    ],
)
def test_a_scale_that_cannot_be(fields: dict[str, str], fault: type[BenchError], said: str) -> None:
    with pytest.raises(fault, match=said):
        RunSpec("rsps", Rsps(), "nb201", "patches", 0, scale_named("quick", fields))


def test_sizes_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", "--methods", "rsps", "--space", "toy", "--seeds", "0", "--results", str(tmp_path)]
    sizes = ["--scale", "smoke", "--scale.train-images", "128", "--scale.probe", "5", "--scale.probe-images", "0"]
    assert main([*words, *sizes]) == 0
    (record,) = Results(tmp_path).records()
    assert record.identity["scale"]["name"] == "smoke+probe=5+probe_images=0+train_images=128"
    assert record.place["searched_images"] == [128, 256]
    assert record.estimates is not None
    assert (record.estimates["probe"], record.estimates["images"]) == (5, 256)
    capsys.readouterr()
    assert (
        main([*words, "--scale", "quick", "--scale.valid-images", "6001"]) == 1
    )  # a run that cannot be made costs itself alone
    assert "not made: scale quick+valid_images=6001 asks for 6,001 valid_images" in capsys.readouterr().out


def test_a_preset_takes_the_images_that_there_are() -> None:
    """As it did before sizes could be typed: `wide` has more validation images than the patches."""
    assert SCALES["wide"].valid_images > 6_000
    assert len(visible(images.load("patches"), SCALES["wide"]).valid) == 6_000
    with pytest.raises(BadSpec, match="asks for 25,000 train_images"):
        visible(images.load("patches"), replace(SCALES["wide"], name="mine"))


def test_parts_of_epochs() -> None:
    parts, whole = replace(tiny.SCALE, parts=True), tiny.SCALE
    assert [whole.epochs_of(n) for n in (10, 30, 50, 250)] == [1, 1, 2, 10]
    assert [parts.epochs_of(n) for n in (10, 30, 50, 250)] == pytest.approx([0.4, 1.2, 2.0, 10.0])
    assert whole.times_of(10) == parts.times_of(10) == 1
    task = tiny.task(scale=replace(parts, train_images=96))
    FewShot(base=Rsps(SHORT, candidates=2), levels=(30,), final=20, inherit="weights").search(task)
    steps = round(1.2 * 3) + 3 * round(0.8 * 3)
    assert task.meter.phases["weights"].backward_images == steps * 32


# Which images estimates take


def test_the_beginnings_of_a_stratified_order_hold_every_class_in_its_share() -> None:
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.repeat([0, 1, 2], [40, 25, 7]))
    order = stratified(labels, rng)
    assert sorted(order) == list(range(72))
    for count in range(73):
        held = np.bincount(labels[order[:count]], minlength=3)
        assert (np.abs(held - count * np.array([40, 25, 7]) / 72) < 1.5).all()
    assert not np.array_equal(order, stratified(labels, rng))


def test_drawn_images_by_hand() -> None:
    """Other images in every seed, the same for all learners of one; accuracy counted image by image."""

    def pixels(seed: int, count: int | None) -> torch.Tensor:
        task = tiny.task(seed=seed, scale=replace(tiny.SCALE, draw="stratified"))
        learner = task.learner(Rsps(SHORT), SHORT)
        return torch.cat([batch.images for batch in learner.valid.in_order(10, count)])

    first = tiny.task().learner(Rsps(SHORT), SHORT).valid
    usual = torch.cat([batch.images for batch in first.in_order(10, 20)])
    assert pixels(0, 20).equal(pixels(0, 20))
    assert not pixels(0, 20).equal(pixels(1, 20))
    assert not pixels(0, 20).equal(usual)
    everything = torch.cat([batch.images for batch in first.in_order(64)])
    assert pixels(0, None).equal(everything)
    assert pixels(0, 64).equal(everything)
    places = [next(k for k in range(64) if everything[k].equal(one)) for one in pixels(1, 20)]
    assert places == sorted(places)
    labels = tiny.search_images().valid.labels[places]
    assert abs(int(labels.sum()) - 20 * float(tiny.search_images().valid.labels.mean())) < 20


def test_the_order_that_is_preferred_is_that_of_its_labels_too() -> None:
    shown = tiny.search_images().valid
    order = torch.randperm(len(shown), generator=torch.Generator().manual_seed(3))
    batches = Batches(shown, (0.5,), (0.25,), 8, tiny.CPU, preferred=order)
    (batch,) = batches.in_order(16, 16)
    rows = order[:16].sort().values
    assert batch.labels.equal(torch.from_numpy(shown.labels)[rows])


def test_the_batch_of_estimates_is_a_size_of_the_scale() -> None:
    """Batch statistics are those of so many images: the learner's own forward passes say what they must be."""
    learner = tiny.task(scale=replace(tiny.SCALE, evaluation_batch=16)).learner(Rsps(SHORT), SHORT)
    learner.fit(1)
    genotype = (1, 2, 1)
    learner.supernet.eval()
    right = 0
    with torch.no_grad():
        for batch in learner.valid.in_order(16):
            logits = learner.supernet(batch.images, None, learner.space.alone(genotype))
            right += int((logits.argmax(1) == batch.labels).sum())
    assert learner.estimate(genotype)[0] == right / 64
    assert learner.estimates([genotype])[0, 0] == right / 64


# Alpha at rest


@pytest.mark.parametrize("base", [Snas(SHORT, rests=4), Darts(SHORT, rests=4)])
def test_alpha_at_rest(base: Any, tmp_path: Path) -> None:
    record = execute(tiny.spec(base), Settings(tmp_path, device="cpu"), debug=True)
    start = tiny.task().learner(base, base.training).alpha
    assert record.details["alpha"] == start.tolist()
    assert "alpha" not in record.cost["phases"]
    assert record.cost["phases"]["weights"]["forward_images"] == 2 * 96
    assert record.cost["phases"]["choose"]["forward_images"] <= 4 * 64
    # Chosen is the best of four by the search's own estimate.
    (candidate,) = record.candidates
    assert candidate.genotype == record.genotype


def test_what_has_no_alpha_cannot_rest_it() -> None:
    with pytest.raises(BadSpec, match="no alpha that could rest"):
        Rsps(rests=3)


# Budgets that can train


def test_a_phase_under_a_budget_is_long_enough_or_the_search_is_refused() -> None:
    """GM-NAS at the images of its base: two cuts, four leaves; three steps an epoch."""
    search = GmNas(
        base=Darts(replace(SHORT, epochs=200)), levels=(15, 15), final=30, grouping=Matching(batches=1), protocol="fair"
    )
    few, many = (replace(tiny.SCALE, least_steps=least) for least in (1, 50))
    task = tiny.task(scale=few)
    search.search(task)
    with pytest.raises(BadSpec, match="with phases of 50 steps or more it takes"):
        search.search(tiny.task(scale=many))


def test_a_scale_that_no_search_takes_is_not_advised() -> None:
    """Commands in messages name the options that give a scale; those of a table have none."""
    assert scale_typed("table") == ""
    assert scale_typed("quick") == "--scale quick"
    changed = scale_named("quick", {"train-images": "24000", "epochs": "0.3"})
    words = scale_typed(changed.name).split()
    fields = dict(zip((word.removeprefix("--scale.") for word in words[2::2]), words[3::2], strict=True))
    assert scale_named(words[1], fields) == changed
