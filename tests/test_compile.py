"""Compiled code on disk is never wrong, and every kernel takes the functions of a potential."""

import gc
import json
import os
import shutil
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pes_toy as pt
import pytest
from numba.core import event
from numba.core.errors import NumbaError, NumbaWarning
from pes_toy.engine import compile as cc
from pes_toy.engine import potentials as ep
from pes_toy.engine.addresses import for_potential
from pes_toy.engine.compile import kernel, specialise

pytestmark = pytest.mark.quick


@pytest.fixture
def folder(tmp_path, monkeypatch):
    "An empty cache."
    place = tmp_path / "cache"
    place.mkdir()
    monkeypatch.setattr(cc, "cache_folder", lambda: place)
    return place


def probe(factor=2.0):
    "A kernel of the package as a new process would make it."
    scope = {"__name__": "pes_toy.probe"}
    code = compile(f"def probe(r):\n    return {factor} * r\n", __file__, "exec")
    exec(code, scope)
    return kernel(scope["probe"])


def hits(one):
    return sum(one.stats.cache_hits.values())


def files(folder, ending):
    found = sorted(folder.rglob(f"*.{ending}"))
    assert found
    return found


# the cache


def test_the_second_process_compiles_nothing(folder):
    first = probe()
    assert first(3.0) == 6.0 and hits(first) == 0
    second = probe()
    assert second(3.0) == 6.0 and hits(second) == 1


