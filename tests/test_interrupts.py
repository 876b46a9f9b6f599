"""Ctrl-C and SIGTERM are answered within a second, whatever runs, and are not lost in numba."""

import contextlib
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np
import pes_toy as pt
import pytest
from pes_toy.base.jobs import in_threads
from pes_toy.engine.compile import kernel

SECOND = 1.0  # from the signal to the answer
CHILD = """
import faulthandler, signal, sys, time, warnings
import numpy as np
import pes_toy as pt

warnings.simplefilter("ignore")
if hasattr(signal, "SIGUSR1"):
    faulthandler.register(signal.SIGUSR1)  # where is it, if it does not answer?

def spread(N, d, w):
    "A crooked grid, which no relaxation ends on early."
    n = int(np.ceil(N ** (1 / d)))
    grid = np.stack(np.meshgrid(*[np.arange(n)] * d), -1).reshape(-1, d)[:N] * (w / n)
    return grid + np.random.default_rng(0).uniform(0, 0.2 * w / n, grid.shape)

def made(**settings):
    return pt.generate(pt.DatabaseSpec(**settings), progress=False)

def forever(job, *given, **more):
    while True:
        job(*given, **more)

sample = pt.sample_database()
symmetry = pt.SymmetryFunctions()
many = dict(n_configurations=10**6, epochs=400)
JOBS = dict(  # what compiles all that is needed, and what is interrupted
    few=(lambda: made(n_configurations=64), lambda: made(**many)),
    fifty=(lambda: made(n_configurations=2, n_particles=50, width=14.0, epochs=1),
           lambda: made(n_particles=50, width=14.0, **many)),
    two_hundred=(lambda: made(n_configurations=2, n_particles=200, width=28.0, epochs=1),
                 lambda: made(n_particles=200, width=28.0, **many)),
    stale=(lambda: made(n_configurations=2, n_particles=12, width=6.0, protocol="thesis"),
           lambda: made(n_particles=12, width=6.0, protocol="thesis", **many)),
    descent=(lambda: pt.relax(spread(10_000, 2, 200.0), 200.0, epochs=1),
             lambda: pt.relax(spread(10_000, 2, 200.0), 200.0, epochs=4000)),
    fire=(lambda: pt.relax(spread(10_000, 2, 200.0), 200.0, relaxer="fire", epochs=1),
          lambda: pt.relax(spread(10_000, 2, 200.0), 200.0, relaxer="fire", epochs=40_000)),
    endless_range=(
        lambda: pt.relax(spread(400, 2, 60.0)[:40], 60.0, pt.Morse(), depth=1, epochs=1),
        lambda: pt.relax(spread(400, 2, 60.0), 60.0, pt.Morse(), depth=1, epochs=400)),
    energies=(lambda: pt.energy_per_particle(spread(2000, 3, 24.0), 24.0),
              lambda: forever(pt.energy_per_particle, spread(100_000, 3, 80.0), 80.0)),
    forces=(lambda: pt.forces(spread(2000, 3, 24.0), 24.0),
            lambda: forever(pt.forces, spread(20_000, 3, 20.0), 20.0)),
    eigenvalues=(lambda: pt.proximity_eigenvalues(spread(100, 2, 20.0), 20.0),
                 lambda: forever(pt.proximity_eigenvalues, spread(1000, 2, 60.0), 60.0)),
    their_gradients=(
        lambda: pt.proximity_eigenvalue_gradients(spread(100, 2, 20.0), 20.0),
        lambda: forever(pt.proximity_eigenvalue_gradients, spread(1000, 2, 60.0), 60.0)),
    symmetry_functions=(lambda: symmetry.values(spread(100, 2, 20.0)[None], np.full(1, 20.0)),
                        lambda: forever(symmetry.values, spread(9000, 2, 60.0)[None],
                                        np.full(1, 60.0))),
    training=(lambda: pt.train(sample[:300], pt.TrainingSpec(epochs=1), progress=False),
              lambda: pt.train(pt.concat([sample] * 100), pt.TrainingSpec(), progress=False)),
    judging=(lambda: pt.report(symmetry), lambda: forever(pt.report, symmetry)),
    scores=(lambda: pt.score(pt.sample_network(), sample[:20]),
            lambda: forever(pt.score, pt.sample_network(), sample)),
    prepared=(lambda: pt.prepare(sample[:2], symmetry, progress=False),
              lambda: forever(pt.prepare, sample, symmetry, progress=False)),
)
for name in sys.argv[1:]:
    warm, job = JOBS[name]
    warm()
    print("begin", flush=True)
    try:
        if job() is not None and name != "training":
            print("ended", flush=True)
    except KeyboardInterrupt:
        pass
    print("stopped", time.monotonic(), flush=True)
"""
QUICK = ["few", "fifty", "two_hundred", "descent", "fire", "energies", "forces", "eigenvalues"]
MORE = ["their_gradients", "symmetry_functions", "training", "judging", "scores", "prepared"]
SLOW_TO_COMPILE = ["stale", "endless_range"]


class Child:
    "A process whose lines can be waited for."

    def __init__(self, *names):
        command = [sys.executable, "-c", CHILD, *names]
        self.said = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self.said, text=True
        )
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.split())
        self.lines.put(["gone"])

    def next(self, seconds, name):
        "The words of the next line; fails with what the child says, and where its threads are."
        with contextlib.suppress(queue.Empty):
            line = self.lines.get(timeout=seconds)
            if line != ["gone"]:
                return line
        if self.process.poll() is None and hasattr(signal, "SIGUSR1"):
            self.process.send_signal(signal.SIGUSR1)
            time.sleep(2)
        self.said.seek(0)
        pytest.fail(f"{name}: no answer in {seconds} s, or gone\n{self.said.read()}")

    def queued(self):
        "Seconds for which its main thread could have run, but others had the processors (Linux)."
        with contextlib.suppress(OSError):
            with open(f"/proc/{self.process.pid}/schedstat") as told:
                return int(told.read().split()[1]) / 1e9
        return 0.0


