"""Preparing a data set: nothing lost, nothing hidden, the same store however it was made."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from halpose import io
from halpose.data import chunk_files, chunks, parallel
from halpose.data.catalog import DATASETS
from halpose.data.chunks import CHUNK_FILES
from halpose.data.prepare import prepare, read_missing_list
from halpose.data.source import SourceFile, find_source
from halpose.data.spec import SYNTHETIC_MARK, FileForm
from halpose.data.splits import numbered
from halpose.data.store import Store, StoreError
from halpose.data.synthetic import SyntheticSpec, write_ntu
from halpose.errors import ConfigError, DataError

ACTIONS = (1, 2, 3, 4, 5, 6, 8, 9, 11, 12)
LARGER = 2 * CHUNK_FILES + 7  # three chunks


def skeleton(rng: np.random.Generator, frames: int) -> list:
    return np.round(rng.normal(size=(frames, 20, 3)) + [0, 0, 3], 3).tolist()


def write_ucla(folder: Path, count: int, frames: int = 4) -> list[Path]:
    """Recordings in the form of NW-UCLA, with its names: every action, subject and view in turn."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(3)
    paths = []
    for at in range(count):
        action = ACTIONS[at % 10]
        stem = f"a{action:02}_s{at // 10 % 10 + 1:02}_e{at // 300:02}_v{at // 100 % 3 + 1:02}"
        positions = skeleton(rng, frames + at % 3)
        content = {"file_name": stem, "skeletons": positions, "label": ACTIONS.index(action) + 1}
        paths.append(folder / f"{stem}.json")
        paths[-1].write_text(json.dumps(content))
    return paths


def same_store(one: Path, other: Path) -> bool:
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in ("frames.npy", "clips.npz"))


def aside(store: Path) -> dict[str, tuple[str, str]]:
    entries = json.loads((store / "report.json").read_text())["set_aside"]
    return {entry["file"]: (entry["kind"], entry["reason"]) for entry in entries}


@pytest.fixture(scope="module")
def larger(tmp_path_factory) -> tuple[Path, Path]:
    """A source of three chunks, and the store that one undisturbed process makes of it."""
    folder = tmp_path_factory.mktemp("larger")
    write_ucla(folder / "source", LARGER, frames=1)
    prepare("nw-ucla", folder / "source", folder / "store", workers=1)
    return folder / "source", folder / "store"


