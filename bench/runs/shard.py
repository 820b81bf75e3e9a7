"""A part of a study: the third of sixteen, for any scheduler that can start a command sixteen times."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from bench.errors import BadSpec
from bench.store.spec import RunSpec


@dataclass(frozen=True)
class Shard:
    """Part `number` (from 1) of `of` parts, no two of which share a run."""

    number: int = 1
    of: int = 1

    @classmethod
    def parsed(cls, text: str) -> Self:
        """`3/16`. Raises BadSpec."""
        found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
        if not found:
            raise BadSpec(f"--shard takes K/N, such as 3/16 for the third of sixteen parts, not {text!r}")
        number, of = int(found[1]), int(found[2])
        if not 1 <= number <= of:
            raise BadSpec(f"--shard {text}: there are parts 1/{of} to {of}/{of}" if of else f"--shard {text}: no parts")
        return cls(number, of)

    def of_all(self, specs: Sequence[RunSpec]) -> list[RunSpec]:
        """The runs of this part, in their order. All parts are as large, but for one run.

        By key, which is as good as at random: parts by place in the grid would hold all seeds of few methods.
        """
        mine = {spec.key for spec in sorted(specs, key=lambda spec: spec.key)[self.number - 1 :: self.of]}
        return [spec for spec in specs if spec.key in mine]
