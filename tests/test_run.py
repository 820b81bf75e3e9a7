"""Runs and records: repeatable to the bit, resumable, never edited, refused when they are not what they say."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest
import torch

import methods
from bench.errors import BadRecord, BadSpec, UnknownName
from bench.nets.streams import torch_stream
from bench.runs import probe
from bench.runs.pool import Processes, Serial
from bench.runs.run import SEARCHED, Settings, execute, make
from bench.search.learner import Training
from bench.search.task import Found, Task
from bench.spaces.toy import SPACE as TOY
from bench.store import seals
from bench.store.record import Record, Results, read_record, to_json
from bench.store.spec import SCALES, RunSpec, canonical, key_of, plain, scale_named, with_settings
from bench.streams import numpy_stream
from methods.baselines import RandomArchitecture
from methods.darts import Darts
from methods.rsps import Rsps
from tests import tiny

DARTS = Darts(Training(batch=32))


def _settings(results: Path) -> Settings:
    return Settings(results, device="cpu")


def test_one_key_one_seed_two_processes_one_record(results: Path, tmp_path: Path) -> None:
    """Equal to the bit apart from seconds, bytes and place; the probe estimates too."""
    spec = tiny.spec(DARTS)
    here = execute(spec, _settings(results))
    there = tmp_path / "there"
    code = (
        "from pathlib import Path; from bench.runs.run import SEARCHED, Settings, execute; from tests import tiny; "
        "from tests.test_run import DARTS; import sys; "
        "execute(tiny.spec(DARTS), Settings(Path(sys.argv[1]), device='cpu'))"
    )
    subprocess.run([sys.executable, "-c", code, str(there)], check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    other = read_record(Results(there).run_path(spec.key))
    assert canonical(here.essence()) == canonical(other.essence())
    assert (
        Results(results).estimates_path(spec.key).read_bytes() == Results(there).estimates_path(spec.key).read_bytes()
    )
    assert "wall_s" not in json.dumps(here.essence())


def test_three_seeds_give_three_records(results: Path) -> None:
    records = [execute(tiny.spec(DARTS, seed), _settings(results)) for seed in range(3)]
    assert len({r.key for r in records}) == 3
    assert len({json.dumps(r.details["alpha"]) for r in records}) == 3
    assert len(list(Results(results).records())) == 3


def test_a_finished_key_costs_nothing(results: Path) -> None:
    calls = []

    @dataclass(frozen=True)
    class Counting:
        version: ClassVar[int] = 1

        def search(self, task: Task) -> Found:
            calls.append(1)
            return Found((1, 1, 1), (((1, 1, 1), None),))

    spec = tiny.spec(Counting())
    first = execute(spec, _settings(results))
    path = Results(results).run_path(spec.key)
    before = path.stat().st_mtime_ns
    second, made = make(spec, _settings(results), lambda share: None, debug=False)
    assert calls == [1]
    assert not made
    assert canonical(to_json(first)) == canonical(to_json(second))
    assert path.stat().st_mtime_ns == before


def test_record_holds_what_the_run_did(results: Path) -> None:
    spec = tiny.spec(Rsps(Training(batch=32, epochs=50), candidates=4))
    record = execute(spec, _settings(results))
    assert record.status == "done"
    assert record.genotype is not None
    assert record.architecture == TOY.show(record.genotype)
    assert record.candidates[0].genotype == record.genotype
    cost = dict(record.cost)
    phases = cost.pop("phases")
    for name in ("forward_images", "backward_images", "supernets", "parameters"):
        assert cost[name] == sum(p[name] for p in phases.values())
    assert cost["wall_s"] == pytest.approx(sum(p["wall_s"] for p in phases.values()))
    assert record.trace[-1]["genotype"] == list(record.genotype)
    assert record.place["images"] == "oriented patches"
    assert record.place["threads"] == 1
    assert record.estimates is not None
    estimates = probe.read(Results(results).estimates_path(spec.key))
    assert probe.digest(estimates) == record.estimates["blake2b"]
    assert [TOY.population.at(int(p)) for p in estimates[0]] == probe.probe_set(TOY, tiny.SCALE.probe)
    assert read_record(Results(results).run_path(spec.key)) == record


def test_the_search_is_charged_and_the_probe_is_not(results: Path) -> None:
    """A method that trains nothing passes no image, however large its probe set."""
    small = execute(tiny.spec(DARTS), _settings(results))
    large = execute(tiny.spec(DARTS, scale=replace(tiny.SCALE, name="other", probe=0)), _settings(results))
    assert small.cost["forward_images"] == large.cost["forward_images"]
    assert large.estimates is not None
    assert large.estimates["probe"] == 27
    free = execute(tiny.spec(RandomArchitecture()), _settings(results))
    assert free.cost["forward_images"] == 0
    assert free.estimates is None


def test_keys_name_everything_that_matters_and_nothing_else() -> None:
    base = tiny.spec(DARTS)
    assert replace(base, label="another name").key == base.key
    others = [
        replace(base, seed=1),
        replace(base, space="nb201"),
        replace(base, dataset="cifar10"),
        replace(base, scale=replace(base.scale, epochs=0.05)),
        replace(base, method=replace(DARTS, order=2)),
        replace(base, method=replace(DARTS, training=replace(DARTS.training, clip=4.0))),
        replace(base, method=Rsps(Training(batch=32))),
    ]
    assert len({spec.key for spec in [base, *others]}) == 8

    class Newer(Darts):
        version: ClassVar[int] = 99

    assert replace(base, method=Newer(DARTS.training)).key != base.key


def test_key_is_the_hash_of_canonical_json() -> None:
    """Fixed text: a change here renames every record ever written."""
    spec = RunSpec("random", RandomArchitecture(), "nb201", "patches", 3, SCALES["smoke"])
    assert canonical(spec.identity) == (
        '{"dataset":"patches","method":{"config":{},"name":"baselines.RandomArchitecture","version":1},"scale":'
        '{"cells":1,"channels":4,"epochs":0.02,"name":"smoke","probe":40,"probe_images":128,"train_images":512,'
        '"valid_images":256},"schema":1,"seed":3,"space":"nb201"}'
    )
    assert spec.key == "d577f42bea4fa763"
    assert key_of(json.loads(json.dumps(spec.identity))) == spec.key


@pytest.mark.parametrize(
    ("name", "path", "text", "value"),
    [
        ("darts", "order", "2", 2),
        ("darts", "training.epochs", "7", 7),
        ("darts", "training.clip", "7", 7.0),
        ("darts", "training.clip", "-0.0", 0.0),
        ("darts", "training.learning_rate", "1e-3", 0.001),
        ("darts", "training.nesterov", "False", False),
        ("darts", "training.precision", "bf16", "bf16"),
        ("darts", "training.alpha_betas", "0,0.5", (0.0, 0.5)),
        ("fewshot", "edges.edges", "0,2", (0, 2)),
        ("fewshot", "edges.edges", "", ()),
        ("hep", "teaching", "None", None),
    ],
)
def test_a_setting_is_read_as_the_kind_of_its_field(name: str, path: str, text: str, value: object) -> None:
    """The type counts as much as the value: 7 and 7.0, 0.0 and -0.0 are other texts, and so other keys."""
    found = with_settings(methods.get(name), {path: text})
    for part in path.split("."):
        found = getattr(found, part)
    assert repr(found) == repr(value)


def test_settings_reach_nested_fields_and_faults_name_the_nearest() -> None:
    changed = with_settings(DARTS, {"order": "2", "training.epochs": "7", "training.norm.affine": "true"})
    assert (changed.order, changed.training.epochs, changed.training.norm.affine) == (2, 7, True)
    assert with_settings(DARTS, {"training.alpha_betas": "0.1,0.2"}).training.alpha_betas == (0.1, 0.2)
    for settings, error, words in (
        ({"ordr": "2"}, UnknownName, "did you mean 'order'"),
        ({"training.epoch": "2"}, UnknownName, "did you mean 'epochs'"),
        ({"order": "3"}, UnknownName, "unknown value of order '3'"),
        ({"training.epochs": "many"}, BadSpec, "takes a whole number"),
        ({"training.nesterov": "yes"}, BadSpec, "true or false"),
        ({"training": "x"}, BadSpec, "name one of its fields"),
    ):
        with pytest.raises(error, match=words):
            with_settings(DARTS, settings)
    with pytest.raises(UnknownName, match="did you mean 'quick'"):
        scale_named("quik")
    for value in (float("nan"), float("inf"), object()):
        with pytest.raises(BadSpec):
            plain(value)
    with pytest.raises(BadSpec, match="seed -1"):
        tiny.spec(DARTS, seed=-1)


def test_a_diverged_search_is_kept_and_named(results: Path) -> None:
    wild = Training(batch=32, learning_rate=1e30, learning_rate_end=1e30, clip=0)
    record = execute(tiny.spec(Darts(wild)), _settings(results))
    assert record.status == "diverged"
    assert "lower the learning rate" in record.message
    assert record.genotype is None
    assert record.cost["backward_images"] > 0
    assert read_record(Results(results).run_path(record.key)).status == "diverged"


@dataclass(frozen=True)
class Broken:
    """Fails in the way that its field says, once `search` is called."""

    version: ClassVar[int] = 1
    how: str = "raise"

    def search(self, task: Task) -> Found:
        if self.how == "interrupt":
            raise KeyboardInterrupt
        if self.how == "outside":
            return Found((9, 9, 9), (((9, 9, 9), None),))
        if self.how == "memory":
            raise torch.OutOfMemoryError
        raise RuntimeError("the method is wrong")


def test_a_failed_run_is_recorded_apart_and_tried_again(results: Path) -> None:
    spec = tiny.spec(Broken())
    for _ in range(2):
        record = execute(spec, _settings(results))
        assert record.status == "failed"
        assert "RuntimeError: the method is wrong" in record.message
    assert Results(results).find(spec.key) is None
    assert [r.key for r in Results(results).failures()] == [spec.key]
    large = execute(tiny.spec(Broken("memory")), _settings(results))
    assert large.status == "failed"
    assert re.fullmatch(r"out of memory on cpu, after a peak of \d+\.\d GiB; choose a smaller scale, .*", large.message)
    outside = execute(tiny.spec(Broken("outside")), _settings(results))
    assert outside.status == "failed"
    assert "is no architecture of toy" in outside.message
    with pytest.raises(RuntimeError):
        execute(spec, _settings(results), debug=True)


def test_an_interruption_is_recorded_and_raised(results: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        execute(tiny.spec(Broken("interrupt")), _settings(results))
    assert [r.status for r in Results(results).failures()] == ["interrupted"]


def _unsealed(content: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in content.items() if name != "seal"}


def _tampered(results: Path, change: object) -> Path:
    record = execute(tiny.spec(RandomArchitecture()), _settings(results))
    path = Results(results).run_path(record.key)
    content = json.loads(path.read_text())
    change(content)  # type: ignore[operator]
    path.write_text(json.dumps(content if "seal" not in content else {**content, "seal": seals.of(_unsealed(content))}))
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["identity"].update(seed=5), "disagrees with its key"),
        (lambda c: c.update(key="0" * 16), "disagrees with its key"),
        (lambda c: c.update(schema=99), "schema 99"),
        (lambda c: c.pop("cost"), r"missing or unknown fields \['cost'\]"),
        (lambda c: c.update(status="perfect"), "Invalid enum value 'perfect' - at"),
    ],
)
def test_a_record_that_was_changed_is_refused(results: Path, change: object, message: str) -> None:
    path = _tampered(results, change)
    with pytest.raises(BadRecord, match=message):
        read_record(path)
    with pytest.raises(BadRecord, match=message):
        execute(tiny.spec(RandomArchitecture()), _settings(results))


def test_truncated_and_foreign_files_are_refused(results: Path) -> None:
    path = _tampered(results, lambda c: None)
    whole = path.read_bytes()
    for content, message in (
        (whole[: len(whole) // 2], "not whole JSON"),
        (b"", "not whole JSON"),
        (b"[]", "holds no record"),
    ):
        path.write_bytes(content)
        with pytest.raises(BadRecord, match=message):
            read_record(path)


def test_a_finished_record_is_never_replaced_by_another(results: Path) -> None:
    record = execute(tiny.spec(RandomArchitecture()), _settings(results))
    store = Results(results)
    store.save(replace(record, place={**record.place, "torch": "another"}))  # the same result, elsewhere
    with pytest.raises(BadRecord, match="holds another result of the same key"):
        store.save(replace(record, genotype=(0, 0, 0)), b"the other's estimates")
    assert read_record(store.run_path(record.key)) == record
    assert not store.estimates_path(record.key).exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_stops_before_the_search(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(BadRecord, match="cannot write"):
        execute(tiny.spec(Broken()), _settings(tmp_path / "results"))
    tmp_path.chmod(0o700)


def test_a_file_in_place_of_the_folder_stops_before_the_search(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("not a folder")
    with pytest.raises(BadRecord, match="choose another folder with --results"):
        execute(tiny.spec(Broken()), _settings(tmp_path / "results"))


def test_no_temporary_file_is_left(results: Path) -> None:
    execute(tiny.spec(DARTS), _settings(results))
    assert sorted(p.name for p in results.rglob("*") if p.is_file() and p.name.startswith(".")) == []


@dataclass(frozen=True)
class NotFinite:
    """A search whose estimate of its finalist is no number."""

    version: ClassVar[int] = 1

    def search(self, task: Task) -> Found:
        genotype = task.region.draw(task.stream("cell"))
        return Found(genotype, ((genotype, float("nan")),))


def test_what_cannot_be_kept_is_a_failed_run_and_not_the_end_of_all(results: Path) -> None:
    record, made = make(tiny.spec(NotFinite()), _settings(results), lambda share: None, False)
    assert made
    assert isinstance(record, Record)
    assert record.status == "failed"
    assert "not finite" in record.message
    assert [r.key for r in Results(results).failures()] == [record.key]


def test_a_failure_is_over_when_the_run_is_made(results: Path) -> None:
    spec = tiny.spec(RandomArchitecture())
    record = execute(spec, _settings(results))
    Results(results).save(replace(record, status="interrupted"))
    assert Results(results).failed_path(spec.key).exists()
    assert list(Results(results).failures()) == []


def test_a_run_loads_no_library_that_it_has_no_use_for(tmp_path: Path) -> None:
    """Each of them takes from a third of a CPU second to more than one."""
    code = (
        "import sys; from bench.cli.commands import main; code = main(sys.argv[1:]); "
        "print({'torch._dynamo', 'sympy', 'pandas', 'scipy', 'sklearn'} & set(sys.modules), file=sys.stderr); "
        "sys.exit(code)"
    )
    words = ["run", "--methods", "darts", "--scale", "smoke", "--seeds", "0", "--results", str(tmp_path)]
    done = subprocess.run([sys.executable, "-c", code, *words], check=True, capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == "set()"
    assert [record.status for record in Results(tmp_path).records()] == ["done"]


def test_the_peak_of_memory_is_that_of_the_run() -> None:
    """A process that held 300 MB before the meter was made is not charged for them."""
    code = (
        "import torch; from bench.search.meter import Meter; x = torch.ones(75_000_000); del x; "
        "m = Meter(torch.device('cpu')); "
        "p = m.phase('all'); p.__enter__(); p.__exit__(None, None, None); first = m.total().peak_bytes; "
        "p = m.phase('all'); p.__enter__(); x = torch.ones(75_000_000); p.__exit__(None, None, None); "
        "print(first, m.total().peak_bytes)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    first, second = map(int, done.stdout.split())
    assert second - first > 250_000_000


def test_pools_give_equal_records(tmp_path: Path) -> None:
    essences = []
    for name, pool in (("serial", Serial()), ("processes", Processes(2))):
        settings = _settings(tmp_path / name)
        specs = [tiny.spec(RandomArchitecture(), seed) for seed in range(2)]
        jobs = [partial(make, spec, settings, debug=False) for spec in specs]
        records: dict[int, tuple[Record, bool]] = dict(pool.map(jobs, lambda index, share: None))
        essences.append([canonical(records[i][0].essence()) for i in range(2)])
    assert essences[0] == essences[1]


def test_streams_depend_on_seed_and_name_only() -> None:
    assert numpy_stream(0, "a").random() == numpy_stream(0, "a").random()
    draws = {numpy_stream(s, n).random() for s in range(3) for n in ("a", "b", "c")}
    assert len(draws) == 9
    assert torch_stream(1, "x").initial_seed() != torch_stream(1, "y").initial_seed()


def test_progress_covers_search_and_probe(tmp_path: Path) -> None:
    """It rises; the search ends at its share and the probe of all 27 architectures goes on from there to the end."""
    seen: list[float] = []
    whole = replace(tiny.SCALE, probe=0)
    execute(tiny.spec(Rsps(Training(epochs=25, batch=32)), scale=whole), Settings(tmp_path, "cpu"), seen.append, True)
    assert seen == sorted(seen)
    assert SEARCHED in seen
    assert sum(share > SEARCHED for share in seen) >= 1
    assert seen[-1] == pytest.approx(1)
