"""Workers that share the blocks of a series, and the one process that starts, watches and stops them."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import parent_process

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bench.errors import BenchError
from bench.truth.plan import Images, Plan, load_images, train_class
from bench.truth.shards import Series

Context = SpawnContext | ForkServerContext

NICENESS = 5
POLL = 1.0  # seconds between two looks at the workers
LINE = 60.0  # seconds between two lines where there is no terminal


def finish(plan: Plan, images: Images, shards: Series, block: int) -> bool:
    """Finish one block. Returns False where it was finished or another process holds it."""
    journal = shards.claim(block)
    if journal is None:
        return False
    coordinator = parent_process()
    try:
        for position in shards.blocks[block][len(journal.rows) :]:
            if coordinator is not None and not coordinator.is_alive():
                raise SystemExit(1)  # nobody watches any more; what is finished is kept
            journal.append(train_class(plan, images, position))
        shards.seal(block, journal)
    finally:
        journal.close()
    return True


def work(plan: Plan, shards: Series, blocks: Sequence[int]) -> None:
    """Finish blocks until none is left that no other process holds. The body of a worker process, on one thread."""
    torch.set_num_threads(1)
    images = load_images(plan)
    while any(finish(plan, images, shards, block) for block in blocks):
        pass  # from the start again: another worker may have been killed and left its block


def _worker(plan: Plan, shards: Series, blocks: Sequence[int]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the coordinator gets it too, and stops the workers
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.nice(NICENESS)
    try:
        work(plan, shards, blocks)
    except BenchError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None


def run(plan: Plan, shards: Series, blocks: Sequence[int], workers: int, context: Context | None = None) -> bool:
    """Finish blocks with worker processes, showing how far they are. Returns whether all is finished.

    Stops at once on SIGINT (KeyboardInterrupt) and SIGTERM (SystemExit); only the trainings in flight are lost. A
    worker that dies leaves its block to the others. context: of multiprocessing, by default `spawn`.
    """
    shards.check()
    if all(shards.shard(block).exists() for block in blocks):
        return True
    total = sum(len(shards.blocks[block]) for block in blocks)
    context = context or get_context("spawn")
    processes = [context.Process(target=_worker, args=(plan, shards, blocks)) for _ in range(workers)]
    with _sigterm_raises(), _progress(shards.folder.name, shards.count(blocks), total) as show:
        try:
            for process in processes:
                process.start()
            while any(process.is_alive() for process in processes):
                time.sleep(POLL)
                show(shards.count(blocks))
        finally:
            for process in processes:
                if process.pid is not None:
                    process.terminate()
                    process.join()
    for process in processes:
        if process.exitcode:
            print(f"worker {process.pid} ended with exit code {process.exitcode}", file=sys.stderr)
    return all(shards.shard(block).exists() for block in blocks)


@contextmanager
def _sigterm_raises() -> Iterator[None]:
    """SIGTERM as SystemExit with the shell's exit code, so that the workers are stopped on the way out."""

    def stop(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _progress(name: str, done: int, total: int) -> Iterator[Callable[[int], None]]:
    """A function that shows how many classes are done: a bar in a terminal, a line now and then elsewhere."""
    if not sys.stderr.isatty():
        yield _Lines(name, done, total)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, TimeRemainingColumn(), console=console, speed_estimate_period=1800) as bar:
        task = bar.add_task(f"series {name}", completed=done, total=total)
        yield lambda now: bar.update(task, completed=now)


class _Lines:
    """Plain lines with the time left, from the speed since the start."""

    def __init__(self, name: str, done: int, total: int) -> None:
        self.name, self.first, self.total = name, done, total
        self.start = self.last = time.monotonic()
        self.shown = -1
        self._print(done, "")

    def __call__(self, done: int) -> None:
        now = time.monotonic()
        if done == self.shown or (now - self.last < LINE and done < self.total):
            return
        self.last = now
        speed = (done - self.first) / (now - self.start)
        hours = (self.total - done) / speed / 3600 if speed else float("nan")
        self._print(done, f", {3600 * speed:.0f} per hour, {hours:.1f} hours left")

    def _print(self, done: int, rest: str) -> None:
        self.shown = done
        print(f"series {self.name}: {done} of {self.total} classes{rest}", file=sys.stderr, flush=True)


def exit_code(command: Callable[[], int]) -> int:
    """The exit code of a command that trains: its own, 2 for an error in one line, 130 when it is interrupted."""
    try:
        return command()
    except BenchError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; run the same command again to continue", file=sys.stderr)
        return 130
