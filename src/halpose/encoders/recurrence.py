"""A layer of two GRUs over whole sequences on a CPU: products by BLAS, gates in one loop, gradients by hand.

torch's GRU makes some twenty calls a frame there, each a pass over small tensors, keeps what all of them return, and
adds up the gradient of the weights frame by frame. Here a frame is one product and one loop, which Numba compiles; what
needs no recurrence (the projection of the inputs, the gradients of the weights and the inputs) is one product over all
frames; and the two halves, which do not touch each other within a layer, run side by side.

    r = σ(W_ir x + b_ir + W_hr h + b_hr)        z = σ(W_iz x + b_iz + W_hz h + b_hz)
    n = tanh(W_in x + b_in + r (W_hn h + b_hn))  h' = (1 - z) n + z h

Reference: Cho et al., Learning Phrase Representations using RNN Encoder-Decoder, EMNLP 2014, in the form of cuDNN and
`torch.nn.GRU`, whose weights these are: three blocks of rows in the order r, z, n.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from halpose.compiled import fused
from halpose.parts.at_once import at_once


class Weights(NamedTuple):
    """Those of one GRU, as `torch.nn.GRU` names them, H its hidden size.

    Attributes:
        read: (3H, I) of the inputs.
        recur: (3H, H) of the state.
        read_bias: (3H,).
        recur_bias: (3H,).
    """

    read: Tensor
    recur: Tensor
    read_bias: Tensor
    recur_bias: Tensor

    @property
    def width(self) -> int:
        """H."""
        return self.recur.shape[1]

    @classmethod
    def of(cls, gru: nn.Module) -> Weights:
        """Those of an `nn.GRU` of one layer."""
        return cls(*(gru.get_parameter(f"{name}_l0") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")))


def is_ours(x: Tensor) -> bool:
    """Whether `two_grus` can take these inputs: float32 on a CPU, computed now and not traced for an export."""
    is_plain = type(x) is Tensor and x.device.type == "cpu" and x.dtype == torch.float32
    return is_plain and not (torch.is_autocast_enabled("cpu") or torch.compiler.is_compiling())


def two_grus(x: Float[Tensor, "t n i"], first: nn.Module, second: nn.Module, reverse: bool) -> Float[Tensor, "t n d"]:
    """Outputs of two GRUs at every frame, beside each other, from states of zero.

    Args:
        x: float32 on a CPU, time first.
        first: an `nn.GRU` of one layer; reads forward in time.
        second: the same sizes; reads forward, or backward if `reverse`.
        reverse: whether the second half runs backward in time; its outputs stay with the frames they belong to.
    """
    weights = *Weights.of(first), *Weights.of(second)
    outputs: Tensor = _TwoGRUs.apply(x.contiguous(), reverse, *weights)  # type: ignore[no-untyped-call]
    return outputs


class _TwoGRUs(torch.autograd.Function):
    """Both halves forward, both halves back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, reverse: bool, *weights: Tensor) -> Tensor:
        outputs = x.new_empty(*x.shape[:2], 2 * Weights(*weights[:4]).width)
        kept = at_once(*(half.read for half in _halves(x, outputs, reverse, weights)))
        ctx.reverse = reverse
        ctx.save_for_backward(x, outputs, *weights, *kept[0], *kept[1])
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        x, outputs, *rest = ctx.saved_tensors
        slope, asked, kept = slope.contiguous(), ctx.needs_input_grad[0], rest[8:]
        one, other = _halves(x, outputs, ctx.reverse, rest[:8])
        first, second = at_once(
            partial(one.differentiate, slope, kept[0], kept[1], asked),
            partial(other.differentiate, slope, kept[2], kept[3], asked),
        )
        inputs = None if first[0] is None or second[0] is None else first[0].add_(second[0])
        return (inputs, None, *first[1:], *second[1:])


def _halves(x: Tensor, outputs: Tensor, reverse: bool, weights: Sequence[Tensor]) -> tuple[_Half, _Half]:
    """Both GRUs of a layer; weights are those of the first, then those of the second."""
    first, second = Weights(*weights[:4]), Weights(*weights[4:])
    return _Half(x, outputs, first, 0, False), _Half(x, outputs, second, first.width, reverse)


