"""Two processes, one results folder: no run is made twice, and no claim outlives its process."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.cli.commands import main
from bench.errors import BadRecord, Busy
from bench.runs import batch
from bench.runs.run import Settings, execute, make
from bench.store.record import Results
from methods.baselines import RandomArchitecture
from tests import tiny

HOLD = """
import sys, time
from pathlib import Path
from bench.store.record import Results
with Results(Path(sys.argv[1])).claim(sys.argv[2]):
    print("held", flush=True)
    time.sleep(600)
"""


def _holder(root: Path, key: str) -> subprocess.Popen[str]:
    """A process that holds a claim, until it is killed."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(root), key], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def _kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_a_run_that_another_process_makes_is_left_to_it_and_to_nobody_else(tmp_path: Path) -> None:
    """While the other lives the run is refused, and others are not; after its death by SIGKILL it is made."""
    spec, other = tiny.spec(RandomArchitecture()), tiny.spec(RandomArchitecture(), seed=1)
    settings = Settings(tmp_path, "cpu")
    process = _holder(tmp_path, spec.key)
    try:
        who = rf"process {process.pid} on host {re.escape(socket.gethostname())} since .*"
        with pytest.raises(Busy, match=rf"^{who} is making run {spec.key}; it is waited for$"):
            execute(spec, settings)
        elsewhere, made = make(spec, settings, lambda share: None, debug=True)
        assert isinstance(elsewhere, Busy)
        assert not made
        assert execute(other, settings).status == "done"
    finally:
        _kill(process)
    assert not Results(tmp_path).run_path(spec.key).exists()
    assert execute(spec, settings).status == "done"
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == sorted(
        [f"{spec.key}.json", f"{other.key}.json"]
    )


def test_a_batch_goes_on_with_the_runs_that_are_free(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["run", "smoke", "--methods", "random", "largest", "--results", str(tmp_path), "--json"]
    assert main(words) == 0
    (first, second) = sorted((tmp_path / "runs").glob("*.json"))
    first.unlink()
    process = _holder(tmp_path, first.stem)
    monkeypatch.setattr(batch, "time", SimpleNamespace(sleep=lambda seconds: _kill(process)))  # once it is waited for
    assert main(words) == 0, "nothing failed: the run of the dead process is taken over"
    captured = capsys.readouterr()
    assert f"process {process.pid} on host {socket.gethostname()} since" in captured.err
    assert {second.stem, first.stem} == {row["key"] for row in json.loads(captured.out.splitlines()[-1])}
    assert first.exists()


def test_a_claim_ends_with_what_it_was_held_for(tmp_path: Path) -> None:
    """Also inside one process a claim is held once, and an error lets go of it."""
    results = Results(tmp_path)

    def fail() -> None:
        with results.claim("0"), results.claim("1"):
            with pytest.raises(Busy, match=f"process {os.getpid()} on host .* since 2"), results.claim("0"):
                pass
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with results.claim("0"), results.claim("1"):
        pass
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_lock_file_that_was_removed_holds_nothing(tmp_path: Path) -> None:
    results = Results(tmp_path)
    with results.claim("0"):
        (path,) = (tmp_path / "runs").iterdir()
        path.unlink()
        with results.claim("0"):
            assert path.exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(BadRecord, match="cannot write"), Results(tmp_path).claim("0"):
        pass
