"""The descriptors of the installed package: batteries that would teach nothing in the chapter."""
import dataclasses, itertools, json, math, subprocess, sys, warnings

import numpy as np
import pytest

import matplotlib
matplotlib.use("agg")
import matplotlib.pyplot as plt

from pes_toy import descriptors as ds, judging, symmetry_functions
from pes_toy.database import concat, load
from pes_toy.generation import generate
from pes_toy.specification import DatabaseSpec
from pes_toy.lattice import cells, lattice_points, wrap

OURS = [ds.ProximityEigenvalues(), ds.ProximityEigenvalues(R_0p=3.0), ds.ProximityEigenvalues((-2, -3.5, -6, -2), (3, 4, 2.2, 6)), symmetry_functions.SymmetryFunctions(), symmetry_functions.SymmetryFunctions(third_side=False, cutoff=2.0)]
SHAPES = [(N, d) for d in (1, 2, 3) for N in range(1, 7)]
name = lambda descriptor: f"{type(descriptor).__name__}-{len(str(descriptor.settings))}"


@dataclasses.dataclass(frozen=True)
class Dense(ds.Descriptor):
    "A user's own: numbers of lattice points near each particle, smeared; local, without gradients."
    sigma: float = 0.5
    local = True

    def values(self, positions, width):
        k = cells(positions.shape[2], 2)
        t = positions[:, None, :, None] - positions[:, :, None, None] + width[:, None, None, None, None] * k
        return np.exp(-0.5 * (t**2).sum(-1) / self.sigma**2).sum(axis=(2, 3))[:, :, None]


def shortest(x, w):
    "Shortest distance of two particles (M,)."
    t, w = x[:, :, None] - x[:, None], np.reshape(w, (-1, 1, 1, 1))
    return (np.sqrt(((t - w * np.round(t / w)) ** 2).sum(-1)) + 9 * np.eye(x.shape[1])).min(axis=(1, 2))


def spaced(N, d, M, rng, low=1.6, high=6.0):
    "Random configurations of mixed widths without close pairs."
    found, widths = [], []
    for _ in range(200_000):
        w = rng.uniform(low, high)
        x = rng.uniform(0, w, (N, d))
        if shortest(x[None], w)[0] > (0.35 if d > 1 else 0.08): found.append(x), widths.append(w)
        if len(found) == M: return np.array(found), np.array(widths)
    raise AssertionError("no room")


def size(descriptor, values, N):
    "What deviations are measured by: the largest eigenvalue of the order, or the largest value of a configuration."
    if not isinstance(descriptor, ds.ProximityEigenvalues): return np.abs(values).max(axis=tuple(range(1, values.ndim)), keepdims=True) + 1e-3
    return np.abs(values).reshape(len(values), -1, N).max(axis=2).repeat(N, axis=1) + 1e-12


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@pytest.mark.parametrize("descriptor", OURS, ids=name)
@pytest.mark.parametrize("N,d", SHAPES)
def test_symmetries(descriptor, N, d):
    rng = np.random.default_rng(N + 10 * d)
    x, w = spaced(N, d, 12, rng)
    M, values = len(x), descriptor.values(x, w)
    assert values.shape[-1] == descriptor.n_inputs(N, d) and np.isfinite(values).all()
    scale, order = size(descriptor, values, N), rng.permutation(N)
    close = lambda other, wanted=values: np.testing.assert_allclose(other / scale, wanted / scale, rtol=0, atol=1e-10)
    close(descriptor.values(x + rng.uniform(-20, 20, (M, 1, d)), w))
    close(descriptor.values(x + w[:, None, None] * rng.integers(-3, 4, (M, N, d)), w))
    close(descriptor.values(x[:, order], w), values[:, order] if descriptor.local else values)
    close(descriptor.values(x * np.where(np.arange(d) == 0, -1, 1), w))
    close(descriptor.values(x[..., ::-1], w))
    for axis in range(d):                                                    # both sides of a face
        y, z = x.copy(), x.copy()
        y[:, 0, axis], z[:, 0, axis] = 1e-13, w - 1e-13
        apart = shortest(y, w) > 0.2                                         # where a particle stands on another, 2e-13 is a long way
        assert (np.abs(descriptor.values(y, w) - descriptor.values(z, w)) <= 1e-10 * size(descriptor, descriptor.values(y, w), N))[apart].all()
    np.testing.assert_array_equal(descriptor.values(x[3], float(w[3])), values[3])          # alone, in a part, backwards: the same bits
    np.testing.assert_array_equal(descriptor.values(x[::-1], w[::-1]), values[::-1])


