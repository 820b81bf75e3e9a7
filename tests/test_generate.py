"""Shards: whatever interrupts the work and however many share it, the same numbers come out, and damage is told."""

from __future__ import annotations

import dataclasses
import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from multiprocessing import get_context
from multiprocessing.context import ForkServerContext
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from bench.errors import BadData, BadSpec, UnknownName
from bench.spaces import nb201, toy_darts
from bench.truth import generate
from bench.truth.column import Column
from bench.truth.generate import shards_of
from bench.truth.merge import merge
from bench.truth.passes import FIRST, NB201, SHARDS, Embedded, Pass
from bench.truth.plan import Plan, class_order, load_images, series, train_class, trained_instead
from bench.truth.recipe import Recipe
from bench.truth.shards import COLUMNS, Series, Trained
from bench.truth.table import Table
from bench.truth.verify import Verdict, compare, verify
from bench.truth.workers import run, work

TINY = Plan(
    Recipe(channels=4, cells=1, images=96, batch=32, learning_rate=0.05),
    seeds=(0, 1),
    train_images=96,
    valid_images=32,
    test_images=48,
    block=6,
)
CLASSES = class_order(nb201.SPACE)
COUNT = 30


def tiny(folder: Path, count: int = COUNT, plan: Plan = TINY) -> Series:
    return series(plan, folder, "no digest", CLASSES[:count])


def contents(shards: Series) -> pa.Table:
    """Everything but the seconds."""
    return pa.concat_tables(shards.read(block) for block in range(len(shards.blocks))).drop_columns("seconds")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def context() -> ForkServerContext:
    """Processes that start at once: forked from a server that has torch loaded and has computed nothing."""
    found = get_context("forkserver")
    found.set_forkserver_preload(["bench.truth.workers"])
    return found


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Series:
    """30 classes in five blocks, trained in this process without interruption."""
    shards = tiny(tmp_path_factory.mktemp("unbroken"))
    work(TINY, shards, range(5))
    return shards


def test_shards_hold_what_the_trainer_says(unbroken: Series) -> None:
    table = contents(unbroken).to_pandas()
    assert table.position.tolist() == [position for position in CLASSES[:COUNT] for _ in TINY.seeds]
    assert table.seed.tolist() == [0, 1] * COUNT
    expected = train_class(TINY, load_images(TINY), CLASSES[7])
    found = table[table.position == CLASSES[7]]
    for name in COLUMNS:
        assert found[name].tolist() == np.float32(expected.values[name]).tolist()
    assert not list(unbroken.folder.glob("*.jsonl"))


