"""Cells, images, wrapping and drawing of any lattice."""

import itertools
import warnings

import numpy as np
import pytest
from matplotlib.figure import Figure
from pes_toy.lattice import cells, draw_forces, lattice_points, plain_cells, plot_lattice, wrap

pytestmark = pytest.mark.quick


@pytest.fixture
def ax():
    return Figure().add_subplot()


@pytest.mark.parametrize("d, depth", [*itertools.product((1, 2, 3), (0, 1, 2, 3))])
def test_cells(d, depth):
    k = cells(d, depth)
    np.testing.assert_array_equal(k, plain_cells(d, depth))
    assert len(np.unique(k, axis=0)) == (2 * depth + 1) ** d
    assert not k[len(k) // 2].any() and (k == -k[::-1]).all()


@pytest.mark.parametrize("given", [(0, 1), (2, -1), (2, 1.5), (1.5, 1), ("2", 1), (2, None)])
def test_cells_of_no_lattice(given):
    with pytest.raises((TypeError, ValueError), match="dimension|depth"):
        cells(*given)


@pytest.mark.parametrize("d, depth", [(1, 2), (2, 1), (3, 1), (4, 1)])
def test_points_are_where_they_should_be(d, depth):
    x = np.random.default_rng(d).uniform(-3, 9, (3, d))
    points, k = lattice_points(x, 2.5, depth)
    for cell, particle in itertools.product(range(len(k)), range(3)):
        expected = x[particle] + 2.5 * k[cell]
        np.testing.assert_allclose(points[cell, particle], expected, rtol=0, atol=1e-14)


def test_points_of_a_batch_are_refused():
    with pytest.raises(ValueError, match="one configuration"):
        lattice_points(np.zeros((2, 3, 2)), 5.0)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_wrapping(d):
    rng = np.random.default_rng(d)
    w = rng.uniform(0.5, 9, 50)
    x = rng.uniform(-30, 30, (50, 4, d))
    inside = wrap(x, w)
    assert (inside >= 0).all() and (inside < w[:, None, None]).all()
    turns = (x - inside) / w[:, None, None]
    np.testing.assert_allclose(turns, np.round(turns), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(wrap(inside, w), inside)  # once is enough
    for m in range(50):
        np.testing.assert_array_equal(wrap(x[m], w[m]), inside[m])


@pytest.mark.parametrize("x", [0.0, -0.0, 5.0, -5.0, 1e-300, -1e-300, -1e-17, 5.0 - 1e-16, 1e15])
def test_wrapping_at_the_edge(x):
    inside = wrap([[x]], 5.0)[0, 0]
    assert 0 <= inside < 5.0


@pytest.mark.parametrize("x, w", [(0.5, 5e-324), (-0.5, 5e-324), (1e300, 1e-9), (5e-324, 5e-324)])
def test_wrapping_where_the_number_of_widths_is_no_number(x, w):
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("ignore", UserWarning)  # of lost digits
        assert wrap([[x]], w) == 0.0


@pytest.mark.parametrize("w", [5e-324, 9e-101, 1.1e100, 1e300])
def test_widths_whose_powers_are_no_floats_are_refused(w):
    from pes_toy import forces

    for width in (w, [w], [[w, 0.0], [0.0, w]], [[w, 0.1 * w], [0.0, w]]):
        with pytest.raises(ValueError, match="width must be between 1e-100 and 1e100"):
            forces([[[0.0, 0.0]]], width)


def test_wrapping_leaves_what_it_is_given():
    x = np.array([[7.0, -1.0]])
    wrap(x, 5.0)
    np.testing.assert_array_equal(x, [[7.0, -1.0]])


@pytest.mark.parametrize("d, depth, borders", [(1, 2, 5), (2, 1, 9), (3, 1, 9), (4, 1, 9)])
def test_drawing(ax, d, depth, borders):
    x = np.random.default_rng(d).uniform(0, 3, (4, d))
    assert plot_lattice(x, 3.0, depth, ax=ax) is ax
    images, particles = ax.collections
    assert len(ax.patches) == borders
    assert len(images.get_offsets()) == 4 * ((2 * depth + 1) ** d - 1)
    np.testing.assert_array_equal(particles.get_offsets()[:, 0], x[:, 0])
    assert ax.patches[-1].get_xy() == ((0, -1.5) if d == 1 else (0, 0))  # the central cell, on top
    low, high = ax.get_xlim()
    assert low < -3.0 * depth and high > 3.0 * (depth + 1)


def test_drawing_other_axes(ax):
    x = np.random.default_rng(0).uniform(0, 3, (4, 3))
    plot_lattice(x, 3.0, ax=ax, axes=(2, 0), labels=True)
    np.testing.assert_array_equal(ax.collections[1].get_offsets(), x[:, [2, 0]])
    assert ax.get_xlabel() == "z ($R_c$)" and ax.get_ylabel() == "x ($R_c$)"
    assert [text.get_text() for text in ax.texts] == ["0", "1", "2", "3"]


@pytest.mark.parametrize("axes", [(0, 2), (0,), (-1, 0), (0, 1, 1)])
def test_axes_that_are_not_there(ax, axes):
    with pytest.raises(ValueError, match="two of the 2 axes"):
        plot_lattice(np.zeros((1, 2)), 3.0, ax=ax, axes=axes)


@pytest.mark.parametrize("size", [0.0, 1.0, 1e12])
def test_arrows_have_the_length_of_the_cell(ax, size):
    forces = size * np.array([[3.0, 4.0], [0.0, 1.0]])
    draw_forces(ax, np.ones((2, 2)), forces, 10.0)
    arrows = ax.collections[0]
    lengths = np.hypot(arrows.U, arrows.V) / arrows.scale
    np.testing.assert_allclose(lengths, [3.0, 0.6] if size else 0.0)
