"""Searches that stop: they keep what they trained at every epoch, whatever that costs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from bench.search.checkpoints import Checkpoints
from bench.search.learner import Learner


class Stop(BaseException):
    """As a kill: nothing catches it."""


@contextmanager
def kept_at_every_epoch(stop_after: int | None = None, only_every: int = 1) -> Iterator[list[int]]:
    """Inside, a search keeps what it has trained at every `only_every`th end of an epoch, and stops after so many ends.

    The list gets a number for every epoch that is trained.
    """
    trained: list[int] = []
    ends = itertools.count(1)
    reached, epoch = Checkpoints.reached, Learner._epoch

    def counted(self: Learner, *rest: Any) -> int:
        trained.append(self.steps)
        return epoch(self, *rest)

    def keeping(self: Checkpoints, learner: Learner, steps: int) -> None:
        end = next(ends)
        if end % only_every == 0:
            self.share = float("inf")
            reached(self, learner, steps)
        if end == stop_after:
            raise Stop

    with patch.object(Checkpoints, "reached", keeping), patch.object(Learner, "_epoch", counted):
        yield trained
