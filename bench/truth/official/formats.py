"""Which official file this is, told by what it is and not by its name alone."""

from __future__ import annotations

import re
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.errors import BadTable
from bench.truth.official.accel import files_of, is_accel
from bench.truth.official.children import Job
from bench.truth.text import start_of

Kind = Literal["nats-folder", "nats-archive", "nats", "pth", "naslib", "csv", "macro", "accel"]

TITLES: dict[Kind, str] = {
    "nats-folder": "NATS-Bench topology space, folder of architectures",
    "nats-archive": "NATS-Bench topology space, archive of architectures",
    "nats": "NATS-Bench topology space, one file",
    "pth": "NAS-Bench-201, one file",
    "naslib": "NASLib's extract of NAS-Bench-201",
    "csv": "an extract of NAS-Bench-201 in text form",
    "macro": "NAS-Bench-Macro in JSON form",
    "accel": "Accel-NASBench, an archive or a folder of JSON files",
}

MEMORY: dict[Kind, float] = {"nats": 20.0, "pth": 5.5, "naslib": 5.0}
"""Bytes of memory per byte of file for what cannot be read in parts; measured on made-up files of full curves, and
rounded up."""

_MEMBER = re.compile(r"(?:.*/)?(\d{1,6})\.pickle\.pbz2")


@dataclass(frozen=True)
class Source:
    """What is to be imported. members: official index, offset and size (bytes) of every architecture that is read by
    itself; empty for what is read as a whole."""

    path: Path
    kind: Kind
    members: tuple[tuple[int, Path, int, int], ...] = ()

    def jobs(self) -> list[Job]:
        """What child processes are to read: by absolute paths, as they have a folder of their own."""
        if self.kind in ("nats-folder", "nats-archive"):
            return [
                {"kind": "nats-architecture", "path": str(path.absolute()), "index": index, "offset": at, "size": size}
                for index, path, at, size in self.members
            ]
        return [{"kind": self.kind, "path": str(self.path.absolute()), "size": self.path.stat().st_size}]


def recognise(path: Path) -> Source:
    """The source at a path. Raises BadTable where it is none that is known."""
    if path.is_dir():
        return _folder(path)
    try:
        with path.open("rb") as stream:
            start = stream.read(600)
    except FileNotFoundError:
        raise BadTable(f"{path}: there is no such file") from None
    except OSError as error:
        raise BadTable(f"{path}: cannot be read: {error.strerror}") from None
    if not start:
        raise BadTable(f"{path} is empty (0 bytes); fetch it again")
    if start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<":
        raise BadTable(f"{path} is a web page, not a table; open it in a browser to see why the download failed")
    if start[257:262] == b"ustar":
        return Source(path, "accel") if is_accel(path) else _archive(path)
    return Source(path, _kind_of_file(path, start))


def _kind_of_file(path: Path, start: bytes) -> Kind:
    if start.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ")):
        inside = _inside(path)
        if inside[257:262] == b"ustar":
            if is_accel(path):
                return "accel"
            raise BadTable(f"{path} is a packed tar archive; unpack it and give the folder or file that it holds")
        if not start.startswith(b"BZh") or (b"," in inside.split(b"\n")[0] and not inside.startswith(b"\x80")):
            return "csv"
    if start.startswith(b"PK\x03\x04") and not _is_torch(path):
        raise BadTable(f"{path} is a zip archive; unpack it and give the file that it holds")
    if start.startswith(b"BZh"):
        if _MEMBER.fullmatch(path.name) or path.name.startswith("meta."):
            raise BadTable(f"{path} is one architecture of a folder; give the folder")
        return "nats"
    if start.startswith(b"PK\x03\x04") or path.suffix == ".pth":
        return "pth"
    if start.startswith(b"\x80") and path.suffix in (".pickle", ".pkl", ".p"):
        return "naslib"
    if start.lstrip().startswith(b"{") or path.suffix == ".json":
        return "macro"
    if start.startswith(b"\x1f\x8b") or b"," in start.split(b"\n")[0]:
        return "csv"
    raise BadTable(f"{path} is no file that can be imported (it starts with {start[:8]!r}); known: " + _known())


def _inside(path: Path) -> bytes:
    """The first bytes of what is packed; none of a damaged file, of which whoever reads it says so."""
    try:
        return start_of(path)
    except BadTable:
        return b""


def _is_torch(path: Path) -> bool:
    """Whether a zip archive is one that torch wrote."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("data.pkl") for name in archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return True  # damaged: whoever reads it says so


def _known() -> str:
    return "; ".join(TITLES.values())


def _folder(path: Path) -> Source:
    found = []
    try:
        if files_of(path):
            return Source(path, "accel")
        for entry in sorted(path.iterdir()):
            match = _MEMBER.fullmatch(entry.name)
            if match and entry.is_file():
                found.append((int(match[1]), entry, 0, entry.stat().st_size))
    except OSError as error:
        raise BadTable(f"{path}: cannot be read: {error.strerror}") from None
    if not found:
        raise BadTable(f"{path}: holds no file like 000000.pickle.pbz2; is it the unpacked NATS-tss folder?")
    return Source(path, "nats-folder", tuple(found))


def _require_end(path: Path, offset: int) -> None:
    """Raises TarError unless the archive ends where its last member was found: what comes after a damaged header, or
    was cut off between two members, is passed over by the library."""
    with path.open("rb") as stream:
        stream.seek(offset)
        if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError(f"no header and no end at byte {offset:,}")


def _archive(path: Path) -> Source:
    found = []
    try:
        with tarfile.open(path, "r:") as archive:
            for entry in archive:
                match = _MEMBER.fullmatch(entry.name)
                if match and entry.isfile():
                    found.append((int(match[1]), path, entry.offset_data, entry.size))
            _require_end(path, archive.offset)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise BadTable(f"{path} is a damaged or incomplete archive ({error}); fetch it again") from None
    if not found:
        raise BadTable(f"{path}: holds no file like 000000.pickle.pbz2; is it NATS-tss-v1_0-3ffb9-simple.tar?")
    return Source(path, "nats-archive", tuple(found))
