"""No kernel is entered with shapes that do not fit: descriptors that changed, files that lie."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pes_toy as pt
import pytest
from models import TINY, Waves, handmade, spread
from pes_toy.descriptors import Descriptor, ProximityEigenvalues
from pes_toy.engine.layers import Layers
from pes_toy.models import _digest, load_network
from pes_toy.prepared import inputs_of, prepare
from pes_toy.training import TrainingSpec, inputs_for


SMALL = dict(TINY, hidden=(8, 4))


class Edited:
    "What a descriptor of one's own returns; a test changes it, as an editor does."

    inputs = 40
    gradients = None
    change = staticmethod(lambda values: values)


@dataclasses.dataclass(frozen=True)
class Own(Descriptor):
    "A user's own descriptor, of as many inputs as `Edited` says."

    def values(self, positions, width):
        waves = np.arange(1, Edited.inputs + 1)
        flat = positions.reshape(len(positions), -1)
        return Edited.change(np.cos(flat[:, :1] * waves) + flat.sum(axis=1)[:, None])

    def gradients(self, positions, width):
        shape = Edited.gradients or (len(positions), Edited.inputs, *positions.shape[1:])
        return np.ones(shape)


@pytest.fixture
def edited(monkeypatch):
    "Sets what the descriptor returns, for one test."

    def edit(**changes):
        for name, value in changes.items():
            monkeypatch.setattr(Edited, name, staticmethod(value) if callable(value) else value)

    return edit


@pytest.fixture
def trained():
    return handmade(TrainingSpec(Own(), **SMALL))


@pytest.mark.parametrize("inputs", [39, 12, 3, 41, 1, 400])
def test_a_descriptor_that_was_edited_after_training(inputs, edited, trained, tmp_path):
    path = trained.save(tmp_path / "own.npz")
    db = pt.sample_database()[:20]
    prepared = prepare(db, Own(), progress=False)
    x = db.positions[:5]
    trained.energy_and_forces(x, 5.0)
    edited(inputs=inputs)
    for call in (trained.predict, trained.forces, trained.energy_and_forces):
        for positions in (x, x[0]):
            with pytest.raises(ValueError, match=r"shape \(M, 40\), with which this model was tr"):
                call(positions, 5.0)
    with pytest.raises(ValueError, match=f"trained with 40 inputs .* gives {inputs} of them now"):
        load_network(path)
    with pytest.raises(ValueError, match=f"inputs' are 40 for each row, but .* gives {inputs} now"):
        inputs_of(prepared, Own())
    assert inputs_for(prepared, Own()).shape == (20, inputs)
    edited(inputs=40)
    assert np.array_equal(load_network(path).predict(x, 5.0), trained.predict(x, 5.0))


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda v: v * np.nan, "not finite"),
        (lambda v: np.where(v == v[0, 0], np.inf, v), "not finite"),
        (lambda v: v.astype(complex), "must be real numbers, got complex128"),
        (lambda v: v.astype(object), "must be real numbers, got object"),
        (lambda v: v.astype(str), "must be real numbers, got <U"),
        (lambda v: v[:-1], "must have the shape"),
        (lambda v: v[:, :0], "must have the shape"),
        (lambda v: v[:, :, None], "must have the shape"),
        (lambda v: v.ravel(), "must have the shape"),
        (lambda v: v.T, "must have the shape"),
        (lambda v: None, "must be real numbers"),
    ],
)
def test_values_of_another_kind(change, said, edited, trained):
    x = pt.sample_database().positions[:5]
    edited(change=change)
    for call in (trained.predict, trained.forces):
        with pytest.raises((TypeError, ValueError), match=said):
            call(x, 5.0)


def test_values_of_another_precision_are_the_same(edited, trained):
    x = pt.sample_database().positions[:5]
    expected = trained.predict(x, 5.0)
    edited(change=lambda v: v.astype(np.float32))
    np.testing.assert_allclose(trained.predict(x, 5.0), expected, atol=1e-5)
    edited(change=lambda v: np.asfortranarray(v))
    assert np.array_equal(trained.predict(x, 5.0), expected)


@pytest.mark.parametrize(
    "shape", [(5, 39, 4, 2), (5, 41, 4, 2), (5, 40, 2, 4), (5, 40, 4), (40, 4, 2), (10, 20, 4, 2)]
)
def test_gradients_of_another_shape(shape, edited, trained):
    db = pt.sample_database()[:5]
    edited(gradients=shape)
    with pytest.raises(ValueError, match="gradients of Own must be numbers of the shape"):
        trained.forces(db.positions, 5.0)
    with pytest.raises(ValueError, match="gradients of Own must be numbers of the shape"):
        pt.train(db, TrainingSpec(Own(), force_weight=1.0, **{**SMALL, "batch_size": 2}))


def test_a_pullback_of_another_shape(trained):
    class Wrong(Own):
        def pullback(self, positions, width, g):
            return np.zeros((len(positions), 2))

    network = dataclasses.replace(trained, spec=TrainingSpec(Wrong(), **SMALL))
    with pytest.raises(ValueError, match="pullback of Wrong must have the shape of the positions"):
        network.forces(pt.sample_database().positions[:5], 5.0)


def test_models_that_say_no_number():
    class Lost(pt.Predictor):
        n_particles, dimension, about = 4, 2, {}

        def evaluate(self, x, w, with_forces=False):
            energy = np.where(np.arange(len(x)) == 3, np.nan, 0.0)
            return energy, np.zeros_like(x) if with_forces else None

    x = pt.sample_database().positions[:5]
    assert Lost().predict(x[:3], 5.0).tolist() == [0, 0, 0]
    for call in (Lost().predict, Lost().forces):
        with pytest.raises(ValueError, match="Lost says no finite number of configuration 3"):
            call(x, 5.0)


def rewritten(path, arrays=None, **header):
    "A network file with other content and a right digest, as somebody's program may write it."
    with np.load(path) as file:
        stored = {name: file[name] for name in file.files}
    said = json.loads(str(stored.pop("header")))
    stamp = {name: said.pop(name) for name in ("format", "pes_toy", "digest")}
    stored.update(arrays or {})
    stored = {name: array for name, array in stored.items() if array is not None}
    said = json.loads(json.dumps({**said, **header}))
    stamp["digest"] = _digest(stored, said)
    np.savez(path, header=np.array(json.dumps({**stamp, **said})), **stored)
    return path


SPEC = TrainingSpec(hidden=(8, 4), **{k: v for k, v in TINY.items() if k != "hidden"})
LIES = {
    "fewer rows": dict(arrays=dict(W0=np.ones((7, 8)))),
    "more rows": dict(arrays=dict(W0=np.ones((9, 8)))),
    "one row": dict(arrays=dict(W0=np.ones((1, 8)))),
    "flat weights": dict(arrays=dict(W0=np.ones(64))),
    "fewer columns": dict(arrays=dict(W0=np.ones((8, 7)))),
    "a longer bias": dict(arrays=dict(b0=np.ones(9))),
    "a shorter bias": dict(arrays=dict(b1=np.ones(3))),
    "a bias of two axes": dict(arrays=dict(b0=np.ones((1, 8)))),
    "two outputs": dict(arrays=dict(W2=np.ones((4, 2)), b2=np.ones(2))),
    "no layer": dict(layers=0),
    "fewer layers": dict(layers=2),
    "more layers": dict(layers=4),
    "a layer is missing": dict(arrays=dict(W1=None)),
    "nan weights": dict(arrays=dict(W1=np.full((8, 4), np.nan))),
    "an infinite bias": dict(arrays=dict(b1=np.array([1, 2, np.inf, 4]))),
    "complex weights": dict(arrays=dict(W1=np.ones((8, 4), complex))),
    "text": dict(arrays=dict(b1=np.array(list("abcd")))),
    "a shorter shift": dict(arrays=dict(shift=np.zeros(7))),
    "a longer scale": dict(arrays=dict(scale=np.ones(9))),
    "scales of zero": dict(arrays=dict(scale=np.zeros(8))),
    "a nan shift": dict(arrays=dict(shift=np.full(8, np.nan))),
    "another hidden": dict(spec={**SPEC.to_dict(), "hidden": [8, 5]}),
    "no hidden": dict(spec={**SPEC.to_dict(), "hidden": []}),
    "other particles": dict(n_particles=5),
    "no particles": dict(n_particles=0),
    "half a particle": dict(n_particles=4.5),
    "no dimension": dict(dimension=None),
    "more orders": dict(spec={**SPEC.to_dict(), "orders": [-2, -3, -4]}),
    "one order": dict(spec={**SPEC.to_dict(), "orders": [-2]}),
    "an energy that is none": dict(energy_shift=None),
    "an energy of text": dict(energy_scale="much"),
    "an infinite energy": dict(energy_scale=1e999),
    "unknown settings": dict(more=1),
    "no specification": dict(spec=None),
}


@pytest.mark.parametrize("lie", LIES)
def test_network_files_that_contradict_themselves(lie, tmp_path):
    "Their digest is right, so nothing but the shapes and values tells."
    path = handmade(SPEC).save(tmp_path / "net.npz")
    assert load_network(rewritten(path)).n_parameters == 8 * 8 + 8 + 8 * 4 + 4 + 4 + 1
    with pytest.raises(ValueError, match="net.npz"):
        load_network(rewritten(path, **LIES[lie]))


@pytest.mark.parametrize(
    "lie",
    [
        dict(arrays=dict(coefficients=np.ones(7))),
        dict(arrays=dict(coefficients=np.full(8, np.nan))),
        dict(arrays=dict(shift=np.ones(1), scale=np.ones(1), coefficients=np.ones(1))),
        dict(arrays=dict(centres=np.ones((3, 7)), coefficients=np.ones(3)), gamma=1.0),
        dict(n_particles=3),
        dict(mean=float("nan")),
    ],
)
def test_baseline_files_that_contradict_themselves(lie, tmp_path):
    db = pt.sample_database()[:60]
    path = pt.fit_baseline(db, pt.BaselineSpec()).save(tmp_path / "plane.npz")
    assert load_network(rewritten(path)).n_parameters == 9
    with pytest.raises(ValueError, match="plane.npz"):
        load_network(rewritten(path, **lie))


def test_weights_cannot_be_changed_behind_the_back_of_a_network():
    weights = [(np.ones((8, 8)), np.zeros(8)), (np.ones((8, 4)), np.zeros(4))]
    weights.append((np.ones((4, 1)), np.zeros(1)))
    scale = np.ones(8)
    network = pt.Network(SPEC, weights, np.zeros(8), scale, 0.0, 1.0, 4, 2)
    x = pt.sample_database().positions[0]
    before = network.predict(x, 5.0)
    weights[0][0][:] = 7.0
    scale[:] = 0.0
    assert network.predict(x, 5.0) == before and (network.weights[0][0] == 1).all()
    for array in (network.weights[0][0], network.weights[2][1], network.shift, network.scale):
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 3.0


def test_layers_refuse_rows_of_another_length():
    layers = Layers([(np.ones((8, 1)), np.zeros(1))], "raw", np.zeros(8), np.ones(8), "tanh")
    for shape in [(3, 7), (3, 9), (8,), (3, 8, 1), (0, 7)]:
        with pytest.raises(ValueError, match=r"rows must have the shape \(rows, 8\)"):
            layers.run(np.ones(shape), True)
    for weights in ([], [(np.ones((8, 2)), np.zeros(2))], [(np.ones((7, 1)), np.zeros(1))]):
        with pytest.raises(ValueError, match="layers must lead from one row"):
            Layers(weights, "raw", np.zeros(8), np.ones(8), "tanh")


HOSTILE = """
import itertools, sys, warnings
import numpy as np
import pes_toy as pt

