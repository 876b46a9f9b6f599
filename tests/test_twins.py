"""Twins: unlike configurations with equal inputs are told apart, found, and weighed rightly."""

import numpy as np
import pytest

import pes_toy as pt
from pes_toy.judging import _variation
from pes_toy.thesis.twins import (
    TURNS,
    WIDTH,
    Crowd,
    beginnings,
    counted,
    distinct,
    stretch,
    twins_of,
    unavoidable,
    views,
)

THESIS = pt.ProximityEigenvalues((-2, -3), 20.0)
SHORT = pt.ProximityEigenvalues((-2, -3), 3.0)


def same_lattice(x, rng):
    "The lattice shifted, renumbered, mirrored or turned, and cut elsewhere."
    turned = x @ TURNS[rng.integers(8)].T
    moved = turned[rng.permutation(4)] + rng.uniform(-9, 9, 2)
    return pt.wrap(moved, WIDTH)


@pytest.fixture(scope="module")
def relaxed():
    return pt.generate(pt.DatabaseSpec(n_configurations=20_000, seed=3), progress=False)


def test_the_same_lattice_is_one_and_another_is_not():
    rng = np.random.default_rng(0)
    for descriptor in (THESIS, SHORT):
        for x in rng.uniform(0, WIDTH, (10, 4, 2)):
            others = [same_lattice(x, rng) for _ in range(6)]
            first, count = distinct(descriptor, np.array([x, *others]))
            assert list(first) == [0] and list(count) == [7]
    nudged = x + 1e-3 * rng.normal(size=x.shape)
    assert len(distinct(THESIS, np.array([x, nudged]))[0]) == 2


def test_views_know_no_numbering_place_or_orientation(relaxed):
    rng = np.random.default_rng(1)
    x = relaxed.positions[17]
    crowd = Crowd(relaxed)
    assert len(np.unique(views(x).round(9), axis=0)) == 192
    for _ in range(20):
        other = same_lattice(x, rng)
        assert crowd.distances(other[None])[0, 0] < 1e-9
    uniform = rng.uniform(0, WIDTH, (5, 4, 2))
    moved = np.array([same_lattice(one, rng) for one in uniform])
    np.testing.assert_allclose(crowd.distances(uniform, 9), crowd.distances(moved, 9), atol=1e-9)


def test_the_density_of_a_uniform_database_is_uniform():
    "Known density: random positions, all of them kept. The scatter is that of twenty neighbours."
    rng = np.random.default_rng(2)
    db = pt.Database.from_arrays(rng.uniform(0, WIDTH, (5_000, 4, 2)), WIDTH, np.zeros(5_000))
    crowd = Crowd(db)
    crowd.highest = np.inf
    log = crowd.log_density(rng.uniform(0, WIDTH, (100, 4, 2)), (20,))[0]
    assert abs(log.std() - 20**-0.5) < 0.1


def test_stretch_is_what_volumes_do():
    "A small box of configurations becomes one of inputs, with the factor times its volume."
    rng = np.random.default_rng(3)
    x = rng.uniform(0, WIDTH, (4, 2))
    log, rank = stretch(THESIS, x[None])
    assert rank[0] == 6
    moves = np.zeros((6, 4, 2))
    moves[np.arange(6), np.repeat([1, 2, 3], 2), np.tile([0, 1], 3)] = 1.0
    w = np.full(6, WIDTH)
    ahead, behind = (THESIS.values(x + h * moves, w) for h in (1e-6, -1e-6))
    sides = (ahead - behind) / 2e-6
    volume = np.sqrt(np.linalg.det(sides @ sides.T))
    # moves of three particles, with the fourth at rest, have a part along translations
    flat = moves.reshape(6, 8)
    still = np.kron(np.ones((1, 4)), np.eye(2)) / 2
    across = flat - flat @ still.T @ still
    volume /= np.sqrt(np.linalg.det(across @ across.T))
    assert abs(np.log(volume) - log[0]) < 1e-4


def test_a_cluster_that_turns_freely_has_rank_five():
    "Out of reach of its images: five singular values, and the length of the turn."
    rng = np.random.default_rng(4)
    x = 2.5 + rng.uniform(-0.4, 0.4, (1, 4, 2))
    log, rank = stretch(SHORT, x)
    assert rank[0] == 5
    c, s = np.cos(0.7), np.sin(0.7)
    turned = 2.5 + (x - 2.5) @ np.array([[c, s], [-s, c]])
    np.testing.assert_allclose(
        SHORT.values(x, np.full(1, WIDTH)),
        SHORT.values(turned, np.full(1, WIDTH)),
        rtol=1e-9,
        atol=1e-7,
    )
    np.testing.assert_allclose(stretch(SHORT, turned)[0], log, atol=1e-5)
    J = SHORT.gradients(x, np.full(1, WIDTH)).reshape(8, 8)
    radius = np.sqrt(((x[0] - x[0].mean(axis=0)) ** 2).sum())
    five = np.log(np.linalg.svd(J, compute_uv=False)[:5]).sum()
    assert abs(log[0] - (five - np.log(radius))) < 1e-6


def test_what_is_unavoidable():
    assert unavoidable(np.array([2.0]), np.array([7.0])) == (0.0, 0.0)
    rng = np.random.default_rng(5)
    energy = rng.normal(size=6)
    weight = rng.uniform(0, 1, 6)
    error, variance = unavoidable(energy, weight)
    sample = rng.choice(energy, 200_000, p=weight / weight.sum())
    grid = np.linspace(-3, 3, 601)
    best = min(np.abs(sample - c).mean() for c in grid)
    assert abs(error - best) < 0.01 and abs(variance - sample.var()) < 0.02


def test_weights_are_what_one_counts(relaxed):
    "Of rows with nearly the inputs of a target as many are at its twins as the weights say."
    inputs = THESIS.values(relaxed.positions, relaxed.width)
    targets = relaxed.positions[:40]
    begin = beginnings(relaxed, len(targets), 40)
    found = twins_of(THESIS, targets, Crowd(relaxed), begin, _variation(inputs))
    several = [one for one in found if len(one.x) > 1]
    for one in several:
        values = THESIS.values(one.x, np.full(len(one.x), WIDTH))
        np.testing.assert_allclose(
            values,
            np.tile(values[0], (len(values), 1)),
            rtol=1e-6,
            atol=1e-6 * np.abs(values).max(),
        )
        np.testing.assert_allclose(one.weight.sum(axis=1), 1)
    assert len(several) > 20 and max(np.ptp(one.energy) for one in several) > 0.01
    rows, elsewhere, expected = np.sum(
        [counted(THESIS, one, inputs, relaxed) for one in several], axis=0
    )
    assert rows > 500 and abs(elsewhere - expected) < 0.12 * rows
