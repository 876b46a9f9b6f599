"""First result in a fresh process: with an empty cache of compiled code, and with a warm one."""

import os
import subprocess
import sys
import tempfile
import time

from timing import show

TRIANGLE = "[[1.0, 1.0], [2.0, 1.0], [1.5, 1.9]], 5.0"
WORK = {
    "one energy": f"pt.energy_per_particle({TRIANGLE})",
    "energy and forces": f"pt.energy_and_forces({TRIANGLE})",
    "one relaxation": f"pt.relax({TRIANGLE})",
    "one energy, own potential": "pt.energy_per_particle("
    f"{TRIANGLE}, pt.Potential(lambda r: 2.0 - r if r < 2.0 else 0.0, cutoff=2.0))",
    "database of 1,000": "pt.generate(pt.DatabaseSpec(n_configurations=1000), progress=False)",
}


def seconds(code, cache):
    "How long a process takes, from its start to its end."
    start = time.perf_counter()
    environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    return time.perf_counter() - start


def first_and_later(call):
    "Seconds of the first process, and the best of four later ones."
    code = f"import pes_toy as pt; {call}"
    with tempfile.TemporaryDirectory() as cache:
        first = seconds(code, cache)
        return first, min(seconds(code, cache) for _ in range(4))


if __name__ == "__main__":
    base = min(seconds("import numpy, numba", tempfile.gettempdir()) for _ in range(5))
    rows = [("import numpy, numba alone", base, "s")]
    for name, call in WORK.items():
        first, later = first_and_later(call)
        rows.append((f"{name}: first process", first, "s (asked: at most 12)"))
        rows.append(("   second process", later, "s (asked: at most 1.5)"))
    show("start of a process, everything included", rows)
