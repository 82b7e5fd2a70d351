"""The built documentation: no broken link, nothing fetched from elsewhere, pictures as the code draws them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import halpose
from halpose.data.catalog import DATASETS
from pages import ROOT, page

DRAWN = ROOT / "docs" / "pictures"
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


class Fetched(HTMLParser):
    """What a browser fetches to show a page: scripts, styles, images, fonts; not what one may click."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.images: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "link" and given.get("rel") not in ("canonical", "next", "prev"):
            self.found.append(given["href"] or "")
        if "src" in given:
            self.found.append(given["src"] or "")
        if tag == "img":
            self.images.append(given)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All pages, built as `make docs` builds them."""
    pytest.importorskip("mkdocs", reason="mkdocs is not installed: pip install 'halpose[docs]'")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    built = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def test_the_site_has_every_page_and_fetches_nothing_from_elsewhere(site: Path) -> None:
    built = {path.stem for path in site.glob("*.html")}
    assert {path.stem for path in (ROOT / "docs").glob("*.md")} | {"CONTRIBUTING", "CHANGELOG"} <= built
    assert not list(site.rglob("*.py")), "the site holds no code of ours"
    for path in site.rglob("*.html"):
        text = re.sub("<pre.*?</pre>", "", path.read_text(encoding="utf-8"), flags=re.S)
        assert not re.search(r"^\s*(- |\d\. |\| |```)", text, re.M), f"{path.name}: a list or a table that is none"
        fetched = Fetched()
        fetched.feed(path.read_text(encoding="utf-8"))
        assert fetched.found
        for link in fetched.found:
            assert link.startswith("data:") or not re.match(r"\w+:|//", link), f"{path.name} fetches {link}"
            assert path.name == "404.html" or (path.parent / link.partition("?")[0]).exists(), f"{path.name}: {link}"
        assert all(image.get("alt") for image in fetched.images), f"{path.name}: a picture without words"
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(\s*['\"]?(https?:)?//|@import", style.read_text(encoding="utf-8")), style


def test_the_site_can_be_searched_in_light_and_dark(site: Path) -> None:
    assert "hallucinat" in (site / "search" / "search_index.json").read_text(encoding="utf-8")
    home = (site / "index.html").read_text(encoding="utf-8")
    assert 'data-md-color-scheme="slate"' in home and 'data-md-color-scheme="default"' in home


def test_docstrings_become_the_api_page(site: Path) -> None:
    text = (site / "api.html").read_text(encoding="utf-8")
    assert 'id="halpose.losses.info_nce"' in text and 'id="halpose.parts.geodesic.limits"' in text
    assert "Eqs. 5 and 7" in text


def test_the_api_page_has_every_public_name() -> None:
    documented = set(re.findall(r"^::: (\S+)$", page("docs/api.md").text, re.M))
    for name in halpose.__all__:
        assert {f"{halpose._PUBLIC[name]}.{name}", halpose._PUBLIC[name]} & documented, name


def test_every_data_set_has_its_steps() -> None:
    text = page("docs/data-sets.md").text
    for name in DATASETS:
        assert f"halpose data prepare {name} --source " in text.partition(f"\n## {name}\n")[2].partition("\n## ")[0]


def test_the_pictures_are_those_that_the_code_draws(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "docs/draw/draw.py", str(tmp_path)], cwd=ROOT, check=True)
    names = sorted(path.name for path in DRAWN.iterdir())
    assert names == sorted(path.name for path in tmp_path.iterdir())
    for name in names:
        kept, drawn = ((folder / name).read_text(encoding="utf-8") for folder in (DRAWN, tmp_path))
        assert len(kept) < 64_000, f"{name}: too large to be kept"
        assert ElementTree.fromstring(kept)[0].text, "a title, for those who do not see it"
        assert _NUMBER.sub("#", kept) == _NUMBER.sub("#", drawn), f"{name}: run `make pictures`"
        # Another processor rounds otherwise; it draws nothing else.
        np.testing.assert_allclose(*(np.array(_NUMBER.findall(text), float) for text in (kept, drawn)), atol=0.11)
    shown = {
        link
        for found in (ROOT / "docs").glob("*.md")
        for link in re.findall(r"pictures/[\w-]+\.svg", found.read_text())
    }
    assert {f"pictures/{name}" for name in names} == shown
