"""The architectures of a space as the rows of its tables: official strings in the order of `Space.position`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from bench.errors import BadGenotype
from bench.spaces.space import Space
from bench.truth import parquet

_HASHES = {"nb201": "0d06701abd08d1131a75aeae1b759167"}  # of `of(space)`: to list 15,625 names takes 0.2 s


def of(space: Space) -> list[str]:
    """All architectures, one string per row."""
    return [space.show(genotype) for genotype in space.population]


@lru_cache
def known_hash(space: Space) -> str:
    """`parquet.listing_hash` of the space's rows."""
    return _HASHES.get(space.name) or parquet.listing_hash(of(space))


def fault(archs: Sequence[str], space: Space) -> str:
    """What is wrong with rows whose hash is not that of the space."""
    seen: dict[int, int] = {}
    for row, arch in enumerate(archs):
        try:
            position = space.population.row(space.parse(arch))
        except BadGenotype as error:
            return f"row {row} names no architecture of {space.name}: {error}"
        if position in seen:
            return f"architecture {arch} stands twice, in rows {seen[position]} and {row}"
        seen[position] = row
    missing = [position for position in range(space.size) if position not in seen]
    if missing:
        first = space.show(space.population.at(missing[0]))
        return f"{len(missing)} of {space.size} architectures are missing, e.g. {first}"
    row = min(row for position, row in seen.items() if position != row)
    return f"row {row} holds {archs[row]}, where {space.show(space.population.at(row))} belongs: rows go by position"
