"""Reaction of the explorers: from a changed setting to the new picture, without and with the widgets.

Each explorer goes through twenty changes of one setting. Widgets count where ipywidgets is installed; what the browser takes to show a picture does not.
The median tells what a hand on a slider feels; the best time, what is left of it on a quiet machine.
"""
import time
from importlib.util import find_spec

import numpy as np

from pes_toy import explore
from pes_toy.specification import DatabaseSpec
from pes_toy.generation import generate
from pes_toy.training import TrainingSpec, train
from timing import show

TIMES = 20


def along(name, low, high, kind=float): return [(name, kind(v)) for v in np.linspace(low, high, TIMES)]


def contests():
    "Views, and the changes that they go through."
    db = generate(DatabaseSpec(5000, epochs=(0, 10, 40), max_energy=3.0, forces=True), progress=False)
    yield "potential, surface", explore.PotentialView(), along("R_0", 1.5, 2.5)
    yield "potential, equation 6, square", explore.PotentialView("AreaPair", test="square"), along("R_c", 0.8, 1.2)
    yield "configuration, x", explore.ConfigurationView(), along("x", 3.0, 5.0)
    yield "configuration, y", explore.ConfigurationView(), along("y", 2.2, 2.8)
    yield "relaxation, epochs", explore.RelaxationView(), along("epochs", 1, 200, int)
    yield "relaxation, width", explore.RelaxationView(), along("width", 4.5, 6.0)
    yield "relaxation, thesis, width", explore.RelaxationView(protocol="thesis"), along("width", 4.5, 6.0)
    yield "database, limits", explore.DatabaseView(db), [("energy", (-3.0, float(v))) for v in np.linspace(-2, 0, TIMES)]
    yield "database, clicking through", explore.DatabaseView(db), along("number", 0, 100, int)
    yield "network, not trained", explore.NetworkView(db), along("R_0p", 2.0, 4.0)
    if find_spec("tensorflow") is None: return
    network = train(db, TrainingSpec(hidden=(32, 32), epochs=3), progress=False)
    yield "configuration with network, x", explore.ConfigurationView(network=network), along("x", 3.0, 5.0)


def react(change, changes):
    "Seconds of each change, after a first one."
    times = []
    for name, value in [changes[-1], *changes]:
        start = time.perf_counter()
        change(name, value)
        times.append(time.perf_counter() - start)
    return times[1:]


def without_widgets(view):
    def change(name, value):
        view.set(name, value)
        view.picture(dpi=96), view.text()
    return change


if __name__ == "__main__":
    rows, medians = [], []
    for name, view, changes in contests():
        change = without_widgets(view)
        if find_spec("ipywidgets"):
            explorer = explore.Explorer(view)
            change = lambda name, value: explorer.set(**{name: value})
        times = 1e3 * np.array(react(change, changes))
        medians.append(np.median(times))
        rows += [(name, medians[-1], f"ms (median; best {times.min():.0f})")]
    show("explorers: from a change to its picture", [*rows, ("slowest median", max(medians), "ms (asked: below 100)")])
