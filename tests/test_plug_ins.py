"""A method and a space in a package of their own: docs/plug-ins.md, as it stands, is found, checked, run and drawn.
What a package does wrong is one line, and costs the package alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import methods
from bench import plugins, spaces
from bench.cli import known
from bench.cli.commands import main
from bench.contract import packages
from bench.errors import BadPlugin, BadSpace, UnknownName
from bench.runs.again import spec_of
from bench.spaces import operations
from bench.spaces.nb201 import SPACE as NB201
from bench.store import sources
from bench.store.record import Results
from tests import plug_ins

ROOT = Path(methods.__file__).parents[1]
MINE = plug_ins.of_the_page()
METHODS, SPACES = methods.GROUP, spaces.GROUP


def forget() -> None:
    """As in a new process."""
    for cached in (plugins._announced, methods._read, spaces._loaded, sources.package_digest):
        cached.cache_clear()


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the search path; what is imported from it is forgotten afterwards."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(ROOT)]))
    forget()
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder)):
            del sys.modules[name]
    forget()


@pytest.fixture
def mine(path: Path) -> Path:
    """The package of the page, as if it were installed."""
    return plug_ins.installed(path, MINE)


def package(path: Path, name: str, entries: Mapping[str, Mapping[str, str]], **files: str) -> None:
    """A package of these modules, announced so."""
    (path / name).mkdir()
    for module, text in {"__init__": "", **files}.items():
        (path / name / f"{module}.py").write_text(text)
    plug_ins.announced(path, name, entries)
    forget()


def test_the_page_is_complete() -> None:
    assert set(MINE) == {"pyproject.toml", "my_package/__init__.py", "my_package/annealed.py", "my_package/space.py"}
    assert [words[0] for words in plug_ins.commands_of_the_page()] == ["bench"] * 4 + ["analysis"]


def test_it_is_found_where_it_is_asked_for(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "nb201-no-pool" in spaces.names()
    assert methods.get("darts") is not None
    assert not any(name.startswith("my_package") for name in sys.modules), "nothing is imported until it is asked for"
    assert spaces.get("nb201-no-pool").size == 4**6
    assert "my_package.annealed" not in sys.modules
    assert methods.get("annealed-slow").end == 0.5
    assert methods.broken() == spaces.broken() == []
    assert main(["list", "methods", "--json"]) == 0
    rows = {row["method"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["annealed"]["file"] == "my_package.annealed"
    assert rows["annealed"]["settings"]["end"] == 0.1
    assert main(["list", "spaces", "--json"]) == 0
    rows = {row["space"]: row for row in json.loads(capsys.readouterr().out)}
    assert (rows["nb201-no-pool"]["architectures"], rows["nb201-no-pool"]["truth is of"]) == (4096, "all 15,625")
    assert main(["describe", "annealed", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["variants"] == {"annealed-slow": {"end": 0.5}}


def test_it_is_run_scored_and_made_again(
    mine: Path, results: Path, images_once: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the page says, at a smaller size."""
    run, score = (list(words) for words in plug_ins.commands_of_the_page()[2:4])
    run = [*run[1 : run.index("--seeds")], "--seeds", "0", "--device", "cpu", "--scale.probe", "9"]
    assert main([*run, "--results", str(results)]) == 0
    assert main([*score[1:2], "--results", str(results)]) == 0
    capsys.readouterr()
    (record,) = (record for record in Results(results).records() if record.label == "annealed")
    (score_of_it,) = Results(results).scores_of(record.key)
    assert (score_of_it.space, score_of_it.ranked, score_of_it.method) == (
        "nb201-no-pool", 15_625, "my_package.annealed.Annealed",
    )  # fmt: skip
    assert "avg_pool" not in (record.architecture or "")
    assert set(record.place["plug_ins"]) == {"my_package"}
    assert record.place["plug_ins"]["my_package"]["version"] == "0.1"
    assert spec_of(record).method == methods.get("annealed")
    columns = ["list", "--columns", "method", "code", "plug_ins", "--results", str(results), "--json"]
    assert main(columns) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {(row["method"], row["code"], row["plug_ins"]) for row in rows} == {
        (label, "this", "my_package 0.1") for label in ("annealed", "darts")
    }, "a method of the program on a space from outside was made with the package too"
    (mine / "my_package" / "helper.py").write_text("CHANGED = True\n")
    forget()
    assert main(columns) == 0
    assert {row["code"] for row in json.loads(capsys.readouterr().out)} == {"older"}


