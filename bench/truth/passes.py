"""The plans of the embedded tables, by space: what was trained, where its shards lie, and what the table is called.

Another space gets a table by a line here and one in `bench.truth.TABLES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.errors import BadSpec
from bench.truth import TABLES
from bench.truth.plan import Plan
from bench.truth.recipe import Recipe

SHARDS = Path(__file__).parent / "shards"
FIRST = "a"


DISAGREE = 5.0
"""Points: seeds of a class with a larger standard deviation of validation accuracy disagree."""
TOP = 0.1
"""The share of all architectures that is told apart worst: the upper end."""


@dataclass(frozen=True)
class Pass:
    """One series of shards: a plan, and the classes that it is for, by the first pass's validation accuracy: all, the
    upper or the lower half, or the weak: those whose seeds disagree, and those of the upper tenth of architectures."""

    plan: Plan
    classes: Literal["all", "upper", "lower", "weak"] = "all"


@dataclass(frozen=True)
class Embedded:
    """How the table of a space is made."""

    name: str
    title: str
    shards: Path  # the folder of the series
    passes: Mapping[str, Pass]
    versions: tuple[tuple[str, ...], ...] = ((FIRST,),)  # the series that each version of the table is merged of

    def named(self, version: int) -> str:
        """What that version of the table is called: by the name of the first, `patches-v1`."""
        return self.name if version == 1 else f"{self.name.removesuffix('-v1')}-v{version}"

    @property
    def plan(self) -> Plan:
        """Of the first pass."""
        return self.passes[FIRST].plan


NB201 = Embedded(
    "patches-v1",
    "NAS-Bench-201 cells trained alone on oriented patches",
    SHARDS,
    {
        FIRST: Pass(Plan(Recipe(), seeds=(0, 1, 2))),
        "b": Pass(Plan(Recipe(), seeds=(3, 4)), classes="weak"),
        "c": Pass(Plan(Recipe(), seeds=(5, 6)), classes="weak"),
    },
    versions=((FIRST,), (FIRST, "b"), (FIRST, "b", "c")),
)

TOY_DARTS = Embedded(
    "patches-toy-darts-v1",
    "Architectures of the toy DARTS space trained alone on oriented patches",
    SHARDS / "toy-darts",
    {
        FIRST: Pass(
            Plan(
                Recipe(channels=4, cells=1, images=1_536, batch=32, learning_rate=0.1, clip=5.0),
                seeds=(0, 1),
                judged=1_000,
                space="toy-darts",
            )
        )
    },
)

MACRO = Embedded(
    "patches-macro-v1",
    "Architectures of the space macro trained alone on oriented patches",
    SHARDS / "macro",
    {FIRST: Pass(Plan(Recipe(channels=8, learning_rate=0.1), seeds=(0, 1, 2), space="macro"))},
)

MADE: Mapping[str, Embedded] = {"nb201": NB201, "toy-darts": TOY_DARTS, "macro": MACRO}


def made(space: str) -> Embedded:
    """How the embedded table of a space is made. Raises BadSpec where there is none."""
    if space not in MADE:
        raise BadSpec(f"{space} has no embedded table, so nothing says how to train its architectures; {_choice()}")
    assert MADE.keys() == TABLES.keys()
    return MADE[space]


def _choice() -> str:
    return f"spaces with one: {', '.join(MADE)}"
