"""What is true of every potential. One of your own passes it too:

    from battery_potentials import CHECKS, LATTICE_CHECKS
    for check in CHECKS + LATTICE_CHECKS:
        check(my_potential)

`CHECKS` look at the functions, `LATTICE_CHECKS` at what the package makes of them.
"""

import dataclasses
import itertools
import pickle

import numpy as np
import pes_toy as pt
from pes_toy.energy import plain_energy

# the powers of energy and length in each parameter; that of a new name goes here
UNITS = dict(E_c=(1, 0), D_e=(1, 0), epsilon=(1, 0), k_e=(1, -2), n=(0, 0))
UNITS |= dict.fromkeys(("R_c", "R_0", "r_m", "r_e"), (0, 1))


def triangles(potential, n=500, seed=0):
    "Sides (3, n) of triangles, none very small and none flat."
    R = potential.units[1]
    corners = np.random.default_rng(seed).uniform(0, 2.2 * R, (n, 3, 2))
    sides = np.linalg.norm(corners - corners[:, [1, 2, 0]], axis=-1).clip(0.6 * R).T
    a, b, c = np.sort(sides, axis=0)
    return sides[:, a + b - c > 0.05 * R]


def away_from_end(potential, sides):
    "Those whose mean side, and the numerical derivative around it, is on one side of the cutoff."
    if potential.cutoff is None:
        return sides
    return sides[:, np.abs(sides.mean(axis=0) - potential.cutoff) > 1e-3]


def assert_slope(function, slope, sides, i):
    "The derivative by side i is the central difference."
    step = 1e-5 * np.eye(len(sides))[i][:, None]
    difference = (function(*(sides + step)) - function(*(sides - step))) / 2e-5
    size = np.abs(difference) + np.abs(function(*sides)) + 1e-3
    assert (np.abs(slope - difference) <= 1e-5 * size).all()


# the functions


def check_derivatives(potential):
    "Slopes against differences of values."
    sides = away_from_end(potential, triangles(potential))
    slopes = potential.triplet_derivatives(*sides)
    for i in range(3):
        assert_slope(potential.triplet, slopes[i], sides, i)
    r = away_from_end(potential, sides[:1])
    assert_slope(potential.pair, potential.pair_derivative(r[0]), r, 0)


def check_symmetry(potential):
    "The order of the sides makes no difference, and the slopes go with them."
    sides = triangles(potential)
    value = potential.triplet(*sides)
    slopes = np.array(potential.triplet_derivatives(*sides))
    for order in map(list, itertools.permutations(range(3))):
        np.testing.assert_allclose(potential.triplet(*sides[order]), value, rtol=1e-10, atol=1e-10)
        others = np.array(potential.triplet_derivatives(*sides[order]))
        np.testing.assert_allclose(others, slopes[order], rtol=1e-6, atol=1e-6)


def check_end(potential):
    "At the cutoff value and slope vanish, and beyond it and beyond the reach there is nothing."
    if potential.reach is None:
        assert potential.cutoff is None
        return
    end = potential.cutoff or potential.reach
    E, R = potential.units
    before = end * (1 - 1e-6)
    for slope in (potential.pair_derivative(before), *potential.triplet_derivatives(*3 * [before])):
        assert abs(slope) < 1e-3 * E / R
    assert abs(potential.pair(before)) < 1e-6 * E
    assert abs(potential.triplet(before, before, before)) < 1e-6 * E
    beyond = end * np.linspace(1, 3, 50)
    assert (potential.pair(beyond) == 0).all()
    assert (potential.triplet(beyond, beyond, beyond) == 0).all()
    long = potential.reach * np.linspace(1 + 1e-9, 2, 50)
    for low in (0.3, 0.6, 1.0):
        assert (potential.triplet(long, low * long, (1.01 - low) * long) == 0).all()


