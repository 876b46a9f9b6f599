"""Eigenvalues of the proximity matrices: the package against a plain numba kernel with `np.linalg.eigvalsh`.

4 particles in 2-D, w = 5, orders -2 and -3, R_0p = 20, both on the same threads. The plain kernel is the textbook way: every image
within the depth of the thesis, ceil(R_0p / w) + 1, for each pair of the symmetric matrix, the distance once for both orders; then numpy's eigenvalues of the whole
chunk. Also the cost of one configuration alone, and of gradients and local inputs for orientation.
"""
import math

import numba
import numpy as np

from pes_toy.symmetry_functions import SymmetryFunctions
from pes_toy.descriptors import ProximityEigenvalues, proximity_eigenvalue_gradients, proximity_eigenvalues
from pes_toy.base.jobs import in_threads, n_workers
from timing import best_of, show

M, N, W, R = 20_000, 4, 5.0, 20.0


@numba.njit(nogil=True, error_model="numpy")
def plain_matrices(x, which, w, R, depth, out):
    "Equation (11) for orders -2 and -3, pair by pair, image by image."
    for at in range(len(which)):
        y = x[which[at]]
        for i in range(len(y)):
            for j in range(i + 1):
                p2, p3 = 0.0, 0.0
                for kx in range(-depth, depth + 1):
                    for ky in range(-depth, depth + 1):
                        if i == j and kx == 0 and ky == 0: continue
                        dx, dy = y[j, 0] - y[i, 0] + w * kx, y[j, 1] - y[i, 1] + w * ky
                        r = math.sqrt(dx * dx + dy * dy)
                        if r < R:
                            u = R / r - r / R
                            p2 += u * u
                            p3 += u * u * u
                out[at, 0, i, j] = out[at, 0, j, i] = p2
                out[at, 1, i, j] = out[at, 1, j, i] = p3


def plain(x, w, R, out, workers):
    "Ascending eigenvalues of both orders."
    def run(which):
        P = np.empty((len(which), 2, x.shape[1], x.shape[1]))
        plain_matrices(x, which, w, R, math.ceil(R / w) + 1, P)
        out[which] = np.linalg.eigvalsh(P).reshape(len(which), -1)
    in_threads(run, np.arange(len(x)), workers)
    return out


if __name__ == "__main__":
    x = np.random.default_rng(0).uniform(0, W, (M, N, 2))
    result = np.empty((M, 2 * N))
    for workers in sorted({1, n_workers(None)}):
        slow, fast = lambda: plain(x, W, R, result, workers), lambda: proximity_eigenvalues(x, W, (-2, -3), R, workers=workers)
        a, b = slow(), fast()                                                         # compile, and compare
        scale = np.abs(a.reshape(M, 2, N)).max(axis=2).repeat(N, axis=1)
        assert (np.abs(a - b) / scale).max() < 1e-10
        t_slow, t_fast = best_of(slow, fast, rounds=9)
        show(f"eigenvalues, {M:,} configurations, {workers} threads", [("plain numba + eigvalsh", t_slow / M * 1e6, "us each"), ("package", t_fast / M * 1e6, "us each"),
             ("ratio", t_slow / t_fast, "(asked: at least 4)")])
    one = x[0].copy()
    thesis, near, local = ProximityEigenvalues(), ProximityEigenvalues(R_0p=3.0), SymmetryFunctions()
    rows = []
    for name, descriptor in (("R_0p = 20", thesis), ("R_0p = 3", near), ("symmetry functions", local)):
        g = np.ones_like(descriptor.values(x, W))
        many = lambda: descriptor.values(x, W)
        pull = lambda: descriptor.pullback(x, W, g)
        alone = lambda: [descriptor.values(one, W) for _ in range(200)]
        many(), pull(), alone()
        t = best_of(many, pull, alone)
        rows += [(f"{name}: values", t[0] / M * 1e6, "us each"), ("   pullback (for forces)", t[1] / M * 1e6, "us each"), ("   one configuration alone", t[2] / 200 * 1e6, "us")]
    gradient = lambda: proximity_eigenvalue_gradients(x, W)
    gradient()
    rows.append(("R_0p = 20: full gradients", best_of(gradient)[0] / M * 1e6, "us each"))
    show(f"cost, {n_workers(None)} threads", rows)
