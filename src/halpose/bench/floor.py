"""The floor of a step: the multiplications that it cannot do without, and how fast this machine multiplies.

A GRU of hidden size H with I inputs does 3H(I + H) multiplications a frame, but 3HI in the first: before it the state
is zero. The published encoder has two of them a layer, the second layer's inputs are both outputs, and a training step
goes through it four times: the query forward, its gradients with respect to weights and to inputs, the key forward.
Nothing but these products, the projector's and the queue's is counted, so a step that does more (views, norms,
optimizer) is above the floor.
"""

from __future__ import annotations

import time

import torch

from halpose.bench.timing import synchronise
from halpose.config import Config
from halpose.engine.run import Shape

_SECONDS = 1.0  # of measuring a rate


def encoder_operations(inputs: int, width: int, layers: int, frames: int) -> int:
    """Floating point operations of one clip through the published encoder, forward.

    Args:
        inputs: values of a frame, V C M.
        width: hidden size H.
        layers: how many.
        frames: T.
    """
    read = inputs + (layers - 1) * 2 * width  # by each of the two GRUs of all layers
    return 2 * 2 * 3 * width * (read * frames + layers * width * (frames - 1))


def step_operations(config: Config, shape: Shape) -> int | None:
    """Floating point operations of one MoCo step of one stream; None where the encoder is not a GRU.

    Args:
        config: encoder, projector, queue, batch.
        shape: of the clips.
    """
    encoder, contrast, frames = config.encoder, config.contrast, config.data.frames
    if encoder.name not in ("gru", "bigru"):
        return None
    inputs = len(shape.layout) * (shape.channels + config.data.has_confidence) * shape.people
    encoding = 4 * encoder_operations(inputs, encoder.width, encoder.layers, frames)
    # Nobody asks for the gradient of the frames, unless a norm with weights stands before the first layer.
    if not encoder.input_norm:
        encoding -= 2 * 2 * 3 * encoder.width * inputs * frames
    features = 2 * encoder.width * (encoder.segments if encoder.pooling == "segments" else 1)
    hidden = contrast.projector_width or features
    projecting = 2 * features * hidden + 2 * hidden * contrast.embedding
    queue = 2 * contrast.embedding * contrast.queue
    return config.batch_size * (encoding + 4 * projecting + 2 * queue)


def matrix_rate(device: torch.device, dtype: torch.dtype = torch.float32, size: int | None = None) -> float:
    """Operations a second of large matrix products: the best of what fits in a second.

    Args:
        device: where.
        dtype: of the factors.
        size: of the square matrices; by default large enough that nothing but multiplying takes time.
    """
    size = size or (8192 if device.type == "cuda" else 1024)
    one, other = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    best, begun = float("inf"), time.perf_counter()
    calls = 0
    while calls < 3 or time.perf_counter() - begun < _SECONDS:
        synchronise()
        start = time.perf_counter()
        torch.mm(one, other)
        synchronise()
        best = min(best, time.perf_counter() - start)
        calls += 1
    return 2 * size**3 / best
