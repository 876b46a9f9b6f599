"""Models and descriptors that nobody trained, for the tests of networks and experiments."""

import dataclasses
import os
import subprocess
import sys

import numpy as np

from pes_toy import networks as ns
from pes_toy.descriptors import Descriptor, ProximityEigenvalues, RelativeDistances
from pes_toy.networks import Network
from pes_toy.symmetry_functions import SymmetryFunctions
from pes_toy.training import TrainingSpec


@dataclasses.dataclass(frozen=True)
class Waves(Descriptor):
    "A user's own, global, without gradients: |sum_i exp(2 pi i k . x_i / w)|^2, and the width."

    waves: tuple = (1, 2, 3)

    def values(self, positions, width):
        k = np.array([[n, m, n - m][: positions.shape[2]] for n in self.waves for m in (0, 1, 2)])
        phases = np.exp(2j * np.pi * (positions / width[:, None, None]) @ k.T)
        return np.concatenate([np.abs(phases.sum(axis=1)) ** 2, width[:, None]], axis=1)


FIELDS = [f.name for f in dataclasses.fields(TrainingSpec)]
INPUTS = ["proximity", "symmetry", Waves()]
TINY = dict(hidden=(8,), batch_size=32, epochs=4, learning_rate=1e-2)


def name(value):
    "What to call inputs in the names of tests."
    if isinstance(value, str):
        return value
    return type(value).__name__ if isinstance(value, Descriptor) else None


def handmade(spec, N=4, d=2, seed=0, **more):
    "A network that nobody trained: random weights, the scaling of random configurations."
    rng = np.random.default_rng(seed)
    x, w = rng.uniform(0, 4, (200, N, d)), rng.uniform(3, 5, 200)
    values = spec.descriptor.values(x, w)
    sizes = (values.shape[-1], *spec.hidden, 1)
    weights = []
    for n, m in zip(sizes, sizes[1:]):
        W = rng.normal(size=(n, m)).astype(np.float32) / np.float32(n**0.5)
        weights.append((W, rng.normal(size=m).astype(np.float32)))
    scaling = ns.fit_transform(values, spec.transform)
    return Network(spec, weights, *scaling, -1.3, 0.7, N, d, **more)


def spread(N, d, M, rng, low=2.0, high=6.0):
    "Random configurations of mixed widths without close pairs."
    found, widths = [], []
    while len(found) < M:
        w = rng.uniform(low, high)
        x = rng.uniform(0, w, (N, d))
        t = x[:, None] - x
        if (np.linalg.norm(t - w * np.round(t / w), axis=2) + 9 * np.eye(N)).min() > 0.4:
            found.append(x), widths.append(w)
    return np.array(found), np.array(widths)


def slopes_of(predict, x, w, h=1e-5):
    "Minus N times the numerical derivative of energies per particle."
    forces = np.empty_like(x)
    for j, c in np.ndindex(x.shape[1:]):
        step = np.zeros_like(x)
        step[:, j, c] = h
        forces[:, j, c] = -x.shape[1] * (predict(x + step, w) - predict(x - step, w)) / (2 * h)
    return forces


def same_weights(one, two):
    return all(np.array_equal(a, b) for p, q in zip(one.weights, two.weights) for a, b in zip(p, q))


def in_process(code, *arguments, **environment):
    "What a fresh process prints."
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


SPECS = [
    TrainingSpec(),
    TrainingSpec.thesis(),
    TrainingSpec.recommended(),
    TrainingSpec("distances"),
    TrainingSpec("distances", orders=(-1, -2.5)),
    TrainingSpec(orders=(-2, -3.5, -2), R_0p=(3, 2.5, 6)),
    TrainingSpec(SymmetryFunctions(cutoff=2.5, third_side=False)),
    TrainingSpec(Waves((1, 5))),
    TrainingSpec(RelativeDistances()),
    TrainingSpec(ProximityEigenvalues((-2, -4), 6)),
    TrainingSpec(
        "symmetry",
        transform="raw",
        hidden=(),
        activation="tanh",
        optimizer="lion",
        learning_rate=np.float32(0.1),
        schedule="plateau",
        loss="huber",
        force_weight=2,
        batch_size=np.int64(7),
        epochs=3,
        patience=5,
        validation=0.5,
        standardise_energy=False,
        seed=9,
    ),
]
