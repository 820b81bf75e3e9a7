"""What a person's folder or file holds, before it is parted for a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.images import Images

Part = Literal["whole", "train", "valid", "test"]


@dataclass(frozen=True)
class Given:
    """Images by part, as they lie there: `whole`, or `train` with at least one of the others. classes: their names in
    the order of labels, for messages."""

    parts: Mapping[Part, Images]
    classes: Sequence[str]
