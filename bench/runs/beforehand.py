"""What a batch of runs will take, told in a line before it starts, and refused where it cannot fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from bench.errors import BadSpec, counted
from bench.runs import needs, room
from bench.runs.expected import Expected
from bench.runs.progress import duration
from bench.runs.room import in_words


@dataclass(frozen=True)
class Batch:
    """Runs that are still to be made. names: how each is printed; each: what it will take; workers: runs at a time;
    device: that computes them, of this machine; None where others make them; folder: of the results; resident: bytes
    of main memory that they take and this process has already."""

    names: Sequence[str]
    each: Sequence[Expected]
    workers: int
    device: torch.device | None
    folder: Path
    resident: int = 0

    @property
    def at_a_time(self) -> int:
        """How many runs are made together."""
        return min(self.workers, len(self.each))

    @property
    def memory(self) -> int:
        """Bytes of a run at most."""
        return max((one.memory for one in self.each), default=0)

    @property
    def disk(self) -> int:
        """Bytes at most, once all are made or while the last are."""
        meanwhile = sorted((one.disk.meanwhile for one in self.each), reverse=True)
        return sum(one.disk.stays for one in self.each) + sum(meanwhile[: self.at_a_time])

    @property
    def seconds(self) -> float | None:
        """Until all are made; None where of one nothing is known."""
        known = [one.seconds for one in self.each if one.seconds is not None]
        if len(known) < len(self.each) or not known:
            return None
        return max(sum(known) / self.at_a_time, *known)

    def told(self, free: int | None, space: int | None) -> str:
        """One line. free, space: bytes of memory and of disk that there are."""
        kind = "at most" if all(one.at_most for one in self.each) else "about"
        time = "an unknown time" if self.seconds is None else f"{kind} {duration(self.seconds)}"
        where = "" if self.device is None or self.device.type == "cpu" else " on the GPU"
        of_memory = "" if free is None else f" of {in_words(free)}"
        of_disk = "" if space is None else f" of {in_words(space)}"
        return (
            f"this takes {time}, up to {in_words(self.memory)}{where} for a run{of_memory}, and up to "
            f"{in_words(self.disk)} of disk{of_disk}"
        )

    def beyond(self, limit: float | None) -> str:
        """A line about runs that are expected to take longer than a limit of seconds; empty where there are none."""
        long = [
            (one.seconds, name)
            for one, name in zip(self.each, self.names, strict=True)
            if limit is not None and one.seconds is not None and not one.at_most and one.seconds > limit
        ]
        if not long:
            return ""
        seconds, name = max(long)
        return (
            f"--time-limit {limit:g} is shorter than {counted(len(long), 'run')} will take, {name} most of all with "
            f"about {duration(seconds)}: give more, or they end with status timeout"
        )

    def check(self) -> str:
        """The line. Raises BadSpec where the runs do not fit into memory or on the disk, with what would."""
        free = None if self.device is None else room.of_device(self.device)
        space = room.disk(self.folder)
        if free is not None and self.memory * self.at_a_time > free + self.resident:
            raise BadSpec(self._too_large(self.at_a_time, free, "" if self._on_cpu else f" of {self.device}"))
        if self.device is not None and not self._on_cpu:
            main, host = room.memory(), needs.ON_A_GPU * self.at_a_time
            if main is not None and host > main:
                raise BadSpec(
                    f"{counted(self.at_a_time, 'process')} with a GPU need about {in_words(host)} of main memory, and "
                    f"there are {in_words(main)} free: {_fewer(main // needs.ON_A_GPU)}"
                )
        if space is not None and self.disk > space:
            fit = self._that_fit(space)
            parts = -(-len(self.each) // fit) if fit else 0
            some = f"--shard 1/{parts} is a part that fits" if parts > 1 else "leave --keep-supernet out"
            raise BadSpec(
                f"{counted(len(self.each), 'run')} take up to {in_words(self.disk)} of disk, and {self.folder} has "
                f"{in_words(space)} free: make room, choose another folder with --results, or {some}"
            )
        return self.told(free, space)

    @property
    def _on_cpu(self) -> bool:
        return self.device is None or self.device.type == "cpu"

    def _too_large(self, workers: int, free: int, where: str) -> str:
        name = max(zip((one.memory for one in self.each), self.names, strict=True))[1]
        together = "" if workers == 1 else f" for each of {workers} runs at a time"
        return (
            f"{name} needs about {in_words(self.memory)} of memory{together}, and there are {in_words(free)}{where} "
            f"free: {_fewer(free // self.memory)}"
        )

    def _that_fit(self, space: int) -> int:
        """How many of the runs fit on the disk."""
        most = max(one.disk.stays + one.disk.meanwhile * self.at_a_time for one in self.each)
        return min(len(self.each), space // most)


def _fewer(fit: int) -> str:
    return f"{fit} at a time fit, --workers {fit}" if fit else "choose a smaller --scale, or a machine with more"
