"""The two walls: import contracts, and what a task does not lead to.

That every search runs where no truth can be imported is shown in `tests/contract`.
"""

from __future__ import annotations

import dataclasses
import functools
import gc
import os
import subprocess
import sys
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench import images, spaces
from bench.images import Images, ImageSet
from bench.runs.run import visible
from bench.search.learner import Training
from bench.search.task import Task
from methods.darts import Darts
from tests import tiny

ROOT = Path(__file__).parent.parent


def _python(code: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=environment, check=False
    )


def test_import_contracts_hold() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_a_contract_breaks_when_a_method_reaches_for_the_truth(tmp_path: Path) -> None:
    """The check itself is checked: a copy of the sources with one bad import line is refused."""
    import shutil

    for name in ("bench", "methods", "analysis"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "shards", "tables"))
    (tmp_path / "analysis" / "tables").mkdir(exist_ok=True)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    method = tmp_path / "methods" / "baselines.py"
    method.write_text(method.read_text() + "\nfrom bench.truth import open_truth\n")
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        check=False,
    )
    assert done.returncode != 0
    assert "methods.baselines -> bench.truth" in done.stdout


def _leads_to(start: object, test: Images) -> bool:
    """Whether anything that can be reached from an object holds the test images, or the set they came from; what an
    array is a view of can be reached from it."""
    seen: set[int] = set()
    stack: list[object] = [start]
    while stack:
        item = stack.pop()
        if id(item) in seen or isinstance(item, (type, type(gc))):
            continue
        seen.add(id(item))
        if isinstance(item, ImageSet):
            return True
        if _shows(item, test):
            return True
        stack += [getattr(item, "base", None)] if isinstance(item, np.ndarray) else []
        if isinstance(item, (types.FunctionType, types.MethodType, functools.partial)):
            stack += _held_by(item)
        else:
            stack += [o for o in gc.get_referents(item) if not isinstance(o, (type, types.ModuleType))]
    return False


def _shows(item: object, test: Images) -> bool:
    """Whether an array, or the memory that a tensor is a part of, holds a test image, whatever its shape."""
    if isinstance(item, torch.Tensor) and item.dtype == torch.uint8 and item.device.type == "cpu":
        item = torch.empty(0, dtype=torch.uint8).set_(item.untyped_storage()).numpy()  # type: ignore[call-overload]
    if isinstance(item, memoryview) and item.nbytes:
        item = np.frombuffer(item, np.uint8)
    size = int(np.prod(test.pixels.shape[1:]))
    if not isinstance(item, np.ndarray) or item.dtype != np.uint8 or item.size < size or item.size % size:
        return False
    shown = {row.tobytes() for row in np.ascontiguousarray(item).reshape(-1, size)}
    return any(row.tobytes() in shown for row in test.pixels[:500])


def _held_by(call: Any) -> list[object]:
    """What a function takes along: its closure, defaults and attributes, what it is bound to; not its module."""
    if isinstance(call, functools.partial):
        return [call.func, call.args, call.keywords]
    if isinstance(call, types.MethodType):
        return [call.__self__, call.__func__]
    cells = [one.cell_contents for one in call.__closure__ or () if _is_full(one)]
    return [*cells, call.__defaults__, call.__kwdefaults__, vars(call)]


def _is_full(cell: Any) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True


def test_a_task_leads_to_no_test_image() -> None:
    """Nor do views of the whole set, of which one that is handed out would be noticed."""
    loaded = images.load("patches")
    assert not _leads_to(vars(tiny.task()), loaded.test)
    whole = np.concatenate([loaded.train.pixels[:96], loaded.test.pixels[:96]])
    view = Images(whole[:96], loaded.train.labels[:96])
    assert _leads_to(dataclasses.replace(tiny.search_images(), train=view), loaded.test)
    assert not _leads_to(dataclasses.replace(tiny.search_images(), train=view.take(96)), loaded.test)


SMALL, SLOW = "patches", pytest.mark.slow


def _sets() -> list[Any]:
    """Every image set; those whose files are not at hand are skipped."""
    reasons = {name: images.available(name) for name in images.NAMES}
    return [
        pytest.param(
            name, marks=[pytest.mark.skipif(bool(why), reason=str(why))] + [pytest.mark.slow] * (name != SMALL)
        )
        for name, why in reasons.items()
    ]


@pytest.mark.parametrize("name", _sets())
def test_a_task_of_any_image_set_leads_to_no_test_image(name: str) -> None:
    """As a run makes its task."""
    loaded = images.load(name)
    seen = visible(loaded, replace(tiny.SCALE, train_images=64, valid_images=64))
    assert not _leads_to(seen, loaded.test)
    task = Task(spaces.get("toy"), seen, tiny.SCALE, 0, torch.device("cpu"))
    task.progress = lambda share: None
    task.learner(Darts(), Training(batch=32))
    assert not _leads_to(vars(task), loaded.test)


def test_the_walk_sees_every_window() -> None:
    """A view, a base, a tensor on the same memory, a closure, a default, a bound method, a partial, another shape."""
    loaded = images.load(SMALL)
    whole = np.concatenate([loaded.train.pixels[:64], loaded.test.pixels[:64]])
    view, test = whole[:64], loaded.test
    windows: list[object] = [
        [view],
        {"a": view[3:5].reshape(2, -1)},
        torch.from_numpy(whole)[:64],
        lambda: view,
        lambda images=view: images,
        functools.partial(len, view),
        Images(view, loaded.train.labels[:64]).take.__self__,
        Images(view, loaded.train.labels[:64]).take,
        whole.reshape(-1),
        loaded,
    ]
    assert [_leads_to(window, test) for window in windows] == [True] * len(windows)
    closed = [view.copy(), torch.from_numpy(view.copy()), lambda: len(windows[:0]), loaded.train.take(64)]
    assert [_leads_to(one, test) for one in (closed[0], closed[1], closed[3])] == [False] * 3


def test_nothing_happens_at_import() -> None:
    """Importing every module draws no random number, opens no file of ours and chooses no device."""
    code = """
import random, sys, pkgutil, importlib
import numpy as np, torch, rich.console, rich.table, rich.progress  # rich draws link names from the global generator
state = (random.getstate(), np.random.get_state()[1].tobytes(), torch.random.get_rng_state().numpy().tobytes())
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
import bench, methods, analysis
for package in (bench, methods, analysis):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
after = (random.getstate(), np.random.get_state()[1].tobytes(), torch.random.get_rng_state().numpy().tobytes())
assert state == after, "a generator moved"
odd = [o for o in opened if o.endswith((".parquet", ".npz", ".csv", ".gz", ".json")) and "site-packages" not in o]
assert not odd, odd
assert not torch.cuda.is_initialized()
print("quiet")
"""
    done = _python(code)
    assert done.stdout.strip() == "quiet", done.stderr


def test_the_command_line_answers_help_without_torch() -> None:
    code = "import sys; import bench.cli.commands; assert not {'torch', 'numpy'} & set(sys.modules); print('light')"
    done = _python(code)
    assert done.stdout.strip() == "light", done.stderr


def test_sources_hold_no_pickle_and_no_bare_except() -> None:
    """Only the readers of official archives may name pickle, and none of our own formats is one."""
    allowed = {"bench/images/pickles.py"}
    for path in [p for package in ("bench", "methods", "analysis") for p in (ROOT / package).rglob("*.py")]:
        name = path.relative_to(ROOT).as_posix()
        text = path.read_text()
        assert "except:" not in text, name
        if name not in allowed and not name.startswith("bench/truth/official"):
            assert "import pickle" not in text, name
            assert "weights_only=False" not in text, name
