"""The command under fire: what it makes is what Python makes, and Ctrl-C leaves no file."""
import signal
import subprocess
import sys

import numpy as np
import pes_toy as pt
from databases import make, same

CALL = "import sys; from pes_toy.cli import main; sys.exit(main())"
# a job in the background ignores the signal, so the handler is set again
INTERRUPTIBLE = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler); {CALL}"


def run(*words):
    command = [sys.executable, "-c", CALL, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True)


def test_ctrl_c_leaves_no_file(tmp_path):
    words = ["generate", str(tmp_path / "big.parquet"), "--n-configurations", "30000000"]
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTIBLE, *words],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    while "configurations/s" not in (seen := process.stderr.readline(200)):
        assert seen, process.communicate()  # until the bar moves
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and "nothing was written" in said
    assert not list(tmp_path.iterdir())


def test_the_command_makes_what_python_makes(tmp_path):
    path = tmp_path / "a.parquet"
    options = "--n-configurations 70 --seed 5 --epochs 0,4 --keep 1 --workers 1"
    answer = run("generate", path, *options.split())
    assert answer.returncode == 0, answer.stderr
    assert same(pt.load(path), make(n_configurations=70, seed=5, epochs=(0, 4), keep=1.0))
    for command in ("generate", "info", "convert"):
        assert "example" in run(command, "--help").stdout
    said = run("generate", tmp_path / "a.csv")
    assert said.returncode == 1 and ".parquet or .json" in said.stderr
def test_a_database_goes_to_xyz_and_back(tmp_path):
    import ase.io

    db = make(n_configurations=6, forces=True)
    db.save(tmp_path / "a.parquet")
    answer = run("convert", tmp_path / "a.parquet", tmp_path / "a.xyz")
    assert answer.returncode == 0, answer.stderr
    back = pt.from_atoms(ase.io.read(tmp_path / "a.xyz", ":"))
    np.testing.assert_allclose(back.positions, db.positions, atol=1e-7)
    np.testing.assert_allclose(back.energy, db.energy, atol=1e-7)
    np.testing.assert_allclose(back.forces, db.forces, atol=1e-7)


