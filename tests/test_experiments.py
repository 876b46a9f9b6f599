"""Experiments: what decides a result, labels of both protocols, one run."""
import dataclasses
from pathlib import Path

import numpy as np
import pytest
from models import Waves, in_process
from runs import BASELINE, NETWORK, OWN, QUICK

from pes_toy.base.settings import Settings, setting
from pes_toy.energy import energy_and_forces, energy_per_particle
from pes_toy.experiments import Experiment, labelled, plain_experiment, run_experiment, vary
from pes_toy.generation import generate_in_memory as generate
from pes_toy.networks import Predictor
from pes_toy.scores import BaselineSpec
from pes_toy.specification import DatabaseSpec
from pes_toy.training import TrainingSpec

TRAININGS = [
    dict(orders=(-2, -4)),
    dict(R_0p=4),
    dict(inputs="symmetry"),
    dict(inputs=Waves()),
    dict(inputs=Waves((1,))),
    dict(transform="raw"),
    dict(hidden=(64, 64)),
    dict(activation="tanh"),
    dict(optimizer="sgd"),
    dict(learning_rate=0.00301),
    dict(schedule="constant"),
    dict(loss="mse"),
    dict(force_weight=1e-9),
    dict(batch_size=127),
    dict(epochs=301),
    dict(patience=300),
    dict(validation=0.21),
    dict(standardise_energy=False),
    dict(seed=1),
]
BASELINES = [dict(), dict(method="kernel ridge"), dict(max_configurations=1999)]
DATABASES = [dict(seed=1), dict(epochs=39), dict(width=5.5)]
CHANGES = dict(
    database=[DatabaseSpec.thesis(), *(DatabaseSpec(**change) for change in DATABASES)],
    training=[
        *(TrainingSpec(**change) for change in TRAININGS),
        *(BaselineSpec(**change) for change in BASELINES),
    ],
    labels=["thesis", "exact"],
    networks=[2],
    n_fresh=[9999],
    elsewhere=[(4.0,), (4.0, 6.0)],
    seed=[1],
)
BASE = Experiment("a", DatabaseSpec())


def test_everything_but_the_name_decides():
    keys = [BASE.key]
    for field, values in CHANGES.items():
        keys += [dataclasses.replace(BASE, **{field: value}).key for value in values]
    assert len(set(keys)) == len(keys)
    assert {*CHANGES, "name"} == {f.name for f in dataclasses.fields(Experiment)}
    assert dataclasses.replace(BASE, name="b").key == BASE.key
    assert Experiment("c", DatabaseSpec(), TrainingSpec()).key == BASE.key


IMPOSSIBLE = [
    (dict(database=None), TypeError),
    (dict(training="adam"), TypeError),
    (dict(labels="true"), ValueError),
    (dict(networks=0), ValueError),
    (dict(n_fresh=0), ValueError),
    (dict(seed=-1), ValueError),
    (dict(elsewhere=(0,)), ValueError),
]


@pytest.mark.parametrize("change, error", IMPOSSIBLE, ids=str)
def test_experiments_that_make_no_sense(change, error):
    with pytest.raises(error, match=[*change][0]):
        dataclasses.replace(BASE, **change)


def test_forces_with_energies_of_the_thesis():
    forces = TrainingSpec(force_weight=1.0)
    with pytest.raises(ValueError, match="force_weight"):
        Experiment("", QUICK, forces, labels="thesis")
    with pytest.raises(ValueError, match="force_weight"):
        Experiment("", DatabaseSpec.thesis(), forces)
    assert Experiment("", DatabaseSpec.thesis(), forces, labels="exact").learns_forces


def test_one_width_elsewhere_is_a_tuple():
    one = Experiment("", QUICK, elsewhere=4)
    assert one.elsewhere == (4.0,)
    assert one.key == Experiment("", QUICK, elsewhere=[4.0]).key
    assert "1,000 of width 4" in dict(one.rows())["judged on"]


def test_keys_are_the_same_in_another_process():
    code = """
import sys
sys.path.insert(0, sys.argv[1])
from models import Waves
from pes_toy.specification import DatabaseSpec
from pes_toy.experiments import Experiment
from pes_toy.training import TrainingSpec
print(Experiment("b", DatabaseSpec(), TrainingSpec(Waves())).key)"""
    found = in_process(code, Path(__file__).parent, PYTHONHASHSEED="42")
    assert found.strip() == Experiment("a", DatabaseSpec(), TrainingSpec(Waves())).key


def test_potentials_of_ones_own_have_keys():
    specs = [dataclasses.replace(QUICK, potential=potential) for potential in OWN]
    assert len({dataclasses.replace(BASELINE, database=spec).key for spec in specs}) == 2


def test_experiments_with_a_potential_of_ones_own():
    spec = dataclasses.replace(QUICK, potential=OWN[0])
    own = dataclasses.replace(BASELINE, database=spec, elsewhere=())
    assert run_experiment(own)["drag_energy"] > 0


