"""Studies: grids of runs as data, and methods named with their changed settings."""

from __future__ import annotations

import importlib
import itertools
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import methods
from analysis.tables import ablations
from bench import spaces
from bench.cli.commands import main
from bench.errors import BadMethod, BadSpec, UnknownName
from bench.nets.operations import Norm
from bench.runs import grammar
from bench.runs.study import ALONE as AT_EQUAL_IMAGES
from bench.runs.study import PARTITION, PASSES, STUDIES, changed, study_named
from bench.search.learner import Training
from bench.search.task import Task
from bench.spaces.nb201 import SPACE as NB201
from bench.store.bases import BASES
from bench.store.labels import parsed
from bench.store.spec import scale_named
from methods.budget import counted, fair
from methods.composed import Composed
from methods.darts import Darts
from methods.fade import Fade
from methods.fewshot import FIRST
from methods.gmnas import OneEdge
from methods.matching import RandomGroups
from methods.oneshot import OneShot
from methods.partition import Partition
from methods.rsps import Rsps
from methods.snas import Snas
from tests import contract, tiny


def test_settings_in_a_method_name_are_those_of_a_replaced_field() -> None:
    study = changed(study_named("nb201"), methods=("darts(order=2, training.epochs=10)",), seeds=(3,))
    (spec,) = study.specs()
    plain = methods.get("darts")
    assert spec.method == replace(plain, order=2, training=replace(plain.training, epochs=10))
    assert spec.label == "darts(order=2, training.epochs=10)"
    (same,) = changed(study, methods=("darts",)).specs({"training.epochs": "10", "order": "2"})
    assert same.key == spec.key
    assert same.label == spec.label


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("darts(order=2", BadSpec, "one pair of brackets"),
        ("darts(order)", BadSpec, "FIELD=VALUE"),
        ("dart(order=2)", UnknownName, "'darts'"),
        ("darts(ordr=2)", UnknownName, "'order'"),
    ],
)
def test_a_strange_method_name_is_refused(name: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        changed(study_named("nb201"), methods=(name,)).specs()


def test_the_smoke_study_runs_every_variant_once() -> None:
    assert {spec.label for spec in STUDIES["smoke"].specs()} == set(methods.variants())
    assert STUDIES["smoke"].seeds == (0,)


def test_bases_are_compared_at_equal_images() -> None:
    """Every one-shot search of the study costs 200 passes, to within one of its epochs."""
    study = STUDIES["nb201-bases"]
    assert len(study.seeds) == 10
    trained = [spec.method for spec in study.specs() if spec.seed == 0 and isinstance(spec.method, OneShot)]
    assert len(trained) == len(AT_EQUAL_IMAGES)
    for method in trained:
        each = method.passes(NB201)
        assert abs(method.training.epochs * each - PASSES) < each


@pytest.mark.parametrize(
    ("study", "budget", "where"),
    [
        ("own-cells", 200, ("nb201", "patches")),
        ("own-macro", 200, ("macro", "patches")),
        ("own-cells-macs", 330, ("nb201", "patches")),
        ("own-macro-macs", 330, ("macro", "patches")),
    ],
)
def test_rivals_of_our_own_search_have_its_budget(study: str, budget: int, where: tuple[str, str]) -> None:
    """To a tenth: images, counted phase by phase, or multiply-adds, as they are foreseen, of so many single paths."""
    known = STUDIES[study]
    assert (known.space, known.dataset) == where
    task = tiny.task(spaces.get(known.space), scale=scale_named(known.scale, dict(known.resized)))
    passes = budget * task.scale.epochs * len(task.images.train)
    own = methods.get("composed", known.space)
    rivals = {label: spec.method for label, spec in zip(known.labels, known.specs(), strict=False)}
    if study.endswith("-macs"):
        wanted = passes * 1.5 * task.mean_multiply_adds(task.region) / 1e9
        rivals["own"] = replace(own, protocol="fair-macs", budget=budget)
        costs = {label: method.foreseen(task).total / wanted for label, method in rivals.items()}
    else:
        rivals["own"] = replace(own, protocol="fair")
        costs = {label: _images(method, task) / passes for label, method in rivals.items()}
    assert costs == pytest.approx(dict.fromkeys(costs, 1.0), abs=0.11)


def _images(method: Any, task: Task) -> float:
    """Of a search, on paper."""
    if isinstance(method, Fade):  # as many hyper-architectures as rounds, each with a choice of one
        return method.rounds * _images(method.inner, task)
    if isinstance(method, Partition):
        search, plan = fair(method, task)
        return counted(search, task, plan).total
    if isinstance(method, Composed):
        search, plan = method.planned(task)
        return counted(search, task, plan).total
    trained = method.training.epochs * task.scale.epochs * len(task.images.train) * method.passes(task.space)
    return trained + method.choices * len(task.images.valid)


def test_the_search_that_was_found_is_the_one_that_is_tested() -> None:
    """What the studies run is what halving has left, once it has left one, and each of its parts can be taken out."""
    left = Path(__file__).parent.parent / "results" / "studies" / "own-search" / "winner.json"
    found = json.loads(left.read_text())["label"] if left.exists() else ""
    assert found == (grammar.label(grammar.WINNER) if grammar.WINNER else "")
    assert ("own-parts" in STUDIES) == bool(grammar.WINNER)
    for settings in itertools.islice(grammar.every(), 0, None, 997):
        without = grammar.ablations(settings)
        assert grammar.label(settings) not in without
        for label in without:
            _, plain = parsed(label)
            assert any(
                plain.get(field, word) == word != settings[field]
                for field, word in grammar.PLAIN.items()
                if field in settings
            )


def test_the_large_study_has_both_protocols_of_every_partition_search() -> None:
    study = STUDIES["nb201-partition"]
    labels = {spec.label: spec.method for spec in study.specs()}
    two = {label.partition("(")[0] for label, method in labels.items() if getattr(method, "protocol", "") == "fair"}
    papers = {"fewshot", "fewshot-snas", "fewshot-rsps", "gm-darts", "gm-snas", "gm-rsps", "hep"}
    assert two == papers
    assert len(study.seeds) >= 5


ALONE = {
    "fewshot": Darts(Training(batch=48), order=2),
    "fewshot-snas": Snas(Training(batch=48, alpha_start=0.01)),
    "fewshot-rsps": Rsps(Training(epochs=250, batch=48, weight_decay=1e-4, clip=0.0)),
    "gm-darts": Darts(Training(batch=48), order=2),
    "gm-snas": Snas(Training(batch=48, alpha_start=0.01)),
    "gm-rsps": Rsps(Training(epochs=250, batch=48, weight_decay=1e-4), candidates=200),
    "hep": Darts(Training(batch=128, weight_decay=3e-4, nesterov=False)),
}
"""The bases of partition searches, as the authors' code sets them."""


def test_the_base_of_a_partition_search_is_what_its_name_says() -> None:
    """A search of its own, built from the name alone, and the base that the search holds."""
    named = {spec.label: spec.method for spec in changed(study_named("nb201"), methods=tuple(BASES.values())).specs()}
    assert {label: named[base] for label, base in BASES.items()} == ALONE
    assert {label: methods.get(label).base for label in PARTITION} == ALONE


def test_a_space_has_settings_of_its_own_or_those_of_nas_bench_201() -> None:
    study = changed(study_named("nb201"), methods=("hep", "hep-edgewise", "darts"), space="toy", seeds=(0,))
    hep, edgewise, darts = (spec.method for spec in study.specs())
    assert (hep, edgewise.levels) == (replace(methods.get("hep"), levels=(10, 10)), (5, 5, 5))
    assert darts == methods.get("darts") == methods.get("darts", "toy")
    assert methods.get("hep").levels == methods.get("hep", "nb201").levels == (10, 10, 10)
    (changed_hep,) = changed(study, methods=("hep(levels=3,3)",)).specs()
    assert changed_hep.method == replace(hep, levels=(3, 3))


@pytest.mark.parametrize("space", spaces.SPACES)
def test_partition_searches_can_be_done_on_every_space(space: str) -> None:
    for label in methods.variants():
        method = methods.get(label, space)
        if not isinstance(method, Partition):
            continue
        if contract.compares_too_much(label, space):
            with pytest.raises(BadSpec, match="are compared at most"):
                method.check(tiny.task(spaces.get(space)))
        else:
            method.check(tiny.task(spaces.get(space)))


def test_the_large_study_has_every_run_that_ablations_are_read_from() -> None:
    assert set(ablations.METHODS) <= {spec.label for spec in STUDIES["nb201-partition"].specs()}


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (Partition(RandomGroups(), FIRST, keep="some"), "unknown value of keep 'some'; known: all, best"),  # type: ignore[arg-type]
        (Partition(RandomGroups(), FIRST, inherit="all"), "unknown value of inherit 'all'; known: nothing, state"),  # type: ignore[arg-type]
        (
            Partition(RandomGroups(), FIRST, protocol="fairly"),
            "unknown value of protocol 'fairly'; did you mean 'fair'",
        ),  # type: ignore[arg-type]
        (Partition(RandomGroups(), OneEdge("betwen")), "unknown value of edges.by 'betwen'; did you mean 'between'"),  # type: ignore[arg-type]
        (Darts(order="2"), "unknown value of order '2'"),  # type: ignore[arg-type]
        (Darts(order=True), "unknown value of order 'True'; known: 1, 2"),
        (Darts(Training(norm=Norm("run"))), "unknown value of training.norm.statistics 'run'"),  # type: ignore[arg-type]
    ],
)
def test_a_choice_that_there_is_not_is_refused_in_a_method_made_in_python_too(method: object, message: str) -> None:
    """As `--set` refuses it: `protocol="fairly"` would else run as `fair`, with a key of its own."""
    with pytest.raises(UnknownName, match=message):
        tiny.spec(method)


