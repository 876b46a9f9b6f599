"""Training: the same weights again, losses, validation, patience, what cannot be trained on."""

import dataclasses
import hashlib
import json
import math
import random
import warnings
from pathlib import Path

import numpy as np
import pytest

import matplotlib

matplotlib.use("agg")

from models import TINY, Waves, in_process, same_weights, slopes_of
from pes_toy import training as tr
from pes_toy.specification import DatabaseSpec
from pes_toy.database import Database
from pes_toy.generation import generate_in_memory as generate
from pes_toy.descriptors import ProximityEigenvalues, RelativeDistances
from pes_toy.prepared import MADE_FROM, prepare
from pes_toy.symmetry_functions import SymmetryFunctions
from pes_toy.training import LOSSES, OPTIMIZERS, SCHEDULES, TrainingSpec, train_in_memory as train


REPEATED = [
    (TrainingSpec(**TINY), False),
    (
        TrainingSpec(
            "symmetry",
            force_weight=0.5,
            optimizer="nadam",
            loss="huber",
            **{**TINY, "hidden": (16, 16)},
        ),
        False,
    ),
    (TrainingSpec(Waves(), schedule="plateau", patience=2, **TINY), True),
]


def digests(db):
    "Of weights and histories of some trainings; this process and a fresh one have to agree."
    found = []
    for spec, split in REPEATED:
        copy = dataclasses.replace(db)
        if split:
            copy.split(0.3, seed=1)
        network = train(copy, spec, progress=False)
        facts = {k: v for k, v in network.history.items() if k != "seconds"}
        weights = b"".join(a.tobytes() for layer in network.weights for a in layer)
        found.append(hashlib.sha256(weights + json.dumps(facts).encode()).hexdigest())
    return found


def test_training_repeats_in_another_process(db, tmp_path):
    path = db.save(tmp_path / "db.parquet")
    fresh = in_process(
        """
import sys, random, json
import numpy as np
random.seed(11); np.random.seed(12)
import tensorflow as tf
tf.random.set_seed(13); tf.random.uniform((3,)); np.random.rand(7)
sys.path.insert(0, sys.argv[1])
from test_networks_training import *
from pes_toy.database import load_file as load
print(json.dumps(digests(load(sys.argv[2]))))""",
        Path(__file__).parent,
        path,
        TF_NUM_INTRAOP_THREADS="1",
        PYTHONHASHSEED="42",
    )
    tr.keras_with_tensorflow()  # importing it may touch anything
    before = np.random.get_state()[1].copy(), random.getstate()
    here = digests(db)
    assert (np.random.get_state()[1] == before[0]).all() and random.getstate() == before[
        1
    ]  # and no global state is touched
    assert json.loads(fresh.splitlines()[-1]) == here and len(set(here)) == len(REPEATED)


