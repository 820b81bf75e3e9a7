"""Two or more forms of one computation timed in turn, so that a machine that slows down slows all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """CPU milliseconds per call: one number per round."""

    name: str
    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle round."""
        return statistics.median(self.rounds)


def timed(forms: Mapping[str, Callable[[], object]], rounds: int, calls: int) -> dict[str, Timing]:
    """Every form `calls` times per round, one form after the other, after one call that is not counted."""
    for form in forms.values():
        form()
    seen: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(rounds):
        for name, form in forms.items():
            start = time.process_time()
            for _ in range(calls):
                form()
            seen[name].append((time.process_time() - start) * 1_000 / calls)
    return {name: Timing(name, tuple(values)) for name, values in seen.items()}


def table(title: str, timings: Mapping[str, Timing], base: str) -> str:
    """A line per form: median and range of the milliseconds, ratio of medians and of rounds against `base`."""
    reference = timings[base]
    lines = [title, f"  {'form':<28}{'CPU ms':>9}  {'range':>17}  {'times faster':>12}  {'by round':>13}"]
    for timing in timings.values():
        ratios = [b / t for b, t in zip(reference.rounds, timing.rounds, strict=True)]
        spread = f"{min(timing.rounds):.1f}–{max(timing.rounds):.1f}"
        lines.append(
            f"  {timing.name:<28}{timing.median:>9.1f}  {spread:>17}  {reference.median / timing.median:>12.2f}"
            f"  {min(ratios):>5.2f}–{max(ratios):<5.2f}"
        )
    return "\n".join(lines)
