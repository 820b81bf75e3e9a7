"""The networks that cells of DARTS are retrained in, against the code of DARTS on equal weights.

The numbers were made by running `NetworkCIFAR` and `NetworkImageNet` of github.com/quark0/darts, commit
f276dd346a09ae3160f8e3aca5c7b193fda1da37, cnn/model.py, in double precision on the weights of `tests/golden_alone.py`;
the 7x7 pooling of the latter was made one of all pixels, which five cells end with more of.
"""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from bench.errors import BadSpec
from bench.nets.darts_alone import DartsAlone, alone, parameters
from bench.spaces.darts import SPACE
from bench.spaces.layout import Shape, StridedStems
from bench.spaces.two_inputs import TwoInputs
from tests import golden_alone
from tests.published_cells import V1, V2

IMAGENET = dataclasses.replace(SPACE, layout=StridedStems(4))

LOGITS = {
    False: """
-0.667427 0.788708 0.6444 -1.080695 0.099006 0.788763 -0.824008 0.762008 -0.766058 -0.402806
-0.685136 0.704692 0.541949 -1.241888 0.041065 0.730895 -0.735752 0.753591 -0.745892 -0.490263
-3.143643 -0.955784 -0.647756 0.548786 0.154456 -1.028328 0.92228 -0.989684 0.719595 1.004086
-1.637053 -0.34919 -1.068232 1.296469 -0.20089 -0.522561 1.002142 -0.537738 -0.215764 0.215964
-0.691891 0.698572 0.643238 -1.010554 0.14146 0.811972 -0.803401 0.721183 -0.69224 -0.449851
-0.691744 0.698537 0.643235 -1.010993 0.141617 0.811979 -0.803523 0.721444 -0.692435 -0.450155
""",
    True: """
-1.292243 -0.451897 0.825884 0.093406 -1.016217 0.831496 -0.180158 -0.409681 0.817748 -1.032222
-1.260981 -0.198563 0.734731 0.146431 -0.983492 0.864063 -0.243027 -0.285716 0.775976 -0.887115
0.78565 0.747859 -0.689704 -0.526109 1.030784 -0.64223 -0.287089 0.494594 -0.87589 0.876939
0.717016 0.814984 -0.70314 -0.595697 0.958535 -0.482144 -0.139643 0.783494 -0.913962 1.010281
-1.242613 -0.316917 0.776489 0.165708 -1.020624 0.833142 -0.190994 -0.335021 0.790021 -0.981286
-1.24258 -0.316842 0.776573 0.16579 -1.020584 0.833092 -0.191004 -0.334957 0.790036 -0.981256
""",
}
"""Whether for ImageNet: of two images the logits in training, those of the auxiliary head, and then those in
evaluation."""


@pytest.mark.parametrize("imagenet", [False, True])
def test_logits_are_those_of_the_code_of_darts(imagenet: bool) -> None:
    net, images = golden_alone.filled(imagenet), golden_alone.images(imagenet)
    region = net.space.alone(SPACE.parse(V2))
    expected = torch.tensor([[float(word) for word in line.split()] for line in LOGITS[imagenet].split("\n") if line])
    with torch.no_grad():
        trained, beside = net.train().trained(images, region, None)
        evaluated, nothing = net.eval().trained(images, region, None)
    assert beside is not None
    assert nothing is None
    found = torch.cat([trained, beside, evaluated])
    torch.testing.assert_close(found, expected.double(), rtol=0, atol=2e-6)
    torch.testing.assert_close(net(images, None, region), evaluated, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("space", "text", "shape", "without", "whole"),
    [
        (SPACE, V1, Shape(36, 6, 10, 3, 32), 3_169_414, 3_645_840),
        (SPACE, V2, Shape(36, 6, 10, 3, 32), 3_349_342, 3_825_768),
        (IMAGENET, V1, Shape(48, 4, 1000, 3, 224), 4_510_432, 5_771_208),
        (IMAGENET, V2, Shape(48, 4, 1000, 3, 224), 4_718_752, 5_979_528),
    ],
)
def test_parameters_are_those_of_the_code_of_darts(
    space: TwoInputs, text: str, shape: Shape, without: int, whole: int
) -> None:
    """Counted in its networks: without the auxiliary head, as the paper prints 3.3 M and 4.7 M, and with it."""
    net = alone(space, space.parse(text), shape, 0, auxiliary=True)
    assert parameters(net) == without
    assert sum(p.numel() for p in net.parameters()) == whole
    assert len(list(net.blocks())) == 3 * shape.cells + 2


@pytest.mark.parametrize("space", [SPACE, IMAGENET], ids=["cifar", "imagenet"])
def test_multiply_adds_are_those_of_torchs_counter(space: TwoInputs) -> None:
    genotype = space.parse(V2)
    net = alone(space, genotype, Shape(4, 1, 10, 3, 64), 0, auxiliary=False).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net.trained(torch.zeros(2, 3, 64, 64), space.alone(genotype), None)
    assert counter.get_total_flops() == 2 * 2 * net.multiply_adds(space.alone(genotype))


def _small(text: str) -> DartsAlone:
    return alone(SPACE, SPACE.parse(text), Shape(2, 1, 3, 1, 8), 0, auxiliary=False).double()


ALL_SKIPS = ",".join([" ".join(f"skip_connect~{k}" for k in (0, 1) * 4)] * 2)


def test_paths_drop_for_the_images_that_are_said_and_identities_never() -> None:
    """A factor of 1 drops nothing. In normal cells of skips nothing drops; in the others an image that loses all edges
    gives zeros, and the others what they give alone."""
    net, images = _small(ALL_SKIPS).eval(), torch.randn(3, 1, 8, 8, dtype=torch.float64)
    region = net.space.alone(SPACE.parse(ALL_SKIPS))

    def outputs(kept: Tensor | None) -> list[Tensor]:
        state, found = net.begin(images), []
        for k, cell in enumerate(net.blocks()):
            state = cell.dropped(state, region, None if kept is None else kept[k])  # type: ignore[operator]
            found.append(state[-1])
        return found

    whole, dropped = torch.ones(5, 14, 3, dtype=torch.float64), torch.ones(5, 14, 3, dtype=torch.float64)
    dropped[:, :, 1] = 0
    for a, b in zip(outputs(None), outputs(whole), strict=True):
        torch.testing.assert_close(a, b)
    kinds = [place.cell for place in net.places]
    assert kinds == ["normal", "reduce", "normal", "reduce", "normal"]
    without, some = outputs(None), outputs(dropped)
    torch.testing.assert_close(some[0], without[0])
    assert some[1][1].abs().max() == 0
    torch.testing.assert_close(some[1][[0, 2]], without[1][[0, 2]])


def test_an_auxiliary_head_wants_maps_of_its_size() -> None:
    with pytest.raises(BadSpec, match="takes maps of 8 to 10 pixels a side and gets 2"):
        alone(SPACE, SPACE.parse(V2), Shape(4, 1, 10, 1, 8), 0, auxiliary=True)
