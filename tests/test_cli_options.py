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
from pes_toy import Descriptor

@dataclass(frozen=True)
class Spread(Descriptor):
    "How far the particles are from the middle of the cell; not even periodic, but quick."
    power: float = 2.0

    def values(self, positions, width):
        away = positions - np.reshape(width, (-1, 1, 1)) / 2
        return np.abs(away).sum(axis=(1, 2))[:, None] ** self.power
"""


def test_a_descriptor_of_the_user_is_an_input(tmp_path):
    "In a module that --import names; the registry hands it to the command."
    (tmp_path / "mine.py").write_text(MODULE)
    command = [sys.executable, "-m", "pes_toy"]

    def run(line):
        return subprocess.run(
            [*command, *line.split()], cwd=tmp_path, capture_output=True, text=True
        )

    made = run("generate db.parquet --n-configurations 50 --quiet")
    assert made.returncode == 0, made.stderr
    ready = run("prepare db.parquet ready.parquet --import mine --inputs Spread")
    assert ready.returncode == 0, ready.stderr
    assert "1 inputs for each configuration: Spread(power=2.0)" in ready.stdout
    without = run("prepare db.parquet again.parquet --inputs Spread")
    assert without.returncode == 1 and "inputs must be one of" in without.stderr
    stored = pt.load(tmp_path / "ready.parquet").extra["inputs"]
    assert stored.shape == (50, 1) and np.isfinite(stored).all()


@pytest.mark.quick
@pytest.mark.parametrize(
    "text", ["--width 1.5,x", "--n-configurations many", "--seed", "--no-such-option 1"]
)
def test_what_is_no_option_ends_the_parser(text, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["generate", "x.parquet", *text.split()])
    assert ended.value.code == 2 and "usage:" in capsys.readouterr().err
