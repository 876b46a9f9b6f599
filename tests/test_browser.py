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
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import HTTPError
from urllib.parse import unquote, urldefrag, urljoin
from urllib.request import urlopen

import pytest
from conftest import copy_project, pages
from notebooks import is_run, read

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync"]
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed (Debian: apt-get install chromium)")


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield browser
        browser.close()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args): pass


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
    page.on("request", lambda request: re.match(r"https?://(?!127\.0\.0\.1)", request.url) and problems.append(f"asks for {request.url}"))
    page.on("response", lambda response: response.status >= 400 and problems.append(f"{response.status} {response.url}"))
    yield page, problems
    context.close()


@pytest.mark.parametrize("width", [1280, 390], ids=["desktop", "phone"])
def test_pages_need_no_network_and_fit(browser, site, address, width):
    with watched_page(browser, viewport={"width": width, "height": 844}) as (page, problems):
        for name in pages(site):
            page.goto(address + name, wait_until="networkidle")
            if (needs := page.evaluate("document.documentElement.scrollWidth")) > width: problems.append(f"{name} is {needs} wide")
        assert not problems


def test_pictures_and_math_are_visible(browser, site, address):
    seen = {"main math": 0, "main img": 0}
    with watched_page(browser) as (page, _):
        for name in pages(site):
            page.goto(address + name)
            for what in seen:
                sizes = [element.bounding_box() or {"width": 0} for element in page.query_selector_all(what)]
                hidden = [box for box in sizes if box["width"] < 2]
                assert not hidden, f"{name}: {len(hidden)} of {len(sizes)} {what} are not visible"
                seen[what] += len(sizes)
    assert all(seen.values()), seen


def test_search_finds_lattice(browser, address):
    with watched_page(browser) as (page, problems):
        page.goto(address + "search.html?q=lattice")
        page.wait_for_selector("ul.search li a", timeout=10_000)
        assert any("lattice" in link.get_attribute("href") for link in page.query_selector_all("ul.search li a"))
        assert not problems


def test_links_lead_somewhere(site, address):
    "Each address in href and src, with its anchor, is there; links to other sites are not followed."
    texts, broken = {}, []

    def text(url):
        if url not in texts:
            try: texts[url] = urlopen(url).read().decode("utf-8", "replace")
            except HTTPError as error: texts[url] = error
        return texts[url]

    for name in pages(site):
        for link in re.findall(r'(?:href|src)="([^"]+)"', text(address + name)):
            url, anchor = urldefrag(urljoin(address + name, link.replace("&amp;", "&")))
            if not url.startswith(address): continue
            there = text(url)
            if isinstance(there, HTTPError) or anchor and f'id="{unquote(anchor)}"' not in there: broken.append(f"{name}: {link}")
    assert not broken, broken


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    "A JupyterLab on a copy of the notebooks that shows all cells, also those that are not scrolled to."
    folder = tmp_path_factory.mktemp("lab")
    project, settings = copy_project(folder / "project"), folder / "settings" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True)
    (settings / "tracker.jupyterlab-settings").write_text('{"windowingMode": "none", "autoStartDefaultKernel": true}')
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with open(folder / "log", "w") as log:
        server = subprocess.Popen([sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}", "--allow-root",
                                   "--IdentityProvider.token=", "--ServerApp.password=", "--LabApp.extension_manager=readonly",
                                   f"--LabApp.user_settings_dir={folder / 'settings'}", f"--LabApp.workspaces_dir={folder / 'workspaces'}",
                                   f"--ServerApp.root_dir={project / 'nbs'}"], cwd=project, stdout=log, stderr=log)
        try:
            for _ in range(120):
                try: urlopen(f"http://127.0.0.1:{port}/api"); break
                except OSError: time.sleep(0.5)
            else: pytest.fail(f"JupyterLab does not start:\n{(folder / 'log').read_text()[-3000:]}")
            yield project / "nbs", f"http://127.0.0.1:{port}/lab/tree/"
        finally:
            server.terminate()
            server.wait(20)


def test_jupyterlab_runs_the_first_notebook(browser, lab):
    folder, address = lab
    cells = [cell for cell in read(folder / "00_lattice.ipynb").cells if is_run(cell)]
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(address + "00_lattice.ipynb?reset")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=60_000)
    page.wait_for_selector("#jp-main-statusbar >> text=/\\| Idle/", timeout=60_000)
    page.click("li.lm-MenuBar-item >> text=Run")
    page.click("li.lm-Menu-item[data-command='runmenu:run-all']")
    ended = """number => document.querySelectorAll('[data-mime-type="application/vnd.jupyter.error"]').length ||
        [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].filter(p => /\\[\\d+\\]/.test(p.textContent)).length >= number"""
    page.wait_for_function(ended, arg=len(cells), timeout=300_000)
    errors = [e.inner_text() for e in page.query_selector_all("[data-mime-type='application/vnd.jupyter.error']")]
    assert not errors
    assert page.query_selector_all(".jp-OutputArea-output img, .jp-OutputArea-output svg"), "no picture is shown"
    context.close()
