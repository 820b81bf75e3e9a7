"""`verify KEY...`: make runs again in another folder, and say what came out the same."""

from __future__ import annotations

import json
import math
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.cli.outcome import Common
from bench.errors import BadSpec
from bench.store.record import Record, Results

EXACT = ("forward_images", "backward_images", "supernets")
"""Costs that no machine changes."""


@dataclass(frozen=True, kw_only=True)
class Verify(Common):
    """Make runs again and compare: choice, estimates, images, and tau where the run is scored. The exit code is 1 where
    a cost or the choice differs, or tau is further off than another seed would be.

    On the same processor and build of torch, with one thread, a run is the same to the bit. Elsewhere it is as another
    seed: its estimates order the architectures alike, and its choice can be another. So tau may differ as much as that
    of seeds of the same search does, of which the folder holds three or more.
    """

    keys: tuple[str, ...] = field(default=(), kw_only=False)
    """The keys of runs, or their beginnings."""
    into: Path | None = None
    """Where the new runs lie; by default a folder that is removed afterwards. It holds none of them yet."""
    device: str = "auto"
    """`auto`, `cpu` or `cuda`."""
    data: Path | None = None
    """Folder of image files."""

    def __call__(self) -> int:
        from bench.runs.again import spec_of
        from bench.runs.run import Settings, execute

        if not self.keys:
            raise BadSpec("verify takes keys of runs; `python -m bench list` shows them")
        results = Results(self.results)
        found = [results.named(key) for key in self.keys]
        specs = [spec_of(record) for record in found]  # all of them, before the first is made
        if self.into is not None:
            require_without(self.into, [spec.key for spec in specs])
        told = []
        with _folder(self.into) as folder:
            for record, spec in zip(found, specs, strict=True):
                threads = int(record.place.get("threads", 1))
                made = execute(spec, Settings(folder, self.device, threads, self.data))
                told.append(compared(record, made, results, Results(folder)))
                told[-1]["taus"] = taus(record, results, Results(folder))
                if not self.json:
                    print(_said(told[-1]))
        if self.json:
            print(json.dumps(told))
        return 0 if all(_holds(one) for one in told) else 1


def compared(old: Record, new: Record, at: Results, there: Results) -> dict[str, Any]:
    """What is the same in two records of one key; `tau` orders the estimates of one by the other's."""
    from bench import metrics
    from bench.runs import probe

    estimates: bool | None = None
    tau: float | None = None
    paths = at.estimates_path(old.key), there.estimates_path(new.key)
    if all(path.exists() for path in paths):
        (keys, a), (others, b) = (probe.read(path) for path in paths)
        same = list(keys) == list(others)
        estimates = same and bool(((a == b) | ((a != a) & (b != b))).all())
        known = (a[:, 0] == a[:, 0]) & (b[:, 0] == b[:, 0]) if same else None
        tau = None if known is None or known.sum() < 2 else metrics.tau_b(a[known, 0], b[known, 0])
    return {
        "key": old.key,
        "label": old.label,
        "seed": old.identity["seed"],
        "status": old.status == new.status,
        "choice": old.genotype == new.genotype,
        "estimates": estimates,
        "tau": tau,
        "costs": all(old.cost.get(name) == new.cost.get(name) for name in EXACT),
        "place": [_place(old), _place(new)],
    }


def _holds(told: dict[str, Any]) -> bool:
    same = told["choice"] and told["costs"] and told["status"]
    return same and all(one["within"] is not False for one in told["taus"])


LEAST = 3
"""Seeds from which a spread is taken."""


