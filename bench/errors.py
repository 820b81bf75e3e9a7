"""Errors that a person can act on: one line saying what is wrong, where, and what to do next.

The command line prints a `BenchError` as that one line and exits with 2; anything else is a defect
of the program and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def counted(number: int, noun: str) -> str:
    """`1 run`, `2 runs`, `1,024 runs`: a number and what it counts, for a sentence."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


class BenchError(Exception):
    """Base of every error that the user, a file or a machine can cause."""


class UnknownName(BenchError):
    """A name that stands for nothing here; offers the nearest one that does, whatever the case of its letters."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        folded = {one.lower(): one for one in reversed(names)}
        near = get_close_matches(name.lower(), folded, n=1, cutoff=0.51)
        hint = f"did you mean {folded[near[0]]!r}?" if near else f"known: {', '.join(names)}"
        super().__init__(f"unknown {kind} {name!r}; {hint}")

    def __reduce__(self) -> tuple[type[BenchError], tuple[str]]:
        """On its way from another process it is its line alone."""
        return BenchError, (str(self),)


class BadGenotype(BenchError):
    """A text or tuple that is no architecture of the space."""


class BadRegion(BenchError):
    """A region, or a cut of one, that breaks the rules of `Region`."""


class BadSpace(BenchError):
    """A space whose edges, cells, operations or network do not fit, or that is too large for what is asked of it."""


class BadData(BenchError):
    """A data file that is missing, incomplete or not what its name says."""


class BadTable(BenchError):
    """A table of ground truth that is damaged, incomplete or of another kind."""


class NoSuchEntry(BenchError):
    """A query for something that the table does not hold; says what it does hold."""


class BadRecord(BenchError):
    """A record or score file that cannot be trusted or written."""


class BadSpec(BenchError):
    """A run that cannot start as it is described."""


class BadMethod(BenchError):
    """A file of `methods/` that cannot be imported, or that offers what another one does."""


class BadPlugin(BenchError):
    """A method or space from outside the program that cannot be imported, or that is none."""


class Busy(BenchError):
    """A run that another process is making."""


class Died(BenchError):
    """A job whose process ended before it did."""


class Diverged(BenchError):
    """The loss or an architecture weight stopped being a finite number."""
