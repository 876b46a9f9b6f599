"""Descriptors: the battery on the package's and a user's own, settings, inputs in databases."""

import dataclasses
import json
import math
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from battery_descriptors import check_descriptor_battery, check_settings, spaced
from pes_toy import descriptors as ds, prepared
from pes_toy.base.registry import DESCRIPTORS
from pes_toy.database import Database, concat, load_file as load
from pes_toy.generation import generate_in_memory as generate
from pes_toy.lattice import cells
from pes_toy.prepared import inputs_of, prepare
from pes_toy.specification import DatabaseSpec
from pes_toy.symmetry_functions import SymmetryFunctions

EIGENVALUES = [
    ds.ProximityEigenvalues(),
    ds.ProximityEigenvalues(R_0p=3.0),
    ds.ProximityEigenvalues((-2, -3.5, -6, -2), (3, 4, 2.2, 6)),
]
OTHERS = [SymmetryFunctions(), SymmetryFunctions(third_side=False, cutoff=2.0)]
SHAPES = [(N, d) for d in (1, 2, 3) for N in range(1, 7)]
LARGE = [(15, 2), (16, 2), (17, 3)]  # both sides of the limit where LAPACK takes over
HEAVY = ("tensorflow", "sklearn", "pandas", "matplotlib", "ipywidgets")


def name(descriptor):
    return f"{type(descriptor).__name__}-{len(str(descriptor.settings))}"


@dataclasses.dataclass(frozen=True)
class Dense(ds.Descriptor):
    "A user's own: numbers of lattice points near each particle, smeared; local, no gradients."

    sigma: float = 0.3
    local = True

    def values(self, positions, width):
        w = width[:, None, None, None, None]
        k = cells(positions.shape[2], math.ceil(2.0 / width.min()) + 1)
        t = positions[:, None, :, None] - positions[:, :, None, None]
        t = t - w * np.round(t / w) + w * k
        bumps = np.exp(-0.5 * (t**2).sum(-1) / self.sigma**2)
        return bumps.sum(axis=(2, 3))[:, :, None]


EVERY = [*EIGENVALUES, *OTHERS, ds.RelativeDistances(), Dense()]


def of_each_order(values, N):
    "Largest eigenvalue of each order (M, K)."
    largest = np.abs(values).reshape(len(values), -1, N).max(axis=2)
    return largest.repeat(N, axis=1) + 1e-12


def battery(descriptor, x, w):
    if not isinstance(descriptor, ds.ProximityEigenvalues):
        return check_descriptor_battery(descriptor, x, w)
    N = x.shape[1]

    def size(values):
        return of_each_order(values, N)

    def smooth(x, w, values):
        "Not where eigenvalues are equal, or closer than the step of the witness can part."
        equal = ds.degenerate_eigenvalues(x, w, descriptor.orders, descriptor.R_0p)
        by_order = values.reshape(len(x), -1, N)
        gap = np.diff(by_order, axis=2, prepend=-np.inf, append=np.inf)
        least = np.minimum(gap[..., :-1], gap[..., 1:]).reshape(values.shape)
        return (least > 1e-2 * size(values)) & ~equal.any(axis=1, keepdims=True)

    return check_descriptor_battery(descriptor, x, w, size=size, smooth=smooth)


@pytest.mark.parametrize("N,d", SHAPES)
@pytest.mark.parametrize("descriptor", [*EIGENVALUES, *OTHERS], ids=name)
def test_battery(descriptor, N, d):
    battery(descriptor, *spaced(N, d, 10, np.random.default_rng(N + 10 * d)))


@pytest.mark.parametrize("N,d", LARGE)
@pytest.mark.parametrize("descriptor", EIGENVALUES[1:], ids=name)
def test_battery_of_many_particles(descriptor, N, d):
    rng = np.random.default_rng(N)
    battery(descriptor, *spaced(N, d, 3, rng, low=5.0, high=7.0))


@pytest.mark.parametrize("N,d", [(1, 2), (4, 1), (4, 2), (3, 3)])
def test_battery_of_a_users_own(N, d):
    battery(Dense(), *spaced(N, d, 6, np.random.default_rng(N)))


@pytest.mark.parametrize("descriptor", EVERY, ids=name)
def test_settings_survive(descriptor):
    check_settings(descriptor)
    assert descriptor != ds.ProximityEigenvalues(R_0p=19)
    first = dataclasses.fields(descriptor)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(descriptor, first, 1)


def test_relative_distances():
    rng = np.random.default_rng(0)
    early = ds.RelativeDistances((-1, -3))
    x = rng.uniform(0.2, 4.8, (20, 5, 3))
    values = early.values(x, 5.0)
    i, j = np.triu_indices(5, 1)
    r = np.sort(np.linalg.norm(x[:, i] - x[:, j], axis=2), axis=1)
    np.testing.assert_allclose(values, np.c_[np.full(20, 5.0), r, r**3], rtol=1e-13)
    numeric = ds.numerical_gradients(early.values, x, 5.0)
    np.testing.assert_allclose(early.gradients(x, 5.0), numeric, rtol=0, atol=1e-6 * numeric.max())
    assert early.n_inputs(5, 3) == values.shape[1] == 21


