"""What tests of views and explorers share: a view of each kind, other values for its controls."""

import io

import numpy as np
import pes_toy as pt
from pes_toy import explore
from pes_toy.motion_views import TrajectoryView
from pes_toy.structure_views import StructuresView

NAMES = [
    "potential",
    "configuration",
    "relaxation",
    "database",
    "network",
    "structures",
    "trajectory",
]
TYPED = dict(
    orders="-3, -4",
    hidden="16",
    cutoff="",
    triplet="",
    pair="exp(-r)",
)


def small_database():
    spec = pt.DatabaseSpec(600, epochs=(0, 10, 40), width=(4.5, 6.0), n_widths=3, forces=True)
    return pt.generate(spec, progress=False)


def random_network(db, energy_shift=-1.0):
    "Not trained: a network of random weights is enough to be drawn."
    rng = np.random.default_rng(0)
    layers = [
        (rng.normal(size=(8, 8)), rng.normal(size=8)),
        (rng.normal(size=(8, 1)), rng.normal(size=1)),
    ]
    about = dict(validation_mae=1.0, validation_rmse=1.0, database=db.spec.to_dict())
    spec = pt.TrainingSpec(hidden=(8,))
    scaling = np.zeros(8), np.ones(8)
    return pt.Network(spec, layers, *scaling, energy_shift, 0.1, 4, 2, about=about)


def view_of(name, db):
    if name == "potential":
        return explore.PotentialView(test="square")
    if name == "configuration":
        return explore.ConfigurationView()
    if name == "relaxation":
        return explore.RelaxationView()
    if name == "structures":
        return StructuresView(some_structures(), Halved())
    if name == "trajectory":
        path = pt.dynamics(db.positions[:3], db.width[:3], steps=60, dt=0.002, progress=False)
        return TrajectoryView(path)
    kind = dict(database=explore.DatabaseView, network=explore.NetworkView)[name]
    return kind(db)


class Halved(pt.Predictor):
    "Half of what is true."

    n_particles, dimension, any_number, any_cell, about = 4, 3, True, True, {}

    def evaluate(self, x, w, with_forces=False):
        energy, forces = pt.energy_and_forces(x, w, pt.Morse(), depth=1)
        return energy / 2, forces / 2


def some_structures(n=40):
    "In slanted cells of space, of two groups."
    rng = np.random.default_rng(0)
    cells = 3 * np.eye(3) + rng.uniform(0, 0.5, (n, 3, 3))
    x = [rng.uniform(0, 1, (3 + m % 2, 3)) @ cell for m, cell in enumerate(cells)]
    group = [f"{len(one)} particles" for one in x]
    made = pt.Structures.from_arrays(x, cells, group=group)
    return made.labelled(pt.Morse(), depth=1, progress=False)


def another(control, now):
    "Another value that the control can take."
    if control.kind == "range":
        ends = np.quantile([control.low, control.high], (0.2, 0.7))
        return tuple(float(v) for v in ends)
    if control.options:
        return next(v for v in control.values if v not in (now, "custom"))
    if control.kind == "text":
        return TYPED[control.name]
    if control.kind == "log":
        return 10 ** (control.low + 1)
    other = control.low + 0.4 * (control.high - control.low)
    return round(other) if control.kind == "whole" else float(other)


def pixels(png):
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
