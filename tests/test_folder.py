"""ImageNet as an ordinary folder: a small made one, what is read of it, and what is refused."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bench.cli.commands import main
from bench.errors import BadData, BadSpec
from bench.retraining import folder, retrain
from bench.retraining.folder import Folder, Streamed
from bench.retraining.recipes import recipe_named
from bench.retraining.retrain import Job
from bench.spaces.toy_darts import SPACE as TOY
from bench.store.spec import SCALES, Scale

CPU = torch.device("cpu")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two classes of six pictures to train on and two to test with, of different sides and endings, one grey."""
    for part, count in (("train", 6), ("val", 2)):
        for label, name in enumerate(("n01", "n02")):
            place = tmp_path / "imagenet" / part / name
            place.mkdir(parents=True)
            for k in range(count):
                pixels = np.full((230 + 10 * k, 300, 3), 60 + 100 * label + k, np.uint8)
                picture = Image.fromarray(pixels)
                (picture.convert("L") if k == 1 else picture).save(place / f"{k}.{'png' if k % 2 else 'JPEG'}")
    (tmp_path / "imagenet" / "train" / "n01" / "notes.txt").write_text("no picture")
    return tmp_path / "imagenet"


def test_pictures_have_the_class_of_their_folder(root: Path) -> None:
    found = Folder(root)
    assert (found.classes, found.names, len(found.train), found.tested) == (2, ["n01", "n02"], 12, 4)
    names = [f"{k}.{'png' if k % 2 else 'JPEG'}" for k in range(6)]
    assert [path.name for path, label in found.train if label == 0] == names
    assert Folder(root).digest == found.digest
    (root / "val" / "n02" / "0.JPEG").rename(root / "val" / "n02" / "9.JPEG")
    assert Folder(root).digest != found.digest


def test_a_pass_shows_every_picture_once_and_is_repeated_by_its_generator(root: Path) -> None:
    """The value of a picture's pixels tells its class, also behind changes of brightness by 40 %."""
    made = Folder(root)
    pictures = Streamed(made.train, made.test, 5, CPU)
    passes = [list(pictures.epoch(torch.Generator().manual_seed(seed))) for seed in (1, 1, 2)]
    for a, b, c in zip(*passes, strict=True):
        assert a.images.shape == (5, 3, 224, 224)
        assert torch.equal(a.images, b.images)
        assert not torch.equal(a.images, c.images)
    assert len(passes[0]) == len(pictures) == 2
    labels = torch.cat([batch.labels for batch in passes[0]])
    values = torch.cat([batch.images.mean((1, 2, 3)) for batch in passes[0]])
    assert values[labels == 1].min() > values[labels == 0].max()


def test_test_pictures_are_their_middle(root: Path) -> None:
    made = Folder(root)
    (batch,) = Streamed(made.train, made.test, 5, CPU).tests()
    assert batch.labels.tolist() == [0, 0, 1, 1]
    for image, level in zip(batch.images, (60, 61, 160, 161), strict=True):
        expected = [(level / 255 - mean) / std for mean, std in zip(folder.MEAN, folder.STD, strict=True)]
        torch.testing.assert_close(image.mean((1, 2)), torch.tensor(expected), rtol=0, atol=0.02)
    heights = np.repeat(np.arange(256, dtype=np.uint8), 2)
    ramp = Image.fromarray(np.tile(heights[:, None], (1, 256))).convert("RGB")
    rows = np.asarray(folder.middle(ramp))[:, 0, 0]
    assert (len(rows), int(rows[0]), int(rows[-1])) == (224, (512 - 224) // 2 // 2, (512 + 224) // 2 // 2 - 1)


def test_crops_lie_inside_and_have_the_shares_that_are_said() -> None:
    rng = np.random.default_rng(0)
    shares, ratios = [], []
    for _ in range(500):
        left, top, right, bottom = folder.crop(400, 300, rng)
        assert 0 <= left < right <= 400
        assert 0 <= top < bottom <= 300
        shares.append((right - left) * (bottom - top) / 120_000)
        ratios.append((right - left) / (bottom - top))
    assert 0.07 < min(shares) < 0.12
    assert max(shares) > 0.9
    assert 0.74 < min(ratios) < 0.8
    assert 1.28 < max(ratios) < 1.35
    assert folder.crop(2000, 1, rng) == (999, 0, 1000, 1)  # no draw fits


def test_a_scale_takes_its_share_of_every_class(root: Path) -> None:
    made, scale = Folder(root), Scale("some", 4, 1, 4, 2, 0.01, 0, 0)
    recipe = recipe_named("darts-imagenet")
    some = made.pictures(dataclasses.replace(recipe, batch=2), scale, CPU)
    assert [label for _, label in some.train] == [0, 0, 0, 1, 1, 1]
    assert len(made.pictures(dataclasses.replace(recipe, batch=2), SCALES["paper"], CPU).train) == 12
    with pytest.raises(BadSpec, match="fewer images than a batch: 12 < 128"):
        made.pictures(recipe, SCALES["paper"], CPU)


def _empty(root: Path) -> None:
    for path in (root / "train" / "n02").iterdir():
        path.unlink()


def _alone(root: Path) -> None:
    shutil.rmtree(root / "val" / "n02")
    (root / "val" / "n03").mkdir()


def _one(root: Path) -> None:
    shutil.rmtree(root / "train" / "n02")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (shutil.rmtree, "there is no folder"),
        (lambda root: shutil.rmtree(root / "val"), "ImageNet is train/ and val/"),
        (_one, "has 1 class folder"),
        (_alone, "class 'n02' is in one of train/ and val/ alone"),
        (_empty, "has no picture"),
    ],
)
def test_a_bad_folder_is_refused_in_one_line(
    damage: Callable[[Path], None], said: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(root)
    words = ["retrain", TOY.show(TOY.population.at(3)), "--space", "toy-darts", "--recipe", "darts-imagenet"]
    assert main([*words, "--data", str(root.parent), "--results", str(root.parent / "results"), "--device", "cpu"]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert said in line


def test_a_broken_picture_is_named(root: Path) -> None:
    path = root / "val" / "n01" / "0.JPEG"
    path.write_bytes(path.read_bytes()[:300])
    made = Folder(root)
    said = r"cannot decode the picture .*n01/0\.JPEG: .*; replace it or take it out"
    with pytest.raises(BadData, match=said) as caught:
        list(Streamed(made.train, made.test, 5, CPU).tests())
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_cell_is_retrained_on_a_folder(root: Path, tmp_path: Path) -> None:
    """The paper's recipe with auxiliary head and strided stems, at a tiny scale."""
    scale = Scale("tiny", 4, 1, 8, 4, 0.008, 0, 0)
    recipe = dataclasses.replace(recipe_named("darts-imagenet").shrunk(scale), batch=4)
    job = Job("toy-darts", TOY.population.at(3), recipe, scale, "imagenet", 0, tmp_path / "results", data=root.parent)
    made = retrain.make(job)
    assert (made.test_images, len(made.curve), made.identity["dataset"]) == (4, 2, "imagenet")
    assert 0 <= made.error <= 100
