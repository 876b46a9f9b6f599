"""Options of the command are those of the settings; `--help` costs little; own modules count."""

import re
import subprocess
import sys

import numpy as np
import pes_toy as pt
import pytest
from pes_toy.cli import main

HELP = """
import sys
from pes_toy.cli import main
try:
    main(sys.argv[1:])
finally:
    print(*sys.modules, file=sys.stderr)
"""


def helped(*words):
    command = [sys.executable, "-c", HELP, *words, "--help"]
    ended = subprocess.run(command, capture_output=True, text=True)
    return " ".join(ended.stdout.split()), {*ended.stderr.split()}


@pytest.mark.quick
@pytest.mark.parametrize(
    "command, kind", [("generate", pt.DatabaseSpec), ("train", pt.TrainingSpec)]
)
def test_help_shows_each_setting_with_meaning_and_default(command, kind, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "10000")
    with pytest.raises(SystemExit):
        main([command, "--help"])
    words = " ".join(capsys.readouterr().out.split())
    options = re.split(r" (?=--)", words)
    for one in kind.described().values():
        option = "--" + one.name.replace("_", "-")
        starts = option + " ", "--no-" + option[2:] + " "  # a flag has both
        said = [text for text in options if text.startswith(starts)]
        assert any(one.meaning in text and text.endswith("]") for text in said), option
    presets = next(text for text in options if text.startswith("--preset {default"))
    assert "thesis: " in presets and "default: " in presets


def test_help_loads_next_to_nothing():
    heavy = {"tensorflow", "keras", "matplotlib", "pandas", "pyarrow", "numba"}
    said, loaded = helped()
    assert "examples:" in said and not heavy & loaded
    said, loaded = helped("train")
    assert "--force-weight" in said and not (heavy - {"numba"}) & loaded


MODULE = """
from dataclasses import dataclass
import numpy as np
from pes_toy import Descriptor, Predictor
from pes_toy.base.registry import MODELS

@dataclass(frozen=True)
class Spread(Descriptor):
    "How far the particles are from the middle of the cell; not even periodic, but quick."
    power: float = 2.0

    def values(self, positions, width):
        away = positions - np.reshape(width, (-1, 1, 1)) / 2
        return np.abs(away).sum(axis=(1, 2))[:, None] ** self.power

@MODELS.add
class Constant(Predictor):
    "Looks at nothing and says one energy."
    n_particles = 4
    dimension = 2

    def __init__(self, energy):
        self.energy = energy
        self.about = {}

    def rows(self):
        return [("energy", str(self.energy))]

    def predict(self, positions, width):
        return np.full(len(positions), self.energy)

    def energy_and_forces(self, positions, width):
        return self.predict(positions, width), np.zeros(np.shape(positions))

    def parts(self):
        return dict(energy=self.energy), {}

    @classmethod
    def from_parts(cls, settings, arrays):
        return cls(settings["energy"])
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    "A folder with a database and a module of the user's."
    home = tmp_path_factory.mktemp("mine")
    (home / "mine.py").write_text(MODULE)
    made = run(home, "generate db.parquet --n-configurations 50 --quiet")
    assert made.returncode == 0, made.stderr
    return home


def run(home, line):
    command = [sys.executable, "-m", "pes_toy", *line.split()]
    return subprocess.run(command, cwd=home, capture_output=True, text=True)


def test_a_descriptor_of_the_user_is_an_input(home):
    "In a module that --import names; the registry hands it to the command."
    ready = run(home, "prepare db.parquet ready.parquet --import mine --inputs Spread")
    assert ready.returncode == 0, ready.stderr
    assert "1 inputs for each configuration: Spread(power=2.0)" in ready.stdout
    without = run(home, "prepare db.parquet again.parquet --inputs Spread")
    assert without.returncode == 1 and "inputs must be one of" in without.stderr
    stored = pt.load(home / "ready.parquet").extra["inputs"]
    assert stored.shape == (50, 1) and np.isfinite(stored).all()


def test_a_model_of_the_user_predicts(home):
    save = "import mine; mine.Constant(-2.5).save('mine.npz')"
    subprocess.run([sys.executable, "-c", save], cwd=home, check=True)
    said = run(home, "predict mine.npz db.parquet out.parquet --forces --import mine")
    assert said.returncode == 0, said.stderr
    out = pt.load(home / "out.parquet")
    assert (out.extra["predicted_energy"] == -2.5).all()
    assert (out.extra["predicted_forces"] == 0).all()
    assert "Constant" in out.about["predicted_by"]["training"]
    mae = np.abs(out.energy + 2.5).mean()
    assert f"energy MAE {mae:.4g} E_c" in " ".join(said.stdout.split())
    without = run(home, "predict mine.npz db.parquet")
    assert without.returncode == 1 and "model must be one of" in without.stderr


def test_a_baseline_predicts(home):
    db = pt.load(home / "db.parquet")
    model = pt.fit_baseline(db, pt.BaselineSpec(validation=0.5))
    model.save(home / "baseline.npz")
    said = run(home, "predict baseline.npz --fresh 1 --n-configurations 20")
    assert said.returncode == 0 and "Scores on 20 configurations" in said.stdout, said.stderr


@pytest.mark.quick
@pytest.mark.parametrize(
    "text", ["--width 1.5,x", "--n-configurations many", "--seed", "--no-such-option 1"]
)
def test_what_is_no_option_ends_the_parser(text, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["generate", "x.parquet", *text.split()])
    assert ended.value.code == 2 and "usage:" in capsys.readouterr().err
