"""What identifies a run: method with every field, space, image set, seed and scale, as one canonical JSON text.

A field that came later is spelt out only where it differs from what was done before it came (`added`).

The key of a run is a hash of that text, so two runs share a key exactly when nothing that is written here differs.
Not in the key: the code's digest, the machine, the pool. A change of behaviour raises `version` of the method.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import typing
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeVar

from bench.errors import BadSpec, UnknownName
from bench.store import names, own

SCHEMA = 1
"""Raised when the meaning of a spec's text changes."""


T = TypeVar("T")


def added(default: T) -> T:
    """A field that was added when records existed. At its default, which must be what the code did before, it is left
    out of the identity: those records keep their keys, and are found by the specs of today."""
    return field(default=default, metadata={"added": True})


@dataclass(frozen=True)
class Scale:
    """How much of the papers' size a run has. Methods keep the papers' numbers; the scale shrinks them.

    It is part of the key, printed in every caption, and two scales never share a panel.
    """

    name: str
    channels: int  # of the supernet's first stage
    cells: int  # per stage
    train_images: int  # of the training part
    valid_images: int  # of the validation part
    epochs: float  # factor on every epoch count of a method; at least one epoch remains
    probe: int  # architectures estimated after the search; 0 is the whole space
    probe_images: int  # validation images for one estimate; 0 is all
    draw: Literal["first", "stratified"] = added("first")  # which, of fewer than all; stratified: other ones every seed
    evaluation_batch: int = added(500)  # images of one batch of estimates: large, as its statistics are the only ones
    parts: bool = added(False)  # whether epochs may have parts, in whole steps; a phase of 0.3 is 1 epoch otherwise
    least_steps: int = added(1)  # of any phase of a supernet under a budget; what gives one fewer is refused

    def check(self) -> None:
        """Raises BadSpec, UnknownName for a field that holds what it cannot."""
        require_range(self, 1, "channels", "cells", "train_images", "valid_images", "evaluation_batch", "least_steps")
        require_range(self, 0, "epochs", "probe", "probe_images")
        check_choices(self)

    def epochs_of(self, papers: int) -> float:
        """The number of epochs that a paper's number becomes."""
        if papers < 1:
            raise BadSpec(f"epochs must be 1 or more, got {papers}")
        return papers * self.epochs if self.parts else max(1, round(papers * self.epochs))

    def times_of(self, papers: int) -> int:
        """The number of times that a paper's number of something that is as whole as a batch becomes."""
        return max(1, round(papers * self.epochs))

    @property
    def estimated_on(self) -> int | None:
        """Validation images for one estimate; None for all."""
        return self.probe_images or None


SCALES: dict[str, Scale] = {
    scale.name: scale
    for scale in (
        Scale("smoke", 4, 1, 512, 256, 0.02, 40, 128),
        Scale("quick", 8, 1, 4_000, 2_000, 0.2, 3_000, 250),
        Scale("first", 8, 1, 24_000, 6_000, 0.08, 250, 0, "stratified", parts=True, least_steps=10),
        Scale("decisive", 8, 1, 24_000, 6_000, 0.1, 1_000, 0, "stratified", parts=True, least_steps=100),
        Scale("small", 8, 1, 12_000, 6_000, 0.4, 0, 500),
        Scale("mini", 8, 1, 10_000, 5_000, 0.1, 2_000, 200),
        Scale("wide", 16, 2, 25_000, 25_000, 0.08, 1_000, 500),
        Scale("paper", 16, 5, 25_000, 25_000, 1.0, 0, 1_000),
    )
}


def scale_named(name: str, settings: Mapping[str, str] | None = None) -> Scale:
    """The preset of that name, or with fields replaced, which its name then tells: `quick+train_images=24000`.

    Raises UnknownName with the nearest preset or field, BadSpec for a value that a field cannot take.
    """
    if name not in SCALES:
        raise UnknownName("scale", name, SCALES)
    changes = {field.replace("-", "_"): text for field, text in (settings or {}).items()}
    if "name" in changes:
        raise BadSpec("the name of a scale says what was changed in it, and is not set")
    made: Scale = with_settings(SCALES[name], changes)
    return _renamed(made, {field: getattr(made, field) for field in changes})


def resized(scale: Scale, **fields: Any) -> Scale:
    """The scale with fields replaced, named as if all that was changed in its preset had been changed at once."""
    changes = {field: value for field, value in fields.items() if value != getattr(scale, field)}
    made = replace(scale, **changes)
    made.check()
    return _renamed(made, changes)


def _renamed(scale: Scale, changes: Mapping[str, Any]) -> Scale:
    name, *before = scale.name.split("+")
    told = {**{text.partition("=")[0]: text for text in before}, **{f: f"{f}={value}" for f, value in changes.items()}}
    return replace(scale, name="+".join([name, *(told[field] for field in sorted(told))]))


def scale_typed(name: str) -> str:
    """The options of `run` that give a scale of that name: `--scale quick --scale.train-images 24000`; empty where
    there are none, as for searches on a table."""
    preset, *changes = name.split("+")
    pairs = [change.partition("=") for change in changes]
    told = " ".join(f"--scale.{field.replace('_', '-')} {value}" for field, _, value in pairs)
    return f"--scale {preset} {told}".strip() if preset in SCALES else ""


@dataclass(frozen=True)
class RunSpec:
    """One run to be made, or made. `method` is a frozen dataclass whose fields are its hyper-parameters."""

    label: str  # how tables name the method; not part of the identity
    method: Any  # a Method; Any because specs do not import torch
    space: str
    dataset: str
    seed: int
    scale: Scale

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise BadSpec(f"seed {self.seed} is not allowed; seeds are 0, 1, 2, …")
        names.labelled(self.label)
        names.checked(self.dataset, "an image set")
        check_choices(self.method)
        self.scale.check()

    @property
    def identity(self) -> dict[str, Any]:
        """Everything the key is made of, as plain JSON values."""
        return {
            "schema": SCHEMA,
            "method": described(self.method),
            "space": self.space,
            "dataset": self.dataset,
            "seed": self.seed,
            "scale": plain(self.scale),
        }

    @property
    def key(self) -> str:
        """16 hexadecimal digits."""
        return key_of(self.identity)


def key_of(identity: Mapping[str, Any]) -> str:
    """The key of an identity, read back from a record or not. Of a person's own images their content counts, not what
    the person calls them."""
    if isinstance(dataset := identity.get("dataset"), str):
        identity = {**identity, "dataset": own.content(dataset)}
    return hashlib.blake2b(canonical(identity).encode(), digest_size=8).hexdigest()


