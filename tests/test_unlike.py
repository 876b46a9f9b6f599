"Training on unlike structures: the same as on databases where both can, and what only it can."

import dataclasses

import numpy as np
import pes_toy as pt
import pytest
from pes_toy.engine.optimizers import KINDS
from pes_toy.unlike import neurons_of, random_layer

RECIPE = pt.TrainingSpec.recommended(hidden=(8, 8), epochs=3, batch_size=4)


def some(number=24, seed=0, dimension=2, sizes=(2, 6)):
    "Structures of several sizes in oblique cells, labelled."
    rng = np.random.default_rng(seed)
    counts = rng.integers(*sizes, number)
    cells = 3.0 * np.eye(dimension) + rng.uniform(-0.4, 0.4, (number, dimension, dimension))
    places = [rng.uniform(size=(n, dimension)) @ cell for n, cell in zip(counts, cells)]
    bare = pt.Structures.from_arrays(
        places, cells, group=["odd" if n % 2 else "even" for n in counts]
    )
    return bare.labelled(pt.Morse(), depth=2, stress=True, progress=False)


def same(one, two):
    pairs = zip(one.weights, two.weights)
    return all(np.array_equal(a, b) for layers in pairs for a, b in zip(*layers))


def train(structures, spec=RECIPE, **more):
    return pt.train(structures, spec, progress=False, **more)


@pytest.mark.parametrize("name", KINDS)
def test_optimizers_take_the_steps_of_keras(name):
    keras = pytest.importorskip("keras")
    rng = np.random.default_rng(0)
    ours = rng.normal(size=7).astype(np.float32)
    theirs = keras.Variable(ours.copy())
    optimizer = keras.optimizers.get({"class_name": name, "config": {"learning_rate": 0.01}})
    optimizer.build([theirs])
    take = KINDS[name](ours)
    for step in range(6):
        gradient = rng.normal(size=7).astype(np.float32)
        rate = 0.01 * (1 - 0.1 * step)
        optimizer.learning_rate.assign(rate)
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [theirs])
        take(gradient, rate)
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("loss", ["mae", "mse", "huber"])
def test_the_same_as_on_a_database(loss):
    "The same rows in the same batches: the same errors, up to single precision."
    database = pt.generate(pt.DatabaseSpec.diverse(n_configurations=60), progress=False)
    structures = pt.Structures.from_database(database)
    first = train(structures, dataclasses.replace(RECIPE, epochs=1, loss=loss))
    spec = dataclasses.replace(RECIPE, loss=loss, epochs=2)
    found = [train(rows, spec, start=first).history for rows in (database, structures)]
    for name in ("loss", "validation_mae", "validation_force_error"):
        np.testing.assert_allclose(*(history[name] for history in found), rtol=2e-3)


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_unlike_structures_are_learned(dimension, tmp_path):
    structures = some(dimension=dimension)
    spec = dataclasses.replace(RECIPE, stress_weight=0.1, epochs=12, learning_rate=0.01)
    network = train(structures, spec)
    loss = network.history["loss"]
    assert loss[-1] < 0.9 * loss[0]
    assert same(network, train(structures, spec))
    assert not same(network, train(structures, dataclasses.replace(spec, seed=1)))
    again = pt.load_network(network.save(tmp_path / "network.npz"))
    one = structures[0]
    assert again.predict(one.positions, one.cell) == network.predict(one.positions, one.cell)
    assert again.about["counts"] == [2, 5]


def test_the_history_is_that_of_the_network_itself():
    "Errors of the validation part, computed once more from outside."
    structures = some()
    network = train(structures, dataclasses.replace(RECIPE, stress_weight=0.1))
    aside = np.random.default_rng(0).permutation(24)[: round(0.2 * 24)]
    rows = structures[np.sort(aside)]
    said = rows.labelled(network, stress=True, progress=False)
    best = network.about["best_epoch"] - 1
    wrong = np.abs(said.energy - rows.energy).mean()
    np.testing.assert_allclose(network.history["validation_mae"][best], wrong, rtol=1e-4)
    for kind, name in (("force", "forces"), ("stress", "stress")):
        off = np.abs(getattr(said, name) - getattr(rows, name)).mean()
        off /= np.abs(getattr(rows, name)).mean()
        history = network.history[f"validation_{kind}_error"]
        np.testing.assert_allclose(history[best], off, rtol=1e-4)


