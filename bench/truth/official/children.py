"""Child processes that open files in the importer's stead, and the queue of jobs that they share."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from bench.errors import BadTable
from bench.truth.official.measurements import Row

Job = dict[str, Any]
"""What `bench.truth.official.child` takes."""

_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT")
_AHEAD = 4  # answers per child that may wait to be taken


class Child:
    """One child process, in an empty folder of its own and without the user's environment."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="supernet-bench-")
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        environment |= {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "bench.truth.official.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            cwd=self._folder.name,
            env=environment,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._process.communicate()
        self._folder.cleanup()

    def stop(self) -> None:
        """End the process at once."""
        self._process.kill()

    def ask(self, job: Job) -> Iterator[Row]:
        """The rows of a job. Raises BadTable, which names the file, where it cannot be read."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(job) + "\n")
            self._process.stdin.flush()
        except OSError:
            raise self._died(job) from None
        for line in self._process.stdout:
            answer = json.loads(line)
            if "error" in answer:
                raise BadTable(f"{job['path']}: {answer['error']}")
            if "done" in answer:
                return
            yield answer["row"]
        raise self._died(job)

    def _died(self, job: Job) -> BadTable:
        code = self._process.wait()
        return BadTable(
            f"{job['path']}: the process that read it died (exit code {code}); was there enough memory for it?"
        )


def read_all(jobs: Sequence[Job], workers: int) -> Iterator[tuple[Job, Row]]:
    """Every row with its job, in the order in which they are read. Raises BadTable at the first fault."""
    work = _Work(jobs, workers)
    threads = [threading.Thread(target=work.serve, daemon=True) for _ in range(workers)]
    for thread in threads:
        thread.start()
    try:
        finished = 0
        while finished < workers:
            answer = work.answers.get()
            if isinstance(answer, BaseException):
                raise answer
            if answer is None:
                finished += 1
            else:
                yield answer
    finally:
        work.stop()
        while any(thread.is_alive() for thread in threads):
            work.drain()


class _Work:
    """What the threads share: each has a child that answers jobs until there is none left."""

    def __init__(self, jobs: Sequence[Job], workers: int) -> None:
        self.answers: queue.Queue[tuple[Job, Row] | BaseException | None] = queue.Queue(_AHEAD * workers)
        self._waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
        for job in jobs:
            self._waiting.put(job)
        self._children: list[Child] = []
        self._stopped = False

    def serve(self) -> None:
        """The body of a thread."""
        last: BaseException | None = None
        try:
            with Child() as child:
                self._children.append(child)
                while not self._stopped:
                    job = self._waiting.get_nowait()
                    for row in child.ask(job):
                        self.answers.put((job, row))
        except queue.Empty:
            pass
        except BaseException as error:  # carried to the thread that takes the answers, and raised there
            last = error
        self.answers.put(last)

    def stop(self) -> None:
        """End all children, whatever they are at."""
        self._stopped = True
        for child in self._children:
            child.stop()

    def drain(self) -> None:
        """Make room, so that no thread waits for ever to hand in an answer."""
        with suppress(queue.Empty):
            self.answers.get(timeout=0.1)
