"""The spaces by name. Adding one is a file here with a `SPACE`, and a line below."""

from __future__ import annotations

from bench.errors import UnknownName
from bench.spaces import nb201, toy
from bench.spaces.space import Space

SPACES: dict[str, Space] = {space.name: space for space in (nb201.SPACE, toy.SPACE)}


def get(name: str) -> Space:
    """The space of that name. Raises UnknownName with the nearest one."""
    try:
        return SPACES[name]
    except KeyError:
        raise UnknownName("space", name, SPACES) from None
