from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from halpose.data.normalise import CleanClip, clean
from halpose.data.store import Store, StoreError, StoreWriter
from halpose.errors import ConfigError
from halpose.skeleton import Layout, Sequence, load_layout

NTU120_CLIPS = 114_480


@pytest.fixture
def layout() -> Layout:
    return load_layout("kinect20")


def make_clip(number: int, frames: int = 4, people: int = 2, layout: str = "kinect20") -> CleanClip:
    """A clip whose every stored value tells its number."""
    positions = np.random.default_rng(number).normal(size=(people, frames, 20, 3)).astype(np.float32)
    positions[0, 0, 3] = np.nan
    rotation = np.full((3, 3), number, dtype=np.float32)
    return CleanClip(
        positions=positions,
        layout=layout,
        name=f"clip{number}",
        origin=np.full(3, number, dtype=np.float32),
        first_rotation=rotation + 0.25,
        torso_rotation=rotation + 0.5,
        scale_first=number + 0.1,
        scale_frame=number + 0.2,
        repairs={"joints_filled": number},
        label=number % 3,
        subject=f"s{number % 2}",
        camera=number + 1,
        setup=number + 2,
        fps=30.0 + number,
    )


def write(path: Path, clips: list[CleanClip], layout: Layout, **options: object) -> None:
    defaults: dict[str, object] = {"layout": layout, "people": 2, "classes": ["a", "b", "c"]}
    with StoreWriter(path, **(defaults | options)) as writer:  # type: ignore[arg-type]
        for clip in clips:
            writer.append(clip)
        writer.set_split("x-sub", np.arange(len(clips)) % 4 - 1)


@pytest.fixture
def small(tmp_path: Path, layout: Layout) -> Path:
    path = tmp_path / "small"
    write(path, [make_clip(i, frames=i + 1) for i in range(8)], layout)
    return path


# --- what goes in comes out


def test_every_value_of_every_clip_comes_back(small: Path, layout: Layout) -> None:
    store = Store.open(small)
    assert len(store) == 8
    assert store.frames.shape == (36, 2, 20, 3)
    for i, sequence in enumerate(store):
        clip = make_clip(i, frames=i + 1)
        np.testing.assert_array_equal(sequence.positions, clip.positions)
        start, end = store.clips.offsets[i : i + 2]
        np.testing.assert_array_equal(store.frames[start:end], clip.positions.swapaxes(0, 1))
        same = ("name", "label", "subject", "camera", "setup", "fps", "layout")
        assert all(getattr(sequence, key) == getattr(clip, key) for key in same)
        for key in ("origin", "first_rotation", "torso_rotation"):
            np.testing.assert_array_equal(getattr(store.clips, key)[i], getattr(clip, key))
        assert store.clips.scale_first[i] == np.float32(clip.scale_first)
        assert store.clips.scale_frame[i] == np.float32(clip.scale_frame)
        assert store.clips.people[i] == 2
    assert store.layout == layout
    assert list(store.clips.lengths) == list(range(1, 9))
    assert store.clip(-1).name == "clip7"
    with pytest.raises(IndexError):
        store.clip(8)


def test_a_clip_is_a_copy_and_the_frames_are_read_only(small: Path) -> None:
    store = Store.open(small)
    store.clip(0).positions[:] = 0
    assert store.clip(0).positions.any()
    with pytest.raises(ValueError):
        store.frames[0] = 0


def test_a_clip_can_be_cleaned_again_without_change(toy_store: Path) -> None:
    store = Store.open(toy_store)
    for i in range(0, len(store), 7):
        again = clean(store.clip(i), people=2)
        np.testing.assert_array_equal(again.positions, store.clip(i).positions)
        np.testing.assert_array_equal(again.torso_rotation, store.clips.torso_rotation[i])
        assert not again.repairs


