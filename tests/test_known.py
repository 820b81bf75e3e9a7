"""The kept list of methods: what it says is what the methods say, and it never outlives their sources."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import methods
from bench.cli import known, listing
from bench.errors import UnknownName

ROOT = Path(methods.__file__).parents[1]

LISTED = """
import sys
from bench.cli.commands import main
code = main(sys.argv[1:])
print(code, "torch" in sys.modules, file=sys.stderr)
"""


def _asked(root: Path, cache: Path, *words: str) -> tuple[str, list[str]]:
    """Standard output, and standard error by lines; the last says the exit code and whether torch was loaded."""
    env = {**os.environ, "XDG_CACHE_HOME": str(cache), "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    env.pop("SUPERNET_BENCH_CACHE", None)
    done = subprocess.run(
        [sys.executable, "-c", LISTED, *words], cwd=root, env=env, capture_output=True, text=True, check=False
    )
    return done.stdout, done.stderr.splitlines()


@pytest.mark.slow
def test_what_is_kept_is_what_is_said_and_goes_with_the_sources(tmp_path: Path) -> None:
    root, cache = tmp_path / "copy", tmp_path / "cache"
    for package in ("bench", "methods"):
        ignored = shutil.ignore_patterns("__pycache__", "tables", "shards")
        shutil.copytree(ROOT / package, root / package, ignore=ignored)
    first, told = _asked(root, cache, "list", "methods", "--all")
    assert told[-1] == "0 True"
    second, told = _asked(root, cache, "list", "methods", "--all")
    assert told[-1] == "0 False"
    assert second == first
    _, told = _asked(root, cache, "run", "--methods", "dartz")
    assert told[-1] == "2 False"
    assert "'darts'" in told[0]
    text = (root / "methods" / "baselines.py").read_text()
    (root / "methods" / "baselines.py").write_text(text.replace('"random":', '"at-random":'))
    third, told = _asked(root, cache, "list", "methods", "--json")
    assert told[-1] == "0 True"
    assert "at-random" in {row["method"] for row in json.loads(third)}
    (kept,) = cache.rglob("methods.json")
    kept.write_text(kept.read_text().replace("at-random", "by-chance"))
    fourth, told = _asked(root, cache, "list", "methods", "--json")
    assert fourth == third
    assert told[-1] == "0 True"


def test_a_list_is_kept_for_its_sources_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    row = {"method": "one", "settings": {"levels": (1, 2)}, "settings for": ["nb201"]}

    def make() -> list[known.Row]:
        made.append(1)
        return [row]

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("SUPERNET_BENCH_CACHE", raising=False)
    monkeypatch.setattr(known, "_imported", lambda: False)
    assert known.rows(make) == known.rows(make) == [row]
    assert len(made) == 1
    with pytest.raises(UnknownName, match="'one'"):
        known.require(["on"], make)
    (tmp_path / "own.py").write_text("")
    monkeypatch.setattr(methods, "__path__", [*methods.__path__, str(tmp_path)])
    assert known.rows(make) == [row]
    assert len(made) == 2
    (tmp_path / "own.py").write_text("VARIANTS = {}")
    assert known.rows(make) == known.rows(make) == [row]
    assert len(made) == 3
    (kept,) = tmp_path.rglob("methods.json")
    kept.write_text(kept.read_text().replace('"one"', '"two"'))
    assert known.rows(make) == [row]
    assert len(made) == 4


def test_methods_that_are_imported_are_asked_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    methods.get("darts")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert known.rows(listing.methods_offered) == listing.methods_offered()
    assert not list(tmp_path.iterdir())
