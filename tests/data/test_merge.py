"""Merging stores: shards are the whole bit for bit; different sets keep their clips, names, labels and splits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from halpose.config import DataConfig
from halpose.data import merge as merging
from halpose.data.chunks import share
from halpose.data.merge import merge
from halpose.data.normalise import clean
from halpose.data.prepare import prepare
from halpose.data.source import SourceFile
from halpose.data.store import Store, StoreWriter
from halpose.data.window import resolve_data
from halpose.engine.seen import seen_lines
from halpose.errors import ConfigError, DataError
from halpose.skeleton import Sequence, load_layout

STORE_FILES = ("frames.npy", "clips.npz", "store.json", "report.json")


def write_ucla(folder: Path, count: int) -> None:
    """NW-UCLA's form and names, each file of another length; one damaged, one without anybody, one with a gap."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(5)
    for at in range(count):
        stem = f"a{(1, 2, 3, 4, 5, 6, 8, 9, 11, 12)[at % 10]:02}_s{at // 3 % 10 + 1:02}_e{at:02}_v{at % 3 + 1:02}"
        skeletons = np.round(rng.normal(size=(3 + at % 5, 20, 3)) + [0, 0, 3], 3)
        skeletons = np.full_like(skeletons, np.nan) if at == 7 else skeletons
        skeletons[1, 4] = np.nan if at in (3, 11) else skeletons[1, 4]
        text = json.dumps({"file_name": stem, "skeletons": skeletons.tolist(), "label": at % 10 + 1})
        (folder / f"{stem}.json").write_text(text[:40] if at == 9 else text)


def twins(source: Path) -> None:
    """The same clip in three files, so that whichever shard holds the first owns it."""
    files = sorted(source.glob("*.json"))
    for folder, at in (("copies", 0), ("copies", 3), ("later", 0), ("later", 20)):
        (source / "x" / folder).mkdir(parents=True, exist_ok=True)
        (source / "x" / folder / files[at].name).write_bytes(files[at].read_bytes())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A source with every kind of trouble, and the store that one prepare makes of it."""
    folder = tmp_path_factory.mktemp("whole")
    write_ucla(folder / "source", 24)
    twins(folder / "source")
    prepare("nw-ucla", folder / "source", folder / "store", workers=1)
    return folder / "source", folder / "store"


def shards(source: Path, folder: Path, of: int) -> list[Path]:
    made = [folder / f"part{number}" for number in range(1, of + 1)]
    for number, path in enumerate(made, start=1):
        prepare("nw-ucla", source, path, workers=1, shard=(number, of))
    return made


def moves(clip: str, joints: int = 20, seed: int = 0) -> np.ndarray:
    """(1, T, V, 3) positions that follow from a clip's name."""
    rng = np.random.default_rng([seed, *clip.encode()])
    return rng.normal(size=(1, 3 + sum(clip.encode()) % 4, joints, 3)).astype(np.float32)


def small_store(path: Path, name: str, classes: tuple[str, ...], names: list[str], **about: object) -> Path:
    """Clips that follow from their names; subjects s0 and s1 in turn, s1 tests."""
    dtype, layout = str(about.pop("dtype", "float32")), str(about.pop("layout", "kinect20"))
    split, seed = str(about.pop("split", "x-sub")), int(str(about.pop("seed", 0)))
    with StoreWriter(path, layout=load_layout(layout), people=1, name=name, classes=classes, dtype=dtype) as writer:
        for at, clip in enumerate(names):
            positions = moves(clip, len(load_layout(layout)), seed)
            sequence = Sequence(positions, layout, clip, label=at % len(classes), subject=f"s{at % 2}")
            writer.append(clean(sequence, people=1))
        if split:
            writer.set_split(split, np.arange(len(names)) % 2 * 2)
        writer.provenance |= {"licence": f"terms of {name}", "default_split": split, "files": len(names), **about}
    return path


