"""The explorers without a browser: formulas, numbers, pictures, controls, and what they say when something is wrong."""
import io
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st

import pes_toy as pt
from pes_toy import explore

needs_widgets = pytest.mark.skipif(not find_spec("ipywidgets"), reason="ipywidgets is not installed")
needs_tensorflow = pytest.mark.skipif(not find_spec("tensorflow"), reason="TensorFlow is not installed")


@pytest.fixture(scope="module")
def db(): return pt.generate(pt.DatabaseSpec(600, epochs=(0, 10, 40), width=(4.5, 6.0), n_widths=3, forces=True), progress=False)


@pytest.fixture(scope="module")
def network(db):
    "Not trained: a network of random weights is enough to be drawn."
    spec, rng = pt.TrainingSpec(hidden=(8,)), np.random.default_rng(0)
    layers = [(rng.normal(size=(8, 8)), rng.normal(size=8)), (rng.normal(size=(8, 1)), rng.normal(size=1))]
    return pt.Network(spec, layers, np.zeros(8), np.ones(8), -1.0, 0.1, 4, 2, about=dict(validation_mae=1.0, validation_rmse=1.0, database=db.spec.to_dict()))


def views(db):
    return dict(potential=explore.PotentialView(test="square"), configuration=explore.ConfigurationView(), relaxation=explore.RelaxationView(),
                database=explore.DatabaseView(db), network=explore.NetworkView(db))


NAMES = ["potential", "configuration", "relaxation", "database", "network"]


def pixels(png):
    from PIL import Image
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def another(control, now):
    "Another value that the control can take."
    if control.kind == "range": return tuple(float(v) for v in np.quantile([control.low, control.high], (0.2, 0.7)))
    if control.kind in ("choice", "switch"): return next(v for v in (o[1] if isinstance(o, tuple) else o for o in control.options) if v not in (now, "custom"))
    if control.kind == "text": return {"orders": "-3, -4", "hidden": "16", "cutoff": "", "triplet": "", "pair": "exp(-r)"}[control.name]
    if control.kind == "log": return 10 ** (control.low + 1)
    other = control.low + 0.4 * (control.high - control.low)
    return round(other) if control.kind == "whole" else float(other)


# formulas

@pytest.mark.parametrize("text, wanted", [("1/r**12 - 2/r**6", lambda r: r**-12 - 2 * r**-6), ("-r + 2*r", lambda r: r), ("where(r < 1.5, 1, 0) + pi*0", lambda r: float(r < 1.5)), ("2**-r", lambda r: 2.0**-r),
                                          ("maximum(exp(-r), sqrt(r)/10)", lambda r: max(np.exp(-r), np.sqrt(r) / 10)), ("7/2", lambda r: 3.5), ("r**2**3", lambda r: r**8), ("abs(1 - r)", lambda r: abs(1 - r))])
def test_formulas_mean_what_they_say(text, wanted):
    for r in (0.7, 1.0, 2.3): np.testing.assert_allclose(explore.formula(text)(r), wanted(r), rtol=1e-14)


@pytest.mark.parametrize("text", ["__import__('os')", "().__class__", "r.real", "[r]", "{r}", "lambda: r", "r if r else 1", "r and 1", "not r", "r @ r", "r // 1", "r % 2", "r << 1", "r == 1", "f'{r}'", "(r := 2)", "*r", "r; r",
                                  "print(r)", "exp", "exp(r, r)", "exp(x=r)", "exp(*r)", "where(r)", "True", "None", "1j", "'1'", "...", "e", "r1", "", " ", "\0", "r\nr", "await r", "r[0]", "eval('1')", "9" * 600, "-" * 490 + "r", "(" * 240 + "r" + ")" * 240, "9" * 400])
def test_formulas_run_no_code(text):
    with pytest.raises(ValueError): explore.formula(text)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=60), st.text("r0123456789.+-*/()<>, expwhlog", max_size=60)))
@example("1e999*r")
def test_any_text_is_a_formula_or_a_value_error(text):
    try: assert callable(explore.formula(text))
    except ValueError: pass


# numbers

def test_the_energy_jumps_at_the_face_as_published_only():
    view, both = explore.ConfigurationView(), []
    for x in (-0.001, 0.001):
        view.set("x", x)
        both.append(view.compute()["energy"])
    assert abs(both[0]["exact"] - both[1]["exact"]) < 0.05 < 0.5 < abs(both[0]["thesis"] - both[1]["thesis"])


