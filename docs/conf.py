"""Sphinx settings of the site that docs/build_site.py builds where Quarto is not installed."""

import re
from configparser import ConfigParser
from pathlib import Path

import pypandoc
from docutils.nodes import SkipNode, math, math_block
from sphinx.addnodes import toctree
from sphinx.util.logging import getLogger

settings = ConfigParser(delimiters=["="], interpolation=None)
settings.read(Path(__file__).parents[1] / "settings.ini", encoding="utf-8")
settings = settings["DEFAULT"]

project, author, copyright = settings["title"], settings["author"], settings["copyright"]
extensions = ["myst_nb"]
nb_execution_mode = "off"  # the stored outputs are shown
myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4
suppress_warnings = [
    "myst.header"
]  # nbdev's API entries are third-level headings wherever they stand
html_theme = "sphinx_book_theme"
html_title = settings["title"]
html_static_path = ["_static", "../nbs/live.js", "../nbs/live.css"]
html_css_files = ["site.css"]
templates_path = ["_templates"]
html_sidebars = {
    "**": ["navbar-logo.html", "icon-links.html", "search-button-field.html", "chapters.html"]
}
html_favicon = "../nbs/favicon.svg"  # one file for both builders
html_copy_source = html_use_index = False
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system is
html_theme_options = {
    "repository_url": settings["git_url"],
    "use_repository_button": True,
    "use_download_button": False,
    "navbar_persistent": [],
    "article_footer_items": [],
}

# Math becomes MathML while the pages are built, by pandoc as in Quarto: browsers show that
# without JavaScript or network.
html_math_renderer = "mathml"


known = {}  # LaTeX with its dollars -> MathML


def by_pandoc(formulas):
    "The MathML of each formula, from one call of pandoc: a formula is a paragraph."
    html = pypandoc.convert_text(
        "\n\n".join(formulas),
        "html",
        format="markdown-smart",
        extra_args=["--mathml", "--wrap=none"],
    )
    return re.findall(r"<p>(.*?)</p>", html, re.DOTALL)


def mathml(latex):
    if latex not in known:
        known[latex] = "".join(by_pandoc([latex]))
    if "<math" not in known[latex]:
        getLogger(__name__).warning("pandoc cannot turn this LaTeX into MathML: %s", latex)
    return known[latex]


def inline_latex(node):
    return f"${node.astext().strip()}$"


def display_latex(node):
    latex = re.sub(r"\n\s*\n", "\n", node.astext().strip())
    return f"$${latex}$$"


def inline_math(translator, node):
    translator.body.append(mathml(inline_latex(node)))
    raise SkipNode


def display_math(translator, node):
    latex = display_latex(node)
    tags = " ".join(f"({tag})" for tag in re.findall(r"\\tag\{(.*?)\}", latex))  # pandoc drops them
    translator.body.append(
        f'<div class="equation">{mathml(latex)}<span class="tag">{tags}</span></div>'
    )
    raise SkipNode


def all_math_at_once(app, env):
    "A call of pandoc takes as long for one formula as for hundreds."
    formulas = set()
    for page in env.found_docs:
        doctree = env.get_doctree(page)
        formulas.update(inline_latex(node) for node in doctree.findall(math))
        formulas.update(display_latex(node) for node in doctree.findall(math_block))
    formulas = sorted(formulas)
    converted = by_pandoc(formulas)
    if len(converted) == len(formulas):  # else one by one, so that a warning names the formula
        known.update(zip(formulas, converted))


chapters = []  # (heading of the sidebar, [(page, title)])


def list_chapters(app, env):
    "The sections of the sidebar, with the titles of their pages."
    for node in env.get_doctree(env.config.root_doc).findall(toctree):
        pages = [(page, env.titles[page].astext()) for _, page in node["entries"]]
        chapters.append((node["caption"], pages))


def show_chapters(app, pagename, templatename, context, doctree):
    "What docs/_templates/chapters.html lists."
    context["chapters"] = chapters


def moving_figures(app, pagename, templatename, context, doctree):
    "Pages that hold a figure to move load the script of docs/live.py."
    if '<div class="live"' in context.get("body", ""):
        app.add_js_file("live.js", loading_method="defer")
        app.add_css_file("live.css")


def setup(app):
    app.connect("env-updated", all_math_at_once)
    app.connect("env-updated", list_chapters)
    app.connect("html-page-context", show_chapters)
    app.connect("html-page-context", moving_figures)
    app.add_html_math_renderer("mathml", (inline_math, None), (display_math, None))
