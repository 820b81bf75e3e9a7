"""The DARTS space whole: notations against published texts, and the code of DARTS on equal weights.

The numbers were made by running `Network` of github.com/quark0/darts, commit
f276dd346a09ae3160f8e3aca5c7b193fda1da37, cnn/model_search.py, in double precision on the weights of
`tests/golden_darts.py`; `.cuda()` and `Variable` were taken out to run on today's torch without a GPU.
"""

from __future__ import annotations

import dataclasses
import gzip
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F

import methods
from bench import spaces
from bench.errors import BadGenotype, BadSpace, UnknownName
from bench.folders import data_folder
from bench.nets.darts import DartsNetwork
from bench.nets.operations import Norm
from bench.runs import probe
from bench.runs.run import Settings, execute
from bench.spaces import darts, notations
from bench.spaces.darts import OPS, SPACE, WITH_NONE
from bench.spaces.layout import Shape
from bench.spaces.space import Genotype
from bench.spaces.toy_darts import SPACE as TOY
from bench.store.spec import plain
from methods.gmnas import RANDOM, OneEdge
from methods.hepnas import Hierarchy, hierarchies
from tests import contract, golden_darts, tiny
from tests.published_cells import V1, V2

COMPACT_V2 = (
    "(((0, 3), (1, 3), (0, 3), (1, 3), (1, 3), (0, 2), (0, 2), (2, 5)), "
    "((0, 0), (1, 0), (2, 2), (1, 0), (0, 0), (2, 2), (2, 2), (1, 0)))"
)
# Edges by hand: node 2 has 0 and 1; node 3 has 2, 3, 4; node 4 has 5 to 8; node 5 has 9 to 13.
V2_BY_HAND = {0: 4, 1: 4, 2: 4, 3: 4, 5: 3, 6: 4, 9: 3, 11: 6, 14: 1, 15: 1, 17: 1, 18: 3, 19: 1, 21: 3, 24: 1, 25: 3}
CONFIGURATION_V2 = {
    **{f"edge_normal_{e}": OPS[op] for e, op in V2_BY_HAND.items() if e < 14},
    **{f"edge_reduce_{e - 14}": OPS[op] for e, op in V2_BY_HAND.items() if e >= 14},
    "inputs_node_normal_3": "0_1",
    "inputs_node_normal_4": "0_1",
    "inputs_node_normal_5": "0_2",
    "inputs_node_reduce_3": "1_2",
    "inputs_node_reduce_4": "0_2",
    "inputs_node_reduce_5": "1_2",
}
CONFIGURATION_V2 = {f"NetworkSelectorDatasetInfo:darts:{key}": value for key, value in CONFIGURATION_V2.items()}
ITEMS_V2 = (
    "sep_conv_3x3~0 sep_conv_3x3~1 sep_conv_3x3~0 sep_conv_3x3~1 sep_conv_3x3~1 skip_connect~0 skip_connect~0 "
    "dil_conv_3x3~2,max_pool_3x3~0 max_pool_3x3~1 skip_connect~2 max_pool_3x3~1 max_pool_3x3~0 skip_connect~2 "
    "skip_connect~2 max_pool_3x3~1"
)