class TestResult:
    def test_every_file_is_a_clip_in_order(self, tmp_path):
        paths = write_ucla(tmp_path / "source", 60)
        seen = []
        report = prepare("nw-ucla", tmp_path / "source", tmp_path / "store", workers=1, progress=seen.append)
        store = Store.open(tmp_path / "store")
        assert store.clips.name.tolist() == sorted(path.stem for path in paths)
        assert report.clips == len(store) == 60
        assert report.frames == len(store.frames)
        assert store.classes == DATASETS["nw-ucla"].classes
        for at in (0, 31):
            truth = np.array(
                json.loads((tmp_path / "source" / f"{store.clips.name[at]}.json").read_text())["skeletons"]
            )
            np.testing.assert_allclose(store.clip(at).positions[0], truth, atol=1e-6)
        assert (seen[-1].done, seen[-1].files, seen[-1].clips) == (60, 60, 60)
        assert not (tmp_path / "store.partial").exists()

    def test_splits_follow_the_files(self, tmp_path):
        write_ucla(tmp_path / "source", 300, frames=1)
        report = prepare("nw-ucla", tmp_path / "source", tmp_path / "store", workers=1)
        assert report.counts["x-sub"]["found"] == {"train": 150, "test": 150}
        store = Store.open(tmp_path / "store")
        view = np.array([int(name[-1]) for name in store.clips.name])
        subject = np.array([int(name[5:7]) for name in store.clips.name])
        assert set(store.part("x-view", "official")) == set(np.flatnonzero(view < 3))
        assert set(store.part("x-view", "validation")) == set(np.flatnonzero((view < 3) & np.isin(subject, (5, 10))))
        assert set(store.part("x-sub", "test")) == set(np.flatnonzero(subject % 2 == 0))
        assert set(subject[store.part("x-sub", "validation")]) == {9}
        assert store.info()["splits"]["x-sub"] == {"train": 120, "validation": 30, "test": 150}

    def test_report_compares_with_what_is_published(self, tmp_path):
        write_ucla(tmp_path / "source", 30)
        report = prepare("nw-ucla", tmp_path / "source", tmp_path / "store", workers=1)
        written = json.loads((tmp_path / "store" / "report.json").read_text())
        assert written["counts"]["clips"] == {"found": 30, "expected": 1484}
        assert "30 of 1484 clips" in report.notes
        assert "30 of 1484 clips" in report.summary()

    def test_keeps_terms_and_validation_with_the_store(self, tmp_path):
        write_ucla(tmp_path / "source", 10)
        prepare("nw-ucla", tmp_path / "source", tmp_path / "store", workers=1)
        provenance = Store.open(tmp_path / "store").info()["provenance"]
        spec = DATASETS["nw-ucla"]
        assert provenance["licence"] == spec.licence
        assert provenance["normalisation"] == spec.normalisation
        assert set(provenance["validation"]) == set(spec.splits)

    def test_float16_is_the_float32_store_rounded(self, tmp_path):
        write_ucla(tmp_path / "source", 10)
        for dtype in ("float16", "float32"):
            prepare("nw-ucla", tmp_path / "source", tmp_path / dtype, workers=1, dtype=dtype)
        half, full = (Store.open(tmp_path / dtype).frames for dtype in ("float16", "float32"))
        assert half.dtype == np.float16
        np.testing.assert_array_equal(half, full.astype(np.float16))

    def test_one_frame_ten_thousand_frames_and_an_infinite_joint(self, tmp_path):
        for path, frames in zip(write_ucla(tmp_path / "source", 3), (1, 10_000, 5), strict=True):
            content = json.loads(path.read_text())
            content["skeletons"] = content["skeletons"][:1] * frames
            path.write_text(json.dumps(content))
        content["skeletons"][2] = [[float("inf"), 0.0, 0.0], *content["skeletons"][2][1:]]
        path.write_text(json.dumps(content))
        report = prepare("nw-ucla", tmp_path / "source", tmp_path / "store", workers=1)
        store = Store.open(tmp_path / "store")
        assert store.clips.lengths.tolist() == [1, 10_000, 5]
        assert np.isfinite(store.frames).all()
        assert report.repairs == {"infinite": 1, "joints_filled": 1}
        assert json.loads((tmp_path / "store" / "report.json").read_text())["repaired"] == {
            path.stem: {"infinite": 1, "joints_filled": 1}
        }

    def test_what_does_not_fit_float16_is_set_aside(self, tmp_path):
        path = write_ucla(tmp_path / "source", 3)[1]
        content = json.loads(path.read_text())
        content["skeletons"][0][0][0] = 70000.0
        path.write_text(json.dumps(content))
        report = prepare("nw-ucla", tmp_path / "source", tmp_path / "half", workers=1, dtype="float16")
        assert [item.reason for item in report.set_aside] == ["coordinate 70000 does not fit the store"]
        assert prepare("nw-ucla", tmp_path / "source", tmp_path / "full", workers=1).clips == 3

    def test_a_data_set_of_ones_own(self, tmp_path):
        paths = write_ucla(tmp_path / "source", 12)
        (tmp_path / "source" / ".hidden.json").write_bytes(paths[0].read_bytes())
        own = replace(
            DATASETS["nw-ucla"],
            name="mine",
            forms=(FileForm("ucla", r"[^/]+\.json", "anything.json"),),
            splits={},
            counts={},
            clips=None,
        )
        report = prepare(own, tmp_path / "source", tmp_path / "store", workers=1)
        store = Store.open(tmp_path / "store")
        assert (store.name, store.splits, report.notes, report.files) == ("mine", (), (), 12)
        assert report.set_aside == ()


