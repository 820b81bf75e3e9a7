"""Files that the program can use but does not bring along: where they are, how large, and what hash they have.

All of it stands in `sources.toml`, which a person can read and change.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from bench.errors import BadData, UnknownName
from bench.store import names

LIST = Path(__file__).with_name("sources.toml")
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Remote:
    """One file. What is not known of it is None."""

    name: str
    page: str  # where a person finds it
    url: tuple[str, ...]  # in the order in which they are tried
    size: int | None = None  # bytes
    sha256: str | None = None
    md5: str | None = None
    md5_ends: str | None = None  # all that was published of the hash
    folder: str = ""  # below the data folder

    @property
    def identified(self) -> bool:
        """Whether a whole hash vouches for the content."""
        return bool(self.sha256 or self.md5)

    def check(self, path: Path) -> None:
        """Raises BadData, in one line, unless the file has the size and the hash that are known."""
        found = path.stat().st_size
        if self.size is not None and found != self.size:
            short = f"{path} is {found:,} of {self.size:,} bytes"
            raise BadData(f"{short}{': it is cut off' if found < self.size else ''}; move it away and fetch it again")
        for kind, wanted in (("sha256", self.sha256), ("md5", self.md5), ("md5", self.md5_ends)):
            if wanted and not (digest := file_hash(path, kind)).endswith(wanted):
                raise BadData(
                    f"{path} has {kind.upper()} {digest}, expected {'' if len(wanted) > 20 else '…'}{wanted}: "
                    "damaged, or another version; fetch it again"
                )


@dataclass(frozen=True)
class Collection:
    """What is fetched under one name."""

    name: str
    title: str
    files: tuple[Remote, ...]


def file_hash(path: Path, kind: str) -> str:
    """A file's hash in hexadecimal, read in blocks."""
    state = hashlib.new(kind, usedforsecurity=False)
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            state.update(block)
    return state.hexdigest()


def read_list(path: Path) -> dict[str, Collection]:
    """The collections of a list. Raises BadData where it cannot be read."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        return {name: _collection(name, entry) for name, entry in content.items()}
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise BadData(f"{path} is no list of sources ({error}); restore it") from None


@lru_cache
def collections() -> dict[str, Collection]:
    """The collections of the program's own list, by name."""
    return read_list(LIST)


def collection(name: str) -> Collection:
    """The collection of that name. Raises UnknownName."""
    if name not in collections():
        raise UnknownName("file set", name, collections())
    return collections()[name]


def known_file(name: str) -> Remote | None:
    """The listed file of that name, or None."""
    return next((file for entry in collections().values() for file in entry.files if file.name == name), None)


def _collection(name: str, entry: Mapping[str, object]) -> Collection:
    files = entry["files"]
    if not isinstance(files, list):
        raise TypeError(f"{name}.files is no list")
    made = tuple(Remote(**{**file, "url": tuple(file["url"])}) for file in files)
    for file in made:
        names.checked(file.name, f"a file of {name}", BadData)
        for part in Path(file.folder).parts:
            names.checked(part, f"a folder of {name}", BadData)
    return Collection(name, str(entry["title"]), made)
