"""The JSON file of NAS-Bench-Macro as ground truth: every number arrives where it belongs, and a file that is not that
one is refused in one line. Made-up files by default; the released numbers where they are there."""

from __future__ import annotations

import csv
import gzip
import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import methods
from analysis.additive import fitted
from bench.cli.commands import main
from bench.errors import BadTable
from bench.folders import data_folder
from bench.metrics import tau_b
from bench.runs.run import Settings, execute
from bench.scoring.score import score
from bench.spaces.layout import RELEASED_MACRO
from bench.spaces.macro import SPACE
from bench.store.record import Results
from bench.store.spec import RunSpec
from bench.truth import counts, open_truth
from bench.truth.official.importing import import_official
from bench.truth.official.macro import NOTE
from bench.truth.reliability import split_tau
from bench.truth.table import Table
from tests import contract

NAME = "nas-bench-macro_cifar10.json"

Entries = dict[str, dict[str, Any]]


def _entry(accuracies: list[float], parameters: int, multiply_adds: int) -> dict[str, Any]:
    mean, spread = statistics.mean(accuracies), statistics.pstdev(accuracies)
    return {"test_acc": accuracies, "mean_acc": mean, "std": spread, "params": parameters, "flops": multiply_adds}


@pytest.fixture(scope="module")
def made() -> Entries:
    """A whole made-up file: an accuracy tells its architecture and its training, and is a whole number of images."""
    found = {}
    for row, genotype in enumerate(SPACE.population):
        sizes = (count(SPACE, genotype, RELEASED_MACRO) for count in (counts.parameters, counts.multiply_adds))
        found[SPACE.show(genotype)] = _entry([round(20 + row / 100 + k / 50, 2) for k in range(3)], *sizes)
    return found


@pytest.fixture
def refused(made: Entries, tmp_path: Path) -> Callable[[Callable[[Entries], Any]], str]:
    """The message that refuses a file with a change; the change may return the text of the file instead."""

    def refusal(change: Callable[[Entries], Any]) -> str:
        entries = {arch: dict(entry) for arch, entry in made.items()}
        text = change(entries)
        path = tmp_path / NAME
        path.write_text(text if isinstance(text, str) else json.dumps(entries))
        with pytest.raises(BadTable) as caught:
            import_official(path, tmp_path / "macro.parquet")
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)
        assert not (tmp_path / "macro.parquet").exists()
        return str(caught.value)

    return refusal


def test_every_number_arrives_where_it_belongs(made: Entries, tmp_path: Path) -> None:
    """By the command, from a file in another order than the space's."""
    source, out = tmp_path / NAME, tmp_path / "macro.parquet"
    source.write_text(json.dumps(dict(reversed(made.items()))))
    assert main(["import", str(source), str(out)]) == 0
    table = Table.load(out, SPACE.population)
    assert table.header.complete
    assert len(table.columns) == 3
    for seed in range(3):
        column = table.column(dataset="cifar10", split="ori-test", epochs=50, seeds=str(seed))
        expected = [made[SPACE.show(genotype)]["test_acc"][seed] for genotype in SPACE.population]
        np.testing.assert_array_equal(column, np.float32(expected))
    for ours, theirs in (("parameters", "params"), ("multiply_adds", "flops")):
        assert table.constant(ours).tolist() == [made[SPACE.show(g)][theirs] for g in SPACE.population]
    assert NOTE in table.header.title
    assert [NOTE in table.header.notes[column.name] for column in table.columns] == [True] * 3


def test_what_is_there_is_not_written_over(made: Entries, tmp_path: Path) -> None:
    source, out = tmp_path / NAME, tmp_path / "macro.parquet"
    source.write_text(json.dumps(made))
    out.write_bytes(b"mine")
    with pytest.raises(BadTable, match="exists already"):
        import_official(source, out)
    assert out.read_bytes() == b"mine"


def _without(entries: Entries) -> None:
    del entries["01201201"]


def _shares(entries: Entries) -> None:
    for entry in entries.values():
        entry["test_acc"] = [accuracy / 100 for accuracy in entry["test_acc"]]


def _changed(arch: str, name: str, value: Any) -> Callable[[Entries], None]:
    def change(entries: Entries) -> None:
        entries[arch][name] = value

    return change


