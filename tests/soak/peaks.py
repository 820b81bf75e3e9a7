"""What a run needs, as it is told before, and what its process takes: the largest resident set, by the system."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from bench.runs.again import spec_of
from bench.runs.expected import Estimator
from bench.runs.needs import Disk
from bench.store.record import Results

CODE = """
import resource, sys
from bench.cli.commands import main

code = main(sys.argv[1:])
if sys.platform == "linux":  # getrusage would begin with the peak of the process that started this one
    lines = open("/proc/self/status").read().splitlines()
    peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(code, peak, file=sys.stderr)
"""
UNIT = 1 if sys.platform == "darwin" else 1024  # bytes of what the system counts in

FEW = "--scale quick --scale.train-images 512 --scale.valid-images 512 --scale.epochs 0.001"
RUNS: Mapping[str, str] = {
    "nothing trained": "--methods random --scale smoke",
    "one path": "--methods rsps --scale smoke",
    "large batches": f"--methods darts {FEW} --scale.probe 64 --set training.batch=512 --keep-supernet",
    "a wide network": f"--methods darts {FEW} --scale.probe 64 --scale.channels 16 --scale.cells 3",
    "many supernets": f"--methods fewshot {FEW} --scale.probe 64 --scale.channels 16 --keep-supernet",
    "two cell types": f"--methods darts --space toy-darts {FEW} --scale.probe 64 --scale.channels 16",
    "28 edges": f"--methods darts --space darts {FEW} --scale.channels 4 --scale.probe 8",
    "a chain": f"--methods rsps --space macro {FEW} --scale.probe 8",
}
"""Words of `run`, by what is large."""


@dataclass(frozen=True)
class Peak:
    """Bytes. expected, disk: as they were told; peak: of the process; files: that it left."""

    expected: int
    peak: int
    disk: Disk
    files: int


def measured(name: str, folder: Path) -> Peak:
    """Make one run of `RUNS` in a process of its own, and tell of it as if it had not been made."""
    words = ["run", "smoke", "--seeds", "0", *RUNS[name].split(), "--device", "cpu", "--results", str(folder)]
    done = subprocess.run([sys.executable, "-c", CODE, *words], capture_output=True, text=True, check=False)
    code, peak = done.stderr.split()[-2:]
    assert code == "0", done.stdout + done.stderr
    (record,) = Results(folder).records()
    told = Estimator([], torch.device("cpu"), keeps="--keep-supernet" in words, briefly=True).of(spec_of(record))
    left = [
        path.stat().st_size for kind in ("runs", "estimates", "supernets") for path in (folder / kind).glob("[!.]*")
    ]
    return Peak(told.memory, int(peak) * UNIT, told.disk, sum(left))


def counted(folder: Path) -> dict[str, Any]:
    """All of `RUNS`: the ratios of what was told to what was taken."""
    found = {name: measured(name, folder / name.replace(" ", "-")) for name in RUNS}
    ratios = {name: one.expected / one.peak for name, one in found.items()}
    return {
        "runs": len(found),
        "memory told to memory taken": f"{min(ratios.values()):.2f} to {max(ratios.values()):.2f}",
        "beyond a factor of two": [name for name, ratio in ratios.items() if not 0.5 < ratio < 2],
        "more on disk than told": [name for name, one in found.items() if one.files > one.disk.stays],
    }
