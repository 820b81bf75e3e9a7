"""The gallery: one small picture of each kind, of the preferred setting, with a caption made from the drawing."""

from __future__ import annotations

import io
import re
import statistics
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from analysis import gallery
from analysis.__main__ import Options, draw_all
from analysis.chart import Axis, Chart
from analysis.load import load
from analysis.output import Drawn
from bench.errors import BadRecord
from bench.store.record import Results
from bench.store.spec import SCALES
from tests.test_analysis import made_up_run

COMMITTED = Path(__file__).parent.parent / "docs" / "gallery"
CHART = Chart(Axis("a", "number of cells"), Axis("b", "regret (points)"), low="low", high="high")


def figure(stem: Path, low: float | None = None) -> Path:
    """A picture with a caption and numbers, as a figure is written."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    data = pd.DataFrame({"label": ["darts", "rsps", "rsps"], "a": 1, "b": 2, "low": low, "high": low})
    data.to_csv(f"{stem}.csv", index=False)
    Path(f"{stem}.md").write_text("**A head.** A long text.\n")
    Image.new("RGB", (400, 300), (10, 20, 30)).save(f"{stem}.png")
    return Path(f"{stem}.png")


@pytest.fixture
def results(tmp_path: Path) -> Results:
    results = Results(tmp_path)
    made_up_run(results, "darts", 0, scale=SCALES["quick"])
    made_up_run(results, "darts", 0, scale=SCALES["mini"], dataset="cifar10-jpeg", targets=["cifar10", "cifar100"])
    return results


def drawn_in(results: Results, low: float | None = None) -> list[tuple[str, object, Drawn]]:
    slugs = ["cifar10-jpeg-cifar100-mini", "cifar10-jpeg-cifar10-mini", "patches-patches-quick"]
    files = tuple(figure(results.root / "figures" / f"kind-nb201-{slug}-table", low) for slug in slugs)
    return [("kind", SimpleNamespace(CHART=CHART), Drawn(files)), ("none", SimpleNamespace(), Drawn(()))]


def test_the_picture_is_of_the_setting_of_the_first_table(results: Results) -> None:
    (picture,) = gallery.pictures(drawn_in(results), load(results).frame)
    assert (picture.name, picture.head) == ("kind", "A head")
    assert picture.file.name == "kind-nb201-patches-patches-quick-table.png"


def test_the_caption_names_setting_axes_and_what_is_drawn(results: Results) -> None:
    (without,) = gallery.pictures(drawn_in(results), load(results).frame)
    (with_bars,) = gallery.pictures(drawn_in(results, low=0.5), load(results).frame)
    for word in ("A head", "patches", "quick", "2 methods", "number of cells", "regret (points)"):
        assert word in without.caption
    assert "interval" in with_bars.caption
    assert "interval" not in without.caption


def test_a_figure_of_no_setting_and_no_chart_says_what_its_module_says(results: Results) -> None:
    file = figure(results.root / "figures" / "alone")
    module = SimpleNamespace(READ="Each line is a cell.")
    (picture,) = gallery.pictures([("alone", module, Drawn((file,)))], load(results).frame)
    assert picture.caption == "A head. Each line is a cell."


def test_a_picture_becomes_small_and_keeps_its_shape(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (900, 1800, 3), dtype=np.uint8)
    path = tmp_path / "noise.png"
    Image.fromarray(noise).save(path)
    content = gallery.small(path)
    assert len(content) <= gallery.BYTES < path.stat().st_size
    with Image.open(io.BytesIO(content)) as image:
        assert image.width / image.height == pytest.approx(2, rel=0.01)
        assert image.width >= gallery.NARROWEST


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.png"
    path.write_text("no picture")
    with pytest.raises(BadRecord, match="cannot read the picture"):
        gallery.small(path)


def test_the_page_shows_every_picture(results: Results, tmp_path: Path) -> None:
    paths = gallery.write(tmp_path / "gallery", drawn_in(results), load(results).frame)
    assert sorted(path.name for path in paths) == ["README.md", "kind.png"]
    assert "(kind.png)" in paths[-1].read_text()


def test_the_command_writes_gallery_and_readme_beside_what_it_draws(results: Results, tmp_path: Path) -> None:
    page, folder = tmp_path / "page.md", tmp_path / "gallery"
    page.write_text("No part of it is generated.\n")
    assert draw_all(Options(results.root, gallery=folder, readme=(page,))) == 0
    kinds = {path.stem.partition("-")[0] for path in (results.root / "figures").glob("*.png")}
    assert {path.stem for path in folder.glob("*.png")} == kinds != set()
    assert page.read_text() == "No part of it is generated.\n"


def test_the_committed_gallery_is_light_and_whole() -> None:
    page = (COMMITTED / gallery.PAGE).read_text()
    shown = re.findall(r"!\[[^\]]*\]\(([\w.-]+\.png)\)\n\n(.+)", page)
    assert {name for name, _ in shown} == {path.name for path in COMMITTED.glob("*.png")}
    sizes = [path.stat().st_size for path in COMMITTED.glob("*.png")]
    assert max(sizes) <= gallery.BYTES
    assert sum(sizes) <= 2_000_000
    assert statistics.median(len(text.split()) for _, text in shown) < 70
