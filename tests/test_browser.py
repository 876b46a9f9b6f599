"""The site and JupyterLab in Chromium; skipped where there is none."""

import json
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import urlopen

import nbformat
import pytest
from conftest import copy_project, pages
from notebooks import ROOT, errors, is_run, read

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
UNSEEN = ["--disable-threaded-compositing", "--num-raster-threads=1"]  # a quarter less work
pytestmark = pytest.mark.skipif(
    not CHROMIUM, reason="Chromium is not installed (Debian: apt-get install chromium)"
)


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield browser
        browser.close()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def address(site):
    "Where the site is served."
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


def watch(page):
    "The list of what goes wrong on a page, which grows."
    problems = []

    def said(message):
        if message.type == "error":
            problems.append(message.text)

    def asked(request):
        if re.match(r"https?://(?!127\.0\.0\.1)", request.url):
            problems.append(f"asks for {request.url}")

    def answered(response):
        if response.status >= 400:
            problems.append(f"{response.status} {response.url}")

    page.on("console", said)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", asked)
    page.on("response", answered)
    return problems


@contextmanager
def watched_page(browser, **options):
    "A page, and the list of what goes wrong on it."
    context = browser.new_context(**options)
    page = context.new_page()
    yield page, watch(page)
    context.close()


WIDTHS = {"desktop": 1280, "phone": 390, "small phone": 360}
AT_ONCE = 8  # pages that are waited for together until they ask for nothing more
NEEDS = "document.documentElement.scrollWidth"
SHOWN = """what => [...document.querySelectorAll(what)].map(e => e.getBoundingClientRect().width)"""


def look(page, kinds):
    "What a page needs at each width, the first its own, and how wide formulas and pictures are."
    shown = {what: page.evaluate(SHOWN, what) for what in ("article math", "article img")}
    needs = {}
    for kind in kinds:
        page.set_viewport_size({"width": WIDTHS[kind], "height": 844})
        needs[kind] = page.evaluate(NEEDS)
    return needs, shown


@pytest.fixture(scope="module")
def looked(browser, site, address):
    "Each page of the site: what it needs and shows, and what goes wrong on any of them."
    seen, problems = {}, []
    quick = browser.browser_type.launch(executable_path=CHROMIUM, args=[*ARGS, *UNSEEN])
    context = quick.new_context(viewport={"width": 1280, "height": 844})
    tabs = [context.new_page() for _ in range(AT_ONCE)]
    watched = [watch(tab) for tab in tabs]
    names = pages(site)
    kinds = [*WIDTHS]
    for start in range(0, len(names), AT_ONCE):
        opened = dict(zip(names[start : start + AT_ONCE], tabs))
        for name, tab in opened.items():
            tab.goto(address + name, wait_until="commit")
        for name, tab in opened.items():
            tab.wait_for_load_state("networkidle")
            seen[name] = look(tab, kinds)
        kinds.reverse()  # the next pages begin with the width of these: a width less to lay out
    quick.close()
    for tab_problems in watched:
        problems += tab_problems
    return seen, problems


def test_pages_need_no_network(looked):
    seen, problems = looked
    assert len(seen) > 50
    assert not problems


@pytest.mark.parametrize("kind", WIDTHS)
def test_pages_fit(looked, kind):
    needs = {name: needed[kind] for name, (needed, _) in looked[0].items()}
    wide = {name: need for name, need in needs.items() if need > WIDTHS[kind]}
    assert not wide


@pytest.mark.parametrize("what", ["article math", "article img"])
def test_pictures_and_math_are_visible(looked, what):
    widths = {name: shown[what] for name, (_, shown) in looked[0].items()}
    assert any(widths.values())
    hidden = {name: sum(w < 2 for w in ws) for name, ws in widths.items()}
    assert not {name: number for name, number in hidden.items() if number}


@pytest.mark.parametrize("word, chapter", [("lattice", "lattice"), ("proximity", "descriptors")])
def test_search_finds(browser, address, word, chapter):
    with watched_page(browser) as (page, problems):
        page.goto(address + f"search.html?q={word}")
        page.wait_for_selector("ul.search li a", timeout=10_000)
        found = [link.get_attribute("href") for link in page.query_selector_all("ul.search li a")]
        assert any(chapter in address for address in found)
        assert not problems


