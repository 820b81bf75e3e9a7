"""Pools of other machines: the same records as here, whoever dies meanwhile. Ray's cluster is its own test cluster on
this machine; Slurm is submitit's local executor."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bench import images
from bench.cli.commands import main
from bench.errors import BadData, BadSpec, Busy, Died
from bench.runs.errands import Errand, Needs, packed, sent, unpacked
from bench.runs.run import Settings, execute, make, provenance
from bench.runs.slurm_pool import Queue, Resumed, Slurm
from bench.store.record import Results
from methods.baselines import RandomArchitecture
from methods.darts import Darts
from tests import tiny

SPECS = [tiny.spec(method, seed) for seed in (0, 1) for method in (Darts(), RandomArchitecture())]


def _nothing(index: int, share: float) -> None:
    return


def _same_as_serial(results: Results, folder: Path) -> None:
    for spec in SPECS:
        one, two = results.find(spec.key), execute(spec, Settings(folder))
        assert one is not None
        assert one.essence() == two.essence()
        if two.estimates is not None:
            assert (
                results.estimates_path(spec.key).read_bytes() == Results(folder).estimates_path(spec.key).read_bytes()
            )


def test_a_run_that_was_sent_back_as_files_is_the_run_that_is_made_here(tmp_path: Path) -> None:
    results, loaded = Results(tmp_path / "sent"), images.load("patches")
    settings = Settings(results.root, made_by={**provenance(), "commit": "c0ffee"})
    for spec in SPECS:
        errand = sent(spec, settings, Needs())
        record, made = errand.received(errand.job(lambda share: None, loaded))  # type: ignore[call-arg]
        assert made
        assert record.place["commit"] == "c0ffee"
    _same_as_serial(results, tmp_path / "serial")


def test_a_run_that_is_out_is_made_by_no_other(tmp_path: Path) -> None:
    errand = sent(SPECS[0], Settings(tmp_path), Needs())
    with errand.held(), pytest.raises(Busy):
        execute(SPECS[0], Settings(tmp_path))
    assert execute(SPECS[0], Settings(tmp_path)).status == "done"


def test_what_comes_back_damaged_is_not_written(tmp_path: Path) -> None:
    spec, results = SPECS[0], Results(tmp_path / "here")
    parcel = packed(spec, Settings(Path()), False, lambda share: None)
    files = dict(parcel.files)
    files[f"estimates/{spec.key}.parquet"] = b"PAR1"
    record, made = sent(spec, Settings(results.root), Needs()).received(type(parcel)(files))
    assert not made
    assert "\n" not in str(record)
    assert results.find(spec.key) is None
    assert unpacked(parcel, spec.key, results)[1]


def test_other_sources_on_a_node_are_told(tmp_path: Path) -> None:
    parcel = packed(SPECS[0], Settings(tmp_path, made_by={"code": "0" * 16}), False, lambda share: None)
    assert "other sources" in str(parcel.why)


def test_a_node_without_the_images_costs_its_run_and_says_so(tmp_path: Path) -> None:
    spec = replace(SPECS[1], dataset="cifar10")
    why, made = make(spec, Settings(tmp_path / "results", data=tmp_path), _unheard, False)
    assert not made
    assert isinstance(why, BadData)
    assert "\n" not in str(why)


def _unheard(share: float) -> None:
    return


@pytest.mark.parametrize(("pool", "module"), [("ray", "ray"), ("slurm", "submitit")])
def test_a_missing_extra_is_named(
    pool: str, module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    words = ["run", "--methods", "random", "--space", "toy", "--scale", "smoke", "--seeds", "0"]
    assert main([*words, "--pool", pool, "--results", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f'".[{pool}]"' in line


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere", "127.0.0.1:port"])
def test_an_address_where_nobody_answers(address: str) -> None:
    pytest.importorskip("ray", reason="Ray is an extra")
    from bench.runs.ray_pool import Ray

    with pytest.raises(BadSpec, match="nobody answers") as caught:
        Ray(address)
    assert "\n" not in str(caught.value)


def test_where_there_is_no_slurm(tmp_path: Path) -> None:
    submitit = pytest.importorskip("submitit", reason="submitit is an extra")
    if submitit.AutoExecutor.which() == "slurm":
        pytest.skip("there is a Slurm here")
    with pytest.raises(BadSpec, match="no Slurm"):
        Slurm(tmp_path)


def test_a_time_shorter_than_what_a_run_is_expected_to_take(tmp_path: Path) -> None:
    pytest.importorskip("submitit", reason="submitit is an extra")
    pool = Slurm(tmp_path, Queue(minutes=10, cluster="local"))
    with pytest.raises(BadSpec, match="15 min") as caught:
        list(pool.map([Errand(_number, Needs(seconds=900.0))], _nothing))
    assert "\n" not in str(caught.value)


def _number(progress: object) -> int:
    return 7


def _dies(progress: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _stops_once(folder: Path, progress: Any) -> str:
    """Is pre-empted the first time, as Slurm does it: by a signal."""
    began = folder / "began"
    progress(0.5)
    if began.exists():
        return "went on"
    began.touch()
    os.kill(os.getpid(), signal.SIGUSR2)
    time.sleep(60)
    return "was not stopped"


@pytest.mark.slow
def test_slurm_jobs_that_are_pre_empted_go_on_and_one_that_dies_costs_itself(tmp_path: Path) -> None:
    pytest.importorskip("submitit", reason="submitit is an extra")
    pool = Slurm(tmp_path, Queue(cluster="local"), look=0.2)
    ticks: dict[int, float] = {}
    jobs: list[Any] = [partial(_stops_once, tmp_path), _dies, _number]
    found = dict(pool.map([Errand(job, Needs()) for job in jobs], ticks.__setitem__))
    assert found[0] == "went on"
    assert found[2] == 7
    assert isinstance(found[1], Died)
    assert ticks.get(0, 0.5) == 0.5


@pytest.mark.slow
def test_a_study_through_submitit_is_the_serial_one(tmp_path: Path) -> None:
    pytest.importorskip("submitit", reason="submitit is an extra")
    results = Results(tmp_path / "queued")
    jobs: list[Any] = [partial(make, spec, Settings(results.root), debug=False) for spec in SPECS]
    pool = Slurm(results.root, Queue(cluster="local"), look=0.5)
    found = dict(pool.map([Errand(job, Needs()) for job in jobs], _nothing))
    assert all(made for _, made in found.values())
    _same_as_serial(results, tmp_path / "serial")


def test_what_is_queued_again_is_the_same_job() -> None:
    pytest.importorskip("submitit", reason="submitit is an extra")
    job = Resumed(_number, Path("share"))
    assert job.checkpoint().function == job


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A head without CPUs and two nodes with one each, all on this machine, under its own address, which Ray takes
    127.0.0.1 for."""
    pytest.importorskip("ray", reason="Ray is an extra")
    from ray import cloudpickle
    from ray.cluster_utils import Cluster

    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # nodes have no tests

    small = {"object_store_memory": 80 << 20, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **small})
    try:
        yield made, [made.add_node(num_cpus=1, **small) for _ in range(2)]
    finally:
        made.shutdown()


