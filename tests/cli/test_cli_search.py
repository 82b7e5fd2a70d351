"""`halpose search`: a table, an object, a page."""

from __future__ import annotations

from pathlib import Path

import pytest
from terminal import halpose

from browser import chromium, opened


@pytest.fixture(scope="module")
def index(trained: Path, toy_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy store in windows of half a second."""
    out = tmp_path_factory.mktemp("index") / "windows.npz"
    assert halpose("embed", trained, toy_store, "-o", out, "--window", "500ms").code == 0
    return out


def test_search_a_store(run: Path, toy_store: Path) -> None:
    outcome = halpose("search", run, "--index", toy_store, "s1_take02", "-k", 3, "--json")
    assert outcome.code == 0 and outcome.out.count("\n") == 1, outcome.err
    (query,) = outcome.json["queries"]
    assert (query["name"], query["label"]) == ("s1_take02", "wave both arms") and outcome.json["searched"] == 120
    assert [one["rank"] for one in query["neighbours"]] == [1, 2, 3]
    cosines = [one["cosine"] for one in query["neighbours"]]
    assert cosines == sorted(cosines, reverse=True) and -1 <= cosines[-1] <= cosines[0] <= 1
    assert "s1_take02" not in {one["name"] for one in query["neighbours"]}
    people = halpose("search", run, "--index", toy_store, "s1_take02", "-k", 3)
    for one in query["neighbours"]:
        (line,) = (line for line in people.out.splitlines() if one["name"] in line)
        assert f"{one['cosine']:.3f}" in line and one["label"] in line


def test_search_across_subjects(run: Path, toy_store: Path) -> None:
    outcome = halpose("search", run, "--index", toy_store, "s1_take02", "--across", "subject", "-k", 105, "--json")
    found = outcome.json["queries"][0]["neighbours"]
    assert len(found) == 105 and {one["subject"] for one in found} == {f"s{i}" for i in range(2, 9)}


def test_windows_each_have_neighbours(run: Path, index: Path) -> None:
    outcome = halpose("search", run, "--index", index, "s1_take02", "--json")
    queries = outcome.json["queries"]
    assert len(queries) > 1 and all(len(query["neighbours"]) == 5 for query in queries)
    for query in queries:
        assert query["end"] - query["start"] == pytest.approx(0.5)
        assert "s1_take02" not in {one["name"] for one in query["neighbours"]}


@pytest.mark.filterwarnings("ignore:builtin type:DeprecationWarning")
def test_approximately(run: Path, index: Path, tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    exact, near = (
        halpose("search", run, "--index", index, "s1_take02", "--json", *words).json["queries"]
        for words in ((), ("--approximate",))
    )
    rows = [[one["row"] for one in query["neighbours"]] for query in exact]
    assert rows == [[one["row"] for one in query["neighbours"]] for query in near]  # so few that none is missed


def test_the_page(run: Path, toy_store: Path, index: Path, tmp_path: Path) -> None:
    for number, where in enumerate((toy_store, index)):
        page = tmp_path / f"{number}.html"
        outcome = halpose("search", run, "--index", where, "s1_take02", "-k", 2, "--page", page, "--json")
        assert outcome.json["page"] == str(page) and page.absolute().as_uri() in outcome.err
        text = page.read_text()
        assert "Query: wave both arms" in text and "default-src &#x27;none&#x27;" in text and "https://" not in text
        assert "Synthetic motion is among these" in text
        for neighbour in outcome.json["queries"][0]["neighbours"]:
            assert f"{neighbour['rank']}: {neighbour['label']}" in text and neighbour["name"] in text


def test_the_page_moves_in_a_browser(run: Path, toy_store: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    halpose("search", run, "--index", toy_store, "s1_take02", "--page", page)
    with chromium() as browser, opened(browser, page) as found:
        assert found.console == [] and all(url.startswith("file:") for url in found.requests)
        assert found.page.locator(".match canvas").count() == 6
        clock = found.page.locator(".match .clock")
        before = clock.text_content()
        found.page.wait_for_function(
            "(before) => document.querySelector('.match .clock').textContent !== before", arg=before
        )
        assert found.reached_by_tab() == set(found.controls()) and not found.unnamed()


def test_how_it_fails(run: Path, toy_store: Path, tmp_path: Path) -> None:
    halpose("search", run, "--index", toy_store, "s1_take2").fails("neither a file nor a recording", "did you mean")
    halpose("search", run, "--index", tmp_path / "none.npz", "s1_take02").fails("no embeddings", "halpose embed RUN")
    halpose("search", run, "--index", toy_store, "s1_take02", "--streams", "bone").fails("no stream named 'bone'")
    halpose("search", run, "--index", toy_store, "s1_take02", "-k", 0).fails("-k")
