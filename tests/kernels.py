"""Compiles what most tests use, so that no two of them compile the same.

It needs the core of the package only, and writes into the folder that NUMBA_CACHE_DIR names.
Several processes share the work: one begins while pip installs what else the tests need.

python tests/kernels.py BEGUN    a folder with a file for each job that a process has begun
"""
import sys
from functools import partial
from pathlib import Path

import numpy as np

import pes_toy as pt


def bowl(r):
    return (1.0 - r / 1.5) ** 2 if r < 1.5 else 0.0


def corner(a, b, c):
    return (1.5 - (a + b + c) / 3.0) ** 2 if a + b + c < 4.5 else 0.0


OWN = pt.Potential(bowl, corner, cutoff=1.5)  # kernels that call it by address serve all others
OPEN = pt.Morse()  # without a cutoff


def box(n, d, width, many=3):
    return np.random.default_rng(n).uniform(0, width, (many, n, d))


def sums(potential, d, **more):
    x = box(4, d, 5.0)
    cell = 5.0 * np.eye(d) + np.triu(np.full((d, d), 0.3), 1)
    for width in (5.0, cell):
        pt.energy_per_particle(x, width, potential, **more)
        pt.forces(x, width, potential, **more)
        pt.stress(x, width, potential, **more)


def descents(potential):
    pt.relax(box(4, 2, 5.0), 5.0, potential, epochs=2)
    pt.relax(box(4, 2, 2.0), 2.0, potential, epochs=2)
    pt.relax(box(4, 2, 2.0), 2.0, potential, epochs=2, protocol="thesis")
    pt.relax(box(30, 2, 12.0), 12.0, potential, epochs=2)
    pt.relax(box(8, 3, 4.6), 4.6, potential, epochs=2)
    pt.relax(box(4, 2, 5.0), 5.0, potential, epochs=2, relaxer="fire")


def databases():
    spec = pt.DatabaseSpec(n_configurations=20, epochs=3, forces=True)
    pt.generate(spec, progress=False)
    pt.generate(pt.DatabaseSpec.thesis_widths(n_configurations=86, epochs=2), progress=False)


def inputs():
    x = box(4, 2, 5.0)
    pt.proximity_eigenvalues(x, 5.0)
    pt.proximity_eigenvalue_gradients(x, 5.0)
    for local in (pt.SymmetryFunctions(), pt.SymmetryFunctions(cutoff=3.0)):
        local.values(x, np.full(3, 5.0))
        local.gradients(x, np.full(3, 5.0))
    network = pt.sample_network()
    network.predict(x, 5.0)
    network.forces(x, 5.0)


def motion():
    pt.dynamics(box(4, 2, 5.0), 5.0, steps=3, dt=0.001, progress=False)


USUAL = pt.ModifiedLennardJones()
JOBS = [  # what several processes would compile at once comes first
    databases,
    inputs,
    *(partial(sums, potential, d) for d in (2, 3, 1) for potential in (USUAL, OWN)),
    *(partial(descents, potential) for potential in (USUAL, OWN)),
    motion,
    partial(sums, OPEN, 2, depth=1),
]


def is_mine(path):
    "Is this process the first to take a job?"
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def main(begun):
    for number, job in enumerate(JOBS):
        if is_mine(Path(begun) / str(number)):
            job()


if __name__ == "__main__":
    main(sys.argv[1])
