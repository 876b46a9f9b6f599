"""A wheel in an empty environment with the core alone: its size, what runs, what is missing."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from notebooks import ROOT, is_run, read

MEGABYTES = 650  # that the core may add


def call(python, *words, **more):
    plain = {
        k: v
        for k, v in os.environ.items()
        if k not in ("PYTHONPATH", "PES_TOY_INSTALLED", "VIRTUAL_ENV")
    }
    return subprocess.run(
        [str(python), *map(str, words)],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**plain, "MPLBACKEND": "Agg"},
        **more,
    )


def size(folder):
    files = (p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
    return sum(p.lstat().st_size for p in files) / 1e6


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    "A new environment with the wheel: its Python, the megabytes that were added, and its folder."
    home = tmp_path_factory.mktemp("wheel")
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", home]
    made = call(sys.executable, "-m", "pip", "wheel", *options, ".", cwd=ROOT)
    assert made.returncode == 0, made.stdout
    venv.create(home / "env", with_pip=True)
    (python,) = (home / "env").glob("bin/python")
    (packages,) = (home / "env").glob("lib/python*/site-packages")
    before = size(packages)
    (wheel,) = home.glob("pes_toy-*.whl")
    installed = call(python, "-m", "pip", "install", "--quiet", wheel)
    assert installed.returncode == 0, installed.stdout
    return python, size(packages) - before, home


def test_the_core_is_small(empty):
    "With the files that Python compiles."
    assert empty[1] < MEGABYTES, f"{empty[1]:.0f} MB"


SAMPLES = {"database.parquet", "network.npz", "carbon.parquet"}


def test_it_comes_with_its_licence_samples_and_command(empty):
    python, _, home = empty
    (packages,) = (home / "env").glob("lib/python*/site-packages/pes_toy")
    assert {p.name for p in (packages / "sample").iterdir()} == SAMPLES
    assert list(packages.parent.glob("pes_toy-*/**/LICENSE"))
    for words in (["-m", "pes_toy"], [home / "env/bin/pes_toy"]):
        said = call(python, *words, "--help")
        assert said.returncode == 0 and "examples:" in said.stdout, said.stdout


def test_sample_network_and_database_part_of_the_quickstart_run(empty, tmp_path):
    python, *_ = empty
    shown = [
        cell.source
        for cell in read(ROOT / "nbs/tutorials/quickstart.ipynb").cells
        if is_run(cell) and not cell.source.startswith("#|")
    ]
    first = next(i for i, source in enumerate(shown) if "pt.train(" in source)
    # what follows the training needs no TensorFlow
    code = "\n".join([*shown[:first], "network = pt.sample_network()", *shown[first + 1 :]])
    assert first >= 2 and "pt.generate(" in code and "score(" in code
    code += "\nassert pt.score(network, fresh).energy_mae < 0.002"
    code += "\nassert len(pt.sample_database()) == 3000"
    ended = call(python, "-c", code, cwd=tmp_path)
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize(
    "call_, extra",
    [
        ("pt.train(db, pt.TrainingSpec(epochs=1))", "networks"),
        ("pt.fit_baseline(db, pt.BaselineSpec())", "networks"),
        ("pt.explore.configuration()", "explore"),
        ("pt.to_atoms(db)", "ase"),
        ("pt.calculator(pt.ModifiedLennardJones())", "ase"),
    ],
    ids=lambda text: text[:16],
)
def test_what_is_missing_is_named(empty, call_, extra):
    said = call(empty[0], "-c", f"import pes_toy as pt\ndb = pt.sample_database()\n{call_}")
    last = said.stdout.strip().splitlines()[-1]
    assert said.returncode and last.startswith("ImportError"), said.stdout
    assert f'pip install "pes_toy[{extra}]"' in last, said.stdout


def test_the_command_names_it_too(empty, tmp_path):
    python, _, home = empty
    command = home / "env/bin/pes_toy"
    made = ["generate", "db.parquet", "--n-configurations", "300", "--quiet"]
    assert call(python, command, *made, cwd=tmp_path).returncode == 0
    trained = ["train", "db.parquet", "network.npz", "--epochs", "1", "--quiet"]
    said = call(python, command, *trained, cwd=tmp_path)
    assert said.returncode == 1 and "Traceback" not in said.stdout, said.stdout
    assert 'pip install "pes_toy[networks]"' in said.stdout
    assert not Path(tmp_path / "network.npz").exists()
