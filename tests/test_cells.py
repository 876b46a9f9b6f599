"""Any cell: energies, forces, descriptors and networks in sheared, flat and turned cells."""

import inspect
import warnings

import numpy as np
import pytest
from models import TINY, Waves, handmade

import pes_toy as pt
from pes_toy.base.checks import check_configurations
from pes_toy.descriptors import plain_proximity_matrices
from pes_toy.energy import plain_energy, plain_forces
from pes_toy.engine.neighbours import first_coincidence
from pes_toy.engine.shapes import heights, reduced
from pes_toy.symmetry_functions import plain_symmetry_functions
from pes_toy.training import TrainingSpec

SHORT = pt.ModifiedLennardJones()
PROXIMITY = pt.ProximityEigenvalues(R_0p=3.5)
SYMMETRY = pt.SymmetryFunctions(radial=[(0.5, 0.0), (4.0, 1.2)], angular=[(0.3, 0.0, 2.5, -1.0)])
SLANTS = {1: [[1]], 2: np.array([[1, 0], [-3, 1]]) @ [[1, 7], [0, 1]],
          3: np.array([[1, 0, 0], [2, 1, 0], [-1, 4, 1]]) @ [[1, 3, -2], [0, 1, 5], [0, 0, 1]]}
SHAPES = [(1, 3), (2, 5), (3, 4), (2, 30), (3, 30)]  # dimension, particles; boxes from 24 on


def crystal(d, N, rng, least=0.85):
    "A random sheared cell with particles that keep apart, images too."
    cell = (np.eye(d) + rng.uniform(-0.4, 0.4, (d, d))) * 2.1 * N ** (1 / d)
    x = np.empty((0, d))
    k = np.stack(np.meshgrid(*[np.arange(-1, 2)] * d), axis=-1).reshape(-1, d) @ cell
    while len(x) < N:
        new = rng.random(d) @ cell
        if not len(x) or np.linalg.norm(x[:, None] + k - new, axis=2).min() > least:
            x = np.concatenate([x, new[None]])
    return x, cell


def turned(d, rng):
    "A random rotation."
    turn = np.linalg.qr(rng.normal(size=(d, d)))[0]
    turn[0] *= np.sign(np.linalg.det(turn))
    return turn


def close(found, wanted, digits=1e-11):
    scale = np.abs(wanted).max()
    np.testing.assert_allclose(found, wanted, rtol=0, atol=digits * max(scale, 1e-3))


@pytest.mark.parametrize("d, N", SHAPES)
def test_invariances(d, N):
    "Rotation, mirror, other cell vectors, another order, whole vectors added: all the same."
    rng = np.random.default_rng(10 * d + N)
    x, cell = crystal(d, N, rng)
    v, f = pt.energy_and_forces(x, cell, SHORT)
    p, s = PROXIMITY(x, cell), SYMMETRY(x, cell)
    turn = turned(d, rng)
    mirror = turn @ np.diag([-1.0] + [1.0] * (d - 1))
    elsewhere = x + rng.integers(-3, 4, (N, d)) @ cell
    others = [(x @ turn, cell @ turn, turn), (x @ mirror, cell @ mirror, mirror),
              (x, SLANTS[d] @ cell, np.eye(d)), (x, cell[::-1], np.eye(d)),
              (elsewhere, cell, np.eye(d)), (x, -cell, np.eye(d))]
    for y, other, by in others:
        w, g = pt.energy_and_forces(y, other, SHORT)
        close(w, v)
        close(g, f @ by, 1e-10)
        close(PROXIMITY(y, other), p)
        close(SYMMETRY(y, other), s)


@pytest.mark.parametrize("d, N", SHAPES)
def test_supercells(d, N):
    "The same energy per particle; forces and surroundings repeated."
    x, cell = crystal(d, N, np.random.default_rng(d + N))
    H = np.diag([2] + [1] * (d - 1))
    H[-1, 0] += d > 1  # a supercell that is no simple stack
    twice = np.concatenate([x, x + cell[0]])
    v, f = pt.energy_and_forces(x, cell, SHORT)
    w, g = pt.energy_and_forces(twice, H @ cell, SHORT)
    close(w, v)
    close(g, np.concatenate([f, f]), 1e-10)
    close(SYMMETRY(twice, H @ cell), np.tile(SYMMETRY(x, cell), (2, 1)))
    small, large = PROXIMITY(x, cell).reshape(2, N), PROXIMITY(twice, H @ cell).reshape(2, 2 * N)
    for few, many in zip(small, large):  # they are among them, but they do not come twice
        near = np.abs(many[:, None] - few).min(axis=0)
        assert near.max() < 1e-10 * np.abs(few).max()
        assert d == 1 or np.abs(np.repeat(few, 2) - many).max() > 1e-3


