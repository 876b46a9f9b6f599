"""Networks and experiments of the installed package: batteries that would teach nothing in the chapters."""
import dataclasses, hashlib, json, math, os, random, subprocess, sys, warnings
from pathlib import Path

import numpy as np
import pytest

import matplotlib
matplotlib.use("agg")
import matplotlib.pyplot as plt

from pes_toy import experiments as ex, networks as ns
from pes_toy.database import Database, DatabaseSpec, generate
from pes_toy.descriptors import Descriptor, ProximityEigenvalues, RelativeDistances, SymmetryFunctions, drag_path, prepare
from pes_toy.energy import energy_and_forces, energy_per_particle
from pes_toy.potentials import Potential
from pes_toy.networks import ACTIVATIONS, LOSSES, OPTIMIZERS, SCHEDULES, TRANSFORMS, Network, TrainingSpec, load_network, train


@dataclasses.dataclass(frozen=True)
class Waves(Descriptor):
    "A user's own: |sum_i exp(2 pi i k . x_i / w)|^2 for a few waves k, and the width; global, without gradients."
    waves: tuple = (1, 2, 3)

    def values(self, positions, width):
        k = np.array([[n, m, n - m][:positions.shape[2]] for n in self.waves for m in (0, 1, 2)])
        phases = np.exp(2j * np.pi * (positions / width[:, None, None]) @ k.T)
        return np.concatenate([np.abs(phases.sum(axis=1)) ** 2, width[:, None]], axis=1)


FIELDS = [f.name for f in dataclasses.fields(TrainingSpec)]
INPUTS = ["proximity", "symmetry", Waves()]
name = lambda value: value if isinstance(value, str) else type(value).__name__ if isinstance(value, Descriptor) else None
TINY = dict(hidden=(8,), batch_size=32, epochs=4, learning_rate=1e-2)


def handmade(spec, N=4, d=2, seed=0, **more):
    "A network that nobody trained: random weights, the scaling of random configurations."
    rng = np.random.default_rng(seed)
    x, w = rng.uniform(0, 4, (200, N, d)), rng.uniform(3, 5, 200)
    values = spec.descriptor.values(x, w)
    sizes = (values.shape[-1], *spec.hidden, 1)
    weights = [(rng.normal(size=(n, m)).astype(np.float32) / np.float32(n**0.5), rng.normal(size=m).astype(np.float32)) for n, m in zip(sizes, sizes[1:])]
    return Network(spec, weights, *ns.fit_transform(values, spec.transform), -1.3, 0.7, N, d, **more)


def spread(N, d, M, rng, low=2.0, high=6.0):
    "Random configurations of mixed widths without close pairs."
    found, widths = [], []
    while len(found) < M:
        w = rng.uniform(low, high)
        x = rng.uniform(0, w, (N, d))
        t = x[:, None] - x
        if (np.linalg.norm(t - w * np.round(t / w), axis=2) + 9 * np.eye(N)).min() > 0.4: found.append(x), widths.append(w)
    return np.array(found), np.array(widths)


def slopes_of(predict, x, w, h=1e-5):
    "Minus N times the numerical derivative of energies per particle."
    forces = np.empty_like(x)
    for j, c in np.ndindex(x.shape[1:]):
        step = np.zeros_like(x)
        step[:, j, c] = h
        forces[:, j, c] = -x.shape[1] * (predict(x + step, w) - predict(x - step, w)) / (2 * h)
    return forces


def same_weights(one, two): return all(np.array_equal(a, b) for p, q in zip(one.weights, two.weights) for a, b in zip(p, q))


def in_process(code, *arguments, **environment):
    "What a fresh process prints."
    done = subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, env={**os.environ, **environment})
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def db():
    "200 configurations with forces."
    return generate(DatabaseSpec(n_configurations=200, epochs=10, forces=True), progress=False)


@pytest.fixture(scope="module")
def small(db):
    "A trained network."
    return train(db, TrainingSpec(**TINY), progress=False)


# What a specification refuses and how it survives

IMPOSSIBLE = [(dict(inputs="eigenvalues"), "inputs"), (dict(inputs="symmetry", orders=(-4,)), "orders"), (dict(inputs=Waves(), orders=(-4,)), "orders"), (dict(inputs=ProximityEigenvalues(), orders=(-4,)), "orders"),
              *((dict(orders=v), "orders") for v in ((), (-1,), (-2, -2), ("a",), (math.nan,))), *((dict(inputs=i, R_0p=4.0), "R_0p") for i in ("symmetry", "distances", Waves())),
              *((dict(R_0p=v), "R_0p") for v in (0, -1.0, math.nan, math.inf, "3", (1, 2, 3), True)), *((dict(transform=v), "transform") for v in ("log", None, 1)),
              *((dict(hidden=v), "hidden") for v in (0, (8, 0), (8, 2.5), ("8",), None, True, ((8, 8), (8, 8)))), *((dict(activation=v), "activation") for v in ("gelu", None)),
              *((dict(optimizer=v), "optimizer") for v in ("adamm", None)), *((dict(learning_rate=v), "learning_rate") for v in (0, -1e-3, math.nan, math.inf, "fast", None, True)),
              *((dict(schedule=v), "schedule") for v in ("linear", None)), *((dict(loss=v), "loss") for v in ("mape", None)), *((dict(force_weight=v), "force_weight") for v in (-1, math.nan, None)),
              *((dict(batch_size=v), "batch_size") for v in (0, 1.5, "all", None)), *((dict(epochs=v), "epochs") for v in (0, 2.5, None)), *((dict(patience=v), "patience") for v in (0, -1, 2.5, "never")),
              *((dict(validation=v), "validation") for v in (0, 1, 1.5, -0.1, math.nan, None)), *((dict(standardise_energy=v), "standardise_energy") for v in (1, None, "yes")), *((dict(seed=v), "seed") for v in (-1, 0.5, None))]
SPECS = [TrainingSpec(), TrainingSpec.thesis(), TrainingSpec.recommended(), TrainingSpec("distances"), TrainingSpec("distances", orders=(-1, -2.5)), TrainingSpec(orders=(-2, -3.5, -2), R_0p=(3, 2.5, 6)),
         TrainingSpec(SymmetryFunctions(cutoff=2.5, third_side=False)), TrainingSpec(Waves((1, 5))), TrainingSpec(RelativeDistances()), TrainingSpec(ProximityEigenvalues((-2, -4), 6)),
         TrainingSpec("symmetry", transform="raw", hidden=(), activation="tanh", optimizer="lion", learning_rate=np.float32(0.1), schedule="plateau", loss="huber", force_weight=2, batch_size=np.int64(7), epochs=3, patience=5, validation=0.5, standardise_energy=False, seed=9)]


@pytest.mark.parametrize("setting,blamed", IMPOSSIBLE, ids=lambda v: str(v)[:50])
def test_impossible_settings_are_named(setting, blamed):
    with pytest.raises((ValueError, TypeError), match=rf"\b{blamed}\b"): TrainingSpec(**setting)


def test_every_setting_can_be_wrong(): assert {blamed for _, blamed in IMPOSSIBLE} == set(FIELDS)


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: name(s.inputs))
def test_specifications_survive(spec):
    text = json.dumps(spec.to_dict())
    again = TrainingSpec.from_dict(json.loads(text))
    assert again == spec and hash(again) == hash(spec) and json.dumps(again.to_dict()) == text and list(spec.to_dict()) == FIELDS
    assert again.descriptor == spec.descriptor and isinstance(spec.descriptor, Descriptor) and dataclasses.replace(spec) == spec
    assert {spec: 1}[again] and spec != dataclasses.replace(spec, seed=spec.seed + 1)
    for field in FIELDS:
        with pytest.raises(dataclasses.FrozenInstanceError): setattr(spec, field, getattr(spec, field))


def test_specifications_have_one_form():
    assert TrainingSpec(hidden=64) == TrainingSpec(hidden=[64]) == TrainingSpec(hidden=np.array([64])) and TrainingSpec(activation="ReLU", optimizer="Adam", loss="MAE") == TrainingSpec(activation="relu")
    assert TrainingSpec(orders=[-2.0, -3], R_0p=[3, 3]) == TrainingSpec() and TrainingSpec(orders=-2).orders == (-2,) and TrainingSpec.from_dict({}) == TrainingSpec()
    with pytest.raises(ValueError, match="'layers' is no setting"): TrainingSpec.from_dict(dict(layers=3))
    with pytest.raises(ValueError, match="define or import your own class"): TrainingSpec.from_dict(dict(inputs=dict(type="Unheard")))
    with pytest.raises(TypeError, match="a Descriptor"): TrainingSpec(inputs=Waves)


