"""Each notebook runs in a fresh kernel, in a copy of nbs/, and shows what it stores."""
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from notebooks import ROOT, errors, is_run, notebook_paths, read, run
from outputs import stale

FORKED = ROOT / "tests" / "forked.py"


@pytest.fixture(scope="session")
def kernel(tmp_path_factory):
    "The name of kernels that are forked from a process in which the usual modules are imported."
    folder = tmp_path_factory.mktemp("kernels")
    door = str(folder / "door")
    named = folder / "kernels" / "forked"
    named.mkdir(parents=True)
    ask = [sys.executable, "-S", "-E", str(FORKED), "ask", door, "{connection_file}"]
    spec = {"argv": ask, "display_name": "forked", "language": "python"}
    (named / "kernel.json").write_text(json.dumps(spec))
    paths = [str(folder), os.environ.get("JUPYTER_PATH", "")]
    os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, paths))
    server = subprocess.Popen([sys.executable, str(FORKED), "serve", door])
    while not os.path.exists(door) and server.poll() is None:
        time.sleep(0.05)
    yield "forked" if server.poll() is None else "python3"
    server.kill()
    server.wait()


@pytest.fixture(scope="session")
def runs(request, project, kernel):
    "Two kernels at a time run the notebooks that this session tests: {path: its future}."
    chosen = {
        item.callspec.params["path"]
        for item in request.session.items
        if "runs" in getattr(item, "fixturenames", ())
    }
    pool = ThreadPoolExecutor(2)
    ordered = [path for path in notebook_paths() if path in chosen]
    yield {path: pool.submit(run, project / path, kernel=kernel) for path in ordered}
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
