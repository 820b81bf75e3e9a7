"""One page per run inside the report: settings, choice, finalists, cost by phase, curves, regions, place, scores."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from analysis import caption, graphs
from analysis.load import BOTH
from analysis.report import drawing
from analysis.style import order, printed
from bench import spaces
from bench.spaces.space import Space
from bench.store.record import Record, Results, Score
from bench.store.spec import scale_typed

DASH = "\N{EN DASH}"
_COSTS = (
    ("forward_images", "forward images", 1.0),
    ("backward_images", "backward images", 1.0),
    ("gmacs", "multiply-adds (1e9)", 1.0),
    ("supernets", "supernets", 1.0),
    ("wall_s", "wall seconds", 1.0),
    ("device_s", "device seconds", 1.0),
    ("peak_bytes", "peak memory (MB)", 1e-6),
)
_SCORES = (
    ("valid", "valid (%)", 2),
    ("test", "test (%)", 2),
    ("regret_test", "regret (points)", 2),
    ("rank", "rank", 0),
    ("relative_improvement", "over the mean architecture (%)", 2),
    ("test_best_candidate", "best candidate (oracle) (%)", 2),
    ("tau", "tau", 3),
    ("tau_top10", "tau in top 10 %", 3),
    ("ceiling", "ceiling", 3),
    ("probe_n", "probe n", 0),
)


FAMILIES = {
    "bayes": "Bayesian optimisation",
    "continuations": "From one parent",
    "fewshot": "Few-Shot NAS",
    "free": "Sizes",
    "gmnas": "GM-NAS",
    "hepnas": "HEP-NAS",
    "longer": "Trained longer",
    "naslib": "NASLib",
    "pcdarts": "PC-DARTS",
    "perturbed": "DARTS-PT",
    "progressive": "DrNAS, progressive",
    "zerocost": "Zero-cost scores",
}
"""Files of methods whose names are no words."""


@dataclass(frozen=True)
class Block:
    """A small table of a run's page; the first cell of a row names it."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Page:
    """All that the page of one run shows."""

    key: str
    label: str
    name: str  # the label as it is printed
    seed: int
    space: str
    dataset: str
    scale: str
    protocol: str
    family: str  # of methods, as printed
    images: int  # forward and backward
    seconds: float  # wall
    status: str
    message: str
    architecture: str
    cell: Markup
    curves: tuple[tuple[str, Markup], ...]
    blocks: tuple[Block, ...]
    settings: tuple[tuple[str, str], ...]
    place: tuple[tuple[str, str], ...]
    files: tuple[str, ...]  # relative addresses
    commands: tuple[str, ...]

    @property
    def finished(self) -> bool:
        """Whether there is a choice to speak of."""
        return self.status == "done"


def pages(results: Results) -> list[Page]:
    """A page for every record that can be trusted, finished or not, by label and seed."""
    scores: dict[str, list[Score]] = {}
    records = [*results.records(), *results.failures()]
    for score in results.judged({record.key: record for record in records}):
        scores.setdefault(score.key, []).append(score)
    made = [_page(record, scores.get(record.key, []), results) for record in records]
    return sorted(made, key=lambda page: (page.dataset, page.scale, order(page.label), page.seed, page.key))


def protocol_of(method: Mapping[str, Any]) -> str:
    """`paper` or `fair` where the method's settings know the two, else `both`."""
    return str(method["config"].get("protocol", BOTH))


def _page(record: Record, scores: Sequence[Score], results: Results) -> Page:
    identity = record.identity
    space = spaces.known(identity["space"])
    return Page(
        key=record.key,
        label=record.label,
        name=printed(record.label),
        seed=identity["seed"],
        space=identity["space"],
        dataset=identity["dataset"],
        scale=identity["scale"]["name"],
        protocol=protocol_of(identity["method"]),
        family=_family(identity["method"]["name"].split(".")[0]),
        images=record.cost.get("forward_images", 0) + record.cost.get("backward_images", 0),
        seconds=record.cost.get("wall_s", 0.0),
        status=record.status,
        message=(record.message.strip().splitlines() or [""])[-1],
        architecture=record.architecture or "",
        cell=_cell(space, record.genotype),
        curves=tuple(_curves(record, scores)),
        blocks=tuple(block for block in _blocks(record, scores, space) if block.rows),
        settings=tuple(flat({**identity["method"], "scale": identity["scale"]})),
        place=tuple(flat(record.place)),
        files=tuple(_files(record, scores, results)),
        commands=_commands(record, results.root),
    )


def _cell(space: Space | None, genotype: tuple[int, ...] | None) -> Markup:
    if space is None or genotype is None or not _is_of(space, genotype):
        return Markup("")
    return drawing.cell(space, genotype)


def _is_of(space: Space, genotype: tuple[int, ...]) -> bool:
    return len(genotype) == len(space.edges) and all(0 <= op < len(space.ops) for op in genotype)


