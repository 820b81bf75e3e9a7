"""The end of a command in eighty columns, and lines of progress, on a clock of our own."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from analysis import answer, terminal
from analysis.load import load
from bench.runs.progress import EVERY, Pulse, Report
from bench.store.record import Results
from tests.test_analysis import made_up_run


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def screen(tmp_path: Path) -> str:
    results = Results(tmp_path / "results")
    for label in ("parameters", "multiply-adds", "largest"):
        made_up_run(results, label, 0, tau=None if label == "largest" else 0.5, images=(0, 0), rank=500)
    for seed, (tau, rank) in enumerate(((-0.1, 15_000), (0.2, 9), (0.3, 700))):
        made_up_run(results, "darts-2nd-longer", seed, tau=tau, rank=rank, images=(2_000_000, 0))
        made_up_run(results, "a-method-whose-name-is-far-too-long-for-a-table", seed, tau=0.6, rank=2)
        made_up_run(results, "random-best-of-10", seed, rank=7_000)
    made_up_run(results, "rsps", 0, status="diverged", test=None)
    (of,) = answer.answers(load(results).frame, results.root)
    return terminal.ending(of, results.root / "report.html", 14)


def test_the_screen_has_eighty_columns_and_every_search_once(screen: str) -> None:
    lines = screen.splitlines()
    assert max(map(len, lines[:-1])) <= terminal.WIDTH  # the last is an address
    start, end = (at for at, line in enumerate(lines) if line.startswith("----"))
    rows = [line[: terminal.NAME].strip() for line in lines[start + 1 : end]]
    assert rows[-1] == "RSPS"  # without a rank: last
    assert rows[:2] == ["a-method-whose-name-is-far-\N{HORIZONTAL ELLIPSIS}", "DARTS, second order, longer"]
    assert re.search(r"0\.133 \(\N{MINUS SIGN}0\.10, 0\.30\) +5,236 \(9, 15,000\) +2M$", "\n".join(lines), re.M)
    assert "Parameter count" in lines[end + 1]


def test_marks_stand_in_the_order_of_their_values(screen: str) -> None:
    (row,) = [line for line in screen.splitlines() if line.startswith("DARTS") and "#" in line]
    bar = row[terminal.SHORT + 1 :]
    assert [mark for mark in bar if mark != " "] == ["o", ".", "#", "o", "o", "|", ":"]  # -0.1 0 0.13 0.2 0.3 0.5 0.9
    assert bar.index("o") == 0
    assert len(bar) == terminal.WIDTH - terminal.SHORT - 2


def test_a_line_of_progress_comes_every_thirty_seconds_into_the_log_too(tmp_path: Path) -> None:
    clock, out, log = Clock(), StringIO(), tmp_path / "progress.log"
    with Report(["a seed 0", "b seed 0"], ["a", "b"], 1, Console(file=out, width=200), log, clock) as report:
        for share in (0.1, 0.2, 0.3, 0.4):
            clock.now += EVERY / 2
            report.tick(0, share)
        assert out.getvalue().count("running: a seed 0") == 2
        report.finish(0, "done in 60 s, chose |x~0|")
    lines = log.read_text().splitlines()
    assert [line.split(" ", 2)[2] for line in lines] == out.getvalue().splitlines()
    assert "0 of 2 done; running: a seed 0 20 %; about" in lines[0]
    assert "[1/2] a seed 0: done in 60 s, chose |x~0|" in lines[-1]


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    out = StringIO()
    with Report(["a"], ["a"], 1, Console(file=out, width=200), tmp_path / "absent" / "log") as report:
        report.finish(0, "done")
    assert "no log from here on" in out.getvalue()
    assert "[1/1] a: done" in out.getvalue()


def test_drawing_tells_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    pulse = Pulse("drawn", clock)
    for at in range(4):
        pulse(at, 4, f"part {at}")
        clock.now += EVERY / 2
    assert capsys.readouterr().err.splitlines() == ["drawn 2 of 4, now part 2"]
