"""SDARTS: Stabilizing Differentiable Architecture Search via Perturbation-based Regularization (Chen & Hsieh, ICML
2020, arXiv 2002.05283), with random smoothing (SDARTS-RS, section 3.2).

The weights are trained at architecture weights that are moved by uniform noise, of a radius that grows from 0.03 to
0.3; alpha follows the validation loss at its own. Any search may take the radius (`OneShot.radius`); this one is DARTS
with it. Settings are those of the authors' code (xiangning-chen/SmoothDARTS, nasbench201 and sota): 100 epochs here, 50
on the DARTS space. Deviations:

- The radius grows with every step, in the code with every epoch.
- The adversarial form (SDARTS-ADV), seven passes for one, is not here.
"""

from __future__ import annotations

from dataclasses import replace

from methods.darts import TRAINING, Darts

VARIANTS = {"sdarts": Darts(replace(TRAINING, epochs=100), radius=0.3)}
SETTINGS = {space: {"sdarts": Darts(TRAINING, radius=0.3)} for space in ("darts", "darts-none")}
