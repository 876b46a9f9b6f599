"""Build the site in _site/ from the notebooks in nbs/, for machines without Quarto.

    python docs/build_site.py

nbdev processes the notebooks into _proc/ (API entries, links, hidden cells) as it does for Quarto.
This script turns Quarto's dialect in them into MyST's and lets Sphinx make HTML of the stored
outputs. The pages have the names that Quarto gives them, show math without JavaScript and ask for
nothing from a network.

It stops, with a status that is not 0, when there are no notebooks, when one of them is not in
nbs/sidebar.yml, when a stored output is an error, when a cell mixes imports with other code (nbdev
would run it alone), when a link to a public name finds no entry, when Sphinx warns (of a broken
link, say), or when a page shows a traceback.
"""

import gc
import os
import re
import shutil
import sys
import warnings
from collections import Counter
from pathlib import Path

import live
import nbformat
import yaml
from nbdev import doclinks
from nbdev.config import get_config
from nbdev.quarto import refresh_quarto_yml
from nbdev.serve import proc_nbs
from sphinx.cmd.build import main as sphinx_build

ROOT = Path(__file__).resolve().parents[1]
PROCESSED, BUILD, SITE = ROOT / "_proc", ROOT / "build" / "site", ROOT / "_site"
STAGED, HTML = BUILD / "source", BUILD / "html"
DIRECTIVE = re.compile(r"^#\|\s*([\w-]+):?\s*(.*)\n?", re.M)
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*$", re.M)
NOTEBOOK_LINK = re.compile(r"\]\((?!\w+:)([^)\s#]+\.ipynb)")
WIDGET = "application/vnd.jupyter.widget-view+json"
WIDGET_NOTE = "*Something interactive stands here: open the notebook in JupyterLab to use it.*"


def process_notebooks():
    """Let nbdev write _proc/. This is what its own command does after it has looked for Quarto, and
    before it writes a sidebar, which settings.ini forbids: ours is nbs/sidebar.yml."""
    warnings.filterwarnings("error", message="Found cells containing imports and other code")
    refresh_quarto_yml()
    doclinks._build_modidx()
    proc_nbs(n_workers=0, force=True)


def read_pages():
    "The processed notebooks in reading order: {path in _proc/: (notebook, front matter)}."
    paths = sorted(p.relative_to(PROCESSED) for p in PROCESSED.rglob("*.ipynb"))
    pages = {}
    for path in sorted(paths, key=lambda p: (len(p.parts) > 1, p.parts)):
        nb = nbformat.read(PROCESSED / path, as_version=4)
        raw = next((c.source for c in nb.cells if c.cell_type == "raw"), "")
        pages[path] = nb, yaml.safe_load(raw.strip().strip("-")) or {}
    return pages


def translate_cell(cell):
    "A cell with Quarto's directives obeyed; None where nothing of it is to be seen."
    if cell.cell_type == "raw":
        return None
    if cell.cell_type == "markdown":
        cell.source = re.sub(r"\{\.callout-(\w+)[^}]*\}", r"{\1}", cell.source)
        return cell
    options = dict(DIRECTIVE.findall(cell.source))
    cell.source = DIRECTIVE.sub("", cell.source).strip()
    if not cell.source or options.get("include") == "false":
        return None
    if options.get("output") == "asis":
        texts = (
            o.text if o.output_type == "stream" else o.data.get("text/markdown", "")
            for o in cell.outputs
        )
        text = re.sub(
            r"\{target=[^}]*\}", "{.source}", "\n\n".join(texts)
        )  # site.css places the links to the source
        return nbformat.v4.new_markdown_cell(text.removeprefix("---"))
    if options.get("output") == "false":
        cell.outputs = []
    if "fig-alt" in options:
        cell.metadata["mystnb"] = {"image": {"alt": options["fig-alt"]}}
    cell.metadata["tags"] = (
        ["remove-input"]
        if options.get("echo") == "false"
        else ["hide-input"]
        if options.get("code-fold") in ("true", "show")
        else []
    )
    for output in cell.outputs:
        if (
            output.get("data", {}).pop(WIDGET, None)
            and not {"text/html", "image/png"} & output.data.keys()
        ):
            output.data = nbformat.from_dict({"text/markdown": WIDGET_NOTE})
    return cell


