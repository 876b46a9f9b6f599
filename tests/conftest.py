"""What the tests share: headings, and copies of the project that they may write to."""

import gc
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from notebooks import ROOT
from rare import is_rare

HEADINGS = {  # of the files that come first: what is quick, then what takes longest
    "test_style.py": "The code is readable",
    "test_project.py": "The files agree: notebooks, modules, README, stored outputs",
    "test_notebooks.py": "Every notebook runs in a fresh kernel and stores what a run shows",
    "test_browser.py": "In a browser: the site and JupyterLab",
    "test_site.py": "The site builds",
    "test_live.py": "In a browser: the figures that move",
}
LONG = [  # these come next: with short files at the end, two processes end together
    "test_verification.py",
    "test_printed.py",
    "test_wheel.py",
    "test_networks_training.py",
    "test_sweeps.py",
    "test_travel.py",
    "test_studies.py",
    "test_interrupts.py",
    "test_cells.py",
    "test_dataset.py",
    "test_potentials.py",
    "test_terminal.py",
    "test_values.py",
    "test_views.py",
]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        if is_rare(item):
            item.add_marker("stress")
    order = [*HEADINGS, *LONG]

    def place(item):
        name = item.path.name
        return order.index(name) if name in order else len(order)

    items.sort(key=place)  # stable: within a file, and among the other files, the order stays


def pytest_collection_finish():
    "What thousands of tests consist of is no garbage, and need not be looked through again."
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item):
    heading = HEADINGS.get(item.path.name, "The installed package passes its tests")
    session = item.session
    if getattr(session, "heading", None) != heading:
        session.heading = heading
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None:  # in one of several processes
            return
        reporter.ensure_newline()
        reporter.section(heading, sep="-")


@pytest.fixture(scope="session")
def project(tmp_path_factory):
    "A copy of the project, to run notebooks in."
    return copy_project(tmp_path_factory.mktemp("run") / "project")


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    "The folder with the pages, built in a copy of the project; once for all processes of a run."
    from pes_toy.base.files import locked

    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with locked(shared / "site.lock"):
        if not (shared / "site.said").exists():
            build_site(shared / "site", shared / "site.said")
    said = (shared / "site.said").read_text(encoding="utf-8")
    if said:
        pytest.fail(f"docs/build_site.py fails:\n{said}", pytrace=False)
    return shared / "site" / "_site"


def build_site(project, said):
    "Builds the site in a copy of the project, and notes what was said if that failed."
    build = subprocess.run(
        [sys.executable, "docs/build_site.py"],
        cwd=copy_project(project),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    said.write_text(build.stdout or "no word" if build.returncode else "", encoding="utf-8")


def pages(site):
    "The names of the site's pages; the themes leave templates among their static files."
    return sorted(
        p.relative_to(site).as_posix() for p in site.rglob("*.html") if "_static" not in p.parts
    )


def copy_project(to):
    to.mkdir()
    for name in ("nbs", "pes_toy", "docs"):
        shutil.copytree(
            ROOT / name,
            to / name,
            symlinks=True,
            ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints", "nbdev.yml"),
        )
    for name in ("settings.ini", "setup.py", "README.md", "_quarto.yml"):
        shutil.copy(ROOT / name, to / name)
    return to


@pytest.fixture(scope="session", autouse=True)
def tools_of_this_python():
    "Commands such as nbdev_export come from where this Python is, active or not."
    os.environ["PATH"] = str(Path(sys.executable).parent) + os.pathsep + os.environ["PATH"]


@pytest.fixture(scope="module")
def db():
    "200 configurations with forces."
    from pes_toy.specification import DatabaseSpec
    from pes_toy.generation import generate_in_memory as generate

    return generate(DatabaseSpec(n_configurations=200, epochs=10, forces=True), progress=False)


@pytest.fixture(scope="module")
def small(db):
    "A trained network."
    from models import TINY
    from pes_toy.training import TrainingSpec, train_in_memory as train

    return train(db, TrainingSpec(**TINY), progress=False)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