def taus(old: Record, at: Results, there: Results) -> list[dict[str, Any]]:
    """By truth and data set that scored the run: tau-b of its estimates then and now, both against the same truths; how
    far the two may be apart (`spread`) and whether they are `within` it, None where too few seeds tell.

    spread: what the difference of two draws stays below 19 times of 20, t * sd * sqrt(2), with the standard deviation
    of tau over the seeds of the same search that `at` holds.
    """
    from bench import metrics
    from bench.errors import BadRecord
    from bench.runs import probe
    from bench.scoring import truths

    found: list[dict[str, Any]] = []
    path = there.estimates_path(old.key)
    scores = [score for score in at.scores_of(old.key) if score.tau is not None and score.pairs is not None]
    if not scores or not path.exists():
        return found
    keys, values = probe.read(path)
    seeds = _taus_of_seeds(old, at)
    for score in scores:
        beside = at.truths_path(score.truth, score.target)
        try:
            truth = truths.read(beside).at(keys).columns["test"].astype(float)
        except (BadRecord, KeyError) as error:
            at.damaged[beside] = f"{beside} cannot be joined with estimates made again: {error}"
            continue
        known = (values[:, 0] == values[:, 0]) & (truth == truth)
        now, spread = metrics.tau_b(values[known, 0], truth[known]), _spread(seeds[score.truth, score.target])
        off = abs(now - float(score.tau or 0))  # not a number is within no spread
        found.append(
            {
                "truth": score.truth,
                "target": score.target,
                "then": score.tau,
                "now": None if math.isnan(now) else now,
                "spread": spread,
                "within": True if now == score.tau else None if spread is None else off <= spread,
            }
        )
    return found


def _taus_of_seeds(record: Record, results: Results) -> dict[tuple[str, str], list[float]]:
    """Of the runs that differ from a record by their seed alone, by truth and data set."""
    alike = {**record.identity, "seed": None}
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for other in results.records():
        if {**other.identity, "seed": None} == alike:
            for score in results.scores_of(other.key):
                if score.tau is not None:
                    found[score.truth, score.target].append(score.tau)
    return found


def _spread(values: Sequence[float]) -> float | None:
    if len(values) < LEAST:
        return None
    from scipy.stats import t

    return float(t.ppf(0.975, len(values) - 1)) * statistics.stdev(values) * math.sqrt(2)


def require_without(folder: Path, keys: Sequence[str]) -> None:
    """Raises BadSpec where one of these runs is in a results folder already: it would be found, not made."""
    for path in map(Results(folder).run_path, keys):
        if path.exists():
            raise BadSpec(f"{path} is there already, and no record is replaced; name another folder by --into")


def _said(told: dict[str, Any]) -> str:
    """A run's comparison in one line."""
    words = [f"{told['label']} seed {told['seed']} ({told['key'][:8]}):"]
    words.append("same choice," if told["choice"] else "another choice,")
    words.append("same costs" if told["costs"] else "OTHER COSTS")
    if told["estimates"]:
        words[-1] += ", estimates the same to the bit"
    elif told["estimates"] is not None:
        order = "unknown" if told["tau"] is None else f"{told['tau']:.3f}"
        words[-1] += f", estimates differ (tau-b between the two {order})"
    for one in told["taus"]:
        then, now = f"{one['then']:.3f}", "unknown" if one["now"] is None else f"{one['now']:.3f}"
        if then != now or one["within"] is False:
            limit = "too few seeds to say how much it may" if one["spread"] is None else f"may by {one['spread']:.3f}"
            words[-1] += f"; tau by {one['truth']} on {one['target']} was {then}, is {now} ({limit})"
    if told["place"][0] != told["place"][1]:
        words[-1] += f"; made on {told['place'][0]}, now on {told['place'][1]}"
    return " ".join(words)


def _place(record: Record) -> str:
    name = record.place.get("device_name") or record.place.get("device", "unknown")
    return f"{name}, torch {record.place.get('torch', 'unknown')}"


@contextmanager
def _folder(named: Path | None) -> Iterator[Path]:
    if named is not None:
        yield named
        return
    with tempfile.TemporaryDirectory(prefix="supernet-bench-") as made:
        yield Path(made)
