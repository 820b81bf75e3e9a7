"""Rank correlation by number of images: blocks by hand, and files that are refused."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.stats import kendalltau

from analysis import caption, stats
from analysis.figures import image_noise
from analysis.load import load
from analysis.runs import searched
from bench.cli.commands import main
from bench.errors import BadRecord
from bench.store.record import Results
from bench.store.spec import SCALES, plain
from tests.test_analysis import made_up_run

CELLS, BLOCKS, IMAGES = 40, 6, 50
TRUTH = np.round(np.linspace(70, 93, CELLS), 1)


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "results")


def with_blocks(results: Results) -> tuple[str, np.ndarray, np.ndarray]:
    """A run with estimates by block: the key, `[n, blocks]` accuracy and cross-entropy."""
    key = made_up_run(results, "rsps", 0, pairs=([0.5] * CELLS, list(TRUTH)))
    rng = np.random.default_rng(0)
    accuracy = np.float32(TRUTH[:, None] / 100 + rng.normal(0, 0.05, (CELLS, BLOCKS)))
    loss = np.float32(1 - TRUTH[:, None] / 100 + rng.normal(0, 0.02, (CELLS, BLOCKS)))
    write(results, key, accuracy, loss)
    return key, accuracy.astype(float), loss.astype(float)


def write(results: Results, key: str, accuracy: np.ndarray, loss: np.ndarray, run: str = "") -> Path:
    columns = {"position": np.arange(CELLS, dtype=np.int32)}
    for block in range(accuracy.shape[1]):
        columns |= {f"accuracy_{block}": accuracy[:, block], f"cross_entropy_{block}": loss[:, block]}
    path = results.blocks_path(key)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns).replace_schema_metadata({"run": run or key, "images": str(IMAGES)}), path)
    return path


def test_more_images_are_the_means_of_blocks(results: Results) -> None:
    _, accuracy, loss = with_blocks(results)
    ((_, rows),) = searched(load(results).frame)
    data = image_noise.prepare(stats.done(rows), results)
    assert image_noise.sizes(BLOCKS) == [1, 2, 4, 6]
    assert image_noise.sizes(8) == [1, 2, 4, 8]
    for measure, values in (("accuracy", accuracy), ("cross-entropy", -loss)):
        own = data[data["measure"] == measure]
        blocks = [kendalltau(values[:, block], TRUTH).statistic for block in range(BLOCKS)]
        assert list(own.loc[own["kind"] == "block", "tau"]) == pytest.approx(blocks)
        first = own[own["kind"] == "first"].set_index("images")["tau"]
        assert first[50] == pytest.approx(blocks[0])
        assert first[100] == pytest.approx(kendalltau(values[:, 0] + values[:, 1], TRUTH).statistic)
        drawn = own[own["kind"] == "drawn"].set_index("images")
        assert (drawn["tau"][50], drawn["sd"][50]) == pytest.approx((np.mean(blocks), np.std(blocks, ddof=1)))
        assert drawn["tau"][300] == first[300] == pytest.approx(kendalltau(values.sum(axis=1), TRUTH).statistic)
        every = [
            kendalltau(values[:, a] + values[:, b], TRUTH).statistic for a in range(BLOCKS) for b in range(a)
        ]  # all 15 pairs of blocks, of which 150 are drawn
        assert drawn["tau"][100] == pytest.approx(np.mean(every), abs=4 * np.std(every) / np.sqrt(image_noise.DRAWS))
        assert drawn["low"][100] >= min(every) - 1e-9
        assert drawn["high"][100] <= max(every) + 1e-9


def test_the_figure_says_where_the_first_block_stands(results: Results) -> None:
    _, _, loss = with_blocks(results)
    drawn = image_noise.draw(load(results).frame, results)
    (text,) = [path.read_text() for path in drawn.paths if path.suffix == ".md"]
    taus = [kendalltau(-loss[:, block], TRUTH).statistic for block in range(BLOCKS)]
    rank = sorted(taus).index(taus[0]) + 1
    assert f"on the first 50 {taus[0]:.3f} (rank {rank} of 6 blocks, the worst first)" in text
    assert {path.suffix for path in drawn.paths} == {".pdf", ".png", ".csv", ".md"}


def test_without_blocks_nothing_is_drawn(results: Results) -> None:
    made_up_run(results, "rsps", 0, pairs=([0.5] * CELLS, list(TRUTH)))
    assert image_noise.draw(load(results).frame, results).paths == ()


def test_blocks_of_another_run_or_no_blocks_are_refused(results: Results) -> None:
    key, accuracy, loss = with_blocks(results)
    path = write(results, key, accuracy, loss, run="0" * 16)
    with pytest.raises(BadRecord, match="they are of run 0000000000000000"):
        image_noise.read(path, key)
    path.write_bytes(b"no parquet")
    with pytest.raises(BadRecord, match=f"{path} holds no estimates by blocks") as caught:
        image_noise.read(path, key)
    assert main(shlex.split(str(caught.value).split("`python -m bench ")[1].split("`")[0])) == 0
    assert not path.exists()


def test_captions_say_on_which_images_estimates_are_made() -> None:
    quick, all_ = SCALES["quick"], SCALES["decisive"]
    assert caption.scale_numbers(plain(quick)).endswith("probe of 3,000 architectures on 250 images")
    assert caption.scale_numbers(plain(all_)).endswith("probe of 1,000 architectures on all validation images")
    drawn = replace(all_, probe_images=250)
    assert caption.scale_numbers(plain(drawn)).endswith("on 250 images, drawn anew for every seed")
