"""Predictions of trained networks, and their training, against numpy, Keras and TensorFlow.

Two networks of 4 particles in 2-D, w = 5: the default one (8 eigenvalues, 3 x 64, softplus) and
`TrainingSpec.recommended()` (symmetry functions, one network shared by all particles). They are
trained for two epochs in a process of their own, so that the first part is measured where
TensorFlow was never imported. Every contestant gets positions and returns energies per particle
(and forces): inputs from the package's descriptor, scaling in numpy, then the network. Only
"network alone" begins with the inputs. Keras and TensorFlow compute in single precision, the
package and numpy (`plain_network`) in double.

`python benchmarks/networks.py numpy` measures only the package and numpy.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from timing import best_of, show

from pes_toy.generation import generate_in_memory as generate
from pes_toy.networks import apply_transform, load_network, plain_network, transform_slope
from pes_toy.specification import DatabaseSpec
from pes_toy.training import TrainingSpec, learning_rates, train_in_memory as train

W = 5.0
ALONE = 200
MANY = 100_000
SPECS = {"global": TrainingSpec(epochs=2), "local": TrainingSpec.recommended(epochs=2)}
NAMES = {
    "global": "8 eigenvalues, 3 x 64",
    "local": "recommended: 38 symmetry functions of each particle",
}


def train_both(folder):
    "Writes the two networks; the work of the process of their own."
    spec = DatabaseSpec(n_configurations=1000, epochs=10, forces=True)
    database = generate(spec, progress=False)
    for name, training in SPECS.items():
        train(database, training, progress=False).save(Path(folder) / f"{name}.npz")


class Rival:
    "A network computed in another way; a subclass says what its outputs and slopes are."

    def __init__(self, network):
        self.network = network

    def scaled(self, values):
        "Scaled inputs, a row for each network call."
        n = self.network
        rows = values.reshape(-1, values.shape[-1])
        return apply_transform(rows, n.spec.transform, n.shift, n.scale)

    def energies(self, values, with_slopes=False):
        "Energies per particle of inputs, and dv/dinputs."
        n = self.network
        each = values.shape[1] if values.ndim == 3 else 1
        out, g = self.outputs(self.scaled(values), with_slopes)
        mean = np.asarray(out).reshape(len(values), each).mean(axis=1)
        energy = n.energy_shift + n.energy_scale * mean
        if not with_slopes:
            return energy
        slopes = np.asarray(g).reshape(values.shape) * (n.energy_scale / each)
        return energy, slopes * transform_slope(values, n.spec.transform, n.scale)

    def predict(self, x, w):
        return self.energies(self.network.descriptor.values(x, w))

    def energy_and_forces(self, x, w):
        descriptor = self.network.descriptor
        energy, slopes = self.energies(descriptor.values(x, w), True)
        return energy, -x.shape[1] * descriptor.pullback(x, w, slopes)


class Plain(Rival):
    "The plain twin in numpy, in blocks of rows."

    def __init__(self, network, block=256):
        super().__init__(network)
        self.block = block
        self.weights = [(W.astype(float), b.astype(float)) for W, b in network.weights]

    def outputs(self, rows, with_slopes):
        kind = self.network.spec.activation
        parts = [rows[i : i + self.block] for i in range(0, len(rows), self.block)]
        found = [plain_network(part, self.weights, kind) for part in parts]
        out, slopes = zip(*found)
        return np.concatenate(out), np.concatenate(slopes)


class Compiled(Rival):
    "The Keras model of a network, called in one of the ways of TensorFlow."

    def __init__(self, network, way):
        super().__init__(network)
        model = network.keras_model()
        import tensorflow as tf

        def slopes(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                out = model(x)
            return out, tape.gradient(out, x)

        def through_predict(x):
            return model.predict(x, verbose=0)

        compiled = dict(jit_compile=way == "XLA")
        called = {"model.predict": through_predict, "model(x)": model}
        self.tf = tf
        self.run = called.get(way) or tf.function(model, **compiled)
        self.run_slopes = tf.function(slopes, **compiled)

    def outputs(self, rows, with_slopes):
        rows = rows.astype(np.float32)
        if with_slopes:
            return self.run_slopes(self.tf.constant(rows))
        return self.run(rows), None


def check(network, rival, with_forces):
    "Both say the same."
    x = np.random.default_rng(1).uniform(0, W, (3, 4, 2))
    w = np.full(3, W)
    v, f = network.energy_and_forces(x, w)
    assert np.allclose(rival.predict(x, w), v, atol=1e-3 * np.abs(v).max())
    if with_forces:
        assert np.allclose(rival.energy_and_forces(x, w)[1], f, atol=1e-3 * np.abs(f).max())


def one(name, network, rivals):
    "One configuration after another; rivals: {name: (model, how many, with forces too?)}."
    x = np.random.default_rng(1).uniform(0, W, (ALONE, 4, 2))
    one_width = np.array([W])
    runs = {
        "package": (lambda: [network.predict(a, W) for a in x], ALONE),
        "package, with forces": (lambda: [network.energy_and_forces(a, W) for a in x], ALONE),
    }
    for rival, (model, n, with_forces) in rivals.items():
        check(network, model, with_forces)

        def alone(ask=model.predict, n=n):
            return [ask(a, one_width) for a in x[:n, None]]

        def both(ask=model.energy_and_forces, n=n):
            return [ask(a, one_width) for a in x[:n, None]]

        runs[rival] = (alone, n)
        if with_forces:
            runs[f"{rival}, with forces"] = (both, n)
    for run, _ in runs.values():
        run()
    times = best_of(*(run for run, _ in runs.values()), rounds=15)
    each = {name: 1e6 * t / n for (name, (_, n)), t in zip(runs.items(), times)}
    rows = [("package", each.pop("package"), "us (asked: at most 50)")]
    rows.append(("package, with forces", each.pop("package, with forces"), "us"))
    for rival, t in each.items():
        ours = rows[1 if "forces" in rival else 0][1]
        rows.append((rival, t / ours, f"times as long ({t:.4g} us)"))
    known = "" if "tensorflow" in sys.modules else "; TensorFlow is not imported"
    show(f"one configuration, {NAMES[name]}{known}", rows)


def contest(title, runs, sizes, rounds):
    "Times of each for a configuration, and how many times as long as the package's."
    for run in runs.values():
        run()
    seconds = best_of(*runs.values(), rounds=rounds)
    each = {name: 1e6 * s / n for name, s, n in zip(runs, seconds, sizes)}
    rows = []
    for name, t in each.items():
        ratio = t / each["package"]
        first = name == "package"
        rows.append((name, t, "us each") if first else (name, ratio, f"times as long ({t:.3g} us)"))
    show(title, rows)


def many(name, network, with_xla=True):
    """Many configurations at once; numpy gets a fifth of them, so as to be done some day. XLA gets
    what it likes best where the network is alone: scaled inputs, in its memory."""
    x = np.random.default_rng(2).uniform(0, W, (MANY, 4, 2))
    w = np.full(MANY, W)
    values = network.descriptor.values(x, w)
    some = values[: MANY // 5]
    blocks = Plain(network)
    whole = Plain(network, MANY * 4)
    xla = Compiled(network, "XLA") if with_xla else None
    ready = xla.tf.constant(xla.scaled(values).astype(np.float32)) if with_xla else None
    sizes = [MANY, MANY // 5, MANY // 5, MANY]
    rounds = 9 if name == "global" else 4
    for slopes in (False, True):
        runs = {
            "package": lambda: network.from_inputs(values, slopes),
            "numpy in blocks": lambda: blocks.energies(some, slopes),
            "numpy in one piece": lambda: whole.energies(some, slopes),
        }
        if with_xla:
            ask = xla.run_slopes if slopes else xla.run
            runs["XLA"] = lambda: [np.asarray(a) for a in np.atleast_1d(ask(ready))]
        part = "network alone, with slopes" if slopes else "network alone"
        contest(f"{MANY:,} configurations, {NAMES[name]}: {part}", runs, sizes, rounds)
        asked = "energy_and_forces" if slopes else "predict"
        models = dict(zip(("package", "numpy in blocks", "XLA"), (network, blocks, xla)))
        runs = {}
        for title, model in models.items():
            if model is not None:
                n = MANY // 5 if model is blocks else MANY
                runs[title] = lambda ask=getattr(model, asked), n=n: ask(x[:n], w[:n])
        part = "from positions, with forces" if slopes else "from positions"
        title = f"{MANY:,} configurations, {NAMES[name]}: {part}"
        contest(title, runs, [MANY, MANY // 5, MANY], rounds)


def epochs(rows=12_800):
    "One epoch of training on energies: the compiled function against `fit`."
    import keras

    from pes_toy.engine.epochs import CompiledEpoch, TrainingData, build_model

    spec = TrainingSpec()
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, 8)).astype(np.float32)
    y = rng.normal(size=rows).astype(np.float32)
    model = build_model(8, spec)
    optimizer = keras.optimizers.Adam(spec.learning_rate)
    optimizer.build(model.trainable_variables)
    run = CompiledEpoch(model, optimizer, spec, TrainingData(X[:, None], y, n_particles=4))
    steps = rows // spec.batch_size

    def ours():
        run(rng.permutation(rows).reshape(steps, -1), learning_rates(spec, 0, steps))

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
        call()
        call()
    t, *others = best_of(ours, *rivals.values(), rounds=7)
    found = [("package", 1e3 * t, "ms"), ("   a step", 1e6 * t / steps, "us")]
    for name, s in zip(rivals, others):
        found.append((name, s / t, f"times as long ({1e3 * s:.4g} ms)"))
    batch = f"batches of {spec.batch_size}, 8 inputs, 3 x 64"
    show(f"one epoch of training: {rows:,} configurations, {batch}", found)


def trained():
    "The two networks."
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "train", folder]
        made = subprocess.run(command, capture_output=True, text=True)
        if made.returncode:
            sys.exit(f"the networks could not be trained:\n{made.stderr}")
        return {name: load_network(Path(folder) / f"{name}.npz") for name in SPECS}


def main(only_numpy):
    networks = trained()
    for name, network in networks.items():
        one(name, network, {"numpy": (Plain(network), ALONE, True)})
    assert "tensorflow" not in sys.modules and "keras" not in sys.modules
    if only_numpy:
        for name, network in networks.items():
            many(name, network, with_xla=False)
        return
    for name, network in networks.items():
        ways = {"model.predict": (3, False), "model(x)": (50, False)}
        ways |= {"tf.function": (ALONE, True), "XLA": (ALONE, True)}
        rivals = {way: (Compiled(network, way), *how) for way, how in ways.items()}
        one(name, network, {"numpy": (Plain(network), ALONE, True), **rivals})
    for name, network in networks.items():
        many(name, network)
    epochs()


if __name__ == "__main__":
    if sys.argv[1:2] == ["train"]:
        train_both(sys.argv[2])
    else:
        main(only_numpy=sys.argv[1:2] == ["numpy"])
