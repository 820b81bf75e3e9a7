"""The report on made-up results: read by the standard library's parser, and where there is one by a real browser."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pandas as pd
import pytest

from analysis.__main__ import Options, draw_all
from analysis.chart import Axis, Chart
from analysis.figures import regret_vs_cost
from analysis.load import load
from analysis.output import Drawn
from analysis.report import checklist, drawing, items, markup, page, plots, runs
from bench.errors import BadRecord
from bench.spaces.nb201 import CONV3, NONE
from bench.spaces.nb201 import SPACE as NB201
from bench.store.record import Results
from bench.store.spec import key_of
from tests.test_analysis import made_up_run, made_up_study

VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "wbr"}
HOSTILE = "me_thod</script><b>&\"'*|x"


@dataclass
class Node:
    """An element with its attributes, text and children."""

    tag: str
    attrs: dict[str, str] = field(default_factory=dict)
    children: list[Any] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(child if isinstance(child, str) else child.text for child in self.children)

    def all(self, tag: str = "", **attrs: str) -> list[Node]:
        """Every element below, with that tag and these attributes, in document order."""
        found = []
        for child in self.children:
            if isinstance(child, Node):
                if (not tag or child.tag == tag) and attrs.items() <= child.attrs.items():
                    found.append(child)
                found += child.all(tag, **attrs)
        return found

    def by_id(self, name: str) -> Node:
        (found,) = self.all(id=name)
        return found

    def classed(self, name: str) -> list[Node]:
        return [node for node in self.all() if name in node.attrs.get("class", "").split()]


class Tree(HTMLParser):
    """The page as nodes; an element that is not closed where it should be is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.root = Node("root")
        self.open = [self.root]
        self.feed(text)
        self.close()
        assert [node.tag for node in self.open] == ["root"]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"{tag} repeats an attribute: {names}"
        node = Node(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def parsed(results: Results, name: str = page.NAME) -> Node:
    return Tree((results.root / name).read_text()).root


def rows_of(table: Node) -> dict[str, dict[str, str]]:
    """First cell → head → text."""
    heads = [head.text for head in table.all("thead")[0].all("th")]
    lines = [[cell.text for cell in row.children] for row in table.all("tbody")[0].all("tr")]
    return {line[0]: dict(zip(heads, line, strict=True)) for line in lines}


def tables(root: Node, caption: str) -> list[Node]:
    return [table for table in root.all("table") if table.all("caption")[0].text.startswith(caption)]


@pytest.fixture(scope="module", autouse=True)
def _any_label() -> Iterator[None]:
    """No record may have a label that is markup; the page is safe all the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.store.strict.require", lambda kind, value: None)
        yield


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Two settings, a hostile label, a diverged and a failed run; drawn with `--partial`, for tests that only read."""
    results = made_up_study(Results(tmp_path_factory.mktemp("report") / "results"))
    for seed in range(3):
        made_up_run(results, HOSTILE, seed, test=88.0 + seed, config={"protocol": "fair"})
        made_up_run(results, "random", seed, dataset="cifar10-jpeg", targets=("cifar10", "cifar100"), truth="official")
    made_up_run(results, "fewshot", 0, status="failed", scored=False)
    assert draw_all(Options(results.root, partial=True)) == 0
    return results


@pytest.fixture(scope="module")
def root(study: Results) -> Node:
    return parsed(study)


@pytest.fixture(scope="module")
def run_pages(study: Results) -> Node:
    return parsed(study, page.RUNS)


# The page as a document


def test_the_page_is_whole_and_needs_nothing_beside_it(study: Results, root: Node) -> None:
    for name in (page.NAME, page.RUNS):
        text = (study.root / name).read_text()
        assert text.startswith("<!DOCTYPE html>")
        assert not root.all("link")
        assert not root.all("iframe")
        assert not re.search(r"@import|@font-face|url\(", text)
    for node in (*root.all(), *parsed(study, page.RUNS).all()):
        for name in ("src", "href", "srcset", "data", "poster", "action"):
            address = node.attrs.get(name, "")
            assert not re.match(r"(?i)\s*([a-z]+:)?//", address), address
            assert ":" not in address or address.startswith("data:image/webp;base64,")
        assert not [name for name in node.attrs if name.startswith("on")]


@pytest.mark.parametrize("name", [page.NAME, page.RUNS])
def test_the_policy_lets_this_script_run_and_nothing_else(study: Results, name: str) -> None:
    root = parsed(study, name)
    (policy,) = (node.attrs["content"] for node in root.all("meta") if "http-equiv" in node.attrs)
    (script,) = (node for node in root.all("script") if "type" not in node.attrs)
    digest = base64.b64encode(hashlib.sha256(script.text.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy


@pytest.mark.parametrize("name", [page.NAME, page.RUNS])
def test_ids_are_unique_and_every_link_leads_somewhere(study: Results, name: str) -> None:
    root, others = parsed(study, name), {other: parsed(study, other) for other in (page.NAME, page.RUNS)}
    views = {node.attrs["data-view"] for node in others[page.NAME].classed("answer")}
    ids = [node.attrs["id"] for node in root.all() if "id" in node.attrs]
    assert not [name for name, count in Counter(ids).items() if count > 1]
    links = [node.attrs["href"] for node in root.all("a")]
    assert len(links) > 20
    for link in links:
        file, _, place = link.partition("#")
        assert not file or (study.root / file).is_file()
        if place.startswith("?view="):
            assert place.removeprefix("?view=") in views
        elif place:
            there = others[file] if file else root
            assert place in {node.attrs.get("id") for node in there.all()}


def test_headings_tables_and_pictures_can_be_found_by_ear(root: Node) -> None:
    levels = [int(node.tag[1]) for node in root.all() if re.fullmatch(r"h[1-6]", node.tag)]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    for table in root.all("table"):
        assert table.all("caption")[0].text.strip()
        assert all(head.attrs["scope"] in ("col", "row") for head in table.all("th"))
        for row in table.all("tbody")[0].all("tr"):
            assert [cell.text.strip() != "" for cell in row.all("th", scope="row")] == [True]
    assert len(root.all("img")) >= 1
    assert all(len(image.attrs["alt"]) > 20 for image in root.all("img"))
    assert root.all("html")[0].attrs["lang"] == "en"
    for control in [*root.all("select"), *root.all("input")]:
        assert any(control in label.all() for label in root.all("label"))


def test_without_script_all_is_there_and_only_controls_are_hidden(root: Node, run_pages: Node) -> None:
    hidden = [node for node in root.all() if "hidden" in node.attrs]
    assert {node.attrs["class"].split()[-1] for node in hidden} <= {"filters", "chart", "chart-note"}
    style = root.all("style")[0].text
    hiding = re.findall(r"([^{}]+)\{[^{}]*display:\s*none", re.sub(r"@media (print|screen).*", "", style, flags=re.S))
    by_script = re.compile(r"^(html)?\.(routed|ready)\b|^\[hidden\]|^#filter-said:empty$|^\.phone$")
    for selector in (part.strip() for selectors in hiding for part in selectors.split(",")):
        assert by_script.match(selector), selector
    assert len(run_pages.classed("run")) == 3 + 1 + 4 + 2 + 3 + 3 + 1


def test_equal_results_give_equal_bytes(study: Results) -> None:
    """Rendered twice from the same files, read anew."""

    def text() -> str:
        drawn = [
            (folder, page, Drawn(tuple(sorted((study.root / folder).iterdir())))) for folder in ("tables", "figures")
        ]
        return page.render(Results(study.root), load(study, partial=True), drawn, ["a line"])

    first = text()
    assert first == text()


def test_any_label_is_text_and_never_markup(root: Node, run_pages: Node) -> None:
    assert not [node for node in root.all("b") if node.attrs.get("class") != "no" and "&" in node.text]
    named = [row for row in root.all("tr") if row.attrs.get("data-m") == HOSTILE]
    assert named
    assert any(page_.all("h2")[0].text == f"{HOSTILE}, seed 0" for page_ in run_pages.classed("run"))
    looks = json.loads(root.by_id("looks").text)
    assert looks[HOSTILE][0] == HOSTILE
    assert looks[HOSTILE][4] == "fair"


# Tables and figures


def test_tables_hold_the_numbers_of_their_csv(study: Results, root: Node) -> None:
    (path,) = (study.root / "tables").glob("main-nb201-patches-*.csv")
    data = pd.read_csv(path)
    means = data[data["quantity"] == "test"].set_index("label")["mean"]
    (table,) = tables(root, "Choice, patches")
    shown = rows_of(table)
    assert shown["DARTS"]["test (%)"] == "91.00 [90.00, 92.00]"
    for name, label in (("Random", "random"), ("DARTS", "darts"), ("RSPS", "rsps")):
        assert float(shown[name]["test (%)"].split()[0]) == pytest.approx(means[label], abs=0.005)
    marked = {row.children[0].text: row.attrs.get("data-m") for row in table.all("tbody")[0].all("tr")}
    assert (marked["DARTS"], marked["RSPS"]) == ("darts", "rsps")


def test_every_file_that_was_drawn_is_in_the_page(study: Results, root: Node) -> None:
    linked = {node.attrs["href"] for node in root.all("a")}
    written = [path for folder in ("tables", "figures") for path in (study.root / folder).iterdir()]
    assert {path.relative_to(study.root).as_posix() for path in written} <= linked


def test_items_say_which_setting_they_are_of(root: Node) -> None:
    settings = {option.attrs["value"] for option in root.by_id("filter-setting").all("option")} - {""}
    assert len(settings) == 2
    of_items = [node.attrs for node in root.classed("item") if "data-setting" in node.attrs]
    assert {attrs["data-setting"] for attrs in of_items} == settings
    regret = [attrs for attrs in of_items if attrs["id"].startswith("figure-regret_vs_cost-nb201-cifar10-jpeg-")]
    assert sorted(attrs["data-target"] for attrs in regret) == ["cifar10", "cifar100"]
    (cifar,) = (attrs for attrs in of_items if attrs["id"].startswith("table-main-nb201-cifar10"))
    within = [node.attrs.get("data-target") for node in root.by_id(cifar["id"]).classed("scroll")]
    assert within == ["cifar10", "cifar10", "cifar100", "cifar100", None]  # the cost is of no target


def test_charts_hold_the_numbers_of_their_csv(study: Results, root: Node) -> None:
    (path,) = (study.root / "figures").glob("regret_vs_cost-nb201-patches-*.csv")
    data = pd.read_csv(path)
    columns = json.loads(root.by_id(f"plot-figure-{path.stem}").text)["columns"]
    for name in regret_vs_cost.CHART.columns:
        told = pd.Series(plots.decoded(columns[name]))
        if data[name].dtype.kind in "if":
            assert told.astype(float).to_numpy() == pytest.approx(data[name].to_numpy(), nan_ok=True, rel=1e-5)
        else:
            assert list(told) == list(data[name])


def test_dots_are_thinned_and_nothing_else() -> None:
    chart = Chart(Axis("x", ""), Axis("y", ""), marks=(("dot", "dots"), ("end", "marker")), run="", most=10)
    data = pd.DataFrame({"label": ["a"] * 95 + ["b"] * 5, "kind": ["dot"] * 90 + ["end"] * 5 + ["dot"] * 5})
    data = data.assign(x=range(100), y=0.0)
    kept = plots.thinned(data, chart)
    counts = kept.groupby(["label", "kind"]).size().to_dict()
    assert counts == {("a", "dot"): 10, ("a", "end"): 5, ("b", "dot"): 5}
    assert {0, 89} <= set(kept["x"])


def test_an_axis_is_logarithmic_where_its_values_are_wide(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    pd.DataFrame({"label": "a", "x": [1.0, 100.0, 1e4], "y": [0.0, 1.0, 50.0]}).to_csv(path, index=False)
    wide = Chart(Axis("x", "", wide=30), Axis("y", "", wide=30, floor=0.1), run="")
    content = plots.read(path, wide).content
    assert (content["x"]["scale"], content["y"]["scale"]) == ("log", "symlog")
    content = plots.read(path, replace(wide, x=Axis("x", "", wide=1e6), y=Axis("y", ""))).content
    assert (content["x"]["scale"], content["y"]["scale"]) == ("linear", "linear")
    with pytest.raises(BadRecord, match="lacks the columns z"):
        plots.read(path, replace(wide, low="z"))


def test_a_picture_that_is_none_is_refused_in_one_line(study: Results) -> None:
    loaded = load(study, partial=True)
    paths = (study.root / "figures" / "broken.md", study.root / "figures" / "broken.png")
    for path in paths:
        path.write_text("no picture")
    try:
        with pytest.raises(BadRecord, match=r"cannot read the picture .*broken\.png"):
            page.render(study, loaded, [("broken", page, Drawn(paths))], [])
    finally:
        for path in paths:
            path.unlink()


def test_a_new_drawing_is_in_the_page_without_another_edit(study: Results) -> None:
    loaded = load(study, partial=True)
    slug = next(iter(items.known_settings(loaded.frame)))
    folder = study.root / "tables"
    (folder / f"novel-{slug}.md").write_text("**Brand new**\n\n| Method | verdict |\n|:--|--:|\n| DARTS | within |\n")
    module = SimpleNamespace(__doc__="Something new.\n\nAnd more.")
    try:
        drawn = Drawn((folder / f"novel-{slug}.md",))
        text = page.render(study, loaded, [("novel", module, drawn)], ["novel: a line"])
    finally:
        (folder / f"novel-{slug}.md").unlink()
    root = Tree(text).root
    assert root.by_id("tables-novel").all("summary")[0].text == "Something new."
    (table,) = tables(root, "Brand new")
    assert rows_of(table) == {"DARTS": {"Method": "DARTS", "verdict": "within"}}
    assert table.all("span")[0].attrs["class"] == "verdict within"
    assert rows_of(tables(root.by_id("missing"), "What could not")[0])["novel"]["why, and what to do"] == "a line"


def test_markdown_is_read_as_tables_titles_and_text() -> None:
    text = "# Head\n\nWords.\n\n**Title**\n\n| a | b |\n|:--|--:|\n| x\\|y | 1.0 [0.5, 2.0] |\n\n**not** a title <i>\n"
    head, words, table, last = markup.read(text, {"x|y": "xy"}.get)  # type: ignore[arg-type]
    assert isinstance(head, markup.Text)
    assert "Head" in head.html
    assert isinstance(words, markup.Text)
    assert isinstance(table, markup.Table)
    assert (table.title, table.heads) == ("Title", ("a", "b"))
    assert table.rows == (markup.Row(("x|y", "1.0 [0.5, 2.0]"), "xy"),)
    assert isinstance(last, markup.Text)
    assert "&lt;i&gt;" in last.html
    assert markup.cell_html("1.0 [0.5, 2.0]") == '1.0 <span class="ci">[0.5, 2.0]</span>'
    html = markup.cell_html("1.0 ± 0.2 [0.5, 2.0] (published ≈ 3 <b>; not comparable a, b)")
    assert html.startswith(
        '1.0 ± 0.2 <span class="ci">[0.5, 2.0]</span> <span class="beside">published ≈ 3 &lt;b&gt;; '
    )
    assert '<span class="verdict not-comparable">not comparable a, b</span>' in html
    assert markup.cell_html("0.3 (n = 2)") == '0.3 <span class="ci">(n = 2)</span>'
    both = markup.cell_html("88.0 (n = 4) [87.0, 89.0] (published 87.66; within)")
    assert both == (
        '88.0 <span class="ci">(n = 4)</span> <span class="ci">[87.0, 89.0]</span> '
        '<span class="beside">published 87.66; <span class="verdict within">within</span></span>'
    )
    assert markup.cell_html("<i> (n)") == "&lt;i&gt; (n)"


@pytest.mark.parametrize(
    ("cell", "verdict"),
    [
        ("within", "within"),
        ("undecided", "undecided"),
        ("91.0 [90.0, 92.0] (published 90.5 ± 0.1; within)", "within"),
        ("– (published 54.30; not comparable a, b)", "not comparable"),
        ("91.0 (published not found)", ""),
        ("91.0 (n = 2)", ""),
        ("above all (searches)", ""),
        ("format", ""),
        ("91.00", ""),
    ],
)
def test_verdicts_are_found_in_cells(cell: str, verdict: str) -> None:
    assert markup.verdict_of(cell) == verdict


@pytest.mark.parametrize(
    ("heads", "shown"),
    [
        ("Paper | First | Second | n | p | verdict | why", ["Paper", "First", "Second", "verdict", "n", "p", "why"]),
        ("Method | n | verdict", ["Method", "verdict", "n"]),
        ("Method | verdict", ["Method", "verdict"]),
        ("Method | n", ["Method", "n"]),
    ],
)
def test_a_verdict_stands_behind_what_is_compared(heads: str, shown: list[str]) -> None:
    count = len(heads.split(" | "))
    rule = "|".join([":--"] * count)
    (table,) = markup.read(f"| {heads} |\n|{rule}|\n| {heads} |\n", lambda text: "")
    assert isinstance(table, markup.Table)
    assert list(table.heads) == list(table.rows[0].cells) == shown


def test_columns_are_set_by_what_is_in_them() -> None:
    rows = [
        ("a", "1.0", "2 of 3", "word", "x" * 40, "|nor_conv_3x3~0|+|none~0|none~1|", "–"),
        ("b", "–", "none", "other", "short", "|none~0|", "– (published 3)"),
        ("c", "-2", "none", "4th", "", "|none~0|", ""),
    ]
    head, body = (
        Tree(f"<table>{markup.rows_html(list('abcdefg'), rows)}</table>").root.all(t)[0] for t in ("thead", "tbody")
    )
    kinds = [cell.attrs["class"] for cell in head.all("th")]
    assert kinds == ["text", "", "text", "text", "text wide", "text", ""]
    assert [cell.attrs.get("class", "") for cell in body.all("tr")[0].children[1:]] == kinds[1:]


# Runs


def test_the_page_of_a_run_tells_its_record(study: Results, root: Node, run_pages: Node) -> None:
    record = next(r for r in study.records() if r.label == "darts" and r.identity["seed"] == 1)
    own = run_pages.by_id(f"run/{record.key}")
    (scores,) = tables(own, "Scores of the choice")
    told = rows_of(scores)["patches, table"]
    assert (told["test (%)"], told["regret (points)"], told["rank"]) == ("91.00", "4.00", "107")
    (finalists,) = tables(own, "Finalists")
    assert [cells["estimate (%)"] for cells in rows_of(finalists).values()] == ["40.00", "50.00"]
    assert "2 (chosen)" in rows_of(finalists)
    (cost,) = tables(own, "Cost by phase")
    assert rows_of(cost)["total"]["forward images"] == "3,000"
    pairs = {line.all("dt")[0].text: line.all("dd")[0].text for line in own.all("dl")[0].all("div")}
    assert (pairs["name"], pairs["scale.channels"]) == ("made_up", "8")
    assert len(own.all("svg", **{"class": "curve"})[0].all("circle")) == 3
    assert f"python -m bench show {record.key}" in own.text
    link = root.by_id("runs").all("a", href=f"{page.RUNS}#run/{record.key}")
    assert [node.text for node in link] == [record.key[:8]]


def test_runs_without_a_choice_and_what_is_missing_are_listed(root: Node) -> None:
    said = root.by_id("missing").text
    assert "DARTS, seed 3, patches, scale small: diverged" in said
    assert "Few-Shot, DARTS, seed 0, patches, scale small: failed" in said
    (gaps,) = tables(root.by_id("missing"), "What could not be drawn")
    assert any(
        "1 failed or interrupted (fewshot seed 0)" in cells["why, and what to do"] for cells in rows_of(gaps).values()
    )
    assert "`" not in said
    assert "no random baseline" not in said


def test_a_cell_is_drawn_with_all_its_operations() -> None:
    svg = Tree(drawing.cell(NB201, (CONV3, NONE, 1, 2, 4, CONV3))).root.all("svg")[0]
    assert len(svg.all("circle")) == 4
    assert len(svg.classed("edge")) == 6
    assert len(svg.classed("head")) == 5  # nothing arrives where there is no operation
    assert "0 to 1: conv 3×3; 0 to 2: none; 1 to 2: skip" in svg.attrs["aria-label"]
    assert [node.text for node in svg.classed("name")] == ["in", "1", "2", "out"]


def test_a_curve_has_its_values_in_it() -> None:
    svg = Tree(drawing.curve([(0, 10.0), (50, 30.0), (100, 20.0)], "images", "test (%)", held=True)).root.all("svg")[0]
    ends = [(float(node.attrs["cx"]), float(node.attrs["cy"])) for node in svg.all("circle")]
    assert ends[0][0] < ends[1][0] < ends[2][0]
    assert ends[1][1] < ends[2][1] < ends[0][1]  # up is smaller
    assert [node.all("title")[0].text for node in svg.all("circle")][1] == "50 images: 30"
    assert drawing.curve([(0, 1.0)], "", "", held=True) == ""
    many = Tree(drawing.curve([(x, float(x)) for x in range(100)], "steps", "loss", held=False)).root
    assert len(many.all("circle")) == 20
    assert many.classed("line")[0].attrs["d"].count("L") == 99


def test_numbers_of_a_run_are_printed_as_they_are_known(study: Results) -> None:
    pages = runs.pages(study)
    assert [p.status for p in pages].count("failed") == 1
    assert {p.protocol for p in pages} == {"both", "fair"}
    assert all(p.key in p.commands[0] for p in pages)


def test_a_run_names_the_command_that_makes_it(tmp_path: Path) -> None:
    results = Results(tmp_path)
    made_up_run(results, "gm-darts(protocol=fair)", 4)
    (own,) = runs.pages(results)
    told = "--methods 'gm-darts(protocol=fair)' --space nb201 --dataset patches --scale small --seeds 4"
    assert own.commands[1] == f"python -m bench run {told} --results {tmp_path}"
    record = next(results.records())
    method = {"name": "naslib.LocalSearch", "version": 1, "config": {"steps": 100, "epochs": 12}}
    other = replace(record, identity={**record.identity, "method": method, "dataset": "cifar10"})
    results.save(replace(other, key=key_of(other.identity)))
    theirs = next(page_ for page_ in runs.pages(results) if page_.dataset == "cifar10")
    told = "naslib TABLE --optimisers LocalSearch --steps 100 --epochs 12 --dataset cifar10 --seeds 4"
    assert theirs.commands[1] == f"python -m bench {told} --results {tmp_path}"


# The check-list

ROBUST = "robust summaries: interquartile mean, probability of improvement"


def answers(results: Results) -> dict[str, checklist.Answer]:
    frame = load(results, partial=True).frame
    facts = checklist.Facts(frame, list(results.records()), list(results.failures()), [], results.root)
    return {answer.asks: answer for answer in checklist.answers(facts)}


def test_the_checklist_answers_from_the_records(study: Results) -> None:
    found = answers(study)
    seeds = found["several runs from named seeds"]
    assert seeds.verdict == "partly"
    assert "1 to 3 seeds for a method in a setting" in seeds.evidence
    assert found["an architecture drawn at random as a baseline"].verdict == "yes"
    sharing = found["random search with parameter sharing as a baseline"]
    assert sharing.verdict == "partly"
    assert "1 of 2 settings with RSPS" in sharing.evidence
    assert "none in nb201 searched on cifar10-jpeg" in sharing.evidence
    failures = found["failed runs are told"]
    assert "1 of 16 finished runs diverged, 1 more failed" in failures.evidence
    assert found["the code of search and training, in the version used"].verdict == "no"
    assert found["published claims, each with a verdict"].verdict == "no"
    assert found["search on the data that is scored; transfer marked"].verdict == "partly"
    assert "cifar10-jpeg to cifar100" in found["search on the data that is scored; transfer marked"].evidence
    assert all(answer.command.startswith("python -m ") for answer in found.values())
    assert all(answer.command.endswith(f" --results {study.root}") for answer in found.values())


def test_the_checklist_turns_with_the_results(tmp_path: Path) -> None:
    results = Results(tmp_path)
    for seed in range(3):
        for label in ("random", "rsps"):
            made_up_run(results, label, seed, relative_improvement=1.0 + seed)
    found = answers(results)
    assert found["several runs from named seeds"].verdict == "yes"
    assert found["random search with parameter sharing as a baseline"].verdict == "yes"
    assert found["rank correlation with its number of architectures"].verdict == "no"
    assert found["several data sets and spaces"].verdict == "no"
    assert found["total compute, failed runs included"].evidence.startswith("6 runs")


def test_the_checklist_is_in_the_page(study: Results, root: Node) -> None:
    (table,) = tables(root, "Reproducibility check-list")
    shown = rows_of(table)
    found = answers(study)
    assert set(shown) == set(found)
    for asks, answer in found.items():
        if answer.asks not in ("published claims, each with a verdict", ROBUST):  # these ask the printed tables
            assert shown[asks]["met"] == answer.verdict


# A real browser

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-quic", "--virtual-time-budget=5000"),
)
browser = pytest.mark.skipif(BROWSER is None, reason="no chromium here: the page is not tried in a browser")


def seen(results: Results, folder: Path, fragment: str, name: str = page.NAME) -> Node:
    """The page as the browser has it after its script ran at that address."""
    address = f"{(results.root / name).resolve().as_uri()}#{fragment}"
    words = [str(BROWSER), *FLAGS, f"--user-data-dir={folder}", "--dump-dom", address]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True)
    return Tree(done.stdout).root


def visible(nodes: list[Node]) -> list[Node]:
    return [node for node in nodes if "hidden" not in node.attrs]


@browser
@pytest.mark.slow
def test_a_browser_sorts_by_value(study: Results, tmp_path: Path) -> None:
    item = next(node.attrs["id"] for node in parsed(study).classed("item") if "main-nb201-patches" in node.attrs["id"])
    for way, expected in (("up", [79.0, 89.0, 91.0, 93.0, 94.0]), ("down", [94.0, 93.0, 91.0, 89.0, 79.0])):
        root = seen(study, tmp_path, f"?setting=&sort={item}:3:{way}")
        (table,) = tables(root.by_id(item), "Choice")
        cells = [row.children[3].text for row in table.all("tbody")[0].all("tr")]
        assert [float(cell.split()[0]) for cell in cells if cell != "\N{EN DASH}"] == expected
        heads = table.all("thead")[0].all("th")
        sorts = [head.attrs.get("aria-sort") for head in heads]
        assert sorts[3] == ("ascending" if way == "up" else "descending")
        assert sorts.count(None) == len(heads) - 1
        assert all(head.all("button") for head in heads)


@browser
@pytest.mark.slow
def test_a_browser_filters_tables_and_charts(study: Results, tmp_path: Path) -> None:
    setting = next(
        option.attrs["value"]
        for option in parsed(study).by_id("filter-setting").all("option")
        if "patches" in option.attrs["value"]
    )
    root = seen(study, tmp_path, f"?setting={setting}&methods=darts;largest&draw=1")
    items_ = visible([node for node in root.classed("item") if "data-setting" in node.attrs])
    assert {node.attrs["data-setting"] for node in items_} == {setting}
    (table,) = tables(next(node for node in items_ if node.attrs["id"].startswith("table-main")), "Choice")
    assert [row.children[0].text for row in visible(table.all("tbody")[0].all("tr"))] == ["Largest", "DARTS"]
    chart = next(node for node in items_ if "regret_vs_cost" in node.attrs["id"]).classed("chart")[0]
    assert [entry.text for entry in chart.classed("legend")[0].all("li")] == ["Largest", "DARTS"]
    assert len(chart.all("svg")) == 3  # the chart and two keys
    panels = next(node for node in items_ if "estimate_vs_truth" in node.attrs["id"]).classed("panel")
    (title,) = [panel.all("p")[0] for panel in panels]
    assert re.fullmatch(r"DARTS . 0\.60 \[0\.50, 0\.70\]  n = 3", title.text)  # a panel carries its tau
    assert "2 of" in root.by_id("filter-said").text
    assert not [node for node in visible(root.classed("group")) if not visible(node.classed("item"))]
    assert not [node for node in visible(root.classed("chapter")) if not visible(node.classed("group"))]


@browser
@pytest.mark.slow
def test_a_browser_filters_by_protocol(study: Results, tmp_path: Path) -> None:
    paper, fair = (seen(study, tmp_path, f"?setting=&protocol={name}") for name in ("paper", "fair"))
    for root, shown in ((paper, False), (fair, True)):
        rows = [row for row in root.by_id("runs").all("tr") if row.attrs.get("data-m") == HOSTILE]
        assert bool(visible(rows)) is shown
        assert visible([row for row in root.by_id("runs").all("tr") if row.attrs.get("data-m") == "darts"])


@browser
@pytest.mark.slow
def test_a_browser_shows_the_page_of_one_run(study: Results, tmp_path: Path) -> None:
    key = next(record.key for record in study.records() if record.label == "darts")
    root = seen(study, tmp_path, f"run/{key}", page.RUNS)
    assert "routed" in root.all("html")[0].attrs["class"].split()
    (own,) = root.classed("shown")
    assert own.attrs["id"] == f"run/{key}"
    assert root.all("title")[0].text.startswith("DARTS, seed ")
    back = seen(study, tmp_path, quote("all-runs"), page.RUNS)
    assert "routed" not in back.all("html")[0].attrs["class"].split()
    assert not back.classed("shown")