def test_configuration_is_what_the_chapters_say(network, tmp_path):
    x = np.random.default_rng(3).uniform(0, 4.0, (4, 2))
    view = explore.ConfigurationView(x, 4.0, network=network.save(tmp_path / "network.npz"), orders=(-2, -3), R_0p=5.0, particle=1)
    found = view.compute()
    energy, forces = pt.energy_and_forces(x, 4.0)
    assert np.isclose(found["energy"]["exact"], energy, rtol=1e-12) and np.isclose(found["energy"]["network"], network.predict(x, 4.0), rtol=1e-12)
    np.testing.assert_allclose(found["forces"], forces, rtol=1e-12)
    np.testing.assert_allclose(found["predicted_forces"], network.forces(x, 4.0), rtol=1e-12)
    np.testing.assert_allclose(found["eigenvalues"], pt.proximity_eigenvalues(x, 4.0, (-2, -3), 5.0), rtol=1e-12)
    at = np.nanargmin(np.abs(found["x"] - x[1, 0]))                       # the line passes through the particle
    assert abs(found["path"]["exact"][at] - energy) < 0.1 * max(1, abs(energy))


def test_the_positions_of_the_user_stay_as_they_are():
    x = np.random.default_rng(3).uniform(0, 4.0, (4, 2))
    kept = x.copy()
    explore.ConfigurationView(x, 4.0).set("x", 1.0)
    np.testing.assert_array_equal(x, kept)


def test_a_line_through_another_particle_has_a_gap():
    found = explore.ConfigurationView(np.array([[1.0, 2.0], [3.0, 2.0]]), 4.0, particle=1, points=400).compute()
    assert np.isnan(found["path"]["exact"]).any() and np.isfinite(found["path"]["exact"]).mean() > 0.9


def test_relaxation_walks_along_one_course():
    view, w = explore.RelaxationView(width=4.0, seed=5), 4.0
    for epochs in (0, 7, 100):
        view.set("epochs", epochs)
        same = pt.relax(view.start()[0], w, epochs=epochs, seed=5)
        np.testing.assert_array_equal(view.compute()["positions"], same.positions)
    assert explore.RelaxationView(relaxer="fire").compute()["acceptance"] is None


def test_selection_of_a_database(db):
    view = explore.DatabaseView(db)
    assert len(view.selection) == len(db)                                  # the ends are no limits, far energies stay in
    view.set("energy", (-2.0, -0.5))
    view.set("width", (4.6, 6.0))
    same = db.filter(energy=(-2.0, -0.5), width=(4.6, None))
    np.testing.assert_array_equal(view.selection.positions, same.positions)
    seen = set()
    for _ in range(len(same) + 3):
        seen.add(view.compute()["row"])
        view.next()
    assert len(seen) == len(same) and view.number == len(same) - 1
    assert view.compute()["selected_counts"].sum() == len(same)


@pytest.mark.parametrize("kind", ["AreaPair", "PairArea", "AreaPerimeter"])
def test_scaled_verdicts_are_those_of_the_potential(kind):
    u = getattr(pt, kind)(E_c=2.5, R_c=0.7)
    view = explore.PotentialView(kind, E_c=2.5, R_c=0.7, test="convergence")
    found = view.compute()
    assert {k: v.holds for k, v in found["verdicts"].items()} == {k: judge(u).holds for k, judge in pt.verdicts.PROPERTIES.items()}
    same = pt.diagnostics.convergence(u)
    np.testing.assert_allclose(found["test"].y, same.y, rtol=1e-9)
    np.testing.assert_array_equal(found["test"].x, same.x)


def test_a_potential_of_the_user():
    mine = pt.Potential(pair=explore.formula("where(r < 2, (2 - r)**2, 0)"), cutoff=2.0, name="mine")
    view = explore.PotentialView("given", given=mine)
    np.testing.assert_allclose(view.compute()["energy"]["pair"], mine.pair(view.compute()["r"]))
    assert ("mine", "given") in view.controls()[0].options


# pictures

