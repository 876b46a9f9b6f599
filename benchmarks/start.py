"""First result in a fresh process: with an empty cache of compiled code, and with a warm one."""

import os
import subprocess
import sys
import tempfile
import time

from timing import show

WORK = {
    "one energy": "import pes_toy as pt; pt.energy_per_particle([[1.0, 1.0], [2.0, 1.0], [1.5, 1.9]], 5.0)",
    "energy and forces": "import pes_toy as pt; pt.energy_and_forces([[1.0, 1.0], [2.0, 1.0], [1.5, 1.9]], 5.0)",
    "one relaxation": "import pes_toy as pt; pt.relax([[1.0, 1.0], [2.0, 1.0], [1.5, 1.9]], 5.0)",
    "database of 1,000": "import pes_toy as pt; pt.generate(pt.DatabaseSpec(n_configurations=1000), progress=False)",
}


def seconds(code, cache):
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={**os.environ, "NUMBA_CACHE_DIR": cache}
    )
    return time.perf_counter() - start


if __name__ == "__main__":
    base = min(seconds("import numpy, numba", tempfile.gettempdir()) for _ in range(5))
    rows = [("import numpy, numba alone", base, "s")]
    for name, code in WORK.items():
        with tempfile.TemporaryDirectory() as cache:
            first = seconds(code, cache)
            rows += [
                (f"{name}: first process", first, "s (asked: at most 12)"),
                (
                    "   second process",
                    min(seconds(code, cache) for _ in range(4)),
                    "s (asked: at most 1.5)",
                ),
            ]
    show("start of a process, everything included", rows)
