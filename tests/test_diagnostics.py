"""Tests and verdicts on potentials: batteries that would teach nothing in the chapters."""

import subprocess
import sys

import matplotlib
import numpy as np
import pytest

from pes_toy import diagnostics as dg
from pes_toy import verdicts as vd
from pes_toy.energy import energy_per_particle
from pes_toy.potentials import (
    AreaPair,
    AreaPerimeter,
    LennardJones,
    ModifiedLennardJones,
    Morse,
    PairArea,
    Potential,
)

matplotlib.use("agg")
import matplotlib.pyplot as plt  # noqa: E402

CANDIDATES = [AreaPair, AreaPerimeter, PairArea, ModifiedLennardJones]
TESTS = [
    dg.single_triangle,
    dg.triangle_in_space,
    dg.square_symmetry,
    dg.repulsion,
    dg.convergence,
    vd.drag,
    vd.sharpness,
    vd.collapse,
]
SCALED = {
    AreaPair: AreaPair(2, 3),
    AreaPerimeter: AreaPerimeter(2, 3),
    PairArea: PairArea(2, 3),
    ModifiedLennardJones: ModifiedLennardJones(2, 3, 6, 6),
}


@pytest.fixture
def ax():
    "Axes of a figure of its own."
    return plt.figure().add_subplot()


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize("protocol", ["exact", "thesis"])
def test_curve_is_drawn_as_it_is(test, protocol, ax):
    curve = test(PairArea(), protocol=protocol)
    assert curve.plot(ax) is ax
    assert len(ax.lines) == len(curve.lines)
    for line, (name, y) in zip(ax.lines, curve.lines.items()):
        assert y.shape == curve.x.shape and np.isfinite(y).all()
        np.testing.assert_array_equal(line.get_xdata(), curve.x)
        np.testing.assert_array_equal(line.get_ydata(), y)
        assert line.get_label() == name
    said = (ax.get_xlabel(), ax.get_ylabel(), ax.get_title())
    assert said == (curve.xlabel, curve.ylabel, curve.title)
    assert (ax.get_xscale(), ax.get_yscale()) == (curve.xscale, curve.yscale)
    assert curve.protocol == protocol and protocol in repr(curve) and "PairArea" in repr(curve)


@pytest.mark.parametrize("test", TESTS)
def test_most_of_a_curve_is_inside_the_picture(test, ax):
    curve = test(PairArea())
    low, high = curve.plot(ax).get_ylim()
    shown = [(low <= y) & (y <= high) for y in curve.lines.values()]
    assert np.mean(shown) > 0.2


def test_lines_that_coincide_are_all_seen(ax):
    curve = vd.collapse(ModifiedLennardJones())
    curve.plot(ax)
    widths = [line.get_linewidth() for line in ax.lines]
    assert len(widths) == 5 and (np.diff(widths) < -1).all()
    assert len(ax.get_yticks()) <= 7


@pytest.mark.parametrize("kind", CANDIDATES)
@pytest.mark.parametrize("test", [t for t in TESTS if t is not vd.sharpness])
def test_configurations_scale_with_the_potential(kind, test):
    unit = test(kind())
    scaled = test(SCALED[kind])
    if test is not dg.convergence:
        np.testing.assert_allclose(scaled.x, 3 * unit.x, rtol=1e-12)
    for name, y in unit.lines.items():
        least = 1e-12 + 1e-9 * np.median(np.abs(y))
        np.testing.assert_allclose(scaled.lines[name], 2 * y, rtol=1e-8, atol=least)


@pytest.mark.parametrize("kind", CANDIDATES)
def test_verdicts_do_not_depend_on_the_units(kind):
    one = vd.verdicts(kind())
    other = vd.verdicts(SCALED[kind])
    for protocol in ("exact", "thesis"):
        assert one.holds(protocol) == other.holds(protocol)


@pytest.mark.parametrize("protocol", ["exact", "thesis"])
def test_surface_holds_energies_of_the_public_function(protocol, ax):
    surface = dg.energy_surface(ModifiedLennardJones(), points=7, protocol=protocol)
    assert surface.energy.shape == (7, 7)
    for row, column in ((0, 0), (1, 5), (6, 2)):
        at = np.vstack([surface.fixed, [surface.x[column], surface.y[row]]])
        expected = energy_per_particle(at, 5.0, protocol=protocol)
        assert surface.energy[row, column] == pytest.approx(expected, rel=1e-12)
    assert surface.plot(ax) is ax
    drawn = np.ma.filled(ax.collections[0].get_array()).ravel()
    np.testing.assert_array_equal(drawn, surface.energy.ravel())
    assert f"protocol {protocol}" in repr(surface)


def test_six_panels_draws_where_it_is_told():
    axes = plt.figure().subplots(2, 3)
    got = dg.six_panels(Morse(), axes=axes)
    assert got.shape == (2, 3)
    assert all(a is b for a, b in zip(got.flat, axes.flat))
    letters = [ax.get_title()[:3] for ax in got.flat]
    assert letters == ["(a)", "(b)", "(c)", "(d)", "(e)", "(f)"]
    with pytest.raises(ValueError, match="six"):
        dg.six_panels(Morse(), axes=axes[0])


def test_fourth_difference_tells_orders():
    t = np.linspace(-1, 1, 4001)
    for f, order in ((np.exp(t), 4), (np.abs(t), 1), (t * np.abs(t), 2), (np.sign(t), 0)):
        d = [vd.fourth_difference(f, m).max() for m in (8, 16, 32)]
        np.testing.assert_allclose(np.log2(np.divide(d[1:], d[:-1])), order, atol=0.05)


def test_faults_of_made_up_potentials_are_found():
    attraction = Potential(lambda r: -1 / r, name="attraction")
    found = vd.verdicts(attraction)
    assert not found["repulsive"] and not found["bounded below"] and not found["converges"]
    # pairs are counted right in both protocols
    assert found["continuous", "thesis"].holds == found["continuous", "exact"].holds


def test_a_soft_potential_has_no_faults():
    soft = Potential(lambda r: (1 - r / 1.5) ** 2 if r < 1.5 else 0.0, cutoff=1.5, name="soft")
    found = vd.verdicts(soft)
    assert all(found.holds().values()) and all(found.holds("thesis").values())


def test_verdict_reads_and_draws():
    found = vd.verdicts(LennardJones())
    assert bool(found["converges"]) is True
    assert repr(found["converges"]).startswith("yes: increments")
    assert found["converges"] is found["converges", "exact"]
    assert found.plot("repulsive", "thesis").get_title().startswith("yes")
    page = found._repr_html_()
    assert page.count("<tr>") == 7
    assert page.count("<table>") == page.count("</table>") == 1
    with pytest.raises(KeyError, match="bounded below"):
        found["pretty"]


def test_a_name_met_twice_keeps_both_rows():
    table = vd.verdict_table([LennardJones(), LennardJones(2.0)], progress=False)
    assert list(table.rows) == ["LennardJones", "LennardJones 2"]
    assert table["LennardJones 2"].potential == LennardJones(2.0)
    assert table.differences() == []


def test_importing_loads_no_plotting():
    code = (
        "import sys, pes_toy.diagnostics, pes_toy.verdicts\n"
        "heavy = ('matplotlib', 'pandas', 'tqdm', 'ipywidgets')\n"
        "print([m for m in heavy if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
