"""Batches against a loop over single images in NumPy, which pads, crops, mirrors and normalises each by hand."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.errors import BadSpec
from bench.images import Augment, Images
from bench.images.batches import Batch, Batches

CPU = torch.device("cpu")
MEAN, STD = (0.49, 0.48, 0.45), (0.25, 0.24, 0.26)


def some_images(count: int, channels: int = 3, size: int = 8, seed: int = 0) -> Images:
    """Random images, all different; the label of an image is its place."""
    pixels = np.random.default_rng(seed).integers(0, 256, (count, channels, size, size), dtype=np.uint8)
    return Images(pixels, np.arange(count))


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def make(images: Images, batch: int, seed: int | None = 0, augment: Augment | None = None) -> Batches:
    channels = images.pixels.shape[1]
    generator = None if seed is None else seeded(seed)
    return Batches(images, MEAN[:channels], STD[:channels], batch, CPU, generator, augment)


def normalised(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """`[C, H, W]` by the textbook formula in double precision."""
    channels = len(pixels)
    mean, std = (np.array(values[:channels])[:, None, None] for values in (MEAN, STD))
    return np.asarray((pixels / 255 - mean) / std)


def window(image: NDArray[np.uint8], pad: int, top: int, left: int, mirrored: bool) -> NDArray[np.uint8]:
    """The crop of one padded image, `[C, H, W]`, pixel by pixel."""
    channels, size, _ = image.shape
    out = np.zeros_like(image)
    for c, y, x in itertools.product(range(channels), range(size), range(size)):
        row, column = top + y - pad, left + (size - 1 - x if mirrored else x) - pad
        if 0 <= row < size and 0 <= column < size:
            out[c, y, x] = image[c, row, column]
    return out


def equal(a: Batch, b: Batch) -> bool:
    return torch.equal(a.images, b.images) and torch.equal(a.labels, b.labels)


@pytest.mark.parametrize(
    ("pad", "flip", "channels"), [(4, True, 3), (2, True, 1), (3, False, 3), (0, True, 3), (0, False, 1)]
)
def test_a_pass_is_what_a_loop_over_images_makes_of_the_same_draws(pad: int, flip: bool, channels: int) -> None:
    images = some_images(30, channels)
    draws = seeded(7)  # in the documented order: the permutation, crops, flips
    order = torch.randperm(30, generator=draws).tolist()
    corners = torch.randint(2 * pad + 1, (30, 2), generator=draws).tolist() if pad else [(0, 0)] * 30
    mirrored = torch.randint(2, (30, 1), generator=draws).flatten().tolist() if flip else [0] * 30
    found = list(make(images, 8, seed=7, augment=Augment(pad, flip)).epoch())
    assert [len(batch.labels) for batch in found] == [8, 8, 8]
    for place in range(24):
        batch, at = found[place // 8], place % 8
        assert batch.labels[at] == order[place]
        top, left = corners[place]
        expected = window(images.pixels[order[place]], pad, top, left, bool(mirrored[place]))
        assert np.allclose(batch.images[at].numpy(), normalised(expected), atol=1e-5)


@settings(deadline=None, max_examples=30)
@given(
    size=st.integers(1, 6),
    channels=st.sampled_from([1, 3]),
    pad=st.integers(0, 3),
    flip=st.booleans(),
    seed=st.integers(0, 2**31),
)
def test_every_augmented_image_is_a_window_of_its_own(
    size: int, channels: int, pad: int, flip: bool, seed: int
) -> None:
    images = some_images(6, channels, size, seed)
    for batch in make(images, 3, seed, Augment(pad, flip)).epoch():
        for image, label in zip(batch.images.numpy(), batch.labels.tolist(), strict=True):
            corners = itertools.product(range(2 * pad + 1), range(2 * pad + 1), [False, True][: 1 + flip])
            windows = (window(images.pixels[label], pad, top, left, mirrored) for top, left, mirrored in corners)
            assert any(np.allclose(image, normalised(pixels), atol=1e-5) for pixels in windows)


def test_all_windows_and_both_sides_are_equally_likely() -> None:
    """One image, 6,000 draws over 3 x 3 corners x 2 sides: chi-squared with 17 degrees of freedom."""
    image = some_images(1, channels=1, size=4)
    many = Images(np.repeat(image.pixels, 6_000, axis=0), np.zeros(6_000, np.int64))
    (batch,) = make(many, 6_000, augment=Augment(pad=1, flip=True)).epoch()
    counts = Counter(np.round(x, 3).tobytes() for x in batch.images.contiguous().numpy())
    assert len(counts) == 18
    chi_squared = sum((n - 6_000 / 18) ** 2 / (6_000 / 18) for n in counts.values())
    assert 5 < chi_squared < 41  # 99.9 % below, 99.7 % above


def test_equal_seeds_give_equal_batches_and_others_do_not() -> None:
    images, augment = some_images(20), Augment(pad=2, flip=True)
    first, again, other = (list(itertools.islice(make(images, 4, seed, augment).endless(), 12)) for seed in (1, 1, 2))
    assert all(map(equal, first, again))
    assert not any(map(equal, first, other))


def test_a_pass_shows_no_image_twice_and_drops_what_is_left_over() -> None:
    batches = make(some_images(23), 5)
    assert len(batches) == 4
    passes = [torch.cat([batch.labels for batch in batches.epoch()]).tolist() for _ in range(40)]
    assert all(len(shown) == len(set(shown)) == 20 for shown in passes)
    assert len(set(map(tuple, passes))) == 40  # shuffled anew every time
    assert set().union(*passes) == set(range(23))  # it is not always the same ones that are dropped


def test_endless_is_one_pass_after_another() -> None:
    images, augment = some_images(11), Augment(pad=1, flip=True)
    passes = make(images, 3, augment=augment)
    expected = [batch for _ in range(3) for batch in passes.epoch()]
    found = list(itertools.islice(make(images, 3, augment=augment).endless(), 9))
    assert all(map(equal, expected, found))


@pytest.mark.parametrize("batch", [None, 4, 5, 10, 100])
@pytest.mark.parametrize("count", [None, 0, 7, 10, 99])
def test_in_order_shows_the_first_images_once_and_untouched(batch: int | None, count: int | None) -> None:
    images = some_images(10)
    batches = make(images, 3, augment=Augment(pad=2, flip=True))
    found = list(batches.in_order(batch, count))
    total = 10 if count is None else min(count, 10)
    step = 3 if batch is None else batch
    assert [len(b.labels) for b in found] == [step] * (total // step) + [total % step] * (total % step > 0)
    if found:
        assert torch.cat([b.labels for b in found]).tolist() == list(range(total))
        pixels = torch.cat([b.images for b in found]).numpy()
        assert np.allclose(pixels, [normalised(x) for x in images.pixels[:total]], atol=1e-5)


def test_in_order_draws_nothing() -> None:
    images, augment = some_images(10), Augment(pad=2, flip=True)
    plain, between = make(images, 5, augment=augment), make(images, 5, augment=augment)
    list(between.in_order())
    assert all(map(equal, plain.epoch(), between.epoch()))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("augment", [None, Augment(pad=1, flip=True)])
def test_batches_lie_channels_last(channels: int, augment: Augment | None) -> None:
    batches = make(some_images(8, channels), 4, augment=augment)
    for batch in [*batches.epoch(), *batches.in_order()]:
        assert batch.images.shape == (4, channels, 8, 8)
        assert batch.images.is_contiguous(memory_format=torch.channels_last)
        assert batch.images.dtype == torch.float32
        assert batch.labels.dtype == torch.int64


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.bfloat16, 2**-8), (torch.float16, 2**-11)]
)
def test_other_precisions_round_once(dtype: torch.dtype, tolerance: float) -> None:
    """Normalised in single precision or better and rounded at the end: half an ulp of the result and no more."""
    images = some_images(5)
    (batch,) = Batches(images, MEAN, STD, 5, CPU, dtype=dtype).in_order()
    assert batch.images.dtype == dtype
    expected = np.array([normalised(x) for x in images.pixels])
    assert np.allclose(batch.images.double().numpy(), expected, rtol=tolerance, atol=1e-6 * (dtype != torch.float64))


def test_images_on_the_device_are_shared_between_streams() -> None:
    images, augment = some_images(12), Augment(pad=1, flip=True)
    one = make(images, 4, seed=1, augment=augment)
    two = one.drawn_from(seeded(2))
    assert all(map(equal, two.epoch(), make(images, 4, seed=2, augment=augment).epoch()))
    assert all(map(equal, one.epoch(), make(images, 4, seed=1, augment=augment).epoch()))
    assert two._padded is one._padded


def test_the_source_is_left_alone() -> None:
    images = some_images(6, channels=1)
    before = images.pixels.copy()
    batches = make(images, 3)
    for batch in [*batches.epoch(), *batches.in_order()]:
        batch.images.zero_()
    assert np.array_equal(images.pixels, before)
    assert all(batch.images.any() for batch in batches.in_order())


def test_batches_that_cannot_be() -> None:
    with pytest.raises(BadSpec, match="fewer images than a batch: 5 < 6"):
        make(some_images(5), 6)
    with pytest.raises(BadSpec, match="a batch of 0"):
        make(some_images(5), 0)
    few = make(some_images(5), 6, seed=None)  # in order, a batch may be larger than the set
    assert [len(batch.labels) for batch in few.in_order()] == [5]
    with pytest.raises(ValueError, match="without a generator"):
        next(few.epoch())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_makes_the_same_batches_without_waiting() -> None:
    images, augment = some_images(64, size=16), Augment(pad=2, flip=True)
    gpu = torch.device("cuda")
    found = Batches(images, MEAN, STD, 8, gpu, seeded(3), augment).epoch()
    batches = [next(found)]
    torch.cuda.set_sync_debug_mode("error")
    try:
        batches += list(found)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    for there, here in zip(batches, make(images, 8, seed=3, augment=augment).epoch(), strict=True):
        assert torch.equal(there.labels.cpu(), here.labels)
        assert torch.allclose(there.images.cpu(), here.images, atol=1e-6)