class _Half(NamedTuple):
    """One of the two GRUs: what it reads and where it writes.

    Attributes:
        x: (T, N, I) the inputs.
        outputs: (T, N, 2H) of both.
        weights: of this one.
        column: of the outputs, where its own begin.
        reverse: whether it reads backward in time.
    """

    x: Tensor
    outputs: Tensor
    weights: Weights
    column: int
    reverse: bool

    @property
    def order(self) -> range:
        """In which order frames are read."""
        return range(len(self.x))[::-1] if self.reverse else range(len(self.x))

    @property
    def states(self) -> Float[Tensor, "t n h"]:
        """This one's outputs."""
        return self.outputs[..., self.column : self.column + self.weights.width]

    def read(self) -> tuple[Float[Tensor, "t n g"], Float[Tensor, "t n h"]]:
        """Write the outputs.

        Returns:
            r, z and n of every frame, and W_hn h + b_hn: what gradients are made of.
        """
        (frames, rows, _), weights, width = self.x.shape, self.weights, self.weights.width
        # What r and z add of the state's bias is the same in every frame; n's is multiplied by r.
        bias = weights.read_bias + nn.functional.pad(weights.recur_bias[: 2 * width], (0, width))
        gates = torch.addmm(bias, self.x.flatten(0, 1), weights.read.T).view(frames, rows, 3 * width)
        inner, product = gates.new_empty(frames, rows, width), gates.new_zeros(rows, 3 * width)
        states, matrix, constant = self.states.unbind(), weights.recur.T, weights.recur_bias[2 * width :]
        tables = [tensor.numpy() for tensor in (gates, inner, self.outputs, product, constant)]
        before = -1
        for frame in self.order:
            if before >= 0:
                torch.mm(states[before], matrix, out=product)
            _advance(Place(frame, before, self.column), *tables)
            before = frame
        return gates, inner

    def differentiate(
        self, slope: Float[Tensor, "t n d"], gates: Float[Tensor, "t n g"], inner: Float[Tensor, "t n h"], asked: bool
    ) -> tuple[Tensor | None, Tensor, Tensor, Tensor, Tensor]:
        """Gradients of the inputs, if they are asked for, and of the weights in their order.

        Args:
            slope: gradient of the outputs of both halves.
            gates: what `read` returned: r, z and n,
            inner: and W_hn h + b_hn.
            asked: whether the inputs' gradient is wanted.
        """
        weights, width, order = self.weights, self.weights.width, self.order
        # Gradients of what the state's product gave, and of what the inputs' gave; they differ in n alone, by r.
        recur, new = torch.empty_like(gates), torch.empty_like(inner)
        carried, steps = torch.zeros_like(inner[0]), recur.unbind()
        tables = [tensor.numpy() for tensor in (gates, inner, self.outputs, slope, recur, new, carried)]
        for number in reversed(range(len(order))):
            frame, before = order[number], order[number - 1] if number else -1
            _retreat(Place(frame, before, self.column), *tables)
            if number:
                torch.addmm(carried, steps[frame], weights.recur, out=carried)
        # Every state but the last one was read by the frame after it.
        states, reader = (self.states[1:], recur[:-1]) if self.reverse else (self.states[:-1], recur[1:])
        recur_weight = reader.flatten(0, 1).T @ states.flatten(0, 1)
        x, rz, n = self.x.flatten(0, 1), recur.flatten(0, 1)[:, : 2 * width], new.flatten(0, 1)
        read_weight = torch.cat([rz.T @ x, n.T @ x])
        recur_bias = recur.sum((0, 1))
        read_bias = torch.cat([recur_bias[: 2 * width], n.sum(0)])
        inputs = None
        if asked:
            inputs = torch.addmm(n @ weights.read[2 * width :], rz, weights.read[: 2 * width]).view_as(self.x)
        return inputs, read_weight, recur_weight, read_bias, recur_bias


class Place(NamedTuple):
    """Where a loop is.

    Attributes:
        frame: its number.
        before: number of the one that was read before it; -1: none was.
        column: of the outputs, where this half's begin.
    """

    frame: int
    before: int
    column: int


