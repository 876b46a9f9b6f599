"""Descriptors: the package against plain kernels and LAPACK, and what inputs cost.

Eigenvalues of 4 particles in 2-D, w = 5, orders -2 and -3, R_0p = 20, against the textbook way on
the same threads: every image within the depth of the thesis, ceil(R_0p / w) + 1, for each pair of
the symmetric matrix, the distance once for both orders; then numpy's eigenvalues of the chunk.
300 particles against the same. Rotations against LAPACK on both sides of the limit. Symmetry
functions against the plain function. The cost of one configuration alone, and of gradients.
"""

import math

import numba
import numpy as np

from pes_toy.base.jobs import in_threads, n_workers
from pes_toy.descriptors import (
    ProximityEigenvalues,
    proximity_eigenvalue_gradients,
    proximity_eigenvalues,
)
from pes_toy.engine import eigen
from pes_toy.engine.proximity import proximity_task
from pes_toy.symmetry_functions import SymmetryFunctions, plain_symmetry_functions
from timing import best_of, show

M, N, W, R = 20_000, 4, 5.0, 20.0


@numba.njit(nogil=True, error_model="numpy")
def plain_element(t, w, R, depth, itself):
    "Element of equation (11) for orders -2 and -3 from one connection, image by image."
    p2 = 0.0
    p3 = 0.0
    for kx in range(-depth, depth + 1):
        for ky in range(-depth, depth + 1):
            if itself and kx == 0 and ky == 0:
                continue
            dx = t[0] + w * kx
            dy = t[1] + w * ky
            r = math.sqrt(dx * dx + dy * dy)
            if r < R:
                u = R / r - r / R
                p2 += u * u
                p3 += u * u * u
    return p2, p3


@numba.njit(nogil=True, error_model="numpy")
def plain_matrices(x, which, w, R, depth, out):
    "Equation (11) for orders -2 and -3, pair by pair."
    for at in range(len(which)):
        y = x[which[at]]
        for i in range(len(y)):
            for j in range(i + 1):
                out[at, :, i, j] = plain_element(y[j] - y[i], w, R, depth, i == j)
                out[at, :, j, i] = out[at, :, i, j]


def plain(x, w, R, workers):
    "Ascending eigenvalues of both orders."
    n = x.shape[1]
    out = np.empty((len(x), 2 * n))

    def run(which, stop):
        P = np.empty((len(which), 2, n, n))
        plain_matrices(x, which, w, R, math.ceil(R / w) + 1, P)
        out[which] = np.linalg.eigvalsh(P).reshape(len(which), -1)

    in_threads(run, np.arange(len(x)), workers, 64 if n < 64 else 1)
    return out


def contest(title, x, w, R, workers, asked):
    "The package against the plain way."

    def slow():
        return plain(x, w, R, workers)

    def fast():
        return proximity_eigenvalues(x, w, (-2, -3), R, workers=workers)

    expected = slow().reshape(len(x), 2, -1)
    scale = np.abs(expected).max(axis=2, keepdims=True)
    deviation = (fast().reshape(expected.shape) - expected) / scale
    assert np.abs(deviation).max() < 1e-10
    t_slow, t_fast = best_of(slow, fast, rounds=9 if x.shape[1] < 64 else 3)
    rows = [
        ("plain numba + eigvalsh", t_slow / len(x) * 1e6, "us each"),
        ("package", t_fast / len(x) * 1e6, "us each"),
        ("ratio", t_slow / t_fast, asked),
    ]
    show(f"{title}, {workers} threads", rows)


def both_ways(n):
    "Best seconds of rotations and of LAPACK, for eigenvalues and with derivatives."
    m = max(64, 1200 // n)
    w = np.full(m, (n / 0.16) ** 0.5)
    x = np.random.default_rng(n).uniform(0, w[0], (m, n, 2))
    task = proximity_task(x, w, (-2, -3), (3.0, 3.0))
    which = np.arange(m)
    out = np.empty((m, 2 * n))
    none = np.zeros((0, 2 * n, n, 2))
    wanted = eigen.Wanted(np.ones_like(out), none, np.zeros_like(x), np.zeros(out.shape, bool))
    ways = [
        lambda: eigen._eigenvalues_by_rotations(task, which, out),
        lambda: eigen._eigenvalues_by_lapack(task, which, out),
        lambda: eigen._gradients_by_rotations(task, which, wanted),
        lambda: eigen._gradients_by_lapack(task, which, wanted),
    ]
    for way in ways:
        way()
    return best_of(*ways)


def costs(name, descriptor, x):
    "Rows for values, pullback, and one configuration alone."
    one = x[0].copy()
    g = np.ones_like(descriptor.values(x, W))

    def values():
        descriptor.values(x, W)

    def pullback():
        descriptor.pullback(x, W, g)

    def alone():
        for _ in range(200):
            descriptor.values(one, W)

    for run in (values, pullback, alone):
        run()
    t = best_of(values, pullback, alone)
    return [
        (f"{name}: values", t[0] / M * 1e6, "us each"),
        ("   pullback (for forces)", t[1] / M * 1e6, "us each"),
        ("   one configuration alone", t[2] / 200 * 1e6, "us"),
    ]


def local_against_plain(x):
    "Symmetry functions: the package on one thread against plain numpy."
    local = SymmetryFunctions()
    few = x[:50]
    local.values(few[:1], W)
    t_slow, t_fast = best_of(
        lambda: [plain_symmetry_functions(one, W) for one in few],
        lambda: [local.values(few[k : k + 1], W) for k in range(50)],
        rounds=3,
    )
    rows = [("plain numpy", t_slow / 50 * 1e6, "us each"), ("ratio", t_slow / t_fast, "")]
    show("symmetry functions, one at a time", rows)


if __name__ == "__main__":
    x = np.random.default_rng(0).uniform(0, W, (M, N, 2))
    for workers in sorted({1, n_workers(None)}):
        contest(f"eigenvalues, {M:,} configurations", x, W, R, workers, "(asked: at least 4)")
    large = np.random.default_rng(0).uniform(0, 43.0, (30, 300, 2))
    contest("eigenvalues, 300 particles", large, 43.0, 20.0, 1, "(asked: at least 1)")
    rows = []
    for n in (4, 8, 12, 14, 16, 20, 32):
        t = both_ways(n)
        rows.append((f"{n} particles: eigenvalues", t[1] / t[0], ""))
        rows.append(("   with derivatives", t[3] / t[2], ""))
    show(f"LAPACK over rotations (limit: {eigen.ROTATIONS_BELOW})", rows)
    local_against_plain(x)
    rows = costs("R_0p = 20", ProximityEigenvalues(), x)
    rows += costs("R_0p = 3", ProximityEigenvalues(R_0p=3.0), x)
    rows += costs("symmetry functions", SymmetryFunctions(), x)
    proximity_eigenvalue_gradients(x[:1], W)
    t = best_of(lambda: proximity_eigenvalue_gradients(x, W))[0]
    rows.append(("R_0p = 20: full gradients", t / M * 1e6, "us each"))
    show(f"cost, {n_workers(None)} threads", rows)
