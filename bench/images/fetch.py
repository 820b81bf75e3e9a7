"""Files from the net: several sources each, resumed where a transfer broke, checked before they take their name.

Proxies are taken from the environment as everywhere (`https_proxy`, `no_proxy`). With SUPERNET_BENCH_OFFLINE=1 nothing
is opened. Whatever fails ends in one line that says where to put the file by hand. Nothing else in the program needs
this module.
"""

from __future__ import annotations

import fcntl
import http.client
import os
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from bench.errors import BadData
from bench.images.sources import Collection, Remote
from bench.store.files import is_at, opened, write_through

OFFLINE = "SUPERNET_BENCH_OFFLINE"
AGENT = "supernet-bench"
TIMEOUT = 30.0  # seconds without a byte
TRIES = 3  # connections to one source that bring nothing new

_BLOCK = 1 << 18
_ROOM = 1 << 26  # bytes that stay free on the disk

Tick = Callable[[int, int | None], None]


class _Unusable(Exception):
    """This source does not have the file; the message says why."""


class _Broken(Exception):
    """The connection ended early; what arrived is kept."""


def fetch_all(
    wanted: Collection,
    folder: Path,
    say: Callable[[str], None] = print,
    tick: Tick = lambda have, total: None,
) -> list[Path]:
    """All files of a collection; those that are there and right are left alone. Raises BadData."""
    return [fetch(file, folder / file.folder, say, tick) for file in wanted.files]


def fetch(
    wanted: Remote,
    folder: Path,
    say: Callable[[str], None] = print,
    tick: Tick = lambda have, total: None,
) -> Path:
    """The file in `folder`, fetched unless it is there. tick: told the bytes that are there, and of how many.

    Raises BadData where no source gives the file, and where one of that name with other content stands there: it is
    neither used nor replaced.
    """
    path = folder / wanted.name
    if path.is_dir():
        raise BadData(f"{path} is a folder where a file belongs; move it away")
    if path.exists():
        wanted.check(path)
        say(f"{path} is there")
        return path
    if os.environ.get(OFFLINE, "") not in ("", "0"):
        raise BadData(f"{OFFLINE} is set, so {wanted.name} is not fetched; {by_hand(wanted, folder)}")
    faults = []
    with _part_file(folder, wanted) as part:
        for url in wanted.url:
            say(f"{wanted.name} from {_host(url)}")
            try:
                _transfer(url, part, wanted, tick)
                _accept(part, path, wanted)
                return path
            except (_Unusable, _Broken) as error:
                faults.append(f"{_host(url)}: {error}")
        if not _size(part):
            Path(part.name).unlink()
    raise BadData(f"{wanted.name} could not be fetched ({'; '.join(faults)}); {by_hand(wanted, folder)}")


def by_hand(wanted: Remote, folder: Path) -> str:
    """What to do where nothing can be fetched."""
    return f"put the file from {wanted.page} here: {(folder / wanted.name).absolute()}"


def _part_file(folder: Path, wanted: Remote) -> IO[bytes]:
    """What has arrived so far, open at its end and locked."""
    part = folder / f"{wanted.name}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stream = opened(part)
    except OSError as error:
        raise BadData(f"cannot write {part}: {error.strerror}; choose another folder with --data") from None
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        stream.close()
        raise BadData(f"{part} is in use: another process fetches {wanted.name}; wait for it") from None
    if not is_at(stream, part):  # the other has just given the file its name
        stream.close()
        raise BadData(f"{wanted.name} was fetched by another process at this moment; run the same command again")
    return stream


def _transfer(url: str, part: IO[bytes], wanted: Remote, tick: Tick) -> None:
    """Fill the part file from one source, in as many connections as it takes while each brings something."""
    if not wanted.identified:
        part.truncate(0)  # without a hash, parts of two sources could not be told from one whole
    idle = 0
    while True:
        before = _size(part)
        try:
            _connection(url, part, wanted, tick)
            return
        except _Broken:
            idle = 0 if _size(part) > before else idle + 1
            if idle == TRIES:
                raise


