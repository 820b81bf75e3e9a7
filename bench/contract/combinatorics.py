"""What a space is held to: its notation, its rule, its draws, its population and its network say the same."""

from __future__ import annotations

from collections.abc import Iterator
from multiprocessing import Pipe

import numpy as np

from bench.contract.small import require
from bench.errors import BadGenotype
from bench.nets.checking import check_network
from bench.spaces.space import MOST_LISTED, Genotype, Space
from bench.store import names

DRAWS = 50
MOST = 20_000
"""Architectures up to which all are listed for a check."""


def name(space: Space) -> None:
    """It may be part of a file name."""
    names.checked(space.name, "a space")


def sent(space: Space) -> None:
    """It is the same in another process, and in a set."""
    ours, theirs = Pipe()
    ours.send(space)
    there = theirs.recv()
    require(there == space and hash(there) == hash(space), "it is another space after it was sent to another process")


def rule(space: Space) -> None:
    """What is drawn, listed and decoded is an architecture; as many are counted as are listed."""
    for genotype in drawn(space):
        require(space.feasible(genotype), f"it draws {genotype}, which it says is no architecture")
        require(space.check(genotype) == genotype, f"check changes {genotype}")
        require(space.admits(space.region, genotype), f"its whole region does not admit {genotype}")
        require(space.admits(space.alone(genotype), genotype), f"the region of {genotype} alone does not admit it")
        hash(space.trained_class(genotype))
    alpha = np.random.default_rng(1).normal(size=(DRAWS, len(space.edges), len(space.ops)))
    for one in alpha:
        require(space.feasible(space.decode(one, space.region)), "alpha stands for what is no architecture")
    if space.size <= MOST:
        listed = list(space.listed(space.region))
        require(len(listed) == space.size == len(set(listed)), f"it counts {space.size} and lists {len(set(listed))}")
        require(listed == sorted(listed), "it lists architectures out of order")
        require(all(map(space.feasible, listed)), "it lists what is no architecture")


def drawn(space: Space) -> Iterator[Genotype]:
    """Some of its architectures, the same every time."""
    rng = np.random.default_rng(0)
    for _ in range(DRAWS):
        yield space.sample(space.region, rng)


def notation(space: Space) -> None:
    """`parse` is the inverse of `show`, on one line; a text that is none is refused."""
    shown: dict[str, Genotype] = {}
    for genotype in drawn(space):
        text = space.show(genotype)
        require(text.isprintable(), f"it shows {genotype} as {text!r}, which is no line of text")
        require(space.parse(text) == genotype, f"{text!r} is read as another architecture than was shown")
        require(shown.setdefault(text, genotype) == genotype, f"two architectures are shown as {text!r}")
    for wrong in ("", "no architecture"):
        try:
            space.parse(wrong)
        except BadGenotype as error:
            require("\n" not in str(error), "what it says of a wrong text is more than a line")
        else:
            require(False, f"it reads {wrong!r} as an architecture")


def population(space: Space) -> None:
    """Rows and architectures are each other's inverse, in a fixed order, and its judge knows its architectures."""
    people = space.population
    require(0 < len(people) <= MOST_LISTED, f"its population has {len(people)} architectures")
    for row in np.linspace(0, len(people) - 1, DRAWS).astype(int).tolist():
        require(people.row(people.at(row)) == row, f"row {row} of its population is found in another")
    judge = people.space
    if judge != space:
        for genotype in drawn(space):
            require(judge.check(genotype) == genotype, f"{judge.name}, which judges it, has no {genotype}")
            same = judge.show(genotype) == space.show(genotype)
            require(same, f"{judge.name}, which judges it, writes {genotype} otherwise")
        for row in np.linspace(0, len(people) - 1, DRAWS).astype(int).tolist():
            space.show(people.at(row))  # what a probe asks about has a name here


def sizes(space: Space) -> None:
    """Sizes are counts, and equal architectures are one function on shared weights."""
    some = list(drawn(space))
    for genotype in some:
        size = space.sizes(genotype)
        require(size.parameters >= 0 and size.multiply_adds >= 0, f"{genotype} has a negative size")
    rows, computed = space.functions(some)
    require(len(rows) == len(some) and all(0 <= row < len(computed) for row in rows), "an architecture has no function")


def network(space: Space) -> None:
    """Its network is what its layout says of it."""
    check_network(space)


CHECKS = (name, sent, rule, notation, population, sizes, network)
