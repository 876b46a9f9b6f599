"""A training epoch beside Keras's `fit`, and predictions beside its `predict`.

The network of 8 eigenvalues and 3 x 64 units, batches of 32, Adam. Training is in single precision
on both sides and from the same weights; predictions of the package are in double precision, those
of Keras in single, which is less work.
"""

import functools

import numpy as np
import pes_toy as pt
from pes_toy.training import TrainingSpec, learning_rates

from peers.contest import Entry, contest, deliver, entered, within

ROWS, K = 12_800, 8
SPEC = TrainingSpec()
STEPS = ROWS // SPEC.batch_size
SAME = f"{ROWS:,} configurations, batches of {SPEC.batch_size}, 8 inputs, 3 x 64 units, energies"
rng = np.random.default_rng(0)
X = rng.normal(size=(ROWS, K)).astype(np.float32)
y = rng.normal(size=ROWS).astype(np.float32)


def adam(model):
    import keras

    optimizer = keras.optimizers.Adam(SPEC.learning_rate)
    optimizer.build(model.trainable_variables)
    return optimizer


def package():
    "A Keras model, and a function that trains it for an epoch in the given order."
    from pes_toy.engine.epochs import CompiledEpoch, TrainingData, build_model

    model = build_model(K, SPEC)
    run = CompiledEpoch(model, adam(model), SPEC, TrainingData(X[:, None], y, n_particles=4))

    def epoch(order, rates=None):
        rates = learning_rates(SPEC, 0, STEPS) if rates is None else rates
        return run(order.reshape(STEPS, -1), rates)

    return model, epoch


def fitted(**how):
    "The same model, compiled for `fit`."
    from pes_toy.engine.epochs import build_model

    model = build_model(K, SPEC)
    model.compile(optimizer=adam(model), loss=SPEC.loss, **how)
    return model


def fit(model, **how):
    return model.fit(X, y, batch_size=SPEC.batch_size, epochs=1, verbose=0, **how)


def epoch_agreement(**how):
    "Both train for an epoch in one order, at one rate, from the same weights."
    model, epoch = package()
    loss = epoch(np.arange(ROWS), np.full(STEPS, SPEC.learning_rate))
    theirs = fitted(**how)
    other = fit(theirs, shuffle=False).history["loss"][0]
    pairs = zip(model.get_weights(), theirs.get_weights())
    apart = max(np.abs(a - b).max() for a, b in pairs)
    return f"mean loss {within(abs(loss / other - 1))}, weights after it {within(apart)}"


def fit_entry(name, asked=None, **how):
    model = fitted(**how)
    return Entry(name, functools.partial(fit, model), 1.0, epoch_agreement(**how), asked)


def epochs():
    _, epoch = package()
    ways = {"Keras, fit": {}, "Keras, fit, not compiled by XLA": {"jit_compile": False},
            "Keras, fit, an epoch in one call": {"steps_per_execution": STEPS}}
    peers = []
    for name, how in ways.items():
        asked = None if how else 5.0
        peers.append(entered(name, functools.partial(fit_entry, name, asked, **how), asked))
    order = np.random.default_rng(1)
    ours = Entry("package", lambda: epoch(order.permutation(ROWS)), 1.0)
    return contest("training epoch", "epoch", SAME, ours, peers, rounds=5)


def predictions(count):
    "Energies of scaled inputs, alone or many."
    network = pt.sample_network()
    model = network.keras_model()
    x = np.random.default_rng(2).uniform(0, 5.0, (count, 4, 2))
    values = network.descriptor.values(x, np.full(count, 5.0))
    rows = network_inputs(network, values)

    def predicted():
        out = model.predict(rows, verbose=0, batch_size=4096).reshape(count, -1).mean(axis=1)
        return network.energy_shift + network.energy_scale * out

    def build():
        ours = network.from_inputs(values)[0]
        apart = np.abs(predicted() - ours).max() / np.abs(ours).max()
        return Entry("Keras, predict", predicted, count, f"{within(apart)} (single precision)")

    def ours():
        for _ in range(200 if count == 1 else 1):
            network.from_inputs(values)

    entry = Entry("package", ours, count * (200 if count == 1 else 1))
    same = "the network that comes with the package, from inputs to energies"
    title = "prediction, one configuration" if count == 1 else f"prediction, {count:,} at once"
    return contest(title, "configuration", same, entry, [entered("Keras, predict", build)])


def network_inputs(network, values):
    "Scaled inputs in single precision, a row for each call of the network."
    from pes_toy.networks import apply_transform

    rows = values.reshape(-1, values.shape[-1])
    scaled = apply_transform(rows, network.spec.transform, network.shift, network.scale)
    return scaled.astype(np.float32)


if __name__ == "__main__":
    deliver([epochs(), predictions(1), predictions(20_000)])
