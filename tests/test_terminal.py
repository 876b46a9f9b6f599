"""Closed and full outputs, full disks and folders that go: the command keeps what it made."""

import os
import subprocess
import sys

import pes_toy as pt
import pytest

COMMAND = f"{sys.executable} -m pes_toy"
GENERATE = "generate made.parquet --n-configurations 100"
posix = pytest.mark.skipif(os.name != "posix", reason="a shell and its devices are needed")


def shell(line, folder):
    "Exit codes of all parts of a pipe, and what was said on stderr."
    command = f"set -o pipefail; {line}"
    return subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    pt.sample_database()[:200].save(folder / "db.parquet")
    return folder


@posix
@pytest.mark.parametrize(
    "line, code",
    [
        (f"{GENERATE} | true", 0),
        (f"{GENERATE} 2>&1 | head -c1", 0),
        (f"{GENERATE} >/dev/full", 0),
        (f"{GENERATE} >/dev/full 2>/dev/full", 0),
        (f"{GENERATE} >&- 2>&-", 0),
        ("convert db.parquet made.parquet >/dev/full", 0),
        ("info db.parquet | head -1", 0),
        ("info db.parquet | true", 0),
        ("info db.parquet >&-", 0),
        ("info db.parquet >/dev/full", 1),
        ("--help | head -1", 0),
        ("--help >/dev/full", 1),
        ("--version >/dev/full", 1),
        ("info nowhere.parquet 2>/dev/full", 1),
        ("nothing 2>/dev/full", 2),
    ],
)
def test_an_output_that_closes_or_is_full_ends_no_job(home, line, code):
    made = home / "made.parquet"
    made.unlink(missing_ok=True)
    ended = shell(f"{COMMAND} {line}", home)
    assert ended.returncode == code, ended.stderr
    assert "Traceback" not in ended.stderr and "Exception" not in ended.stderr
    if "made" in line:
        assert len(pt.load(made)) in (100, 200)
    if "full" in line and "2>" not in line:
        assert "No space left on device" in ended.stderr


VANISH = """
import shutil
from dataclasses import dataclass
import numpy as np
import pes_toy as pt
from pes_toy.base.registry import MODELS
from pes_toy.relaxation import Relaxer

def gone():
    shutil.rmtree("target", ignore_errors=True)

class Vanish(Relaxer, name="vanish"):
    @staticmethod
    def run(batch, potential, recipe, draw_of, workers):
        gone()

@dataclass(frozen=True)
class Fading(pt.Descriptor):
    def values(self, positions, width):
        gone()
        return positions.reshape(len(positions), -1) / width[:, None]

@MODELS.add
class Lost(pt.Predictor):
    n_particles, dimension, any_number = 4, 2, True

    def __init__(self):
        self.about = {}

    def evaluate(self, x, w, with_forces=False):
        gone()
        return np.zeros(len(x)), np.zeros_like(x) if with_forces else None

    def parts(self):
        return {}, {}

    @classmethod
    def from_parts(cls, settings, arrays):
        return cls()
"""


@pytest.mark.parametrize(
    "line, name",
    [
        ("generate target/a.parquet --relaxer vanish --n-configurations 50", "a.parquet"),
        ("prepare db.parquet target/b.parquet --inputs Fading", "b.parquet"),
        ("train db.parquet target/c.npz --inputs Fading --epochs 2 --hidden 4", "c.npz"),
        ("predict lost.npz db.parquet target/d.parquet", "d.parquet"),
    ],
)
def test_a_folder_that_goes_during_the_work_loses_nothing(home, line, name):
    (home / "vanish.py").write_text(VANISH)
    (home / "target").mkdir(exist_ok=True)
    if name == "d.parquet":
        make = "import vanish; vanish.Lost().save('lost.npz')"
        subprocess.run([sys.executable, "-c", make], cwd=home, check=True)
    ended = subprocess.run([*COMMAND.split(), *line.split(), "--import", "vanish"], cwd=home,
                           capture_output=True, text=True)
    assert ended.returncode == 1 and "Traceback" not in ended.stderr
    assert "could not be written" in ended.stderr and str(home / name) in ended.stderr
    if "vanish" in line or name == "c.npz":  # of a relaxer and a descriptor unknown in here
        assert (home / name).stat().st_size > 2000
    else:
        assert len(pt.load(home / name)) == 200


@posix
def test_a_limit_of_file_sizes_is_met_before_the_work(home):
    line = "generate big.parquet --n-configurations 100000 --epochs 1000000"
    ended = shell(f"ulimit -f 100; {COMMAND} {line}", home)
    assert ended.returncode == 1 and ended.stderr.count("\n") == 1
    assert "needs at least" in ended.stderr and not (home / "big.parquet").exists()


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    is_root = sys.platform == "linux" and os.geteuid() == 0
    if not is_root or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root of a Linux machine can mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(small_disk):
    home = small_disk.parent
    almost = f"{COMMAND} generate small/a.parquet --n-configurations 1000"
    ended = shell(almost, home)  # fits by the estimate, and then does not
    assert ended.returncode == 1 and str(home / "a.parquet") in ended.stderr
    assert len(pt.load(home / "a.parquet")) == 1000 and not list(small_disk.iterdir())
    (small_disk / "filled").write_bytes(bytes(1 << 16))
    ended = shell(f"{COMMAND} generate small/b.parquet --epochs 1000000", home)
    assert ended.returncode == 1 and "cannot be written" in ended.stderr


def test_a_sweep_keeps_what_it_cannot_store(tmp_path, monkeypatch):
    from pes_toy import sweeps
    from runs import NETWORK, fake

    folder = tmp_path / "stored"
    folder.mkdir()

    def remove(experiment):
        if folder.exists():
            (folder / "results.json").unlink(missing_ok=True)
            folder.rmdir()
        return fake(experiment)

    monkeypatch.setattr(sweeps, "run_experiment", remove)
    with pytest.warns(UserWarning, match="could not be written"):
        found = pt.sweep([NETWORK], repeats=2, store=folder / "results.json", progress=False)
    assert len(found["network"]) == 2
