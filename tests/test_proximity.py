"""Proximity matrices and their eigenvalues: against other ways of computing them."""

import math
import warnings

import numpy as np
import pytest

from pes_toy import descriptors as ds
from pes_toy.engine import eigen
from pes_toy.engine.proximity import proximity_task
from pes_toy.lattice import lattice_points

ORDERS = (-2, -3, -4.5)
RANGES = (6.0, 2.0, 3.0)


@pytest.mark.parametrize(
    "N,d,w",
    [(1, 1, 2.3), (5, 1, 2.3), (2, 2, 2.3), (6, 2, 2.3), (1, 3, 2.3), (3, 3, 2.3), (20, 2, 9.0)],
)
def test_matrices_against_lattice_points(N, d, w):
    x = np.random.default_rng(N).uniform(0, w, (N, d))
    found = ds.proximity_matrices(x, w, ORDERS, RANGES)
    for o, R_0p, P in zip(ORDERS, RANGES, found):
        points, k = lattice_points(x, w, math.ceil(R_0p / w) + 1)
        r = np.linalg.norm(points[:, None] - x[None, :, None], axis=-1)
        itself = (k == 0).all(axis=1)[:, None, None] & np.eye(N, dtype=bool)
        keep = (r < R_0p) & ~itself
        terms = np.where(keep, R_0p / np.where(keep, r, 1) - r / R_0p, 0) ** -o
        tolerance = 1e-11 * terms.max()
        np.testing.assert_allclose(P, terms.sum(axis=0), rtol=1e-11, atol=tolerance)
        np.testing.assert_array_equal(P, P.T)


@pytest.mark.parametrize("N", [1, 2, 5, 15, 16, 20, 40])
def test_eigenvalues_against_numpy(N):
    rng = np.random.default_rng(N)
    w = (N / 0.2) ** 0.5 + 1.0
    x = rng.uniform(0, w, (3, N, 2))
    values = ds.proximity_eigenvalues(x, w, ORDERS, RANGES).reshape(3, 3, N)
    for one, of_one in zip(x, values):
        plain = np.linalg.eigvalsh(ds.plain_proximity_matrices(one, w, ORDERS, RANGES))
        largest = np.abs(plain).max(axis=1, keepdims=True) + 1e-300
        np.testing.assert_allclose(of_one / largest, plain / largest, rtol=0, atol=1e-10)


@pytest.mark.parametrize("N,d", [(3, 1), (5, 2), (4, 3), (15, 2), (17, 2)])
def test_both_ways_of_finding_eigenvalues_agree(N, d):
    rng = np.random.default_rng(N)
    w = np.full(7, 2.0 * N ** (1 / d))
    x = rng.uniform(0, w[0], (7, N, d))
    task = proximity_task(x, w, ORDERS, RANGES)
    which = np.arange(7)
    values = np.zeros((2, 7, 3 * N))
    gradients = np.zeros((2, 7, 3 * N, N, d))
    pulled = np.zeros((2, 7, N, d))
    equal = np.zeros((2, 7, 3 * N), bool)
    g = rng.normal(size=(7, 3 * N))
    eigen._eigenvalues_by_rotations(task, which, values[0])
    eigen._eigenvalues_by_lapack(task, which, values[1])
    ways = (eigen._gradients_by_rotations, eigen._gradients_by_lapack)
    for k, way in enumerate(ways):
        way(task, which, eigen.Wanted(g, gradients[k], pulled[k], equal[k]))
    largest = np.abs(values).max()
    np.testing.assert_allclose(values[0], values[1], rtol=0, atol=1e-12 * largest)
    np.testing.assert_array_equal(*equal)
    gap = np.diff(values[0].reshape(7, 3, N), axis=2)
    clear = (gap > 1e-6 * largest).all(axis=(1, 2))
    steepest = np.abs(gradients).max()
    for found in (gradients, pulled):
        np.testing.assert_allclose(found[0][clear], found[1][clear], atol=1e-8 * steepest)


