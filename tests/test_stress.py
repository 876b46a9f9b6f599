"""Stress: virials against differences, of potentials, descriptors, networks, and in ASE."""

import pickle

import numpy as np
import pytest
from models import TINY, Waves, handmade
from test_cells import PROXIMITY, SHORT, SYMMETRY, close, crystal, turned

import pes_toy as pt
from pes_toy.descriptors import numerical_strains
from pes_toy.elasticity import plain_stress
from pes_toy.training import TrainingSpec

OWN = pt.Potential(pair=lambda r: 1 / r**6, triplet=lambda a, b, c: (a + b + c) ** -6)


def by_differences(energy, x, cell, h=1e-5):
    "Stress (d, d) from energies per particle of strained configurations."
    d = x.shape[1]
    found = np.empty((d, d))
    for index in np.ndindex(d, d):
        e = np.zeros((d, d))
        e[index] = h
        above, below = energy(*pt.strained(x, cell, e)), energy(*pt.strained(x, cell, -e))
        found[index] = len(x) * (above - below) / (2 * h)
    return found / abs(np.linalg.det(cell))


@pytest.mark.parametrize("d, N", [(1, 3), (2, 5), (3, 4), (2, 30), (3, 30)])
def test_of_a_potential_with_a_reach(d, N):
    "Against differences; symmetric; turned with the cell; the same in other cells and supercells."
    rng = np.random.default_rng(N + d)
    x, cell = crystal(d, N, rng)
    found = pt.stress(x, cell)
    close(found, by_differences(pt.energy_per_particle, x, cell), 1e-6)
    close(found, found.T, 1e-12)
    turn = turned(d, rng)
    close(pt.stress(x @ turn, cell @ turn), turn.T @ found @ turn, 1e-10)
    slanted = np.tril(rng.integers(-3, 4, (d, d)), -1) + np.eye(d)
    close(pt.stress(x, slanted @ cell), found, 1e-10)
    H = np.diag([3] + [1] * (d - 1))
    copies = np.concatenate([x + k * cell[0] for k in range(3)])
    close(pt.stress(copies, H @ cell), found, 1e-10)


@pytest.mark.parametrize("potential", [pt.Morse(), pt.LennardJones(), pt.AreaPair(), OWN], ids=str)
@pytest.mark.parametrize("d", [1, 2, 3])
def test_of_potentials_without_a_reach(potential, d):
    x, cell = crystal(d, 2, np.random.default_rng(d))
    x = pt.wrap(x, cell)  # the cells within a depth are those around the wrapped particles

    def energy(x, cell):
        return pt.energy_per_particle(x, cell, potential, depth=1)
    close(pt.stress(x, cell, potential, depth=1), by_differences(energy, x, cell), 1e-5)


def test_the_plain_twin():
    x, cell = crystal(2, 3, np.random.default_rng(0))
    close(pt.stress(x, cell), plain_stress(x, cell, depth=2), 1e-7)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_pressure_is_minus_the_slope_by_the_width(d):
    "Fractions of the width held fixed; one virial of a square cell against dv/dw."
    fractions = np.random.default_rng(d).random((4, d))
    w, N, h = 2.6, 4, 1e-5
    x = fractions * w
    v = [pt.energy_per_particle(fractions * u, u) for u in (w + h, w - h)]
    slope = (v[0] - v[1]) / (2 * h)
    found = pt.pressure(x, w)
    np.testing.assert_allclose(found, -N * slope / (d * w ** (d - 1)), rtol=1e-5)
    assert isinstance(found, float)
    both = pt.pressure(np.array([x, x]), [w, w + 1])
    assert both.shape == (2,) and both[0] == found
    assert pt.stress(np.array([x, x]), w).shape == (2, d, d)


def test_large_cells_and_threads():
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(np.arange(40), np.arange(40)), axis=-1).reshape(-1, 2)
    x = 1.4 * grid + rng.uniform(-0.1, 0.1, (1600, 2))
    found = pt.stress(x, 56.0)
    close(found, by_differences(pt.energy_per_particle, x, 56.0 * np.eye(2)), 1e-6)
    many = np.array([crystal(2, 5, rng)[0] for _ in range(50)])
    one, all_cores = [pt.stress(many, 8.0, workers=n) for n in (1, None)]
    np.testing.assert_array_equal(one, all_cores)