LOGITS = """
-1.630456 0.239906 -0.306475 -0.419710 -2.483713 1.248058 -0.445367 -1.007053 0.649460 -2.103451
-0.470315 0.025647 1.907135 0.237980 0.593409 0.313792 -0.685671 0.777486 -0.029920 0.164254
-0.975437 0.107159 0.197596 -0.367844 -1.528739 1.190567 -0.292593 -0.960508 0.539057 -1.371813
-0.853603 -0.305456 2.197509 -0.537468 0.371109 1.135613 -0.808578 1.391766 -0.010386 -0.339320
"""
GRADIENTS = """
0.1239865 -0.8529573 0.0810977 0.0048467 0.1918518 -0.0620456 0.3685659 0.1446543
-0.1424599 0.3922395 -0.0503298 -0.0634434 0.0516637 0.1564549 -0.2143352 -0.1297897
0.0074428 -0.0755382 -0.0722932 0.1352691 -0.1620719 -0.0984110 0.2209598 0.0446427
-0.0299593 -0.0095305 0.1869144 -0.2786943 0.2261666 -0.0734277 -0.0381010 0.0166318
0.0493904 -0.1574394 -0.0515609 -0.0385848 0.0425454 -0.0157297 -0.0663113 0.2376903
-0.1049557 -0.2329689 -0.1088381 -0.1395035 -0.1657936 0.4239487 0.3337482 -0.0056370
0.0271020 0.0533206 -0.1198011 -0.0858910 -0.2629322 0.3029798 0.0912472 -0.0060252
0.0604586 0.1667042 -0.3279713 -0.0551009 0.0518208 -0.1275245 -0.0111927 0.2428059
0.0018547 0.0151308 -0.1182359 -0.0471578 -0.0972587 0.0439774 -0.0586113 0.2603007
-0.1721788 -0.1268764 0.0044019 -0.0617423 -0.2201403 0.9112986 -0.2474740 -0.0872888
-0.0184403 0.0725890 0.3609217 0.6260578 -1.0291791 -0.1345364 0.1086391 0.0139482
-0.0897233 0.2473824 0.1832031 0.0279453 -0.0046661 0.0084131 -0.0386698 -0.3338846
0.0139353 0.3634029 0.0985990 0.0699132 -0.0398125 0.1629844 -0.3492946 -0.3197277
0.0675209 0.1298643 0.1295185 0.4265391 -0.6616272 -0.4560446 0.3463353 0.0178938
0.0047067 0.3598690 0.8512181 -0.8431050 -0.1960934 -0.0020047 0.0255677 -0.2001585
-0.0104592 -0.0190170 -0.3060578 0.1619085 -0.1001289 -0.0160488 -0.1207656 0.4105688
-0.0034849 0.1308059 0.0344996 -0.0251450 -0.0098954 -0.2014444 0.1865585 -0.1118943
-0.0049795 0.0475126 0.0282901 -0.1324487 0.1319908 0.1066387 -0.1167054 -0.0602985
-0.0007820 0.1839757 -0.1994092 0.0498164 0.0918492 -0.0484684 -0.0547225 -0.0222590
-0.0035681 0.2544465 0.0570324 0.0195935 -0.0021046 0.0012194 -0.2425125 -0.0841067
-0.0105460 0.0119559 -0.0272456 -0.1591743 0.0435459 0.0292865 0.1603769 -0.0481993
0.0069472 0.0444263 -0.0258727 0.0672096 -0.0275272 -0.1121530 0.0397131 0.0072567
0.0254530 -0.1195265 -0.0770611 -0.0329347 0.0001222 0.0114074 0.1434097 0.0491301
-0.0041279 -0.1144226 -0.0031411 0.0053818 0.0174662 0.0171384 -0.0090703 0.0907755
-0.0044463 -0.0151553 0.0141292 0.0918179 -0.1982627 0.1273480 -0.0327589 0.0173281
0.0029663 -0.0485077 -0.0098285 0.0540289 -0.0109512 0.0308436 -0.0236215 0.0050702
0.0027192 -0.1156128 0.0709827 0.0104927 0.0285071 0.0340210 0.0598407 -0.0909506
-0.0569470 -0.0232789 0.0136651 -0.0006228 -0.0347221 0.2394419 -0.0756048 -0.0619314
"""
CHOSEN = {
    3: "max_pool_3x3~0 avg_pool_3x3~1 max_pool_3x3~1 avg_pool_3x3~2 "
    "max_pool_3x3~1 avg_pool_3x3~2 max_pool_3x3~0 avg_pool_3x3~1, "
    "max_pool_3x3~1 max_pool_3x3~0 avg_pool_3x3~0 max_pool_3x3~2 "
    "avg_pool_3x3~0 max_pool_3x3~2 max_pool_3x3~1 avg_pool_3x3~2",
    5: "avg_pool_3x3~0 max_pool_3x3~1 skip_connect~1 max_pool_3x3~0 "
    "avg_pool_3x3~0 skip_connect~3 avg_pool_3x3~1 skip_connect~4, "
    "avg_pool_3x3~1 avg_pool_3x3~0 skip_connect~2 max_pool_3x3~0 "
    "avg_pool_3x3~1 max_pool_3x3~2 skip_connect~0 avg_pool_3x3~2",
    251: "sep_conv_5x5~0 avg_pool_3x3~1 dil_conv_3x3~0 sep_conv_5x5~1 "
    "dil_conv_3x3~2 avg_pool_3x3~0 max_pool_3x3~1 sep_conv_5x5~3, "
    "max_pool_3x3~1 avg_pool_3x3~0 sep_conv_5x5~2 avg_pool_3x3~1 "
    "sep_conv_5x5~2 dil_conv_5x5~0 sep_conv_3x3~0 avg_pool_3x3~4",
}
"""What `Network.genotype` gives, by the modulus of the formula below."""


