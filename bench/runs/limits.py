"""A limit of time for one run: it is interrupted wherever it is, and what it did is kept."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from bench.errors import BadSpec

LONGEST = 10 * 365 * 86_400.0  # seconds; timers of the system take no more than some such number


class TimedOut(BaseException):
    """The time of a run is over. No error: nothing that catches errors on its way takes it for one of its own."""


def check(seconds: float | None) -> None:
    """Raises BadSpec for a limit that is none."""
    if seconds is not None and not 0 < seconds <= LONGEST:
        raise BadSpec(f"--time-limit {seconds:g}: give seconds, more than 0")


@contextmanager
def limited(seconds: float | None) -> Iterator[None]:
    """Inside, `TimedOut` is raised once so many seconds have passed; None: never. In the main thread alone, as the
    system tells no other."""
    if seconds is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def over(number: int, frame: FrameType | None) -> None:
        raise TimedOut

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
