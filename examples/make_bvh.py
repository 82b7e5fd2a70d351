"""A folder of BVH files to try things on, as a mocap suit exports them: angles, centimetres, 30 frames a second.

    python examples/make_bvh.py FOLDER [--clips 96]

The movements are synthetic. Beside FOLDER stands FOLDER-labels.csv, which says who does what in each file.
"""

import argparse
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from halpose.data.synthetic import SyntheticSpec, clip

# Joint of the file, its parent, and the joint of the generator's Kinect skeleton; an empty name is an end site.
JOINTS = (
    ("Hips", "", "hip_center"), ("Spine", "Hips", "spine"), ("Spine1", "Spine", "shoulder_center"),
    ("Neck", "Spine1", "neck"), ("Head", "Neck", "head"),
    ("LeftArm", "Spine1", "left_shoulder"), ("LeftForeArm", "LeftArm", "left_elbow"),
    ("LeftHand", "LeftForeArm", "left_wrist"), ("", "LeftHand", "left_hand"),
    ("RightArm", "Spine1", "right_shoulder"), ("RightForeArm", "RightArm", "right_elbow"),
    ("RightHand", "RightForeArm", "right_wrist"), ("", "RightHand", "right_hand"),
    ("LeftUpLeg", "Hips", "left_hip"), ("LeftLeg", "LeftUpLeg", "left_knee"),
    ("LeftFoot", "LeftLeg", "left_ankle"), ("", "LeftFoot", "left_foot"),
    ("RightUpLeg", "Hips", "right_hip"), ("RightLeg", "RightUpLeg", "right_knee"),
    ("RightFoot", "RightLeg", "right_ankle"), ("", "RightFoot", "right_foot"),
)  # fmt: skip


def turns(bones):
    """The rotation that turns a joint's bones of the first frame into those of each frame; bones: (frames, n, 3)."""
    first = bones[0]
    if len(first) > 1:  # the best of all rotations (Kabsch)
        left, _, right = np.linalg.svd(np.einsum("tni,nj->tij", bones, first))
        left[:, :, 2] *= np.linalg.det(left @ right)[:, None]
        return Rotation.from_matrix(left @ right)
    now = bones[:, 0]
    axis = np.cross(first[0], now)
    sine = np.linalg.norm(axis, axis=1, keepdims=True)
    angle = np.arctan2(sine, (now @ first[0])[:, None])
    return Rotation.from_rotvec(axis / np.maximum(sine, 1e-12) * angle)


def bvh(sequence):
    """The text of one file; the skeleton at rest is that of the first frame."""
    at = {name: 100 * sequence.positions[0, :, sequence.skeleton.index(kinect)] for name, _, kinect in JOINTS if name}
    ends = {
        parent: 100 * sequence.positions[0, :, sequence.skeleton.index(kinect)] for n, parent, kinect in JOINTS if not n
    }
    lines, columns, turned = ["HIERARCHY"], [], {}

    def write(name, parent, depth):
        indent, children = "  " * depth, [child for child, above, _ in JOINTS if above == name and child]
        x, y, z = at[name][0] - (at[parent][0] if parent else at[name][0])
        place = "Xposition Yposition Zposition " if not parent else ""
        lines.extend((f"{indent}{'JOINT' if parent else 'ROOT'} {name}", f"{indent}{{"))
        lines.append(f"{indent}  OFFSET {x:.4f} {y:.4f} {z:.4f}")
        lines.append(f"{indent}  CHANNELS {3 if parent else 6} {place}Zrotation Xrotation Yrotation")
        tips = [at[child] for child in children] + ([ends[name]] if name in ends else [])
        turned[name] = turns(np.stack([tip - at[name] for tip in tips], axis=1)) if tips else turned[parent]
        local = turned[parent].inv() * turned[name] if parent else turned[name]
        columns.extend([] if parent else [at[name]])
        columns.append(local.as_euler("ZXY", degrees=True))
        for child in children:
            write(child, name, depth + 1)
        if not children:
            x, y, z = ends[name][0] - at[name][0] if name in ends else (0, 0, 0)
            lines.append(f"{indent}  End Site {{ OFFSET {x:.4f} {y:.4f} {z:.4f} }}")
        lines.append(f"{indent}}}")

    write("Hips", "", 0)
    motion = np.concatenate(columns, axis=1)
    lines += ["MOTION", f"Frames: {len(motion)}", f"Frame Time: {1 / 30:.6f}"]
    return "\n".join([*lines, *(" ".join(f"{value:.4f}" for value in row) for row in motion)]) + "\n"


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("folder", type=Path)
parser.add_argument("--clips", type=int, default=96)
given = parser.parse_args()

given.folder.mkdir(parents=True, exist_ok=True)
spec = SyntheticSpec(clips=2 * given.clips, subjects=12, cameras=1, noise=0, glitches=0, name="synthetic-bvh")
rows, number = ["file,label,subject"], 0
while len(rows) <= given.clips:
    sequence, take, number = clip(spec, number), spec.take(number), number + 1
    if len(sequence.positions) > 1:
        continue  # a file holds one person
    label = spec.classes[take.action - 1]
    name = f"{label.replace(' ', '-')}-p{take.subject}-{len(rows):03d}.bvh"
    (given.folder / name).write_text(bvh(sequence))
    rows.append(f"{name},{label},p{take.subject}")
labels = given.folder.with_name(given.folder.name + "-labels.csv")
labels.write_text("\n".join(rows) + "\n")
print(f"{len(rows) - 1} files in {given.folder}, who does what in {labels}")
