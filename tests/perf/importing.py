"""An import of 15,625 made-up architectures in the layout of NATS-Bench: `python -m tests.perf.importing`.

Writes the folder through the package's own classes, imports it by the command in parallel, ends the import by SIGKILL
at random moments, lets it go on, and compares every number of the table with what was written. Prints seconds,
memory of all processes together, and what the table costs to load. Some six CPU minutes and 1.3 GB of disk.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nats_bench
import numpy as np

from bench.spaces.nb201 import SPACE
from bench.truth import counts
from bench.truth.column import Column
from bench.truth.official.assembling import LATENCY_SPLIT
from bench.truth.table import Table
from tests import official_files as made

LOAD = r"""
import re, sys, time
import numpy, pyarrow.parquet
from bench.truth.table import Table
def peak(): return int(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1]) / 1024
before, times = peak(), []
for _ in range(9):
    start = time.process_time()
    table = Table.load(sys.argv[1])
    times.append((time.process_time() - start) * 1000)
print(f"{sorted(times)[4]:.1f} CPU ms, {peak() - before:.0f} MB above the libraries' {before:.0f} MB")
"""


class Writer:
    """Architectures with numbers of their own in one set of curves, as making all curves anew takes too long."""

    def __init__(self) -> None:
        self._trained, self._written = made.results(0, nats_bench)
        names = [name for name in self._written if name[0] != "latency"]
        self.columns = {Column(*name): np.full(SPACE.size, np.nan, np.float32) for name in self._written}
        self._numbers = {name: place for place, name in enumerate(names)}

    def write(self, folder: Path, index: int, epochs: tuple[int, ...]) -> None:
        """One file, with the trainings of these numbers of epochs."""
        drawn = np.random.default_rng(index).random((len(self._numbers), 2)).tolist()
        arch, row = SPACE.show(SPACE.from_index(index)), SPACE.population.row(SPACE.from_index(index))
        content = {}
        for trained in (self._trained[number] for number in epochs):
            trained.arch_index, trained.arch_str = index, arch
            for (dataset, seed), run in trained.all_results.items():
                self._stamp(run, arch, row, (dataset, run.epochs, str(seed)), drawn)
            content[str(run.epochs)] = trained.state_dict()
        nats_bench.pickle_save(content, str(folder / f"{index:06d}.pickle"))

    def _stamp(self, run: Any, arch: str, row: int, where: tuple[str, int, str], drawn: list[list[float]]) -> None:
        dataset, epochs, seed = where
        genotype, shape, last = SPACE.population.at(row), made.SHAPES[dataset], epochs - 1
        run.arch_config["arch_str"] = arch
        run.params = counts.parameters(SPACE, genotype, shape) / 1e6
        run.flop = (counts.multiply_adds(SPACE, genotype, shape) + shape.classes) / 1e6
        for split in ("train", *run.eval_names):
            accuracy = round(10 + 85 * drawn[self._numbers["accuracy", dataset, split, epochs, seed]][0], 2)
            loss = 3 * drawn[self._numbers["cross_entropy", dataset, split, epochs, seed]][0]
            if split == "train":
                run.train_acc1es[last], run.train_losses[last] = accuracy, loss
                run.train_times[last] = 40 * drawn[self._numbers["train_seconds", dataset, split, epochs, seed]][0]
                seconds, metric = sum(run.train_times.values()), "train_seconds"
            else:
                run.eval_acc1es[f"{split}@{last}"], run.eval_losses[f"{split}@{last}"] = accuracy, loss
                seconds, metric = sum(run.eval_times[f"{split}@{epoch}"] for epoch in range(epochs)), "eval_seconds"
            for name, number in (("accuracy", accuracy), ("cross_entropy", loss), (metric, seconds)):
                self.columns[Column(name, dataset, split, epochs, seed)][row] = number
        self.columns[Column("latency", dataset, LATENCY_SPLIT, epochs, seed)][row] = run.get_latency()


def tree(root: int) -> dict[int, int]:
    """Resident bytes of a process and all below it, by process number."""
    parents, sizes = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                sizes[int(entry.name)] = int((entry / "statm").read_text().split()[1]) * resource.getpagesize()
            except (OSError, IndexError):  # it has ended meanwhile
                continue
    found = {root}
    while grown := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= grown
    return {pid: sizes[pid] for pid in found if pid in sizes}


def attempt(words: list[str], seconds: float | None) -> tuple[float, int, int, str]:
    """Run a command, killed after so many seconds. Wall seconds, peak bytes of all its processes, exit code, and
    what it said last."""
    start, peak, below = time.monotonic(), 0, {}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        while process.poll() is None:
            below = tree(process.pid) or below
            peak = max(peak, sum(below.values()))
            if seconds is not None and time.monotonic() - start > seconds:
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.2)
        said = process.communicate()[0].strip().splitlines()
    taken = time.monotonic() - start
    for _ in range(50):
        orphans = [pid for pid in below if Path(f"/proc/{pid}").exists()]
        if not orphans:
            break
        time.sleep(0.1)
    else:
        raise SystemExit(f"processes {orphans} outlive the import")
    return taken, peak, process.returncode, said[-1] if said else ""


def main() -> int:
    """Write, import, compare; the exit code is 1 where a number differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", type=int, default=2, help="one of so many has all trainings, the others 12 epochs")
    parser.add_argument("--kills", type=int, default=4)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    rng = random.Random(asked.seed)
    with tempfile.TemporaryDirectory(prefix="supernet-bench-") as name:
        folder, out = Path(name, "NATS-tss-v1_0-made-up-simple"), Path(name, "table.parquet")
        folder.mkdir()
        writer, start = Writer(), time.process_time()
        nats_bench.pickle_save({"meta_archs": made.archs(), "total_archs": SPACE.size}, str(folder / "meta.pickle"))
        for index in range(SPACE.size):
            writer.write(folder, index, (12,) if index % asked.full else (12, 200))
        size = sum(path.stat().st_size for path in folder.iterdir())
        print(
            f"written: {SPACE.size:,} files, {size / 1e9:.2f} GB, {time.process_time() - start:.0f} CPU s", flush=True
        )
        words = [sys.executable, "-m", "bench", "import", str(folder), str(out), "--trust"]
        words += ["--workers", str(asked.workers)]
        moments = [*(rng.uniform(2, 25) for _ in range(asked.kills)), None]
        peaks, walls = [], []
        for moment in moments:
            wall, peak, code, said = attempt(words, moment)
            peaks.append(peak)
            walls.append(wall)
            kept = 0 if out.exists() else sum(1 for _ in out.with_name(out.name + ".partial").open("rb")) - 1
            print(f"  {wall:.0f} s, exit code {code}, {peak / 1e6:.0f} MB; {said or f'{kept:,} kept'}", flush=True)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        print(
            f"imported: {sum(walls):.0f} s in {len(walls)} attempts with {asked.workers} processes, peak "
            f"{max(peaks) / 1e6:.0f} MB; the last one's CPU {used.ru_utime + used.ru_stime:.0f} s"
        )
        print(f"table: {out.stat().st_size / 1e6:.1f} MB; load: ", end="", flush=True)
        subprocess.run([sys.executable, "-c", LOAD, str(out)], check=True)
        return _compare(Table.load(out), writer)


def _compare(table: Table, writer: Writer) -> int:
    """Every number of the table against what was written."""
    wrong = sorted(set(table.columns) ^ set(writer.columns), key=str)
    compared = 0
    for column in table.columns:
        metric, dataset, split, epochs = column.cell
        found = table.column(metric=metric, dataset=dataset, split=split, epochs=epochs, seeds=column.seed)
        compared += int(np.isfinite(found).sum())
        if not np.allclose(found, writer.columns[column], rtol=2e-7, atol=0, equal_nan=True):
            wrong.append(column)
    for row in range(SPACE.size):
        genotype, shape = SPACE.population.at(row), made.SHAPES["cifar10"]
        held = table.constant("parameters")[row], table.constant("multiply_adds")[row]
        if held != (counts.parameters(SPACE, genotype, shape), counts.multiply_adds(SPACE, genotype, shape)):
            wrong.append(f"counts of {SPACE.show(genotype)}")
        compared += 2
    print(f"compared: {compared:,} numbers in {len(table.columns)} columns, {len(wrong)} wrong {wrong[:1] or ''}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