def _blocks(record: Record, scores: Sequence[Score], space: Space | None) -> Iterator[Block]:
    yield Block(
        "Scores of the choice",
        ("scored on, by", "truth of", *(head for _, head, _ in _SCORES)),
        tuple(
            (
                f"{s.target}, {s.truth}",
                _among(s),
                *(_number(value_of(s, name), digits) for name, _, digits in _SCORES),
            )
            for s in scores
        ),
    )
    truths = [{tuple(c["genotype"]): c for c in score.candidates} for score in scores]
    names = _names(scores)
    yield Block(
        "Finalists: the method's own estimates, and what the truth says of them",
        ("finalist", "architecture", "estimate (%)", *(f"test (%), {name}" for name in names)),
        tuple(
            (
                f"{at}" + (" (chosen)" if candidate.genotype == record.genotype else ""),
                space.show(candidate.genotype) if space and _is_of(space, candidate.genotype) else _plain(candidate),
                _number(None if candidate.estimate is None else 100 * candidate.estimate, 2),
                *(_number(truth.get(candidate.genotype, {}).get("test"), 2) for truth in truths),
            )
            for at, candidate in enumerate(record.candidates, 1)
        ),
    )
    phases = {**record.cost.get("phases", {}), "total": {k: v for k, v in record.cost.items() if k != "phases"}}
    yield Block(
        "Cost by phase",
        ("phase", *(head for _, head, _ in _COSTS)),
        tuple((name, *(_cost(cost.get(key), factor) for key, _, factor in _COSTS)) for name, cost in phases.items()),
    )
    yield _regions(record.details.get("tree", ()), space)


def _among(score: Score) -> str:
    """What its rank is stated of, and of which kind that truth is."""
    known = "" if score.truth_coverage >= 1 or score.ranked is None else f"{score.ranked:,} known of "
    return f"{known}{score.population}, {score.kind}"


def value_of(score: Score, name: str) -> float | None:
    """A number of a score, or of its panel; None where it is not known."""
    value = score.panel[name] if name in score.panel else getattr(score, name, None)
    return None if value is None else float(value)


def _regions(tree: Sequence[Mapping[str, Any]], space: Space | None) -> Block:
    """The tree of regions that a partition method grew, edges by their names."""

    def named(edge: int) -> str:
        return graphs.edge_name(space, edge) if space and edge < len(space.edges) else str(edge)

    rows = (
        (
            str(node["name"]),
            DASH if node["parent"] is None else str(node["parent"]),
            f"{node['size']:,}",
            _number(None if node["accuracy"] is None else 100 * node["accuracy"], 2),
            DASH if not node["cut"] else ", ".join(map(named, node["cut"]["edges"])),
            "yes" if node["kept"] else "no",
        )
        for node in tree
    )
    heads = ("region", "parent", "architectures", "accuracy on the supernet (%)", "edges cut", "kept")
    return Block("Regions", heads, tuple(rows))


def _curves(record: Record, scores: Sequence[Score]) -> Iterator[tuple[str, Markup]]:
    for score, name in zip(scores, _names(scores), strict=True):
        points = [
            (float(point["forward_images"] + point["backward_images"]), float(point["test"]))
            for point in score.curve
            if point.get("test") is not None and "forward_images" in point and "backward_images" in point
        ]
        yield f"Proposals on the way, {name}", drawing.curve(sorted(points), "images", "test (%)", held=True)
    steps = [p for p in record.details.get("curve", ()) if isinstance(p, Mapping) and {"step", "train_loss"} <= set(p)]
    losses = [(float(point["step"]), float(point["train_loss"])) for point in steps]
    yield "Training loss of the supernet", drawing.curve(sorted(losses), "steps", "loss", held=False)


def _names(scores: Sequence[Score]) -> list[str]:
    """What each score is of: its target, and its truth where there are several."""
    several = len({score.truth for score in scores}) > 1
    return [f"{score.target} by {score.truth}" if several else score.target for score in scores]


def _files(record: Record, scores: Sequence[Score], results: Results) -> Iterator[str]:
    folder = "runs" if record.status in ("done", "diverged") else "failed"
    yield f"{folder}/{record.key}.json"
    if record.estimates is not None:
        yield f"estimates/{record.key}.parquet"
    for truth in sorted({score.truth for score in scores}):
        yield results.score_path(record.key, truth).relative_to(results.root).as_posix()


def _commands(record: Record, root: Path) -> tuple[str, ...]:
    """What shows the run, and what makes it again where its record is not at hand."""
    identity = record.identity
    where: tuple[str, ...]
    kind, _, name = identity["method"]["name"].partition(".")
    if kind == "naslib":
        settings = identity["method"]["config"]
        where = ("naslib", "TABLE", "--optimisers", name, "--steps", f"{settings['steps']}")
        where += ("--epochs", f"{settings['epochs']}", "--dataset", identity["dataset"])
    else:
        where = ("run", "--methods", record.label, "--space", identity["space"], "--dataset", identity["dataset"])
        where += tuple(scale_typed(identity["scale"]["name"]).split())
    words = ("python", "-m", "bench", *where, "--seeds", str(identity["seed"]))
    return tuple(f"{text}{caption.option(root)}" for text in (f"python -m bench show {record.key}", shlex.join(words)))


def flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Dotted names and printed values; the `config` of a method or part goes without saying."""
    if not isinstance(value, Mapping):
        yield name, value if isinstance(value, str) else json.dumps(value)
        return
    for key, item in value.items():
        inner = name if key == "config" else f"{name}.{key}".strip(".")
        yield from flat(item, inner)


def _plain(candidate: Any) -> str:
    return " ".join(map(str, candidate.genotype))


def _family(module: str) -> str:
    """What the methods of a file are called together."""
    return FAMILIES.get(module, _capital(printed(module)))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _number(value: float | None, digits: int) -> str:
    return DASH if value is None else f"{value:,.{digits}f}"


def _cost(value: float | None, factor: float) -> str:
    """Whole numbers as they are, measured ones to a tenth."""
    if value is None:
        return DASH
    return f"{value:,}" if isinstance(value, int) and factor == 1 else f"{value * factor:,.1f}"