def test_a_value_of_another_kind_is_refused_in_a_method_made_in_python_too() -> None:
    with pytest.raises(BadSpec, match=r"^training\.nesterov: "):
        tiny.spec(Darts(Training(nesterov="no")))  # type: ignore[arg-type]
    assert tiny.spec(Darts(eps=1)).method.eps == 1  # a whole number is a number


ODD = "from methods.darts import Darts\nVARIANTS = {'odd': Darts()}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A second folder of methods, whose modules are forgotten afterwards."""
    before = set(sys.modules)
    monkeypatch.setattr(methods, "__path__", [*methods.__path__, str(tmp_path)])
    yield tmp_path
    for name in {name for name in sys.modules if name.startswith("methods.")} - before:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\nfor\n", "methods/odd.py, line 2: SyntaxError: "),
        (
            "\n\nimport absent_package\n",
            "methods/odd.py, line 3: ModuleNotFoundError: No module named 'absent_package'",
        ),
        (
            "from bench.search.learner import Training\nTraining(batch=0)\n",
            "methods/odd.py, line 2: BadSpec: batch must be 1 or more, got 0; mend the file, or take",
        ),
        ("VARIANTS = 3\n", "methods/odd.py: VARIANTS is no dictionary"),
        (
            "from methods.darts import Darts\nVARIANTS = {'odd': Darts}\n",
            "methods/odd.py: 'odd' in VARIANTS is no method",
        ),
        (
            "from methods.snas import Snas\nVARIANTS = {'darts': Snas()}\n",
            "methods/darts.py and methods/odd.py both offer a method 'darts'",
        ),
        ("SETTINGS = 3\n", "methods/odd.py: SETTINGS is no dictionary"),
        (f"{ODD}SETTINGS = {{'toyy': {{'odd': Darts()}}}}\n", "methods/odd.py: SETTINGS['toyy'] is for no space"),
        (f"{ODD}SETTINGS = {{'nb201': {{'odd': Darts()}}}}\n", "methods/odd.py: SETTINGS['nb201'] is for no space"),
        (f"{ODD}SETTINGS = {{'toy': 3}}\n", "methods/odd.py: SETTINGS['toy'] is no dictionary"),
        (f"{ODD}SETTINGS = {{'toy': {{'odd': Darts}}}}\n", "methods/odd.py: 'odd' in SETTINGS['toy'] is no method"),
        (f"{ODD}SETTINGS = {{'toy': {{'od': Darts()}}}}\n", "methods/odd.py: 'od' in SETTINGS['toy'] is no 'od' of"),
    ],
)
def test_a_file_that_offers_no_methods_as_it_should_is_named(
    text: str, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "odd.py").write_text(text)
    importlib.invalidate_caches()
    with pytest.raises(BadMethod) as refused:
        methods.variants()
    assert str(refused.value).startswith(message)
    assert main(["list", "methods"]) == 2
    assert capsys.readouterr().err == f"error: {refused.value}\n"
    assert "\n" not in str(refused.value)


def test_a_file_without_variants_is_what_methods_are_made_of(folder: Path) -> None:
    known = methods.variants()
    (folder / "odd.py").write_text('"""Shared."""\n')
    assert methods.variants() == known
    (folder / "odd.py").unlink()
    importlib.invalidate_caches()
    (folder / "even.py").write_text("from methods.darts import Darts\nVARIANTS = {'even': Darts()}\n")
    assert set(methods.variants()) == {*known, "even"}