@pytest.mark.parametrize("descriptor", OURS, ids=name)
@pytest.mark.parametrize("N,d", SHAPES)
def test_gradients_and_pullback(descriptor, N, d):
    rng = np.random.default_rng(N + 10 * d)
    x, w = spaced(N, d, 8, rng)
    values = descriptor.values(x, w)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ds.DegenerateWarning)
        gradients = descriptor.gradients(x, w)
        g = rng.normal(size=values.shape)
        pulled = descriptor.pullback(x, w, g)
        np.testing.assert_array_equal(descriptor.gradients(x[2], float(w[2])), gradients[2])
        np.testing.assert_array_equal(descriptor.pullback(x[2], float(w[2]), g[2]), pulled[2])
    assert gradients.shape == (*values.shape, N, d) and pulled.shape == x.shape
    largest = np.abs(gradients).max() + 1e-12
    np.testing.assert_allclose(pulled, np.einsum("mk,mkid->mid", g.reshape(len(x), -1), gradients.reshape(len(x), -1, N, d)), rtol=0, atol=1e-11 * largest)
    np.testing.assert_allclose(gradients.sum(axis=-2), 0, atol=1e-11 * largest)
    smooth = np.ones(len(x), bool)
    if isinstance(descriptor, ds.ProximityEigenvalues): smooth = ~ds.degenerate_eigenvalues(x, w, descriptor.orders, descriptor.R_0p).any(axis=1)
    numeric, scale = ds.numerical_gradients(descriptor.values, x, w, step=3e-6), size(descriptor, values, N)[..., None, None]
    near = np.ones(values.shape, bool)
    if isinstance(descriptor, ds.ProximityEigenvalues):                      # an avoided crossing narrower than the step of the witness
        gap = np.diff(values.reshape(len(x), -1, N), axis=2, prepend=-np.inf, append=np.inf)
        near = (np.minimum(gap[..., :-1], gap[..., 1:]).reshape(values.shape) > 1e-2 * size(descriptor, values, N))
    wrong = np.where((near & smooth.reshape(-1, *[1] * (values.ndim - 1)))[..., None, None], np.abs(gradients - numeric) / np.maximum(scale, np.abs(gradients).max()), 0)
    assert wrong.max() < 1e-6


@pytest.mark.parametrize("d", [1, 2, 3])
def test_doubling_of_local_inputs(d):
    rng = np.random.default_rng(d)
    x, w = spaced(2, d, 5, rng, 1.6, 3.0)
    for descriptor in (symmetry_functions.SymmetryFunctions(), symmetry_functions.SymmetryFunctions(cutoff=4.5, third_side=False)):
        values = descriptor.values(x, w)
        for m in range(5):
            double = (x[m] + w[m] * np.array(list(itertools.product((0, 1), repeat=d)))[:, None]).reshape(-1, d)
            np.testing.assert_allclose(descriptor.values(double, 2 * w[m]), np.tile(values[m], (2**d, 1)), rtol=1e-9, atol=1e-10 * np.abs(values[m]).max())


