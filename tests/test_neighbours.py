"""The neighbour search against all images, in cells of any shape."""
import itertools

import numpy as np
import pytest
from pes_toy.engine.neighbours import (around_particle, around_point, cell_of, check_apart,
                                       first_coincidence, grid_of, near_of, neighbour_lists, pad,
                                       plain_neighbours)

SHAPES = ["square", "sheared", "flat", "turned"]


def matrix_of(shape, d, rng):
    size = rng.uniform(1.0, 4.0)
    matrix = size * np.eye(d)
    if shape == "sheared": return matrix @ (np.eye(d) + np.triu(rng.uniform(-2, 2, (d, d)), 1))
    if shape == "flat": return matrix * rng.uniform(0.2, 3, d)[:, None]
    if shape == "turned": return matrix @ np.linalg.qr(rng.normal(size=(d, d)))[0]
    return matrix


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("d, N", list(itertools.product((1, 2, 3), (1, 4, 25, 150))))
def test_lists_are_all_images(shape, d, N):
    rng = np.random.default_rng(N)
    for _ in range(3):
        matrix = matrix_of(shape, d, rng)
        reach = rng.uniform(0.2, 1.3) * abs(np.linalg.det(matrix)) ** (1 / d)
        x = rng.random((N, d)) @ matrix
        grid = grid_of(x, cell_of(matrix, d), reach)
        near = near_of(grid, reach)
        for q in rng.integers(0, N, 3):
            count = around_particle(grid, q, reach, near)
            plain = sorted(r for _, r in plain_neighbours(x, grid.at[3 - d:, q], matrix, reach))
            found = sorted(near.apart[3, :count])
            np.testing.assert_allclose(found, plain[1:], rtol=1e-8, atol=1e-12)
        place = rng.uniform(-5, 5, d)
        count = around_point(grid, pad(place), reach, -1, near)
        assert count == len(plain_neighbours(x, place, matrix, reach))
        if N > 1:
            assert count >= around_point(grid, pad(place), reach, 0, near)


def test_lists_with_a_skin_stay_true():
    "Shifts are whole cell vectors: lists made once serve when particles move."
    rng = np.random.default_rng(0)
    matrix = np.array([[6.0, 0.0], [2.0, 5.0]])
    x = rng.random((40, 2)) @ matrix
    lists = neighbour_lists(x, cell_of(matrix, 2), 2.0)
    later = x + rng.uniform(-0.1, 0.1, x.shape)
    for i in range(40):
        these = slice(lists.start[i], lists.start[i + 1])
        r = np.linalg.norm(later[lists.other[these]] + lists.shift[these] - later[i], axis=1)
        plain = sorted(r for _, r in plain_neighbours(later, later[i], matrix, 1.7))
        np.testing.assert_allclose(sorted(r[r < 1.7]), plain[1:], rtol=1e-8)
    whole = lists.shift @ np.linalg.inv(matrix)
    np.testing.assert_allclose(whole, whole.round(), atol=1e-12)


@pytest.mark.parametrize("N", [3, 500])
def test_coinciding_particles_are_named(N):
    rng = np.random.default_rng(N)
    x = rng.uniform(-9, 9, (2, N, 2))
    w = np.array([6.0, 7.0])
    check_apart(x, w)
    x[1, 2] = x[1, 0] + [14.0, -7.0]
    assert first_coincidence(x, w) == (1, 0, 2)
    with pytest.raises(ValueError, match="particles 0 and 2 of configuration 11 coincide"):
        check_apart(x, w, first=10)


def test_many_particles_take_a_time_like_their_number():
    "A hundred thousand: with all pairs it took half a minute."
    x = np.random.default_rng(0).uniform(0, 500, (1, 100_000, 2))
    check_apart(x, np.full(1, 500.0))
