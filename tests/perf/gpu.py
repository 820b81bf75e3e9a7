"""DARTS on whatever GPU is there: steps, launches, memory and a whole search, against the plain form; in 10 minutes.

    python -m tests.perf.gpu --out gpu.json                # on a machine with a GPU
    python -m tests.perf.gpu --device cpu --tiny           # the same code, small, where there is none

A step is a pair: alpha's and the weights'. Milliseconds are wall time of a loop that ends with a synchronisation.
Images are CIFAR-10 (JPEG), or made-up ones of that size where its files are absent; the result says which.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from bench import images
from bench.errors import BenchError
from bench.images import Augment, Images
from bench.images.batches import Batch
from bench.nets.precision import arithmetic
from bench.nets.supernet import Precision
from bench.search.learner import Learner, Training
from bench.search.steps import Steps
from bench.search.task import SearchImages, Task
from bench.spaces.nb201 import SPACE
from bench.store.spec import Scale
from methods.darts import Darts


@dataclass(frozen=True)
class Form:
    """A way to carry out the same search."""

    name: str
    lean: bool = True
    steps: Steps = "ordinary"
    precision: Precision = "fp32"


FORMS = (
    Form("plain", lean=False),
    Form("lean", steps="ordinary"),
    Form("lean, captured", steps="captured"),
    Form("lean, captured, tf32", steps="captured", precision="tf32"),
    Form("lean, captured, bf16", steps="captured", precision="bf16"),
)


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    scale: Scale
    batches: tuple[int, ...]
    epochs: int
    warm: int  # steps before the clock starts
    counted: int


LAUNCHES = ("cudaLaunchKernel", "cudaLaunchKernelExC", "cuLaunchKernel", "cuLaunchKernelEx", "cudaGraphLaunch")

WHOLE = Size(Scale("gpu", 16, 5, 25_000, 25_000, 1.0, 0, 0), (64, 256), 50, 8, 30)
TINY = Size(Scale("tiny", 4, 1, 96, 96, 1.0, 0, 0), (16,), 1, 1, 1)


def search_images(scale: Scale, side: int) -> tuple[SearchImages, str]:
    """Both halves and what they are."""
    try:
        loaded = None if images.available("cifar10-jpeg", None) or side != 32 else images.load("cifar10-jpeg", None)
    except BenchError:
        loaded = None
    if loaded is not None and min(len(loaded.train), len(loaded.valid)) >= scale.train_images:
        halves = (loaded.train.take(scale.train_images), loaded.valid.take(scale.valid_images))
        return SearchImages(*halves, loaded.classes, loaded.mean, loaded.std, loaded.augment), loaded.title
    rng = np.random.default_rng(0)
    made = [
        Images(rng.integers(0, 256, (count, 3, side, side), dtype=np.uint8), rng.integers(0, 10, count))
        for count in (scale.train_images, scale.valid_images)
    ]
    half = (0.5, 0.5, 0.5)
    return SearchImages(*made, 10, half, half, Augment(pad=side // 8, flip=True)), "made-up images"


def learner(task: Task, form: Form, batch: int, epochs: int) -> Learner:
    """An untrained learner of that form."""
    training = Training(epochs=epochs, batch=batch, precision=form.precision)
    task.steps = form.steps
    made = task.learner(Darts(training), training, epochs=epochs)
    if not form.lean:
        for stage in made.supernet.stages:
            for cell in stage:  # type: ignore[attr-defined]
                cell.lean = False
        made.supernet.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        for w in made.weights:  # a fused optimiser wants its state laid as the weight
            made.optimiser.state[w]["momentum_buffer"] = torch.zeros_like(w)
    return made


def pairs(made: Learner) -> Iterator[None]:
    """Pairs of updates, one per item, for ever."""
    made.supernet.train()
    valid = made.valid.endless()
    with arithmetic(made.alpha.device, made.training.precision):
        while True:
            for batch in made.train.epoch():
                _pair(made, batch, next(valid))
                yield


def _pair(made: Learner, train: Batch, valid: Batch) -> None:
    made.stepper.alpha(made, train, valid)
    made._schedule()
    made.stepper.weights(made, train, None, True)
    made.steps += 1


def measured(task: Task, form: Form, batch: int, size: Size) -> dict[str, Any]:
    """Milliseconds, launches and memory of a pair of updates."""
    device = task.device
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    made = learner(task, form, batch, size.epochs)
    steps = pairs(made)
    for _ in range(size.warm):
        next(steps)
    _wait(device)
    start, cpu = time.perf_counter(), time.process_time()
    for _ in range(size.counted):
        next(steps)
    _wait(device)
    wall, host = time.perf_counter() - start, time.process_time() - cpu
    row = {
        "form": form.name,
        "batch": batch,
        "ms": wall * 1_000 / size.counted,
        "host_ms": host * 1_000 / size.counted,
        **_launches(steps, device),
        "peak_bytes": torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None,
    }
    steps.close()  # type: ignore[attr-defined]
    return row


def _launches(steps: Iterator[None], device: torch.device) -> dict[str, int]:
    """Of one pair: launches that the host asked for, and kernels that ran; on a CPU, operations instead."""
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if device.type == "cuda" else [])
    with profile(activities=activities) as seen:
        next(steps)
        _wait(device)
    events = list(seen.events() or [])
    if device.type != "cuda":
        return {"operations": sum(e.name.startswith("aten::") for e in events)}
    asked = sum(e.name in LAUNCHES for e in events)
    ran = sum(e.device_type == torch.autograd.DeviceType.CUDA for e in events)
    return {"launches": asked, "kernels": ran}


def searched(task: Task, form: Form, batch: int, size: Size, seconds: float, step_ms: float) -> dict[str, Any]:
    """Seconds of a whole search, or of as many epochs as fit into `seconds`, and what a whole one would take."""
    pairs_of_epoch = len(task.images.train) // batch
    fits = int(seconds / max(1e-9, pairs_of_epoch * step_ms / 1_000))
    epochs = min(size.epochs, fits)
    row: dict[str, Any] = {"form": form.name, "batch": batch, "epochs_planned": size.epochs, "epochs_run": epochs}
    row["extrapolated_s"] = pairs_of_epoch * size.epochs * step_ms / 1_000
    if epochs < 1:
        return {**row, "run_s": None}
    made = learner(task, form, batch, size.epochs)
    _wait(task.device)
    start = time.perf_counter()
    with task.meter.phase("weights"):
        made.fit(epochs)
    _wait(task.device)
    return {**row, "run_s": time.perf_counter() - start, "last_loss": made.curve[-1]["train_loss"]}


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def report(device: torch.device, size: Size, seconds: float) -> dict[str, Any]:
    """All measurements; stops before `seconds` of wall time are over and says what was left out."""
    started = time.perf_counter()
    side = 32 if size is WHOLE else 8
    shown, title = search_images(size.scale, side)
    task = Task(SPACE, shown, size.scale, 0, device)
    cuda = device.type == "cuda"
    result: dict[str, Any] = {
        "device": torch.cuda.get_device_name(device) if cuda else f"CPU ({platform.machine()})",
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "images": title,
        "channels": size.scale.channels,
        "cells": size.scale.cells,
        "side": side,
        "steps": [],
        "searches": [],
        "left_out": [],
    }
    for batch in size.batches:
        for form in FORMS:
            if time.perf_counter() - started > 0.5 * seconds:
                result["left_out"].append(f"step: {form.name}, batch {batch}")
                continue
            row = measured(task, form, batch, size)
            result["steps"].append(row)
            print(f"step  {form.name:<24} batch {batch:>4}  {row['ms']:9.2f} ms", flush=True)
    for batch in reversed(size.batches):  # the quicker one first
        rows = {row["form"]: row["ms"] for row in result["steps"] if row["batch"] == batch}
        if not rows:
            continue
        fastest = min(rows, key=lambda name: rows[name])
        for name, share in ((fastest, 0.8), ("plain", 0.3)):
            left = (seconds - (time.perf_counter() - started)) * share
            form = next(form for form in FORMS if form.name == name)
            row = searched(task, form, batch, size, left, rows.get(name, float("inf")))
            result["searches"].append(row)
            took = "not run" if row["run_s"] is None else f"{row['run_s']:.1f} s for {row['epochs_run']} epochs"
            print(f"search {name:<23} batch {batch:>4}  {took}; whole: {row['extrapolated_s']:.0f} s", flush=True)
    return result


def main(words: list[str] | None = None) -> int:
    """Measure and write; 0 also where there is nothing to measure on."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda[:index], or cpu")
    parser.add_argument("--tiny", action="store_true", help="a few steps of a small supernet")
    parser.add_argument("--minutes", type=float, default=9.5)
    parser.add_argument("--out", type=Path, help="file of the result, as JSON")
    said = parser.parse_args(words)
    device = torch.device(said.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print("no CUDA device here, nothing measured; try --device cpu --tiny")
        return 0
    size = TINY if said.tiny else WHOLE
    if device.type == "cpu":
        torch.set_num_threads(1)
    result = report(device, size, said.minutes * 60)
    if said.out is not None:
        said.out.write_text(json.dumps(result, indent=1) + "\n")
    else:
        print(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