class TestShards:
    @pytest.mark.parametrize("of", [1, 2, 3, 7])
    def test_files_are_divided_whole_in_order_and_evenly(self, of):
        rng = np.random.default_rng(of)
        files = [SourceFile(f"f{at:03}", int(size), 0) for at, size in enumerate(rng.integers(1, 1000, 120))]
        parts = [share(files, number, of) for number in range(1, of + 1)]
        assert [file for part in parts for file in part] == files
        sizes = [sum(file.size for file in part) for part in parts]
        assert max(sizes) - min(sizes) <= 2 * 1000

    def test_no_shard_is_empty_whatever_the_sizes(self):
        for sizes in ([10**9, 1, 1, 1], [1, 1, 1, 10**9], [0, 0, 0, 0], [1, 10**9, 1, 1]):
            files = [SourceFile(str(at), size, 0) for at, size in enumerate(sizes)]
            for of in (1, 2, 3, 4):
                parts = [share(files, number, of) for number in range(1, of + 1)]
                assert all(parts) and [file for part in parts for file in part] == files

    @pytest.mark.parametrize("of", [2, 5, 9])
    def test_are_the_whole_bit_for_bit(self, whole, tmp_path, of):
        source, store = whole
        report = merge(shards(source, tmp_path, of)[::-1], tmp_path / "merged")
        for name in STORE_FILES:
            assert (tmp_path / "merged" / name).read_bytes() == (store / name).read_bytes(), name
        assert report.shards and report.clips == len(Store.open(store))
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
            ["merged", *(f"part{number}" for number in range(1, of + 1))]
        )

    def test_the_whole_of_the_test_holds_every_kind_of_trouble(self, whole):
        report = json.loads((whole[1] / "report.json").read_text())
        kinds = [item["kind"] for item in report["set_aside"]]
        assert sorted(set(kinds)) == ["damaged", "duplicate", "no body"] and kinds.count("duplicate") == 4
        assert len(report["repaired"]) == 2

    def test_a_shard_is_a_store_and_says_what_it_is(self, whole, tmp_path):
        report = prepare("nw-ucla", whole[0], tmp_path / "part", workers=1, shard=(2, 3))
        assert report.notes == (f"shard 2 of 3: {report.files} of 28 files",)
        shard = Store.open(tmp_path / "part").meta["provenance"]["shard"]
        assert (shard["number"], shard["of"]) == (2, 3)

    def test_wrong_shards_are_refused(self, whole, tmp_path):
        source, _ = whole
        with pytest.raises(ConfigError, match="no shard 4 of 3"):
            prepare("nw-ucla", source, tmp_path / "x", shard=(4, 3))
        with pytest.raises(DataError, match="28 files cannot be divided into 29 shards"):
            prepare("nw-ucla", source, tmp_path / "x", shard=(1, 29))
        one, two, three = shards(source, tmp_path, 3)
        with pytest.raises(DataError, match="a shard of 3, and 2 of them not given; prepare them with --shard 2/3"):
            merge([one, three], tmp_path / "x")
        prepare("nw-ucla", source, tmp_path / "half", workers=1, shard=(1, 2))
        with pytest.raises(DataError, match="not a shard of the preparation that"):
            merge([two, three, tmp_path / "half"], tmp_path / "x")
        prepare("nw-ucla", source, tmp_path / "again", workers=1, shard=(2, 3))
        with pytest.raises(DataError, match="again: shard 2 of 3, and so is .*part2"):
            merge([one, two, three, tmp_path / "again"], tmp_path / "x")
        with pytest.raises(DataError, match="store: not a shard"):
            merge([one, two, three, whole[1]], tmp_path / "x")
        (two / "report.json").unlink()
        with pytest.raises(DataError, match=r"report.json: cannot be read .*prepare this shard again"):
            merge([one, two, three], tmp_path / "x")
        assert not (tmp_path / "x").exists() and not (tmp_path / "x.partial").exists()

    def test_copies_of_the_files_on_another_machine_are_the_same_files(self, whole, tmp_path):
        source, store = whole
        one, _ = shards(source, tmp_path, 2)
        elsewhere = tmp_path / "elsewhere"
        subprocess.run(["cp", "-r", source, elsewhere], check=True)  # other times
        prepare("nw-ucla", elsewhere, tmp_path / "other", workers=1, shard=(2, 2))
        merge([one, tmp_path / "other"], tmp_path / "merged")
        assert (tmp_path / "merged" / "clips.npz").read_bytes() == (store / "clips.npz").read_bytes()


