"""Every page in a real Chromium: silent, offline, light and dark, by keyboard."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_run_scores import write_scores
from test_run_sides import scored

from browser import OVERFLOW, chromium, contrast, opened
from halpose.data.store import Store
from halpose.demo import demo
from halpose.engine.run import Run
from halpose.evaluate.run import evaluate_run
from halpose.inference.search import find_query, open_index, search
from halpose.report.compare_page import compare_page
from halpose.report.document import write_document
from halpose.report.embedding import Embedding
from halpose.report.page import Page, write_page
from halpose.report.recording import open_recording
from halpose.report.run_page import run_page
from halpose.report.run_sides import read_sides
from halpose.report.search_page import search_page
from halpose.report.view_page import view_page

PAGES = ("view", "report", "compare", "search")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def pages(toy_run: Path, toy_store: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A page of every kind."""
    folder = tmp_path_factory.mktemp("pages")
    store, run = Store.open(toy_store), Run.load(toy_run)
    meeting = int(np.flatnonzero(store.clips.people == 2)[0])
    made = {"view": write_page(folder / "view.html", view_page(open_recording(toy_store, str(meeting))))}
    results = evaluate_run(run, store, split="x-sub", protocols=("knn",), kinds=("trained", "raw"))
    steps = ("halpose train STORE",)
    report = run_page(run, store, results, title="<script>a run</script>", notes=["A note."], next_steps=steps)
    made["report"] = write_page(folder / "report.html", report)
    runs = [Path(shutil.copytree(toy_run, folder / name)) for name in ("one", "two")]
    for number, path in enumerate(runs):
        (path / "metrics.jsonl").write_text("\n".join(f'{{"step": {s}, "loss": {s + number}}}' for s in range(1, 9)))
        write_scores(path, scored([1, 2, 3][: 1 + number]), scored([5], protocol="linear"))
    index = open_index(run, toy_store)
    query = find_query(run, index, str(store.clips.name[meeting]))
    made["search"] = write_page(folder / "search.html", search_page(query, search(query, index, 4)))
    made["compare"] = write_document(folder / "compare.html", compare_page(read_sides(runs)))
    return made


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_silent_offline_readable_and_named(
    browser: Any, pages: dict[str, Path], name: str, scheme: str
) -> None:
    with opened(browser, pages[name], scheme) as found:
        found.page.wait_for_timeout(150)
        assert found.console == []
        assert {url.split(":")[0] for url in found.requests} <= {"file", "data"}
        assert [url for url in found.requests if url.startswith("file:")] == [pages[name].as_uri()]
        weak = [entry for entry in found.contrasts() if entry[0] < 4.5]
        assert weak == []
        assert found.page.evaluate(OVERFLOW) == []
        assert found.unnamed() == []
        back = found.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(int(part) for part in back[4:-1].split(",")) < 200) == (scheme == "dark")


@pytest.mark.parametrize("name", PAGES)
def test_a_phone_shows_it_without_scrolling_sideways(browser: Any, pages: dict[str, Path], name: str) -> None:
    with opened(browser, pages[name], width=400) as found:
        assert found.page.evaluate(OVERFLOW) == []


@pytest.mark.parametrize("name", PAGES)
def test_tab_reaches_every_control(browser: Any, pages: dict[str, Path], name: str) -> None:
    with opened(browser, pages[name]) as found:
        reached = found.reached_by_tab()
        assert {what for mark, what in found.controls().items() if mark not in reached} == set()
        assert len(reached) > 3


def test_the_theme_button_changes_what_canvases_draw(browser: Any, pages: dict[str, Path]) -> None:
    with opened(browser, pages["view"], calm=True) as found:
        ink = "getComputedStyle(document.querySelector('h1')).color"
        before, drawn = found.page.evaluate(ink), drawing(found.page)
        found.page.get_by_role("button", name="Switch to the dark theme").press("Enter")
        assert found.page.evaluate(ink) != before and drawing(found.page) != drawn


def drawing(page: Any, canvas: str = "canvas") -> str:
    return str(page.evaluate(f"document.querySelector({canvas!r}).toDataURL()"))


def test_keys_and_drag_turn_play_and_scrub(browser: Any, pages: dict[str, Path]) -> None:
    with opened(browser, pages["view"], calm=True) as found:
        page = found.page
        page.locator("canvas").focus()
        seen = [drawing(page)]
        for key in ("ArrowLeft", "ArrowUp", ".", "Home"):
            page.keyboard.press(key)
            seen.append(drawing(page))
        assert len(set(seen)) == len(seen)
        clock, slider = page.locator(".clock"), page.locator("input[type=range]")
        at = clock.text_content()
        page.keyboard.press(" ")
        page.wait_for_function("(at) => document.querySelector('.clock').textContent !== at", arg=at, timeout=5000)
        assert page.locator(".play").get_attribute("aria-label") == "Pause"
        page.keyboard.press(" ")
        stopped = drawing(page)
        page.wait_for_timeout(120)
        assert drawing(page) == stopped
        slider.focus()
        page.keyboard.press("End")
        assert slider.input_value() == slider.get_attribute("max")
        assert (slider.get_attribute("aria-valuetext") or "").endswith(" s")
        before = drawing(page)
        page.locator("canvas").scroll_into_view_if_needed()
        box = page.locator("canvas").bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] / 2 + 80, box["y"] + box["height"] / 2 + 20)
        page.mouse.up()
        assert drawing(page) != before
        assert found.console == []