@pytest.mark.parametrize("name", NAMES)
def test_a_picture_does_not_depend_on_those_before(name, db):
    "Axes and their frames are kept between pictures: the way to a setting must not show."
    view, fresh = views(db)[name], views(db)[name]
    for _ in range(2):
        for control in view.controls():
            if control.kind in ("button", "job", "text") or not control.shown: continue
            now = getattr(view, control.name)
            view.set(control.name, another(control, now))
            view.picture()
            view.set(control.name, now)
    if name == "configuration": view.positions = fresh.positions.copy()
    np.testing.assert_array_equal(pixels(view.picture()), pixels(fresh.picture()))


@pytest.mark.parametrize("name", NAMES)
def test_quick_rendering_is_that_of_matplotlib(name, db):
    view = views(db)[name]
    view.picture(), view.picture()
    figure = view._figure
    explore._render(figure)
    quick = np.asarray(figure.canvas.buffer_rgba()).astype(int)
    figure.canvas.draw()
    apart = np.abs(quick - np.asarray(figure.canvas.buffer_rgba()).astype(int)).max(axis=-1)
    assert (apart > 8).mean() < 1e-3                                       # but for ticks that meet a line


def test_what_is_drawn(db):
    relaxing, looking = explore.RelaxationView(epochs=60), explore.DatabaseView(db, energy=(-2.0, -1.0))
    relaxing.picture(), looking.picture()
    marker = relaxing._figure.axes[1].lines[1]
    assert marker.get_xydata().tolist() == [[60, relaxing.compute()["energy"]]]
    assert "60 epochs" in relaxing._figure.axes[0].get_title()
    everything, selected = (bars.get_data().values for bars in looking._figure.axes[0].patches)
    assert selected.sum() == len(looking.selection) and (selected <= everything).all()


# explorers

@needs_widgets
@pytest.mark.parametrize("name", NAMES)
def test_every_control_sets_something_and_shows_no_error(name, db):
    explorer = explore.Explorer(views(db)[name])
    assert bytes(explorer.image.value).startswith(b"\x89PNG") and "Error" not in explorer.message.value
    for control in explorer.view.controls():
        if control.kind in ("job", "button") or control.kind == "text" and not control.shown: continue
        now = getattr(explorer.view, control.name)
        explorer.controls[control.name].value = value = another(control, now)
        assert "Error" not in explorer.message.value, f"{control.name}: {explorer.message.value}"
        np.testing.assert_allclose(*(v if isinstance(v, (tuple, float, int)) else float(v == value) for v in (getattr(explorer, control.name), value)), rtol=1e-9)
        explorer.controls[control.name].value = now
    assert set(explorer.rows.children) <= set(explorer.controls.values())
    assert "widget-view+json" in str(explorer._repr_mimebundle_())


@needs_widgets
def test_errors_are_shown_and_end_with_their_cause():
    explorer = explore.potential()
    before = explorer.image.value
    explorer.controls["R_0"].value = 1.2
    explorer.controls["R_c"].value = 1.5
    assert "ValueError: R_0 must be above R_c" in explorer.message.value and explorer.image.value != before
    explorer.controls["R_c"].value = 1.0
    assert "Error" not in explorer.message.value
    explorer.controls["name"].value = "custom"
    explorer.controls["pair"].value = "1/q"
    assert "&#x27;q&#x27; is unknown" in explorer.message.value
    with pytest.raises(ValueError, match="is unknown"): explorer.set(pair="1/z")
    with pytest.raises(ValueError, match="no setting"): explorer.set(nothing=1)


@needs_widgets
def test_sliders_reach_what_was_given(db):
    explorer = explore.potential(R_0=7.0)
    assert explorer.controls["R_0"].value == explorer.R_0 == 7.0 and explorer.controls["R_0"].max == 7.0
    explorer.set(n=15.0)
    assert explorer.controls["n"].value == 15.0
    looking = explore.database(db, energy=(-50.0, 0.0))
    assert looking.controls["energy"].value == (-50.0, 0.0) and len(looking.selection) == (db.energy <= 0).sum()


