"""Runs that train a beginning together end as runs that train it alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.contract.stops import Stop, kept_at_every_epoch
from bench.errors import BadRecord
from bench.runs.run import Settings, execute
from bench.search.learner import Fit, Learner, Training
from bench.search.shared import name_of
from bench.store.record import Record
from bench.store.spec import RunSpec, canonical
from methods.fewshot import FewShot
from methods.gmnas import GmNas, OneEdge
from methods.hepnas import HepNas, MutualDistillation
from methods.longer import NoEdge, continued
from methods.matching import Matching, RandomGroups
from methods.oneshot import OneShot
from methods.rsps import Rsps
from methods.snas import Snas
from tests import tiny

pytestmark = pytest.mark.usefixtures("images_once")

SHORT = Training(batch=32)
PATHS = Rsps(SHORT, candidates=4)
FEWSHOT = FewShot(base=PATHS, levels=(50,), final=25, inherit="weights")
GM = GmNas(base=PATHS, levels=(50,), final=25, grouping=Matching(batches=25))
FEWSHOT_MIXED = FewShot(base=Snas(SHORT), levels=(50,), final=25, inherit="weights", judge="proposal")
HEP = HepNas(base=Snas(SHORT), levels=(25,), tuning=50, grouping=Matching(batches=25))
ARMS: dict[str, Any] = {
    "few-shot": FEWSHOT,
    "continued": continued(FEWSHOT, 3),
    "gm": GM,
    "gm, random groups": replace(GM, grouping=Matching(batches=25, groups="random")),
    "gm, anywhere": replace(GM, grouping=RandomGroups(draw=1), edges=OneEdge("random", draw=1)),
    "gm, no restart": replace(GM, restart=False),
    "few-shot, mixed": FEWSHOT_MIXED,
    "hep": HEP,
    "hep, alone": replace(HEP, teaching=MutualDistillation("none")),
    "hep, by its parent": replace(HEP, teaching=MutualDistillation("parent")),
}


def _run(spec: RunSpec, folder: Path, share: bool) -> Record:
    return execute(spec, Settings(folder, device="cpu", share=share), debug=True)


def _told(record: Record) -> str:
    """All that a record says but seconds and place; multiply-adds, a sum in another order, to ten digits."""
    essence = json.loads(canonical(record.essence()))

    def rounded(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: round(v, 10) if k == "gmacs" else rounded(v) for k, v in value.items()}
        return list(map(rounded, value)) if isinstance(value, list) else value

    return canonical({"essence": rounded(essence), "estimates": record.estimates})


@contextmanager
def epochs_trained() -> Iterator[list[int]]:
    with kept_at_every_epoch(only_every=10**9) as trained:
        yield trained


def test_what_is_shared_is_what_would_be_trained(tmp_path: Path) -> None:
    """Every record is equal to the bit to that of a run that shared nothing: choice, candidates, estimates, trace,
    and the account by phase."""
    taken = trained_alone = trained_together = 0
    for label, method in ARMS.items():
        spec = tiny.spec(method, label=label)
        with epochs_trained() as alone:
            apart = _run(spec, tmp_path / "apart", share=False)
        with epochs_trained() as together:
            shared = _run(spec, tmp_path / "together", share=True)
        assert _told(shared) == _told(apart), label
        assert (apart.place["shared"], len(alone) >= len(together)) == (0, True)
        taken += shared.place["shared"]
        trained_alone, trained_together = trained_alone + len(alone), trained_together + len(together)
    assert taken >= 6  # the parents of five arms, that of two more, children of the arm without a restart
    assert trained_together < trained_alone


def test_a_trace_goes_on_from_where_the_run_is(tmp_path: Path) -> None:
    """What is taken over in the middle of a run is charged behind what the run spent before."""
    first, second = (tiny.spec(Snas(replace(SHORT, epochs=epochs))) for epochs in (50, 50))
    assert first == second
    for folder in ("a", "b"):
        (tmp_path / folder / "shared").parent.mkdir()
    whole = _run(first, tmp_path / "a", share=True)
    (tmp_path / "a" / "shared").rename(tmp_path / "b" / "shared")
    again = _run(second, tmp_path / "b", share=True)
    assert again.place["shared"] == 1
    stamps = [entry["wall_s"] for entry in again.trace]
    assert stamps == sorted(stamps)
    assert stamps[-1] >= whole.trace[-2]["wall_s"]


def _begun(relaxation: OneShot, seed: int = 0, epochs: float = 2.0, scale: Any = tiny.SCALE) -> str:
    learner: Learner = tiny.task(seed=seed, scale=scale).learner(relaxation, relaxation.training)
    return name_of(learner, Fit(round(epochs * len(learner.train)), alpha=True, taught=False), {"code": "this"})


def test_what_decides_about_an_end_is_in_the_name_of_a_beginning() -> None:
    usual = _begun(Snas(SHORT))
    assert usual == _begun(Snas(SHORT))
    assert _begun(Rsps(SHORT)) == _begun(Rsps(SHORT, candidates=7))  # which the choice alone reads
    others = [
        _begun(Snas(SHORT), seed=1),
        _begun(Snas(SHORT), epochs=1),
        _begun(Snas(replace(SHORT, learning_rate=0.1))),
        _begun(Snas(SHORT, temperature=2.0)),
        _begun(Snas(SHORT, rests=3)),
        _begun(Rsps(SHORT)),
        _begun(Snas(SHORT), scale=replace(tiny.SCALE, train_images=128)),
        _begun(Snas(SHORT), scale=replace(tiny.SCALE, channels=4)),
    ]
    assert len({usual, *others}) == 1 + len(others)


def test_a_stop_within_what_others_wait_for(tmp_path: Path) -> None:
    """The next run is not kept waiting; the one that was stopped goes on and ends as it would have."""
    spec, other = tiny.spec(ARMS["few-shot"]), tiny.spec(ARMS["continued"])
    apart = [_told(_run(one, tmp_path / "apart", share=False)) for one in (spec, other)]
    with kept_at_every_epoch(2), pytest.raises(Stop):
        _run(spec, tmp_path / "together", share=True)
    assert _told(_run(other, tmp_path / "together", share=True)) == apart[1]
    assert _told(_run(spec, tmp_path / "together", share=True)) == apart[0]


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    _run(tiny.spec(ARMS["few-shot"]), tmp_path, share=True)
    for path in (tmp_path / "shared").glob("*.npz"):
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BadRecord, match=r"cannot read the checkpoint .*shared"):
        _run(tiny.spec(ARMS["continued"]), tmp_path, share=True)


def test_continued_is_few_shot_without_the_cut(tmp_path: Path) -> None:
    """As many images in training as parent and sub-supernets together, on one region; one more supernet is made."""
    few, whole = (_run(tiny.spec(ARMS[label]), tmp_path, share=True) for label in ("few-shot", "continued"))
    assert [node["size"] for node in whole.details["tree"]] == [tiny.TOY.count(tiny.TOY.region)] * 2
    for field in ("forward_images", "backward_images"):
        assert whole.cost["phases"]["weights"][field] == few.cost["phases"]["weights"][field]
    assert isinstance(ARMS["continued"].edges, NoEdge)
