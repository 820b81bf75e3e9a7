"""Official files into the table: round trips of every format, what is trusted, what is refused, how it goes on."""

from __future__ import annotations

import bz2
import errno
import fcntl
import json
import math
import os
import pickle
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nas_201_api.api_utils
import nats_bench
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.cli import commands
from bench.cli.official_commands import Import
from bench.errors import BadSpec, BadTable, NoSuchEntry
from bench.images import sources
from bench.spaces.nb201 import SPACE
from bench.truth import counts as counting
from bench.truth.official import counts, measurements, trust, unpickling
from bench.truth.official.assembling import Assembler
from bench.truth.official.children import Child
from bench.truth.official.formats import recognise
from bench.truth.official.importing import import_official
from bench.truth.official.journal import Journal
from bench.truth.table import Table
from bench.truth.tabular import TableTruth
from tests import official_files as made

INDICES = (0, 11, 284, 15_624)
ONE_SEED = 11  # has one training on CIFAR-100


def silent(*_words: object) -> None:
    pass


@pytest.fixture(scope="module")
def written() -> dict[int, made.Written]:
    return {i: made.results(i, nats_bench, (888,) if i == ONE_SEED else made.ALL[200])[1] for i in INDICES}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same architectures in every format that holds single trainings."""
    root = tmp_path_factory.mktemp("official")

    def of(package: Any) -> dict[int, Any]:
        return {i: made.results(i, package, (888,) if i == ONE_SEED else made.ALL[200])[0] for i in INDICES}

    nats, old = of(nats_bench), of(nas_201_api.api_utils)
    folder = made.nats_folder(root / "NATS-tss-v1_0-made-up-simple", nats)
    return {
        "folder": folder,
        "archive": made.nats_archive(root / "NATS-tss-v1_0-made-up-simple.tar", folder),
        "file": made.nats_file(root / "NATS-tss-v1_0-made-up.pickle.pbz2", nats),
        "pth": made.nb201_pth(root / "NAS-Bench-201-v1_1-made-up.pth", old),
        "legacy": made.nb201_pth(root / "NAS-Bench-201-v1_0-made-up.pth", old, zipped=False),
    }


def take(source: Path, out: Path, **options: Any) -> Table:
    return import_official(source, out, **{"trusted": True, "partial": True, "workers": 1, "say": silent} | options)


def refusal(source: Path, out: Path, **options: Any) -> str:
    with pytest.raises(BadTable) as caught:
        take(source, out, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- round trips


@pytest.fixture(scope="module")
def tables(files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Table]:
    """What each format becomes, saved and loaded."""
    root = tmp_path_factory.mktemp("tables")
    for kind, path in files.items():
        take(path, root / f"{kind}.parquet", workers=2 if kind == "folder" else 1)
    return {kind: Table.load(root / f"{kind}.parquet") for kind in files}


def test_every_number_that_was_written_is_read_back(tables: dict[str, Table], written: dict[int, made.Written]) -> None:
    table, compared = tables["folder"], 0
    for index, numbers in written.items():
        genotype = SPACE.from_index(index)
        for (metric, dataset, split, epochs, seed), number in numbers.items():
            asked = {"dataset": dataset, "split": split, "epochs": epochs, "seeds": seed, "metric": metric}
            assert table.query(genotype, **asked).value == pytest.approx(number, rel=1e-7)
            compared += 1
    held = sum(int(np.isfinite(table.column(**_asked(column))).sum()) for column in table.columns)
    assert held == compared == sum(map(len, written.values()))  # and not one number more


def _asked(column: Any) -> dict[str, Any]:
    metric, dataset, split, epochs = column.quantity
    return {"metric": metric, "dataset": dataset, "split": split, "epochs": epochs, "seeds": column.seed}


def test_all_formats_give_the_same_content(tables: dict[str, Table]) -> None:
    assert len({table.checksum for table in tables.values()}) == 1
    assert [tables[kind].header.name for kind in ("folder", "archive", "file", "pth", "legacy")] == [
        *["nats-tss-v1_0"] * 3,
        "nas-bench-201-v1_1",
        "nas-bench-201-v1_0",
    ]


@pytest.mark.parametrize("kind", ["folder", "archive", "file"])
def test_relative_paths_are_those_of_the_user(
    kind: str, files: dict[str, Path], tables: dict[str, Table], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The child that reads has another folder."""
    monkeypatch.chdir(files[kind].parent)
    out = Path(os.path.relpath(tmp_path / "out.parquet"))
    assert take(Path(files[kind].name), out).checksum == tables[kind].checksum