@pytest.mark.parametrize("names", [QUICK, MORE, SLOW_TO_COMPILE], ids=lambda names: names[0])
def test_ctrl_c_is_answered_within_a_second(names):
    child = Child(*names)
    try:
        for name in names:
            assert child.next(400, name) == ["begin"], name
            time.sleep(0.5)
            sent, queued = time.monotonic(), child.queued()
            child.process.send_signal(signal.SIGINT)
            line, came = child.next(60, name)
            took = float(came) - sent
            assert took - (child.queued() - queued) < SECOND, (name, line, took)
            assert line == "stopped", name
    finally:
        child.process.kill()
        child.process.wait()


@pytest.mark.parametrize("where", ["_raw_object_cache_notify", "_on_type_disposal"])
def test_an_interruption_of_the_compiler_is_not_lost(where):
    """These are called by LLVM, and when an object dies: an exception there is dropped."""
    came = []

    def watched(frame, event, _):
        if not came and event == "call" and frame.f_code.co_name == where:
            came.append(frame)
            sys.setprofile(None)
            signal.raise_signal(signal.SIGINT)

    @kernel
    def inner(x):
        return [(x, i) for i in range(3)]

    @kernel
    def outer(x):
        return inner(x)[1]

    sys.setprofile(watched)
    with pytest.raises(KeyboardInterrupt):
        outer(1.0)
        for _ in range(100):  # the type may die later
            kernel(lambda x: (x, x))(len(came))
    sys.setprofile(None)
    assert came and outer(1.0) == (1.0, 1)


DROPPED = """
import signal, sys, time
import pes_toy as pt

sample = pt.sample_database()
symmetry = pt.SymmetryFunctions()
pt.prepare(sample, symmetry, progress=False)
for where in sys.argv[1:]:
    came = []

    def watched(frame, event, _):
        if not came and event == "call" and frame.f_code.co_name == where:
            came.append(time.monotonic())
            sys.setprofile(None)
            signal.raise_signal(signal.SIGINT)

    sys.setprofile(watched)
    try:
        while not came or time.monotonic() < came[0] + 5:
            pt.prepare(sample, symmetry, progress=False)
        print("lost")
    except KeyboardInterrupt:
        print("heard")
"""


def test_an_interruption_is_not_lost_where_python_drops_exceptions():
    """_remove is called when a thread object dies, __del__ by a dying progress bar."""
    command = [sys.executable, "-c", DROPPED, "_remove", "__del__"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert told.stdout.split() == ["heard", "heard"], told.stdout + told.stderr
    assert "ignored" not in told.stderr


def wait_for(word, process):
    "Reads standard error until it says a word; fails where the process ends before."
    said = b""
    while word not in said:
        more = process.stderr.read1()
        assert more, (process.wait(), said)
        said += more


def test_sigterm_ends_the_command_and_keeps_the_network(tmp_path):
    pt.sample_database()[:500].save(tmp_path / "db.parquet")
    command = [sys.executable, "-m", "pes_toy", "train", "db.parquet", "network.npz", "--epochs",
               "1000000", "--hidden", "8"]
    said = subprocess.PIPE
    with subprocess.Popen(command, cwd=tmp_path, stdout=said, stderr=said) as process:
        wait_for(b"loss", process)  # the bar of the first epochs
        process.terminate()
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0 and b"interrupted after" in err
    assert pt.load_network(tmp_path / "network.npz").about["ended"] == "interrupted"


def test_sigterm_ends_a_generation_without_a_traceback(tmp_path):
    command = [sys.executable, "-m", "pes_toy", "generate", "db.parquet", "--n-configurations",
               "1000000", "--epochs", "20000"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE) as process:
        wait_for(b"configurations/s", process)
        process.terminate()
        sent = time.monotonic()
        _, err = process.communicate(timeout=60)
    assert process.returncode == 143 and b"Traceback" not in err
    assert b"nothing was written" in err and time.monotonic() - sent < 10
    assert not list(tmp_path.iterdir())


def test_work_that_ignores_the_flag_is_left_alone():
    "As LAPACK does: the interruption goes on, and what the thread finds is dropped."
    free = threading.Event()

    def stubborn(which, stop):
        free.wait(20)

    import _thread

    threading.Timer(0.2, _thread.interrupt_main).start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        in_threads(stubborn, np.arange(2), workers=2, chunk=1)
    assert time.monotonic() - began < SECOND + 0.2
    free.set()


def test_an_error_in_a_thread_stops_the_others_and_is_raised():
    seen = []

    def fails(which, stop):
        seen.append(which)
        if which[0] == 0:
            raise ZeroDivisionError
        while not stop[0]:
            time.sleep(0.01)

    with pytest.raises(ZeroDivisionError):
        in_threads(fails, np.arange(8), workers=2, chunk=1)
    assert len(seen) < 8


@pytest.mark.parametrize("chunk", [0.01, 0.7, 1, 3, 64])
@pytest.mark.parametrize("count", [1, 2, 7, 1000])
def test_every_index_is_worked_on_once(count, chunk):
    times = np.zeros(count, int)

    def once(which, stop):
        times[which] += 1

    in_threads(once, np.arange(count), workers=2, chunk=chunk)
    assert (times == 1).all()
