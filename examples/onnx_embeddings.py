"""Embeddings of recordings without torch and without halpose: numpy and onnxruntime are all it takes.

    python examples/onnx_embeddings.py MODEL.onnx CLIP.npy [CLIP.npy ...]

A clip is an array (frames, joints, coordinates) or (people, frames, joints, coordinates), NaN where a joint is missing.
"""

import json
import sys

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
about = session.get_modelmeta().custom_metadata_map
joints = json.loads(about["halpose.layout"])["joints"]
people, channels = int(about["halpose.people"]), int(about["halpose.channels"])

clips = [np.load(file) for file in sys.argv[2:]]
clips = [clip if clip.ndim == 4 else clip[None] for clip in clips]
batch = np.full((len(clips), people, max(clip.shape[1] for clip in clips), len(joints), channels), np.nan, np.float32)
for row, clip in zip(batch, clips):
    row[: len(clip), : clip.shape[1]] = clip[:people]  # the others, and the frames after its last, stay missing
embeddings = session.run(None, {"positions": batch})[0]

unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
print("joints:", ", ".join(joints))
print("cosine similarity of the clips:\n", np.round(unit @ unit.T, 3))
np.save("embeddings.npy", embeddings)
