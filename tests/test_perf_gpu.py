"""The GPU benchmark where there is no GPU: the same code, small, on the CPU."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tests.perf import gpu


@pytest.mark.slow
def test_every_form_is_measured_on_a_cpu(tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    assert gpu.main(["--device", "cpu", "--tiny", "--out", str(out)]) == 0
    result = json.loads(out.read_text())
    assert [(row["form"], row["batch"]) for row in result["steps"]] == [
        (form.name, batch) for batch in gpu.TINY.batches for form in gpu.FORMS
    ]
    assert all(row["ms"] > 0 and row["operations"] > 100 for row in result["steps"])
    by_form = {row["form"]: row["operations"] for row in result["steps"] if row["batch"] == 16}
    assert by_form["lean"] < by_form["plain"]
    assert {row["form"] for row in result["searches"]} >= {"plain"}
    assert all(row["epochs_run"] == 1 and row["run_s"] > 0 for row in result["searches"])
    assert result["device"].startswith("CPU")
    assert result["left_out"] == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_gpu_it_says_so_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu.main([]) == 0
    assert capsys.readouterr().out == "no CUDA device here, nothing measured; try --device cpu --tiny\n"


def test_a_search_that_does_not_fit_is_extrapolated() -> None:
    shown, _ = gpu.search_images(gpu.TINY.scale, 8)
    task = gpu.Task(gpu.SPACE, shown, gpu.TINY.scale, 0, torch.device("cpu"))
    row = gpu.searched(task, gpu.FORMS[1], 32, gpu.TINY, seconds=0.001, step_ms=50.0)
    assert (row["epochs_run"], row["run_s"]) == (0, None)
    assert row["extrapolated_s"] == pytest.approx(3 * 0.05)