def test_what_is_made_of_the_program_alone_says_nothing_of_plug_ins(mine: Path) -> None:
    assert plugins.packages_of(methods.get("hep")) == plugins.packages_of(NB201) == set()
    assert plugins.packages_of(methods.get("annealed")) == {"my_package"}
    assert plugins.packages_of(spaces.get("nb201-no-pool")) == {"my_package"}


def test_the_kept_list_notices_plug_ins(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made: list[int] = []

    def make() -> list[known.Row]:
        made.append(1)
        return [{"method": "one"}]

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("SUPERNET_BENCH_CACHE", raising=False)
    monkeypatch.setattr(known, "_imported", lambda: False)
    known.rows(make)
    known.rows(make)
    assert len(made) == 1
    plug_ins.installed(path, MINE)
    forget()
    known.rows(make)
    known.rows(make)
    assert len(made) == 2, "a package that is new"
    with (path / "my_package" / "annealed.py").open("a") as file:
        file.write("# changed\n")
    forget()
    known.rows(make)
    known.rows(make)
    assert len(made) == 3, "sources that have changed"
    package(path, "raising", {METHODS: {"raising": "raising.method"}}, method="1 / 0")
    known.rows(make)
    known.rows(make)
    assert len(made) == 5, "nothing is kept where one is broken: what it lacks may come"


BROKEN: dict[str, tuple[dict[str, dict[str, str]], dict[str, str], str]] = {
    "raises": ({METHODS: {"broken": "bad.method"}}, {"method": "x = 1\nraise ValueError('two\\nlines')"},
               "bad/method.py, line 2: ValueError: two lines"),
    "ends the process": ({METHODS: {"broken": "bad.method"}}, {"method": "import sys\nsys.exit(3)"}, "SystemExit: 3"),
    "is no Python": ({METHODS: {"broken": "bad.method"}}, {"method": "def:"}, "bad/method.py, line 1: SyntaxError"),
    "lacks what it needs": ({METHODS: {"broken": "bad.method"}}, {"method": "import not_here"}, "'not_here'"),
    "no such module": ({METHODS: {"broken": "bad.gone"}}, {}, "points to nothing: there is no module bad.gone"),
    "no such package": ({METHODS: {"broken": "gone"}}, {}, "points to nothing: there is no module gone"),
    "no such object": ({SPACES: {"broken": "bad.space:SPACE"}}, {"space": ""},
                       "points to nothing: bad.space has no SPACE"),
    "no variants": ({METHODS: {"broken": "bad.method"}}, {"method": ""}, "is no module with VARIANTS"),
    "empty": ({METHODS: {"broken": "bad.method"}}, {"method": "VARIANTS = {}"}, "is empty"),
    "no method": ({METHODS: {"broken": "bad.method"}}, {"method": "VARIANTS = {'broken': 3}"}, "is no method"),
    "no module": ({METHODS: {"broken": "bad.method:VARIANTS"}}, {"method": "VARIANTS = {}"}, "is no module with"),
    "no space": ({SPACES: {"broken": "bad.space:SPACE"}}, {"space": "SPACE = 'nb201'"}, "is no Space, but str"),
    "another name": ({SPACES: {"broken": "bad.space:SPACE"}},
                     {"space": "from bench.spaces.nb201 import SPACE"}, "it is a space 'nb201'"),
    "a name that a space has": ({SPACES: {"nb201": "bad.space:SPACE"}},
                                {"space": "from bench.spaces.nb201 import SPACE"}, "that name is there already"),
    "a name that a method has": (
        {METHODS: {"broken": "bad.method"}},
        {"method": "from methods.darts import Darts\nVARIANTS = {'fine': Darts(), 'darts': Darts()}"},
        "methods/darts.py has a method 'darts' already",
    ),
    "settings for a space that is none": (
        {METHODS: {"broken": "bad.method"}},
        {"method": "from methods.darts import Darts\nVARIANTS = {'fine': Darts()}\nSETTINGS = {'moon': VARIANTS}"},
        "SETTINGS['moon']",
    ),
    "the program itself": ({METHODS: {"broken": "methods.darts"}}, {}, "points into the program itself"),
    "no value": ({METHODS: {"broken": "bad method!"}}, {}, "it is no entry point"),
}  # fmt: skip


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_plug_in_costs_itself(mine: Path, fault: str, capsys: pytest.CaptureFixture[str]) -> None:
    entries, files, words = BROKEN[fault]
    package(mine, "bad", entries, **files)
    ((group, named),) = entries.items()
    (line,) = methods.broken() if group == METHODS else spaces.broken()
    assert words in line
    assert "\n" not in line
    assert "(bad 0.1)" in line
    assert methods.get("annealed").end == 0.1
    assert methods.get("darts") == methods.house()["darts"].method
    assert spaces.get("nb201-no-pool").size == 4096
    assert spaces.get("nb201") is NB201
    assert "fine" not in methods.offered()
    kind = "methods" if group == METHODS else "spaces"
    assert main(["list", kind]) == 1
    told = capsys.readouterr()
    assert ("annealed" if group == METHODS else "nb201-no-pool") in told.out
    assert told.err.strip() == f"skipped: {line}"
    if named.keys() == {"broken"}:
        with pytest.raises(BadPlugin, match=r"plug-in broken = "):
            (methods if group == METHODS else spaces).get("broken")
        assert main(["check", "bad"]) == 1 or fault in ("no such package", "the program itself", "no value")


def test_of_two_packages_with_one_name_neither_is_taken(mine: Path) -> None:
    variants = "{'annealed': Annealed(end=0.9), 'other': Annealed(end=0.8)}"
    twin = f"from my_package.annealed import Annealed\nVARIANTS = {variants}"
    space = "from dataclasses import replace\nfrom my_package.space import SPACE as S\nSPACE = replace(S)"
    entries = {METHODS: {"annealed": "twin.method"}, SPACES: {"nb201-no-pool": "twin.space:SPACE"}}
    package(mine, "twin", entries, method=twin, space=space)
    for lines, other in ((methods.broken(), "neither is taken"), (spaces.broken(), "neither is taken")):
        assert len(lines) == 2
        assert all(other in line and "\n" not in line for line in lines)
    assert not {"annealed", "annealed-slow", "other"} & set(methods.offered())
    assert spaces.known("nb201-no-pool") is None
    with pytest.raises(BadPlugin, match="twin has a space of that name"):
        spaces.get("nb201-no-pool")


def test_what_is_broken_takes_no_name_from_others(mine: Path) -> None:
    variants = "{'annealed': Annealed(end=0.9), 'darts': Annealed(end=0.8)}"
    method = f"from my_package.annealed import Annealed\nVARIANTS = {variants}"
    package(mine, "bad", {METHODS: {"broken": "bad.method"}}, method=method)
    (line,) = methods.broken()
    assert "methods/darts.py has a method 'darts' already" in line
    assert methods.get("annealed").end == 0.1
    with pytest.raises(BadPlugin, match=r"unknown method 'anneald'; did you mean 'annealed'.*of a broken plug-in"):
        methods.get("anneald")


def test_a_package_may_not_have_the_name_of_a_file_of_methods(path: Path) -> None:
    """Or its classes would have the names, and its runs the keys, of that file's."""
    package(path, "snas", {METHODS: {"new": "snas"}})
    (line,) = methods.broken()
    assert "methods/snas.py" in line


def test_entry_points_that_cannot_be_read_cost_their_package(mine: Path) -> None:
    plug_ins.announced(mine, "garbled", f"[{METHODS}]\nno equals sign here\n")
    forget()
    (line,) = methods.broken()
    assert "garbled" in line
    assert methods.get("annealed").end == 0.1


def test_a_package_that_does_not_say_its_name_is_taken(mine: Path) -> None:
    (about,) = mine.glob("*.dist-info")
    (about / "METADATA").unlink()
    forget()
    assert methods.broken() == []
    assert methods.get("annealed").end == 0.1


def test_a_record_makes_nothing_else_imported(mine: Path) -> None:
    from bench.errors import BadSpec

    assert methods.part("my_package.annealed.Annealed") is type(methods.get("annealed"))
    for name in ("antigravity.Annealed", "os.path.join", "my_package.annealed.Gone", "my_package.annealed.VARIANTS"):
        with pytest.raises(BadSpec, match="among the methods"):
            methods.part(name)
    assert "antigravity" not in sys.modules
    package(mine, "bad", {METHODS: {"broken": "bad.method"}}, method="1 / 0")
    with pytest.raises(BadPlugin, match="ZeroDivisionError"):
        methods.part("bad.method.Method")


def test_unknown_names_offer_those_of_plug_ins(mine: Path) -> None:
    with pytest.raises(UnknownName, match="did you mean 'annealed'"):
        methods.get("anneald")
    with pytest.raises(UnknownName, match="did you mean 'nb201-no-pool'"):
        spaces.get("nb201-nopool")


def test_operations_of_ones_own_have_names_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "OPERATIONS", dict(operations.OPERATIONS))
    own = operations.Convolution("nor_conv_7x7", 7)
    assert operations.register(own) is operations.register(operations.Convolution("nor_conv_7x7", 7)) is own
    with pytest.raises(BadSpace, match="another operation 'nor_conv_3x3'"):
        operations.register(operations.Convolution("nor_conv_3x3", 5))