def test_parts_of_a_split(small: Path) -> None:
    store = Store.open(small)
    assert list(store.part("x-sub", "train")) == [1, 5]
    assert list(store.part("x-sub", "validation")) == [2, 6]
    assert list(store.part("x-sub", "test")) == [3, 7]
    assert list(store.part("x-sub", "official")) == [1, 2, 5, 6]
    assert list(store.part("x-sub", "all")) == [1, 2, 3, 5, 6, 7]
    assert list(store.part("", "all")) == list(range(8))
    with pytest.raises(ConfigError, match="no split named 'x-view'; it has x-sub"):
        store.part("x-view", "train")
    with pytest.raises(ConfigError, match="no part named 'val'; a split has train, validation"):
        store.part("x-sub", "val")


def test_info_is_what_scripts_rely_on(toy_store: Path) -> None:
    info = json.loads(json.dumps(Store.open(toy_store).info()))
    assert info["clips"] == 120
    assert info["layout"] == "kinect20"
    assert info["classes"] == 6
    assert info["subjects"] == 8
    assert info["synthetic"] is True
    assert info["splits"] == {"x-sub": {"train": 75, "validation": 15, "test": 30}}
    assert 20 <= info["frames_per_clip"]["min"] <= info["frames_per_clip"]["max"] <= 60


def test_repairs_are_summed_and_set_aside_counted(tmp_path: Path, layout: Layout) -> None:
    with StoreWriter(tmp_path / "s", layout=layout, people=2, provenance={"from": "a"}) as writer:
        for number in (2, 5):
            writer.append(make_clip(number))
        writer.classes = ["a", "b", "c"]
        writer.provenance["licence"] = "free"
        writer.report = {"read": 3, "set_aside": [{"file": "x.txt", "reason": "empty"}]}
    store = Store.open(tmp_path / "s")
    assert store.meta["repairs"] == {"joints_filled": 7}
    assert store.meta["set_aside"] == 1
    assert store.meta["provenance"] == {"from": "a", "licence": "free"}
    assert json.loads((tmp_path / "s/report.json").read_text())["read"] == 3


def test_numpy_alone_reads_the_files(small: Path) -> None:
    frames = np.load(small / "frames.npy")
    with np.load(small / "clips.npz", allow_pickle=False) as clips:
        assert frames.shape[0] == clips["offsets"][-1]
        assert clips["subject"].dtype.kind == "U"
        assert clips["split/x-sub"].dtype == np.int8


# --- size


