"""Fetching, against a server on this machine that can be as bad as those out there."""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bench.cli.commands import main
from bench.cli.official_commands import Fetch
from bench.errors import BadData, UnknownName
from bench.images import cifar10, cifar100, imagenet16_120, sources
from bench.images import fetch as fetching
from bench.images.fetch import OFFLINE, fetch, fetch_all
from bench.images.sources import Collection, Remote

CONTENT = bytes(range(256)) * 2000  # half a megabyte
SHA = hashlib.sha256(CONTENT).hexdigest()
PAGE = b"<!DOCTYPE html><html><title>Google Drive - Quota exceeded</title></html>"


class Server(ThreadingHTTPServer):
    """Serves CONTENT: under /good with ranges, under other names badly. Keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str | None]] = []
        self.patience = threading.Event()

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        name = self.path.rsplit("/", 1)[-1]
        wanted = self.headers.get("Range")
        self.server.asked.append((self.path, wanted))
        first = int(match[1]) if wanted and (match := re.fullmatch(r"bytes=(\d+)-", wanted)) else 0
        if name == "absent":
            self.answer(404, b"gone")
        elif name in ("moved", "lost", "loop"):  # to the file, to a page, to itself
            self.send_response(302)
            self.send_header("Location", {"moved": "/good", "lost": "/page", "loop": "/loop"}[name])
            self.end_headers()
        elif name == "silent":
            self.server.patience.wait(10)
        elif name == "page":
            self.answer(200, PAGE, "text/html; charset=utf-8")
        elif name == "disguised":
            self.answer(200, PAGE, "application/octet-stream")
        elif name == "wrong":
            self.answer(200, CONTENT[::-1])
        elif name == "long":
            self.answer(200, CONTENT + b"x")
        elif name == "empty":
            self.answer(200, b"")
        elif name == "noranges":
            self.answer(200, CONTENT)
        elif first >= len(CONTENT):
            self.answer(416, b"")
        elif name == "shifted":
            self.answer(206, CONTENT, extra={"Content-Range": f"bytes 7-{len(CONTENT) - 1}/{len(CONTENT)}"})
        elif name == "broken":  # a little of what was promised, each time
            self.answer(206 if first else 200, CONTENT[first:], stop=100_000, extra=self.span(first))
        elif name == "stuck":  # nothing of what was promised
            self.answer(206 if first else 200, CONTENT[first:], stop=0, extra=self.span(first))
        else:
            self.answer(206 if first else 200, CONTENT[first:], extra=self.span(first))

    def span(self, first: int) -> dict[str, str]:
        return {"Content-Range": f"bytes {first}-{len(CONTENT) - 1}/{len(CONTENT)}"} if first else {}

    def answer(
        self,
        code: int,
        body: bytes,
        kind: str = "application/octet-stream",
        stop: int | None = None,
        extra: dict[str, str] | None = None,
    ) -> None:
        self.send_response(code)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(extra or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body if stop is None else body[:stop])

    def log_message(self, *_words: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", OFFLINE):
        monkeypatch.delenv(name, raising=False)
    running = Server()
    thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield running
    running.patience.set()
    running.shutdown()
    running.server_close()


def remote(server: Server, *names: str, **known: Any) -> Remote:
    urls = tuple(server.url(name) for name in names)
    return Remote("file.bin", "https://example.org/page", urls, **{"size": len(CONTENT), "sha256": SHA} | known)


def silent(*_words: object) -> None:
    pass


def refused(wanted: Remote, folder: Path) -> str:
    with pytest.raises(BadData) as caught:
        fetch(wanted, folder, silent)
    assert "\n" not in str(caught.value)
    assert not (folder / "file.bin").exists()
    return str(caught.value)


def test_a_file_comes_whole_and_is_not_fetched_twice(server: Server, tmp_path: Path) -> None:
    ticks: list[tuple[int, int | None]] = []
    path = fetch(remote(server, "good"), tmp_path / "deep", silent, lambda *tick: ticks.append(tick))
    assert path.read_bytes() == CONTENT
    assert ticks[-1] == (len(CONTENT), len(CONTENT))
    assert [entry.name for entry in path.parent.iterdir()] == ["file.bin"]
    fetch(remote(server, "good"), tmp_path / "deep", silent)
    assert len(server.asked) == 1


def test_a_broken_transfer_goes_on_where_it_was(server: Server, tmp_path: Path) -> None:
    assert fetch(remote(server, "broken"), tmp_path, silent).read_bytes() == CONTENT
    ranges = [wanted for _, wanted in server.asked]
    assert ranges == [None, "bytes=100000-", "bytes=200000-", "bytes=300000-", "bytes=400000-", "bytes=500000-"]


def test_a_later_call_goes_on_where_an_earlier_one_was_killed(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.bin.part").write_bytes(CONTENT[:1234])
    assert fetch(remote(server, "good"), tmp_path, silent).read_bytes() == CONTENT
    assert server.asked == [("/good", "bytes=1234-")]


def test_a_transfer_that_is_whole_already_needs_no_more_bytes(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.bin.part").write_bytes(CONTENT)
    assert fetch(remote(server, "good"), tmp_path, silent).read_bytes() == CONTENT
    assert server.asked == []
    (tmp_path / "file.bin").rename(tmp_path / "file.bin.part")
    assert fetch(remote(server, "good", size=None), tmp_path, silent).read_bytes() == CONTENT
    assert server.asked == [("/good", f"bytes={len(CONTENT)}-")]


def test_a_source_that_cannot_resume_starts_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.bin.part").write_bytes(b"x" * 1000)
    assert fetch(remote(server, "noranges"), tmp_path, silent).read_bytes() == CONTENT


def test_a_part_that_is_wrong_is_noticed_and_dropped(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.bin.part").write_bytes(b"x" * 1000)
    assert "SHA256" in refused(remote(server, "good"), tmp_path)
    assert fetch(remote(server, "good"), tmp_path, silent).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("absent", "answers 404"),
        ("page", "sends a web page"),
        ("disguised", "sends a web page"),
        ("wrong", "has SHA256"),
        ("long", "has a file of 512,001 bytes, not 512,000"),
        ("empty", "has a file of 0 bytes"),
        ("stuck", "ended after 0 of 512,000 bytes"),
        ("lost", "sends a web page"),
        ("loop", "answers 302"),
        ("silent", "timed out"),
    ],
)
def test_the_next_source_is_tried_and_the_fault_is_named(
    server: Server, tmp_path: Path, name: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "silent":
        monkeypatch.setattr(fetching, "TIMEOUT", 0.2)
    message = refused(remote(server, name), tmp_path)
    assert words in message
    assert message.endswith(f"put the file from https://example.org/page here: {tmp_path / 'file.bin'}")
    assert fetch(remote(server, name, "good"), tmp_path, silent).read_bytes() == CONTENT


def test_a_file_that_has_moved_goes_on_where_it_was(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.bin.part").write_bytes(CONTENT[:1234])
    assert fetch(remote(server, "moved"), tmp_path, silent).read_bytes() == CONTENT
    assert server.asked == [("/moved", "bytes=1234-"), ("/good", "bytes=1234-")]


def test_nothing_is_left_of_what_never_came(server: Server, tmp_path: Path) -> None:
    refused(remote(server, "absent", "page"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_source_that_sends_another_part_is_not_used(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.bin.part").write_bytes(CONTENT[:50])
    assert "another part" in refused(remote(server, "shifted"), tmp_path)


def test_a_page_does_not_spoil_what_has_arrived(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.bin.part").write_bytes(CONTENT[:50])
    refused(remote(server, "absent"), tmp_path)
    fetch(remote(server, "absent", "good"), tmp_path, silent)
    assert server.asked[-1] == ("/good", "bytes=50-")


def test_without_a_hash_parts_of_two_sources_are_not_mixed(server: Server, tmp_path: Path) -> None:
    known: dict[str, Any] = {"size": None, "sha256": None}
    (tmp_path / "file.bin.part").write_bytes(b"of another source")
    assert fetch(remote(server, "stuck", "good", **known), tmp_path, silent).read_bytes() == CONTENT
    assert server.asked[-1] == ("/good", None)
    (tmp_path / "file.bin").unlink()
    assert "is empty" in refused(remote(server, "empty", **known), tmp_path)
    ends = hashlib.md5(CONTENT).hexdigest()[-5:]
    assert fetch(remote(server, "good", md5_ends=ends, **known), tmp_path, silent).read_bytes() == CONTENT
    (tmp_path / "file.bin").unlink()
    assert "expected …fffff" in refused(remote(server, "good", md5_ends="fffff", **known), tmp_path)


def test_nobody_listens(tmp_path: Path, server: Server) -> None:
    closed = Server()
    url = closed.url("good")
    closed.server_close()
    assert "put the file from" in refused(replace(remote(server, "good"), url=(url,)), tmp_path)


def test_offline_nothing_is_opened(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OFFLINE, "1")
    message = refused(remote(server, "good"), tmp_path)
    assert message.startswith(f"{OFFLINE} is set")
    assert "put the file from" in message
    assert server.asked == []
    (tmp_path / "file.bin").write_bytes(CONTENT)
    assert fetch(remote(server, "good"), tmp_path, silent) == tmp_path / "file.bin"


def test_the_proxy_of_the_environment_is_used(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.url(""))
    monkeypatch.setenv("no_proxy", "")
    wanted = replace(remote(server), url=("http://nowhere.invalid/good",))
    assert fetch(wanted, tmp_path, silent).read_bytes() == CONTENT
    assert server.asked == [("http://nowhere.invalid/good", None)]


def test_a_wrong_file_that_stands_there_is_neither_used_nor_replaced(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    path.write_bytes(b"mine")
    with pytest.raises(BadData, match="is 4 of 512,000 bytes: it is cut off"):
        fetch(remote(server, "good"), tmp_path, silent)
    assert path.read_bytes() == b"mine"


def test_two_processes_do_not_fetch_the_same_file(server: Server, tmp_path: Path) -> None:
    with (tmp_path / "file.bin.part").open("ab") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        assert "another process fetches" in refused(remote(server, "good"), tmp_path)


def test_a_collection_is_fetched_into_its_folders(server: Server, tmp_path: Path) -> None:
    files = (remote(server, "good"), replace(remote(server, "good"), name="b.bin", folder="sub"))
    assert fetch_all(Collection("x", "X", files), tmp_path, silent) == [tmp_path / "file.bin", tmp_path / "sub/b.bin"]


def test_a_full_disk_is_noticed_before_anything_is_written(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert "GB free" in refused(remote(server, "good"), tmp_path)
    assert (tmp_path / "file.bin.part").stat().st_size == 0


def test_the_list_of_sources_is_whole_and_agrees_with_the_image_sets() -> None:
    listed = sources.collections()
    for entry in listed.values():
        assert entry.title
        for file in entry.files:
            assert file.page.startswith("https://")
            assert file.url
            assert all(url.startswith("https://") for url in file.url)
            assert re.fullmatch(r"([0-9a-f]{64})?", file.sha256 or "")
            assert re.fullmatch(r"([0-9a-f]{32})?", file.md5 or "")
    assert listed["cifar10"].files[0].md5 == cifar10.FILES.archive[1]  # type: ignore[index]
    assert listed["cifar100"].files[0].md5 == cifar100.FILES.archive[1]  # type: ignore[index]
    batches = {file.name: file.md5 for file in listed["imagenet16-120"].files}
    assert batches == dict(imagenet16_120.FILES.members)
    assert {file.folder for file in listed["imagenet16-120"].files} == {imagenet16_120.FILES.folder}
    file = listed["nb201-v1_1"].files[0]
    assert str(file.md5).endswith(re.findall(r"-([0-9a-f]{6})\.pth", file.name)[0])  # as its README promises


def test_an_unknown_name_and_a_damaged_list_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="'cifar10'"):
        sources.collection("cifar-10")
    path = tmp_path / "list.toml"
    path.write_text("[x]\ntitle = 'X'\n")
    with pytest.raises(BadData, match="no list of sources"):
        sources.read_list(path)
    path.write_text("[x\n")
    with pytest.raises(BadData, match="no list of sources"):
        sources.read_list(path)


def test_the_command_fetches_from_bad_servers_and_says_so(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lists = {"one": Collection("one", "One", (remote(server, "page", "absent", "broken"),))}
    lists["none"] = Collection("none", "None", (replace(remote(server, "wrong"), name="other.bin"),))
    monkeypatch.setattr(sources, "collections", lambda: lists)
    assert main(["fetch", "one", "--data", str(tmp_path), "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == [str(tmp_path / "file.bin")]
    assert said.err.count("file.bin from 127.0.0.1") == 3
    assert main(["fetch", "none", "--data", str(tmp_path)]) == 2
    *_, last = capsys.readouterr().err.splitlines()
    assert last.startswith("error: other.bin could not be fetched (127.0.0.1")
    assert last.endswith(f"put the file from https://example.org/page here: {tmp_path / 'other.bin'}")
    assert main(["fetch", "on", "--data", str(tmp_path)]) == 2
    assert "unknown file set 'on'; did you mean 'one'?" in capsys.readouterr().err


def test_the_command_lists_and_obeys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Fetch()() == 0
    assert "cifar10         CIFAR-10\n" in capsys.readouterr().out
    monkeypatch.setenv(OFFLINE, "1")
    with pytest.raises(BadData, match=r"is set, so cifar-10-python\.tar\.gz is not fetched; put the file"):
        Fetch("cifar10", data=tmp_path)()
