"""Prediction of networks: forces, threads, batches, what they do not know."""

import dataclasses
import math

import numpy as np
import pytest

import matplotlib

matplotlib.use("agg")

from models import INPUTS, Waves, handmade, in_process, name, slopes_of, spread
from pes_toy import networks as ns
from pes_toy.engine.layers import ACTIVATIONS, TRANSFORMS, Layers
from pes_toy.training import TrainingSpec


def test_prediction_loads_nothing_heavy(tmp_path):
    for i, spec in enumerate((TrainingSpec(), TrainingSpec.recommended())):
        handmade(spec).save(tmp_path / f"{i}.npz")
    heavy = in_process(
        """
import sys
import pes_toy
for i in (0, 1):
    network = pes_toy.load_network(f"{sys.argv[1]}/{i}.npz")
    x = [[0.3, 0.5], [2.5, 1.0], [1.1, 3.0], [4.0, 4.2]]
    network.predict(x, 5.0), network.forces([x], 5.0), repr(network)
heavy = ("tensorflow", "keras", "matplotlib", "pandas", "pyarrow", "sklearn", "joblib")
print([m for m in heavy if m in sys.modules])""",
        tmp_path,
    )
    assert heavy.strip() == "[]"


@pytest.mark.parametrize("inputs", INPUTS, ids=name)
@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("d", [2, 3])
def test_forces_are_slopes(inputs, transform, d):
    x, w = spread(3, d, 6, np.random.default_rng(d))
    for activation in ACTIVATIONS:
        network = handmade(
            TrainingSpec(inputs, transform=transform, activation=activation, hidden=(9, 5)), 3, d
        )
        v, f = network.energy_and_forces(x, w)
        np.testing.assert_array_equal(network.predict(x, w), v)
        np.testing.assert_array_equal(network.forces(x, w), f)
        assert f.shape == x.shape and np.abs(f).max() > 1e-3
        np.testing.assert_allclose(
            f,
            slopes_of(network.predict, x, w),
            rtol=0,
            atol=2e-6 * np.abs(f).max(),
            err_msg=activation,
        )
        np.testing.assert_allclose(f.sum(axis=1), 0, atol=1e-9 * np.abs(f).max())


def test_activations_far_out():
    z = np.concatenate(
        [
            [0.0],
            *(
                s * np.array([1e-300, 1e-8, 1e-3, 0.5, 5, 36, 37, 100, 600, 690, 710, 1e4, 1e8])
                for s in (1, -1)
            ),
        ]
    )
    with np.errstate(over="ignore"):
        fading = 1 / (1 + np.exp(-z))
    plain = dict(
        linear=z,
        softplus=np.logaddexp(z, 0),
        tanh=np.tanh(z),
        sigmoid=fading,
        silu=z * fading,
        relu=np.maximum(z, 0),
        elu=np.where(z > 0, z, np.expm1(np.minimum(z, 0))),
    )
    for activation in ACTIVATIONS:
        one = np.ones((1, 1)), np.zeros(1)
        out, slopes = Layers([one, one], "raw", np.zeros(1), np.ones(1), activation).run(
            z[:, None], True
        )
        np.testing.assert_allclose(
            out, plain[activation], rtol=1e-14, atol=1e-15, err_msg=activation
        )
        assert np.isfinite(slopes).all() and (slopes >= -0.1).all() and (slopes <= 1.1).all()
        if activation in ("softplus", "sigmoid"):
            some = np.abs(z) < 650  # small ones too
            np.testing.assert_allclose(out[some], plain[activation][some], rtol=1e-14)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_kernels_do_what_keras_does(activation):
    import tensorflow as tf

    for hidden in ((), (5,), (64, 64, 64)):
        network = handmade(TrainingSpec(hidden=hidden, activation=activation))
        model = network.keras_model()
        x = np.random.default_rng(1).normal(size=(50, 8)).astype(np.float32)
        assert model.count_params() == network.n_parameters
        with tf.GradientTape() as tape:
            tape.watch(t := tf.constant(x))
            out = model(t)
        g = tape.gradient(out, t).numpy()
        found, slopes = Layers(network.weights, "raw", np.zeros(8), np.ones(8), activation).run(
            x.astype(float), True
        )
        np.testing.assert_allclose(
            found, out.numpy()[:, 0], rtol=0, atol=3e-6 * np.abs(found).max()
        )
        np.testing.assert_allclose(slopes, g, rtol=0, atol=3e-6 * np.abs(slopes).max())