def test_the_size_of_ntu120_opens_without_being_read(small: Path) -> None:
    """The frames are a sparse file of 5.5 GB: whoever reads them is seen by the memory that it takes."""
    rng = np.random.default_rng(0)
    offsets = np.concatenate([[0], np.cumsum(rng.integers(40, 121, NTU120_CLIPS))])
    header = {"descr": "<f4", "fortran_order": False, "shape": (int(offsets[-1]), 2, 20, 3)}
    with (small / "frames.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + int(offsets[-1]) * 2 * 20 * 3 * 4)
    with np.load(small / "clips.npz") as clips:
        rows = {key: np.resize(clips[key], (NTU120_CLIPS, *clips[key].shape[1:])) for key in clips if key != "offsets"}
    np.savez(small / "clips.npz", offsets=offsets, **rows)
    meta = json.loads((small / "store.json").read_text())
    (small / "store.json").write_text(json.dumps(meta | {"clips": NTU120_CLIPS, "frames": int(offsets[-1])}))
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        store = Store.open(small)
        seconds.append(time.perf_counter() - begin)
    assert isinstance(store.frames, np.memmap)
    assert store.frames.nbytes > 4e9
    tracemalloc.start()
    Store.open(small).clip(NTU120_CLIPS - 1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 150e6
    assert min(seconds) < 1.0


def test_writing_needs_memory_for_one_clip_not_for_all(tmp_path: Path, layout: Layout) -> None:
    clip = make_clip(1, frames=500)
    tracemalloc.start()
    with StoreWriter(tmp_path / "s", layout=layout, people=2, classes=["a", "b"]) as writer:
        for _ in range(60):
            writer.append(clip)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert Store.open(tmp_path / "s").frames.nbytes == 60 * clip.positions.nbytes
    assert peak < 6 * clip.positions.nbytes


# --- whole or not at all


def test_an_exception_leaves_nothing(tmp_path: Path, layout: Layout) -> None:
    for error in (RuntimeError, KeyboardInterrupt):
        with pytest.raises(error), StoreWriter(tmp_path / "s", layout=layout, people=2) as writer:
            writer.append(make_clip(0))
            raise error
        assert list(tmp_path.iterdir()) == []


KILLED = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from test_store import make_clip
from halpose.data.store import StoreWriter
from halpose.skeleton import load_layout
with StoreWriter({path!r}, layout=load_layout("kinect20"), people=2, overwrite=True) as writer:
    for number in range(50):
        writer.append(make_clip(number))
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("target", ["new", "small"])
def test_a_killed_writer_leaves_no_half_store(small: Path, layout: Layout, target: str) -> None:
    path = small.parent / target
    script = KILLED.format(tests=str(Path(__file__).parent), path=str(path))
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL
    if target == "new":
        assert not path.exists()
    else:
        assert len(Store.open(path)) == 8, "the earlier store stays until the new one is whole"
    leftover = small.parent / f".{target}.partial"
    (leftover / "older.json").write_text("{}")
    with pytest.raises(StoreError):
        Store.open(leftover)
    write(path, [make_clip(1)], layout, overwrite=True)
    assert len(Store.open(path)) == 1
    assert {p.name for p in path.iterdir()} == {"store.json", "report.json", "frames.npy", "clips.npz"}
    assert {p.name for p in small.parent.iterdir()} == {"small", target}


FULL_DISK = """
import resource, sys
sys.path.insert(0, {tests!r})
from test_store import make_clip
from halpose.data.store import StoreError, StoreWriter
from halpose.skeleton import load_layout
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    with StoreWriter({path!r}, layout=load_layout("kinect20"), people=2, overwrite=True) as writer:
        for number in range(200):
            writer.append(make_clip(number))
except StoreError as error:
    print(error)
"""


def test_a_full_disk_costs_no_earlier_store(small: Path) -> None:
    script = FULL_DISK.format(tests=str(Path(__file__).parent), path=str(small))
    output = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert str(small) in output
    assert "cannot be written" in output
    assert "free some space" in output
    assert len(Store.open(small)) == 8
    assert [p.name for p in small.parent.iterdir()] == ["small"]


def test_an_existing_store_is_only_replaced_on_request(small: Path, layout: Layout) -> None:
    with pytest.raises(StoreError, match="there is a store already; choose another place or ask to"):
        write(small, [make_clip(0)], layout)
    assert len(Store.open(small)) == 8
    write(small, [make_clip(0)], layout, overwrite=True)
    assert len(Store.open(small)) == 1
    assert [p.name for p in small.parent.iterdir()] == ["small"]


def test_a_store_that_would_not_open_replaces_none(small: Path, layout: Layout) -> None:
    with pytest.raises(StoreError, match="labels run from 0 to 2, but store.json names 1 classes"):
        write(small, [make_clip(i) for i in range(3)], layout, overwrite=True, classes=["a"])
    assert len(Store.open(small)) == 8


def test_a_replacement_that_fails_at_the_last_step_is_undone(
    small: Path, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def refuse(source: Path, target: Path) -> Path:
        if source.name.endswith(".partial"):
            raise PermissionError(13, "Permission denied")
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(StoreError, match="cannot be written .Permission denied"):
        write(small, [make_clip(0)], layout, overwrite=True)
    assert len(Store.open(small)) == 8
    assert [p.name for p in small.parent.iterdir()] == ["small"]


def test_what_is_no_store_is_never_replaced(tmp_path: Path, layout: Layout) -> None:
    precious = tmp_path / "thesis"
    precious.mkdir()
    (precious / "chapter1.tex").write_text("...")
    with pytest.raises(StoreError, match="not a store, so it is left alone"):
        write(precious, [make_clip(0)], layout, overwrite=True)
    assert (precious / "chapter1.tex").exists()
    (tmp_path / "empty").mkdir()
    write(tmp_path / "empty", [make_clip(0)], layout)
    assert len(Store.open(tmp_path / "empty")) == 1


def test_an_interrupted_replacement_is_undone(small: Path, layout: Layout) -> None:
    small.rename(small.parent / ".small.replaced")
    with pytest.raises(StoreError, match="replacing this store was interrupted.*rename it back"):
        Store.open(small)
    with pytest.raises(StoreError, match="there is a store already"):
        write(small, [make_clip(0)], layout)
    assert len(Store.open(small)) == 8


@pytest.mark.skipif(sys.platform == "win32", reason="no file locks")
def test_two_writers_do_not_mix(tmp_path: Path, layout: Layout) -> None:
    with StoreWriter(tmp_path / "s", layout=layout, people=2, classes=["a"]) as writer:
        writer.append(make_clip(0))
        with (
            pytest.raises(StoreError, match="another process is writing this store"),
            StoreWriter(tmp_path / "s", layout=layout, people=2),
        ):
            pass
        writer.append(make_clip(3))
    assert len(Store.open(tmp_path / "s")) == 2


def test_a_store_holds_at_least_one_clip(tmp_path: Path, layout: Layout) -> None:
    with pytest.raises(StoreError, match="no clip was written"):
        write(tmp_path / "s", [], layout)
    assert list(tmp_path.iterdir()) == []


# --- what does not belong is refused


def test_clips_of_another_shape_are_refused(tmp_path: Path, layout: Layout) -> None:
    with StoreWriter(tmp_path / "s", layout=layout, people=2, classes=["a"]) as writer:
        writer.append(make_clip(0))
        wrong = (make_clip(1, people=3), make_clip(1, layout="kinect25"), make_clip(1, frames=1))
        object.__setattr__(wrong[2], "positions", wrong[2].positions[:, :0])
        for clip in wrong:
            with pytest.raises(StoreError, match=r"clip1: .* takes kinect20, \(2, 20, 3\)"):
                writer.append(clip)
    assert len(Store.open(tmp_path / "s")) == 1
    with pytest.raises(StoreError, match="inside `with"):
        writer.append(make_clip(0))


def test_splits_have_known_codes_and_one_per_clip(tmp_path: Path, layout: Layout) -> None:
    with (
        pytest.raises(StoreError, match="0 train, 1 validation, 2 test"),
        StoreWriter(tmp_path / "s", layout=layout, people=2) as writer,
    ):
        writer.set_split("x-sub", np.array([3]))
    with (
        pytest.raises(StoreError, match="split/x-sub is int8"),
        StoreWriter(tmp_path / "s", layout=layout, people=2, classes=["a"]) as writer,
    ):
        writer.append(make_clip(0))
        writer.set_split("x-sub", np.array([0, 0]))
    assert list(tmp_path.iterdir()) == []


def test_float16_keeps_what_it_promises(tmp_path: Path, layout: Layout) -> None:
    """Rounded by under 1 mm up to 4 metres from the sensor, and by more than that beyond: as documented."""
    rng = np.random.default_rng(0)
    errors = {}
    for metres in (4.0, 8.0):
        positions = rng.uniform(-metres, metres, (2, 500, 20, 3)).astype(np.float32)
        clip = clean(Sequence(positions, "kinect20", "c"), people=2)
        path = tmp_path / f"{metres}"
        write(path, [clip], layout, dtype="float16")
        store = Store.open(path)
        assert store.frames.dtype == np.float16
        assert store.clip(0).positions.dtype == np.float32
        errors[metres] = float(np.nanmax(np.abs(store.clip(0).positions - clip.positions)))
    assert 0.00095 < errors[4.0] < 0.00098
    assert 0.0019 < errors[8.0] < 0.00196


def test_float16_refuses_what_it_cannot_hold(tmp_path: Path, layout: Layout) -> None:
    clip = make_clip(0)
    clip.positions[1, 2, 3, 1] = -70_000
    with pytest.raises(StoreError, match="70000 does not fit float16; use dtype float32"):
        write(tmp_path / "s", [clip], layout, dtype="float16")
    with pytest.raises(ConfigError, match="float32 or float16, not int32"):
        write(tmp_path / "s", [clip], layout, dtype="int32")


# --- damage


def truncate(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 100)


def scribble(file: Path) -> None:
    file.write_bytes(b"\x93NUMPY" + bytes(range(200)))


def lengthen(file: Path) -> None:
    with file.open("ab") as stream:
        stream.write(b"x" * 480)


@pytest.mark.parametrize("name", ["store.json", "frames.npy", "clips.npz"])
@pytest.mark.parametrize("harm", [Path.unlink, truncate, scribble, lambda file: file.write_bytes(b"")])
def test_a_missing_or_damaged_file_is_named(small: Path, name: str, harm: object) -> None:
    harm(small / name)  # type: ignore[operator]
    with pytest.raises(StoreError, match=name) as caught:
        Store.open(small)
    assert "halpose data prepare" in str(caught.value)


@pytest.mark.parametrize("name", ["store.json", "frames.npy", "clips.npz"])
def test_flipped_bytes_raise_store_errors_only(small: Path, name: str) -> None:
    rng = np.random.default_rng(0)
    whole = (small / name).read_bytes()
    refused = 0
    for _ in range(250):
        damaged = bytearray(whole)
        reach = 128 if name == "frames.npy" else len(whole)  # what follows the header is any number
        for position in rng.integers(reach, size=3):
            damaged[position] = rng.integers(256)
        (small / name).write_bytes(damaged)
        try:
            Store.open(small).clip(0)
        except StoreError:
            refused += 1
    assert refused > 125


def test_frames_that_are_too_many_are_noticed(small: Path) -> None:
    lengthen(small / "frames.npy")
    with pytest.raises(StoreError, match=r"frames.npy: \d+ bytes, but .* take"):
        Store.open(small)


def test_another_format_version_is_refused(small: Path) -> None:
    meta = json.loads((small / "store.json").read_text())
    (small / "store.json").write_text(json.dumps(meta | {"format_version": 2}))
    with pytest.raises(StoreError, match="store format 2, but this halpose reads format 1; prepare .* again"):
        Store.open(small)


@pytest.mark.parametrize("content", ["[]", "{}", '{"format_version": 1}'])
def test_a_description_that_describes_nothing_is_refused(small: Path, content: str) -> None:
    (small / "store.json").write_text(content)
    with pytest.raises(StoreError, match=r"store\.json"):
        Store.open(small)


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("clips", 9, "holds 8 clips"),
        ("frames", 35, r"\(36, 2, 20, 3\), but store.json says \(35"),
        ("people", 1, r"says \(36, 1, 20, 3\)"),
        ("classes", ["a", "b"], "labels run from 0 to 2, but store.json names 2 classes"),
        ("splits", ["x-sub", "x-view"], "clips.npz: damaged"),
        ("layout", {"name": "kinect20"}, "layout"),
    ],
)
def test_files_that_disagree_are_refused(small: Path, key: str, value: object, says: str) -> None:
    meta = json.loads((small / "store.json").read_text())
    (small / "store.json").write_text(json.dumps(meta | {key: value}))
    with pytest.raises(StoreError, match=says):
        Store.open(small)


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("offsets", lambda offsets: offsets[::-1].copy()),
        ("offsets", lambda offsets: offsets + 1),
        ("offsets", lambda offsets: np.where(np.arange(9) == 0, -1, offsets)),
        ("offsets", lambda offsets: np.where(np.arange(9) == 4, offsets[3], offsets)),
        ("label", lambda label: label.astype(np.int64)),
        ("label", lambda label: label - 2),
        ("origin", lambda origin: origin[:, :2].copy()),
        ("subject", lambda subject: subject.astype(object)),
        ("split/x-sub", lambda codes: codes[1:].copy()),
    ],
)
def test_columns_that_cannot_be_right_are_refused(small: Path, key: str, change: object) -> None:
    with np.load(small / "clips.npz") as clips:
        columns = dict(clips)
    columns[key] = change(columns[key])  # type: ignore[operator]
    np.savez(small / "clips.npz", **columns)
    with pytest.raises(StoreError):
        Store.open(small)


def test_no_store_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store there .* make one with"):
        Store.open(tmp_path / "nothing")
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="no store there"):
        Store.open(tmp_path / "file")


def test_a_store_may_be_moved(small: Path, tmp_path: Path) -> None:
    shutil.move(small, tmp_path / "elsewhere")
    assert len(Store.open(tmp_path / "elsewhere")) == 8