@pytest.mark.parametrize("N,d", [(1, 1), (5, 1), (2, 2), (6, 2), (1, 3), (3, 3), (20, 2)])
def test_matrices_against_lattice_points(N, d):
    rng = np.random.default_rng(N)
    w, orders, R = 2.3, (-2, -3, -4.5), (6.0, 2.0, 3.0)
    x = rng.uniform(0, w, (N, d)) if N < 20 else rng.uniform(0, 9, (N, d))
    w = w if N < 20 else 9.0
    found = ds.proximity_matrices(x, w, orders, R)
    for o, R_0p, P in zip(orders, R, found):
        points, k = lattice_points(x, w, math.ceil(R_0p / w) + 1)
        r = np.linalg.norm(points[:, None] - x[None, :, None], axis=-1)
        keep = (r < R_0p) & ~((k == 0).all(axis=1)[:, None, None] & np.eye(N, dtype=bool))
        plain = np.where(keep, R_0p / np.where(keep, r, 1) - r / R_0p, 0) ** -o
        np.testing.assert_allclose(P, plain.sum(axis=0), rtol=1e-11, atol=1e-11 * plain.max())
        np.testing.assert_array_equal(P, P.T)
    values = ds.proximity_eigenvalues(x, w, orders, R).reshape(3, N)
    for P, v in zip(found, values): np.testing.assert_allclose(v, np.linalg.eigvalsh(P), rtol=0, atol=1e-13 * np.abs(v).max() * N + 1e-300)


def test_degenerate_are_reported_where_it_matters():
    square = np.array([[0, 0], [1, 0], [0, 1], [1, 1.0]]) + 1.5
    with pytest.warns(ds.DegenerateWarning, match="1 of 1"): ds.proximity_eigenvalue_gradients(square, 5.0)
    with pytest.warns(ds.DegenerateWarning): ds.ProximityEigenvalues().pullback(square[None], 5.0, np.ones((1, 8)))
    assert ds.degenerate_eigenvalues(np.stack([square, square * [1.2, 1.0] + [0, 0.1]]), 5.0).any(axis=1).tolist() == [True, False]
    turned = ds.proximity_eigenvalue_gradients                                # the mean does not depend on the numbering
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        a, b = turned(square, 5.0), turned(square[[3, 1, 0, 2]], 5.0)
    np.testing.assert_allclose(a[:, [3, 1, 0, 2]], b, rtol=0, atol=1e-10 * np.abs(a).max())


def test_bad_input_says_what_is_wrong():
    x = np.random.default_rng(0).uniform(0, 5, (3, 4, 2))
    for call, message in [(lambda: ds.proximity_eigenvalues(x, 5.0, (-2, -1.5)), "-2 or below"), (lambda: ds.proximity_eigenvalues(x, 5.0, (-2, -3), (3, -1)), "R_0p"),
                          (lambda: ds.proximity_eigenvalues(x * math.nan, 5.0), "finite"), (lambda: ds.proximity_eigenvalues(x, [5.0, 5.0]), "one for each"),
                          (lambda: ds.proximity_eigenvalues(np.zeros((1, 2, 4)), 5.0), "1 to 3 dimensions"), (lambda: symmetry_functions.SymmetryFunctions().values(np.ones((2, 2)), 5.0), "coincide"),
                          (lambda: ds.proximity_eigenvalues([[0, 0], [1e-17, 5.0]], 5.0), "coincide"), (lambda: ds.proximity_eigenvalue_gradients([[1, 1.0], [1, 1.0]], 5.0), "coincide"),
                          (lambda: ds.ProximityEigenvalues().pullback(x, 5.0, np.ones((3, 7))), "shape of the values"), (lambda: ds.RelativeDistances((-2, 1)), "orders"),
                          (lambda: symmetry_functions.SymmetryFunctions(radial=((1, 0), (1, 0))), "twice")]:
        with pytest.raises(ValueError, match=message): call()
    for call in (lambda: judging.report(ds.ProximityEigenvalues), lambda: ds.proximity_eigenvalues(x, 5.0, ("a",)), lambda: ds.prepare(None, "inputs"), lambda: ds.proximity_eigenvalues(x, 5.0, (True,))):
        with pytest.raises(TypeError): call()
    with pytest.raises(TypeError, match="choose another name"): type("SymmetryFunctions", (ds.Descriptor,), {"__module__": "elsewhere"})


