"""Multinomial logistic regression for many strengths of regularisation at once, to a stated accuracy.

The data are turned into their principal axes first. The penalty does not notice a rotation, so the optimum is the same,
but there are never more axes than samples, and along them the curvature is known, which makes a preconditioner. All
strengths then share every matrix product: one pass over the data costs hardly more for six than for one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

PAIRS = 6
"""Past steps that each direction remembers (limited-memory BFGS)."""

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


@dataclass(frozen=True)
class Solution:
    """Weights of all strengths, and how far the solver went.

    Attributes:
        weight: (R, S, K) in the coordinates that were fitted.
        bias: (S, K).
        gap: (S,) bound on how much lower the objective could still be, in nats per sample.
        iterations: steps taken until the last strength was done.
    """

    weight: Float[torch.Tensor, "r s k"]
    bias: Float[torch.Tensor, "s k"]
    gap: Float[torch.Tensor, " s"]
    iterations: int


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


def minimise(
    coordinates: Float[torch.Tensor, "n r"],
    variance: Float[torch.Tensor, " r"],
    targets: Int[torch.Tensor, " n"],
    classes: int,
    strengths: Sequence[float],
    tolerance: float = 1e-6,
    iterations: int = 1000,
) -> Solution:
    r"""Fit logistic regression for several strengths together.

    For each C the objective is that of scikit-learn's `LogisticRegression(C=C)`, divided by C N:

        f(W, b) = mean_i CE(x_i W + b, y_i) + λ/2 |W|²,   λ = 1 / (C N)

    Directions are those of limited-memory BFGS in the metric of the axes' variances; along each one the line search is
    nearly exact, because it needs no pass over the features. f is λ-strongly convex in W, so |∇f|² / 2λ bounds what is
    left to gain; the bias, which is not penalised, is counted with its own curvature where that is less than λ. A
    strength whose bound has come under `tolerance` leaves the batch.

    Args:
        coordinates: (N, R), columns orthogonal and centred (`principal`).
        variance: (R,) mean square of each column.
        targets: (N,) class of each sample, 0..K-1.
        classes: K.
        strengths: values of C; larger regularises less.
        tolerance: nats per sample.
        iterations: upper limit.
    """
    problem = _Problem(coordinates, variance, targets, classes, strengths)
    solution = Solution(
        coordinates.new_zeros(coordinates.shape[1], len(strengths), classes),
        coordinates.new_zeros(len(strengths), classes),
        coordinates.new_full((len(strengths),), float("inf")),
        0,
    )
    active = torch.arange(len(strengths), device=coordinates.device)
    steps: list[torch.Tensor] = []
    changes: list[torch.Tensor] = []
    gradient = problem.gradient()
    for iteration in range(iterations + 1):
        gap = problem.gap(gradient)
        solution.weight[:, active] = problem.point[:-1]
        solution.bias[active] = problem.point[-1]
        solution.gap[active] = gap
        going = gap > tolerance
        if iteration == iterations or not bool(going.any()):
            break
        if not bool(going.all()):
            active, gradient = active[going], gradient[:, going]
            problem.keep(going)
            steps = [step[:, going] for step in steps]
            changes = [change[:, going] for change in changes]
        direction = _direction(gradient, steps, changes, problem.metric)
        step = problem.search(direction, gradient)
        previous, gradient = gradient, problem.gradient()
        steps, changes = [*steps, step][-PAIRS:], [*changes, gradient - previous][-PAIRS:]
    return Solution(solution.weight, solution.bias, solution.gap, iteration)


def _dot(a: torch.Tensor, b: torch.Tensor) -> Float[torch.Tensor, " s"]:
    """Inner product of each strength's (R + 1, K) slices."""
    return (a * b).sum(dim=(0, 2))


def _direction(
    gradient: Float[torch.Tensor, "r s k"],
    steps: list[torch.Tensor],
    changes: list[torch.Tensor],
    metric: Float[torch.Tensor, "r s 1"],
) -> Float[torch.Tensor, "r s k"]:
    """Minus the limited-memory BFGS inverse Hessian times the gradient, for every strength (two-loop recursion)."""
    direction = -gradient
    weights = []
    for step, change in zip(reversed(steps), reversed(changes), strict=True):
        inverse = 1 / _dot(step, change).clamp_min(torch.finfo(step.dtype).tiny)
        weight = _dot(step, direction) * inverse
        weights.append((weight, inverse))
        direction = direction - weight[:, None] * change
    if steps:
        curvature = _dot(changes[-1] * metric, changes[-1]).clamp_min(torch.finfo(metric.dtype).tiny)
        direction = direction * (_dot(steps[-1], changes[-1]) / curvature)[:, None]
    direction = direction * metric
    for (step, change), (weight, inverse) in zip(zip(steps, changes, strict=True), reversed(weights), strict=True):
        direction = direction + (weight - _dot(change, direction) * inverse)[:, None] * step
    return direction