@pytest.mark.parametrize("d, N", [(1, 3), (2, 3), (3, 2)])
@pytest.mark.parametrize("potential, depth", [(SHORT, None), (pt.Morse(), 1)], ids=str)
def test_against_the_plain_functions(d, N, potential, depth):
    x, cell = crystal(d, N, np.random.default_rng(d))
    inside = pt.wrap(x, cell)
    deep = depth or int(np.ceil(potential.reach / heights(cell[None]).min()))
    v, f = pt.energy_and_forces(x, cell, potential, depth=depth)
    close(v, plain_energy(inside, cell, potential, deep))
    close(f, plain_forces(inside, cell, potential, deep), 1e-7)
    if depth:
        published = pt.energy_per_particle(x, cell, potential, depth=depth, protocol="thesis")
        close(published, plain_energy(x, cell, potential, depth, "thesis"))


@pytest.mark.parametrize("N", [4, 30])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_descriptors_against_the_plain_functions(d, N):
    x, cell = crystal(d, N, np.random.default_rng(d))
    plain = plain_symmetry_functions(x, cell, SYMMETRY.radial, SYMMETRY.angular)
    close(SYMMETRY(x, cell), plain)
    matrices = plain_proximity_matrices(x, cell, (-2, -3.5), (3.0, 4.0))
    close(pt.proximity_matrices(x, cell, (-2, -3.5), (3.0, 4.0)), matrices)
    eigenvalues = pt.proximity_eigenvalues(x, cell, (-2, -3.5), (3.0, 4.0))
    close(eigenvalues, np.linalg.eigvalsh(matrices).ravel())


