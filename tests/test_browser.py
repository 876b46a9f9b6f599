"""The site and JupyterLab in Chromium; skipped where there is none."""

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
from urllib.error import HTTPError
from urllib.parse import unquote, urldefrag, urljoin
from urllib.request import urlopen

import nbformat
import pytest
from conftest import copy_project, pages
from notebooks import errors, is_run, read

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


@contextmanager
def watched_page(browser, **options):
    "A page, and the list of what goes wrong on it."
    context, problems = browser.new_context(**options), []
    page = context.new_page()
    page.on("console", lambda message: message.type == "error" and problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "request",
        lambda request: (
            re.match(r"https?://(?!127\.0\.0\.1)", request.url)
            and problems.append(f"asks for {request.url}")
        ),
    )
    page.on(
        "response",
        lambda response: (
            response.status >= 400 and problems.append(f"{response.status} {response.url}")
        ),
    )
    yield page, problems
    context.close()


@pytest.mark.parametrize("width", [1280, 390], ids=["desktop", "phone"])
def test_pages_need_no_network_and_fit(browser, site, address, width):
    with watched_page(browser, viewport={"width": width, "height": 844}) as (page, problems):
        for name in pages(site):
            page.goto(address + name, wait_until="networkidle")
            if (needs := page.evaluate("document.documentElement.scrollWidth")) > width:
                problems.append(f"{name} is {needs} wide")
        assert not problems


def test_pictures_and_math_are_visible(browser, site, address):
    seen = {"main math": 0, "main img": 0}
    with watched_page(browser) as (page, _):
        for name in pages(site):
            page.goto(address + name)
            for what in seen:
                sizes = [
                    element.bounding_box() or {"width": 0}
                    for element in page.query_selector_all(what)
                ]
                hidden = [box for box in sizes if box["width"] < 2]
                assert not hidden, f"{name}: {len(hidden)} of {len(sizes)} {what} are not visible"
                seen[what] += len(sizes)
    assert all(seen.values()), seen


@pytest.mark.parametrize("word, chapter", [("lattice", "lattice"), ("proximity", "descriptors")])
def test_search_finds(browser, address, word, chapter):
    with watched_page(browser) as (page, problems):
        page.goto(address + f"search.html?q={word}")
        page.wait_for_selector("ul.search li a", timeout=10_000)
        assert any(
            chapter in link.get_attribute("href")
            for link in page.query_selector_all("ul.search li a")
        )
        assert not problems


def test_links_lead_somewhere(site, address):
    "Each address in href and src, with its anchor, is there; links to other sites are not followed."
    texts, broken = {}, []

    def text(url):
        if url not in texts:
            try:
                texts[url] = urlopen(url).read().decode("utf-8", "replace")
            except HTTPError as error:
                texts[url] = error
        return texts[url]

    for name in pages(site):
        for link in re.findall(r'(?:href|src)="([^"]+)"', text(address + name)):
            url, anchor = urldefrag(urljoin(address + name, link.replace("&amp;", "&")))
            if not url.startswith(address):
                continue
            there = text(url)
            if isinstance(there, HTTPError) or anchor and f'id="{unquote(anchor)}"' not in there:
                broken.append(f"{name}: {link}")
    assert not broken, broken


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    "A JupyterLab on a copy of the notebooks that shows all cells, also those that are not scrolled to."
    folder = tmp_path_factory.mktemp("lab")
    project, settings = (
        copy_project(folder / "project"),
        folder / "settings" / "@jupyterlab" / "notebook-extension",
    )
    settings.mkdir(parents=True)
    (settings / "tracker.jupyterlab-settings").write_text(
        '{"windowingMode": "none", "autoStartDefaultKernel": true}'
    )
    (settings.parents[1] / "@jupyter-widgets" / "jupyterlab-manager").mkdir(parents=True)
    (
        settings.parents[1]
        / "@jupyter-widgets"
        / "jupyterlab-manager"
        / "plugin.jupyterlab-settings"
    ).write_text('{"saveState": true}')
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with open(folder / "log", "w") as log:
        server = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "jupyterlab",
                "--no-browser",
                "--ip=127.0.0.1",
                f"--port={port}",
                "--allow-root",
                "--IdentityProvider.token=",
                "--ServerApp.password=",
                "--LabApp.extension_manager=readonly",
                f"--LabApp.user_settings_dir={folder / 'settings'}",
                f"--LabApp.workspaces_dir={folder / 'workspaces'}",
                f"--ServerApp.root_dir={project / 'nbs'}",
            ],
            cwd=project,
            stdout=log,
            stderr=log,
        )
        try:
            for _ in range(120):
                try:
                    urlopen(f"http://127.0.0.1:{port}/api")
                    break
                except OSError:
                    time.sleep(0.5)
            else:
                pytest.fail(f"JupyterLab does not start:\n{(folder / 'log').read_text()[-3000:]}")
            yield project / "nbs", f"http://127.0.0.1:{port}/lab/tree/"
        finally:
            server.terminate()
            server.wait(20)


