"""What every model must pass, a user's own too: `check_model(model, positions, widths)`."""

import pickle

import numpy as np

from pes_toy.base.registry import MODELS
from pes_toy.networks import load_network


def check_model(
    model,  # a Predictor
    positions,  # (M, N, d), in R_c, without close pairs
    widths,  # (M,), in R_c
    folder=None,  # where a file may be written; None: none is
    symmetric=True,  # is it invariant under translations and exchanges?
    slack=1e-5,  # of forces against differences, in the largest force
):
    "Every test of this file."
    check_batches(model, positions, widths)
    check_slopes(model, positions, widths, slack)
    check_copies(model, positions, widths)
    if symmetric:
        check_symmetries(model, positions, widths)
    if model.any_number:
        check_larger_cell(model, positions[0], float(widths[0]))
    if folder is not None:
        check_file(model, positions, widths, folder)


def check_batches(model, x, w):
    "Finite numbers of the promised shapes, the same for one and for many."
    energy, forces = model.energy_and_forces(x, w)
    assert energy.shape == (len(x),) and forces.shape == x.shape
    assert np.isfinite(energy).all() and np.isfinite(forces).all()
    scale = np.abs(forces).max() + np.abs(energy).max()
    for m in range(3):
        one, its_forces = model.energy_and_forces(x[m], float(w[m]))
        assert type(one) is float and its_forces.shape == x.shape[1:]
        np.testing.assert_allclose(one, energy[m], rtol=0, atol=1e-11 * scale)
        np.testing.assert_allclose(its_forces, forces[m], rtol=0, atol=1e-11 * scale)
    np.testing.assert_allclose(model.predict(x, w), energy, rtol=0, atol=1e-12 * scale)
    np.testing.assert_allclose(model.forces(x, w), forces, rtol=0, atol=1e-12 * scale)
    assert model.predict(x[:0], w[:0]).shape == (0,)


def check_slopes(model, x, w, slack, h=1e-5):
    "Forces are minus the difference of N_p v."
    forces = model.forces(x, w)
    numerical = np.empty_like(x)
    for j, c in np.ndindex(x.shape[1:]):
        step = np.zeros_like(x)
        step[:, j, c] = h
        change = model.predict(x + step, w) - model.predict(x - step, w)
        numerical[:, j, c] = -x.shape[1] * change / (2 * h)
    np.testing.assert_allclose(forces, numerical, rtol=0, atol=slack * np.abs(forces).max())


def check_symmetries(model, x, w):
    "Another origin, another cell, another order of the particles: the same."
    rng = np.random.default_rng(0)
    energy, forces = model.energy_and_forces(x, w)
    scale = np.abs(forces).max() + np.abs(energy).max()
    cells = w[:, None, None] * rng.integers(-2, 3, x.shape)
    moved = x + cells + rng.uniform(0, 5, (len(x), 1, x.shape[2]))
    order = rng.permutation(x.shape[1])
    v, f = model.energy_and_forces(moved[:, order], w)
    np.testing.assert_allclose(v, energy, rtol=0, atol=1e-9 * scale)
    np.testing.assert_allclose(f, forces[:, order], rtol=0, atol=1e-8 * scale)


def check_larger_cell(model, x, w):
    "Twice the width, with the images as particles: the same energy per particle."
    d = x.shape[1]
    corners = np.stack(np.meshgrid(*[(0, w)] * d), axis=-1).reshape(-1, 1, d)
    copies = (x + corners).reshape(-1, d)
    v, f = model.energy_and_forces(copies, 2 * w)
    energy, forces = model.energy_and_forces(x, w)
    np.testing.assert_allclose(v, energy, rtol=0, atol=1e-9 * (1 + abs(energy)))
    np.testing.assert_allclose(f[: len(x)], forces, rtol=0, atol=1e-8 * np.abs(forces).max())


def check_copies(model, x, w):
    "A model and its methods can be sent to another process."
    again = pickle.loads(pickle.dumps(model))
    predict = pickle.loads(pickle.dumps(model.predict))
    energy = model.predict(x, w)
    np.testing.assert_array_equal(again.predict(x, w), energy)
    np.testing.assert_array_equal(predict(x, w), energy)


def check_file(model, x, w, folder):
    "Saved and read it says the same, and remembers what it was trained on."
    assert MODELS[type(model).__name__] is type(model)
    again = load_network(model.save(folder / "model.npz"))
    assert type(again) is type(model) and again.about == model.about
    scale = 1 + np.abs(model.predict(x, w)).max()
    np.testing.assert_allclose(again.predict(x, w), model.predict(x, w), rtol=0, atol=1e-12 * scale)
    forces = model.forces(x, w)
    atol = 1e-12 * np.abs(forces).max()
    np.testing.assert_allclose(again.forces(x, w), forces, rtol=0, atol=atol)
