"""The site of docs/build_site.py, which fails on tracebacks, stored errors and broken links."""

import shutil
import subprocess
import sys

from conftest import pages
from notebooks import ROOT, notebook_paths


def test_every_notebook_has_a_page(site):
    found = set(pages(site)) - {"search.html", "genindex.html"}
    assert len(found) == len(notebook_paths()), found


SIGNS = [
    "Traceback (most recent call last)",
    "system-message",
    'class="problematic"',
    "output_error",
    "ipynb#",
]


def test_pages_are_free_of_errors(site):
    for name in pages(site):
        text = (site / name).read_text(encoding="utf-8")
        for sign in SIGNS:
            assert sign not in text, f"{name} contains {sign}"


def test_without_notebooks_there_is_no_site(tmp_path):
    for name in ("nbs", "docs"):
        (tmp_path / name).mkdir()
    script = shutil.copy(ROOT / "docs" / "build_site.py", tmp_path / "docs")
    build = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert build.returncode != 0 and "no notebooks" in build.stderr