# The contract


def test_who_is_no_plug_in_is_one_line(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, message in (((), "check takes the name"), (("my_package",), "no package announces")):
        assert main(["check", *words]) == 2
        error = capsys.readouterr().err.strip()
        assert message in error
        assert "\n" not in error
    plug_ins.installed(path, MINE)
    forget()
    assert main(["check", "my_pakage"]) == 2
    assert "did you mean 'my_package'" in capsys.readouterr().err


def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer searches."""
    monkeypatch.setattr(packages, "TRIED_ON", ("toy",))
    monkeypatch.setattr(packages, "KINDS", ("random", "rsps"))


def test_the_package_of_the_page_keeps_the_contract(
    mine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few(monkeypatch)
    assert main(["check", "my-package", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {one["status"] for one in told} == {"ok"}
    assert {one["of"] for one in told} == {"my_package", "annealed", "annealed-slow", "nb201-no-pool"}
    assert {"stopped and taken up", "sees no ground truth", "notation", "network"} <= {one["check"] for one in told}


METHOD = MINE["my_package/annealed.py"]
SPACE = MINE["my_package/space.py"]
THETA = "        temperature = 1 + (self.end - 1) * learner.progress\n"
SEARCH = """
    def search(self, task):
        found = super().search(task)
        {}
        return found

"""


def with_search(line: str) -> str:
    """The method, with something done behind its search."""
    return METHOD.replace("\n\nVARIANTS", SEARCH.format(line) + "\nVARIANTS")


NAMED = "    def named("


def defined(text: str) -> str:
    """A method of the space more."""
    return f"    def {text}\n\n{NAMED}"


FAULTS: dict[str, tuple[str, str, str]] = {
    "draws at random": (
        THETA,
        f"{THETA}        import random\n        temperature += random.random()\n",
        "runs on toy",
    ),
    "counts on": (
        THETA,
        f"        Annealed.seen = getattr(Annealed, 'seen', 0) + 1\n{THETA}        temperature += Annealed.seen\n",
        "runs on toy",
    ),
    "raises": (THETA, f"{THETA}        1 / 0\n", "runs on toy"),
    "asks for the truth": (THETA, f"        import bench.truth\n{THETA}", "sees no ground truth"),
    "has a key of another": ("Annealed(end=0.5)", "Annealed()", "a key of its own"),
    "takes what it does not list": (
        NAMED,
        defined("feasible(self, genotype):\n        return 1 not in genotype"),
        "rule",
    ),
    "shows two as one": (
        NAMED,
        defined("show(self, genotype):\n        return super().show((0, *genotype[1:]))"),
        "notation",
    ),
    "counts wrong": (NAMED, defined("count(self, region):\n        return 7"), "rule"),
}
"""By name: what stands in the files of the page instead of what, and the check that it breaks."""


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_breaks_the_contract(
    path: Path, fault: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after, check = FAULTS[fault]
    files = {name: text.replace(before, after) for name, text in MINE.items()}
    assert files != MINE
    plug_ins.installed(path, files)
    forget()
    few(monkeypatch)
    every = packages._checks
    monkeypatch.setattr(packages, "_checks", lambda found, all_: (one for one in every(found, all_) if one[1] == check))
    assert main(["check", "my_package"]) == 1
    lines = capsys.readouterr().out.splitlines()
    failed = [line for line in lines if line.startswith("failed")]
    assert failed
    assert all(f": {check}: " in line for line in failed)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("found = __import__('dataclasses').replace(found, candidates=())", "none of its candidates"),
        ("task.trace.clear()", "reports no choice"),
        ("task.trace[-1]['genotype'] = (0,) * len(found.genotype)", "reports last"),
    ],
)
def test_an_outcome_out_of_order_is_named(
    path: Path, change: str, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plug_ins.installed(path, {**MINE, "my_package/annealed.py": with_search(change)})
    forget()
    few(monkeypatch)
    every: Callable[..., Any] = packages._checks
    monkeypatch.setattr(
        packages, "_checks", lambda found, all_: (one for one in every(found, all_) if one[1] == "runs on toy")
    )
    assert main(["check", "my_package"]) == 1
    assert words in capsys.readouterr().out


@pytest.mark.slow
def test_every_command_of_the_page_does_what_it_says(mine: Path, tmp_path: Path) -> None:
    """In processes of their own, in an empty folder: a figure and a report are drawn at the end."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    for words in plug_ins.commands_of_the_page():
        done = subprocess.run(
            [sys.executable, "-m", *words], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    drawn = tmp_path / "results" / "mine"
    assert list(drawn.glob("figures/tau_by_method-nb201-no-pool-*.png"))
    assert "annealed" in (drawn / "report.html").read_text()
