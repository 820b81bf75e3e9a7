"""Results of NAS-Bench-301, made here in its format, become a list that a surrogate is fitted on."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from bench import spaces
from bench.cli.commands import main
from bench.errors import BadTable
from bench.spaces.darts import DartsSpace
from bench.spaces.space import Genotype
from bench.truth.official.nb301 import convert_nb301, is_nb301
from bench.truth.surrogate import Surrogate, read

WHAT = "NetworkSelectorDatasetInfo:darts:"
OF_ITS_TESTS = {
    **{f"normal_{edge}": op for edge, op in ((0, "skip_connect"), (1, "sep_conv_3x3"), (2, "sep_conv_3x3"))},
    **{f"normal_{edge}": op for edge, op in ((3, "skip_connect"), (5, "dil_conv_3x3"), (7, "dil_conv_5x5"))},
    **{f"normal_{edge}": op for edge, op in ((10, "sep_conv_3x3"), (11, "skip_connect"))},
    **{f"reduce_{edge}": op for edge, op in ((0, "max_pool_3x3"), (1, "avg_pool_3x3"), (2, "skip_connect"))},
    **{f"reduce_{edge}": op for edge, op in ((3, "dil_conv_5x5"), (6, "sep_conv_3x3"), (7, "sep_conv_5x5"))},
    **{f"reduce_{edge}": op for edge, op in ((11, "sep_conv_3x3"), (12, "dil_conv_3x3"))},
}
"""Operations by edge of surrogate_models/test/results_fidelity_0/results_0.json, automl/nasbench301 61c670ed."""
INPUTS = {
    "normal_3": "0_1",
    "normal_4": "0_2",
    "normal_5": "1_2",
    "reduce_3": "0_1",
    "reduce_4": "1_2",
    "reduce_5": "2_3",
}
"""The inputs that its nodes name."""


@pytest.fixture(scope="module")
def space() -> DartsSpace:
    found = spaces.get("darts")
    assert isinstance(found, DartsSpace)
    return found


def result(config: dict[str, Any], test: float, valid: float = 90.0, channels: int = 32) -> dict[str, Any]:
    """One training, with fields around what is read as the real files have."""
    other = {"ImageAugmentation:cutout": "True", f"{WHAT}init_channels": channels, f"{WHAT}layers": 8}
    info = [{"train_loss": 0.1, "val_accuracy": valid, "epochs": 98, "model_parameters": 920_000}]
    named = {"final_metric_score": -valid, "optimized_hyperparamater_config": {**other, **config}, "budget": 100}
    return {**named, "info": info, "test_accuracy": test, "runtime": 4_000}


def config_of(space: DartsSpace, genotype: Genotype) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(space.written(genotype, "nb301"))
    return found


def write(folder: Path, results: list[dict[str, Any]]) -> Path:
    """Into folders of two, as the searches that made them had their own."""
    for at, one in enumerate(results):
        path = folder / f"search{at % 2}" / f"results_{at}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(one))
    return folder


def drawn(space: DartsSpace, count: int) -> list[Genotype]:
    return list(space.population)[:count]


def test_every_training_counts_and_an_architecture_stands_once(space: DartsSpace, tmp_path: Path) -> None:
    one, other = drawn(space, 2)
    told = [(one, 94.0, 93.0), (other, 92.0, 91.0), (one, 95.0, 94.0)]
    source = write(tmp_path / "data", [result(config_of(space, g), test, valid) for g, test, valid in told])
    assert is_nb301(source)
    said = convert_nb301(source, tmp_path / "list.csv", space)
    assert "3 trainings of 2 architectures" in said
    with (tmp_path / "list.csv").open() as file:
        rows = {row["architecture"]: row for row in csv.DictReader(file)}
    assert rows.keys() == {space.show(one), space.show(other)}
    mean = rows[space.show(one)]
    assert (float(mean["test_accuracy"]), float(mean["validation"]), mean["trainings"]) == (94.5, 93.5, "2")
    genotypes, accuracies = read(tmp_path / "list.csv", space)
    assert dict(zip(genotypes, accuracies, strict=True)) == {one: 94.5, other: 92.0}


def test_an_original_configuration_is_read_as_its_nodes_say(space: DartsSpace, tmp_path: Path) -> None:
    config = {f"{WHAT}edge_{name}": op for name, op in OF_ITS_TESTS.items()}
    config |= {f"{WHAT}inputs_node_{name}": told for name, told in INPUTS.items()}
    convert_nb301(write(tmp_path / "data", [result(config, 97.54, 97.68)]), tmp_path / "list.csv", space)
    ((genotype,), _) = read(tmp_path / "list.csv", space)
    cells = space.cells_of(genotype)
    for kind in ("normal", "reduce"):
        inputs = [source for _, source in cells[kind]]
        told = ["_".join(map(str, inputs[at : at + 2])) for at in (2, 4, 6)]
        assert told == [INPUTS[f"{kind}_{node}"] for node in (3, 4, 5)]
    assert cells["reduce"][-2:] == (("sep_conv_3x3", 2), ("dil_conv_3x3", 3))


def test_a_surrogate_is_fitted_on_the_list_of_the_command(
    space: DartsSpace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Accuracies that follow the number of separable convolutions are found again."""
    of = {g: 90 + 0.3 * sum(space.ops[k].startswith("sep") for k in g) for g in drawn(space, 80)}
    source = write(tmp_path / "data", [result(config_of(space, g), test) for g, test in of.items()])
    assert main(["import", str(source), str(tmp_path / "nb301.csv")]) == 0
    assert "80 architectures" in capsys.readouterr().out
    assert Surrogate.fitted(tmp_path / "nb301.csv", space).tau > 0.7  # of sixteen held out
    assert main(["import", str(source)]) == 2
    assert "name it: python -m bench import DIR nb301.csv" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda r: r["optimized_hyperparamater_config"].clear(), "takes 2 of the edges"),
        (lambda r: r.update(test_accuracy=0.94e4), "test_accuracy"),
        (lambda r: r.pop("test_accuracy"), "test_accuracy"),
        (lambda r: r.update(info=[]), "info"),
        (lambda r: r["info"][0].update(val_accuracy="94"), "val_accuracy"),
        (lambda r: r["optimized_hyperparamater_config"].update({f"{WHAT}layers": 20}), "layers 20, but that of"),
        (lambda r: r["optimized_hyperparamater_config"].update({f"{WHAT}edge_normal_0": "conv_7x7"}), "conv_7x7"),
    ],
)
def test_bad_results_are_one_line(space: DartsSpace, tmp_path: Path, change: Any, said: str) -> None:
    made = [result(config_of(space, g), 94.0) for g in drawn(space, 2)]
    change(made[1])
    with pytest.raises(BadTable) as caught:
        convert_nb301(write(tmp_path / "data", made), tmp_path / "list.csv", space)
    assert said in str(caught.value)
    assert "results_1.json" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "list.csv").exists()


def test_a_result_that_is_cut_off_or_is_none(space: DartsSpace, tmp_path: Path) -> None:
    source = write(tmp_path / "data", [result(config_of(space, drawn(space, 1)[0]), 94.0)])
    path = source / "search0" / "results_0.json"
    path.write_text(path.read_text()[:-20])
    with pytest.raises(BadTable, match=r"results_0\.json"):
        convert_nb301(source, tmp_path / "list.csv", space)
    path.write_text("[1, 2]")
    with pytest.raises(BadTable, match=r"results_0\.json"):
        convert_nb301(source, tmp_path / "list.csv", space)


def test_models_are_refused_and_never_opened(space: DartsSpace, tmp_path: Path) -> None:
    folder = tmp_path / "xgb_v1.0"
    folder.mkdir()
    (folder / "surrogate_model.model").write_bytes(b"cos\nsystem\n(S'touch /tmp/opened'\ntR.")
    assert is_nb301(tmp_path)
    with pytest.raises(BadTable, match="models are pickles and are not opened"):
        convert_nb301(tmp_path, tmp_path / "list.csv", space)
    assert not is_nb301(tmp_path / "nothing")
