"""Recordings of one's own: what a folder holds is found out and said, and the store has it all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from halpose import io
from halpose.data.own import prepare_own
from halpose.data.own_form import part_of, parts_of
from halpose.data.spec import SYNTHETIC_MARK
from halpose.data.store import Store
from halpose.data.survey import survey
from halpose.errors import ConfigError, DataError
from halpose.file_layout import layout_of
from halpose.mapping import map_joints
from halpose.skeleton import Layout, Sequence, load_layout

NAMES = (
    "Hips Spine Neck Head LeftArm LeftForeArm LeftHand LeftFinger RightArm RightForeArm RightHand RightFinger "
    "LeftUpLeg LeftLeg LeftFoot LeftToe RightUpLeg RightLeg RightFoot RightToe"
)


def write(path: Path, x: np.ndarray, names: str = NAMES) -> Path:
    """A wide CSV of (T, V, C)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    head = ",".join(f"{joint}.{axis}" for joint in names.split() for axis in "xyz"[: x.shape[-1]])
    path.write_text(head + "\n" + "\n".join(",".join(f"{v:.6f}" for v in row.ravel()) for row in x) + "\n")
    return path


@pytest.fixture
def motion(standing: np.ndarray) -> np.ndarray:
    """Seven frames of one person, metres, y up."""
    return standing + np.random.default_rng(0).normal(0, 0.01, (7, 20, 3))


@pytest.fixture
def folder(tmp_path: Path, motion: np.ndarray) -> Path:
    """Twelve recordings in centimetres, z up, in two folders with the same names."""
    turned = np.stack((motion[..., 0], -motion[..., 2], motion[..., 1]), axis=-1) * 100
    for number in range(12):
        write(tmp_path / "source" / ("walk" if number < 6 else "run") / f"take{number % 6}.csv", turned + number)
    return tmp_path / "source"


def test_all_is_found_out_and_said(folder: Path, tmp_path: Path, motion: np.ndarray) -> None:
    (folder / "notes.md").write_text("mine")
    (folder / "times.csv").write_text("start,end\n1,2\n")
    report = prepare_own(folder, tmp_path / "mine", workers=1)
    store = Store.open(tmp_path / "mine")
    said = "\n".join(report.summary())
    assert (
        f"found: 12 csv; layout {store.layout.name} (20 joints), 3-D, an unknown number of frames a second, 1 person"
        in said
    )
    assert "units: centimetres, made metres" in said and "up: z, turned to y" in said
    assert "in no known format: 1, such as times.csv" in said and "not looked at: 1 .md" in said
    assert [(item.file, item.kind) for item in report.set_aside] == [("times.csv", "unknown")]
    assert (len(store), report.clips, store.name, store.classes) == (12, 12, "mine", ())
    assert store.clips.name.tolist()[:2] == ["run/take0", "run/take1"], "files of one name in two folders are two clips"
    clip = store.clip(6)
    np.testing.assert_allclose(clip.positions[0], motion, atol=1e-5)
    assert isinstance(clip.layout, Layout) and clip.skeleton.joints == tuple(NAMES.split())
    upright = store.meta["provenance"]["upright"]
    assert upright == {
        store.layout.name: pytest.approx({**upright[store.layout.name], "unit": "centimetres", "up": "z"})
    }


def test_labels_name_classes_subjects_and_cameras(folder: Path, tmp_path: Path) -> None:
    rows = ["file,label,subject,camera"]
    for number in range(11):
        kind = "walk" if number < 6 else "run"
        rows.append(f"{kind}/take{number % 6}.csv,{kind},s{number % 4},{number % 3}")
    (folder / "labels.csv").write_text("\n".join([*rows, "gone.csv,walk,s0,1"]))
    report = prepare_own(folder, tmp_path / "mine", labels=folder / "labels.csv", workers=1)
    store = Store.open(tmp_path / "mine")
    assert store.classes == ("run", "walk") and store.splits == ("x-sub",) and not report.set_aside
    names = store.clips.name.tolist()
    for number in range(11):
        kind = "walk" if number < 6 else "run"
        at = names.index(f"{kind}/take{number % 6}")
        assert store.classes[store.clips.label[at]] == kind
        assert (store.clips.subject[at], store.clips.camera[at]) == (f"s{number % 4}", number % 3)
    codes = store.clips.split["x-sub"]
    parts = {subject: set(codes[store.clips.subject == subject].tolist()) for subject in ("s0", "s1", "s2", "s3")}
    assert all(len(part) == 1 for part in parts.values()), "nobody is in two parts"
    assert set.union(*parts.values()) == {0, 1, 2}
    unlabelled = names.index("run/take5")
    assert (store.clips.label[unlabelled], codes[unlabelled]) == (-1, -1)
    said = "\n".join(report.notes)
    assert "1 lines of the labels name no file here, such as gone.csv" in said
    assert "1 of 12 files have no label, such as run/take5.csv" in said


