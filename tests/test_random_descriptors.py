"""Random cells: inputs of networks are those of the plain functions, or the error says why not."""

import warnings

import numpy as np
import pes_toy as pt
import pytest
from hypothesis import assume, event, example, given
from hypothesis import strategies as st
from pes_toy.descriptors import plain_proximity_matrices
from pes_toy.symmetry_functions import plain_symmetry_functions
from worlds import World, cases, outcome, quiet, worlds

pytestmark = pytest.mark.random
RADIAL = ((0.5, 0.0), (2.0, 1.0))
ANGULAR = ((0.3, 0.0, 1.0, -1.0), (0.3, 0.5, 4.0, 1.0))


def images(world, reach):
    "Points of the lattice that the plain functions look at."
    N, d = world.x.shape
    return N * (2 * np.ceil(reach / world.w) + 3) ** d


def apart(world):
    "The shortest distance of two particles or images, in widths."
    N, d = world.x.shape
    t = (world.x[:, None] - world.x) / world.w
    r = np.linalg.norm(t - np.round(t), axis=-1)
    return (r + np.eye(N) * 2).min()


@given(worlds(most=12, dimensions=(1, 2, 3)), st.sampled_from([2.0, 3.0, 7.5]),
       st.sampled_from([(-2,), (-2, -3), (-4.5, -2)]))
@example(World(np.array([[1.563551073602235]]), 2.0), 2.0, (-2,))  # an image at the range
@cases(15, 1500)
def test_matrices_and_eigenvalues_are_those_of_the_plain_function(world, R_0p, orders):
    N = len(world.x)
    assume(images(world, R_0p) * N < 2e5)
    found = outcome(lambda: pt.proximity_matrices(*world, orders, R_0p), "positions", "width")
    if found.error:
        assert apart(world) < 1e-10 or world.w < 1e-3, found.error
        event("refused")
        return
    assume(apart(world) > 1e-7)
    event("compared")
    with quiet():
        plain = plain_proximity_matrices(*world, orders, R_0p)
    off = 1e-9 + 1e-14 / apart(world)
    np.testing.assert_allclose(found.answer, plain, rtol=off, atol=off)
    values = pt.proximity_eigenvalues(*world, orders, R_0p).reshape(len(orders), N)
    largest = np.abs(plain).max(axis=(1, 2))[:, None] + 1e-300
    of_plain = np.linalg.eigvalsh(plain)
    rounding = 8 * np.finfo(float).eps * (np.abs(world.x).max() + world.w + R_0p)
    allowed = (1e-8 + 10 * N * off) * largest + rounding**2  # an image at the range itself
    assert (np.abs(values - of_plain) <= allowed).all()
    assert (np.diff(values, axis=1) >= -1e-9 * largest).all()


@given(worlds(most=8, dimensions=(1, 2, 3), narrow=0.6), st.sampled_from([1.5, 3.0]), st.booleans())
@cases(15, 1500)
def test_symmetry_functions_are_those_of_the_plain_function(world, cutoff, third_side):
    assume(images(world, cutoff) < 2e3)
    functions = pt.SymmetryFunctions(RADIAL, ANGULAR, cutoff, third_side)
    found = outcome(lambda: functions.values(*world), "positions", "width")
    if found.error:
        event("refused")
        assert apart(world) < 1e-10 or images(world, cutoff) > 1e3, found.error
        return
    assume(apart(world) > 1e-7)
    event("compared")
    plain = plain_symmetry_functions(*world, RADIAL, ANGULAR, cutoff, third_side)
    np.testing.assert_allclose(found.answer, plain, rtol=1e-8, atol=1e-8)


@given(worlds(most=6, dimensions=(1, 2, 3), narrow=1.0, wide=50),
       st.sampled_from([pt.ProximityEigenvalues(R_0p=3), pt.SymmetryFunctions(RADIAL, ANGULAR),
                        pt.ProximityEigenvalues((-2, -4), 5)]), st.integers(0, 99))
@cases(20, 1000)
def test_inputs_know_no_origin_and_no_numbering(world, descriptor, seed):
    assume(apart(world) > 1e-3 and images(world, 5) < 3e4)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(world.x))
    shift = rng.uniform(-2, 2, world.x.shape[1]) * world.w
    moved = World((world.x + shift)[order], world.w)
    one, other = descriptor(*world), descriptor(*moved)
    if descriptor.local:
        one = one[order]
    assert np.abs(one - other).max() <= 1e-7 * np.abs(one).max() + 1e-9
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pt.DegenerateWarning)
        slopes = descriptor.gradients(*world)
    steep = max(np.abs(slopes).max(), np.abs(one).max(), 1e-9)  # slopes may cancel
    assert np.abs(slopes.sum(axis=-2)).max() <= 1e-7 * steep * len(world.x)