def test_other_numbers_of_dimensions_and_particles():
    for d in (1, 3):
        other = pt.generate(pt.DatabaseSpec(40, n_particles=3, dimension=d, width=5.0, epochs=5, forces=True), progress=False)
        view = explore.DatabaseView(other)
        assert view.picture().startswith(b"\x89PNG") and view.compute()["positions"].shape == (3, d)
    seven = explore.ConfigurationView(np.random.default_rng(0).uniform(0, 6, (7, 2)), 6.0, particle=6)
    assert seven.picture().startswith(b"\x89PNG") and len(seven.compute()["eigenvalues"]) == 14


def test_a_network_of_another_size_is_refused(network):
    with pytest.raises(ValueError, match="4 particles|knows 4"): explore.ConfigurationView(np.random.default_rng(0).uniform(0, 6, (7, 2)), 6.0, network=network)


def test_results_belong_to_their_network(db, network):
    "What is remembered of one network is not shown for the next."
    view = explore.NetworkView(db, configurations=len(db), hidden="8")
    errors = []
    for shift in (-1.0, 5.0):
        view.network, view._at = pt.Network(network.spec, network.weights, network.shift, network.scale, shift, 0.1, 4, 2, about=network.about), (view.part, view.spec)
        errors.append(np.abs(np.subtract(*view.compute()["parity"])).mean())
        view.network = None
    assert errors[0] != errors[1]


@needs_widgets
def test_messages_are_text():
    explorer = explore.potential(name="ModifiedLennardJones")
    explorer._react(lambda: (_ for _ in ()).throw(ValueError("<script>alert(1)</script>")))
    assert "<script>" not in explorer.message.value and "&lt;script&gt;" in explorer.message.value


@needs_widgets
def test_training_without_tensorflow_says_what_to_install(db, monkeypatch):
    explorer = explore.network(db, configurations=300)
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    explorer.controls["train_now"].click()
    explorer.wait(60)
    assert "pip install" in explorer.message.value and "pes_toy[networks]" in explorer.message.value
    assert explorer.controls["train_now"] in explorer.rows.children and explorer.network is None      # ready for the next try


@needs_widgets
@needs_tensorflow
def test_training_by_hand(db):
    explorer = explore.network(db.filter(energy=(None, 3.0)), hidden="8", epochs=3)
    explorer.controls["train_now"].click()
    explorer.wait(300)
    assert len(explorer.network.history["loss"]) == 3 and "best validation MAE" in explorer.message.value
    found = explorer.compute()
    np.testing.assert_allclose(np.abs(np.subtract(*found["parity"])).mean(), explorer.network.validation_mae, rtol=1e-6)
    explorer.controls["orders"].value = "2"
    assert "orders must be -2 or below" in explorer.message.value


@needs_widgets
def test_an_error_in_the_picture_does_not_end_a_training(db):
    view = explore.NetworkView(db)
    explorer = explore.Explorer(view)
    view.orders = "nonsense"                                               # typed while a training runs
    assert view._epoch(dict(loss=[1.0], validation_mae=[1.0])) is False
    assert "orders must be whole numbers" in explorer.message.value


@pytest.mark.parametrize("make, words", [(lambda db: explore.database([1]), "must be a Database"), (lambda db: explore.network(3), "must be a Database"), (lambda db: explore.database(db[:0]), "empty"),
                                         (lambda db: explore.configuration(np.zeros((2, 4, 2)) + np.arange(4)[:, None]), "one configuration in two dimensions"), (lambda db: explore.configuration(network="missing.npz"), "no network file"),
                                         (lambda db: explore.configuration(network=3), "must be a Network"), (lambda db: explore.PotentialView().set("n", "six"), "n must be a finite number"), (lambda db: explore.RelaxationView().set("epochs", 1.5), "epochs must be a whole number"),
                                         (lambda db: explore.ConfigurationView().set("protocol", "both"), "one of exact, thesis"), (lambda db: explore.View().controls(), "must define")])
def test_what_cannot_be_explored(make, words, db):
    with pytest.raises((TypeError, ValueError, FileNotFoundError, NotImplementedError), match=words): make(db)


def test_without_ipywidgets(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(ImportError, match=r'pip install "pes_toy\[explore\]"'): explore.potential()
    assert explore.PotentialView().picture().startswith(b"\x89PNG")        # the views need none


def test_import_is_light():
    code = "import sys, pes_toy; pes_toy.explore; print({'ipywidgets', 'matplotlib', 'tensorflow', 'keras', 'PIL', 'pandas'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip() == "set()"