def run_all(page, address, cells):
    "Opens a notebook, runs all its cells, and waits for the last one; no cell ends in an error."
    page.goto(f"{address}?reset")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=60_000)
    page.wait_for_selector("#jp-main-statusbar >> text=/\\| Idle/", timeout=60_000)
    page.click("li.lm-MenuBar-item >> text=Run")
    page.click("li.lm-Menu-item[data-command='runmenu:run-all']")
    ended = """number => document.querySelectorAll('[data-mime-type="application/vnd.jupyter.error"]').length ||
        [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].filter(p => /\\[\\d+\\]/.test(p.textContent)).length >= number"""
    page.wait_for_function(ended, arg=cells, timeout=300_000)
    errors = [
        e.inner_text()
        for e in page.query_selector_all("[data-mime-type='application/vnd.jupyter.error']")
    ]
    assert not errors


def test_jupyterlab_runs_the_first_notebook(browser, lab):
    folder, address = lab
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    run_all(
        page,
        address + "00_lattice.ipynb",
        sum(map(is_run, read(folder / "00_lattice.ipynb").cells)),
    )
    assert page.query_selector_all(".jp-OutputArea-output img, .jp-OutputArea-output svg"), (
        "no picture is shown"
    )
    context.close()


EXPLORER = re.compile(
    r"pt\.explore\.(potential|configuration|relaxation|database|network)\((?!network)"
)
FINGERPRINT = """async picture => Array.from(new Uint8Array(await (await fetch(picture.src)).arrayBuffer())).reduce((h, x) => (h * 31 + x) | 0, 0)"""


def only_explorers(path):
    "Leaves of the tutorial what shows an explorer, the database behind it and the imports; returns the number of cells."
    nb = read(path)
    nb.cells = [
        cell
        for cell in nb.cells
        if is_run(cell) and (cell.source.startswith("import") or EXPLORER.search(cell.source))
    ]
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


def test_explorers_follow_their_controls(browser, lab):
    "In JupyterLab: each explorer of the tutorial shows another picture when a slider moves (or a training runs), and no error."
    folder, address = lab
    path = folder / "tutorials" / "explore.ipynb"
    cells = only_explorers(path)
    with watched_page(browser, viewport={"width": 1280, "height": 900}) as (page, problems):
        run_all(page, address + "tutorials/explore.ipynb", cells)
        page.wait_for_function(
            "() => document.querySelectorAll('img.widget-image').length == 5", timeout=30_000
        )
        for number, picture in enumerate(page.query_selector_all("img.widget-image")):
            picture.scroll_into_view_if_needed()
            explorer, before = (
                picture.evaluate_handle("e => e.closest('.widget-vbox')").as_element(),
                picture.evaluate(FINGERPRINT),
            )
            trains = explorer.query_selector("button >> text=train")
            if trains:
                trains.click()
            else:
                explorer.query_selector(".noUi-handle").focus()
                for _ in range(4):
                    page.keyboard.press("ArrowRight")
            if trains and not find_spec("tensorflow"):
                page.wait_for_selector("text=pes_toy[networks]", timeout=30_000)
                continue
            assert changed(page, picture, before, 120 if trains else 20), (
                f"explorer {number} shows the same picture"
            )
            if trains:
                if stop := explorer.query_selector("button:visible >> text=stop"):
                    stop.click()
                page.wait_for_selector("text=best validation MAE", timeout=120_000)
            assert "Error" not in explorer.inner_text()
        page.keyboard.press("Control+s")
        for _ in range(100):
            if "widgets" in (saved := read(path)).metadata:
                break
            page.wait_for_timeout(200)
        assert saved.metadata.widgets and not errors(saved), errors(saved)
        wrong = page.query_selector_all(
            "[data-mime-type='application/vnd.jupyter.stderr'], [data-mime-type='application/vnd.jupyter.error']"
        )
        assert not [e.inner_text() for e in wrong]
        assert not [
            p for p in problems if "404" not in p
        ]  # JupyterLab asks for what it does not need
