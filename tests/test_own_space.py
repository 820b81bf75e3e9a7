"""A space that stands in this file alone, with its operation, its layout and its network: searches run on it from end
to end. And spaces that cannot be, each refused in one line before anything trains."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import methods
from bench import spaces
from bench.errors import BadGenotype, BadSpace, BenchError, UnknownName
from bench.nets import operations as forms
from bench.nets.cell import State
from bench.nets.checking import check_network
from bench.nets.supernet import Supernet, network_of
from bench.runs.run import Settings, execute
from bench.spaces import operations
from bench.spaces.cells import CellSpace
from bench.spaces.layout import Layout, Place, Shape
from bench.spaces.nb201 import SPACE as NB201
from bench.spaces.operations import Kernel, Operation
from bench.spaces.space import CellType, Edge, Genotype, Sampled
from bench.spaces.toy_darts import SPACE as TOY_DARTS
from bench.store.record import Results
from tests import contract, tiny

pytestmark = pytest.mark.usefixtures("images_once")


@dataclass(frozen=True)
class Mixed(Operation):
    """An operation of our own: a normalised 1x1 convolution whose output is added to its input."""

    def kernels(self, channels: int, side: int, stride: int) -> tuple[Kernel, ...]:
        return (Kernel(channels, channels, 1, side, affine=2 * channels),)


class MixedForm(nn.Module):
    """Normalisation follows the site's `Norm`; the kernel takes the type of the images."""

    def __init__(self, operation: Mixed, kernels: Sequence[Tensor], site: forms.Site) -> None:
        super().__init__()
        self.kernel, self.norm = nn.Parameter(kernels[0]), forms.Statistics(site.channels, site.norm)

    def forward(self, x: Tensor) -> Tensor:
        y = F.conv2d(F.relu(x), self.kernel.to(x.dtype))
        return x + forms.batch_norm(y, [self.norm], None, self.training)


@dataclass(frozen=True)
class Column(Layout):
    """A stem, a cell, a convolution of stride 2, a cell, a head."""

    network: ClassVar[str] = "tests.test_own_space:ColumnNetwork"
    stages: ClassVar[int] = 2

    def places(self, shape: Shape) -> tuple[Place, ...]:
        return tuple(
            Place(f"column{stage}", stage, "layers", shape.channels, shape.image_size >> stage) for stage in range(2)
        )

    def fixed(self, shape: Shape) -> Mapping[str, Kernel]:
        width, side = shape.channels, shape.image_size
        return {
            "stem": Kernel(width, shape.image_channels, 3, side),
            "down": Kernel(width, width, 3, side // 2, stride=2),
            "head": Kernel(shape.classes, width, 1, 1, affine=shape.classes),
        }


@dataclass(frozen=True)
class Layers(CellSpace):
    """One layer behind the other."""

    def trained_class(self, genotype: Genotype) -> Hashable:
        return genotype


class ColumnNetwork(Supernet):
    def __init__(self, *made: Any, **how: Any) -> None:
        super().__init__(*made, **how)
        self.stem, self.down = nn.Parameter(self.drawn("stem")), nn.Parameter(self.drawn("down"))
        self.stages = nn.ModuleList(self.stretch(stage) for stage in range(2))
        self.head = self.linear_head()

    def begin(self, images: Tensor) -> State:
        return (F.conv2d(images, self.stem, padding=1),)

    def enter(self, stage: int, state: State) -> State:
        return (F.conv2d(state[0], self.down, stride=2, padding=1),) if stage else state

    def between(self) -> list[nn.Parameter]:
        return [self.down]

    def end(self, state: State) -> Tensor:
        logits: Tensor = self.head(state[0].mean((2, 3)))
        return logits

    def behind(self) -> list[nn.Parameter]:
        return list(self.head.parameters())


LAYERS = CellType("layers", inputs=1, nodes=3, output="last")
IN_A_ROW = tuple(Edge("layers", layer, layer + 1) for layer in range(3))


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Layers:
    """The space, known by its name for one test."""
    monkeypatch.setitem(operations.OPERATIONS, "mixed", Mixed("mixed"))
    monkeypatch.setitem(forms.FORMS, Mixed, MixedForm)
    monkeypatch.setattr(spaces, "SPACES", dict(spaces.SPACES))
    space = Layers("own", ("skip_connect", "nor_conv_3x3", "mixed"), IN_A_ROW, (LAYERS,), Column())
    assert spaces.register(space) is space
    return space


@pytest.mark.parametrize("label", ["rsps", "darts-2nd", "fewshot", "gm-darts", "hep", "fade", "largest", "parameters"])
def test_searches_run_from_end_to_end(label: str, own: Layers, tmp_path: Path) -> None:
    spec = tiny.spec(contract.smaller(methods.get(label, "own")), 0, "own", contract.SCALE, label)
    record = execute(spec, Settings(tmp_path, device="cpu"), debug=True)
    assert record.status == "done"
    assert record.genotype is not None
    assert own.feasible(record.genotype)
    assert record.architecture == own.show(record.genotype)
    if label in ("largest", "parameters"):
        assert record.genotype == (1, 1, 1)
    if record.estimates is not None:
        assert record.estimates["probe"] == record.estimates["opinions"] == contract.SCALE.probe


class Unnamed(ColumnNetwork):
    def between(self) -> list[nn.Parameter]:
        return []


class Misplaced(ColumnNetwork):
    def behind(self) -> list[nn.Parameter]:
        return [self.stem]


class Unseeded(ColumnNetwork):
    def __init__(self, *made: Any, **how: Any) -> None:
        super().__init__(*made, **how)
        self.down = nn.Parameter(torch.randn_like(self.down))


class Unwritten(ColumnNetwork):
    def __init__(self, *made: Any, **how: Any) -> None:
        super().__init__(*made, **how)
        self.other = nn.Parameter(self.drawn("other"))


class Dearer(ColumnNetwork):
    def enter(self, stage: int, state: State) -> State:
        return super().enter(stage, (F.conv2d(state[0], self.down, padding=1),) if stage else state)


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (Unnamed, "in `between`"),
        (Misplaced, "in `behind`"),
        (Unseeded, "same seed"),
        (Unwritten, "'other'"),
        (Dearer, "multiply-adds"),
    ],
)
def test_a_network_that_is_not_what_is_said_of_it_is_refused_before_training(
    own: Layers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, network: type, words: str
) -> None:
    monkeypatch.setattr(Column, "network", f"tests.test_own_space:{network.__name__}")
    check_network.cache_clear()
    record = execute(tiny.spec(methods.get("largest"), 0, "own"), Settings(tmp_path, device="cpu"))
    check_network.cache_clear()
    assert (record.status, record.cost["forward_images"]) == ("failed", 0)
    assert words in record.message
    assert "\n" not in record.message


