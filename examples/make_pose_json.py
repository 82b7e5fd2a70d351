"""Folders of pose-estimator JSON to try things on, as OpenPose and MediaPipe programs write it.

    python examples/make_pose_json.py FOLDER --form openpose [--clips 96]
    python examples/make_pose_json.py FOLDER --form mediapipe

OpenPose: a folder for each recording, a file for each frame, pixels. MediaPipe: a file for each recording, landmarks in
metres. The movements are synthetic, seen by a camera of 1920 x 1080 pixels; a joint is now and then not found. Beside
FOLDER stands FOLDER-labels.csv, which says who does what.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from halpose import load_layout
from halpose.data.synthetic import SyntheticSpec, clip
from halpose.mapping import map_joints

WIDTH, HEIGHT, FOCAL = 1920, 1080, 1060


def project(positions):
    """Pixels, y down, of positions in metres before a camera that looks along z, y up."""
    x, y, z = np.moveaxis(positions, -1, 0)
    return np.stack([WIDTH / 2 + FOCAL * x / z, HEIGHT / 2 - FOCAL * y / z], axis=-1)


def detect(positions, rng):
    """How sure an estimator is of each joint, (frames, joints): 0 where it finds none."""
    sure = np.clip(rng.normal(0.8, 0.1, positions.shape[:2]), 0.1, 1)
    return np.where(rng.random(sure.shape) < 0.03, 0, sure)


def write_openpose(folder, positions, sure):
    """A file for each frame; what was not found is 0, 0, 0."""
    folder.mkdir(parents=True, exist_ok=True)
    values = np.concatenate([project(positions), sure[..., None]], axis=-1) * (sure > 0)[..., None]
    for number, frame in enumerate(values):
        person = {"person_id": [-1], "pose_keypoints_2d": [round(value, 3) for value in frame.ravel().tolist()]}
        file = folder / f"{folder.name}_{number:012d}_keypoints.json"
        file.write_text(json.dumps({"version": 1.3, "people": [person]}))


def write_mediapipe(file, positions, sure):
    """A file for each recording: 33 landmarks a frame, metres from the middle of the hips, y down, z away."""
    hips = positions[:, [23, 24]].mean(axis=1, keepdims=True)
    frames = []
    for time, (frame, row) in enumerate(zip((positions - hips) * [1, -1, -1], sure)):
        points = [[round(value, 4) for value in point] for point in frame.tolist()]
        landmarks = [{"x": x, "y": y, "z": z, "visibility": round(v, 3)} for (x, y, z), v in zip(points, row.tolist())]
        frames.append({"timestamp_ms": round(time * 1000 / 30, 3), "pose_world_landmarks": landmarks})
    file.write_text(json.dumps({"frames": frames}))


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("folder", type=Path)
parser.add_argument("--form", choices=["openpose", "mediapipe"], required=True)
parser.add_argument("--clips", type=int, default=96)
given = parser.parse_args()

given.folder.mkdir(parents=True, exist_ok=True)
spec = SyntheticSpec(clips=2 * given.clips, subjects=12, cameras=1, noise=0.3, glitches=0, name="synthetic-poses")
mapped = map_joints(load_layout("kinect25"), load_layout("openpose25" if given.form == "openpose" else "mediapipe33"))
rng, rows, number = np.random.default_rng(0), ["file,label,subject"], 0
while len(rows) <= given.clips:
    sequence, take, number = clip(spec, number), spec.take(number), number + 1
    if len(sequence.positions) > 1:
        continue  # one person before the camera
    label = spec.classes[take.action - 1]
    name = f"{label.replace(' ', '-')}-p{take.subject}-{len(rows):03d}"
    positions = mapped.apply(sequence.positions[0].astype(float))
    sure = detect(positions, rng)
    if given.form == "openpose":
        write_openpose(given.folder / name, positions, sure)
    else:
        write_mediapipe(given.folder / f"{name}.json", positions, sure)
    rows.append(f"{name},{label},p{take.subject}")
labels = given.folder.with_name(given.folder.name + "-labels.csv")
labels.write_text("\n".join(rows) + "\n")
print(f"{len(rows) - 1} recordings in {given.folder}, who does what in {labels}")
