"""Estimates in blocks: nothing is computed twice, and what was written before a stop is taken up again."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bench import spaces
from bench.errors import BadRecord
from bench.runs import probe
from bench.runs.run import Settings, execute
from bench.search.learner import Learner, Training
from bench.spaces.dag import Dag
from bench.spaces.nb201 import SPACE as NB201
from bench.spaces.space import Genotype
from bench.spaces.toy import SPACE as TOY
from bench.store.record import Results
from methods.rsps import Rsps
from tests import tiny


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "BLOCK", 5)


class Asked:
    """An estimator that notes what it is asked for, and fails at the call after the last allowed one."""

    def __init__(self, learner: Learner, calls: int = 1_000) -> None:
        self.learner, self.left = learner, calls
        self.genotypes: list[Genotype] = []

    def __call__(self, genotypes: Sequence[Genotype], images: int | None) -> NDArray[np.float64]:
        if not self.left:
            raise InterruptedError
        self.left -= 1
        self.genotypes += genotypes
        return self.learner.estimates(genotypes, images)


def _learner(seed: int = 0) -> Learner:
    training = Training(batch=32)
    return tiny.learner(Rsps(training), training, seed=seed)


def _everything() -> list[Genotype]:
    return list(TOY.population)


def test_probe_set_is_fixed_uniform_and_without_repetition() -> None:
    drawn = probe.probe_set(NB201, 500)
    assert drawn == probe.probe_set(NB201, 500)
    assert len(set(drawn)) == 500
    assert len(probe.probe_set(NB201, 0)) == 15_625
    shares = np.bincount([g[0] for g in drawn], minlength=5) / 500
    assert np.abs(shares - 0.2).max() < 0.07


def test_the_probe_set_is_that_of_the_committed_estimates() -> None:
    """Of every size that there is: another draw, or another order, would part new runs from old ones."""
    results = Results(Path(__file__).parent.parent / "results")
    named = {record.key: record.identity["space"] for record in results.records() if record.estimates is not None}
    read = {key: probe.read(results.estimates_path(key))[0] for key in named}
    committed = {(named[key], len(keys)): keys for key, keys in read.items()}
    if not committed:
        pytest.skip(f"no estimates are committed in {results.root}")
    for (space, size), keys in committed.items():
        assert probe.genotypes_of(spaces.get(space), keys) == probe.probe_set(spaces.get(space), size)


@pytest.mark.parametrize("space", [TOY, NB201], ids=lambda space: str(space.name))
def test_blocks_hold_every_row_once_and_every_function_whole(space: Dag) -> None:
    genotypes = probe.probe_set(space, 300)
    found = probe.blocks(space, genotypes)
    assert sorted(np.concatenate(found)) == list(range(len(genotypes)))
    names: dict[Hashable, int] = {}
    forms = [{space.shared_form(genotypes[row], names) for row in rows} for rows in found]
    assert [len(some) for some in forms[:-1]] == [5] * (len(forms) - 1)
    assert 1 <= len(forms[-1]) <= 5
    assert sum(map(len, forms)) == len(set().union(*forms))
    assert probe.blocks(space, []) == []


def test_blocks_give_what_one_call_gives_and_pay_for_no_more(tmp_path: Path) -> None:
    """The same numbers to rounding, and the same images and multiply-adds on the meter."""
    whole, by_block = _learner(), _learner()
    with whole.meter.phase("probe"):
        expected = whole.estimates(_everything(), 32)
    with by_block.meter.phase("probe"):
        positions, values = probe.estimated(by_block.estimates, TOY, _everything(), 32, tmp_path / "partial")
    assert positions.tolist() == list(range(27))
    np.testing.assert_allclose(values, expected, rtol=1e-5)
    once, blocks = whole.meter.total(), by_block.meter.total()
    assert once.forward_images == blocks.forward_images > 0
    assert once.gmacs == pytest.approx(blocks.gmacs)


@pytest.mark.parametrize("done", [1, 2])
def test_a_stopped_probe_goes_on_behind_its_last_block(done: int, tmp_path: Path) -> None:
    partial, rows = tmp_path / "partial", probe.blocks(TOY, _everything())
    assert len(rows) == 3
    with pytest.raises(InterruptedError):
        probe.estimated(Asked(_learner(), done), TOY, _everything(), 32, partial)
    left = probe.read(partial)
    assert left[0].tolist() == sorted(np.concatenate(rows[:done]))
    again, told = Asked(_learner()), list[float]()
    found = probe.estimated(again, TOY, _everything(), 32, partial, left, told.append)
    assert [TOY.population.row(g) for g in again.genotypes] == np.concatenate([rows[0], *rows[done:]]).tolist()
    assert told == [len(some) for some in rows[1:done]]
    unbroken = probe.estimated(_learner().estimates, TOY, _everything(), 32, tmp_path / "other")
    np.testing.assert_array_equal(found[1], unbroken[1])


def test_estimates_of_other_weights_are_not_taken_over(tmp_path: Path) -> None:
    partial = tmp_path / "partial"
    with pytest.raises(InterruptedError):
        probe.estimated(Asked(_learner(seed=1), 2), TOY, _everything(), 32, partial)
    again = Asked(_learner())
    _, values = probe.estimated(again, TOY, _everything(), 32, partial, probe.read(partial))
    assert sorted(again.genotypes) == _everything()
    np.testing.assert_allclose(values, _learner().estimates(_everything(), 32), rtol=1e-5)


def test_no_opinion_is_an_estimate_too(tmp_path: Path) -> None:
    """NaN in the first block equals NaN, so that what lies behind it is still taken over."""
    calls = list[int]()

    def silent(genotypes: Sequence[Genotype], images: int | None) -> NDArray[np.float64]:
        calls.append(len(genotypes))
        return np.full((len(genotypes), 2), np.nan)

    partial, rows = tmp_path / "partial", probe.blocks(TOY, _everything())
    probe.estimated(silent, TOY, _everything(), 32, partial)
    probe.estimated(silent, TOY, _everything(), 32, partial, probe.read(partial))
    assert calls == [*map(len, rows), len(rows[0]), len(rows[2])]


def test_a_run_stopped_in_its_probe_ends_as_an_unbroken_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = tiny.spec(Rsps(Training(batch=32, epochs=50), candidates=4), scale=replace(tiny.SCALE, probe=0))
    unbroken = execute(spec, Settings(tmp_path / "unbroken", "cpu"))
    results, calls = Results(tmp_path / "broken"), 0
    ordinary = Learner.estimates

    def stopping(self: Learner, genotypes: Sequence[Genotype], images: int | None = None) -> NDArray[np.float64]:
        nonlocal calls
        calls += images is not None  # the probe's, not the search's own
        if images is not None and calls == 3:
            raise KeyboardInterrupt
        return ordinary(self, genotypes, images)

    monkeypatch.setattr(Learner, "estimates", stopping)
    with pytest.raises(KeyboardInterrupt):
        execute(spec, Settings(results.root, "cpu"))
    assert not results.run_path(spec.key).exists()
    left = probe.read(results.partial_path(spec.key))
    assert 0 < len(left[0]) < 27
    continued = execute(spec, Settings(results.root, "cpu"))
    assert continued.essence() == unbroken.essence()
    assert calls == 3 + 2  # the first block, and the one that was not there
    assert not results.partial_path(spec.key).exists()


def test_a_damaged_partial_file_is_refused_before_the_search(tmp_path: Path) -> None:
    spec = tiny.spec(Rsps(Training(batch=32, epochs=50), candidates=4))
    path = Results(tmp_path).partial_path(spec.key)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"PAR1 of something else")
    with pytest.raises(BadRecord, match="`python -m bench aside"):
        execute(spec, Settings(tmp_path, "cpu"))
    assert path.read_bytes() == b"PAR1 of something else"
    assert not Results(tmp_path).run_path(spec.key).exists()
