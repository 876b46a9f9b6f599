"""Stress in databases: made, stored, cut, read, refused, learned, judged."""

import dataclasses

import numpy as np
import pytest
from models import TINY

import pes_toy as pt
from pes_toy.descriptors import numerical_strains
from pes_toy.training import TrainingSpec

SPEC = pt.DatabaseSpec.diverse(n_configurations=60, width=(3.0, 5.0), n_widths=3, stress=True)
LIKE = dict(rtol=1e-12, atol=1e-12)


def made(spec=SPEC, **more):
    return pt.generate(spec, progress=False, **more)


@pytest.fixture(scope="module")
def db():
    return made()


def test_generated(db):
    "The stress of the rows; energies, positions and forces are those without it, to the bit."
    assert db.stress.shape == (60, 2, 2)
    np.testing.assert_allclose(db.stress, pt.stress(db.positions, db.width), **LIKE)
    plain = made(dataclasses.replace(SPEC, stress=False))
    assert plain.stress is None
    for name in plain.columns():
        np.testing.assert_array_equal(getattr(plain, name), getattr(db, name))
    np.testing.assert_allclose(plain.with_stress().stress, db.stress, **LIKE)
    assert made(workers=1).stress.tobytes() == db.stress.tobytes()
    assert "with forces and stress" in repr(db) and "stress" not in repr(plain)
    deep = pt.DatabaseSpec(n_configurations=5, potential=pt.Morse(), depth=1, epochs=2, stress=True)
    few = made(deep)
    wanted = pt.stress(few.positions, few.width, pt.Morse(), depth=1)
    np.testing.assert_allclose(few.stress, wanted, **LIKE)


@pytest.mark.parametrize("d, N", [(1, 3), (3, 2), (3, 3)])
def test_other_dimensions(d, N, tmp_path):
    "Where N is d too: the shape of a column does not come from a guess."
    spec = pt.DatabaseSpec(n_configurations=8, n_particles=N, dimension=d, width=3.0, epochs=3,
                           stress=True)
    db = made(spec)
    np.testing.assert_allclose(db.stress, pt.stress(db.positions, db.width), **LIKE)
    again = pt.load(db.save(tmp_path / "a.parquet"))
    assert again.stress.shape == (8, d, d) and again.stress.tobytes() == db.stress.tobytes()
    dataset = made(spec, checkpoint=tmp_path / "data", chunk=3)
    np.testing.assert_array_equal(dataset[:].stress, db.stress)


def test_on_disk(db, tmp_path):
    "Parquet and a folder of chunks give it back; JSON says that it has no room."
    path = db.save(tmp_path / "a.parquet")
    again = pt.load(path)
    assert again.spec == db.spec and again.stress.tobytes() == db.stress.tobytes()
    dataset = made(checkpoint=tmp_path / "data", chunk=16)
    assert "stress" in dataset.names and "forces and stress" in repr(dataset)
    np.testing.assert_array_equal(dataset[:].stress, db.stress)
    np.testing.assert_array_equal(np.concatenate([*dataset.column("stress")]), db.stress)
    windows = [*dataset.windows(np.random.default_rng(0), 32)]
    assert sum(len(window.stress) for window in windows) == 60
    mean = dataset.statistics()["mean_stress_component"]
    np.testing.assert_allclose(mean, db.statistics()["mean_stress_component"], rtol=1e-12)
    with pytest.warns(UserWarning, match="no room for.*stress"):
        db.save(tmp_path / "a.json")
    assert pt.load(tmp_path / "a.json").stress is None


def test_damage_is_noticed(db, tmp_path):
    "A stress changed in its last digit is not what was written."
    import pyarrow.parquet as pq
    path = db.save(tmp_path / "a.parquet")
    table = pq.read_table(path)
    bits = db.stress.reshape(60, 4).copy()
    bits[7, 2] = np.nextafter(bits[7, 2], np.inf)
    import pyarrow as pa
    changed = pa.FixedSizeListArray.from_arrays(pa.array(bits.ravel()), 4)
    at = table.column_names.index("stress")
    pq.write_table(table.set_column(at, "stress", changed), path)
    with pytest.raises(ValueError, match="digest"):
        pt.load(path)


