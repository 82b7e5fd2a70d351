"""Synthetic recordings: people who never lived, doing 12 or 60 actions in front of a Kinect v2 that was never built.

A body of 25 joints (`body`) follows scripts (`channels`, `gestures`, `solo`, `encounters`) as a virtual person performs
them (`performance`, `distraction`), and a sensor watches (`sensor`). A clip depends on the specification's seed and on
its own number only, not on which clips are made before or beside it. As in NTU RGB+D, the cameras of one set-up watch
the same performance.
"""

from halpose.data.synthetic.generator import clip, data_set, iterate, write_ntu, write_store
from halpose.data.synthetic.spec import SyntheticSpec, Take

__all__ = ["SyntheticSpec", "Take", "clip", "data_set", "iterate", "write_ntu", "write_store"]