def _connection(url: str, part: IO[bytes], wanted: Remote, tick: Tick) -> None:
    """One request for what is still missing."""
    have = _size(part)
    if wanted.size is not None and have == wanted.size:
        return
    headers = {"User-Agent": AGENT, "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        opener = urllib.request.build_opener()  # of its own: the proxies of this moment, and nothing left behind
        with opener.open(urllib.request.Request(url, headers=headers), timeout=TIMEOUT) as answer:
            _receive(answer, part, have, wanted, tick)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and have:  # nothing is left to send: what is there is all, or not this file
            if wanted.size is None:
                return
            part.truncate(0)
            raise _Broken("it has fewer bytes than are here") from None
        raise _Unusable(f"answers {error.code}") from None
    except (OSError, http.client.HTTPException) as error:
        raise _Broken(str(getattr(error, "reason", None) or error) or type(error).__name__) from None


def _receive(answer: Any, part: IO[bytes], have: int, wanted: Remote, tick: Tick) -> None:
    """Append the answer's body. Raises _Unusable where it is a page or of another size, _Broken where it ends early."""
    start = _start(answer, have)
    if start is None:
        raise _Unusable("sends another part of the file than was asked for")
    if start < have:
        part.truncate(start)
        have = start
    length = answer.headers.get("Content-Length")
    total = have + int(length) if length and length.isdecimal() else None
    block = _block(answer)
    if _is_page(answer, b"" if have else block):
        raise _Unusable("sends a web page instead of the file")
    if total is not None and wanted.size is not None and total != wanted.size:
        raise _Unusable(f"has a file of {total:,} bytes, not {wanted.size:,}")
    _require_room(Path(part.name), total or wanted.size, have)
    while block:
        _write(part, block)
        have += len(block)
        tick(have, total or wanted.size)
        block = _block(answer)
    if total is not None and have < total:
        raise _Broken(f"ended after {have:,} of {total:,} bytes")


def _start(answer: Any, have: int) -> int | None:
    """The place of the first byte of the answer: 0 where the source cannot resume."""
    if answer.status != 206:
        return 0
    match = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return have if match and int(match[1]) == have else None


def _is_page(answer: Any, start: bytes) -> bool:
    """Whether this is a web page, by its type or by its first bytes."""
    kind = answer.headers.get_content_type()
    return kind in ("text/html", "application/xhtml+xml") or start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<"


def _block(answer: Any) -> bytes:
    try:
        return bytes(answer.read1(_BLOCK))
    except (OSError, http.client.HTTPException) as error:
        raise _Broken(str(error) or type(error).__name__) from None


def _write(part: IO[bytes], block: bytes) -> None:
    try:
        write_through(part, block)
    except OSError as error:
        raise BadData(f"cannot write {part.name}: {error.strerror}; what arrived is kept, go on later") from None


def _require_room(part: Path, total: int | None, have: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if total is not None and total - have + _ROOM > free:
        raise BadData(f"{part.parent} has {free / 1e9:.1f} GB free, {(total - have) / 1e9:.1f} GB are still to come")


def _accept(part: IO[bytes], path: Path, wanted: Remote) -> None:
    """Give the file its name once it is right; a wrong one is dropped. Raises _Unusable."""
    os.fsync(part.fileno())
    try:
        wanted.check(Path(part.name))
        if not wanted.identified and _size(part) == 0:
            raise BadData("is empty")
    except BadData as error:
        part.truncate(0)
        raise _Unusable(str(error).removeprefix(f"{part.name} ").split("; ")[0]) from None
    os.replace(part.name, path)


def _size(part: IO[bytes]) -> int:
    return os.fstat(part.fileno()).st_size


def _host(url: str) -> str:
    return urllib.request.Request(url).host
