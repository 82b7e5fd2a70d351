"""Multinomial logistic regression for many strengths of regularisation at once, to a stated accuracy.

The data are turned into their principal axes first. The penalty does not notice a rotation, so the optimum is the same,
but there are never more axes than samples, and their variances fall off quickly: along most of them the penalty curves
the objective more than the data do, and one number says it all. Along the few others Newton's equations are solved,
roughly, which takes a fraction of a pass over the data. The penalty is weakened step by step, each optimum being near
the one before it, so that a whole sweep costs little more than its weakest penalty alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int

BLOCK_BYTES = 64 << 20
"""Memory that the curvature of all classes along the leading axes may take; it bounds how many of those there are."""

# Each strength begins at the optimum of one at most so many times smaller; to those that nobody asked for, so many nats
# a sample are near enough.
_STRIDE, _ON_THE_WAY = 10.0, 0.1

# Steps before which the blocks of the preconditioner are made anew: they are out of date after a few, then hardly ever.
_REFRESH = (0, 3, 12, 48)

# Share of the largest curvature below which a sample does not count in a class's block.
_FAINT = 1e-3

# Newton's equations: steps at most, and which share of the residual (squared, preconditioned) may remain.
_INNER, _INEXACT = 50, 0.25

# Line search: trials at most, and which share of the slope may remain.
_TRIES, _NEARLY = 20, 0.1


@dataclass(frozen=True)
class Solution:
    """Weights of all strengths, and how far the solver went.

    Attributes:
        weight: (R, S, K) in the coordinates that were fitted.
        bias: (S, K).
        gap: (S,) bound on how much lower the objective could still be, in nats per sample.
        iterations: steps that each strength took.
    """

    weight: Float[torch.Tensor, "r s k"]
    bias: Float[torch.Tensor, "s k"]
    gap: Float[torch.Tensor, " s"]
    iterations: tuple[int, ...]


def minimise(
    coordinates: Float[torch.Tensor, "n r"],
    variance: Float[torch.Tensor, " r"],
    targets: Int[torch.Tensor, " n"],
    classes: int,
    strengths: Sequence[float],
    tolerance: float = 1e-6,
    iterations: int = 200,
) -> Solution:
    r"""Fit logistic regression for several strengths, each from where the next stronger penalty has led.

    For each C the objective is that of scikit-learn's `LogisticRegression(C=C)`, divided by C N:

        f(W, b) = mean_i CE(x_i W + b, y_i) + λ/2 |W|²,   λ = 1 / (C N)

    Directions are those of nonlinear conjugate gradients (Polak and Ribière), preconditioned by an inexact Newton step
    (`_Problem.newton`); along each one the line search is nearly exact, because it needs no pass over the features. f
    is λ-strongly convex in W, so |∇f|² / 2λ bounds what is left to gain; the bias, which is not penalised, is counted
    with its own curvature where that is less than λ.

    Args:
        coordinates: (N, R), columns orthogonal and centred, in order of their variance (`principal`).
        variance: (R,) mean square of each column, descending.
        targets: (N,) class of each sample, 0..K-1.
        classes: K.
        strengths: values of C; larger regularises less.
        tolerance: nats per sample.
        iterations: upper limit, of each strength.
    """
    problem = _Problem(coordinates, variance, targets, classes)
    found = {}
    for strength in _path(strengths, problem.strong):
        is_wanted = strength in strengths
        problem.penalise(strength)
        gap, steps = _descend(problem, tolerance if is_wanted else max(tolerance, _ON_THE_WAY), iterations)
        if is_wanted:
            found[strength] = problem.point, gap, steps
    points, gaps, taken = zip(*(found[strength] for strength in strengths), strict=True)
    every = torch.stack(points)  # (S, K, 1 + R)
    return Solution(every[:, :, 1:].permute(2, 0, 1), every[:, :, 0], coordinates.new_tensor(gaps), taken)


def _path(strengths: Sequence[float], strong: float) -> Iterator[float]:
    """The strengths in ascending order, and others before them, none more than `_STRIDE` times the one before it.

    From far away, Newton's steps are short and what they know of the curvature is soon wrong.
    """
    reached = strong
    for strength in sorted(set(strengths)):
        while reached * _STRIDE < strength:
            reached *= _STRIDE
            if reached * _STRIDE**0.5 < strength:  # else it would hardly differ from what comes next
                yield reached
        yield strength
        reached = max(reached, strength)


def _descend(problem: _Problem, tolerance: float, iterations: int) -> tuple[float, int]:
    """Take steps until the bound of what is left to gain is under the tolerance.

    Returns:
        The bound, and how many steps it took.
    """
    direction = previous = torch.zeros_like(problem.point)
    previous_slope = -float("inf")
    for step in range(iterations + 1):
        gradient = problem.gradient()
        gap = problem.gap(gradient)
        if gap <= tolerance or step == iterations:
            break
        if step in _REFRESH:
            problem.factorise()
        newton = problem.newton(gradient)
        slope = _dot(gradient, newton)
        if slope >= 0:  # what is left is rounding
            break
        direction = newton + max(0.0, (slope - _dot(previous, newton)) / previous_slope) * direction
        if _dot(gradient, direction) >= 0:
            direction = newton
        problem.search(direction, gradient)
        previous, previous_slope = gradient, slope
    return gap, step


def _dot(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a * b).sum())


class _Problem:
    """The objective, once a strength is set, and a point that stays when another one is.

    Classes come first: products of so few rows with all samples take half the time of those of so few columns.

    Attributes:
        strong: C that regularises so much that hardly more than the bias is left.
        point: (K, 1 + R); the first column is the bias.
        logits: (K, N) at the point.
        chance: (K, N) probability of each class there.
    """

    def __init__(
        self,
        coordinates: Float[torch.Tensor, "n r"],
        variance: Float[torch.Tensor, " r"],
        targets: Int[torch.Tensor, " n"],
        classes: int,
    ) -> None:
        samples, axes = coordinates.shape
        self.coordinates = coordinates
        self.hits = targets, torch.arange(samples, device=targets.device)
        self.variance = torch.cat([variance.new_ones(1), variance])
        self.strong = classes / (samples * float(self.variance.sum()))
        self.point = coordinates.new_zeros(classes, 1 + axes)

    def penalise(self, strength: float) -> None:
        """Set the strength."""
        self.penalty = 1 / (strength * len(self.coordinates))
        self.penalties = torch.full_like(self.variance, self.penalty)
        self.penalties[0] = 0.0
        self.logits = self._logits(self.point)  # anew, lest rounding add up

    def _logits(self, point: Float[torch.Tensor, "k r"]) -> Float[torch.Tensor, "k n"]:
        return torch.addmm(point[:, :1], point[:, 1:], self.coordinates.T)

    def gradient(self) -> Float[torch.Tensor, "k r"]:
        """Gradient at the point."""
        self.chance = self.logits.softmax(dim=0)
        residual = self.chance.clone()
        residual[self.hits] -= 1
        slope = torch.cat([residual.sum(dim=1, keepdim=True), residual @ self.coordinates], dim=1)
        return slope / len(self.coordinates) + self.penalties * self.point

    def bend(self) -> Float[torch.Tensor, " k"]:
        """Curvature of the objective along each class's bias."""
        return (self.chance - self.chance.square()).mean(dim=1)

    def gap(self, gradient: Float[torch.Tensor, "k r"]) -> float:
        """How much lower the objective could be (see `minimise`)."""
        bend = self.bend().clamp(torch.finfo(gradient.dtype).eps, self.penalty)
        return float(gradient[:, 1:].square().sum() / self.penalty + (gradient[:, 0].square() / bend).sum()) / 2

    def factorise(self) -> None:
        """Invert each class's curvature along the leading axes: those where it is more than the penalty."""
        curvature = self.chance - self.chance.square()
        classes, samples = curvature.shape
        most = int((BLOCK_BYTES / (curvature.element_size() * classes)) ** 0.5)
        leading = min(most, int((self.variance[1:] * curvature.mean() > self.penalty).sum()))
        self.lead = torch.cat([curvature.new_ones(samples, 1), self.coordinates[:, :leading]], dim=1)
        blocks = curvature.new_empty(classes, 1 + leading, 1 + leading)
        for block, weights in zip(blocks, curvature, strict=True):
            rows = weights > _FAINT * weights.max()
            chosen = self.lead[rows]
            torch.mm((chosen * weights[rows, None]).T, chosen, out=block)
        diagonal = blocks.div_(samples).diagonal(dim1=1, dim2=2)
        # However weak the penalty, rounding must not make a block indefinite.
        diagonal += self.penalty + 10 * torch.finfo(blocks.dtype).eps * diagonal.sum(dim=1, keepdim=True)
        self.inverse = torch.cholesky_inverse(torch.linalg.cholesky(blocks))

    def newton(self, gradient: Float[torch.Tensor, "k r"]) -> Float[torch.Tensor, "k r"]:
        """About minus the inverse Hessian times the gradient.

        Along the leading axes by a few steps of conjugate gradients, preconditioned by the inverse blocks; along the
        others, where the penalty dominates, by the Hessian's diagonal.
        """
        step = -gradient / (self.bend()[:, None] * self.variance + self.penalty)
        residual = -gradient[:, : self.lead.shape[1]]
        found, along = torch.zeros_like(residual), torch.zeros_like(residual)
        first = last = 0.0
        for _ in range(_INNER):
            scaled = torch.bmm(residual[:, None], self.inverse)[:, 0]
            size = _dot(residual, scaled)
            first = first or size
            if size <= _INEXACT * first:
                break
            along = scaled + (size / last if last else 0.0) * along
            curved = self._curved(along)
            curvature = _dot(along, curved)
            if curvature <= 0:  # rounding
                break
            found, residual = found + size / curvature * along, residual - size / curvature * curved
            last = size
        step[:, : found.shape[1]] = found
        return step

    def _curved(self, direction: Float[torch.Tensor, "k l"]) -> Float[torch.Tensor, "k l"]:
        """The Hessian, of the leading axes alone, times a direction."""
        moved = (direction @ self.lead.T).mul_(self.chance)
        moved.addcmul_(self.chance, moved.sum(dim=0), value=-1)
        return moved @ self.lead / len(self.lead) + self.penalties[: direction.shape[1]] * direction

    def search(self, direction: Float[torch.Tensor, "k r"], gradient: Float[torch.Tensor, "k r"]) -> None:
        """Move to near the minimum along a direction.

        The logits are linear in the step length, so slope and curvature along the line come without the features:
        Newton's method, kept inside the interval known to hold the minimum.
        """
        moved = self._logits(direction)
        penalised = self.penalties * direction
        fixed = _dot(self.point, penalised) - float(moved[self.hits].double().mean())
        along, start = _dot(direction, penalised), _dot(gradient, direction)
        length, low, high = 1.0, 0.0, float("inf")
        for _ in range(_TRIES):
            tilted = (self.logits + length * moved).softmax(dim=0).mul_(moved)
            mean = tilted.sum(dim=0)
            slope = float(mean.double().mean()) + fixed + length * along
            if abs(slope) <= _NEARLY * abs(start):
                break
            bend = float(tilted.mul_(moved).sum() / len(mean) - mean.square().mean()) + along
            low, high = (length, high) if slope < 0 else (low, length)
            newton = length - slope / max(bend, torch.finfo(moved.dtype).tiny)
            between = 4 * low + 1 if high == float("inf") else (low + high) / 2
            length = newton if low < newton < high and newton < 10 * length else between
        self.logits = self.logits.add(moved, alpha=length)
        self.point = self.point + length * direction
