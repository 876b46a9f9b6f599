"""What tests of views and explorers share: a view of each kind, other values for its controls."""

import io

import numpy as np
import pes_toy as pt
from pes_toy import explore

NAMES = ["potential", "configuration", "relaxation", "database", "network"]
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
    kind = dict(database=explore.DatabaseView, network=explore.NetworkView)[name]
    return kind(db)


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
