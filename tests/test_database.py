"""Databases: rows that belong together, their parts, their pictures."""
import copy
import pickle

import numpy as np
import pes_toy as pt
import pytest
from databases import make, same

pytestmark = pytest.mark.quick


@pytest.fixture(scope="module")
def rows():
    "400 configurations of two widths and two degrees of relaxation."
    return make(n_configurations=400, width=(4.0, 6.0), n_widths=2, epochs=(5, 40))


def test_rows_can_be_taken_in_any_way(rows):
    order = np.random.default_rng(0).permutation(len(rows))
    shuffled = rows[order]
    assert same(shuffled[np.argsort(order)], rows)
    assert same(rows[-1], rows[[399]]) and same(rows[:3], rows[[0, 1, 2]])
    with pytest.raises(IndexError, match="row 400"):
        rows[400]


def test_a_database_can_be_copied_and_sent_to_another_process(rows):
    for again in (pickle.loads(pickle.dumps(rows)), copy.deepcopy(rows)):
        assert same(again, rows) and again.spec == rows.spec
    method = pickle.loads(pickle.dumps(rows.filter))
    assert same(method(energy=(None, -1.0)), rows.filter(energy=(None, -1.0)))
    assert pt.Database.filter.__qualname__ == "Database.filter"
    assert pt.Database.save.__name__ == "save" and "limits" in pt.Database.filter.__doc__


def test_parts_do_not_change_the_whole(rows):
    before = rows.positions.copy()
    energy = rows.energy.copy()
    for part in (rows[:10], rows.filter(width=(5, 7)), rows[3], *rows[:].split(0.2)):
        part.positions[:] = 0
        part.energy[:] = 0
        part.about["a"] = "changed"
    assert np.array_equal(rows.positions, before) and np.array_equal(rows.energy, energy)
    assert not rows.about
    own = pt.Database(before, rows.width, energy)
    energy[:] = 0
    assert np.array_equal(own.energy, rows.energy)


def test_put_together(rows):
    with_extra = rows[:20]
    with_extra.extra["a"] = np.ones((20, 2))
    both = pt.concat([with_extra, rows[20:50]])
    assert same(both, rows[:50]) and not both.extra and both.spec == rows.spec
    other = rows[20:30]
    other.extra["a"] = np.zeros((10, 2))
    assert pt.concat([with_extra, other]).extra["a"].sum() == 40
    other.about["a"] = "made otherwise"
    with pytest.warns(UserWarning, match="different settings"):
        assert not pt.concat([with_extra, other]).extra
    thesis = pt.generate(pt.DatabaseSpec.thesis(n_configurations=10), progress=False)
    with pytest.warns(UserWarning, match="cannot learn both"):
        assert pt.concat([rows, thesis]).spec is None
    with pytest.raises(TypeError, match="load files first"):
        pt.concat([rows, "db.parquet"])
    with pytest.raises(ValueError, match="at least one"):
        pt.concat([])


def test_forces_of_the_thesis_do_not_exist():
    thesis = pt.generate(pt.DatabaseSpec.thesis(n_configurations=10), progress=False)
    with pytest.raises(ValueError, match="thesis"):
        thesis.with_forces()


def test_wrong_columns_are_refused(rows):
    build = pt.Database.from_arrays
    x, w, e = rows.positions, rows.width, rows.energy
    with pytest.raises(ValueError, match="finite"):
        build(x, w, np.full(400, np.nan))
    with pytest.raises(ValueError, match="one row for each"):
        build(x, w, e, forces=e)
    with pytest.raises(ValueError, match="0 .training. or 1"):
        build(x, w, e, subset=np.full(400, 2))
    with pytest.raises(ValueError, match=r"extra\['a'\]"):
        build(x, w, e, extra=dict(a=np.zeros(400)))
    with pytest.raises(ValueError, match="one number where"):
        build(x, w, potential=pt.LennardJones(), depth=np.full(400, 2))
    own = build(x, w, potential=pt.LennardJones(), depth=2)
    assert (own.depth == 2).all() and own.forces.shape == x.shape


def test_statistics_and_table(rows):
    found = rows.statistics()
    assert found["widths"] == 2 and (found["width_low"], found["width_high"]) == (4, 6)
    assert found["energy_median"] == np.median(rows.energy)
    assert "2 widths 4 to 6" in repr(rows) and "made with" in rows._repr_html_()
    assert list(rows.frame().columns[:2]) == ["width", "energy"]
    assert rows.frame().shape == (400, 2 + 4 + 8)


def test_a_histogram_says_what_it_leaves_out(rows):
    highest = f"highest 0.5 %, up to {rows.energy.max():.4g}"
    assert highest in rows.plot_histogram().get_xlabel()
    assert "without" not in rows.plot_histogram(keep=1.0).get_xlabel()
    ax = rows.plot_histogram(energy=(-2, -1))
    shown = ((rows.energy >= -2) & (rows.energy <= -1)).sum()
    assert sum(bar.get_height() for bar in ax.patches) == shown
    below, above = 100 * (rows.energy < -2).mean(), 100 * (rows.energy > -1).mean()
    assert f"without {below:.2g} % below -2 and {above:.2g} % above -1" in ax.get_xlabel()
    assert "without" not in rows.plot_histogram(energy=(None, 1e9)).get_xlabel()
    with pytest.raises(ValueError, match="empty"):
        rows[:0].plot_histogram()


def test_pictures_show_the_data(rows):
    curve = rows.plot_percentiles(label="all").lines[0]
    assert np.array_equal(curve.get_ydata(), np.sort(rows.energy))
    median = rows.plot_widths().lines[0]
    assert median.get_xdata().tolist() == [4, 6]
    narrow = rows.filter(width=(4, 4)).energy
    assert median.get_ydata()[0] == np.median(narrow)
    axs = rows.plot_gallery([5, 7])
    assert axs.shape == (1, 2) and axs[0, 1].get_title().startswith("7: ")
    with pytest.raises(ValueError, match="below 400"):
        rows.plot_gallery([400])
