"""Folders of class folders: which pictures they hold, and their decoding by Pillow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from bench.errors import BadData, counted

ENDINGS = frozenset({".jpeg", ".jpg", ".png", ".webp", ".bmp"})

Picture = tuple[Path, int]
"""A file and its class."""


def names_in(part: Path, expected: str) -> list[str]:
    """The names of the class folders of a part, in order; hidden folders are none. expected: what stands there where
    all is well, for the message. Raises BadData where there are fewer than two."""
    if not part.is_dir():
        raise BadData(f"there is no folder {part}; {expected}")
    found = sorted(path.name for path in part.iterdir() if path.is_dir() and not is_hidden(path))
    if len(found) < 2:
        raise BadData(f"{part} has {counted(len(found), 'class folder')}; put the pictures of each class in its own")
    return found


def pictures_in(part: Path, names: Sequence[str]) -> list[Picture]:
    """The pictures of these class folders, by class and then by file name. Raises BadData for a class without any."""
    found: list[Picture] = []
    for label, name in enumerate(names):
        files = sorted(path for path in (part / name).iterdir() if is_picture(path))
        if not files:
            raise BadData(
                f"class folder {part / name} has no picture ({', '.join(sorted(ENDINGS))}); fill or remove it"
            )
        found += [(path, label) for path in files]
    return found


def require_same(root: Path, one: Sequence[str], other: Sequence[str], parts: str) -> None:
    """Raises BadData, with the first that is in one part alone, unless both parts hold the same classes."""
    if strange := sorted({*one} ^ {*other}):
        raise BadData(f"{root}: class {strange[0]!r} is in one of {parts} alone; both hold the same classes")


def is_hidden(path: Path) -> bool:
    """Whether a system or an editor put it there: `.DS_Store`, `._a.png`, `.ipynb_checkpoints`."""
    return path.name.startswith(".")


def is_picture(path: Path) -> bool:
    """Whether a file says of itself, by its ending, that it is one."""
    return path.suffix.lower() in ENDINGS and not is_hidden(path)


def opened(path: Path) -> Image.Image:
    """A picture, decoded, as its file has it. Raises BadData where it cannot be decoded."""
    try:
        with Image.open(path) as picture:
            picture.load()
            return picture
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, ValueError) as error:
        raise undecodable(path, error) from None


def decoded(path: Path) -> Image.Image:
    """A picture in three colours. Raises BadData where it cannot be decoded."""
    try:
        return opened(path).convert("RGB")
    except ValueError as error:  # a mode that has no colours
        raise undecodable(path, error) from None


def squared(picture: Image.Image, side: int) -> Image.Image:
    """The middle square of a picture, brought to so many pixels a side where it has others. It is cut out first: a
    filter along its border would see what lies outside."""
    if picture.size == (side, side):
        return picture
    wide, high = picture.size
    least = min(wide, high)
    left, top = (wide - least) // 2, (high - least) // 2
    return picture.crop((left, top, left + least, top + least)).resize((side, side), Image.Resampling.BILINEAR)


def undecodable(path: Path, error: Exception) -> BadData:
    """The line for a picture that is none."""
    said = " ".join(str(error).split())
    return BadData(f"cannot decode the picture {path}: {said}; replace it or take it out of its folder")