def test_energies_alone_take_no_derivatives(monkeypatch):
    def refuse(*_):
        raise AssertionError("nobody asked for derivatives")

    monkeypatch.setattr(pt.SymmetryFunctions, "sparse_slopes", refuse)
    structures = dataclasses.replace(some(), forces=None, stress=None)
    network = train(structures, dataclasses.replace(RECIPE, force_weight=0))
    assert "validation_force_error" not in network.history


def test_a_training_ends_when_it_should():
    structures = some()
    ended = train(structures, callback=lambda history: len(history["loss"]) == 2)
    assert ended.about["ended"] == "callback" and len(ended.history["loss"]) == 2

    def interrupt(history):
        raise KeyboardInterrupt

    assert train(structures, callback=interrupt).about["ended"] == "interrupted"
    wild = dataclasses.replace(RECIPE, optimizer="sgd", loss="mse", learning_rate=1e6, epochs=20)
    with pytest.raises(pt.DivergedError, match="learning_rate"):
        train(structures, wild)


@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize("transform", ["raw", "standardised", "asinh"])
def test_neurons_make_forces(dimension, transform):
    "The force of a neuron is minus the slope of its sum over the particles, whatever the cell."
    rows = some(3, dimension=dimension)
    spec = dataclasses.replace(RECIPE, transform=transform, hidden=(5,), activation="tanh")
    values = rows.inputs(spec.descriptor)
    scaling = values.mean(axis=0), values.std(axis=0) + 0.1
    layer = random_layer(values.shape[1], 5, 0.5, seed=0)
    for m in range(3):
        one = rows[m : m + 1]
        n = one.positions.size
        forces = neurons_of(one, spec, scaling, layer)[1]
        for number in range(n):
            step = np.zeros(n)
            step[number] = 1e-5
            step = step.reshape(one.positions.shape)
            moved = [dataclasses.replace(one, positions=one.positions + k * step) for k in (1, -1)]
            up, down = (neurons_of(rows, spec, scaling, layer)[0] for rows in moved)
            slope = len(one.positions) * (up - down) / 2e-5
            np.testing.assert_allclose(forces[number], -slope, rtol=1e-5, atol=1e-6)


def test_a_last_layer_is_ridge_regression():
    "Energies alone: the coefficients that the textbook's formula gives."
    rows = some()
    spec = dataclasses.replace(RECIPE, hidden=(7,), force_weight=0.0)
    network = pt.train_last_layer(rows, spec, ridge=1e-6, progress=False)
    layer = network.weights[0]
    scaling = network.shift, network.scale
    found = [neurons_of(rows[m : m + 1], spec, scaling, layer)[0] for m in range(len(rows))]
    columns = np.array(found) - np.mean(found, axis=0)
    energies = rows.energy - rows.energy.mean()
    left = columns.T @ columns
    left += 1e-6 * np.trace(left) / 7 * np.eye(7)
    expected = columns @ np.linalg.solve(left, columns.T @ energies) + rows.energy.mean()
    said = rows.labelled(network, progress=False)
    np.testing.assert_allclose(said.energy, expected, rtol=1e-7)


def test_a_solved_network_is_a_network(tmp_path):
    rows = some(60)
    spec = dataclasses.replace(RECIPE, hidden=(40,))
    network = pt.train_last_layer(rows, spec, progress=False)
    assert same(network, pt.train_last_layer(rows, spec, progress=False))
    again = pt.load_network(network.save(tmp_path / "network.npz"))
    one = rows[0]
    assert again.predict(one.positions, one.cell) == network.predict(one.positions, one.cell)
    assert "solved" in str(again)