def lattice(n, spacing=1.2):
    "A square lattice of n x n particles: many equal eigenvalues."
    at = spacing * np.stack(np.meshgrid(np.arange(n), np.arange(n)), axis=-1)
    return at.reshape(-1, 2).astype(float)


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_equal_eigenvalues_of_a_crystal(n):
    x = lattice(n)
    w = 1.2 * n
    equal = ds.degenerate_eigenvalues(x, w, -2, 3.0)
    assert equal.any()
    with pytest.warns(ds.DegenerateWarning, match="1 of 1"):
        gradients = ds.proximity_eigenvalue_gradients(x, w, -2, 3.0)
    np.testing.assert_allclose(gradients, 0, atol=1e-9 * 100)  # each is the mean, and that is even


def test_lonely_particles_are_not_reported():
    rng = np.random.default_rng(0)
    for N in (8, 30):
        x = 10 * lattice(6)[:N] + rng.uniform(-0.5, 0.5, (N, 2))
        x[1] = x[0] + [1.0, 0.3]
        assert (ds.proximity_eigenvalues(x, 80.0, -2, 3.0) == 0).sum() >= N - 2
        assert not ds.degenerate_eigenvalues(x, 80.0, -2, 3.0).any()


def test_degenerate_are_reported_where_it_matters():
    square = np.array([[0, 0], [1, 0], [0, 1], [1, 1.0]]) + 1.5
    with pytest.warns(ds.DegenerateWarning, match="1 of 1"):
        ds.proximity_eigenvalue_gradients(square, 5.0)
    with pytest.warns(ds.DegenerateWarning):
        ds.ProximityEigenvalues().pullback(square[None], 5.0, np.ones((1, 8)))
    oblong = square * [1.2, 1.0] + [0, 0.1]
    both = ds.degenerate_eigenvalues(np.stack([square, oblong]), 5.0)
    assert both.any(axis=1).tolist() == [True, False]
    order = [3, 1, 0, 2]  # the mean does not depend on the numbering
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        a = ds.proximity_eigenvalue_gradients(square, 5.0)
        b = ds.proximity_eigenvalue_gradients(square[order], 5.0)
    np.testing.assert_allclose(a[:, order], b, rtol=0, atol=1e-10 * np.abs(a).max())


def test_a_bad_configuration_among_many_is_named():
    x = np.random.default_rng(0).uniform(0, 10, (5, 20, 2))
    x[3, 7] = x[3, 2] + [10.0, -20.0]
    calls = (ds.proximity_eigenvalues, ds.proximity_eigenvalue_gradients, ds.proximity_matrices)
    for call in calls:
        with pytest.raises(ValueError, match="particles 2 and 7 of configuration 3 coincide"):
            call(x, 10.0)


X = np.random.default_rng(0).uniform(0, 5, (3, 4, 2))
IMPOSSIBLE = [
    ((X, 5.0, (-2, -1.5)), "-2 or below"),
    ((X, 5.0, (-2, -3), (3, -1)), "R_0p"),
    ((X * math.nan, 5.0), "finite"),
    ((X, [5.0, 5.0]), "one for each"),
    ((np.zeros((1, 2, 4)), 5.0), "1 to 3 dimensions"),
    (([[0, 0], [1e-17, 5.0]], 5.0), "coincide"),
    (([[1, 1.0], [1, 1.0]], 5.0), "coincide"),
    ((X / 5e4, 1e-4), "cells within reach"),
]


@pytest.mark.parametrize("given,message", IMPOSSIBLE)
def test_bad_input_says_what_is_wrong(given, message):
    for call in (ds.proximity_eigenvalues, ds.proximity_eigenvalue_gradients):
        with pytest.raises(ValueError, match=message):
            call(*given)


@pytest.mark.parametrize("orders", [("a",), (True,)])
def test_orders_are_numbers(orders):
    with pytest.raises(TypeError):
        ds.proximity_eigenvalues(X, 5.0, orders)
