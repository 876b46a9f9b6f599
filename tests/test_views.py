"""Views without widgets: numbers of the chapters, pictures that depend on nothing before."""

import dataclasses

import numpy as np
import pes_toy as pt
import pytest
from exploring import NAMES, another, pixels, random_network, small_database, view_of
from pes_toy import explore
from pes_toy.base.registry import POTENTIALS, RELAXERS
from pes_toy.base.settings import described
from pes_toy.verdicts import PROPERTIES
from pes_toy.views import render


@pytest.fixture(scope="module")
def db():
    return small_database()


@pytest.fixture(scope="module")
def network(db):
    return random_network(db)


# potentials


@pytest.mark.parametrize("kind", ["AreaPair", "PairArea", "AreaPerimeter"])
def test_scaled_verdicts_are_those_of_the_potential(kind):
    u = getattr(pt, kind)(E_c=2.5, R_c=0.7)
    found = explore.PotentialView(kind, E_c=2.5, R_c=0.7, test="convergence").compute()
    for name, judge in PROPERTIES.items():
        assert found["verdicts"][name].holds == judge(u).holds, name
    same = pt.diagnostics.convergence(u)
    np.testing.assert_allclose(found["test"].y, same.y, rtol=1e-9)
    np.testing.assert_array_equal(found["test"].x, same.x)


def test_a_potential_of_the_user():
    pair = explore.formula("where(r < 2, (2 - r)**2, 0)")
    mine = pt.Potential(pair=pair, cutoff=2.0, name="mine")
    view = explore.PotentialView("given", given=mine)
    found = view.compute()
    np.testing.assert_allclose(found["energy"]["pair"], mine.pair(found["r"]))
    assert ("mine", "given") in view.controls()[0].options


@pytest.mark.quick
def test_every_registered_potential_has_a_slider_for_each_parameter():
    names = explore.PotentialView().controls()[0].values
    assert names == [*POTENTIALS.names(), "custom"]
    for name in POTENTIALS.names():
        view = explore.PotentialView(name)
        kind = POTENTIALS[name]
        shown = {c.name: c for c in view.controls() if c.kind == "slider" and c.shown}
        assert {*shown} == {*described(kind)}
        for one in described(kind).values():
            assert shown[one.name].low < one.default < shown[one.name].high
        assert view.potential == kind()


# configurations


def test_the_energy_jumps_at_the_face_as_published_only():
    view = explore.ConfigurationView()
    both = []
    for x in (-0.001, 0.001):
        view.set("x", x)
        both.append(view.compute()["energy"])
    jump = {p: abs(both[0][p] - both[1][p]) for p in ("exact", "thesis")}
    assert jump["exact"] < 0.05 < 0.5 < jump["thesis"]


def test_configuration_is_what_the_chapters_say(network, tmp_path):
    x = np.random.default_rng(3).uniform(0, 4.0, (4, 2))
    path = network.save(tmp_path / "network.npz")
    view = explore.ConfigurationView(x, 4.0, network=path, R_0p=5.0, particle=1)
    found = view.compute()
    energy, forces = pt.energy_and_forces(x, 4.0)
    np.testing.assert_allclose(found["energy"]["exact"], energy, rtol=1e-12)
    np.testing.assert_allclose(found["energy"]["network"], network.predict(x, 4.0), rtol=1e-12)
    np.testing.assert_allclose(found["forces"], forces, rtol=1e-12)
    np.testing.assert_allclose(found["predicted_forces"], network.forces(x, 4.0), rtol=1e-12)
    eigenvalues = pt.proximity_eigenvalues(x, 4.0, (-2, -3), 5.0)
    np.testing.assert_allclose(found["eigenvalues"], eigenvalues, rtol=1e-12)
    at = np.nanargmin(np.abs(found["x"] - x[1, 0]))  # the line passes through the particle
    assert abs(found["path"]["exact"][at] - energy) < 0.1 * max(1, abs(energy))


def test_the_positions_of_the_user_stay_as_they_are():
    x = np.random.default_rng(3).uniform(0, 4.0, (4, 2))
    kept = x.copy()
    explore.ConfigurationView(x, 4.0).set("x", 1.0)
    np.testing.assert_array_equal(x, kept)