def _numbers(text: str) -> torch.Tensor:
    return torch.tensor([[float(word) for word in line.split()] for line in text.split("\n") if line])


# Notations


@pytest.mark.parametrize(
    ("text", "notation"),
    [
        (V2, "quark0"),
        (V2.replace("[2, 3, 4, 5]", "range(2, 6)"), "quark0"),
        (COMPACT_V2, "naslib"),
        (json.dumps(CONFIGURATION_V2), "nb301"),
        (str({**CONFIGURATION_V2, "OptimizerSelector:optimizer": "sgd"}), "nb301"),
        (ITEMS_V2, "items"),
        (ITEMS_V2.replace(",", " "), "items"),
    ],
)
def test_every_notation_names_the_published_cell(text: str, notation: str) -> None:
    by_hand = tuple(V2_BY_HAND.get(e, 0) for e in range(28))
    assert SPACE.read(text) == (by_hand, notation)
    assert SPACE.read(text, notation) == (by_hand, notation)
    assert SPACE.parse(text) == by_hand


def test_published_cells_are_written_as_they_were_read() -> None:
    """But for the order of a node's inputs, which means nothing: V1 names input 1 of its first node first."""
    assert SPACE.read(SPACE.show(SPACE.parse(V1)))[0] == SPACE.parse(V1)
    first = "('sep_conv_3x3', 1), ('sep_conv_3x3', 0)"
    turned = V1.replace(first, "('sep_conv_3x3', 0), ('sep_conv_3x3', 1)", 1)
    assert turned != V1
    assert SPACE.parse(turned) == SPACE.parse(V1)
    assert SPACE.show(SPACE.parse(V1)).startswith("Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('skip")
    assert json.loads(SPACE.written(SPACE.parse(V2), "nb301")) == CONFIGURATION_V2


def test_what_is_written_is_read_again() -> None:
    for genotype, name in itertools.product(list(SPACE.population)[::20], notations.NOTATIONS):
        text = SPACE.written(genotype, name)
        assert SPACE.read(text, name) == (genotype, name)
        if name != "naslib":  # which may be in doubt
            assert SPACE.read(text) == (genotype, name)
    with pytest.raises(UnknownName, match="did you mean 'quark0'"):
        SPACE.read(V2, "quark")


def test_a_text_with_two_meanings_is_refused_until_its_notation_is_named() -> None:
    pairs = "((0, 1), (1, 0), (2, 1), (1, 2), (3, 0), (2, 1), (4, 3), (3, 4))"
    text = f"({pairs}, {pairs})"
    with pytest.raises(BadGenotype, match="two architectures"):
        SPACE.read(text)
    both_ways = "((0, 0), (1, 1), (0, 0), (1, 1), (0, 0), (1, 1), (0, 0), (1, 1))"
    assert SPACE.read(f"({both_ways}, {both_ways})")[1] == "naslib"
    genotype, _ = SPACE.read(text, "naslib")
    assert (genotype[0], genotype[1]) == (OPS.index("avg_pool_3x3"), OPS.index("max_pool_3x3"))