warnings.simplefilter("ignore")
rng = np.random.default_rng(int(sys.argv[1]))
x = rng.uniform(0, 5, (3, 4, 2))
db = pt.sample_database()[:12]
net = pt.sample_network()
models = [net, pt.Average([net, net])]
things = [
    x, x[0], x[:0], x[:, :0], x[:, :, :0], x[:, :3], x[:, :, :1], x.ravel(), x.T, x[..., None],
    x[:, :1], np.asfortranarray(x), x[::-1, ::-1, ::-1], x * np.nan, x * np.inf, x * 1e13,
    x * 1e300, x * 1e-300, x * 0, x.astype(complex), x.astype(object), x.astype(str),
    x.astype(np.float16), np.concatenate([x, x], axis=2), np.concatenate([x, x], axis=1),
    x.tolist(), x > 2, None, 3.0, "x", [], {}, np.ma.masked_array(x, x > 2),
    rng.uniform(0, 5, (3, 4, 4)),
]
widths = [5.0, 5, np.float32(5), np.array(5.0), np.full(3, 5.0), np.full(4, 5.0),
          np.full((3, 1), 5.0), [], [5.0], 0.0, -5.0, np.nan, np.inf, 5e-324, 1e-300, 1e300,
          1e-3, "5", None, True]
