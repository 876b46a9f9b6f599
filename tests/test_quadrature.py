"""Averages and their errors; the partition function of three particles, and simulations of it."""

import numpy as np
import pes_toy as pt
import pytest
from pes_toy.failing import compute_failing, failing, networks, rank_correlation, ranks, squeezed
from pes_toy.observables import plain_blocking
from pes_toy.quadrature import orbits, plain_partition, symmetries

SHEARED = np.array([[3.2, 0.0], [0.9, 2.9]])
TRIANGLES = 3 * np.array([[1.0, 0.0], [0.5, np.sqrt(0.75)]])


def partition(width=3.0, model=pt.ModifiedLennardJones(), **settings):
    return pt.partition_function(width, model, **{"temperatures": 0.5, "progress": False,
                                                  **settings})


def remembering(K, a, rng):
    "A series of variance 1 with the correlation time (1 + a) / (1 - a) / 2."
    x = np.empty(K)
    x[0] = rng.normal()
    for k in range(1, K):
        x[k] = a * x[k - 1] + np.sqrt(1 - a * a) * rng.normal()
    return x


@pytest.mark.parametrize("a", [0.0, 0.5, 0.95])
def test_an_error_bar_says_what_repetition_says(a):
    "Within a fifth: the spread of 200 means is known to a twentieth."
    rng = np.random.default_rng(0)
    found = [pt.mean_with_error(remembering(3000, a, rng)) for _ in range(200)]
    spread = np.std([one.value for one in found])
    claimed = np.sqrt(np.mean([one.error**2 for one in found]))
    assert abs(claimed / spread - 1) < 0.2
    tau = (1 + a) / (1 - a) / 2
    assert abs(np.mean([one.correlation for one in found]) / tau - 1) < 0.1


def test_replicas_and_blocks_agree_with_one_series():
    rng = np.random.default_rng(1)
    many = np.array([remembering(1024, 0.8, rng) for _ in range(100)])
    whole = pt.mean_with_error(many)
    each = many.mean(axis=1)
    assert abs(whole.error / (each.std(ddof=1) / 10) - 1) < 0.25  # the spread is known to 7 %
    sizes, errors = plain_blocking(many.ravel())
    assert abs(errors[sizes == 128][0] / whole.error - 1) < 0.2
    broken = np.vstack([many, np.full(1024, np.nan)])
    assert pt.mean_with_error(broken) == whole
    assert pt.mean_with_error(np.ones(10)).error == 0
    for bad in (np.full((2, 5), np.nan), [1.0], np.ones((2, 2, 2))):
        with pytest.raises(ValueError, match="values"):
            pt.mean_with_error(bad)


@pytest.mark.parametrize("d, width", [(1, 3.0), (2, SHEARED), (2, 3.0), (3, 3.0)])
def test_a_gas_has_no_structure(d, width):
    rng = np.random.default_rng(d)
    cell = width * np.eye(d) if np.ndim(width) == 0 else width
    x = rng.uniform(0, 1, (4000, 4, d)) @ cell
    found = pt.pair_distribution(x, width, r_max=4.0, bins=6)
    pairs = 4000 * 6 * (2.0 / 3) ** d / 9  # in the second bin, at least
    np.testing.assert_allclose(found.g[1:], 1, atol=5 / np.sqrt(pairs))


def test_pairs_are_counted_through_images_and_in_mixed_cells():
    x = np.array([[[0.1, 1.0], [2.9, 1.0]]])
    found = pt.pair_distribution(x, 3.0, r_max=1.0, bins=10)
    assert np.flatnonzero(found.g).tolist() == [2] or np.flatnonzero(found.g).tolist() == [1]
    both = pt.pair_distribution(np.concatenate([x, x]), [3.0, 6.0], r_max=1.0, bins=10)
    np.testing.assert_allclose(both.g, found.g / 2)
    far = pt.pair_distribution(x + np.array([300.0, -600.0]), 3.0, r_max=1.0, bins=2)
    np.testing.assert_allclose(far.g, pt.pair_distribution(x, 3.0, r_max=1.0, bins=2).g)
    with pytest.raises(ValueError, match="two particles"):
        pt.pair_distribution(np.zeros((1, 2)), 3.0)


def test_displacements_of_straight_flight():
    t = np.arange(20)
    x = np.zeros((3, 20, 2, 2))
    x[..., 0] = 2.0 * t[None, :, None]
    x[2, 5:] = np.nan
    found = pt.mean_square_displacement(x, 0.5, lags=5)
    np.testing.assert_allclose(found.value, (4.0 * found.time) ** 2)
    found.plot()


@pytest.mark.parametrize("cell, n", [(3 * np.eye(2), 8), (np.diag([3.0, 2.5]), 4), (TRIANGLES, 12),
                                     (SHEARED, 2)])