@pytest.mark.parametrize("descriptor", [PROXIMITY, SYMMETRY, pt.RelativeDistances()],
                         ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("d, N", [(1, 3), (2, 5), (3, 4), (2, 25)])
def test_gradients_of_descriptors(descriptor, d, N):
    x, cell = crystal(d, N, np.random.default_rng(3 * d))
    x = pt.wrap(x, cell)
    numeric = pt.numerical_gradients(descriptor.values, x[None], cell[None])[0]
    close(descriptor.gradients(x, cell), numeric, 1e-6)
    g = np.random.default_rng(0).normal(size=descriptor(x, cell).shape)
    contracted = np.tensordot(g, numeric, axes=g.ndim)
    close(descriptor.pullback(x, cell, g), contracted, 1e-6)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_a_square_as_a_matrix_is_a_width(d):
    "To the last bit; a line may run in either direction."
    x = np.random.default_rng(d).uniform(0, 5, (4, d))
    square = 4.3 * np.eye(d)
    for ask in (pt.energy_per_particle, pt.forces, PROXIMITY, SYMMETRY, pt.RelativeDistances(),
                pt.wrap, pt.proximity_eigenvalue_gradients, pt.stress):
        np.testing.assert_array_equal(ask(x, 4.3), ask(x, square))
    if d == 1:
        assert pt.energy_per_particle(x, [[-4.3]]) == pt.energy_per_particle(x, 4.3)


def test_very_flat_cells():
    "A thin cell in the plane is a dense row of images; a slanted one is a cell like others."
    x = np.array([[0.1, 0.05], [9.0, 0.1]])
    flat = np.array([[20.0, 0.0], [0.3, 0.5]])
    v = pt.energy_per_particle(x, flat)
    close(v, plain_energy(pt.wrap(x, flat), flat, SHORT, 7), 1e-10)
    close(pt.energy_per_particle(x, [[1, 0], [0, 1]] @ flat), v)
    close(pt.energy_per_particle(x, [[1, 0], [5000, 1]] @ flat), v, 1e-9)
    compact = np.array([[3.0, 0.0], [1.0, 2.5]])
    many = np.random.default_rng(0).uniform(0, 3, (4, 2))
    close(pt.energy_per_particle(many, [[1, 1000], [0, 1]] @ compact),
          pt.energy_per_particle(many, compact), 1e-9)


def test_batches_of_different_cells():
    "Row by row the bits of one alone, squares among them, in any number of threads."
    rng = np.random.default_rng(0)
    x, cells = zip(*(crystal(2, 6, rng) for _ in range(7)))
    x, cells = np.array(x), np.array(cells)
    cells[3] = 6 * np.eye(2)
    for potential, depth in ((SHORT, None), (pt.LennardJones(), 2)):
        given = dict(potential=potential, depth=depth)
        v, f = pt.energy_and_forces(x, cells, **given)
        w, g = pt.energy_and_forces(x, cells, **given, workers=1)
        np.testing.assert_array_equal(v, w)
        np.testing.assert_array_equal(f, g)
        for m in (0, 5):
            assert pt.energy_per_particle(x[m], cells[m], **given) == v[m]
        close(pt.energy_per_particle(x[3], 6.0, **given), v[3])
        one_for_all = pt.energy_per_particle(x, cells[0], **given)
        assert one_for_all[0] == v[0] and len(one_for_all) == 7
    close(SYMMETRY(x, cells)[3], SYMMETRY(x[3], 6.0))
    close(PROXIMITY(x, cells)[3], PROXIMITY(x[3], 6.0))
    np.testing.assert_array_equal(PROXIMITY(x, cells)[1], PROXIMITY(x[1], cells[1]))


def test_four_dimensions():
    rng = np.random.default_rng(0)
    cell = 1.8 * np.eye(4) + rng.uniform(-0.1, 0.1, (4, 4))
    x = np.concatenate([np.zeros((1, 4)), 0.5 * cell.sum(axis=0, keepdims=True)])
    v = pt.energy_per_particle(x, cell)
    turn = turned(4, rng)
    close(pt.energy_per_particle(x @ turn, cell @ turn), v)
    close(pt.energy_per_particle(x, cell[[2, 0, 3, 1]]), v)
    assert abs(v) > 1e-3


@pytest.mark.parametrize("d", [2, 3])
def test_depth_counts_along_each_axis(d):
    "As many as matter; more change nothing, and without a reach they are what is asked for."
    x, cell = crystal(d, 3, np.random.default_rng(d))
    v = pt.energy_per_particle(x, cell)
    close(pt.energy_per_particle(x, cell, depth=4), v)
    cell = np.diag([3.0, 1.2, 3.0][:d])
    x = np.array([[0.2] * d, [1.7, 0.8, 1.5][:d]])
    published = pt.energy_per_particle(x, cell, protocol="thesis")  # depths 1, 3 and 1
    close(published, pt.energy_per_particle(x, cell, protocol="thesis", depth=3))
    if d == 2:
        close(published, plain_energy(x, cell, SHORT, 3, "thesis"))
    assert published != pt.energy_per_particle(x, cell, protocol="thesis", depth=1)
    far = pt.energy_per_particle(x, cell, pt.LennardJones(), depth=3)
    close(far, plain_energy(x, cell, pt.LennardJones(), 3))
    assert far != pt.energy_per_particle(x, cell, pt.LennardJones(), depth=2)


def test_networks_and_averages():
    rng = np.random.default_rng(0)
    x, cell = crystal(2, 4, rng)
    turn = turned(2, rng)
    for inputs in ("symmetry", "proximity"):
        network = handmade(TrainingSpec(inputs=inputs, **TINY))
        both = pt.Average([network, handmade(TrainingSpec(inputs=inputs, **TINY), seed=1)])
        for model in (network, both):
            v, f = model.energy_and_forces(x, cell)
            close(model.predict(x @ turn, SLANTS[2] @ cell @ turn), v, 1e-10)
            close(model.forces(x @ turn, cell @ turn), f @ turn, 1e-9)
            np.testing.assert_allclose(model.predict(x, 5 * np.eye(2)), model.predict(x, 5.0))


def test_what_knows_squares_only_says_so():
    x, cell = crystal(2, 4, np.random.default_rng(0))
    network = handmade(TrainingSpec(inputs=Waves(), **TINY))
    mixed = pt.Average([network, handmade(TrainingSpec(inputs="symmetry", **TINY))])
    for model in (network, mixed):
        with pytest.raises(ValueError, match="square and cubic cells only"):
            model.predict(x, cell)
        assert np.isfinite(model.predict(x, 5 * np.eye(2)))
    asks = [lambda: Waves()(x, cell), lambda: pt.relax(x, cell),
            lambda: pt.Database.from_arrays(x[None], cell[None], [0.0])]
    for ask in asks:
        with pytest.raises(ValueError, match="width must be a number"):
            ask()
    with pytest.raises(ValueError, match="any_cell"):
        Waves().strain_pullback(x, 5.0, np.zeros(10))


@pytest.mark.parametrize("cell, word", [
    ([[3.0, 0.0], [6.0, 0.0]], "volume"), ([[3.0, 0.0], [0.0, 0.0]], "volume"),
    ([[3.0, 1.0], [3.0, 1.0 + 1e-12]], "volume"), ([[3.0, np.nan], [0.0, 3.0]], "finite"),
    (np.eye(3), "shape"), ([[3.0, 0.0]], "shape"), ([np.eye(2)] * 3, "shape"),
    (np.zeros((2, 2, 2, 2)), "shape"), ([[1e-6, 0.0], [0.0, 5.0]], "width"),
    ([["a", "b"], ["c", "d"]], "numbers"), ([[-5.0, 0.0], [0.0, 0.0]], "volume"),
])
def test_cells_that_are_refused(cell, word):
    x = np.array([[0.25, 0.25], [0.75, 0.5]])
    for ask in (pt.energy_per_particle, pt.forces, pt.stress, SYMMETRY, PROXIMITY):
        with pytest.raises((ValueError, TypeError), match=word):
            ask(x, cell)


def test_left_handed_cells_and_minus_signs():
    x, cell = crystal(3, 5, np.random.default_rng(1))
    v = pt.energy_per_particle(x, cell)
    assert np.linalg.det(cell) > 0
    close(pt.energy_per_particle(x, cell[[1, 0, 2]]), v)
    close(pt.energy_per_particle(x, -3.0 * np.eye(3)), pt.energy_per_particle(x, 3.0))


@pytest.mark.parametrize("d, N", [(2, 5), (3, 40), (4, 5)])
def test_coinciding_particles_are_named(d, N):
    rng = np.random.default_rng(0)
    cell = 6 * np.eye(d) + rng.uniform(-1, 1, (d, d))
    x = rng.random((N, d)) @ cell
    x[3] = x[1] + 2 * cell[0] - cell[1]
    assert first_coincidence(x[None], cell[None]) == (0, 1, 3)
    with pytest.raises(ValueError, match="particles 1 and 3 .* coincide"):
        pt.energy_per_particle(x, cell)
    if d <= 3:
        for ask in (SYMMETRY, PROXIMITY, pt.proximity_matrices):
            with pytest.raises(ValueError, match="particles 1 and 3 .* coincide"):
                ask(x, cell)


def test_positions_far_from_the_cell():
    cell = np.array([[3.0, 0.0], [1.0, 2.5]])
    x = np.array([[0.5, 0.5], [1.7, 1.0]])
    with pytest.warns(UserWarning, match="widths from the cell"):
        pt.energy_per_particle(x + 1e8 * cell[0], cell)
    with pytest.raises(ValueError, match="wrap them into the cell"):
        pt.energy_per_particle(x + 1e12 * cell[0], cell)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_reduced_cells_are_the_same_lattice(d):
    rng = np.random.default_rng(d)
    cells = rng.normal(size=(300, d, d)) + np.eye(d)
    compact = reduced(np.array(SLANTS[d]) @ cells)
    whole = compact @ np.linalg.inv(cells)
    np.testing.assert_allclose(whole, whole.round(), atol=1e-7)
    np.testing.assert_allclose(np.linalg.det(compact), np.linalg.det(cells), rtol=1e-9)
    lengths = np.linalg.norm(compact, axis=2)
    assert (lengths.max(axis=1) <= np.linalg.norm(cells, axis=2).max(axis=1) + 1e-9).all()


def test_what_comes_in_is_not_changed():
    x, cell = crystal(2, 4, np.random.default_rng(0))
    far = x + 3 * cell[0]
    kept = far.copy(), cell.copy()
    for ask in (pt.energy_and_forces, pt.stress, SYMMETRY, PROXIMITY, pt.wrap):
        ask(far, cell)
    assert (far == kept[0]).all() and (cell == kept[1]).all()
    found = check_configurations(far, cell, cells=True)
    assert not np.shares_memory(found[0], far) and not np.shares_memory(found[1], cell)


def _energy_of_relaxed(x, cell):
    return pt.relax(x, cell, relaxer="fire", epochs=20).energy


def _drawn(x, cell):
    "Where the red particles are."
    import matplotlib
    matplotlib.use("agg")
    import matplotlib.pyplot as plt
    places = pt.plot_lattice(x, cell).collections[1].get_offsets()
    plt.close("all")
    return np.array(places)


NETWORK = handmade(TrainingSpec(inputs="symmetry", **TINY))

# Each public function that takes a width: what is asked of it, or None where it refuses a cell.
WITH_WIDTH = {
    "lattice_points": lambda x, cell: np.sort(
        pt.lattice_points(x, cell, 1)[0].reshape(-1, 2), axis=0),
    "wrap": lambda x, cell: pt.energy_per_particle(pt.wrap(x, cell), cell),
    "plot_lattice": _drawn,
    "plot_cell": lambda x, cell: pt.plot_cell(x, cell).lines[0].get_xydata()[0],
    "energy_per_particle": pt.energy_per_particle,
    "forces": pt.forces,
    "energy_and_forces": lambda x, cell: pt.energy_and_forces(x, cell)[1],
    "brute_force_energy": pt.brute_force_energy,
    "stress": pt.stress,
    "pressure": pt.pressure,
    "strained": lambda x, cell: pt.energy_per_particle(
        *pt.strained(x, cell, [[0.01, 0.02], [0.0, 0.03]])),
    "equation_of_state": lambda x, cell: pt.equation_of_state(
        x, cell, scales=np.linspace(0.25, 0.8, 56)).rest,
    "elastic_constants": lambda x, cell: pt.elastic_constants(x, cell, relaxed=False).matrix,
    "hessian": pt.hessian,
    "vibrations": lambda x, cell: np.square(pt.vibrations(x, cell).frequencies[-4:]),
    "relax": _energy_of_relaxed,
    "relax_cell": lambda x, cell: pt.relax_cell(x, cell, steps=0).energy,
    "proximity_matrices": pt.proximity_matrices,
    "proximity_eigenvalues": pt.proximity_eigenvalues,
    "proximity_eigenvalue_gradients": lambda x, cell: np.abs(
        pt.proximity_eigenvalue_gradients(x, cell, R_0p=3.0)).sum(),
    "degenerate_eigenvalues": pt.degenerate_eigenvalues,
    "dynamics": lambda x, cell: pt.dynamics(
        x, cell, steps=5, dt=1e-3, progress=False).potential_energy,
    "pair_distribution": lambda x, cell: pt.pair_distribution(x, cell, r_max=2.0, bins=10).g,
    "partition_function": lambda x, cell: pt.partition_function(
        cell, temperatures=1.0, points=6, progress=False).energy,
    "numerical_gradients": lambda x, cell: pt.numerical_gradients(
        pt.energy_per_particle, x[None], np.array(cell)[None])[0],
    "Database.from_arrays": None,
    "Database": None,
    "drag_path": None,
    "DatabaseSpec": None,
    "report": None,
    "verify": None,
}
for one in (PROXIMITY, SYMMETRY, pt.RelativeDistances()):
    for name in ("values", "gradients", "strains"):
        WITH_WIDTH[f"{type(one).__name__}.{name}"] = getattr(one, name)
    for name in ("pullback", "strain_pullback"):
        WITH_WIDTH[f"{type(one).__name__}.{name}"] = lambda x, cell, one=one, name=name: (
            getattr(one, name)(x, cell, np.ones(np.shape(one(x, cell)))))
for name in ("predict", "forces", "stress"):
    WITH_WIDTH[f"Predictor.{name}"] = getattr(NETWORK, name)
WITH_WIDTH["Predictor.energy_and_forces"] = lambda x, cell: NETWORK.energy_and_forces(x, cell)[1]
WITH_WIDTH["Predictor.drag"] = None
REFUSALS = {
    "Database.from_arrays": lambda x, cell: pt.Database.from_arrays([x], [cell], [0.0]),
    "Database": lambda x, cell: pt.Database([x], [cell], [0.0]),
    "drag_path": lambda x, cell: pt.drag_path(width=cell),
    "DatabaseSpec": lambda x, cell: pt.DatabaseSpec(width=cell),
    "report": lambda x, cell: pt.report(SYMMETRY, width=cell, searches=1),
    "verify": lambda x, cell: pt.verify(SHORT, width=cell),
    "Predictor.drag": lambda x, cell: NETWORK.drag(SHORT, width=cell),
}
SAID_BY_CLASSES = {"Relaxation", "Trajectory", "Descriptor", "Network", "Baseline", "Average",
                   "Committee", "Xtb"}


def is_method(thing):
    return inspect.isfunction(thing) or inspect.ismethod(thing)


def public_with_width():
    "The public functions and methods with an argument `width` that is a cell's."
    found = set()
    for name in pt.__all__:
        thing = getattr(pt, name)
        if not callable(thing) or name in SAID_BY_CLASSES:
            continue
        if inspect.isclass(thing) and issubclass(thing, Exception):
            continue
        if "width" in inspect.signature(thing).parameters:
            found.add(name)
        methods = inspect.getmembers(thing, is_method) if inspect.isclass(thing) else []
        for called, method in methods:
            if called[0] != "_" and "width" in inspect.signature(method).parameters:
                found.add(f"{name}.{called}")
    return found - {"Database.filter"}  # there it is a range of widths


def test_every_public_function_with_a_width_is_known():
    "A new one must say what it does in a cell."
    assert public_with_width() - {"plot_cell"} == set(WITH_WIDTH) - {"plot_cell"}


# What looks at a block of cells, or into one: the vectors may change their order, no more.
OF_THE_BLOCK = ("lattice_points", "brute_force_energy", "RelativeDistances")
BY_DIFFERENCES = ("hessian", "vibrations", "elastic_constants", "numerical_gradients",
                  "RelativeDistances", "relax", "dynamics")  # last: twenty steps magnify roundings


@pytest.mark.parametrize("name", [name for name, ask in WITH_WIDTH.items() if ask])
def test_takes_any_cell(name):
    "The same answer for another choice of the cell's vectors; the matrix of a square is a width."
    cell = np.array([[2.2, 0.1], [0.7, 1.9]])
    x = np.array([[0.3, 0.2], [1.5, 0.4], [0.9, 1.3], [2.0, 1.6]])
    ask = WITH_WIDTH[name]
    if name in ("equation_of_state", "brute_force_energy"):
        x = x[:1]
    other = cell[::-1] if name.startswith(OF_THE_BLOCK) else [[1.0, 0.0], [2.0, 1.0]] @ cell
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pt.DegenerateWarning)
        found, again = np.asarray(ask(x, cell)), np.asarray(ask(x, other))
        square, number = ask(x, 3 * np.eye(2)), ask(x, 3.0)
    assert np.isfinite(found).all()
    if found.dtype == float:
        close(again, found, 1e-6 if name.startswith(BY_DIFFERENCES) else 1e-9)
    np.testing.assert_array_equal(square, number)


