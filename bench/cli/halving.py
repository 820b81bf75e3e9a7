"""The command that searches for a search: `halve`."""

from __future__ import annotations

import json as json_
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from bench.cli.outcome import ended
from bench.cli.running import RunCommand
from bench.errors import BadSpec, BenchError, counted
from bench.store import seals

if TYPE_CHECKING:
    from bench.scoring.halving import Mark, Marks, Rung
    from bench.store.record import Record, Results

TABLE, WINNER = "halving.csv", "winner.json"
"""Of a results folder: every run that was compared, and the search that is left."""


@dataclass(frozen=True, kw_only=True)
class Halve(RunCommand):
    """Find the best of a study's searches by successive halving: all from its first seed, the better half from two
    seeds, and so on. They are compared on one half of the classes of the space, by the embedded table; the other half
    is not looked at. Runs are records as any other, and none is made again."""

    study: str = field(default="own-search", kw_only=False)
    """The study whose methods are compared: `python -m bench list studies` names them."""

    def __call__(self) -> int:
        study, specs = self.asked()  # first: what it refuses needs no torch
        if self.pin:
            return self.pinned(study, specs)
        if self.shard is not None:
            raise BadSpec("halve compares all searches of a study, so it takes no --shard; use --pool processes")
        from bench import spaces
        from bench.scoring import halving
        from bench.truth import EMBEDDED, open_truth

        labels, seeds = list(dict.fromkeys(s.label for s in specs)), list(dict.fromkeys(s.seed for s in specs))
        rungs = len(list(halving.rungs(len(labels), len(seeds))))
        truth = open_truth(EMBEDDED, spaces.get(study.space))
        halving.target(truth, study.dataset)
        _, results = self.ready(study, specs)
        of = {(spec.label, spec.seed): spec for spec in specs}
        rows: list[dict[str, Any]] = []
        with self.pooled(study.dataset) as pool:

            def marked(left: Sequence[str], new: Sequence[int]) -> Marks:
                todo = [of[label, seed] for seed in new for label in left]
                self.made(study, todo, results, pool)
                return {label: [halving.mark(made(label, seed), truth, results) for seed in new] for label in left}

            def made(label: str, seed: int) -> Record:
                record = results.find(of[label, seed].key)
                if record is None:
                    raise BenchError(f"{label} seed {seed} could not be made; run the same command again to go on")
                return record

            for number, (rung, marks) in enumerate(halving.halved(labels, seeds, marked), start=1):
                for place, (label, each) in enumerate(marks.items(), start=1):
                    records = [made(label, seed) for seed in seeds[: rung.seeds]]
                    rows += [_row(number, place, *both) for both in zip(records, each, strict=True)]
                self._told(f"rung {number} of {rungs}", rung, marks)
        by = f"{truth.name} ({truth.checksum})"
        return self._written(study.name, by, halving.best(marks), marks, rows, results)

    def _told(self, name: str, rung: Rung, marks: Marks) -> None:
        from rich.console import Console

        console = Console(stderr=self.json)
        about = f"{name}: {rung.searches} searches from {counted(rung.seeds, 'seed')} each, on half of the cells"
        console.print(about, highlight=False, soft_wrap=True)
        for label, each in marks.items():
            means = _means(each)
            said = f"  tau {means['tau']:.3f}, regret {means['regret']:.2f}: {label}"
            console.print(said, highlight=False, markup=False, soft_wrap=True)

    def _written(
        self, study: str, by: str, winner: str, marks: Marks, rows: Sequence[Mapping[str, Any]], results: Results
    ) -> int:
        """Both files, and a line; the exit code."""
        import pandas as pd

        from bench.store.files import write_atomically

        found = {"study": study, "truth": by, "label": winner, **_means(marks[winner]), "seeds": len(marks[winner])}
        write_atomically(results.root / TABLE, pd.DataFrame(rows).to_csv(index=False).encode())
        write_atomically(results.root / WINNER, (json_.dumps(seals.sealed(found), indent=1) + "\n").encode())
        print(json_.dumps(found) if self.json else f"{winner} is left of {study}; {results.root / TABLE} has every run")
        return ended(results, 0)


def _means(marks: Sequence[Mark]) -> dict[str, float]:
    return {name: sum(asdict(one)[name] for one in marks) / len(marks) for name in ("tau", "regret")}


def _row(rung: int, place: int, record: Record, mark: Mark) -> dict[str, Any]:
    """A run as a rung compares it. place: of its search in that rung."""
    return {
        "rung": rung,
        "place": place,
        "label": record.label,
        "seed": record.identity["seed"],
        "key": record.key,
        **asdict(mark),
        "images": record.cost["forward_images"] + record.cost["backward_images"],
        "gmacs": record.cost["gmacs"],
        "cpu_s": record.place.get("cpu_s"),
    }