@pytest.mark.parametrize("descriptor", [
    PROXIMITY, SYMMETRY, pt.RelativeDistances(), pt.SymmetryFunctions(third_side=False),
    pt.ProximityEigenvalues(orders=(-2, -3.5, -4), R_0p=(3.0, 4.0, 4.0))], ids=str)
@pytest.mark.parametrize("d, N", [(1, 3), (2, 4), (3, 5), (2, 25)])
def test_strains_of_descriptors(descriptor, d, N):
    "Exact ones against differences; of a width and of the same matrix; alone and in a batch."
    rng = np.random.default_rng(d * N)
    pairs = [crystal(d, N, rng) for _ in range(2)]
    x, cells = [np.array(part) for part in zip(*pairs)]
    g = rng.normal(size=descriptor(x, cells).shape)
    found = descriptor.strain_pullback(x, cells, g)
    numeric = numerical_strains(descriptor.values, x, cells)
    axes = tuple(range(1, g.ndim))
    close(found, (numeric * g[..., None, None]).sum(axis=axes), 1e-6)
    np.testing.assert_allclose(descriptor.strain_pullback(x[1], cells[1], g[1]), found[1],
                               rtol=1e-12, atol=1e-12 * np.abs(found).max())
    w = 2.5 * N ** (1 / d)
    np.testing.assert_allclose(descriptor.strain_pullback(x, w, g),
                               descriptor.strain_pullback(x, w * np.eye(d), g), rtol=1e-12)


def test_equal_eigenvalues():
    "Their mean has a derivative; a warning where they are weighed unevenly."
    square = np.array([[1.0, 1.0], [2.0, 1.0], [1.0, 2.0], [2.0, 2.0]])
    descriptor = pt.ProximityEigenvalues(orders=-2, R_0p=3.0)
    numeric = numerical_strains(descriptor.values, square[None], np.array([5.0]))[0]
    values = descriptor(square, 5.0)
    equal = np.isclose(values, np.roll(values, 1)) | np.isclose(values, np.roll(values, -1))
    assert equal.sum() == 2
    even = descriptor.strain_pullback(square, 5.0, np.ones(4))
    close(even, numeric.sum(axis=0), 1e-5)
    with pytest.warns(pt.DegenerateWarning):
        uneven = descriptor.strain_pullback(square, 5.0, np.arange(4.0))
    assert np.isfinite(uneven).all()


@pytest.mark.parametrize("inputs", ["symmetry", "proximity"])
@pytest.mark.parametrize("d", [2, 3])
def test_of_networks(inputs, d):
    rng = np.random.default_rng(d)
    x, cell = crystal(d, 4, rng)
    network = handmade(TrainingSpec(inputs=inputs, **TINY), d=d)
    found = network.stress(x, cell)
    close(found, by_differences(network.predict, x, cell), 1e-5)
    close(pt.stress(x, cell, network), found)
    assert pt.pressure(x, cell, network) == -np.trace(found) / d
    batch = network.stress(np.array([x] * 3), cell)
    close(batch, np.array([found] * 3))
    close(network.stress(x, 5.0), by_differences(network.predict, x, 5.0 * np.eye(d)), 1e-5)
    other = handmade(TrainingSpec(inputs=inputs, **TINY), d=d, seed=1)
    mean = pt.Average([network, other]).stress(x, cell)
    close(mean, (found + other.stress(x, cell)) / 2)
    assert network.stress(np.empty((0, 4, d)), np.empty(0)).shape == (0, d, d)


class Gas(pt.Predictor):
    "A user's own, without inputs: v = -log of the volume."

    n_particles, dimension, any_number, any_cell, about = 4, 2, True, True, {}

    def evaluate(self, x, w, with_forces=False):
        volume = np.abs(np.linalg.det(w)) if w.ndim > 1 else w ** x.shape[2]
        return -np.log(volume), np.zeros_like(x) if with_forces else None


