"""Energies and forces, as ratios: to energies alone, to a program for one case, to loops.

Large cells: 2-D, density 0.16 particles per R_c^2, one thread. Each call gets configurations of its
own: one configuration repeated is learned by the branch predictor and stays in the cache, and reads
too low. Small and narrow cells follow.
"""
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from narrow_program import energy_and_forces_in_the_plane
from timing import best_of, show

from pes_toy.descriptors import ProximityEigenvalues
from pes_toy.elasticity import stress
from pes_toy.energy import energy_and_forces, energy_per_particle, plain_energy
from pes_toy.symmetry_functions import SymmetryFunctions

DENSITY = 0.16
HERE = Path(__file__).parent
ROUNDS = 11
SIZES = [1_000, 10_000, 100_000]


def apart(N, w, rng, least=0.7):
    "Random positions that keep a distance: places of a fine lattice, and a small shift."
    n = int(w / (1.5 * least))
    places = rng.choice(n * n, N, replace=False)
    corners = np.stack([places // n, places % n], axis=1)
    return (corners + rng.uniform(0, 0.33, (N, 2))) * (w / n)


def fresh(N, rng=np.random.default_rng(0)):
    "Some configurations of N particles and their width."
    w = (N / DENSITY) ** 0.5
    return np.array([apart(N, w, rng) for _ in range(max(1, 20_000 // N))]), w


def contest(N):
    "Best seconds of energies, energies with forces, and the program for the plane; in turn."
    batches = [fresh(N) for _ in range(3)]
    turn = iter(batches * ROUNDS)

    def program():
        x, w = next(turn)
        for one in x:
            energy_and_forces_in_the_plane(one, w)

    seconds = best_of(lambda: energy_per_particle(*next(turn), workers=1),
                      lambda: energy_and_forces(*next(turn), workers=1), program, rounds=ROUNDS)
    return np.array(seconds) / batches[0][0].shape[0] / N


def agree(N=1_000):
    "Both programs give the same."
    x, w = fresh(N)
    v, f = energy_and_forces(x[0], w)
    e, g = energy_and_forces_in_the_plane(x[0], w)
    assert abs(e / N - v) < 1e-9 * abs(v) and abs(f - g).max() < 1e-9 * abs(f).max()


def large_cells():
    agree()
    costs = np.array([contest(N) for N in SIZES])
    rows = []
    for N, (energy, both, program) in zip(SIZES, costs):
        rows += [(f"{N:,} particles: energy", energy * 1e9, "ns a particle"),
                 ("   with forces", both * 1e9, "ns a particle"),
                 ("   with forces, to energy alone", both / energy, "(asked: at most 1.15)"),
                 ("   with forces, to the program", both / program, "(asked: at most 1)")]
    for i, what in enumerate(("energy", "with forces")):
        growth = np.polyfit(np.log(SIZES), np.log(costs[:, i] * SIZES), 1)[0]
        rows.append((f"exponent of the growth, {what}", growth, "(asked: at most 1.1)"))
    show("large cells, density 0.16", rows)


MILLION = [1_000, 10_000, 100_000, 1_000_000]
PEAK = """
import numpy as np
import pes_toy as pt
from energy import on_a_lattice

def peak():
    "Kilobytes, the most so far."
    with open("/proc/self/status") as file:
        return int(next(line for line in file if line.startswith("VmHWM")).split()[1])

pt.energy_and_forces(*on_a_lattice(1_000, {d}), workers=1)
x, w = on_a_lattice({N}, {d})
open("/proc/self/clear_refs", "w").write("5")
before = peak()
pt.energy_and_forces(x, w, workers=1)
print(1024 * (peak() - before) / len(x))
"""


def on_a_lattice(N, d, rng=np.random.default_rng(0)):
    "Shaken places of a lattice, numbered at random; density 0.16 in the plane, 0.08 in space."
    w = (N / (0.16, 0.08)[d - 2]) ** (1 / d)
    n = int(np.ceil(N ** (1 / d)))
    places = rng.permutation(N)
    corners = np.stack([places // n**c % n for c in range(d)], axis=1)
    return (corners + rng.uniform(0, 0.4, (N, d))) * (w / n), w


def processor_seconds(N, d):
    "CPU time of energy and forces of a cell, the best of some rounds; each has cells of its own."
    rounds = []
    for _ in range(3):
        cells = [on_a_lattice(N, d) for _ in range(max(1, 100_000 // N))]
        start = time.process_time()
        for x, w in cells:
            energy_and_forces(x, w, workers=1)
        rounds.append((time.process_time() - start) / len(cells))
    return min(rounds)


def a_million_particles():
    rows = []
    for d in (2, 3):
        seconds = np.array([processor_seconds(N, d) for N in MILLION])
        for N, each in zip(MILLION, seconds / MILLION):
            rows.append((f"{N:,} particles in {d}-D", each * 1e9, "ns a particle, of CPU time"))
        growth = np.polyfit(np.log(MILLION), np.log(seconds), 1)[0]
        rows.append((f"exponent of the growth, {d}-D", growth, "(asked: at most 1.1)"))
        if sys.platform == "linux":
            code = PEAK.format(N=MILLION[-1], d=d)
            said = subprocess.run([sys.executable, "-c", code], check=True, text=True,
                                  capture_output=True, cwd=HERE).stdout
            rows.append((f"memory of a million, {d}-D", float(said) - 8 * d,
                         "bytes a particle beside forces (asked: at most 120)"))
    show("up to a million particles, energy with forces", rows)


SMALL = [(2, 4, 5.0), (2, 4, 2.0), (2, 4, 1.5), (2, 20, 10.0), (3, 8, 4.6), (3, 64, 8.6)] # d, N, w


def small_cells():
    rng = np.random.default_rng(0)
    rows = []
    for d, N, w in SMALL:
        x = rng.uniform(0, w, (2_000, N, d))
        energy, both = best_of(lambda: energy_per_particle(x, w, workers=1),
                               lambda: energy_and_forces(x, w, workers=1), rounds=5)
        rows += [(f"{N} in {d}-D, w = {w}: energy", energy / len(x) * 1e6, "us"),
                 ("   with forces", both / len(x) * 1e6, "us")]
    one = x[0, :4, :2]
    plain, fast, published = best_of(
        lambda: plain_energy(one, 5.0), lambda: energy_per_particle(one, 5.0),
        lambda: energy_per_particle(one, 5.0, protocol="thesis"), rounds=5)
    rows += [("one configuration of 4, a call", fast * 1e6, "us"),
             ("   protocol thesis", published * 1e6, "us"),
             ("   bare loops, to the call", plain / fast, "")]
    show("small and narrow cells", rows)


def sheared_cells():
    "Square cells and sheared ones of the same volume, in turn; stress beside forces."
    rng = np.random.default_rng(0)
    rows = []
    for d, N in [(2, 4), (2, 20), (3, 64), (2, 10_000)]:
        x = np.array([on_a_lattice(N, d, rng)[0] for _ in range(max(1, 4_000 // N))])
        w = (N / (0.16, 0.08)[d - 2]) ** (1 / d)
        shear = np.eye(d)
        shear[1, 0] = 0.3
        y = x @ shear
        cell = w * shear
        square, sheared, stressed = best_of(
            lambda: energy_and_forces(x, w, workers=1),
            lambda: energy_and_forces(y, cell, workers=1),
            lambda: stress(x, w, workers=1), rounds=7)
        rows += [(f"{N:,} in {d}-D: energy and forces", square / len(x) * 1e6, "us, square"),
                 ("   sheared, to square", sheared / square, ""),
                 ("   stress, to energy and forces", stressed / square, "")]
    x = rng.uniform(0, 5, (500, 4, 2))
    cell = 5 * np.array([[1.0, 0.0], [0.3, 1.0]])
    for descriptor in (ProximityEigenvalues(), SymmetryFunctions()):
        square, sheared = best_of(lambda: descriptor.values(x, 5.0),
                                  lambda: descriptor.values(x, cell), rounds=7)
        rows += [(f"{type(descriptor).__name__}, 4 in 2-D", square / len(x) * 1e6, "us, square"),
                 ("   sheared, to square", sheared / square, "")]
    show("cells of any shape", rows)


if __name__ == "__main__":
    large_cells()
    a_million_particles()
    small_cells()
    sheared_cells()
