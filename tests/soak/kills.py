"""SIGKILL at random moments of run, score, import, retrain, training on demand and analysis: done again, all is as it
would have been."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from bench.cli.commands import main
from bench.retraining.recipes import RECIPES
from bench.spaces.toy_darts import SPACE as TOY_DARTS
from bench.store import retrained
from bench.store.record import MEASURED, Results
from bench.truth.table import Table
from tests.soak.commands import Job, ended, forked, kills_until

METHODS = ("rsps", "darts", "parameters", "random")
EPOCHS = 200
"""Of the recipe that is retrained by, at the papers' scale; four at the scale of the soak."""


NAMES = ("run", "score", "import", "retrain", "training on demand", "analysis")
"""Of the jobs, in order."""


def _retrain(folder: Path) -> int:
    """`retrain` of two seeds by a recipe that is small enough to take a moment. In a process of its own."""
    quick = RECIPES["quick"]
    RECIPES["soak"] = replace(quick, name="soak", epochs=EPOCHS, batch=32)
    cell = TOY_DARTS.show(TOY_DARTS.population.at(3))
    how = ["--recipe", "soak", "--space", "toy-darts", "--scale", "smoke", "--device", "cpu", "--seeds", "0", "1"]
    return main(["retrain", cell, *how, "--results", str(folder)])


def _on_demand(folder: Path) -> int:
    """Two architectures trained on demand, small enough to take a moment."""
    from bench.truth import fill
    from tests.test_fill import ORDER, SPACE, TINY

    for job in fill.jobs(TINY, [SPACE.population.at(ORDER[2]), SPACE.population.at(ORDER[3])], folder / "truth" / "x"):
        job(lambda share: None)
    return 0


def _analysis(folder: Path) -> int:
    from analysis.__main__ import Options, draw_all

    return draw_all(Options(folder, partial=True))


def jobs(folder: Path, source: Path) -> list[Job]:
    """The commands, in order, on one results folder."""
    at = ["--results", str(folder)]
    run = ["run", "smoke", "--methods", *METHODS, "--space", "nb201", *at]
    return [
        partial(main, run),
        partial(main, ["score", "--dataset", "patches", *at]),
        partial(_import, source, folder / "imported.parquet"),
        partial(_retrain, folder),
        partial(_on_demand, folder),
        partial(_analysis, folder),
    ]


def _import(source: Path, out: Path) -> int:
    """`import`, where the table is not there yet: it is never written over."""
    return 0 if out.exists() else main(["import", str(source), str(out)])


def outcome(folder: Path) -> dict[str, Any]:
    """All that the commands left, without times: equal for equal results."""
    results = Results(folder)
    found: dict[str, Any] = {record.key: record.essence() for record in results.records()}
    for path in sorted((folder / "scores").glob("*.json")):
        found[path.name] = [_untimed(row) for row in json.loads(path.read_text(encoding="utf-8"))["rows"]]
    for one in retrained.records(results):
        found[f"retrained/{one.key}"] = one.essence()
    for name in ("estimates", "truths"):
        for path in sorted((folder / name).glob("*.parquet")):
            found[f"{name}/{path.name}"] = pq.read_table(path).to_pydict().__repr__()
    for path in sorted((folder / "truth").rglob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        found[path.name] = [content["genotype"], content["seeds"], content["values"]]
    for path in sorted((folder / "tables").glob("*.csv")):
        if not path.name.startswith("cost"):  # seconds
            found[path.name] = hashlib.blake2b(_rows_without_times(path)).hexdigest()
    if (folder / "imported.parquet").exists():
        found["imported"] = Table.load(folder / "imported.parquet").checksum
    assert not results.damaged, results.damaged
    return found


def _rows_without_times(path: Path) -> bytes:
    lines = path.read_bytes().splitlines()
    return b"\n".join(line for line in lines if b"_s," not in line and b"seconds" not in line)


def _untimed(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _untimed(v) for k, v in value.items() if k not in MEASURED}
    return [_untimed(one) for one in value] if isinstance(value, list) else value


def finished(folder: Path) -> set[str]:
    """The names of files that are results, and so stay whatever is killed."""
    kinds = ("runs/[0-9a-f]*.json", "scores/[0-9a-f]*.json", "retrained/[0-9a-f]*.json", "truth/*/[0-9]*.json")
    found = [path for kind in kinds for path in folder.glob(kind)]
    estimates = [path for path in folder.glob("estimates/[0-9a-f]*.parquet") if not path.stem.endswith(".partial")]
    return {str(path.relative_to(folder)) for path in (*found, *estimates, *folder.glob("imported.parquet"))}


def measured(folder: Path, count: int, seed: int) -> dict[str, Any]:
    """Kills that met a command at work, files that were lost or differ, and what lies about at the end."""
    from tests.soak.sources import macro

    log, source, work = folder / "log", macro(folder / "nas-bench-macro_cifar10.json"), folder / "work"

    def begin() -> None:
        shutil.rmtree(work, ignore_errors=True)

    begin()
    codes = [ended(forked(job, log)) for job in jobs(work, source)]
    assert codes == [0] * len(codes), (codes, log.read_text(encoding="utf-8")[-2_000:])
    unbroken = outcome(work)
    hits, lost = kills_until(jobs(work, source), count, random.Random(seed), log, begin, lambda: finished(work))
    codes = [ended(forked(job, log)) for job in jobs(work, source)]
    after = outcome(work)
    different = [name for name in {**unbroken, **after} if not _equal(unbroken.get(name), after.get(name))]
    return {
        "kills": sum(hits),
        "of each": dict(zip(NAMES, hits, strict=True)),
        "results": len(unbroken),
        "lost": sorted(lost),
        "different": different,
        "codes": codes,
    }


def _equal(one: Any, other: Any) -> bool:
    return bool(one == other or repr(one) == repr(other) or (isinstance(one, float) and np.isnan(one)))
