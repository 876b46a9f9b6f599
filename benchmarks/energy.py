"""Energy and forces of large cells: cost of the forces, cost a particle, growth with the number of particles.

2-D, density 0.16 particles per R_c^2, cells through boxes, one thread. Fresh random configurations in every round, since one
configuration repeated is learned by the branch predictor and reads too low.
"""
import numpy as np

from pes_toy.energy import energy_and_forces, energy_per_particle
from timing import best_of, show

DENSITY = 0.16


def fresh(N, rng=np.random.default_rng(0)):
    w = (N / DENSITY) ** 0.5
    return rng.uniform(0, w, (N, 2)), w


if __name__ == "__main__":
    energy_per_particle(*fresh(100)), energy_and_forces(*fresh(100))          # compile
    rows, sizes, costs = [], [100, 1_000, 10_000, 100_000], []
    for N in sizes:
        copies = max(1, 20_000 // N)
        batch = [fresh(N) for _ in range(copies)]
        w = batch[0][1]
        def renew():
            batch[:] = [fresh(N) for _ in range(copies)]
            return np.stack([x for x, _ in batch])
        stacks = [renew() for _ in range(9)]
        turn = iter(stacks * 2)
        both = [None]
        def energy():
            both[0] = next(turn)
            energy_per_particle(both[0], w, workers=1)
        def with_forces(): energy_and_forces(both[0], w, workers=1)
        e, f = best_of(energy, with_forces, rounds=9)
        costs.append(f / N / copies)
        rows += [(f"{N:,} particles: energy", e / N / copies * 1e9, "ns a particle"), ("   with forces", f / N / copies * 1e9, "ns a particle"), ("   ratio", f / e, "(asked: at most 1.25)")]
    exponent = np.polyfit(np.log(sizes), np.log(np.array(costs) * sizes), 1)[0]
    show("large cells, density 0.16", [*rows, ("exponent of the growth", exponent, "(asked: at most 1.1)")])
