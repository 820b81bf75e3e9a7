"""What `diff` prints: two runs field by field, where they differ: settings, outcome, cost, place and scores."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.cli import listing
from bench.cli.outcome import ended
from bench.errors import counted
from bench.store.record import Record, Results, Score, to_json

ABSENT = "\N{EN DASH}"
_NAMES_OF_A_SCORE = frozenset(  # what the record says too, and what is long and follows from the rest
    {*("key", "label", "method", "space", "dataset", "seed", "scale", "status", "architecture"), "truth", "target"}
    | {"cost", "curve", "pairs", "schema", "panel", "candidates", "visited"}
)


@dataclass(frozen=True)
class Field:
    """One value of two runs. `part` is settings, choice, cost, place or scores; None where a run has no such field."""

    part: str
    name: str  # dotted, as `method.config.training.epochs` or `weights.forward_images`
    a: Any
    b: Any

    @property
    def differs(self) -> bool:
        """Whether the two runs disagree."""
        return bool(self.a != self.b)


def fields(one: Record, other: Record, scores_of_one: list[Score], scores_of_other: list[Score]) -> list[Field]:
    """Every field of the two, side by side, part by part; a field that only one has is None in the other."""
    found = []
    for part, a, b in zip(
        ("settings", "choice", "cost", "place", "scores"),
        _parts(one, scores_of_one),
        _parts(other, scores_of_other),
        strict=True,
    ):
        found += [Field(part, name, a.get(name), b.get(name)) for name in {**a, **b}]
    return found


def show_diff(a: str, b: str, folder: Path, everything: bool, as_json: bool, beside: Path | None = None) -> int:
    """Print where the runs whose keys begin so differ, the second of the folder `beside` where one is named. The exit
    code is 1 where files were skipped. Raises UnknownName or BadRecord for a key that is not one."""
    results = Results(folder)
    others = results if beside is None else Results(beside)
    one = results.named(a)
    other = others.named(b or one.key)
    every = fields(one, other, list(results.scores_of(one.key)), list(others.scores_of(other.key)))
    results.damaged |= others.damaged
    shown = [field for field in every if everything or field.differs]
    same = len(every) - sum(field.differs for field in every)
    if as_json:
        sides = (one, results), (other, others)
        heads = [
            {"key": r.key, "label": r.label, "seed": r.identity["seed"], "results": str(at.root)} for r, at in sides
        ]
        print(json.dumps({"a": heads[0], "b": heads[1], "same": same, "fields": [to_json(f) for f in shown]}))
        return ended(results, 0)
    where = ("", "") if beside is None else (f" ({folder})", f" ({beside})")
    print(f"A  {_named(one)}{where[0]}\nB  {_named(other)}{where[1]}\n")
    if shown:
        listing.show([{"part": f.part, "field": f.name, **_texts(f)} for f in shown])
        print()
    different = len(every) - same
    verb = "differs" if different == 1 else "differ"
    print(f"{counted(different, 'field')} {verb}, {same} the same{'' if everything else ' (--all shows them)'}")
    return ended(results, 0)


def _parts(record: Record, scores: list[Score]) -> tuple[Mapping[str, Any], ...]:
    """Settings, choice, cost, place and scores of a run as flat names and values."""
    total = {name: value for name, value in record.cost.items() if name != "phases"}
    choice = {
        "status": record.status,
        "message": record.message,
        "architecture": record.architecture,
        "candidates": len(record.candidates),
        **{
            f"candidate {at}": {"genotype": " ".join(map(str, candidate.genotype)), "estimate": candidate.estimate}
            for at, candidate in enumerate(record.candidates, 1)
        },
        "estimates": record.estimates or {},
    }
    return (
        dict(_flat({"label": record.label, **record.identity})),
        dict(_flat(choice)),
        dict(_flat({"total": total, **record.cost.get("phases", {})})),
        dict(_flat(record.place)),
        dict(_flat({f"{s.truth}/{s.target}": _plain_score(s) for s in scores})),
    )


def _plain_score(score: Score) -> Mapping[str, Any]:
    """A score's own numbers, its panel among them, and the truth of each finalist."""
    own = {name: value for name, value in to_json(score).items() if name not in _NAMES_OF_A_SCORE}
    truths = {
        f"candidate {at}": {name: candidate[name] for name in ("valid", "test", "rank")}
        for at, candidate in enumerate(score.candidates, 1)
    }
    return {**own, **score.panel, **truths}


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted names and values; lists of objects are numbered from 1, other lists are one value."""
    if isinstance(value, (list, tuple)) and value and all(isinstance(item, Mapping) for item in value):
        value = {str(at): item for at, item in enumerate(value, 1)}
    if not isinstance(value, Mapping):
        yield name, value
        return
    for key, item in value.items():
        yield from _flat(item, f"{name}.{key}" if name else str(key))


def _named(record: Record) -> str:
    identity = record.identity
    return (
        f"{record.key}  {record.label} seed {identity['seed']}, {identity['space']} on {identity['dataset']}, "
        f"scale {identity['scale']['name']}: {record.status}"
    )


def _texts(field: Field) -> dict[str, str]:
    a, b = _text(field.a), _text(field.b)
    return {"A": a, "B": b} if a != b or not field.differs else {"A": repr(field.a), "B": repr(field.b)}


def _text(value: Any) -> str:
    if value is None:
        return ABSENT
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value)
