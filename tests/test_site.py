"""The documents as web pages: built strictly, complete, and asking no other server for anything."""

from __future__ import annotations

import pkgutil
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import bench
from tests.pages import PAGES, ROOT, named, targets

CONFIG = ROOT / "docs" / "site" / "conf.py"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for name in ("sphinx", "myst_parser", "furo"):
        pytest.importorskip(name, reason='the site needs pip install -c constraints.txt -e ".[docs]"')
    out = tmp_path_factory.mktemp("site")
    words = ["--fail-on-warning", "--keep-going", "--quiet", "-d", str(out / ".trees"), "-c", str(CONFIG.parent)]
    built = subprocess.run(
        [sys.executable, "-m", "sphinx", *words, ".", str(out)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (built.returncode, built.stderr) == (0, "")
    return out


def test_every_page_stands_in_the_bar() -> None:
    """Of what Sphinx is told, without Sphinx."""
    told = runpy.run_path(str(CONFIG))
    listed = {page for chapter in told["CHAPTERS"].values() for page in chapter} | {told["root_doc"]}
    below = [ROOT.glob(f"{pattern.lstrip('/')}.md") for pattern in told["BELOW"].values()]
    listed |= {named(page).removesuffix(".md") for found in below for page in found}
    assert {named(page).removesuffix(".md") for page in PAGES} <= listed
    assert all((ROOT / f"{page}.md").exists() or (ROOT / f"{page}.rst").exists() for page in listed)


def test_what_the_reference_names_is_there_and_says_what_it_is() -> None:
    """Of its source, without Sphinx: every name of `bench`, every member by its own docstring."""
    text = (CONFIG.parent / "reference.rst").read_text()
    named_there = re.findall(r"^\.\. auto\w+:: ([\w.]+)(?:\(\))?\n(?:   :members:(.*)\n)?", text, re.MULTILINE)
    assert {f"bench.{name}" for name in bench.__all__} <= {name for name, _ in named_there}
    for name, members in named_there:
        found = pkgutil.resolve_name(name)
        assert found.__doc__, name
        for member in filter(None, members.replace(" ", "").split(",")):
            assert getattr(found, member).__doc__, (name, member)


@pytest.mark.slow
def test_pages_are_built_with_their_links_and_pictures(site: Path) -> None:
    for page in PAGES:
        html = (site / named(page)).with_suffix(".html").read_text()
        pictures = [name for name in targets(page) if name.endswith(".png")]
        assert len(re.findall(r'<img [^>]*src="[^"]*_images/', html)) == len(pictures), page
        for link in re.findall(r'href="([^"#:]+\.html)', html):
            assert ((site / named(page)).parent / link).resolve().exists(), (page, link)


@pytest.mark.slow
def test_the_reference_shows_what_python_code_may_call(site: Path) -> None:
    html = (site / "docs" / "site" / "reference.html").read_text()
    assert all(f'id="bench.{name}"' in html for name in bench.__all__)
    assert "keep_supernet" in html


@pytest.mark.slow
def test_no_page_asks_another_server(site: Path) -> None:
    loads = re.compile(r'<(?:script|img|link|iframe)\b[^>]*\b(?:src|href)="(?:https?:)?//', re.IGNORECASE)
    assert [path for path in site.rglob("*.html") if loads.search(path.read_text())] == []
    assert [path for path in site.rglob("*.css") if re.search(r"(url\(|@import)[\"' ]*https?:", path.read_text())] == []
