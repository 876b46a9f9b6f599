"""Pictures of networks and the drag test."""

import dataclasses
import math

import numpy as np
import pytest

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt

from models import TINY, handmade
from pes_toy.specification import DatabaseSpec
from pes_toy.descriptors import drag_path
from pes_toy.energy import energy_per_particle
from pes_toy.training import TrainingSpec, train_in_memory as train


def test_names_stand_beside_a_configuration(db, small):
    ax = small.plot_sample(db, 3)
    ax.figure.canvas.draw()
    assert ax.get_legend().get_window_extent().x0 >= ax.bbox.x1


def test_pictures_of_a_network(db, small):
    both = train(db, TrainingSpec("symmetry", force_weight=0.1, **TINY), progress=False)
    for network, curves in (
        (small, ["loss", "validation_mae"]),
        (both, ["loss", "validation_mae", "validation_force_error"]),
    ):
        ax = network.plot_history()
        for line, key in zip(ax.lines, curves, strict=True):
            factor = 100 if key == "validation_force_error" else 1  # per cent
            drawn = factor * np.array(network.history[key])
            np.testing.assert_array_equal(
                line.get_xydata(), np.stack([[1, 2, 3, 4], drawn], axis=1)
            )
        assert (
            ax.get_xlabel() == "epoch"
            and ax.get_yscale() == "log"
            and len(ax.get_legend().get_texts()) == len(curves)
        )
    fig, (one, two) = plt.subplots(1, 2)
    assert small.plot_prediction(db, one) is one and small.plot_history(two) is two
    np.testing.assert_array_equal(
        one.lines[0].get_xydata(),
        np.stack([db.energy, small.predict(db.positions, db.width)], axis=1),
    )
    np.testing.assert_array_equal(
        one.lines[1].get_xydata(), np.array([[1, 1]]) * [[db.energy.min()], [db.energy.max()]]
    )
    assert (
        f"{np.abs(small.predict(db.positions, db.width) - db.energy).mean():.3g}" in one.get_title()
        and "real" in one.get_xlabel()
        and "predicted" in one.get_ylabel()
    )
    some = small.plot_prediction(db, limit=30).lines[0].get_xydata()
    assert len(some) == 30 and set(some[:, 0]) <= set(db.energy)
    with pytest.raises(ValueError, match="no history"):
        handmade(TrainingSpec()).plot_history()
    with pytest.raises(ValueError, match="empty"):
        small.plot_prediction(db[:0])


def test_a_sample_with_its_forces(db, small):
    ax = small.plot_sample(db, 7)
    v, f = small.energy_and_forces(db.positions[7], db.width[7])
    real, predicted = (c for c in ax.collections if hasattr(c, "U"))
    for arrows, forces in ((real, db.forces[7]), (predicted, f)):
        np.testing.assert_allclose(np.stack([arrows.U, arrows.V], axis=1), forces)
        np.testing.assert_allclose(arrows.XY, db.positions[7])
    assert f"{db.energy[7]:.4f}" in ax.get_title() and f"{v:.4f}" in ax.get_title()
    bare = dataclasses.replace(db)
    bare.forces = None
    assert len([c for c in small.plot_sample(bare, 7).collections if hasattr(c, "U")]) == 1
    assert (
        small.plot_sample(db, seed=1).get_title()
        == small.plot_sample(db, int(np.random.default_rng(1).integers(200))).get_title()
    )
    for row in (200, -1, 1.5):
        with pytest.raises(ValueError, match="row must be"):
            small.plot_sample(db, row)


@pytest.mark.parametrize(
    "protocol,labels", [("exact", None), ("thesis", None), ("thesis", "exact")]
)
def test_the_drag_knows_the_truth(protocol, labels):
    spec = DatabaseSpec() if protocol == "exact" else DatabaseSpec.thesis()
    for inputs in ("proximity", "symmetry"):
        network = handmade(TrainingSpec(inputs), about=dict(database=spec.to_dict(), labels=labels))
        drag, path = network.drag(width=4.0, points=41), drag_path(41, 2.0, 4.0)
        how = dict(depth=spec.depth, protocol=labels or protocol)

        def truth(x):
            return energy_per_particle(x, 4.0, spec.potential, **how)

        np.testing.assert_array_equal(drag.y, np.linspace(0, 4, 41))
        np.testing.assert_allclose(drag.energy, truth(path), rtol=1e-12)
        np.testing.assert_array_equal(drag.predicted, network.predict(path, 4.0))
        step = np.zeros_like(path)
        step[:, 3, 1] = 3e-6
        # on the face the frozen images jump
        inner = slice(1, 40) if protocol == "thesis" else slice(None)
        for slope, v in (
            (drag.gradient, truth),
            (drag.predicted_gradient, lambda x: network.predict(x, 4.0)),
        ):
            np.testing.assert_allclose(
                slope[inner],
                ((v(path + step) - v(path - step)) / 6e-6)[inner],
                rtol=0,
                atol=1e-5 * np.abs(slope).max(),
            )
    np.testing.assert_allclose(
        drag.energy_error,
        np.abs(drag.predicted - drag.energy).mean() / (drag.energy.max() - drag.energy.min()),
    )
    np.testing.assert_allclose(
        drag.gradient_error,
        np.abs(drag.predicted_gradient - drag.gradient).mean() / np.ptp(drag.gradient),
    )
    perfect = dataclasses.replace(drag, predicted=drag.energy, predicted_gradient=drag.gradient)
    assert (perfect.energy_error, perfect.gradient_error, perfect.oscillation) == (0, 0, 0)
    assert math.isclose(
        dataclasses.replace(drag, predicted_gradient=-2 * drag.gradient).oscillation, 1
    )
    for ax, pair in zip(
        network.plot_drag(width=4.0, points=41),
        ((drag.energy, drag.predicted), (drag.gradient, drag.predicted_gradient)),
        strict=True,
    ):
        for line, y in zip(ax.lines, pair, strict=True):
            np.testing.assert_array_equal(line.get_xydata(), np.stack([drag.y, y], axis=1))
        assert [t.get_text() for t in ax.get_legend().get_texts()] == [
            "true",
            "network",
        ] and "dragged" in ax.get_xlabel()


def test_the_drag_needs_a_truth():
    network = handmade(TrainingSpec(), about=dict(database=None))
    with pytest.raises(ValueError, match="give potential="):
        network.drag()
    np.testing.assert_allclose(
        network.drag(DatabaseSpec().potential, points=9).energy,
        energy_per_particle(drag_path(9), 5.0),
        rtol=1e-12,
    )
    with pytest.raises(ValueError, match="knows 3 only"):
        handmade(TrainingSpec(), N=3, about=dict(database=DatabaseSpec().to_dict())).drag()
    assert handmade(
        TrainingSpec("symmetry"), N=3, about=dict(database=DatabaseSpec().to_dict())
    ).drag(points=9).predicted.shape == (9,)