def test_a_line_through_another_particle_has_a_gap():
    x = np.array([[1.0, 2.0], [3.0, 2.0]])
    found = explore.ConfigurationView(x, 4.0, particle=1, points=400).compute()
    known = np.isfinite(found["path"]["exact"])
    assert 0.9 < known.mean() < 1


def test_a_network_of_another_size_is_refused(network):
    x = np.random.default_rng(0).uniform(0, 6, (7, 2))
    with pytest.raises(ValueError, match="4 particles|knows 4"):
        explore.ConfigurationView(x, 6.0, network=network)


def test_a_model_that_looks_at_positions(db):
    "It has no descriptor and keeps no spec, and is drawn beside the truth all the same."
    model = Nearest()
    view = explore.ConfigurationView(network=model)
    found = view.compute()
    assert found["energy"]["network"] == model.predict(view.positions, 5.0)
    assert np.isfinite(found["path"]["network"]).all()
    assert view.picture().startswith(b"\x89PNG")
    judged = explore.NetworkView(db, network=model)
    true, predicted = judged.compute()["parity"]
    np.testing.assert_array_equal(true, db.energy)
    assert predicted.shape == true.shape and judged.picture().startswith(b"\x89PNG")
    assert "MAE" in judged.text()


class Nearest(pt.Predictor):
    "The energy is the square of the smallest distance from the first particle."

    n_particles = 4
    dimension = 2
    about = {}

    def _distances(self, positions, width):
        apart = np.asarray(positions)[..., 1:, :] - np.asarray(positions)[..., :1, :]
        w = np.reshape(width, np.shape(width) + (1, 1))
        apart = apart - w * np.round(apart / w)
        return (apart**2).sum(axis=-1).min(axis=-1)

    def predict(self, positions, width):
        return self._distances(positions, width)[()]

    def energy_and_forces(self, positions, width):
        return self.predict(positions, width), np.zeros(np.shape(positions))


# relaxation


def test_relaxation_walks_along_one_course():
    view = explore.RelaxationView(width=4.0, seed=5)
    for epochs in (0, 7, 100):
        view.set("epochs", epochs)
        same = pt.relax(view.start()[0], 4.0, epochs=epochs, seed=5)
        np.testing.assert_array_equal(view.compute()["positions"], same.positions)
    assert explore.RelaxationView(relaxer="fire").compute()["acceptance"] is None


@pytest.mark.quick
def test_sliders_end_where_the_settings_say():
    known = pt.DatabaseSpec.described()
    for control in explore.RelaxationView().controls():
        limits = known[control.name].limits
        if control.name == "relaxer":
            assert control.values == RELAXERS.names()
        elif limits.choices:
            assert control.values == [*limits.choices]
        else:
            assert (control.low, control.high) == limits.slider[:2]
        assert control.tip == known[control.name].meaning != ""


# databases


def test_selection_of_a_database(db):
    view = explore.DatabaseView(db)
    assert len(view.selection) == len(db)  # the ends are no limits, far energies stay in
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


def test_other_numbers_of_dimensions_and_particles():
    for d in (1, 3):
        spec = pt.DatabaseSpec(40, n_particles=3, dimension=d, width=5.0, epochs=5, forces=True)
        view = explore.DatabaseView(pt.generate(spec, progress=False))
        assert view.picture().startswith(b"\x89PNG")
        assert view.compute()["positions"].shape == (3, d)
    x = np.random.default_rng(0).uniform(0, 6, (7, 2))
    seven = explore.ConfigurationView(x, 6.0, particle=6)
    assert seven.picture().startswith(b"\x89PNG") and len(seven.compute()["eigenvalues"]) == 14


# networks


def test_results_belong_to_their_network(db):
    "What is remembered of one network is not shown for the next."
    view = explore.NetworkView(db, configurations=len(db), hidden="8")
    errors = []
    for shift in (-1.0, 5.0):
        view.network = random_network(db, shift)
        view._at = view.part, view.spec
        errors.append(np.abs(np.subtract(*view.compute()["parity"])).mean())
        view.network = None
    assert errors[0] != errors[1]


