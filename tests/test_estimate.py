"""Kept supernets and what is estimated from them, against runs that are made at the other scale, and by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from bench.cli.commands import main
from bench.errors import BadRecord, BadSpec
from bench.nets.operations import Norm
from bench.runs import probe
from bench.runs.estimate import How, anew, by_blocks
from bench.runs.run import Settings, execute
from bench.search.checkpoints import read, to_bytes
from bench.search.kept import FORMAT, PARTS
from bench.search.learner import Training
from bench.spaces.toy import SPACE as TOY
from bench.store.record import Record, Results
from bench.store.spec import RunSpec, Scale, resized, scale_named
from methods.baselines import RandomArchitecture
from methods.fewshot import VARIANTS as FEW_SHOT
from methods.hepnas import TWO_NODES
from methods.rsps import Rsps

SCALE = Scale("tiny", 4, 1, 128, 96, 0.02, 12, 32)
SHORT = Training(batch=32)
RSPS = Rsps(SHORT, candidates=3)


def spec(method: Any, scale: Scale = SCALE, seed: int = 0) -> RunSpec:
    return RunSpec("m", method, "toy", "patches", seed, scale)


@pytest.fixture
def settings(tmp_path: Path, images_once: None) -> Settings:
    return Settings(tmp_path / "results", "cpu", keep=True)


def ran(settings: Settings, method: Any = RSPS, scale: Scale = SCALE) -> tuple[Record, Results]:
    return execute(spec(method, scale), settings, debug=True), Results(settings.results)


def short(method: Any) -> Any:
    """A partition search whose base trains in batches of 32."""
    base = replace(method.base, training=replace(method.base.training, batch=32))
    return replace(method, base=replace(base, candidates=3) if isinstance(base, Rsps) else base)


@pytest.mark.parametrize(
    "method",
    [RSPS, short(FEW_SHOT["fewshot-rsps"]), short(TWO_NODES["hep"])],
    ids=["rsps", "fewshot", "hep"],
)
def test_an_old_run_estimated_anew_is_the_run_at_the_other_scale(
    method: Any, settings: Settings, tmp_path: Path
) -> None:
    """To the bit, key, choice, costs and estimates, though nothing is trained."""
    record, results = ran(settings, method)
    found, made = anew(record, How(images=0, cells=0), results, settings)
    other = resized(SCALE, probe_images=0, probe=0)
    again = execute(spec(method, other), Settings(tmp_path / "other", "cpu"), debug=True)
    assert made
    assert found.key == again.key != record.key
    assert found.essence() == again.essence()
    ours, theirs = (probe.read(r.estimates_path(found.key)) for r in (results, Results(tmp_path / "other")))
    np.testing.assert_array_equal(ours[0], theirs[0])
    np.testing.assert_array_equal(ours[1], theirs[1])
    assert found.estimates is not None
    assert (found.estimates["images"], found.estimates["probe"]) == (96, len(TOY.population))
    assert found.place["estimated_anew"]["of"] == record.key
    assert results.find(record.key) == record  # which is as it was
    assert anew(record, How(images=0, cells=0), results, settings) == (found, False)


def test_the_record_says_what_is_kept(settings: Settings) -> None:
    record, results = ran(settings, short(FEW_SHOT["fewshot-rsps"]))
    said, path = record.place["supernets"], results.supernets_path(record.key)
    assert (said["file"], said["bytes"]) == (path.name, path.stat().st_size)
    assert said["supernets"] == 3  # of the three operations of the edge; the parent estimates nothing
    note, tensors = read(path, PARTS)
    assert [one["depth"] for one in note["supernets"]] == [1, 1, 1]
    assert sorted(ops for one in note["supernets"] for ops in one["region"][0]) == [0, 1, 2]
    assert any(name.startswith("2/weights/") for name in tensors)
    without = execute(spec(RSPS, seed=1), replace(settings, keep=False))
    assert "supernets" not in without.place


def test_a_search_without_a_supernet_keeps_none(settings: Settings) -> None:
    with pytest.warns(UserWarning, match="m seed 0 leaves no supernet that could be kept"):
        record, results = ran(settings, RandomArchitecture())
    assert not results.supernets_path(record.key).exists()
    with pytest.raises(BadRecord, match=r"m seed 0\) kept no supernets; run the search again"):
        anew(record, How(images=0), results, settings)


def test_blocks_are_estimates_on_a_few_images(settings: Settings) -> None:
    """The first block is what the first images give; all blocks are of all images, each by its own statistics."""
    record, results = ran(settings)
    path = by_blocks(record, 32, None, results, settings)
    table = pq.read_table(path)
    assert table.schema.metadata[b"run"].decode() == record.key
    assert [name for name in table.column_names if name.startswith("acc")] == [f"accuracy_{k}" for k in range(3)]
    keys, values = probe.read(results.estimates_path(record.key))  # on the first 32, as the scale says
    np.testing.assert_array_equal(table["position"].to_numpy(), keys)
    np.testing.assert_allclose(table["accuracy_0"].to_numpy(), values[:, 0])
    np.testing.assert_allclose(table["cross_entropy_0"].to_numpy(), values[:, 1], rtol=1e-5)
    for size in (0, 64, 97):
        with pytest.raises(BadSpec, match="--blocks"):
            by_blocks(record, size, None, results, settings)


def test_statistics_that_were_kept_can_be_asked_for(settings: Settings) -> None:
    running = replace(RSPS, training=replace(SHORT, norm=Norm("running")))
    record, results = ran(settings, running)
    found, _ = anew(record, How(statistics="batch"), results, settings)
    assert found.label == "m(statistics=batch)"
    assert found.identity["estimated"] == {"statistics": "batch"}
    values = [probe.read(results.estimates_path(r.key))[1] for r in (record, found)]
    assert not np.array_equal(*values)
    skeleton, _ = anew(record, How(statistics="skeleton"), results, settings)
    assert len({record.key, found.key, skeleton.key}) == 3
    with pytest.raises(BadSpec, match="is estimated so already"):
        anew(record, How(statistics="running"), results, settings)
    batch, _ = ran(settings)
    with pytest.raises(BadSpec, match=r"keeps no running statistics: .*statistics=batch"):
        anew(batch, How(statistics="running"), results, settings)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": FORMAT + 1}, f"has format {FORMAT + 1}, this version reads {FORMAT}"),
        ({"space": "another"}, "supernets of another space, or of another version of toy"),
        ({"key": "0" * 16}, "holds supernets of run 0000000000000000"),
        ({"supernets": [{}]}, "supernets of another version"),
    ],
)
def test_weights_of_another_space_or_version_are_refused(
    changes: dict[str, Any], message: str, settings: Settings
) -> None:
    record, results = ran(settings)
    path = results.supernets_path(record.key)
    note, tensors = read(path, PARTS)
    record = rewritten(record, path, to_bytes({**note, **changes}, tensors))
    with pytest.raises(BadRecord, match=message) as caught:
        anew(record, How(images=0), results, settings)
    assert "\n" not in str(caught.value)


def rewritten(record: Record, path: Path, content: bytes) -> Record:
    """The record of a run that wrote such a file."""
    import hashlib

    path.write_bytes(content)
    digest = hashlib.blake2b(content, digest_size=16).hexdigest()
    return replace(record, place={**record.place, "supernets": {**record.place["supernets"], "blake2b": digest}})


def test_weights_of_another_network_are_refused(settings: Settings) -> None:
    record, results = ran(settings)
    path = results.supernets_path(record.key)
    note, tensors = read(path, PARTS)
    name = next(name for name in tensors if name.endswith("kernel"))
    lacking = {other: value for other, value in tensors.items() if other != name}
    for changed, why in (
        ({**tensors, name: tensors[name][:1]}, "size mismatch|Error"),
        (lacking, "it lacks"),
        ({**tensors, "0/weights/more": tensors[name]}, "it has more, which is not of this network"),
    ):
        with pytest.raises(BadRecord, match=f"supernets of another version .*({why})"):
            anew(rewritten(record, path, to_bytes(note, changed)), How(images=0), results, settings)


def test_damaged_and_lost_weights_are_refused(settings: Settings) -> None:
    record, results = ran(settings)
    path = results.supernets_path(record.key)
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    with pytest.raises(BadRecord, match=f"{path} is not what record {record.key} was written with"):
        anew(record, How(images=0), results, settings)
    with pytest.raises(BadRecord, match="cannot read the kept supernet"):
        anew(rewritten(record, path, whole[:200]), How(images=0), results, settings)
    path.unlink()
    with pytest.raises(BadRecord, match="which is not there; run the search again"):
        anew(record, How(images=0), results, settings)


def test_what_cannot_be_estimated_is_refused(settings: Settings) -> None:
    record, results = ran(settings)
    for how, message in (
        (How(), "is estimated so already"),
        (How(images=32), "is estimated so already"),
        (How(images=97), "has 96 validation images"),
        (How(images=-1), "probe_images"),
    ):
        with pytest.raises(BadSpec, match=message):
            anew(record, how, results, settings)


def test_a_scale_that_is_changed_twice_has_the_name_of_one_that_was_changed_at_once() -> None:
    once = scale_named("quick", {"probe": "100", "probe-images": "0", "channels": "4"})
    first = scale_named("quick", {"channels": "4"})
    assert resized(resized(first, probe_images=0), probe=100) == once
    assert resized(once, probe=100) == once


def test_the_command_tells_and_goes_on(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """One run that kept its supernet and one that did not: a line for each, and exit code 1."""
    kept, results = ran(settings)
    lost = execute(spec(RSPS, seed=1), replace(settings, keep=False))
    words = ["estimate", kept.key, lost.key, "--cells", "5", "--images", "0", "--results", str(results.root)]
    assert main([*words, "--json"]) == 1
    captured = capsys.readouterr()
    (told,) = json.loads(captured.out)
    assert (told["of"], told["made"]) == (kept.key, True)
    assert "5 architectures on 96 images, scale tiny" in captured.err
    assert "kept no supernets" in captured.err
    other = results.root.parent / "blocks"
    assert main(["estimate", kept.key, "--blocks", "48", "--into", str(other), "--results", str(results.root)]) == 0
    assert Results(other).blocks_path(kept.key).exists()
    assert main(["estimate", "--results", str(results.root)]) == 2