def test_a_seed_that_is_not_there_stays_missing_and_is_named(tables: dict[str, Table]) -> None:
    table = tables["folder"]
    asked = {"dataset": "cifar100", "split": "x-test", "epochs": 200}
    with pytest.raises(NoSuchEntry, match="it has seeds '888'"):
        table.query(SPACE.from_index(ONE_SEED), **asked, seeds="777")
    assert table.query(SPACE.from_index(ONE_SEED), **asked, seeds="mean").seeds == ("888",)
    assert table.query(SPACE.from_index(0), **asked, seeds="mean").seeds == ("777", "888", "999")
    with pytest.raises(NoSuchEntry, match=r"'cifar10-valid', split 'x-valid', which .* at 12, 200 epochs$"):
        table.query(SPACE.from_index(0), dataset="cifar10", split="x-valid", epochs=200, seeds="mean")


@pytest.mark.parametrize(("accuracies", "seed"), [([91.604, 88.0, 10.004], "run"), ([91.604, 88.002, 10.006], "mean")])
def test_a_naslib_file_says_run_or_mean_by_its_resolution(
    tmp_path: Path, accuracies: list[float], seed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """25,000 images: one run has multiples of 0.004 percent."""
    path = made.naslib_pickle(tmp_path / "nb201_cifar10_full_training.pickle", dict(enumerate(accuracies)))
    table = take(path, tmp_path / "out.parquet")
    asked = {"dataset": "cifar10-valid", "split": "x-valid", "epochs": 200, "seeds": seed}
    found = [table.query(SPACE.from_index(index), **asked).value for index in range(3)]
    assert found == pytest.approx(accuracies, rel=1e-7)
    assert table.header.name == "naslib-nb201-cifar10"
    table.save(tmp_path / "table.parquet")
    assert commands.main(["score", "--truth", str(tmp_path / "table.parquet"), "--results", str(tmp_path)]) == 2
    assert "of no data set that searches are scored on" in capsys.readouterr().err
    assert {column.metric for column in table.columns} == {"accuracy", "cross_entropy", "latency"}


def test_plain_csv_goes_to_its_own_converter(tmp_path: Path) -> None:
    path = tmp_path / "extract.csv"
    path.write_text("index,arch\n0,x\n")
    with pytest.raises(BadTable, match=r"extract\.csv: the first line names no column of architectures"):
        import_official(path, tmp_path / "out.parquet")


# --- counts


def test_counts_are_those_of_the_released_file() -> None:
    """Architecture 0 of NATS-tss-v1_0-3ffb9, read off its file: parameters and FLOPs in millions."""
    released = {
        "cifar10-valid": (0.129306, 15.64737),
        "cifar10": (0.129306, 15.64737),
        "cifar100": (0.135156, 15.65322),
        "ImageNet16-120": (0.136456, 3.91948),
    }
    for dataset, pair in released.items():
        assert counts.for_table(*pair, dataset) == ((129306, 15647360), True)
        assert counts.official(129306, 15647360, dataset) == pair


@settings(max_examples=30, deadline=None)
@given(st.integers(0, SPACE.size - 1), st.sampled_from(sorted(made.SHAPES)))
def test_counts_follow_the_network(index: int, dataset: str) -> None:
    genotype, shape = SPACE.from_index(index), made.SHAPES[dataset]
    ten = made.SHAPES["cifar10"]
    held = counting.parameters(SPACE, genotype, ten), counting.multiply_adds(SPACE, genotype, ten)
    parameters, flops = counts.official(*held, dataset)
    assert parameters == counting.parameters(SPACE, genotype, shape) / 1e6
    assert flops == (counting.multiply_adds(SPACE, genotype, shape) + shape.classes) / 1e6
    assert counts.for_table(parameters, flops, dataset) == (held, True)
    assert counts.for_table(parameters + 1e-6 / 3, flops, dataset) == (held, False)


def sizes(index: int) -> tuple[int, int]:
    """Nearly the right parameters and multiply-adds on CIFAR-10: made up, and what the file says is kept."""
    genotype, ten = SPACE.from_index(index), made.SHAPES["cifar10"]
    return counting.parameters(SPACE, genotype, ten) + index % 7, counting.multiply_adds(
        SPACE, genotype, ten
    ) + 4000 * (index % 3)


def row(index: int) -> measurements.Row:
    """One architecture with one training on each data set and made-up counts."""
    arch = SPACE.show(SPACE.from_index(index))
    found: measurements.Row = {"index": index, "arch": arch, "runs": [], "latency": [], "counts": []}
    for dataset, splits in made.SPLITS.items():
        found["counts"].append([dataset, 200, *counts.official(*sizes(index), dataset)])
        for split in ("train", *splits):
            found["runs"].append([dataset, 200, "777", split, 10 + index % 80, 1.5, 20.0])
    return found


@pytest.fixture(scope="module")
def whole() -> Table:
    """All 15,625 architectures, one training each."""
    assembler = Assembler()
    for index in range(SPACE.size):
        assembler.add(row(index))
    return assembler.table("made-up", "Made up", "the tests", "nats-folder")


def test_a_whole_table_has_counts_and_scores_all_data_sets(whole: Table) -> None:
    assert whole.header.complete
    assert whole.header.settings["architectures_whose_counts_disagree"] == 0
    genotype = SPACE.from_index(284)
    position = SPACE.population.row(genotype)
    assert (whole.constant("parameters")[position], whole.constant("multiply_adds")[position]) == sizes(284)
    truth = TableTruth(whole)
    assert sorted(truth.targets()) == ["cifar10", "cifar100", "imagenet16-120"]
    assert truth.scores([genotype], "cifar10")[0, 1] == 10 + 284 % 80
    assert truth.checksum == whole.checksum


def test_accuracies_that_no_number_of_images_gives_are_noted(tmp_path: Path) -> None:
    """10.004 percent are 2,501 of 25,000 images; 10.005 are none."""
    assembler = Assembler()
    runs = [["cifar10-valid", 200, "777", "x-valid", value, 1.5, 20.0] for value in (10.004, 10.005)]
    assembler.add(row(3) | {"runs": runs[:1]})
    assert assembler.broken_images == 0
    assembler.add(row(4) | {"runs": runs[1:]})
    assert assembler.broken_images == 1
    trained = made.results(0, nats_bench)[0]
    trained[200].all_results["cifar10", 777].eval_acc1es["ori-test@199"] += 1e-3
    said: list[str] = []
    table = take(made.nats_folder(tmp_path / "folder", {0: trained}), tmp_path / "out.parquet", say=said.append)
    assert table.header.settings["accuracies_that_are_no_whole_number_of_images"] == 1
    assert said == [
        "accuracies that are no whole number of images: 1; the file is made up, or was damaged where nothing else "
        "shows it (the table's header counts them)"
    ]


def test_counts_that_differ_between_trainings_are_noted() -> None:
    assembler = Assembler()
    odd = row(3)
    odd["counts"][1][2] += 1e-6
    assembler.add(odd)
    assert assembler.disagreements == 1
    mean = row(4)  # NASLib's files hold one number, of trainings that may disagree
    mean["counts"] = [["cifar10", 200, mean["counts"][0][2] - 2.0 / 3 / 1e6, mean["counts"][0][3]]]
    assembler.add(mean)
    assert assembler.disagreements == 2


SHORT = 15474  # of its released trainings at 200 epochs two are counted one 3x3 convolution short


@pytest.mark.parametrize("kind", ["nats", "nb201"])
def test_trainings_that_are_counted_a_convolution_short_do_not_stop_an_import(tmp_path: Path, kind: str) -> None:
    """D-X-Y/NATS-Bench issue 36: 0.802426 million parameters after 12 epochs, 0.640399 as the mean after 200."""
    trained = made.results(SHORT, nats_bench if kind == "nats" else nas_201_api.api_utils)[0]
    for seed in (777, 888):
        run = trained[200].all_results["cifar10", seed]
        run.params, run.flop = np.float64(0.559386), run.flop - 37.748736
    assert np.mean([trained[200].all_results["cifar10", s].params for s in (777, 888, 999)]) == pytest.approx(0.640399)
    if kind == "nats":
        source = made.nats_folder(tmp_path / "folder", {SHORT: trained})
    else:
        source = made.nb201_pth(tmp_path / "NAS-Bench-201-v1_1-096897.pth", {SHORT: trained})
    table = take(source, tmp_path / "out.parquet", say=lambda _: None)
    assert table.header.settings["architectures_whose_counts_disagree"] == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"index": 4}, "it has index 4, but is number 3"),
        ({"arch": "8:8:8:8:8"}, "is it the topology space"),
        ({"arch": None}, "not as it should be"),
        ({"runs": [["cifar10", 200, "777", "x-valid", 50, 1, 1]]}, "unknown split"),
        ({"runs": [["svhn", 200, "777", "train", 50, 1, 1]]}, "unknown dataset"),
        ({"runs": [["cifar10", 0, "777", "train", 50, 1, 1]]}, "epochs is 0"),
        ({"runs": [[1, 2]]}, "not as it should be"),
        ({"counts": [["cifar10", 200, 0.129306, 0.0]]}, "too few"),
        ({"counts": [["cifar10", 200, *reversed(counts.official(*sizes(3), "cifar10"))]]}, "FLOPs mixed up"),
    ],
)
def test_a_row_that_cannot_be_right_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(BadTable, match=words):
        Assembler().add(row(3) | change)