def check_scaling(potential):
    "Twice the energies and three times the lengths: twice the energy at three times the sides."
    names = [f.name for f in dataclasses.fields(potential)] if is_settings(potential) else []
    if not names:
        return
    missing = [name for name in names if name not in UNITS]
    assert not missing, f"say in UNITS which powers of energy and length {missing} have"
    changed = {}
    for name in names:
        energy, length = UNITS[name]
        changed[name] = getattr(potential, name) * 2.0**energy * 3.0**length
    other = dataclasses.replace(potential, **changed)
    sides = triangles(potential)
    twice = 2 * potential.triplet(*sides)
    np.testing.assert_allclose(other.triplet(*(3 * sides)), twice, rtol=1e-9, atol=1e-11)
    twice = 2 * potential.pair(sides[0])
    np.testing.assert_allclose(other.pair(3 * sides[0]), twice, rtol=1e-9, atol=1e-11)


def check_arrays(potential):
    "Functions broadcast; a number gives a number."
    r = potential.units[1] * np.linspace(0.8, 1.9, 6).reshape(2, 3)
    for function in (potential.pair, potential.pair_derivative):
        assert function(r).shape == (2, 3) and np.ndim(function(r[0, 0])) == 0
        assert function(r)[1, 2] == function(r[1, 2])
    value = potential.triplet(r, r[0], r[0, 0])
    assert value.shape == (2, 3)
    assert value[1, 2] == potential.triplet(r[1, 2], r[0, 2], r[0, 0])
    assert [d.shape for d in potential.triplet_derivatives(r, r[0], r[0, 0])] == 3 * [(2, 3)]


def check_refusals(potential):
    "What is no distance is named."
    for bad in (0.0, -1.0, np.nan, np.inf):
        for function, given in ((potential.pair, (bad,)), (potential.triplet, (1.0, bad, 1.0))):
            assert "finite distances above 0" in refused(function, *given)
    assert "distances in R_c" in refused(potential.pair, "near")


def check_small_distances(potential):
    "However close: a number, infinity, or an error that says why not."
    for r in (1e-12, 1e-30, 1e-60, 1e-300):
        for function, given in ((potential.pair, (r,)), (potential.triplet, (r, r, r))):
            try:
                assert not np.isnan(function(*given))
            except ValueError as error:
                assert "overflow" in str(error)


def check_value(potential):
    "A potential never changes, equals itself and its copies, and is a key of a dictionary."
    assert potential == potential and hash(potential) == hash(potential)
    assert potential != object() and len({potential, potential}) == 1
    for name in ("cutoff", "E_c"):
        assert isinstance(error_of(setattr, potential, name, 3.0), AttributeError)
    assert potential.name in repr(potential) and potential.units[0] > 0


def check_pickle(potential):
    "It travels to other processes, and so do its methods."
    again = pickle.loads(pickle.dumps(potential))
    assert again == potential and hash(again) == hash(potential)
    assert pickle.loads(pickle.dumps(potential.pair))(1.1) == potential.pair(1.1)


def check_plot(potential):
    "The picture shows the functions."
    from matplotlib.figure import Figure

    ax = potential.plot(Figure().add_subplot())
    shown = {line.get_label(): line for line in ax.lines}
    assert ("pair" in shown) == bool(potential.pair_weight)
    assert ("equilateral triangle" in shown) == bool(potential.triplet_weight)
    assert ax.get_title() == potential.name and "R_c" in ax.get_xlabel()


CHECKS = [
    check_derivatives,
    check_symmetry,
    check_end,
    check_scaling,
    check_arrays,
    check_refusals,
    check_small_distances,
    check_value,
    check_pickle,
    check_plot,
]


# on the lattice


def configuration(potential, N, d, width, seed=1):
    "Positions without close neighbours, and the width in the units of the potential."
    rng = np.random.default_rng(seed)
    w = width * potential.units[1]
    x = rng.uniform(0, w, (1, d))
    while len(x) < N:
        new = rng.uniform(0, w, d)
        gap = x - new
        if np.linalg.norm(gap - w * np.round(gap / w), axis=1).min() > 0.55 * potential.units[1]:
            x = np.vstack([x, new])
    return x, w


def depth_for(potential, width):
    "Deep enough for the reach; 1 where there is none."
    return 1 if potential.reach is None else int(np.ceil(potential.reach / width))


CELLS = [(3, 1, 4.3), (4, 2, 5.0), (3, 2, 1.9), (3, 3, 3.1)]


