"""Symmetry functions: doubling, cells of few and of many particles, what is refused."""

import itertools
import pickle

import numpy as np
import pytest

import pes_toy as pt
from battery_descriptors import spaced
from pes_toy.base.registry import DESCRIPTORS
from pes_toy.descriptors import numerical_gradients
from pes_toy.symmetry_functions import SymmetryFunctions, plain_symmetry_functions

SHORT = SymmetryFunctions(radial=[(0.5, 0.0), (4.0, 1.2)], angular=[(0.3, 0.0, 2.5, -1.0)])


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("third_side,cutoff", [(True, 3.0), (False, 4.5)])
def test_doubling(d, third_side, cutoff):
    descriptor = SymmetryFunctions(third_side=third_side, cutoff=cutoff)
    x, w = spaced(2, d, 5, np.random.default_rng(d), 1.6, 3.0)
    values = descriptor.values(x, w)
    for one, width, of_one in zip(x, w, values):
        images = [one + width * np.array(k) for k in itertools.product((0, 1), repeat=d)]
        found = descriptor.values(np.concatenate(images), 2 * width)
        tolerance = 1e-10 * np.abs(of_one).max()
        np.testing.assert_allclose(found, np.tile(of_one, (2**d, 1)), rtol=1e-9, atol=tolerance)


@pytest.mark.parametrize("N", [1, 5, 23, 24, 50])  # boxes from 24 particles on
@pytest.mark.parametrize("d", [1, 2, 3])
def test_against_the_plain_function(N, d):
    rng = np.random.default_rng(N)
    w = 1.8 * N ** (1 / d)
    x = rng.uniform(-w, 2 * w, (2, N, d))
    found = SHORT.values(x, w)
    for one, of_one in zip(x, found):
        plain = plain_symmetry_functions(one, w, SHORT.radial, SHORT.angular)
        np.testing.assert_allclose(of_one, plain, rtol=1e-10, atol=1e-12)


def test_derivatives_of_many():
    rng = np.random.default_rng(0)
    x, w = spaced(30, 2, 2, rng, 14.0, 15.0)
    g = rng.normal(size=(2, 30, 3))
    gradients = SHORT.gradients(x, w)
    contracted = np.einsum("mik,miknd->mnd", g, gradients)
    np.testing.assert_allclose(SHORT.pullback(x, w, g), contracted, rtol=0, atol=1e-12)
    numeric = numerical_gradients(SHORT.values, x, w)
    np.testing.assert_allclose(gradients, numeric, rtol=0, atol=1e-6 * np.abs(numeric).max())


def test_more_than_five_thousand_particles():
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(np.arange(80), np.arange(70)), axis=-1).reshape(-1, 2)
    x = 1.5 * grid + rng.uniform(-0.2, 0.2, (5600, 2)) + [0.4, 0.3]
    values = SHORT.values(x, 120.0)
    shifted = SHORT.values(x + [33.3, -71.1], 120.0)
    np.testing.assert_allclose(shifted, values, rtol=1e-9, atol=1e-11)
    pulled = SHORT.pullback(x, 120.0, np.ones_like(values))
    np.testing.assert_allclose(pulled.sum(axis=0), 0, atol=1e-9)


def test_cells_far_narrower_than_the_cutoff_are_refused():
    x = np.random.default_rng(0).uniform(0, 0.05, (1, 4, 2))
    for width in (0.05, 1e-3, 1e-90):
        with pytest.raises(ValueError, match="wider cell or a smaller cutoff"):
            SymmetryFunctions().values(x * width, np.array([width]))


def test_particles_in_one_place_are_refused():
    with pytest.raises(ValueError, match="coincide"):
        SymmetryFunctions().values(np.ones((2, 2)), 5.0)
    many = np.random.default_rng(0).uniform(0, 30, (60, 2))
    many[41] = many[3] - [30.0, 0.0]
    with pytest.raises(ValueError, match="particles 3 and 41"):
        SHORT.gradients(many, 30.0)


def test_settings():
    with pytest.raises(ValueError, match="twice"):
        SymmetryFunctions(radial=((1, 0), (1, 0)))
    with pytest.raises(TypeError, match="third_side must be True or False"):
        SymmetryFunctions(third_side=1)
    x = np.ones((1, 2))
    SHORT(x, 5.0)
    assert pickle.loads(pickle.dumps(SHORT)) == SHORT


def test_one_configuration_takes_a_short_way_to_the_same_bits():
    "Of more widths than are kept, from narrow to wide; without the check of a batch, too."
    functions = SymmetryFunctions()
    rng = np.random.default_rng(0)
    w = np.append(rng.uniform(1.5, 9, 300), 40.0)
    x = rng.uniform(0, 1, (len(w), 4, 2)) * w[:, None, None]
    g = rng.normal(size=functions.values(x, w).shape)
    for _ in range(2):
        alone = [functions.values(x[m], w[m]) for m in range(len(w))]
        pulled = [functions.pullback(x[m], w[m], g[m]) for m in range(len(w))]
        np.testing.assert_array_equal(alone, functions.values(x, w))
        np.testing.assert_array_equal(pulled, functions.pullback(x, w, g))
    np.testing.assert_array_equal(functions.checked_values(x, w), functions.values(x, w))
    for wrong in (1e-200, 0.01):
        with pytest.raises(ValueError, match="width"):
            functions.values(x[0] * wrong, wrong)


@pytest.mark.parametrize("kind", [SymmetryFunctions, pt.ProximityEigenvalues])
def test_a_descriptor_made_of_another_keeps_its_own_values(kind):
    class Halved(kind):
        "Half of them."

        def values(self, positions, width):
            return super().values(positions, width) / 2

        def pullback(self, positions, width, g):
            return super().pullback(positions, width, g) / 2

    DESCRIPTORS.forget("Halved")
    db = pt.sample_database()[:3]
    whole, half = kind(), Halved()
    given = db.positions, db.width
    values = whole.values(*given)
    np.testing.assert_array_equal(half.checked_values(*given), values / 2)
    pulled = whole.pullback(*given, values)
    np.testing.assert_array_equal(half.checked_pullback(*given, values), pulled / 2)