# Prediction

def test_prediction_loads_nothing_heavy(tmp_path):
    for i, spec in enumerate((TrainingSpec(), TrainingSpec.recommended())): handmade(spec).save(tmp_path / f"{i}.npz")
    heavy = in_process("""
import sys
import pes_toy
for i in (0, 1):
    network = pes_toy.load_network(f"{sys.argv[1]}/{i}.npz")
    x = [[0.3, 0.5], [2.5, 1.0], [1.1, 3.0], [4.0, 4.2]]
    network.predict(x, 5.0), network.forces([x], 5.0), repr(network)
print([m for m in ("tensorflow", "keras", "matplotlib", "pandas", "pyarrow", "sklearn", "joblib") if m in sys.modules])""", tmp_path)
    assert heavy.strip() == "[]"


@pytest.mark.parametrize("inputs", INPUTS, ids=name)
@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("d", [2, 3])
def test_forces_are_slopes(inputs, transform, d):
    x, w = spread(3, d, 6, np.random.default_rng(d))
    for activation in ACTIVATIONS:
        network = handmade(TrainingSpec(inputs, transform=transform, activation=activation, hidden=(9, 5)), 3, d)
        v, f = network.energy_and_forces(x, w)
        np.testing.assert_array_equal(network.predict(x, w), v)
        np.testing.assert_array_equal(network.forces(x, w), f)
        assert f.shape == x.shape and np.abs(f).max() > 1e-3
        np.testing.assert_allclose(f, slopes_of(network.predict, x, w), rtol=0, atol=2e-6 * np.abs(f).max(), err_msg=activation)
        np.testing.assert_allclose(f.sum(axis=1), 0, atol=1e-9 * np.abs(f).max())


def test_activations_far_out():
    z = np.concatenate([[0.0], *(s * np.array([1e-300, 1e-8, 1e-3, 0.5, 5, 36, 37, 100, 600, 690, 710, 1e4, 1e8]) for s in (1, -1))])
    with np.errstate(over="ignore"): fading = 1 / (1 + np.exp(-z))
    plain = dict(linear=z, softplus=np.logaddexp(z, 0), tanh=np.tanh(z), sigmoid=fading, silu=z * fading, relu=np.maximum(z, 0), elu=np.where(z > 0, z, np.expm1(np.minimum(z, 0))))
    for activation in ACTIVATIONS:
        one = np.ones((1, 1)), np.zeros(1)
        out, slopes = ns.Layers([one, one], "raw", np.zeros(1), np.ones(1), activation).run(z[:, None], True)
        np.testing.assert_allclose(out, plain[activation], rtol=1e-14, atol=1e-15, err_msg=activation)
        assert np.isfinite(slopes).all() and (slopes >= -0.1).all() and (slopes <= 1.1).all()
        if activation in ("softplus", "sigmoid"): np.testing.assert_allclose(out[np.abs(z) < 650], plain[activation][np.abs(z) < 650], rtol=1e-14)     # small ones too


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_kernels_do_what_keras_does(activation):
    import tensorflow as tf
    for hidden in ((), (5,), (64, 64, 64)):
        network = handmade(TrainingSpec(hidden=hidden, activation=activation))
        model, x = network.keras_model(), np.random.default_rng(1).normal(size=(50, 8)).astype(np.float32)
        assert model.count_params() == network.n_parameters
        with tf.GradientTape() as tape:
            tape.watch(t := tf.constant(x))
            out = model(t)
        g = tape.gradient(out, t).numpy()
        found, slopes = ns.Layers(network.weights, "raw", np.zeros(8), np.ones(8), activation).run(x.astype(float), True)
        np.testing.assert_allclose(found, out.numpy()[:, 0], rtol=0, atol=3e-6 * np.abs(found).max())
        np.testing.assert_allclose(slopes, g, rtol=0, atol=3e-6 * np.abs(slopes).max())


@pytest.mark.parametrize("M", [1, 2, 15, 16, 17, 63, 65, 129, 700])
def test_any_number_of_threads(M):
    x = np.random.default_rng(M).normal(size=(M, 38)) * 5
    for activation in ACTIVATIONS:
        layers = handmade(TrainingSpec("symmetry", activation=activation, hidden=(31, 7))).layers
        one = layers.run(x, True, workers=1)
        for workers in (2, 3, 5):
            for a, b in zip(layers.run(x, True, workers=workers), one): np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(layers.run(x, False)[0], one[0])                                  # the energies do not depend on the forces being asked for


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
    assert network.predict(x[:0], 5.0).shape == (0,) and network.predict(x[0].tolist(), 5) == network.predict(x[0], 5.0) == network.predict(np.asfortranarray(x[0]), np.float64(5))


def test_configurations_it_does_not_know():
    rng = np.random.default_rng(0)
    every, whole = handmade(TrainingSpec("symmetry")), handmade(TrainingSpec())
    assert every.predict(rng.uniform(0, 5, (3, 7, 2)), 5.0).shape == (3,) and every.forces(rng.uniform(0, 5, (1, 2)), 5.0).shape == (1, 2)
    for network, shape, message in ((whole, (5, 2), "knows 4 only"), (whole, (4, 3), "3-D"), (every, (4, 3), "3-D"), (every, (4, 1), "1-D")):
        for method in (network.predict, network.forces, network.energy_and_forces):
            with pytest.raises(ValueError, match=message): method(rng.uniform(0, 5, shape), 5.0)
    for x, w, message in ((np.full((4, 2), math.nan), 5.0, "finite"), (np.ones((4, 2)), 5.0, "coincide"), (rng.uniform(0, 5, (4, 2)), -5.0, "width"), (rng.uniform(0, 5, (2, 4, 2)), [5.0, 5.0, 5.0], "one for each")):
        with pytest.raises(ValueError, match=message): whole.predict(x, w)
    with pytest.raises(NotImplementedError, match="from_inputs"): type("Lazy", (ns.Predictor,), dict(descriptor=Waves(), n_particles=4, dimension=2))().predict(rng.uniform(0, 5, (4, 2)), 5.0)
    @dataclasses.dataclass(frozen=True)
    class Broken(Waves):
        def values(self, positions, width): return super().values(positions, width) * math.inf
    with pytest.raises(ValueError, match="values of Broken are not finite"): dataclasses.replace(handmade(TrainingSpec(Waves())), spec=TrainingSpec(Broken())).predict(rng.uniform(0, 5, (4, 2)), 5.0)


# Training

REPEATED = [(TrainingSpec(**TINY), False), (TrainingSpec("symmetry", force_weight=0.5, optimizer="nadam", loss="huber", **{**TINY, "hidden": (16, 16)}), False), (TrainingSpec(Waves(), schedule="plateau", patience=2, **TINY), True)]


def digests(db):
    "Of the weights and histories of some trainings; the test process and a fresh one have to agree."
    found = []
    for spec, split in REPEATED:
        copy = dataclasses.replace(db)
        if split: copy.split(0.3, seed=1)
        network = train(copy, spec, progress=False)
        facts = {k: v for k, v in network.history.items() if k != "seconds"}
        found.append(hashlib.sha256(b"".join(a.tobytes() for layer in network.weights for a in layer) + json.dumps(facts).encode()).hexdigest())
    return found


def test_training_repeats_in_another_process(db, tmp_path):
    path = db.save(tmp_path / "db.parquet")
    experiment = ex.Experiment("a", DatabaseSpec(), TrainingSpec(Waves()))
    fresh = in_process("""
import sys, random, json
import numpy as np
random.seed(11); np.random.seed(12)
import tensorflow as tf
tf.random.set_seed(13); tf.random.uniform((3,)); np.random.rand(7)
sys.path.insert(0, sys.argv[1])
from test_networks import *
from pes_toy.database import load
print(json.dumps([digests(load(sys.argv[2])), ex.Experiment("b", DatabaseSpec(), TrainingSpec(Waves())).key]))""", Path(__file__).parent, path, TF_NUM_INTRAOP_THREADS="1", PYTHONHASHSEED="42")
    before = np.random.get_state()[1].copy(), random.getstate()
    here = digests(db)
    assert (np.random.get_state()[1] == before[0]).all() and random.getstate() == before[1]                     # and no global state is touched
    assert json.loads(fresh.splitlines()[-1]) == [here, experiment.key] and len(set(here)) == len(REPEATED)


