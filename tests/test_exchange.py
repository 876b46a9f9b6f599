"""Other programs: atoms and back, calculators of any model, settings in pictures."""
import json
import os

import numpy as np
import pes_toy as pt
import pytest
from databases import make
from pes_toy.exchange import settings_of

ase = pytest.importorskip("ase")
pytest.importorskip("ase.io")

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


def one_frame(name="plane"):
    return pt.to_atoms(some(name, 2))[0]


def test_forces_of_fixed_atoms_come_without_the_constraint():
    from ase.constraints import FixAtoms, Hookean

    db = some("plane", 2)
    atoms = pt.to_atoms(db)
    atoms[0].set_constraint([FixAtoms([0, 2]), Hookean(1, 3, k=5.0, rt=0.1)])
    assert (atoms[0].get_forces()[[0, 2]] == 0).all()
    back = pt.from_atoms(atoms)
    assert np.array_equal(back.forces, db.forces)
    np.testing.assert_allclose(back.energy, db.energy, rtol=1e-15)


def test_one_kind_of_particles():
    mixed = one_frame()
    mixed.symbols[0] = "O"
    mixed.calc = pt.calculator(POTENTIAL)
    mixed.get_potential_energy()
    oxygen = pt.to_atoms(some("plane", 2), symbol="O")
    for frames in (mixed, [mixed], [one_frame(), *oxygen]):
        with pytest.raises(ValueError, match="the elements H, O, .* take the frames of one"):
            pt.from_atoms(frames)
    assert len(pt.from_atoms(oxygen)) == 2


TURNS = {"plane": "z", "space": (1, 2, 3), "line": (3, 1, 2)}


@pytest.mark.parametrize("angle", [30, 90, 180])
@pytest.mark.parametrize("name", CASES)
def test_turned_cells_have_the_energy_of_the_cell_that_is_not_turned(name, angle):
    d = CASES[name][1]
    db = some(name, 3)
    for m, atoms in enumerate(pt.to_atoms(db)):
        atoms.rotate(angle, TURNS[name], rotate_cell=True)
        atoms.positions += (1.0, 2.0, 3.0)
        atoms.calc = pt.calculator(POTENTIAL)
        axes = atoms.cell.array[:d] / atoms.cell.lengths()[0]
        energy, forces = atoms.get_potential_energy(), atoms.get_forces(apply_constraint=False)
        np.testing.assert_allclose(energy, len(atoms) * db.energy[m], rtol=1e-9)
        scale = np.abs(db.forces[m]).max()
        np.testing.assert_allclose(forces @ axes.T, db.forces[m], atol=1e-8 * scale)
        back = pt.from_atoms(atoms)
        np.testing.assert_allclose(back.energy, db.energy[[m]], rtol=1e-9)
        np.testing.assert_allclose(back.forces[0], db.forces[m], atol=1e-8 * scale)
        again = pt.energy_per_particle(back.positions, back.width)
        np.testing.assert_allclose(again, db.energy[[m]], rtol=1e-9)


def test_mirrored_cells_and_cells_that_are_nearly_square():
    atoms = one_frame()
    energy = atoms.get_potential_energy()
    atoms.set_cell(-atoms.cell.array)
    atoms.calc = pt.calculator(POTENTIAL)
    np.testing.assert_allclose(atoms.get_potential_energy(), energy, rtol=1e-10)
    atoms.set_cell([[5, 0, 0], [5e-5, 5, 0], [0, 0, 1]])
    np.testing.assert_allclose(atoms.get_potential_energy(), energy, rtol=1e-3)
    with pytest.raises(ValueError, match="square or cubic"):
        pt.from_atoms(atoms)
    atoms.set_cell([0, 0, 0])
    with pytest.raises(ValueError, match="independent vectors"):
        atoms.get_potential_energy()


def test_one_frame_or_a_file_will_do(tmp_path):
    db = some("plane", 3)
    atoms = pt.to_atoms(db)
    alone = pt.from_atoms(atoms[1])
    assert len(alone) == 1 and np.array_equal(alone.positions[0], db.positions[1])
    path = tmp_path / "toy.xyz"
    ase.io.write(path, atoms)
    for given in (path, str(path)):
        back = pt.from_atoms(given)
        np.testing.assert_allclose(back.positions, db.positions, atol=1e-7)
        np.testing.assert_allclose(back.forces, db.forces, atol=1e-7)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        pt.from_atoms(tmp_path / "missing.xyz")
    path.write_text("nothing of the kind")
    with pytest.raises(ValueError, match="cannot be read by ASE"):
        pt.from_atoms(path)
    for wrong in (3, None, [1.0], db):
        with pytest.raises(TypeError, match="a list of them or the name of a file"):
            pt.from_atoms(wrong)


def renamed(atoms, energy, forces):
    "Frames as they come from programs with names of their own."
    frames = []
    for known in atoms:
        frame = known.copy()
        frame.info[energy] = known.get_potential_energy()
        frame.arrays[forces] = known.get_forces()
        frames.append(frame)
    return frames


@pytest.mark.parametrize("names", [("Energy", "force"), ("REF_energy", "REF_forces")])
def test_labels_under_other_names(names, tmp_path):
    energy, forces = names
    db = some("plane", 3)
    path = tmp_path / "other.xyz"
    ase.io.write(path, renamed(pt.to_atoms(db), energy, forces))
    with pytest.raises(ValueError, match=f"no energy, but .*'{energy}'.*energy_key="):
        pt.from_atoms(path)
    back = pt.from_atoms(path, energy_key=energy, forces_key=forces)
    np.testing.assert_allclose(back.energy, db.energy, atol=1e-7)
    np.testing.assert_allclose(back.forces, db.forces, atol=1e-7)
    with pytest.warns(UserWarning, match=f"{forces}.*name them with forces_key="):
        assert pt.from_atoms(path, energy_key=energy).forces is None
    with pytest.raises(ValueError, match=f"no forces 'F', but .*'{forces}'"):
        pt.from_atoms(path, energy_key=energy, forces_key="F")


