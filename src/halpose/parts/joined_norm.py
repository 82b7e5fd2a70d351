"""BatchNorm over the batch of all ranks, on a CPU as on a GPU.

torch's own SyncBatchNorm is quicker, but works on accelerators only; what it computes is the same.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from halpose.parts.ranks import Ranks


class JoinedBatchNorm(nn.Module):
    """BatchNorm whose statistics are those of the joined batch; parameters and buffers have BatchNorm's names.

    Args:
        norm: whose parameters and buffers are taken over.
        ranks: equal slices of the batch are on each of them.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, norm: _BatchNorm, ranks: Ranks) -> None:
        super().__init__()
        assert norm.affine and norm.momentum is not None
        self.ranks = ranks
        self.weight, self.bias = norm.weight, norm.bias
        for name, buffer in norm.named_buffers(recurse=False):
            self.register_buffer(name, buffer)
        self.eps, self.momentum = norm.eps, norm.momentum

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each channel (axis 1) over all other axes and all ranks; in eval mode by the running statistics."""
        mean, variance = self._statistics(x) if self.training else (self.running_mean, self.running_var)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return (x - _channels(mean, x)) * _channels(scale, x) + _channels(self.bias, x)

    def _statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        others = [axis for axis in range(x.ndim) if axis != 1]
        count = x.numel() // x.shape[1] * self.ranks.world
        mean = self.ranks.sum(x.sum(others)) / count
        variance = self.ranks.sum((x - _channels(mean, x)).square().sum(others)) / count
        with torch.no_grad():
            self.num_batches_tracked.add_(1)
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / max(count - 1, 1)), self.momentum)
        return mean, variance


def _channels(values: Tensor, x: Tensor) -> Tensor:
    return values.view(1, -1, *[1] * (x.ndim - 2))


def join_norms(module: nn.Module, ranks: Ranks, device: torch.device) -> None:
    """Make every BatchNorm inside a module one over the joined batch; names in its state stay as they are."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d):
            on_cpu = device.type == "cpu"
            convert: Callable[[nn.Module], nn.Module] = nn.SyncBatchNorm.convert_sync_batchnorm
            setattr(module, name, JoinedBatchNorm(child, ranks) if on_cpu else convert(child))
        else:
            join_norms(child, ranks, device)