def canonical(value: Any) -> str:
    """JSON with sorted keys, no spaces and no NaN: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=True)


def described(part: Any) -> dict[str, Any]:
    """A method, or a part that methods are put together from: its name, its version and every field."""
    kind = type(part)
    name = f"{kind.__module__.removeprefix('methods.')}.{kind.__qualname__}"
    return {"name": name, "version": kind.version, "config": plain(part)}


def plain(value: Any) -> Any:
    """A dataclass, nested or not, as JSON values; every field spelt out, defaults included (see `added`).

    A field that holds one of several kinds of part, told by its `version`, says which kind it holds.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        inside = {
            f.name: getattr(value, f.name)
            for f in dataclasses.fields(value)
            if not (f.metadata.get("added") and getattr(value, f.name) == f.default)
        }
        return {name: described(v) if hasattr(v, "version") else plain(v) for name, v in inside.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise BadSpec(f"{value} cannot be part of a configuration; use a finite number")
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise BadSpec(f"a configuration holds numbers, text, tuples and dataclasses, not {type(value).__name__}")


def require_range(owner: Any, low: float, *names: str, below: float = math.inf) -> None:
    """Raises BadSpec unless these fields, or all members of one, are `low` or more and less than `below`."""
    for name in names:
        value = getattr(owner, name)
        for number in value if isinstance(value, tuple) else (value,):
            if not low <= number < below:  # not a number is in no range
                bound = "" if below == math.inf else f" and less than {below}"
                raise BadSpec(f"{name} must be {low} or more{bound}, got {number}")


def check_choices(part: Any, path: str = "") -> None:
    """Raises UnknownName where a field of a `Literal` kind, at any depth, holds none of its choices, BadSpec where one
    of another kind holds what is not of that kind.

    Settings that are typed are read as their kind; a dataclass made in Python takes whatever it is given.
    """
    for item in part if isinstance(part, (list, tuple)) else (part,):
        for one in dataclasses.fields(item) if _has_fields(item) else ():
            name, value = f"{path}.{one.name}".lstrip("."), getattr(item, one.name)
            _require_kind(kinds(item.__class__).get(one.name, Any), value, name)
            check_choices(value, name)


def _require_kind(kind: Any, value: Any, name: str) -> None:
    from typeguard import CollectionCheckStrategy, TypeCheckError, check_type  # pydantic takes True for 1

    try:
        check_type(value, kind, collection_check_strategy=CollectionCheckStrategy.ALL_ITEMS)
    except TypeCheckError as error:
        if typing.get_origin(kind) is typing.Literal:
            raise UnknownName(f"value of {name}", str(value), map(str, typing.get_args(kind))) from None
        raise BadSpec(f"{name}: {error}") from None


def _has_fields(part: Any) -> bool:
    return dataclasses.is_dataclass(part) and not isinstance(part, type)


@lru_cache
def kinds(owner: Hashable) -> Mapping[str, Any]:
    """The kind of every field of a dataclass."""
    try:
        return typing.get_type_hints(owner)
    except NameError:  # a name that only a type checker knows, or a class within a function: nothing is told of kinds
        return {}


def with_settings(method: Any, settings: Mapping[str, str]) -> Any:
    """The method with fields replaced: `{"order": "2", "training.epochs": "10"}`.

    Raises UnknownName for a field that does not exist, BadSpec for a value of the wrong kind.
    """
    for path, text in settings.items():
        method = _replaced(method, path.split("."), text, path)
    return method


def _replaced(owner: Any, path: list[str], text: str, whole: str) -> Any:
    name, *rest = path
    if not _has_fields(owner):
        raise BadSpec(f"{whole!r} names a field of {owner!r}, which has none; set what stands before the last dot")
    names = [f.name for f in dataclasses.fields(owner)]
    if name not in names:
        raise UnknownName(f"setting of {type(owner).__name__}", name, names)
    if rest:
        value = _replaced(getattr(owner, name), rest, text, whole)
    else:
        value = _read(text, kinds(owner.__class__).get(name, Any), whole)
    return dataclasses.replace(owner, **{name: value})


def _read(text: str, kind: Any, name: str) -> Any:
    """The text as a value of the kind; members of a tuple are parted by commas."""
    from cyclopts import CycloptsError, Token

    from bench.store.typed import read, refused

    if text.lower() == "none" and type(None) in typing.get_args(kind):
        return None
    if not _is_plain(kind):
        if text.endswith(FILE) and (groups := [one for one in (kind, *typing.get_args(kind)) if _is_group(one)]):
            return _of_file(Path(text), groups[0], name)
        raise BadSpec(f"{name} cannot be set here; name one of its fields, as in {name}.FIELD=VALUE")
    several = any(typing.get_origin(one) is tuple for one in (kind, *typing.get_args(kind)))
    try:
        return read(kind, [Token(value=part) for part in text.split(",") if part] if several else [Token(value=text)])
    except CycloptsError as error:
        raise refused(error, name) from None


FILE, ABOUT = ".json", "about"
"""How the name of a file of settings ends; and its key for whatever is to be said of it, which is no setting."""


def _is_group(kind: Any) -> bool:
    """Whether settings of that kind stand together and are of one kind alone, as a table of latencies does."""
    return isinstance(kind, type) and dataclasses.is_dataclass(kind) and "version" not in kinds(kind)


def _of_file(path: Path, kind: Any, name: str) -> Any:
    """The group of settings that a JSON file holds. Raises BadSpec in one line, which names the file."""
    import msgspec

    from bench.store import strict

    try:
        told = strict.parsed(path.read_bytes())
        strict.require(dict[str, Any], told)
        names = [field.name for field in dataclasses.fields(kind)]
        for odd in sorted(set(told) - {ABOUT, *names}):
            raise ValueError(str(UnknownName(f"setting of {kind.__name__}", odd, names)))
        return msgspec.convert({key: value for key, value in told.items() if key != ABOUT}, kind)
    except OSError as error:
        raise BadSpec(f"{name}: {path} cannot be read: {error.strerror}") from None
    except (ValueError, BadSpec, msgspec.ValidationError) as error:
        raise BadSpec(f"{name}: {path}: {str(error).replace('`', '')}") from None


def _is_plain(kind: Any) -> bool:
    """Whether values of the kind are one word, or several."""
    if typing.get_origin(kind) is typing.Literal or kind in (bool, int, float, str, type(None), ...):
        return True
    return bool(typing.get_args(kind)) and all(map(_is_plain, typing.get_args(kind)))
