"""Repetition costs no memory: what was compiled is used again, and what is closed is gone."""

import gc

import numpy as np
import psutil
import pes_toy as pt
import pytest

SAMPLE = pt.sample_database()[:300]


def growth(job, times):
    "Bytes that the process has grown by, after two rounds that compile."
    job()
    job()
    gc.collect()
    before = psutil.Process().memory_info().rss
    for _ in range(times):
        job()
    gc.collect()
    return psutil.Process().memory_info().rss - before


def test_ten_trainings_take_no_memory():
    "Other seeds are the same kind of training; they took 6.5 MB each."
    seeds = iter(range(100))

    def train():
        spec = pt.TrainingSpec(epochs=1, hidden=(8,), seed=next(seeds))
        pt.train(SAMPLE, spec, progress=False)

    assert growth(train, 10) < 10e6


def test_trainings_of_a_kind_do_not_depend_on_each_other():
    spec = pt.TrainingSpec(epochs=2, hidden=(8,), optimizer="adagrad")

    def weights():
        network = pt.train(SAMPLE, spec, progress=False)
        return np.concatenate([array.ravel() for layer in network.weights for array in layer])

    first = weights()
    pt.train(SAMPLE, pt.TrainingSpec(epochs=1, hidden=(8,), optimizer="adagrad", seed=3),
             progress=False)
    np.testing.assert_array_equal(first, weights())


def lifted(height):
    "A potential whose functions are made anew each time."

    def pair(r):
        return height * (1 - r / 1.5) ** 2 if r < 1.5 else 0.0

    return pt.Potential(pair, cutoff=1.5)


def test_the_same_potential_of_ones_own_takes_no_memory():
    "It took 9 to 20 MB each time, and half a minute."
    x = SAMPLE.positions[0]
    assert growth(lambda: pt.energy_per_particle(x, 5.0, lifted(2.0)), 5) < 5e6
    two, three = (pt.energy_per_particle(x, 5.0, lifted(height)) for height in (2.0, 3.0))
    np.testing.assert_allclose(three, 1.5 * two, rtol=1e-12)


HEIGHT = 2.0


def _by_global(r):
    return HEIGHT * (1 - r / 1.5) ** 2 if r < 1.5 else 0.0


def test_a_global_that_changed_makes_another_potential(monkeypatch):
    x = SAMPLE.positions[0]
    two = pt.energy_per_particle(x, 5.0, pt.Potential(_by_global, cutoff=1.5))
    monkeypatch.setitem(globals(), "HEIGHT", 4.0)
    four = pt.energy_per_particle(x, 5.0, pt.Potential(_by_global, cutoff=1.5))
    np.testing.assert_allclose(four, 2 * two, rtol=1e-12)


@pytest.mark.parametrize("name", ["potential", "configuration", "relaxation", "database"])
def test_a_closed_explorer_leaves_no_widget(name):
    from ipywidgets.widgets.widget import _instances

    before = set(_instances)
    explorer = getattr(pt.explore, name)()
    assert len(set(_instances) - before) > 10
    explorer.close()
    assert not set(_instances) - before
