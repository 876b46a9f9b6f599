"""Symmetry functions of 4 particles in the plane, w = 5, cutoff 3: 14 radial and 24 angular ones.

DScribe's end with a cosine, ours with a polynomial (two continuous derivatives), and it has one
function more, the cutoff itself. Everything else is the same: our plain function with a cosine
gives DScribe's numbers. DScribe differentiates numerically.
"""

import functools

import numpy as np
from pes_toy import symmetry_functions
from pes_toy.symmetry_functions import ANGULAR, RADIAL, SymmetryFunctions, plain_symmetry_functions

from peers.contest import Entry, contest, deliver, entered

M, N, W, CUTOFF = 20_000, 4, 5.0, 3.0
SAME = "4 particles, w = 5, cutoff 3, 14 radial and 24 angular functions of each"
x = np.random.default_rng(0).uniform(0, W, (M, N, 2))


def acsf():
    "DScribe's descriptor with our parameters."
    from dscribe.descriptors import ACSF

    return ACSF(
        species=["H"],
        r_cut=CUTOFF,
        g2_params=[[eta, R_s] for eta, R_s in RADIAL],
        g4_params=[[eta, zeta, sign] for eta, _, zeta, sign in ANGULAR],
        periodic=True,
    )


def as_atoms(some):
    from ase import Atoms

    flat = np.concatenate([x, np.zeros((M, N, 1))], axis=-1)[:some]
    pbc = [True, True, False]
    return [Atoms(f"H{N}", positions=one, cell=[W, W, W], pbc=pbc) for one in flat]


def cosine_shell(r, eta, R_s, cutoff):
    "What DScribe has in place of `shell`."
    fade = 0.5 * (np.cos(np.pi * r / cutoff) + 1.0)
    return np.where(r < cutoff, fade, 0.0) * np.exp(-eta * (r - R_s) ** 2)


def plain_with_cosine(some):
    "Our plain function with that."
    usual = symmetry_functions.shell
    symmetry_functions.shell = cosine_shell
    try:
        return np.array([plain_symmetry_functions(one, W, cutoff=CUTOFF) for one in x[:some]])
    finally:
        symmetry_functions.shell = usual


def value_agreement(some=5):
    found = np.array(acsf().create(as_atoms(some)))[..., 1:]
    ours = np.array([plain_symmetry_functions(one, W, cutoff=CUTOFF) for one in x[:some]])
    same = np.abs(found - plain_with_cosine(some)).max()
    package = np.abs(SymmetryFunctions(cutoff=CUTOFF).values(x[:some], W) - ours).max()
    return f"plain function with a cosine within {same:.1g}, with ours {package:.1g} of the package"


def slope_agreement(some=3, h=1e-5):
    "DScribe's derivatives and those of our plain function with a cosine."
    slopes, _ = acsf().derivatives(as_atoms(some), attach=True)
    found = np.array(slopes)[:, :, :, :2, 1:]
    expected = np.empty_like(found)
    for p, c in np.ndindex(N, 2):
        ends = []
        for step in (h, -h):
            x[:some, p, c] += step
            ends.append(plain_with_cosine(some))
            x[:some, p, c] -= step
        expected[:, :, p, c] = (ends[0] - ends[1]) / (2 * h)
    apart = np.abs(found - expected).max() / np.abs(expected).max()
    return f"slopes of the plain function with a cosine within {apart:.1g}"


def values_entry(some=500):
    atoms, one = as_atoms(some), acsf()
    return Entry("DScribe, ACSF", lambda: one.create(atoms), some, value_agreement())


def slopes_entry(some=30):
    atoms, one = as_atoms(some), acsf()
    run = functools.partial(one.derivatives, atoms, attach=True)
    return Entry("DScribe, ACSF with derivatives", run, some, slope_agreement(), 5.0)


def main():
    ours = SymmetryFunctions(cutoff=CUTOFF)
    values = Entry("package", lambda: ours.values(x, W), M)
    slopes = Entry("package", lambda: [ours.values(x, W), ours.gradients(x, W)], M)
    names = "DScribe, ACSF", "DScribe, ACSF with derivatives"
    deliver([
        contest("symmetry functions", "configuration", SAME, values,
                [entered(names[0], values_entry)]),
        contest("symmetry functions with derivatives", "configuration", SAME, slopes,
                [entered(names[1], slopes_entry, 5.0)], rounds=5),
    ])


if __name__ == "__main__":
    main()
