"""The commands of the documents: those that take seconds are run, the words of all are held against the program.

A comment that begins with a time, or with `needs`, says that a command takes long or wants what is not there; alone on
its line it speaks of all that follow in its fence.
"""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import bench
from analysis.__main__ import Options
from bench.cli import commands
from bench.errors import BenchError
from bench.store.typed import parsed, program
from tests import tiny
from tests.pages import PAGES, ROOT, blocks, inline, named

LONG = re.compile(r"((a|an|\d+) )?(minute|hour|day)s?\b|needs ")
LANGUAGES = {"sh", "python", "text", "toml"}
BENCH, ANALYSIS = ["python", "-m", "bench"], ["python", "-m", "analysis"]
OWN = re.compile(r"(bench|analysis|tests)\b")


@dataclass(frozen=True)
class Command:
    """A line of a shell fence."""

    page: Path
    text: str
    is_long: bool

    @property
    def words(self) -> list[str]:
        return shlex.split(self.text, comments=True)


def commands_in(page: Path, fence: str) -> Iterator[Command]:
    """Those of a fence; long is what its comment, or a comment before it on a line of its own, says to be so."""
    all_long = False
    for line in filter(None, map(str.strip, fence.splitlines())):
        comment = line.partition("# ")[2]
        if line.startswith("#"):
            all_long = bool(LONG.match(comment))
        else:
            yield Command(page, line, all_long or bool(LONG.match(comment)))


def fenced(language: str) -> list[tuple[Path, str]]:
    """The fences of a language, notebooks aside: their cells are run by test_notebooks.py."""
    found = [(page, block) for page in PAGES for block in blocks(page) if block.type == "fence"]
    return [(page, b.content) for page, b in found if b.info == language and page.parent.name != "notebooks"]


SHELL = [one for page, fence in fenced("sh") for one in commands_in(page, fence)]
SENTENCES = [
    Command(page, code.content, True)
    for page in PAGES
    for code in inline(page, "code_inline")
    if re.match(r"(python -m (bench|analysis|tests)\b|make [a-z]|pip install )", code.content)
    and not re.search(r"[…<\[]|\$\(|\bDIR\b|\bX\b", code.content)
]
EVERY = list({one.text: one for one in reversed([*SHELL, *SENTENCES])}.values())


def held(words: list[str]) -> None:
    """Raises where the program, or whoever is asked, would refuse these words."""
    if words[:3] == BENCH:
        commands._parsed(words[3:] or ["--help"])
    elif words[:3] == ANALYSIS:
        app = program("analysis", version_flags=())
        app.default(Options)
        parsed(app, words[3:])
    elif words[:2] == ["python", "-m"] and OWN.match(words[2]):
        found = importlib.util.find_spec(words[2])
        assert found is not None, f"no module {words[2]}"
        source = Path(found.origin or "")
        text = (source.with_name("__main__.py") if found.submodule_search_locations else source).read_text()
        options = [word for word in words[3:] if word.startswith("--")]
        there = set(re.findall(r'"(--[\w-]+)"', text))  # of argparse, or fields of a class
        there |= {f"--{name.replace('_', '-')}" for name in re.findall(r"^    (\w+): ", text, re.MULTILINE)}
        unknown = sorted(set(options) - there)
        assert not unknown, f"{words[2]} has no {unknown}"
    elif words[0] == "make":
        dry = subprocess.run(["make", "-n", *words[1:]], cwd=ROOT, capture_output=True, text=True, check=True)
        for ours in re.findall(r" (-m (?:bench|analysis|tests)\b[^|&\\\n]*)", dry.stdout):
            held(["python", *shlex.split(ours)])
    elif "pip" in words[0]:
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        assert words[2:4] == ["-c", "constraints.txt"], "it takes no pinned versions"
        assert set(re.findall(r"^\.\[(\w+)\]", words[5])) <= set(extras)


@pytest.mark.parametrize("command", EVERY, ids=lambda one: f"{named(one.page)}: {one.text[:60]}")
def test_every_command_is_one_that_the_program_takes(
    command: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    held(command.words)
    if command in SHELL:
        assert command.is_long or command.words[:3] == BENCH, "no test runs it: say how long it takes"


def test_words_that_it_would_refuse_are_found() -> None:
    for text in ("python -m bench runn", "python -m bench run --seed 1", "python -m bench list metods"):
        with pytest.raises(BenchError):
            held(text.split())
    for text in ("python -m bench.no", "python -m tests.perf.pools --job 1", "pip install -e .[ray]"):
        with pytest.raises((AssertionError, ModuleNotFoundError)):
            held(text.split())
    with pytest.raises(subprocess.CalledProcessError):
        held(["make", "nonsense"])
    marks = {"# needs x": True, "# a minute: x": True, "# 10 minutes": True, "# what it needs": False, "": False}
    for comment, is_long in marks.items():
        assert [one.is_long for one in commands_in(ROOT, f"{comment}\na\nb {comment}\n")] == [is_long] * 2


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_fence_says_what_it_holds(page: Path) -> None:
    """So that no command hides in one: indented blocks do not say it."""
    assert {b.info for b in blocks(page) if b.type == "fence"} <= LANGUAGES
    assert not [b.content for b in blocks(page) if b.type == "code_block"]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the quick commands name: two results of the repository, and a table of one's own."""
    folder = tmp_path_factory.mktemp("clone")
    for key in ("1cb2ff915f646bd0", "40e9de8021440960"):
        for part in (f"runs/{key}.json", f"estimates/{key}.parquet"):
            (folder / "results" / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / "results" / part, folder / "results" / part)
    cells = [bench.load("1cb2ff91", ROOT / "results").architecture]
    (folder / "mine.csv").write_text("".join(["arch,accuracy\n", *(f"{cell},91.5\n" for cell in cells)]))
    return folder


ONCE = {one.text.partition(" #")[0].rstrip(): one for one in reversed(SHELL) if not one.is_long}.values()
QUICK = {page: [one for one in SHELL if one in ONCE and one.page == page] for page in PAGES}


@pytest.mark.parametrize("page", [page for page, found in QUICK.items() if found], ids=named)
def test_the_quick_commands_run(
    page: Path, clone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], images_once: None
) -> None:
    """In the order of the page. KEY is the run that was made last."""
    monkeypatch.chdir(clone)
    key = "1cb2ff91"
    for command in QUICK[page]:
        words = [word.replace("KEY", key) for word in command.words[3:]]
        assert commands.main(words) == 0, (command.text, capsys.readouterr().err)
        if words[0] == "run":
            key = max((clone / "results" / "runs").glob("*.json"), key=lambda path: path.stat().st_mtime_ns).stem
    assert sum(map(len, QUICK.values())) >= 10


PROGRAMS = [(page, code) for page, code in fenced("python") if named(page) not in ("methods/README.md",)]


@pytest.mark.parametrize(("page", "code"), PROGRAMS, ids=[named(page) for page, _ in PROGRAMS])
def test_programs_in_pages_run(
    page: Path, code: str, clone: Path, monkeypatch: pytest.MonkeyPatch, images_once: None
) -> None:
    """Those of methods/README.md are run by test_rivals.py. A method that a page writes searches."""
    monkeypatch.chdir(clone)
    tree = compile(code, str(page), "exec", dont_inherit=True)
    if LONG.match(code.removeprefix("# ")):
        return
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(tree, names)
    for method in names.get("VARIANTS", {}).values():
        task = tiny.task()
        assert task.space.feasible(method.search(task).genotype)
