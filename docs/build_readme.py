"""Write README.md from nbs/index.ipynb, with its pictures in docs/readme/.

    python docs/build_readme.py

nbdev's own command for this needs Quarto; Jupyter's Markdown exporter does not.
"""

import re
import shutil
from pathlib import Path

import nbformat
from nbconvert import MarkdownExporter

ROOT = Path(__file__).resolve().parents[1]
PICTURES = Path("docs/readme")
HIDDEN = re.compile(r"^#\|\s*(hide|export|exporti|default_exp|include:\s*false)\b", re.M)
UNSEEN = re.compile(r"^#\|\s*echo:\s*false", re.M)
ALT = re.compile(r"^#\|\s*fig-alt:\s*(.+)", re.M)
DIRECTIVE = re.compile(r"^#\|.*\n?", re.M)


def readme(notebook=ROOT / "nbs" / "index.ipynb"):
    "README.md and its pictures, {name: bytes}, as the notebook's stored outputs have them."
    nb = nbformat.read(notebook, as_version=4)
    nb.cells = [
        c
        for c in nb.cells
        if c.cell_type != "raw" and not (c.cell_type == "code" and HIDDEN.search(c.source))
    ]
    sources = [cell.source for cell in nb.cells]
    for cell in nb.cells:
        if cell.cell_type == "code":
            if UNSEEN.search(cell.source):
                cell.metadata["transient"] = {"remove_source": True}
            cell.source = DIRECTIVE.sub("", cell.source)
        else:
            cell.source = re.sub(r"\]\((?!\w+:|/|#)([^)\s]+\.ipynb)", r"](nbs/\1", cell.source)
    nb.metadata["language_info"] = {"name": "python"}
    text, resources = MarkdownExporter().from_notebook_node(nb)
    text = re.sub(
        r"<style scoped>.*?</style>\n*", "", text, flags=re.S
    )  # GitHub shows pandas' style sheets as text
    for name in resources["outputs"]:
        said = ALT.search(sources[int(name.split("_")[1])])
        text = text.replace(
            f"![png]({name})", f"![{said[1] if said else 'picture'}]({PICTURES}/{name})"
        )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n", resources["outputs"]


def main():
    text, pictures = readme()
    (ROOT / "README.md").write_text(text, encoding="utf-8")
    shutil.rmtree(ROOT / PICTURES, ignore_errors=True)
    for name, data in pictures.items():
        (ROOT / PICTURES).mkdir(exist_ok=True)
        (ROOT / PICTURES / name).write_bytes(data)


if __name__ == "__main__":
    main()
