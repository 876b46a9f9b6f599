"""The site of docs/build_site.py, which fails on tracebacks, stored errors and broken links."""

import posixpath
import re
import shutil
import subprocess
import sys
from functools import lru_cache
from html import unescape
from urllib.parse import unquote, urldefrag

import pytest
import yaml
from conftest import copy_project, pages
from notebooks import ROOT, notebook_paths, read

import pes_toy

IMG = re.compile(r"<img\b[^>]*>")
ENTRY = re.compile(  # as nbdev begins one: a link to the source, then the name as a heading
    r'<a class="source [^>]*>source</a></p>\s*(?:</section>\s*)*'
    r'<section id="([^"]+)">\s*(?:<span id="([^"]+)"></span>)?<h\d>(.*?)<a'
)
CODE_LINK = re.compile(r'<a [^>]*href="([^"]*)"[^>]*>(?:<span[^>]*>)?<code[^>]*>(.*?)</code>')
AUTOMATIC = re.compile(r"\[`([\w.]+)(?:\(\))?`\]\(https?://[^)]*/pes_toy/([\w/]+)\.html#[\w.]+\)")


@lru_cache(maxsize=None)
def text_of(path):
    return path.read_text(encoding="utf-8")


@lru_cache(maxsize=None)
def anchors_of(path):
    return set(re.findall(r'\bid="([^"]+)"', text_of(path)))


def words(html):
    return unescape(re.sub(r"<[^>]+>", "", html)).strip()


def test_every_notebook_has_a_page(site):
    found = set(pages(site)) - {"search.html", "genindex.html"}
    assert len(found) == len(notebook_paths()), found


SIGNS = [
    "Traceback (most recent call last)",
    "system-message",
    'class="problematic"',
    "output_error",
    "ipynb#",
    "NoneType=",  # a parameter without annotation, whose default is None
]


def test_pages_are_free_of_errors(site):
    for name in pages(site):
        for sign in SIGNS:
            assert sign not in text_of(site / name), f"{name} contains {sign}"


def test_links_lead_somewhere(site):
    "Each address in href and src, with its anchor, is there; other sites are not asked."
    broken = []
    for name in pages(site):
        for link in re.findall(r'(?:href|src)="([^"]+)"', text_of(site / name)):
            address, anchor = urldefrag(unescape(link))
            if re.match(r"\w+:|//", address):
                continue
            target = posixpath.normpath(posixpath.join(posixpath.dirname(name), address))
            there = site / (unquote(target.partition("?")[0]) if address else name)
            if not there.is_file() or (anchor and unquote(anchor) not in anchors_of(there)):
                broken.append(f"{name}: {link}")
    assert not broken, broken


def test_every_picture_has_an_alternative_text(site):
    "Sphinx writes the name of the file where there is none."
    mute, seen = [], 0
    for name in pages(site):
        for img in IMG.findall(text_of(site / name)):
            said = re.search(r'\balt="([^"]*)"', img)
            seen += 1
            if not said or not said[1].strip() or re.search(r"_images/|\.(png|svg)$", said[1]):
                mute.append(f"{name}: {img[:80]}")
    assert seen > 100 and not mute, mute


def test_every_page_has_an_icon(site):
    for name in pages(site):
        icons = re.findall(r'<link rel="(?:shortcut )?icon" href="([^"]+)"', text_of(site / name))
        assert [icon for icon in icons if icon.endswith("favicon.svg")], name


def entries(site):
    "The names that are documented, {name: [(page, anchor)]}."
    found = {}
    for name in pages(site):
        for section, span, title in ENTRY.findall(text_of(site / name)):
            found.setdefault(words(title), []).append((name, span or section))
    return found


def page_of(module):
    return module.replace(".", "/") + ".html"


def test_every_public_name_has_an_entry_on_one_page(site):
    "On the page of the module in which it is at home, where links to it lead."
    documented = entries(site)
    assert len(documented) > 500
    expected = {
        name: [(page_of(module), name.lower())]
        for module, names in pes_toy._homes.items()
        for name in names
    }
    found = {name: documented.get(name) for name in expected}
    for name in ("cost", "estimate", "sweep", "Vibrations"):  # `Cost` and `vibrations` come first
        expected[name] = [(page, f"{anchor}-1") for page, anchor in expected[name]]
    assert found == expected, {k: v for k, v in found.items() if v != expected[k]}