def check_energy(potential):
    "The lattice sum is the plain one, in both protocols."
    for N, d, width in CELLS:
        x, w = configuration(potential, N, d, width)
        depth = depth_for(potential, w)
        if N * (2 * depth + 1) ** d > 120:
            continue
        for protocol in ("exact", "thesis"):
            found = pt.energy_per_particle(x, w, potential, depth=depth, protocol=protocol)
            expected = plain_energy(x, w, potential, depth, protocol)
            assert abs(found - expected) <= 1e-10 * max(abs(expected), 1e-3), (N, d, width)


def check_forces(potential):
    "Forces are minus the numerical gradient of the energy of the cell, and add up to zero."
    x, w = configuration(potential, 4, 2, 5.0)
    depth = depth_for(potential, w)
    forces = pt.forces(x, w, potential, depth=depth)
    h = 1e-5 * potential.units[1]
    steps = h * np.eye(x.size).reshape(-1, *x.shape)
    around = np.concatenate([x + steps, x - steps])
    above, below = pt.energy_per_particle(around, w, potential, depth=depth).reshape(2, -1)
    numeric = -len(x) * (above - below).reshape(x.shape) / (2 * h)
    np.testing.assert_allclose(forces, numeric, rtol=1e-5, atol=1e-5 * np.abs(forces).max() + 1e-9)
    assert np.abs(forces.sum(axis=0)).max() <= 1e-9 * max(1.0, np.abs(forces).max())


def check_boxes(potential):
    "Many particles, with neighbours from boxes, have the energy of few in a small cell."
    if potential.reach is None:
        return
    x, w = configuration(potential, 6, 2, 4.0)
    shifts = w * np.array(list(itertools.product((0, 1), repeat=2)))
    copies = (x + shifts[:, None]).reshape(-1, 2)
    assert len(copies) == 24 and 2 * w >= potential.reach
    few = pt.energy_and_forces(x, w, potential)
    many = pt.energy_and_forces(copies, 2 * w, potential)
    np.testing.assert_allclose(many[0], few[0], rtol=1e-11, atol=1e-12)
    least = 1e-9 * np.abs(few[1]).max() + 1e-12
    np.testing.assert_allclose(many[1], np.tile(few[1], (4, 1)), rtol=1e-9, atol=least)


def check_descent(potential):
    "The descent lowers the energy, and what it returns is the energy of where it ends."
    for N, width in ((4, 5.0), (4, 2.2), (26, 12.0)):
        _check_relaxation(potential, N, width, "descent", 4)


def check_fire(potential):
    "FIRE lowers the energy too."
    _check_relaxation(potential, 4, 5.0, "fire", 30)


def _check_relaxation(potential, N, width, relaxer, epochs):
    x, w = configuration(potential, N, 2, width)
    settings = dict(depth=depth_for(potential, w))
    relaxed = pt.relax(x, w, potential, relaxer=relaxer, epochs=epochs, seed=3, **settings)
    before = pt.energy_per_particle(x, w, potential, **settings)
    after = pt.energy_per_particle(relaxed.positions, w, potential, **settings)
    np.testing.assert_allclose(relaxed.energy, after, rtol=1e-9, atol=1e-11)
    assert after <= before
    if np.abs(pt.forces(x, w, potential, **settings)).max() > 1e-3:
        assert after < before


def check_database(potential):
    "A database of it holds its energies and forces."
    w = 5.0 * potential.units[1]
    spec = pt.DatabaseSpec(
        n_configurations=30, width=w, potential=potential, epochs=3, forces=True,
        depth=depth_for(potential, w),
    )  # fmt: skip
    db = pt.generate(spec, progress=False)
    v, f = pt.energy_and_forces(db.positions, db.width, potential, depth=spec.depth)
    np.testing.assert_allclose(db.energy, v, rtol=1e-12)
    np.testing.assert_allclose(db.forces, f, rtol=1e-12, atol=1e-12)


LATTICE_CHECKS = [
    check_energy,
    check_forces,
    check_boxes,
    check_descent,
    check_fire,
    check_database,
]


# helpers


def is_settings(potential):
    return dataclasses.is_dataclass(potential)


def error_of(function, *given):
    "The error that a call raises."
    try:
        function(*given)
    except Exception as error:
        return error
    raise AssertionError(f"{function.__name__}{given} raises nothing")


def refused(function, *given):
    error = error_of(function, *given)
    assert isinstance(error, (TypeError, ValueError)), repr(error)
    return str(error)
