"""Where the files of image sets are looked for, and how they are read without being trusted."""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import BadData
from bench.folders import ENVIRONMENT


def absent(title: str, wanted: str, root: Path) -> str:
    """The line for files that are not there. wanted: their names."""
    return f"{title} needs {wanted} in {root.absolute()}; put it there or set {ENVIRONMENT} to the folder that has it"


def read(path: Path) -> bytes:
    """The content of a file. Raises BadData where it cannot be read or is a web page instead of data."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadData(f"cannot read {path}: {error.strerror or error}; check the file and its permissions") from error
    if (
        content[:200]
        .removeprefix(b"\xef\xbb\xbf")
        .lstrip()
        .lower()
        .startswith((b"<!doctype", b"<html", b"<head", b"<?xml"))
    ):
        raise BadData(f"{path} is a web page, not the data: the download was refused or redirected; fetch it again")
    return content


def read_checked(path: Path, md5: str) -> bytes:
    """The content of a file of known MD5 (hex). Raises BadData where it has another."""
    content = read(path)
    check(str(path), content, md5)
    return content


def check(name: str, content: bytes, md5: str) -> None:
    """Raises BadData unless the content has this MD5 (hex)."""
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != md5:
        raise BadData(
            f"{name} has MD5 {found} in {len(content):,} bytes, expected {md5}: "
            "damaged, incomplete or another version; fetch it again"
        )


def arrays(name: str, content: bytes, keys: Sequence[str]) -> list[NDArray[Any]]:
    """These arrays of an npz file, without unpickling. Raises BadData where the file is damaged or lacks one."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            return [stored[key] for key in keys]
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        ValueError,
        LookupError,
        TypeError,
        RuntimeError,
    ) as error:
        raise BadData(f"{name} is no complete npz file with {', '.join(keys)} ({error}); fetch it again") from error
