"""What a method is held to: equal seeds, equal records; costs that add up; a choice, candidates and estimates in order;
a configuration that is plain data; a stop that changes nothing; no way to ground truth."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import fields
from math import isclose
from pathlib import Path
from tempfile import TemporaryDirectory

import methods
from bench import spaces
from bench.contract import small
from bench.contract.small import Broken, Refused, require
from bench.contract.stops import Stop, kept_at_every_epoch
from bench.errors import BenchError
from bench.runs.again import made
from bench.runs.run import Settings, execute
from bench.runs.run import make as made_or_found
from bench.search.meter import Cost
from bench.store.record import Record, Results, read_record, to_json
from bench.store.spec import RunSpec, canonical, described, plain

COUNTS = tuple(f.name for f in fields(Cost) if f.name not in ("wall_s", "device_s", "peak_bytes"))
"""Costs that repeat from run to run."""

WALL = ("bench.truth", "bench.retraining", "bench.scoring", "bench.metrics", "analysis")
"""What no search may import."""


def configuration(label: str) -> None:
    """Plain data: it survives JSON, a hash tells it from every other, and a record is enough to make it again."""
    method = methods.get(label)
    text = canonical(plain(method))
    require(canonical(json.loads(text)) == text, "its settings are not the same after they were written as JSON")
    require(hash(method) == hash(methods.get(label)), "its hash is another each time")
    require(made(json.loads(canonical(described(method)))) == method, "its settings do not make it again")


def key_of_its_own(label: str) -> None:
    """No other method has its key."""
    own = canonical(described(methods.get(label)))
    same = [other for other, m in methods.variants().items() if other != label and canonical(described(m)) == own]
    require(not same, f"it has the settings, and so the key, of {', '.join(same)}")


def a_run(of: RunSpec, folder: Path, twice: bool = True, other_seed: RunSpec | None = None) -> Record:
    """One run, in order and found again; `twice`: made twice, to the bit; `other_seed`: which differs where something
    is trained. Raises Refused where the search cannot be done on its space and says so before it trains."""
    record = _record(of, folder / "one")
    outcome_in_order(record, of)
    cost_in_order(record)
    path = Results(folder / "one").run_path(of.key)
    require(
        canonical(to_json(read_record(path))) == canonical(to_json(record)), "its record reads otherwise than it was"
    )
    new = made_or_found(of, Settings(folder / "one", device="cpu"), lambda share: None, True)[1]
    require(not new, "a run that is finished is made again")
    if twice:
        again = _record(of, folder / "two")
        require(
            canonical(record.essence()) == canonical(again.essence()),
            f"two runs of one seed differ in {_different(record, again)}; draw from task.numpy and task.torch alone",
        )
    if other_seed is not None and record.cost["supernets"]:
        require(
            _decided(_record(other_seed, folder / "one")) != _decided(record),
            "two seeds give the same estimates and candidates, though it trains",
        )
    return record


def _record(of: RunSpec, folder: Path) -> Record:
    """The record of a run that is done. Raises Refused, Broken."""
    record = execute(of, Settings(folder, device="cpu"), loaded=small.patches())
    if record.status == "done" and not record.message:
        return record
    lines = record.message.strip().splitlines() or [""]
    if record.status == "failed" and len(lines) == 1 and not record.cost["forward_images"]:
        raise Refused(lines[0])
    place = next((line.strip() for line in reversed(lines) if line.strip().startswith("File ")), "")
    raise Broken(" ".join(filter(None, (f"it {record.status}:", lines[-1], f"({place})" if place else ""))))


def _decided(record: Record) -> str:
    """What a seed decides."""
    digest = None if record.estimates is None else record.estimates["blake2b"]
    return canonical([to_json(record.candidates), to_json(record.details), digest])


def _different(one: Record, other: Record) -> str:
    a, b = one.essence(), other.essence()
    return ", ".join(name for name in a if canonical(to_json(a[name])) != canonical(to_json(b[name])))


def outcome_in_order(record: Record, of: RunSpec) -> None:
    """The choice is a candidate, the best of them; candidates are architectures, estimates shares."""
    space = spaces.get(of.space)
    candidates = [c.genotype for c in record.candidates]
    require(record.genotype in candidates, "its choice is none of its candidates")
    for genotype in candidates:
        require(space.check(genotype) == genotype, f"its candidate {genotype} is no architecture of {space.name}")
    known = [c.estimate for c in record.candidates if c.estimate is not None]
    require(all(0 <= estimate <= 1 for estimate in known), "an estimate of a candidate is none between 0 and 1")
    if len(known) > 1:
        chosen = [c.estimate for c in record.candidates if c.genotype == record.genotype]
        require(max(known) in chosen, "a candidate has a higher estimate than its choice")
    require(bool(record.trace), "it reports no choice on its way; call task.report")
    require(tuple(record.trace[-1]["genotype"]) == record.genotype, "what it reports last is not its choice")
    costs = [point["forward_images"] for point in record.trace]
    require(costs == sorted(costs) and costs[-1] <= record.cost["forward_images"], "its trace runs ahead of its costs")
    if record.estimates is not None:
        there = 0 <= record.estimates["opinions"] <= record.estimates["probe"] == of.scale.probe
        require(there, f"it has {record.estimates['opinions']} opinions on {record.estimates['probe']} architectures")


def cost_in_order(record: Record) -> None:
    """Costs are the sum of their phases; what trains has a supernet, and a pass back has one forward."""
    cost = record.cost
    for name in COUNTS:
        whole = sum(phase[name] for phase in cost["phases"].values())
        require(
            isclose(cost[name], whole, rel_tol=1e-6, abs_tol=1e-12), f"its {name} is {cost[name]}, by phase {whole}"
        )
    require(0 <= cost["backward_images"] <= cost["forward_images"], "more images went back than forward")
    trains = (cost["supernets"] > 0, cost["parameters"] > 0, cost["forward_images"] > 0)
    require(len(set(trains)) == 1, "images went through a supernet that nobody counted; ask the task for learners")


def a_stop(of: RunSpec, folder: Path) -> None:
    """A search that is stopped after its first epoch, or before its last, goes on to the same record, to the bit, and
    trains no epoch twice."""
    with kept_at_every_epoch() as trained:
        whole = small.run(of, folder / "whole")
    for stop in sorted({1, len(trained) - 1} & set(range(1, len(trained) + 1))):
        there = folder / str(stop)
        try:
            with kept_at_every_epoch(stop):
                small.run(of, there)
            raise Broken("a stop was caught; let BaseException pass")
        except Stop:
            pass
        with kept_at_every_epoch() as again:
            record = small.run(of, there)
        same = canonical(record.essence()) == canonical(whole.essence())
        require(same, f"stopped after epoch {stop} and taken up, it ends otherwise in {_different(record, whole)}")
        require(len(again) == len(trained) - stop, f"stopped after epoch {stop}, it trains {len(again)} epochs more")
        require(record.place["stops"] == 1, "its record knows of no stop")


def too_few_images(label: str, space: str, folder: Path) -> None:
    """Fewer validation images than a batch: refused in one line, with nothing spent; what trains nothing does not
    mind."""
    of = small.spec(label, space, scale=small.SCARCE)
    record = execute(of, Settings(folder, device="cpu"), loaded=small.patches())
    require(record.cost["forward_images"] == 0, "it trains on fewer validation images than a batch has")
    if record.status == "failed":
        one_line = "\n" not in record.message and "fewer" in record.message
        require(one_line, f"it does not refuse them in one line: {record.message.strip().splitlines()[-1]}")
    else:
        require(record.cost["supernets"] == 0, f"it is {record.status}, though it trains")


def no_truth(cases: Sequence[tuple[str, str]]) -> None:
    """These methods on these spaces search in a process where ground truth, scores and analysis cannot be imported."""
    with TemporaryDirectory(prefix="supernet-bench-") as folder:
        done = subprocess.run(
            [sys.executable, "-P", "-c", _WALLED, folder, json.dumps([WALL, list(cases)])],
            capture_output=True,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            check=False,
        )
    if done.returncode:
        raise Broken((done.stderr.strip().splitlines() or ["its process ended"])[-1])


_WALLED = """
import json, sys
from pathlib import Path
wall, cases = json.loads(sys.argv[2])
class Wall:
    def find_spec(self, name, path=None, target=None):
        if any(name == one or name.startswith(one + ".") for one in wall):
            raise RuntimeError(f"a search reached for {name}")
sys.meta_path.insert(0, Wall())
from bench.contract import small, searches
for label, space in cases:
    searches.walled(small.spec(label, space), Path(sys.argv[1]))
"""


def walled(of: RunSpec, folder: Path) -> None:
    """One search, where what it raises is raised, but for a refusal."""
    try:
        small.run(of, folder)
    except BenchError:
        return
