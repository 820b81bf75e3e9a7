"""How much CPU time commands take to start: `python -m tests.perf.starting`.

A run is stopped at the end of its first training step. Seconds of the whole process and of those that it starts, as the
operating system counts them: median and range of several processes each, in turn.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

PROCESSES = 5
COMMAND = (sys.executable, "-m", "bench")

STOPPED = (
    "import os, sys; from bench.search import optimisers; optimisers.SGD.step = lambda own: os._exit(0); "
    "from bench.cli.commands import main; main(sys.argv[1:]); sys.exit('no step was made')"
)
"""A command that ends at the first step of the weights."""


def seconds(words: Sequence[str], expected: int) -> float:
    """CPU seconds of a process. Raises RuntimeError where it ends with another exit code."""
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != expected:
        raise RuntimeError(f"{' '.join(words)} ended with exit code {process.returncode}, not {expected}")
    return used.ru_utime + used.ru_stime


def main() -> None:
    """A line per command."""
    with tempfile.TemporaryDirectory(prefix="supernet-bench-") as folder:
        results = str(Path(folder, "results"))
        run = ("run", "--methods", "rsps", "--scale", "smoke", "--seeds", "0", "--results", results)
        commands = {
            "import torch, nothing else": ((sys.executable, "-c", "import torch"), 0),
            "a run, to the end of its first step": ((sys.executable, "-c", STOPPED, *run), 0),
            "a run that names an unknown method": ((*COMMAND, "run", "--methods", "nosuch"), 2),
            "list methods": ((*COMMAND, "list", "methods"), 0),
            "--help": ((*COMMAND, "--help"), 0),
        }
        for words, expected in commands.values():  # what is kept between commands is made now
            seconds(words, expected)
        found = {name: [seconds(*command) for _ in range(PROCESSES)] for name, command in commands.items()}
    for name, each in found.items():
        print(f"{name:<38}{statistics.median(each):>6.2f} CPU s ({min(each):.2f}–{max(each):.2f})")


if __name__ == "__main__":
    main()