@pytest.mark.parametrize("M", [1, 2, 15, 16, 17, 63, 65, 129, 700])
def test_any_number_of_threads(M):
    x = np.random.default_rng(M).normal(size=(M, 38)) * 5
    for activation in ACTIVATIONS:
        layers = handmade(TrainingSpec("symmetry", activation=activation, hidden=(31, 7))).layers
        one = layers.run(x, True, workers=1)
        for workers in (2, 3, 5):
            for a, b in zip(layers.run(x, True, workers=workers), one):
                np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(
            layers.run(x, False)[0], one[0]
        )  # the energies do not depend on the forces being asked for


@pytest.mark.parametrize("inputs", [*INPUTS, "distances"], ids=name)
def test_one_by_one_is_the_batch(inputs):
    x, w = spread(4, 2, 40, np.random.default_rng(1))
    network = handmade(TrainingSpec(inputs))
    v, f = network.energy_and_forces(x, w)
    alone = [network.energy_and_forces(a, b) for a, b in zip(x, w.tolist())]
    assert all(type(a[0]) is float and a[1].shape == (4, 2) for a in alone)
    np.testing.assert_allclose(v, [a[0] for a in alone], rtol=1e-13)
    np.testing.assert_allclose(f, [a[1] for a in alone], rtol=0, atol=1e-12 * np.abs(f).max())
    np.testing.assert_allclose(network.predict(x[::-1], w[::-1])[::-1], v, rtol=1e-13)
    assert network.predict(x[:0], 5.0).shape == (0,) and network.predict(
        x[0].tolist(), 5
    ) == network.predict(x[0], 5.0) == network.predict(np.asfortranarray(x[0]), np.float64(5))


def test_configurations_it_does_not_know():
    rng = np.random.default_rng(0)
    every, whole = handmade(TrainingSpec("symmetry")), handmade(TrainingSpec())
    assert every.predict(rng.uniform(0, 5, (3, 7, 2)), 5.0).shape == (3,) and every.forces(
        rng.uniform(0, 5, (1, 2)), 5.0
    ).shape == (1, 2)
    for network, shape, message in (
        (whole, (5, 2), "knows 4 only"),
        (whole, (4, 3), "3-D"),
        (every, (4, 3), "3-D"),
        (every, (4, 1), "1-D"),
    ):
        for method in (network.predict, network.forces, network.energy_and_forces):
            with pytest.raises(ValueError, match=message):
                method(rng.uniform(0, 5, shape), 5.0)
    for x, w, message in (
        (np.full((4, 2), math.nan), 5.0, "finite"),
        (np.ones((4, 2)), 5.0, "coincide"),
        (rng.uniform(0, 5, (4, 2)), -5.0, "width"),
        (rng.uniform(0, 5, (2, 4, 2)), [5.0, 5.0, 5.0], "one for each"),
    ):
        with pytest.raises(ValueError, match=message):
            whole.predict(x, w)
    with pytest.raises(NotImplementedError, match="from_inputs"):
        type(
            "Lazy", (ns.Predictor,), dict(descriptor=Waves(), n_particles=4, dimension=2)
        )().predict(rng.uniform(0, 5, (4, 2)), 5.0)

    @dataclasses.dataclass(frozen=True)
    class Broken(Waves):
        def values(self, positions, width):
            return super().values(positions, width) * math.inf

    with pytest.raises(ValueError, match="values of Broken are not finite"):
        dataclasses.replace(handmade(TrainingSpec(Waves())), spec=TrainingSpec(Broken())).predict(
            rng.uniform(0, 5, (4, 2)), 5.0
        )


@pytest.mark.parametrize("inputs", ["distances", Waves()], ids=name)
def test_forces_of_an_empty_batch(inputs):
    assert handmade(TrainingSpec(inputs)).forces(np.empty((0, 4, 2)), 5.0).shape == (0, 4, 2)


def test_single_precision_inputs_of_ones_own():
    @dataclasses.dataclass(frozen=True)
    class Rough(Waves):
        def values(self, positions, width):
            return super().values(positions, width).astype(np.float32)

    network = handmade(TrainingSpec(Rough()))
    values = network.descriptor.values(
        np.random.default_rng(0).uniform(0, 5, (9, 4, 2)), np.full(9, 5.0)
    )
    np.testing.assert_array_equal(
        network.from_inputs(values)[0], network.from_inputs(values.astype(float))[0]
    )