class TestSets:
    def test_clips_classes_names_and_splits_are_kept_apart(self, tmp_path):
        a = small_store(tmp_path / "a", "left", ("wave", "kick", "sit"), ["x", "y", "z", "w", "v"])
        b = small_store(tmp_path / "b", "right", ("sit", "jump"), ["x", "q", "r"], split="x-view")
        report = merge([a, b], tmp_path / "ab")
        first, second, store = (Store.open(tmp_path / name) for name in ("a", "b", "ab"))
        assert store.classes == ("wave", "kick", "sit", "jump") and store.name == "left+right"
        assert store.clips.name.tolist() == [
            "left/x",
            "left/y",
            "left/z",
            "left/w",
            "left/v",
            "right/x",
            "right/q",
            "right/r",
        ]
        assert store.clips.subject.tolist()[4:6] == ["left/s0", "right/s0"]
        said = [part.classes[label] for part in (first, second) for label in part.clips.label]
        assert [store.classes[label] for label in store.clips.label] == said
        np.testing.assert_array_equal(store.frames, np.concatenate([first.frames, second.frames]))
        np.testing.assert_array_equal(store.clips.origin, np.concatenate([first.clips.origin, second.clips.origin]))
        assert store.splits == ("merged", "left/x-sub", "right/x-view")
        assert store.clips.split["left/x-sub"].tolist() == [0, 2, 0, 2, 0, -1, -1, -1]
        assert store.clips.split["merged"].tolist() == [0, 2, 0, 2, 0, 0, 2, 0]
        assert resolve_data(store, DataConfig()).split == "merged"
        provenance = store.meta["provenance"]
        assert provenance["licence"] == "left: terms of left; right: terms of right" and provenance["files"] == 8
        assert [entry["data_set"] for entry in provenance["merged"]] == ["left", "right"]
        assert (report.clips, report.duplicates, report.shards) == (8, 0, False)

    def test_what_a_training_has_seen_is_told_in_the_names_of_the_sets(self, tmp_path):
        a = small_store(tmp_path / "a", "left", ("wave",), ["x", "y", ""])
        b = small_store(tmp_path / "b", "right", ("wave",), ["x/1", "y"])
        merge([a, b], tmp_path / "ab")
        apart = [line for path in (a, b) for line in seen_lines(Store.open(path), np.arange(len(Store.open(path))))]
        together = list(seen_lines(Store.open(tmp_path / "ab"), np.arange(5)))
        assert apart == ["left\ts0\tx", "left\ts1\ty", "left\ts0\t", "right\ts0\tx/1", "right\ts1\ty"]
        assert together == [*apart[:2], "left+right\ts0\t", *apart[3:]]  # a clip without a name is nobody's

    def test_parts_of_one_set_keep_their_names(self, tmp_path):
        a = small_store(tmp_path / "a", "mine", ("wave",), ["x", "y"])
        b = small_store(tmp_path / "b", "mine", ("wave",), ["z", "y", ""], split="x-sub")
        c = small_store(tmp_path / "c", "mine", ("wave",), [""], split="")
        report = merge([a, b], tmp_path / "ab")
        store = Store.open(tmp_path / "ab")
        assert (store.name, store.splits, store.clips.name.tolist()) == ("mine", ("x-sub",), ["x", "y", "z", ""])
        assert "1 clips of b are in an earlier store, the same there: taken once" in report.notes
        assert report.duplicates == 1
        merge([b, c], tmp_path / "bc")
        store = Store.open(tmp_path / "bc")
        assert store.splits == () and len(store) == 4  # a clip without a name is no other clip's twin

    def test_unlabelled_clips_stay_unlabelled(self, tmp_path):
        a = small_store(tmp_path / "a", "a", ("wave", "sit"), ["x", "y"])
        with StoreWriter(tmp_path / "b", layout=load_layout("kinect20"), people=1, name="b") as writer:
            writer.append(clean(Sequence(np.ones((1, 2, 20, 3), np.float32), "kinect20", "x"), people=1))
        merge([a, tmp_path / "b"], tmp_path / "ab")
        store = Store.open(tmp_path / "ab")
        assert store.clips.label.tolist() == [0, 1, -1]
        assert store.clips.split["merged"].tolist() == [0, 2, 0]

    def test_families_share_their_clips(self, tmp_path):
        """NTU 60 is inside NTU 120: a clip of both is there once, and tests if it tests in either."""
        a = small_store(tmp_path / "a", "ntu60", ("wave",), ["p", "q", "r", "s"])
        b = small_store(tmp_path / "b", "ntu120", ("wave",), ["t", "u", "v", "w"])
        names = ["q", "z", "s", "p"]  # at other places, of other lengths: each made from its name
        positions = {name: Store.open(a).clip(at) for at, name in enumerate(["p", "q", "r", "s"])}
        with StoreWriter(b, layout=load_layout("kinect20"), people=1, name="ntu120", overwrite=True) as writer:
            for name in names:
                writer.append(clean(replace(positions.get(name, positions["p"]), name=name, label=-1), people=1))
            writer.set_split("x-set", np.array([2, 0, 0, 1]))
        report = merge([a, b], tmp_path / "ab")
        store = Store.open(tmp_path / "ab")
        assert store.clips.name.tolist() == ["ntu60/p", "ntu60/q", "ntu60/r", "ntu60/s", "ntu120/z"]
        assert store.clips.split["ntu60/x-sub"].tolist() == [0, 2, 0, 2, -1]
        assert store.clips.split["ntu120/x-set"].tolist() == [1, 2, -1, 0, 0]
        assert store.clips.split["merged"].tolist() == [1, 2, 0, 2, 0]
        assert report.duplicates == 3

    def test_one_clip_of_two_classes_is_refused(self, tmp_path):
        a = small_store(tmp_path / "a", "mine", ("wave", "kick"), ["x", "y"])
        clips = [Store.open(a).clip(at) for at in range(2)]
        for label, message in ((0, "b: clip x is 'kick', but in .*a 'wave'"), (1, ""), (-1, "")):
            with StoreWriter(tmp_path / "b", layout=load_layout("kinect20"), people=1, name="mine", overwrite=True,
                             classes=("kick", "wave")) as writer:  # fmt: skip
                writer.append(clean(replace(clips[0], label=label), people=1))
            if message:
                with pytest.raises(DataError, match=message):
                    merge([a, tmp_path / "b"], tmp_path / "ab")
            else:
                assert merge([a, tmp_path / "b"], tmp_path / "ab", overwrite=True).duplicates == 1

    def test_other_clips_under_one_name_are_refused(self, tmp_path):
        a = small_store(tmp_path / "a", "mine", ("wave",), ["x", "y"])
        b = small_store(tmp_path / "b", "mine", ("wave",), ["y", "z"], seed=1)
        with pytest.raises(DataError, match="b: clip y is in .*a too, and differs there"):
            merge([a, b], tmp_path / "ab")

    @pytest.mark.parametrize(
        ("other", "says"),
        [({"layout": "kinect25"}, "layout kinect25, but .* has kinect20"), ({"dtype": "float16"}, "--dtype float32")],
    )
    def test_what_does_not_go_together(self, tmp_path, other, says):
        a = small_store(tmp_path / "a", "a", ("wave",), ["x"])
        b = small_store(tmp_path / "b", "b", ("wave",), ["x"], **other)
        with pytest.raises(DataError, match=says):
            merge([a, b], tmp_path / "ab")

    def test_misuse(self, tmp_path):
        a = small_store(tmp_path / "a", "a", ("wave",), ["x", "y"])
        b = small_store(tmp_path / "b", "b", ("wave",), ["x", "y"], normalisation={"align": "none"})
        for stores in ([], [a], [a, a]):
            with pytest.raises(DataError, match="two different stores or more"):
                merge(stores, tmp_path / "x")
        with pytest.raises(DataError, match="one of the stores to merge"):
            merge([a, b], a, overwrite=True)
        report = merge([a, b], tmp_path / "ab")
        assert any("different normalisations" in note for note in report.notes)
        with pytest.raises(DataError, match="a store already"):
            merge([a, b], tmp_path / "ab")
        merge([a, b], tmp_path / "ab", overwrite=True)
        with pytest.raises(DataError, match="merged already; give the stores that it was made of"):
            merge([tmp_path / "ab", a], tmp_path / "x")


