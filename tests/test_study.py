"""Studies: grids of runs as data, and methods named with their changed settings."""

from __future__ import annotations

from dataclasses import replace

import pytest

import methods
from analysis.tables import ablations
from bench.errors import BadSpec, UnknownName
from bench.study import BASES, PARTITION, STUDIES, changed, study_named


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
    assert set(STUDIES["smoke"].methods) == set(methods.variants())
    assert STUDIES["smoke"].seeds == (0,)


def test_the_large_study_has_every_variant_and_both_protocols_of_every_partition_search() -> None:
    study = STUDIES["nb201-partition"]
    labels = {spec.label: spec.method for spec in study.specs()}
    assert set(methods.variants()) <= set(labels)
    two = {label.partition("(")[0] for label, method in labels.items() if getattr(method, "protocol", "") == "fair"}
    papers = {"fewshot", "fewshot-snas", "fewshot-rsps", "gm-darts", "gm-snas", "gm-rsps", "hep"}
    assert two == papers
    assert len(study.seeds) >= 5


def test_the_base_of_a_partition_search_is_what_its_name_says() -> None:
    """Built from the name alone, it equals the base that the search holds."""
    named = {spec.label: spec.method for spec in changed(study_named("nb201"), methods=tuple(BASES.values())).specs()}
    assert set(BASES) == set(PARTITION)
    for label, base in BASES.items():
        assert named[base] == methods.get(label).base


def test_the_large_study_has_every_run_that_ablations_are_read_from() -> None:
    assert set(ablations.METHODS) <= {spec.label for spec in STUDIES["nb201-partition"].specs()}
