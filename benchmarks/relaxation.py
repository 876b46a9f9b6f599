"""The descent: the package against a plain kernel that recomputes the whole energy for every move.

The plain kernel is the textbook way in numba, for any number of particles and dimensions: every
pair and triangle of the central particles with all images within reach. Ratios are of one thread
each. The package's part is what `generate` calls, random starting positions included. Two to three
minutes, half of them for compiling; databases are made on all cores.
"""
import dataclasses
import math
import time

import numba
import numpy as np
from timing import best_of, rounds_of, show

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
    a, b = best_of(lambda: ours(M, N, d, w, potential, epochs), theirs)
    a, b = a / M / N / epochs, b / plain_M / N / epochs
    return name, b / a, f"times faster: {a * 1e9:.0f} ns a move, plain {b * 1e9:.0f}"


def ratios():
    "All cases against the plain kernel."
    rows = [row(f"4 particles, 2-D, w = {w:g}", 4, 2, w, M, plain_M)
            for w, M, plain_M in ((5.0, 40_000, 2000), (4.4, 20_000, 2000),
                                  (4.0, 20_000, 2000), (3.0, 10_000, 500), (2.0, 1000, 80),
                                  (1.5, 400, 60))]
    rows.append(row("8 particles, 3-D, w = 4.6", 8, 3, 4.6, 500, 100))
    rows.append(row("20 particles, 2-D, w = 10", 20, 2, 10.0, 400, 20))
    rows.append(row("64 particles, 3-D, density 0.1", 64, 3, 640 ** (1 / 3), 100, 2, epochs=5))
    for potential, plain in OWN:
        rows.append(row(f"own {potential.name}, 4 particles, w = 4", 4, 2, 4.0, 40_000, 4000,
                        potential, plain))
        rows.append(row(f"own {potential.name}, 20 particles, w = 10", 20, 2, 10.0, 400, 20,
                        potential, plain))
    show("the descent against the plain kernel", rows)


def points_of(x, w, p, reach):
    "What a moved particle sees: images of the others, and its own on one side; from its place."
    shifts = w * cells(x.shape[1], math.ceil(reach / w))
    others = (np.delete(x, p, axis=0)[:, None] + shifts - x[p]).reshape(-1, x.shape[1])
    own = shifts[len(shifts) // 2 + 1:]
    seen = [a[np.linalg.norm(a, axis=1) < reach] for a in (others, own)]
    return np.concatenate(seen), len(seen[0])


def needed(x, w, p):
    "Roots and divisions for the new place of a particle, if nothing is computed in vain."
    at, others = points_of(x, w, p, MODIFIED.reach)
    r = np.linalg.norm(at, axis=1)
    third = np.linalg.norm(at[:, None] - at, axis=2)
    closed = np.tril(r[:, None] + r + third < 3 * MODIFIED.cutoff, -1)
    triangles = closed[:, :others].sum()
    return len(r) + triangles, (r < MODIFIED.cutoff).sum() + triangles


def bound():
    "The least that a move takes, by what it cannot do without: roots and divisions."
    x = np.random.default_rng(0).uniform(0, 4.6, (20, 8, 3))
    course = [x] + [pt.relax(x, 4.6, epochs=n).positions for n in (10, 20, 40)]
    counts = [needed(one, 4.6, p) for some in course for one in some for p in range(8)]
    roots, divisions = np.mean(counts, axis=0)
    numbers, out = np.linspace(1, 2, 1024), np.empty(1024)
    ours(2, 8, 3, 4.6) # compiles
    times = rounds_of(
        lambda: ours(100, 8, 3, 4.6), lambda: [np.sqrt(numbers, out) for _ in range(1000)],
        lambda: [np.divide(1.5, numbers, out) for _ in range(1000)], clock=time.process_time)
    taken, root, division = map(min, times)
    move = taken / 100 / 8 / 40 * 1e9
    least = (roots * root + divisions * division) / 1_024_000 * 1e9
    show("a move of 8 particles in 3-D, w = 4.6", [
        ("roots", roots, "for the sides of the triangles that count"),
        ("divisions", divisions, "for pairs and triangles"),
        ("both, in long rows", least, "ns"), ("a move", move, "ns"),
        ("", move / least, "times what its roots and divisions take")])


def scaling():
    "The cost of a move at constant density."
    rows = []
    for d, density in ((2, 0.2), (3, 0.1)):
        for N in (65, 1000, 10_000):
            M = 20_000 // N
            w = (N / density) ** (1 / d)
            ours(1, N, d, w, epochs=1) # compiles
            t, = best_of(lambda: ours(M, N, d, w, epochs=5))
            rows.append((f"{N} particles, {d}-D", t / M / N / 5 * 1e9, "ns a move"))
    show("the cost of a move", rows)


def databases():
    "What a database takes on all cores."
    widths = pt.DatabaseSpec(n_configurations=100_000, width=(1.5, 10.0), n_widths=86)
    jobs = (("the thesis's job", pt.DatabaseSpec(n_configurations=50_000)), ("86 widths", widths))
    rows = []
    for name, spec in jobs:
        pt.generate(dataclasses.replace(spec, n_configurations=200), progress=False) # compiles
        t, = best_of(lambda: pt.generate(spec, progress=False), rounds=2)
        rows.append((f"{name}, {spec.n_configurations:,}", t, "s"))
    show("databases", rows)


if __name__ == "__main__":
    ratios()
    bound()
    scaling()
    databases()
