"""Energy and forces of large cells: cost of the forces, cost a particle, growth with the number of particles.

2-D, density 0.16 particles per R_c^2, cells through boxes, one thread. Each call gets random configurations of its own: one configuration
repeated is learned by the branch predictor and stays in the cache, and reads too low.
"""
import numpy as np

from pes_toy.energy import energy_and_forces, energy_per_particle
from timing import best_of, show

DENSITY, ROUNDS = 0.16, 21
SIZES = [100, 1_000, 10_000, 100_000]


def fresh(N, copies, rng=np.random.default_rng(0)):
    w = (N / DENSITY) ** 0.5
    return rng.uniform(0, w, (copies, N, 2)), w


def contest(N):
    "Best seconds a particle of energies alone and of energies with forces; they take turns on different configurations."
    copies = max(1, 20_000 // N)
    stacks = iter([fresh(N, copies) for _ in range(2 * ROUNDS)])
    energy, both = best_of(lambda: energy_per_particle(*next(stacks), workers=1), lambda: energy_and_forces(*next(stacks), workers=1), rounds=ROUNDS)
    return energy / N / copies, both / N / copies


if __name__ == "__main__":
    energy_per_particle(*fresh(100, 1)), energy_and_forces(*fresh(100, 1))          # compile
    costs, rows = np.array([contest(N) for N in SIZES]), []
    for N, (energy, both) in zip(SIZES, costs):
        rows += [(f"{N:,} particles: energy", energy * 1e9, "ns a particle"), ("   with forces", both * 1e9, "ns a particle (asked: at most 200)"), ("   ratio", both / energy, "(asked: at most 1.25)")]
    growth = [np.polyfit(np.log(SIZES), np.log(costs[:, i] * SIZES), 1)[0] for i in (0, 1)]
    show("large cells, density 0.16", [*rows, ("exponent of the growth, energy", growth[0], "(asked: at most 1.1)"), ("   with forces", growth[1], "(asked: at most 1.1)")])
