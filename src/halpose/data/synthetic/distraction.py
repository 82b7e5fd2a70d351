"""What people also do while they do something: fidget with the free hand, step, shift their weight, or sit all along.

None of it says anything about the action, so it is what a good feature has to look through.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from halpose.data.synthetic.channels import AT, HANDS, REST, Script, minimum_jerk

# Where a fidgeting hand goes: mouth, ear, crown, chest, belly, hip, in front, to the other arm, aside, up.
_PLACES = np.array(
    [
        [0.08, 0.04, 0.17], [0.16, 0.09, 0.05], [0.14, 0.26, 0.06], [0.00, -0.14, 0.17], [0.03, -0.32, 0.17],
        [0.23, -0.38, -0.03], [0.16, -0.30, 0.30], [-0.08, -0.20, 0.20], [0.42, -0.22, 0.10], [0.26, 0.22, 0.16],
    ]
)  # fmt: skip
_SEAT = {"rise": -0.30, "advance": -0.30, "bend": 0.06}
_SEATED_HAND = np.array([0.15, -0.34, 0.24])


def distract(
    channels: Float[np.ndarray, "t k"], script: Script, seconds: float, amount: float, rng: np.random.Generator
) -> None:
    """Add unrelated movement, in place.

    Args:
        channels: the body of one clip, acting.
        script: what it does; hands and legs that it needs are left alone.
        seconds: length of the clip.
        amount: 0 nothing, 1 a restless person.
        rng: where the randomness comes from.
    """
    time = np.arange(len(channels)) * (seconds / len(channels))
    chance = rng.random(8)
    places = _PLACES[rng.integers(len(_PLACES), size=4)] + 0.04 * rng.standard_normal((4, 3))
    bumps = _bumps(time, rng, 8)
    sizes = rng.standard_normal(8)
    sits = script.is_standing and chance[7] < 0.2 * amount
    for i, hand in enumerate(HANDS):
        if not script.free_hands[i]:
            continue
        if sits:
            channels[:, hand] += _SEATED_HAND - REST[hand]
        for j in (i, i + 2):
            if chance[j] < 0.45 * amount:
                channels[:, hand] += bumps[:, j, None] * (places[j] - channels[:, hand])
    for j, (name, size) in enumerate((("look", 0.5), ("nod", 0.25), ("twist", 0.2), ("lean", 0.08)), start=4):
        channels[:, AT[name]] += bumps[:, j] * (size * amount * sizes[j])
    if not script.is_standing:
        return
    if sits:
        for name, value in _SEAT.items():
            channels[:, AT[name]] += value
        return
    if chance[6] < 0.35 * amount:
        # A step forward or back that stays: the rising half of a bump.
        done = np.where(np.arange(len(time)) < bumps[:, 0].argmax(), bumps[:, 0], 1.0)
        channels[:, AT["travel"]] += done * 0.35 * np.clip(sizes[0], -1.5, 1.5)
    channels[:, AT["sway"]] += bumps[:, 1] * 0.04 * amount * sizes[1]
    channels[:, AT["roll"]] += bumps[:, 1] * 0.04 * amount * sizes[1]


def _bumps(time: Float[np.ndarray, " t"], rng: np.random.Generator, count: int) -> Float[np.ndarray, "t n"]:
    """Curves that rise to 1, stay for a while and fall back, somewhere in the clip."""
    start = rng.uniform(-0.4, time[-1] - 0.4, size=count)
    rise = rng.uniform(0.35, 0.7, size=count)
    hold = rng.uniform(0.0, 1.2, size=count)
    begin = np.concatenate([start, start + rise + hold])
    ramp = minimum_jerk((time[:, None] - begin) / np.concatenate([rise, rise]))
    bumps: np.ndarray = ramp[:, :count] - ramp[:, count:]
    return bumps