class _Problem:
    """The objectives of the strengths still in the batch, at the current point.

    Attributes:
        point: (R + 1, S, K); the last row is the bias.
        logits: (N, S, K) at the point.
        metric: (R + 1, S, 1) inverse of the curvature that uniform predictions would have.
    """

    def __init__(
        self,
        coordinates: Float[torch.Tensor, "n r"],
        variance: Float[torch.Tensor, " r"],
        targets: Int[torch.Tensor, " n"],
        classes: int,
        strengths: Sequence[float],
    ) -> None:
        samples, axes = coordinates.shape
        self.coordinates = coordinates
        self.targets = targets
        self.penalty = 1 / (coordinates.new_tensor(strengths) * samples)
        self.point = coordinates.new_zeros(axes + 1, len(strengths), classes)
        self.logits = coordinates.new_zeros(samples, len(strengths), classes)
        curvature = torch.cat([variance, variance.new_ones(1)]) / classes
        self.metric = (1 / (curvature[:, None] + self.penalty))[:, :, None]

    def keep(self, going: torch.Tensor) -> None:
        """Let go of the strengths that are done."""
        self.penalty, self.point = self.penalty[going], self.point[:, going]
        self.logits, self.metric = self.logits[:, going], self.metric[:, going]

    def gradient(self) -> Float[torch.Tensor, "r s k"]:
        """Gradient at the point."""
        residual = self.logits.softmax(dim=2)
        residual[torch.arange(len(residual), device=residual.device), :, self.targets] -= 1
        flat = residual.flatten(1)
        slope = torch.cat([self.coordinates.T @ flat, flat.sum(dim=0, keepdim=True)]) / len(residual)
        slope = slope.view_as(self.point)
        slope[:-1] += self.penalty[:, None] * self.point[:-1]
        return slope

    def gap(self, gradient: Float[torch.Tensor, "r s k"]) -> Float[torch.Tensor, " s"]:
        """How much lower the objective could be (see `minimise`)."""
        chance = self.logits.softmax(dim=2)
        bend = (chance - chance.square()).mean(dim=0).clamp_min(torch.finfo(chance.dtype).eps)
        bias = gradient[-1].square() / torch.minimum(bend, self.penalty[:, None])
        return (_dot(gradient[:-1], gradient[:-1]) / self.penalty + bias.sum(dim=1)) / 2

    def search(
        self, direction: Float[torch.Tensor, "r s k"], gradient: Float[torch.Tensor, "r s k"]
    ) -> Float[torch.Tensor, "r s k"]:
        """Move each strength to near the minimum along its direction, and return the step.

        The logits are linear in the step length, so slope and curvature along the line come without the features:
        Newton's method, kept inside the interval known to hold the minimum.
        """
        moved = self.coordinates @ direction[:-1].flatten(1)
        moved = moved.view_as(self.logits) + direction[-1]
        hit = moved.gather(2, self.targets[:, None, None].expand(-1, moved.shape[1], 1)).mean(dim=0)[:, 0]
        across = self.penalty * _dot(self.point[:-1], direction[:-1])
        along = self.penalty * _dot(direction[:-1], direction[:-1])
        start = _dot(gradient, direction)
        length = torch.ones_like(start)
        low, high = torch.zeros_like(start), torch.full_like(start, float("inf"))
        for _ in range(20):
            chance = torch.softmax(self.logits + length[:, None] * moved, dim=2) * moved
            mean = chance.sum(dim=2)
            slope = mean.mean(dim=0) - hit + across + length * along
            if bool((slope.abs() <= 0.1 * start.abs()).all()):
                break
            bend = ((chance * moved).sum(dim=2) - mean.square()).mean(dim=0) + along
            low, high = torch.where(slope < 0, length, low), torch.where(slope > 0, length, high)
            newton = length - slope / bend.clamp_min(torch.finfo(bend.dtype).tiny)
            between = torch.where(high.isinf(), 4 * low + 1, (low + high) / 2)
            length = torch.where((newton > low) & (newton < high) & (newton < 10 * length), newton, between)
        self.logits = self.logits + length[:, None] * moved
        step = length[:, None] * direction
        self.point = self.point + step
        return step
