"""Relaxation: what never happens to energies, and kernels that agree."""
import numpy as np
import pes_toy as pt
import pytest
from battery_relaxers import check_relaxer
from databases import make
from pes_toy.base.registry import RELAXERS
from pes_toy.engine.streams import uniforms
from pes_toy.relaxation import Relaxer


Y = 2.0**-6  # of equation 10 at its end, R_0 = 2
TILT = 6 * Y * (Y - 1)
SHIFT = -Y * (Y - 2) - 2 * TILT


def pair(s):
    "Equation 10 with n = 6, as a user would write it."
    y = s**-6
    return y * (y - 2) + SHIFT + TILT * s if s < 2 else 0.0


def triplet(a, b, c):
    s = (a + b + c) / 3
    y = s**-6
    return y * (y - 2) + SHIFT + TILT * s if s < 2 else 0.0


OWN = pt.Potential(pair, triplet, cutoff=2.0, name="mine")


@pytest.mark.parametrize("w", [4.5, 4.6, 5.0, 5.5, 6.0, 10.0])
@pytest.mark.parametrize("N", [2, 3, 4, 6, 8])
def test_the_fast_path_of_the_modified_potential_is_that_of_any_other(N, w):
    "Same streams, same decisions: but for a few that the last bit of an energy parts."
    settings = dict(n_configurations=300, n_particles=N, width=w, epochs=25, keep=1.0, seed=3)
    fast, plain = make(**settings), make(**settings, potential=OWN)
    moved = fast.positions - plain.positions
    moved -= w * np.round(moved / w)
    near = np.abs(moved).max(axis=(1, 2)) < 1e-9
    assert near.mean() >= 0.99
    assert np.array_equal(fast.acceptance[near], plain.acceptance[near])
    v = pt.energy_per_particle(fast.positions, w)
    assert (np.abs(fast.energy - v) <= 1e-12 * np.maximum(np.abs(v), 1e-3)).all()


@pytest.mark.parametrize("w", [1.6, 2.5, 3.0, 3.3, 3.9, 4.0, 4.5, 7.0])
def test_the_descent_never_raises_the_energy(w):
    x = np.random.default_rng(1).uniform(0, w, (1000, 4, 2))
    last = pt.energy_per_particle(x, w)
    for epochs in range(2, 40, 4):
        v = pt.relax(x, w, epochs=epochs, seed=9).energy
        assert (v <= last + 1e-11 * np.maximum(1, np.abs(last))).all()
        last = v


def test_fire_survives_overflow():
    db = make(
        n_configurations=10,
        n_particles=30,
        width=12.0,
        relaxer="fire",
        epochs=5,
        keep=1.0,
        potential=pt.ModifiedLennardJones(n=60),
    )
    assert np.isfinite(db.energy).all()
    steep = pt.ModifiedLennardJones(n=400)
    x = np.random.default_rng(0).uniform(0, 12, (30, 2))
    with pytest.raises(ValueError, match="too large"):
        pt.relax(x, 12.0, steep, relaxer="fire", epochs=20)


class Shake(Relaxer, name="shake"):
    "A user's own: random steps, all kept."

    @staticmethod
    def run(batch, potential, recipe, draw_of, workers):
        for m, x in enumerate(batch.x):
            u = uniforms(draw_of.seed, draw_of.share, draw_of.first + m, recipe.epochs * x.size)
            x += recipe.max_delta * (2 * u.reshape(-1, *x.shape) - 1).sum(axis=0)


def test_a_relaxer_that_says_nothing_of_steps_has_no_acceptance():
    "It was 0, as if every step had been refused."
    x = np.random.default_rng(0).uniform(0, 5, (3, 4, 2))
    assert np.isnan(pt.relax(x, 5.0, relaxer="shake", epochs=2).acceptance).all()
    db = pt.generate(pt.DatabaseSpec(relaxer="shake", n_configurations=5), progress=False)
    assert np.isnan(db.acceptance).all()


@pytest.mark.parametrize("name", RELAXERS.names())
def test_the_battery(name):
    check_relaxer(name)
