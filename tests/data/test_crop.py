"""Both ways to crop give what a plain sum in float64 gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from halpose.data.crop import Motion, Taps, crop, crop_by_loop, crop_by_tensors

CLIPS, FRAMES, RESIZED, JOINTS, PEOPLE = 5, 7, 9, 4, 2

Case = dict[str, Any]


@pytest.fixture(params=(2, 3), ids=("2-D", "3-D"))
def case(request: pytest.FixtureRequest) -> Case:
    """Two coordinates or three, two people; a joint is missing in one frame of every clip."""
    generator = torch.Generator().manual_seed(request.param)
    channels = request.param
    frames = torch.randn(CLIPS, channels, FRAMES, PEOPLE * JOINTS, generator=generator)
    frames[:, :, 3, 5] = torch.nan
    return {
        "table": frames.view(-1, PEOPLE * JOINTS),
        "first": torch.arange(CLIPS * channels).view(CLIPS, channels) * FRAMES,
        "taps": Taps(
            torch.randint(FRAMES, (CLIPS, RESIZED, 2), generator=generator),
            torch.rand(CLIPS, RESIZED, 2, generator=generator),
        ),
        "motion": Motion(
            torch.randn(CLIPS, channels, channels, generator=generator),
            torch.rand(CLIPS, JOINTS, generator=generator) < 0.5,
        ),
    }


def witness(case: Case) -> Tensor:
    """Frame by frame, joint by joint, in float64."""
    channels, motion = case["first"].shape[1], case["motion"]
    frames = case["table"].double().view(CLIPS, channels, FRAMES, -1)
    result = torch.empty(CLIPS, channels, RESIZED, PEOPLE * JOINTS, dtype=torch.float64)
    for clip in range(CLIPS):
        for time in range(RESIZED):
            taps, weights = (part[clip, time] for part in case["taps"])
            for joint in range(PEOPLE * JOINTS):
                point = frames[clip, :, taps, joint] @ weights.double()
                if motion and (motion.moved is None or motion.moved[clip, joint % JOINTS]):
                    point = motion.linear[clip].double() @ point
                result[clip, :, time, joint] = point
    return result


@pytest.mark.parametrize("way", [crop_by_loop, crop_by_tensors])
@pytest.mark.parametrize("motion", ["some joints", "all joints", "none"])
@pytest.mark.parametrize("integers", [torch.int32, torch.int64])
def test_is_the_sum_of_two_frames_moved(
    case: Case, way: Callable[..., Tensor], motion: str, integers: torch.dtype
) -> None:
    given = {"some joints": case["motion"], "all joints": Motion(case["motion"].linear), "none": None}[motion]
    case = case | {"first": case["first"].to(integers), "motion": given}
    expected = witness(case)
    assert expected.isnan().any()
    torch.testing.assert_close(way(**case).double(), expected, atol=1e-5, rtol=1e-5, equal_nan=True)


def test_what_is_not_moved_is_the_same_to_the_bit(case: Case) -> None:
    plain, some = crop(**case | {"motion": None}), crop(**case)
    kept = ~case["motion"].moved.repeat(1, PEOPLE)[:, None, None].expand_as(plain)
    assert torch.equal(some[kept].view(torch.int32), plain[kept].view(torch.int32))
    assert not torch.equal(some[~kept].nan_to_num(), plain[~kept].nan_to_num())


@pytest.mark.gpu
def test_a_gpu_gives_the_same(case: Case) -> None:
    on_gpu = crop(**tree_map(torch.Tensor.cuda, case))
    torch.testing.assert_close(on_gpu.cpu(), crop(**case), atol=1e-5, rtol=1e-5, equal_nan=True)
