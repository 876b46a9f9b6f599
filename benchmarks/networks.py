"""Predictions of trained networks, and their training, against numpy, Keras and TensorFlow.

Two networks of 4 particles in 2-D, w = 5: the default one (8 eigenvalues, 3 x 64, softplus) and `TrainingSpec.recommended()` (symmetry functions, one network
shared by all particles). They are trained for two epochs in a process of their own, so that the first part is measured where TensorFlow was never imported. Every
contestant gets positions and returns energies per particle (and forces): inputs from the package's descriptor, scaling in numpy, then the network. Only "network
alone" begins with the inputs. Keras and TensorFlow compute in single precision, the package and numpy in double.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from pes_toy.specification import DatabaseSpec
from pes_toy.generation import generate
from pes_toy.networks import (
    TrainingSpec,
    apply_transform,
    learning_rates,
    load_network,
    train,
    transform_slope,
)
from timing import best_of, show

W, ALONE, MANY = 5.0, 200, 100_000
SPECS = {"global": TrainingSpec(epochs=2), "local": TrainingSpec.recommended(epochs=2)}
NAMES = {
    "global": "8 eigenvalues, 3 x 64",
    "local": "recommended: 38 symmetry functions of each particle",
}


def train_both(folder):
    "Writes the two networks; the work of the process of their own."
    db = generate(DatabaseSpec(n_configurations=1000, epochs=10, forces=True), progress=False)
    for name, spec in SPECS.items():
        train(db, spec, progress=False).save(Path(folder) / f"{name}.npz")


def softplus(z):
    e = np.exp(-np.abs(z))
    return np.maximum(z, 0) + np.log1p(e), np.where(z > 0, 1, e) / (1 + e)


def silu(z):
    e = np.exp(-np.abs(z))
    s = np.where(z > 0, 1, e) / (1 + e)
    return z * s, s * (1 + z * (1 - s))


class Plain:
    "The same network in numpy, in double precision."

    def __init__(self, network):
        self.network, self.function = (
            network,
            dict(softplus=softplus, silu=silu)[network.spec.activation],
        )
        self.weights = [(W.astype(float), b.astype(float)) for W, b in network.weights]

    def energies(self, values, with_slopes=False):
        "Energies per particle of inputs, and dv/dinputs."
        n = self.network
        a, slopes = (
            apply_transform(
                values.reshape(-1, values.shape[-1]), n.spec.transform, n.shift, n.scale
            ),
            [],
        )
        for W, b in self.weights[:-1]:
            a, slope = self.function(a @ W + b)
            slopes.append(slope)
        each = values.shape[1] if values.ndim == 3 else 1
        v = n.energy_shift + n.energy_scale * (
            a @ self.weights[-1][0] + self.weights[-1][1]
        ).reshape(len(values), each).mean(axis=1)
        if not with_slopes:
            return v
        g = np.broadcast_to(self.weights[-1][0].T, slopes[-1].shape)
        for (W, _), slope in zip(self.weights[-2::-1], slopes[::-1]):
            g = (g * slope) @ W.T
        return v, g.reshape(values.shape) * transform_slope(values, n.spec.transform, n.scale) * (
            n.energy_scale / each
        )


class Compiled:
    "The Keras model of a network, called in one of the ways of TensorFlow."

    def __init__(self, network, way):
        model = network.keras_model()
        import tensorflow as tf

        self.network, self.tf = network, tf

        def slopes(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                out = model(x)
            return out, tape.gradient(out, x)

        compiled = dict(jit_compile=way == "XLA")
        self.run = {"model.predict": lambda x: model.predict(x, verbose=0), "model(x)": model}.get(
            way
        ) or tf.function(model, **compiled)
        self.run_slopes = tf.function(slopes, **compiled)

    def scaled(self, values):
        n = self.network
        return apply_transform(
            values.reshape(-1, values.shape[-1]), n.spec.transform, n.shift, n.scale
        ).astype(np.float32)

    def energies(self, values, with_slopes=False):
        n, x, each = self.network, self.scaled(values), values.shape[1] if values.ndim == 3 else 1
        out, g = self.run_slopes(self.tf.constant(x)) if with_slopes else (self.run(x), None)
        v = n.energy_shift + n.energy_scale * np.asarray(out).reshape(len(values), each).mean(
            axis=1
        )
        return (
            (
                v,
                np.asarray(g).reshape(values.shape)
                * transform_slope(values, n.spec.transform, n.scale)
                * (n.energy_scale / each),
            )
            if with_slopes
            else v
        )


def from_positions(model, with_forces=False):
    "A function of positions (M, N, d) and widths (M,) from one of inputs."
    d = model.network.descriptor
    if not with_forces:
        return lambda x, w: model.energies(d.values(x, w))

    def both(x, w):
        v, g = model.energies(d.values(x, w), True)
        return v, -x.shape[1] * d.pullback(x, w, g)

    return both


def one(name, network, rivals):
    "One configuration after another; rivals: {name: (model, how many, with forces too?)}."
    x, w, v, f = (
        np.random.default_rng(1).uniform(0, W, (ALONE, 4, 2)),
        np.array([W]),
        network.predict,
        network.energy_and_forces,
    )
    runs, calls = (
        {
            "package": lambda: [v(a, W) for a in x],
            "package, with forces": lambda: [f(a, W) for a in x],
        },
        [ALONE, ALONE],
    )
    for rival, (model, n, with_forces) in rivals.items():
        alone, both = from_positions(model), from_positions(model, True)
        assert np.allclose(alone(x[:1], w), v(x[:1], w), atol=1e-3 * np.abs(v(x, W)).max())
        runs[rival] = lambda alone=alone, n=n: [alone(a, w) for a in x[:n, None]]
        calls.append(n)
        if not with_forces:
            continue
        assert np.allclose(both(x[:1], w)[1], f(x[:1], w)[1], atol=1e-3 * np.abs(f(x, W)[1]).max())
        runs[f"{rival}, with forces"] = lambda both=both, n=n: [both(a, w) for a in x[:n, None]]
        calls.append(n)
    for run in runs.values():
        run()
    times = {
        name: 1e6 * t / n for name, t, n in zip(runs, best_of(*runs.values(), rounds=15), calls)
    }
    rows = [
        ("package", times.pop("package"), "us (asked: at most 50)"),
        ("package, with forces", times.pop("package, with forces"), "us"),
    ]
    rows += [
        (rival, t / rows["forces" in rival][1], f"times as long ({t:.4g} us)")
        for rival, t in times.items()
    ]
    show(
        f"one configuration, {NAMES[name]}"
        + ("" if "tensorflow" in sys.modules else "; TensorFlow is not imported"),
        rows,
    )


def many(name, network):
    "Many configurations at once; numpy gets a fifth of them, so as to be done some day. XLA gets what it likes best where the network is alone: scaled inputs, in its memory."
    x, w = np.random.default_rng(2).uniform(0, W, (MANY, 4, 2)), np.full(MANY, W)
    values, fifth = network.descriptor.values(x, w), slice(0, MANY // 5)
    numpy, xla = Plain(network), Compiled(network, "XLA")
    ready = xla.tf.constant(xla.scaled(values))
    parts = {
        "network alone": (
            lambda: network.from_inputs(values),
            lambda: numpy.energies(values[fifth]),
            lambda: xla.run(ready).numpy(),
        ),
        "network alone, with slopes": (
            lambda: network.from_inputs(values, True),
            lambda: numpy.energies(values[fifth], True),
            lambda: [a.numpy() for a in xla.run_slopes(ready)],
        ),
        "from positions": (
            lambda: network.predict(x, w),
            lambda: from_positions(numpy)(x[fifth], w[fifth]),
            lambda: from_positions(xla)(x, w),
        ),
        "from positions, with forces": (
            lambda: network.energy_and_forces(x, w),
            lambda: from_positions(numpy, True)(x[fifth], w[fifth]),
            lambda: from_positions(xla, True)(x, w),
        ),
    }
    for part, runs in parts.items():
        for run in runs:
            run()
        ours, plain, compiled = (
            1e6 * s / n
            for s, n in zip(
                best_of(*runs, rounds=9 if name == "global" else 4), (MANY, MANY // 5, MANY)
            )
        )
        asked = " (asked: at most 1)" if (part, name) == ("network alone", "global") else ""
        show(
            f"{MANY:,} configurations, {NAMES[name]}: {part}",
            [
                ("package", ours, f"us each{asked}"),
                ("numpy", plain / ours, f"times as long ({plain:.3g} us)"),
                ("XLA", compiled / ours, f"times as long ({compiled:.3g} us)"),
            ],
        )


def epochs(rows=12_800):
    "One epoch of training on energies: the compiled function against `fit`."
    import keras
    from pes_toy.networks import _training_epoch, build_model

    spec, rng = TrainingSpec(), np.random.default_rng(0)
    X, y = rng.normal(size=(rows, 8)).astype(np.float32), rng.normal(size=rows).astype(np.float32)
    model, optimizer, steps = (
        build_model(8, spec),
        keras.optimizers.Adam(spec.learning_rate),
        rows // spec.batch_size,
    )
    optimizer.build(model.trainable_variables)
    run = _training_epoch(
        model,
        optimizer,
        spec,
        dict(inputs=X[:, None], energy=y, n_particles=4),
        np.float32(0),
        np.float32(1),
    )
    ours = lambda: run(rng.permutation(rows).reshape(steps, -1), learning_rates(spec, 0, steps))

    def fitted(**how):
        other = build_model(8, spec)
        other.compile(optimizer=keras.optimizers.Adam(spec.learning_rate), loss="mae", **how)
        return lambda: other.fit(X, y, batch_size=spec.batch_size, epochs=1, verbose=0)

    rivals = {
        "model.fit": fitted(),
        "model.fit, not compiled by XLA": fitted(jit_compile=False),
        "model.fit, an epoch in one call": fitted(steps_per_execution=steps),
    }
    for call in (ours, *rivals.values()):
        call(), call()
    t, *others = best_of(ours, *rivals.values(), rounds=7)
    show(
        f"one epoch of training: {rows:,} configurations, batches of {spec.batch_size}, 8 inputs, 3 x 64",
        [
            ("package", 1e3 * t, "ms"),
            ("   a step", 1e6 * t / steps, "us"),
            *(
                (name, s / t, f"times as long ({1e3 * s:.4g} ms)")
                for name, s in zip(rivals, others)
            ),
        ],
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        train_both(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as folder:
            made = subprocess.run(
                [sys.executable, __file__, folder], capture_output=True, text=True
            )
            if made.returncode:
                sys.exit(f"the networks could not be trained:\n{made.stderr}")
            networks = {name: load_network(Path(folder) / f"{name}.npz") for name in SPECS}
        for name, network in networks.items():
            one(name, network, {"numpy": (Plain(network), ALONE, True)})
        assert "tensorflow" not in sys.modules and "keras" not in sys.modules
        for name, network in networks.items():
            few = {
                "model.predict": (3, False),
                "model(x)": (50, False),
                "tf.function": (ALONE, True),
                "XLA": (ALONE, True),
            }
            one(
                name,
                network,
                {
                    "numpy": (Plain(network), ALONE, True),
                    **{way: (Compiled(network, way), *how) for way, how in few.items()},
                },
            )
        for name, network in networks.items():
            many(name, network)
        epochs()
