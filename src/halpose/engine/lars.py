"""LARS: a learning rate for each layer, in proportion to its weights' size, which keeps large batches stable."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn


class LARS(torch.optim.Optimizer):
    """Layer-wise adaptive rate scaling over SGD with momentum.

    Per layer, with weights w, gradient g, decay b, momentum m, rate r and trust e:
    v <- m v + r (e |w| / (|g| + b |w|)) (g + b w); w <- w - v. Vectors (biases and the weights of norms) are moved by
    plain SGD with momentum, without decay, as is the custom since Goyal et al. (2017). A layer whose weights or
    gradient are zero, for which the paper's ratio says nothing, takes the rate as it is. Nothing is read by the host.

    Args:
        parameters: what is moved.
        rate: r; a tensor on the parameters' device for a step that is captured.
        momentum: m.
        weight_decay: b.
        trust: e (paper: 0.001).

    Reference: You, Gitman and Ginsburg, Large Batch Training of Convolutional Networks, 2017, Algorithm 1.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        rate: float | Tensor,
        momentum: float,
        weight_decay: float,
        trust: float,
    ) -> None:
        super().__init__(parameters, {"lr": rate, "momentum": momentum, "weight_decay": weight_decay, "trust": trust})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient; there is no closure to evaluate."""
        for group in self.param_groups:
            moved = [parameter for parameter in group["params"] if parameter.grad is not None]
            layers = [parameter for parameter in moved if parameter.ndim > 1]
            vectors = [parameter for parameter in moved if parameter.ndim <= 1]
            if layers:
                self._move(layers, _scaled(layers, group["weight_decay"], group["trust"]), group)
            if vectors:
                self._move(vectors, [_gradient(vector) for vector in vectors], group)

    def _move(
        self, parameters: list[Tensor], updates: list[Tensor] | tuple[Tensor, ...], group: dict[str, Any]
    ) -> None:
        for parameter in parameters:
            if "momentum_buffer" not in self.state[parameter]:
                self.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
        buffers = [self.state[parameter]["momentum_buffer"] for parameter in parameters]
        torch._foreach_mul_(buffers, group["momentum"])
        # Not as the sum's alpha: a rate that is a tensor would be read by the host for that.
        torch._foreach_add_(buffers, torch._foreach_mul(updates, group["lr"]))
        torch._foreach_sub_(parameters, buffers)


def _scaled(layers: list[Tensor], decay: float, trust: float) -> tuple[Tensor, ...] | list[Tensor]:
    """Each layer's gradient with decay, times its trust ratio."""
    gradients = [_gradient(layer) for layer in layers]
    size = torch.stack(list(torch._foreach_norm(layers)))
    against = torch.stack(list(torch._foreach_norm(gradients))) + decay * size
    ratio = torch.where((size > 0) & (against > 0), trust * size / against, torch.ones_like(size))
    updates = torch._foreach_add(gradients, layers, alpha=decay)
    torch._foreach_mul_(updates, list(ratio.unbind()))
    return updates


def _gradient(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad
