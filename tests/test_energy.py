"""Energies and forces against an independent brute force, over many cells.

Longer than a chapter should be. Kernels are in test_sums.py, neighbours in test_neighbours.py.
"""
import itertools

import numpy as np
import pes_toy as pt
import pytest

CANDIDATES = [pt.AreaPair(), pt.AreaPerimeter(), pt.PairArea(), pt.ModifiedLennardJones()]
OTHERS = [pt.LennardJones(), pt.Morse(), pt.ModifiedLennardJones(E_c=2.0, R_c=1.2, n=4.5, R_0=2.6)]


def brute(x, w, potential, depth, protocol):
    "Equations (5) and (9) from coordinates: all images, all triangles, weights by central corners."
    N, d = x.shape
    k = np.array(list(itertools.product(range(-depth, depth + 1), repeat=d)))
    points = (x + w * k[:, None, :]).reshape(-1, d)
    central = np.repeat((k == 0).all(axis=1), N)
    r = np.linalg.norm(points[:, None] - points, axis=-1)
    total = 0.0
    for i in np.flatnonzero(central):
        others = np.delete(np.arange(len(points)), i)
        if potential.pair_weight:
            total += potential.pair_weight * potential.pair(r[i, others]).sum()
        a, b = (others[t] for t in np.triu_indices(len(others), 1))
        if not potential.triplet_weight or not len(a): continue
        weight = np.where((protocol == "thesis") & (central[a] != central[b]), 1.0, 2.0)
        triangles = weight * potential.triplet(r[i, a], r[i, b], r[a, b])
        total += potential.triplet_weight * triangles.sum()
    return total / N


CASES = [(d, N, depth, w)
         for d in (1, 2, 3) for N in range(1, 7) for depth in range(4) for w in (1.4, 5.0)
         if N * (2 * depth + 1) ** d <= 400]


@pytest.mark.parametrize("protocol", ["exact", "thesis"])
@pytest.mark.parametrize("potential", CANDIDATES + OTHERS, ids=str)
def test_energy_is_the_brute_force(potential, protocol):
    rng = np.random.default_rng(7)
    for d, N, depth, w in CASES:
        x = rng.uniform(0, w, (N, d))
        needed = depth
        if potential.reach is not None and protocol == "exact":
            needed = max(depth, int(np.ceil(potential.reach / w)))
        if N * (2 * needed + 1) ** d > 1000: continue
        expected = brute(x, w, potential, needed, protocol)
        found = pt.energy_per_particle(x, w, potential, depth=depth, protocol=protocol)
        assert abs(found - expected) <= 1e-10 * max(abs(expected), 1e-12), (d, N, depth, w)


def moved(x, w, rng):
    return x + rng.uniform(-3 * w, 3 * w, (len(x), 1, x.shape[2]))


@pytest.mark.parametrize("potential", [CANDIDATES[3], OTHERS[2]], ids=str)
@pytest.mark.parametrize("d, N, w", [(1, 3, 2.0), (2, 4, 5.0), (2, 3, 1.6),
                                     (3, 4, 3.0), (3, 2, 7.0), (2, 40, 14.0)])
def test_exact_is_invariant(potential, d, N, w):
    rng = np.random.default_rng(d)
    x = pt.relax(rng.uniform(0, w, (50, N, d)), w, epochs=10).positions  # no two collide
    v = pt.energy_per_particle(x, w, potential)
    corners = itertools.product((0, 1), repeat=d)
    doubled = np.concatenate([x + w * np.array(k) for k in corners], axis=1)
    same = [pt.energy_per_particle(moved(x, w, rng), w, potential),
            pt.energy_per_particle(x[:, rng.permutation(N)], w, potential),
            pt.energy_per_particle(doubled, 2 * w, potential),
            pt.energy_per_particle(x, w, potential, depth=5)]
    for other in same:
        assert (np.abs(other - v) <= 1e-11 * np.maximum(1, np.abs(v))).all()


@pytest.mark.parametrize("w", [1.0, 2.0, 3.0, 4.0, 6.0])
def test_lattices_of_squares_do_not_depend_on_the_origin(w):
    "Equal coordinates, which rounding makes unequal after a move, must not lose a triangle."
    rng = np.random.default_rng(0)
    n = int(w)
    grid = np.stack(np.meshgrid(np.arange(n), np.arange(n)), -1).reshape(-1, 2) * (w / n)
    v = pt.energy_per_particle(grid, w)
    shifted = grid + rng.uniform(-20, 20, (300, 1, 2))
    np.testing.assert_allclose(pt.energy_per_particle(shifted, w), v, rtol=1e-11)