def test_particles_in_one_place_are_refused_everywhere():
    x = np.array([[[1.0, 2.0], [3.0, 1.0], [1.0, 2.0]]])
    for descriptor in (*EIGENVALUES, *OTHERS, ds.RelativeDistances((-1,)), ds.RelativeDistances()):
        K = descriptor.n_inputs(3, 2)
        g = np.ones((1, 3, K) if descriptor.local else (1, K))
        with pytest.raises(ValueError, match="0 and 2 of configuration 0 coincide"):
            descriptor.values(x, 5.0)
        with pytest.raises(ValueError, match="0 and 2 of configuration 0 coincide"):
            descriptor.gradients(x, 5.0)
        with pytest.raises(ValueError, match="0 and 2 of configuration 0 coincide"):
            descriptor.pullback(x, 5.0, g)


@pytest.mark.parametrize("width", [1e-300, 1e-120, 1e120])
def test_widths_that_are_no_lengths_are_refused(width):
    x = np.array([[0.1, 0.2], [0.3, 0.1], [0.7, 0.9]]) * width
    for descriptor in EVERY:
        with pytest.raises(ValueError, match="width must be between 1e-100 and 1e100"):
            descriptor(x, width)
    with pytest.raises(ValueError, match="width"):
        ds.proximity_matrices(x, width)


def test_bad_input_says_what_is_wrong():
    x = np.random.default_rng(0).uniform(0, 5, (3, 4, 2))
    thesis = ds.ProximityEigenvalues()
    with pytest.raises(ValueError, match="shape of the values"):
        thesis.pullback(x, 5.0, np.ones((3, 7)))
    with pytest.raises(ValueError, match="orders"):
        ds.RelativeDistances((-2, 1))
    with pytest.raises(TypeError):
        prepare(None, "inputs")
    with pytest.raises(TypeError, match="choose another name"):
        type("SymmetryFunctions", (ds.Descriptor,), {"__module__": "elsewhere"})
    with pytest.raises(ValueError, match="descriptor must be one of .*ProximityEigenvalues"):
        ds.descriptor_from_settings({"type": "Unheard"})
    with pytest.raises(ValueError, match="does not take the settings"):
        ds.descriptor_from_settings({"type": "Dense", "colour": 1})


def test_values_of_another_shape_are_refused():
    @dataclasses.dataclass(frozen=True)
    class Wrong(ds.Descriptor):
        "One number for all."

        def values(self, positions, width):
            return np.zeros(len(positions))

    with pytest.raises(ValueError, match=r"must have the shape \(1, K\)"):
        Wrong()(np.zeros((1, 2)), 5.0)
    with pytest.raises(TypeError, match="must be numbers, strings or lists"):
        Dense(sigma=lambda: 0).settings


def test_prepare_and_back(tmp_path):
    spec = DatabaseSpec(n_configurations=300, width=(2.0, 6.0), n_widths=3, epochs=5)
    db = generate(spec, progress=False)
    ready = db
    for i, descriptor in enumerate(EVERY):
        ready = prepare(ready, descriptor, name=f"i{i}", progress=False)
    for stored in (ready, load(ready.save(tmp_path / "a.parquet"))):
        for i, descriptor in enumerate(EVERY):
            values = descriptor.values(db.positions, db.width)
            np.testing.assert_array_equal(inputs_of(stored, descriptor, f"i{i}"), values)
            assert inputs_of(stored[:7], None, f"i{i}").shape[0] == 7
        with pytest.raises(ValueError, match="were made with"):
            inputs_of(stored, Dense(0.4), "i6")
    part, _ = ready.split(0.2)
    assert inputs_of(concat([part, part]), EVERY[0], "i0").shape == (2 * len(part), 8)


def test_import_is_light():
    code = f"import sys, pes_toy.judging; print([m for m in {HEAVY} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == []


def test_preparing_holds_the_inputs_twice_as_its_estimate_says(monkeypatch):
    @dataclasses.dataclass(frozen=True)
    class Many(ds.Descriptor):
        "Sixty inputs that cost nothing."

        def values(self, positions, width):
            return np.repeat(positions[:, 0, :1], 60, axis=1)

    said = []
    monkeypatch.setattr(prepared, "check_memory", lambda what, need, remedy: said.append(need))
    rng = np.random.default_rng(0)
    db = Database(rng.uniform(0, 5, (60_000, 2, 2)), 5.0, np.zeros(60_000))
    tracemalloc.start()
    try:
        found = prepare(db, Many(), progress=False)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        DESCRIPTORS.forget("Many")
    np.testing.assert_array_equal(found.extra["inputs"][:, 7], db.positions[:, 0, 0])
    assert said == [2 * found.extra["inputs"].nbytes] and peak < 1.3 * said[0]