def test_symmetry_saves_work_and_changes_nothing(cell, n):
    assert len(symmetries(cell)) == n
    orbit, first = orbits(6, symmetries(cell))
    assert np.bincount(orbit).sum() == 36 and (orbit[first] == np.arange(len(first))).all()
    found = [partition(cell, points=6, symmetry=use) for use in (True, False)]
    np.testing.assert_allclose(found[0].free_energy, found[1].free_energy, rtol=1e-11)
    plain = plain_partition(cell, lambda x: pt.energy_per_particle(x, cell), 0.5, points=4)
    few = partition(cell, points=4)
    np.testing.assert_allclose([few.free_energy[0], few.energy[0]], plain, rtol=1e-11)


def test_the_grid_has_converged_to_a_thousandth():
    coarse, fine = (partition(temperatures=[0.2, 1.0], points=n) for n in (48, 60))
    np.testing.assert_allclose(coarse.free_energy, fine.free_energy, rtol=0, atol=1e-3)
    np.testing.assert_allclose(coarse.energy, fine.energy, rtol=0, atol=1e-3)
    fine.plot()


def test_heat_capacity_is_the_slope_of_the_energy():
    T = 0.5 * np.array([1 - 1e-4, 1, 1 + 1e-4])
    found = partition(temperatures=T, points=20)
    slope = (found.energy[2] - found.energy[0]) / (T[2] - T[0])
    np.testing.assert_allclose(found.heat_capacity[1], slope, rtol=1e-5)


class Pit(pt.Predictor):
    "The truth with a pit at short distances, and an error for some configurations."

    n_particles, dimension, about, any_number = 3, 2, {}, True

    def evaluate(self, x, w, with_forces=False):
        if (x[:, 0, 0] > 2.9).any():
            raise ValueError("nothing is known of these")
        energy = np.minimum(pt.energy_per_particle(x, w), 50.0)
        return np.where(energy >= 50.0, -20.0, energy), np.zeros_like(x)


def test_a_pit_is_where_equilibrium_is():
    deep = partition(model=Pit(), points=16, symmetry=False)
    assert deep.close[0] > 0.99 and deep.energy[0] < -15
    assert partition(points=16).close[0] < 1e-9


def test_langevin_gives_the_exact_mean_energy():
    "Three error bars, in a sheared cell; the seed is fixed."
    exact = partition(SHEARED, temperatures=0.4, points=44)
    start = pt.relax(np.random.default_rng(3).uniform(0, 2.5, (48, 3, 2)), 3.0, epochs=60)
    run = pt.dynamics(start.positions, SHEARED, steps=16_000, dt=4e-3, temperature=0.4, every=20,
                      seed=5, progress=False).after(16.0)
    found = run.mean_energy()
    assert abs(found.value - exact.energy[0]) < 3 * found.error and found.error < 0.02


@pytest.mark.parametrize("changes, word", [
    (dict(temperatures=0.0), "temperatures"), (dict(temperatures=[]), "temperatures"),
    (dict(points=1), "points"), (dict(points=900), "memory"), (dict(symmetry=1), "symmetry"),
    (dict(model=pt.sample_network, points=4), "potential"), (dict(width=-1), "width")])
def test_what_cannot_be_is_an_error_that_names_it(changes, word):
    with pytest.raises((ValueError, TypeError), match=word):
        partition(**changes)


def test_ranks_and_their_correlation():
    scipy = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    a = rng.integers(0, 6, (4, 25)).astype(float)
    b = a + rng.normal(0, 3, a.shape)
    np.testing.assert_allclose(ranks(a) + 1, scipy.rankdata(a, axis=1))
    for one, other, found in zip(a, b, rank_correlation(a, b)):
        np.testing.assert_allclose(found, scipy.spearmanr(one, other).statistic)


def test_the_study_is_stored_whole(tmp_path):
    from notebooks import ROOT

    study = failing(ROOT / "nbs" / "results")
    assert study.names == [one.name for one in networks()]
    assert all(len(values) == 30 for values in (*study.static.values(), *study.outcome.values()))
    study.plot()
    study.plot_correlations()
    with pytest.raises(ValueError, match="31 results"):
        failing(tmp_path)
    for name in ("static", "outcome"):
        with pytest.raises(ValueError, match=name):
            study.correlation(**{"static": "force MAE", name: "luck"})
    before = (ROOT / "nbs" / "results" / "failing.json").read_text()
    (tmp_path / "failing.json").write_text(before)
    compute_failing(tmp_path, progress=False)  # nothing is missing
    assert (tmp_path / "failing.json").read_text() == before


def test_squeezing_moves_the_closest_pair_only():
    x = np.array([[[0.2, 0.0], [4.7, 0.0], [2.0, 2.0], [2.0, 3.0]]])  # 0.5 apart through the border
    moved = squeezed(x)[0]
    np.testing.assert_array_equal(moved[:, 2:], np.repeat(x[:, 2:], 11, axis=0))
    apart = moved[:, 0] - moved[:, 1] + [5.0, 0.0]
    np.testing.assert_allclose(apart[:, 0], 0.5 * np.linspace(1, 0.5, 11))
