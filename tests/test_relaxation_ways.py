"""Every kernel of the descent against the plain descent; the same bits however work is cut."""
import numpy as np
import pes_toy as pt
import pytest
from pes_toy.engine.descents import WAYS, Case, run_way
from pes_toy.engine.streams import RELAX, Draw, Steps, batch_of
from pes_toy.engine.sums import depths
from pes_toy.lattice import wrap
from pes_toy.relaxation import Recipe, plain_relax, relax_batch


def harmonic(r):
    return (r - 1) ** 2 * (r - 2) ** 2 - 0.1 * (r - 2) ** 2 if r < 2 else 0.0


def perimeter(a, b, c):
    s = (a + b + c) / 3
    return (s - 2) ** 2 * (3 - s) if s < 2 else 0.0


MODIFIED = pt.ModifiedLennardJones()
OWN3 = pt.Potential(harmonic, perimeter, cutoff=2.0, name="perimeter")
OWN = object.__new__(pt.Potential)  # shares its kernels: each potential of one's own is compiled
OWN.__dict__.update(vars(OWN3), pair_weight=1.0, triplet_weight=0.0, name="harmonic")
CASES = [
    (MODIFIED, 4, 2, 5.0, "exact"),
    (MODIFIED, 4, 2, 3.2, "exact"),
    (MODIFIED, 3, 2, 2.0, "exact"),
    (MODIFIED, 3, 3, 3.3, "exact"),
    (MODIFIED, 3, 1, 4.0, "exact"),
    (MODIFIED, 3, 2, 4.0, "thesis"),
    (pt.ModifiedLennardJones(n=8), 3, 2, 4.0, "exact"),
    (pt.LennardJones(), 3, 2, 4.0, "exact"),
    (OWN, 4, 2, 4.6, "exact"),
    (OWN3, 3, 2, 4.6, "exact"),
    (OWN3, 3, 2, 2.5, "exact"),
]


@pytest.mark.parametrize("potential, N, d, w, protocol", CASES)
def test_every_way_that_can_goes_the_way_of_the_plain_descent(potential, N, d, w, protocol):
    random = np.random.default_rng(3).uniform(0, w, (N, d))
    start = pt.relax(random, w, potential, epochs=5, depth=1)
    depth = None if potential.reach and protocol == "exact" else 1
    deep = depths(potential, np.array([w]), depth, protocol)
    plain, _ = plain_relax(start.positions, w, potential, 6, 0.1, protocol, 7, int(deep[0]))
    case = Case(potential, N, d, protocol)
    able = [way for way in WAYS if way.can(case, np.array([w]))[0]]
    if protocol == "exact" and potential.reach: assert len(able) >= 2
    for way in able:
        batch = batch_of(start.positions[None].copy(), np.array([w]), 6)
        run_way(way, batch, case, Steps(6, 0.1), Draw(7, RELAX, 0, False), deep, np.arange(1), 1)
        moved = wrap(batch.x[0], w) - wrap(plain, w)
        moved -= w * np.round(moved / w)
        np.testing.assert_allclose(moved, 0, atol=1e-11, err_msg=way.name)
        if np.isfinite(batch.energy[0]):
            v = pt.energy_per_particle(batch.x[0], w, potential)
            np.testing.assert_allclose(batch.energy[0], v, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("N, d, w", [(1, 4, 2.2), (4, 4, 10.0), (6, 3, 3.0)])
def test_long_steps_need_no_more_room_than_others(N, d, w):
    "Where they would make lists of neighbours long, whole energies are compared."
    from test_large import peak_bytes

    x = np.random.default_rng(5).uniform(0, w, (N, d))
    pt.relax(x, w, MODIFIED, epochs=1)
    before = peak_bytes(reset=True)
    found = pt.relax(x, w, MODIFIED, epochs=1, max_delta=w)
    assert peak_bytes() - before < 2e8
    began = pt.energy_per_particle(x, w, MODIFIED)
    assert found.energy <= began + 1e-12 * abs(began)


@pytest.mark.parametrize("d", [1, 2])
def test_many_particles_without_a_reach_descend_as_published(d):
    "Boxes have the size of a reach, so there are none."
    x = 1.3 * np.arange(30)[:, None] + np.random.default_rng(6).uniform(0, 0.3, (30, d))
    found = pt.relax(x, 40.0, pt.LennardJones(), epochs=2, depth=1, protocol="thesis", seed=7)
    plain, _ = plain_relax(x, 40.0, pt.LennardJones(), 2, 0.1, "thesis", 7, 1)
    moved = wrap(found.positions, 40.0) - wrap(plain, 40.0)
    moved -= 40.0 * np.round(moved / 40.0)
    np.testing.assert_allclose(moved, 0, atol=1e-11)


def test_lanes_are_refused_to_a_potential_of_ones_own():
    lanes = WAYS[0]
    assert lanes.name == "lanes"
    for potential in (OWN, OWN3, pt.ModifiedLennardJones(n=8), pt.LennardJones()):
        assert not lanes.can(Case(potential, 4, 2, "exact"), np.array([5.0, 9.0])).any()
    assert lanes.can(Case(MODIFIED, 4, 2, "exact"), np.array([4.4, 4.5])).tolist() == [False, True]


@pytest.mark.parametrize("potential, N, d, w, protocol", CASES[:6] + CASES[8:9])
def test_the_same_bits_however_the_work_is_cut(potential, N, d, w, protocol):
    def rows(first, M, workers):
        x = np.empty((M, N, d))
        recipe = Recipe(epochs=5, protocol=protocol, depth=1)
        _, bits, _ = relax_batch(x, np.full(M, w), potential, recipe, Draw(1, 2, first, True),
                                 workers=workers)
        return x, bits
    x, bits = rows(0, 70, 2)
    for first, M in ((0, 3), (3, 40), (43, 27)):
        some, their = rows(first, M, 1)
        assert np.array_equal(some, x[first:first + M])
        assert np.array_equal(their, bits[first:first + M])


@pytest.mark.parametrize("N, d, w", [(30, 2, 12.0), (30, 3, 6.5), (26, 2, 6.0), (26, 1, 30.0)])
def test_lists_through_boxes_lead_where_whole_energies_lead(N, d, w):
    start = pt.relax(np.random.default_rng(0).uniform(0, w, (N, d)), w, epochs=5).positions
    case = Case(MODIFIED, N, d, "exact")
    deep = depths(MODIFIED, np.array([w]), None, "exact")
    ends = []
    for way in WAYS[2:]:
        batch = batch_of(start[None].copy(), np.array([w]))
        run_way(way, batch, case, Steps(6, 0.3), Draw(7, RELAX, 0, False), deep, np.arange(1), 1)
        ends.append(batch.x[0])
    np.testing.assert_allclose(ends[0], ends[1], atol=1e-10)


def test_stale_images_through_boxes():
    start = np.random.default_rng(0).uniform(0, 15, (25, 1))
    plain, rate = plain_relax(start, 15.0, OWN, 3, 2.0, "thesis", 4)
    fast = pt.relax(start, 15.0, OWN, epochs=3, max_delta=2.0, protocol="thesis", depth=1, seed=4)
    np.testing.assert_allclose(fast.positions, wrap(plain, 15.0), atol=1e-10)
    np.testing.assert_array_equal(fast.acceptance, rate)
