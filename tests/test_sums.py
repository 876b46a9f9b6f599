"""Every way to sum that can, on the same cases, against the plain loops; a user's potential too."""
import math

import numpy as np
import pes_toy as pt
import pytest
from pes_toy.base.jobs import NEVER
from pes_toy.energy import plain_energy, plain_forces
from pes_toy.engine.neighbours import cell_of
from pes_toy.engine.potentials import interaction_of
from pes_toy.engine.addresses import for_potential
from pes_toy.engine.sums import FIRST, WAYS, depths, run_way, ways_for
from pes_toy.engine.triangles import new_room, once_forces


def soft(r):
    return (1 - r / 1.5) ** 2 if r < 1.5 else 0.0


def cosy(a, b, c):
    p = a + b + c
    return -math.exp(-p) * (1 - p / 4.5) ** 2 if p < 4.5 else 0.0


OWN = pt.Potential(soft, cosy, cutoff=1.5, name="soft and cosy")
POTENTIALS = [pt.ModifiedLennardJones(), pt.ModifiedLennardJones(n=4.5, R_0=2.2),
              pt.AreaPerimeter(), pt.Morse(), OWN]
CASES = [(1, 3, 2.3), (1, 2, 7.0), (2, 1, 2.0), (2, 4, 5.0), (2, 3, 1.7), (3, 2, 3.3)]


@pytest.mark.parametrize("potential", POTENTIALS, ids=str)
@pytest.mark.parametrize("d, N, w", CASES)
@pytest.mark.parametrize("protocol", ["exact", "thesis"])
def test_every_way_is_the_plain_loop(potential, d, N, w, protocol):
    x = np.random.default_rng(N).uniform(0, w, (2, N, d))
    widths = np.full(2, w)
    depth = depths(potential, widths, 1, protocol)
    plain = [plain_energy(a, w, potential, depth[0], protocol) for a in x]
    ways = ways_for(potential, d, protocol)
    assert ways[-1] is WAYS[-1]
    for way in ways:
        energy, _ = run_way(way, x, widths, potential, depth, protocol)
        np.testing.assert_allclose(energy, plain, rtol=1e-10, atol=1e-13, err_msg=way.name)


@pytest.mark.parametrize("potential", POTENTIALS, ids=str)
@pytest.mark.parametrize("d, N, w", CASES)
def test_every_way_has_the_forces_of_the_plain_loop(potential, d, N, w):
    x = np.arange(N)[:, None] * w / N + np.random.default_rng(N).uniform(0, 0.3, (1, N, d))
    x %= w
    depth = depths(potential, np.full(1, w), 1, "exact")
    plain = plain_forces(x[0], w, potential, depth[0])
    for way in ways_for(potential, d, "exact"):
        energy, f = run_way(way, x, np.full(1, w), potential, depth, with_forces=True)
        alone, none = run_way(way, x, np.full(1, w), potential, depth)
        assert energy == alone and none.size == 0, way.name
        scale = max(abs(plain).max(), 1e-3)
        assert abs(f[0] - plain).max() < 1e-5 * scale, way.name


@pytest.mark.parametrize("potential", [POTENTIALS[0], POTENTIALS[1], OWN], ids=str)
@pytest.mark.parametrize("d, N, w", [(1, 40, 25.0), (2, 30, 7.0), (2, 120, 16.0), (3, 60, 7.5)])
def test_boxes_are_the_listed_points(potential, d, N, w):
    "Many particles in boxes against all images one by one; a user's potential too."
    x = np.random.default_rng(d).uniform(0, w, (3, N, d))
    widths = np.full(3, w)
    depth = depths(potential, widths, None, "exact")
    (v, f), (v0, f0) = [run_way(way, x, widths, potential, depth, with_forces=True)
                        for way in ways_for(potential, d, "exact")]
    np.testing.assert_allclose(v, v0, rtol=1e-11)
    # numerical slopes multiply the rounding of a side by 1 / (2e-5): eight digits are left
    digits = 1e-8 if potential is OWN else 1e-11
    for a, b in zip(f, f0):
        np.testing.assert_allclose(a, b, rtol=0, atol=digits * abs(b).max())


