"""Commands of the program in processes of their own, that can be killed: forked from one that has loaded everything."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable, Sequence, Set
from pathlib import Path

Job = Callable[[], int]


def forked(job: Job, log: Path) -> int:
    """The id of a process that does the job and ends with its exit code; what it prints goes to the log."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    code = 99
    try:
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
        code = job()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def ended(child: int) -> int:
    """The exit code of the process, negative where a signal ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed(job: Job, log: Path, after: float) -> bool:
    """Start the job and kill it after so many seconds; whether it was still at work."""
    child = forked(job, log)
    end = time.monotonic() + after
    while time.monotonic() < end:
        if os.waitpid(child, os.WNOHANG)[0]:
            return False
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    return ended(child) == -signal.SIGKILL


def kills_until(
    jobs: Sequence[Job],
    count: int,
    rng: random.Random,
    log: Path,
    begin: Callable[[], None],
    there: Callable[[], Set[str]],
) -> tuple[list[int], set[str]]:
    """Kill the jobs at random moments until so many kills have met one at work: how many met each, and what was lost.

    The jobs are done in order; each is started again after a kill, and now and then all begins anew. begin: empties the
    folder that they work in. there: the names of what is finished in it, which no kill may take away.
    """
    took, hits, lost = [0.5] * len(jobs), [0] * len(jobs), set[str]()
    tries = 0
    while sum(hits) < count and tries < 20 * count:
        begin()
        for at, job in enumerate(jobs):
            for _ in range(6 if sum(hits) < count else 0):
                tries += 1
                before = there()
                hits[at] += sum(hits) < count and killed(job, log, rng.uniform(0, took[at]))
                lost |= before - there()
            start = time.monotonic()
            ended(forked(job, log))
            took[at] = 0.9 * took[at] + 0.1 * (time.monotonic() - start)
    return hits, lost
