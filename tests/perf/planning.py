"""What `plan` foresees of searches against what their records say that they took.

python -m tests.perf.planning results results/studies/pilot

A line per study, device and method: multiply-adds and CPU hours of the searches, foreseen and spent. Hours are foreseen
at the pace of this machine, so their ratios mean something among the runs of one machine; the last column is by the one
pace that suits all lines of a study best. Records of a GPU, and of settings that are no longer offered, are left out.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

import methods
from bench import images, spaces
from bench.runs.expected import Pace, measured
from bench.runs.run import visible
from bench.search.task import Foreseen, Foresees, Task
from bench.store.labels import parsed
from bench.store.record import Record, Results
from bench.store.spec import RunSpec, Scale, with_settings

SHORT = 1.0
"""CPU seconds of a search, below which nothing is compared: it is the start of libraries that counts there."""

Study = tuple[str, str, str, str]
"""Space, images, scale, processor."""


@dataclass(frozen=True)
class Held:
    """The runs of one method in one study. spent, seconds: multiply-adds (1e9) and CPU seconds of each search."""

    study: Study
    label: str
    foreseen: Foreseen
    spent: Sequence[float]
    seconds: Sequence[float]
    scale: Scale

    @property
    def work(self) -> float:
        """Multiply-adds foreseen over those spent."""
        return self.foreseen.total / statistics.mean(self.spent)

    def time(self, pace: Pace) -> float:
        """CPU seconds foreseen over those spent."""
        return pace.seconds(self.foreseen) / statistics.mean(self.seconds)


def spec_of(record: Record) -> RunSpec | None:
    """The run that a record is of; None where today's methods offer none with its key."""
    identity = record.identity
    name, settings = parsed(record.label)
    offered = methods.offered()
    if name not in offered:
        return None
    method = with_settings(offered[name].on(identity["space"]), settings)
    known = {field.name for field in dataclasses.fields(Scale)}
    scale = Scale(**{field: value for field, value in identity["scale"].items() if field in known})
    spec = RunSpec(record.label, method, identity["space"], identity["dataset"], identity["seed"], scale)
    return spec if spec.key == record.key else None


@cache
def task(space: str, dataset: str, scale: Scale) -> Task:
    """One on which nothing is trained."""
    shown = visible(images.load(dataset), scale)
    return Task(spaces.get(space), shown, scale, 0, torch.device("cpu"))


def held(records: Iterable[Record]) -> Iterator[Held]:
    """The searches of records that computed something, by study and method."""
    of: dict[tuple[Study, str], list[Record]] = defaultdict(list)
    for record in records:
        place, identity = record.place, record.identity
        if record.status == "done" and place.get("device") == "cpu" and images.available(identity["dataset"]) is None:
            study = identity["space"], identity["dataset"], identity["scale"]["name"], place["device_name"]
            of[study, record.label].append(record)
    for (study, label), some in of.items():
        spec = spec_of(some[0])
        seconds = [record.cost["device_s"] for record in some]
        spent = [record.cost["gmacs"] for record in some]
        if spec is None or not isinstance(spec.method, Foresees) or min(seconds) < SHORT or not all(spent):
            continue
        foreseen = spec.method.foreseen(task(spec.space, spec.dataset, spec.scale))
        yield Held(study, label, foreseen, spent, seconds, spec.scale)


def by_study(lines: Iterable[Held]) -> Mapping[Study, list[Held]]:
    """The same, study by study."""
    found: dict[Study, list[Held]] = defaultdict(list)
    for line in lines:
        found[line.study].append(line)
    return found


def level(ratios: Sequence[float]) -> float:
    """The middle between the least and the largest: what a machine's pace contributes to all."""
    return float((min(ratios) * max(ratios)) ** 0.5)


def main() -> None:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    records = [record for folder in asked.folders for record in Results(folder).records()]
    for study, lines in sorted(by_study(held(records)).items()):
        pace = measured(task(*study[:2], lines[0].scale), torch.device("cpu"))
        ratios = [line.time(pace) for line in lines]
        middle = level(ratios)
        spent = sum(sum(line.seconds) for line in lines) / 3600
        foreseen = sum(pace.seconds(line.foreseen) * len(line.seconds) for line in lines) / 3600
        print(f"{', '.join(study)}: {foreseen:.2f} CPU hours foreseen here, {spent:.2f} spent, 1 : {1 / middle:.2f}")
        for line, ratio in zip(lines, ratios, strict=True):
            runs = len(line.seconds)
            print(f"  {line.label:<72}{runs:>3}  {line.work:>5.2f}  {ratio:>5.2f}  {ratio / middle:>5.2f}")


if __name__ == "__main__":
    main()