def test_of_a_model_without_inputs_and_of_one_that_knows_squares_only():
    x = np.random.default_rng(0).uniform(0, 3, (4, 2))
    close(Gas().stress(x, 3.0), -4 / 9 * np.eye(2), 1e-8)  # the ideal gas: p V = N
    np.testing.assert_allclose(pt.pressure(x, 3.0, Gas()), 4 / 9, rtol=1e-8)
    with pytest.raises(ValueError, match="square and cubic cells only"):
        handmade(TrainingSpec(inputs=Waves(), **TINY)).stress(x, 5.0)


def ase_atoms(x, cell, d):
    "Atoms in a cell, with a thickness of 1.7 in directions without images."
    ase = pytest.importorskip("ase")
    full = 1.7 * np.eye(3)
    full[:d, :d] = cell
    positions = np.concatenate([x, np.zeros((len(x), 3 - d))], axis=1)
    return ase.Atoms("H" * len(x), positions, cell=full, pbc=np.arange(3) < d)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_of_the_calculator(d):
    "In any cell, turned in space too, as ASE's own differences say."
    rng = np.random.default_rng(d)
    x, cell = crystal(d, 4, rng)
    for model in (SHORT, handmade(TrainingSpec(inputs="symmetry", **TINY), d=d)):
        for given in (cell, 5.0 * np.eye(d)):
            atoms = ase_atoms(x, given, d)
            atoms.rotate(40, (1, 2, 3), rotate_cell=True)
            atoms.calc = pickle.loads(pickle.dumps(pt.calculator(model)))
            energy = pt.energy_per_particle if model is SHORT else model.predict
            close(atoms.get_potential_energy(), 4 * energy(x, given))
            found = atoms.get_stress()
            close(found, numerical_stress(atoms), 1e-5)
            close(atoms.get_forces(), numerical_forces(atoms), 1e-5)


def numerical_stress(atoms):
    from ase.calculators.fd import calculate_numerical_stress
    return calculate_numerical_stress(atoms, eps=1e-6)


def numerical_forces(atoms):
    "Along directions with images only: no atom may leave the plane."
    d = int(atoms.pbc.sum())
    plane = np.linalg.qr(atoms.cell.array[:d].T)[0]
    found = np.zeros((len(atoms), 3))
    for i in range(len(atoms)):
        for axis in plane.T:
            moved = []
            for h in (1e-5, -1e-5):
                other = atoms.copy()
                other.calc = atoms.calc
                other.positions[i] += h * axis
                moved.append(other.get_potential_energy())
            found[i] -= (moved[0] - moved[1]) / 2e-5 * axis
    return found


def test_the_calculator_says_what_it_cannot():
    pytest.importorskip("ase")
    x, cell = crystal(2, 4, np.random.default_rng(0))
    atoms = ase_atoms(x, cell, 2)
    atoms.cell[2] = 0
    atoms.calc = pt.calculator(SHORT)
    assert np.isfinite(atoms.get_potential_energy())
    with pytest.raises(ValueError, match="volume"):
        atoms.get_stress()
    atoms.cell[1] = 2 * atoms.cell[0]
    with pytest.raises(ValueError, match="independent|volume"):
        atoms.get_potential_energy()


def test_a_relaxed_cell_of_ase_has_no_stress():
    "ASE's filter moves cell and atoms together."
    pytest.importorskip("ase")
    from ase.filters import FrechetCellFilter
    from ase.optimize import BFGS
    start = np.array([[0.86, 0.03], [-0.02, 0.81]])
    atoms = ase_atoms(np.zeros((1, 2)), start, 2)
    atoms.calc = pt.calculator(SHORT)
    BFGS(FrechetCellFilter(atoms, mask=[1, 1, 0, 0, 0, 1]), logfile=None).run(fmax=1e-4, steps=100)
    assert np.abs(atoms.get_stress()).max() < 1e-3
    rest = pt.equation_of_state(np.zeros((1, 2)), 0.8).rest * 0.8
    close(atoms.cell.array[:2, :2] @ atoms.cell.array[:2, :2].T, rest**2 * np.eye(2), 1e-4)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_elastic_constants_of_supercells_and_relaxed_ones(d):
    "Constants with particles that give way are the curvature of the relaxed energy."
    cell = {1: [[0.8]], 2: [[1.0, 0.0], [0.5, 0.75**0.5]],
            3: [[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]]}[d]
    one = np.zeros((1, d))
    curve = pt.equation_of_state(one, cell, scales=np.linspace(0.5, 1.3, 81))
    at_rest = curve.rest * np.array(cell)
    found = pt.elastic_constants(one, at_rest)
    np.testing.assert_allclose(found.bulk_modulus, curve.bulk_modulus, rtol=1e-6)
    twice = np.concatenate([one, at_rest[:1]])
    again = pt.elastic_constants(twice, np.diag([2] + [1] * (d - 1)) @ at_rest)
    close(again.matrix, found.matrix, 1e-4)
    held = pt.elastic_constants(twice, np.diag([2] + [1] * (d - 1)) @ at_rest, relaxed=False)
    close(held.matrix, found.matrix, 1e-4)


