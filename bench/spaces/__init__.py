"""The spaces by name. Adding one is a file here with a `SPACE`, and a line below; `register` adds one from outside."""

from __future__ import annotations

from bench.errors import BadSpace, UnknownName
from bench.spaces import accel, darts, macro, nb201, toy, toy_darts
from bench.spaces.space import Space

_HOUSE: tuple[Space, ...] = (nb201.SPACE, toy.SPACE, toy_darts.SPACE, macro.SPACE, accel.SPACE, *darts.SPACES)
SPACES: dict[str, Space] = {space.name: space for space in _HOUSE}
HOUSE = frozenset(SPACES)
"""Those that come with the program."""


def get(name: str) -> Space:
    """The space of that name. Raises UnknownName with the nearest one."""
    try:
        return SPACES[name]
    except KeyError:
        raise UnknownName("space", name, SPACES) from None


def judged_by(name: str) -> str:
    """The name of the space whose population a space is judged by; of a space that is not known here, its own."""
    return SPACES[name].population.space.name if name in SPACES else name


def register(space: Space) -> Space:
    """Make a space of your own known by its name, in this process. Raises BadSpace where another has that name."""
    if SPACES.setdefault(space.name, space) != space:
        raise BadSpace(f"there is another space {space.name!r}; give yours a name of its own")
    return space