@pytest.mark.parametrize("name", [name for name, ask in WITH_WIDTH.items() if not ask])
def test_refuses_a_cell_by_name(name):
    "An error that says that a number is wanted, before any work is done."
    cell = [[2.2, 0.1], [0.7, 1.9]]
    x = np.array([[0.3, 0.2], [1.5, 0.4], [0.9, 1.3], [2.0, 1.6]])
    with pytest.raises((ValueError, TypeError), match="width"):
        REFUSALS[name](x, cell)


@pytest.mark.parametrize("d, N", [(1, 3), (2, 5), (3, 4)])
def test_fire_in_any_cell(d, N):
    "At rest, lower than before; alone as in a batch; other vectors and a turned cell: the same."
    rng = np.random.default_rng(d)
    x, cell = crystal(d, N, rng)
    settled = pt.relax(x, cell, relaxer="fire", epochs=10_000)  # one mode is soft
    assert settled.energy <= pt.energy_per_particle(x, cell)
    assert np.abs(pt.forces(settled.positions, cell)).max() < 1e-4
    close(settled.energy, pt.energy_per_particle(settled.positions, cell))
    inside = settled.positions @ np.linalg.inv(cell)
    assert inside.min() > -1e-12 and inside.max() < 1 + 1e-12
    assert np.isnan(settled.acceptance).all() and settled.acceptance.shape == (10_000,)
    few = [pt.relax(x, cell, relaxer="fire", epochs=10).energy]
    few.append(pt.relax(np.array([x, x]), cell, relaxer="fire", epochs=10).energy[1])
    few.append(pt.relax(x, SLANTS[d] @ cell, relaxer="fire", epochs=10).energy)
    np.testing.assert_allclose(few, few[0], rtol=1e-9)
    assert "size" in str(settled.rows()) or d == 1


