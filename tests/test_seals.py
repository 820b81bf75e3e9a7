"""Seals: a file of ours whose content was changed is refused, whichever bit it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.cli.commands import main
from bench.store import seals
from bench.store.record import Results
from tests.soak import flips

FEW, MANY = 40, 3_000
KINDS = (
    *("record", "score", "estimates", "partial estimates", "truths (the other side of pairs)", "checkpoint"),
    *("claim", "table", "record of retraining", "checkpoint of retraining", "kept supernets", "estimates by block"),
    *("plan of a study", "evolution over estimates"),
)


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, flips.Kind]:
    folder = tmp_path_factory.mktemp("flips")
    words = ["--results", str(folder / "results")]
    assert main(["run", "smoke", "--methods", "parameters", *words]) == 0
    assert main(["score", "--dataset", "patches", *words]) == 0
    return dict(flips.kinds(Results(folder / "results"), folder))


def check(kind: flips.Kind, count: int) -> None:
    found = flips.flipped(kind, count, seed=0)
    assert (found.different, found.crashed) == (0, 0)
    assert found.refused + found.same == found.flips == count
    assert found.refused > count / 2


@pytest.mark.parametrize("name", KINDS)
def test_no_flip_is_read_as_good_and_different(kinds: dict[str, flips.Kind], name: str) -> None:
    assert set(kinds) == set(KINDS)
    check(kinds[name], FEW)


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_no_flip_of_many_is_read_as_good_and_different(kinds: dict[str, flips.Kind], name: str) -> None:
    check(kinds[name], MANY)


def test_a_seal_is_of_the_content_and_not_of_its_form() -> None:
    content = {"b": [1, 2.5, None], "a": {"c": "é"}}
    turned = {"a": {"c": "é"}, "b": [1, 2.5, None]}
    assert seals.of(content) == seals.of(turned) != seals.of({**content, "b": [1, 2, None]})
    assert seals.opened(seals.sealed(content)) == (content, True)
    assert seals.opened(content) == (content, False)
    with pytest.raises(ValueError, match="not what it was sealed with"):
        seals.opened({**seals.sealed(content), "b": []})


def test_a_seal_of_arrays_tells_kinds_shapes_names_and_order() -> None:
    one = np.arange(6, dtype=np.int32)
    others = [
        {"a": one.astype(np.int64)},
        {"a": one.astype(np.float32)},
        {"a": one.reshape(2, 3)},
        {"a": one[::-1]},
        {"b": one},
        {"a": one, "b": one},
    ]
    found = [seals.of_arrays({"a": one}), seals.of_arrays({"a": one}, "beside"), *map(seals.of_arrays, others)]
    assert len(set(found)) == len(found)
    assert seals.of_arrays({"a": np.array(["x", "yy"])}) == seals.of_arrays({"a": np.array(["x", "yy"], dtype="U9")})


def test_no_seal_is_forgotten(tmp_path: Path) -> None:
    """What is written anew has a seal."""
    words = ["--results", str(tmp_path)]
    assert main(["run", "smoke", "--methods", "random", *words]) == 0
    (record,) = Results(tmp_path).records()
    assert record.sealed
