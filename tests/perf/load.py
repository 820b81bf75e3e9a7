"""`list` and `show` on many records: CPU seconds and memory of the command, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.store import seals
from bench.store.spec import key_of
from tests import edited

COUNT = 20_000
CODE = (
    "import resource, sys; from bench.cli.commands import main; code = main(sys.argv[1:]); "
    "r = resource.getrusage(resource.RUSAGE_SELF); "
    "print(code, r.ru_utime + r.ru_stime, r.ru_maxrss / 1024, file=sys.stderr)"
)


def records(root: Path, count: int) -> list[str]:
    """So many records in `root`, as runs write them; their keys."""
    (root / "runs").mkdir(parents=True)
    identity = {
        "schema": 1,
        "method": {"name": "made_up", "version": 1, "config": {}},
        "space": "nb201",
        "dataset": "patches",
        "scale": {"name": "quick"},
    }
    arch = "|avg_pool_3x3~0|+|avg_pool_3x3~0|avg_pool_3x3~1|+|avg_pool_3x3~0|avg_pool_3x3~1|avg_pool_3x3~2|"
    point = {"forward_images": 1, "backward_images": 1, "wall_s": 0.5, "genotype": [4] * 6}
    keys = []
    for seed in range(count):
        own = {**identity, "seed": seed}
        content = {
            "key": key_of(own), "label": "made-up", "identity": own, "status": "done", "message": "",
            "genotype": [4] * 6, "architecture": arch, "candidates": [{"genotype": [4] * 6, "estimate": 0.5}],
            "trace": [point] * 10, "details": {}, "cost": edited.cost(search={"forward_images": 1}),
            "estimates": None, "place": {"code": "c0de"}, "schema": 1,
        }  # fmt: skip
        keys.append(content["key"])
        (root / "runs" / f"{content['key']}.json").write_text(json.dumps(seals.sealed(content), indent=1) + "\n")
    return keys


def spent(*words: str) -> tuple[float, float]:
    """CPU seconds and the peak of memory (MB) of a command."""
    done = subprocess.run([sys.executable, "-c", CODE, *words], capture_output=True, text=True, check=True)
    code, seconds, peak = done.stderr.split()[-3:]
    assert code == "0", done.stderr
    return float(seconds), float(peak)


def main() -> None:
    """Print them."""
    with tempfile.TemporaryDirectory() as place:
        keys = records(Path(place), COUNT)
        where = ("--results", place)
        for name, words in (
            ("list, for the first time", ("list", *where)),
            ("list", ("list", *where)),
            ("show KEY", ("show", keys[0], *where)),
        ):
            seconds, peak = spent(*words)
            print(f"{name} of {COUNT:,} records: {seconds:.2f} CPU s, {peak:.0f} MB", flush=True)


if __name__ == "__main__":
    main()