def test_what_relax_refuses_in_a_cell():
    x, cell = crystal(2, 3, np.random.default_rng(0))
    with pytest.raises(ValueError, match="relaxer='fire' relaxes in any cell"):
        pt.relax(x, cell)
    with pytest.raises(ValueError, match="protocol"):
        pt.relax(x, cell, relaxer="fire", protocol="thesis")
    with pytest.raises(ValueError, match="max_delta"):
        pt.relax(x, cell, relaxer="fire", max_delta=50.0)
    empty = pt.relax(np.empty((0, 3, 2)), np.empty((0, 2, 2)), relaxer="fire")
    assert empty.positions.shape == (0, 3, 2)


@pytest.mark.parametrize("d, N", [(1, 2), (2, 1), (2, 4), (3, 2)])
def test_cells_that_come_to_rest(d, N):
    "No force and no stress, lower than before; near the end a turned cell takes turned steps."
    rng = np.random.default_rng(10 + d)
    x, cell = crystal(d, N, rng)
    cell, x = 0.6 * cell, 0.6 * x
    found = pt.relax_cell(x, cell, steps=6000)
    assert found.converged
    assert np.abs(pt.stress(found.positions, found.cell)).max() < 1e-6
    assert np.abs(pt.forces(found.positions, found.cell)).max() < 1e-6
    close(found.energy, pt.energy_per_particle(found.positions, found.cell))
    assert found.energy <= pt.energy_per_particle(x, cell)
    turn = turned(d, rng)
    y, H = pt.strained(found.positions, found.cell, rng.uniform(-1e-4, 1e-4, (d, d)))
    few = [pt.relax_cell(y, H, steps=10).energy, pt.relax_cell(y @ turn, H @ turn, steps=10).energy]
    np.testing.assert_allclose(few[1], few[0], rtol=1e-9)
    kept = pt.relax_cell(x, cell, cell=False, steps=100)
    np.testing.assert_array_equal(kept.cell, cell)


def test_cells_of_a_batch_come_to_rest_as_each_alone(tmp_path):
    rng = np.random.default_rng(4)
    x = rng.uniform(0, 2.2, (3, 4, 2))
    cells = 2.2 * np.eye(2) + rng.uniform(-0.2, 0.2, (3, 2, 2))
    how = dict(steps=25, pressure=0.3, tolerance=1e-2)
    found = pt.relax_cell(x, cells, progress=False, **how)
    assert found.history.shape[::2] == (3, 3) and found.volume.shape == (3,)
    for i, one in enumerate(found):
        assert one == pt.relax_cell(x[i], cells[i], **how)
    some = found[[2, 0]]
    np.testing.assert_array_equal(some.cell, found.cell[[2, 0]])
    assert "3 of 4 particles" in repr(found) and found.plot() is not None
    assert pt.relax_cell(x[:0], cells[:0], **how).energy.shape == (0,)
    one_for_all = pt.relax_cell(x[:2], 2.2, progress=False, steps=2)
    assert one_for_all[1] == pt.relax_cell(x[1], 2.2, steps=2)
    with pytest.raises(TypeError, match="one configuration"):
        found[0][0]
    with pytest.raises(IndexError, match="row 3"):
        found[3]
