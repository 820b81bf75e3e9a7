"""How far a batch of jobs is and how long it will take: bars on a terminal, plain lines in a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from bench.store.files import opened, write_through


@dataclass
class Forecast:
    """Time left, from what jobs of the same kind took. Seconds; jobs are known by index, kinds by label."""

    labels: Sequence[str]
    workers: int
    clock: Callable[[], float] = time.monotonic  # never jumps, unlike the time of day
    started: dict[int, float] = field(default_factory=dict)
    shares: dict[int, float] = field(default_factory=dict)
    took: dict[int, float] = field(default_factory=dict)

    def tick(self, index: int, share: float) -> None:
        """Job `index` has done that share, 0 to 1."""
        self.started.setdefault(index, self.clock())
        self.shares[index] = share

    def finish(self, index: int) -> None:
        """Job `index` is done. A job that never ticked took no time: it was there already."""
        self.took[index] = self.clock() - self.started.get(index, self.clock())
        self.shares[index] = 1.0

    def left(self) -> float | None:
        """Seconds until all jobs are done, or None while nothing is known."""
        whole = {i: self.took[i] if i in self.took else self._whole(i) for i in self.started}
        known = {i: seconds for i, seconds in whole.items() if seconds is not None}
        if not known:
            return 0.0 if len(self.took) == len(self.labels) else None
        overall = sum(known.values()) / len(known)
        remaining = []
        for i, label in enumerate(self.labels):
            if i in self.took:
                continue
            alike = [s for j, s in known.items() if self.labels[j] == label]
            expected = known.get(i, sum(alike) / len(alike) if alike else overall)
            remaining.append(expected * (1 - self.shares.get(i, 0.0)))
        return max(sum(remaining) / self.workers, max(remaining, default=0.0))

    def _whole(self, index: int) -> float | None:
        share = self.shares[index]
        return (self.clock() - self.started[index]) / share if share > 0.02 else None


def duration(seconds: float | None) -> str:
    """`48 s`, `5 min 10 s`, `2 h 05 min`."""
    if seconds is None:
        return "unknown"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


EVERY = 30.0  # seconds between two lines of progress


class Pulse:
    """A line of progress at most every `EVERY` seconds, on standard error: `drawn 12 of 26, now cuts`."""

    def __init__(self, verb: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.verb, self.clock = verb, clock
        self.last = clock()

    def __call__(self, done: int, whole: int, now: str) -> None:
        """So many of so many are done, and what comes next."""
        if self.clock() - self.last >= EVERY:
            self.last = self.clock()
            print(f"{self.verb} {done} of {whole}, now {now}", file=sys.stderr, flush=True)


class Report:
    """Shows a batch of jobs while it runs. `names` are printed, `labels` group jobs that take alike.

    Every `EVERY` seconds a line says what runs and how far it is: into the log, and where there is no terminal for bars
    also to the console. The log has the outcomes too; a log that cannot be written is done without.
    """

    def __init__(
        self,
        names: Sequence[str],
        labels: Sequence[str],
        workers: int,
        console: Console,
        log: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.names, self.console, self.log = names, console, log
        self.forecast = Forecast(labels, workers, clock)
        self.done = 0
        self._told = clock()
        self._bars: Progress | None = None
        self._tasks: dict[int, TaskID] = {}
        if console.is_terminal:
            columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
            self._bars = Progress(*columns, TextColumn("{task.fields[left]}"), console=console, transient=True)
            self._total = self._bars.add_task("all runs", total=len(names), left="")

    def __enter__(self) -> Self:
        if self._bars:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars:
            self._bars.stop()

    def tick(self, index: int, share: float) -> None:
        """Job `index` has done that share, 0 to 1."""
        self.forecast.tick(index, share)
        if self._bars:
            if index not in self._tasks:
                self._tasks[index] = self._bars.add_task(self.names[index], total=1.0, left="")
            self._bars.update(self._tasks[index], completed=share)
            self._update_total()
        if self.forecast.clock() - self._told >= EVERY:
            self._told = self.forecast.clock()
            self._say(self._running(), quiet=self._bars is not None)

    def finish(self, index: int, outcome: str) -> None:
        """Job `index` is done; `outcome` is one short text."""
        self.forecast.finish(index)
        self.done += 1
        line = f"[{self.done}/{len(self.names)}] {self.names[index]}: {outcome}"
        left = self.forecast.left()
        if self.done < len(self.names) and left is not None:
            line += f"; about {duration(left)} left"
        self._say(line)
        if self._bars:
            if index in self._tasks:
                self._bars.remove_task(self._tasks.pop(index))
            self._update_total()

    def _running(self) -> str:
        """`12 of 27 done; running: rsps seed 1 45 %, snas seed 0 80 %; about 3 min left`."""
        shares = {at: share for at, share in self.forecast.shares.items() if at not in self.forecast.took}
        running = ", ".join(f"{self.names[at]} {share:.0%}".replace("%", " %") for at, share in shares.items())
        left = self.forecast.left()
        ends = "" if left is None else f"; about {duration(left)} left"
        return f"{self.done} of {len(self.names)} done; running: {running or 'nothing'}{ends}"

    def _say(self, line: str, quiet: bool = False) -> None:
        """Into the log, with the time, and to the console unless `quiet`."""
        if not quiet:
            self.console.print(line, highlight=False, markup=False, soft_wrap=True)
        if self.log is None:
            return
        try:
            with opened(self.log) as file:
                write_through(file, f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n".encode())
        except OSError as error:
            self.console.print(
                f"no log from here on: {self.log}: {error.strerror}", highlight=False, markup=False, soft_wrap=True
            )
            self.log = None

    def _update_total(self) -> None:
        assert self._bars is not None
        left = self.forecast.left()
        text = "" if left is None else f"about {duration(left)} left"
        self._bars.update(self._total, completed=sum(self.forecast.shares.values()), left=text)
