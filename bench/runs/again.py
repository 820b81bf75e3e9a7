"""The spec of a run that was made, from the identity in its record: what `rerun` and `verify` make again."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any

from bench import spaces
from bench.errors import BadSpec, UnknownName
from bench.plugins import packages
from bench.store.record import Record
from bench.store.spec import SCALES, RunSpec, Scale, kinds

PART = frozenset({"name", "version", "config"})
"""The fields of a method, and of a part with a version, in an identity (`spec.described`)."""


def spec_of(record: Record) -> RunSpec:
    """The run as this version makes it. Raises BadSpec where a method of that name, version or settings is not here any
    more, or where the record is of no search, or of a space that is not known."""
    identity = record.identity
    preset = str(identity["scale"]["name"]).partition("+")[0]
    if preset not in SCALES:  # of NASLib's searches on a table, say
        raise BadSpec(f"run {record.key[:8]} ({record.label}) is of scale {preset}, which no search of `run` has")
    if "estimated" in identity:
        raise BadSpec(
            f"run {record.key[:8]} ({record.label}) is a search that was estimated anew by other statistics; make the "
            "search again, then `python -m bench estimate`"
        )
    try:
        spaces.get(identity["space"])
        method = made(identity["method"])
        scale = Scale(**identity["scale"])
        spec = RunSpec(record.label, method, identity["space"], identity["dataset"], identity["seed"], scale)
    except (BadSpec, UnknownName, TypeError, ValueError, KeyError) as error:
        raise BadSpec(_refusal(record, str(error))) from None
    if spec.key != record.key:
        raise BadSpec(_refusal(record, f"it has the key {spec.key} here"))
    return spec


def _refusal(record: Record, why: str) -> str:
    made_with = record.place.get("plug_ins", {})
    gone = [f"{name} {one['version']}" for name, one in made_with.items() if name not in packages()]
    commit = record.place.get("commit")
    if gone:
        return f"run {record.key[:8]} ({record.label}) was made with {', '.join(gone)}, which is not here; install it"
    where = f"check out {commit[:8]}, which made it" if commit else "take the version of the program that made it"
    return f"run {record.key[:8]} ({record.label}) cannot be made by this version: {why}; {where}"


def made(part: Mapping[str, Any]) -> Any:
    """A method, or a part of one, from what `spec.described` said of it. Raises BadSpec."""
    import methods  # by name, at run time: no module of `bench` depends on a method

    kind = methods.part(part["name"])
    if kind.version != part["version"]:
        raise BadSpec(f"{part['name']} has version {kind.version} here, the run has version {part['version']}")
    return _with_fields(kind, part["config"])


def _with_fields(kind: Any, values: Mapping[str, Any]) -> Any:
    """A dataclass with these fields, as JSON has them; the others at their defaults (see `spec.added`)."""
    named = kinds(kind)
    return kind(**{name: _value(named.get(name, Any), value) for name, value in values.items()})


def _value(kind: Any, value: Any) -> Any:
    if isinstance(value, Mapping):
        if set(value) == PART:
            return made(value)
        inside = next((one for one in _members(kind) if dataclasses.is_dataclass(one)), None)
        if inside is None:
            raise BadSpec(f"a setting holds {sorted(value)}, and no part of a method here has these")
        return _with_fields(inside, value)
    if isinstance(value, list):
        inner = next((typing.get_args(one) for one in _members(kind) if typing.get_origin(one) is tuple), ())
        if not inner:
            return _tuple(value)
        each = [inner[0]] * len(value) if inner[-1] is ... else inner
        return tuple(_value(one, item) for one, item in zip(each, value, strict=True))
    return value


def _members(kind: Any) -> tuple[Any, ...]:
    """The kinds of a union, or the kind itself."""
    args = typing.get_args(kind)
    return args if args and typing.get_origin(kind) not in (tuple, typing.Literal) else (kind,)


def _tuple(value: Any) -> Any:
    return tuple(map(_tuple, value)) if isinstance(value, list) else value
