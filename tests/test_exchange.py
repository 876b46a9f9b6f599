"""Other programs: atoms and back, calculators of any model, settings in pictures."""
import json
import os

import numpy as np
import pes_toy as pt
import pytest
from databases import make
from pes_toy.exchange import settings_of

ase = pytest.importorskip("ase")

POTENTIAL = pt.ModifiedLennardJones()
CASES = {  # particles, dimension, width
    "line": (3, 1, 6.0),
    "plane": (4, 2, 5.0),
    "space": (5, 3, 4.0),
}


def some(name, n=12):
    N, d, w = CASES[name]
    return make(
        n_configurations=n, n_particles=N, dimension=d, width=w, epochs=15, forces=True
    )


@pytest.mark.parametrize("name", CASES)
def test_atoms_and_back(name):
    db = some(name)
    N, d, w = CASES[name]
    atoms = pt.to_atoms(db, symbol="Ar")
    assert len(atoms) == len(db) and atoms[0].get_chemical_formula() == f"Ar{N}"
    for m, frame in enumerate(atoms):
        assert frame.pbc.tolist() == [axis < d for axis in range(3)]
        assert frame.cell.lengths()[:d].tolist() == [w] * d and frame.info["dimension"] == d
        assert frame.get_potential_energy() == N * db.energy[m]
        assert (frame.positions[:, d:] == 0).all() and (frame.get_forces()[:, d:] == 0).all()
    back = pt.from_atoms(atoms)
    assert np.array_equal(back.positions, db.positions)
    assert np.array_equal(back.width, db.width) and np.array_equal(back.forces, db.forces)
    np.testing.assert_allclose(back.energy, db.energy, rtol=1e-15)


def test_without_forces_and_without_calculator():
    atoms = pt.to_atoms(make(n_configurations=3))
    assert pt.from_atoms(atoms).forces is None
    atoms[1].calc = None
    with pytest.raises(ValueError, match=r"atoms\[1\] has no energy"):
        pt.from_atoms(atoms)
    with pytest.raises(ValueError, match="at least one"):
        pt.from_atoms([])
    with pytest.raises(ValueError, match="three dimensions"):
        pt.to_atoms(pt.Database(np.ones((1, 1, 4)), 5.0, np.zeros(1)))


def test_frames_must_agree():
    two, three = pt.to_atoms(some("plane", 2)), pt.to_atoms(some("space", 2))
    with pytest.raises(ValueError, match="agree in dimension"):
        pt.from_atoms([*two, *three])
    two[0].positions[0, 2] = 0.1
    with pytest.raises(ValueError, match="one plane"):
        pt.from_atoms(two)


class Spring(pt.Predictor):
    "A model that knows nothing of inputs: every particle hangs on a spring at the middle."

    n_particles, dimension, about = 4, 2, {}

    def energy_and_forces(self, positions, width):
        off = np.asarray(positions) - np.asarray(width)[..., None, None] / 2
        energy = 0.5 * (off**2).sum(axis=(-1, -2)) / off.shape[-2]
        return energy, -off


@pytest.mark.parametrize("name", CASES)
def test_a_calculator_of_a_potential(name):
    db = some(name, 4)
    atoms = pt.to_atoms(db)[2]
    atoms.calc = pt.calculator(POTENTIAL)
    N, d, _ = CASES[name]
    np.testing.assert_allclose(atoms.get_potential_energy(), N * db.energy[2], rtol=1e-12)
    scale = np.abs(db.forces[2]).max()
    np.testing.assert_allclose(atoms.get_forces()[:, :d], db.forces[2], atol=1e-12 * scale)
    moved = atoms.copy()
    moved.calc = pt.calculator(POTENTIAL)
    moved.positions[:, :d] += 17.3
    moved_energy = moved.get_potential_energy()
    np.testing.assert_allclose(moved_energy, atoms.get_potential_energy(), rtol=1e-9)


def test_a_calculator_of_a_potential_without_reach_needs_a_depth():
    atoms = pt.to_atoms(some("plane", 2))[0]
    atoms.calc = pt.calculator(pt.LennardJones(), depth=2)
    width = atoms.cell.lengths()[0]
    expected = pt.energy_per_particle(atoms.positions[:, :2], width, pt.LennardJones(), depth=2)
    np.testing.assert_allclose(atoms.get_potential_energy(), 4 * expected, rtol=1e-12)
    atoms.calc = pt.calculator(pt.LennardJones())
    with pytest.raises(ValueError, match="depth"):
        atoms.get_potential_energy()


