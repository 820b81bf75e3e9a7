"""The index of `list`: it spares reading, and says nothing that the records do not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.cli import listing
from bench.store import index, record
from bench.store.record import Record, Results
from tests.edited import edit
from tests.perf.load import records

COUNT = 30


@pytest.fixture
def store(tmp_path: Path) -> Results:
    records(tmp_path / "results", COUNT)
    return Results(tmp_path / "results")


def read(store: Results) -> tuple[list[str], list[str]]:
    """The keys that are listed, and those of records that were read for it."""
    seen: list[str] = []

    def of(record: Record) -> dict[str, str]:
        seen.append(record.key)
        return {"key": record.key, "status": record.status}

    return [row["key"] for row in index.rows(store, of)], seen


def test_what_has_not_changed_is_read_once(store: Results) -> None:
    keys, seen = read(store)
    assert keys == sorted(store.keys()) == sorted(seen)
    assert len(keys) == COUNT
    assert read(store) == (keys, [])


def test_what_is_new_changed_or_gone_is_seen(store: Results) -> None:
    keys, _ = read(store)
    gone, changed, damaged = keys[:3]
    store.run_path(gone).unlink()
    edit(store.run_path(changed), lambda record: record.update(message="edited since"), "anew")
    store.run_path(damaged).write_text("{")
    found, seen = read(store)
    assert found == [key for key in keys if key not in (gone, damaged)]
    assert seen == [changed]
    assert list(store.damaged) == [store.run_path(damaged)]
    again = Results(store.root)
    assert read(again) == (found, [])
    assert list(again.damaged) == [store.run_path(damaged)], "a file that cannot be trusted is named every time"


@pytest.mark.parametrize("spoil", ["{", "[]", "null", '{"rows": {}}', "edited", "\x00"])
def test_a_spoilt_index_is_done_without(store: Results, spoil: str) -> None:
    keys, _ = read(store)
    path = store.root / index.NAME
    if spoil == "edited":
        spoil = path.read_text(encoding="utf-8").replace('"done"', '"lost"', 1)
    path.write_text(spoil)
    assert read(store) == (keys, sorted(keys))
    path.unlink()
    assert read(store) == (keys, sorted(keys))


def test_an_index_that_cannot_be_written_is_done_without(store: Results) -> None:
    (store.root / index.NAME).mkdir()
    assert read(store) == read(store)


def test_show_reads_one_record(
    store: Results, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[Path] = []
    before = record.read_record
    monkeypatch.setattr(record, "read_record", lambda path: opened.append(path) or before(path))
    key = sorted(store.keys())[7]
    assert listing.show_run(key[:12], store.root, True) == 0
    assert json.loads(capsys.readouterr().out)["record"]["key"] == key
    assert opened == [store.run_path(key)]
