"""Baselines: their specification, and each method against a witness."""
import dataclasses
import json

import numpy as np
import pytest
from models import Waves, in_process, slopes_of
from runs import OWN, QUICK

from pes_toy.descriptors import ProximityEigenvalues
from pes_toy.generation import generate_in_memory as generate
from pes_toy.models import load_network, truth_of
from pes_toy.networks import apply_transform, fit_transform
from pes_toy.scores import METHODS, BaselineSpec, fit_baseline
from pes_toy.structures import Structures
from pes_toy.training import TrainingSpec

IMPOSSIBLE = [
    (dict(method="boosting"), ValueError),
    (dict(transform="log"), ValueError),
    (dict(inputs="eigenvalues"), ValueError),
    (dict(inputs="symmetry", R_0p=4.0), ValueError),
    (dict(orders=(-1,)), ValueError),
    (dict(max_configurations=3), ValueError),
    (dict(max_configurations="all"), TypeError),
    (dict(validation=0), ValueError),
    (dict(validation=1), ValueError),
    (dict(validation=1.5), ValueError),
    (dict(validation=None), TypeError),
    (dict(seed=-1), ValueError),
    (dict(seed="a"), TypeError),
]


@pytest.mark.parametrize("settings, error", IMPOSSIBLE, ids=str)
def test_baselines_that_make_no_sense(settings, error):
    name = [*settings][-1]
    with pytest.raises(error, match=name):
        BaselineSpec(**settings)


NO_INPUTS = [None, 3, ProximityEigenvalues, np.zeros(2), ["proximity"]]


@pytest.mark.parametrize("wrong", NO_INPUTS, ids=str)
def test_inputs_of_baselines_are_named(wrong):
    with pytest.raises(TypeError, match="inputs must be"):
        BaselineSpec(inputs=wrong)


def test_specifications_are_values():
    with pytest.raises(dataclasses.FrozenInstanceError):
        BaselineSpec().seed = 3
    own = BaselineSpec(inputs=Waves())
    assert hash(own)
    assert json.loads(json.dumps(own.to_dict()))["inputs"] == Waves().settings
    assert BaselineSpec("Kernel Ridge") == BaselineSpec("kernel ridge")


def test_specifications_describe_themselves():
    described = BaselineSpec.described()
    assert described["method"].limits.choices == METHODS
    assert described["max_configurations"].limits.low == 10
    assert all(one.meaning for one in described.values())


def test_what_cannot_be_fitted(db):
    with pytest.raises(TypeError, match="BaselineSpec"):
        fit_baseline(db, TrainingSpec())
    with pytest.raises(ValueError, match="0 configurations"):
        fit_baseline(db[:0])
    with pytest.raises(TypeError, match="Database"):
        fit_baseline(db.positions)


def fitted(db, method, inputs, transform):
    "A baseline, its training part, and the scaled inputs of that."
    copy = dataclasses.replace(db)
    part, _ = copy.split(0.4)
    spec = BaselineSpec(method, inputs, transform=transform, max_configurations=50)
    model = fit_baseline(copy, spec)
    values = model.descriptor.values(part.positions, part.width)
    X = apply_transform(values, transform, *fit_transform(values, transform))
    return model, part, X.mean(axis=1) if X.ndim == 3 else X


INPUTS = {
    "proximity": ("proximity", "asinh", 1e-9),
    "symmetry": ("symmetry", "standardised", 3e-3), # almost dependent: scikit-learn cuts earlier
    "waves": (Waves(), "raw", 1e-9),
}


@pytest.mark.parametrize("name", INPUTS)
def test_least_squares_of_numpy(db, name):
    inputs, transform, tolerance = INPUTS[name]
    model, part, X = fitted(db, "least squares", inputs, transform)
    A = np.column_stack([X, np.ones(120)])
    solution = np.linalg.lstsq(A, part.energy, rcond=None)[0]
    energy = model.predict(part.positions, part.width)
    np.testing.assert_allclose(energy, A @ solution, rtol=0, atol=tolerance)
    assert model.about["trained_on"] == 120


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("method", METHODS[1:])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_kernel_methods_term_by_term(db, method, name):
    inputs, transform, _ = INPUTS[name]
    model, part, X = fitted(db, method, inputs, transform)
    assert model.centres.shape == (50, X.shape[1]) and model.about["trained_on"] == 50
    assert {row.tobytes() for row in model.centres} <= {row.tobytes() for row in X}
    K = np.exp(-model.gamma * ((X[:, None] - model.centres) ** 2).sum(axis=2))
    wanted = model.mean + model.deviation * K @ model.coefficients
    tolerance = 1e-6 * np.abs(model.coefficients).max() * model.deviation
    energy = model.predict(part.positions, part.width)
    np.testing.assert_allclose(energy, wanted, rtol=0, atol=tolerance)
    guess = np.abs(part.energy - part.energy.mean()).mean()
    assert np.abs(energy - part.energy).mean() < guess


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_forces_of_baselines_are_slopes(db, method, name):
    inputs, transform, _ = INPUTS[name]
    model, part, _ = fitted(db, method, inputs, transform)
    x = part.positions[:4]
    w = part.width[:4]
    forces = model.forces(x, w)
    wanted = slopes_of(model.predict, x, w, 3e-5)
    np.testing.assert_allclose(forces, wanted, rtol=0, atol=1e-4 * np.abs(forces).max())
    assert method in repr(model)


def test_a_baseline_of_a_potential_of_ones_own_knows_its_truth():
    spec = dataclasses.replace(QUICK, potential=OWN[0], depth=2)
    model = fit_baseline(generate(spec, progress=False), BaselineSpec())
    assert truth_of(model) == (OWN[0], 2, "exact") # its depth too: nothing else would tell
    np.testing.assert_array_equal(model.drag().energy, model.drag(OWN[0]).energy)
    model.truth = None # as in a file
    with pytest.raises(ValueError, match="'mine'.*give potential="):
        model.drag()


def test_structures_are_no_data_for_a_baseline(db):
    structures = Structures.from_database(db[:9])
    with pytest.raises(TypeError, match="database must be a Database.*got Structures; train"):
        fit_baseline(structures, BaselineSpec())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_baselines_go_to_a_file(db, method, tmp_path):
    model = fitted(db, method, Waves((1, 4)), "standardised")[0]
    again = load_network(model.save(tmp_path / "baseline.npz"))
    assert type(again) is type(model) and again.spec == model.spec
    assert json.loads(json.dumps(model.about)) == again.about
    x = db.positions[:9]
    np.testing.assert_array_equal(again.predict(x, 5.0), model.predict(x, 5.0))
    np.testing.assert_array_equal(again.drag(points=9).energy, model.drag(points=9).energy)


def test_a_file_of_a_baseline_is_read_in_a_fresh_process(db, tmp_path):
    path = fit_baseline(db, BaselineSpec()).save(tmp_path / "baseline.npz")
    said = in_process("import sys, pes_toy; print(pes_toy.load_network(sys.argv[1]))", path)
    assert "least squares" in said
