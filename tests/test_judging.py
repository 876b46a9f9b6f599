"""Reports on descriptors: other shapes, faults that must be found, and what is drawn."""

import dataclasses

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest

from pes_toy.descriptors import Descriptor, ProximityEigenvalues
from pes_toy.generation import generate_in_memory as generate
from pes_toy.judging import report
from pes_toy.lattice import wrap
from pes_toy.specification import DatabaseSpec
from pes_toy.symmetry_functions import SymmetryFunctions

FEW_FUNCTIONS = SymmetryFunctions(radial=[(0.5, 0.0), (2.0, 0.0), (8.0, 0.0)], angular=[])


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@dataclasses.dataclass(frozen=True)
class Raw(Descriptor):
    "Positions as they are."

    def values(self, positions, width):
        return wrap(positions, width).reshape(len(positions), -1)


@pytest.mark.parametrize("descriptor", [ProximityEigenvalues(R_0p=3.0), FEW_FUNCTIONS], ids=str)
@pytest.mark.parametrize("N,d", [(2, 1), (3, 3)])
def test_other_shapes(descriptor, N, d):
    spec = DatabaseSpec(n_configurations=120, n_particles=N, dimension=d, width=3.0, epochs=5)
    found = report(descriptor, generate(spec, progress=False), searches=10, drags=2)
    assert found.freedom == d * (N - 1)
    assert 0 < found.rank <= found.freedom
    assert "independent inputs" in repr(found)
    assert found._repr_html_().startswith("<table>")
    assert ("doubling" in found.symmetries) == descriptor.local
    axs = found.plot()
    np.testing.assert_array_equal(axs[0].lines[0].get_ydata(), found.nearest_energy)
    assert len(axs[2].lines) == found.drag[1].shape[1]
    assert axs[1].get_xlabel() == "singular value"
    for ax in axs:
        assert ax.get_legend() is not None


def test_curves_of_a_drag_have_colours_of_their_own():
    found = report(ProximityEigenvalues((-2, -3, -4), 3.0), searches=2, drags=1)
    lines = found.plot()[2].lines
    assert len({tuple(line.get_color()) for line in lines}) == len(lines) == 12


def test_names_of_the_inputs_stand_beside_the_curves():
    found = report(ProximityEigenvalues((-2, -3), 3.0), searches=2, drags=1)
    ax = found.plot()[2]
    ax.figure.canvas.draw()
    assert ax.get_legend().get_window_extent().x0 >= ax.bbox.x1
    low, high = ax.get_ylim()
    inside = (found.drag[1] > low) & (found.drag[1] < high)
    assert 0.9 < inside[np.isfinite(found.drag[1])].mean() # the steep rest is cut off


def test_faults_are_found():
    found = report(Raw(), searches=5, drags=3)
    for symmetry in ("translation", "permutation", "crossing a face", "reflection"):
        assert found.symmetries[symmetry] > 1e-3
    assert found.symmetries["other images"] < 1e-10
    assert found.jumps[0] > 0.5


def test_bad_input_says_what_is_wrong():
    with pytest.raises(TypeError, match="must be a Descriptor"):
        report(ProximityEigenvalues)
    db = generate(DatabaseSpec(n_configurations=2, epochs=1), progress=False)
    with pytest.raises(ValueError, match="at least two"):
        report(ProximityEigenvalues(), db[:1])


@dataclasses.dataclass(frozen=True)
class Askew(Raw):
    "Gradients with the axes in another order: as many numbers, each in the wrong place."

    def gradients(self, positions, width):
        J = super().gradients(positions, width)
        return J.transpose(0, 2, 3, 1)

    def pullback(self, positions, width, g):
        return np.zeros_like(positions)


def test_gradients_of_another_shape_are_refused():
    db = generate(DatabaseSpec(n_configurations=50, epochs=2), progress=False)
    with pytest.raises(ValueError, match="gradients of Askew must be numbers of the shape"):
        report(Askew(), db, searches=4, drags=1)
