"""The package's models and a user's own pass one battery."""

import multiprocessing
import pickle

import numpy as np
import pytest
from battery_models import check_model
from models import Waves, handmade, spread

import pes_toy as pt
from pes_toy.base.registry import MODELS
from pes_toy.networks import Predictor, load_network


@MODELS.add
class Spots(Predictor):
    "Looks at positions: every pair within 2 R_c, images included, adds a share of a bump."

    any_number = True
    n_particles = 4

    def __init__(self, height, dimension=2):
        self.height = np.asarray(height, float)
        self.dimension = dimension
        self.about = dict(made="by hand")

    def evaluate(self, x, w, with_forces=False):
        k = pt.cells(x.shape[2], 3)
        t = x[:, :, None] - x[:, None]
        wide = w[:, None, None, None]
        t = t - wide * np.round(t / wide)
        t = t[:, :, :, None] + wide[..., None] * k
        rest = np.maximum(4 - (t**2).sum(axis=-1), 0)  # zero beyond 2 R_c, with its slope
        energy = (self.height * rest**3).sum(axis=(1, 2, 3)) / x.shape[1]
        if not with_forces:
            return energy, None
        forces = 12 * ((self.height * rest**2)[..., None] * t).sum(axis=(2, 3))
        return energy, forces

    def parts(self):
        return dict(dimension=self.dimension), dict(height=self.height)

    @classmethod
    def from_parts(cls, settings, arrays):
        return cls(arrays["height"], **settings)


def models():
    "{name: (model, has it a file?)}"
    specs = {
        "eigenvalues": pt.TrainingSpec(),
        "symmetry functions": pt.TrainingSpec("symmetry"),
        "waves": pt.TrainingSpec(Waves()),
    }
    found = {name: (handmade(spec), True) for name, spec in specs.items()}
    found["sample"] = (pt.sample_network(), True)
    found["positions"] = (Spots(0.3), True)
    members = [handmade(pt.TrainingSpec(), seed=seed) for seed in range(2)]
    found["average"] = (pt.Average(members), True)
    found["committee"] = (pt.Committee(members), True)
    return found


@pytest.mark.parametrize("name", [*models()])
def test_the_battery(name, tmp_path):
    model, has_file = models()[name]
    x, w = spread(4, 2, 8, np.random.default_rng(1), low=3.5)
    check_model(model, x, w, tmp_path if has_file else None)


@pytest.mark.parametrize("method", pt.scores.METHODS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_battery_of_baselines(method, db, tmp_path):
    model = pt.fit_baseline(db, pt.BaselineSpec(method, max_configurations=40))
    # kernel methods add up large numbers of both signs
    check_model(model, db.positions[:5], db.width[:5], tmp_path, slack=1e-3)


def test_in_space_and_on_a_line(tmp_path):
    for d in (1, 3):
        x, w = spread(3, d, 6, np.random.default_rng(d), low=4.0)
        check_model(handmade(pt.TrainingSpec("symmetry"), 3, d), x, w, tmp_path)
        check_model(Spots(0.3, d), x, w, tmp_path)


def test_bound_methods_in_other_processes():
    network = pt.sample_network()
    x, w = spread(4, 2, 4, np.random.default_rng(2), low=4.0)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.starmap_async(network.predict, zip(x, w.tolist())).get(timeout=300)
    np.testing.assert_allclose(found, network.predict(x, w), rtol=1e-13)
    for method in ("predict", "forces", "energy_and_forces", "drag", "save", "plot_drag"):
        bound = pickle.loads(pickle.dumps(getattr(network, method)))
        assert bound.__name__ == method and bound.__qualname__.endswith(f".{method}")


def test_a_judged_model_of_ones_own():
    db = pt.generate(pt.DatabaseSpec(n_configurations=30, epochs=3, forces=True), progress=False)
    found = pt.score(Spots(0.1), db)
    energy, forces = Spots(0.1).energy_and_forces(db.positions, db.width)
    np.testing.assert_allclose(found.energy_mae, np.abs(energy - db.energy).mean())
    np.testing.assert_allclose(found.force_mae, np.abs(forces - db.forces).mean())
    drag = Spots(0.1).drag(db.spec.potential, points=9)
    assert drag.predicted_gradient.shape == (9,)


def test_promises_that_are_not_kept():
    class Short(Spots):
        def evaluate(self, x, w, with_forces=False):
            energy, forces = super().evaluate(x, w, True)
            return energy, forces[:, :2]

    class Nothing(Predictor):
        n_particles, dimension, about = 4, 2, {}

    x = np.random.default_rng(0).uniform(0, 5, (2, 4, 2))
    with pytest.raises(ValueError, match=r"Short.evaluate must return.*\(2, 2, 2\)"):
        Short(1.0).forces(x, 5.0)
    with pytest.raises(NotImplementedError, match="Nothing must define evaluate"):
        Nothing().predict(x, 5.0)
    with pytest.raises(NotImplementedError, match="Nothing has no form for a file"):
        Nothing().save("a.npz")


def test_files_of_models_of_ones_own(tmp_path):
    path = Spots([0.1]).save(tmp_path / "spots.npz")

    class Unlisted(Spots):
        "Not registered."

    with pytest.raises(ValueError, match="model must be one of .*Unlisted"):
        Unlisted(1.0).save(tmp_path / "b.npz")
    assert load_network(path).about == dict(made="by hand")
    known = MODELS._known.pop("Spots")
    try:
        with pytest.raises(ValueError, match="'Spots'.*must be defined or imported first"):
            load_network(path)
    finally:
        MODELS.add(known)


def test_files_of_the_version_before(tmp_path):
    "The sample was written in format 1."
    network = pt.sample_network()
    again = load_network(network.save(tmp_path / "new.npz"))
    x, w = spread(4, 2, 5, np.random.default_rng(3))
    np.testing.assert_array_equal(again.forces(x, w), network.forces(x, w))
    assert again.spec == network.spec == pt.TrainingSpec.recommended()
