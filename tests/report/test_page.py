from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import shutil
import subprocess
from base64 import b64encode
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from document import Document

from halpose.errors import DataError
from halpose.report.animation import AnimatedClip, clip_data, quantise, restore
from halpose.report.axes import readable
from halpose.report.embedding import Embedding
from halpose.report.page import Page, render_page, write_page

NASTY = '</script><img src=x onerror=alert(1)>"\u2028&'
SECTIONS = {
    "scores": "results",
    "training": "curves",
    "classes": "results",
    "map": "embedding",
    "clips": "clips",
    "facts": "facts",
    "notes": "notes",
    "next": "next_steps",
}


def sections(text: str) -> list[str]:
    return [section["id"] or "" for section in Document(text).all("section")]


def test_page_is_well_formed_and_refers_only_to_itself(page: Page) -> None:
    text = render_page(page)
    document = Document(text)
    assert text.startswith("<!doctype html>\n<html lang=")
    ids = [attributes["id"] for _, attributes in document.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in document.elements:
        for name in ("src", "href", "for", "aria-labelledby"):
            value = attributes.get(name)
            if value is not None and value != "data:,":
                assert name != "src" and value.removeprefix("#") in ids, value
    assert not re.search(r"https?:", text.replace("http://www.w3.org/2000/svg", ""))
    assert "@import" not in text and "url(" not in text
    assert sections(text) == list(SECTIONS)


def test_each_section_goes_with_its_data(page: Page) -> None:
    empty = Page("Only a title")
    assert sections(render_page(empty)) == []
    for attribute in {*SECTIONS.values()}:
        without = dataclasses.replace(page, **{attribute: getattr(empty, attribute)})
        expected = [key for key, source in SECTIONS.items() if source != attribute]
        assert sections(render_page(without)) == expected
        alone = dataclasses.replace(empty, **{attribute: getattr(page, attribute)})
        assert sections(render_page(alone)) == [key for key, source in SECTIONS.items() if source == attribute]


def test_names_cannot_leave_their_place(page: Page, result: dict[str, Any], clip: AnimatedClip) -> None:
    hostile = Page(
        title=NASTY,
        subtitle=NASTY,
        facts=[(NASTY, NASTY)],
        curves=[{"step": 1, NASTY: 2.0}],
        results=[result | {"protocol": NASTY, "split": NASTY, "classes": [NASTY] * 3, "settings": {NASTY: NASTY}}],
        embedding=Embedding(np.zeros((1, 2)), np.zeros(1, int), [NASTY], [NASTY], NASTY, (), NASTY),
        clips=[dataclasses.replace(clip, title=NASTY, caption=NASTY, name=NASTY)],
        notes=[NASTY],
        next_steps=[NASTY],
    )
    document, plain = Document(render_page(hostile)), Document(render_page(page))
    assert not document.all("img")
    assert len(document.all("script")) == len(plain.all("script")) == 2
    assert not [name for _, attributes in document.elements for name in attributes if name.startswith("on")]
    data = document.data()
    assert data["clips"][0]["name"] == data["maps"][0]["name"][0] == data["confusion"][0]["classes"][0] == NASTY
    assert document.words().count(NASTY.split()[0]) >= 10


def test_policy_admits_exactly_the_pages_own_script_and_style(page: Page) -> None:
    document = Document(render_page(page))
    (policy,) = [m["content"] or "" for m in document.all("meta", http_equiv="Content-Security-Policy")]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    texts = dict(document.text[::-1])
    for directive, tag in (("style-src", "style"), ("script-src", "script")):
        content = [text for name, text in document.text if name == tag][-1]
        digest = b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
    assert "script" in texts
    # A style attribute or an inline handler would be blocked by it.
    assert not [attributes for _, attributes in document.elements if "style" in attributes]


def test_scripts_build_no_markup_from_data() -> None:
    for asset in (resources.files("halpose.report") / "assets").iterdir():
        text = asset.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Function\(", text), (
            asset.name
        )
        assert "</" not in text, asset.name
        assert len(text.splitlines()) < 300, asset.name


def test_everything_shown_can_be_read_without_script(page: Page) -> None:
    words = Document(render_page(page)).words()
    for expected in (
        "A run",
        "90.0 %",
        "85.0\u201393.0",
        "+10.0 points",
        "Clips 30",
        "Synthetic data.",
        "halpose train",
    ):
        assert expected in words, expected


def test_five_hundred_points_and_six_clips_stay_small(large_page: Page) -> None:
    assert len(render_page(large_page).encode()) < 1_500_000


def test_gaps_in_the_curves_reach_the_browser_as_null(page: Page) -> None:
    rows = [{"step": 0, "loss": 1.0}, {"step": 1, "loss": float("nan")}, {"step": 2, "loss": 3.0}]
    data = Document(render_page(dataclasses.replace(page, curves=rows))).data()
    assert data["curves"]["values"]["loss"] == [1.0, None, 3.0]


def test_clips_of_the_map_travel_beside_the_gallery(page: Page, clip: AnimatedClip) -> None:
    assert page.embedding is not None
    previews = [dataclasses.replace(clip, name=f"clip{i}") for i in (1, 2)]
    data = Document(
        render_page(dataclasses.replace(page, embedding=dataclasses.replace(page.embedding, animations=previews)))
    ).data()
    assert [preview["name"] for preview in data["previews"]] == ["clip1", "clip2"]
    assert [gallery["name"] for gallery in data["clips"]] == ["clip0"]


def test_writing_replaces_whole_pages_only(tmp_path: Path, page: Page) -> None:
    path = write_page(tmp_path / "new" / "page.html", page)
    before = path.read_bytes()
    assert before.decode("utf-8") == render_page(page)
    broken = dataclasses.replace(page, results=[{"protocol": "knn", "features": "raw", "top1": 7}])
    with pytest.raises(DataError):
        write_page(path, broken)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["page.html"]


def test_a_page_that_cannot_be_written_says_where(tmp_path: Path, page: Page) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"file/page\.html: cannot be written"):
        write_page(tmp_path / "file" / "page.html", page)
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match="cannot be written"):
        write_page(tmp_path / "folder", page)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "folder"]


def node(script: str, value: Any) -> Any:
    """Run a script of the page in Node, without a browser; it reads `input` and returns `output`."""
    program = shutil.which("node")
    if program is None:
        pytest.skip("Node is not installed")
    code = f"{script}\nprocess.stdout.write(JSON.stringify(output(JSON.parse(require('fs').readFileSync(0, 'utf8')))));"
    done = subprocess.run([program, "-e", code], input=json.dumps(value), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.slow
def test_browser_unpacks_what_was_packed(clip: AnimatedClip) -> None:
    positions = clip.positions.copy()
    positions[0, 3, 4] = np.nan
    holed = dataclasses.replace(clip, positions=positions)
    stage = (resources.files("halpose.report") / "assets" / "stage.js").read_text()
    found = node(f"{stage}\nconst output = (clip) => [...unpack(clip).positions];", clip_data(holed))
    expected = restore(quantise(positions)).ravel()
    assert np.allclose(np.array(found, dtype=float), expected, atol=1e-6, equal_nan=True)


@pytest.mark.slow
def test_browser_writes_numbers_as_the_page_does() -> None:
    numbers = [0.0, 0.91234, -5.487, 941.4, 16384.0, 2.5e6, 9.3e-8, 0.0004, 99.96, -12.0, 1.0]
    script = (resources.files("halpose.report") / "assets" / "curves.js").read_text()
    assert node(f"{script}\nconst output = (all) => all.map(readable);", numbers) == [readable(n) for n in numbers]
