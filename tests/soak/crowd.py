"""Many processes on one study in one folder, some of them killed: after the call of those that live, all is there."""

from __future__ import annotations

import random
import signal
import time
from functools import partial
from os import kill
from pathlib import Path
from typing import Any

from bench.cli.commands import main
from bench.store.record import Results
from tests.soak.commands import ended, forked

METHODS = ("random", "largest", "parameters", "multiply-adds", "snas", "rsps", "darts", "random-best-of-10")


def measured(folder: Path, processes: int, killed: int, seed: int) -> dict[str, Any]:
    """Exit codes of those that were not killed, and how many runs are there when they have ended."""
    rng = random.Random(seed)
    job = partial(main, ["run", "smoke", "--methods", *METHODS, "--results", str(folder / "crowd")])
    children = [forked(job, folder / "crowd.log") for _ in range(processes)]
    for child in rng.sample(children, killed):
        time.sleep(rng.uniform(0.2, 1.0))
        kill(child, signal.SIGKILL)
    codes = [ended(child) for child in children]
    results = Results(folder / "crowd")
    there = len(list(results.records()))
    left = [path.name for path in (folder / "crowd" / "runs").iterdir() if path.suffix != ".json"]
    return {
        "processes": processes,
        "killed": sum(code == -signal.SIGKILL for code in codes),
        "codes of the others": sorted({code for code in codes if code != -signal.SIGKILL}),
        "runs": len(METHODS),
        "records": there,
        "damaged": len(results.damaged),
        "left lying": left,
    }
