"""Whether two searches begin with one parent: the same supernet, trained alike, from which each goes on in its way.

Weights, batches and paths come from streams by name, so two partition searches of one seed whose first phase is set
alike train the same supernet, to the bit, whether it was trained once for both or twice.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from bench.store.spec import canonical

CHOOSING = frozenset({"candidates", "rests"})
"""Fields of a base that its training does not read, but for whether alpha rests."""


def parent_of(method: Mapping[str, Any]) -> str | None:
    """What decides about the first supernet of a method, from its identity, as one text; None for a search that cuts
    what was not trained, shrinks its phases to a budget, or trains no supernet of this kind. A one-shot search is the
    parent that others go on from."""
    config = method["config"]
    if "training" in config and "levels" not in config:
        return _described(method, config["training"]["epochs"], alpha_waits=False, schedule=None)
    base, levels = config.get("base"), config.get("levels")
    if not isinstance(base, Mapping) or not levels or not levels[0] or config.get("protocol") != "paper":
        return None
    whole = config.get("period") != "chain" or (config.get("inherit") == "state" and not config.get("restart"))
    schedule = [config.get(name) for name in ("period", "levels", "tuning", "final")] if whole else None
    return _described(base, levels[0], config.get("alpha_waits"), schedule)


def _described(base: Mapping[str, Any], epochs: float, alpha_waits: Any, schedule: Any) -> str:
    settings = base["config"]
    training = {name: value for name, value in settings.items() if name not in CHOOSING}
    of = {"name": base["name"], "version": base["version"], **training, "rests": bool(settings.get("rests"))}
    return canonical({"base": of, "epochs": epochs, "alpha_waits": alpha_waits, "schedule": schedule})


def apart(methods: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Of methods by label, one line for each that does not begin as most of them do, with what is different."""
    begun = {label: parent_of(method) for label, method in methods.items()}
    common, many = Counter(filter(None, begun.values())).most_common(1)[0] if any(begun.values()) else ("", 0)
    if many < 2:
        return []
    first = next(label for label, parent in begun.items() if parent == common)
    told = {label: "no parent of its own" if p is None else _different(p, common) for label, p in begun.items()}
    return [f"{label} does not begin as {first} does: {why}" for label, why in told.items() if why]


def _different(one: str, other: str) -> str:
    return ", ".join(differing(json.loads(one), json.loads(other)))


def differing(one: Any, other: Any, name: str = "") -> list[str]:
    """The dotted names of the values in which two JSON objects differ."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        names = sorted(one.keys() | other.keys())
        return [path for k in names for path in differing(one.get(k), other.get(k), f"{name}.{k}".lstrip("."))]
    return [] if one == other else [name]
