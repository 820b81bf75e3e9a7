"""What a pool costs per run: 1,000 jobs that do nothing, through one of the pools, on this machine.

python -m tests.perf.pools ray --workers 2 --jobs 1000
"""

from __future__ import annotations

import argparse
import os
import time
from typing import Any

from bench.runs.errands import Errand, Needs
from bench.runs.pool import Processes, Serial


def nothing(progress: object) -> None:
    """No work."""


def _ignored(index: int, share: float) -> None:
    return


def main() -> None:
    """Seconds in all, per job, and those before the first job began."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pool", choices=["serial", "processes", "ray"])
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    began = time.monotonic()
    if asked.pool == "ray":
        from ray import cloudpickle

        from bench.runs.ray_pool import Ray
        from tests.perf import pools

        cloudpickle.register_pickle_by_value(pools)  # nodes have no tests
        with Ray(workers=asked.workers) as pool:
            connected = time.monotonic()
            jobs: Any = [Errand(pools.nothing, Needs()) for _ in range(asked.jobs)]
            done = sum(1 for _ in pool.map(jobs, _ignored))
            took = time.monotonic() - connected
    else:
        connected = time.monotonic()
        plain = Serial() if asked.pool == "serial" else Processes(asked.workers)
        done = sum(1 for _ in plain.map([nothing] * asked.jobs, _ignored))
        took = time.monotonic() - connected
    print(
        f"{asked.pool}, {asked.workers} at a time: {done:,} jobs in {took:.1f} s, {1000 * took / done:.1f} ms each, "
        f"after {connected - began:.1f} s to begin"
    )


if __name__ == "__main__":
    main()
