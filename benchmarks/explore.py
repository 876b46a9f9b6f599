"""Reaction of the explorers: from a changed setting to the new picture.

Each explorer goes through twenty changes of one setting. Widgets count where ipywidgets is
installed; what the browser takes to show a picture does not. The median tells what a hand on a
slider feels; the best time, what is left of it on a quiet machine.

    python benchmarks/explore.py                    # this package
    python benchmarks/explore.py --against FOLDER   # and the package in another folder, in turn
"""

import argparse
import json
import os
import subprocess
import sys
import time
from importlib.util import find_spec

import numpy as np
import pes_toy as pt
from pes_toy import explore
from timing import show

TIMES = 20
ROUNDS = 3


def along(name, low, high, kind=float):
    "Twenty values of a setting."
    return [(name, kind(value)) for value in np.linspace(low, high, TIMES)]


def limits():
    "Twenty selections by energy."
    return [("energy", (-3.0, float(high))) for high in np.linspace(-2, 0, TIMES)]


def database():
    spec = pt.DatabaseSpec(5000, epochs=(0, 10, 40), max_energy=3.0, forces=True)
    return pt.generate(spec, progress=False)


def contests(db):
    "{name: (view, the changes that it goes through)}."
    square = explore.PotentialView("AreaPair", test="square")
    thesis = explore.RelaxationView(protocol="thesis")
    found = {
        "potential, surface": (explore.PotentialView(), along("R_0", 1.5, 2.5)),
        "potential, equation 6, square": (square, along("R_c", 0.8, 1.2)),
        "configuration, x": (explore.ConfigurationView(), along("x", 3.0, 5.0)),
        "configuration, y": (explore.ConfigurationView(), along("y", 2.2, 2.8)),
        "relaxation, epochs": (explore.RelaxationView(), along("epochs", 1, 200, int)),
        "relaxation, width": (explore.RelaxationView(), along("width", 4.5, 6.0)),
        "relaxation, thesis, width": (thesis, along("width", 4.5, 6.0)),
        "database, limits": (explore.DatabaseView(db), limits()),
        "database, clicking through": (explore.DatabaseView(db), along("number", 0, 100, int)),
        "network, not trained": (explore.NetworkView(db), along("R_0p", 2.0, 4.0)),
    }
    network = pt.sample_network()
    seen = explore.ConfigurationView(network=network)
    found["configuration with network, x"] = seen, along("x", 3.0, 5.0)
    return found


def changer(view):
    "A function that changes a setting and shows the picture, with widgets where there are any."
    if find_spec("ipywidgets"):
        explorer = explore.Explorer(view)
        return lambda name, value: explorer.set(**{name: value})

    def change(name, value):
        view.set(name, value)
        view.picture(dpi=96)
        view.text()

    return change


def react(change, changes):
    "Milliseconds of each change, after a first one."
    times = []
    for name, value in [changes[-1], *changes]:
        start = time.perf_counter()
        change(name, value)
        times.append(1e3 * (time.perf_counter() - start))
    return times[1:]


def serve():
    "For each name on stdin, the times of that contest on stdout; remembered pictures count."
    db = database()
    for line in sys.stdin:
        view, changes = contests(db)[line.strip()]
        print(json.dumps(react(changer(view), changes)), flush=True)


class Server:
    "A process with the package of a folder, or with this one."

    def __init__(self, folder=None):
        plain = dict(os.environ)
        if folder:
            plain["PYTHONPATH"] = folder
        command = [sys.executable, __file__, "--serve"]
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process = subprocess.Popen(command, env=plain, **pipes)

    def times(self, name):
        print(name, file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def compare(folder, names):
    "Medians of both packages, which take turns; the best round of each counts."
    servers = Server(), Server(folder)
    rows = []
    for name in names:
        rounds = [[np.median(server.times(name)) for server in servers] for _ in range(ROUNDS)]
        mine, other = np.min(rounds, axis=0)
        rows.append((name, mine / other, f"times the other ({mine:.0f} and {other:.0f} ms)"))
    for server in servers:
        server.close()
    return rows


def measure():
    "Median and best of each contest."
    rows = []
    for name, (view, changes) in contests(database()).items():
        times = react(changer(view), changes)
        rows.append((name, np.median(times), f"ms (median; best {min(times):.0f})"))
    slowest = max(median for _, median, _ in rows)
    return [*rows, ("slowest median", slowest, "ms (asked: below 100)")]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", metavar="FOLDER", help="holds another pes_toy")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    title = "explorers: from a change to its picture"
    if given.serve:
        serve()
    elif given.against:
        show(title, compare(given.against, contests(database())))
    else:
        show(title, measure())