QUARTO = """<!doctype html><meta charset="utf-8">
<style>
.page { display: grid; padding: 0 1.5em; grid-template-columns: 1fr minmax(0, 752px) 1fr; }
@media (min-width: 768px) {
  .page { grid-template-columns: 1fr minmax(500px, 752px) minmax(100px, 1fr); }
}
main { grid-column: 2; } main > * { min-width: 0; }
</style><style>%s</style><body class="quarto-%s"><div class="page"><main>%s</main></div>"""
OUTPUT = '\n``` {=html}\n<div class="cell-output-display">%s</div>\n```\n'
WIDEST = ("02_energy", "06_descriptors", "07_networks", "index")


def as_quarto_writes(path):
    "Text, formulas and tables of a notebook in HTML by pandoc, which is what Quarto asks."
    import pypandoc

    parts = []
    for cell in read(path).cells:
        parts += [cell.source] if cell.cell_type == "markdown" else []
        data = [output.get("data", {}) for output in cell.get("outputs", [])]
        parts += [OUTPUT % one["text/html"] for one in data if "text/html" in one]
    options = ["--mathml", "--wrap=none"]
    return pypandoc.convert_text("\n\n".join(parts), "html", "markdown", extra_args=options)


@pytest.mark.parametrize("name", WIDEST)
def test_pages_of_quarto_fit(browser, name):
    "Without Quarto: what pandoc makes of a page, in a grid like Quarto's, with its style sheet."
    text = as_quarto_writes(ROOT / "nbs" / f"{name}.ipynb")
    assert text.count("<math") + text.count("<table") > 5
    style = (ROOT / "nbs" / "styles.css").read_text(encoding="utf-8")
    with watched_page(browser) as (page, problems):
        page.set_content(QUARTO % (style, "light", text))
        for width in (360, 768, 1024, 1400):
            page.set_viewport_size({"width": width, "height": 900})
            if (needs := page.evaluate(NEEDS)) > width:
                problems.append(f"{name} needs {needs} pixels of {width}")
        assert not problems


SETTINGS = {
    "@jupyterlab/notebook-extension/tracker.jupyterlab-settings": {
        "windowingMode": "none",
        "autoStartDefaultKernel": True,
    },
    "@jupyter-widgets/jupyterlab-manager/plugin.jupyterlab-settings": {"saveState": True},
}
LAB = [
    *[sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", "--allow-root"],
    "--IdentityProvider.token=",
    "--ServerApp.password=",
    "--LabApp.extension_manager=readonly",
]


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def answers(url, seconds=60):
    "Waits until somebody answers."
    for _ in range(2 * seconds):
        try:
            urlopen(url)
            return True
        except OSError:
            time.sleep(0.5)
    return False


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    "A JupyterLab on a copy of the notebooks that shows all cells, not only those in sight."
    folder = tmp_path_factory.mktemp("lab")
    project = copy_project(folder / "project")
    for name, settings in SETTINGS.items():
        path = folder / "settings" / name
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(settings))
    port = free_port()
    places = [
        f"--port={port}",
        f"--LabApp.user_settings_dir={folder / 'settings'}",
        f"--LabApp.workspaces_dir={folder / 'workspaces'}",
        f"--ServerApp.root_dir={project / 'nbs'}",
    ]
    with open(folder / "log", "w") as log:
        server = subprocess.Popen([*LAB, *places], cwd=project, stdout=log, stderr=log)
        try:
            if not answers(f"http://127.0.0.1:{port}/api"):
                said = (folder / "log").read_text()[-3000:]
                pytest.fail(f"JupyterLab does not start:\n{said}")
            yield project / "nbs", f"http://127.0.0.1:{port}/lab/tree/"
        finally:
            server.terminate()
            server.wait(20)


ERROR = "[data-mime-type='application/vnd.jupyter.error']"
WARNING = "[data-mime-type='application/vnd.jupyter.stderr']"
ENDED = """number => {
    const failed = document.querySelectorAll(
        '[data-mime-type="application/vnd.jupyter.error"]').length;
    const prompts = [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')];
    return failed || prompts.filter(p => /\\[\\d+\\]/.test(p.textContent)).length >= number;
}"""


def texts_of(page, selector):
    return [element.inner_text() for element in page.query_selector_all(selector)]


