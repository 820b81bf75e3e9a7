"""JSON and its schema, read strictly: what is not exactly as it should be is refused in one line, in every reader.

The text is parsed by `json` of the standard library, which alone can be told of duplicate keys. Kinds are checked by
msgspec against annotated types: it is imported in 20 ms, where pydantic takes ten times as long, and it takes neither
`True` for 1 nor "1" for 1.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

DEEPEST = 60
"""Levels of lists and objects in one another."""
LARGEST = 2**63


def parsed(content: bytes | str) -> Any:
    """The value of a JSON text in UTF-8. Raises ValueError, in one line, where it is no JSON, has a key twice in one
    object, a number that is not finite or has more than 64 bits, or is nested more than `DEEPEST` deep."""
    try:
        text = content.decode() if isinstance(content, bytes) else content
        value = json.loads(
            text, object_pairs_hook=_once, parse_constant=_not_finite, parse_int=_whole, parse_float=_finite
        )
        _require_shallow(value, DEEPEST)
    except UnicodeDecodeError as error:
        raise ValueError(f"it is no UTF-8 text, from byte {error.start}") from None
    except RecursionError:
        raise ValueError(f"it is nested more than {DEEPEST} deep") from None
    return value


def require(kind: Any, value: Any) -> None:
    """Raises ValueError, in one line with the place, unless a parsed value is of that annotated kind.

    Keys that a `TypedDict` does not name are let through.
    """
    import msgspec  # here: most commands read no file of ours

    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise ValueError(str(error).replace("`", "")) from None


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:60]!r} stands twice in one object")
    return found


def _not_finite(name: str) -> Any:
    raise ValueError(f"{name} is not a finite number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is not a finite number")
    return value


def _whole(text: str) -> int:
    if len(text) > 20 or not -LARGEST <= (value := int(text)) < LARGEST:
        raise ValueError(f"{text[:40]} has more than 64 bits")
    return value


def _require_shallow(value: Any, left: int) -> None:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if inside and not left:
        raise RecursionError
    for one in inside:
        if isinstance(one, (dict, list)):
            _require_shallow(one, left - 1)