def _waits_once(folder: Path, spec: Any, settings: Any, progress: Any, loaded: Any) -> Any:
    """The run of the first job, which its node does not outlive the first time."""
    began = folder / "began"
    if not began.exists():
        import ray

        began.write_text(ray.get_runtime_context().get_node_id())
        time.sleep(300)
    return packed(spec, settings, False, progress, loaded)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_study_on_two_ray_nodes_one_killed_in_mid_run_is_complete_and_the_serial_one(
    cluster: Any, tmp_path: Path
) -> None:
    from bench.runs.ray_pool import Ray

    made, nodes = cluster
    results = Results(tmp_path / "ray")
    settings = Settings(results.root, made_by=provenance())
    errands: list[Any] = [sent(spec, settings, Needs(memory=1 << 20)) for spec in SPECS]
    first = errands[0]
    waits: Any = partial(_waits_once, tmp_path, SPECS[0], first.job.args[1])
    errands[0] = type(first)(waits, first.needs, first.key, first.results)
    killed = []
    with Ray(made.address, common=images.load("patches")) as pool:
        with pytest.raises(BadSpec, match="no node"):
            list(pool.map([Errand(_number, Needs(cpus=2))], _nothing))
        outcomes: list[Any] = []
        for _, outcome in pool.map(errands, _nothing):
            outcomes.append(outcome)
            began = tmp_path / "began"
            if began.exists() and not killed:
                killed = [node for node in nodes if node.node_id == began.read_text()]
                made.remove_node(killed[0], allow_graceful=False)
    assert killed
    assert [one for one in outcomes if isinstance(one, BaseException) or isinstance(one[0], BaseException)] == []
    _same_as_serial(results, tmp_path / "serial")
