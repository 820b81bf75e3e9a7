"""The documents as web pages, by Sphinx: `make site`. Pages lie where they lie in the repository, so that links between
them are the ones that GitHub follows, too."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # these sources, wherever the package is installed

CHAPTERS = {
    "First steps": ["docs/notebooks/quick-start", "docs/use", "docs/first-results", "docs/lessons"],
    "Reading results": [
        "docs/findings",
        "docs/tables",
        "docs/figures",
        "docs/gallery/README",
        "docs/embedded",
        "results/README",
    ],
    "Data and machines": ["docs/data", "docs/own-data", "docs/official", "docs/retraining", "docs/clusters"],
    "Extending": ["docs/plug-ins", "methods/README", "CONTRIBUTING", "ARCHITECTURE", "docs/site/reference"],
    "How well it works": ["docs/performance", "docs/reliability"],
}
"""What stands in the bar beside a page. Pages below one of these are named in `BELOW`."""
CLAIMS = "results/tables/claims-nb201-patches-quick-patches-v1"
"""A generated table without a title, to which one page leads."""
BELOW = {
    "docs/lessons": "/docs/notebooks/lesson-*",
    "docs/gallery/README": "/docs/gallery/*/README",
    "results/README": "/results/studies/*",
}

project = "supernet-bench"
author = "The supernet-bench authors"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
root_doc = "README"
include_patterns = [
    *("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "methods/README.md", "results/README.md"),
    *("docs/**.md", "docs/site/*.rst", "results/studies/*.md"),
    f"{CLAIMS}.md",
]
exclude_patterns = [".*", "build", "results/own"]

highlight_language = "none"
default_role = "code"  # docstrings put names in single backticks
myst_heading_anchors = 3  # as GitHub makes them
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_type_aliases = {name: name for name in ("ArrayLike", "Estimator", "Genotype", "Keys", "Status", "Kind")}
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = project
html_static_path = ["pages.css"]
html_css_files = ["pages.css"]
templates_path = ["."]
html_additional_pages = {"index": "index.html"}
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False


def toctree(caption: str, pages: list[str]) -> str:
    """Some pages in the bar, as MyST writes it."""
    caption = f":caption: {caption}\n" if caption else ""
    entries = "\n".join(pages)
    return f"\n\n```{{toctree}}\n:hidden:\n:glob:\n{caption}\n{entries}\n```\n"


def without_folders(page: str, text: str) -> str:
    """The text with links to pages alone: GitHub shows a folder, and the site has none."""

    def linked(link: re.Match[str]) -> str:
        return link["text"] if (ROOT / page).parent.joinpath(link["target"]).is_dir() else link[0]

    return re.sub(r"(?<!!)\[(?P<text>[^\]]+)\]\((?P<target>[^)#:]+)\)", linked, text)


def with_contents(app: Sphinx, page: str, source: list[str]) -> None:
    """Sphinx takes the bar from the pages themselves; GitHub would show that as code, so it is added here."""
    source[0] = without_folders(page, source[0])
    if page == root_doc:
        source[0] += "".join(toctree(caption, [f"/{page}" for page in pages]) for caption, pages in CHAPTERS.items())
    if page in BELOW:
        source[0] += toctree("", [BELOW[page]])
    if page == CLAIMS:
        source[0] = f"---\norphan: true\n---\n\n# Claims of the papers\n\n{source[0]}"


def shortened(text: str | None) -> str | None:
    """A signature with types as they are written in the sources."""
    if text is None:
        return None
    text = re.sub(r"TypeAliasForwardRef\('(\w+)'\)|~(?:\w+\.)+(\w+)", r"\1\2", text)
    return re.sub(r"ndarray\[tuple\[Any, \.\.\.\], dtype\[(.+?)\]\]", r"NDArray[\1]", text)


def with_short_types(
    app: Sphinx, what: str, name: str, found: object, options: object, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Sphinx spells aliases out, or as objects of its own."""
    return shortened(signature), shortened(returns)


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", with_contents)
    app.connect("autodoc-process-signature", with_short_types)