descriptors = [pt.ProximityEigenvalues(), pt.ProximityEigenvalues((-2, -3, -4), (3, 2, 1)),
               pt.SymmetryFunctions(), pt.RelativeDistances()]
thesis = dict(protocol="thesis", depth=1)
calls = [pt.energy_per_particle, lambda x, w: pt.energy_per_particle(x, w, **thesis), pt.forces,
         lambda x, w: pt.relax(x, w, epochs=1).energy,
         lambda x, w: pt.relax(x, w, epochs=1, relaxer="fire").energy,
         lambda x, w: pt.Database.from_arrays(x, w, potential=pt.ModifiedLennardJones()).energy,
         pt.proximity_eigenvalues, pt.proximity_eigenvalue_gradients, pt.wrap]
calls += [call for model in models for call in (model.predict, model.forces)]
calls += [call for d in descriptors for call in (d, d.values, d.gradients)]
weights = [np.ones(8), np.ones((3, 8)), np.ones((3, 7)), np.ones((4, 8)), np.ones((3, 9)), x, 1.0,
           np.ones((3, 8)) * np.nan, np.ones((3, 4, 32)), np.ones((3, 4, 31)), np.ones((2, 4, 32)),
           np.ones((3, 13)), "g", None]
done = refused = 0

def attempt(call, *given):
    global done, refused
    try:
        found = call(*given)
    except (ValueError, TypeError):
        refused += 1
        return
    if not np.isfinite(np.asarray(found, float)).all():
        sys.exit(f"not finite: {call} of {[np.shape(g) for g in given]}")
    done += 1

