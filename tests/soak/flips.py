"""Flips: one bit of a file of ours is turned, and the file is read. It is refused, or says what it said before."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from analysis.figures import image_noise
from bench.errors import BadRecord, BenchError
from bench.retraining import training
from bench.retraining.recipes import RECIPES
from bench.runs import agreed, estimate, probe
from bench.runs.study import study_named
from bench.scoring import truths
from bench.search import checkpoints, kept
from bench.spaces.toy_darts import SPACE as TOY_DARTS
from bench.store import evolved, locks, retrained
from bench.store.files import opened
from bench.store.record import Results, read_record, read_scores, to_json
from bench.store.spec import SCALES, key_of, plain
from bench.truth.table import Table


@dataclass(frozen=True)
class Kind:
    """A kind of file: a good one, and what a reader makes of it, in a form that can be compared."""

    path: Path
    read: Callable[[Path], Any]


@dataclass
class Count:
    """What became of the flips of one kind."""

    flips: int = 0
    refused: int = 0
    same: int = 0  # read, and saying what it said: a space of JSON, a time stamp in an archive
    different: int = 0  # read as good and different
    crashed: int = 0  # another error than the one line


def kinds(results: Results, folder: Path) -> Mapping[str, Kind]:
    """A file of each kind; those of runs are from `results`, which has runs with estimates and scores."""
    record = next(record for record in results.records() if record.estimates is not None)
    score = next((results.root / "scores").glob(f"{record.key}.*.json"))
    row = read_scores(score)[0]
    partial = results.partial_path("0" * 16)
    names = np.array([TOY_DARTS.show(TOY_DARTS.population.at(k)) for k in range(40)], dtype=np.str_)
    partial.parent.mkdir(parents=True, exist_ok=True)
    partial.write_bytes(probe.to_bytes((names, np.random.default_rng(0).random((40, 2))), "f8"))
    checkpoint = folder / "00000.npz"
    notes = {name: {"a": [1, 2.5], "b": "text"} for name in sorted(checkpoints.PARTS)}
    checkpoint.write_bytes(checkpoints.to_bytes(notes, {"weights": torch.arange(64.0), "steps": torch.tensor(7)}))
    claim = folder / ".claim.lock"
    with opened(claim) as stream:
        locks._sign(stream, claim)
    table = folder / "table.parquet"
    small_table().save(table)
    again = retrained.save(results, a_retraining())
    halfway = folder / "retraining.npz"
    state = {"identity": {"key": "0" * 16}, "epoch": 1, "curve": [{"epoch": 1, "train_loss": 2.5}], "seconds": 1.5}
    halfway.write_bytes(checkpoints.to_bytes(state, {"w/stem": torch.arange(60.0), "m/0": torch.ones(60)}))
    supernets = folder / "supernets.npz"
    note = {"format": kept.FORMAT, "key": record.key, "space": "toy", "supernets": [{"name": "whole", "depth": 0}]}
    supernets.write_bytes(
        checkpoints.to_bytes(note, {"0/weights/stem": torch.arange(64.0), "0/alpha": torch.ones(6, 5)})
    )
    blocks, values = folder / "blocks.parquet", np.random.default_rng(1).random((40, 3, 2))
    blocks.write_bytes(estimate._blocks_file(names, values, {"run": record.key, "images": "50", "weights": "0" * 32}))
    bred = evolved.save(results, an_evolution())
    plan = agreed.agree(folder, "smoke", study_named("smoke").specs())
    return {
        "record": Kind(results.run_path(record.key), lambda p: to_json(_sealed(read_record(p)))),
        "score": Kind(score, lambda p: to_json([_sealed(one) for one in read_scores(p)])),
        "estimates": Kind(results.estimates_path(record.key), lambda p: _arrays(probe.read(p))),
        "partial estimates": Kind(partial, lambda p: _arrays(probe.read(p))),
        "truths (the other side of pairs)": Kind(
            results.truths_path(row.truth, row.target), lambda p: _truths(truths.read(p))
        ),
        "checkpoint": Kind(checkpoint, lambda p: _checkpoint(checkpoints.read(p))),
        "claim": Kind(claim, _claim),
        "table": Kind(table, lambda p: Table.load(p).checksum),
        "record of retraining": Kind(again, lambda p: to_json(retrained.read(p))),
        "checkpoint of retraining": Kind(halfway, lambda p: _checkpoint(checkpoints.read(p, training.NOTE))),
        "kept supernets": Kind(supernets, lambda p: _checkpoint(checkpoints.read(p, kept.PARTS))),
        "estimates by block": Kind(blocks, lambda p: _blocks(image_noise.read(p, record.key))),
        "plan of a study": Kind(plan, agreed.read),
        "evolution over estimates": Kind(bred, lambda p: to_json(evolved.read(p))),
    }


def an_evolution() -> evolved.Evolved:
    """A file as `evolve` leaves it, of numbers that were made up."""
    return evolved.Evolved(
        key="0" * 16,
        truth="made-up",
        target="patches",
        truth_checksum="0" * 32,
        estimates="1" * 32,
        search={"name": "evolution.Ageing", "version": 1, "config": {"samples": 3}},
        repeats=5,
        architectures=20,
        share=0.75,
        samples=(1, 2, 3),
        by_estimates=(50.0, 60.5, 61.25),
        by_truth=(50.0, 70.5, 71.25),
        at_random=(48.0, 55.5, 60.0),
    )


def a_retraining() -> retrained.Retrained:
    """A record as `retrain` leaves it, of numbers that were made up."""
    recipe, scale = RECIPES["quick"].settings(), plain(SCALES["smoke"])
    identity = retrained.identity(recipe, scale, "toy-darts", TOY_DARTS.population.at(3), "patches", 0)
    return retrained.Retrained(
        key=key_of(identity),
        identity=identity,
        architecture=TOY_DARTS.show(TOY_DARTS.population.at(3)),
        error=25.5,
        cross_entropy=0.75,
        parameters=1_234,
        multiply_adds=56_789,
        test_images=4_000,
        curve=({"epoch": 1, "train_loss": 2.25, "rate": 0.025},),
        cost={"forward_images": 5_000, "backward_images": 1_000, "wall_s": 1.5, "processes": 1},
        place={"code": "c0de", "torch": "2"},
        searched=(),
    )


def small_table() -> Table:
    """A table of ground truth of few numbers."""
    from tests.test_score import small_table as made

    return made()


def flipped(kind: Kind, count: int, seed: int) -> Count:
    """What becomes of `count` flips, each of a bit drawn at random."""
    good, whole = kind.read(kind.path), kind.path.read_bytes()
    rng, found = random.Random(seed), Count()
    try:
        for _ in range(count):
            spoilt = bytearray(whole)
            spoilt[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
            kind.path.write_bytes(spoilt)
            found.flips += 1
            try:
                same = kind.read(kind.path) == good
            except BenchError:
                found.refused += 1
            except Exception:
                found.crashed += 1
            else:
                found.same += same
                found.different += not same
    finally:
        kind.path.write_bytes(whole)
    return found


def _sealed(one: Any) -> Any:
    """What was read, once it had a seal: taking the seal off is not possible by one bit."""
    if not one.sealed:
        raise BadRecord("it has no seal")
    return one


def _arrays(estimates: probe.Estimates) -> Any:
    return [estimates[0].tolist(), estimates[1].tobytes()]


def _blocks(found: image_noise.Blocks) -> Any:
    return [found.keys.tolist(), found.accuracy.tobytes(), found.cross_entropy.tobytes(), found.images]


def _truths(found: truths.Truths) -> Any:
    columns = {name: values.tobytes() for name, values in found.columns.items()}
    return [found.checksum, found.keys.tolist(), columns]


def _checkpoint(found: tuple[dict[str, Any], dict[str, Any]]) -> Any:
    note, tensors = found
    return [note, {name: (tensor.dtype, tensor.tolist()) for name, tensor in tensors.items()}]


def _claim(path: Path) -> str:
    with path.open("rb") as stream:
        owner = locks._owner(stream)
    if owner == "another process":
        raise BadRecord("nobody is believed to hold it")
    return owner