def start_of(potential, d, N, w):
    "Positions whose forces are neither zero nor enormous, and the depth that they need."
    rng = np.random.default_rng(4)
    depth = None if potential.reach else 1
    x = rng.uniform(0, w, (N, d))
    if d == 1:
        x = np.arange(N)[:, None] * w / N + 0.2 * x / w
    if potential.reach:
        x = pt.relax(x, w, potential, epochs=40, depth=depth).positions
    return x, depth


@pytest.mark.parametrize("potential", CANDIDATES + OTHERS, ids=str)
@pytest.mark.parametrize("d, N, w", [(1, 3, 4.0), (2, 4, 3.7), (2, 3, 1.9),
                                     (3, 3, 3.4), (2, 30, 12.0)])
def test_forces_are_the_numerical_derivative(potential, d, N, w):
    if d == 1 and isinstance(potential, pt.PairArea):
        pytest.skip("every triangle of equation (8) in one dimension is at its kink")
    if N > 10 and potential.reach is None: pytest.skip("slow without a reach")
    x, depth = start_of(potential, d, N, w)
    f = pt.forces(x, w, potential, depth=depth)
    h = 1e-5
    steps = h * np.eye(N * d).reshape(N * d, N, d)
    above = pt.energy_per_particle(x + steps, w, potential, depth=depth)
    below = pt.energy_per_particle(x - steps, w, potential, depth=depth)
    numeric = (-N * (above - below) / (2 * h)).reshape(x.shape)
    largest = np.abs(f).max()
    if largest == 0: pytest.skip("no forces in this configuration")
    if largest < 1e6:
        assert np.abs(f - numeric).max() <= 1e-6 * max(largest, 1e-3)
    assert np.abs(f.sum(axis=0)).max() <= 1e-10 * max(largest, 1)


def test_batches_are_single_configurations():
    rng = np.random.default_rng(2)
    w = rng.uniform(1.3, 9.0, 60)
    x = rng.uniform(0, 1, (60, 4, 2)) * w[:, None, None]
    single = [pt.energy_and_forces(a, b) for a, b in zip(x, w)]
    for workers in (1, 3):
        v, f = pt.energy_and_forces(x, w, workers=workers)
        np.testing.assert_array_equal(v, [s[0] for s in single])
        np.testing.assert_array_equal(f, [s[1] for s in single])


BAD = [
    (dict(positions=[[np.nan, 1.0]]), ValueError, "finite"),
    (dict(positions=[[np.inf, 1.0]]), ValueError, "finite"),
    (dict(positions=[["a", "b"]]), TypeError, "numbers"),
    (dict(positions=[1.0, 2.0]), ValueError, "shape"),
    (dict(positions=np.zeros((0, 2))), ValueError, "at least one particle"),
    (dict(positions=[[[1.0, 1.0]], [[1.0]]]), ValueError, "positions"),
    (dict(positions=[[1.0, 1.0], [6.0, 1.0]]), ValueError, "0 and 1"),
    (dict(width=0), ValueError, "above 0"),
    (dict(width=-2.0), ValueError, "above 0"),
    (dict(width=np.nan), ValueError, "above 0"),
    (dict(width="wide"), TypeError, "width"),
    (dict(width=[5.0, 5.0]), ValueError, "width"),
    (dict(potential=pt.AreaPair()), ValueError, "depth"),
    (dict(potential="lj"), TypeError, "potential"),
    (dict(potential=pt.LennardJones), TypeError, "potential"),
    (dict(depth=-1), ValueError, "depth"),
    (dict(depth=1.5), ValueError, "depth"),
    (dict(protocol="old"), ValueError, "protocol"),
    (dict(workers=0), ValueError, "workers"),
]


@pytest.mark.parametrize("change, kind, word", BAD, ids=lambda v: str(v)[:40])
def test_bad_input_is_named(change, kind, word):
    rng = np.random.default_rng(0)
    settings = {"positions": rng.uniform(0, 5, (3, 2)), "width": 5.0, **change}
    if "workers" in change:
        settings["positions"] = rng.uniform(0, 5, (9000, 3, 2))
    with pytest.raises(kind, match=word):
        pt.energy_per_particle(settings.pop("positions"), settings.pop("width"), **settings)
