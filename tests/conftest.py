"""One thread per test process, the same bits every time, and nothing of the user's folders."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from bench.store.record import Results

COMMITTED = Path(__file__).parent.parent / "results"

os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


def pytest_configure() -> None:
    """Which architectures Accel-NASBench trained only its release says: tests take others, as many."""
    from bench.spaces import accel

    pytest.MonkeyPatch().setattr(accel.Trained, "architectures", _made_up())


@cache
def _made_up() -> list[tuple[int, ...]]:
    import numpy as np

    from bench.spaces import accel

    rng = np.random.default_rng(5_125)
    found: set[tuple[int, ...]] = set()
    while len(found) < accel.COUNT:
        found.add(accel.SPACE.sample(accel.SPACE.region, rng))
    return sorted(found)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoded images are kept for one test session, outside the user's cache."""
    if "SUPERNET_BENCH_CACHE" not in os.environ:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp().parent / "cache"))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """An empty results folder."""
    return tmp_path / "results"


@pytest.fixture(scope="session")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The committed results, and the scores by the embedded table that go with them. They take some twenty seconds, so
    tests that ask for them are slow."""
    from bench import spaces
    from bench.scoring.score import score
    from bench.store.record import Results
    from bench.truth import TABLES, fill, open_truth
    from bench.truth.passes import made

    root = tmp_path_factory.mktemp("everything")
    for name in ("runs", "estimates", "truth"):
        (root / name).symlink_to(COMMITTED / name)
    for name in ("scores", "truths"):
        shutil.copytree(COMMITTED / name, root / name, ignore=shutil.ignore_patterns("*patches-*v1.*"))
    results = Results(root)
    truths = {}
    for space in TABLES:  # with the choices that were trained alone, where a table is of a sample
        truth, plan = open_truth("embedded", spaces.get(space)), made(space).plan
        truths[space] = fill.OnDemand(truth.table, plan, fill.folder_of(root, plan))
    for record in results.records():
        truth = truths.get(spaces.judged_by(record.identity["space"]))
        if record.identity["dataset"] == "patches" and truth is not None:
            score(record, truth, results)
    return results


@pytest.fixture
def images_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oriented patches, whatever a run names, loaded once for one test process."""
    from tests import contract  # after the number of threads is set

    loaded = contract.patches()
    monkeypatch.setattr("bench.runs.run.images.load", lambda name, root=None: loaded)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Children heed SIGINT, also where the tests themselves were started with it ignored, as by `nohup pytest &`."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