def test_rows_stay_together(db):
    few = db.filter(energy=(None, 0.0))
    assert 0 < len(few) < len(db)
    np.testing.assert_allclose(few.stress, pt.stress(few.positions, few.width), **LIKE)
    training, validation = db.split(0.25, seed=1)
    both = pt.concat([training, validation])
    np.testing.assert_allclose(both.stress, pt.stress(both.positions, both.width), **LIKE)
    without = dataclasses.replace(training, stress=None)
    assert pt.concat([without, validation]).stress is None
    frame = db.frame()
    assert frame["s_xy"][3] == db.stress[3, 0, 1] and frame["s_yy"][4] == db.stress[4, 1, 1]
    taken = db[5:7]
    taken.stress[:] = 0
    assert (db.stress[5:7] != 0).any()


def test_from_arrays(db):
    x, w = db.positions[:5], db.width[:5]
    given = pt.Database.from_arrays(x, w, db.energy[:5], stress=db.stress[:5])
    np.testing.assert_array_equal(given.stress, db.stress[:5])
    found = pt.Database.from_arrays(x, w, potential=pt.ModifiedLennardJones(), stress=True)
    np.testing.assert_allclose(found.stress, db.stress[:5], **LIKE)
    assert pt.Database.from_arrays(x, w, potential=pt.ModifiedLennardJones()).stress is None
    as_cells = pt.Database.from_arrays(x, w[:, None, None] * np.eye(2), db.energy[:5])
    np.testing.assert_array_equal(as_cells.width, w)
    structures = pt.Structures.from_database(db)
    np.testing.assert_array_equal(structures.stress, db.stress)


X = np.array([[[0.5, 0.5], [1.7, 1.0]]])


@pytest.mark.parametrize("ask, word", [
    (lambda: pt.Database.from_arrays(X, 4.0, [0.0], stress=np.zeros((1, 2))), "stress"),
    (lambda: pt.Database.from_arrays(X, 4.0, [0.0], stress=np.zeros((1, 3, 3))), "stress"),
    (lambda: pt.Database.from_arrays(X, 4.0, [0.0], stress=np.full((1, 2, 2), np.nan)), "stress"),
    (lambda: pt.Database.from_arrays(X, 4.0, [0.0], stress=[["a", "b"]]), "stress"),
    (lambda: pt.Database.from_arrays(X, 4.0, [0.0], stress=True), "potential"),
    (lambda: pt.Database.from_arrays(X, 4.0, [0.0]).with_stress(), "specification"),
    (lambda: pt.DatabaseSpec(protocol="thesis", stress=True), "protocol"),
    (lambda: pt.DatabaseSpec(stress="yes"), "stress"),
    (lambda: made(pt.DatabaseSpec.thesis(n_configurations=2)).with_stress(), "protocol"),
    (lambda: pt.Database.from_arrays(X, [[[4.0, 1.0], [0.0, 4.0]]], [0.0]), "Structures"),
])
def test_what_is_refused(ask, word):
    with pytest.raises((ValueError, TypeError), match=word):
        ask()


def test_older_files_and_specifications(db, tmp_path):
    "A specification without stress says nothing of it, as before there was any."
    spec = dataclasses.replace(SPEC, stress=False)
    assert "stress" not in spec.to_dict() and SPEC.to_dict()["stress"] is True
    assert pt.DatabaseSpec.from_dict(spec.to_dict()) == spec
    assert pt.DatabaseSpec.from_dict(SPEC.to_dict()) == SPEC
    made(spec, checkpoint=tmp_path / "data", chunk=30)
    with pytest.raises(ValueError, match="other stress"):
        made(SPEC, checkpoint=tmp_path / "data", chunk=30)


@pytest.mark.parametrize("inputs", ["symmetry", "proximity", "distances"])
@pytest.mark.parametrize("d, N", [(1, 3), (2, 4), (3, 3)])
def test_strains_of_inputs(inputs, d, N):
    "Dense ones against differences; their contraction is what it was."
    descriptor = TrainingSpec(inputs).descriptor
    rng = np.random.default_rng(d)
    cells = 4 * np.eye(d) + rng.uniform(-0.5, 0.5, (3, d, d))
    x = rng.random((3, N, d)) @ cells
    found = descriptor.strains(x, cells)
    numeric = numerical_strains(descriptor.values, x, cells)
    np.testing.assert_allclose(found, numeric, rtol=0, atol=1e-6 * np.abs(numeric).max())
    g = rng.normal(size=found.shape[:-2])
    contracted = (found * g[..., None, None]).reshape(3, -1, d, d).sum(axis=1)
    np.testing.assert_allclose(descriptor.strain_pullback(x, cells, g), contracted, rtol=1e-9,
                               atol=1e-9 * np.abs(contracted).max())
    np.testing.assert_allclose(descriptor.strains(x[1], cells[1]), found[1], rtol=1e-12,
                               atol=1e-12 * np.abs(found).max())
    square = descriptor.strains(x, np.full(3, 4.0))
    np.testing.assert_allclose(square, descriptor.strains(x, np.array([4 * np.eye(d)] * 3)))


