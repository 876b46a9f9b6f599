"""What it costs that kernels look at the flag of Ctrl-C: the package beside a copy without looks.

Two processes take turns, the second with a copy of the package from which the looks are cut.
The copy compiles first, which takes a minute. Where a process lies in memory makes more difference
than a look: so there are several pairs of processes, and what is shown is their median."""

import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import pes_toy as pt
from timing import show

LOOKS = [  # as the engine writes them
    (r"^ *if [^\n]*\w+\.stop\[0\]: return.*\n", ""),
    (r" and not \w+\.stop\[0\]", ""),
]
PAIRS = 7
ROUNDS = 5
LASTS = 0.4  # seconds of a round, at least
CHILD = """
import json, sys, time
import numpy as np
import pes_toy as pt

rng = np.random.default_rng(0)

def spread(N, d, w):
    n = int(np.ceil(N ** (1 / d)))
    grid = np.stack(np.meshgrid(*[np.arange(n)] * d), -1).reshape(-1, d)[:N] * (w / n)
    return grid + rng.uniform(0, 0.2 * w / n, grid.shape)

def made(**settings):
    spec = pt.DatabaseSpec(**settings)
    return lambda: pt.generate(spec, workers=1, progress=False)

large, cell = spread(10_000, 2, 200.0), (spread(200, 2, 25.0), 25.0)
JOBS = {
    "four particles": made(n_configurations=8000),
    "fifty particles": made(n_configurations=20, n_particles=50, width=14.0),
    "FIRE, 10,000 particles": lambda: pt.relax(large, 200.0, relaxer="fire", epochs=10, workers=1),
    "forces of 10,000": lambda: pt.forces(large, 200.0, workers=1),
    "eigenvalues of 200": lambda: pt.proximity_eigenvalues(*cell, workers=1),
}
for job in JOBS.values():
    job()
print("ready", flush=True)
for line in sys.stdin:
    times, name = line.strip().split(" ", 1)
    start = time.process_time()
    for _ in range(int(times)):
        JOBS[name]()
    print(time.process_time() - start, flush=True)
"""
NAMES = re.findall(r'^    "([^"]+)": ', CHILD, re.M)


def without_looks(folder):
    "A copy of the package whose kernels never look; returns how many looks were cut."
    copy = Path(shutil.copytree(Path(pt.__file__).parent, Path(folder) / "pes_toy",
                                ignore=shutil.ignore_patterns("__pycache__")))
    cut = 0
    for path in (copy / "engine").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        for look, nothing in LOOKS:
            text, n = re.subn(look, nothing, text, flags=re.M)
            cut += n
        path.write_text(text, encoding="utf-8")
    return cut


def child(folder):
    "A process with the package of a folder, compiled."
    process = subprocess.Popen([sys.executable, "-c", CHILD], cwd=folder, text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               env={"PYTHONPATH": str(folder), "OPENBLAS_NUM_THREADS": "1"})
    assert process.stdout.readline() == "ready\n"
    return process


def seconds(process, name, times=1):
    "CPU time of a job, so many times."
    print(times, name, file=process.stdin, flush=True)
    return json.loads(process.stdout.readline())


def slower(folder):
    "How much slower each job is with looks, in %, by two fresh processes."
    pair = [child(Path(pt.__file__).parents[1]), child(folder)]
    found = {}
    for name in NAMES:
        often = 1 + int(LASTS / seconds(pair[0], name))
        times = [[seconds(process, name, often) for process in pair] for _ in range(ROUNDS)]
        looking, blind = map(min, zip(*times))
        found[name] = 100 * (looking / blind - 1)
    for process in pair:
        process.stdin.close()
        process.wait()
    return found


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        cut = without_looks(folder)
        assert cut > 15
        found = [slower(folder) for _ in range(PAIRS)]
    rows = []
    for name in NAMES:
        low, *_, high = ordered = sorted(one[name] for one in found)
        middle = statistics.median(ordered)
        rows.append((name, middle, f"% slower ({low:.1f} to {high:.1f})"))
    show(f"Looking at the flag of Ctrl-C in {cut} places", rows)
