"""A linear model of SOAP on the real data: DScribe's descriptor, and ridge regression of energies
and forces. Beside the networks of chapter 17; by hand, it is no contest of speed.

    PES_TOY_REAL=folder python benchmarks/peers/soap.py

DScribe has no analytical derivatives of periodic systems, so each structure becomes a cluster of
its atoms and the images that they see. Ridge and weight of the energies are those with the least
error of energies of every fifth training configuration.
"""

import json
import os
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import read

CUTOFF = 5.0  # Angstrom
SOAP = dict(r_cut=CUTOFF, n_max=8, l_max=6, sigma=0.5, periodic=False, dtype="float64")
RIDGES = 10.0 ** np.arange(-8, 2)
WEIGHTS = 10.0 ** np.arange(1, 6)  # of energies (per atom) beside forces


def cluster(atoms):
    "Atoms and the images within the cutoff of one of them; which atom each is."
    x, cell = atoms.positions, atoms.cell.array
    across = np.linalg.norm(np.cross(np.roll(cell, -1, 0), np.roll(cell, -2, 0)), axis=1)
    depth = np.ceil(CUTOFF * across / atoms.cell.volume).astype(int) + 1
    axes = np.meshgrid(*[np.arange(-n, n + 1) for n in depth], indexing="ij")
    points, owners = [x], [np.arange(len(x))]
    for k in np.stack(axes, axis=-1).reshape(-1, 3):
        image = x + k @ cell
        near = (np.linalg.norm(image[:, None] - x, axis=-1) < CUTOFF).any(axis=1)
        if k.any():
            points.append(image[near])
            owners.append(np.flatnonzero(near))
    return np.concatenate(points), np.concatenate(owners)


def rows(atoms, soap):
    "Mean inputs (K,), and what gives forces from coefficients (3 N, K)."
    points, owners = cluster(atoms)
    whole = Atoms(f"{atoms.symbols[0]}{len(points)}", positions=points)
    N, K = len(atoms), soap.get_number_of_features()
    values, slopes = np.zeros((N, K)), np.zeros((N, 3, K))
    for first in range(0, N, 8):
        centres = list(range(first, min(N, first + 8)))
        by_all, values[centres] = soap.derivatives(
            whole, centers=centres, attach=True, method="analytical"
        )
        np.add.at(slopes, owners, by_all.sum(axis=0))
    return values.mean(axis=0), -slopes.reshape(3 * N, K)


def table(path, soap):
    "Inputs, energies, and rows and values of forces of a file."
    frames = read(path, ":")
    inputs, slopes = zip(*(rows(atoms, soap) for atoms in frames))
    energy = np.array([atoms.get_potential_energy() / len(atoms) for atoms in frames])
    forces = np.concatenate([atoms.get_forces().ravel() for atoms in frames])
    return np.array(inputs), energy, np.concatenate(slopes), forces


def fit(folder, name, symbol):
    "Errors on the test file: meV an atom, eV/Angstrom (MAE and RMSE)."
    from dscribe.descriptors import SOAP as Soap

    soap = Soap(species=[symbol], **SOAP)
    G, energy, D, forces = table(folder / f"{name}_training.xyz", soap)
    H, b = D.T @ D, D.T @ forces
    scale = np.sqrt(np.diag(H) / 1e4) + 1e-12
    H, b = H / np.outer(scale, scale), b / scale
    middle, zero = G.mean(axis=0), energy.mean()
    G = (G - middle) / scale
    fifth = np.arange(len(G)) % 5 == 0

    def solved(kept, weight, ridge):
        left = H + weight * G[kept].T @ G[kept] + ridge * np.eye(len(b))
        return np.linalg.solve(left, b + weight * G[kept].T @ (energy[kept] - zero))

    def missed(choice):
        return np.abs(G[fifth] @ solved(~fifth, *choice) + zero - energy[fifth]).mean()

    choices = [(weight, ridge) for weight in WEIGHTS for ridge in RIDGES]
    c = solved(np.full(len(G), True), *min(choices, key=missed))
    G, energy, D, forces = table(folder / f"{name}_test.xyz", soap)
    off = D / scale @ c - forces
    wrong = (G - middle) / scale @ c + zero - energy
    errors = 1e3 * np.abs(wrong).mean(), np.abs(off).mean(), np.sqrt((off**2).mean())
    return [float(f"{error:.4g}") for error in errors]


if __name__ == "__main__":
    folder = Path(os.environ["PES_TOY_REAL"])
    for name, symbol in (("si", "Si"), ("li", "Li")):
        print(name, json.dumps(fit(folder, name, symbol)))
