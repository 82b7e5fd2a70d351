"""Real recordings: all of them are read, they stand upright, left is left, and bones keep their lengths."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from halpose import io
from halpose.errors import FormatError
from halpose.skeleton import Sequence, load_layout

pytestmark = pytest.mark.data

PATTERNS = {
    "ntu": "samples/ntu/*.skeleton",
    "utd": "utd-mhad/Skeleton/*.mat",
    "ucla": "nw-ucla/all_sqe/*.json",
    "msr": "msr-action3d/real_world_coordinates/*_skeleton3D.txt",
    "sbu": "sbu/s*/*/*/skeleton_pos.txt",
    "hdm05-npz": "hdm05/*.npz",
    "bandai-npz": "bandai-namco/bandai1*.npz",
}
# clips, classes, subjects, cameras
COUNTS = {
    "ntu": (5, 5, 1, 1),
    "utd": (861, 27, 8, 1),
    "ucla": (1484, 10, 10, 3),
    "msr": (566, 20, 10, 1),
    "sbu": (282, 8, 21, 1),
    "hdm05-npz": (287, 11, 5, 1),
    "bandai-npz": (174, 16, 1, 1),
}


@lru_cache(maxsize=1)
def load(folder: Path, name: str) -> tuple[tuple[Sequence, ...], tuple[str, ...]]:
    clips: list[Sequence] = []
    refused = []
    paths = sorted(folder.glob(PATTERNS[name]))
    if not paths:
        pytest.skip(f"no {PATTERNS[name]}")
    for path in paths:
        assert io.sniff(path) == name
        try:
            clips.extend(io.read(path))
        except FormatError as error:
            refused.append(str(error))
    return tuple(clips), tuple(refused)


def joints(clip: Sequence, *names: str) -> list[np.ndarray]:
    """(M, T, 3) of each joint."""
    layout = load_layout(clip.layout)
    return [clip.positions[:, :, layout.index(name)] for name in names]


def forward(clip: Sequence) -> np.ndarray:
    """Where each body faces: across (right to left) times up."""
    right, left = joints(clip, "right_hip", "left_hip")
    return np.cross(left - right, [0, 1, 0])


@pytest.mark.parametrize("name", list(PATTERNS))
def test_all_are_read(halpose_data: Path, name: str) -> None:
    clips, refused = load(halpose_data, name)
    cameras, subjects = {clip.camera for clip in clips}, {clip.subject for clip in clips}
    labels = {clip.label for clip in clips}
    assert (len(clips), len(labels), len(subjects), len(cameras)) == COUNTS[name]
    assert labels == set(range(len(labels)))
    assert max(Counter(clip.name for clip in clips).values()) == 1
    assert len(refused) == (name == "msr"), refused
    assert all("nobody in any of 38 frames" in message for message in refused)


@pytest.mark.parametrize("name", list(PATTERNS))
def test_people_stand_upright_in_metres(halpose_data: Path, name: str) -> None:
    heights = []
    for clip in load(halpose_data, name)[0]:
        head, knee, hip = joints(clip, "head", "left_knee", "left_hip")
        heights.append(np.nanmedian((head - knee)[..., 1]))
        thigh = np.nanmedian(np.linalg.norm(hip - knee, axis=-1))
        assert 0.2 < thigh < 0.7
    assert 0.7 < np.median(heights) < 1.4
    assert np.mean(np.array(heights) > 0.3) > 0.9


@pytest.mark.parametrize(("name", "ankle", "toe"), [
    ("ntu", "ankle", "foot"), ("utd", "ankle", "foot"), ("ucla", "ankle", "foot"), ("msr", "ankle", "foot"),
    ("hdm05-npz", "ankle", "foot"), ("bandai-npz", "ankle", "foot"),
])  # fmt: skip
def test_toes_point_forward_so_left_is_left(halpose_data: Path, name: str, ankle: str, toe: str) -> None:
    ahead = []
    for clip in load(halpose_data, name)[0]:
        start, end = joints(clip, f"left_{ankle}", f"left_{toe}")
        ahead.append(np.nanmean(((end - start) * forward(clip)).sum(axis=-1)) > 0)
    assert np.mean(ahead) > 0.9


def test_two_people_face_each_other(halpose_data: Path) -> None:
    facing = []
    for clip in load(halpose_data, "sbu")[0]:
        (torso,) = joints(clip, "spine")
        towards = torso[::-1] - torso
        facing.append(np.nanmean((towards * forward(clip)).sum(axis=-1), axis=1) > 0)
    assert np.mean(facing) > 0.85


def test_right_handed_actions_move_the_right_hand(halpose_data: Path) -> None:
    """In MSR-Action3D, actions 1 to 9 (waves, hammer, punch, throw, draw) are done with the right hand."""
    right = []
    for clip in load(halpose_data, "msr")[0]:
        if clip.label < 9:
            moved = [np.nanmean(np.abs(np.diff(hand, axis=1))) for hand in joints(clip, "left_hand", "right_hand")]
            right.append(moved[1] > moved[0])
    assert np.mean(right) > 0.9


@pytest.mark.parametrize(("name", "tolerance"), [("hdm05-npz", 0.12), ("bandai-npz", 0.01)])
def test_bones_keep_their_length(halpose_data: Path, name: str, tolerance: float) -> None:
    """Optical motion capture has rigid bones; a wrong parent or joint order would stretch them."""
    for clip in load(halpose_data, name)[0][::10]:
        layout = load_layout(clip.layout)
        for child, parent in layout.bones:
            length = np.linalg.norm(clip.positions[0, :, child] - clip.positions[0, :, parent], axis=-1)
            assert length.std() <= tolerance * length.mean() + 1e-3, (clip.name, layout.joints[child])


def test_kinetics_pickle_without_arrays_says_so(halpose_data: Path) -> None:
    path = halpose_data / "samples" / "pyskl" / "sample.pkl"
    if not path.exists():
        pytest.skip("no sample of Kinetics")
    assert io.sniff(path) == "pyskl"
    with pytest.raises(FormatError, match="100 of 100 annotations .*for Kinetics they are in other files"):
        list(io.read(path))


def test_amc_is_what_the_archive_of_hdm05_has(halpose_data: Path) -> None:
    """The archive holds every fourth frame of the same recording, its positions worked out by somebody else."""
    path = halpose_data / "samples" / "asf-amc" / "HDM_mm_depositFloorR_019_120.amc"
    if not path.exists():
        pytest.skip("no sample of HDM05")
    (clip,) = io.read(path)
    (archived,) = (other for other in load(halpose_data, "hdm05-npz")[0] if other.name == clip.name)
    ours = clip.positions[0, ::4][: archived.frames]
    theirs = archived.positions[0, : len(ours)]
    np.testing.assert_allclose(ours - ours[:, :1], theirs - theirs[:, :1], atol=1e-5)


@pytest.mark.parametrize(
    ("sample", "format", "frames", "joints", "fps"),
    [
        ("asf-amc/02_03.amc", "amc", 173, 31, 120),
        ("bvh/dataset-1_walk_normal_001.bvh", "bvh", 195, 21, 30),
        ("csv/0007_Cartwheel001_pos.csv", "csv", 2111, 25, 120),
        ("csv/P1_1_1_p06.csv", "csv", 1027, 20, 30),
        ("kinect-txt/G3-Kinect-CTK-P1T1-Unknown-C-0.txt", "kinect-txt", 197, 25, 30),
        ("vicon-txt/G3-Vicon-CTK-P1T1-Unknown-C-0.txt", "vicon-txt", 390, 17, 0),
    ],
)
def test_samples_of_motion_capture(
    halpose_data: Path, sample: str, format: str, frames: int, joints: int, fps: float
) -> None:
    path = halpose_data / "samples" / sample
    if not path.exists():
        pytest.skip(f"no {sample}")
    assert io.sniff(path) == format
    (clip,) = io.read(path)
    assert clip.positions.shape == (1, frames, joints, 3) and clip.fps == fps
    if format in ("amc", "bvh"):
        for child, parent in clip.skeleton.bones:
            length = np.linalg.norm(clip.positions[0, :, child] - clip.positions[0, :, parent], axis=-1)
            assert length.std() < 1e-3 * max(length.mean(), 1)
