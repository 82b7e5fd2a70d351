"""The demo: which data it uses and says so, nothing outside its folder, nothing done twice, a page of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from terminal import Outcome, halpose

from halpose import demo as module
from halpose.data.store import Store
from halpose.demo import demo
from halpose.errors import CheckpointError, DataError

SMALL = ("--clips", 96, "--steps", 3)
ACTIONS = (1, 2, 3, 4, 5, 6, 8, 9, 11, 12)


class Links(HTMLParser):
    """What a page would load: its attributes that hold addresses, and its content security policy."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.policy = ""
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        values = dict(attrs)
        if values.get("http-equiv") == "Content-Security-Policy":
            self.policy = values.get("content") or ""
        self.addresses += [value for key, value in attrs if key in ("src", "href", "action", "data") and value]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty folder to be in, and a home of its own."""
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        (folder / "home").mkdir()
        for name in ("HOME", "XDG_CACHE_HOME", "TMPDIR"):
            patch.setenv(name, str(folder / "home"))
        patch.delenv("HALPOSE_DATA", raising=False)
        patch.chdir(folder)
        yield folder


@pytest.fixture(scope="module")
def shown(place: Path) -> Outcome:
    outcome = halpose("demo", *SMALL, "--out", "shown", "--json")
    assert outcome.code == 0, outcome.err
    return outcome


def test_it_says_that_the_data_is_synthetic_and_what_to_run_next(shown: Outcome) -> None:
    said = " ".join(shown.err.split())
    assert "Synthetic data: 96 generated clips of 12 actions, not recordings of people." in said
    assert "Set HALPOSE_DATA to a folder with utd-mhad or nw-ucla in it" in said
    last = [line.split()[:3] for line in shown.err.splitlines()[-4:]]
    assert last == [
        ["halpose", "data", "list"], ["halpose", "data", "prepare"], ["halpose", "train", "stores/NAME"],
        ["halpose", "evaluate", "runs/NAME"],
    ]  # fmt: skip
    assert shown.json["notes"][0].startswith("Synthetic data: 96")
    assert [(r["features"], r["protocol"]) for r in shown.json["results"]] == [
        ("trained", "knn"), ("trained", "linear"), ("untrained", "knn"), ("untrained", "linear"), ("raw", "knn"),
        ("raw-seen", "knn"),
    ]  # fmt: skip


def test_it_writes_nothing_outside_its_folder(shown: Outcome, place: Path) -> None:
    assert {path.name for path in place.iterdir()} == {"home", "shown"}
    assert not list((place / "home").iterdir())
    assert {path.name for path in (place / "shown").iterdir()} == {"stores", "runs", "report.html"}
    assert [shown.json[key] for key in ("store", "run", "page")] == [
        "shown/stores/synthetic", "shown/runs/synthetic-halp", "shown/report.html",
    ]  # fmt: skip


def test_the_page_needs_nothing_else_and_tells_the_truth(shown: Outcome, place: Path) -> None:
    text = (place / "shown" / "report.html").read_text(encoding="utf-8")
    page = Links()
    page.feed(text)
    assert [address for address in page.addresses if not address.startswith(("#", "data:"))] == []
    assert page.policy.startswith("default-src 'none'")
    assert not re.search(r"@import|url\((?!['\"]?data:)|fetch\(|XMLHttpRequest|\bimport\(", text)
    assert {"svg", "table", "script"} & set(page.tags)
    assert "not recordings of people" in text and "synthetic" in text
    for result in shown.json["results"]:
        assert f"{100 * result['top1']:.1f}" in text
    for command in ("halpose data list", "halpose data prepare NAME", "halpose train stores/NAME"):
        assert command in text


def test_the_same_command_again_does_nothing_twice(
    shown: Outcome, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*given: object, **more: object) -> None:
        raise AssertionError("done already")

    monkeypatch.setattr(module, "write_store", never)
    monkeypatch.setattr(module, "train", never)
    again = halpose("demo", *SMALL, "--out", "shown", "--json")
    assert "trained already" in again.err

    def scores(outcome: Outcome) -> list[object]:
        return [result["confusion"] for result in outcome.json["results"]]

    assert scores(again) == scores(shown)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--clips", 96, "--steps", 3, "--seed", 1), "seed 0, not 1"),
        (("--clips", 96, "--steps", 2), "steps 3, not 2"),
        (("--clips", 108, "--steps", 3), "synthetic data of another demo (96 clips)"),
    ],
)
def test_another_demo_is_never_passed_off_as_this_one(
    words: tuple[object, ...], says: str, shown: Outcome, place: Path
) -> None:
    before = (place / "shown" / "report.html").read_bytes()
    outcome = halpose("demo", *words, "--out", "shown")
    outcome.fails(says, "choose another folder with --out, or delete this one")
    assert (place / "shown" / "report.html").read_bytes() == before


class Stops:
    """Ctrl-C after the first row."""

    def begin(self, step: int, steps: int) -> None:
        self.began = step

    def row(self, values: dict[str, float]) -> None:
        import signal

        if values["step"] < 20:
            signal.raise_signal(signal.SIGINT)

    def end(self) -> None:
        pass


def test_it_goes_on_after_an_interruption(tmp_path: Path) -> None:
    said: list[str] = []
    with pytest.raises(KeyboardInterrupt, match=r"stopped at step \d+; the same command goes on from there"):
        demo(tmp_path, clips=96, steps=20, watchers=(Stops(),), say=said.append)
    run = tmp_path / "runs" / "synthetic-halp"
    reached = json.loads((run / "run.json").read_text())["steps"]
    assert 0 < reached < 20 and not (tmp_path / "report.html").exists()
    prepared = (tmp_path / "stores" / "synthetic" / "frames.npy").stat().st_mtime_ns
    watcher = Watches()
    outcome = demo(tmp_path, clips=96, steps=20, watchers=(watcher,))
    assert watcher.began == reached
    assert (tmp_path / "stores" / "synthetic" / "frames.npy").stat().st_mtime_ns == prepared
    assert json.loads((run / "run.json").read_text())["steps"] == 20 and outcome.page.exists()


class Watches(Stops):
    """Only looks."""

    def row(self, values: dict[str, float]) -> None:
        pass


def recordings(folder: Path) -> Path:
    """A few seconds in the form of Northwestern-UCLA: every action, ten subjects, three cameras."""
    (folder / "nw-ucla").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number, action in enumerate(ACTIONS):
        for subject in range(1, 11):
            for camera in (1, 2, 3):
                stem = f"a{action:02}_s{subject:02}_e00_v{camera:02}"
                positions = rng.normal(size=(4, 20, 3)) + [number, 0, 3]
                content = {"file_name": stem, "skeletons": positions.round(3).tolist(), "label": number + 1}
                (folder / "nw-ucla" / f"{stem}.json").write_text(json.dumps(content))
    return folder


def test_real_recordings_are_preferred_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = recordings(tmp_path / "recordings")
    before = sorted(path.name for path in folder.rglob("*"))
    monkeypatch.setenv("HALPOSE_DATA", str(folder))
    outcome = halpose("demo", "--steps", 2, "--out", tmp_path / "out")
    assert outcome.code == 0, outcome.err
    assert f"Real recordings: Northwestern-UCLA Multiview Action3D, from {folder / 'nw-ucla'}." in outcome.err
    assert "ynthetic" not in outcome.out + outcome.err
    assert "x-view, test part: 100 clips, scored once" in outcome.out
    assert sorted(path.name for path in folder.rglob("*")) == before
    assert len(Store.open(tmp_path / "out" / "stores" / "nw-ucla")) == 300
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "ynthetic" not in re.sub(r"<(style|script).*?</\1>", "", page, flags=re.S)


def test_recordings_that_cannot_be_used_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data" / "utd-mhad").mkdir(parents=True)
    (tmp_path / "data" / "utd-mhad" / "a1_s1_t1_skeleton.mat").write_bytes(b"")
    with pytest.raises(DataError, match=r"no usable recordings here; utd-mhad cannot be used: .*the file is empty"):
        demo(tmp_path / "out", data=tmp_path / "data")
    assert not (tmp_path / "out" / "stores").exists() or not list((tmp_path / "out" / "stores").iterdir())
    monkeypatch.setenv("HALPOSE_DATA", str(tmp_path / "data"))
    said: list[str] = []
    monkeypatch.setattr(module, "_train", lambda *given: (_ for _ in ()).throw(CheckpointError("far enough")))
    with pytest.raises(CheckpointError, match="far enough"):
        demo(tmp_path / "out", clips=24, say=said.append)
    assert said[0].startswith("Real recordings: UTD-MHAD") and said[1].startswith("utd-mhad cannot be used: ")
    assert said[2].startswith("Synthetic data: 24") and "the file is empty" in said[2]