cases = list(itertools.product(calls, things, widths))
for i in rng.permutation(len(cases))[:int(sys.argv[2])]:
    attempt(*cases[i])
for d, g in itertools.product(descriptors, weights):
    attempt(lambda x, w: d.pullback(x, w, g), x, 5.0)
for g in weights + things:
    attempt(lambda: net.from_inputs(g, False)[0])
print(done, refused)
"""


@pytest.mark.parametrize("seed", [0])
def test_hostile_calls_of_every_entry_to_a_kernel(seed):
    "In a process of its own, for the worst that can happen is that it dies."
    run = subprocess.run(
        [sys.executable, "-c", HOSTILE, str(seed), "500"], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr[-2000:] or run.returncode
    done, refused = map(int, run.stdout.split())
    assert done > 20 and refused > 300


def test_inputs_that_networks_have_never_seen(tmp_path):
    "Every kind of network refuses inputs of another number, and says how many it wants."
    for spec in (TrainingSpec(**TINY), TrainingSpec("symmetry", **TINY), TrainingSpec(Waves())):
        network = handmade(spec)
        K = len(network.shift)
        x, w = spread(4, 2, 5, np.random.default_rng(0))
        values = spec.descriptor.values(x, w)
        assert network.from_inputs(values)[0].shape == (5,)
        for wrong in (values[..., 1:], values[..., :1], values.ravel(), values[None]):
            with pytest.raises(ValueError, match=rf"inputs must have the shape .*{K}"):
                network.from_inputs(wrong, True)
    other = dataclasses.replace(handmade(TrainingSpec(**TINY)))
    other.descriptor = ProximityEigenvalues((-2, -3, -4), 3.0)
    with pytest.raises(ValueError, match="with which this model was trained"):
        other.predict(x, w)


@pytest.mark.parametrize("seed", ["abc", -1, 1.5, np.zeros(3), None, True], ids=str)
def test_what_is_no_seed(seed):
    "None would be other numbers each time."
    db = pt.sample_database()[:20]
    for call in (
        db.plot_gallery,
        lambda seed: pt.sample_network().plot_sample(db, seed=seed),
        lambda seed: pt.report(ProximityEigenvalues(), db, seed=seed),
    ):
        with pytest.raises((TypeError, ValueError), match="seed must be a whole number"):
            call(seed=seed)


@pytest.mark.parametrize("name", ["searches", "drags"])
def test_numbers_that_a_report_cannot_take(name):
    for wrong in (0, 2.5, "many"):
        with pytest.raises((TypeError, ValueError), match=f"{name} must be a whole number"):
            pt.report(ProximityEigenvalues(), pt.sample_database()[:20], **{name: wrong})
