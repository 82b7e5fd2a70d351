from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch.autograd.functional import hessian, hvp, jacobian

from halpose.evaluate import logistic
from halpose.evaluate.logistic import minimise
from halpose.evaluate.principal import principal

STRENGTHS = (1e-4, 1e-2, 1.0, 100.0)


def correlated(samples: int, dimension: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features whose directions differ a hundredfold in spread, and unbalanced classes that overlap."""
    rng = np.random.default_rng(seed)
    labels = np.minimum(np.arange(samples) % (classes + 2), classes - 1)
    mixing = rng.normal(size=(dimension, dimension)) * np.logspace(0, -2, dimension)[:, None]
    x = (rng.normal(size=(classes, dimension))[labels] * 0.5 + rng.normal(size=(samples, dimension))) @ mixing
    return (x + 3 * rng.normal(size=dimension)).astype(np.float32), labels


def objective(x: np.ndarray, y: np.ndarray, weight: np.ndarray, bias: np.ndarray, strength: float) -> float:
    z = x @ weight + bias
    z -= z.max(axis=1, keepdims=True)
    loss = np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(y)), y]
    return float(loss.mean() + (weight**2).sum() / (2 * strength * len(y)))


@pytest.mark.parametrize("shape", [(150, 20, 4), (60, 200, 5), (80, 80, 2)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_strength_reaches_the_optimum_of_scikit_learn(shape: tuple[int, int, int], dtype: torch.dtype) -> None:
    x, y = correlated(*shape)
    axes = principal(x, dtype=dtype)
    tolerance = 1e-6 if dtype == torch.float32 else 1e-10
    solution = minimise(axes.coordinates, axes.variance, torch.from_numpy(y), shape[2], STRENGTHS, tolerance)
    standard = (x - axes.mean.double().numpy()) / axes.scale.double().numpy()
    for i, strength in enumerate(STRENGTHS):
        weight = (axes.axes @ solution.weight[:, i]).double().numpy()
        bias = solution.bias[i].double().numpy()
        reached = objective(standard, y, weight, bias, strength)
        # One column per class, also for two classes: what scikit-learn calls multinomial, in the same objective.
        witness = LogisticRegression(C=strength if shape[2] > 2 else 2 * strength, tol=1e-9, max_iter=20000)
        witness.fit(standard, y)
        columns = witness.coef_.T if shape[2] > 2 else np.concatenate([-witness.coef_, witness.coef_]).T / 2
        offset = witness.intercept_ if shape[2] > 2 else np.array([-1, 1]) * witness.intercept_ / 2
        best = objective(standard, y, columns, offset, strength)
        assert reached - best < tolerance + 1e-9
        assert reached - best < float(solution.gap[i]) + 1e-7
        if dtype == torch.float64:
            np.testing.assert_allclose(weight, columns, atol=2e-3 * np.abs(columns).max())


def test_all_strengths_together_equal_each_alone() -> None:
    x, y = correlated(90, 12, 3)
    axes = principal(x, dtype=torch.float64)
    together = minimise(axes.coordinates, axes.variance, torch.from_numpy(y), 3, STRENGTHS, 1e-9)
    for i, strength in enumerate(STRENGTHS):
        alone = minimise(axes.coordinates, axes.variance, torch.from_numpy(y), 3, [strength], 1e-9)
        # A gap of g in a λ-strongly convex objective is a distance of at most sqrt(2 g / λ) from the optimum.
        reach = 2 * float((together.gap[i] + alone.gap[0]).mul(strength * len(x)).sqrt())
        assert float((together.weight[:, i] - alone.weight[:, 0]).norm()) <= reach


def test_stopping_early_is_told_by_the_gap() -> None:
    x, y = correlated(90, 12, 3)
    axes = principal(x)
    cut = minimise(axes.coordinates, axes.variance, torch.from_numpy(y), 3, [100.0], 1e-8, iterations=3)
    assert cut.iterations == (3,)
    assert float(cut.gap[0]) > 1e-8


@pytest.mark.parametrize("shape", [(50, 10), (10, 50)])
def test_principal_axes_keep_every_distance(shape: tuple[int, int]) -> None:
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32) * 5 + 7
    axes = principal(x, dtype=torch.float64)
    standard = (x - x.mean(axis=0, dtype=np.float64)) / x.std(axis=0, dtype=np.float64)
    torch.testing.assert_close(torch.cdist(axes.coordinates, axes.coordinates), torch.from_numpy(_distances(standard)))
    gram = axes.coordinates.T @ axes.coordinates / len(x)
    torch.testing.assert_close(gram, torch.diag(axes.variance))
    assert len(axes.variance) == min(shape[0] - 1, shape[1])  # centring takes one sample's freedom
    assert bool((axes.variance.diff() <= 0).all())


def _distances(x: np.ndarray) -> np.ndarray:
    distances: np.ndarray = np.linalg.norm(x[:, None] - x[None], axis=2)
    return distances


def test_a_constant_feature_counts_for_nothing() -> None:
    x = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
    with_constant = np.concatenate([x, np.full((40, 1), 1234.567, np.float32)], axis=1)
    plain, padded = principal(x), principal(with_constant)
    torch.testing.assert_close(plain.variance, padded.variance)
    torch.testing.assert_close(padded.axes[5], torch.zeros(5))


def test_features_without_any_variation_leave_the_class_frequencies() -> None:
    axes = principal(np.ones((6, 3), np.float32))
    solution = minimise(axes.coordinates, axes.variance, torch.tensor([0, 0, 0, 0, 1, 1]), 2, [1.0])
    torch.testing.assert_close(solution.bias[0].softmax(0), torch.tensor([4 / 6, 2 / 6]), atol=1e-3, rtol=0)


def objective_at(point: torch.Tensor, x: torch.Tensor, y: torch.Tensor, penalty: float) -> torch.Tensor:
    """The objective as a function of (K, 1 + R), the bias first, for torch to differentiate."""
    loss = torch.nn.functional.cross_entropy(x @ point[:, 1:].T + point[:, 0], y)
    return loss + penalty / 2 * point[:, 1:].square().sum()


@pytest.fixture
def problem() -> logistic._Problem:
    """Somewhere on the way, half of the axes leading."""
    x, y = correlated(90, 12, 3)
    axes = principal(x, dtype=torch.float64)
    made = logistic._Problem(axes.coordinates, axes.variance, torch.from_numpy(y), 3)
    made.point = torch.randn(made.point.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    made.penalise(1 / (90 * 0.1 * float(axes.variance[5])))
    made.gradient()
    made.factorise()
    assert 3 < made.lead.shape[1] < 12
    return made


def test_gradient_and_curvature_are_those_of_automatic_differentiation(problem: logistic._Problem) -> None:
    def at(point: torch.Tensor) -> torch.Tensor:
        return objective_at(point, problem.coordinates, problem.hits[0], problem.penalty)

    gradient, leading = problem.gradient(), problem.lead.shape[1]
    torch.testing.assert_close(gradient, jacobian(at, problem.point))
    direction = torch.zeros_like(problem.point)
    direction[:, :leading] = torch.randn(3, leading, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    curved = hvp(at, problem.point, direction)[1]
    torch.testing.assert_close(problem._curved(direction[:, :leading]), curved[:, :leading])
    # What is inverted is the Hessian of each class alone, but for samples that hardly count, and a little more.
    second = hessian(at, problem.point)
    for k in range(3):
        product = problem.inverse[k] @ second[k, :leading, k, :leading]
        bias = torch.zeros(leading, leading, dtype=torch.float64)
        bias[0, 0] = problem.penalty
        product += problem.inverse[k] @ bias
        torch.testing.assert_close(product, torch.eye(leading, dtype=torch.float64), atol=0.02, rtol=0)


def test_a_newton_step_solves_the_equations_of_the_leading_axes(
    problem: logistic._Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logistic, "_INEXACT", 1e-20)
    gradient, leading = problem.gradient(), problem.lead.shape[1]
    step = problem.newton(gradient)
    torch.testing.assert_close(problem._curved(step[:, :leading]), -gradient[:, :leading])
    assert float((step * gradient).sum()) < 0


def test_a_search_ends_where_the_objective_is_least(problem: logistic._Problem) -> None:
    gradient, start = problem.gradient(), problem.point
    problem.search(-gradient, gradient)
    taken = problem.point - start
    torch.testing.assert_close(problem.logits, problem._logits(problem.point))

    def along(length: float) -> float:
        point = start + length * taken
        return float(objective_at(point, problem.coordinates, problem.hits[0], problem.penalty))

    assert along(1.0) < min(along(0.0), along(0.7), along(1.4))


def test_few_steps_are_enough_where_the_penalty_is_weak() -> None:
    x, y = correlated(2000, 80, 8)
    axes = principal(x)
    solution = minimise(axes.coordinates, axes.variance, torch.from_numpy(y), 8, (1e-4, 1e-2, 1.0, 100.0))
    assert float(solution.gap.max()) <= 1e-6
    assert max(solution.iterations) < 40


@pytest.mark.parametrize("strengths", [(100.0,), (1e-9, 1e-8), (3.0, 0.01, 3.0)])
def test_the_path_comes_to_every_strength_in_small_strides(strengths: tuple[float, ...]) -> None:
    path = list(logistic._path(strengths, 1e-5))
    assert path == sorted(set(path)) and set(strengths) <= set(path)
    assert all(after <= 10 * before * 10**0.5 for before, after in pairwise([max(1e-5, path[0]), *path]))
