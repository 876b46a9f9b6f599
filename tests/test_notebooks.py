"""Each notebook runs, in a fresh kernel, in a copy of nbs/, and stores output where a run has some."""
import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from notebooks import ROOT, errors, is_run, notebook_paths, read, run


@pytest.fixture(scope="session")
def runs(request, project, tmp_path_factory):
    "Two kernels at a time run the notebooks that this session tests: {path: its future}."
    os.environ["NUMBA_CACHE_DIR"] = str(tmp_path_factory.mktemp("numba"))  # not what another version left
    chosen = {item.callspec.params["path"] for item in request.session.items if "runs" in getattr(item, "fixturenames", ())}
    pool = ThreadPoolExecutor(2)
    yield {path: pool.submit(run, project / path) for path in notebook_paths() if path in chosen}
    pool.shutdown(cancel_futures=True)


def shows(cell):
    "Does a cell have output, apart from messages on stderr?"
    return any(o.get("name") != "stderr" for o in cell.outputs)


@pytest.mark.parametrize("path", notebook_paths(), ids=str)
def test_notebook(path, runs):
    executed, stored = runs[path].result(), read(ROOT / path)
    if found := errors(executed): pytest.fail(f"{path}, " + "\n".join(found), pytrace=False)
    missing = [cell.source for cell, old in zip(executed.cells, stored.cells) if is_run(cell) and shows(cell) and not shows(old)]
    if missing: pytest.fail(f"{path} lacks stored output: `make execute NB={path}`. Cells:\n" + "\n--\n".join(missing), pytrace=False)