@pytest.mark.parametrize("i", range(len(OPTIMIZERS)), ids=OPTIMIZERS)
def test_optimizers_losses_schedules(db, i):
    "Ten trainings, in which all optimizers, losses and schedules occur, half of them with forces."
    spec = TrainingSpec(
        "distances" if i % 4 == 3 else "proximity",
        optimizer=OPTIMIZERS[i],
        loss=LOSSES[i % 3],
        schedule=SCHEDULES[i // 3 % 3],
        force_weight=i % 2,
        hidden=(8,),
        batch_size=32,
        epochs=12,
        learning_rate={"adadelta": 10.0, "adagrad": 0.1, "ftrl": 0.1, "lion": 1e-3}.get(
            OPTIMIZERS[i], 3e-3
        ),
    )
    network = train(db, spec, progress=False)
    loss, known = network.history["loss"], network.about
    assert (
        np.isfinite(loss).all()
        and np.mean(loss[-3:]) < 0.98 * loss[0]
        and len(loss) == 12
        and known["ended"] == "epochs"
    )
    assert {len(v) for v in network.history.values()} == {12} and (
        "validation_force_error" in network.history
    ) == bool(spec.force_weight)
    rates = np.array(network.history["learning_rate"])
    assert (
        rates[0] <= spec.learning_rate
        and {
            "constant": (rates == rates[0]).all(),
            "cosine": (np.diff(rates) < 0).all() and rates[-1] < 0.1 * rates[0],
            "plateau": set(rates / rates[0]) <= {1, 0.5},
        }[spec.schedule]
    )
    assert (np.diff(network.history["seconds"]) > 0).all() and known["seconds"] >= network.history[
        "seconds"
    ][-1]


def test_validation_is_what_it_says(db):
    copy = dataclasses.replace(db)
    _, aside = copy.split(0.35, seed=5)
    network = train(
        copy, TrainingSpec("symmetry", force_weight=0.2, loss="mse", **TINY), progress=False
    )
    v, f = network.energy_and_forces(aside.positions, aside.width)
    known, history = network.about, network.history
    assert (
        (known["trained_on"], known["validated_on"]) == (130, 70)
        and known["ended"] == "epochs"
        and known["database"] == db.spec.to_dict()
    )
    np.testing.assert_allclose(
        [known["validation_mae"], known["validation_rmse"], known["validation_force_error"]],
        [
            np.abs(v - aside.energy).mean(),
            np.sqrt(np.mean((v - aside.energy) ** 2)),
            np.abs(f - aside.forces).mean() / np.abs(aside.forces).mean(),
        ],
        rtol=1e-5,
    )
    score = np.array(history["validation_mae"]) + 0.2 * np.abs(aside.forces).mean() * np.array(
        history["validation_force_error"]
    )
    assert (
        known["best_epoch"] == 1 + score.argmin()
        and history["validation_mae"][score.argmin()]
        == known["validation_mae"]
        == network.validation_mae
    )
    training, left = tr.training_rows(db, 0.2, 3)  # without a remembered split: the seed's
    assert (
        len(left) == 40
        and sorted([*training, *left]) == list(range(200))
        and not np.array_equal(left, tr.training_rows(db, 0.2, 4)[1])
    )
    assert db.subset is None and np.array_equal(copy.positions, db.positions)


def test_a_database_of_another_kind():
    "Three particles in space, widths from 3 to 4, local and global; energies that never vary."
    db = generate(
        DatabaseSpec(
            n_configurations=80,
            n_particles=3,
            dimension=3,
            width=(3.0, 4.0),
            n_widths=3,
            epochs=5,
            forces=True,
        ),
        progress=False,
    )
    for inputs in ("symmetry", "proximity"):
        network = train(db, TrainingSpec(inputs, force_weight=1.0, **TINY), progress=False)
        assert (
            (network.n_particles, network.dimension) == (3, 3)
            and network.about["widths"] == [3.0, 4.0]
            and network.history["loss"][-1] < network.history["loss"][0]
        )
        np.testing.assert_allclose(
            network.forces(db.positions[:3], db.width[:3]),
            slopes_of(network.predict, db.positions[:3], db.width[:3]),
            rtol=0,
            atol=1e-5 * np.abs(network.forces(db.positions[:3], db.width[:3])).max(),
        )
    still = Database.from_arrays(
        np.random.default_rng(0).uniform(0, 9, (40, 3, 1)), 9.0, np.full(40, 2.5)
    )
    network = train(still, TrainingSpec(**{**TINY, "epochs": 60}), progress=False)
    assert (
        network.about["database"] is None
        and np.abs(network.predict(still.positions, 9.0) - 2.5).max() < 0.5
    )


def noise(M=60):
    "Energies that nothing can be learned about."
    rng = np.random.default_rng(4)
    return Database.from_arrays(rng.uniform(0, 5, (M, 4, 2)), 5.0, rng.normal(size=M))


def test_patience_returns_the_best():
    network = train(
        noise(),
        TrainingSpec(
            hidden=(64,),
            batch_size=16,
            epochs=300,
            learning_rate=1e-2,
            schedule="constant",
            patience=4,
        ),
        progress=False,
    )
    mae, best = network.history["validation_mae"], network.about["best_epoch"]
    assert (
        network.about["ended"] == "patience"
        and len(mae) == best + 4 < 300
        and min(mae) == mae[best - 1] == network.validation_mae
    )
    aside = noise()[tr.training_rows(noise(), 0.2, 0)[1]]
    np.testing.assert_allclose(
        np.abs(network.predict(aside.positions, 5.0) - aside.energy).mean(), min(mae), rtol=1e-12
    )


def test_callbacks_and_interruptions(db, monkeypatch):
    seen, spec = [], TrainingSpec(**{**TINY, "epochs": 50})

    def stop(history):
        seen.append(len(history["loss"]))
        return len(seen) == 3

    stopped = train(db, spec, progress=False, callback=stop)
    assert (
        seen == [1, 2, 3]
        and stopped.about["ended"] == "callback"
        and len(stopped.history["loss"]) == 3
    )

    def interrupt(history):
        if len(history["loss"]) == 3:
            raise KeyboardInterrupt

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        interrupted = train(db, spec, progress=False, callback=interrupt)
    assert (
        interrupted.about["ended"] == "interrupted"
        and same_weights(interrupted, stopped)
        and interrupted.about["best_epoch"] == 1 + np.argmin(interrupted.history["validation_mae"])
    )
    interrupted.predict(db.positions, db.width)

    class Odd(Exception):
        "Anything else that goes wrong in a callback is the caller's."

    def fail(history):
        raise Odd

    with pytest.raises(Odd):
        train(db, dataclasses.replace(spec, hidden=()), progress=False, callback=fail)

    def too_early(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(tr, "compiled_epoch", too_early)  # before there is a network
    with pytest.raises(KeyboardInterrupt):
        train(db, spec, progress=False)


def test_divergence_is_an_error(db):
    with pytest.raises(tr.DivergedError, match=r"learning_rate \(now 1e\+30\)") as caught:
        train(
            db,
            TrainingSpec(
                transform="raw", optimizer="sgd", loss="mse", **{**TINY, "learning_rate": 1e30}
            ),
            progress=False,
        )
    assert isinstance(caught.value, ValueError) and "epoch 1" in str(caught.value)


def test_what_cannot_be_trained_on(db):
    nan_energy, nan_forces, bare = (dataclasses.replace(db) for _ in range(3))
    nan_energy.energy, nan_forces.forces, bare.forces = (
        np.where(np.arange(200) == 17, math.nan, db.energy),
        np.where(np.arange(1600).reshape(200, 4, 2) == 800, math.inf, db.forces),
        None,
    )
    for data, spec, message in (
        (nan_energy, TrainingSpec(), "energy of configuration 17 is not finite"),
        (nan_forces, TrainingSpec(force_weight=1), "forces of configuration 100 is not finite"),
        (bare, TrainingSpec(force_weight=1), r"with_forces\(\)"),
        (db[:1], TrainingSpec(batch_size=1), "1 configurations"),
        (db[:0], TrainingSpec(batch_size=1), "0 configurations"),
        (db, TrainingSpec(batch_size=161), "160 configurations are left.*batch_size"),
        (db, TrainingSpec(validation=0.999, batch_size=1), "0 configurations are left"),
    ):
        with pytest.raises(ValueError, match=message):
            train(data, spec, progress=False)
    for data, spec, message in (
        (db.positions, TrainingSpec(), "from_arrays"),
        (None, TrainingSpec(), "must be a Database"),
        (db, dict(epochs=3), "must be a TrainingSpec"),
        (db, TrainingSpec, "must be a TrainingSpec"),
    ):
        with pytest.raises(TypeError, match=message):
            train(data, spec, progress=False)


def test_prepared_inputs_are_found_by_their_settings(db):
    ready, wanted = db, {}
    for i, descriptor in enumerate(
        (
            ProximityEigenvalues(R_0p=3.0),
            SymmetryFunctions(),
            Waves(),
            ProximityEigenvalues(R_0p=4.0),
        )
    ):
        ready = prepare(ready, descriptor, name=f"i{i}", progress=False)
        wanted[descriptor] = descriptor.values(db.positions, db.width)
    marks = {k: v + (not k.endswith(MADE_FROM)) for k, v in ready.extra.items()}
    marked = dataclasses.replace(ready, extra=marks)
    for descriptor, values in wanted.items():
        np.testing.assert_array_equal(tr.inputs_for(ready, descriptor), values)
        np.testing.assert_array_equal(
            tr.inputs_for(marked, descriptor), values + 1
        )  # these are the stored ones
    for other in (
        ProximityEigenvalues(R_0p=3.5),
        ProximityEigenvalues((-2, -4), 3.0),
        SymmetryFunctions(cutoff=2.9),
        Waves((1, 2)),
        RelativeDistances(),
    ):
        np.testing.assert_array_equal(
            tr.inputs_for(marked, other), other.values(db.positions, db.width)
        )


def test_last_step_of_the_only_epoch_diverges(db):
    with pytest.raises(tr.DivergedError):
        train(
            db,
            TrainingSpec(
                hidden=(),
                transform="raw",
                epochs=1,
                batch_size=160,
                learning_rate=1e38,
                optimizer="sgd",
                loss="mse",
            ),
            progress=False,
        )


def test_parts_of_an_epoch_are_compiled_once():
    "Ctrl-C is answered between parts, whose lengths differ: none of them is compiled anew."
    import time

    import keras
    import tensorflow as tf
    from pes_toy.engine.epochs import CompiledEpoch, TrainingData, build_model

    spec, rng = TrainingSpec(hidden=(8, 8)), np.random.default_rng(0)
    model = build_model(3, spec)
    optimizer = keras.optimizers.Adam()
    optimizer.build(model.trainable_variables)
    data = TrainingData(rng.normal(size=(64, 1, 3)), rng.normal(size=64), 4)
    epoch = CompiledEpoch(model, optimizer, spec, data)
    whole = tf.constant(rng.integers(0, 64, (40, 8)), tf.int32), tf.fill(40, 1e-3)
    seconds = []
    for first, last in ((0, 16), (16, 33), (33, 40), (0, 11), (11, 29), (29, 31), (31, 40)):
        began = time.process_time()
        epoch.run(*whole, tf.constant([first, last]), tf.constant(0.0), epoch.data)
        seconds.append(time.process_time() - began)
    assert sum(seconds[1:]) < 0.5 * seconds[0]
