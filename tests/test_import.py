"""`import pes_toy` is quick and loads only what it needs."""

import subprocess
import sys

LATE = {"tensorflow", "keras", "ipywidgets", "matplotlib", "pandas"}


def python(code, folder):
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, check=True, capture_output=True, text=True
    ).stdout


def test_import_is_quick(tmp_path):
    "Less than 0.5 s beyond numpy and numba: the best of some fresh processes, in turn."
    timed = (
        "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"
    )
    alone, both = [], []
    for _ in range(7):
        alone.append(float(python(timed.format("numpy, numba"), tmp_path)))
        both.append(float(python(timed.format("numpy, numba, pes_toy"), tmp_path)))
    assert min(both) - min(alone) < 0.5


def test_import_is_lazy(tmp_path):
    loaded = set(python("import sys, pes_toy; print(*sys.modules)", tmp_path).split())
    assert not LATE & loaded


def test_registries_know_where_their_members_live(tmp_path):
    "A fresh process finds every name, though no chapter was imported before."
    code = """
import importlib, pkgutil
import pes_toy
from pes_toy.base import registry
kinds = [registry.POTENTIALS, registry.RELAXERS, registry.DESCRIPTORS, registry.MODELS]
found = [kind.names() for kind in kinds]
for module in pkgutil.iter_modules(pes_toy.__path__):
    if module.name != "__main__": importlib.import_module(f"pes_toy.{module.name}")
assert all(set(a) == set(kind.names()) for a, kind in zip(found, kinds)), (found, kinds)
"""
    python(code, tmp_path)
