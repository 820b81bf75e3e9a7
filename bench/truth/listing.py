"""The architectures of a table: the population of its space, or another stated list, in the space's notation."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from bench.errors import BadGenotype, BadTable
from bench.spaces.space import Everything, Genotype, Population, Space
from bench.truth import parquet

_HASHES = {"nb201": "0d06701abd08d1131a75aeae1b759167"}  # of `of(everything)`: to list 15,625 names takes 0.2 s


class Listed(Population):
    """Some architectures of a space, in the order given; `about` says which: "100 drawn at random".

    Raises BadTable for one that stands twice, for none, and where `about` does not start with their number.
    """

    whole = False

    def __init__(self, space: Space, genotypes: Sequence[Genotype], about: str) -> None:
        super().__init__(space)
        self._genotypes, self._about = tuple(space.check(genotype) for genotype in genotypes), about
        if not self._genotypes or len(set(self._genotypes)) < len(self._genotypes):
            raise BadTable("a list of architectures takes one or more, all different")
        if about.split(" ", 1)[0] != f"{len(self):,}":
            raise BadTable(f"says of its architectures {about!r}, but it lists {len(self):,}; say '{len(self):,} …'")

    @property
    def about(self) -> str:
        """How many, and which."""
        return self._about

    def __len__(self) -> int:
        return len(self._genotypes)

    @property
    def architectures(self) -> Sequence[Genotype]:
        """As given."""
        return self._genotypes


@lru_cache
def everything(space: Space) -> Population:
    """All architectures of a space, also where its own population is a sample."""
    return space.population if space.population.whole else Everything(space)


def of(population: Population) -> list[str]:
    """All architectures, one string per row."""
    return [population.space.show(genotype) for genotype in population]


@lru_cache
def known_hash(population: Population) -> str:
    """`parquet.listing_hash` of the rows."""
    stored = _HASHES.get(population.space.name) if population.whole else None
    return stored or parquet.listing_hash(of(population))


def same(one: Population, other: Population) -> bool:
    """Whether two are the same architectures of one space, in the same order."""
    return one is other or (one.space.name == other.space.name and known_hash(one) == known_hash(other))


def restored(archs: Sequence[str], space: Space, about: str) -> Population:
    """The population of a file's rows: that of the space where they are this, else a list. Raises BadTable."""
    seen: dict[Genotype, int] = {}
    for row, arch in enumerate(archs):
        genotype = _parsed(space, row, arch)
        if genotype in seen:
            raise BadTable(f"architecture {arch} stands twice, in rows {seen[genotype]} and {row}")
        seen[genotype] = row
    own = space.population
    return own if own.about == about and list(seen) == list(own) else Listed(space, list(seen), about)


def fault(archs: Sequence[str], population: Population) -> str:
    """What is wrong with rows whose hash is not that of the population."""
    space, seen = population.space, dict[int, int]()
    for row, arch in enumerate(archs):
        try:
            position = population.row(_parsed(space, row, arch))
        except BadGenotype as error:
            return f"row {row} is wrong: {error}"
        except BadTable as error:
            return str(error)
        if position in seen:
            return f"architecture {arch} stands twice, in rows {seen[position]} and {row}"
        seen[position] = row
    missing = [position for position in range(len(population)) if position not in seen]
    if missing:
        first = space.show(population.at(missing[0]))
        return f"{len(missing)} of {len(population)} architectures are missing, e.g. {first}"
    row = min(row for position, row in seen.items() if position != row)
    return f"row {row} holds {archs[row]}, where {space.show(population.at(row))} belongs: rows go by position"


def _parsed(space: Space, row: int, arch: str) -> Genotype:
    try:
        return space.parse(arch)
    except BadGenotype as error:
        raise BadTable(f"row {row} names no architecture of {space.name}: {error}") from None
