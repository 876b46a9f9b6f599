"""The stored results of the studies are found, every one of them, and belong to something."""
import shutil

import pytest
from notebooks import ROOT

from pes_toy.specification import DatabaseSpec
from pes_toy.studies import STUDIES, Study, figures, study
from pes_toy.sweeps import Store, with_seeds
from pes_toy.thesis import networks
from pes_toy.training import TrainingSpec

pytestmark = pytest.mark.quick
RESULTS = ROOT / "nbs" / "results"
STORES = {"recipe", "questions", "active", "failing", "transfer"} # of no study of chapter 8c


def keys(name):
    "The keys of a study, in the order of its rows and seeds."
    experiments = STUDIES[name].experiments()
    return [e.key for experiment in experiments for e in with_seeds(experiment, 3)]


@pytest.mark.parametrize("name", STUDIES)
def test_every_stored_result_is_found(name):
    "The hash of every experiment is what it was when its result was stored."
    stored = Store(RESULTS / f"{name}.json").results
    assert sorted(keys(name)) == sorted(stored)


def test_nothing_else_is_stored():
    assert {path.stem for path in RESULTS.glob("*.json")} == {*STUDIES, *STORES}


def test_recipes_of_the_thesis_are_stored():
    "Three seeds of each linear network of its chapter 5, two of the others, and no more."
    wanted = [e.key for each in networks.recipes() for e in with_seeds(each, 3)]
    wanted += [e.key for each in networks.other_recipes() for e in with_seeds(each, 2)]
    assert sorted(wanted) == sorted(Store(RESULTS / "recipe.json").results)


def test_results_stand_at_their_rows():
    "Not only all keys, but each at its place: errors that the thesis and chapter 8c tell."
    causes = study("causes", RESULTS, progress=False)
    assert abs(causes.mean("thesis: raw, linear") - 0.471) < 0.001
    assert abs(causes.mean("exact, R_0p = 3, asinh, 3 x 64") - 0.0059) < 0.0001
    amounts = study("amounts", RESULTS, progress=False)
    n = [e.database.n_configurations for e, _ in amounts.runs]
    assert n == [400, 1600, 6400, 25_000, 100_000] * 3 + [400, 1600]
    for (experiment, results), each in zip(amounts.runs, n):
        trained = 0.8 * each
        assert all(abs(r["trained_on"] - trained) <= 1 for r in results)
    optimizers = study("optimizers", RESULTS, progress=False)
    settings = [(e.training.optimizer, e.training.learning_rate) for e, _ in optimizers.runs]
    assert settings[:4] == [("sgd", 1.0), ("sgd", 0.1), ("sgd", 0.01), ("sgd", 0.001)]
    assert settings[4] == ("adam", 1.0)
    assert [e.name for e, _ in optimizers.runs] == [optimizer for optimizer, _ in settings]


def test_rows_of_a_study():
    changes = dict(n_configurations=[10, 20], epochs=5, labels="exact", networks=2)
    rows = [("{n_configurations} of them", DatabaseSpec(), TrainingSpec(), changes)]
    first, second = Study("?", rows).experiments()
    assert (first.name, second.name) == ("10 of them", "20 of them")
    assert second.database == DatabaseSpec(n_configurations=20)
    assert second.training == TrainingSpec(epochs=5)
    assert (second.labels, second.networks) == ("exact", 2)
    wrong = [("", DatabaseSpec(), TrainingSpec(), dict(learningrate=1))]
    with pytest.raises(TypeError, match="learningrate"):
        Study("?", wrong).experiments()


def test_an_unknown_study():
    with pytest.raises(ValueError, match="name must be one of causes"):
        study("moon", RESULTS)


def test_missing_results_are_not_made_up(tmp_path):
    with pytest.raises(ValueError, match="30 of 30 results are missing"):
        study("causes", tmp_path)


def test_figures_take_over_what_others_have(tmp_path, capsys):
    "All results in one wrong file, and what belongs to nothing: each goes to its study."
    everything = {"0123456789abcdef0123": {"energy_mae": 1.0}}
    for name in STUDIES:
        everything |= Store(RESULTS / f"{name}.json").results
    wrong = Store(tmp_path / "old.json")
    wrong.results = everything
    wrong.write()
    shutil.copy(tmp_path / "old.json", tmp_path / "causes.json")
    figures(tmp_path, workers=1)
    said = capsys.readouterr().out
    for name in STUDIES:
        written = (tmp_path / f"{name}.json").read_bytes()
        assert written == (RESULTS / f"{name}.json").read_bytes()
        assert f"{name}: " in said