def stage(pages):
    """Write MyST notebooks under the names that Quarto would give their pages. Returns the links to
    names that lead nowhere."""
    lost = []
    config = get_config()
    api_link = re.compile(
        re.escape(config.doc_host + config.doc_baseurl) + r"/([\w/.-]+)\.html#([\w.-]+)"
    )
    names = {
        path: path.with_name(front["output-file"]).with_suffix(".ipynb")
        for path, (_, front) in pages.items()
    }
    for nb, front in pages.values():
        nb.metadata.pop(
            "widgets", None
        )  # pages with live widgets would load their code from a network
        nb.cells = [cell for cell in map(translate_cell, nb.cells) if cell]
        description = f"> {front['description']}" if "description" in front else ""
        nb.cells.insert(0, nbformat.v4.new_markdown_cell(f"# {front['title']}\n\n{description}"))
    anchors = {
        f"{names[path].with_suffix('')}#{title.lower()}"
        for path, (nb, _) in pages.items()
        for cell in nb.cells
        if cell.cell_type == "markdown"
        for title in HEADING.findall(cell.source)
    }

    for path, (nb, _) in pages.items():
        here = names[path]

        def relative(target):
            return Path(os.path.relpath(target, here.parent)).as_posix()

        def notebook_link(match):
            target = Path(os.path.normpath(path.parent / match[1]))
            return f"]({relative(names.get(target, target))}"

        def symbol_link(match):
            page, symbol = match.groups()
            if f"{page}#{symbol}" not in anchors:
                lost.append(f"{path}: {symbol} has no entry on the page {page}")
            return relative(f"{page}.ipynb") + "#" + symbol.replace(".", "")  # as MyST does

        for cell in nb.cells:
            if cell.cell_type == "markdown":
                cell.source = api_link.sub(
                    symbol_link, NOTEBOOK_LINK.sub(notebook_link, cell.source)
                )
        if here == Path("index.ipynb"):
            nb.cells.append(nbformat.v4.new_markdown_cell(contents(names)))
        (STAGED / here).parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(nb, STAGED / here)
    return lost


def sidebar():
    "The sections of nbs/sidebar.yml, {heading: notebooks}; before them comes the front page."
    text = (ROOT / "nbs" / "sidebar.yml").read_text(encoding="utf-8")
    entries = yaml.safe_load(text)["website"]["sidebar"]["contents"]
    return {
        entry["section"] if isinstance(entry, dict) else "": entry["contents"]
        if isinstance(entry, dict)
        else [entry]
        for entry in entries
    }


def wrong_in_sidebar():
    "What an author has to change in nbs/sidebar.yml: every notebook stands there exactly once."
    paths = (ROOT / "nbs").rglob("*.ipynb")
    relative = (path.relative_to(ROOT / "nbs") for path in paths)
    there = {path.as_posix() for path in relative if not any(p[0] in "._" for p in path.parts)}
    listed = Counter(name for names in sidebar().values() for name in names)
    return [
        *[
            f"add a line `- {name}` where readers should find it"
            for name in sorted(there - {*listed})
        ],
        *[f"take out {name}, which is not in nbs/" for name in sorted({*listed} - there)],
        *[f"{name} stands there {n} times" for name, n in sorted(listed.items()) if n > 1],
    ]


def contents(names):
    "Sphinx's table of contents, hidden: the sidebar of the theme shows it."
    return "\n\n".join(
        table_of_contents(heading, [names[Path(path)] for path in paths])
        for heading, paths in sidebar().items()
        if heading
    )


def table_of_contents(caption, pages):
    lines = ["```{toctree}", ":hidden:", f":caption: {caption}", "", *map(str, pages), "```"]
    return "\n".join(lines)


def stored_errors(pages):
    return [
        f"{path}, cell {i}: {output.ename}: {output.evalue}"
        for path, (nb, _) in pages.items()
        for i, cell in enumerate(nb.cells)
        for output in cell.get("outputs", [])
        if output.output_type == "error"
    ]


def main():
    os.chdir(ROOT)
    if not list((ROOT / "nbs").rglob("*.ipynb")):
        sys.exit("docs: there are no notebooks in nbs/")
    if not (ROOT / "nbs" / "index.ipynb").exists():
        sys.exit("docs: nbs/index.ipynb, the front page, is missing")
    if found := wrong_in_sidebar():
        sys.exit("\n".join(["docs: change nbs/sidebar.yml", *found]))
    live.PLACE.write_text(live.script(), encoding="utf-8")
    process_notebooks()
    pages = read_pages()
    if errors := stored_errors(pages):
        sys.exit("docs: stored outputs are errors\n" + "\n".join(errors))
    for folder in (BUILD, SITE):
        shutil.rmtree(folder, ignore_errors=True)
    if lost := stage(pages):
        remedy = "docs: `#| export` what these link to, or write ` name ` with spaces for no link"
        sys.exit("\n".join([remedy, *lost]))
    status = sphinx_build(
        [
            "-q",
            "-W",
            "--keep-going",
            "-c",
            str(ROOT / "docs"),
            "-d",
            str(BUILD / "doctrees"),
            str(STAGED),
            str(HTML),
        ]
    )
    if status:
        sys.exit("docs: Sphinx found something wrong, see above")
    for page in HTML.rglob("*.html"):
        if "Traceback (most recent call last)" in page.read_text(encoding="utf-8"):
            sys.exit(f"docs: {page.relative_to(HTML)} shows a traceback")
    HTML.rename(SITE)
    print(f"docs: {len(pages)} notebooks, open {SITE / 'index.html'}")


if __name__ == "__main__":
    main()
    gc.freeze()  # nbdev leaves a shell for each notebook, which all look for garbage at the end
