"""The least that a job asks of a core, and how fast the core does that.

A processor has one unit for roots and divisions, others for arithmetic, and a memory bus; they work
at the same time. A job cannot be done faster than the busiest of the three, if that never waits.
The counts are of terms that are not zero: no term is looked at in vain, nothing is computed twice,
symmetry is used where there is any, and data come from memory once. Speeds are measured here, on
arrays that stay in the nearest cache (memory: on arrays that do not), with full vectors.
"""

import math
import time
from typing import NamedTuple

import numba
import numpy as np

from peers import database, energy, eigenvalues, symmetry, training
from peers.contest import deliver
from timing import rounds_of


class Least(NamedTuple):
    "What one unit of a job needs at least."

    job: str  # title of its contest
    roots: float = 0.0
    divisions: float = 0.0
    exponentials: float = 0.0
    operations: float = 0.0  # additions and multiplications
    bytes: float = 0.0  # from and to memory
    single: bool = False  # precision of the operations


# speeds


@numba.njit(error_model="numpy")
def _roots(a, out, repeats):
    for _ in range(repeats):
        for i in range(len(a)):
            out[i] = math.sqrt(a[i])
        a[0] += 1e-9


@numba.njit(error_model="numpy")
def _divisions(a, out, repeats):
    for _ in range(repeats):
        for i in range(len(a)):
            out[i] = 1.0 / a[i]
        a[0] += 1e-9


@numba.njit
def _triad(a, b, out):
    for i in range(len(a)):
        out[i] = a[i] + 0.5 * b[i]


def speeds(repeats=2000):
    "Seconds of a root, a division, an exponential, an operation (double, single), a byte."
    near, out = np.linspace(1.0, 2.0, 1024), np.empty(1024)
    far = np.ones((3, 8_000_000))
    double = np.ones((512, 512))
    single = double.astype(np.float32)

    def exponentials():
        for _ in range(repeats):
            np.exp(near, out=out)

    runs = {
        "roots": (lambda: _roots(near, out, repeats), 1024 * repeats),
        "divisions": (lambda: _divisions(near, out, repeats), 1024 * repeats),
        "exponentials": (exponentials, 1024 * repeats),
        "double": (lambda: double @ double, 2 * 512**3),
        "single": (lambda: single @ single, 2 * 512**3),
        "bytes": (lambda: _triad(*far), 3 * far[0].nbytes),
    }
    calls = [run for run, _ in runs.values()]
    for run in calls:
        run()
    seen = rounds_of(*calls, rounds=7, clock=time.process_time)
    return {name: min(t) / work for (name, (_, work)), t in zip(runs.items(), seen)}


def bound(least, speed):
    "Seconds of each unit of the processor for one unit of the job."
    divider = least.roots * speed["roots"] + least.divisions * speed["divisions"]
    operation = speed["single" if least.single else "double"]
    arithmetic = least.operations * operation + least.exponentials * speed["exponentials"]
    return {"divider": divider, "arithmetic": arithmetic, "memory": least.bytes * speed["bytes"]}


# counts

PAIR = 5  # operations from two places of the plane to the square of their distance
VALUE = 8  # equation (10) from the inverse of the mean side
SLOPE = 5  # its slope beside the value
NUMBER = 2  # from a random integer to a step


def descent():
    "A move: distances of the proposed place, terms that are not zero; the others are remembered."
    x, u = database.numbers(100)
    near = pairs = triangles = 0
    for step, of_step in enumerate(u):
        i = step % database.N
        new = x.copy()
        new[:, i] = database.inside(np, x[:, i] + database.STEP * (2.0 * of_step - 1.0))
        r, s = database.sides(np, database.four_images, new, i)
        near += (r < 3.0).sum()
        pairs += (r < 2.0).sum()
        triangles += sum((each < 2.0).sum() for each in s)
        before = database.of_particle(np, database.four_images, x, i)
        keep = database.of_particle(np, database.four_images, new, i) <= before
        x[keep] = new[keep]
    near, pairs, triangles = np.array([near, pairs, triangles]) / (len(u) * len(x))
    operations = PAIR * near + VALUE * pairs + (3 + VALUE) * triangles + 4 * NUMBER
    stored = (2 * database.N * 8 + 16) / database.MOVES
    return Least("database", near, pairs + triangles, 0.0, operations, stored)


def neighbours(x, w, reach):
    "Vectors (pairs, 2) and indices of all pairs of a large cell within reach, both ways."
    from scipy.spatial import cKDTree

    found = cKDTree(x, boxsize=w).query_pairs(reach, output_type="ndarray")
    both = np.concatenate([found, found[:, ::-1]])
    apart = x[both[:, 1]] - x[both[:, 0]]
    return both, apart - w * np.round(apart / w)