def test_an_architecture_that_stands_twice_is_refused() -> None:
    assembler = Assembler()
    assembler.add(row(3))
    with pytest.raises(BadTable, match="stands twice"):
        assembler.add(row(3))


def test_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be written is not tried once more when the file is closed."""
    journal = Journal(tmp_path / "out.partial", {"source": "here"})

    def full(_number: int, _content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(BadTable, match="No space left on device; what it holds is kept"):
        journal.append(1, row(3))
    monkeypatch.undo()
    journal.close()
    again = Journal(tmp_path / "out.partial", {"source": "here"})
    assert list(again.rows()) == []
    again.close()


@pytest.mark.parametrize("line", ["null", '{"size": 5}', '{"size": 5, "row": 1}'])
def test_a_journal_with_another_line_is_damaged(tmp_path: Path, line: str) -> None:
    first = Journal(tmp_path / "out.partial", {"source": "here"})
    first.append(5, {"index": 5})  # type: ignore[typeddict-item, arg-type]
    first.close()
    with (tmp_path / "out.partial").open("a") as stream:
        stream.write(line + "\n")
    journal = Journal(tmp_path / "out.partial", {"source": "here"})
    with pytest.raises(BadTable, match="is damaged"):
        list(journal.rows())
    journal.close()


def test_a_refused_import_that_read_nothing_is_in_nobodys_way(tmp_path: Path) -> None:
    Journal(tmp_path / "out.partial", {"source": "here"}).close()
    assert not (tmp_path / "out.partial").exists()
    Journal(tmp_path / "out.partial", {"source": "elsewhere"}).close()


def test_no_workers_read_nothing(tmp_path: Path) -> None:
    with pytest.raises(BadSpec, match="0 workers"):
        take(tmp_path, tmp_path / "out.parquet", workers=0)


# --- trust


class Evil:
    """Unpickled by anyone who trusts it, it makes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.marker),)


