"""Batches of one part of an image set, made on the device: shuffled, cropped, flipped and normalised there.

Pixels stay uint8 on the device. All random draws of a pass are made at its start, on the CPU, so they are equal on
every device and no batch waits for the host.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.errors import BadSpec
from bench.images import Augment, Images


@dataclass(frozen=True)
class Batch:
    """Normalised images `[B, C, H, W]`, channels last in memory, and their classes `[B]` int64."""

    images: Tensor
    labels: Tensor


class Batches:
    """One part of an image set on a device.

    mean, std: per channel, pixels on the scale 0..1. batch: images of a batch. generator: of the CPU, for shuffling and
    augmentation, advanced by every pass; None where images are only taken in order. augment: None for none. preferred:
    the order `[n]` in which images are taken where fewer than all are asked for in order; as they lie by default.
    Raises BadSpec where a shuffled pass would not hold one whole batch.
    """

    def __init__(
        self,
        images: Images,
        mean: Sequence[float],
        std: Sequence[float],
        batch: int,
        device: torch.device,
        generator: torch.Generator | None = None,
        augment: Augment | None = None,
        dtype: torch.dtype = torch.float32,
        preferred: Tensor | None = None,
    ) -> None:
        if batch < 1:
            raise BadSpec(f"a batch of {batch} images cannot be; choose 1 or more")
        if generator is not None and len(images) < batch:
            raise BadSpec(f"there are fewer images than a batch: {len(images)} < {batch}; choose a smaller batch")
        self.batch, self.device, self.dtype = batch, device, dtype
        self._generator = generator
        self._augment = Augment(pad=0, flip=False) if augment is None else augment
        self._pad = pad = self._augment.pad
        self._size = images.pixels.shape[3]
        pixels = torch.from_numpy(images.pixels).to(device).permute(0, 2, 3, 1)
        self._padded = F.pad(pixels, (0, 0, pad, pad, pad, pad)).contiguous()  # [n, H + 2 pad, W + 2 pad, C]
        self._labels = torch.from_numpy(images.labels).to(device)
        self._preferred = None if preferred is None else preferred.to(device)
        # Normalising is pixel * scale - shift, with one scale per value of an image: a full inner dimension is many
        # times faster on a CPU than a broadcast along three channels.
        whole = (self._size, self._size, len(mean))
        self._precision = torch.promote_types(dtype, torch.float32)
        std_, mean_ = (torch.tensor(values, dtype=torch.float64) for values in (std, mean))
        self._scale = (1 / (255 * std_)).expand(whole).to(device, self._precision).contiguous()
        self._shift = (mean_ / std_).expand(whole).to(device, self._precision).contiguous()
        self._line = torch.arange(self._size, device=device)

    def __len__(self) -> int:
        """Whole batches in a pass: what is left over is not shown, other images every time."""
        return len(self._labels) // self.batch

    def count(self, wanted: int | None = None) -> int:
        """So many images, or all where there are fewer or none is said."""
        return len(self._labels) if wanted is None else min(wanted, len(self._labels))

    def drawn_from(self, generator: torch.Generator) -> Batches:
        """The same images, not copied, shuffled and augmented from another generator."""
        twin = copy.copy(self)
        twin._generator = generator
        return twin

    def epoch(self) -> Iterator[Batch]:
        """One shuffled, augmented pass. Its draws are, in this order: the permutation, crops, flips."""
        generator, count = self._drawing(), len(self._labels)
        order = torch.randperm(count, generator=generator).to(self.device)
        corner = flipped = None
        if self._pad:
            corner = torch.randint(2 * self._pad + 1, (count, 2), generator=generator).to(self.device)
        if self._augment.flip:
            flipped = torch.randint(2, (count, 1), generator=generator).to(self.device)
        for start in range(0, len(self) * self.batch, self.batch):
            part = slice(start, start + self.batch)
            index = order[part]
            pixels = self._cut(
                index, None if corner is None else corner[part], None if flipped is None else flipped[part]
            )
            yield Batch(self._normalised(pixels), self._labels.index_select(0, index))

    def endless(self) -> Passes:
        """Passes for ever, each as `epoch` makes it."""
        return Passes(self)

    def drawn(self) -> Tensor:
        """The state of the generator."""
        return self._drawing().get_state()

    def draw_from(self, state: Tensor) -> None:
        """Go on as at an earlier `drawn`."""
        self._drawing().set_state(state)

    def in_order(self, batch: int | None = None, count: int | None = None) -> Iterator[Batch]:
        """`count` images (all by default, or where there are fewer) once, in order and as they are: the first of them,
        or of those that are preferred.

        batch: images of a batch, as in training by default; the last one may be smaller.
        """
        step, total = self.batch if batch is None else batch, self.count(count)
        inside = slice(self._pad, self._pad + self._size)
        drawn = None if self._preferred is None or total == len(self._labels) else self._preferred[:total].sort().values
        for start in range(0, total, step):
            part: slice | Tensor = slice(start, min(start + step, total))
            if drawn is not None:
                part = drawn[part]
            yield Batch(self._normalised(self._padded[part, inside, inside]), self._labels[part])

    def _drawing(self) -> torch.Generator:
        if self._generator is None:
            raise ValueError("these batches were made without a generator, so they come in order only")
        return self._generator

    def _cut(self, index: Tensor, corner: Tensor | None, flipped: Tensor | None) -> Tensor:
        """`[B, H, W, C]` uint8: a window of each padded image, mirrored where `flipped` is 1.

        index: `[B]`; corner: `[B, 2]` row and column of the window in the padded image; flipped: `[B, 1]` 0 or 1.
        """
        if corner is None and flipped is None:
            return self._padded.index_select(0, index)
        side = self._padded.shape[1]
        rows, columns = self._line[None], self._line[None]  # [1 or B, H], [1 or B, W]
        if flipped is not None:
            columns = columns + flipped * (self._size - 1 - 2 * columns)
        if corner is not None:
            rows, columns = rows + corner[:, :1], columns + corner[:, 1:]
        pixel = (index[:, None, None] * side + rows[:, :, None]) * side + columns[:, None, :]  # [B, H, W]
        return self._padded.flatten(0, 2).index_select(0, pixel.flatten()).view(*pixel.shape, -1)

    def _normalised(self, pixels: Tensor) -> Tensor:
        """`[B, H, W, C]` uint8 to `[B, C, H, W]`, channels last in memory."""
        values = pixels.to(self._precision).mul_(self._scale).sub_(self._shift)
        return values.to(self.dtype).permute(0, 3, 1, 2)


class Passes(Iterator[Batch]):
    """Passes over shuffled images for ever, whose place can be noted and gone to again."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches
        self._pass: Iterator[Batch] = iter(())
        self._begun = batches.drawn()  # the generator before the pass
        self._taken = 0

    def __next__(self) -> Batch:
        batch = next(self._pass, None)
        if batch is None:
            self._begun, self._pass, self._taken = self._batches.drawn(), self._batches.epoch(), 0
            batch = next(self._pass)
        self._taken += 1
        return batch

    def place(self) -> tuple[Tensor, Tensor, int]:
        """The generator now, the generator before this pass, and the batches that were taken of it."""
        return self._batches.drawn(), self._begun, self._taken

    def go_to(self, now: Tensor, begun: Tensor, taken: int) -> None:
        """Go on as after `place` said so."""
        self._begun, self._taken, self._pass = begun, taken, iter(())
        if taken:
            self._batches.draw_from(begun)
            self._pass = self._batches.epoch()
            for _ in range(taken):
                next(self._pass)
        self._batches.draw_from(now)
