"""Each notebook runs in a fresh kernel, in a copy of nbs/, and shows what it stores."""
import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from notebooks import ROOT, errors, is_run, notebook_paths, read, run
from outputs import stale

FORKED = ROOT / "tests" / "forked.py"


NEEDS_TENSORFLOW = re.compile(  # what is called in a notebook that trains, not only defined there
    r"^(?!def ).*\b(active_learning|fit_baseline|keras_with_tensorflow|run_experiments|sweep|train"
    r"|train_committee)\(",
    re.M,
)


def kind_of(path):
    "Which kind of kernel runs a notebook: if the guess is wrong, it imports TensorFlow itself."
    cells = [cell.source for cell in read(ROOT / path).cells if is_run(cell)]
    seen = [source for source in cells if "#| export" not in source]
    return "tensorflow" if any(map(NEEDS_TENSORFLOW.search, seen)) else "usual"


class Forked:
    "Kernels of one kind, forked from a process in which modules are imported."

    def __init__(self, folder, kind):
        self.kind = kind
        self.door = str(folder / f"{kind}.door")
        named = folder / "kernels" / kind
        named.mkdir(parents=True)
        ask = [sys.executable, "-S", "-E", str(FORKED), "ask", self.door, "{connection_file}"]
        spec = {"argv": ask, "display_name": kind, "language": "python"}
        (named / "kernel.json").write_text(json.dumps(spec))
        self.server = subprocess.Popen([sys.executable, str(FORKED), "serve", self.door, kind])

    @property
    def name(self):
        "The name of the kernels, once there can be one."
        while not os.path.exists(self.door) and self.server.poll() is None:
            time.sleep(0.05)
        return self.kind if self.server.poll() is None else "python3"

    def end(self):
        self.server.kill()
        self.server.wait()


@pytest.fixture(scope="session")
def kernels(tmp_path_factory):
    "Both kinds of kernels."
    folder = tmp_path_factory.mktemp("kernels")
    paths = [str(folder), os.environ.get("JUPYTER_PATH", "")]
    os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, paths))
    found = {kind: Forked(folder, kind) for kind in ("usual", "tensorflow")}
    yield found
    for kernel in found.values():
        kernel.end()


@pytest.fixture(scope="session")
def runs(request, project, kernels):
    "Two kernels at a time run the notebooks that this session tests: {path: its future}."
    chosen = {
        item.callspec.params["path"]
        for item in request.session.items
        if "runs" in getattr(item, "fixturenames", ())
    }

    def run_one(path):
        return run(project / path, kernel=kernels[kind_of(path)].name)

    pool = ThreadPoolExecutor(2)
    ordered = [path for path in notebook_paths() if path in chosen]
    yield {path: pool.submit(run_one, path) for path in ordered}
    pool.shutdown(cancel_futures=True)


def shows(cell):
    "Does a cell have output, apart from messages on stderr?"
    return any(o.get("name") != "stderr" for o in cell.outputs)


@pytest.mark.parametrize("path", notebook_paths(), ids=str)
def test_notebook(path, runs):
    executed, stored = runs[path].result(), read(ROOT / path)
    remedy = f"`make execute NB={path}`"
    if found := errors(executed):
        pytest.fail(f"{path}, " + "\n".join(found), pytrace=False)
    missing = [
        cell.source
        for cell, old in zip(executed.cells, stored.cells)
        if is_run(cell) and shows(cell) and not shows(old)
    ]
    if missing:
        listed = "\n--\n".join(missing)
        pytest.fail(f"{path} lacks stored output: {remedy}. Cells:\n{listed}", pytrace=False)
    if found := stale(stored, executed):
        listed = "\n--\n".join(found)
        pytest.fail(f"{path} stores what it no longer shows: {remedy}.\n{listed}", pytrace=False)