def test_a_class_of_its_own_is_computed_by_its_own_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind of convolution with a form of its own, in a space that has a lean form for plain ones."""

    @dataclass(frozen=True)
    class Halved(operations.Convolution):
        """A convolution at half its weight."""

    def halved(operation: Halved, kernels: Sequence[Tensor], site: forms.Site) -> forms.Form:
        return forms.Conv(kernels[0] / 2, site.norm)

    monkeypatch.setitem(operations.OPERATIONS, "halved", Halved("halved", 3))
    monkeypatch.setitem(forms.FORMS, Halved, halved)
    space = dataclasses.replace(NB201, name="halved", ops=("none", "skip_connect", "halved"))
    make, shape = network_of(space), Shape(3, 1, 5, 2, 8)
    lean, plain = (make(space, shape, forms.Norm("running"), 0, lean=form) for form in (True, False))
    images = torch.randn(4, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(lean.eval()(images, None, space.region), plain.eval()(images, None, space.region))


def test_a_name_stands_for_one_space(own: Layers) -> None:
    assert spaces.get("own") is own
    with pytest.raises(BadSpace, match="another space 'own'"):
        spaces.register(dataclasses.replace(own, ops=("skip_connect", "mixed")))


def test_an_operation_without_a_form_is_refused_before_training(
    own: Layers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delitem(forms.FORMS, Mixed)
    record = execute(tiny.spec(methods.get("darts"), 0, "own"), Settings(tmp_path, device="cpu"))
    assert (record.status, record.cost["forward_images"]) == ("failed", 0)
    assert "'mixed' has no form" in record.message
    assert "\n" not in record.message


def test_a_network_that_is_not_there_is_refused_before_training(
    own: Layers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Column, "network", "tests.test_own_space:Missing")
    with pytest.raises(BadSpace, match="own_space:Missing"):
        network_of(own)
    record = execute(tiny.spec(methods.get("largest"), 0, "own"), Settings(tmp_path, device="cpu"))
    assert record.status == "failed"


def test_a_probe_that_fails_loses_no_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The search is done and says why it has no estimates; running it again finds it."""
    spec = tiny.spec(contract.smaller(methods.get("rsps")), scale=contract.SCALE)

    def fails(*asked: Any) -> Any:
        raise BadSpace("no room for so many")

    monkeypatch.setattr("bench.runs.run.probe.estimated", fails)
    record = execute(spec, Settings(tmp_path, device="cpu"))
    assert (record.status, record.estimates) == ("done", None)
    assert record.genotype is not None
    assert "no room for so many" in record.message
    assert Results(tmp_path).find(spec.key) == record