def _renamed(entries: Entries) -> None:
    entries["0120120"] = entries.pop("01201201")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda entries: json.dumps(entries)[:500_000], "cut off"),
        (lambda entries: json.dumps(entries)[:-1], "cut off"),
        (_without, "1 of 6,561 architectures, e.g. 01201201"),
        (_renamed, "'0120120'"),
        (_shares, "shares"),
        (_changed("22222222", "test_acc", [0.93, 0.93, 0.93]), "shares"),
        (_changed("22222222", "test_acc", [93.0, 93.0, 930.0]), "0..100"),
        (_changed("22222222", "test_acc", [93.0, 93.005, 93.0]), "93.005"),
        (_changed("22222222", "test_acc", [93.0, 93.0]), "test_acc of 22222222"),
        (_changed("22222222", "test_acc", [93.0, 93.0, "93.0"]), "test_acc of 22222222"),
        (_changed("22222222", "test_acc", [93.0, 93.0, True]), "test_acc of 22222222"),
        (_changed("22222222", "test_acc", [93.0, 93.0, float("nan")]), "NaN"),
        (_changed("00000001", "params", 791_595), "791,594"),
        (_changed("00000001", "flops", 0.014115328), "14,115,328"),
        (_changed("00000001", "flops", None), "flops of 00000001"),
        (lambda entries: entries.update({"00000001": [1]}), "architecture 00000001"),  # type: ignore[dict-item]
        (lambda entries: '{"00000000": {}, "00000000": {}}', "stands twice"),
        (lambda entries: "{}", "6,561 of 6,561"),
        (lambda entries: '{"accuracy": 93.1}', "'accuracy'"),
        (lambda entries: "[1, 2]", "no object"),
        (lambda entries: "[" * 100_000, "no JSON"),
        (lambda entries: "1" * 10_000, "no JSON"),
        (lambda entries: "arch,test_1\n", "no JSON"),
        (lambda entries: "<!doctype html>", "web page"),
        (lambda entries: "", "empty"),
    ],
)
def test_what_is_not_the_file_is_refused_in_one_line(
    change: Callable[[Entries], Any], words: str, refused: Callable[[Callable[[Entries], Any]], str]
) -> None:
    assert words in refused(change)


@pytest.mark.usefixtures("images_once")
def test_a_search_is_scored_by_its_test_accuracy_alone(made: Entries, tmp_path: Path) -> None:
    source, out = tmp_path / NAME, tmp_path / "macro.parquet"
    source.write_text(json.dumps(made))
    import_official(source, out)
    truth, results = open_truth(out, SPACE), Results(tmp_path)
    spec = RunSpec("tested", contract.smaller(methods.get("rsps")), "macro", "cifar10", 0, contract.SCALE)
    record = execute(spec, Settings(tmp_path, device="cpu"))
    assert record.genotype is not None
    (found,) = score(record, truth, results)
    assert found.valid is None
    own = statistics.mean(made[SPACE.show(record.genotype)]["test_acc"])
    assert found.test == pytest.approx(own, abs=1e-4)
    assert found.regret_test == pytest.approx(20 + 65.6 + 0.02 - own, abs=1e-4)


# The released numbers


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Table:
    """The import of a file that is made again from its numbers."""
    source = data_folder() / "nas_bench_macro_cifar10.csv.gz"
    if not source.exists():
        pytest.skip(f"needs {source} (set SUPERNET_BENCH_DATA)")
    with gzip.open(source, "rt") as stream:
        rows = list(csv.DictReader(stream))
    entries = {
        row["arch"]: _entry([float(row[f"test_{k}"]) for k in (1, 2, 3)], int(row["params"]), int(row["flops"]))
        for row in rows
    }
    folder = tmp_path_factory.mktemp("released")
    (folder / NAME).write_text(json.dumps(entries))
    return import_official(folder / NAME, folder / "macro.parquet")


def _accuracies(table: Table) -> NDArray[np.float64]:
    """`[N, 3]` percent."""
    columns = [table.column(dataset="cifar10", split="ori-test", epochs=50, seeds=str(k)) for k in range(3)]
    return np.stack(columns, axis=1)


@pytest.mark.reproducibility
def test_every_released_size_is_the_networks(released: Table) -> None:
    """The import compares them all; here it is seen that they are the ones of the space."""
    for name, count in (("parameters", counts.parameters), ("multiply_adds", counts.multiply_adds)):
        expected = [count(SPACE, genotype, RELEASED_MACRO) for genotype in SPACE.population]
        assert released.constant(name).tolist() == expected
        assert len(expected) == 6_561


@pytest.mark.reproducibility
def test_the_release_trained_one_architecture_of_a_class(released: Table) -> None:
    """All members of a class have equal numbers, and no two classes have."""
    accuracies = _accuracies(released)
    groups = SPACE.classes(SPACE.trained_class).values()
    kept = {tuple(accuracies[SPACE.population.row(members[0])]) for members in groups}
    assert len(kept) == len(groups) == 3_969
    for members in groups:
        rows = [SPACE.population.row(member) for member in members]
        assert (accuracies[rows] == accuracies[rows[0]]).all()


@pytest.mark.reproducibility
def test_seeds_agree_and_sizes_rank_as_was_measured_before(released: Table) -> None:
    accuracies = _accuracies(released)
    one_each = [SPACE.population.row(members[0]) for members in SPACE.classes(SPACE.trained_class).values()]
    assert split_tau(accuracies[one_each], 1) == pytest.approx(0.880, abs=1e-3)
    mean = accuracies.mean(1)
    assert tau_b(released.constant("parameters"), mean) == pytest.approx(0.218, abs=5e-4)
    assert tau_b(released.constant("multiply_adds"), mean) == pytest.approx(0.556, abs=5e-4)
    assert float(mean.max()) == pytest.approx(93.13, abs=5e-3)


@pytest.mark.reproducibility
def test_one_number_for_each_layer_and_choice_ranks_nearly_all(released: Table) -> None:
    """Least squares: a search that learns preferences layer by layer has an easy time here."""
    mean = _accuracies(released).mean(1)
    additive = fitted(SPACE, list(SPACE.population), mean)
    assert additive is not None
    assert tau_b(additive, mean) == pytest.approx(0.865, abs=5e-4)