@pytest.mark.parametrize("i", range(len(OPTIMIZERS)), ids=OPTIMIZERS)
def test_optimizers_losses_schedules(db, i):
    "Ten trainings, in which all optimizers, losses and schedules occur, half of them with forces."
    spec = TrainingSpec("distances" if i % 4 == 3 else "proximity", optimizer=OPTIMIZERS[i], loss=LOSSES[i % 3], schedule=SCHEDULES[i // 3 % 3], force_weight=i % 2, hidden=(8,), batch_size=32, epochs=12, learning_rate={"adadelta": 10.0, "adagrad": 0.1, "ftrl": 0.1, "lion": 1e-3}.get(OPTIMIZERS[i], 3e-3))
    network = train(db, spec, progress=False)
    loss, known = network.history["loss"], network.about
    assert np.isfinite(loss).all() and np.mean(loss[-3:]) < 0.98 * loss[0] and len(loss) == 12 and known["ended"] == "epochs"
    assert {len(v) for v in network.history.values()} == {12} and ("validation_force_error" in network.history) == bool(spec.force_weight)
    rates = np.array(network.history["learning_rate"])
    assert rates[0] <= spec.learning_rate and {"constant": (rates == rates[0]).all(), "cosine": (np.diff(rates) < 0).all() and rates[-1] < 0.1 * rates[0], "plateau": set(rates / rates[0]) <= {1, 0.5}}[spec.schedule]
    assert (np.diff(network.history["seconds"]) > 0).all() and known["seconds"] >= network.history["seconds"][-1]


def test_validation_is_what_it_says(db):
    copy = dataclasses.replace(db)
    _, aside = copy.split(0.35, seed=5)
    network = train(copy, TrainingSpec("symmetry", force_weight=0.2, loss="mse", **TINY), progress=False)
    v, f = network.energy_and_forces(aside.positions, aside.width)
    known, history = network.about, network.history
    assert (known["trained_on"], known["validated_on"]) == (130, 70) and known["ended"] == "epochs" and known["database"] == db.spec.to_dict()
    np.testing.assert_allclose([known["validation_mae"], known["validation_rmse"], known["validation_force_error"]], [np.abs(v - aside.energy).mean(), np.sqrt(np.mean((v - aside.energy) ** 2)), np.abs(f - aside.forces).mean() / np.abs(aside.forces).mean()], rtol=1e-5)
    score = np.array(history["validation_mae"]) + 0.2 * np.abs(aside.forces).mean() * np.array(history["validation_force_error"])
    assert known["best_epoch"] == 1 + score.argmin() and history["validation_mae"][score.argmin()] == known["validation_mae"] == network.validation_mae
    training, left = ns.training_rows(db, 0.2, 3)                              # without a remembered split: the seed's
    assert len(left) == 40 and sorted([*training, *left]) == list(range(200)) and not np.array_equal(left, ns.training_rows(db, 0.2, 4)[1])
    assert db.subset is None and np.array_equal(copy.positions, db.positions)


def test_a_database_of_another_kind():
    "Three dimensions, three particles, widths from 3 to 4, in one dimension too; local and global; energies that never vary."
    db = generate(DatabaseSpec(n_configurations=80, n_particles=3, dimension=3, width=(3.0, 4.0), n_widths=3, epochs=5, forces=True), progress=False)
    for inputs in ("symmetry", "proximity"):
        network = train(db, TrainingSpec(inputs, force_weight=1.0, **TINY), progress=False)
        assert (network.n_particles, network.dimension) == (3, 3) and network.about["widths"] == [3.0, 4.0] and network.history["loss"][-1] < network.history["loss"][0]
        np.testing.assert_allclose(network.forces(db.positions[:3], db.width[:3]), slopes_of(network.predict, db.positions[:3], db.width[:3]), rtol=0, atol=1e-5 * np.abs(network.forces(db.positions[:3], db.width[:3])).max())
    still = Database.from_arrays(np.random.default_rng(0).uniform(0, 9, (40, 3, 1)), 9.0, np.full(40, 2.5))
    network = train(still, TrainingSpec(**{**TINY, "epochs": 60}), progress=False)
    assert network.about["database"] is None and np.abs(network.predict(still.positions, 9.0) - 2.5).max() < 0.5


def noise(M=60):
    "Energies that nothing can be learned about."
    rng = np.random.default_rng(4)
    return Database.from_arrays(rng.uniform(0, 5, (M, 4, 2)), 5.0, rng.normal(size=M))


def test_patience_returns_the_best():
    network = train(noise(), TrainingSpec(hidden=(64,), batch_size=16, epochs=300, learning_rate=1e-2, schedule="constant", patience=4), progress=False)
    mae, best = network.history["validation_mae"], network.about["best_epoch"]
    assert network.about["ended"] == "patience" and len(mae) == best + 4 < 300 and min(mae) == mae[best - 1] == network.validation_mae
    aside = noise()[ns.training_rows(noise(), 0.2, 0)[1]]
    np.testing.assert_allclose(np.abs(network.predict(aside.positions, 5.0) - aside.energy).mean(), min(mae), rtol=1e-12)


def test_callbacks_and_interruptions(db, monkeypatch):
    seen, spec = [], TrainingSpec(**{**TINY, "epochs": 50})
    def stop(history):
        seen.append(len(history["loss"]))
        return len(seen) == 3
    stopped = train(db, spec, progress=False, callback=stop)
    assert seen == [1, 2, 3] and stopped.about["ended"] == "callback" and len(stopped.history["loss"]) == 3
    def interrupt(history):
        if len(history["loss"]) == 3: raise KeyboardInterrupt
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        interrupted = train(db, spec, progress=False, callback=interrupt)
    assert interrupted.about["ended"] == "interrupted" and same_weights(interrupted, stopped) and interrupted.about["best_epoch"] == 1 + np.argmin(interrupted.history["validation_mae"])
    interrupted.predict(db.positions, db.width)
    class Odd(Exception): "Anything else that goes wrong in a callback is the caller's."
    def fail(history): raise Odd
    with pytest.raises(Odd): train(db, dataclasses.replace(spec, hidden=()), progress=False, callback=fail)
    def too_early(*arguments): raise KeyboardInterrupt
    monkeypatch.setattr(ns, "_training_epoch", too_early)                      # before there is a network
    with pytest.raises(KeyboardInterrupt): train(db, spec, progress=False)


def test_divergence_is_an_error(db):
    with pytest.raises(ns.DivergedError, match=r"learning_rate \(now 1e\+30\)") as caught: train(db, TrainingSpec(transform="raw", optimizer="sgd", loss="mse", **{**TINY, "learning_rate": 1e30}), progress=False)
    assert isinstance(caught.value, ValueError) and "epoch 1" in str(caught.value)


def test_what_cannot_be_trained_on(db):
    nan_energy, nan_forces, bare = (dataclasses.replace(db) for _ in range(3))
    nan_energy.energy, nan_forces.forces, bare.forces = np.where(np.arange(200) == 17, math.nan, db.energy), np.where(np.arange(1600).reshape(200, 4, 2) == 800, math.inf, db.forces), None
    for data, spec, message in ((nan_energy, TrainingSpec(), "energy of configuration 17 is not finite"), (nan_forces, TrainingSpec(force_weight=1), "forces of configuration 100 is not finite"), (bare, TrainingSpec(force_weight=1), r"with_forces\(\)"),
                                (db[:1], TrainingSpec(batch_size=1), "1 configurations"), (db[:0], TrainingSpec(batch_size=1), "0 configurations"), (db, TrainingSpec(batch_size=161), "160 configurations are left.*batch_size"), (db, TrainingSpec(validation=0.999, batch_size=1), "0 configurations are left")):
        with pytest.raises(ValueError, match=message): train(data, spec, progress=False)
    for data, spec, message in ((db.positions, TrainingSpec(), "from_arrays"), (None, TrainingSpec(), "must be a Database"), (db, dict(epochs=3), "must be a TrainingSpec"), (db, TrainingSpec, "must be a TrainingSpec")):
        with pytest.raises(TypeError, match=message): train(data, spec, progress=False)


def test_prepared_inputs_are_found_by_their_settings(db):
    ready, wanted = db, {}
    for i, descriptor in enumerate((ProximityEigenvalues(R_0p=3.0), SymmetryFunctions(), Waves(), ProximityEigenvalues(R_0p=4.0))):
        ready = prepare(ready, descriptor, name=f"i{i}", progress=False)
        wanted[descriptor] = descriptor.values(db.positions, db.width)
    marked = dataclasses.replace(ready, extra={k: v + 1 for k, v in ready.extra.items()})
    for descriptor, values in wanted.items():
        np.testing.assert_array_equal(ns.inputs_for(ready, descriptor), values)
        np.testing.assert_array_equal(ns.inputs_for(marked, descriptor), values + 1)              # these are the stored ones
    for other in (ProximityEigenvalues(R_0p=3.5), ProximityEigenvalues((-2, -4), 3.0), SymmetryFunctions(cutoff=2.9), Waves((1, 2)), RelativeDistances()):
        np.testing.assert_array_equal(ns.inputs_for(marked, other), other.values(db.positions, db.width))


# One file

@pytest.mark.parametrize("spec", SPECS, ids=lambda s: name(s.inputs))
def test_saved_networks_give_the_same_bits(spec, tmp_path):
    network = handmade(spec, history=dict(loss=[0.1, 1 / 3]), about=dict(validation_mae=1 / 7, validation_rmse=1 / 3, database=None, ended="epochs"))
    again = load_network(network.save(tmp_path / "a.npz"))
    x, w = spread(4, 2, 20, np.random.default_rng(1))
    for a, b in zip(again.energy_and_forces(x, w), network.energy_and_forces(x, w)): np.testing.assert_array_equal(a, b)
    assert again.spec == spec and (again.history, again.about, again.n_parameters, repr(again)) == (network.history, network.about, network.n_parameters, repr(network))
    assert same_weights(again, network) and again.weights[0][0].dtype == np.float32
    again.save(tmp_path / "b.npz")
    assert load_network(str(tmp_path / "b.npz")).predict(x, w).tobytes() == network.predict(x, w).tobytes()


def refused(path, content, message="no network file, damaged or cut short|does not hold what was written"):
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught: load_network(path)
    assert path.name in str(caught.value) and "train" in str(caught.value)


def test_damaged_files_are_refused(tmp_path, small):
    path, other = small.save(tmp_path / "good.npz"), tmp_path / "bad.npz"
    whole = path.read_bytes()
    for n in {0, 1, 3, 4, 10, 100, *range(0, len(whole), 97), *range(len(whole) - 30, len(whole))}: refused(other, whole[:n])
    for content in (b"no network", "Netzwerk für Σ".encode(), whole[::-1], b"\0" * len(whole), whole[:1000] + whole[1100:], json.dumps(small.spec.to_dict()).encode()): refused(other, content)
    rng = np.random.default_rng(0)
    with np.load(path) as file: begins = [whole.index(name.encode() + b".npy") + len(name) + 4 for name in file.files]
    for start in begins:                                                                              # a changed bit in the numbers or in the header
        for at in start + rng.integers(40, 60, 3): refused(other, whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1:])


def test_changed_files_are_refused(tmp_path, small):
    path = small.save(tmp_path / "good.npz")
    with np.load(path) as file: arrays = {k: file[k] for k in file.files}
    def write(**changes):
        content = {k: v for k, v in {**arrays, **changes}.items() if v is not None}
        np.savez(tmp_path / "changed.npz", **content)
        return (tmp_path / "changed.npz").read_bytes()
    def header(drop=(), **changes): return np.array(json.dumps({k: v for k, v in {**json.loads(str(arrays["header"])), **changes}.items() if k not in drop}))
    other = tmp_path / "bad.npz"
    np.testing.assert_array_equal(load_network(tmp_path / "changed.npz").weights[0][0] if write() else None, small.weights[0][0])       # rewritten but the same: fine
    refused(other, write(header=header(format=2)), "network format 2, this package reads 1.*version of pes_toy")
    refused(other, write(header=header(format="one")), "network format one")
    for drop in ("format", "digest", "pes_toy"): refused(other, write(header=header([drop])))
    for change in (dict(energy_shift=0.0), dict(n_particles=5), dict(spec={**small.spec.to_dict(), "activation": "tanh"}), dict(history={}), dict(layers=1), dict(more=1)): refused(other, write(header=header(**change)))
    for text in ("[1, 2]", "{", "", '{"format": 1}'): refused(other, write(header=np.array(text)))
    for key in arrays: refused(other, write(**{key: None}))
    for key in set(arrays) - {"header"}: refused(other, write(**{key: arrays[key] + 1e-7})), refused(other, write(**{key: arrays[key].ravel()[:-1]}))
    refused(other, write(W9=np.zeros(2)))
    refused(other, write(b0=np.array([{}], dtype=object)))


def test_paths_of_networks(tmp_path, small, monkeypatch):
    path = small.save(tmp_path / "a.npz")
    before = path.read_bytes()
    for wrong, error in ((3, TypeError), (None, TypeError), (tmp_path / "a.npy", ValueError), (tmp_path / "a", ValueError), ("a.h5", ValueError)):
        with pytest.raises(error, match="path must"): small.save(wrong)
        with pytest.raises(error, match="path must"): load_network(wrong)
    for absent in (tmp_path / "b.npz", tmp_path):
        with pytest.raises((FileNotFoundError, ValueError)): load_network(absent)
    with pytest.raises(FileNotFoundError, match="no folder"): small.save(tmp_path / "nowhere" / "a.npz")
    def full(file, **arrays):
        Path(file).write_bytes(b"half of it")
        raise OSError("no space left")
    other = handmade(TrainingSpec())
    with monkeypatch.context() as patch:
        patch.setattr(np, "savez_compressed", full)
        with pytest.raises(OSError, match="no space"): other.save(path)
    odd = handmade(TrainingSpec(), about=dict(thing=object()))
    with pytest.raises(TypeError): odd.save(path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["a.npz"]                    # the old one is there, and nothing else
    other.save(path)
    assert load_network(path).spec == TrainingSpec() and [p.name for p in tmp_path.iterdir()] == ["a.npz"]


def test_a_descriptor_of_ones_own_has_to_be_there(tmp_path):
    path = handmade(TrainingSpec(Waves())).save(tmp_path / "waves.npz")
    said = in_process("""
import sys, pes_toy
try: pes_toy.load_network(sys.argv[1])
except ValueError as error: print(error)""", path)
    assert "'Waves' is unknown" in said and "define or import your own class first" in said


# Pictures

def test_pictures_of_a_network(db, small):
    both = train(db, TrainingSpec("symmetry", force_weight=0.1, **TINY), progress=False)
    for network, curves in ((small, ["loss", "validation_mae"]), (both, ["loss", "validation_mae", "validation_force_error"])):
        ax = network.plot_history()
        for line, key in zip(ax.lines, curves, strict=True):
            np.testing.assert_array_equal(line.get_xydata(), np.stack([[1, 2, 3, 4], network.history[key]], axis=1))
        assert ax.get_xlabel() == "epoch" and ax.get_yscale() == "log" and len(ax.get_legend().get_texts()) == len(curves)
    fig, (one, two) = plt.subplots(1, 2)
    assert small.plot_prediction(db, one) is one and small.plot_history(two) is two
    np.testing.assert_array_equal(one.lines[0].get_xydata(), np.stack([db.energy, small.predict(db.positions, db.width)], axis=1))
    np.testing.assert_array_equal(one.lines[1].get_xydata(), np.array([[1, 1]]) * [[db.energy.min()], [db.energy.max()]])
    assert f"{np.abs(small.predict(db.positions, db.width) - db.energy).mean():.3g}" in one.get_title() and "real" in one.get_xlabel() and "predicted" in one.get_ylabel()
    some = small.plot_prediction(db, limit=30).lines[0].get_xydata()
    assert len(some) == 30 and set(some[:, 0]) <= set(db.energy)
    with pytest.raises(ValueError, match="no history"): handmade(TrainingSpec()).plot_history()
    with pytest.raises(ValueError, match="empty"): small.plot_prediction(db[:0])


def test_a_sample_with_its_forces(db, small):
    ax = small.plot_sample(db, 7)
    v, f = small.energy_and_forces(db.positions[7], db.width[7])
    real, predicted = (c for c in ax.collections if hasattr(c, "U"))
    for arrows, forces in ((real, db.forces[7]), (predicted, f)):
        np.testing.assert_allclose(np.stack([arrows.U, arrows.V], axis=1), forces)
        np.testing.assert_allclose(arrows.XY, db.positions[7])
    assert f"{db.energy[7]:.4f}" in ax.get_title() and f"{v:.4f}" in ax.get_title()
    bare = dataclasses.replace(db)
    bare.forces = None
    assert len([c for c in small.plot_sample(bare, 7).collections if hasattr(c, "U")]) == 1
    assert small.plot_sample(db, seed=1).get_title() == small.plot_sample(db, int(np.random.default_rng(1).integers(200))).get_title()
    for row in (200, -1, 1.5):
        with pytest.raises(ValueError, match="row must be"): small.plot_sample(db, row)


@pytest.mark.parametrize("protocol,labels", [("exact", None), ("thesis", None), ("thesis", "exact")])
def test_the_drag_knows_the_truth(protocol, labels):
    spec = DatabaseSpec() if protocol == "exact" else DatabaseSpec.thesis()
    for inputs in ("proximity", "symmetry"):
        network = handmade(TrainingSpec(inputs), about=dict(database=spec.to_dict(), labels=labels))
        drag, path = network.drag(width=4.0, points=41), drag_path(41, 2.0, 4.0)
        truth = lambda x: energy_per_particle(x, 4.0, spec.potential, depth=spec.depth, protocol=labels or protocol)
        np.testing.assert_array_equal(drag.y, np.linspace(0, 4, 41))
        np.testing.assert_allclose(drag.energy, truth(path), rtol=1e-12)
        np.testing.assert_array_equal(drag.predicted, network.predict(path, 4.0))
        step = np.zeros_like(path)
        step[:, 3, 1] = 3e-6
        inner = slice(1, 40) if protocol == "thesis" else slice(None)                   # on the face the frozen images jump
        for slope, v in ((drag.gradient, truth), (drag.predicted_gradient, lambda x: network.predict(x, 4.0))): np.testing.assert_allclose(slope[inner], ((v(path + step) - v(path - step)) / 6e-6)[inner], rtol=0, atol=1e-5 * np.abs(slope).max())
    np.testing.assert_allclose(drag.energy_error, np.abs(drag.predicted - drag.energy).mean() / (drag.energy.max() - drag.energy.min()))
    np.testing.assert_allclose(drag.gradient_error, np.abs(drag.predicted_gradient - drag.gradient).mean() / np.ptp(drag.gradient))
    perfect = dataclasses.replace(drag, predicted=drag.energy, predicted_gradient=drag.gradient)
    assert (perfect.energy_error, perfect.gradient_error, perfect.oscillation) == (0, 0, 0)
    assert math.isclose(dataclasses.replace(drag, predicted_gradient=-2 * drag.gradient).oscillation, 1)
    for ax, pair in zip(network.plot_drag(width=4.0, points=41), ((drag.energy, drag.predicted), (drag.gradient, drag.predicted_gradient)), strict=True):
        for line, y in zip(ax.lines, pair, strict=True): np.testing.assert_array_equal(line.get_xydata(), np.stack([drag.y, y], axis=1))
        assert [t.get_text() for t in ax.get_legend().get_texts()] == ["true", "network"] and "dragged" in ax.get_xlabel()


def test_the_drag_needs_a_truth():
    network = handmade(TrainingSpec(), about=dict(database=None))
    with pytest.raises(ValueError, match="give potential="): network.drag()
    np.testing.assert_allclose(network.drag(DatabaseSpec().potential, points=9).energy, energy_per_particle(drag_path(9), 5.0), rtol=1e-12)
    with pytest.raises(ValueError, match="knows 3 only"): handmade(TrainingSpec(), N=3, about=dict(database=DatabaseSpec().to_dict())).drag()
    assert handmade(TrainingSpec("symmetry"), N=3, about=dict(database=DatabaseSpec().to_dict())).drag(points=9).predicted.shape == (9,)


# Experiments

class Off(ns.Predictor):
    "The truth, and a known error."
    descriptor, n_particles, dimension, about = Waves(), 4, 2, {}
    def __init__(self, db, energy, forces): self.known = {x.tobytes(): (e, f) for x, e, f in zip(db.positions, db.energy + energy, (np.zeros_like(db.positions) if db.forces is None else db.forces) + forces)}
    def predict(self, x, w): return self.energy_and_forces(x, w)[0]
    def energy_and_forces(self, x, w):
        found = [self.known[a.tobytes()] for a in x.reshape(-1, 4, 2)]
        return np.array([f[0] for f in found]), np.array([f[1] for f in found])


def test_scores_of_known_errors():
    rng = np.random.default_rng(0)
    db = generate(DatabaseSpec(n_configurations=60, epochs=5, width=(3, 5), n_widths=3, forces=True), progress=False)
    e, f = rng.normal(size=60), rng.normal(size=(60, 4, 2))
    found = ex.score(Off(db, e, f), db)
    by_hand = [np.abs(e).mean(), np.sqrt((e**2).mean()), np.median(np.abs(e)), np.abs(f).mean(), np.abs(f).mean() / np.abs(db.forces).mean()]
    np.testing.assert_allclose([found.energy_mae, found.energy_rmse, found.energy_median, found.force_mae, found.force_error], by_hand, rtol=1e-9)
    assert list(found.by_width) == [3.0, 4.0, 5.0] and found.n_configurations == 60 and 0 < found.seconds_many and 0 < found.seconds_one
    np.testing.assert_allclose([*found.by_width.values()], [np.abs(e[db.width == w]).mean() for w in (3, 4, 5)], rtol=1e-9)
    assert f"{by_hand[0]:.4g} E_c" in repr(found) and "<td" in found._repr_html_() and "60 configurations" in repr(found)
    bare = dataclasses.replace(db[db.width == 3])
    bare.forces = None
    found = ex.score(Off(bare, 0.5, 0), bare)
    assert math.isnan(found.force_mae) and math.isnan(found.force_error) and found.by_width == {} and "force" not in repr(found)
    assert math.isclose(found.energy_mae, 0.5) and ex.score(Off(db, 0, 0), db).energy_mae == 0
    for wrong in (None, lambda x, w: 0, Off): pytest.raises(TypeError, ex.score, wrong, db).match("Predictor")
    with pytest.raises(ValueError, match="empty"): ex.score(Off(db, 0, 0), db[:0])


def test_averages_are_means(db):
    members = [handmade(TrainingSpec(), seed=s) for s in range(3)]
    mean, x, w = ex.Average(members), db.positions[:9], db.width[:9]
    np.testing.assert_allclose(mean.predict(x, w), np.mean([m.predict(x, w) for m in members], axis=0), rtol=1e-12)
    np.testing.assert_allclose(mean.forces(x, w), np.mean([m.forces(x, w) for m in members], axis=0), rtol=1e-9, atol=1e-9)
    assert mean.n_parameters == 3 * members[0].n_parameters


def test_baselines_that_make_no_sense(db):
    for wrong, message in ((dict(method="boosting"), "method"), (dict(transform="log"), "transform"), (dict(inputs="eigenvalues"), "inputs"), (dict(inputs="symmetry", R_0p=4.0), "R_0p"), (dict(orders=(-1,)), "orders"), (dict(max_configurations=3), "max_configurations"), (dict(validation=0), "validation")):
        with pytest.raises(ValueError, match=message): ex.BaselineSpec(**wrong)
    for wrong, message in ((dict(max_configurations="all"), "max_configurations"), (dict(validation=None), "validation")):
        with pytest.raises(TypeError, match=message): ex.BaselineSpec(**wrong)
    with pytest.raises(dataclasses.FrozenInstanceError): ex.BaselineSpec().seed = 3
    with pytest.raises(ValueError, match="0 configurations"): ex.fit_baseline(db[:0])
    with pytest.raises(TypeError, match="Database"): ex.fit_baseline(db.positions)
    assert hash(ex.BaselineSpec(inputs=Waves())) and json.loads(json.dumps(ex.BaselineSpec(inputs=Waves()).to_dict()))["inputs"] == Waves().settings


@pytest.mark.parametrize("method", ex.METHODS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_baselines(db, method):
    copy = dataclasses.replace(db)
    train_part, _ = copy.split(0.4)
    for inputs, transform in (("proximity", "asinh"), ("symmetry", "standardised"), (Waves(), "raw")):
        model = ex.fit_baseline(copy, ex.BaselineSpec(method, inputs, transform=transform, max_configurations=50))
        values = model.descriptor.values(train_part.positions, train_part.width)
        X = ns.apply_transform(values, transform, *ns.fit_transform(values, transform))
        X = X.mean(axis=1) if X.ndim == 3 else X
        v, f = model.energy_and_forces(train_part.positions, train_part.width)
        if method == "least squares":                                                   # the witness: numpy's least squares
            A = np.column_stack([X, np.ones(120)])
            np.testing.assert_allclose(v, A @ np.linalg.lstsq(A, train_part.energy, rcond=None)[0], rtol=0, atol=1e-9 if inputs != "symmetry" else 3e-3)       # symmetry functions are almost dependent: scikit-learn cuts earlier
        else:                                                                           # the sum over configurations, term by term, and their number
            assert model.centres.shape == (50, X.shape[1]) and {c.tobytes() for c in model.centres} <= {r.tobytes() for r in X}
            K = np.exp(-model.gamma * ((X[:, None] - model.centres) ** 2).sum(axis=2))
            np.testing.assert_allclose(v, model.mean + model.deviation * K @ model.coefficients, rtol=0, atol=1e-6 * np.abs(model.coefficients).max() * model.deviation)
            assert np.abs(v - train_part.energy).mean() < np.abs(train_part.energy - train_part.energy.mean()).mean()
        some = slice(0, 4)
        np.testing.assert_allclose(f[some], slopes_of(model.predict, train_part.positions[some], train_part.width[some], 3e-5), rtol=0, atol=1e-4 * np.abs(f[some]).max())
        assert model.about["trained_on"] == (120 if method == "least squares" else 50) and method in repr(model)


CHANGES = dict(database=[DatabaseSpec(seed=1), DatabaseSpec(epochs=39), DatabaseSpec(width=5.5), DatabaseSpec.thesis()], labels=["thesis", "exact"], networks=[2], n_fresh=[9999], elsewhere=[(4.0,), (4.0, 6.0)], seed=[1],
               training=[TrainingSpec(**c) for c in (dict(orders=(-2, -4)), dict(R_0p=4), dict(inputs="symmetry"), dict(inputs=Waves()), dict(inputs=Waves((1,))), dict(transform="raw"), dict(hidden=(64, 64)), dict(activation="tanh"), dict(optimizer="sgd"), dict(learning_rate=0.00301), dict(schedule="constant"), dict(loss="mse"),
                         dict(force_weight=1e-9), dict(batch_size=127), dict(epochs=301), dict(patience=300), dict(validation=0.21), dict(standardise_energy=False), dict(seed=1))] + [ex.BaselineSpec(), ex.BaselineSpec("kernel ridge"), ex.BaselineSpec(max_configurations=1999)])


def test_keys_of_experiments():
    base = ex.Experiment("a", DatabaseSpec())
    others = [dataclasses.replace(base, **{field: value}) for field, values in CHANGES.items() for value in values]
    keys = [base.key, *(e.key for e in others)]
    assert len(set(keys)) == len(keys) and {*CHANGES, "name"} == {f.name for f in dataclasses.fields(ex.Experiment)}
    assert dataclasses.replace(base, name="b").key == base.key == ex.Experiment("c", DatabaseSpec(), TrainingSpec()).key
    for wrong, error in ((dict(database=None), TypeError), (dict(training="adam"), TypeError), (dict(labels="true"), ValueError), (dict(networks=0), ValueError), (dict(n_fresh=0), ValueError), (dict(seed=-1), ValueError), (dict(elsewhere=(0,)), ValueError)):
        with pytest.raises(error, match=[*wrong][0]): dataclasses.replace(base, **wrong)


def test_labels_of_both_protocols():
    live, thesis = (generate(spec, progress=False) for spec in (DatabaseSpec(n_configurations=30, epochs=3), DatabaseSpec.thesis(n_configurations=30, epochs=3)))
    for db in (live, thesis):
        exact, frozen = ex.labelled(db, "exact"), ex.labelled(db, "thesis")
        np.testing.assert_allclose(exact.energy, energy_per_particle(db.positions, db.width), rtol=1e-12)
        np.testing.assert_allclose(frozen.energy, energy_per_particle(db.positions, db.width, depth=3, protocol="thesis"), rtol=1e-12)
        np.testing.assert_array_equal(frozen.positions, db.positions)
        assert frozen.forces is None and ex.labelled(db, None) is db and np.abs(frozen.energy - exact.energy).max() > 1e-3
        assert ex.labelled(frozen, "thesis") is frozen
    np.testing.assert_allclose(ex.labelled(thesis, "exact").forces, energy_and_forces(thesis.positions, thesis.width)[1])
    assert ex.labelled(live, "exact") is live and ex.labelled(thesis, "thesis") is thesis


QUICK = DatabaseSpec(n_configurations=60, epochs=4)
NETWORK, BASELINE = ex.Experiment("network", QUICK, TrainingSpec(**{**TINY, "batch_size": 16}), n_fresh=40), ex.Experiment("baseline", QUICK, ex.BaselineSpec(), n_fresh=40, elsewhere=(6.0,))
MEASURED = {"seconds", "seconds_one", "seconds_many"}
lasting = lambda found: [[{k: v for k, v in json.loads(json.dumps(r)).items() if k not in MEASURED} for r in results] for _, results in found.runs]


def fake(experiment):
    "A result without work, that tells its seed and number of configurations."
    return dict(energy_mae=float(experiment.seed + experiment.database.n_configurations), seconds=1.0)


def test_a_sweep_goes_on_where_it_stopped(tmp_path, monkeypatch):
    done, store = [], tmp_path / "results.json"
    experiments = ex.vary(ex.Experiment("", QUICK), "database.n_configurations", {"a": 10, "b": 20})
    def until(n):
        def run(experiment):
            if len(done) == n: raise KeyboardInterrupt
            done.append(experiment.key)
            return fake(experiment)
        monkeypatch.setattr(ex, "run_experiment", run)
    until(3)
    with pytest.raises(KeyboardInterrupt): ex.sweep(experiments, store=store, progress=False)
    assert len(json.loads(store.read_text())) == 3 and len(done) == 3
    with pytest.raises(ValueError, match="3 of 6 results are missing.*'b'"): ex.sweep(experiments, store=store, compute=False, progress=False)
    until(99)
    found = ex.sweep(experiments, store=store, progress=False)
    assert len(done) == len(set(done)) == 6 and found.values("energy_mae").tolist() == [[10, 11, 12], [20, 21, 22]]
    until(6)                                                                  # nothing is left to do, whatever the names
    renamed = [dataclasses.replace(e, name=e.name * 2) for e in experiments]
    assert ex.sweep(renamed, store=store, progress=False).values("energy_mae").tolist() == found.values("energy_mae").tolist() == ex.sweep(experiments, store=store, compute=False, progress=False).values("energy_mae").tolist()
    assert ex.sweep(renamed[:1], repeats=2, store=store, progress=False)["aa"] == found["a"][:2] and sorted(p.name for p in tmp_path.iterdir()) == ["results.json"]
    until(9)
    assert ex.sweep([*experiments, *renamed], repeats=4, store=store, progress=False).values("energy_mae").shape == (4, 4) and len(done) == 8      # equal ones are computed once
    whole = store.read_text()
    for n in (0, 1, 20, len(whole) // 2, len(whole) - 3):
        store.write_text(whole[:n])
        with pytest.raises(ValueError, match="results.json.*remove it"): ex.sweep(experiments, store=store, progress=False)
        assert store.read_text() == whole[:n]
    with pytest.raises(TypeError, match="list of Experiment"): ex.sweep([QUICK], progress=False)
    for wrong in (dict(repeats=0), dict(workers=0), dict(workers=1.5)):
        with pytest.raises(ValueError, match=[*wrong][0]): ex.sweep(experiments, progress=False, **wrong)


def test_processes_give_the_same_numbers(tmp_path):
    from joblib.externals.loky import get_reusable_executor
    alone = ex.sweep([NETWORK, BASELINE], repeats=2, store=tmp_path / "one.json", progress=False)
    try: together = ex.sweep([NETWORK, BASELINE], repeats=2, workers=2, store=tmp_path / "two.json", progress=False)
    finally: get_reusable_executor().shutdown(wait=True)
    without = lambda found: [[{k: {a: b for a, b in v.items() if a != "seconds"} if k == "history" else v for k, v in r.items()} for r in results] for results in lasting(found)]
    assert without(alone) == without(together)
    one, two = (json.loads((tmp_path / f"{n}.json").read_text()) for n in ("one", "two"))
    assert list(one) == list(two) == sorted(one) and len(one) == 4
    assert len({r["energy_mae"] for results in lasting(alone) for r in results}) == 4                       # seeds and methods differ
    judged = alone["network"][0]
    db, fresh = generate(QUICK, progress=False), generate(dataclasses.replace(QUICK, n_configurations=40, seed=ex.FRESH, forces=True), progress=False)
    by_hand = ex.score(train(db, NETWORK.training, progress=False), fresh)                                    # what an experiment is, step by step
    np.testing.assert_allclose([judged["energy_mae"], judged["force_error"], judged["trained_on"]], [by_hand.energy_mae, by_hand.force_error, 48], rtol=1e-3)


def test_a_training_that_diverges_is_a_result(tmp_path):
    bad = dataclasses.replace(NETWORK, name="bad", training=TrainingSpec(transform="raw", optimizer="sgd", loss="mse", **{**TINY, "batch_size": 16, "learning_rate": 1e30}))
    found = ex.sweep([bad, BASELINE], repeats=1, store=tmp_path / "r.json", progress=False)
    assert "learning_rate" in found["bad"][0]["diverged"] and np.isnan(found.values("energy_mae")[0]).all() and np.isfinite(found.values("energy_mae")[1]).all()
    table = found.table(["energy_mae", "seconds"])
    assert (table.loc["bad"] == "diverged").all() and not (table.loc["baseline"] == "diverged").any() and "diverged" in found._repr_html_()
    assert len(found.frame()) == 2 and found.frame().set_index("name").loc["bad", "diverged"].startswith("training diverged")
    ax = found.plot()
    assert [t.get_text() for t in ax.texts] == ["diverged"] and ax.texts[0].get_position()[1] == 0 and len(ax.lines) == 3
    again = ex.sweep([bad, BASELINE], repeats=1, store=tmp_path / "r.json", compute=False, progress=False)
    assert np.array_equal(again.values("energy_mae"), found.values("energy_mae"), equal_nan=True)


def made_up():
    "A sweep of numbers without work: two lines of three amounts, two seeds."
    base, rng, runs = ex.Experiment("", QUICK), np.random.default_rng(0), []
    for label, training in (("plain", TrainingSpec()), ("local", TrainingSpec("symmetry"))):
        for e in ex.vary(dataclasses.replace(base, training=training), "database.n_configurations", {n: n for n in (400, 100, 200)}):
            draw = lambda *shape: rng.uniform(0.1, 1, shape).tolist()
            results = [dict(energy_mae=float(rng.uniform(0.1, 1)), force_error=None, seconds=2.0, by_width={"3.0": float(rng.uniform(0.1, 1)), "5.0": float(rng.uniform(0.1, 1))}, parity=[draw(7), draw(7)], history=dict(epoch=[1, 5, 9], loss=draw(3), validation_mae=draw(3)),
                            drag={k: draw(11) for k in ("y", "energy", "predicted", "gradient", "predicted_gradient")}) for _ in range(2)]
            runs.append((dataclasses.replace(e, name=label), results))
    return ex.Sweep(runs)


def test_pictures_of_sweeps():
    found = made_up()
    mae = found.values("energy_mae")
    assert mae.shape == (6, 2) and np.isnan(found.values("force_error")).all() and found.values("energy_mae", "local").tolist() == mae[3:].tolist()
    assert math.isclose(found.mean("plain"), mae[0].mean()) and found["local"] is found.runs[3][1] and len(found) == 6
    with pytest.raises(KeyError, match="'third'.*plain, local"): found["third"]
    fig, ax = plt.subplots()
    assert found.plot(ax=ax, reference=0.47) is ax and ax.get_xscale() == "log"
    np.testing.assert_array_equal([line.get_xydata() for line in ax.lines[:-1:2]], [[[v, row] for v in both] for row, both in enumerate(mae)])
    np.testing.assert_allclose([line.get_xdata()[0] for line in ax.lines[1:-1:2]], mae.mean(axis=1))
    assert list(ax.lines[-1].get_xdata()) == [0.47, 0.47] and [t.get_text() for t in ax.get_yticklabels()] == ["plain"] * 3 + ["local"] * 3
    lines = (ax := found.plot_against("database.n_configurations")).lines
    order = [1, 2, 0]
    for line, rows, label in zip(lines, (mae[:3], mae[3:]), ("plain", "local"), strict=True):
        np.testing.assert_allclose(line.get_xydata(), np.stack([[100, 200, 400], rows.mean(axis=1)[order]], axis=1))
        assert line.get_label() == label and ax.get_xlabel() == "number of configurations"
    for band, rows in zip(ax.collections, (mae[:3], mae[3:]), strict=True): np.testing.assert_allclose(band.get_paths()[0].vertices[:, 1].max(), rows.max())
    names = ["plain", "local"]
    drag = [found[n][0]["drag"] for n in names]
    for what, predicted in (("gradient", "predicted_gradient"), ("energy", "predicted")):
        drawn = found.plot_drag(names, what).lines
        for line, source, key in zip(drawn, (drag[0], *drag), (what, predicted, predicted), strict=True): assert line.get_xydata().tolist() == [[*p] for p in zip(source["y"], source[key])]
    for line, n in zip(found.plot_history(names).lines, names, strict=True): assert line.get_ydata().tolist() == found[n][0]["history"]["validation_mae"] and line.get_xdata().tolist() == [1, 5, 9]
    for line, n in zip(found.plot_widths(names).lines, names, strict=True): np.testing.assert_allclose(line.get_xydata(), [[w, np.mean([r["by_width"][f"{w}.0"] for r in found[n]])] for w in (3, 5)])
    parity = found.plot_parity("local").lines
    assert parity[0].get_xydata().tolist() == [[*p] for p in zip(*found["local"][0]["parity"])] and parity[1].get_xdata().tolist() == parity[1].get_ydata().tolist()


def test_tables_of_sweeps():
    found = made_up()
    table, frame = found.table(), found.frame()
    v = found.values("energy_mae")[0]
    said = table["energy MAE"].iloc[0].split(" ± ")
    half = 0.5001 * 10.0 ** math.floor(math.log10(v.std(ddof=1)))                      # of the one digit of the deviation that is shown
    assert abs(float(said[0]) - v.mean()) <= half and abs(float(said[1]) - v.std(ddof=1)) <= half and table["training (s)"].iloc[0] == "2"
    assert list(table.index) == ["plain"] * 3 + ["local"] * 3 and "force error" not in table.columns and found._repr_html_().count("<tr") >= 7
    assert len(frame) == 12 and frame["energy_mae"].tolist() == found.values("energy_mae").ravel().tolist() and frame["seed"].tolist() == [0, 1] * 6
    assert frame["database.n_configurations"].tolist() == [400, 400, 100, 100, 200, 200] * 2 and set(frame["training.inputs"]) == {"proximity", "symmetry"}
    for values, text in (([0.05, 0.05], "0.05"), ([0.1], "0.1"), ([1.234, 1.257], "1.25 ± 0.02"), ([100.0, 300.0], "200 ± 141"), ([0.5, math.nan], "0.5")): assert ex._plus_minus(np.array(values)) == text


def test_vary():
    base = ex.Experiment("base", QUICK, TrainingSpec(), seed=3)
    rates = ex.vary(base, "training.learning_rate", (0.1, 0.01), name="rate {value}")
    assert [e.name for e in rates] == ["rate 0.1", "rate 0.01"] and [e.training.learning_rate for e in rates] == [0.1, 0.01] and {e.seed for e in rates} == {3}
    assert [e.database.epochs for e in ex.vary(base, "database.epochs", {"none": 0, "both": (0, 3)})] == [0, (0, 3)] and [e.labels for e in ex.vary(base, "labels", ["exact", None])] == ["exact", None]
    assert [e.name for e in ex.vary(base, "networks", [1, 2])] == ["1", "2"] and base == ex.Experiment("base", QUICK, TrainingSpec(), seed=3)
    for setting in ("training.rate", "database.size", "rate"): pytest.raises(ValueError, ex.vary, base, setting, [1]).match(f"'{setting}' does not exist")
    for setting in ("trainings.epochs", "training.inputs.cutoff", "score.n"): pytest.raises(ValueError, ex.vary, base, setting, [1]).match("setting must be")
    with pytest.raises(ValueError, match="learning_rate"): ex.vary(base, "training.learning_rate", [1, -1])


def test_last_step_of_the_only_epoch_diverges(db):
    with pytest.raises(ns.DivergedError): train(db, TrainingSpec(hidden=(), transform="raw", epochs=1, batch_size=160, learning_rate=1e38, optimizer="sgd", loss="mse"), progress=False)


def test_numpy_booleans_survive():
    assert TrainingSpec(standardise_energy=np.False_) == TrainingSpec.from_dict(json.loads(json.dumps(TrainingSpec(standardise_energy=np.False_).to_dict())))


def test_every_flipped_bit_is_refused_or_harmless(tmp_path):
    network = handmade(TrainingSpec(hidden=(4,)))
    path, x = network.save(tmp_path / "a.npz"), np.random.default_rng(0).uniform(0, 5, (4, 2))
    whole, wanted = path.read_bytes(), network.predict(x, 5.0)
    begin = whole.index(b"PK\x01\x02")                                             # the directory of the archive, where zipfile has its own errors
    for at in range(begin, len(whole)):
        for bit in (1, 128):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1:])
            try: assert load_network(path).predict(x, 5.0) == wanted
            except ValueError as error: assert "a.npz" in str(error)


def test_headers_that_are_no_dictionary(tmp_path, small):
    path = small.save(tmp_path / "good.npz")
    with np.load(path) as file: arrays = {k: file[k] for k in file.files}
    for text in ("3", "null", '"text"'):
        np.savez(tmp_path / "c.npz", **{**arrays, "header": np.array(text)})
        refused(tmp_path / "bad.npz", (tmp_path / "c.npz").read_bytes())
    (tmp_path / "bad.npz").write_bytes(b"text")
    with pytest.raises(ValueError) as caught: load_network(tmp_path / "bad.npz")
    assert "allow_pickle" not in str(caught.value)


@pytest.mark.parametrize("wrong", [None, 3, ProximityEigenvalues, np.zeros(2), ["proximity"]], ids=str)
def test_inputs_are_named(wrong):
    with pytest.raises(TypeError, match="inputs must be"): TrainingSpec(inputs=wrong)
    with pytest.raises(TypeError, match="inputs must be"): ex.BaselineSpec(inputs=wrong)


@pytest.mark.parametrize("inputs", ["distances", Waves()], ids=name)
def test_forces_of_an_empty_batch(inputs): assert handmade(TrainingSpec(inputs)).forces(np.empty((0, 4, 2)), 5.0).shape == (0, 4, 2)


def test_single_precision_inputs_of_ones_own():
    @dataclasses.dataclass(frozen=True)
    class Rough(Waves):
        def values(self, positions, width): return super().values(positions, width).astype(np.float32)
    network = handmade(TrainingSpec(Rough()))
    values = network.descriptor.values(np.random.default_rng(0).uniform(0, 5, (9, 4, 2)), np.full(9, 5.0))
    np.testing.assert_array_equal(network.from_inputs(values)[0], network.from_inputs(values.astype(float))[0])


def test_baseline_specifications():
    for wrong in (dict(validation=1.5), dict(validation=1), dict(seed=-1), dict(seed="a")):
        with pytest.raises((ValueError, TypeError), match=[*wrong][0]): ex.BaselineSpec(**wrong)


def test_fit_baseline_wants_its_specification(db):
    with pytest.raises(TypeError, match="BaselineSpec"): ex.fit_baseline(db, TrainingSpec())


def test_one_name_for_a_line():
    found = ex.vary(ex.Experiment("", QUICK), "database.n_configurations", [100, 200], name="one line")
    assert [(e.name, e.database.n_configurations) for e in found] == [("one line", 100), ("one line", 200)]


def test_a_wrong_type_is_not_an_unknown_setting():
    with pytest.raises(TypeError, match="learning_rate must be"): ex.vary(ex.Experiment("", QUICK), "training.learning_rate", ["fast"])


def test_results_are_the_same_after_reading(tmp_path):
    once, again = (ex.sweep([BASELINE], repeats=1, store=tmp_path / "r.json", progress=False) for _ in range(2))
    assert once.runs[0][1] == again.runs[0][1]


OWN = [Potential(pair=lambda r: (1 / r - r / 9) ** 2 if r < 3.0 else 0.0, cutoff=3.0, name="mine"), Potential(pair=lambda r: (2 / r - 2 * r / 9) ** 2 if r < 3.0 else 0.0, cutoff=3.0, name="mine")]


def test_potentials_of_ones_own_have_keys():
    assert len({dataclasses.replace(BASELINE, database=dataclasses.replace(QUICK, potential=p)).key for p in OWN}) == 2


def test_experiments_with_a_potential_of_ones_own():
    assert ex.run_experiment(dataclasses.replace(BASELINE, database=dataclasses.replace(QUICK, potential=OWN[0]), elsewhere=()))["drag_energy"] > 0


def test_a_network_of_a_potential_of_ones_own_knows_its_truth(tmp_path):
    db = generate(dataclasses.replace(QUICK, potential=OWN[0], depth=2), progress=False)
    network = ex.fit_baseline(db, ex.BaselineSpec())
    assert ns.truth_of(network) == (OWN[0], 2, "exact")                               # its depth too: without a cutoff nothing else would tell
    np.testing.assert_array_equal(network.drag().energy, network.drag(OWN[0]).energy)
    network.truth = None                                                              # as in a file
    with pytest.raises(ValueError, match="'mine'.*give potential="): network.drag()


@pytest.mark.parametrize("where, said", [(dict(width=6.0), "widths from 5 to 5"), (dict(protocol="thesis"), "protocol exact"), (dict(potential=OWN[0]), "potential")], ids=["width", "protocol", "potential"])
def test_judging_elsewhere_warns(where, said):
    model = ex.fit_baseline(generate(QUICK, progress=False), ex.BaselineSpec())
    with pytest.warns(UserWarning, match=said): ex.score(model, generate(dataclasses.replace(QUICK, n_configurations=20, **where), progress=False))


@pytest.mark.parametrize("content", [b"[1]", b"null", b"5", b"\xff\xfe", b'"text"'])
def test_a_store_of_something_else(tmp_path, content):
    (tmp_path / "r.json").write_bytes(content)
    with pytest.raises(ValueError, match="r.json.*remove it"): ex.sweep([BASELINE], repeats=1, store=tmp_path / "r.json", progress=False)


def test_a_store_nowhere_is_an_error_at_once(tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr(ex, "run_experiment", lambda e: ran.append(e) or fake(e))
    with pytest.raises(FileNotFoundError): ex.sweep([BASELINE], store=tmp_path / "nowhere" / "r.json", progress=False)
    assert not ran


def test_no_experiments():
    with pytest.raises(ValueError, match="empty"): ex.sweep([], progress=False)


def test_pictures_with_a_diverged_training():
    found = made_up()
    lost = ex.Sweep([(dataclasses.replace(found.runs[0][0], name="lost"), [dict(diverged="training diverged in epoch 1")] * 2), *found.runs])
    for draw in (lost.plot_drag, lost.plot_history, lost.plot_widths): assert len(draw().lines) >= 6
    for draw in (lost.plot_drag, lost.plot_history, lost.plot_widths):
        with pytest.raises(ValueError, match="'lost'.*diverged"): draw(["lost"])
    with pytest.raises(ValueError, match="'lost'.*diverged"): lost.plot_parity("lost")


def test_pictures_with_a_baseline():
    found = ex.sweep([BASELINE, NETWORK], repeats=1, progress=False)
    assert len(found.plot_history().lines) == 1


def test_forces_with_energies_of_the_thesis():
    with pytest.raises(ValueError, match="force_weight"): ex.Experiment("", QUICK, TrainingSpec(force_weight=1.0), labels="thesis")
