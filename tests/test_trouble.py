"""The machine's troubles: each is one line, nothing is lost, and the batch goes on."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from analysis import drawings
from bench.cli.commands import main
from bench.errors import BadSpec, BenchError
from bench.runs import limits
from bench.runs.run import Settings, execute, make
from bench.search.meter import Meter
from bench.search.pulse import BEAT, GAP, Clocks, Pulse
from bench.search.task import Found, Task
from bench.store import hints
from bench.store.record import Results
from methods.baselines import RandomArchitecture
from tests import tiny

ROOT = Path(__file__).parent.parent


def _settings(folder: Path, **more: Any) -> Settings:
    return Settings(folder, device="cpu", **more)


@dataclass(frozen=True)
class Endless:
    """A search that never ends, and takes errors for its own."""

    version: ClassVar[int] = 1

    def search(self, task: Task) -> Found:
        while True:
            try:
                time.sleep(0.01)
            except Exception:
                continue


def test_a_run_that_takes_too_long_is_ended_kept_and_counted(tmp_path: Path) -> None:
    record = execute(tiny.spec(Endless()), _settings(tmp_path, time_limit=0.3))
    assert record.status == "timeout"
    assert "--time-limit" in record.message
    (kept,) = Results(tmp_path).failures()
    assert kept.key == record.key
    assert execute(tiny.spec(RandomArchitecture()), _settings(tmp_path, time_limit=60)).status == "done"
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@dataclass(frozen=True)
class Blind:
    """A search that ends, and whose estimates cannot be made."""

    version: ClassVar[int] = 1

    def search(self, task: Task) -> Found:
        genotype = task.space.sample(task.region, task.stream("any"))
        return Found(genotype, ((genotype, None),), self.estimate)

    def estimate(self, genotypes: Any, images: Any = None) -> Any:
        raise MemoryError


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan"), 1e300])
def test_a_limit_that_is_none_is_refused(limit: float) -> None:
    with pytest.raises(BadSpec, match="--time-limit"):
        limits.check(limit)


@pytest.mark.parametrize("threads", ["0", "1000000"])
def test_threads_are_bounded(threads: str, results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "smoke", "--threads", threads, "--results", str(results)]) == 2
    assert f"--threads {threads}: a run has 1 thread or more" in capsys.readouterr().err


class Hands:
    """Clocks that a test moves."""

    def __init__(self) -> None:
        self.work = self.cpu = self.boot = 0.0
        self.clocks = Clocks(lambda: self.work, lambda: self.cpu, lambda: self.boot)

    def move(self, work: float, cpu: float, boot: float | None = None) -> None:
        self.work, self.cpu, self.boot = self.work + work, self.cpu + cpu, self.boot + (work if boot is None else boot)


def test_seconds_that_a_process_stood_still_are_seen() -> None:
    """A gap without CPU time is one, a busy stretch without a beat and a short pause are none."""
    hands = Hands()
    pulse = Pulse(hands.clocks)
    hands.move(60.0, 0.01)
    assert pulse.lost() == pytest.approx(60 - BEAT)
    hands.move(60.0, 55.0)
    hands.move(GAP / 2, 0.0)
    assert pulse.lost() == pytest.approx(60 - BEAT)
    assert pulse.slept() == 0
    hands.move(1.0, 1.0, boot=3_601.0)
    assert pulse.lost() == pytest.approx(60 - BEAT)
    assert pulse.slept() == pytest.approx(3_600)


def test_what_stood_still_is_no_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    hands = Hands()
    monkeypatch.setattr("bench.search.meter.time.perf_counter", lambda: hands.work)
    meter = Meter(torch.device("cpu"), Pulse(hands.clocks))
    with meter.phase("weights"):
        hands.move(2.0, 2.0)
        meter.clock()
        hands.move(100.0, 0.0)
    assert meter.total().wall_s == pytest.approx(2 + BEAT)


@pytest.mark.slow
def test_a_process_that_is_stopped_is_charged_nothing_for_it(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from bench.runs.run import Settings, execute; from tests import tiny; "
        "from tests.test_run import DARTS; from bench.store.spec import with_settings; "
        "m = with_settings(DARTS, {'training.epochs': '5000'}); print('here', flush=True); "
        "execute(tiny.spec(m), Settings(Path(sys.argv[1]), device='cpu'))"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(4)
    process.send_signal(signal.SIGSTOP)
    time.sleep(8)
    process.send_signal(signal.SIGCONT)
    assert process.wait(120) == 0
    (record,) = Results(tmp_path).records()
    assert 6 < record.place["stood_still_s"] < 10


@dataclass(frozen=True)
class Hungry:
    """A search that fails as torch does where memory is gone."""

    message: str
    version: ClassVar[int] = 1

    def search(self, task: Task) -> Found:
        raise MemoryError if not self.message else RuntimeError(self.message)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried to allocate "
         "4194304 bytes. Error code 12", "out of memory on cpu when 4194304 bytes more were asked for"),
        ("unable to mmap 99 bytes: Cannot allocate memory (12)", "out of memory on cpu"),
        ("", "out of memory on cpu"),
    ],
)  # fmt: skip
def test_memory_that_is_gone_is_one_line(message: str, said: str, tmp_path: Path) -> None:
    record = execute(tiny.spec(Hungry(message)), _settings(tmp_path))
    assert record.status == "failed"
    assert record.message.startswith(said)
    assert "\n" not in record.message


def test_memory_that_is_gone_before_a_run_begins_costs_that_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(name: str, root: Path | None = None) -> None:
        raise MemoryError

    monkeypatch.setattr("bench.runs.run.images.load", none)
    outcome, made = make(tiny.spec(RandomArchitecture()), _settings(tmp_path), lambda share: None, debug=False)
    assert isinstance(outcome, BenchError)
    assert "out of memory" in str(outcome)
    assert not made


class Disk:
    """A disk that is full from the nth writing on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, full_from: int) -> None:
        self.left, self.fsync, self.write = full_from, os.fsync, os.write
        monkeypatch.setattr(os, "fsync", lambda handle: self._spend(lambda: self.fsync(handle)))
        monkeypatch.setattr(os, "write", lambda handle, data: self._spend(lambda: self.write(handle, data)))

    def _spend(self, do: Callable[[], Any]) -> Any:
        self.left -= 1
        if self.left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return do()


