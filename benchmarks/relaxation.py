"""The thesis's relaxation: the package against a plain kernel that recomputes the whole energy for every move.

4 particles in 2-D, w = 5, 40 epochs, protocol "exact", then one energy; both on the same threads. This is what `generate` calls.
The plain kernel is the textbook way in numba: every pair and triangle of the central particles with all images within reach.
Narrow cells follow, where every particle sees many images.
"""
import math
import os

import numba
import numpy as np

from pes_toy.potentials import ModifiedLennardJones
from pes_toy.engine.streams import Draw
from pes_toy.relaxation import Recipe, relax_batch
from timing import best_of, show

POTENTIAL = ModifiedLennardJones()


@numba.njit(error_model="numpy")
def lj(s, shift, tilt):
    "Equation 10 for n = 6, R_0 = 2."
    if s >= 2.0: return 0.0
    y = s * s
    y = 1.0 / (y * y * y)
    return y * (y - 2.0) + shift + tilt * s


@numba.njit(error_model="numpy")
def plain_energy(x, w, depth, shift, tilt):
    "N v, exact weights: all pairs of points around each central particle; points out of reach are skipped."
    N = len(x)
    most = (2 * depth + 1) ** 2 * N
    dx, dy, r = np.empty(most), np.empty(most), np.empty(most)
    total = 0.0
    for i in range(N):
        count = 0
        for kx in range(-depth, depth + 1):
            for ky in range(-depth, depth + 1):
                for j in range(N):
                    if kx == 0 and ky == 0 and j == i: continue
                    a, b = x[j, 0] - x[i, 0] + w * kx, x[j, 1] - x[i, 1] + w * ky
                    t = a * a + b * b
                    if t < 9.0:
                        dx[count], dy[count], r[count] = a, b, math.sqrt(t)
                        count += 1
        for a in range(count):
            total += 0.25 * lj(r[a], shift, tilt)
            for b in range(a):
                s = (r[a] + r[b] + math.sqrt((dx[a] - dx[b]) ** 2 + (dy[a] - dy[b]) ** 2)) / 3.0
                total += 1.5 * lj(s, shift, tilt)
    return total


@numba.njit(parallel=True, error_model="numpy")
def plain_relaxation(x, w, depth, epochs, delta, seed, shift, tilt, out):
    "The descent, one configuration after another, whole energies compared."
    for m in numba.prange(len(x)):
        np.random.seed(seed + m)
        N = x.shape[1]
        for i in range(N):
            for c in range(2): x[m, i, c] = np.random.random() * w
        old = plain_energy(x[m], w, depth, shift, tilt)
        for _ in range(epochs):
            for i in range(N):
                a, b = x[m, i, 0], x[m, i, 1]
                for c in range(2):
                    x[m, i, c] += delta * (2.0 * np.random.random() - 1.0)
                    if x[m, i, c] < 0.0: x[m, i, c] += w
                    elif x[m, i, c] > w: x[m, i, c] -= w
                new = plain_energy(x[m], w, depth, shift, tilt)
                if new <= old: old = new
                else: x[m, i, 0], x[m, i, 1] = a, b
        out[m] = plain_energy(x[m], w, depth, shift, tilt) / N


def ours(M, w=5.0):
    x, widths = np.empty((M, 4, 2)), np.full(M, w)
    return relax_batch(x, widths, POTENTIAL, Recipe(), Draw(random_start=True))[2]


def plain(M, w=5.0):
    x, out = np.empty((M, 4, 2)), np.empty(M)
    plain_relaxation(x, w, math.ceil(3 / w), 40, 0.1, 0, *POTENTIAL.parameters[4:], out)
    return out


if __name__ == "__main__":
    M = 20_000
    a, b = ours(M), plain(M)
    print(f"mean energy after relaxation: package {a.mean():.4f}, plain {b.mean():.4f} (standard error {b.std() / M**0.5:.4f})")
    t_ours, t_plain = best_of(lambda: ours(M), lambda: plain(M), rounds=5)
    t_big, = best_of(lambda: ours(50_000), rounds=3)
    show("relaxation, 4 particles, 40 epochs", [("plain kernel", t_plain / M * 1e6, "us a configuration"), ("package", t_ours / M * 1e6, "us a configuration"),
         ("ratio", t_plain / t_ours, "times faster (asked: 10, aim: 25)"), ("50,000 configurations", t_big, "s"), ("threads", len(os.sched_getaffinity(0)), "")])
    rows = []
    for w, M in ((4.49, 2000), (4.0, 2000), (3.0, 1000), (2.0, 200), (1.5, 100)):
        ours(M, w), plain(M, w)
        t_ours, t_plain = best_of(lambda: ours(M, w), lambda: plain(M, w), rounds=3)
        rows += [(f"w = {w:g}: plain, package", t_plain / M * 1e6, f"and {t_ours / M * 1e6:.3g} us a configuration: {t_plain / t_ours:.1f} times faster")]
    show("narrow cells", rows)
