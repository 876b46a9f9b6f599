"""What README, tutorials and `pes_toy --help` print works as it is printed."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from urllib.request import urlopen

import pytest
from notebooks import ROOT, is_run, read

from pes_toy.cli import main

README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
HIDDEN = re.compile(
    r"^#\|\s*(hide|export|exporti|default_exp|echo:\s*false|include:\s*false)\b", re.M
)
TUTORIALS = sorted((ROOT / "nbs" / "tutorials").glob("*.ipynb"))
UNDER_MAKE = pytest.mark.skipif(
    "PES_TOY_INSTALLED" not in os.environ, reason="runs in .venv/: `make test`"
)


def blocks(text, language):
    "The blocks of a language in a Markdown file."
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


def lines(text):
    "The commands in the blocks for a terminal, without comments."
    return [
        line.split("  #")[0].strip()
        for block in blocks(text, "sh")
        for line in block.splitlines()
        if line.strip()
    ]


def visible(path):
    "The code of a notebook that its page shows."
    return "\n".join(
        re.sub(r"^#\|.*\n?", "", cell.source, flags=re.M)
        for cell in read(path).cells
        if is_run(cell) and not HIDDEN.search(cell.source)
    )


def run_alone(code, folder):
    "Run code as a script in an empty folder."
    (folder / "printed.py").write_text(code, encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "printed.py"],
        cwd=folder,
        env={**os.environ, "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, f"{code}\n{ended.stderr[-3000:]}"


def in_terminal(line, folder):
    "Run a line in a shell."
    ended = subprocess.run(
        line, shell=True, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert ended.returncode == 0, f"$ {line}\n{ended.stdout[-3000:]}"
    return ended.stdout


def test_code_of_the_readme_runs(tmp_path):
    code = blocks(README, "python")
    assert len(code) > 5
    run_alone("\n".join(code), tmp_path)


def test_examples_of_contributing_run(tmp_path):
    "A potential, a descriptor, a relaxer and a model, added as it says."
    code = blocks(CONTRIBUTING, "python")
    assert len(code) == 4
    run_alone("\n".join(code), tmp_path)


def every_name_is_known(code, folder):
    "No name that another, hidden cell would have to bring."
    script = folder / "shown.py"
    script.write_text(code, encoding="utf-8")
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F821"]
    checked = subprocess.run([*command, str(script)], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.quick
def test_code_of_the_readme_is_complete(tmp_path):
    "It runs as the notebook of the front page."
    every_name_is_known("\n".join(blocks(README, "python")), tmp_path)


@pytest.mark.quick
@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_code_that_a_tutorial_shows_is_complete(path, tmp_path):
    "The notebook itself runs elsewhere."
    every_name_is_known(visible(path), tmp_path)


@pytest.mark.quick
def test_the_quickstart_has_fifteen_lines():
    code = visible(ROOT / "nbs/tutorials/quickstart.ipynb").splitlines()
    assert len([line for line in code if line.strip()]) <= 15


def test_the_readme_has_no_other_commands():
    "Every command in the README is run below, or is the one that runs these tests."
    makes = {"make demo", "make test", "make lab"}
    others = [line for line in lines(README) if not line.startswith("pes_toy ")]
    assert set(others) == makes


def test_pes_toy_commands_of_the_readme_run(tmp_path):
    commands = [line for line in lines(README) if line.startswith("pes_toy ")]
    assert len(commands) >= 4
    for line in commands:
        in_terminal(line, tmp_path)
    assert list((tmp_path / "pictures").glob("*.png"))


def test_examples_of_the_help_run_one_after_another(tmp_path, capsys, monkeypatch):
    if not find_spec("tblite"):
        there = [str(Path(__file__).with_name("standins")), os.environ.get("PYTHONPATH", "")]
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, there)))
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = capsys.readouterr().out
    commands = re.findall(r"^    (\w+)  ", shown, re.M)
    examples = re.findall(r"^  (pes_toy \w.*)$", shown, re.M)
    assert {example.split()[1] for example in examples} == set(commands)
    assert len(commands) >= 6
    for line in examples:
        in_terminal(line, tmp_path)


@UNDER_MAKE
def test_make_demo(tmp_path):
    "In this checkout, whose .venv is there already, but not in the user's folder demo/."
    folder = tmp_path / "demo"
    said = in_terminal(f"make demo DEMO={folder}", ROOT)
    error = float(re.search(r"energy MAE\s+([\d.e-]+) E_c", said)[1])
    assert error < 0.02, said  # the thesis's linear network stayed at 0.47
    pictures = {path.name for path in folder.iterdir()}
    assert {"histogram.png", "gallery.png", "drag.png", "prediction.png"} <= pictures


def answers(url):
    try:
        return urlopen(url).status == 200
    except OSError:
        return False


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@UNDER_MAKE
def test_make_lab(tmp_path):
    port = free_port()
    options = f"ARGS=--no-browser --allow-root --port={port} --IdentityProvider.token=''"
    page = f"http://127.0.0.1:{port}/api/contents/00_lattice.ipynb?content=0"
    log = tmp_path / "log"
    with open(log, "w") as file:
        lab = subprocess.Popen(
            ["make", "lab", options], cwd=ROOT, stdout=file, stderr=file, start_new_session=True
        )
    try:
        for _ in range(120):
            if answers(page):
                return
            assert lab.poll() is None, log.read_text()[-3000:]
            time.sleep(0.5)
        pytest.fail(log.read_text()[-3000:])
    finally:
        os.killpg(lab.pid, signal.SIGTERM)
        lab.wait(30)