def evil_files(root: Path, marker: Path) -> Iterator[Path]:
    """The same attack in every format."""
    attack = pickle.dumps({"12": Evil(marker), "200": Evil(marker)})
    folder = root / "folder"
    folder.mkdir()
    (folder / "000000.pickle.pbz2").write_bytes(bz2.compress(attack))
    yield folder
    (root / "evil.pickle.pbz2").write_bytes(bz2.compress(attack))
    yield root / "evil.pickle.pbz2"
    (root / "nb201_cifar10.pickle").write_bytes(attack)
    yield root / "nb201_cifar10.pickle"
    for zipped in (True, False):
        path = root / f"evil-{zipped}.pth"
        torch.save({"arch2infos": Evil(marker)}, path, _use_new_zipfile_serialization=zipped)
        yield path


def test_nothing_of_a_hostile_file_is_run_even_when_it_is_trusted(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    pickle.loads(pickle.dumps(Evil(marker)))  # the attack works
    marker.rmdir()
    with Child() as child:
        for path in evil_files(tmp_path, marker):
            assert "pass --trust" in refusal(path, tmp_path / "out.parquet", trusted=False)
            for job in recognise(path).jobs():  # what is done once it is trusted
                with pytest.raises(BadTable, match="nothing of it was run"):
                    list(child.ask(job))
            assert not marker.exists()
    assert "nothing of it was run" in refusal(tmp_path / "folder", tmp_path / "out.parquet")
    assert not marker.exists()
    assert not (tmp_path / "out.parquet").exists()


def test_a_text_in_the_place_of_a_training_is_not_opened_as_a_file(tmp_path: Path) -> None:
    """The packages unpickle a file of that name."""
    marker, evil, folder = tmp_path / "marker", tmp_path / "evil.pbz2", tmp_path / "folder"
    evil.write_bytes(bz2.compress(pickle.dumps(Evil(marker))))
    folder.mkdir()
    (folder / "000000.pickle.pbz2").write_bytes(bz2.compress(pickle.dumps({"200": str(evil)})))
    assert "no dictionary of trainings" in refusal(folder, tmp_path / "out.parquet")
    assert not marker.exists()


def test_a_file_of_known_hash_needs_no_word(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = files["archive"]
    known = sources.Remote(path.name, "page", (), path.stat().st_size, sha256=sources.file_hash(path, "sha256"))
    monkeypatch.setattr(trust, "known_file", {path.name: known}.get)
    take(path, tmp_path / "out.parquet", trusted=False)
    copy = tmp_path / path.name
    copy.write_bytes(path.read_bytes()[:-1] + b"\1")
    assert "damaged, or another version" in refusal(copy, tmp_path / "second.parquet", trusted=False)
    copy.write_bytes(path.read_bytes()[:-512])
    assert "it is cut off" in refusal(copy, tmp_path / "second.parquet", trusted=False)


def test_the_child_loads_nothing_but_what_reading_needs() -> None:
    """Every one of them takes memory, and it is there for reading alone."""
    code = "import sys, bench.truth.official.child; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"pyarrow", "torch", "pandas", "scipy", "cyclopts"} & set(done.stdout.split())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_the_child_has_no_environment_no_files_and_may_write_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "of the user")
    with Child() as child:
        with pytest.raises(BadTable, match="cannot be read"):
            list(child.ask({"kind": "naslib", "path": "/nowhere"}))
        home = Path(f"/proc/{child._process.pid}")
        assert b"SECRET" not in (home / "environ").read_bytes()
        assert b"HOME=" not in (home / "environ").read_bytes()
        assert os.listdir(home / "cwd") == []
        assert os.readlink(home / "cwd") != os.getcwd()
        limits = (home / "limits").read_text().splitlines()
        assert next(line for line in limits if line.startswith("Max file size")).split()[3:5] == ["0", "0"]


def test_the_memory_that_a_file_needs_is_said_first(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    take(files["file"], tmp_path / "out.parquet", say=said.append)
    assert any("GB of memory will be needed" in line for line in said)
    monkeypatch.setattr(trust, "_available", lambda: 1000)
    message = refusal(files["file"], tmp_path / "second.parquet")
    assert "GB of memory will be needed" in message
    assert "import the NATS-Bench folder" in message
    assert take(files["folder"], tmp_path / "second.parquet").header.name == "nats-tss-v1_0"


# --- going on


def copied(folder: Path, target: Path) -> Path:
    target.mkdir()
    for path in folder.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    return target


def test_an_import_that_stopped_goes_on_where_it_was(
    files: dict[str, Path], tables: dict[str, Table], tmp_path: Path
) -> None:
    folder, out = copied(files["folder"], tmp_path / "folder"), tmp_path / "out.parquet"
    last = folder / "015624.pickle.pbz2"
    right = last.read_bytes()
    last.write_bytes(right[:-9])
    assert "015624.pickle.pbz2: is cut off" in refusal(folder, out)
    journal = tmp_path / "out.parquet.partial"
    kept = [json.loads(line)["row"]["index"] for line in journal.read_bytes().splitlines()[1:]]
    assert sorted(kept) == [0, 11, 284]
    last.write_bytes(right)
    for index in kept:  # of the same size, but unreadable: they are not read again
        path = folder / f"{index:06d}.pickle.pbz2"
        path.write_bytes(b"BZh" + bytes(path.stat().st_size - 3))
    with journal.open("ab") as stream:
        stream.write(b'{"size": 12, "row": {"ind')  # killed in the middle of a line
    assert take(folder, out).checksum == tables["folder"].checksum
    assert not journal.exists()


def test_a_file_that_was_replaced_is_read_again(
    files: dict[str, Path], tables: dict[str, Table], tmp_path: Path
) -> None:
    folder, out = copied(files["folder"], tmp_path / "folder"), tmp_path / "out.parquet"
    last = folder / "015624.pickle.pbz2"
    right = last.read_bytes()
    last.write_bytes(b"no")
    refusal(folder, out)
    last.write_bytes(right)
    first = folder / "000000.pickle.pbz2"
    first.write_bytes(first.read_bytes() + b"x")
    assert take(folder, out).checksum == tables["folder"].checksum


def test_another_import_and_a_damaged_journal_are_refused(files: dict[str, Path], tmp_path: Path) -> None:
    out, journal = tmp_path / "out.parquet", tmp_path / "out.parquet.partial"
    journal.write_text('{"format": 1, "source": "elsewhere", "kind": "nats-folder"}\n')
    assert "of an import from elsewhere" in refusal(files["folder"], out)
    journal.write_text("not JSON\n")
    assert "is damaged; move it away" in refusal(files["folder"], out)
    journal.unlink()
    with journal.open("wb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        assert "another process imports" in refusal(files["folder"], out)


def test_what_stands_there_is_not_written_over(files: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    out.write_text("mine")
    assert "exists already" in refusal(files["folder"], out)
    assert out.read_text() == "mine"


def test_a_folder_that_lacks_architectures_is_refused_before_it_is_read(files: dict[str, Path], tmp_path: Path) -> None:
    message = refusal(files["folder"], tmp_path / "out.parquet", partial=False)
    assert "15621 of 15625 architectures are missing, e.g. file 000001" in message
    assert not (tmp_path / "out.parquet.partial").exists()
    assert "15621 of 15625" in refusal(files["file"], tmp_path / "out.parquet", partial=False)


def test_a_file_under_another_number_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    folder = copied(files["folder"], tmp_path / "folder")
    (folder / "000000.pickle.pbz2").rename(folder / "000005.pickle.pbz2")
    for _ in range(2):  # the second time it is read again: a row that is wrong is not kept
        assert "it has index 5, but is number 0" in refusal(folder, tmp_path / "out.parquet")
    journal = tmp_path / "out.parquet.partial"
    kept = journal.read_text().splitlines()[1:] if journal.exists() else []
    assert not any(json.loads(line)["row"]["index"] == 5 for line in kept)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.pth", b"", "is empty"),
        ("a.pth", b"<!doctype html><title>Quota exceeded", "is a web page"),
        ("a.bin", b"\x00\x01\x02\x03", "is no file that can be imported"),
        ("000001.pickle.pbz2", bz2.compress(b"x"), "give the folder"),
        ("a.pth", b"nothing of the kind", "is no whole pickle"),
        ("a.pickle.pbz2", bz2.compress(pickle.dumps([1, 2])), "no dictionary with 'arch2infos'"),
        ("a.pickle", pickle.dumps({"x": 1}), "no record of NASLib"),
    ],
)
def test_a_file_of_another_kind_is_named_for_what_it_is(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert words in refusal(tmp_path / name, tmp_path / "out.parquet")


def test_an_empty_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    assert "holds no file like" in refusal(tmp_path, tmp_path / "out.parquet")
    assert "no such file" in refusal(tmp_path / "none", tmp_path / "out.parquet")


def test_trainings_under_each_others_names_are_refused(tmp_path: Path) -> None:
    trained = made.results(0, nats_bench)[0]
    folder = made.nats_folder(tmp_path / "folder", {0: {12: trained[200], 200: trained[12]}})
    assert "architecture 0: has 200 epochs where 12 belong" in refusal(folder, tmp_path / "out.parquet")
    (folder / "000000.pickle.pbz2").write_bytes(
        bz2.compress(
            pickle.dumps({"12": trained[12].state_dict(), "200": made.results(1, nats_bench)[0][200].state_dict()})
        )
    )
    assert "is of two architectures" in refusal(folder, tmp_path / "second.parquet")


@pytest.mark.parametrize(("dataset", "seed"), [("cifar100", 777), ("cifar10", 888)])
def test_a_training_under_another_data_set_or_seed_is_refused(tmp_path: Path, dataset: str, seed: int) -> None:
    trained = made.results(0, nats_bench)[0]
    runs = trained[200].all_results
    runs["cifar10", 777], runs[dataset, seed] = runs[dataset, seed], runs["cifar10", 777]
    folder = made.nats_folder(tmp_path / "folder", {0: trained})
    assert f"has a training on {dataset}, seed {seed}, where cifar10, 777 belongs" in refusal(folder, tmp_path / "out")


def test_a_cut_off_archive_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "cut.tar"
    path.write_bytes(files["archive"].read_bytes()[:-100_000])
    assert "is a damaged or incomplete archive" in refusal(path, tmp_path / "out.parquet")


# --- the command


def test_the_command_imports_and_says_what_it_made(
    files: dict[str, Path], tables: dict[str, Table], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.parquet"
    assert Import(files["folder"], out, trust=True, partial=True, workers=2, json=True)() == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == {
        "table": str(out),
        "name": "nats-tss-v1_0",
        "content": tables["folder"].checksum,
    }
    assert said.err == "4 of 4 architectures\n"
    with pytest.raises(BadTable, match="pass --trust"):
        Import(files["folder"], tmp_path / "second.parquet", partial=True)()


# --- damage


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Cut off, or with a few bits flipped, or with a stretch of other bytes."""
    how = rng.randrange(3)
    spoilt = bytearray(content)
    if how == 0:
        return content[: rng.randrange(len(content))]
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(spoilt))
        if how == 1:
            spoilt[at] ^= 1 << rng.randrange(8)
        else:
            spoilt[at : at + 40] = rng.randbytes(min(40, len(spoilt) - at))
    return bytes(spoilt)


def test_damaged_architectures_are_refused_in_one_line(files: dict[str, Path], tmp_path: Path) -> None:
    """One child reads them all: it neither dies nor lets one through. Every bz2 block has a checksum."""
    rng, path = random.Random(0), tmp_path / "000000.pickle.pbz2"
    right = (files["folder"] / path.name).read_bytes()
    good: dict[str, Any] = {"kind": "nats-architecture", "path": str(path), "offset": 0, "index": 0}
    with Child() as child:
        for _ in range(150):
            path.write_bytes(damaged(right, rng))
            if path.read_bytes() == right:
                continue
            with pytest.raises(BadTable) as caught:
                list(child.ask(good | {"size": path.stat().st_size}))
            assert "\n" not in str(caught.value)
        path.write_bytes(right)
        assert [row["index"] for row in child.ask(good | {"size": len(right)})] == [0]


@pytest.mark.parametrize("kind", ["naslib", "pth", "pickle"])
def test_damaged_pickles_run_nothing_and_kill_nothing(files: dict[str, Path], tmp_path: Path, kind: str) -> None:
    """Without a checksum a flipped bit may just be another number; but never more than that."""
    rng = random.Random(1)
    marker, path = tmp_path / "marker", tmp_path / f"a.{kind}"
    if kind == "pth":
        right = files["legacy"].read_bytes()[:60_000]
    else:
        right = made.naslib_pickle(tmp_path / "right.pickle", {0: 50.0, 1: 60.0}).read_bytes()
    good = tmp_path / "good.pickle"
    good.write_bytes(made.naslib_pickle(tmp_path / "right.pickle", {0: 50.0, 1: 60.0}).read_bytes())
    if kind == "pickle":  # in the place of a number, so that the reading comes by it
        content = pickle.loads(right)
        next(iter(content.values()))["cifar10-valid"]["cost_info"]["latency"] = Evil(marker)
        right = pickle.dumps(content, protocol=4)
    refused = let_through = 0
    with Child() as child:
        for _ in range(60):
            path.write_bytes(damaged(right, rng))
            try:
                list(child.ask({"kind": "pth" if kind == "pth" else "naslib", "path": str(path)}))
            except BadTable as error:
                refused += "\n" not in str(error)
            else:
                let_through += 1
        assert len(list(child.ask({"kind": "naslib", "path": str(good)}))) == 2  # and the child is alive
    assert refused > 20
    assert refused + let_through == 60
    assert not marker.exists()


def test_a_bomb_is_not_unpacked() -> None:
    with pytest.raises(BadTable, match="unpacks to more than 1,000 bytes"):
        unpickling.decompressed(bz2.compress(bytes(10**7)), 1000)


@pytest.mark.parametrize("kind", [np.dtype("O"), np.dtype("U3"), np.dtype("V8"), np.dtype("M8[s]")])
def test_only_numbers_pass_as_numpy_scalars(kind: np.dtype[Any]) -> None:
    with pytest.raises(pickle.UnpicklingError):
        unpickling._number(kind, b"12345678")


@given(st.one_of(st.floats(allow_nan=False), st.integers(-(2**60), 2**60), st.booleans()))
def test_numpy_scalars_are_read_as_plain_numbers(value: Any) -> None:
    import io

    content = pickle.dumps({"x": np.asarray(value)[()]}, protocol=2)
    found = unpickling.load(io.BytesIO(content))["x"]
    assert found == value
    assert type(found) in (float, int, bool)


def test_a_loss_that_is_not_finite_is_missing() -> None:
    assert measurements.finite(math.nan) is None
    assert measurements.finite(math.inf) is None
    assert measurements.finite(np.float64(1.5)) == 1.5


def test_a_source_is_recognised_by_what_it_is(files: dict[str, Path]) -> None:
    found = {name: recognise(path).kind for name, path in files.items()}
    assert found == {"folder": "nats-folder", "archive": "nats-archive", "file": "nats", "pth": "pth", "legacy": "pth"}
