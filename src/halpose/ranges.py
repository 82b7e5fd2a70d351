"""The range of every number among the settings: what lies outside, no run can have."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`; `low` itself is outside when `above` is set."""

    low: float = -math.inf
    high: float = math.inf
    above: bool = False

    def __contains__(self, value: float) -> bool:
        # Neither infinity nor NaN is in any range; whole numbers may be larger than a float holds.
        return (
            -math.inf < value < math.inf
            and (self.low < value or (self.low == value and not self.above))
            and (value <= self.high)
        )

    def __str__(self) -> str:
        low = "zero" if self.low == 0 else f"{self.low:g}"
        if math.isinf(self.low):
            return "a finite number"
        if math.isinf(self.high):
            return f"above {low}" if self.above else f"{low} or more"
        return f"above {low} and at most {self.high:g}" if self.above else f"between {self.low:g} and {self.high:g}"


_LARGEST = 2**31 - 1  # of anything that is counted: no array is longer
_COUNT = Range(0, _LARGEST, above=True)
_POSITIVE, _NOT_NEGATIVE, _SHARE = Range(0, above=True), Range(0), Range(0, 1)

# A number that is not named here must be finite, no more.
RANGES: Mapping[str, Range] = {
    "steps": Range(0, 2**63 - 1, above=True),
    "epochs": _NOT_NEGATIVE,
    "batch_size": _COUNT,
    "seed": Range(0, 2**63 - 1),
    "checkpoint_every": _COUNT,
    "keep": _COUNT,
    "log_every": _COUNT,
    "data.frames": _COUNT,
    "data.resident_gigabytes": _NOT_NEGATIVE,
    "data.prefetch": Range(0, _LARGEST),
    "views.crop": Range(0, 1, above=True),
    "views.least_frames": _COUNT,
    "views.shear": _NOT_NEGATIVE,
    "views.jitter_joints": _SHARE,
    "views.yaw": _NOT_NEGATIVE,
    "views.tilt": _NOT_NEGATIVE,
    "views.mirror": _SHARE,
    "views.reverse": _SHARE,
    "views.blur": _SHARE,
    "views.mask_axis": _SHARE,
    "views.pose": _NOT_NEGATIVE,
    "views.offset": _NOT_NEGATIVE,
    "views.drift": _NOT_NEGATIVE,
    "views.noise": _NOT_NEGATIVE,
    "views.mask_joints": _SHARE,
    "views.mask_probability": _SHARE,
    "views.mask_part": _SHARE,
    "encoder.width": _COUNT,
    "encoder.layers": Range(0, 1000, above=True),
    "encoder.segments": _COUNT,
    "encoder.heads": _COUNT,
    "encoder.patch": _COUNT,
    "encoder.dropout": _SHARE,
    "contrast.embedding": _COUNT,
    "contrast.projector_width": Range(0, _LARGEST),
    "contrast.temperature": _POSITIVE,
    "contrast.momentum": _SHARE,
    "contrast.queue": _COUNT,
    "halp.start": _NOT_NEGATIVE,
    "halp.wait": _NOT_NEGATIVE,
    "halp.nearest": Range(0, _LARGEST),
    "halp.positives": _COUNT,
    "halp.prototypes": Range(2, _LARGEST),
    "halp.newest": _COUNT,
    "halp.refresh": _COUNT,
    "distillation.neighbours": _COUNT,
    "distillation.student_temperature": _POSITIVE,
    "distillation.teacher_temperature": _POSITIVE,
    "crosclr.mine_after": _NOT_NEGATIVE,
    "crosclr.mined": _COUNT,
    "aimclr.mine_after": _NOT_NEGATIVE,
    "aimclr.mined": _COUNT,
    "aimclr.drop_threshold": _POSITIVE,
    "aimclr.extreme_mirror": _SHARE,
    "aimclr.extreme_tilt": _NOT_NEGATIVE,
    "aimclr.extreme_reverse": _SHARE,
    "aimclr.extreme_noise": _NOT_NEGATIVE,
    "aimclr.extreme_blur": _SHARE,
    "aimclr.extreme_mask_axis": _SHARE,
    "skt.off_diagonal": _NOT_NEGATIVE,
    "skt.consistency": _NOT_NEGATIVE,
    "barlow.off_diagonal": _NOT_NEGATIVE,
    "multicrop.views": _COUNT,
    "multicrop.crop": Range(0, 1, above=True),
    "optimizer.learning_rate": _POSITIVE,
    "optimizer.momentum": _SHARE,
    "optimizer.weight_decay": _NOT_NEGATIVE,
    "optimizer.milestones": _NOT_NEGATIVE,
    "optimizer.gamma": _NOT_NEGATIVE,
    "optimizer.warmup": Range(0, _LARGEST),
    "optimizer.clip_norm": _NOT_NEGATIVE,
    "optimizer.trust": _POSITIVE,
    "optimizer.accumulate": _COUNT,
}


def outside(settings: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each number that is not in its range, by dotted key."""
    for key, value in settings.items():
        allowed = RANGES.get(key, Range())
        for number in value if isinstance(value, tuple | list) else (value,):
            if isinstance(number, int | float) and not isinstance(number, bool) and number not in allowed:
                yield f"{key} is {number}; it must be {allowed}"
