"""What a search costs, by phase: images, multiply-adds, seconds, memory. Counted by hooks, not by methods.

Image and multiply-add counts are exact and independent of the machine; seconds and bytes are measured.
A phase charges exclusively: while a phase runs inside another, only the inner one pays, so phases add up to the
total. On a GPU seconds are taken between events on its stream, so that no phase waits for the device.
"""

from __future__ import annotations

import contextlib
import resource
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch

from bench.nets.supernet import Supernet
from bench.search.pulse import Pulse

AROUND = ""
"""In a written account: the phase that was open around it."""

UNREAD = 4_096  # readings of a GPU's clock that are kept before they are looked at


@dataclass
class Cost:
    """One phase's account, or the total."""

    forward_images: int = 0  # images whose logits were computed
    backward_images: int = 0  # images whose logits received a gradient, once per backward pass
    gmacs: float = 0.0  # multiply-adds of convolutions and heads, 1e9: once forward, twice backward
    supernets: int = 0  # supernets made
    parameters: int = 0  # weights in them, architecture weights apart
    wall_s: float = 0.0
    device_s: float = 0.0  # CPU seconds of the process, or seconds between events on a GPU's stream
    peak_bytes: int = 0  # largest resident set of the process, or memory allocated on the GPU, since the meter was made

    def __add__(self, other: Cost) -> Cost:
        """Sums, except that peaks combine by maximum."""
        values = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(Cost)}
        return Cost(**{**values, "peak_bytes": max(self.peak_bytes, other.peak_bytes)})


class Meter:
    """Charges everything between `start` and `stop` to the innermost open phase."""

    def __init__(self, device: torch.device, pulse: Pulse | None = None) -> None:
        self.device, self.pulse = device, pulse
        self.phases: dict[str, Cost] = {}
        self._stack: list[str] = []
        self._since: Any = None  # a reading of the clock
        self._unread: list[tuple[Cost, Any, Any]] = []  # stretches of a GPU's time, with who pays
        self._timed = True
        self._reset_peak()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Everything inside is charged to `name`, not to the phase around it."""
        self._charge_time()
        self._stack.append(name)
        try:
            yield
        finally:
            self._charge_time()
            self._stack.pop()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Nothing inside is charged: for the harness's own evaluation."""
        self._charge_time()
        self._since, stack, self._stack = None, self._stack, []
        try:
            yield
        finally:
            self._stack = stack
            if stack:
                self._since = self._now()

    @contextmanager
    def written(self) -> Iterator[dict[str, Cost]]:
        """Passes inside are not charged but written down, for `charge`: images and multiply-adds by phase."""
        kept = self.phases, self._stack, self._timed
        self.phases, self._stack, self._timed = {}, [AROUND], False
        try:
            yield self.phases
        finally:
            self.phases, self._stack, self._timed = kept

    def charge(self, account: Mapping[str, Cost]) -> None:
        """Charge a written account, as if its passes had been made now."""
        for name, cost in account.items():
            own = self._current() if name == AROUND else self.phases.setdefault(name, Cost())
            if own is not None:
                own.forward_images += cost.forward_images
                own.backward_images += cost.backward_images
                own.gmacs += cost.gmacs

    def total(self) -> Cost:
        """The sum over phases."""
        self._read()
        return sum(self.phases.values(), Cost())

    def watch(self, supernet: Supernet) -> None:
        """Count every forward and backward pass of `supernet` from now on."""
        cost = self._current()
        if cost is not None:
            cost.supernets += 1
            cost.parameters += sum(p.numel() for p in supernet.parameters())
        supernet.register_forward_hook(self._count)

    def charge_forward(self, images: int, multiply_adds: int) -> None:
        """Charge forward passes that do not go through a supernet's own call, and so past its hooks."""
        cost = self._current()
        if cost is not None:
            cost.forward_images += images
            cost.gmacs += multiply_adds / 1e9

    def state(self) -> dict[str, dict[str, Any]]:
        """All phases as plain numbers, for a record."""
        self._charge_time()
        self._read()
        return {name: vars(cost).copy() for name, cost in self.phases.items()}

    def resume(self, state: Mapping[str, Mapping[str, Any]]) -> None:
        """Go on from an earlier `state`: what was charged since the meter was made is dropped."""
        self._charge_time()
        self._read()
        self.phases = {name: Cost(**cost) for name, cost in state.items()}

    def _current(self) -> Cost | None:
        return self.phases.setdefault(self._stack[-1], Cost()) if self._stack else None

    def _count(self, supernet: torch.nn.Module, inputs: tuple[Any, ...], logits: torch.Tensor) -> None:
        cost = self._current()
        if cost is None:
            return
        images = len(inputs[0])
        gmacs = images * supernet.multiply_adds(inputs[2]) / 1e9  # type: ignore[operator]  # a Supernet
        cost.forward_images += images
        cost.gmacs += gmacs
        if logits.requires_grad:
            logits.register_hook(lambda _gradient: self._count_backward(images, gmacs))

    def _count_backward(self, images: int, gmacs: float) -> None:
        cost = self._current()  # the phase that asks for the gradient pays for it
        if cost is not None:
            cost.backward_images += images
            cost.gmacs += 2 * gmacs

    def _now(self) -> Any:
        if self.device.type == "cuda":
            event = torch.cuda.Event(enable_timing=True)
            event.record(torch.cuda.current_stream(self.device))
            return event
        return self.clock(), time.process_time()

    def clock(self) -> float:
        """Seconds, without those that the process stood still, where that is watched."""
        return time.perf_counter() - (0.0 if self.pulse is None else self.pulse.lost())

    def _charge_time(self) -> None:
        if not self._timed:
            return
        cost = self._current()
        if cost is None and self._since is None:
            self._since = self._now()
            return
        now = self._now()
        if cost is not None and self._since is not None:
            self._unread.append((cost, self._since, now))
            cost.peak_bytes = max(cost.peak_bytes, self._peak())
            if self.device.type != "cuda" or len(self._unread) > UNREAD:
                self._read()
        self._since = now

    def _read(self) -> None:
        """Charge the stretches of time that are over; waits for a GPU to reach the last of them."""
        for cost, start, end in self._unread:
            if self.device.type == "cuda":
                end.synchronize()
                wall = device = start.elapsed_time(end) / 1_000
            else:
                wall, device = end[0] - start[0], end[1] - start[1]
            cost.wall_s += wall
            cost.device_s += device
        self._unread.clear()

    def _reset_peak(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.init()
            torch.cuda.reset_peak_memory_stats(self.device)
        else:
            with contextlib.suppress(OSError):  # Linux alone can; elsewhere the peak is that of the process's life
                Path("/proc/self/clear_refs").write_text("5")

    def _peak(self) -> int:
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device)
        with contextlib.suppress(OSError, StopIteration):
            lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
            return 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])
        unit = 1 if sys.platform == "darwin" else 1024  # kilobytes everywhere else
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
