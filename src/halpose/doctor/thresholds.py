"""Where the doctor draws its lines, and why there.

Lengths are in spans of the body that is examined, so that they hold for any unit and any size of person. A span is the
longest way along the bones from one end of the skeleton to another, hand to foot in most: about 2.2 m of an adult with
all joints, 1.6 m where hands and feet are not tracked. What each line lets pass on real recordings stands in
docs/doctor.md.
"""

from __future__ import annotations

FPS = 30.0
"""Frames per second where a recording does not say: what most cameras give."""

# Gaps.
GAP_SECONDS = 0.5
"""A joint that is missing longer cannot be filled by a straight line: an arm swings there and back in a second."""
GAP_SHARE = 0.25
"""With more than a quarter of a person's joints missing, most of what is learned of them was filled in."""

# Spikes.
SPIKE_JUMP = 0.07
"""Spans, about 15 cm. Sensors tremble by 1 or 2 cm; what is smaller than a hand's length does little harm."""
SPIKE_FRAMES = 5
"""A joint that is away for longer was somewhere; a stroke of the hand takes six frames and more."""
SPIKE_GAIN = 5.0
"""A jump is this many times the way that the joint usually makes in the frames around. Muscles need frames to set a
limb in motion and to stop it: a step three times as far as its neighbours is seen in real strokes, five times is
not."""
SPIKE_ABRUPT = 2.5
"""Times the steps just before and just after: strokes of a hand gather speed over several frames."""
SPIKE_AROUND = 6
"""Frames on either side that say what is usual."""
SPIKE_AT_END = 2
"""So many first or last frames may be off without a way back that could be seen."""

# Frozen joints and bodies.
FROZEN_SECONDS = 0.5
"""Shorter repeats are counted as repeated frames."""
FROZEN_FRAMES = 8
"""At least so many frames, whatever the frame rate."""
FROZEN_STILL = 1e-6
"""Spans. A sensor that measures never gives the same number twice; a micrometre allows for rounding."""
FROZEN_STRETCH = 0.03
"""Spans, about 6 cm. A planted foot stays where it is while the leg turns above it, and the leg keeps its length.
Where a joint stays and the bone to its neighbour becomes this much longer or shorter, it is the joint that is
stuck."""
FROZEN_SHARE = 0.2
"""A body that stands still for more than a fifth of the clip is most likely padding, or a tracker that had stopped."""

# Left and right.
SIDE_APART = 0.08
"""Spans, about 17 cm. Where left and right are closer than this, changing places means nothing."""
SIDE_GAIN = 0.5
"""Changing names has to halve the way that the limbs make from one frame to the next, as for people."""
SIDE_JUMP = 0.05
"""Spans, about 10 cm in one frame: the least that the limbs would have to jump if nothing was changed."""

# Bones.
BONE_VARIES = 0.25
"""Of its median, either way, in four frames of five. Motion capture keeps bones to 1 %, depth cameras to 10 %."""
BONE_BREAKS = 0.5
"""A bone that is half as long again, or half as long, in every fifth frame is none: its end was guessed."""
BONE_NOISE = 0.03
"""Spans, about 6 cm either way: what depth cameras are off by at hands and feet."""
BONE_LEAST = 0.09
"""Spans, about 20 cm: of hands, thumbs and feet a depth camera measures little but noise, and they are left out."""

# Time.
REPEAT_SHARE = 0.1
"""One repeated frame in ten is a recording that was slower than its frame rate."""
DROP_GAIN = 3.0
"""All joints move on by so many frames' worth in one step. Trackers that lag behind catch up twice as fast as people
move; three times is not seen but where frames are missing."""
DROP_STEP = 0.01
"""Spans, about 2 cm on average of all joints; a body at rest hides what is missing."""
SHORT_FRAMES = 8
"""A quarter of a second: less than any action, and less than views can crop."""
LONG_TIMES = 20.0
"""Times the median length: most likely not cut into actions."""
PACE_FAST, PACE_SLOW = (4.0, 1.5), (0.45, 0.45)
"""Times the (pace, curvature) usual in its class (or in all): both are beyond these in a file with another frame rate.
People do one thing at twice or half the pace of others; they do not bend their ways four times less in a frame. A
recording at four times its stated rate is at (0.25, 0.25); one at a quarter of it at (3, 1.5) or more, as far as
noise lets it show."""
PACE_CLIPS = 8
"""Clips that say what is usual."""

# Units and axes.
PICTURE, PIXELS = 4.0, 20.0
"""Spans of bodies in two dimensions: below the first in shares of the picture, above the second in pixels. How bodies
tell the unit in three dimensions stands in `halpose.data.upright`."""
STEADY_ALONE = 0.8
"""Length of the mean direction from feet to head, over a clip, that makes it steady: whoever bends, sits down or lies
down moves on through other directions."""
LYING = 0.05
"""One clip in twenty whose people lie may show people who lie; more are an axis."""
FACING_SURE, FACING_MOST = 0.6, 0.9
"""Of -1 to 1: how far feet, knees and nose agree that the front is behind, in most clips of a set; and in a single
clip of a set whose others are right. Depth cameras guess the feet: single clips of UTD-MHAD are at -0.8."""

# The whole set.
DUPLICATE_NEAR = 0.006
"""Spans, root mean square over joints and 16 moments, about 13 mm: more than noise of 5 mm, rounding, another unit or
another place in the room change; nearly all people differ by more when they repeat a movement."""
DUPLICATE_STIR = 0.08
"""Times how far the joints of the clip move: people who hardly move are alike without being the same recording. Of real
repetitions the nearest are at 0.094, one actor's raised hands in motion capture, and at 0.16 before depth cameras."""
DUPLICATE_FRAMES = 0.25
"""Share of a sample of frames that two clips have in common, to the bit: cuts of one recording that overlap."""
IMBALANCE = 10.0
"""The largest class has so many times the clips of the smallest: a constant guess begins to pay."""
FEW_SUBJECTS = 2
"""A class that one person performed cannot be told from that person."""
FEW_CLIPS = 3
"""A class needs a clip to train, one to choose by and one to test."""
