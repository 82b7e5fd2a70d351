"""Both ways to crop give what a plain sum in float64 gives."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from halpose.data.crop import crop, crop_by_loop, crop_by_tensors

CLIPS, FRAMES, RESIZED, JOINTS = 5, 7, 9, 11

Case = dict[str, Tensor]


@pytest.fixture(params=(2, 3), ids=("2-D", "3-D"))
def case(request: pytest.FixtureRequest) -> Case:
    """Two coordinates or three; a joint is missing in one frame of every clip."""
    generator = torch.Generator().manual_seed(request.param)
    channels = request.param
    frames = torch.randn(CLIPS, channels, FRAMES, JOINTS, generator=generator)
    frames[:, :, 3, 4] = torch.nan
    taps = torch.randint(FRAMES, (CLIPS, RESIZED, 2), generator=generator)
    return {
        "table": frames.view(-1, JOINTS),
        "first": torch.arange(CLIPS * channels).view(CLIPS, channels) * FRAMES,
        "taps": taps,
        "weights": torch.rand(CLIPS, RESIZED, 2, generator=generator),
        "linear": torch.randn(CLIPS, channels, channels, generator=generator),
        "moved": torch.rand(CLIPS, JOINTS, generator=generator) < 0.5,
    }


def witness(case: Case) -> Tensor:
    """Frame by frame, joint by joint, in float64."""
    channels = case["first"].shape[1]
    frames = case["table"].double().view(CLIPS, channels, FRAMES, JOINTS)
    result = torch.empty(CLIPS, channels, RESIZED, JOINTS, dtype=torch.float64)
    for clip in range(CLIPS):
        for time, (taps, weights) in enumerate(zip(case["taps"][clip], case["weights"][clip].double(), strict=True)):
            for joint in range(JOINTS):
                point = frames[clip, :, taps, joint] @ weights
                if "linear" in case and ("moved" not in case or case["moved"][clip, joint]):
                    point = case["linear"][clip].double() @ point
                result[clip, :, time, joint] = point
    return result


@pytest.mark.parametrize("way", [crop_by_loop, crop_by_tensors])
@pytest.mark.parametrize("without", [(), ("moved",), ("linear", "moved")])
@pytest.mark.parametrize("integers", [torch.int32, torch.int64])
def test_is_the_sum_of_two_frames_moved(
    case: Case, way: Callable[..., Tensor], without: tuple[str, ...], integers: torch.dtype
) -> None:
    given = {key: value for key, value in case.items() if key not in without}
    given["first"] = given["first"].to(integers)
    found = way(**given, **dict.fromkeys(without))
    expected = witness(given)
    assert expected.isnan().any()
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=1e-5, equal_nan=True)


def test_what_is_not_moved_is_the_same_to_the_bit(case: Case) -> None:
    plain = crop(case["table"], case["first"], case["taps"], case["weights"])
    some = crop(**case)
    kept = ~case["moved"][:, None, None].expand_as(plain)
    assert torch.equal(some[kept].view(torch.int32), plain[kept].view(torch.int32))
    assert not torch.equal(some[~kept].nan_to_num(), plain[~kept].nan_to_num())


@pytest.mark.gpu
def test_a_gpu_gives_the_same(case: Case) -> None:
    on_gpu = crop(**{key: value.cuda() for key, value in case.items()})
    torch.testing.assert_close(on_gpu.cpu(), crop(**case), atol=1e-5, rtol=1e-5, equal_nan=True)