class TestSameStore:
    def test_whatever_the_number_of_processes(self, larger, tmp_path):
        source, store = larger
        report = prepare("nw-ucla", source, tmp_path / "store", workers=2)
        assert (report.workers, report.chunks) == (2, 3)
        assert same_store(store, tmp_path / "store")
        assert (store / "report.json").read_bytes() == (tmp_path / "store" / "report.json").read_bytes()

    def test_after_a_kill(self, larger, tmp_path):
        """SIGKILL reaches the process in the middle; its workers go too; the same command finishes the work."""
        source, store = larger
        code = (
            "import multiprocessing, os, pathlib, signal, sys\n"
            "from halpose.data.prepare import prepare\n"
            "def die(progress):\n"
            "    pids = [str(child.pid) for child in multiprocessing.active_children()]\n"
            "    pathlib.Path(sys.argv[3]).write_text(' '.join(pids))\n"
            "    os.kill(os.getpid(), signal.SIGKILL)\n"
            "if __name__ == '__main__':\n"
            "    prepare('nw-ucla', sys.argv[1], sys.argv[2], workers=2, progress=die)\n"
        )
        script = tmp_path / "script.py"
        script.write_text(code)
        out, pids = tmp_path / "store", tmp_path / "pids"
        done = subprocess.run([sys.executable, script, source, out, pids], capture_output=True, timeout=120)
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
        assert not out.exists()
        workers = [int(pid) for pid in pids.read_text().split()]
        assert workers
        assert _all_gone(workers, seconds=20)
        kept = sorted((tmp_path / "store.partial").glob("chunk-*.zip"))
        assert 1 <= len(kept) <= 3
        before = {path: path.stat().st_mtime_ns for path in kept}
        made = []
        report = prepare("nw-ucla", source, out, workers=1, progress=made.append)
        assert report.kept_chunks == len(before)
        assert made[-1].done == LARGER
        assert same_store(store, out)
        assert not (tmp_path / "store.partial").exists()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["pids", "script.py", "store"]

    def test_kept_chunks_are_not_made_again(self, larger, tmp_path, monkeypatch):
        source, store = larger
        _stop_after(1, monkeypatch)
        with pytest.raises(KeyboardInterrupt):
            prepare("nw-ucla", source, tmp_path / "store", workers=1)
        monkeypatch.undo()
        calls = []
        original = parallel.make_chunk
        monkeypatch.setattr(parallel, "make_chunk", lambda *given: calls.append(given[2].name) or original(*given))
        assert prepare("nw-ucla", source, tmp_path / "store", workers=1).kept_chunks == 1
        assert calls == ["chunk-000001.zip", "chunk-000002.zip"]
        assert same_store(store, tmp_path / "store")

    @pytest.mark.parametrize("change", ["file", "settings"])
    def test_other_work_starts_anew(self, larger, tmp_path, monkeypatch, change):
        source, _ = larger
        if change == "file":
            source = tmp_path / "source"
            write_ucla(source, LARGER, frames=1)
        _stop_after(1, monkeypatch)
        with pytest.raises(KeyboardInterrupt):
            prepare("nw-ucla", source, tmp_path / "store", workers=1)
        monkeypatch.undo()
        options = {}
        if change == "file":
            next(iter(sorted(source.iterdir()))).unlink()
        else:
            options["dtype"] = "float16"
        assert prepare("nw-ucla", source, tmp_path / "store", workers=1, **options).kept_chunks == 0

    def test_division_depends_on_files_only(self):
        files = [SourceFile(f"{at:05}", size, 0) for at, size in enumerate([1] * 600 + [chunks.CHUNK_BYTES] * 3)]
        divided = chunks.divide(files)
        assert [file for chunk in divided for file in chunk] == files
        assert [len(chunk) for chunk in divided] == [256, 256, 88, 1, 1, 1]
        assert chunks.divide(files[:1]) == [(files[0],)]


