"""Pickles of the official files, opened with nothing executable in reach.

The released files hold plain containers, numbers and NumPy scalars. The unpickler here builds those and refuses
everything else before it is looked up, so that a hostile file is a one-line error and no code of it runs. It replaces
`pickle.load` inside the packages' readers, which would run whatever a file names.
"""

from __future__ import annotations

import bz2
import pickle
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from bench.errors import BadTable

_FAULTS = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    MemoryError,
)


def _number(kind: np.dtype[Any], content: bytes) -> float | int | bool:
    """A NumPy scalar as a plain number."""
    if kind.kind not in "fiub" or len(content) != kind.itemsize:
        raise pickle.UnpicklingError(f"a scalar of type {kind} in {len(content)} bytes")
    return np.frombuffer(content, kind)[0].item()  # type: ignore[no-any-return]


def _bytes(text: str, encoding: str) -> bytes:
    """Bytes, which the older pickle protocols write as a text."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"bytes in encoding {encoding!r}")
    return text.encode("latin1")


_BUILDERS: Mapping[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("_codecs", "encode"): _bytes,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "scalar"): _number,
    ("numpy._core.multiarray", "scalar"): _number,
}


class PlainUnpickler(pickle.Unpickler):
    """Builds numbers, texts and containers of them. Raises BadTable where a file asks for anything else."""

    def find_class(self, module: str, name: str) -> Any:
        """The builder of that name, if it is one of the harmless few."""
        if (module, name) not in _BUILDERS:
            raise BadTable(f"asks for {module}.{name}, which no released file needs; nothing of it was run, replace it")
        return _BUILDERS[module, name]


def load(stream: IO[bytes], **_options: Any) -> Any:
    """What `pickle.load` gives for harmless content. Raises BadTable for the rest, broken streams included."""
    try:
        return PlainUnpickler(stream).load()
    except _FAULTS as error:
        raise BadTable(f"is no whole pickle ({_first_line(error)}); fetch it again") from None


def decompressed(content: bytes, limit: int) -> bytes:
    """A bz2 stream of at most `limit` bytes when decompressed. Raises BadTable."""
    unpacker = bz2.BZ2Decompressor()
    try:
        found = unpacker.decompress(content, limit)
    except (OSError, ValueError) as error:
        raise BadTable(f"is no bz2 file, or a damaged one ({_first_line(error)}); fetch it again") from None
    if not unpacker.eof:
        much = len(found) >= limit
        raise BadTable(f"unpacks to more than {limit:,} bytes; replace it" if much else "is cut off; fetch it again")
    return found


def load_pth(path: Path) -> Any:
    """The content of a file by `torch.save`, zipped or not, through `torch.load`. Raises BadTable."""
    import torch

    _check_records(path)
    try:
        # torch derives its own unpickler from the one it is given, so nothing executable is in reach here either
        return torch.load(path, map_location="cpu", weights_only=False, pickle_module=_PickleModule)
    except (*_FAULTS, RuntimeError, OSError) as error:
        raise BadTable(f"is no whole file of torch.save ({_first_line(error)}); fetch it again") from None


def _check_records(path: Path) -> None:
    """Raises BadTable where a zipped file would be taken for TorchScript, which `torch.load` opens in another way, or
    where a record's checksum is wrong, which it does not look at."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            if any(name.endswith("constants.pkl") for name in archive.namelist()):
                raise BadTable("is a TorchScript program, not a file of results; nothing of it was run, replace it")
            wrong = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, OSError, ValueError, EOFError, RuntimeError) as error:
        raise BadTable(f"is no whole file of torch.save ({_first_line(error)}); fetch it again") from None
    if wrong is not None:
        raise BadTable(f"is damaged (the checksum of {wrong} differs); fetch it again")


class _PickleModule:
    """As much of the module `pickle` as `torch.load` uses."""

    __name__ = "bench.truth.official.unpickling"
    Unpickler = PlainUnpickler
    load = staticmethod(load)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
