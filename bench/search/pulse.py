"""Whether this process was stopped while it seemed to work: by SIGSTOP, a debugger, a paused container, or a machine
that slept. Such seconds are no cost of a search.

A thread looks at the clocks every `BEAT` seconds. Where it was kept from doing so for more than `GAP`, while the
process used next to no CPU time, the process stood still. A thread that waits for a core is not mistaken for it: its
process goes on. A machine that sleeps is seen by the clock that goes on then (`CLOCK_BOOTTIME`), by which no seconds
are measured.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

BEAT = 0.5  # seconds
GAP = 4.0  # seconds without a beat
IDLE = 0.2  # of a gap, the CPU time under which nothing was done in it


@dataclass(frozen=True)
class Clocks:
    """Seconds by three clocks: of work, of the CPU of this process, and of the machine, its sleep included."""

    work: Callable[[], float] = time.perf_counter
    cpu: Callable[[], float] = time.process_time
    boot: Callable[[], float] = lambda: time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Pulse:
    """Seconds that the process stood still since this was made. To be closed, as a context."""

    def __init__(self, clocks: Clocks | None = None) -> None:
        self._clocks = Clocks() if clocks is None else clocks
        self._lock = threading.Lock()
        self._lost = 0.0
        self._last = self._read()
        self._apart = self._last[2] - self._last[0]  # of the machine's clock from that of work
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beats, name="pulse", daemon=True)

    def __enter__(self) -> Pulse:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def beat(self) -> None:
        """Look at the clocks."""
        with self._lock:
            now = self._read()
            gap, cpu = now[0] - self._last[0], now[1] - self._last[1]
            if gap > GAP and cpu < IDLE * gap:
                self._lost += gap - BEAT
            self._last = now

    def lost(self) -> float:
        """Seconds of the clock of work that the process stood still, up to now."""
        self.beat()
        return self._lost

    def slept(self) -> float:
        """Seconds that the machine slept, which no clock of work counts."""
        now = self._read()
        return max(0.0, now[2] - now[0] - self._apart)

    def _read(self) -> tuple[float, float, float]:
        return self._clocks.work(), self._clocks.cpu(), self._clocks.boot()

    def _beats(self) -> None:
        while not self._ended.wait(BEAT):
            self.beat()