def large_cell(N=10_000):
    "A particle: pairs once and triangles once, forces along the sides."
    batch, w = energy.fresh(N)
    both, apart = neighbours(batch[0] % w, w, 3.0)
    r = np.linalg.norm(apart, axis=1)
    triangles = 0
    order = np.argsort(both[:, 0], kind="stable")
    first = np.searchsorted(both[order, 0], np.arange(N + 1))
    for begin, end in zip(first, first[1:]):
        mine = order[begin:end]
        j, k = np.triu_indices(len(mine), 1)
        third = np.linalg.norm(apart[mine[j]] - apart[mine[k]], axis=1)
        triangles += (r[mine[j]] + r[mine[k]] + third < 6.0).sum()
    near, pairs = len(r) / 2 / N, (r < 2.0).sum() / 2 / N
    triangles = triangles / 3 / N
    operations = (PAIR + 6) * near + (VALUE + SLOPE) * pairs + (6 + VALUE + SLOPE) * triangles
    found = Least("", near, near + pairs + triangles, 0.0, operations, 32.0)
    return [found._replace(job=f"energy with forces, {size:,} particles")
            for size in energy.SIZES]


def proximity():
    "A configuration: each pair of particles with all images, and one sweep for each matrix."
    steps = eigenvalues.cells(2, math.ceil(eigenvalues.R / eigenvalues.W) + 1)
    x = eigenvalues.x[:200]
    j, k = np.triu_indices(eigenvalues.N, 1)
    apart = (x[:, j] - x[:, k])[:, :, None] + eigenvalues.W * steps
    images = (np.linalg.norm(apart, axis=-1) < eigenvalues.R).sum() / len(x)
    own = np.linalg.norm(eigenvalues.W * steps, axis=-1)
    images += ((own > 0) & (own < eigenvalues.R)).sum() / 2
    rotations = 2 * len(j)
    return Least("eigenvalues, 4 particles", images + rotations, images + rotations, 0.0,
                 (PAIR + 7) * images + 6 * eigenvalues.N * rotations, 96.0 + 64.0)


def functions():
    "A configuration: exponentials of each pair once, of each triangle a product of three."
    x, N, W = symmetry.x[:200], symmetry.N, symmetry.W
    steps = W * eigenvalues.cells(2, 1)
    pairs = triangles = 0
    for one in x:
        lattice = (one + steps[:, None]).reshape(-1, 2)
        for point in one:
            apart = lattice - point
            r = np.linalg.norm(apart, axis=1)
            apart = apart[(r > 0) & (r < symmetry.CUTOFF)]
            j, k = np.triu_indices(len(apart), 1)
            pairs += len(apart) / 2
            third = np.linalg.norm(apart[j] - apart[k], axis=1)
            triangles += (third < symmetry.CUTOFF).sum()
    pairs, triangles = pairs / len(x), triangles / len(x)
    etas = {row[0] for row in (*symmetry.RADIAL, *symmetry.ANGULAR)}
    operations = (PAIR + 10 + 2 * len(symmetry.RADIAL)) * pairs
    operations += (8 + 2 * 4 + 3 * 2 + 2 * len(symmetry.ANGULAR)) * triangles
    count = len(symmetry.RADIAL) + len(symmetry.ANGULAR)
    moved = N * 16.0 + N * count * 8.0
    return Least("symmetry functions", pairs, pairs, len(etas) * pairs, operations, moved)


def networks():
    "An epoch: forward and backward products, and Adam; a prediction: forward products only."
    widths = [training.K, *training.SPEC.hidden, 1]
    weights = sum(a * b for a, b in zip(widths, widths[1:]))
    parameters = weights + sum(widths[1:])
    units = sum(training.SPEC.hidden)
    rows, steps = training.ROWS, training.STEPS
    epoch = Least("training epoch", parameters * steps, parameters * steps, units * rows,
                  (6 * weights - 2 * training.K * widths[1]) * rows + 12 * parameters * steps,
                  4.0 * (training.K + 1) * rows, single=True)
    network = training.pt.sample_network()
    shapes = [W.shape for W, _ in network.weights]
    products = sum(a * b for a, b in shapes)
    hidden = sum(b for _, b in shapes[:-1])
    inputs = 8.0 * 4 * shapes[0][0]
    many = Least("prediction, 20,000 at once", 0.0, 4.0 * hidden, 4.0 * hidden,
                 4 * (2 * products + 3 * hidden), inputs)
    return [epoch, many]


def main():
    speed = speeds()
    found = [descent(), *large_cell(), proximity(), functions(), *networks()]
    kernels = [{**least._asdict(), "bounds": bound(least, speed)} for least in found]
    return {"speeds": speed, "kernels": kernels}


if __name__ == "__main__":
    deliver(main())