@pytest.mark.parametrize(
    "full_from", [pytest.param(n, marks=[] if n in (0, 3, 5, 8) else pytest.mark.slow) for n in range(10)]
)
def test_a_disk_that_is_full_at_any_moment_is_one_line_and_loses_nothing(
    full_from: int, tmp_path: Path, capfd: pytest.CaptureFixture[str], images_once: None
) -> None:
    """Ten points; with room again, the same commands make everything."""
    words = ["run", "smoke", "--methods", "random", "largest", "--results", str(tmp_path)]
    with pytest.MonkeyPatch.context() as patch:
        Disk(patch, full_from)
        code = main(words)
    captured = capfd.readouterr()
    assert "Traceback" not in captured.out + captured.err
    made = len(list(Results(tmp_path).records()))
    assert code == (0 if made == 2 else 2 if "error: " in captured.err else 1)
    if code:
        assert "No space left on device" in captured.out + captured.err
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix not in (".json", ".log")], (
        "no litter"
    )
    assert main(words) == 0
    assert len(list(Results(tmp_path).records())) == 2


def test_hints_name_the_folder_that_was_asked_for() -> None:
    line = "no run; `python -m bench run nb201 --seeds 3`, then `python -m bench score`; or `make test`"
    assert hints.addressed(line, hints.DEFAULT) == line
    assert hints.addressed(line, Path("my own")) == (
        "no run; `python -m bench run nb201 --seeds 3 --results 'my own'`, then "
        "`python -m bench score --results 'my own'`; or `make test`"
    )
    told = hints.addressed("`python -m bench list --results a`", Path("b"))
    assert told == "`python -m bench list --results a`"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437", "cp932"])
def test_any_encoding_of_a_terminal_will_do(
    encoding: str, results: Path, monkeypatch: pytest.MonkeyPatch, images_once: None
) -> None:
    """A label of another alphabet, dashes and minus signs."""
    shown = io.BytesIO()
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(shown, encoding=encoding, write_through=True))
    assert main(["run", "\u65e5\u2013\u2212\ufb01", "--results", str(results)]) == 2
    assert main(["list", "methods", "--results", str(results)]) == 0
    assert b"\\u" in shown.getvalue() or encoding == "cp932"


def test_files_are_utf_8_whatever_the_locale() -> None:
    """No text file is read in the encoding of the machine."""
    for path in [p for package in ("bench", "methods", "analysis") for p in (ROOT / package).rglob("*.py")]:
        assert "read_text()" not in path.read_text(encoding="utf-8"), path


def test_exit_codes_say_what_happened(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """0 all there, 1 something failed, 2 a wrong call."""
    words = ["run", "smoke", "--methods", "random", "--results", str(tmp_path), "--json"]
    assert main(words) == 0
    (row,) = json.loads(capsys.readouterr().out)
    Results(tmp_path).run_path(row["key"]).write_text("{")
    assert main(words) == 1
    assert main(["run", "no-such-study"]) == 2


@pytest.mark.slow
def test_a_package_of_our_name_in_the_working_folder_shadows_nothing(tmp_path: Path) -> None:
    for name in ("methods", "analysis"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('somebody else')")
    words, environment = ["bench", "list", "methods"], {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", *words], capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr


def test_processes_that_can_share_no_memory_are_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*args: object, **more: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("analysis.drawings.ProcessPoolExecutor", none)
    with pytest.warns(UserWarning, match="share no memory here"):
        assert drawings._pool(2) is None


@pytest.mark.slow
def test_a_system_that_is_not_served_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert main(["list"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "Windows" in line


def test_estimates_that_fail_cost_themselves_and_not_the_search(tmp_path: Path) -> None:
    """Memory that is gone behind the search, as for a probe of too large networks."""
    record = execute(tiny.spec(Blind()), _settings(tmp_path))
    assert (record.status, record.estimates) == ("done", None)
    assert record.message == "without estimates: out of memory on cpu"
    assert Results(tmp_path).find(record.key) == record


def test_a_notebook_around_it_makes_no_difference_to_drawing(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; import pandas as pd; from analysis import drawings; "
        "from matplotlib.figure import Figure; drawings._drawn('tests.drawn_nothing', pd.DataFrame(), Path('.')); "
        "import matplotlib.pyplot as plt; plt.figure(); print(plt.get_backend())"
    )
    module = tmp_path / "tests" / "drawn_nothing.py"
    module.parent.mkdir()
    (module.parent / "__init__.py").write_text("")
    module.write_text("def draw(frame, results): return None\n")
    environment = {**os.environ, "MPLBACKEND": "module://no_such.backend", "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
    )
    assert done.stdout.strip() == "agg", done.stderr