def test_killed_twenty_times_at_random_moments(unbroken: Series, tmp_path: Path, context: ForkServerContext) -> None:
    shards, rng, kills = tiny(tmp_path), random.Random(0), 20
    blocks = range(len(shards.blocks))
    pace = float(np.median(unbroken.read(0)["seconds"].to_numpy()))  # of a class here: kills fall within one or so
    done = [0]
    while len(done) <= kills:
        worker = context.Process(target=work, args=(TINY, shards, blocks))
        worker.start()
        further = rng.randrange(2)  # some die before their first class is done, on their way to it
        while worker.is_alive() and shards.count(blocks) < done[-1] + further:
            time.sleep(0.005)
        time.sleep(rng.uniform(0.0, min(0.15, pace)))
        worker.kill()
        worker.join()
        done.append(shards.count(blocks))
    assert done == sorted(done), "a kill lost a finished class"
    assert done[kills // 2] < COUNT, "the kills came too late to matter"
    work(TINY, shards, blocks)
    assert contents(shards).equals(contents(unbroken))
    assert not list(tmp_path.glob("*.jsonl"))


def test_every_point_of_interruption_resumes(unbroken: Series, tmp_path: Path) -> None:
    """A journal cut after any byte of its last two lines continues to the same shard."""
    shards = tiny(tmp_path, 6)
    journal = shards.claim(0)
    assert journal is not None
    rows = _rows(unbroken, 0)
    for row in rows[:2]:
        journal.append(row)
    journal.close()
    path = shards.journal(0)
    whole = path.read_bytes()
    header = whole.index(b"\n") + 1
    second = whole.index(b"\n", header) + 1
    for size in (0, 5, header, second, *range(second + 1, len(whole), 61), len(whole)):
        path.write_bytes(whole[:size])
        kept = max(0, whole[:size].count(b"\n") - 1)
        torn = not whole[:size].endswith(b"\n") and size > 0
        if torn:
            with pytest.warns(UserWarning, match="unfinished last line"):
                journal = shards.claim(0)
        else:
            journal = shards.claim(0)
        assert journal is not None
        assert len(journal.rows) == kept
        for row in rows[kept:]:
            journal.append(row)
        shards.seal(0, journal)
        assert shards.read(0).drop_columns("seconds").equals(unbroken.read(0).drop_columns("seconds"))
        shards.shard(0).unlink()


def _rows(shards: Series, block: int) -> list[Trained]:
    table = shards.read(block).to_pandas()
    return [
        Trained(position, {name: part[name].tolist() for name in COLUMNS}, 1.0)
        for position, part in table.groupby("position", sort=False)
    ]


def test_killed_between_shard_and_journal(unbroken: Series, tmp_path: Path) -> None:
    shards = tiny(tmp_path, 6)
    for row in (rows := _rows(unbroken, 0)):
        journal = shards.claim(0)
        assert journal is not None
        journal.append(row)
        journal.close()
    left_behind = shards.journal(0).read_bytes()
    journal = shards.claim(0)
    assert journal is not None
    assert [row.position for row in journal.rows] == [row.position for row in rows]
    shards.seal(0, journal)
    shards.journal(0).write_bytes(left_behind)
    assert shards.claim(0) is None
    assert [path.name for path in tmp_path.iterdir()] == ["0000.parquet"]


def test_a_block_belongs_to_one_process(tmp_path: Path, context: ForkServerContext) -> None:
    shards = tiny(tmp_path)
    held = shards.claim(0)
    assert held is not None
    worker = context.Process(target=work, args=(TINY, shards, range(2)))
    worker.start()
    worker.join()
    assert worker.exitcode == 0
    assert shards.finished() == [1]
    held.close()
    again = shards.claim(0)
    assert again is not None
    again.close()


def test_two_workers_make_what_one_makes(
    unbroken: Series, tmp_path: Path, context: ForkServerContext, capsys: pytest.CaptureFixture[str]
) -> None:
    shards = tiny(tmp_path)
    assert run(TINY, shards, range(5), workers=2, context=context)
    assert contents(shards).equals(contents(unbroken))
    assert "30 of 30 classes" in capsys.readouterr().err


def test_orphans_stop(tmp_path: Path, context: ForkServerContext) -> None:
    """A coordinator that is killed leaves no worker behind that trains on."""
    many = dataclasses.replace(TINY, block=2_000)
    shards = tiny(tmp_path, 2_000, many)
    coordinator = context.Process(target=run, args=(many, shards, [0], 1, context))
    coordinator.start()
    while not shards.count([0]):
        time.sleep(0.05)
    coordinator.kill()
    coordinator.join()
    deadline = time.monotonic() + 30
    while (journal := shards.claim(0)) is None and time.monotonic() < deadline:
        time.sleep(0.1)
    assert journal is not None, "the worker still holds its block"
    assert 1 <= len(journal.rows) < 2_000
    journal.close()


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_stops_when_told(number: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench.truth.generate", "--out", str(tmp_path), "--limit", "1"]
    process = subprocess.Popen(command, cwd=SHARDS.parents[2], stderr=subprocess.PIPE, text=True)
    journal = tmp_path / FIRST / "0000.jsonl"
    while not (journal.exists() and journal.read_bytes().endswith(b"\n")):
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(number)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 128 + number
    assert "Traceback" not in said
    claimed = shards_of(FIRST, tmp_path, NB201.passes).claim(0)
    assert claimed is not None, "a worker lives on and holds its block"
    claimed.close()


def test_other_settings_are_refused(unbroken: Series, tmp_path: Path) -> None:
    other = dataclasses.replace(TINY, recipe=dataclasses.replace(TINY.recipe, batch=16))
    shards = series(other, unbroken.folder, "no digest", CLASSES[:COUNT])
    with pytest.raises(BadData, match=r"0000\.parquet was made with other settings \(training\.batch is 32 there, 16"):
        run(other, shards, range(5), workers=1)
    half = tiny(tmp_path)
    journal = half.claim(0)
    assert journal is not None
    journal.close()
    with pytest.raises(BadData, match=r"0000\.jsonl was made with other settings \(training\.batch"):
        series(other, tmp_path, "no digest", CLASSES[:COUNT]).claim(0)
    with pytest.raises(BadData, match="other settings \\(order is"):
        series(TINY, unbroken.folder, "no digest", CLASSES[1 : COUNT + 1]).check()


def test_damage_is_told(unbroken: Series, tmp_path: Path) -> None:
    shards = tiny(tmp_path)
    journal = shards.claim(0)
    assert journal is not None
    for row in _rows(unbroken, 0)[:3]:
        journal.append(row)
    journal.close()
    lines = shards.journal(0).read_bytes().split(b"\n")
    for number, broken in ((1, b"{"), (2, lines[2][:-9]), (3, b""), (2, lines[2].replace(b"test_acc", b"best_acc"))):
        damaged = [*lines[: number - 1], broken, *lines[number:]]
        shards.journal(0).write_bytes(b"\n".join(damaged))
        with pytest.raises(BadData, match=f"line {number}, is damaged"):
            shards.check()
    shards.journal(0).write_bytes(b"\n".join([lines[0], lines[2], lines[1], b""]))
    with pytest.raises(BadData, match="does not hold the architectures of block 0"):
        shards.claim(0)
    whole = unbroken.shard(1).read_bytes()
    for place in range(4, len(whole) - 8, 97):
        shards.shard(1).write_bytes(whole[:place] + bytes([whole[place] ^ 0x40]) + whole[place + 1 :])
        try:
            found = shards.read(1)
        except BadData:
            continue
        assert found.equals(unbroken.read(1)), "a changed byte changed a number unnoticed"
    shards.shard(1).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadData, match="no readable shard"):
        shards.read(1)


def test_a_diverged_seed_is_missing(tmp_path: Path) -> None:
    shards = tiny(tmp_path, 1)
    journal = shards.claim(0)
    assert journal is not None
    journal.append(Trained(CLASSES[0], {name: [None, 2.5] for name in COLUMNS}, 1.0))
    journal.close()
    journal = shards.claim(0)
    assert journal is not None
    shards.seal(0, journal)
    assert shards.read(0)["test_accuracy"].to_pylist() == [None, 2.5]


def test_verify(unbroken: Series, tmp_path: Path, context: ForkServerContext) -> None:
    rng = np.random.default_rng(0)
    verdict = verify(TINY, unbroken, 3, rng, 2, context)
    assert verdict.good
    assert verdict.equal == verdict.compared == 3 * len(TINY.seeds) * len(COLUMNS)
    tampered = tiny(tmp_path, 6)
    journal = tampered.claim(0)
    assert journal is not None
    for row in _rows(unbroken, 0):
        values = {name: list(each) for name, each in row.values.items()}
        if row.position == CLASSES[4]:
            values["valid_cross_entropy"][1] += 1e-3  # type: ignore[operator]
        journal.append(Trained(row.position, values, 1.0))
    tampered.seal(0, journal)
    verdict = verify(TINY, tampered, 6, rng, 2, context)
    assert not verdict.good
    assert verdict.equal == verdict.compared - 1
    cell = nb201.SPACE.show(nb201.SPACE.population.at(CLASSES[4]))
    assert f"valid_cross_entropy of {cell}, seed 1" in str(verdict)
    assert verdict.odd == 1
    assert "1 unlike the rest of their class" in str(verdict)


def test_verify_judges_classes_of_several_types_of_machine_one_by_one() -> None:
    stored = np.full((2, 3, len(COLUMNS)), 50.0)
    limit = np.full((2, 1, len(COLUMNS)), 1.0)

    def verdict(first: float, second: float, one: float = 0.0) -> Verdict:
        """The first class off by `first` everywhere, the second by `second`, and one of its numbers by `one` more."""
        again = stored + np.array([first, second])[:, None, None]
        again[1, 0, 0] += one
        return compare(stored, again, limit, ["one", "other"], (0, 1, 2))

    assert verdict(0.0, 0.0).good
    assert verdict(0.5, 0.0).good  # another type of machine made the first
    assert verdict(0.5, -0.9).good
    assert not verdict(0.5, 0.0, 0.5).good  # within noise, but its class is equal otherwise
    assert not verdict(0.0, 0.5, 0.6).good  # beyond noise


# Which classes, in which order.


def test_representatives_are_the_cheapest_of_their_class() -> None:
    space, instead = nb201.SPACE, trained_instead(nb201.SPACE)
    keys = [space.trained_class(genotype) for genotype in space.population]
    assert len(set(keys)) == len(CLASSES) == 5_044
    assert sorted(CLASSES) == sorted(set(instead.tolist()))

    def convolutions(position: int) -> int:
        ops = Counter(space.live(space.population.at(position)))
        return ops[nb201.CONV1] + ops[nb201.CONV3]

    for position, its in enumerate(instead.tolist()):
        assert keys[position] == keys[its]
        assert space.live(space.population.at(its)) == space.population.at(its)
        assert convolutions(its) <= convolutions(position)


def test_representative_by_hand() -> None:
    chain = (3, 0, 1, 0, 0, 4)  # x -> 3x3 -> skip -> pool: pooling is last
    other = (3, 0, 4, 0, 0, 1)
    direct = (3, 0, 0, 0, 4, 0)
    assert nb201.SPACE.representative([chain, other, direct]) == direct  # one pooling each, so the first in order
    twice = (3, 1, 0, 0, 4, 4)  # pool(conv(x)) + pool(x) computes two poolings
    once = (3, 1, 1, 0, 0, 4)  # pool(conv(x) + x) computes one
    assert nb201.SPACE.trained_class(twice) == nb201.SPACE.trained_class(once)
    assert nb201.SPACE.representative([once, twice]) == nb201.SPACE.representative([twice, once]) == once


def test_the_order_and_the_images_are_those_of_the_stored_shards() -> None:
    header = shards_of(FIRST, SHARDS, NB201.passes).header
    assert header["order"] == "f2ab0c0813055d1c"
    assert header["images"]["digest"] == "175e3280de6305d7"


def test_stored_shards_are_whole() -> None:
    shards = shards_of(FIRST, SHARDS, NB201.passes)
    if not shards.finished():
        pytest.skip("no shard is finished")
    for block in shards.finished():
        table = shards.read(block)
        accuracy = np.stack([table[name].to_numpy() for name in COLUMNS if "accuracy" in name])
        assert ((accuracy >= 0) & (accuracy <= 100)).all()


# Passes and the table, on made-up numbers.


def fill(shards: Series, blocks: Sequence[int]) -> None:
    """Made-up results that tell position and seed: validation accuracy (position mod 97) + seed / 8."""
    for block in blocks:
        journal = shards.claim(block)
        assert journal is not None
        for position in shards.blocks[block]:
            values = {name: [position % 97 + seed / 8 for seed in shards.seeds] for name in COLUMNS}
            line = {"position": position, "seconds": 3.0, **values}
            journal.file.write(json.dumps(line).encode() + b"\n")  # without the wait for the disk
            journal.rows.append(Trained(position, values, 3.0))
        shards.seal(block, journal)


def passes(block: int = 1_000) -> dict[str, Pass]:
    first = dataclasses.replace(TINY, block=block)
    return {
        "a": Pass(first),
        "b": Pass(dataclasses.replace(first, seeds=(2,)), classes="upper"),
        "c": Pass(dataclasses.replace(first, seeds=(2,)), classes="lower"),
    }


def test_merged_table(tmp_path: Path) -> None:
    first = shards_of("a", tmp_path, passes())
    fill(first, [0, 2])
    table = merge(passes()["a"].plan, [first], "made-up", "for tests")
    assert not table.header.complete
    keys = [nb201.SPACE.trained_class(genotype) for genotype in nb201.SPACE.population]
    trained = {keys[p]: p for block in (0, 2) for p in first.blocks[block]}
    for seed in (0, 1):
        expected = [trained[key] % 97 + seed / 8 if key in trained else np.nan for key in keys]
        found = table.column(dataset="patches", split="valid", epochs=1, seeds=str(seed))
        assert np.array_equal(found, expected, equal_nan=True)
    assert Column("train_seconds", "patches", "train", 1, "0") in table.columns

    fill(first, [1, 3, 4, 5])
    assert merge(passes()["a"].plan, [first], "made-up", "for tests").header.complete
    upper = shards_of("b", tmp_path, passes())
    fill(upper, range(len(upper.blocks)))
    half = merge(passes()["a"].plan, [first, upper], "made-up", "for tests")
    assert not half.header.complete
    lower = shards_of("c", tmp_path, passes())
    assert not {p for block in upper.blocks for p in block} & {p for block in lower.blocks for p in block}
    assert min(p % 97 for b in upper.blocks for p in b) >= max(p % 97 for b in lower.blocks for p in b)
    fill(lower, range(len(lower.blocks)))
    path = tmp_path / "patches.parquet"
    merge(passes()["a"].plan, [first, upper, lower], "made-up", "for tests").save(path)
    whole = Table.load(path)
    assert whole.header.complete
    assert whole.seeds(("accuracy", "patches", "test", 1)) == ("0", "1", "2")
    means = whole.column(dataset="patches", split="test", epochs=1, seeds="mean")
    assert means == pytest.approx(trained_instead(nb201.SPACE) % 97 + 1 / 8)


def test_merge_refuses(unbroken: Series, tmp_path: Path) -> None:
    with pytest.raises(BadData, match="no shard is finished"):
        merge(TINY, [tiny(tmp_path)], "made-up", "for tests")
    with pytest.raises(BadData, match="same architecture from the same seed"):
        merge(TINY, [unbroken, unbroken], "made-up", "for tests")
    other = series(dataclasses.replace(TINY, valid_images=33), tmp_path, "no digest", CLASSES[:6])
    fill(other, [0])
    with pytest.raises(BadData, match="different settings"):
        merge(TINY, [unbroken, other], "made-up", "for tests")


def test_a_half_needs_the_whole_first_pass(tmp_path: Path) -> None:
    fill(shards_of("a", tmp_path, passes()), [0])
    with pytest.raises(BadData, match="not finished"):
        shards_of("b", tmp_path, passes())
    with pytest.raises(UnknownName, match="unknown series 'aa'"):
        shards_of("aa", tmp_path, passes())


def test_more_seeds_go_where_the_table_is_weak() -> None:
    """Ten classes, of which the first has eleven of twenty architectures: the upper tenth are the two best of all."""
    instead = np.array([0] * 11 + list(range(1, 10)))
    valid = {row: np.array([70.0 + row, 70 + row, 70 + row]) for row in range(10)}
    assert generate.chosen(valid, "weak", instead) == {8, 9}
    valid[3] = np.array([73.0, 73, 80])  # a deviation of 4.04
    assert generate.chosen(valid, "weak", instead) == {8, 9}
    valid[3] = np.array([73.0, 73, 82])  # of 5.2
    valid[5] = np.array([75.0, 75, np.nan])  # a seed diverged
    assert generate.chosen(valid, "weak", instead) == {3, 5, 8, 9}
    assert generate.chosen({row: valid[row] for row in (0, 1, 8, 9)}, "upper", instead) == {8, 9}
    assert generate.chosen({row: valid[row] for row in (0, 1, 8, 9)}, "lower", instead) == {0, 1}


def test_the_second_version_has_more_seeds_of_some(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = dataclasses.replace(TINY, block=1_000)
    both = {"a": Pass(first), "b": Pass(dataclasses.replace(first, seeds=(2, 3)), classes="weak")}
    embedded = Embedded("made-up-v1", "for tests", tmp_path, both, versions=(("a",), ("a", "b")))
    one = shards_of("a", tmp_path, both)
    fill(one, range(len(one.blocks)))
    with pytest.raises(BadData, match="no shard of series b is finished"):
        generate.write_table(embedded, tmp_path, tmp_path / "two.parquet", 2)
    with pytest.raises(BadSpec, match="has versions 1 to 2, not 3"):
        generate.write_table(embedded, tmp_path, tmp_path / "three.parquet", 3)
    weak = shards_of("b", tmp_path, both)
    wanted = {position for block in weak.blocks for position in block}
    assert 0 < len(wanted) < 1_100
    least = min(position % 97 for position in wanted)
    assert all(p in wanted for block in one.blocks for p in block if p % 97 > least)  # the best, as `fill` makes them
    fill(weak, range(len(weak.blocks)))
    for version in (1, 2):
        generate.write_table(embedded, tmp_path, tmp_path / f"{version}.parquet", version)
    old, new = (Table.load(tmp_path / f"{version}.parquet") for version in (1, 2))
    assert (old.header.name, old.header.version, new.header.name, new.header.version) == (
        *("made-up-v1", "1"),
        *("made-up-v2", "2"),
    )
    rows = trained_instead(nb201.SPACE)
    more = np.isin(rows, list(wanted))
    means = new.column(dataset="patches", split="test", epochs=1, seeds="mean")
    assert means == pytest.approx(rows % 97 + np.where(more, (0 + 1 + 2 + 3) / 4 / 8, 1 / 16))
    cell = nb201.SPACE.population.at(int(np.flatnonzero(more)[0]))
    asked = {"dataset": "patches", "split": "test", "epochs": 1, "seeds": "mean"}
    assert new.query(cell, **asked).seeds == ("0", "1", "2", "3")  # type: ignore[arg-type]
    assert old.query(cell, **asked).seeds == ("0", "1")  # type: ignore[arg-type]
    assert "complete, " in capsys.readouterr().out


def test_the_weak_cells_of_the_embedded_table_are_those_of_the_data_sheet() -> None:
    """958 classes: 46 whose seeds disagree, and 912 that hold the upper tenth of all cells."""
    for name, seeds in (("b", (3, 4)), ("c", (5, 6))):
        shards = shards_of(name, SHARDS, NB201.passes)
        assert sum(map(len, shards.blocks)) == 958
        assert shards.seeds == seeds


def test_merge_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(generate, "made", lambda space: Embedded("made-up", "for tests", tmp_path, passes()))
    fill(shards_of("a", tmp_path, passes()), [1])
    target = tmp_path / "tables" / "patches.parquet"
    assert generate.main(generate.Arguments(out=tmp_path, merge=True, table=target)) == 0
    assert "not complete" in capsys.readouterr().out
    assert Table.load(target).constant("parameters").shape == (15_625,)


# Another space: the rows are those of its population.


def test_a_plan_of_another_space_from_training_to_table(tmp_path: Path) -> None:
    plan = dataclasses.replace(TINY, recipe=dataclasses.replace(TINY.recipe, clip=5.0), judged=32, space="toy-darts")
    darts = toy_darts.SPACE
    shards = shards_of("a", tmp_path / "shards", {"a": Pass(dataclasses.replace(plan, block=2))})
    assert sorted(row for block in shards.blocks for row in block) == np.unique(trained_instead(darts)).tolist()
    header = shards.header
    assert (header["space"], header["judged"], header["training"]["clip"]) == ("toy-darts", 32, 5.0)
    work(plan, shards, [0])
    table = merge(plan, [shards], "darts", "for tests")
    assert (table.header.population, len(table.population)) == ("240 sampled", 240)
    test = table.column(dataset="patches", split="test", epochs=1, seeds="mean")
    known = np.flatnonzero(np.isfinite(test))
    alike = {darts.trained_class(darts.population.at(row)) for row in shards.blocks[0]}
    assert [darts.trained_class(darts.population.at(int(row))) in alike for row in known] == [True] * len(known)
    assert set(shards.blocks[0]) <= set(known.tolist())
    assert set(np.round(test[known] * 64 / 100, 3) % 1) == {0}  # of 32 images and two seeds
    again = train_class(plan, load_images(plan), shards.blocks[0][1]).values["test_accuracy"]
    assert test[shards.blocks[0][1]] == np.mean(np.float32(again))  # type: ignore[arg-type]


def test_the_shards_of_a_space_are_refused_to_another(unbroken: Series) -> None:
    other = series(dataclasses.replace(TINY, space="toy-darts"), unbroken.folder, "no digest", CLASSES[:COUNT])
    with pytest.raises(BadData, match=r"other settings \(space is 'nb201' there, 'toy-darts' here\)"):
        other.check()
