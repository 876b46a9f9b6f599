"""What a first call compiles: nothing twice, and only what it needs."""
import os
import subprocess
import sys

import pytest

PROGRAM = """
import sys
import numpy as np
import pes_toy as pt
from numba.core import event

class Listener(event.Listener):
    def on_start(self, event):
        function = event.data["dispatcher"].py_func
        if function.__module__.startswith("pes_toy."):
            variant = getattr(function, "variant", "")
            print(function.__module__, variant + "/" + function.__name__, file=sys.stderr)

    def on_end(self, event):
        pass

event.register("numba:compile", Listener())
x = np.random.default_rng(0).uniform(0, 12, (30, 2))
few = x[:3] / 6
"""


def compiled(code, cache):
    "Kernels that a fresh process compiles, variant/name, as often as it compiles them."
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    done = subprocess.run([sys.executable, "-c", PROGRAM + code], env=environment,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [line.split()[-1] for line in done.stderr.splitlines() if line.startswith("pes_toy.")]


def test_nothing_is_compiled_twice_and_a_second_process_compiles_nothing(tmp_path):
    "A bare 0 among arguments has a type of its own, and so has True."
    code = "pt.relax(x, 12.0, epochs=2)"
    found = compiled(code, tmp_path)
    assert "/_make_boxed_lists" in found and "/later" in found
    assert sorted(found) == sorted(set(found))
    assert compiled(code, tmp_path) == []


@pytest.mark.parametrize("call, needed, spared", [
    ("pt.relax(few, 2.0, epochs=2)", "_make_lists", "_make_boxed_lists _jump _steer"),
    ("pt.relax(few, 5.0, epochs=2)", "descend_blocks", "_make_lists later grid_of descend_wide"),
    ("pt.energy_per_particle(few, 5.0)", "once_energy", "once_forces listed_energy around_point"),
])
def test_only_what_is_used_is_compiled(call, needed, spared, tmp_path):
    found = {name.split("/")[1] for name in compiled(call, tmp_path)}
    assert needed in found
    assert not set(spared.split()) & found
