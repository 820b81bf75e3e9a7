"""Agreement of the one-shot searches with their authors' code on equal weights, batches and draws.

The numbers were made by running the functions named below on the network, batches and draws of `tests/golden_net.py`
in double precision. Formulas were left as they are; `.cuda()` was stood in for, and random draws were replaced by those
of `golden_net`. A step is one of alpha, on the validation batch, and then one of the weights, on the training batch;
fingerprints are of what it leaves.

- github.com/D-X-Y/AutoDL-Projects, commit f46486e21b71ae6459a700be720d7648b5429569: `TinyNetworkGDAS` with the cell's
  `forward_gdas_v1`, which was given the drawn operation of its list (as published it calls the list);
- github.com/xiangning-chen/DrNAS, commit f2caa4dbdd96c1be29b56cb7ed47a74a184e6ef0, 201-space: `TinyNetwork`,
  `Architect`, both regularisations;
- github.com/yuhuixu1993/PC-DARTS, commit b74702f86c70e330ce0db35762cfade9df026bb7: `Network`, five cells of 8 channels,
  on the weights, alpha and images of `tests/golden_darts.py`;
- github.com/xiangning-chen/SmoothDARTS, commit d3dbfed06643d5fd4056edd90891ec9109634ada: `Random_alpha` of radius 0.3
  with `Network.softmax_arch_parameters` and `Network.clip`;
- github.com/ruocwang/darts-pt, commit 4ec3149dea0d77efd8e4c118f578b454dad5e0ac, nasbench201: the losses that
  `pt_project` compares, of `TinyNetworkDartsProj` with operation 3 projected on edge 1;
- github.com/automl/ConfigurableOptimizer, commit 13bde40eb05bb2027d049b76bf1cffa9b55604fc:
  `update_gradient_matching_scores` on an operation of two kernels, whose gradients are draws 20 to 23;
- github.com/xiaomi-automl/FairDARTS, commit 270cfc94ef4bf851f359ab5caf741f23316ea7c9, fairdarts: `Network` with both
  separating losses at weight 10, five cells of 2 channels, on `tests/golden_darts.py` without `none`;
- github.com/SamsungLabs/zero-cost-nas, commit a43bfbc90c1a02a81fb4397a5e096759e93fbe50: `compute_synflow_per_weight`,
  summed, and `compute_jacob_cov`, on two architectures; biases of its convolutions, which ours lack, are 0;
- the package reinmax 0.1.0 of PyPI: `reinmax`;
- github.com/Sunshine-Ye/Beta-DARTS, commit f3077048c8cf1fef977496f8e46869cb07e73e30: `Architect._backward_step` at
  epoch 30 of 100.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from bench.images.batches import Batch
from bench.search.learner import Learner, Schedule
from bench.spaces.darts import SPACE, WITH_NONE
from methods import darts, zerocost
from methods.darts import Darts
from methods.drnas import Drnas
from methods.fairdarts import FairDarts
from methods.gdas import Gdas
from methods.gumbel import Heated
from methods.oles import similarity
from methods.oneshot import OneShot
from methods.pcdarts import EDGES, PcDarts
from methods.perturbed import Perturbation
from methods.reinmax import second_order
from methods.rsps import Rsps
from methods.smoothing import projected
from tests import golden_darts, golden_net
from tests.golden_net import fingerprint

GDAS = """
0.002423232 -0.018244171 0.005517875 0.003582737 0.006720327
0.001200898 0.001053996 -0.003689265 0.000672314 0.000762056
0.003272195 0.001970894 0.001286175 0.002579543 -0.009108806
-0.002032022 -0.002411912 -0.002955904 0.009029508 -0.001629670
0.002168778 0.003762645 0.002460210 0.001396879 -0.009788513
0.004558677 -0.012556310 0.003388592 0.002021695 0.002587346
"""
DRNAS = """
-0.009072894 0.013590788 -0.001900126 0.004283340 -0.011098186
-0.001054611 0.039735820 -0.021229190 0.008754978 0.009494271
-0.018190908 0.020502286 0.010633589 0.011097039 0.000914928
-0.000835178 0.030618382 -0.018403424 -0.030958061 0.023415515
-0.002091817 0.011034906 0.000018223 -0.009841446 0.009185218
0.004004427 0.040396840 -0.024199843 -0.064394351 0.049179519
"""
DRNAS_KL = """
-0.036674364 0.001856222 0.033458865 -0.010627675 -0.081787778
0.020644523 0.045463056 -0.036689248 -0.092888174 0.021727616
0.017963234 -0.019571987 -0.050216199 -0.029158366 0.008011418
0.012791513 -0.012622737 0.004658456 -0.035112691 -0.003314249
-0.041238946 -0.053622108 0.008288263 0.007008178 0.031237624
0.027617427 -0.024096520 -0.037443260 -0.047883103 0.003663248
"""
BETA = """
0.351795498 0.441432134 1.055732232 0.411803177 0.239236959
0.707914062 0.544385602 0.407409982 0.232424337 0.607866017
0.914522409 0.355941409 0.303279183 0.337234387 0.589022611
0.583540449 0.307033832 0.766681686 0.472596114 0.370147919
0.330748801 0.260371573 0.497977402 0.606520772 0.804381451
0.678739676 0.299237790 0.521931234 0.642339973 0.357751327
"""
REINMAX = {
    1.5: """
