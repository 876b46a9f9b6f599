"""What every relaxer must pass, a user's own too: `check_relaxer("its name")`."""

import numpy as np

import pes_toy as pt
from pes_toy.base.registry import RELAXERS


def check_relaxer(name):
    "Every test of this file, in each protocol that the relaxer serves."
    for protocol in RELAXERS[name].protocols:
        check_results(name, protocol)
        check_threads_and_batches(name, protocol)
        check_database(name, protocol)


def starts(M=40):
    return np.random.default_rng(3).uniform(0, 5, (M, 4, 2))


def settings(name, protocol):
    return dict(relaxer=name, protocol=protocol, epochs=5, seed=2)


def check_results(name, protocol):
    "Positions inside the cell with their energies; acceptance, or nan where nothing is refused."
    x = starts()
    before = x.copy()
    found = pt.relax(x, 5.0, **settings(name, protocol))
    np.testing.assert_array_equal(x, before)  # what was given stays
    assert (found.positions >= 0).all() and (found.positions < 5).all()
    energy = pt.energy_per_particle(found.positions, 5.0, protocol=protocol)
    if protocol == "exact":  # in "thesis" images may have stayed behind
        np.testing.assert_allclose(found.energy, energy, rtol=1e-9, atol=1e-11)
    assert found.acceptance.shape == (len(x), 5)
    assert np.isnan(found.acceptance).any() != RELAXERS[name].accepts


def check_threads_and_batches(name, protocol):
    "The same bits on any number of threads, and whatever else stands in the batch."
    x = starts()
    together = pt.relax(x, 5.0, **settings(name, protocol)).positions
    for workers, count in ((1, len(x)), (2, 7)):
        found = pt.relax(x[:count], 5.0, workers=workers, **settings(name, protocol))
        np.testing.assert_array_equal(found.positions, together[:count])


def check_database(name, protocol):
    "Configurations start from the random positions that every relaxer starts from."
    spec = dict(n_configurations=30, keep=1.0, protocol=protocol)
    first = pt.generate(pt.DatabaseSpec(epochs=0, **spec), progress=False)
    same = pt.generate(pt.DatabaseSpec(relaxer=name, epochs=0, **spec), progress=False)
    np.testing.assert_array_equal(same.positions, first.positions)
    moved = pt.generate(pt.DatabaseSpec(relaxer=name, epochs=2, **spec), workers=1, progress=False)
    again = pt.generate(pt.DatabaseSpec(relaxer=name, epochs=2, **spec), workers=2, progress=False)
    np.testing.assert_array_equal(moved.positions, again.positions)
    steps = np.abs((moved.positions - first.positions + 2.5) % 5 - 2.5)
    assert steps.max() <= 2 * pt.DatabaseSpec().max_delta + 1e-12