def test_who_wants_motion_sees_motion_and_who_does_not_sees_none(browser: Any, pages: dict[str, Path]) -> None:
    for calm in (False, True):
        with opened(browser, pages["view"], calm=calm) as found:
            assert (found.page.locator(".play").get_attribute("aria-label") == "Play") == calm


def test_points_play_under_the_pointer_and_under_the_keyboard(browser: Any, pages: dict[str, Path]) -> None:
    with opened(browser, pages["report"], calm=True) as found:
        page = found.page
        for key in ("map", "positives"):
            plot = page.locator(f"#{key}-plot")
            readout = page.locator(".map", has=plot).locator(".readout")
            preview = f"#{key} .preview canvas"
            plot.focus()
            said, drawn = [readout.text_content()], [drawing(page, preview)]
            for step in ("ArrowRight", "ArrowLeft", "ArrowDown", "ArrowUp", "ArrowRight"):
                page.keyboard.press(step)
                said.append(readout.text_content())
                drawn.append(drawing(page, preview))
            assert len(set(said)) > 2 and (len(set(drawn)) > 2 or key == "positives")
            plot.scroll_into_view_if_needed()
            use = plot.locator("use").last
            box = use.bounding_box()
            page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
            assert readout.text_content() not in said[-1:]
        assert "toward prototype" in (readout.text_content() or "")
        assert page.locator("#positives .links").get_attribute("d")


def test_a_row_of_neighbours_moves_and_turns_together(browser: Any, pages: dict[str, Path]) -> None:
    with opened(browser, pages["report"], calm=True) as found:
        row = found.page.locator(".match").first
        row.scroll_into_view_if_needed()
        every = "() => [...document.querySelector('.match').querySelectorAll('canvas')].map((c) => c.toDataURL())"
        row.locator("canvas").first.focus()
        still = found.page.evaluate(every)
        found.page.keyboard.press("ArrowLeft")
        turned = found.page.evaluate(every)
        found.page.keyboard.press(".")
        later = found.page.evaluate(every)
        assert len(still) == 5
        assert all(a != b for a, b in zip(still, turned, strict=True))
        assert sum(a != b for a, b in zip(turned, later, strict=True)) >= 3  # shorter ones may have ended


def test_the_legend_hides_and_shows(browser: Any, pages: dict[str, Path]) -> None:
    with opened(browser, pages["report"]) as found:
        dim = "document.querySelectorAll('#map .points.dim').length"
        key = found.page.locator("#map .class-key").first
        key.press("Enter")
        assert key.get_attribute("aria-pressed") == "true" and found.page.evaluate(dim) == 5
        found.page.locator("#map .show-all").press("Enter")
        assert found.page.evaluate(dim) == 0
        assert found.page.evaluate("document.querySelectorAll('#positives .points.dim').length") == 0


def test_the_cross_hair_reads_all_runs(browser: Any, pages: dict[str, Path]) -> None:
    with opened(browser, pages["compare"]) as found:
        values = found.page.locator("#overlay .panel").first.locator(".value")
        assert values.all_text_contents() == ["8", "9"]
        found.page.locator("#overlay").focus()
        found.page.keyboard.press("Home")
        assert values.all_text_contents() == ["1", "2"]
        found.page.keyboard.press("ArrowRight")
        assert values.all_text_contents() == ["2", "3"]
        found.page.keyboard.press("Tab")
        assert values.all_text_contents() == ["8", "9"]


def test_five_thousand_points_are_found_at_once(browser: Any, page: Page, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = [f"clip{i}" for i in range(5000)]
    classes = [f"class {k}" for k in range(60)]
    embedding = Embedding(rng.normal(size=(5000, 2)), rng.integers(0, 60, 5000), classes, names)
    path = write_page(tmp_path / "many.html", Page("many", embedding=embedding, clips=page.clips))
    with opened(browser, path) as found:
        took = found.page.evaluate(
            """() => {
              const plot = document.getElementById("map-plot");
              const begun = performance.now();
              plot.focus();
              for (let i = 0; i < 100; i++) {
                plot.dispatchEvent(new KeyboardEvent("keydown", { key: i % 2 ? "ArrowLeft" : "ArrowUp" }));
              }
              return performance.now() - begun;
            }"""
        )
        assert found.console == []
        assert took < 2000  # 20 ms a step, on a busy machine


@pytest.mark.slow
def test_the_demos_page(browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HALPOSE_DATA", raising=False)
    made = demo(tmp_path / "demo", steps=4, clips=120).page
    for scheme in ("light", "dark"):
        with opened(browser, made, scheme) as found:
            found.page.wait_for_timeout(150)
            assert found.console == [] and found.unnamed() == [] and found.page.evaluate(OVERFLOW) == []
            assert [url for url in found.requests if not url.startswith("data:")] == [made.as_uri()]
            assert [entry for entry in found.contrasts() if entry[0] < 4.5] == []


def test_contrast_is_that_of_the_guidelines() -> None:
    white, black, grey = [255.0] * 3, [0.0] * 3, [119.0] * 3
    assert contrast(white, black) == contrast(black, white) == pytest.approx(21)
    assert contrast(grey, white) == pytest.approx(4.48, abs=0.01)
    assert contrast(grey, grey) == 1