def run_all(page, address, cells):
    "Opens a notebook, runs all its cells, and waits for the last one; no cell ends in an error."
    page.goto(f"{address}?reset")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=60_000)
    page.wait_for_selector("#jp-main-statusbar >> text=/\\| Idle/", timeout=60_000)
    page.click("li.lm-MenuBar-item >> text=Run")
    page.click("li.lm-Menu-item[data-command='runmenu:run-all']")
    page.wait_for_function(ENDED, arg=cells, timeout=300_000)
    assert not texts_of(page, ERROR)


def test_jupyterlab_runs_the_first_notebook(browser, lab):
    folder, address = lab
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    cells = sum(is_run(cell) for cell in read(folder / "00_lattice.ipynb").cells)
    run_all(page, address + "00_lattice.ipynb", cells)
    pictures = page.query_selector_all(".jp-OutputArea-output img, .jp-OutputArea-output svg")
    assert pictures, "no picture is shown"
    context.close()


EXPLORER = re.compile(
    r"pt\.explore\.(potential|configuration|relaxation|database|network)\((?!network)"
)
FINGERPRINT = """async picture => {
    const answer = await fetch(picture.src);
    const bytes = Array.from(new Uint8Array(await answer.arrayBuffer()));
    return bytes.reduce((h, x) => (h * 31 + x) | 0, 0);
}"""


def is_wanted(cell):
    "Does it show an explorer, or make what one needs?"
    return cell.source.startswith("import") or EXPLORER.search(cell.source)


def only_explorers(path):
    "Leaves of the tutorial what the explorers need; returns the number of cells."
    nb = read(path)
    nb.cells = [cell for cell in nb.cells if is_run(cell) and is_wanted(cell)]
    for cell in nb.cells:
        cell.outputs = []
    nb.metadata.pop("widgets", None)
    nbformat.write(nb, path)
    return len(nb.cells)


def changed(page, picture, before, seconds):
    "Waits until the bytes of a picture differ from those before."
    for _ in range(20 * seconds):
        if picture.evaluate(FINGERPRINT) != before:
            return True
        page.wait_for_timeout(50)
    return False


def move(page, explorer):
    "Moves the first slider of an explorer."
    explorer.query_selector(".noUi-handle").focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")


def use(page, picture):
    "Moves a slider, or trains; the picture follows, and no error is shown."
    picture.scroll_into_view_if_needed()
    explorer = picture.evaluate_handle("e => e.closest('.widget-vbox')").as_element()
    before = picture.evaluate(FINGERPRINT)
    train = explorer.query_selector("button >> text=train")
    if not train:
        move(page, explorer)
        assert changed(page, picture, before, 20), "the picture stays the same"
    elif find_spec("tensorflow"):
        train.click()
        assert changed(page, picture, before, 120), "the picture stays the same"
        stop = explorer.query_selector("button:visible >> text=stop")
        if stop:
            stop.click()
        page.wait_for_selector("text=best validation MAE", timeout=120_000)
    else:
        train.click()
        page.wait_for_selector("text=pes_toy[networks]", timeout=30_000)
        return
    assert "Error" not in explorer.inner_text()


def saved_with_widgets(page, path):
    "The notebook as JupyterLab saves it, with the state of its widgets."
    page.keyboard.press("Control+s")
    for _ in range(100):
        saved = read(path)
        if "widgets" in saved.metadata:
            return saved
        page.wait_for_timeout(200)
    pytest.fail("the notebook is saved without widgets")


def test_explorers_follow_their_controls(browser, lab):
    "In JupyterLab each explorer of the tutorial shows another picture when a slider moves."
    folder, address = lab
    path = folder / "tutorials" / "explore.ipynb"
    cells = only_explorers(path)
    with watched_page(browser, viewport={"width": 1280, "height": 900}) as (page, problems):
        run_all(page, address + "tutorials/explore.ipynb", cells)
        five = "() => document.querySelectorAll('img.widget-image').length == 5"
        page.wait_for_function(five, timeout=30_000)
        for picture in page.query_selector_all("img.widget-image"):
            use(page, picture)
        saved = saved_with_widgets(page, path)
        assert saved.metadata.widgets and not errors(saved), errors(saved)
        assert not texts_of(page, f"{WARNING}, {ERROR}")
        # JupyterLab asks for what it does not need
        assert not [problem for problem in problems if "404" not in problem]
