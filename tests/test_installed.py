"""`make test` installs the package into a folder of its own and tests that, not the source tree."""

import os
import subprocess
import sys
from pathlib import Path

import pes_toy
import pytest

PLACE = os.environ.get("PES_TOY_INSTALLED")


@pytest.mark.skipif(not PLACE, reason="PES_TOY_INSTALLED is not set: `make test` sets it")
def test_the_installed_package_is_tested():
    assert Path(pes_toy.__file__).resolve().parent == Path(PLACE).resolve() / "pes_toy"


def test_every_public_name_is_there():
    missing = [name for name in pes_toy.__all__ if not hasattr(pes_toy, name)]
    assert pes_toy.__all__ and not missing


def test_the_command_answers():
    answer = subprocess.run(
        [sys.executable, "-c", "from pes_toy.cli import main; main()", "--help"],
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0 and "generate" in answer.stdout, answer.stderr
