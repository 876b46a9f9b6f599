"""The explorers without a browser: controls, messages, trainings by hand."""

import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pes_toy as pt
import pytest
from exploring import NAMES, another, small_database, view_of
from pes_toy import explore

needs_widgets = pytest.mark.skipif(
    not find_spec("ipywidgets"), reason="ipywidgets is not installed"
)
needs_tensorflow = pytest.mark.skipif(
    not find_spec("tensorflow"), reason="TensorFlow is not installed"
)


@pytest.fixture(scope="module")
def db():
    return small_database()


@needs_widgets
@pytest.mark.parametrize("name", NAMES)
def test_every_control_sets_something_and_shows_no_error(name, db):
    explorer = explore.Explorer(view_of(name, db))
    assert bytes(explorer.image.value).startswith(b"\x89PNG")
    assert "Error" not in explorer.message.value
    for control in explorer.view.settings().values():
        if control.kind == "text" and not control.shown:
            continue
        now = getattr(explorer.view, control.name)
        value = another(control, now)
        explorer.controls[control.name].value = value
        said = explorer.message.value
        assert "Error" not in said, f"{control.name}: {said}"
        assert_same(getattr(explorer, control.name), value)
        explorer.controls[control.name].value = now
    assert {*explorer.rows.children} <= {*explorer.controls.values()}
    assert "widget-view+json" in str(explorer._repr_mimebundle_())


def assert_same(one, two):
    if isinstance(two, (tuple, float, int)):
        np.testing.assert_allclose(one, two, rtol=1e-9)
    else:
        assert one == two


@needs_widgets
def test_errors_are_shown_and_end_with_their_cause():
    explorer = explore.potential()
    before = explorer.image.value
    explorer.controls["R_0"].value = 1.2
    explorer.controls["R_c"].value = 1.5
    assert "ValueError: R_0 must be above R_c" in explorer.message.value
    assert explorer.image.value != before
    explorer.controls["R_c"].value = 1.0
    assert "Error" not in explorer.message.value
    explorer.controls["name"].value = "custom"
    explorer.controls["pair"].value = "1/q"
    assert "&#x27;q&#x27; is unknown" in explorer.message.value
    with pytest.raises(ValueError, match="is unknown"):
        explorer.set(pair="1/z")
    with pytest.raises(ValueError, match="no setting"):
        explorer.set(nothing=1)


@needs_widgets
def test_sliders_reach_what_was_given(db):
    explorer = explore.potential(R_0=7.0)
    slider = explorer.controls["R_0"]
    assert slider.value == explorer.R_0 == slider.max == 7.0
    explorer.set(n=15.0)
    assert explorer.controls["n"].value == 15.0
    looking = explore.database(db, energy=(-50.0, 0.0))
    assert looking.controls["energy"].value == (-50.0, 0.0)
    assert len(looking.selection) == (db.energy <= 0).sum()


@needs_widgets
def test_a_potential_begins_with_its_parameters():
    explorer = explore.potential(pt.Morse(k_e=20.0))
    assert explorer.name == "Morse" and explorer.controls["k_e"].value == 20.0
    assert explorer.potential == pt.Morse(k_e=20.0)


@needs_widgets
def test_messages_are_text():
    explorer = explore.potential(name="ModifiedLennardJones")

    def fail():
        raise ValueError("<script>alert(1)</script>")

    explorer._react(fail)
    assert "<script>" not in explorer.message.value
    assert "&lt;script&gt;" in explorer.message.value


@needs_widgets
def test_training_without_tensorflow_says_what_to_install(db, monkeypatch):
    explorer = explore.network(db, configurations=300)
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    explorer.controls["train_now"].click()
    explorer.wait(60)
    said = explorer.message.value
    assert "pip install" in said and "pes_toy[networks]" in said
    assert explorer.controls["train_now"] in explorer.rows.children  # ready for the next try
    assert explorer.network is None


@needs_widgets
@needs_tensorflow
def test_training_by_hand(db):
    explorer = explore.network(db.filter(energy=(None, 3.0)), hidden="8", epochs=3)
    explorer.controls["train_now"].click()
    explorer.wait(300)
    assert len(explorer.network.history["loss"]) == 3
    assert "best validation MAE" in explorer.message.value
    error = np.abs(np.subtract(*explorer.compute()["parity"])).mean()
    np.testing.assert_allclose(error, explorer.network.validation_mae, rtol=1e-6)
    explorer.controls["orders"].value = "2"
    assert "orders must be -2 or below" in explorer.message.value


@needs_widgets
def test_an_error_in_the_picture_does_not_end_a_training(db):
    view = explore.NetworkView(db)
    explorer = explore.Explorer(view)
    view.orders = "nonsense"  # typed while a training runs
    assert view._epoch(dict(loss=[1.0], validation_mae=[1.0])) is False
    assert "orders must be whole numbers" in explorer.message.value


@needs_widgets
def test_what_was_pressed_is_taken_away():
    explorer = explore.relaxation(epochs=5)
    explorer.close()
    assert explorer.image.value == b""


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: explore.database([1]), "must be a Database"),
        (lambda: explore.network(3), "must be a Database"),
        (lambda: explore.configuration(network="missing.npz"), "no network file"),
        (lambda: explore.configuration(network=3), "must be a Network"),
    ],
)
def test_what_cannot_be_explored(make, words):
    with pytest.raises((TypeError, ValueError, FileNotFoundError), match=words):
        make()


def test_without_ipywidgets(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(ImportError, match=r'pip install "pes_toy\[explore\]"'):
        explore.potential()
    assert explore.PotentialView().picture().startswith(b"\x89PNG")  # the views need none


LIGHT = """
import sys, pes_toy
pes_toy.explore
heavy = {"ipywidgets", "matplotlib", "tensorflow", "keras", "PIL", "pandas"}
print(heavy & set(sys.modules))
"""


@pytest.mark.quick
def test_import_is_light():
    ended = subprocess.run(
        [sys.executable, "-c", LIGHT], check=True, capture_output=True, text=True
    )
    assert ended.stdout.strip() == "set()"
