"""Pictures of sweeps show what the results say."""
import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import pytest
from runs import BASELINE, NETWORK, made_up

from pes_toy.sweeps import Sweep, sweep

NAMES = ["plain", "local"]


@pytest.fixture
def found():
    return made_up()


def test_points_of_each_run(found):
    mae = found.values("energy_mae")
    fig, ax = plt.subplots()
    assert found.plot(ax=ax, reference=0.47) is ax and ax.get_xscale() == "log"
    *lines, dashed = ax.lines
    for row, (points, bar) in enumerate(zip(lines[::2], lines[1::2], strict=True)):
        np.testing.assert_array_equal(points.get_xydata(), [[v, row] for v in mae[row]])
        np.testing.assert_allclose(bar.get_xdata()[0], mae[row].mean())
    assert list(dashed.get_xdata()) == [0.47, 0.47]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["plain"] * 3 + ["local"] * 3


def test_lines_against_a_setting(found):
    mae = found.values("energy_mae")
    ax = found.plot_against("database.n_configurations")
    order = [1, 2, 0]
    halves = (mae[:3], mae[3:])
    for line, band, rows, label in zip(ax.lines, ax.collections, halves, NAMES, strict=True):
        wanted = np.stack([[100, 200, 400], rows.mean(axis=1)[order]], axis=1)
        np.testing.assert_allclose(line.get_xydata(), wanted)
        assert line.get_label() == label
        np.testing.assert_allclose(band.get_paths()[0].vertices[:, 1].max(), rows.max())
    assert ax.get_xlabel() == "number of configurations"


@pytest.mark.parametrize("what", ["gradient", "energy"])
def test_the_drag(found, what):
    predicted = "predicted" if what == "energy" else "predicted_gradient"
    first, second = (found[name][0]["drag"] for name in NAMES)
    wanted = [(first, what), (first, predicted), (second, predicted)]
    for line, (drag, key) in zip(found.plot_drag(NAMES, what).lines, wanted, strict=True):
        assert line.get_xydata().tolist() == [[*p] for p in zip(drag["y"], drag[key])]


def test_histories(found):
    for line, name in zip(found.plot_history(NAMES).lines, NAMES, strict=True):
        history = found[name][0]["history"]
        assert line.get_ydata().tolist() == history["validation_mae"]
        assert line.get_xdata().tolist() == [1, 5, 9]


def test_errors_by_width(found):
    for line, name in zip(found.plot_widths(NAMES).lines, NAMES, strict=True):
        for w, shown in line.get_xydata():
            errors = [result["by_width"][f"{w:.1f}"] for result in found[name]]
            np.testing.assert_allclose(shown, np.mean(errors))


def test_parity(found):
    points, diagonal = found.plot_parity("local").lines
    assert points.get_xydata().tolist() == [[*p] for p in zip(*found["local"][0]["parity"])]
    assert diagonal.get_xdata().tolist() == diagonal.get_ydata().tolist()


def test_pictures_with_a_diverged_training(found):
    name = dataclasses.replace(found.runs[0][0], name="lost")
    why = dict(diverged="training diverged in epoch 1")
    lost = Sweep([(name, [why] * 2), *found.runs])
    for draw in (lost.plot_drag, lost.plot_history, lost.plot_widths):
        assert len(draw().lines) >= 6
        with pytest.raises(ValueError, match="'lost'.*diverged"):
            draw(["lost"])
    with pytest.raises(ValueError, match="'lost'.*diverged"):
        lost.plot_parity("lost")


def test_pictures_with_a_baseline():
    found = sweep([BASELINE, NETWORK], repeats=1, progress=False)
    assert len(found.plot_history().lines) == 1