def cut(data):
    return data[: len(data) // 2]


def flip(data):
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def flip_last(data):
    return data[:-1] + bytes([data[-1] ^ 128])


def empty(data):
    return b""


def garbage(data):
    return b"\x80\x04K\x01." * 20


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
@pytest.mark.parametrize("damage", [cut, flip, flip_last, empty, garbage])
def test_a_damaged_file_costs_a_compilation(folder, ending, damage):
    assert probe()(3.0) == 6.0
    for path in files(folder, ending):
        path.write_bytes(damage(path.read_bytes()))
    after = probe()
    assert after(3.0) == 6.0
    again = probe()
    assert again(3.0) == 6.0 and hits(again) == 1  # and it is kept anew


def test_a_missing_file_costs_a_compilation(folder):
    assert probe()(3.0) == 6.0
    for path in files(folder, "nbc"):
        path.unlink()
    assert probe()(3.0) == 6.0


def test_code_of_other_sources_is_not_taken(folder, monkeypatch):
    "Two functions of the same bytecode: only the stamp of the sources tells them apart."
    assert probe(2.0)(3.0) == 6.0
    monkeypatch.setattr(cc, "sources", lambda: "another digest")
    other = probe(5.0)
    assert other(3.0) == 15.0 and hits(other) == 0


def test_the_folder_is_named_after_the_sources(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    first = cc.cache_folder.__wrapped__()
    assert first.parent == tmp_path and first.name == f"kernels-{cc.sources()}"
    monkeypatch.setattr(cc, "sources", lambda: "another")
    assert cc.cache_folder.__wrapped__() == tmp_path / "kernels-another"


def test_the_digest_changes_with_any_file_that_holds_kernels(tmp_path, monkeypatch):
    copy = tmp_path / "pes_toy"
    (copy / "engine").mkdir(parents=True)
    (copy / "engine" / "sums.py").write_text("TINY = 1e-12\n")
    (copy / "potentials.py").write_text("@kernel\ndef f(r): return r\n")
    (copy / "cli.py").write_text("print('no kernels')\n")
    monkeypatch.setattr(cc, "PACKAGE", copy)
    found = {cc.sources.__wrapped__()}
    (copy / "cli.py").write_text("print('still none')\n")
    assert cc.sources.__wrapped__() in found
    for changed in ("engine/sums.py", "potentials.py"):
        path = copy / changed
        path.write_text(path.read_text().replace("1e-12", "1e-10").replace("return r", "return 2"))
        found.add(cc.sources.__wrapped__())
    assert len(found) == 3


def aged(place, name, days):
    "A folder that was used some days ago."
    found = place / name
    (found / "pes_toy.engine.sums").mkdir(parents=True)
    (found / "pes_toy.engine.sums" / "code.nbc").write_bytes(b"code")
    then = time.time() - 86400 * days
    os.utime(found, (then, then))
    return found


def test_folders_of_other_sources_are_removed_when_nobody_uses_them(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    mine = aged(tmp_path, f"kernels-{cc.sources()}", 90)
    dead = [aged(tmp_path, f"kernels-{k:016x}", 31) for k in range(3)]
    half = aged(tmp_path, f"gone-kernels-{7:016x}", 31)  # its remover was killed
    alive = [aged(tmp_path, f"kernels-{9:016x}", 29), aged(tmp_path, "kernels-of-mine", 400)]
    assert cc.cache_folder.__wrapped__() == mine
    assert not any(folder.exists() for folder in [*dead, half])
    assert all(folder.exists() for folder in [*alive, mine])
    assert time.time() - mine.stat().st_mtime < 60  # it counts as used from now on


def test_several_processes_tidy_at_once(tmp_path):
    for k in range(40):
        aged(tmp_path, f"kernels-{k:016x}", 31)
    code = "from pes_toy.engine.compile import cache_folder; assert cache_folder()"
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    jobs = [subprocess.Popen([sys.executable, "-c", code], env=environment) for _ in range(3)]
    assert [job.wait() for job in jobs] == [0, 0, 0]
    assert [path.name for path in tmp_path.iterdir()] == [f"kernels-{cc.sources()}"]


def test_a_process_goes_on_when_its_folder_was_removed(folder):
    shutil.rmtree(folder)
    assert probe()(3.0) == 6.0


def test_nothing_can_be_written(tmp_path, monkeypatch):
    file = tmp_path / "a file"
    file.write_text("")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(file / "below"))
    assert cc.cache_folder.__wrapped__() is None
    monkeypatch.setattr(cc, "cache_folder", lambda: None)
    assert probe()(3.0) == 6.0


def test_the_folder_is_gone_when_something_is_to_be_kept(folder):
    one = probe()
    shutil.rmtree(folder)
    folder.write_text("in its place")
    assert one(3.0) == 6.0


def test_functions_of_others_are_not_kept(folder):
    @kernel
    def mine(r):
        return 3.0 * r

    assert mine(2.0) == 6.0
    assert not list(folder.rglob("*.nbi"))


PROCESS = """
import pes_toy as pt
from pes_toy.engine.addresses import for_potential
from pes_toy.engine.potentials import pair_array
potential = pt.ModifiedLennardJones()
value = potential.pair(2.0)
stats = for_potential(pair_array, potential).run.stats
print(value, sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))
"""


def test_processes_share_the_kernels_of_built_in_potentials(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    said = []
    for _ in range(2):
        run = subprocess.run([sys.executable, "-c", PROCESS], env=environment, text=True,
                             capture_output=True, check=True)  # fmt: skip
        said.append(run.stdout.split())
        assert run.stderr == ""
    assert said == [["0.0", "0", "1"], ["0.0", "1", "0"]]
    assert files(tmp_path, "nbc")[0].parent.name == "ModifiedLennardJones"


ANY = """
from numba.core import event
import numpy as np
import pes_toy as pt

class Listener(event.Listener):
    def on_start(self, event):
        name = event.data["dispatcher"].py_func.__name__
        if name.startswith("once"):
            print(name)

    def on_end(self, event):
        pass

event.register("numba:compile", Listener())
potential = pt.Potential(lambda r: SCALE * (1.0 - r) if r < 1.0 else 0.0, cutoff=1.0)
pt.energy_per_particle(np.random.default_rng(0).uniform(0, 4, (6, 2)), 4.0, potential)
"""


def test_processes_share_what_calls_any_potential_by_address(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    said = []
    for scale in ("1.25", "1.5"):
        run = subprocess.run([sys.executable, "-c", ANY.replace("SCALE", scale)], text=True,
                             env=environment, capture_output=True, check=True)  # fmt: skip
        said.append(run.stdout.split())
    assert "once_energies" in said[0] and not said[1]
    assert any(file.parent.name == "by_address" for file in files(tmp_path, "nbc"))


# the factory


@kernel
def bottom(r):
    return 1.0 * r


@kernel
def other_bottom(r):
    return 10.0 * r


@kernel
def left(r):
    return bottom(r) + 1.0


@kernel(inline=True)
def right(r):
    return left(r) + bottom(r)


@kernel
def untouched(r):
    return 100.0 * r


@kernel
def in_a_comprehension(r):
    return np.array([bottom(r * i) for i in range(3)]).sum()


@kernel(contract=True)
def top(r):
    return right(r) + in_a_comprehension(r) + untouched(r)


def test_functions_are_found_however_deep():
    made = {}
    other = specialise(top, {bottom: other_bottom}, made)
    assert top(1.0) == 1 + 1 + 1 + 3 + 100
    assert other(1.0) == 10 + 1 + 10 + 30 + 100
    assert made[untouched] is untouched and made[left] is not left
    assert set(made) == {top, right, left, in_a_comprehension, untouched}


def test_a_copy_is_compiled_like_its_original():
    made = {}
    other = specialise(top, {bottom: other_bottom}, made)
    for one, copy in ((top, other), (right, made[right])):
        for option in ("nogil", "error_model", "inline", "fastmath"):
            assert copy.targetoptions.get(option) == one.targetoptions.get(option)


def test_what_was_made_is_used_again():
    made = {}
    assert specialise(top, {bottom: other_bottom}, made) is specialise(
        top, {bottom: other_bottom}, made
    )
    assert specialise(untouched, {bottom: other_bottom}, made) is untouched
    assert specialise(bottom, {bottom: other_bottom}, made) is other_bottom


def test_a_kernel_without_a_potential_gives_nan():
    r = np.array([0.5, 1.0])
    pairs = np.zeros((2, 2))
    u = ep.Interaction((1.0,) * 6, 1.0, 1.0, 2.0, 6.0, 3.0)
    ep.pair_array(u, r, pairs)
    triangles = np.zeros((2, 4))
    ep.triplet_array(u, r, r, r, triangles)
    assert np.isnan(pairs).all() and np.isnan(triangles).all()
    assert np.isnan(ep.pair_value((1.0,), 1.0))
    assert np.isnan(ep.triplet_value((1.0,), 1.0, 1.0, 1.0))


def test_each_potential_has_kernels_of_its_own():
    kinds = (pt.LennardJones, pt.Morse, pt.ModifiedLennardJones)
    made = [for_potential(ep.pair_array, kind()) for kind in kinds]
    assert len(set(made)) == 3
    assert for_potential(ep.pair_array, pt.Morse(2.0)) is made[1]  # parameters are arguments


def test_kernels_with_functions_of_others_are_not_kept(folder):
    own = pt.Potential(lambda r: 1.0 / r)
    assert own.pair(2.0) == 0.5
    assert {file.parent.name for file in folder.rglob("*.nbi")} <= {"by_address"}


def relaxed_alone(power):
    "Energies before and after a descent in a narrow cell, from a process of its own."
    code = f"""
import numpy as np, pes_toy as pt
own = pt.Potential(lambda r: (1 - r / 1.5)**{power} if r < 1.5 else 0.0, cutoff=1.5)
x = np.random.default_rng(0).uniform(0, 4.6, (10, 8, 3))
print(pt.relax(x, 4.6, own, epochs=2, seed=3).energy.tolist())
print(pt.energy_per_particle(x, 4.6, own).tolist())
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return [np.array(json.loads(line)) for line in ran.stdout.splitlines()]


def test_kernels_of_own_functions_are_not_kept_on_disk():
    "A second process with another function must not find those of the first."
    for power in (2, 4):
        after, before = relaxed_alone(power)
        assert (after <= before + 1e-12).all() and (after < before).any()


def test_what_cannot_be_kept_is_said():
    "As with NUMBA_OPT=0, whose code holds addresses of this process."
    library = SimpleNamespace(has_dynamic_globals=True)
    result = SimpleNamespace(lifted=[], library=library, fndesc=SimpleNamespace(qualname="pair"))
    files = cc._Implementation(ep.pair_array.py_func)
    with pytest.warns(NumbaWarning, match="pair.*dynamic globals"):
        assert not files.check_cachable(result)


class Collects(event.Listener):
    "Notes after each step of a compilation whether Python would collect garbage."

    def __init__(self):
        self.seen = []

    def on_start(self, _):
        pass

    def on_end(self, _):
        self.seen.append(gc.isenabled())


def test_garbage_waits_while_a_kernel_is_compiled_and_no_longer():
    @kernel
    def inner(x):
        return x + 1.0

    @kernel
    def outer(x):
        return inner(x) * 2.0

    @kernel
    def wrong(x):
        return x.nothing

    listener = Collects()
    with event.install_listener("numba:run_pass", listener):
        assert outer(1.0) == 4.0
        assert gc.isenabled()
        with pytest.raises(NumbaError):
            wrong(1.0)
    assert len(listener.seen) > 10 and not any(listener.seen)
    assert gc.isenabled()