def test_labels_are_not_lost_without_a_word():
    from ase.calculators.singlepoint import SinglePointCalculator

    atoms = pt.to_atoms(some("plane", 3))
    energy = atoms[1].get_potential_energy()
    atoms[1].calc = SinglePointCalculator(atoms[1], energy=energy)
    with pytest.warns(UserWarning, match=r"1 of 3 atoms \(first: 1\) have no forces"):
        assert pt.from_atoms(atoms).forces is None
    moved = one_frame()
    moved.positions[0, 0] += 0.1
    with pytest.raises(ValueError, match=r"energy of atoms\[0\] is not that of these atoms"):
        pt.from_atoms(moved)
    up = one_frame()
    up.calc = SinglePointCalculator(up, energy=1.0, forces=np.ones((4, 3)))
    with pytest.raises(ValueError, match="point out of the directions with images"):
        pt.from_atoms(up)
    up.calc = SinglePointCalculator(up, energy=1.0, forces=np.zeros((4, 2)))
    with pytest.raises(ValueError, match=r"forces of atoms\[0\] must be numbers"):
        pt.from_atoms(up)


@pytest.mark.parametrize("energy", ["abc", np.nan, True])
def test_an_energy_that_is_no_number(energy):
    from ase.calculators.singlepoint import SinglePointCalculator

    atoms = one_frame()
    atoms.calc = SinglePointCalculator(atoms, energy=energy)
    with pytest.raises((TypeError, ValueError), match=r"energy of atoms\[0\] must be a finite"):
        pt.from_atoms(atoms)


def test_an_energy_in_a_file_that_is_text(tmp_path):
    path = tmp_path / "text.xyz"
    path.write_text(
        '1\nLattice="5 0 0 0 5 0 0 0 1" Properties=species:S:1:pos:R:3 energy=abc pbc="T T F"\n'
        "H 0 0 0\n"
    )
    with pytest.raises(TypeError, match=r"energy of atoms\[0\] must be a finite number, got 'abc'"):
        pt.from_atoms(path)


def test_frames_without_atoms():
    from ase.calculators.singlepoint import SinglePointCalculator

    empty = ase.Atoms(cell=[5, 5, 1], pbc=[True, True, False])
    empty.calc = SinglePointCalculator(empty, energy=0.0)
    with pytest.raises(ValueError, match="none at all"):
        pt.from_atoms([empty])
    empty.calc = pt.calculator(POTENTIAL)
    with pytest.raises(ValueError, match="none at all"):
        empty.get_potential_energy()


@pytest.mark.parametrize("symbol", ["Foo", "H2", "", 1])
def test_symbols_that_are_none(symbol):
    with pytest.raises(ValueError, match="symbol must be that of one chemical element"):
        pt.to_atoms(some("plane", 2), symbol=symbol)
    with pytest.raises(TypeError, match="database must be a Database"):
        pt.to_atoms("db.parquet")


def thermal_velocities(atoms):
    "By the name that ASE has for it since 3.29, or the one before."
    from ase.md import velocitydistribution as ase_velocities

    usual = getattr(ase_velocities, "MaxwellBoltzmannDistribution")
    draw = getattr(ase_velocities, "thermalize_momenta", usual)
    draw(atoms, temperature_K=500, rng=np.random.default_rng(0))


@pytest.mark.parametrize("name", CASES)
def test_thermal_velocities_stay_in_the_cell_and_keep_the_energy(name):
    "Velocities of ASE, and its dynamics: in a plane cell they used to leave the plane."
    from ase import units
    from ase.md.velocitydistribution import Stationary
    from ase.md.verlet import VelocityVerlet

    N, d, _ = CASES[name]
    x, w = some(name).positions[0], some(name).width[0]
    still = pt.relax(x, w, relaxer="fire", epochs=2000).positions
    atoms = pt.to_atoms(pt.Database.from_arrays(still[None], w, potential=POTENTIAL))[0]
    atoms.calc = pt.calculator(POTENTIAL)
    thermal_velocities(atoms)
    assert (atoms.get_momenta()[:, d:] == 0).all() and (atoms.get_momenta()[:, :d] != 0).all()
    thermal = atoms.get_kinetic_energy() / (0.5 * N * d * units.kB)
    np.testing.assert_allclose(atoms.get_temperature(), thermal, rtol=1e-12)
    Stationary(atoms)
    np.testing.assert_allclose(atoms.get_momenta().sum(axis=0), 0, atol=1e-12)
    swings = []
    for step in (0.02, 0.01):
        moving = atoms.copy()
        moving.calc = pt.calculator(POTENTIAL)
        found = []
        dynamics = VelocityVerlet(moving, timestep=step)
        dynamics.attach(lambda moving=moving, found=found: found.append(moving.get_total_energy()))
        dynamics.run(round(2 / step))
        assert (moving.positions[:, d:] == 0).all() and len(found) > 100
        swings.append(np.ptp(found))
    assert swings[1] < 0.01 * atoms.get_kinetic_energy() and 3 < swings[0] / swings[1] < 5


def test_rotations_are_taken_out_in_the_plane():
    from ase.md.velocitydistribution import ZeroRotation

    atoms = one_frame()
    thermal_velocities(atoms)
    ZeroRotation(atoms)
    assert (atoms.get_momenta()[:, 2] == 0).all() and np.isfinite(atoms.get_momenta()).all()
    np.testing.assert_allclose(atoms.get_angular_momentum(), 0, atol=1e-10)