def test_strains_of_equal_eigenvalues():
    "Their mean, with a warning where they part; the trace of a square is that of differences."
    square = np.array([[1.0, 1.0], [2.0, 1.0], [1.0, 2.0], [2.0, 2.0]])
    descriptor = pt.ProximityEigenvalues(orders=-2, R_0p=3.0)
    with pytest.warns(pt.DegenerateWarning):
        found = descriptor.strains(square, 5.0)
    numeric = numerical_strains(descriptor.values, square[None], np.array([5.0]))[0]
    np.testing.assert_allclose(found.sum(axis=0), numeric.sum(axis=0), atol=1e-5)
    values = descriptor(square, 5.0)
    first = int(np.flatnonzero(np.isclose(np.diff(values), 0))[0])
    np.testing.assert_array_equal(found[first], found[first + 1])


SMALL = TrainingSpec(**{**TINY, "hidden": (6, 5), "batch_size": 16}, activation="tanh")


def loss_by_numpy(network, db, spec):
    "What the network is trained to make small, by its public predictions."
    size = {"mae": np.abs, "mse": np.square}[spec.loss]
    energy, forces = network.energy_and_forces(db.positions, db.width)
    found = size(energy - db.energy).mean()
    found += spec.force_weight * size(forces - db.forces).mean()
    stress = network.stress(db.positions, db.width)
    return found + spec.stress_weight * size(stress - db.stress).mean()


@pytest.mark.parametrize("inputs, d, N", [("symmetry", 2, 4), ("proximity", 2, 3),
                                          ("distances", 3, 3)])
def test_the_gradient_of_the_loss(inputs, d, N):
    "One step of plain descent on all rows, against differences of the loss by numpy."
    from pes_toy import training
    from pes_toy.engine.epochs import compiled_epoch, model_weights
    spec = dataclasses.replace(SMALL, inputs=inputs, orders=None, R_0p=None, loss="mse",
                               optimizer="sgd", force_weight=0.3, stress_weight=0.7)
    db = made(pt.DatabaseSpec.diverse(n_configurations=40, n_particles=N, dimension=d, width=3.5,
                                      max_energy=1.0, epochs=(5, 20), stress=True))
    rows = np.arange(40)
    prepared = training._prepared(db, spec, rows, rows)

    class Bar:
        def set_postfix_str(self, text):
            pass
    derivatives = training.scaled_derivatives(prepared, rows, Bar())
    with compiled_epoch(spec, prepared.data(derivatives)) as run:
        before = model_weights(run.model)
        network = prepared.network([(W.astype(float), b.astype(float)) for W, b in before])
        rate = 1e-2
        loss = run(rows[None], np.array([rate]))
        after = model_weights(run.model)
    np.testing.assert_allclose(loss, loss_by_numpy(network, db, spec), rtol=1e-4)
    rng = np.random.default_rng(0)
    direction = [(rng.normal(size=W.shape), rng.normal(size=b.shape)) for W, b in before]
    h = 1e-5
    losses = []
    for sign in (h, -h):
        moved = [(W + sign * p, b + sign * q)
                 for (W, b), (p, q) in zip(network.weights, direction)]
        losses.append(loss_by_numpy(prepared.network(moved), db, spec))
    slope = (losses[0] - losses[1]) / (2 * h)
    taken = [(W - V, b - c) for (W, b), (V, c) in zip(before, after)]
    step = sum((W * p).sum() + (b * q).sum() for (W, b), (p, q) in zip(taken, direction))
    length = sum((W**2).sum() + (b**2).sum() for W, b in taken) ** 0.5
    assert length > 0
    np.testing.assert_allclose(step / rate, slope, rtol=0, atol=2e-3 * length / rate)
