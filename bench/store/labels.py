"""Labels: the printed name of a method and, in brackets, the settings that are changed in it: `darts(order=2)`."""

from __future__ import annotations

from collections.abc import Mapping

from bench.errors import BadSpec


def parsed(label: str) -> tuple[str, dict[str, str]]:
    """The name and the settings of `darts(order=2, training.epochs=10)`. Raises BadSpec."""
    name, bracket, inside = label.partition("(")
    if bracket and not inside.endswith(")"):
        raise BadSpec(f"method {label!r}: settings stand in one pair of brackets, as in darts(order=2)")
    pairs = [part.partition("=") for part in inside[:-1].split(", ") if part]
    if not all(equals for _, equals, _ in pairs):
        raise BadSpec(f"method {label!r}: settings are FIELD=VALUE, parted by a comma and a space")
    return name, {field: value for field, _, value in pairs}


def printed(name: str, settings: Mapping[str, str]) -> str:
    """The inverse of `parsed`, settings in the order of the alphabet."""
    if not settings:
        return name
    return f"{name}({', '.join(f'{field}={value}' for field, value in sorted(settings.items()))})"
