"""What would not end or not fit is refused in a line, before it begins."""

import subprocess
import sys
import time

import numpy as np
import pes_toy as pt
import pytest
from memory import beside_tests
from pes_toy import explore
from pes_toy.base import limits

NARROW = np.zeros((1, 3)), 0.2


@pytest.fixture(scope="module", autouse=True)
def compiled():
    "What looks for coinciding particles is compiled before times are taken."
    pt.relax(np.zeros((1, 3)), 5.0, epochs=0)


@pytest.mark.parametrize(
    "job",
    [
        lambda: pt.energy_per_particle(*NARROW),
        lambda: pt.forces(*NARROW),
        lambda: pt.energy_per_particle(*NARROW, protocol="thesis"),
        lambda: pt.relax(*NARROW),
        lambda: pt.relax(*NARROW, relaxer="fire"),
        lambda: pt.relax(*NARROW, protocol="thesis"),
        lambda: pt.generate(
            pt.DatabaseSpec(n_particles=1, dimension=3, width=0.2), progress=False
        ),
        lambda: pt.estimate(pt.DatabaseSpec(n_particles=1, dimension=3, width=0.2)),
        lambda: pt.SymmetryFunctions().values(*NARROW),
        lambda: pt.SymmetryFunctions().gradients(*NARROW),
        lambda: explore.ConfigurationView(np.zeros((1, 2)), 0.02).compute(),
    ],
)
def test_a_cell_in_which_a_particle_sees_too_much_is_refused_at_once(job):
    began = time.process_time()
    with pytest.raises(ValueError, match="(wider|narrower|width)") as caught:
        job()
    assert time.process_time() - began < 2
    assert "images" in str(caught.value) and "0.02" in str(caught.value).replace("0.2", "0.02")


def test_a_narrow_cell_in_the_plane_works():
    x = np.array([[0.0, 0.0], [0.15, 0.15]])
    assert np.isfinite(pt.energy_per_particle(x, 0.3))
    assert np.isfinite(pt.forces(x, 0.3)).all()
    relaxed = pt.relax(x, 0.3, epochs=1, max_delta=0.05)
    assert relaxed.energy <= pt.energy_per_particle(x, 0.3)


def test_the_limit_can_be_lifted():
    x, w = np.zeros((1, 2)), 0.052
    with pytest.raises(ValueError, match="with pes_toy.unlimited"):
        pt.energy_per_particle(x, w)
    with pt.unlimited():
        assert np.isfinite(pt.energy_per_particle(x, w))
    with pytest.raises(ValueError, match="--unlimited"):
        pt.energy_per_particle(x, w)


def test_proximity_matrices_of_a_narrow_cell_are_refused_at_once():
    began = time.process_time()
    with pytest.raises(ValueError, match="wider"):
        x = np.random.default_rng(0).uniform(0, 0.2, (1500, 3))
        pt.proximity_eigenvalues(x, 0.2, R_0p=12.0)
    assert time.process_time() - began < 2


def test_a_job_of_days_is_refused():
    with pytest.raises(ValueError, match="24 hours.*epochs"):
        pt.relax(np.random.default_rng(0).uniform(0, 30, (200, 2)), 30.0, epochs=10**9)


def test_gradients_that_do_not_fit_are_refused():
    x = np.random.default_rng(0).uniform(0, 4000, (1, 60_000, 2))
    with pytest.raises(ValueError, match="GB of memory.*pullback"):
        pt.SymmetryFunctions().gradients(x, np.full(1, 4000.0))


TIGHT = """
import resource, sys
import pes_toy as pt
import psutil
big = pt.concat([pt.sample_database()] * 100)
{before}
room = psutil.Process().memory_info().vms + 300_000_000
resource.setrlimit(resource.RLIMIT_AS, (room, room))
try:
    {job}
except ValueError as error:
    print(error)
"""


def in_a_tight_process(job, before=""):
    "What a process prints that may take 300 MB of address space more."
    code = [sys.executable, "-c", TIGHT.format(job=job, before=before)]
    ended = subprocess.run(code, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr[-500:]
    assert ended.stdout.count("\n") == 1
    return ended.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="limits of address space are Linux's")
