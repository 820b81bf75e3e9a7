"""A batch of runs to its end: what another process is making is waited for, and taken over where its maker dies."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from bench.errors import Busy, Died
from bench.runs.pool import Job, Pool, Tick
from bench.store.record import Results

POLL = 1.0  # seconds between two looks at the claims of others


def settled(
    jobs: Sequence[Job], keys: Sequence[str], pool: Pool, results: Results, tick: Tick, say: Callable[[str], None]
) -> Iterator[tuple[int, Any, bool]]:
    """Per job its index, its record or the error why there is none, and whether it was made now, as they come.

    jobs: of `bench.runs.run.make`, one for each key. say: told which run of others is waited for.
    """
    todo = list(range(len(jobs)))
    told: set[int] = set()
    while todo:
        busy = []
        for at, outcome in pool.map([jobs[job] for job in todo], _renumbered(tick, todo)):
            record, made = (outcome, False) if isinstance(outcome, Died) else outcome
            if not isinstance(record, Busy):
                yield todo[at], record, made
                continue
            busy.append(todo[at])
            if todo[at] not in told:
                told.add(todo[at])
                say(str(record))
        while busy and all(results.is_claimed(keys[job]) for job in busy):
            time.sleep(POLL)
        todo = busy


def _renumbered(tick: Tick, todo: Sequence[int]) -> Tick:
    return lambda at, share: tick(todo[at], share)
