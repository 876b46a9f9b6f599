"""Datasets in chunks: peak memory and time against the number of configurations.

python benchmarks/datasets.py [CONFIGURATIONS ...]; 10,000,000 take minutes and 1.8 GB of disk.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from timing import show

import pes_toy as pt

LIMIT = 1500  # megabytes that any number of configurations may take


def spec_of(count):
    "Configurations with forces, of seven epochs; the highest tenth is cut."
    return pt.DatabaseSpec.diverse(n_configurations=count, keep=0.9)


def measured(work):
    "Seconds of some work, and the highest memory of this process so far, in megabytes."
    began = time.perf_counter()
    work()
    status = Path("/proc/self/status").read_text()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return time.perf_counter() - began, int(peak.split()[1]) / 1e3


def work(count, folder):
    "What a process of its own does; prints its measurements."
    path = Path(folder) / "data"
    spec = spec_of(count)
    pt.generate(spec_of(1000), progress=False)  # compiles
    found = {"start": measured(lambda: None)}
    found["generate"] = measured(lambda: pt.generate(spec, checkpoint=path, progress=False))
    dataset = pt.load(path)
    assert len(dataset) == count
    found["statistics"] = measured(dataset.statistics)
    found["again, all there"] = measured(
        lambda: pt.generate(spec, checkpoint=path, progress=False)
    )
    size = sum(file.stat().st_size for file in path.iterdir())
    print(json.dumps(dict(found, size=size)))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        work(int(sys.argv[2]), sys.argv[3])
        sys.exit()
    rows = []
    for count in map(int, sys.argv[1:] or (100_000, 400_000)):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, __file__, "--work", str(count), folder]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        found = json.loads(done.stdout)
        size = found.pop("size")
        rows.append((f"{count:,}: on disk", size / count, "bytes a configuration"))
        for name, (seconds, peak) in found.items():
            rows.append((f"{count:,}: {name}", seconds, "s"))
            rows.append(("   peak memory so far", peak, f"MB (asked: at most {LIMIT:,})"))
    show("datasets in chunks, with forces", rows)