# pictures


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_does_not_depend_on_those_before(name, db):
    "Axes and their frames are kept between pictures: the way to a setting must not show."
    view = view_of(name, db)
    fresh = view_of(name, db)
    for _ in range(2):
        for control in view.settings().values():
            if control.kind == "text" or not control.shown:
                continue
            now = getattr(view, control.name)
            view.set(control.name, another(control, now))
            view.picture()
            view.set(control.name, now)
    if name == "configuration":
        view.positions = fresh.positions.copy()
    np.testing.assert_array_equal(pixels(view.picture()), pixels(fresh.picture()))


@pytest.mark.parametrize("name", NAMES)
def test_quick_rendering_is_that_of_matplotlib(name, db):
    view = view_of(name, db)
    view.picture()
    view.picture()
    figure = view._figure
    render(figure)
    quick = np.asarray(figure.canvas.buffer_rgba()).astype(int)
    figure.canvas.draw()
    slow = np.asarray(figure.canvas.buffer_rgba()).astype(int)
    apart = np.abs(quick - slow).max(axis=-1)
    assert (apart > 8).mean() < 1e-3  # but for ticks that meet a line


def test_what_is_drawn_of_a_relaxation():
    view = explore.RelaxationView(epochs=60)
    view.picture()
    marker = view._figure.axes[1].lines[1]
    assert marker.get_xydata().tolist() == [[60, view.compute()["energy"]]]
    assert "60 epochs" in view._figure.axes[0].get_title()


def test_what_is_drawn_of_a_database(db):
    view = explore.DatabaseView(db, energy=(-2.0, -1.0))
    view.picture()
    bars = (bars.get_data().values for bars in view._figure.axes[0].patches)
    everything, selected = bars
    assert selected.sum() == len(view.selection) and (selected <= everything).all()


def test_the_chosen_order_alone_is_drawn():
    view = explore.ConfigurationView(order=-3)
    view.picture()
    found = view.compute()
    lines = [line for line in view._figure.axes[1].lines if len(line.get_ydata()) > 100]
    drawn = np.array([line.get_ydata()[101:201] for line in lines])
    np.testing.assert_array_equal(drawn, found["path_eigenvalues"][:, 4:].T)
    assert "order \u22123" in view._figure.axes[1].get_title()


def test_names_of_the_energies_stand_above_the_curves():
    view = explore.ConfigurationView(protocol="thesis")
    view.picture()
    ax = view._figure.axes[2]
    assert {text.get_text() for text in ax.texts} == {"thesis", "exact"}
    for text in ax.texts:
        assert text.get_window_extent().y0 > ax.bbox.y1
        assert text.get_window_extent().y1 < ax.title.get_window_extent().y0


# what cannot be


TWO = np.zeros((2, 4, 2)) + np.arange(4)[:, None]


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda db: explore.DatabaseView([1]), "must be a Database"),
        (lambda db: explore.NetworkView(3), "must be a Database"),
        (lambda db: explore.DatabaseView(db[:0]), "empty"),
        (lambda db: explore.ConfigurationView(TWO), "one configuration in two dimensions"),
        (lambda db: explore.ConfigurationView(network="missing.npz"), "no network file"),
        (lambda db: explore.ConfigurationView(network=3), "must be a Network"),
        (lambda db: explore.NetworkView(db, network=3), "must be a Network"),
        (lambda db: explore.PotentialView().set("n", "six"), "n must be a finite number"),
        (lambda db: explore.PotentialView(R_1=1.0), "no parameter of a potential"),
        (lambda db: explore.RelaxationView().set("epochs", 1.5), "epochs must be a whole number"),
        (lambda db: explore.RelaxationView(protocol="both"), "one of exact, thesis"),
        (lambda db: explore.ConfigurationView().set("protocol", "both"), "one of exact, thesis"),
        (lambda db: explore.View().controls(), "must define"),
    ],
)
def test_what_cannot_be_explored(make, words, db):
    wrong = (TypeError, ValueError, FileNotFoundError, NotImplementedError)
    with pytest.raises(wrong, match=words):
        make(db)


def test_views_are_dataclasses_that_know_their_settings(db):
    for name in NAMES:
        view = view_of(name, db)
        assert dataclasses.fields(view)
        for control in view.settings().values():
            assert hasattr(view, control.name)
