"""Pools: the same results whoever runs the jobs, a death that costs one job, an interruption that stops them all.

Jobs of processes are imported there with this module, so it imports nothing heavy.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from bench.errors import BadSpec, Died
from bench.runs.pool import Processes, Serial


def _square(number: int, progress: object) -> int:
    progress(0.5)  # type: ignore[operator]
    return number * number


def test_pools_give_the_same_results_and_progress() -> None:
    jobs = [partial(_square, n) for n in range(5)]
    for pool in (Serial(), Processes(2)):
        ticks: dict[int, float] = {}
        found = dict(pool.map(jobs, ticks.__setitem__))
        assert found == {n: n * n for n in range(5)}
        assert ticks == dict.fromkeys(range(5), 0.5) or isinstance(pool, Processes)


def _killed(progress: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_is_killed_costs_its_own_job_alone() -> None:
    """And every job has a process of its own, so that one's memory is not the next one's."""
    jobs = [partial(_square, 2), _killed, *(partial(_process, n) for n in range(3))]
    found = dict(Processes(2).map(jobs, lambda index, share: None))
    assert isinstance(found[1], Died)
    assert "SIGKILL" in str(found[1])
    assert "\n" not in str(found[1])
    assert found[0] == 4
    assert len({found[2], found[3], found[4], os.getpid()}) == 4


def _process(number: int, progress: object) -> int:
    return os.getpid()


def test_an_error_of_a_job_in_a_process_is_raised_here() -> None:
    with pytest.raises(BadSpec, match="as it was"):
        list(Processes(2).map([_refuses], lambda index, share: None))


def _refuses(progress: object) -> None:
    raise BadSpec("as it was")


INTERRUPTED = """
import sys, time
from functools import partial
from pathlib import Path
from bench.runs.pool import Processes

def slow(folder, number, progress):
    try:
        (Path(folder) / f"began{number}").touch()
        time.sleep(60)
    except KeyboardInterrupt:
        (Path(folder) / f"stopped{number}").touch()
        raise

if __name__ == "__main__":
    list(Processes(2).map([partial(slow, sys.argv[1], n) for n in range(5)], lambda index, share: None))
"""


@pytest.mark.usefixtures("interruptible")
def test_an_interruption_stops_what_runs_and_starts_nothing_else(tmp_path: Path) -> None:
    """As a terminal sends it: to the whole group of processes."""
    script = tmp_path / "script.py"
    script.write_text(INTERRUPTED)
    root = Path(__file__).parents[1]
    process = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(root)},
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 60
    while len(list(tmp_path.glob("began*"))) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(30) != 0
    assert sorted(p.name for p in tmp_path.glob("began*")) == ["began0", "began1"]
    assert sorted(p.name for p in tmp_path.glob("stopped*")) == ["stopped0", "stopped1"]
