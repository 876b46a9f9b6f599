"""Inputs of 4 particles in the plane, w = 5: the eigenvalues of two proximity matrices.

`plain numba + LAPACK` and numpy compute the same: orders -2 and -3, R_0p = 20, every image within
the depth of the thesis. DScribe's sine matrix is another matrix: one for a configuration, each
element in closed form. There is no more work in it than in one of ours; ours does two.
"""

import functools
import math

import descriptors
import numpy as np
import pes_toy as pt
from pes_toy.lattice import cells

from peers.contest import Entry, contest, deliver, entered

M, N, W, R = 20_000, 4, 5.0, 20.0
ORDERS = (-2, -3)
SAME = "4 particles, w = 5; numba and numpy: both orders, R_0p = 20; SineMatrix: one matrix"
x = np.random.default_rng(0).uniform(0, W, (M, N, 2))


def deviation(found, expected):
    "Largest difference of eigenvalues to the largest one, in words."
    scale = np.abs(expected).max(axis=-1, keepdims=True)
    return f"within {np.abs((found - expected) / scale).max():.1g}"


def both_orders(found):
    return found.reshape(len(found), 2, N)


def numpy_eigenvalues(x):
    "Equation (11) for all configurations at once."
    steps = cells(2, math.ceil(R / W) + 1)
    apart = x[:, None, :, None] - x[:, :, None, None] + W * steps
    r = np.linalg.norm(apart, axis=-1)
    near = (r < R) & (r > 0)
    u = np.where(near, R / np.where(near, r, R) - r / R, 0.0)
    P = np.stack([(u**-order).sum(-1) for order in ORDERS], axis=1)
    return np.linalg.eigvalsh(P).reshape(len(x), -1)


def numba_entry():
    expected = both_orders(pt.proximity_eigenvalues(x, W, ORDERS, R))
    found = both_orders(descriptors.plain(x, W, R, 1))
    run = functools.partial(descriptors.plain, x, W, R, 1)
    return Entry("plain numba + LAPACK", run, M, deviation(found, expected), 6.0)


def numpy_entry(some=500):
    expected = both_orders(pt.proximity_eigenvalues(x[:some], W, ORDERS, R))
    found = both_orders(numpy_eigenvalues(x[:some]))
    run = functools.partial(numpy_eigenvalues, x[:some])
    return Entry("numpy, vectorised, LAPACK", run, some, deviation(found, expected))


def sine_matrices(x):
    "The sine matrix of hydrogen in a cube, written down from its definition."
    sines = np.sin(np.pi * (x[:, :, None] - x[:, None]) / W) ** 2
    itself = np.eye(N, dtype=bool)
    return np.where(itself, 0.5, 1.0 / (W * np.linalg.norm(sines, axis=-1) + itself))


def dscribe_entry(some=500):
    from ase import Atoms
    from dscribe.descriptors import SineMatrix

    flat = np.concatenate([x, np.zeros((M, N, 1))], axis=-1)[:some]
    atoms = [Atoms(f"H{N}", positions=one, cell=[W, W, W], pbc=True) for one in flat]
    sine = SineMatrix(n_atoms_max=N, permutation="eigenspectrum")
    found = np.sort(np.abs(sine.create(atoms)))
    witness = np.sort(np.abs(np.linalg.eigvalsh(sine_matrices(x[:some]))))
    agrees = f"another matrix; to its definition in numpy {deviation(found, witness)}"
    return Entry("DScribe, SineMatrix", lambda: sine.create(atoms), some, agrees, 100.0)


def main():
    run = functools.partial(pt.proximity_eigenvalues, x, W, ORDERS, R, workers=1)
    peers = [entered("DScribe, SineMatrix", dscribe_entry, 100.0),
             entered("plain numba + LAPACK", numba_entry, 6.0),
             entered("numpy, vectorised, LAPACK", numpy_entry)]
    deliver([contest("eigenvalues, 4 particles", "configuration", SAME,
                     Entry("package", run, M), peers)])


if __name__ == "__main__":
    main()