class TestCopying:
    @pytest.fixture
    def pair(self, tmp_path) -> list[Path]:
        names = [f"clip{at}" for at in range(60)]
        return [
            small_store(tmp_path / "a", "mine", ("wave",), names),
            small_store(tmp_path / "b", "mine", ("wave",), ["clip7", "new", "clip3", *[f"b{at}" for at in range(40)]]),
        ]

    def test_blocks_of_any_size_give_the_same_frames(self, pair, tmp_path, monkeypatch):
        seen: list[tuple[int, int]] = []
        stores = []
        for name, size in (("one", 1), ("some", 1000), ("all", 1 << 30)):
            monkeypatch.setattr(merging, "_BLOCK_BYTES", size)
            merge(pair, tmp_path / name, progress=lambda *now: seen.append(now))
            stores.append(Store.open(tmp_path / name))
        for store in stores:
            np.testing.assert_array_equal(store.frames, stores[0].frames)
            for at in (0, 59, 60, 61, 100):
                clip = store.clip(at)
                np.testing.assert_array_equal(clip.positions, moves(clip.name))
        assert seen[-1] == (len(stores[0].frames),) * 2
        assert seen[: len(stores[0].frames)] == [(at + 1, len(stores[0].frames)) for at in range(len(stores[0].frames))]

    @pytest.mark.parametrize("at", [1, 100, 1000])
    def test_goes_on_after_a_kill(self, pair, tmp_path, monkeypatch, at):
        whole = merge(pair, tmp_path / "whole")
        script = tmp_path / "kill_merge.py"
        script.write_text(
            "import os, signal, sys\n"
            "from halpose.data import merge as merging\n"
            "merging._BLOCK_BYTES, merging._NOTED_BYTES = 1, 20 * 240\n"
            "def die(done, total):\n"
            "    if done == min(int(sys.argv[4]), total - 1):\n"
            "        os.kill(os.getpid(), signal.SIGKILL)\n"
            "merging.merge(sys.argv[1:3], sys.argv[3], progress=die)\n"
        )
        out = tmp_path / "out"
        done = subprocess.run([sys.executable, script, *pair, out, str(at)], capture_output=True, timeout=60)
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
        assert not out.exists()
        with (tmp_path / "out.partial" / "frames.npy").open("ab") as file:
            file.write(os.urandom(1000))  # what a power failure may leave behind the note
        report = merge(pair, out)
        assert max(0, min(at, whole.frames) - 21) <= report.kept_frames <= at and (at < 20 or report.kept_frames)
        for name in STORE_FILES:
            assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
        assert not (tmp_path / "out.partial").exists()

    def test_frames_of_other_stores_are_not_kept(self, pair, tmp_path, monkeypatch):
        """A store that changed after the interruption is copied anew."""
        monkeypatch.setattr(merging, "_NOTED_BYTES", 1)
        monkeypatch.setattr(merging, "_BLOCK_BYTES", 1)

        def stop(done: int, total: int) -> None:
            if done == 20:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            merge(pair, tmp_path / "out", progress=stop)
        assert (tmp_path / "out.partial" / "copied").read_text() == "19"
        monkeypatch.undo()
        os.utime(pair[0] / "frames.npy", ns=(0, 0))
        assert merge(pair, tmp_path / "out").kept_frames == 0

    def test_a_full_disk_keeps_what_is_copied(self, pair, tmp_path, monkeypatch):
        monkeypatch.setattr(merging, "_NOTED_BYTES", 1)
        note = merging._note

        def full(target: object, partial: Path, done: int) -> int:
            if done == 20:
                raise OSError(28, "No space left on device")
            return note(target, partial, done)  # type: ignore[arg-type]

        monkeypatch.setattr(merging, "_BLOCK_BYTES", 1)
        monkeypatch.setattr(merging, "_note", full)
        with pytest.raises(DataError, match=r"No space left.*what is copied is kept"):
            merge(pair, tmp_path / "out")
        monkeypatch.undo()
        assert merge(pair, tmp_path / "out").kept_frames == 19