def imported(source):
    "The names that a notebook imports from the package, as (module, name)."
    for module, names in re.findall(r"from pes_toy\.([\w.]+) import (\([^)]*\)|[^\n]+)", source):
        for name in re.findall(r"(\w+)(?: as \w+)?", names):
            yield module.replace(".", "/"), name


def test_words_in_code_marks_link_to_what_they_mean(site):
    """nbdev links each name in code marks that any module has: the setting `potential` to an
    explorer. A plain word may lead to a public name, to this page, to a page that this one names,
    and to what it imports."""
    public = {(m.replace(".", "/"), name) for m, names in pes_toy._homes.items() for name in names}
    front, wrong = re.compile(r"output-file: *(\S+)\.html"), []
    processed = site.parent / "_proc"
    for path in sorted(processed.rglob("*.ipynb")):
        inside = path.relative_to(processed)
        written = "\n".join(cell.source for cell in read(ROOT / "nbs" / inside).cells)
        source = "\n".join(cell.source for cell in read(path).cells)
        known = public | set(imported(written))
        here = inside.with_name(front.search(source)[1]).as_posix()
        for name, page in AUTOMATIC.findall(source):
            named = re.search(rf"(\d\w_|\d_|/|\(){page.split('/')[-1]}\.ipynb", written)
            right = page == here or (page, name) in known or named
            if name.islower() and "_" not in name and not right:
                wrong.append(f"{inside}: `{name}` links to {page}")
    remedy = "write ` name ` with spaces inside the code marks where no link is meant"
    assert not wrong, "\n".join([remedy, *wrong])


def test_commands_are_not_taken_for_functions(site):
    from pes_toy.cli import _COMMANDS

    links = [CODE_LINK.findall(text_of(site / name)) for name in ("cli.html", "index.html")]
    assert links[0]
    assert not [(word, link) for link, word in sum(links, []) if words(word) in _COMMANDS]


def test_the_sidebar_is_that_of_the_file(site):
    sidebar = yaml.safe_load((ROOT / "nbs" / "sidebar.yml").read_text(encoding="utf-8"))
    sections = [e for e in sidebar["website"]["sidebar"]["contents"] if isinstance(e, dict)]
    nav = re.search(r'<nav class="bd-links.*?</nav>', text_of(site / "index.html"), re.S)[0]
    captions = [words(c) for c in re.findall(r'class="caption-text">(.*?)</span>', nav)]
    assert captions == [section["section"] for section in sections]
    listed = [path for section in sections for path in section["contents"]]
    shown = re.findall(r'class="toctree-l1">\s*<a[^>]*href="([^"]+)\.html"', nav)
    assert [re.sub(r"(^|/)\d+[a-z]?_", r"\1", path)[:-6] for path in listed] == shown


def test_without_notebooks_there_is_no_site(tmp_path):
    (tmp_path / "nbs").mkdir()
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    script = tmp_path / "docs" / "build_site.py"
    build = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert build.returncode != 0 and "no notebooks" in build.stderr


LINE = "          - 00_lattice.ipynb\n"
FAULTS = {
    "forgotten": ("", "add a line `- 00_lattice.ipynb`"),
    "invented": (LINE + LINE.replace("lattice", "lost"), "take out 00_lost.ipynb"),
    "twice": (LINE + LINE, "00_lattice.ipynb stands there 2 times"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_sidebar_stops_the_build(tmp_path, fault):
    copy = copy_project(tmp_path / "project")
    path = copy / "nbs" / "sidebar.yml"
    lines, said = FAULTS[fault]
    before = path.read_text(encoding="utf-8")
    assert before.count(LINE) == 1
    path.write_text(before.replace(LINE, lines), encoding="utf-8")
    command = [sys.executable, "docs/build_site.py"]
    build = subprocess.run(command, cwd=copy, capture_output=True, text=True)
    assert build.returncode != 0
    assert "change nbs/sidebar.yml" in build.stderr and said in build.stderr