@pytest.mark.parametrize("descriptor", [*OURS, ds.RelativeDistances(), Dense()], ids=name)
def test_settings_survive(descriptor):
    text = json.dumps(descriptor.settings)
    again = ds.descriptor_from_settings(json.loads(text))
    assert again == descriptor and hash(again) == hash(descriptor) and json.dumps(again.settings) == text
    assert descriptor != ds.ProximityEigenvalues(R_0p=19)
    with pytest.raises(dataclasses.FrozenInstanceError): setattr(descriptor, dataclasses.fields(descriptor)[0].name, 1)


def test_prepare_and_back(tmp_path):
    db = generate(DatabaseSpec(n_configurations=300, width=(2.0, 6.0), n_widths=3, epochs=5), progress=False)
    ready = db
    for i, descriptor in enumerate([*OURS, ds.RelativeDistances(), Dense()]): ready = ds.prepare(ready, descriptor, name=f"i{i}", progress=False)
    for stored in (ready, load(ready.save(tmp_path / "a.parquet"))):
        for i, descriptor in enumerate([*OURS, ds.RelativeDistances(), Dense()]):
            np.testing.assert_array_equal(ds.inputs_of(stored, descriptor, f"i{i}"), descriptor.values(db.positions, db.width))
            assert ds.inputs_of(stored[:7], None, f"i{i}").shape[0] == 7
        with pytest.raises(ValueError, match="were made with"): ds.inputs_of(stored, Dense(0.4), "i6")
    part, _ = ready.split(0.2)
    assert ds.inputs_of(concat([part, part]), OURS[0], "i0").shape == (2 * len(part), 8)


@pytest.mark.parametrize("descriptor", [ds.ProximityEigenvalues(R_0p=3.0), Dense()], ids=name)
@pytest.mark.parametrize("N,d", [(2, 1), (3, 3)])
def test_report_of_other_shapes(descriptor, N, d):
    db = generate(DatabaseSpec(n_configurations=120, n_particles=N, dimension=d, width=3.0, epochs=5), progress=False)
    found = judging.report(descriptor, db, searches=10, drags=2)
    assert found.freedom == d * (N - 1) and 0 < found.rank <= found.freedom and "independent inputs" in repr(found) and found._repr_html_().startswith("<table>")
    axs = found.plot()
    np.testing.assert_array_equal(axs[0].lines[0].get_ydata(), found.nearest_energy)
    assert len(axs[2].lines) == found.drag[1].shape[1] and axs[1].get_xlabel() == "singular value"


def test_report_finds_faults():
    @dataclasses.dataclass(frozen=True)
    class Raw(ds.Descriptor):
        "Positions as they are."
        def values(self, positions, width): return wrap(positions, width).reshape(len(positions), -1)
    found = judging.report(Raw(), searches=5, drags=3)
    assert all(found.symmetries[s] > 1e-3 for s in ("translation", "permutation", "crossing a face", "reflection")) and found.jumps[0] > 0.5 and found.symmetries["other images"] < 1e-10


def test_import_is_light():
    heavy = subprocess.run([sys.executable, "-c", "import sys, pes_toy.descriptors; print([m for m in ('tensorflow', 'sklearn', 'pandas', 'matplotlib', 'ipywidgets') if m in sys.modules])"], capture_output=True, text=True, check=True).stdout
    assert heavy.strip() == "[]"


def test_cells_far_narrower_than_the_cutoff_are_refused():
    with pytest.raises(ValueError, match="wider cell or a smaller cutoff"): symmetry_functions.SymmetryFunctions().values(np.random.default_rng(0).uniform(0, 0.05, (1, 4, 2)), np.array([0.05]))
