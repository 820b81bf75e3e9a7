"""Whether two searches begin with one parent: the same supernet, trained alike, from which each goes on in its way.

Weights, batches and paths come from streams by name, so two partition searches of one seed whose first phase is set
alike train the same supernet, to the bit, whether it was trained once for both or twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.store.spec import canonical

CHOOSING = frozenset({"candidates", "rests"})
"""Fields of a base that its training does not read, but for whether alpha rests."""


def parent_of(method: Mapping[str, Any]) -> str | None:
    """What decides about the first supernet of a method, from its identity, as one text; None for a search that cuts
    nothing, cuts what was not trained, or shrinks its phases to a budget."""
    config = method["config"]
    base, levels = config.get("base"), config.get("levels")
    if not isinstance(base, Mapping) or not levels or not levels[0] or config.get("protocol") == "fair":
        return None
    training = {name: value for name, value in base["config"].items() if name not in CHOOSING}
    whole = config.get("period") != "chain" or (config.get("inherit") == "state" and not config.get("restart"))
    described = {
        "base": [base["name"], base["version"], training, bool(base["config"].get("rests"))],
        "epochs": levels[0],
        "alpha_waits": config.get("alpha_waits"),
        "schedule": [config.get(name) for name in ("period", "levels", "tuning", "final")] if whole else None,
    }
    return canonical(described)