-0.002097468 -0.492754021 0.290763152 0.130653248 0.073435088
0.133679355 -0.008438578 0.139487363 -0.102257846 -0.162470295
0.125995106 0.047360110 0.163963397 0.040962868 -0.378281481
0.047220775 -0.060541494 0.237862002 -0.246042869 0.021501587
-0.040194633 -0.029984375 -0.202706611 -0.039660917 0.312546536
-0.203234989 0.328981530 -0.071309780 -0.020897203 -0.033539558
""",
    0.5: """
0.024100794 -0.673620675 0.590785285 0.045267277 0.013467319
0.225801110 -0.030078158 0.020801958 0.010400126 -0.226925036
0.265562959 0.030147381 0.019291924 0.029240844 -0.344243107
0.004396893 0.005803515 0.415527513 -0.433848532 0.008120612
-0.023662632 -0.015283673 -0.204430166 -0.051535158 0.294911629
-0.323236435 0.377608693 -0.049507694 0.016253724 -0.021118288
""",
}


PC_LOGITS = """
-0.8913566 0.2103513 0.9535659 -0.1958204 -0.3819519 1.0327127 -0.2962096 0.2240969 0.3213401 -0.6769753
-1.0171672 -0.1898643 1.0180460 -0.3794906 -1.1593263 0.9120574 -0.8208908 -0.0735814 0.2511457 -1.1107476
-0.9662183 0.2442633 0.9382237 -0.1175484 -0.3094716 1.0006605 -0.2831235 0.1647541 0.2878486 -0.7048586
-1.0550681 -0.1974947 1.0859296 -0.3941829 -1.1971843 0.9425993 -0.8319850 -0.1135789 0.2878760 -1.1577481
"""
PC_ALPHA = """
-0.013096534 0.031362448 -0.003781868 -0.006746160 -0.002940642 -0.019658048 -0.016215620 0.031076425
0.006286960 -0.003759614 -0.002597571 -0.001887611 0.006952662 0.008336687 -0.025212418 0.011880905
0.000118054 -0.000817793 -0.002594805 -0.003223257 0.005362956 -0.001114634 0.003412957 -0.001143479
-0.000088675 0.007128210 0.001588665 0.004833644 0.003178066 -0.012563756 -0.002992187 -0.001083967
0.011487787 -0.054732338 -0.006146440 -0.002974592 0.003677275 -0.006183874 0.012156536 0.042715646
-0.003684353 -0.001569428 -0.000842601 -0.000551475 -0.001279248 -0.004717605 0.012178126 0.000466583
-0.000088425 0.000558558 -0.001729308 -0.004425835 0.003358390 0.000331479 0.001401841 0.000593301
0.004955541 -0.002141987 -0.004941167 -0.000053505 -0.006595079 0.009524161 0.004702041 -0.005450006
-0.004297191 -0.010785784 0.000158774 0.001503488 -0.001446461 -0.009037454 0.016972090 0.006932538
0.000873493 -0.001077051 -0.000355719 -0.000970155 -0.002511590 0.003012468 -0.000587459 0.001616014
-0.000375224 -0.000769818 -0.001543769 0.006663831 0.000952982 -0.002146929 0.000707846 -0.003488919
0.002417197 -0.017381885 -0.010257889 -0.012941941 0.010359329 -0.001194093 0.012783846 0.016215436
-0.000033893 -0.002258466 -0.004535499 -0.001057970 -0.000010591 -0.011997139 0.015114889 0.004778669
0.001162271 -0.000215803 -0.001375824 -0.000267510 0.004620882 0.000068913 -0.004007691 0.000014761
-0.000957171 -0.000381263 -0.015320972 -0.001600382 0.016142374 -0.000934754 -0.001429281 0.004481449
0.000731531 0.006201455 -0.012014999 0.000470884 -0.002662013 0.003501958 0.008882167 -0.005110984
0.000404824 0.001588292 0.000787102 -0.000456318 0.000072523 0.004365349 -0.009792571 0.003030798
0.000447895 0.001690654 0.003310909 -0.001011372 -0.006526517 0.000879356 -0.000023778 0.001232852
0.001696839 0.005512043 -0.030137968 0.007330932 0.001306944 -0.000946489 0.002995569 0.012242129
0.001264618 0.002670692 -0.001231550 0.001799111 -0.001772240 0.000987826 -0.003376636 -0.000341820
0.000209943 0.000307088 -0.000017092 0.000237551 0.000572404 -0.000307747 -0.000706248 -0.000295901
-0.000114459 0.000338080 0.000516214 0.004173575 -0.003973697 -0.000749176 -0.000340299 0.000149763
-0.001090739 0.001257867 -0.005717361 0.000785395 -0.000653366 -0.000439623 -0.002981369 0.008839195
-0.001538059 -0.001503723 -0.000156623 0.000635092 0.000647123 -0.005116110 -0.000033114 0.007065415
-0.000379550 -0.000589808 -0.000604278 -0.000461331 0.000524339 0.000710007 0.000399415 0.000401206
0.000355659 -0.005682239 -0.003297667 0.001231142 0.003942328 0.001514728 0.001444521 0.000491528
-0.001153345 0.000630419 -0.007084941 0.000533837 0.000782623 0.003193822 0.000896006 0.002201578
-0.002742968 -0.003456221 -0.000922359 -0.000677803 -0.000999455 0.008175525 0.001325880 -0.000702599
"""
PC_EDGES = """
-0.071221792 0.071221792 0.035504156 -0.060096805 0.024592648 0.041350850 0.075058051
-0.085714959 -0.030693943 -0.033956977 0.134334224 -0.085533608 0.004404060 -0.019247699
0.124836136 -0.124836136 -0.002709581 -0.007049849 0.009759430 -0.030878942 0.009649733
-0.007383290 0.028612499 0.008491281 0.002219544 -0.013329329 -0.008599524 0.011218029
"""
PC_CHOICE = (
    "Genotype(normal=[('avg_pool_3x3', 0), ('dil_conv_3x3', 1), ('max_pool_3x3', 2), ('skip_connect', "
    "1), ('avg_pool_3x3', 2), ('dil_conv_5x5', 3), ('avg_pool_3x3', 2), ('dil_conv_3x3', 3)], "
    "normal_concat=range(2, 6), reduce=[('max_pool_3x3', 1), ('skip_connect', 0), ('avg_pool_3x3', 2), "
    "('dil_conv_3x3', 0), ('max_pool_3x3', 3), ('dil_conv_5x5', 0), ('max_pool_3x3', 3), "
    "('skip_connect', 2)], reduce_concat=range(2, 6))"
)
SMOOTHED = """
0.000000000 0.214170541 0.479065993 0.287957016 0.018806449
0.345004423 0.311847096 0.134300230 0.150450102 0.058398149
0.476143435 0.074545381 0.325783524 0.106027390 0.017500271
0.446427653 0.102431933 0.346668900 0.104471514 0.000000000
0.157090028 0.093104399 0.131959085 0.379829912 0.238016576
0.443463746 0.223426449 0.090067533 0.049000788 0.194041484
"""


def _read(text: str) -> np.ndarray:
    return np.array([[float(word) for word in line.split()] for line in text.strip().splitlines()])


def _batches() -> tuple[Batch, Batch]:
    return Batch(*golden_net.batch()), Batch(*golden_net.other_batch())


def _gradient(learner: Learner) -> np.ndarray:
    assert learner.alpha.grad is not None
    return learner.alpha.grad.numpy()


def _step(relaxation: OneShot, learner: Learner) -> tuple[np.ndarray, float, float, float]:
    """The gradient of alpha, the training loss, and the fingerprints of alpha and of the weights."""
    train, valid = _batches()
    relaxation.step(learner, train, valid)
    gradient = _gradient(learner).copy()
    loss = float(learner.update_weights(train))
    return gradient, loss, fingerprint([learner.alpha]), fingerprint(learner.weights)


def test_gdas(monkeypatch: pytest.MonkeyPatch) -> None:
    heat = torch.tensor(1.5, dtype=torch.float64)
    monkeypatch.setattr(Heated, "noised", lambda _, learner: (learner.masked_alpha() + golden_net.noise(), heat))
    gdas = Gdas()
    learner = golden_net.learner(gdas)
    theta, region = gdas.theta(learner)
    assert region.lists == ((1,), (2,), (4,), (3,), (4,), (1,))
    assert torch.equal(theta.detach().round(), torch.eye(5, dtype=torch.float64)[[1, 2, 4, 3, 4, 1]])
    gradient, loss, alpha, weights = _step(gdas, learner)
    assert gradient == pytest.approx(_read(GDAS), abs=2e-9)
    assert (loss, alpha, weights) == pytest.approx((2.451838597, -2.198687439, 16.657883710), abs=1e-8)


@pytest.mark.parametrize("heat", REINMAX)
def test_reinmax(heat: float) -> None:
    alpha = golden_net.alpha().requires_grad_()
    drawn = (alpha + golden_net.noise()).argmax(-1)
    (second_order(alpha, drawn, torch.tensor(heat)) * golden_net.slope()).sum().backward()
    assert alpha.grad is not None
    assert alpha.grad.numpy() == pytest.approx(_read(REINMAX[heat]), abs=2e-7)


@pytest.mark.parametrize(
    ("settings", "gradient", "alpha"),
    [({}, DRNAS, -2.200696117), ({"divergence": 0.05, "decay": 0.0}, DRNAS_KL, -2.198760369)],
    ids=["l2", "kl"],
)
def test_drnas(settings: dict[str, Any], gradient: str, alpha: float, monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[Tensor] = []

    def drawn(concentrations: Tensor, generator: torch.Generator) -> Tensor:
        rows[:] = rows or golden_net.sample().unbind()
        return rows.pop(0).clone()

    monkeypatch.setattr(torch, "_sample_dirichlet", drawn)
    training = replace(Drnas().training, alpha_decay=settings.pop("decay", 1e-3))
    search = Drnas(training, **settings)
    found = _step(search, golden_net.learner(search))
    assert found[0] == pytest.approx(_read(gradient), abs=2e-9)
    assert found[1:] == pytest.approx((2.357406991, alpha, 16.738813708), abs=1e-8)


def test_the_divergence_of_drnas() -> None:
    search = Drnas()
    learner = golden_net.learner(search)
    assert float(search.from_even(learner).detach()) == pytest.approx(4.962429953, abs=1e-6)


def test_beta_darts() -> None:
    search = darts.VARIANTS["beta-darts"]
    learner = golden_net.learner(search)
    learner.schedule, learner.steps = Schedule(10, 10), 3 * len(learner.train)
    assert learner.progress == pytest.approx(0.3)
    train, valid = _batches()
    search.step(learner, train, valid)
    assert _gradient(learner) == pytest.approx(_read(BETA), abs=2e-7)
    assert fingerprint([learner.alpha]) == pytest.approx(-2.200419186, abs=1e-8)


def test_pc_darts() -> None:
    """Logits, both gradients and the choice, with a quarter of the channels and edges of their own weight."""
    search = PcDarts()
    learner: Any = SimpleNamespace(
        alpha=golden_darts.alpha(), more={EDGES: golden_darts.edges().requires_grad_()}, given=lambda make: make()
    )
    learner.masked_alpha, learner.space, learner.region = lambda: learner.alpha, WITH_NONE, WITH_NONE.region
    logits = golden_darts.net(share=4)(golden_darts.images(), *search.theta(learner))
    assert logits.detach().numpy() == pytest.approx(_read(PC_LOGITS), abs=2e-7)
    F.cross_entropy(logits, golden_darts.LABELS).backward()
    assert learner.alpha.grad.numpy() == pytest.approx(_read(PC_ALPHA), abs=2e-9)
    assert learner.more[EDGES].grad.numpy() == pytest.approx(_read(PC_EDGES).ravel(), abs=2e-9)
    assert search.decoded(learner) == WITH_NONE.parse(PC_CHOICE)


def test_the_smoothing_of_sdarts() -> None:
    theta, noise = golden_net.alpha().softmax(-1), 2 * golden_net.uniform() - 1
    moved = projected(theta + 0.3 * noise, torch.ones(6, 5, dtype=torch.bool))
    assert moved.numpy() == pytest.approx(_read(SMOOTHED), abs=2e-9)


WITHOUT = {
    0: [2.241707403, 2.261764730, 2.293647463, 2.274760852, 2.238346914],
    4: [2.241707403, 2.245496184, 2.368021574, 2.287200122, 2.233827147],
}


@pytest.mark.parametrize("edge", WITHOUT)
def test_what_darts_pt_compares(edge: int, monkeypatch: pytest.MonkeyPatch) -> None:
    search = Darts()
    learner = golden_net.learner(search)
    learner.narrow(learner.region.narrowed(1, {3}))
    monkeypatch.setattr(learner.valid, "in_order", lambda *_: [Batch(*golden_net.other_batch())])
    choice, theta = Perturbation("loss"), search.expected(learner)
    losses = [choice.without(learner, theta, edge, op) for op in range(5)]
    assert losses == pytest.approx(WITHOUT[edge], abs=1e-8)
    assert choice.missed(learner, edge, search.expected) == int(np.argmax(WITHOUT[edge]))


def test_the_similarity_of_oles() -> None:
    shapes = ((4, 1, 3, 3), (6, 4, 1, 1))
    own, other = ([golden_net.draw(seed + k, *shape) for k, shape in enumerate(shapes)] for seed in (20, 22))
    alike = [similarity(a, b) for a, b in zip(own, other, strict=True)]
    assert float(torch.stack(alike).mean()) == pytest.approx(-0.009857865, abs=1e-8)


GATES = """
-3.603523109 -1.711997830 -22.112397041 -7.231688383 32.497663430 14.416012205 -0.494628264
3.249724692 3.604346246 3.265499811 10.850343103 -7.371573364 0.560500525 -0.537813110
-1.315596059 -0.463751933 -29.542874977 4.554861928 -0.231140827 2.715907832 0.777078283
-18.724448051 -23.886728207 18.202780187 -0.907069433 -10.050383301 6.551619501 -14.044252216
-2.432406553 -0.431311371 2.590853497 2.092700719 -2.741893004 -2.979236803 -4.382784845
6.804358796 3.786187337 21.648916556 0.554650071 -0.392218269 0.224680033 1.412299621
"""


@pytest.mark.parametrize(
    ("distance", "penalty", "fingerprinted"),
    [("squared", -0.027700221, -27.807547349), ("absolute", -0.150621698, -27.774581151)],
)
def test_fairdarts(distance: Any, penalty: float, fingerprinted: float) -> None:
    """The loss of alpha and its gradient; six of 28 edges by number, all by their fingerprint."""
    search = FairDarts(distance=distance)
    learner: Any = SimpleNamespace(alpha=golden_darts.alpha(), region=SPACE.region)
    learner.allowed = torch.from_numpy(SPACE.region.mask(8))
    learner.masked_alpha = lambda: learner.alpha.masked_fill(~learner.allowed, -torch.inf)
    network = golden_darts.net()
    learner.loss = lambda batch, theta, region: F.cross_entropy(network(batch.images, theta, region), batch.labels)
    loss = search.alpha_loss(learner, Batch(golden_darts.images(), golden_darts.LABELS))
    assert float(loss.detach()) == pytest.approx(5.704864602 + 10 * penalty, abs=1e-7)
    loss.backward()
    gradient = learner.alpha.grad[:, 1:].contiguous()
    assert fingerprint([gradient]) == pytest.approx(fingerprinted, abs=1e-6)
    if distance == "squared":
        assert gradient[[0, 5, 13, 14, 20, 27]].numpy() == pytest.approx(_read(GATES), abs=1e-7)


@pytest.mark.parametrize(
    ("path", "jacov", "synflow"),
    [((1, 2, 4, 3, 4, 1), -18.830521793, 16.036453286), ((3, 0, 1, 0, 2, 3), -17.799252691, 18.642586037)],
)
def test_zero_cost_scores(path: tuple[int, ...], jacov: float, synflow: float) -> None:
    learner = golden_net.learner(Rsps())
    batch, alone = Batch(*golden_net.batch()), learner.space.alone(path)
    assert zerocost.jacov(learner, alone, None, batch) == pytest.approx(jacov, abs=1e-6)
    assert zerocost.synflow(learner, alone, None, batch) == pytest.approx(synflow, abs=1e-8)
    assert zerocost.jacov(learner, alone, None, batch) == pytest.approx(jacov, abs=1e-6)  # weights are put back
