"""Run notebooks in fresh kernels: the tests do it in a copy, `make execute` in place.

python tests/notebooks.py [nbs/00_lattice.ipynb ...]
"""

import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).resolve().parents[1]
TIME_LIMIT = 600  # seconds for a notebook
SKIPPED = re.compile(r"^#\|\s*eval:\s*false", re.M | re.I)


def notebook_paths(root=ROOT):
    "All notebooks, by name, relative to the root; what begins with . or _ is not nbdev's."
    paths = (p.relative_to(root) for p in (root / "nbs").rglob("*.ipynb"))
    return sorted(
        (p for p in paths if not any(part[0] in "._" for part in p.parts)),
        key=lambda p: (len(p.parts), p),
    )


def read(path):
    return nbformat.read(path, as_version=4)


def is_run(cell):
    return cell.cell_type == "code" and cell.source.strip() and not SKIPPED.search(cell.source)


def errors(nb):
    "The errors in a notebook: in cells, and in the state of widgets, where callbacks leave theirs."
    found = [
        f"cell {i}: {o.ename}: {o.evalue}\n{cell.source}"
        for i, cell in enumerate(nb.cells)
        for o in cell.get("outputs", [])
        if o.output_type == "error"
    ]
    for bundle in nb.metadata.get("widgets", {}).values():
        for model in bundle.get("state", {}).values():
            found += [
                f"a widget's callback: {o['ename']}: {o['evalue']}"
                for o in model.get("state", {}).get("outputs", ())
                if o.get("output_type") == "error"
            ]
    return found


def run(path, folder=None, kernel="python3"):
    "The notebook after a run of all cells but those marked `#| eval: false`, in `folder`."
    nb = read(path)
    start = time.monotonic()
    skipped = {
        i: cell.source
        for i, cell in enumerate(nb.cells)
        if cell.cell_type == "code" and not is_run(cell)
    }
    stored = {i: nb.cells[i].outputs for i in skipped}
    for i in skipped:
        nb.cells[i].source = ""
    client = NotebookClient(
        nb,
        timeout=TIME_LIMIT,
        kernel_name=kernel,
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(folder or Path(path).parent)}},
    )
    try:
        client.execute()
    except CellExecutionError:
        pass  # the error stands in the cell's outputs
    for i in skipped:
        nb.cells[i].source, nb.cells[i].outputs = skipped[i], stored[i]
    if (seconds := time.monotonic() - start) > TIME_LIMIT:
        raise TimeoutError(f"{path} takes {seconds:.0f} s, the limit is {TIME_LIMIT} s")
    return nb


def main(names):
    for path in map(Path, names or [ROOT / p for p in notebook_paths()]):
        start = time.monotonic()
        nb = run(path)
        if found := errors(nb):
            sys.exit("\n".join([f"{path} fails and is left as it was", *found]))
        nbformat.write(nb, path)
        print(f"{time.monotonic() - start:6.1f} s  {path}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
