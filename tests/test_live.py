"""The moving figures of the site: their numbers are the package's, and they move."""

import re
import sys
from contextlib import contextmanager

import numpy as np
import pes_toy as pt
import pytest
from conftest import pages
from notebooks import ROOT
from pes_toy.engine.streams import RELAX, uniforms
from pes_toy.thesis.potentials import shifted
from test_browser import CHROMIUM, address, browser, watched_page  # noqa: F401

sys.path.insert(0, str(ROOT / "docs"))
import live  # noqa: E402

pytestmark = pytest.mark.skipif(
    not CHROMIUM, reason="Chromium is not installed (Debian: apt-get install chromium)"
)
CASES = 200


@pytest.fixture(scope="module")
def script(browser):  # noqa: F811
    "A page with nothing but the script."
    with watched_page(browser) as (page, problems):
        page.set_content("<p></p>")
        page.add_script_tag(content=live.script())
        yield page
        assert not problems


def differences(ours, theirs):
    "Of each case the largest difference over the largest number, or over 1 if that is larger."
    found = []
    for mine, other in zip(ours, theirs, strict=True):
        mine, other = np.asarray(mine, float), np.asarray(other, float)
        assert mine.shape == other.shape
        found.append(np.abs(mine - other).max() / max(1.0, np.abs(other).max()))
    return max(found)


@pytest.fixture(scope="module")
def cases():
    "Cells of many widths and numbers of particles, with potentials; some particles lie outside."
    rng = np.random.default_rng(11)
    found = []
    for _ in range(CASES):
        n, R_0 = rng.choice([2.0, 3.5, 6.0, 12.0]), rng.choice([1.2, 2.0, 3.1])
        width = rng.uniform(2, 8)
        x = rng.uniform(-0.5, width + 0.5, (rng.integers(1, 7), 2))
        found.append((x, width, pt.ModifiedLennardJones(n=n, R_0=R_0)))
    return found


def asked(page, cases, expression):
    "What a page finds for each case; x, w, potential are those of the case."
    given = [(x.tolist(), w, potential.n, potential.R_0) for x, w, potential in cases]
    program = f"""cases => cases.map(([x, w, n, R0]) => {{
        const potential = live.potential(n, R0);
        return {expression};
    }})"""
    return page.evaluate(program, given)


@pytest.mark.parametrize("protocol", ["exact", "thesis"])
def test_energies(script, cases, protocol):
    here = asked(script, cases, f"live.energy(x, w, potential, '{protocol}')")
    there = [pt.energy_per_particle(x, w, p, protocol=protocol) for x, w, p in cases]
    assert differences(here, there) < 1e-10


def published_forces(x, width, potential):
    "Minus the derivative of equation 9, term by term, positions as given."
    N = len(x)
    depth = int(np.ceil(potential.reach / width))
    points, k = pt.lattice_points(x, width, depth)
    whose = np.tile(np.arange(N), len(k))
    inside = np.repeat((k == 0).all(axis=1), N)
    points = points.reshape(-1, 2)
    i, j, l = np.meshgrid(np.flatnonzero(inside), *[np.arange(len(points))] * 2, indexing="ij")
    counted = (i != j) & (j != l) & (l != i) & ~(inside[l] & ~inside[j])
    triangles = np.stack([i[counted], j[counted], l[counted]])
    gaps = points[triangles] - points[np.roll(triangles, -1, axis=0)]
    sides = np.linalg.norm(gaps, axis=-1)
    slopes = np.stack(potential.triplet_derivatives(*sides))
    pulls = -potential.triplet_weight * (slopes / sides)[..., None] * gaps
    forces = np.zeros((N, 2))
    np.add.at(forces, whose[triangles], pulls)
    np.add.at(forces, whose[np.roll(triangles, -1, axis=0)], -pulls)
    i, j = np.nonzero(inside[:, None] & ~np.eye(len(points), dtype=bool))
    gaps = points[i] - points[j]
    r = np.linalg.norm(gaps, axis=-1)
    pulls = -potential.pair_weight * (potential.pair_derivative(r) / r)[:, None] * gaps
    np.add.at(forces, whose[i], pulls)
    np.add.at(forces, whose[j], -pulls)
    return forces


