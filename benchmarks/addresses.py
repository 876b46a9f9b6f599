"""Kernels that call a potential's functions by address, beside those with them built in."""

import math
import time

import numpy as np
from timing import best_of, show

import pes_toy as pt
from pes_toy.energy import energy_and_forces
from pes_toy.engine import addresses


def well(r):
    return (r**-12 - 2 * r**-6) * (1 - (r / 2.2) ** 2) ** 3 if r < 2.2 else 0.0


def corner(a, b, c):
    s = (a + b + c) / 3
    return math.exp(-s) * (1.5 - s) ** 4 if s < 1.5 else 0.0


def box(many, n, d, width):
    return np.random.default_rng(n).uniform(0, width, (many, n, d))


FOUR, CUBE, PLANE = box(2000, 4, 2, 5.0), box(4, 64, 3, 8.6), box(20, 1000, 2, 31.6)
WORK = {
    "descent, w = 5": lambda u: pt.relax(FOUR, 5.0, u, epochs=40),
    "descent, w = 2": lambda u: pt.relax(0.4 * FOUR[:200], 2.0, u, epochs=10),
    "descent, 64 in 3-D": lambda u: pt.relax(CUBE, 8.6, u, epochs=2),
    "energies and forces": lambda u: energy_and_forces(FOUR, 5.0, u),
    "the same of 1,000 particles": lambda u: energy_and_forces(PLANE, 31.6, u),
}
KINDS = {
    "pairs": (dict(pair=well), 2.2),
    "pairs and triplets": (dict(pair=well, triplet=corner), 2.2),
}


def by_both_ways(functions, cutoff):
    "The same potential by address and built in."
    by_address = pt.Potential(**functions, cutoff=cutoff)
    built = pt.Potential(**functions, cutoff=cutoff, name="built in")
    built.__dict__["made"] = {"addresses": None}  # no addresses: built in at once
    return by_address, built


if __name__ == "__main__":
    addresses.WORK = math.inf  # by address it stays
    for kind, (functions, cutoff) in KINDS.items():
        by_address, built = by_both_ways(functions, cutoff)
        rows = []
        for name, run in WORK.items():
            firsts = []
            for potential in (by_address, built):
                start = time.process_time()
                run(potential)
                firsts.append(time.process_time() - start)
            slow, fast = best_of(lambda: run(by_address), lambda: run(built))
            rows.append((name, slow / fast, "times the time built in"))
            rows.append(("  first call, built in", firsts[1], "s of processor time"))
        show(f"{kind}, by address", rows)