@fused
def exp(x: np.float32) -> np.float32:
    """e^x to 1e-7 of itself, in operations that a processor does for many numbers at once (Cephes' `expf`)."""
    x = min(max(x, np.float32(-87)), np.float32(87))
    whole = np.floor(x * np.float32(1.44269504) + np.float32(0.5))
    x = x - whole * np.float32(0.693359375) + whole * np.float32(2.12194440e-4)
    y = np.float32(1.9875691500e-4)
    y = y * x + np.float32(1.3981999507e-3)
    y = y * x + np.float32(8.3334519073e-3)
    y = y * x + np.float32(4.1665795894e-2)
    y = y * x + np.float32(1.6666665459e-1)
    y = y * x + np.float32(5.0000001201e-1)
    power = np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)  # 2^whole, by its bits
    return (y * x * x + x + np.float32(1)) * power


# The loops below go over a row in pieces that write one or two arrays each: with more, the compiler no longer sees that
# they do not overlap, and takes one number at a time.


@fused
def _advance(
    place: Place,
    gates: Float32[np.ndarray, "t n g"],
    inner: Float32[np.ndarray, "t n h"],
    outputs: Float32[np.ndarray, "t n d"],
    product: Float32[np.ndarray, "n g"],
    constant: Float32[np.ndarray, " h"],
) -> None:
    """One frame of all clips: from both products to r, z and n, in place, and to the state."""
    frame, before, column = place
    one, two, width = np.float32(1), np.float32(2), len(constant)
    for row in range(len(product)):
        read, recur = gates[frame, row, : 2 * width], product[row, : 2 * width]
        for j in range(2 * width):
            read[j] = one / (one + exp(-(read[j] + recur[j])))
        reset, fresh = gates[frame, row, :width], gates[frame, row, 2 * width :]
        recur, kept = product[row, 2 * width :], inner[frame, row]
        for j in range(width):
            kept[j] = recur[j] + constant[j]
            fresh[j] = two / (one + exp(-two * (fresh[j] + reset[j] * kept[j]))) - one  # tanh
        update, state = gates[frame, row, width : 2 * width], outputs[frame, row, column : column + width]
        if before < 0:
            for j in range(width):
                state[j] = fresh[j] - update[j] * fresh[j]
        else:
            last = outputs[before, row, column : column + width]
            for j in range(width):
                state[j] = fresh[j] + update[j] * (last[j] - fresh[j])


@fused
def _retreat(
    place: Place,
    gates: Float32[np.ndarray, "t n g"],
    inner: Float32[np.ndarray, "t n h"],
    outputs: Float32[np.ndarray, "t n d"],
    slope: Float32[np.ndarray, "t n d"],
    recur: Float32[np.ndarray, "t n g"],
    new: Float32[np.ndarray, "t n h"],
    carried: Float32[np.ndarray, "n h"],
) -> None:
    """One frame of all clips back: from the state's slope to those of the gates, and to what the state before gets.

    The last lacks what comes through the product with W_h, which is added outside.
    """
    frame, before, column = place
    one, width = np.float32(1), carried.shape[1]
    for row in range(len(carried)):
        reset, update = gates[frame, row, :width], gates[frame, row, width : 2 * width]
        fresh, kept = gates[frame, row, 2 * width :], inner[frame, row]
        own, total = slope[frame, row, column : column + width], carried[row]
        for j in range(width):
            total[j] += own[j]
        to_update = recur[frame, row, width : 2 * width]
        if before < 0:
            for j in range(width):
                to_update[j] = -total[j] * fresh[j] * update[j] * (one - update[j])
        else:
            last = outputs[before, row, column : column + width]
            for j in range(width):
                to_update[j] = total[j] * (last[j] - fresh[j]) * update[j] * (one - update[j])
        to_fresh = new[frame, row]
        for j in range(width):
            to_fresh[j] = total[j] * (one - update[j]) * (one - fresh[j] * fresh[j])
            total[j] *= update[j]
        to_reset, to_product = recur[frame, row, :width], recur[frame, row, 2 * width :]
        for j in range(width):
            to_reset[j] = to_fresh[j] * kept[j] * reset[j] * (one - reset[j])
        for j in range(width):
            to_product[j] = to_fresh[j] * reset[j]