class TestSetAside:
    def test_damaged_files_are_named_and_the_others_kept(self, tmp_path):
        source = tmp_path / "source"
        good = write_ucla(source, 20)
        whole = good[0].read_text()
        nowhere = json.loads(whole) | {"skeletons": np.zeros((5, 20, 3)).tolist()}
        short = json.loads(whole) | {"skeletons": np.ones((5, 19, 3)).tolist()}
        bad = {
            "a01_s01_e90_v01.json": "",
            "a01_s01_e91_v01.json": whole[: len(whole) // 2],
            "a01_s01_e92_v01.json": json.dumps(nowhere),
            "a01_s01_e93_v01.json": json.dumps(short),
            "a07_s01_e94_v01.json": whole,
            "a01_s01_e95_v01.json": "\0\1\2",
            "a01_s01_e96_v01.json": json.dumps(json.loads(whole) | {"skeletons": []}),
        }
        for name, content in bad.items():
            (source / name).write_text(content)
        report = prepare("nw-ucla", source, tmp_path / "store", workers=1)
        store = Store.open(tmp_path / "store")
        assert sorted(store.clips.name) == sorted(path.stem for path in good)
        reasons = aside(tmp_path / "store")
        assert set(reasons) == set(bad)
        assert all(reason for _, reason in reasons.values())
        assert reasons["a01_s01_e92_v01.json"][0] == "no body"
        assert "19" in reasons["a01_s01_e93_v01.json"][1]
        assert store.info()["set_aside"] == len(report.set_aside) == len(bad)
        assert any(f"{len(bad) - 1} damaged" in line and "1 no body" in line for line in report.summary())

    def test_a_fault_of_the_reader_costs_one_file(self, tmp_path, monkeypatch):
        write_ucla(tmp_path / "source", 5)
        read = chunks.io.read

        def faulty(path, format=None):
            if "a03" in path.name:
                raise RecursionError("much too deep")
            return read(path, format)

        monkeypatch.setattr(chunks.io, "read", faulty)
        prepare("nw-ucla", tmp_path / "source", tmp_path / "store", workers=1)
        assert aside(tmp_path / "store") == {
            "a03_s01_e00_v01.json": ("damaged", "the ucla reader failed: RecursionError: much too deep")
        }

    def test_whole_clips_before_the_damage_are_kept(self, tmp_path, monkeypatch):
        write_ucla(tmp_path / "source", 3)
        read = chunks.io.read

        def breaks_off(path, format=None):
            yield from read(path, format)
            if "a02" in path.name:
                raise DataError("it ends here")

        monkeypatch.setattr(chunks.io, "read", breaks_off)
        report = prepare("nw-ucla", tmp_path / "source", tmp_path / "store", workers=1)
        assert report.clips == 3
        assert aside(tmp_path / "store") == {
            "a02_s01_e00_v01.json": ("damaged", "after 1 whole clips, which are kept: it ends here")
        }

    def test_a_second_copy_is_named(self, tmp_path):
        write_ucla(tmp_path / "source" / "a", 4)
        write_ucla(tmp_path / "source" / "b", 5)
        report = prepare("nw-ucla", tmp_path / "source", tmp_path / "store", workers=1)
        assert report.clips == 5
        reasons = aside(tmp_path / "store")
        assert len(reasons) == 4
        assert reasons["b/a01_s01_e00_v01.json"] == (
            "duplicate",
            "a clip of this name was read from a/a01_s01_e00_v01.json already",
        )

    def test_what_the_literature_leaves_out(self, tmp_path):
        write_ucla(tmp_path / "source", 4)
        spec = replace(DATASETS["nw-ucla"], prune=frozenset({"a02_s01_e00_v01"}), prune_why="not used")
        prepare(spec, tmp_path / "source", tmp_path / "store", workers=1)
        assert aside(tmp_path / "store") == {"a02_s01_e00_v01.json": ("pruned", "not used")}

    def test_wrong_label_layout_and_channels(self, tmp_path):
        write_ucla(tmp_path / "source", 4)
        spec = DATASETS["nw-ucla"]
        prepare(replace(spec, classes=spec.classes[:3]), tmp_path / "source", tmp_path / "few", workers=1)
        assert "label 3, but there are 3 classes" in aside(tmp_path / "few")["a04_s01_e00_v01.json"][1]
        for other in (replace(spec, layout="kinect25"), replace(spec, channels=2)):
            with pytest.raises(DataError, match="layout kinect20 with 20 joints and 3 channels"):
                prepare(other, tmp_path / "source", tmp_path / "other", workers=1)


class TestNtu:
    """NTU files are written by hand here: an independent reading of the format."""

    @staticmethod
    def write(path: Path, bodies: int, frames: int = 3) -> None:
        rng = np.random.default_rng(len(path.name))
        lines = [str(frames)]
        for _ in range(frames):
            lines.append(str(bodies))
            for body in range(bodies):
                lines += [f"7205759403793{body:04} 0 1 1 1 1 0 0.1 0.2 2", "25"]
                lines += [
                    " ".join(f"{value:.4f}" for value in [*row, *[0.0] * 8]) + " 2" for row in rng.normal(size=(25, 3))
                ]
        path.write_text("\n".join(lines) + "\n")

    @pytest.fixture
    def source(self, tmp_path) -> Path:
        folder = tmp_path / "nturgb+d_skeletons"
        folder.mkdir()
        for name in ("S001C001P001R001A001", "S001C002P003R001A060", "S017C003P008R002A050"):
            self.write(folder / f"{name}.skeleton", bodies=2 if "A050" in name or "A060" in name else 1)
        self.write(folder / "S002C001P001R001A005.skeleton", bodies=0)
        return folder

    def test_splits_and_missing_skeletons(self, source, tmp_path):
        prepare("ntu60", source, tmp_path / "store", workers=1)
        store = Store.open(tmp_path / "store")
        assert store.frames.shape[1:] == (2, 25, 3)
        assert store.clips.label.tolist() == [0, 59, 49]
        assert store.clips.people.tolist() == [1, 2, 2]
        assert store.clips.split["x-sub"].tolist() == [0, 2, 1]
        assert store.clips.split["x-view"].tolist() == [2, 0, 0]
        assert aside(tmp_path / "store")["S002C001P001R001A005.skeleton"][0] == "no body"

    def test_list_of_missing_skeletons(self, source, tmp_path):
        named = tmp_path / "missing.txt"
        named.write_text("S001C001P001R001A001\r\nS001C001P099R001A001\n\nS002C001P001R001A005.skeleton\n")
        report = prepare("ntu60", source, tmp_path / "store", workers=1, missing_list=named)
        named_files = ["S001C001P001R001A001.skeleton", "S002C001P001R001A005.skeleton"]
        assert [(item.file, item.kind) for item in report.set_aside] == [(name, "listed") for name in named_files]
        assert "the list of missing skeletons names 3 clips, 2 of them here" in report.notes
        assert report.clips == 2

    def test_a_useless_list_is_refused(self, tmp_path):
        (tmp_path / "empty.txt").write_text("\n")
        with pytest.raises(DataError, match="names no clip"):
            read_missing_list(tmp_path / "empty.txt")
        with pytest.raises(DataError, match="cannot be read"):
            read_missing_list(tmp_path / "nothing.txt")

    def test_a_pickle_of_the_same_clips_gives_the_same_store(self, source, tmp_path):
        prepare("ntu60", source, tmp_path / "raw", workers=1)
        clips = [clip for path in sorted(source.iterdir()) if "A005" not in path.name for clip in io.read(path)]
        io.write(tmp_path / "ntu60_3danno.pkl", clips, "pyskl")
        prepare("ntu60", tmp_path / "ntu60_3danno.pkl", tmp_path / "pickled", workers=1)
        raw, pickled = Store.open(tmp_path / "raw"), Store.open(tmp_path / "pickled")
        np.testing.assert_array_equal(raw.frames, pickled.frames)
        for column in ("name", "label", "subject", "camera", "setup"):
            np.testing.assert_array_equal(getattr(raw.clips, column), getattr(pickled.clips, column))
        for split in raw.splits:
            np.testing.assert_array_equal(raw.clips.split[split], pickled.clips.split[split])

    def test_generated_files_stay_synthetic_whatever_they_are_prepared_as(self, tmp_path):
        made = SyntheticSpec(clips=6, actions=60)
        write_ntu(made, tmp_path / "deep" / "files")
        assert (tmp_path / "deep" / "files" / SYNTHETIC_MARK).is_file()
        report = prepare("ntu60", tmp_path / "deep", tmp_path / "store", workers=1)
        store = Store.open(tmp_path / "store")
        assert store.info()["synthetic"] is True
        assert store.name == report.data_set == "synthetic-ntu60"
        assert store.classes == made.classes != DATASETS["ntu60"].classes
        assert "generated" in store.info()["provenance"]["licence"]
        assert "synthetic" in store.info()["provenance"]["data_set"]
        assert any("synthetic" in note for note in report.notes)
        one = next((tmp_path / "deep" / "files").glob("*.skeleton"))
        prepare("ntu60", one, tmp_path / "one", workers=1)
        assert Store.open(tmp_path / "one").name == "synthetic-ntu60"

    def test_ntu60_takes_its_own_files_of_ntu120(self, source, tmp_path):
        self.write(source / "S018C001P008R001A061.skeleton", bodies=1)
        assert len(find_source(DATASETS["ntu60"], source).files) == 4
        assert len(find_source(DATASETS["ntu120"], source).files) == 5


class TestPku:
    """PKU-MMD: several clips a video, and splits that come as lists of videos."""

    @pytest.fixture
    def source(self, tmp_path) -> Path:
        rng = np.random.default_rng(5)
        for folder in ("skeleton", "label"):
            (tmp_path / "v2" / folder).mkdir(parents=True)
        for subject in range(1, 9):
            video = f"A01N{subject:02}-L"
            frames = np.hstack([rng.normal(size=(30, 75)) + 3, np.zeros((30, 75))])
            np.savetxt(tmp_path / "v2" / "skeleton" / f"{video}.txt", frames, fmt="%.4f")
            (tmp_path / "v2" / "label" / f"{video}.txt").write_text("1,2,11,2\n51,15,28,1\n")
        return tmp_path / "v2"

    def write_list(self, source: Path) -> None:
        train, test = ([f"A01N{subject:02}-L" for subject in part] for part in ((1, 2, 3, 4, 5), (6, 7)))
        lines = ["Training videos:", ", ".join(train), "Validation videos:", ", ".join(test)]
        (source / "cross_subject_v2.txt").write_text("\n".join(lines))

    def test_splits_come_from_the_lists(self, source, tmp_path):
        self.write_list(source)
        report = prepare("pkummd2", source, tmp_path / "store", workers=1)
        store = Store.open(tmp_path / "store")
        assert len(store) == 16
        assert store.clips.label.tolist() == [0, 50] * 8
        assert store.splits == ("x-sub",)
        assert store.clips.split["x-sub"].tolist() == [0] * 8 + [1, 1, 2, 2, 2, 2, -1, -1]
        assert [note for note in report.notes if "split x-view left out" in note and "cross_view_v2.txt" in note]
        assert [numbered(name) for name in store.clips.subject] == [str(n) for n in range(1, 9) for _ in "ab"]

    def test_the_skeleton_folder_itself_will_do(self, source, tmp_path):
        self.write_list(source)
        prepare("pkummd2", source / "skeleton", tmp_path / "store", workers=1)
        assert Store.open(tmp_path / "store").splits == ("x-sub",)


class TestWrongFolder:
    def refuse(self, tmp_path: Path, match: str, source: Path | None = None, name: str = "nw-ucla") -> None:
        with pytest.raises(DataError, match=match):
            prepare(name, source or tmp_path / "source", tmp_path / "store", workers=1)
        assert not (tmp_path / "store").exists()
        assert not (tmp_path / "store.partial").exists()
        assert not list(tmp_path.glob(".*"))

    def test_no_folder(self, tmp_path):
        self.refuse(tmp_path, "no such folder")

    def test_empty_folder(self, tmp_path):
        (tmp_path / "source").mkdir()
        self.refuse(tmp_path, r"expected files like all_sqe/a01_s01_e00_v01\.json, but the folder is empty")

    def test_says_what_is_there_instead(self, tmp_path):
        (tmp_path / "source" / "deep").mkdir(parents=True)
        for name in ("notes.txt", "deep/photo.jpg", "deep/other.jpg"):
            (tmp_path / "source" / name).touch()
        self.refuse(tmp_path, r"found 3 others \(2 \.jpg, 1 \.txt\)")

    def test_names_the_data_set_it_looks_like(self, tmp_path):
        write_ucla(tmp_path / "source", 1)
        self.refuse(tmp_path, "look like nw-ucla", name="utd-mhad")

    def test_asks_to_unpack(self, tmp_path):
        (tmp_path / "source").mkdir()
        (tmp_path / "source" / "skeletons.zip").touch()
        self.refuse(tmp_path, r"unpack skeletons\.zip first")

    def test_nothing_usable(self, tmp_path):
        for path in write_ucla(tmp_path / "source", 6):
            path.write_text("{")
        self.refuse(tmp_path, r"none of the 6 files .* so nothing was written: a01_s01_e00_v01\.json: .*\.\.\.")

    def test_unknown_data_set(self, tmp_path):
        with pytest.raises(ConfigError, match="halpose knows ntu60"):
            prepare("kinetics", tmp_path, tmp_path / "store")
        with pytest.raises(ConfigError, match="not float64"):
            prepare("ntu60", tmp_path, tmp_path / "store", dtype="float64")

    def test_a_single_file_will_do(self, tmp_path):
        paths = write_ucla(tmp_path / "source", 3)
        assert prepare("nw-ucla", paths[1], tmp_path / "store", workers=1).clips == 1

    def test_hidden_files_and_circular_links_are_passed_over(self, tmp_path):
        source = tmp_path / "source"
        write_ucla(source / "all_sqe", 3)
        (source / "all_sqe" / "._a01_s01_e00_v01.json").write_text("resource fork")
        (source / "back").symlink_to(source)
        assert len(find_source(DATASETS["nw-ucla"], source).files) == 3


class TestOutput:
    def test_an_existing_store_is_left_alone(self, larger, tmp_path):
        _, store = larger
        write_ucla(tmp_path / "source", 3)
        before = (store / "frames.npy").read_bytes()
        with pytest.raises(StoreError, match="overwrite"):
            prepare("nw-ucla", tmp_path / "source", store, workers=1)
        assert (store / "frames.npy").read_bytes() == before
        assert not store.with_name("store.partial").exists()

    def test_overwrite(self, tmp_path):
        write_ucla(tmp_path / "source", 3)
        prepare("nw-ucla", tmp_path / "source", tmp_path / "store", workers=1)
        write_ucla(tmp_path / "source", 4)
        prepare("nw-ucla", tmp_path / "source", tmp_path / "store", workers=1, overwrite=True)
        assert len(Store.open(tmp_path / "store")) == 4

    def test_a_folder_that_is_not_ours_is_left_alone(self, tmp_path):
        write_ucla(tmp_path / "source", 3)
        (tmp_path / "store.partial").mkdir()
        (tmp_path / "store.partial" / "diary.txt").write_text("mine")
        with pytest.raises(DataError, match="not left by halpose"):
            prepare("nw-ucla", tmp_path / "source", tmp_path / "store", workers=1)
        assert (tmp_path / "store.partial" / "diary.txt").read_text() == "mine"

    def test_a_worker_that_dies_is_reported_and_nothing_lost(self, larger, tmp_path, monkeypatch):
        source, store = larger
        monkeypatch.setattr(parallel, "make_chunk", _die)
        with pytest.raises(DataError, match="a working process died .* run the same command again"):
            prepare("nw-ucla", source, tmp_path / "store", workers=2)
        monkeypatch.undo()
        prepare("nw-ucla", source, tmp_path / "store", workers=1)
        assert same_store(store, tmp_path / "store")

    def test_a_full_disk_keeps_the_finished_chunks(self, larger, tmp_path, monkeypatch):
        source, store = larger
        savez, calls = np.savez, []

        def full(*given, **named):
            calls.append(1)
            if len(calls) == 3:
                raise OSError(28, "No space left on device")
            savez(*given, **named)

        monkeypatch.setattr(chunk_files.np, "savez", full)
        with pytest.raises(DataError, match="No space left on device.*finished chunks are kept"):
            prepare("nw-ucla", source, tmp_path / "store", workers=1)
        monkeypatch.undo()
        assert not list((tmp_path / "store.partial").glob(".chunk*"))
        assert prepare("nw-ucla", source, tmp_path / "store", workers=1).kept_chunks == 2
        assert same_store(store, tmp_path / "store")

    def test_a_damaged_chunk_is_named(self, larger, tmp_path, monkeypatch):
        source, _ = larger
        _stop_after(1, monkeypatch)
        with pytest.raises(KeyboardInterrupt):
            prepare("nw-ucla", source, tmp_path / "store", workers=1)
        monkeypatch.undo()
        chunk = tmp_path / "store.partial" / "chunk-000000.zip"
        chunk.write_bytes(chunk.read_bytes()[:1000])
        with pytest.raises(DataError, match=r"chunk-000000\.zip: damaged .* remove it"):
            prepare("nw-ucla", source, tmp_path / "store", workers=1)


def _stop_after(count: int, monkeypatch) -> None:
    """Ctrl-C once `count` chunks are made."""
    original, made = parallel.make_chunk, []

    def stopping(*given):
        if len(made) == count:
            raise KeyboardInterrupt
        made.append(given)
        return original(*given)

    monkeypatch.setattr(parallel, "make_chunk", stopping)


def _die(*given) -> None:
    os._exit(9)


def _all_gone(pids: list[int], seconds: float) -> bool:
    """Whether processes end in time; one that waits to be reaped has ended."""

    def lives(pid: int) -> bool:
        try:
            os.kill(pid, 0)
            return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
        except (OSError, IndexError):
            return False

    until = time.monotonic() + seconds
    while any(map(lives, pids)):
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.data
class TestRealRecordings:
    """The published counts, on the files themselves."""

    COUNTS = {
        "utd-mhad": (861, {"x-sub": (431, 430)}),
        "nw-ucla": (
            1484,
            {"x-view": (1020, 464), "x-view-2": (1020, 464), "x-view-distinct": (1020, 369), "x-sub": (724, 760)},
        ),
        "msr-action3d": (557, {"x-sub": (284, 273)}),
        "sbu": (
            282,
            {f"fold{i}": (282 - test, test) for i, test in enumerate((55, 52, 56, 54, 65), start=1)},
        ),
        "hdm05": (287, {"x-sub": (188, 99)}),
        "bandai-namco": (2902, {"x-style": (1742, 1160)}),
        "bandai-namco-1": (174, {"x-style": (97, 77)}),
    }

    @pytest.mark.parametrize("name", COUNTS)
    def test_counts(self, name, halpose_data, tmp_path):
        clips, splits = self.COUNTS[name]
        report = prepare(name, halpose_data / name.removesuffix("-1"), tmp_path / "store", workers=1)
        store = Store.open(tmp_path / "store")
        assert len(store) == clips
        assert report.notes == ()
        assert {item.kind for item in report.set_aside} <= {"pruned"}
        for split, (train, test) in splits.items():
            official = store.part(split, "official")
            assert (len(official), len(store.part(split, "test"))) == (train, test)
            assert len(store.part(split, "validation")) >= 0.1 * train
            every = set(store.clips.label[official])
            assert set(store.clips.label[store.part(split, "train")]) == every
        assert np.isfinite(store.frames[:, 0]).any(axis=(1, 2)).all(), "the main actor is in every frame"
        if "x-sub" in splits:
            subjects = [set(store.clips.subject[store.part("x-sub", part)]) for part in ("train", "validation", "test")]
            assert sum(map(len, subjects)) == len(set.union(*subjects)), "nobody is in two parts"

    def test_msr_files_that_the_literature_uses(self, halpose_data):
        listed = next((halpose_data / "msr-action3d").rglob("files_used_in_cvpr12_paper.txt")).read_text().split()
        files = {path.name[:11] for path in (halpose_data / "msr-action3d").rglob("a*_skeleton3D.txt")}
        assert files - set(listed) == DATASETS["msr-action3d"].prune

    def test_ntu_samples(self, halpose_data, tmp_path):
        folder = halpose_data / "samples" / "ntu"
        missing = folder / "NTU_RGBD_samples_with_missing_skeletons.txt"
        assert len(read_missing_list(missing)) == 302
        report = prepare("ntu60", folder, tmp_path / "store", workers=1, missing_list=missing)
        assert (report.clips, report.set_aside) == (5, ())
        store = Store.open(tmp_path / "store")
        assert store.clips.label.tolist() == [0, 1, 2, 3, 4]
        assert store.part("x-sub", "official").tolist() == [0, 1, 2, 3, 4]
        assert store.part("x-view", "test").tolist() == [0, 1, 2, 3, 4]