@pytest.mark.parametrize(
    "job",
    [
        "pt.generate(pt.DatabaseSpec(n_configurations=10**8), progress=False)",
        "pt.prepare(big, pt.SymmetryFunctions(), progress=False)",
        "pt.SymmetryFunctions().gradients(big.positions, big.width)",
        "pt.proximity_eigenvalue_gradients(big.positions, 5.0)",
    ],
)
def test_what_does_not_fit_into_a_limit_of_memory_says_so(job):
    assert "GB of memory" in in_a_tight_process(job)


@pytest.mark.skipif(sys.platform != "linux", reason="limits of address space are Linux's")
def test_what_fits_into_a_limit_of_memory_once_all_is_loaded_is_done():
    "The first use takes more than 300 MB: linear algebra waits for them for ever."
    job = "pt.proximity_eigenvalue_gradients({}, 5.0)"
    before = job.format("big.positions[:100]")
    said = in_a_tight_process(f"print({job.format('big.positions')}.shape)", before)
    assert said == "(300000, 8, 4, 2)\n"


@pytest.mark.skipif(sys.platform != "linux", reason="limits of address space are Linux's")
def test_no_room_to_compile_is_a_line_and_no_end_of_the_process():
    code = TIGHT.replace("300_000_000", "100_000_000").replace("* 100", "* 2").format(
        before="pt.energy_per_particle(big.positions[:5], 5.0)",
        job="pt.Potential(lambda r: (1 - r) ** 2 if r < 1 else 0.0, cutoff=1.0)")
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("compiling needs") and ended.stdout.count("\n") == 1


def test_small_jobs_are_looked_at_where_less_is_left(monkeypatch):
    monkeypatch.setattr(limits, "available_memory", lambda: 1e12)
    limits.check_memory("a list", 5e7, "make it shorter")
    monkeypatch.setattr(limits, "address_space", lambda: 4e7)
    limits.check_memory("a list", 3e7, "make it shorter")
    with pytest.raises(ValueError, match="a list would take about 50 MB.*40 MB are available"):
        limits.check_memory("a list", 5e7, "make it shorter")
    with pt.unlimited():
        limits.check_memory("a list", 5e7, "make it shorter")


def test_a_training_that_does_not_fit_is_refused_before_it_begins(monkeypatch):
    monkeypatch.setattr(limits, "available_memory", lambda: 1e8)
    monkeypatch.setattr("pes_toy.training.keras_with_tensorflow", lambda: None)
    big = pt.concat([pt.sample_database()] * 20)
    with pytest.raises(ValueError, match="the training would take.*GB.*force_weight=0"):
        pt.train(big, pt.TrainingSpec.recommended(), progress=False)


PEAK = """
import pes_toy as pt
from memory import held_at_most
spec = {spec}
said = pt.estimate(spec).megabytes
db = pt.generate(spec, progress=False)
print(said, held_at_most() / 1e6)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peaks are told in kB by Linux")
@pytest.mark.parametrize(
    "spec",
    [
        "pt.DatabaseSpec(n_configurations=600_000, epochs=0)",
        "pt.DatabaseSpec(n_configurations=300_000, epochs=0, forces=True)",
        "pt.DatabaseSpec.diverse(n_configurations=140_000, epochs=(0, 1))",
        "pt.DatabaseSpec(n_configurations=2000, n_particles=50, width=14.0, epochs=0)",
    ],
)
def test_an_estimate_of_memory_holds(spec):
    ended = subprocess.run([sys.executable, "-c", PEAK.format(spec=spec)], capture_output=True,
                           text=True, check=True, env=beside_tests())
    said, peak = map(float, ended.stdout.split())
    assert 1 / 1.3 < peak / said < 1.3, (said, peak)


def test_words_for_times():
    said = [limits.in_words(seconds) for seconds in (0.5, 100, 7200, 1e6, 1e10)]
    assert said == ["0.5 seconds", "1e+02 seconds", "2 hours", "12 days", "317 years"]
