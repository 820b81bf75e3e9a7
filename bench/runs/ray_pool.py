"""Jobs on the machines of a Ray cluster, or on this one where none is named.

One task for each job, with the CPUs, GPUs and memory that it needs. A job whose node or process is lost is started
again elsewhere. The sources of `bench` and `methods` go to every node, and what all jobs have in common, such as
images, is put into each node's memory once. Nothing but this connection is shared, no disk in particular.

`ray` is imported here alone, when a pool is made.
"""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import bench
from bench.errors import BadSpec, BenchError, Died, counted
from bench.runs.errands import Errand
from bench.runs.pool import GRACE, Tick

RETRIES = 3
"""Of a job whose node or process was lost."""

WINDOW = 200
"""Jobs that are with the cluster at a time: each holds an open file here, its claim."""

LOOK = 0.25
"""Seconds between two looks at what is done, and how far the rest is."""

ANSWER = 5.0
"""Seconds in which an address answers."""

STORE = 256 << 20
"""Bytes of a local cluster's memory for what is sent; what is larger goes by way of its disk."""

UNSENT = ("tables", "shards", "__pycache__")
"""Folders of the sources that no search reads."""


class Ray:
    """A pool, to be closed, as a context. address: `HOST:PORT` of a cluster's head, None for one of this machine's own
    with so many CPUs; common: passed to every job after its progress. Raises BadSpec where ray is missing or nobody
    answers."""

    def __init__(self, address: str | None = None, workers: int | None = None, common: Any = None) -> None:
        if workers is not None and workers < 1:
            raise BadSpec(f"--workers {workers}: give 1 or more, or leave it out for one per core")
        self.ray = _imported()
        self._open = ExitStack()
        if address is not None:
            _require_answer(address)
        self._connect(address, workers or os.cpu_count() or 1)
        self.common = None if common is None else self.ray.put(common)
        self._told = self._teller()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.ray.shutdown()
        self._open.close()

    @property
    def workers(self) -> int:
        """CPUs of the whole cluster, as it is now."""
        return max(1, int(self.ray.cluster_resources().get("CPU", 1)))

    def map(self, jobs: Sequence[Errand], tick: Tick) -> Iterator[tuple[int, Any]]:
        """In order of completion; those that need longest begin first. Raises BadSpec, before anything is sent, where
        no node has what a job needs."""
        self._require_room(jobs)
        waiting = deque(sorted(range(len(jobs)), key=lambda index: -(jobs[index].needs.seconds or 0.0)))
        running: dict[Any, tuple[int, ExitStack]] = {}
        looked = time.monotonic()
        try:
            while waiting or running:
                while waiting and len(running) < WINDOW:
                    index = waiting.popleft()
                    held = ExitStack()
                    try:
                        held.enter_context(jobs[index].held())
                    except BenchError as why:
                        yield index, jobs[index].refused(why)
                        continue
                    running[self._sent(index, jobs[index])] = index, held
                if not running:
                    continue
                done, _ = self.ray.wait(list(running), num_returns=len(running), timeout=0)
                if not done:
                    done, _ = self.ray.wait(list(running), timeout=LOOK)
                if time.monotonic() - looked > LOOK:
                    self._tell(tick, {index for index, _ in running.values()})
                    looked = time.monotonic()
                for task in done:
                    index, held = running.pop(task)
                    with held:
                        result = self._result(task)
                        if not isinstance(result, Died):
                            result = jobs[index].received(result)
                    yield index, result
        except KeyboardInterrupt:
            self._interrupt(list(running))
            raise
        finally:
            for _, held in running.values():
                held.close()

    def _connect(self, address: str | None, workers: int) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to others
        sources = self._open.enter_context(TemporaryDirectory(prefix="supernet-bench-"))
        _copy_sources(Path(sources))
        where: dict[str, Any] = {"address": address}
        if address is None:
            where = {
                "address": "local",
                "num_cpus": workers,
                "object_store_memory": STORE,
                "include_dashboard": False,
                "_node_ip_address": "127.0.0.1",
            }
        try:
            self.ray.init(**where, runtime_env={"working_dir": sources}, log_to_driver=False, logging_level="ERROR")
        except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
            self._open.close()
            said = str(error).strip().splitlines()[0]
            raise BadSpec(f"--pool ray: cannot begin with {address or 'a cluster here'} ({said})") from None

    def _teller(self) -> Any:
        """An actor beside this process, so that no lost node takes it along: it hears how far jobs are."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = self.ray.get_runtime_context().get_node_id()
        kind = self.ray.remote(_Told)
        return kind.options(num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(here, soft=False)).remote()

    def _require_room(self, jobs: Sequence[Errand]) -> None:
        nodes = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        for needs in {job.needs for job in jobs}:
            wanted = {"CPU": needs.cpus, "GPU": needs.gpus, "memory": needs.memory}
            if not any(all(node.get(name, 0) >= amount for name, amount in wanted.items()) for node in nodes):
                asked = f"{counted(needs.cpus, 'CPU')}, {counted(needs.gpus, 'GPU')} and {needs.memory / 2**30:.1f} GiB"
                raise BadSpec(
                    f"--pool ray: no node of {len(nodes)} has {asked}, which a run needs; take a smaller --scale"
                )

    def _sent(self, index: int, errand: Errand) -> Any:
        needs = errand.needs
        task = self.ray.remote(_done).options(
            num_cpus=needs.cpus, num_gpus=needs.gpus, memory=needs.memory, max_retries=RETRIES
        )
        return task.remote(errand.job, self._told, index, self.common)

    def _tell(self, tick: Tick, running: set[int]) -> None:
        with suppress(self.ray.exceptions.RayError):  # it is for show alone
            for index, share in self.ray.get(self._told.news.remote(), timeout=ANSWER).items():
                if index in running:
                    tick(index, share)

    def _result(self, task: Any) -> Any:
        """What came back, or why nothing did. Raises what the job raised."""
        lost = self.ray.exceptions
        try:
            return self.ray.get(task)
        except lost.RayTaskError as error:
            raise (error.cause if isinstance(error.cause, Exception) else error) from None
        except lost.RayError as error:
            said = " ".join(str(error).split())[:200]
            return Died(f"its node or process was lost {RETRIES + 1} times ({said}); run the same command again")

    def _interrupt(self, tasks: Sequence[Any]) -> None:
        for task in tasks:
            self.ray.cancel(task)
        self.ray.wait(tasks, num_returns=len(tasks), timeout=GRACE)


class _Told:
    """How far jobs are that said so since it was asked last."""

    def __init__(self) -> None:
        self._shares: dict[int, float] = {}

    def note(self, index: int, share: float) -> None:
        self._shares[index] = share

    def news(self) -> dict[int, float]:
        shares, self._shares = self._shares, {}
        return shares


def _done(job: Any, told: Any, index: int, common: Any) -> Any:
    """On a node: the job, which tells how far it is."""

    def progress(share: float) -> None:
        told.note.remote(index, share)

    return job(progress) if common is None else job(progress, common)


def _imported() -> Any:
    try:
        return import_module("ray")
    except ImportError:
        raise BadSpec('--pool ray needs Ray: pip install -c constraints.txt -e ".[ray]"') from None


def _require_answer(address: str) -> None:
    """Raises BadSpec at once, where Ray would try for minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), ANSWER).close()
    except (OSError, ValueError) as error:
        raise BadSpec(
            f"--ray-address {address}: nobody answers there ({error}); give HOST:PORT of the head, as `ray start "
            "--head` prints it"
        ) from None


def _copy_sources(folder: Path) -> None:
    root = Path(bench.__file__).parent.parent
    for package in ("bench", "methods"):
        shutil.copytree(root / package, folder / package, ignore=shutil.ignore_patterns(*UNSENT))
