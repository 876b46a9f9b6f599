"""Dynamics: the package against a plain loop around its forces, and against ASE's own dynamics.

All of them make the same steps with the same forces, on one thread: velocity Verlet for the exact
potential, one replica of N particles at the default density, and 64 replicas of four for a network.
What differs is what stands around the forces. ASE moves one replica; its time is that of one.
"""
import numpy as np
from timing import best_of, show

import pes_toy as pt

DT = 2e-3


def start(M, N):
    "Relaxed configurations, and their width."
    width = 5.0 * np.sqrt(N / 4)
    x = np.random.default_rng(N).uniform(0, width, (M, N, 2))
    return pt.relax(x, width, epochs=20).positions, width


def ours(x, width, model, steps):
    pt.dynamics(x, width, model, steps=steps, dt=DT, workers=1, progress=False)


def plain(x, width, model, steps):
    "Three lines a step."
    ask = getattr(model, "forces", None) or (lambda x, w: pt.forces(x, w, model, workers=1))
    v = np.zeros_like(x)
    f = ask(x, width)
    for _ in range(steps):
        v = v + DT / 2 * f
        x = x + DT * v
        f = ask(x, width)
        v = v + DT / 2 * f


def of_ase(x, width, model, steps):
    "VelocityVerlet of ASE, with our calculator."
    from ase import Atoms
    from ase.md.verlet import VelocityVerlet

    flat = np.pad(x, ((0, 0), (0, 1)))
    atoms = Atoms(f"H{len(x)}", positions=flat, cell=[width, width, 0], pbc=[True, True, False])
    atoms.set_masses(np.ones(len(x)))
    atoms.calc = pt.calculator(model)
    VelocityVerlet(atoms, timestep=DT).run(steps)


def main():
    potential = pt.ModifiedLennardJones()
    for N, steps in ((3, 2000), (16, 1000), (100, 300)):
        x, width = start(1, N)
        few = steps // 20
        ours(x, width, potential, 2)
        fast, slow, peer = best_of(
            lambda: ours(x[0], width, potential, steps),
            lambda: plain(x[0], width, potential, few),
            lambda: of_ase(x[0], width, potential, few), rounds=3)
        fast, slow, peer = fast / steps, slow / few, peer / few
        show(f"one replica of {N} particles, exact potential", [
            ("a step", fast * 1e6, "us"), ("plain loop / ours", slow / fast, ""),
            ("ASE / ours", peer / fast, "")])
    x, width = start(64, 4)
    network = pt.sample_network()
    steps = 20
    fast, slow, peer = best_of(
        lambda: ours(x, width, network, steps),
        lambda: plain(x, width, network, steps),
        lambda: of_ase(x[0], width, network, steps), rounds=3)
    show("64 replicas of 4 particles, a network", [
        ("a step of a replica", fast / steps / 64 * 1e6, "us"),
        ("plain loop / ours", slow / fast, ""), ("ASE / ours", 64 * peer / fast, "")])


if __name__ == "__main__":
    main()