def test_a_calculator_of_a_network():
    sample, network = pt.sample_database(), pt.sample_network()
    atoms = pt.to_atoms(sample[5])[0]
    atoms.calc = pt.calculator(network)
    energy, forces = network.energy_and_forces(sample.positions[5], sample.width[5])
    np.testing.assert_allclose(atoms.get_potential_energy(), 4 * energy, rtol=1e-12)
    np.testing.assert_allclose(atoms.get_forces()[:, :2], forces, rtol=1e-12, atol=1e-12)


def test_a_calculator_of_any_predictor():
    "A model of one's own, without inputs, runs in ASE's optimizers and stands in pictures."
    from ase.optimize import BFGS

    atoms = pt.to_atoms(some("plane", 2))[0]
    atoms.calc = pt.calculator(Spring())
    middle = atoms.positions[:, :2] - atoms.cell.lengths()[0] / 2
    np.testing.assert_allclose(atoms.get_potential_energy(), 0.5 * (middle**2).sum())
    BFGS(atoms, logfile=None).run(fmax=1e-8, steps=100)
    np.testing.assert_allclose(atoms.positions[:, :2], 2.5, atol=1e-6)


def test_what_is_no_model_is_refused():
    for model in ("a name", pt.Morse, None):
        with pytest.raises(TypeError, match="potential"):
            pt.calculator(model)


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_pictures_keep_what_they_are_told(suffix, tmp_path):
    db = make(n_configurations=20)
    told = dict(a="(b\\) <&> \"x\"", c=[1.5, None, True], d={"ü": "é"})
    path = pt.save_figure(db.plot_histogram(), tmp_path / f"x.{suffix}", told)
    assert pt.figure_settings(path) == told and os.listdir(tmp_path) == [f"x.{suffix}"]
    again = pt.save_figure(db.plot_histogram().figure, path, db.spec)
    assert pt.figure_settings(again) == dict(database=db.spec.to_dict())


def test_settings_of_results_are_plain_values():
    db, network = pt.sample_database(), pt.sample_network()
    own = pt.Database.from_arrays(db.positions[:3], 5.0, db.energy[:3])
    found = settings_of(network)
    assert found == dict(
        training=network.spec.to_dict(), database=network.about["database"]
    )
    assert settings_of(own) == dict(database=None, n_configurations=3)
    assert settings_of(network.spec) == dict(training=network.spec.to_dict())
    experiment = pt.Experiment("a", pt.DatabaseSpec(n_configurations=50), network.spec)
    for result in (db, network, experiment):
        assert json.loads(json.dumps(settings_of(result))) == settings_of(result)


def test_a_kind_of_ones_own_says_its_settings(tmp_path):
    class Trajectory:
        step = 0.01

    picture = make(n_configurations=20).plot_percentiles()
    path = tmp_path / "x.png"
    with pytest.raises(TypeError, match="Trajectory"):
        pt.save_figure(picture, path, Trajectory())
    settings_of.register(Trajectory, lambda made_with: dict(step=made_with.step))
    assert pt.figure_settings(pt.save_figure(picture, path, Trajectory())) == dict(step=0.01)


def test_pictures_that_cannot_be_are_refused(tmp_path):
    plot = make(n_configurations=20).plot_histogram()
    with pytest.raises(ValueError, match="must end in"):
        pt.save_figure(plot, tmp_path / "x.jpg", {})
    with pytest.raises(TypeError, match="order is"):
        pt.save_figure(plot, {}, "x.png")
    with pytest.raises(TypeError, match="plain values"):
        pt.save_figure(plot, tmp_path / "x.png", dict(a=np.zeros(3)))
    with pytest.raises(FileNotFoundError, match="no folder"):
        pt.save_figure(plot, tmp_path / "nowhere" / "x.png", {})
    with pytest.raises(FileNotFoundError, match="no file"):
        pt.figure_settings(tmp_path / "x.png")
    plot.figure.savefig(tmp_path / "x.png")
    with pytest.raises(ValueError, match="does not say"):
        pt.figure_settings(tmp_path / "x.png")
