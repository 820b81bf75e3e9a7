"""One's own images, as folders of pictures and as arrays: what is read, how it is parted and called, what is refused,
and the way from files to a figure that docs/own-data.md tells."""

from __future__ import annotations

import pickle
import re
import shlex
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

import bench
import methods
from analysis.__main__ import Options, draw_all
from analysis.load import is_searched
from bench import images
from bench.cli.commands import main
from bench.errors import BadData, BadSpec
from bench.images import ImageSet
from bench.images.own import Place, place
from bench.runs.asked import asked
from bench.spaces.nb201 import SPACE
from bench.store.own import content, own
from bench.store.record import Results
from bench.store.spec import SCALES, RunSpec

PAGE = Path(__file__).parent.parent / "docs" / "own-data.md"
CLASSES = ("circle", "cross", "square")


def save(path: Path, pixels: NDArray[np.uint8]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def numbered(root: Path, counts: Mapping[str, int], side: int = 6, first: int = 0) -> Path:
    """Class folders with grey pictures of one level each, so that every picture is known by its pixels."""
    level = first
    for name, count in counts.items():
        for k in range(count):
            save(root / name / f"{k:03}.png", np.full((side, side), level, np.uint8))
            level += 1
    return root


def levels(part: images.Images) -> dict[int, int]:
    """The class of every picture by its level."""
    assert (part.pixels == part.pixels[:, :, :1, :1]).all()
    return dict(zip(part.pixels[:, 0, 0, 0].tolist(), part.labels.tolist(), strict=True))


def loaded(text: str) -> ImageSet:
    where = place(text)
    assert where is not None
    return where.load()


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    """Three classes of grey pictures of 28 pixels a side, and a table of made-up accuracies of all architectures."""
    rng = np.random.default_rng(0)
    for name in CLASSES:
        for k in range(110):
            picture = Image.new("L", (28, 28), int(rng.integers(0, 80)))
            draw, (x, y), size = ImageDraw.Draw(picture), rng.integers(3, 10, 2).tolist(), int(rng.integers(10, 16))
            box, ink = (x, y, x + size, y + size), int(rng.integers(160, 255))
            if name == "circle":
                draw.ellipse(box, outline=ink, width=2)
            elif name == "square":
                draw.rectangle(box, outline=ink, width=2)
            else:
                draw.line(box, fill=ink, width=2)
                draw.line((x + size, y, x, y + size), fill=ink, width=2)
            save(tmp_path / "shapes" / name / f"{k}.png", np.asarray(picture))
    worth = {"none": 0.0, "skip_connect": 1.5, "nor_conv_1x1": 2.0, "nor_conv_3x3": 3.0, "avg_pool_3x3": 0.5}
    lines = ["arch,accuracy"]
    for genotype in SPACE.population:
        value = 40 + 2.9 * sum(worth[SPACE.ops[op]] for op in genotype) + rng.normal(0, 2)
        lines.append(f"{SPACE.show(genotype)},{min(value, 99.5):.2f}")
    (tmp_path / "shapes.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path / "shapes"


# The page


def test_from_files_to_a_drawn_figure_in_the_commands_of_the_page(
    shapes: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    block = re.search(r"```sh\n(# needs .*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    commands = [shlex.split(line) for line in block[1].strip().splitlines() if not line.startswith("#")]
    assert len(commands) == 4
    monkeypatch.chdir(shapes.parent)
    for words in commands[:3]:
        assert words[:3] == ["python", "-m", "bench"]
        assert main(words[3:]) == 0
    assert commands[3][:3] == ["python", "-m", "analysis"]
    assert draw_all(Options(results=Path(commands[3][3]))) == 0
    results = Results(Path("results/shapes"))
    name = loaded("folder:shapes").name
    assert re.fullmatch(r"shapes-[0-9a-f]{12}", name)
    rows = results.frame()
    assert set(rows["dataset"]) == set(rows["target"]) == {name}
    assert rows["test"].notna().all()
    assert rows.loc[rows["label"] == "parameters", "tau"].between(0.3, 0.9).all()  # as the table was made
    (record, *_) = (one for one in results.records() if one.label == "snas")
    assert record.place["searched_images"] == [198, 66]
    assert "60 % / 20 % / 20 %" in record.place["split"]
    figures = sorted((results.root / "figures").glob(f"tau_by_method-nb201-{name}-*.png"))
    assert figures
    caption = figures[0].with_suffix(".md").read_text(encoding="utf-8")
    assert name in caption
    assert "198 training and 66 validation images" in caption
    capsys.readouterr()


# What is read, and how it is parted


def test_a_whole_set_falls_into_parts_class_by_class(tmp_path: Path) -> None:
    counts = {"a": 20, "b": 11, "c": 3}
    made = loaded(f"folder:{numbered(tmp_path / 'set', counts)}")
    parts = [levels(part) for part in (made.train, made.valid, made.test)]
    assert (made.classes, made.channels, made.size) == (3, 1, 6)
    truth = dict(enumerate([0] * 20 + [1] * 11 + [2] * 3))
    together = Counter[int]()
    for part in parts:
        assert all(truth[level] == label for level, label in part.items())
        together.update(part.keys())
    assert together == Counter(truth.keys())  # each once: none in two parts, none lost
    shares = [[list(part.values()).count(label) for label in range(3)] for part in parts]
    assert shares == [[12, 7, 1], [4, 2, 1], [4, 2, 1]]
    again = loaded(f"folder:{tmp_path / 'set'}")
    assert [levels(part) for part in (again.train, again.valid, again.test)] == parts


def test_the_first_images_of_a_part_hold_all_classes(tmp_path: Path) -> None:
    made = loaded(f"folder:{numbered(tmp_path / 'set', {'a': 60, 'b': 30})}")
    for part in (made.train, made.valid, made.test):
        for count in range(3, len(part), 3):
            assert abs(np.count_nonzero(part.labels[:count] == 0) - 2 * count / 3) <= 1


@pytest.mark.parametrize("valid", ["val", "valid"])
def test_given_parts_stay_as_they_are(tmp_path: Path, valid: str) -> None:
    for part, first in (("train", 0), (valid, 50), ("test", 100)):
        numbered(tmp_path / "set" / part, {"a": 4, "b": 3}, first=first)
    made = loaded(f"folder:{tmp_path / 'set'}")
    assert {*levels(made.train)} == set(range(7))
    assert {*levels(made.valid)} == set(range(50, 57))
    assert {*levels(made.test)} == set(range(100, 107))
    shutil.rmtree(tmp_path / "set" / "test")
    assert len(loaded(f"folder:{tmp_path / 'set'}").test) == 0


def test_a_test_part_never_becomes_a_validation_part(tmp_path: Path) -> None:
    for part, first in (("train", 0), ("test", 100)):
        numbered(tmp_path / "set" / part, {"a": 8, "b": 4}, first=first)
    made = loaded(f"folder:{tmp_path / 'set'}")
    assert {*levels(made.test)} == set(range(100, 112))
    assert {*levels(made.train)} | {*levels(made.valid)} == set(range(12))
    assert [len(made.train), len(made.valid)] == [9, 3]
    assert "test images as given" in made.split


def test_moments_are_those_of_the_training_images(tmp_path: Path) -> None:
    made = loaded(f"folder:{numbered(tmp_path / 'set', {'a': 9, 'b': 9})}")
    pixels = made.train.pixels.astype(float) / 255
    assert made.mean == pytest.approx(pixels.mean((0, 2, 3)), abs=1e-12)
    assert made.std == pytest.approx(pixels.std((0, 2, 3)), abs=1e-12)


def test_one_picture_in_colour_makes_all_three_channels(tmp_path: Path) -> None:
    numbered(tmp_path / "set", {"a": 5, "b": 5})
    colour = np.zeros((6, 6, 3), np.uint8)
    colour[..., 0], colour[..., 2] = 200, 10
    save(tmp_path / "set" / "b" / "999.png", colour)
    made = loaded(f"folder:{tmp_path / 'set'}")
    every = np.concatenate([part.pixels for part in (made.train, made.valid, made.test)])
    assert every.shape == (11, 3, 6, 6)
    assert (every[:, :, 0, 0] == [200, 0, 10]).all(1).sum() == 1
    assert (every[:, 0] == every[:, 1]).all((1, 2)).sum() == 10


def test_a_side_takes_the_middle_of_every_picture(tmp_path: Path) -> None:
    """Stripes left and right of the middle square do not show."""
    for name, tall in (("a", 8), ("b", 24)):
        for k in range(3):
            pixels = np.full((tall, 3 * tall), 255, np.uint8)
            pixels[:, tall : 2 * tall] = 40 * k + (5 if name == "a" else 9)
            save(tmp_path / "set" / name / f"{k}.png", pixels)
    made = loaded(f"folder:{tmp_path / 'set'}@4")
    assert made.size == 4
    assert re.fullmatch(r"set-4px-[0-9a-f]{12}", made.name)
    found = {**levels(made.train), **levels(made.valid), **levels(made.test)}
    assert found == {5: 0, 45: 0, 85: 0, 9: 1, 49: 1, 89: 1}
    assert images.load(made.name, tmp_path).digest == made.digest


def test_a_turned_photograph_is_read_as_a_person_sees_it(tmp_path: Path) -> None:
    numbered(tmp_path / "set", {"a": 3, "b": 3}, side=4)
    turned = Image.fromarray(np.repeat(np.array([[0], [85], [170], [255]], np.uint8), 4, 1))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    turned.save(tmp_path / "set" / "a" / "turned.png", exif=exif)
    made = loaded(f"folder:{tmp_path / 'set'}")
    every = np.concatenate([part.pixels[:, 0] for part in (made.train, made.valid, made.test)])
    assert sum(one[0].tolist() == [255, 170, 85, 0] for one in every) == 1


# Arrays


def arrays(count: int = 12, shape: tuple[int, ...] = (6, 6), classes: int = 3) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (count, *shape), dtype=np.uint8)
    return {"images": pixels, "labels": np.arange(count) % classes}


def in_parts(image: str, label: str, parts: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    found = {}
    for part in parts:
        one = arrays(6)
        found |= {image.format(part): one["images"], label.format(part): one["labels"][:, None].astype(np.uint8)}
    return found


@pytest.mark.parametrize(
    ("shape", "channels", "side"),
    [((6, 6), 1, 6), ((6, 6, 1), 1, 6), ((5, 5, 3), 3, 5), ((3, 5, 5), 3, 5), ((7, 7, 4), 4, 7), ((2, 9, 9), 2, 9)],
)
def test_arrays_of_any_layout(shape: tuple[int, ...], channels: int, side: int, tmp_path: Path) -> None:
    given = arrays(12, shape)
    np.savez(tmp_path / "set.npz", **given)
    made = loaded(f"npz:{tmp_path / 'set.npz'}")
    assert (made.channels, made.size, made.classes) == (channels, side, 3)
    last = channels in shape[2:] and len(shape) == 3
    pixels = given["images"].reshape(12, *(shape if len(shape) == 3 else (1, *shape)))
    pixels = pixels.transpose(0, 3, 1, 2) if last else pixels
    known = {one.tobytes(): label for one, label in zip(pixels, given["labels"].tolist(), strict=True)}
    for part in (made.train, made.valid, made.test):
        assert [known.pop(one.tobytes()) for one in part.pixels] == part.labels.tolist()
    assert not known


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (("{}_images", "{}_labels"), ("train", "val", "test")),
        (("{}_images", "{}_labels"), ("train", "valid")),
        (("x_{}", "y_{}"), ("train", "test")),
    ],
)
def test_arrays_in_parts_are_named_as_people_name_them(
    names: tuple[str, str], parts: tuple[str, ...], tmp_path: Path
) -> None:
    np.savez_compressed(tmp_path / "set.npz", **in_parts(*names, parts))
    made = loaded(f"npz:{tmp_path / 'set.npz'}")
    sizes = len(made.train), len(made.valid), len(made.test)
    assert sizes == {"test": (3, 3, 6)}.get(parts[1], (6, 6, 6 if "test" in parts else 0))


def test_arrays_are_resized_as_pictures_are(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (6, 9, 12, 3), dtype=np.uint8)
    for k, one in enumerate(pixels):
        save(tmp_path / "set" / "ab"[k % 2] / f"{k}.png", one)
    order = [0, 2, 4, 1, 3, 5]  # as the folder has them: by class
    np.savez(tmp_path / "set.npz", images=pixels[order], labels=np.array([0, 0, 0, 1, 1, 1]))
    assert loaded(f"npz:{tmp_path / 'set.npz'}@5").name == loaded(f"folder:{tmp_path / 'set'}@5").name


# Names and keys


def test_the_key_follows_the_content_and_not_the_place(tmp_path: Path) -> None:
    first = numbered(tmp_path / "set", {"a": 6, "b": 6})
    name = loaded(f"folder:{first}").name
    shutil.copytree(first, tmp_path / "elsewhere" / "set")
    shutil.copytree(first, tmp_path / "other")
    assert loaded(f"folder:{tmp_path / 'elsewhere' / 'set'}").name == name
    renamed = loaded(f"folder:{tmp_path / 'other'}").name

    def key(dataset: str) -> str:
        return RunSpec("random", methods.get("random", "nb201"), "nb201", dataset, 0, SCALES["smoke"]).key

    assert renamed != name
    assert key(renamed) == key(name)
    path = first / "a" / "000.png"
    save(path, np.asarray(Image.open(path)) + np.uint8(1))
    changed = loaded(f"folder:{first}").name
    assert own(changed) != own(name)
    assert key(changed) != key(name)
    assert images.available(name, tmp_path) is None  # there is a folder of that name, with other images
    for there in (tmp_path / "elsewhere", tmp_path / "elsewhere" / "set", tmp_path / "other"):
        assert images.load(name, there).name == name
    with pytest.raises(BadData, match="is not there as it was"):
        images.load(name, tmp_path)


def test_a_results_folder_keeps_the_name_that_it_knows(tmp_path: Path) -> None:
    first = numbered(tmp_path / "set", {"a": 6, "b": 6})
    name = loaded(f"folder:{first}").name
    found = asked(f"folder:{first.rename(tmp_path / 'other')}", None, lambda: ["patches", name])
    assert found.name == name
    assert len(found.notes) == 1
    assert images.load(found.name, found.data).name == name
    numbered(first, {"a": 6, "b": 7})
    found = asked(f"folder:{first}", None, lambda: ["patches", name])
    assert found.name != name
    assert name in found.notes[0]
    with pytest.raises(BadSpec, match="leave --data out"):
        asked(f"folder:{first}", tmp_path)


def test_a_run_is_found_again_under_another_name(tmp_path: Path) -> None:
    results = tmp_path / "results"
    first = numbered(tmp_path / "set", {"a": 6, "b": 6})
    made = bench.run("random", dataset=f"folder:{first}", scale="smoke", results=results)
    again = bench.run("random", dataset=f"folder:{first.rename(tmp_path / 'other')}", scale="smoke", results=results)
    assert again.record == made.record
    assert made.record.place["images"].startswith("set (12 grey images of 6x6 pixels, 2 classes)")


def test_other_sets_keep_their_names() -> None:
    for name in (*images.NAMES, "imagenet", "cifar10-jpeg"):
        assert own(name) is None
        assert content(name) == name
    parts = own("my-set-0123456789ab")
    assert parts is not None
    assert (parts.word, parts.digest, parts.name) == ("my-set", "0123456789ab", "my-set-0123456789ab")


def test_a_set_is_searched_where_content_or_word_say_so() -> None:
    assert is_searched("set-0123456789ab", "set")
    assert is_searched("set-0123456789ab", "other-0123456789ab")
    assert not is_searched("set-0123456789ab", "set-aaaaaaaaaaaa")
    assert not is_searched("set-round-0123456789ab", "set")
    assert is_searched("cifar10-jpeg", "cifar10")


# What is refused


def _nothing(root: Path) -> str:
    return f"folder:{root / 'nowhere'}"


def _one_class(root: Path) -> str:
    return f"folder:{numbered(root / 'set', {'a': 6})}"


def _flat(root: Path) -> str:
    numbered(root / "set", {"a": 6, "b": 6})
    (root / "set" / "a" / "000.png").rename(root / "set" / "000.png")
    return f"folder:{root / 'set'}"


def _empty_class(root: Path) -> str:
    numbered(root / "set", {"a": 6, "b": 6})
    (root / "set" / "c").mkdir()
    return f"folder:{root / 'set'}"


def _small_class(root: Path) -> str:
    return f"folder:{numbered(root / 'set', {'a': 6, 'b': 2})}"


def _mixed(root: Path) -> str:
    numbered(root / "set", {"a": 6, "b": 6})
    numbered(root / "set", {"a": 1}, side=9)
    return f"folder:{root / 'set'}"


def _oblong(root: Path) -> str:
    for name in "ab":
        for k in range(3):
            save(root / "set" / name / f"{k}.png", np.full((4, 6), k, np.uint8))
    return f"folder:{root / 'set'}"


def _no_picture(root: Path) -> str:
    numbered(root / "set", {"a": 6, "b": 6})
    (root / "set" / "b" / "003.png").write_text("no picture", encoding="utf-8")
    return f"folder:{root / 'set'}"


def _cut_off(root: Path) -> str:
    rng = np.random.default_rng(0)
    for name in "ab":
        for k in range(3):
            path = save(root / "set" / name / f"{k}.png", rng.integers(0, 256, (40, 40), dtype=np.uint8))
    path.write_bytes(path.read_bytes()[:900])
    return f"folder:{root / 'set'}"


def _notes(root: Path) -> str:
    numbered(root / "set", {"a": 6, "b": 6})
    (root / "set" / "b" / "notes.txt").write_text("mine", encoding="utf-8")
    return f"folder:{root / 'set'}"


def _deep(root: Path) -> str:
    numbered(root / "set", {"a": 6, "b": 6, "b/more": 3})
    return f"folder:{root / 'set'}"


def _sixteen_bits(root: Path) -> str:
    numbered(root / "set", {"a": 6, "b": 6})
    Image.fromarray(np.full((6, 6), 4_000, np.uint16)).save(root / "set" / "a" / "000.png")
    return f"folder:{root / 'set'}"


def _transparent(root: Path) -> str:
    numbered(root / "set", {"a": 6, "b": 6})
    save(root / "set" / "a" / "000.png", np.full((6, 6, 4), 100, np.uint8))
    return f"folder:{root / 'set'}"


def _other_classes(root: Path) -> str:
    numbered(root / "set" / "train", {"a": 6, "b": 6})
    numbered(root / "set" / "test", {"a": 6, "c": 6})
    return f"folder:{root / 'set'}"


def _both_valid(root: Path) -> str:
    for part in ("train", "val", "valid"):
        numbered(root / "set" / part, {"a": 6, "b": 6})
    return f"folder:{root / 'set'}"


def _parts_and_classes(root: Path) -> str:
    for part in ("train", "test"):
        numbered(root / "set" / part, {"a": 6, "b": 6})
    return f"folder:{numbered(root / 'set', {'c': 3})}"


def _train_alone(root: Path) -> str:
    numbered(root / "set" / "train", {"a": 6, "b": 6})
    return f"folder:{root / 'set'}"


def _alike(root: Path) -> str:
    for name in "ab":
        for k in range(3):
            save(root / "set" / name / f"{k}.png", np.zeros((4, 4), np.uint8))
    return f"folder:{root / 'set'}"


def _a_name_of_the_program(root: Path) -> str:
    return f"folder:{numbered(root / 'cifar10', {'a': 6, 'b': 6})}"


def _a_name_that_is_none(root: Path) -> str:
    return f"folder:{numbered(root / 'käfer', {'a': 6, 'b': 6})}"


def _file_as_folder(root: Path) -> str:
    np.savez(root / "set.npz", **arrays())
    return f"folder:{root / 'set.npz'}"


def _folder_as_file(root: Path) -> str:
    return f"npz:{numbered(root / 'set', {'a': 6, 'b': 6})}"


def _a_link_to_nothing(root: Path) -> str:
    numbered(root / "set", {"a": 6, "b": 6})
    (root / "set" / "b" / "999.png").symlink_to(root / "gone.png")
    return f"folder:{root / 'set'}"


def _no_side(root: Path) -> str:
    return f"{_mixed(root)}@0"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_nothing, "there is no folder"),
        (_one_class, "has 1 class folder"),
        (_flat, "is in no class folder"),
        (_empty_class, "has no picture"),
        (_small_class, "class b has 2 images, and it takes 3"),
        (_mixed, "pictures of several sizes"),
        (_oblong, "have 6x4 pixels|of 6x4 pixels, and networks take squares"),
        (_no_picture, r"cannot decode the picture .*b/003\.png"),
        (_cut_off, r"cannot decode the picture .*b/2\.png"),
        (_notes, r"notes\.txt is no picture"),
        (_deep, "more is a folder"),
        (_sixteen_bits, "save it with 8 bits"),
        (_transparent, "has transparent pixels"),
        (_other_classes, "class 'b' is in one of train/ and test/ alone"),
        (_both_valid, "has both val/ and valid/"),
        (_parts_and_classes, "has c/ beside train/"),
        (_train_alone, "has train/ alone"),
        (_alike, "are alike"),
        (_a_name_of_the_program, "another set is called cifar10"),
        (_a_name_that_is_none, "the name of the set in"),
        (_file_as_folder, "is a file; folder:PATH takes a folder"),
        (_folder_as_file, "it is a folder; npz:FILE takes a file"),
        (_a_link_to_nothing, r"cannot read .*999\.png: No such file"),
        (_no_side, "not 0"),
        (lambda root: "npz:", "names no path"),
        (lambda root: f"npz:{root / 'none.npz'}", "there is no such file"),
        (lambda root: "foldr:set", "did you mean 'folder:PATH'"),
    ],
)
def test_a_bad_set_is_refused_in_one_line(
    make: Callable[[Path], str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "--methods", "random", "--scale", "smoke", "--results", str(tmp_path / "results")]
    assert main([*words, "--dataset", make(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert re.search(said, line), line
    assert not (tmp_path / "results" / "runs").exists()


def _plus(**more: Any) -> dict[str, Any]:
    return {**arrays(), **more}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"images": arrays()["images"]}, "it holds images without labels"),
        ({"pictures": arrays()["images"]}, "it holds pictures; a set is images and labels"),
        (_plus(names=np.array(["a"])), "it also holds 'names'"),
        (_plus(x=arrays()["images"], y=arrays()["labels"]), "it holds both images and x"),
        (_plus(**in_parts("{}_images", "{}_labels", ("train",))), "a whole set and parts"),
        (in_parts("{}_images", "{}_labels", ("train",)), "parts are train_ and valid_"),
        (in_parts("{}_images", "{}_labels", ("val", "test")), "parts are train_ and valid_"),
        (_plus(images=arrays()["images"] / 255), "images is float64; save pixels as uint8"),
        (_plus(images=arrays()["images"][0]), "labels is of shape|images is of shape"),
        (_plus(images=arrays()["images"][:, 0]), "images is of shape"),
        (_plus(images=arrays(shape=(3, 3, 3))["images"]), "cannot be told"),
        (_plus(images=arrays(shape=(4, 6))["images"]), "has images of 6x4 pixels"),
        (_plus(images=arrays(0)["images"]), "with none of them 0"),
        (_plus(labels=arrays()["labels"][:5]), "one label an image"),
        (_plus(labels=np.eye(12)), "labels is float64"),
        (_plus(labels=np.eye(12, dtype=int)), "one label an image"),
        (_plus(labels=np.array(list("abcabcabcabc"))), "labels is <U1"),
        (_plus(labels=arrays()["labels"] - 1), "labels goes from -1 to 1"),
        (_plus(labels=arrays()["labels"] * 2), "no image has label 1"),
        (_plus(labels=arrays()["labels"] * 10**6), "labels go up to 2000000 with 12 images"),
        (_plus(labels=np.zeros(12, int)), "one class"),
        (_plus(labels=np.array([0] * 10 + [1] * 2)), "class 1 has 2 images, and it takes 3"),
        (_plus(images=np.array([{"a": 1}] * 12)), "pickled objects, which are never opened"),
    ],
)
def test_bad_arrays_are_refused_in_one_line(
    given: dict[str, Any], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "set.npz", **given)
    words = ["run", "--methods", "random", "--scale", "smoke", "--results", str(tmp_path / "results")]
    assert main([*words, "--dataset", f"npz:{tmp_path / 'set.npz'}"]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert re.search(said, line), line
    assert "set.npz" in line


class _Opened:
    """Leaves a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_no_pickle_is_opened(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left = tmp_path / "opened"
    np.savez(tmp_path / "set.npz", images=np.array([_Opened(left)]), labels=np.zeros(1, int))
    (tmp_path / "bare.npz").write_bytes(pickle.dumps(_Opened(left)))
    for name in ("set", "bare"):
        assert main(["run", "--methods", "random", "--dataset", f"npz:{tmp_path / name}.npz"]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 2
    assert not left.exists()


def test_a_damaged_archive_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "set.npz"
    np.savez_compressed(path, **arrays(60))
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    for _ in range(30):
        content = bytearray(whole)
        if rng.random() < 0.3:
            content = content[: rng.integers(len(content))]
        else:
            content[rng.integers(len(content))] ^= 1 << rng.integers(8)
        path.write_bytes(bytes(content))
        code = main(["run", "--methods", "random", "--dataset", f"npz:{path}", "--results", str(tmp_path / "results")])
        said = capsys.readouterr().err.strip().splitlines()
        assert code in (0, 2)  # a bit that no content hangs on may change
        assert code == 0 or len(said) == 1


def test_sets_of_ones_own_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "datasets"]) == 0
    printed = capsys.readouterr().out
    assert "folder:PATH" in printed
    assert "npz:FILE" in printed
    assert main(["run", "--dataset", "unheard-of", "--methods", "random"]) == 2
    assert "folder:PATH" in capsys.readouterr().err


# Tables


def table_of(path: Path, archs: list[str]) -> Path:
    path.write_text("arch,accuracy\n" + "".join(f'"{arch}",{50 + k}\n' for k, arch in enumerate(archs)))
    return path


def test_half_unknown_architectures_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = [SPACE.show(SPACE.population.at(row)) for row in (5, 6)]
    path = table_of(tmp_path / "t.csv", [known[0], "|nor_conv_9x9~0|", known[1], "resnet18"])
    assert main(["import", str(path), str(tmp_path / "t.parquet"), "--dataset", "set"]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "2 of 4 rows name no architecture of nb201, the first on line 3" in line
    assert not (tmp_path / "t.parquet").exists()


def test_two_sets_under_one_name_are_not_scored_as_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results, names = tmp_path / "results", []
    for k in range(2):
        root = numbered(tmp_path / str(k) / "set", {"a": 6 + k, "b": 6})
        names.append(bench.run("random", dataset=f"folder:{root}", scale="smoke", results=results).record.identity)
    every = [SPACE.show(genotype) for genotype in SPACE.population][:40]
    table = tmp_path / "t.parquet"
    assert main(["import", str(table_of(tmp_path / "t.csv", every)), str(table), "--dataset", "set"]) == 0
    words = ["score", "--truth", str(table), "--results", str(results)]
    capsys.readouterr()
    assert main(words) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "2 sets are called so" in line
    assert main([*words, "--dataset", names[0]["dataset"]]) == 0
    assert main([*words, "--dataset", f"folder:{tmp_path / '0' / 'set'}"]) == 0
    (row,) = Results(results).frame().to_dict("records")
    assert (row["dataset"], row["target"]) == (names[0]["dataset"], "set")


def test_a_table_of_another_space(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from bench.spaces import get
    from bench.truth import open_truth

    for name in ("macro", "toy-darts"):
        space = get(name)
        some = [space.population.at(row) for row in (3, 77, 200)]
        path = table_of(tmp_path / f"{name}.csv", [space.show(genotype) for genotype in some])
        out = tmp_path / f"{name}.parquet"
        assert main(["import", str(path), str(out), "--dataset", "set", "--space", name]) == 0
        truth = open_truth(out)
        assert truth.space.name == name
        assert truth.scores(some, "set")[:, 1].tolist() == [50, 51, 52]
        assert np.isnan(truth.scores([space.population.at(9)], "set")).all()
    assert main(["import", str(path), str(tmp_path / "x.parquet"), "--dataset", "a/b"]) == 2
    assert "the name of a data set" in capsys.readouterr().err


def test_a_place_is_what_was_typed() -> None:
    assert place("patches") is None
    assert place("npz:a@8") == Place("npz", Path("a").absolute(), 8)
    assert place("folder:./b/../c/") == Place("folder", Path("c").absolute())
    assert place("folder:~/d") == Place("folder", Path("~/d").expanduser())