def test_forces(script, cases):
    here = asked(script, cases, "live.forces(x, w, potential)")
    assert differences(here, [pt.forces(*case) for case in cases]) < 1e-10


def test_forces_of_the_published_sum(script, cases):
    here = asked(script, cases, "live.forces(x, w, potential, 'thesis')")
    assert differences(here, [published_forces(*case) for case in cases]) < 1e-10


def test_eigenvalues(script, cases):
    orders, ranges = (-2, -3, -4), (20.0, 6.0, 3.0)
    for order, R_0p in zip(orders, ranges):
        here = asked(script, cases, f"live.eigenvalues(x, w, {order}, {R_0p})")
        there = [pt.proximity_eigenvalues(x, w, order, R_0p) for x, w, _ in cases]
        assert differences(here, there) < 1e-10


def test_potential(script):
    s = np.linspace(0.5, 4, CASES)
    for n, R_0 in ((6.0, 2.0), (2.0, 1.2), (12.0, 3.9)):
        program = f"s => s.map((r) => live.potential({n}, {R_0}).NAME(r))"
        here = {
            name: script.evaluate(program.replace("NAME", name), s.tolist())
            for name in ("value", "slope", "lowered")
        }
        there = pt.ModifiedLennardJones(n=n, R_0=R_0)
        np.testing.assert_allclose(here["value"], there.pair(s), rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(here["slope"], there.pair_derivative(s), rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(here["lowered"], shifted(s, n, R_0), rtol=1e-10, atol=1e-10)


def test_predictions(script):
    rng = np.random.default_rng(12)
    known = pt.sample_database().positions[:: 3000 // (CASES // 2)]
    x = np.concatenate([known[: CASES // 2], rng.uniform(-1, 6, (CASES // 2, 4, 2))])
    here = script.evaluate("xs => xs.map((x) => live.predict(x, 5))", x.tolist())
    there = pt.sample_network().predict(x, 5.0)
    assert np.abs(there[: CASES // 2]).max() < 10  # differences of these are absolute
    assert differences(here, there) < 1e-6
    dragged = pt.drag_path(CASES)
    here = script.evaluate("xs => xs.map((x) => live.predictedForces(x, 5))", dragged.tolist())
    assert differences(here, pt.sample_network().forces(dragged, 5.0)) < 1e-5


@pytest.mark.parametrize("protocol", ["exact", "thesis"])
def test_relaxations(script, protocol):
    "The same random numbers lead to the same places as those of pt.relax."
    rng = np.random.default_rng(13)
    program = """([x, u, protocol]) => {
        const numbers = u.values();
        const next = () => numbers.next().value;
        const path = live.relax(x, 5, live.potential(), protocol, 30, next);
        return path.map(({ x }) => live.wrap(x, 5));
    }"""
    for seed in range(10):
        x = rng.uniform(0, 5, (4, 2))
        u = uniforms(seed, RELAX, 0, 30 * x.size)
        path = script.evaluate(program, [x.tolist(), u.tolist(), protocol])
        there = pt.relax(x, 5.0, epochs=30, protocol=protocol, seed=seed).positions
        assert len(path) == 31
        np.testing.assert_allclose(path[-1], there, atol=1e-10)


def test_the_script_is_small():
    pytest.importorskip("minify", reason="what makes the script small is not installed")
    assert len(live.script().encode()) < 60_000


@pytest.fixture(scope="module")
def figures(site):
    "The name of a page with each kind of figure."
    found = {}
    for name in pages(site):
        text = (site / name).read_text(encoding="utf-8")
        for kind in re.findall(r'<div class="live" data-figure="(\w+)"', text):
            found.setdefault(kind, name)
    return found


KINDS = ("drag", "push", "relax", "potential")


def test_each_figure_has_a_page(figures):
    assert sorted(figures) == sorted(KINDS)


@contextmanager
def opened(browser, url, kind, **options):  # noqa: F811
    "A page with a figure, the figure, and a check that nothing went wrong."
    with watched_page(browser, **options) as (page, problems):
        page.goto(url)
        figure = page.wait_for_selector(f".live[data-figure={kind}] svg").evaluate_handle(
            "e => e.closest('.live')"
        )
        yield page, figure.as_element()
        page.wait_for_timeout(200)
        assert not problems


def numbers(figure):
    return [td.inner_text() for td in figure.query_selector_all("td")]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_figures_fit_and_can_be_read(browser, address, figures, kind, width, scheme):  # noqa: F811
    look = dict(viewport={"width": width, "height": 900}, color_scheme=scheme)
    with opened(browser, address + figures[kind], kind, **look) as (page, figure):
        assert not figure.query_selector(".still")
        assert all("\u221e" not in text and "NaN" not in text for text in numbers(figure))
        too_wide = """e => [...e.querySelectorAll("*")].filter(
            (part) => part.getBoundingClientRect().right > e.getBoundingClientRect().right + 1
                && !part.closest("svg")).length"""
        assert figure.evaluate(too_wide) == 0
        for colour in ("--ink", "--exact", "--thesis", "--network"):
            assert contrast(figure, colour) > (4.5 if colour == "--ink" else 3)


def contrast(figure, colour):
    "Contrast of a colour with the background, as WCAG defines it."
    light = []
    for name in (colour, "--paper"):
        text = figure.evaluate("(e, name) => getComputedStyle(e).getPropertyValue(name)", name)
        text = text.strip().lstrip("#")
        text = "".join(2 * c for c in text) if len(text) == 3 else text
        part = np.array([int(text[i : i + 2], 16) for i in (0, 2, 4)]) / 255
        part = np.where(part <= 0.03928, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
        light.append(part @ [0.2126, 0.7152, 0.0722])
    return (max(light) + 0.05) / (min(light) + 0.05)


@pytest.mark.parametrize("kind", ["drag", "push"])
def test_particles_follow_keys(browser, address, figures, kind):  # noqa: F811
    with opened(browser, address + figures[kind], kind) as (page, figure):
        particle = figure.query_selector_all(".particle")[3]
        particle.focus()
        where = particle.get_attribute("transform")
        before = numbers(figure)
        for key in ("ArrowUp", "ArrowUp", "ArrowLeft"):
            page.keyboard.press(key)
        assert particle.get_attribute("transform") != where
        if kind == "drag":
            assert particle.get_attribute("aria-valuenow") == "1.20"
            assert numbers(figure) != before
            for key in 60 * ["ArrowUp"]:  # through others and out of the cell
                page.keyboard.press(key)
            assert float(particle.get_attribute("aria-valuenow")) <= 5.5


def test_a_drag_shows_slopes_and_eigenvalues(browser, address, figures):  # noqa: F811
    "The lower axes follow the choice, and the published slopes are four times the true ones."
    with opened(browser, address + figures["drag"], "drag") as (page, figure):
        heights = {}
        for choice in ("slope", "as figure 16", "order −2", "order −3"):
            figure.query_selector(f"label >> text={choice}").click()
            page.wait_for_timeout(100)
            lower = figure.query_selector_all("svg[role=img]")[-1]
            lines = "e => [...e.querySelectorAll('path.line')].map((p) => p.getAttribute('class'))"
            kinds = " ".join(lower.evaluate(lines))
            assert ("eigen3" in kinds) == ("order" in choice), kinds
            assert ("network" in kinds) == ("order" not in choice), kinds
            ticks = (
                "e => [...e.querySelectorAll('text[text-anchor=end]')].map((t) => t.textContent)"
            )
            heights[choice] = max(float(tick.replace("−", "-")) for tick in lower.evaluate(ticks))
        assert heights["as figure 16"] == 4 * heights["slope"]


def test_a_figure_that_fails_leaves_the_page_as_it_was(browser):  # noqa: F811
    with watched_page(browser) as (page, problems):
        page.set_content('<div class="live" data-figure="none"><p class="still">here</p></div>')
        page.add_script_tag(content=live.script())
        assert page.query_selector(".still").is_visible()
        assert len(problems) == 1


@pytest.mark.parametrize("kind", ["drag", "push"])
def test_particles_follow_a_finger(browser, address, figures, kind):  # noqa: F811
    phone = dict(viewport={"width": 390, "height": 844}, has_touch=True)
    with opened(browser, address + figures[kind], kind, **phone) as (page, figure):
        particle = figure.query_selector_all(".particle")[0]
        particle.scroll_into_view_if_needed()
        scrolled = page.evaluate("scrollY")
        before = particle.get_attribute("transform")
        box = particle.query_selector("circle").bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        touch = page.context.new_cdp_session(page)
        points = [{"x": x, "y": y}, {"x": x + 9, "y": y - 12}, {"x": x + 18, "y": y - 24}]
        for kind_of_event, point in zip(("touchStart", "touchMove", "touchMove"), points):
            told = {"type": kind_of_event, "touchPoints": [point]}
            touch.send("Input.dispatchTouchEvent", told)
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        page.wait_for_timeout(100)
        assert particle.get_attribute("transform") != before
        assert page.evaluate("scrollY") == scrolled


def test_relaxation_follows_its_controls(browser, address, figures):  # noqa: F811
    with opened(browser, address + figures["relax"], "relax") as (page, figure):
        last = numbers(figure)
        figure.query_selector("input[type=range]").focus()
        page.keyboard.press("Home")
        first = numbers(figure)
        assert first != last
        figure.query_selector("button >> text=play").click()
        page.wait_for_function("(f) => f.innerText.includes('pause')", arg=figure)
        page.wait_for_timeout(300)
        assert numbers(figure) != first
        figure.query_selector("button >> text=another start").click()
        page.wait_for_timeout(300)
        figure.query_selector("button >> text=40 starts").click()
        page.wait_for_function("(f) => f.innerText.includes('Of 40 other starts')", arg=figure)


def test_potential_follows_its_sliders(browser, address, figures):  # noqa: F811
    with opened(browser, address + figures["potential"], "potential") as (page, figure):
        sliders = figure.query_selector_all("input[type=range]")
        assert numbers(figure)[0] == "\u22120.877"
        sliders[1].focus()
        page.keyboard.press("End")
        far = float(numbers(figure)[0].replace("\u2212", "-"))
        deepest = pt.ModifiedLennardJones(R_0=4.0).pair(np.linspace(0.6, 4, 341)).min()
        assert abs(far - deepest) < 1e-3


STEPS = """(figure, key) => {
    const [particle] = figure.querySelectorAll(".particle");
    const times = [];
    for (let i = 0; i < 40; i++) {
        const began = performance.now();
        particle.dispatchEvent(new KeyboardEvent("keydown", { key }));
        document.body.offsetHeight;
        times.push(performance.now() - began);
    }
    return times;
}"""


@pytest.mark.parametrize("kind", ["drag", "push"])
def test_the_first_reaction_is_quick(browser, address, figures, kind):  # noqa: F811
    "A step takes about 4 ms; the quickest quarter is looked at, for others may be busy."
    with opened(browser, address + figures[kind], kind) as (_, figure):
        assert sorted(figure.evaluate(STEPS, "ArrowRight"))[10] < 50


SEEN = """e => {
    const after = (picture) =>
        e.compareDocumentPosition(picture) & Node.DOCUMENT_POSITION_FOLLOWING;
    const found = [...document.querySelectorAll("main img")].filter(after).slice(0, 2);
    return found.map((picture) => picture.getBoundingClientRect().height > 0);
}"""


def test_switches_show_one_protocol_or_both(browser, site, address):  # noqa: F811
    switches = 0
    with watched_page(browser) as (page, problems):
        for name in pages(site):
            if "data-switch" not in (site / name).read_text(encoding="utf-8"):
                continue
            page.goto(address + name)
            page.wait_for_selector(".live[data-switch] input")
            for switch in page.query_selector_all(".live[data-switch]"):
                switches += 1
                assert switch.evaluate(SEEN) == [True, True]
                switch.query_selector("input").focus()
                page.keyboard.press("ArrowRight")
                assert switch.evaluate(SEEN) == [True, False]
                page.keyboard.press("ArrowRight")
                assert switch.evaluate(SEEN) == [False, True]
                page.keyboard.press("ArrowRight")
        assert not problems
    assert switches >= 4


def test_without_scripts_a_page_says_what_is_missing(browser, address, figures):  # noqa: F811
    with watched_page(browser, java_script_enabled=False) as (page, problems):
        page.goto(address + figures["drag"])
        assert page.query_selector(".live .still").is_visible()
        assert not problems
