from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from document import Document

from halpose.data.store import Store
from halpose.engine.run import Run
from halpose.evaluate.features import extract
from halpose.report.animation import AnimatedClip
from halpose.report.matches import Match, match_rows
from halpose.report.run_clips import known_clips, match_clips, point_map, previews


@pytest.fixture(scope="module")
def run(toy_run) -> Run:  # type: ignore[no-untyped-def]
    return Run.load(toy_run)


def test_a_row_says_in_words_what_its_colours_say(clip: AnimatedClip) -> None:
    other = dataclasses.replace(clip, title="<b>Clap</b>")
    page = Document(match_rows([Match(clip, [clip, other, other], [0.9, 0.8, 0.7], [True, False, None])], first=6))
    (row,) = page.all("figure")
    assert row["data-clips"] == "6 7 8 9"
    assert [len(page.all("div", class_=kind)) for kind in ("query", "same", "other", "unknown")] == [1] * 4
    words = page.words()
    for said in ("asked about", "same class, similarity 0.900", "another class, similarity 0.800", "<b>Clap</b>"):
        assert said in words
    assert [canvas.get("tabindex") for canvas in page.all("canvas")] == ["0", None, None, None]
    assert all(canvas["aria-label"] for canvas in page.all("canvas"))


def test_rows_count_on(clip: AnimatedClip) -> None:
    page = Document(match_rows([Match(clip, [clip], [1.0], [True])] * 2))
    assert [figure["data-clips"] for figure in page.all("figure")] == ["0 1", "2 3"]


def test_neighbours_are_those_of_the_features(run: Run, store: Store) -> None:
    known = known_clips(run, store, "x-sub")
    assert np.array_equal(known.clips, store.part("x-sub", "test"))
    features = extract(run.method, store, np.arange(len(store)), run.config.data)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    matches = match_clips(store, known, np.random.default_rng(0))
    names, official = list(store.clips.name), store.part("x-sub", "official")
    assert len({match.query.title for match in matches}) == len(matches) == 6
    for match in matches:
        query = names.index(match.query.name)
        assert query in known.clips
        cosine = unit[official] @ unit[query]
        best = official[np.argsort(-cosine)[: len(match.found)]]
        assert [names.index(found.name) for found in match.found] == best.tolist()
        assert match.similarity == pytest.approx(np.sort(cosine)[::-1][: len(match.found)], abs=1e-5)
        assert match.is_same == [store.clips.label[i] == store.clips.label[query] for i in best]


def test_without_a_split_a_clip_is_not_its_own_neighbour(run: Run, store: Store) -> None:
    known = known_clips(run, store, "")
    assert len(known.clips) == len(store)
    for match in match_clips(store, known, np.random.default_rng(1)):
        assert match.query.name not in [found.name for found in match.found] and len(match.found) == 4


def test_every_point_plays_its_clip(run: Run, store: Store) -> None:
    known = known_clips(run, store, "x-sub")
    found = point_map(store, known, np.arange(10))
    assert [clip.name for clip in found.animations] == list(found.names)
    assert all(clip.bits == 8 for clip in found.animations)


def test_the_more_clips_the_fewer_frames_of_each(store: Store) -> None:
    few, many = previews(store, np.arange(5)), previews(store, np.resize(np.arange(len(store)), 5000))
    assert few[0].most_frames > many[0].most_frames >= 12