def test_crowded_boxes_need_more_room():
    "Hundreds of particles in one corner: long lists, and triangles in several rounds."
    x = np.random.default_rng(0).uniform(0, 1, (1, 300, 2)) * 3.0
    x[0, -1] = 39.0
    depth = np.ones(1, np.int64)
    soft_one = pt.Potential(soft, cosy, cutoff=1.5)
    (v, f), (v0, f0) = [run_way(way, x, np.full(1, 40.0), soft_one, depth, with_forces=True)
                        for way in WAYS]
    np.testing.assert_allclose(v, v0, rtol=1e-11)
    np.testing.assert_allclose(f, f0, rtol=0, atol=1e-10 * abs(f0).max())


@pytest.mark.parametrize("density, enough", [(0.16, True), (1.0, True), (6.0, False)])
def test_the_first_room_of_a_large_cell(density, enough):
    "It holds the lists at common densities, so that nothing is sorted twice; else another is made."
    N, w = 1000, (1000 / density) ** 0.5
    x = np.random.default_rng(1).uniform(0, w, (1, N, 2))
    one, u = for_potential(once_forces, OWN), interaction_of(OWN)
    lacks = one(x[0], cell_of(w, 2), u, new_room(N, FIRST, NEVER), np.empty((N, 2)))[1]
    assert (lacks == 0) == enough
    depth = np.ones(1, np.int64)
    (v, f), (v0, f0) = [run_way(way, x, np.full(1, w), OWN, depth, with_forces=True)
                        for way in WAYS]
    np.testing.assert_allclose(v, v0, rtol=1e-11)
    np.testing.assert_allclose(f, f0, rtol=0, atol=1e-8 * abs(f0).max())


@pytest.mark.parametrize("d", [2, 3])
def test_the_choice_of_cell_vectors_does_not_matter(d):
    "The same lattice with other vectors, and turned: the same energy and turned forces."
    rng = np.random.default_rng(d)
    potential = pt.ModifiedLennardJones()
    one = for_potential(once_forces, potential)
    u = interaction_of(potential)
    for N in (3, 30):
        x = rng.random((N, d))
        square = (N / 0.3) ** (1 / d) * np.eye(d)
        other = np.eye(d)
        other[-1, 0] = 1.0
        turn = np.linalg.qr(rng.normal(size=(d, d)))[0]
        sheared = other @ square @ turn
        f, g = np.empty((N, d)), np.empty((N, d))
        v, _ = one(x @ square, cell_of(square, d), u, new_room(N, 5000, NEVER), f)
        folded = (x @ np.linalg.inv(other)) % 1.0
        w, _ = one(folded @ sheared, cell_of(sheared, d), u, new_room(N, 5000, NEVER), g)
        np.testing.assert_allclose(w, v, rtol=1e-9)
        np.testing.assert_allclose(g, f @ turn, rtol=0, atol=1e-8 * abs(f).max())


def test_more_than_three_dimensions_are_listed():
    x = np.random.default_rng(0).uniform(0, 3, (2, 4))
    assert [way.name for way in ways_for(pt.ModifiedLennardJones(), 4, "exact")] == ["listed"]
    v, f = pt.energy_and_forces(x, 3.0)
    np.testing.assert_allclose(v, plain_energy(x, 3.0), rtol=1e-11)
    assert abs(f.sum(axis=0)).max() < 1e-9 * abs(f).max()


def test_coinciding_particles_have_no_energy():
    x = np.array([[1.0, 1.0], [1.0, 1.0], [3.0, 3.0]])
    for way in WAYS:
        w = np.full(1, 5.0)
        energy, _ = run_way(way, x[None], w, pt.ModifiedLennardJones(), np.ones(1, int))
        assert np.isnan(energy).all()
