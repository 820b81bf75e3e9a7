"""Agreement of the one-shot searches with their authors' code on equal weights, batches and draws.

The numbers were made by running the functions named below on the network, batches and draws of `tests/golden_net.py`
in double precision. Formulas were left as they are; `.cuda()` was stood in for, and random draws were replaced by those
of `golden_net`. A step is one of alpha, on the validation batch, and then one of the weights, on the training batch;
fingerprints are of what it leaves.

- github.com/D-X-Y/AutoDL-Projects, commit f46486e21b71ae6459a700be720d7648b5429569: `TinyNetworkGDAS` with the cell's
  `forward_gdas_v1`, which was given the drawn operation of its list (as published it calls the list);
- github.com/xiangning-chen/DrNAS, commit f2caa4dbdd96c1be29b56cb7ed47a74a184e6ef0, 201-space: `TinyNetwork`,
  `Architect`, both regularisations;
- the package reinmax 0.1.0 of PyPI: `reinmax`;
- github.com/Sunshine-Ye/Beta-DARTS, commit f3077048c8cf1fef977496f8e46869cb07e73e30: `Architect._backward_step` at
  epoch 30 of 100.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.images.batches import Batch
from bench.search.learner import Learner, Schedule
from methods import darts
from methods.drnas import Drnas
from methods.gdas import Gdas
from methods.gumbel import Heated
from methods.oneshot import OneShot
from methods.reinmax import second_order
from tests import golden_net
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
