"""Seals: every file of ours holds a hash of what it says, so that no change of it goes unseen.

A seal is of the content, not of the bytes: another indent of JSON, another version of a library leaves it as it is.
It tells damage and careless edits, not forgery: whoever means to can compute it anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bench.store.spec import canonical

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAME = "seal"
BROKEN = "its content is not what it was sealed with: it was damaged or edited"


def of(content: Any) -> str:
    """The seal of JSON values, 32 hexadecimal digits."""
    return hashlib.blake2b(canonical(content).encode(), digest_size=16).hexdigest()


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """The object with its seal in it."""
    return {**content, NAME: of(content)}


def opened(content: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """The object without its seal, and whether it had one: older files have none. Raises ValueError where it is
    broken."""
    inside = {name: value for name, value in content.items() if name != NAME}
    there = NAME in content
    if there and content[NAME] != of(inside):
        raise ValueError(BROKEN)
    return inside, there


def of_arrays(arrays: Mapping[str, NDArray[Any]], beside: str = "") -> str:
    """The seal of arrays by name, and of a text that goes with them: kinds, shapes and values."""
    state = hashlib.blake2b(beside.encode(), digest_size=16)
    for name in sorted(arrays):
        values = arrays[name]
        text = values.dtype.kind in "US"  # as wide as the longest, which may not be among them
        state.update(f"\0{name}\0{'U' if text else values.dtype.str[1:]}{values.shape}\0".encode())
        if text:
            state.update("\n".join(map(str, values.tolist())).encode())
        else:
            state.update(values.astype(values.dtype.newbyteorder("<"), order="C", copy=False).tobytes())
    return state.hexdigest()


def require(found: str | None, wanted: str) -> bool:
    """Whether there is a seal, which holds. Raises ValueError where it is broken."""
    if found is not None and found != wanted:
        raise ValueError(BROKEN)
    return found is not None