def _v2(old: str, new: str) -> str:
    assert old in V2
    return V2.replace(old, new, 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (_v2("'sep_conv_3x3', 0", "'sep_conv_7x7', 0"), ("normal[0]", "sep_conv_7x7", "max_pool_3x3, avg_pool_3x3")),
        (_v2("'sep_conv_3x3', 0", "'none', 0"), ("normal[0]", "no operation", "max_pool_3x3, avg_pool_3x3")),
        (_v2("[('sep_conv_3x3', 0)", "[('sep_conv_3x3', 0), ('sep_conv_3x3', 0)"), ("normal has 9 items", "8, 2 for")),
        (_v2("'dil_conv_3x3', 2", "'dil_conv_3x3', 5"), ("normal[7]", "node 5 has no input 5", "0 to 4")),
        (_v2("'dil_conv_3x3', 2", "'dil_conv_3x3', -1"), ("normal", "code at character")),
        (_v2("'sep_conv_3x3', 1", "'sep_conv_3x3', 0"), ("normal[1]", "takes input 0 twice", "two different")),
        (_v2("'sep_conv_3x3', 1", "'sep_conv_3x3', True"), ("normal[1]", "whole number")),
        (_v2("('sep_conv_3x3', 0)", "'sep_conv_3x3'"), ("normal[0]", "a pair")),
        (_v2("'sep_conv_3x3'", "__import__('os').getcwd()"), ("normal", "code at character 19")),
        (_v2("[2, 3, 4, 5]", "range(2, 10**9)"), ("normal_concat", "code")),
        (_v2("[2, 3, 4, 5]", "range(2, 1000000000)"), ("normal_concat", "[2, 3, 4, 5]")),
        (_v2("[2, 3, 4, 5]", "[3, 4, 5]"), ("normal_concat", "(3, 4, 5)")),
        (_v2("reduce_concat", "normal_concat"), ("fields", "once each")),
        (_v2("Genotype(", "Genotype(*[], "), ("Genotype(...)", "by name")),
        (_v2("Genotype", "Genotype.make"), ("Genotype(...)", "by name")),
        (V2[:-1], ("cannot be read at character",)),
        (V2 + " or 1", ("no Genotype(...)",)),
        (V2 + "\n" * 30_000 + "1", ("characters; legal: 20,000",)),
        (COMPACT_V2.replace("(2, 5)", "(2, 7)"), ("normal[7]", "no operation 7", "0 max_pool_3x3")),
        (COMPACT_V2.replace("(2, 5)", "(2, 5, 1)"), ("normal[7]", "a pair")),
        ("((0, 1), (1, 2))", ("normal[0]",)),
        ("[1]", ("two tuples",)),
        (ITEMS_V2.replace("dil_conv_3x3~2", "dil_conv_3x3~x"), ("normal[7]", "dil_conv_3x3~x")),
        (ITEMS_V2.replace(",max_pool_3x3~0", ","), ("reduce has 7 items", "8, 2 for")),
        (ITEMS_V2.partition(",")[0], ("8 items", "8 of the reduction cell")),
        ("sep_conv_3x3", ("no notation", "quark0, naslib, nb301, items")),
        (",".join(["0"] * 28), ("no notation",)),
        ("", ("no notation",)),
    ],
)
def test_bad_texts_are_refused_in_one_line_with_the_place(text: str, words: tuple[str, ...]) -> None:
    with pytest.raises(BadGenotype) as caught:
        SPACE.read(text)
    assert all(word in str(caught.value) for word in words)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"edge_normal_4": "skip_connect"}, ("node 3 of normal takes 2", "2, 3, 4", "has 3")),
        ({"edge_normal_14": "skip_connect"}, ("edge_normal_14", "edge_reduce_13")),
        ({"edge_normal_0": "sep_conv_7x7"}, ("normal[0]", "sep_conv_7x7", "dil_conv_5x5")),
        ({"edge_normal_0": 3}, ("normal[0]", "the name of an operation")),
        ({"inputs_node_normal_5": "0_1"}, ("inputs_node_normal_5", "'0_1'", "'0_2'")),
        ({"inputs_node_normal_9": "0_1"}, ("inputs_node_normal_9", "inputs_node_reduce_5")),
    ],
)
def test_bad_configurations_are_refused_in_one_line(changed: dict[str, Any], words: tuple[str, ...]) -> None:
    whole = {**CONFIGURATION_V2, **{f"NetworkSelectorDatasetInfo:darts:{k}": v for k, v in changed.items()}}
    with pytest.raises(BadGenotype) as caught:
        SPACE.read(json.dumps(whole))
    assert all(word in str(caught.value) for word in words)
    assert "\n" not in str(caught.value)
    edge = '"NetworkSelectorDatasetInfo:darts:edge_normal_0": "skip_connect"'
    with pytest.raises(BadGenotype, match="twice"):
        SPACE.read(f"{{{edge}, {edge}}}")


def _released(name: str) -> pd.DataFrame:
    path: Path = data_folder() / name
    if not path.exists():
        pytest.skip(f"needs {path} (set SUPERNET_BENCH_DATA)")
    with gzip.open(path) as stream:
        return pd.read_csv(stream)