def test_particles_that_give_way():
    "A row of pairs: two springs in line are softer than the mean of their stiffness."
    bonds = np.array([1.12, 1.45])
    for _ in range(50):  # both bonds at rest without stress: the forces of neighbours balance
        x = np.array([[0.0], [bonds[0]]])
        force = pt.forces(x, bonds.sum(), pt.Morse(), depth=1)[1, 0]
        bonds = bonds + [1e-3 * force, -1e-3 * force]
    settled = pt.relax(x, bonds.sum(), pt.Morse(), relaxer="fire", epochs=300, depth=1).positions
    w = float(bonds.sum())
    given = dict(potential=pt.Morse(), depth=1)
    found = pt.elastic_constants(settled, w, **given).matrix[0, 0]
    held = pt.elastic_constants(settled, w, **given, relaxed=False).matrix[0, 0]

    def stress(width):
        again = pt.relax(settled * width / w, width, pt.Morse(), relaxer="fire", epochs=400,
                         depth=1)
        return pt.stress(again.positions, width, **given)[0, 0]
    h = 1e-3
    slope = (stress(w * (1 + h)) - stress(w * (1 - h))) / (2 * h)
    np.testing.assert_allclose(found, slope, rtol=1e-2)
    assert held >= found


def test_hessian_and_vibrations():
    settled = pt.relax(np.random.default_rng(0).uniform(0, 5, (4, 2)), 5.0, relaxer="fire",
                       epochs=500).positions
    H = pt.hessian(settled, 5.0)
    close(H, H.T)
    close(H.sum(axis=0).reshape(4, 2), np.zeros((4, 2)), 1e-3)
    found = pt.vibrations(settled, 5.0)
    assert (np.abs(found.frequencies[:3]) < 0.05).all() and (found.frequencies[3:] > 1).all()
    flat = found.modes.reshape(8, 8)
    close(flat @ flat.T, np.eye(8))
    for frequency, mode in zip(found.frequencies[3:], found.modes[3:]):
        h = 1e-4  # the energy along a mode
        v = [4 * pt.energy_per_particle(settled + s * mode, 5.0) for s in (h, 0, -h)]
        np.testing.assert_allclose((v[0] - 2 * v[1] + v[2]) / h**2, frequency**2, rtol=1e-3)
    ax = found.plot(label="truth")
    assert len(ax.lines[0].get_ydata()) == 8


@pytest.mark.parametrize("ask, word", [
    (lambda: pt.equation_of_state(np.zeros((1, 2)), 5.0), "hold no lowest energy"),
    (lambda: pt.equation_of_state(np.zeros((1, 2)), 1.0, scales=[1.0]), "three numbers"),
    (lambda: pt.equation_of_state(np.zeros((2, 1, 2)), 1.0), "one configuration"),
    (lambda: pt.strained(np.zeros((1, 2)), 1.0, 0.1), "strain"),
    (lambda: pt.hessian(np.zeros((1, 2)), 1.0, step=0), "step"),
    (lambda: pt.stress(np.zeros((1, 2)), 1.0, "Morse"), "potential"),
    (lambda: pt.stress(np.zeros((1, 2)), 1.0, pt.Morse()), "depth"),
    (lambda: pt.plot_cell(np.zeros((1, 3)), 1.0), "drawn"),
])
def test_what_is_refused(ask, word):
    with pytest.raises((ValueError, TypeError), match=word):
        ask()
