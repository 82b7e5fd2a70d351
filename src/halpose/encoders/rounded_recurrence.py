"""A layer of two GRUs over whole sequences on a CPU, with products in bfloat16 and no gradient: for embedding.

As `halpose.encoders.recurrence`, whose equations these are, but for the type of the products' factors and results.
Gates are computed in float32 and each half carries its state in float32; what is rounded is what a product reads, and
so the outputs. torch's GRU rounds the state itself, frame after frame.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from jaxtyping import BFloat16, Float, Float32, UInt16
from torch import Tensor, nn

from halpose.compiled import fused
from halpose.encoders.recurrence import Weights, exp
from halpose.parts.at_once import at_once


def is_rounded(x: Tensor) -> bool:
    """Whether `two_rounded_grus` can take these inputs: under autocast to bfloat16 on a CPU, without gradients."""
    is_plain = type(x) is Tensor and x.device.type == "cpu" and x.dtype in (torch.float32, torch.bfloat16)
    is_wanted = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16
    return is_plain and is_wanted and not (torch.is_grad_enabled() or torch.compiler.is_compiling())


def two_rounded_grus(
    x: Float[Tensor, "t n i"], first: nn.Module, second: nn.Module, reverse: bool
) -> BFloat16[Tensor, "t n d"]:
    """Outputs of two GRUs at every frame, beside each other, from states of zero.

    Args:
        x: on a CPU, time first; rounded if it is float32.
        first: an `nn.GRU` of one layer; reads forward in time.
        second: the same sizes; reads forward, or backward if `reverse`.
        reverse: whether the second half runs backward in time; its outputs stay with the frames they belong to.
    """
    one, other = Weights.of(first), Weights.of(second)
    x = x.bfloat16()
    outputs = x.new_empty(*x.shape[:2], one.width + other.width)
    at_once(
        partial(_read, x, outputs[..., : one.width], one, False),
        partial(_read, x, outputs[..., one.width :], other, reverse),
    )
    return outputs


def _read(x: BFloat16[Tensor, "t n i"], outputs: BFloat16[Tensor, "t n h"], weights: Weights, reverse: bool) -> None:
    """One half: write its outputs."""
    (frames, rows, _), width = x.shape, weights.width
    gates = (x.flatten(0, 1) @ weights.read.bfloat16().T).view(frames, rows, 3 * width)
    matrix, product = weights.recur.bfloat16().T, gates.new_zeros(rows, 3 * width)
    bias = weights.read_bias + nn.functional.pad(weights.recur_bias[: 2 * width], (0, width))
    state, scratch = np.zeros((rows, width), np.float32), np.empty(2 * width, np.float32)
    biases = bias.numpy(), weights.recur_bias[2 * width :].numpy()
    read, recur, written = _bits(gates), _bits(product), _bits(outputs)
    before = -1
    for frame in reversed(range(frames)) if reverse else range(frames):
        if before >= 0:
            torch.mm(outputs[before], matrix, out=product)
        _advance_rounded(read[frame], recur, *biases, scratch, state, written[frame])
        before = frame


def _bits(x: BFloat16[Tensor, "*axes"]) -> UInt16[np.ndarray, "*axes"]:
    """The same memory for NumPy, which has no bfloat16."""
    return x.view(torch.uint16).numpy()


@fused
def _widen(bits: np.uint16) -> np.float32:
    """A bfloat16 as float32, whose upper half it is."""
    return np.uint32(np.uint32(bits) << np.uint32(16)).view(np.float32)


@fused
def _narrow(x: np.float32) -> np.uint16:
    """The nearest bfloat16, of two the even one."""
    bits = np.float32(x).view(np.uint32)
    odd = (bits >> np.uint32(16)) & np.uint32(1)
    return np.uint16(np.uint32(bits + np.uint32(0x7FFF) + odd) >> np.uint32(16))


@fused
def _advance_rounded(
    read: UInt16[np.ndarray, "n g"],
    recur: UInt16[np.ndarray, "n g"],
    bias: Float32[np.ndarray, " g"],
    constant: Float32[np.ndarray, " h"],
    scratch: Float32[np.ndarray, " two_h"],
    state: Float32[np.ndarray, "n h"],
    outputs: UInt16[np.ndarray, "n h"],
) -> None:
    """One frame of all clips: from both products to r and z, which nobody keeps, and to the state and its rounding.

    Args:
        read: bits of the inputs' product,
        recur: and of the state's.
        bias: of the gates, all that is added outside r's product.
        constant: what is added inside it.
        scratch: for r and z of one clip.
        state: before this frame, and after it.
        outputs: its bits.
    """
    one, two, width = np.float32(1), np.float32(2), len(constant)
    reset, update = scratch[:width], scratch[width:]
    for row in range(len(state)):
        ahead, back = read[row, : 2 * width], recur[row, : 2 * width]
        for j in range(2 * width):
            scratch[j] = one / (one + exp(-(_widen(ahead[j]) + _widen(back[j]) + bias[j])))
        ahead, back, own = read[row, 2 * width :], recur[row, 2 * width :], state[row]
        for j in range(width):
            inner = reset[j] * (_widen(back[j]) + constant[j])
            fresh = two / (one + exp(-two * (_widen(ahead[j]) + bias[2 * width + j] + inner))) - one  # tanh
            own[j] = fresh + update[j] * (own[j] - fresh)
        written = outputs[row]
        for j in range(width):
            written[j] = _narrow(own[j])