def test_a_probe_that_cannot_be_is_refused_before_the_search(tmp_path: Path) -> None:
    scale = dataclasses.replace(contract.SCALE, probe=241)
    record = execute(tiny.spec(methods.get("rsps"), 0, "toy-darts", scale), Settings(tmp_path, device="cpu"))
    assert (record.status, record.cost["forward_images"]) == ("failed", 0)
    assert "240 sampled" in record.message
    assert "\n" not in record.message


def _changed(**fields: Any) -> CellSpace:
    return dataclasses.replace(NB201, **fields)


@pytest.mark.parametrize(
    ("made", "kind", "words"),
    [
        (lambda: _changed(ops=("none", "skip_connect", "nor_conv_3X3")), UnknownName, "did you mean 'nor_conv_3x3'"),
        (lambda: _changed(edges=(Edge("cel", 0, 1),)), BadSpace, "cell type 'cel' that it has not"),
        (lambda: _changed(edges=(Edge("cell", 2, 1),)), BadSpace, "edges lead to later nodes"),
        (lambda: _changed(edges=(Edge("cell", 1, 1),)), BadSpace, "edges lead to later nodes"),
        (lambda: _changed(edges=(Edge("cell", 0, 7),)), BadSpace, "those of cell are 1 to 3"),
        (lambda: _changed(edges=(Edge("cell", 1, 2), Edge("cell", 0, 1))), BadSpace, "order edges by target"),
        (lambda: _changed(edges=()), BadSpace, "has no edge"),
        (lambda: _changed(ops=("none", "none")), BadSpace, "different names"),
        (lambda: _changed(cells=TOY_DARTS.cells), BadSpace, "cell type 'cell'"),
        (lambda: _changed(layout=TOY_DARTS.layout), BadSpace, "cells of types"),
        (lambda: _changed(ops=("skip_connect", "nor_conv_3x3")), BadSpace, "for no edge"),
        (lambda: dataclasses.replace(TOY_DARTS, may=(("skip_connect",),) * 9), BadSpace, "says of 9 edges"),
        (lambda: dataclasses.replace(TOY_DARTS, may=(("skip",),) * 10), BadSpace, "'skip', which is none of"),
        (lambda: dataclasses.replace(TOY_DARTS, may=(("none",),) * 10), BadSpace, "cannot take 2 inputs"),
        (lambda: Sampled(NB201, 20_000), BadSpace, "20,000 cannot be sampled"),
        (lambda: TOY_DARTS.check((1,) * 10), BadGenotype, "every node takes 2 edges"),
        (lambda: TOY_DARTS.check((0,) * 10), BadGenotype, "every node takes 2 edges"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(made: Any, kind: type[BenchError], words: str) -> None:
    with pytest.raises(kind) as caught:
        made()
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_too_large_is_not_listed() -> None:
    """A DARTS space of four nodes: counted, sampled and decoded, and never listed."""
    from bench.spaces.layout import TwoInputCells
    from bench.spaces.two_inputs import TwoInputs, two_input_dag

    kinds = (CellType("normal", 2, 4, "concatenated"), CellType("reduce", 2, 4, "concatenated", stride=2))
    edges = tuple(Edge(*edge) for kind in kinds for edge in two_input_dag(kind.name, 2, 4))
    names = ("none", "max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3",
             "dil_conv_5x5")  # fmt: skip
    large = TwoInputs("darts", names, edges, kinds, TwoInputCells(4), may=(names[1:],) * 28, sampled=50)
    per_cell = 1 * 3 * 6 * 10 * 7**8
    assert large.size == per_cell**2 == 1_037_664_180**2
    with pytest.raises(BadSpace, match=r"more than the 1,000,000 that are listed"):
        large.listed(large.region)
    drawn = [large.sample(large.region, np.random.default_rng(seed)) for seed in range(20)]
    assert all(large.feasible(genotype) for genotype in drawn)
    assert len({large.trained_class(genotype) for genotype in drawn}) == 20
    assert len(list(large.population)) == 50
    assert large.parse(large.show(drawn[0])) == drawn[0]