def _by_items(row: Any) -> Genotype:
    """A row of released genotypes, without the code under test: edge numbers by counting."""
    found = [0] * 28
    for start, cell in ((0, row.normal), (14, row.reduce)):
        for k, item in enumerate(cell.split()):
            op, source = item.split("~")
            found[start + (0, 2, 5, 9)[k // 2] + int(source)] = OPS.index(op)
    return tuple(found)


@pytest.mark.reproducibility
@pytest.mark.parametrize(
    ("name", "rows", "distinct"),
    [("darts_nb301_10k.csv.gz", 10_000, 10_000), ("darts_published_genotypes.csv.gz", 146, 136)],
)
def test_all_released_genotypes_survive_every_notation(name: str, rows: int, distinct: int) -> None:
    table = _released(name)
    found = [_by_items(row) for row in table.itertuples()]
    assert len(found) == rows
    assert [SPACE.parse(f"{row.normal},{row.reduce}") for row in table.itertuples()] == found
    for notation in notations.NOTATIONS:
        assert [SPACE.read(SPACE.written(g, notation), notation)[0] for g in found] == found
    assert len(set(found)) == distinct


# Spaces


def test_sizes_of_the_spaces() -> None:
    """Pairs of sources 1, 3, 6 and 10 in each of two cells; 7, or 2, operations on each of 16 edges."""
    pairs = (1 * 3 * 6 * 10) ** 2
    assert [space.size for space in darts.SPACES] == [pairs * 7**16] * 2 + [pairs * 2**16] * 3
    assert all(spaces.get(space.name) is space for space in darts.SPACES)


def test_one_population_judges_all_spaces() -> None:
    drawn = list(SPACE.population)
    assert len(set(drawn)) == 1_000
    for space in darts.SPACES:
        assert list(space.population) == drawn
        assert space.population.space.name == "darts"
        assert probe.probe_set(space, 50) == probe.probe_set(SPACE, 50)
        assert probe.genotypes_of(space, probe.keys_of(space, drawn[:5])) == drawn[:5]
    kept = np.array([[op for op in genotype if op] for genotype in drawn])
    assert kept.shape == (1_000, 16)
    shares = np.bincount(kept.ravel(), minlength=8)[1:] / kept.size
    assert np.abs(shares - 1 / 7).max() < 4 * (6 / 49 / kept.size) ** 0.5
    with pytest.raises(BadSpace, match="cannot be judged by toy-darts"):
        dataclasses.replace(SPACE, name="other", population_of=TOY)


def test_a_narrow_space_finds_its_own_and_has_no_opinion_of_others() -> None:
    """Its supernet has no weights for what it may not take."""
    narrow, outside = darts.S2, SPACE.parse(V2)
    inside = narrow.sample(narrow.region, np.random.default_rng(0))
    with pytest.raises(BadGenotype):
        narrow.check(outside)
    learner = tiny.learner(methods.get("darts"), tiny.Training(batch=16), narrow)
    values = probe.within(narrow, learner.estimates)([outside, inside, outside], 16)
    assert np.isnan(values[[0, 2]]).all()
    assert np.isfinite(values[1]).all()


@pytest.mark.parametrize("modulus", CHOSEN)
def test_alpha_is_decoded_as_the_code_of_darts_does_it(modulus: int) -> None:
    """Of 3 and 5 values, so that most are equal, and of 251."""
    i = np.arange(224)
    alpha = ((i * i * 7 + 3 * i) % modulus).reshape(28, 8) / (1 if modulus < 9 else 50)
    assert WITH_NONE.decode(alpha, WITH_NONE.region) == SPACE.parse(CHOSEN[modulus])


# The network


def test_logits_and_gradients_of_alpha_are_those_of_the_code_of_darts() -> None:
    alpha = golden_darts.alpha()
    logits = golden_darts.net()(golden_darts.images(), alpha.softmax(-1), WITH_NONE.region)
    torch.testing.assert_close(logits.detach().float(), _numbers(LOGITS), rtol=0, atol=2e-6)
    F.cross_entropy(logits, golden_darts.LABELS).backward()
    assert alpha.grad is not None
    torch.testing.assert_close(alpha.grad.float(), _numbers(GRADIENTS), rtol=0, atol=2e-7)


def test_the_paper_s_search_network_has_as_many_parameters_as_the_code_of_darts() -> None:
    net = DartsNetwork(WITH_NONE, Shape(channels=16, cells=2, classes=10, image_channels=3, image_size=32), Norm(), 0)
    assert len(list(net.blocks())) == 8
    assert [place.cell for place in net.places] == [*["normal"] * 2, "reduce"] * 2 + ["normal"] * 2
    assert sum(p.numel() for p in net.parameters()) == 1_930_618


# Methods


def test_normal_cells_alone_are_cut() -> None:
    assert hierarchies(SPACE, SPACE.region, ("normal",)) == [[0, 1], [2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12, 13]]
    assert len(hierarchies(SPACE, SPACE.region)) == 8
    task = tiny.task(SPACE)
    assert OneEdge("within", cells=("normal",)).compared(task, 1) == [7] * 13
    assert Hierarchy(cells=("reduce",)).node(task, 0) == [14, 15]
    with pytest.raises(UnknownName, match="did you mean 'normal'"):
        Hierarchy(cells=("norml",)).check(task, 1)


def test_an_edge_choice_of_all_cells_has_the_identity_that_it_always_had() -> None:
    assert plain(OneEdge()) == {"by": "between"}
    assert plain(Hierarchy()) == {"order": "sequential"}
    assert plain(Hierarchy(cells=("normal",))) == {"order": "sequential", "cells": ["normal"]}


FIRST_ORDER = methods.get("darts")


@pytest.mark.slow
@pytest.mark.usefixtures("images_once")
@pytest.mark.parametrize(
    ("label", "space", "fields", "children"),
    [
        ("fewshot", "darts", {"base": FIRST_ORDER}, 7),
        ("hep-parent", "darts", {"grouping": RANDOM, "levels": (1,)}, 4),
        ("gm-darts", "darts-s2", {"base": FIRST_ORDER, "levels": (1, 1)}, 6),
        ("gm-darts-random", "darts", {}, 14),
        ("gm-darts", "darts", {"base": FIRST_ORDER}, 14),
        ("hep", "darts", {"levels": (1,)}, 4),
    ],
)
def test_partition_searches_run(label: str, space: str, fields: dict[str, Any], children: int, tmp_path: Path) -> None:
    """On the settings of `darts`, but for what is named: normal edges are cut, and a cell comes out."""
    method = contract.smaller(dataclasses.replace(methods.get(label, "darts"), **fields))
    record = execute(tiny.spec(method, 0, space, contract.SCALE, label), Settings(tmp_path, device="cpu"), debug=True)
    assert record.status == "done"
    assert record.genotype is not None
    assert spaces.get(space).check(record.genotype) == record.genotype
    assert SPACE.read(record.architecture or "") == (record.genotype, "quark0")
    tree = record.details["tree"]
    assert len(tree) == 1 + children
    cuts = [node["cut"]["edges"] for node in tree if node["cut"]]
    assert cuts
    assert all(edge < 14 for edges in cuts for edge in edges)
    if "hep" in label:
        assert cuts[0] == [0, 1]
    if label == "fewshot":
        assert cuts == [[0]]


def test_settings_of_the_space() -> None:
    """Those of the authors' launch scripts: 8 leaves, 15 epochs; 7 leaves, 20 epochs; cuts after 15, 25, 35, 45."""
    gm, few, hep = (methods.get(label, "darts") for label in ("gm-darts", "fewshot", "hep"))
    assert (np.cumsum(gm.levels).tolist(), gm.final, gm.grouping.weight, gm.restart) == ([2, 4, 6], 15, "soft", True)
    assert (few.levels, few.final, few.edges.edges) == ((0,), 20, (0,))
    assert (np.cumsum(hep.levels).tolist(), hep.tuning, hep.final) == ([15, 25, 35, 45], 5, 15)
    assert [s.base.training.batch for s in (gm, few, hep)] == [64, 64, 128]
    assert {s.base.training.nesterov for s in (gm, few, hep)} == {False}
    assert {s.base.training.weight_decay for s in (gm, few, hep)} == {3e-4}


def test_snas_ends_as_cold_as_in_the_code_of_gm_nas() -> None:
    """`--tau_min` of WS-GM/sota/cnn/train_search_ws.py (github.com/skhu101/GM-NAS, commit a69837da) is 0.03."""
    snas = methods.get("snas", "darts")
    assert (snas.temperature, snas.temperature_end, snas.training.nesterov) == (1.0, 0.03, False)
