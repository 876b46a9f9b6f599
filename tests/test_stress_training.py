"""Networks that learn stress: on databases and datasets, judged by it, and better at it."""

import dataclasses

import matplotlib
import numpy as np
import pytest

matplotlib.use("agg")

from models import TINY, Waves

import pes_toy as pt
from pes_toy.training import TrainingSpec

WORLD = pt.DatabaseSpec.diverse(n_configurations=400, width=(3.0, 5.0), n_widths=5, stress=True)
LEARNING = TrainingSpec(inputs="symmetry", transform="standardised", hidden=(16, 16),
                        activation="silu", batch_size=32, epochs=30, learning_rate=5e-3)


def made(**changes):
    return pt.generate(dataclasses.replace(WORLD, **changes), progress=False)


@pytest.fixture(scope="module")
def db():
    return made()


@pytest.fixture(scope="module")
def networks(db):
    "Of energies alone, and of energies and stress; nothing else differs."
    both = dataclasses.replace(LEARNING, stress_weight=0.3)
    return [pt.train(db, spec, progress=False) for spec in (LEARNING, both)]


def test_better_stress_on_fresh_rows(networks):
    "The criterion, set before the first run: at most 0.7 times the error of the stress."
    fresh = made(seed=1)
    plain, learned = [pt.score(network, fresh) for network in networks]
    assert learned.stress_error < 0.7 * plain.stress_error
    assert learned.stress_error < 0.5
    wanted = np.abs(networks[1].stress(fresh.positions, fresh.width) - fresh.stress).mean()
    np.testing.assert_allclose(learned.stress_mae, wanted, rtol=1e-9)
    np.testing.assert_allclose(learned.stress_error, wanted / np.abs(fresh.stress).mean())
    assert "stress error" in str(learned.rows())
    without = dataclasses.replace(fresh, stress=None)
    assert np.isnan(pt.score(networks[1], without).stress_mae)


def test_what_is_told(db, networks, tmp_path):
    "History and facts, the file, the picture; nothing of stress where none is learned."
    plain, learned = networks
    assert "validation_stress_error" not in plain.history and "stress" not in str(plain.rows())
    errors = learned.history["validation_stress_error"]
    assert len(errors) == 30 and learned.about["validation_stress_error"] in errors
    assert errors[-1] < errors[0] and "validation stress error" in str(learned.rows())
    from pes_toy.training import training_rows
    rows = training_rows(db, LEARNING.validation, LEARNING.seed)[1]
    aside = db[rows]
    off = np.abs(learned.stress(aside.positions, aside.width) - aside.stress).mean()
    wanted = off / np.abs(aside.stress).mean()
    np.testing.assert_allclose(learned.about["validation_stress_error"], wanted, rtol=1e-4)
    again = pt.load_network(learned.save(tmp_path / "a.npz"))
    assert again.spec == learned.spec and again.spec.stress_weight == 0.3
    labels = [line.get_label() for line in learned.plot_history().lines]
    assert labels[0] == "loss (energy and stress)" and "stress" in labels[-1]
    matplotlib.pyplot.close("all")


def test_on_a_dataset(tmp_path):
    "In windows: the columns come from disk, the error of the stress falls."
    dataset = pt.generate(WORLD, checkpoint=tmp_path / "data", chunk=100, progress=False)
    spec = dataclasses.replace(LEARNING, stress_weight=0.3, force_weight=0.1, epochs=4)
    network = pt.train(dataset, spec, progress=False)
    errors = network.history["validation_stress_error"]
    assert len(errors) == 4 and errors[-1] < errors[0]
    assert "validation_force_error" in network.about
    assert np.isfinite(pt.score(network, dataset).stress_error)


def test_what_is_refused(db, tmp_path):
    plain = dataclasses.replace(db, stress=None)
    spec = TrainingSpec(stress_weight=1.0, **TINY)
    with pytest.raises(ValueError, match="stress_weight=1 needs stress.*with_stress"):
        pt.train(plain, spec, progress=False)
    dataset = pt.generate(dataclasses.replace(WORLD, stress=False), checkpoint=tmp_path / "d",
                          chunk=200, progress=False)
    with pytest.raises(ValueError, match="stress_weight=1 needs stress.*stress=True"):
        pt.train(dataset, spec, progress=False)
    squares = TrainingSpec(inputs=Waves(), stress_weight=1.0, **TINY)
    with pytest.raises(ValueError, match="square cells only.*any_cell"):
        pt.train(db, squares, progress=False)


def test_memory_is_estimated(db, monkeypatch):
    "Strains of the inputs count; the refusal comes before anything is computed."
    from pes_toy import training
    asked = []
    monkeypatch.setattr(training, "check_memory", lambda what, need, remedy: asked.append(need))
    for weight in (0.0, 1.0):
        training._check_memory(db, dataclasses.replace(LEARNING, stress_weight=weight))
    inputs = 4 * LEARNING.descriptor.n_inputs(4, 2)
    assert asked[1] - asked[0] >= 8.0 * 400 * inputs * 4