def test_parts_that_are_given_are_taken(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("file,split\ntake0,train\ntake1,val\ntake2,test\n")
    prepare_own(folder, tmp_path / "mine", labels=tmp_path / "l.csv", workers=1)
    store = Store.open(tmp_path / "mine")
    codes = dict(zip(store.clips.name.tolist(), store.clips.split["given"].tolist(), strict=True))
    for kind in ("walk", "run"):
        assert [codes[f"{kind}/take{number}"] for number in range(4)] == [0, 1, 2, -1]


def test_a_recording_stays_in_its_part_when_others_come(folder: Path, tmp_path: Path, motion: np.ndarray) -> None:
    many = [f"clip{number}.csv" for number in range(200)]
    few, all_of_them = parts_of(many[:100]), parts_of(many)
    assert all(all_of_them[file] == part for file, part in few.items())
    shares = [list(all_of_them.values()).count(part) / 200 for part in ("train", "validation", "test")]
    np.testing.assert_allclose(shares, [0.65, 0.15, 0.2], atol=0.06)
    assert part_of("clip3") == part_of("clip3") and all_of_them["clip3.csv"] == part_of("clip3")
    for count in (3, 4, 7):
        assert set(parts_of(many[:count]).values()) == {"train", "validation", "test"}
    assert set(parts_of(many[:2]).values()) == {"train", "test"} and list(parts_of(many[:1]).values()) == ["train"]
    prepare_own(folder, tmp_path / "mine", workers=1)
    assert set(Store.open(tmp_path / "mine").clips.split["by-file"].tolist()) == {0, 1, 2}


def test_people_whose_names_have_dots_are_divided_like_others() -> None:
    for form in ("S.{:03}", "team/{:03}", "{:03}"):
        names = [form.format(number) for number in range(200)]
        parts = parts_of(names)
        assert all(part == part_of(name) for name, part in parts.items()), "as those whom the sample did not show"
        assert 25 < list(parts.values()).count("test") < 55
    assert set(parts_of([".", "..", "/"]).values()) == {"train", "validation", "test"}


def test_two_skeletons_are_an_error_that_names_both(folder: Path, tmp_path: Path, motion: np.ndarray) -> None:
    write(folder / "walk" / "odd.csv", motion[:, :19], NAMES.removesuffix(" RightToe"))
    with pytest.raises(
        DataError, match=r"walk/odd.csv: its skeleton is csv19-.*but that of run/take0.csv is csv20-.*--layout"
    ):
        prepare_own(folder, tmp_path / "mine", workers=1)
    assert not (tmp_path / "mine").exists()
    with pytest.raises(DataError, match=r"run/take0.csv: 3 coordinates per joint, but flat.csv has 2"):
        write(folder / "walk" / "odd.csv", motion)
        write(folder / "flat.csv", motion[..., :2])
        prepare_own(folder, tmp_path / "mine", workers=1)


def test_an_odd_one_beyond_the_sample_is_an_error_too(tmp_path: Path, motion: np.ndarray) -> None:
    for number in range(60):
        write(tmp_path / "source" / f"{number:03}.csv", motion[:2])
    odd = next(n for n in range(60) if n not in {round(at) for at in np.linspace(0, 59, 48)})
    write(tmp_path / "source" / f"{odd:03}.csv", motion[:, :19], NAMES.removesuffix(" RightToe"))
    with pytest.raises(DataError, match=rf"{odd:03}.csv: its skeleton is .*but that of 000.csv"):
        prepare_own(tmp_path / "source", tmp_path / "mine", workers=1)


def test_different_skeletons_are_mapped_to_a_named_one(tmp_path: Path, motion: np.ndarray) -> None:
    write(tmp_path / "source" / "a.csv", motion * 100)
    x = np.zeros((1, 7, 25, 3), np.float32) + np.random.default_rng(1).normal(0, 0.01, (1, 7, 25, 3))
    known = load_layout("kinect25")
    for at, joint in enumerate(load_layout("kinect20").joints):
        x[:, :, known.index(joint)] = motion[:, at]
    np.savez(tmp_path / "source" / "b.npz", positions=x[0].astype(np.float32), joint_names=known.joints)
    report = prepare_own(tmp_path / "source", tmp_path / "mine", layout="kinect20", workers=1)
    store = Store.open(tmp_path / "mine")
    assert store.layout == load_layout("kinect20") and store.clip(0).layout == "kinect20"
    joints = map_joints(layout_of(tuple(NAMES.split()), None, "csv"), store.layout)
    np.testing.assert_allclose(store.clip(0).positions[0], joints.apply(motion), atol=1e-5)
    np.testing.assert_allclose(store.clip(1).positions[0], motion, atol=1e-5)
    assert "centimetres" in "\n".join(report.notes) and "kinect25: units: metres" in "\n".join(report.notes), (
        "each its unit"
    )


def test_a_recording_gives_the_layout_that_others_are_mapped_to(folder: Path, motion: np.ndarray) -> None:
    """As of one suit whose later files have end sites: the message says which file to name, and that works."""
    write(folder / "a-first.csv", np.concatenate((motion, motion[:, 3:4] * 1.1), axis=1), f"{NAMES} HeadEnd")
    with pytest.raises(DataError, match=r"Of 13 looked into, 12 have csv20-.*: --layout (\S+) maps all") as caught:
        prepare_own(folder, folder.parent / "mine", workers=1)
    usual = str(caught.value).partition("--layout NAME")[2].partition("--layout ")[2].split()[0]
    prepare_own(folder, folder.parent / "mine", layout=usual, workers=1)
    store = Store.open(folder.parent / "mine")
    assert len(store) == 13 and store.layout.joints == tuple(NAMES.split())
    with pytest.raises(DataError, match="give the recording in it"):
        prepare_own(folder, folder.parent / "other", layout=folder, workers=1)


def test_a_rate_that_files_do_not_say_and_joints_that_are_not_believed(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    sure = np.full((6, 17), 0.9)
    sure[2:4, 5] = 0.2
    frames = [
        {"image_id": at, "keypoints": [*np.c_[rng.uniform(0, 99, (17, 2)), sure[at]].ravel()], "score": 1}
        for at in range(6)
    ]
    (tmp_path / "a.json").write_text(json.dumps(frames))
    np.savez(tmp_path / "b.npz", positions=rng.normal(size=(6, 17, 2)).astype(np.float32), layout="coco17", fps=50)
    report = prepare_own(tmp_path, tmp_path / "mine", fps=25, least_confidence=0.5, workers=1)
    store = Store.open(tmp_path / "mine")
    assert [store.clip(at).fps for at in range(2)] == [25, 50] and "25, 50 frames a second" in str(report.notes)
    x = store.clip(0).positions[0, :, 5]
    np.testing.assert_allclose(np.diff(x[1:5], axis=0), np.broadcast_to((x[4] - x[1]) / 3, (3, 2)), rtol=1e-4)
    prepare_own(tmp_path, tmp_path / "believed", workers=1)
    assert Store.open(tmp_path / "believed").clip(0).fps == 0
    for wrong in ({"fps": -1.0}, {"fps": float("nan")}, {"least_confidence": 1.5}):
        with pytest.raises(ConfigError, match="give a number|from 0"):
            prepare_own(tmp_path, tmp_path / "wrong", workers=1, **wrong)


def test_a_named_layout_replaces_a_guess_by_number(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(5, 17, 3)).astype(np.float32)
    (tmp_path / "source").mkdir()
    np.save(tmp_path / "source" / "a.npy", x)
    prepare_own(tmp_path / "source", tmp_path / "guess", workers=1)
    assert Store.open(tmp_path / "guess").layout.name == "coco17"
    prepare_own(tmp_path / "source", tmp_path / "told", layout="h36m17", workers=1)
    store = Store.open(tmp_path / "told")
    assert store.layout.name == "h36m17"
    np.testing.assert_array_equal(np.sort(store.clip(0).positions, axis=None), np.sort(x, axis=None))
    write(tmp_path / "markers.csv", x[:, :5], "A B C D E")
    with pytest.raises(DataError, match="only 0 of the 25 joints of kinect25 are in"):
        prepare_own(tmp_path / "markers.csv", tmp_path / "wrong", layout="kinect25", workers=1)


def test_files_that_say_their_labels_themselves(tmp_path: Path, motion: np.ndarray) -> None:
    (tmp_path / "source").mkdir()
    for name, label in (("a", "wave"), ("b", "kick"), ("c", "wave")):
        np.savez(
            tmp_path / "source" / f"{name}.npz", positions=motion.astype(np.float32), label=label, layout="kinect20"
        )
    prepare_own(tmp_path / "source", tmp_path / "mine", workers=1)
    store = Store.open(tmp_path / "mine")
    assert [store.classes[label] for label in store.clips.label] == ["wave", "kick", "wave"]


def test_a_file_of_many_clips(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    clips = [
        Sequence(rng.normal(size=(2, 6, 25, 3)).astype(np.float32), "kinect25", f"c{n}", label=n % 2) for n in range(9)
    ]
    io.write(tmp_path / "all.pkl", clips, "pyskl")
    report = prepare_own(tmp_path / "all.pkl", tmp_path / "mine", workers=1)
    store = Store.open(tmp_path / "mine")
    assert store.clips.name.tolist() == [f"all/c{n}" for n in range(9)] and store.frames.shape[1] == 2
    assert store.clips.split["by-file"].tolist() == [
        {"train": 0, "validation": 1, "test": 2}[part_of(f"all/c{n}")] for n in range(9)
    ]
    assert store.classes == ("0", "1") and report.files == 1
    prepare_own(tmp_path / "all.pkl", tmp_path / "one", people=1, workers=1)
    assert Store.open(tmp_path / "one").frames.shape[1] == 1


def test_damaged_files_are_set_aside(folder: Path, tmp_path: Path) -> None:
    path = folder / "walk" / "take3.csv"
    path.write_text(path.read_text()[:-100])
    prepare_own(folder, tmp_path / "mine", workers=1)
    entries = json.loads((tmp_path / "mine" / "report.json").read_text())["set_aside"]
    assert [(entry["file"], entry["kind"]) for entry in entries] == [("walk/take3.csv", "damaged")]


@pytest.mark.parametrize("workers", [2])
def test_processes_make_the_same_store(
    folder: Path, tmp_path: Path, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("halpose.data.chunks.CHUNK_FILES", 5)
    for out, number in (("one", 1), ("many", workers)):
        prepare_own(folder, tmp_path / out, workers=number)
    for name in ("frames.npy", "clips.npz"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "many" / name).read_bytes()


def test_generated_recordings_stay_marked(folder: Path, tmp_path: Path) -> None:
    (folder / SYNTHETIC_MARK).write_text("{}")
    report = prepare_own(folder, tmp_path / "mine", workers=1)
    assert Store.open(tmp_path / "mine").meta["synthetic"] is True and not report.set_aside
    assert any("synthetic" in note for note in report.notes)


def test_somebody_lost_and_found_again_is_one_person(tmp_path: Path) -> None:
    """Two rows that are never seen at once are no reason to keep room for two people; two at once are."""
    for name, starts in (("alone", (0, 20)), ("pair", (0, 12))):
        x = np.full((2, 40, 20, 3), np.nan)
        body = np.random.default_rng(0).uniform(0, 1, (20, 3))
        x[0, starts[0] : starts[0] + 20], x[1, starts[1] :] = body, body + 3
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "a.npy", x)
    assert (survey(tmp_path / "alone").people, survey(tmp_path / "pair").people) == (1, 2)


def test_a_reason_is_given_once(tmp_path: Path) -> None:
    for name in "abcd":
        (tmp_path / f"{name}.json").write_text("{}")
    with pytest.raises(DataError) as caught:
        survey(tmp_path)
    assert str(caught.value).count("does not look like") == 1 and "a.json and 3 more" in str(caught.value)


def test_folders_without_recordings(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="absent: no such folder"):
        survey(tmp_path / "absent")
    (tmp_path / "a.zip").write_text("x")
    (tmp_path / "b.md").write_text("x")
    with pytest.raises(DataError, match=r"no recordings, but 1 .md, 1 .zip; known endings: .*unpack archives first"):
        survey(tmp_path)
    (tmp_path / "c.bvh").write_text("x")
    with pytest.raises(DataError, match=r"no recording in a known format: c.bvh: does not look like bvh"):
        survey(tmp_path)
    (tmp_path / "c.bvh").write_text("HIERARCHY")
    with pytest.raises(DataError, match=r"none of 1 recordings could be read: .*c.bvh: no MOTION"):
        survey(tmp_path)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "layout", "unit", "fps"),
    [
        ("bvh", "bvh21-", "centimetres", 30),
        ("asf-amc", "hdm31", "metres", 120),
        ("kinect-txt", "kinect25", "metres", 30),
        ("vicon-txt", "vicon17", "", 0),
    ],
)
def test_real_samples(halpose_data: Path, tmp_path: Path, name: str, layout: str, unit: str, fps: float) -> None:
    prepare_own(halpose_data / "samples" / name, tmp_path / "mine", workers=1)
    store = Store.open(tmp_path / "mine")
    assert store.layout.name.startswith(layout) and set(store.clips.fps.tolist()) == {fps}
    (upright,) = store.meta["provenance"]["upright"].values()
    assert (upright["unit"], upright["up"]) == (unit, "y")
