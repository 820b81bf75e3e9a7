"""The spaces by name. Adding one is a file here with a `SPACE`, and a line below.

From outside a package announces one by an entry point (`bench.plugins`), and `register` adds one in this process.
"""

from __future__ import annotations

from functools import lru_cache

from bench import plugins
from bench.errors import BadPlugin, BadSpace, UnknownName
from bench.spaces import accel, darts, macro, nb201, toy, toy_darts
from bench.spaces.space import Space

_HOUSE: tuple[Space, ...] = (nb201.SPACE, toy.SPACE, toy_darts.SPACE, macro.SPACE, accel.SPACE, *darts.SPACES)
SPACES: dict[str, Space] = {space.name: space for space in _HOUSE}
GROUP: plugins.Group = "supernet_bench.spaces"
HOUSE = frozenset(SPACES)
"""Those that come with the program."""


def get(name: str) -> Space:
    """The space of that name. Raises UnknownName with the nearest one, BadPlugin where it is one from outside that
    cannot be had."""
    if name in SPACES:
        return SPACES[name]
    if name not in names():
        raise UnknownName("space", name, names())
    return _plugged(name)


def known(name: str) -> Space | None:
    """The space of that name; None where there is none here that can be had."""
    try:
        return get(name)
    except (UnknownName, BadPlugin):
        return None


def names() -> list[str]:
    """Of all spaces, those from outside too. Imports nothing."""
    return list(dict.fromkeys([*SPACES, *(entry.name for entry in plugins.entries(GROUP))]))


def offered() -> dict[str, Space]:
    """All spaces that can be had, by name; those from outside are imported."""
    return {name: space for name in names() if (space := known(name)) is not None}


def broken() -> list[str]:
    """One line for each space from outside that cannot be had; they are imported."""
    found = []
    for entry in plugins.entries(GROUP):
        try:
            _checked(entry)
        except BadPlugin as error:
            found.append(str(error))
    return found


def package_of(name: str) -> str | None:
    """The package that a space comes from, where that is not the program."""
    return next((e.package for e in plugins.entries(GROUP) if e.name == name and name not in SPACES), None)


def _plugged(name: str) -> Space:
    """The space from outside of that name. Raises BadPlugin."""
    return _checked(next(entry for entry in plugins.entries(GROUP) if entry.name == name))


def _checked(entry: plugins.Entry) -> Space:
    """The space of an entry, whose name is its alone. Raises BadPlugin."""
    if entry.name in SPACES:
        raise entry.refused("a space of that name is there already")
    others = [other for other in plugins.entries(GROUP) if other.name == entry.name and other != entry]
    if others:
        raise entry.refused(f"{others[0].distribution} has a space of that name too, so neither is taken")
    return _loaded(entry)


@lru_cache
def _loaded(entry: plugins.Entry) -> Space:
    found = entry.load()
    if not isinstance(found, Space):
        raise entry.refused(f"{entry.value} is no Space, but {type(found).__name__}")
    if found.name != entry.name:
        raise entry.refused(f"it is a space {found.name!r}; give the entry that name")
    return found


def judged_by(name: str) -> str:
    """The name of the space whose population a space is judged by; of a space that is not known here, its own."""
    space = known(name)
    return name if space is None else space.population.space.name


def register(space: Space) -> Space:
    """Make a space of your own known by its name, in this process. Raises BadSpace where another has that name."""
    if SPACES.setdefault(space.name, space) != space:
        raise BadSpace(f"there is another space {space.name!r}; give yours a name of its own")
    return space
