"""The names of image sets that a person brings: `shapes-1f3a9c20b7d4`, the person's word and a digest of the images.

The word is for readers. A run's key is made of the digest alone, so that the same images under another word are the
same run, and other images under the same word are another.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

DIGITS = 12
"""Hexadecimal digits of the digest in a name; a record holds all of it, too."""

_NAME = re.compile(rf"(?P<word>.+)-(?P<digest>[0-9a-f]{{{DIGITS}}})")


@dataclass(frozen=True)
class Own:
    """A name in its parts."""

    word: str  # "shapes", or "shapes-32px" where pictures were brought to 32 pixels a side
    digest: str

    @property
    def name(self) -> str:
        """As records have it."""
        return f"{self.word}-{self.digest}"


def own(dataset: str) -> Own | None:
    """The parts of such a name; None for the name of another set."""
    found = _NAME.fullmatch(dataset)
    return None if found is None else Own(found["word"], found["digest"])


def content(dataset: str) -> str:
    """What the key of a run says of its image set: the digest of one's own images, else the name."""
    found = own(dataset)
    return dataset if found is None else f"own-{found.digest}"
