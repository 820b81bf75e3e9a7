"""Official batches as pickles: opened only after their MD5 matched, and with nothing executable in reach.

CIFAR and the downsampled ImageNet are published as pickled dictionaries of arrays and lists, as files in a folder or
as an archive of that folder.
"""

from __future__ import annotations

import io
import pickle
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import BadData
from bench.images import Images
from bench.images.files import absent, check, read_checked

_RECONSTRUCT = np.empty(0).__reduce__()[0]  # the function's module has moved between versions of NumPy
_ALLOWED: Mapping[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
}


class _ArraysOnly(pickle.Unpickler):
    """Builds plain containers and NumPy arrays; any other class or function is refused before it is looked up."""

    def __init__(self, name: str, content: bytes) -> None:
        super().__init__(io.BytesIO(content), encoding="latin1")  # written by Python 2
        self.name = name

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise BadData(f"{self.name} asks for {module}.{name}, which no image file needs; it is refused, replace it")
        return _ALLOWED[module, name]


def unpickle(name: str, content: bytes) -> dict[str, Any]:
    """The dictionary in a batch; keys and texts are decoded as Latin-1.

    Raises BadData where the pickle is broken or asks for anything but arrays and plain containers.
    """
    try:
        found = _ArraysOnly(name, content).load()
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise BadData(f"{name} is no pickle of arrays ({error}); fetch it again") from error
    if not isinstance(found, dict):
        raise BadData(f"{name} holds a {type(found).__name__}, not a dictionary of arrays; fetch it again")
    return found


def images_of(batch: Mapping[str, Any], size: int, labels: str = "labels", first: int = 0) -> Images:
    """The images of a batch. Rows of `data` hold the red, the green and the blue plane of size x size pixels.

    labels: the key of the classes to use; first: the number of the first class there.
    """
    return Images(batch["data"].reshape(-1, 3, size, size), np.array(batch[labels], dtype=np.int64) - first)


@dataclass(frozen=True)
class Published:
    """Published batches: files in a folder, and the archive of that folder where there is one."""

    title: str
    folder: str
    members: Mapping[str, str]  # file name: MD5 (hex)
    archive: tuple[str, str] | None = None  # file name, MD5 (hex)

    def missing(self, root: Path) -> str | None:
        """One line on what is not in `root` and what to do, or None."""
        lacking = self._lacking(root)
        if not lacking or (self.archive and (root / self.archive[0]).is_file()):
            return None
        names = ", ".join(lacking) if len(lacking) < 4 else f"{lacking[0]} to {lacking[-1]}"
        unpacked = f"{names} in its folder {self.folder}"
        return absent(self.title, f"{self.archive[0]}, or {unpacked}," if self.archive else unpacked + ",", root)

    def read(self, root: Path) -> Iterator[tuple[str, dict[str, Any]]]:
        """Name and content of each member, in order, one in memory at a time where they are files in a folder.

        Raises BadData where one is missing, damaged or not what its name says.
        """
        if self.archive and self._lacking(root):
            contents = self._unpack(root / self.archive[0], self.archive[1])
            for name, md5 in self.members.items():
                check(f"{name} in {self.archive[0]}", contents[name], md5)
                yield name, unpickle(name, contents[name])
        else:
            for name, md5 in self.members.items():
                path = root / self.folder / name
                yield name, unpickle(str(path), read_checked(path, md5))

    def _lacking(self, root: Path) -> list[str]:
        return [name for name in self.members if not (root / self.folder / name).is_file()]

    def _unpack(self, path: Path, md5: str) -> dict[str, bytes]:
        """The members by name, from memory to memory: nothing is written."""
        wanted = {f"{self.folder}/{name}": name for name in self.members}
        found: dict[str, bytes] = {}
        try:
            with tarfile.open(fileobj=io.BytesIO(read_checked(path, md5)), mode="r:*") as archive:
                for entry in archive:
                    stream = archive.extractfile(entry) if entry.name in wanted else None
                    if stream is not None:
                        found[wanted[entry.name]] = stream.read()
        except (tarfile.TarError, EOFError, OSError) as error:
            raise BadData(f"{path} cannot be unpacked ({error}); fetch it again") from error
        lacking = [name for name in self.members if name not in found]
        if lacking:
            raise BadData(f"{path} lacks {self.folder}/{lacking[0]}; fetch it again")
        return found
