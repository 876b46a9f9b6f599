"""`import pes_toy` is quick and loads only what it needs."""

import ast
import subprocess
import sys
from pathlib import Path

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


OF_ONE_MODULE = {"sparse_slopes"}  # called only in the module that adds them


def added_elsewhere():
    "Methods that a module adds to a public class of another one: {class: names}."
    import pes_toy

    found = {}
    for path in Path(pes_toy.__path__[0]).rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            decorators = map(ast.unparse, getattr(node, "decorator_list", []))
            if isinstance(node, ast.FunctionDef) and "patch" in decorators:
                owner = ast.unparse(node.args.args[0].annotation)
                home = pes_toy._home.get(owner, "")
                if home and path.stem != home.split(".")[-1]:
                    found.setdefault(owner, set()).add(node.name)
    return {owner: names - OF_ONE_MODULE for owner, names in found.items()}


def test_classes_bring_methods_that_other_modules_add(tmp_path):
    "In a fresh process: nobody has imported these modules."
    added = added_elsewhere()
    assert "to_atoms" in added["Structures"]
    for name, names in added.items():
        code = "import pes_toy as pt; print([n for n in {} if not hasattr(pt.{}, n)])"
        assert python(code.format(sorted(names), name), tmp_path).strip() == "[]", name
