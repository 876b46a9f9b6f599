"""Experiments, potentials and made-up results that the tests of experiments and sweeps share."""
import dataclasses

import numpy as np
from models import TINY

from pes_toy.experiments import Experiment, vary
from pes_toy.potentials import Potential
from pes_toy.scores import BaselineSpec
from pes_toy.specification import DatabaseSpec
from pes_toy.sweeps import Sweep
from pes_toy.training import TrainingSpec

QUICK = DatabaseSpec(n_configurations=60, epochs=4)
SMALL = TrainingSpec(**{**TINY, "batch_size": 16})
NETWORK = Experiment("network", QUICK, SMALL, n_fresh=40)
KERNELS = Experiment("kernels", QUICK, BaselineSpec(method="kernel ridge"), n_fresh=40)
BASELINE = Experiment("baseline", QUICK, BaselineSpec(), n_fresh=40, elsewhere=(6.0,))


def _mine(r):
    return (1 / r - r / 9) ** 2 if r < 3.0 else 0.0


def _twice(r):
    return (2 / r - 2 * r / 9) ** 2 if r < 3.0 else 0.0


OWN = [Potential(pair=pair, cutoff=3.0, name="mine") for pair in (_mine, _twice)]


def fake(experiment):
    "A result without work, that tells its seed and number of configurations."
    said = experiment.seed + experiment.database.n_configurations
    return dict(energy_mae=float(said), seconds=1.0)


def made_up_result(rng):
    "What a run might have found."

    def draw(*shape):
        return rng.uniform(0.1, 1, shape).tolist()

    curves = ("y", "energy", "predicted", "gradient", "predicted_gradient")
    return dict(
        energy_mae=float(rng.uniform(0.1, 1)),
        force_error=None,
        seconds=2.0,
        by_width={"3.0": float(rng.uniform(0.1, 1)), "5.0": float(rng.uniform(0.1, 1))},
        parity=[draw(7), draw(7)],
        history=dict(epoch=[1, 5, 9], loss=draw(3), validation_mae=draw(3)),
        drag={name: draw(11) for name in curves},
    )


def made_up():
    "A sweep of numbers without work: two lines of three amounts, two seeds."
    rng = np.random.default_rng(0)
    runs = []
    for label, training in (("plain", TrainingSpec()), ("local", TrainingSpec("symmetry"))):
        base = Experiment("", QUICK, training)
        for e in vary(base, "database.n_configurations", [400, 100, 200]):
            results = [made_up_result(rng) for _ in range(2)]
            runs.append((dataclasses.replace(e, name=label), results))
    return Sweep(runs)
