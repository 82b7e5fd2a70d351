"""Samples in their principal axes, where along each one the curvature of a linear model is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

SMALLEST_AXIS = 1e-10
"""Axes with less than this share of the largest variance are rounding noise of float32 features, and are dropped."""

BLOCK_BYTES = 64 << 20
"""Temporary memory of the Gram matrix, which is summed block by block in float64."""


@dataclass(frozen=True)
class Principal:
    """Standardised samples in their principal axes.

    Attributes:
        mean: (D,) mean of each feature.
        scale: (D,) standard deviation of each feature; 1 where it does not vary.
        axes: (D, R) orthonormal; coordinates are (x - mean) / scale @ axes.
        coordinates: (N, R) of the samples.
        variance: (R,) mean square along each axis, descending.
    """

    mean: Float[torch.Tensor, " d"]
    scale: Float[torch.Tensor, " d"]
    axes: Float[torch.Tensor, "d r"]
    coordinates: Float[torch.Tensor, "n r"]
    variance: Float[torch.Tensor, " r"]


def principal(
    features: Float[np.ndarray, "n d"], device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> Principal:
    """Standardise each feature and turn the samples into their principal axes.

    The eigenvectors are those of the smaller of the two Gram matrices, in float64: O(N D min(N, D) + min(N, D)^3).

    Args:
        features: (N, D) finite.
        device: where the work is done.
        dtype: of the result.
    """
    samples, dimension = features.shape
    x = torch.from_numpy(np.array(features, dtype=np.float32)).to(device=device, dtype=dtype)
    mean, scale = _moments(x)
    # A constant feature has a standard deviation of rounding errors; dividing by those would invent a signal.
    scale[scale <= 1e-6 * mean.abs() + torch.finfo(torch.float32).tiny] = 1.0
    mean, scale = mean.to(dtype), scale.to(dtype)
    x.sub_(mean).div_(scale)

    wide = dimension > samples
    gram = _gram(x.T if wide else x)
    variance, vectors = torch.linalg.eigh(gram)
    variance, vectors = variance.flip(0), vectors.flip(1)
    kept = int((variance > SMALLEST_AXIS * variance[0]).sum())
    variance, vectors = variance[:kept], vectors[:, :kept]
    # With fewer samples than features the eigenvectors live in sample space; one product takes them over.
    axes = x.T @ (vectors / variance.sqrt()).to(dtype) if wide else vectors.to(dtype)
    return Principal(mean, scale, axes, x @ axes, (variance / samples).to(dtype))


def _moments(x: Float[torch.Tensor, "n d"]) -> tuple[Float[torch.Tensor, " d"], Float[torch.Tensor, " d"]]:
    """Mean and standard deviation of each column in float64, without a float64 copy of all rows."""
    blocks = torch.split(x, max(1, BLOCK_BYTES // (8 * max(1, x.shape[1]))))
    mean = torch.stack([block.double().sum(dim=0) for block in blocks]).sum(dim=0) / len(x)
    spread = [(block.double() - mean).square().sum(dim=0) for block in blocks]
    return mean, (torch.stack(spread).sum(dim=0) / len(x)).sqrt()


def _gram(rows: Float[torch.Tensor, "a b"]) -> Float[torch.Tensor, "b b"]:
    """rows.T @ rows in float64, without a float64 copy of all rows."""
    width = rows.shape[1]
    gram = torch.zeros(width, width, dtype=torch.float64, device=rows.device)
    for block in torch.split(rows, max(1, BLOCK_BYTES // (8 * width))):
        exact = block.double()
        gram.addmm_(exact.T, exact)
    return gram
