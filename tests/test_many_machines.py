"""Many machines: a cluster of separate processes gives the bits of one machine, killed or not."""
import dataclasses
import os
import pickle
import signal
import subprocess
import sys
import time

import numpy as np
import pes_toy as pt
import pytest
from databases import same
from pes_toy.base.cluster import on_client
from runs import BASELINE

distributed = pytest.importorskip("distributed")
SPEC = pt.DatabaseSpec(n_configurations=300, n_widths=2, width=(4.0, 5.0), epochs=(0, 3), keep=0.8,
                       max_energy=3.0, forces=True)


@pytest.fixture(scope="module")
def client():
    "Two workers of one thread, in processes of their own."
    settings = dict(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None)
    with distributed.LocalCluster(**settings, silence_logs=50) as cluster:
        with distributed.Client(cluster) as client:
            yield client


@pytest.fixture(scope="module")
def expected():
    return pt.generate(SPEC, progress=False)


def _pid(dask_worker=None):
    return os.getpid()


def test_a_cluster_makes_the_same_bits(client, expected, tmp_path, capsys):
    assert os.getpid() not in client.run(_pid).values()
    made = pt.generate(SPEC, client=client, chunk=20)
    assert isinstance(made, pt.Database) and same(made, expected) and made.spec == SPEC
    assert " configurations" in capsys.readouterr().err  # progress
    dataset = pt.generate(SPEC, client=client, checkpoint=tmp_path / "data", chunk=20,
                          progress=False)
    assert same(dataset[:], expected) and len(dataset.paths) > 12
    alone = pt.generate(SPEC, checkpoint=tmp_path / "alone", chunk=20, progress=False)
    names = [path.name for path in dataset.paths]
    assert names == [path.name for path in alone.paths]
    for one, other in zip(dataset.chunks(), alone.chunks()):
        assert same(one, other)


class _Dies:
    "Runs a task; the first worker that comes to a certain piece is killed in the middle of it."

    def __init__(self, run, flag, log):
        self.run, self.flag, self.log = run, str(flag), str(log)

    def __call__(self, task):
        with open(self.log, "a") as log:
            log.write(f"{tuple(task.piece)}\n")
        if task.piece.first == 40 and not os.path.exists(self.flag):
            with open(self.flag, "w") as flag:
                flag.write(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        return self.run(task)


def test_a_killed_worker_costs_its_chunk_only(client, expected, tmp_path, monkeypatch):
    dies = _Dies(pt.many.do_task, tmp_path / "flag", tmp_path / "log")
    monkeypatch.setattr(pt.many, "do_task", dies)
    made = pt.generate(SPEC, client=client, checkpoint=tmp_path / "data", chunk=20, progress=False)
    killed = int((tmp_path / "flag").read_text())
    assert killed not in client.run(_pid).values()
    assert same(made[:], expected)
    began = (tmp_path / "log").read_text().splitlines()
    assert len(set(began)) >= len(made.paths)
    # what was running or waiting on that worker is begun again, at most; nothing that was done
    assert len(set(began)) < len(began) <= len(set(began)) + 8


def test_a_folder_that_workers_cannot_see(client, expected, tmp_path, monkeypatch):
    "Their rows come back, and this process writes them."
    monkeypatch.setattr(pt.many, "do_task", _without_folder)
    made = pt.generate(SPEC, client=client, checkpoint=tmp_path / "data", chunk=20, progress=False)
    assert same(made[:], expected)


def _without_folder(task):
    return pt.many.do_task(task._replace(folder="/elsewhere"))


def _other_version(task):
    return pt.many.do_task(task)._replace(sources="other")


def test_workers_of_another_version_are_refused(client, monkeypatch):
    monkeypatch.setattr(pt.many, "do_task", _other_version)
    with pytest.raises(ValueError, match="another version of pes_toy"):
        pt.generate(SPEC, client=client, chunk=20, progress=False)


def _fails(task):
    if task == 7:
        raise ZeroDivisionError("seven")
    return task


def _fails_twice(folder):
    "The third try works."
    tries = len(os.listdir(folder))
    open(os.path.join(folder, str(tries)), "w").close()
    if tries < 2:
        raise OSError("not yet")
    return tries


def test_tasks_are_tried_again_and_errors_come_home(client, tmp_path):
    assert list(on_client(client, _fails_twice, [str(tmp_path)])) == [2]
    with pytest.raises(ZeroDivisionError, match="seven"):
        list(on_client(client, _fails, range(20)))
    assert sorted(on_client(client, _fails, range(7))) == list(range(7))
    few = on_client(client, _fails, iter(range(6)))
    next(few)
    few.close()  # takes back what was not begun
    deadline = time.monotonic() + 10
    while any(client.processing().values()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(client.processing().values())


SCRIPT = """
import sys
import distributed
import numpy as np
import pes_toy as pt
from pes_toy.relaxation import Relaxer

class Rest(Relaxer, name="rest on a cluster"):
    "Leaves everything where it is."
    @staticmethod
    def run(batch, potential, recipe, draw_of, workers):
        pass

spec = pt.DatabaseSpec(n_configurations=40, relaxer="rest on a cluster")
with distributed.Client(sys.argv[1]) as client:
    made = pt.generate(spec, client=client, chunk=30, progress=False)
alone = pt.generate(spec, progress=False)
assert np.array_equal(made.positions, alone.positions) and made.spec == spec
assert np.array_equal(made.energy, alone.energy) and abs(made.energy).max() > 0
"""


def test_a_relaxer_of_ones_own(client):
    "Defined in a script that no worker can import."
    command = [sys.executable, "-c", SCRIPT, client.scheduler.address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def test_a_potential_that_cannot_travel_is_refused(client):
    def pair(r):
        return (1 / r - r / 9) ** 2 if r < 3.0 else 0.0

    spec = dataclasses.replace(SPEC, potential=pt.Potential(pair=pair, cutoff=3.0, name="mine"))
    with pytest.raises(pickle.PicklingError, match="module that can be imported"):
        pt.generate(spec, client=client, progress=False)


def test_sweeps_and_studies_run_on_the_client(client, tmp_path, monkeypatch):
    store = tmp_path / "results.json"
    experiments = [BASELINE, dataclasses.replace(BASELINE, name="more", n_fresh=50)]
    found = pt.sweep(experiments, repeats=2, store=store, client=client, progress=False)
    alone = pt.sweep(experiments, repeats=2, progress=False)
    assert np.array_equal(found.values("energy_mae"), alone.values("energy_mae"))
    again = pt.sweep(experiments, repeats=2, store=store, compute=False, progress=False)
    assert np.array_equal(again.values("energy_mae"), alone.values("energy_mae"))
    quick = pt.studies.Study("quick?", [("quick", BASELINE.database, BASELINE.training,
                                         dict(n_fresh=40))])
    monkeypatch.setitem(pt.studies.STUDIES, "quick", quick)
    done = pt.study("quick", tmp_path, compute=True, client=client, progress=False)
    assert done.values("energy_mae").shape == (1, 3)


def test_what_is_no_client_is_refused():
    for call in (lambda c: pt.generate(SPEC, client=c), lambda c: pt.sweep(BASELINE, client=c)):
        with pytest.raises(TypeError, match="distributed.Client"):
            call("tcp://here:8786")


def test_without_dask_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match=r"pes_toy\[distributed\]"):
        pt.generate(SPEC, client=object())
