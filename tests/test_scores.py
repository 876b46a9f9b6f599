"""Scores of known errors, warnings about other worlds, and means of several models."""
import dataclasses
import math

import numpy as np
import pytest
from models import handmade
from runs import OWN, QUICK

from pes_toy.generation import generate_in_memory as generate
from pes_toy.networks import Predictor, load_network
from pes_toy.scores import Average, BaselineSpec, fit_baseline, plain_score, score
from pes_toy.specification import DatabaseSpec
from pes_toy.training import TrainingSpec


class Off(Predictor):
    "The truth, and a known error."
    n_particles, dimension, about = 4, 2, {}

    def __init__(self, db, energy, forces):
        true = np.zeros_like(db.positions) if db.forces is None else db.forces
        rows = zip(db.positions, db.energy + energy, true + forces)
        self.known = {x.tobytes(): (e, f) for x, e, f in rows}

    def evaluate(self, x, w, with_forces=False):
        found = [self.known[row.tobytes()] for row in x]
        return np.array([e for e, _ in found]), np.array([f for _, f in found])


@pytest.fixture(scope="module")
def widths():
    "60 configurations of three widths."
    spec = DatabaseSpec(n_configurations=60, epochs=5, width=(3, 5), n_widths=3, forces=True)
    return generate(spec, progress=False)


def test_scores_of_known_errors(widths):
    rng = np.random.default_rng(0)
    e = rng.normal(size=60)
    f = rng.normal(size=(60, 4, 2))
    found = score(Off(widths, e, f), widths)
    by_hand = dict(
        energy_mae=np.abs(e).mean(),
        energy_rmse=np.sqrt((e**2).mean()),
        energy_median=np.median(np.abs(e)),
        force_mae=np.abs(f).mean(),
        force_error=np.abs(f).mean() / np.abs(widths.forces).mean(),
    )
    for name, value in by_hand.items():
        np.testing.assert_allclose(getattr(found, name), value, rtol=1e-9)
    assert list(found.by_width) == [3.0, 4.0, 5.0] and found.n_configurations == 60
    for w, error in found.by_width.items():
        np.testing.assert_allclose(error, np.abs(e[widths.width == w]).mean(), rtol=1e-9)
    assert found.seconds_many > 0 and found.seconds_one > 0


def test_scores_show_themselves(widths):
    found = score(Off(widths, 0.5, 0.1), widths)
    said = repr(found)
    assert "0.5 E_c" in said and "60 configurations" in said
    per_cent = 10 / np.abs(widths.forces).mean()
    assert f"{per_cent:.3g} % of the mean force" in said
    assert "<td" in found._repr_html_()


def test_scores_without_forces_and_of_one_width(widths):
    bare = dataclasses.replace(widths[widths.width == 3])
    bare.forces = None
    found = score(Off(bare, 0.5, 0), bare)
    assert math.isnan(found.force_mae) and math.isnan(found.force_error)
    assert found.by_width == {} and "force" not in repr(found)
    assert math.isclose(found.energy_mae, 0.5)
    assert score(Off(widths, 0, 0), widths).energy_mae == 0


def test_forces_that_are_all_zero():
    zero = np.zeros((3, 4, 2))
    found = plain_score(np.ones(3), np.ones(3), zero + 1, zero)
    assert found["force_mae"] == 1 and math.isnan(found["force_error"])


def test_what_cannot_be_judged(widths):
    for wrong in (None, lambda x, w: 0, Off):
        with pytest.raises(TypeError, match="Predictor"):
            score(wrong, widths)
    with pytest.raises(TypeError, match="Database"):
        score(Off(widths, 0, 0), widths.positions)
    with pytest.raises(ValueError, match="empty"):
        score(Off(widths, 0, 0), widths[:0])


WORLDS = {
    "width": (dict(width=6.0), "widths from 5 to 5"),
    "protocol": (dict(protocol="thesis"), "protocol exact"),
    "potential": (dict(potential=OWN[0]), "potential"),
}


@pytest.mark.parametrize("world", WORLDS)
def test_judging_elsewhere_warns(world):
    change, said = WORLDS[world]
    model = fit_baseline(generate(QUICK, progress=False), BaselineSpec())
    spec = dataclasses.replace(QUICK, n_configurations=20, **change)
    with pytest.warns(UserWarning, match=said):
        score(model, generate(spec, progress=False))


def test_averages_are_means(db):
    members = [handmade(TrainingSpec(), seed=s) for s in range(3)]
    mean = Average(members)
    x = db.positions[:9]
    w = db.width[:9]
    energies = [member.predict(x, w) for member in members]
    forces = [member.forces(x, w) for member in members]
    np.testing.assert_allclose(mean.predict(x, w), np.mean(energies, axis=0), rtol=1e-12)
    np.testing.assert_allclose(mean.forces(x, w), np.mean(forces, axis=0), rtol=1e-9, atol=1e-9)
    assert mean.n_parameters == 3 * members[0].n_parameters
    assert "3 predictors" in repr(mean)


class Sum(Predictor):
    "A model that looks at the positions themselves."
    n_particles, dimension, about, any_number = 4, 2, {}, True

    def evaluate(self, x, w, with_forces=False):
        return x.sum(axis=(1, 2)), -x.shape[1] * np.ones_like(x)


def test_averages_of_unlike_members(db):
    network = handmade(TrainingSpec())
    local = handmade(TrainingSpec("symmetry"))
    mean = Average([network, local, Sum()])
    x = db.positions[:9]
    w = db.width[:9]
    energies = [member.predict(x, w) for member in mean.members]
    forces = [member.forces(x, w) for member in mean.members]
    np.testing.assert_allclose(mean.predict(x, w), np.mean(energies, axis=0), rtol=1e-12)
    np.testing.assert_allclose(mean.forces(x, w), np.mean(forces, axis=0), rtol=1e-9, atol=1e-9)
    assert mean.descriptor is None and not mean.any_number
    five = np.random.default_rng(0).uniform(0, 4, (5, 2))
    assert np.isfinite(Average([local, Sum()]).predict(five, 4.0))
    with pytest.raises(ValueError, match="5 particles"):
        mean.predict(five, 4.0)
    assert mean.n_parameters == network.n_parameters + local.n_parameters


def test_averages_go_to_a_file(tmp_path, db):
    members = [handmade(TrainingSpec(), seed=1), fit_baseline(db, BaselineSpec(inputs="symmetry"))]
    mean = Average([Average(members), members[1]])
    again = load_network(mean.save(tmp_path / "mean.npz"))
    x = db.positions[:9]
    np.testing.assert_array_equal(again.predict(x, 5.0), mean.predict(x, 5.0))
    np.testing.assert_array_equal(again.forces(x, 5.0), mean.forces(x, 5.0))
    assert again.members[1].about == members[1].about
    with pytest.raises(NotImplementedError, match="parts"):
        Average([Sum()]).save(tmp_path / "sum.npz")


def test_averages_that_make_no_sense():
    with pytest.raises(ValueError, match="empty"):
        Average([])
    with pytest.raises(TypeError, match="Predictors"):
        Average([Sum(), "network"])
    with pytest.raises(ValueError, match="one dimension"):
        Average([Sum(), handmade(TrainingSpec(), d=3)])
