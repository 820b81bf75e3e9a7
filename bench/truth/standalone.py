"""Training one architecture alone, several seeds at once: the ground truth of a weight-sharing benchmark."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from bench.spaces.space import Genotype, Space
from bench.truth import stacked
from bench.truth.plain import OneByOne
from bench.truth.recipe import Labelled, Networks, Outcome, Recipe, evaluate
from bench.truth.stacked import SeedStack


def form_of(space: Space) -> Callable[..., Networks]:
    """The fast form, where there is one for the network and the operations of a space, else the plain one."""
    return SeedStack if stacked.serves(space) else OneByOne


def train(
    space: Space,
    genotype: Genotype,
    seeds: Sequence[int],
    recipe: Recipe,
    train_set: Labelled,
    test_sets: Mapping[str, Labelled],
    classes: int,
) -> Outcome:
    """Train one architecture from each seed and evaluate it on the test sets.

    The result of a seed does not depend on which seeds it is trained with (up to rounding). Raises BadSpace where the
    space's network is not there.
    """
    start = time.process_time()
    images = train_set.images
    nets = form_of(space)(space, genotype, seeds, recipe.shape(images, classes), images.dtype)
    nets.descend(recipe, train_set)
    accuracy, entropy = {}, {}
    for name, labelled in test_sets.items():
        accuracy[name], entropy[name] = evaluate(nets, labelled)
    diverged = ~np.isfinite(list(entropy.values())).all(0)
    for values in (*accuracy.values(), *entropy.values()):
        values[diverged] = np.nan
    return Outcome(accuracy, entropy, time.process_time() - start)
