"""Tables of a stated population: a sample is kept as it is, says so, and stands in for no other."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from bench.adapters.naslib import dataset_api
from bench.adapters.nats import NATSTopology
from bench.errors import BadSpec, BadTable, NoSuchEntry, UnknownName
from bench.spaces import macro, nb201, toy, toy_darts
from bench.spaces.space import Genotype, Population, Space
from bench.truth import generate, listing, open_truth
from bench.truth.column import Column
from bench.truth.listing import Listed
from bench.truth.passes import made
from bench.truth.sheet import Arguments, main
from bench.truth.table import Header, Table
from bench.truth.tabular import TableTruth

DARTS = toy_darts.SPACE
TEST, VALID = (Column("accuracy", "patches", split, 1, "0") for split in ("test", "valid"))
SAMPLE = [toy.SPACE.population.at(row) for row in (20, 3, 11, 7)]


def table(population: Population, about: str) -> Table:
    """Test accuracy 50 + row / 100, validation 60 + row / 100."""
    rows = np.arange(len(population), dtype=np.float64)
    space = population.space.name
    header = Header("made-up", "1", space, "Made up", "the tests", True, population=about)
    return Table(header, {TEST: 50 + rows / 100, VALID: 60 + rows / 100}, {"parameters": rows}, population)


def sampled(genotypes: list[Genotype] = SAMPLE, about: str = "4 drawn by hand") -> Table:
    return table(Listed(toy.SPACE, genotypes, about), about)


def test_a_list_of_architectures_round_trips_in_its_own_order(tmp_path: Path) -> None:
    sampled().save(tmp_path / "some.parquet")
    found = Table.load(tmp_path / "some.parquet")
    assert (list(found.population), found.population.about, found.population.whole) == (
        SAMPLE,
        "4 drawn by hand",
        False,
    )
    assert (found.checksum, found.header) == (sampled().checksum, sampled().header)
    truth = TableTruth(found)
    assert truth.kind == "trained"
    asked = [SAMPLE[2], toy.SPACE.population.at(0), SAMPLE[0]]
    np.testing.assert_allclose(
        truth.scores(asked, "patches"), [[60.02, 50.02], [np.nan, np.nan], [60, 50]], rtol=0, atol=1e-5
    )
    reference = truth.reference("patches")
    assert (reference.population, reference.known, reference.coverage) == ("4 drawn by hand", 4, 1)
    np.testing.assert_allclose(reference.test, [50, 50.01, 50.02, 50.03], rtol=0, atol=1e-5)
    with pytest.raises(NoSuchEntry, match=r"lacks none,none,none; it is of the architectures of toy, 4 drawn by hand"):
        found.query((0, 0, 0), dataset="patches", split="test", epochs=1, seeds="0")


def test_the_order_and_the_choice_of_rows_are_content() -> None:
    swapped = [SAMPLE[1], SAMPLE[0], *SAMPLE[2:]]
    assert sampled(swapped).checksum != sampled().checksum != sampled([*SAMPLE[:3], (0, 0, 0)]).checksum


def test_a_table_of_a_sampled_population_is_of_that_population(tmp_path: Path) -> None:
    path = tmp_path / "darts.parquet"
    table(DARTS.population, "240 sampled").save(path)
    assert Table.load(path).population is DARTS.population
    truth = open_truth(path, DARTS)
    assert truth.reference("patches").population == "240 sampled"
    genotype = DARTS.population.at(17)
    np.testing.assert_allclose(truth.scores([genotype], "patches"), [[60.17, 50.17]], rtol=0, atol=1e-5)


def test_a_table_of_all_of_a_sampled_space_is_another_one(tmp_path: Path) -> None:
    path = tmp_path / "all.parquet"
    table(listing.everything(DARTS), "").save(path)
    assert len(Table.load(path).population) == DARTS.size == 2_304
    with pytest.raises(BadTable, match=r"all.parquet: is of .* toy-darts, all 2,304; .* 240 sampled are asked for"):
        open_truth(path, DARTS)


def test_files_of_the_whole_space_say_nothing_new(tmp_path: Path) -> None:
    path = tmp_path / "toy.parquet"
    table(toy.SPACE.population, "").save(path)
    header = json.loads(pq.ParquetFile(path).metadata.metadata[b"supernet-bench"])
    assert "population" not in header
    assert Table.load(path).population is toy.SPACE.population
    assert open_truth("embedded").checksum == "39e85549b7ec8ec4296c494a883e55d6"


def test_another_space_or_population_is_refused(tmp_path: Path) -> None:
    some, every = tmp_path / "some.parquet", tmp_path / "every.parquet"
    sampled().save(some)
    table(toy.SPACE.population, "").save(every)
    with pytest.raises(BadTable, match=r"some.parquet: is of .* toy, 4 drawn by hand; .* toy, all 27 are asked for$"):
        open_truth(some, toy.SPACE)
    with pytest.raises(BadTable, match=r"every.parquet: is of .* toy, all 27; .* nb201, all 15,625 are asked for$"):
        open_truth(every, nb201.SPACE)
    assert open_truth(some).reference("patches").known == 4  # asked for nothing, it says what it is


def test_adapters_of_all_of_a_space_refuse_a_sample_of_it() -> None:
    some = table(Listed(nb201.SPACE, [(0,) * 6, (1,) * 6], "2 chosen"), "2 chosen")
    for adapted in (NATSTopology, dataset_api):
        with pytest.raises(BadTable, match=r"is of the architectures of nb201, 2 chosen; .* all 15,625 are asked for"):
            adapted(some)


def test_what_a_header_says_is_what_the_rows_are() -> None:
    with pytest.raises(
        BadTable, match=r"says that it is of the architectures of toy, all, but its rows are .* 4 drawn"
    ):
        table(Listed(toy.SPACE, SAMPLE, "4 drawn by hand"), "")
    with pytest.raises(BadTable, match="'5 drawn by hand', but it lists 4"):
        Listed(toy.SPACE, SAMPLE, "5 drawn by hand")
    with pytest.raises(BadTable, match="all different"):
        Listed(toy.SPACE, [*SAMPLE, SAMPLE[0]], "5 drawn by hand")
    with pytest.raises(BadTable, match="stands twice, in rows 0 and 1"):
        listing.restored(["none,none,none"] * 2, toy.SPACE, "2 drawn by hand")
    with pytest.raises(BadTable, match="row 1 names no architecture of toy"):
        listing.restored(["none,none,none", "none,none,nine"], toy.SPACE, "2 drawn by hand")


def test_what_has_no_embedded_table_is_refused_before_anything_trains(tmp_path: Path) -> None:
    with pytest.raises(BadSpec, match=r"toy has no embedded table \(those with one: nb201, toy-darts, macro\)"):
        open_truth("embedded", toy.SPACE)
    with pytest.raises(BadSpec, match=r"toy has no embedded table"):
        generate.main(generate.Arguments(space="toy", out=tmp_path))
    with pytest.raises(UnknownName, match="unknown space 'toy-dart'; did you mean 'toy-darts'"):
        generate.main(generate.Arguments(space="toy-dart", out=tmp_path))
    with pytest.raises(UnknownName, match="unknown space 'toy-dart'"):
        main(Arguments(space="toy-dart", out=tmp_path))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("space", "complete"),
    [(nb201.SPACE, True), (DARTS, True), (macro.SPACE, False)],
    ids=lambda each: getattr(each, "name", ""),
)
def test_the_embedded_table_of_a_space_is_that_of_its_plan_and_its_population(space: Space, complete: bool) -> None:
    embedded = made(space.name)
    truth = open_truth("embedded", space)
    assert isinstance(truth, TableTruth)
    assert embedded.plan.space == truth.space.name == space.name
    assert truth.name == embedded.name
    assert truth.table.header.complete == complete
    settings = dict(truth.table.header.settings)
    assert settings["training"] == embedded.plan.recipe.settings()
    assert truth.reference("patches").population == truth.space.population.about
