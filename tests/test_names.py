"""Names and text from outside: none leads out of its folder, obeys nobody, or is markup."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.output import csv_text
from analysis.report.markup import Text, read
from bench.cli.commands import main
from bench.errors import BadData, BadRecord, BadSpec, BadTable
from bench.images.fetch import fetch
from bench.images.sources import Remote, read_list
from bench.store import names
from bench.store.files import content_of, opened, write_atomically
from bench.store.locks import claimed
from bench.store.record import Results
from bench.truth.table import Header
from tests import tiny
from tests.test_score import small_table

OUTSIDE = [
    "../victim",
    "a/b",
    "/etc/passwd",
    "..",
    "a..b",
    ".hidden",
    "a\x00b",
    "a\nb",
    "-rf",
    "a" * 101,
    "",
    "ä",
    "a ",
]


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_name_that_could_leave_its_folder_is_refused(name: str, tmp_path: Path) -> None:
    results = Results(tmp_path)
    for place in (
        lambda: names.checked(name, "a table"),
        lambda: results.score_path("0" * 16, name),
        lambda: results.truths_path(name, "cifar10"),
        lambda: results.run_path(name),
        lambda: results.checkpoints_path(name),
    ):
        with pytest.raises((BadSpec, BadRecord)):
            place()


@given(st.text(max_size=150))
def test_whatever_is_let_through_stays_in_its_folder(name: str) -> None:
    try:
        path = names.within(Path("/folder"), name, "json")
    except BadSpec:
        return
    assert Path(os.path.normpath(path)).parent == Path("/folder")
    assert len(path.name.encode()) < 255


def test_a_table_whose_name_is_a_path_is_refused() -> None:
    """`score --truth` wrote where the header's name led."""
    header = small_table().header
    assert replace(header, name="patches v1.2+x").name == "patches v1.2+x"
    with pytest.raises(BadTable, match="the name of a table"):
        replace(header, name="../../../../outside/victim")
    assert isinstance(header, Header)


def test_a_list_of_sources_names_files_in_the_data_folder(tmp_path: Path) -> None:
    for name, folder in (("../out.bin", ""), ("in.bin", "../up"), ("in.bin", "a/../../b")):
        path = tmp_path / "sources.toml"
        path.write_text(f'[x]\ntitle="X"\n[[x.files]]\nname="{name}"\nfolder="{folder}"\npage="p"\nurl=["u"]\n')
        with pytest.raises(BadData, match="the name of a f"):
            read_list(path)


def test_links_are_never_written_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link in the place of a lock, of a `.part` file or of a result."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    for name in (".lock", "file.bin.part", "result.json"):
        (tmp_path / name).symlink_to(victim)
    with pytest.raises(BadRecord, match="it is a link"), claimed(tmp_path / ".lock", "a run"):
        pass
    monkeypatch.setenv("SUPERNET_BENCH_OFFLINE", "0")
    with pytest.raises(BadData, match="it is a link"):
        fetch(Remote("file.bin", "page", ("http://127.0.0.1:1/x",)), tmp_path)
    write_atomically(tmp_path / "result.json", b"new")
    assert not (tmp_path / "result.json").is_symlink()
    assert victim.read_text() == "precious"


def test_a_pipe_is_neither_read_nor_written(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="no ordinary file"):
        content_of(tmp_path / "pipe")
    with pytest.raises(OSError, match="no ordinary file"):
        opened(tmp_path / "pipe")


LABELS = ["![x](http://x/y.png)", "<b>", "=1+1", "a\x1b[31m", "a|b", "a`b`", "\\input{x}", "a" * 300, " a", "a\n"]


@pytest.mark.parametrize("label", LABELS)
def test_a_label_is_plain_text(label: str) -> None:
    with pytest.raises(BadSpec, match="the label"):
        tiny.spec(None, label=label)


def test_the_labels_of_the_house_are_labels() -> None:
    import methods
    from bench.store.bases import BASES

    for label in (*methods.offered(), *BASES.values(), "gm-darts(protocol=fair)", "NASLib LocalSearch(epochs=12)"):
        assert names.labelled(label) == label


def test_control_characters_reach_no_terminal(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert names.printable("a\x1b[31m\r\u202eb\x9b") == "a\\x1b[31m\\r\\u202eb\\x9b"
    assert main(["show", "\x1b]0;owned\x07", "--results", str(results)]) == 2
    assert main(["run", "smoke", "--methods", "\x1b[2J", "--results", str(results)]) == 2
    said = "".join(capsys.readouterr())
    assert "\x1b" not in said
    assert "\x07" not in said


def test_no_cell_of_a_csv_file_is_a_formula() -> None:
    data = pd.DataFrame({"label": ["=1+1", "+a", "-b", "@c", "darts", None], "test": [-1.5, 2, 3, 4, 5, None]})
    assert csv_text(data).splitlines()[1:] == ["'=1+1,-1.5", "'+a,2", "'-b,3", "'@c,4", "darts,5", ","]


def test_markdown_of_a_table_makes_no_image_and_no_html() -> None:
    (text,) = read("![x](http://x/y.png) <script>alert(1)</script>", lambda name: "")
    assert isinstance(text, Text)
    assert "<img" not in text.html
    assert "<script" not in text.html
