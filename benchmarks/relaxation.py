"""The descent: the package against a plain kernel that recomputes the whole energy for every move.

The plain kernel is the textbook way in numba, for any number of particles and dimensions: every
pair and triangle of the central particles with all images within reach. Ratios are of one thread
each. The package's part is what `generate` calls, random starting positions included. Two to three
minutes, half of them for compiling; databases are made on all cores.
"""
import dataclasses
import math

import numba
import numpy as np
from timing import best_of, show

import pes_toy as pt
from pes_toy.engine.streams import Draw
from pes_toy.lattice import cells
from pes_toy.relaxation import Recipe, relax_batch

MODIFIED = pt.ModifiedLennardJones()
SHIFT, TILT = MODIFIED.parameters[4:]


@numba.njit(error_model="numpy")
def equation_10(s):
    "For n = 6, R_0 = 2."
    if s >= 2.0: return 0.0
    y = s * s
    y = 1.0 / (y * y * y)
    return y * (y - 2.0) + SHIFT + TILT * s


@numba.njit(error_model="numpy")
def mean_side(a, b, c):
    return equation_10((a + b + c) / 3.0)


@numba.njit(error_model="numpy")
def lennard_jones(r):
    if r >= 2.5: return 0.0
    y = 1.0 / (r * r)
    y = y * y * y
    return y * (y - 2.0)


@numba.njit(error_model="numpy")
def morse(r):
    if r >= 2.5: return 0.0
    e = math.exp(-5.0 * (r - 1.0))
    return e * (e - 2.0)


@numba.njit(error_model="numpy")
def no_triplet(a, b, c):
    return 0.0


def plain_kernels(pair, triplet, w2, w3):
    "The plain descent for a potential."
    @numba.njit(error_model="numpy")
    def energy(x, shifts, reach, apart, r):
        "N v, exact weights."
        N, d = x.shape
        total = 0.0
        for i in range(N):
            count = 0
            for k in range(len(shifts)):
                for j in range(N):
                    if k == len(shifts) // 2 and j == i: continue
                    t = 0.0
                    for c in range(d):
                        apart[count, c] = x[j, c] - x[i, c] + shifts[k, c]
                        t += apart[count, c] ** 2
                    if t < reach * reach:
                        r[count] = math.sqrt(t)
                        count += 1
            for a in range(count):
                total += w2 * pair(r[a])
                if w3 == 0.0: continue
                for b in range(a):
                    t = 0.0
                    for c in range(d):
                        t += (apart[a, c] - apart[b, c]) ** 2
                    total += 2.0 * w3 * triplet(r[a], r[b], math.sqrt(t))
        return total

    @numba.njit(error_model="numpy")
    def relaxation(x, w, shifts, reach, epochs):
        "Configurations one after another, whole energies compared; their mean energy."
        M, N, d = x.shape
        apart = np.empty((N * len(shifts) + 1, d))
        r = np.empty(N * len(shifts) + 1)
        mean = 0.0
        for m in range(M):
            np.random.seed(m)
            x[m] = w * np.random.random((N, d))
            old = energy(x[m], shifts, reach, apart, r)
            for step in range(epochs * N):
                i = step % N
                place = x[m, i].copy()
                for c in range(d):
                    t = place[c] + 0.1 * (2.0 * np.random.random() - 1.0)
                    x[m, i, c] = t + w if t < 0.0 else t - w if t > w else t
                new = energy(x[m], shifts, reach, apart, r)
                if new <= old:
                    old = new
                else:
                    x[m, i] = place
            mean += old / N / M
        return mean

    return relaxation


PLAIN = plain_kernels(equation_10, mean_side, 0.25, 0.75)
OWN = [(pt.Potential(f, cutoff=2.5, name=f.__name__), plain_kernels(f, no_triplet, 1.0, 0.0))
       for f in (lennard_jones, morse)]


def ours(M, N, d, w, potential=MODIFIED, epochs=40, protocol="exact"):
    "Seconds are counted around this."
    recipe = Recipe(epochs=epochs, protocol=protocol, depth=1 if protocol == "thesis" else None)
    x, width = np.empty((M, N, d)), np.full(M, w)
    return relax_batch(x, width, potential, recipe, Draw(random_start=True), workers=1)


def row(name, N, d, w, M, plain_M, potential=MODIFIED, plain=PLAIN, epochs=40):
    "Times of a move, and their ratio."
    shifts = w * cells(d, math.ceil(potential.reach / w)).astype(float)
    x = np.empty((plain_M, N, d))
    def theirs():
        return plain(x, w, shifts, potential.reach, epochs)
    ours(2, N, d, w, potential, epochs) # compiles
    theirs()
    a, b = best_of(lambda: ours(M, N, d, w, potential, epochs), theirs, rounds=3)
    a, b = a / M / N / epochs, b / plain_M / N / epochs
    return name, b / a, f"times faster: {a * 1e9:.0f} ns a move, plain {b * 1e9:.0f}"


def ratios():
    "All cases against the plain kernel."
    rows = [row(f"4 particles, 2-D, w = {w:g}", 4, 2, w, M, plain_M)
            for w, M, plain_M in ((5.0, 2000, 50), (4.4, 1000, 50), (4.0, 1000, 50),
                                  (3.0, 500, 20), (2.0, 60, 3), (1.5, 15, 1))]
    rows.append(row("8 particles, 3-D, w = 4.6", 8, 3, 4.6, 20, 1))
    rows.append(row("20 particles, 2-D, w = 10", 20, 2, 10.0, 20, 2))
    rows.append(row("64 particles, 3-D, density 0.1", 64, 3, 640 ** (1 / 3), 4, 1, epochs=5))
    for potential, plain in OWN:
        rows.append(row(f"own {potential.name}, 4 particles, w = 4", 4, 2, 4.0, 500, 50,
                        potential, plain))
        rows.append(row(f"own {potential.name}, 20 particles, w = 10", 20, 2, 10.0, 20, 2,
                        potential, plain))
    show("the descent against the plain kernel", rows)


def scaling():
    "The cost of a move at constant density."
    rows = []
    for d, density in ((2, 0.2), (3, 0.1)):
        for N in (65, 1000, 10_000):
            M = max(1, 1000 // N)
            w = (N / density) ** (1 / d)
            t, = best_of(lambda: ours(M, N, d, w, epochs=5), rounds=2)
            rows.append((f"{N} particles, {d}-D", t / M / N / 5 * 1e9, "ns a move"))
    show("the cost of a move", rows)


def databases():
    "What a database takes on all cores."
    jobs = (("the thesis's job", pt.DatabaseSpec(n_configurations=50_000)),
            ("86 widths", pt.DatabaseSpec(n_configurations=20_000, width=(1.5, 10.0), n_widths=86)))
    rows = []
    for name, spec in jobs:
        pt.generate(dataclasses.replace(spec, n_configurations=200), progress=False) # compiles
        t, = best_of(lambda: pt.generate(spec, progress=False), rounds=2)
        rows.append((f"{name}, {spec.n_configurations:,}", t, "s"))
    show("databases", rows)


if __name__ == "__main__":
    ratios()
    scaling()
    databases()
