"""A search from Python, scores as a table, `describe` and `verify`."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import bench
from bench.cli.commands import main
from bench.cli.verify import compared
from bench.errors import BadGenotype, BadRecord, BadSpec, UnknownName
from bench.runs import probe
from bench.search.checkpoints import read, to_bytes
from bench.search.kept import PARTS
from bench.spaces.nb201 import SPACE
from bench.store.files import write_atomically
from bench.store.record import Results
from tests.test_analysis import made_up_run


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> bench.Searched:
    return bench.run("parameters", scale="smoke", results=tmp_path_factory.mktemp("api") / "own")


def test_a_search_gives_choice_and_estimates(searched: bench.Searched) -> None:
    assert searched.record.status == "done"
    assert searched.genotype == SPACE.parse(searched.architecture or "")
    table = searched.estimates
    assert len(table) == 40  # the probe of this scale
    _, values = probe.read(searched.results.estimates_path(searched.record.key))
    np.testing.assert_array_equal(table["accuracy"], values[:, 0])
    best = table.loc[table["accuracy"].idxmax(), "architecture"]
    assert SPACE.show(SPACE.parse(best)) == best  # the official string
    assert searched.supernets is None


def test_the_same_search_is_found_again(searched: bench.Searched) -> None:
    again = bench.run("parameters", scale="smoke", results=searched.results.root)
    assert again.record == searched.record


@pytest.mark.parametrize(
    ("given", "error"),
    [({"scale": "smok"}, UnknownName), ({"seed": 1.5}, BadSpec), ({"settings": {"x": "1"}}, UnknownName)],
)
def test_what_is_not_known_is_refused_before_anything_is_made(
    given: dict[str, object], error: type[Exception], tmp_path: Path
) -> None:
    with pytest.raises(error):
        bench.run("parameters", results=tmp_path / "own", **{"scale": "smoke", **given})  # type: ignore[arg-type]
    assert not (tmp_path / "own").exists()


def test_importing_the_package_imports_nothing_else() -> None:
    code = "import bench, sys; print(sorted({m.partition('.')[0] for m in sys.modules} & {'torch', 'pandas', 'numpy'}))"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
    with pytest.raises(AttributeError, match="nonsense"):
        _ = bench.nonsense  # type: ignore[attr-defined]


def test_scores_are_a_table_of_a_row_each(tmp_path: Path) -> None:
    with pytest.raises(BadRecord, match="there is no folder"):
        Results(tmp_path / "resutls").frame()
    results = Results(str(tmp_path))
    assert results.frame().empty
    made_up_run(results, "darts", 3, test=91.0, tau=0.4, tau_top10=0.1)
    made_up_run(results, "rsps", 0, test=None)
    rows = results.frame().set_index("label")
    assert rows.loc["darts", ["seed", "test", "tau", "tau_top10", "forward_images"]].tolist() == [
        3,
        91.0,
        0.4,
        0.1,
        3_000,
    ]
    assert np.isnan(rows.loc["rsps", "test"])
    assert "curve" not in rows
    (tmp_path / "scores" / f"{'a' * 16}.truth.json").write_text("{")
    with pytest.warns(UserWarning, match="1 file in .* skipped: .*truth.json"):
        assert len(results.frame()) == 2


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> bench.Searched:
    """Three supernets of a cut edge."""
    folder = tmp_path_factory.mktemp("kept")
    return bench.run("fewshot-rsps", scale="smoke", space="toy", results=folder, keep_supernet=True)


def test_kept_supernets_estimate_as_the_run_did(kept: bench.Searched) -> None:
    """Loaded by the beginning of the key, and asked by notation and by operations alike."""
    found = bench.load(kept.record.key[:6], str(kept.results.root))
    assert found.record == kept.record
    supernets, table = found.load_supernets(device="cpu"), found.estimates
    assert len(supernets.networks) == len(supernets.space.ops)  # of a cut edge, one operation each
    assert all(isinstance(network, torch.nn.Module) for network in supernets.networks)
    again = supernets.estimates(table["architecture"])
    pd.testing.assert_frame_equal(again, table, check_dtype=False, rtol=1e-6)
    one = table["architecture"][5]
    alone = supernets.estimates([supernets.space.parse(one)], images=0)
    assert alone["architecture"].tolist() == [one]
    assert alone.loc[0, "cross_entropy"] != table.loc[5, "cross_entropy"]  # on all images
    assert supernets.estimates([]).empty
    with pytest.raises(BadSpec, match="images=257: the run has 256 validation images"):
        supernets.estimates([one], images=257)
    with pytest.raises(BadGenotype):
        supernets.estimates(["|nonsense|"])


def test_supernets_that_are_not_of_the_run_are_refused(kept: bench.Searched, tmp_path: Path) -> None:
    """Of another space, of another version of it, of another run, or none: one line each."""

    def other(change: dict[str, object], digest: bool = True) -> bench.Searched:
        """The run with a file whose note says something else."""
        assert kept.supernets is not None
        note, tensors = read(kept.supernets, PARTS)
        content = to_bytes({**note, **change}, tensors)
        results = Results(tmp_path / str(len(list(tmp_path.iterdir()))))
        write_atomically(results.supernets_path(kept.record.key), content)
        said = {**kept.record.place["supernets"], "blake2b": hashlib.blake2b(content, digest_size=16).hexdigest()}
        place = {**kept.record.place, "supernets": said} if digest else kept.record.place
        return bench.Searched(replace(kept.record, place=place), results)

    for change, why in (
        ({"space": repr(SPACE)}, "another space, or of another version of toy"),
        ({"format": 0}, "has format 0, this version reads 1"),
        ({"key": "0" * 16}, "holds supernets of run 0000000000000000"),
        ({"supernets": [{}]}, "holds supernets of another version"),
    ):
        with pytest.raises(BadRecord, match=why) as error:
            other(change).load_supernets(device="cpu")
        assert "\n" not in str(error.value)
    with pytest.raises(BadRecord, match="is not what record"):
        other({"key": "0" * 16}, digest=False).load_supernets(device="cpu")


def test_a_supernet_that_was_not_kept_is_said(tmp_path: Path) -> None:
    found = bench.run("rsps", scale="smoke", space="toy", results=tmp_path)
    with pytest.raises(BadRecord, match="kept no supernets"):
        found.load_supernets()
    with pytest.warns(UserWarning, match="was made before, and kept no supernet"):
        bench.run("rsps", scale="smoke", space="toy", results=tmp_path, keep_supernet=True)
    with pytest.raises(BadRecord, match="none of 1 run begins with 'x'"):
        bench.load("x", tmp_path)


def test_describe_tells_what_each_variant_changes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", "hep", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["file"] == "methods/hepnas.py"
    assert "hep-no-smd" in told["variants"]
    assert all(told["variants"]["hep-no-smd"])  # at least one named setting
    assert main(["describe", "hep"]) == 0
    assert "hep-no-smd: " in capsys.readouterr().out
    assert main(["describe", "heap"]) == 2
    assert "did you mean 'hep'" in capsys.readouterr().err


def test_verify_says_what_is_the_same(
    searched: bench.Searched, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = ["--results", str(searched.results.root)]
    assert main(["verify", searched.record.key[:8], *folder]) == 0
    assert "same choice, same costs, estimates the same to the bit" in capsys.readouterr().out
    assert main(["verify", searched.record.key, *folder, "--json", "--into", str(tmp_path / "new")]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told["tau"] == pytest.approx(1)
    assert list((tmp_path / "new" / "runs").glob("*.json"))
    choice = (0,) * len(searched.genotype or ())
    other = replace(searched.record, genotype=choice, cost={**searched.record.cost, "supernets": 7})
    told = compared(searched.record, other, searched.results, Results(tmp_path / "empty"))
    assert (told["choice"], told["costs"], told["estimates"], told["tau"]) == (False, False, None, None)


def test_a_run_that_this_version_would_make_otherwise_is_not_verified(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = Results(tmp_path)
    key = made_up_run(results, "darts", 0)
    assert main(["verify", key, "--results", str(tmp_path)]) == 2
    assert "cannot be made by this version" in capsys.readouterr().err
    assert main(["verify", "--results", str(tmp_path)]) == 2
