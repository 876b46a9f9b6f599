"""The most memory that a process held, asked from within it."""
import os
import resource
import sys
from pathlib import Path


def held_at_most():
    "Bytes. On Linux ru_maxrss will not do: a new process begins with what its parent held."
    if sys.platform == "linux":
        said = Path("/proc/self/status").read_text().split("VmHWM:")[1]
        return 1024 * int(said.split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def beside_tests():
    "An environment in which a new process finds this file."
    paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