@pytest.mark.parametrize("protocol", ["exact", "thesis"])
def test_labels_of_both_protocols(protocol):
    changes = dict(n_configurations=30, epochs=3)
    exact_spec = DatabaseSpec(**changes)
    spec = exact_spec if protocol == "exact" else DatabaseSpec.thesis(**changes)
    db = generate(spec, progress=False)
    exact = labelled(db, "exact")
    frozen = labelled(db, "thesis")
    x = db.positions
    w = db.width
    published = energy_per_particle(x, w, depth=3, protocol="thesis")
    np.testing.assert_allclose(exact.energy, energy_per_particle(x, w), rtol=1e-12)
    np.testing.assert_allclose(frozen.energy, published, rtol=1e-12)
    np.testing.assert_array_equal(frozen.positions, x)
    assert np.abs(frozen.energy - exact.energy).max() > 1e-3
    assert frozen.forces is None and labelled(frozen, "thesis") is frozen
    assert labelled(db, None) is db and labelled(db, protocol) is db
    if protocol == "thesis":
        np.testing.assert_allclose(exact.forces, energy_and_forces(x, w)[1])


@pytest.mark.parametrize("experiment", [NETWORK, BASELINE], ids=lambda e: e.name)
def test_an_experiment_is_its_steps(experiment):
    again = dataclasses.replace(experiment, seed=1)
    for s, one in enumerate((experiment, again)):
        found = run_experiment(one)
        by_hand = plain_experiment(experiment.database, experiment.training, s, n_fresh=40)
        for name in ("energy_mae", "energy_rmse", "force_error"):
            np.testing.assert_allclose(found[name], getattr(by_hand, name), rtol=1e-3)
        assert found["trained_on"] == 48
        assert ("parity" in found, "drag" in found) == (s == 0, s == 0)
        assert list(found["elsewhere"]) == [str(w) for w in experiment.elsewhere]


def test_vary():
    base = Experiment("base", QUICK, TrainingSpec(), seed=3)
    rates = vary(base, "training.learning_rate", (0.1, 0.01), name="rate {value}")
    assert [e.name for e in rates] == ["rate 0.1", "rate 0.01"]
    assert [e.training.learning_rate for e in rates] == [0.1, 0.01]
    assert {e.seed for e in rates} == {3}
    epochs = vary(base, "database.epochs", {"none": 0, "both": (0, 3)})
    assert [e.database.epochs for e in epochs] == [0, (0, 3)]
    assert [e.labels for e in vary(base, "labels", ["exact", None])] == ["exact", None]
    assert [e.name for e in vary(base, "networks", [1, 2])] == ["1", "2"]
    assert base == Experiment("base", QUICK, TrainingSpec(), seed=3)


def test_one_name_for_a_line():
    found = vary(BASELINE, "database.n_configurations", [100, 200], name="one line")
    named = [(e.name, e.database.n_configurations) for e in found]
    assert named == [("one line", 100), ("one line", 200)]


def test_what_cannot_be_varied():
    for unknown in ("training.rate", "database.size", "rate"):
        with pytest.raises(ValueError, match=f"'{unknown}' does not exist"):
            vary(NETWORK, unknown, [1])
    for no_place in ("trainings.epochs", "training.inputs.cutoff", "score.n"):
        with pytest.raises(ValueError, match="setting must be"):
            vary(NETWORK, no_place, [1])
    with pytest.raises(ValueError, match="learning_rate"):
        vary(NETWORK, "training.learning_rate", [1, -1])
    with pytest.raises(TypeError, match="learning_rate must be"):
        vary(NETWORK, "training.learning_rate", ["fast"])
    with pytest.raises(TypeError, match="several values"):
        vary(NETWORK, "training.learning_rate", 0.1)


class Guess(Predictor):
    "Always the same energy; no descriptor, no parameters, no memory."
    n_particles, dimension, about = 4, 2, {}

    def __init__(self, energy):
        self.energy = energy

    def evaluate(self, x, w, with_forces=False):
        return np.full(len(x), self.energy), np.zeros_like(x)


@dataclasses.dataclass(frozen=True)
class GuessSpec(Settings):
    "Settings of one's own."
    quantile: float = setting(0.5, low=0, high=1) # of the energies
    seed: int = setting(0, integer=True, low=0) # of nothing

    def to_dict(self):
        return dataclasses.asdict(self)

    def fit(self, database):
        return Guess(float(np.quantile(database.energy, self.quantile)))


def test_a_model_of_ones_own_takes_part():
    own = dataclasses.replace(BASELINE, training=GuessSpec(), elsewhere=())
    found = run_experiment(own)
    assert found["force_error"] == 1.0 and found["trained_on"] is None
    changed = vary(own, "training.quantile", [0.1])[0]
    assert changed.key != own.key
    assert run_experiment(changed)["energy_mae"] > found["energy_mae"]
    assert "quantile=0.1" in dict(changed.rows())["training"]