@pytest.mark.parametrize("given, message", [
    (dict(ridge=0), "ridge must"), (dict(slope=-1.0), "slope must"),
    (dict(spec=RECIPE), "one hidden layer"), (dict(spec=None), "spec must"),
    (dict(structures=3), "structures must"),
    (dict(spec=dataclasses.replace(RECIPE, hidden=(10**6,))), "fewer neurons"),
])
def test_what_cannot_be_solved(given, message):
    good = dict(structures=some(4), spec=dataclasses.replace(RECIPE, hidden=(3,)))
    with pytest.raises((TypeError, ValueError, MemoryError), match=message):
        pt.train_last_layer(**{**good, **given}, progress=False)


def test_scores_by_group():
    structures = some()
    network = train(structures, dataclasses.replace(RECIPE, epochs=1))
    judged = pt.score(network, structures)
    said = structures.labelled(network, stress=True, progress=False)
    for name in ("odd", "even"):
        rows = structures.group == name
        particles = rows[structures.owner]
        wrong = np.abs(said.energy - structures.energy)[rows].mean()
        off = np.abs(said.forces - structures.forces)[particles].mean()
        np.testing.assert_allclose(judged.by_group[name], wrong, rtol=1e-10)
        np.testing.assert_allclose(judged.forces_by_group[name], off, rtol=1e-10)
    wrong = np.abs(said.stress - structures.stress).mean()
    np.testing.assert_allclose(judged.stress_mae, wrong, rtol=1e-10)
    wrong = np.sqrt(np.mean((said.forces - structures.forces) ** 2))
    np.testing.assert_allclose(judged.force_rmse, wrong, rtol=1e-10)
    assert "odd" in str(judged)
    bare = dataclasses.replace(structures, forces=None, stress=None, group=None)
    judged = pt.score(network, bare)
    assert np.isnan(judged.force_mae) and np.isnan(judged.stress_mae) and not judged.by_group


@pytest.mark.parametrize(
    "change, said",
    [
        (dict(energy=None), "no energy"),
        (dict(forces=None), "needs forces"),
    ],
)
def test_missing_labels_are_named(change, said):
    with pytest.raises(ValueError, match=said):
        train(dataclasses.replace(some(), **change))


@pytest.mark.parametrize(
    "change, said",
    [
        (dict(hidden=(8,)), "hidden"),
        (dict(activation="tanh"), "activation"),
        (dict(transform="raw"), "transform"),
        (dict(inputs=pt.SymmetryFunctions(cutoff=2.0)), "inputs"),
    ],
)
def test_only_networks_of_the_same_form_go_on(change, said):
    structures = some()
    first = train(structures, dataclasses.replace(RECIPE, epochs=1))
    with pytest.raises(ValueError, match=f"start has {said}"):
        train(structures, dataclasses.replace(RECIPE, **change), start=first)
    with pytest.raises(ValueError, match="2-D"):
        train(some(dimension=3), start=first)
    with pytest.raises(TypeError, match="start must be a Network"):
        train(structures, start="network.npz")


@pytest.mark.stress
def test_ten_thousand_particles_in_one_cell():
    structures = some(dimension=3)
    network = train(structures, dataclasses.replace(RECIPE, epochs=1))
    one = structures[0]
    n = round((10_000 / len(one.positions)) ** (1 / 3)) + 1
    turns = np.stack(np.meshgrid(*3 * [np.arange(n)]), axis=-1).reshape(-1, 3) @ one.cell
    block = (one.positions + turns[:, None]).reshape(-1, 3)
    assert len(block) >= 10_000
    energy, forces = network.energy_and_forces(block, n * one.cell)
    alone, each = network.energy_and_forces(one.positions, one.cell)
    np.testing.assert_allclose(energy, alone, rtol=1e-9)
    wanted = np.tile(each, (n**3, 1))
    np.testing.assert_allclose(forces, wanted, atol=1e-9 * np.abs(each).max())
