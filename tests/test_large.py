"""Large cells: what a million particles take, and how the time grows."""

import sys
import time

import numpy as np
import pes_toy as pt
import pytest
from models import in_process

DENSITY = {1: 0.8, 2: 0.16, 3: 0.08}  # particles in R_c^d
JOBS = {
    "energy": lambda x, w: pt.energy_per_particle(x, w, workers=1),
    "energy and forces": lambda x, w: pt.energy_and_forces(x, w, workers=1),
    "symmetry functions": lambda x, w: pt.SymmetryFunctions()(x, w),
    "descent": lambda x, w: pt.relax(x, w, epochs=2, workers=1),
    "FIRE": lambda x, w: pt.relax(x, w, epochs=2, relaxer="fire", workers=1),
}
PEAK = """
import sys, resource
sys.path.insert(0, sys.argv[1])
import test_large as large
x, w = large.spread_out(int(sys.argv[3]), int(sys.argv[4]))
large.JOBS[sys.argv[2]](*large.spread_out(1000, int(sys.argv[4])))
before = large.peak_bytes(reset=True)
large.JOBS[sys.argv[2]](x, w)
print((large.peak_bytes() - before) / len(x))
"""
linux = pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read from /proc")


def spread_out(N, d, rng=np.random.default_rng(0)):
    "Positions (N, d) in a random order, at a density of their own and never close, and the width."
    w = (N / DENSITY[d]) ** (1 / d)
    n = int(np.ceil(N ** (1 / d)))
    places = rng.permutation(N)
    corners = np.stack([places // n**c % n for c in range(d)], axis=1)
    return (corners + rng.uniform(0, 0.4, (N, d))) * (w / n), w


def peak_bytes(reset=False):
    "The most memory that this process has held at a time, since the last reset."
    if reset:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith("VmHWM"))
    return 1024 * int(line.split()[1])


def bytes_a_particle(job, N, d):
    "The growth of a process while it does a job, in a process of its own."
    from notebooks import ROOT

    return float(in_process(PEAK, ROOT / "tests", job, N, d))


@linux
@pytest.mark.parametrize("d", [2, 3])
def test_a_million_particles_need_120_bytes_each_beside_positions_and_forces(d):
    assert bytes_a_particle("energy and forces", 10**6, d) <= 120 + 8 * d


@linux
@pytest.mark.stress
@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("job, N, most", [
    ("energy", 10**6, 120), ("FIRE", 10**6, 250), ("descent", 10**5, 1200),
    ("symmetry functions", 10**5, 8 * 38 + 150)])
def test_memory_grows_with_the_number_of_particles_only(job, N, most, d):
    assert bytes_a_particle(job, N, d) <= most


@pytest.mark.stress
@pytest.mark.parametrize("d", [2, 3])
@pytest.mark.parametrize("job", ["energy", "energy and forces"])
def test_the_time_grows_like_the_number_of_particles(job, d):
    "CPU time, the best of several cells of the same density."
    sizes = [10**3, 10**4, 10**5, 10**6]
    best = []
    for N in sizes:
        seconds = []
        for _ in range(3):
            cells = [spread_out(N, d) for _ in range(max(1, 100_000 // N))]
            start = time.process_time()
            for x, w in cells:
                JOBS[job](x, w)
            seconds.append((time.process_time() - start) / len(cells))
        best.append(min(seconds))
    assert np.polyfit(np.log(sizes), np.log(best), 1)[0] <= 1.1
