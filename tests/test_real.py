"""From toy to real: statistics against others, studies that go on, folders that are missing."""

import itertools

import numpy as np
import pytest
from notebooks import ROOT
from scipy import stats

from pes_toy import lessons, ranking, real
from pes_toy.real import FILES, Run, in_order, perform, real_folder, runs_of, stored, transfer
from pes_toy.sweeps import Store

RESULTS = ROOT / "nbs" / "results"
TINY = dict(functions="few", range=1.4, layers=1, width=4, epochs=2, batch=64)


def test_tau_is_scipys():
    rng = np.random.default_rng(0)
    for n in (2, 3, 10, 40):
        x = rng.normal(size=n)
        y = x + rng.normal(size=n)
        expected = stats.kendalltau(x, y).statistic
        assert abs(ranking.kendall_tau(x, y) - expected) < 1e-12


def test_weights_are_repetitions():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 8))
    counts = rng.integers(0, 4, 8)
    rows = np.repeat(np.arange(8), counts)
    same, compared = 0.0, 0
    for i in rows:
        for j in rows:
            if i != j:
                same += np.sign(x[i] - x[j]) * np.sign(y[i] - y[j])
                compared += 1
    assert abs(ranking.kendall_tau(x, y, counts) - same / compared) < 1e-12


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_bootstrap_covers(rho):
    "95 % of the intervals of 150 normal worlds hold the tau of their correlation."
    truth = 2 / np.pi * np.arcsin(rho)
    rng = np.random.default_rng(2)
    held = 0
    for world in range(150):
        x = rng.normal(size=24)
        y = rho * x + np.sqrt(1 - rho**2) * rng.normal(size=24)
        low, high = ranking.bootstrap_tau(x, y, draws=200, seed=world)
        held += low <= truth <= high
    assert 0.89 <= held / 150 <= 0.995


def test_wrong_rankings_are_refused():
    for x, y in (([1.0], [2.0]), ([1.0, 2.0], [1.0, 2.0, 3.0]), ([1.0, np.nan], [1.0, 2.0])):
        with pytest.raises(ValueError):
            ranking.kendall_tau(x, y)
    with pytest.raises(ValueError, match="level must be"):
        ranking.bootstrap_tau([1.0, 2.0], [1.0, 2.0], level=95)
    with pytest.raises(ValueError, match="24 finite numbers above 0"):
        ranking.main_effects(np.zeros(24))


def test_a_diverged_recipe_is_last():
    tau = ranking.kendall_tau([1.0, 2.0, np.inf], [1.0, 2.0, 3.0])
    assert tau == 1
    assert ranking.score_of(dict(diverged="in epoch 3")) == 1


def test_main_effects_are_least_squares():
    "The same numbers from a regression of the logarithms with scipy's t."
    rng = np.random.default_rng(3)
    errors = np.exp(rng.normal(size=24))
    D = ranking.design()
    X = np.hstack([np.ones((24, 1)), D / 2])
    y = np.log(errors)
    fitted, left, *_ = np.linalg.lstsq(X, y, rcond=None)
    covariance = left[0] / 11 * np.linalg.inv(X.T @ X)
    t = stats.t.ppf(0.975, 11)
    assert abs(t - ranking.STUDENT) < 1e-3
    for i, effect in enumerate(ranking.main_effects(errors)):
        wide = t * np.sqrt(covariance[i + 1, i + 1])
        expected = np.exp([fitted[i + 1], fitted[i + 1] - wide, fitted[i + 1] + wide])
        np.testing.assert_allclose(effect, expected, rtol=1e-3)


def test_effects_of_chance_are_rare():
    "An interval of 95 % leaves out 1 in 5 % of the cases where there is nothing."
    rng = np.random.default_rng(4)
    signs = [e.sign for _ in range(300) for e in ranking.main_effects(np.exp(rng.normal(size=24)))]
    assert 0.035 < np.mean(np.array(signs) != 0) < 0.065


def test_regret():
    found = ranking.regret([3.0, 1.0, 2.0], [1.0, 1.5, 2.0])
    assert found == (1, 2, 0.5, 0.5)
    assert ranking.regret([1.0, 2.0], [1.0, 3.0])[:3] == (0, 1, 0.0)


def test_regret_of_several():
    "The best of the first few; at random, the mean over all choices of so many."
    rng = np.random.default_rng(5)
    x, y = rng.uniform(1, 2, (2, 6))
    for first in (1, 2, 6):
        found = ranking.regret(x, y, first)
        tried = np.argsort(x)[:first]
        assert found.regret == y[tried].min() / y.min() - 1
        all_choices = [min(some) for some in itertools.combinations(y, first)]
        assert abs(found.at_random - (np.mean(all_choices) / y.min() - 1)) < 1e-12
    with pytest.raises(ValueError, match="first must be"):
        ranking.regret(x, y, 7)


def test_recipes_have_no_other_settings():
    with pytest.raises(ValueError, match="recipe must be one of .*got 'rnage'"):
        real.training_of(dict(rnage=3.0), 64)
    with pytest.raises(ValueError, match="functions must be one of .*got 'wide'"):
        real.training_of(dict(functions="wide"), 64)


def test_missing_folders(tmp_path, monkeypatch):
    monkeypatch.delenv("PES_TOY_REAL", raising=False)
    with pytest.raises(FileNotFoundError, match="environment variable PES_TOY_REAL"):
        real_folder()
    (tmp_path / FILES[0]).touch()
    with pytest.raises(FileNotFoundError, match=f"lacks {', '.join(FILES[1:])}"):
        real_folder(tmp_path)
    for name in FILES:
        (tmp_path / name).touch()
    monkeypatch.setenv("PES_TOY_REAL", str(tmp_path))
    assert real_folder() == tmp_path


def test_order():
    "Seed by seed, worlds mixed, the same order again."
    runs = ranking.ranking_runs()
    ordered = in_order(runs)
    assert sorted(run.key for run in ordered) == sorted(run.key for run in runs)
    assert [run.seed for run in ordered] == sorted(run.seed for run in runs)
    assert len({run.world for run in ordered[:20]}) == 4
    assert ordered == in_order(runs)


def test_keys():
    runs = runs_of()
    assert len({run.key for run in runs}) == len(runs)
    run = Run("lessons", "a", "toy")
    assert run._replace(name="b").key == run.key
    assert run._replace(recipe=dict(epochs=real.USUAL["epochs"])).key == run.key
    for changes in (dict(n=3), dict(seed=1), dict(recipe=dict(width=3)), dict(how=dict(calm=True))):
        assert run._replace(**changes).key != run.key


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    "Two runs on the toy, one on silicon."
    runs = [Run("tiny", f"{world} {s}", world, 2, TINY, s)
            for world, s in (("toy", 0), ("toy", 1), ("silicon", 0))]
    monkeypatch.setattr(real, "STUDIES", dict(tiny=lambda: runs))
    monkeypatch.delenv("PES_TOY_REAL", raising=False)
    return runs, tmp_path


def test_a_study_goes_on(tiny, capsys, monkeypatch):
    runs, folder = tiny
    left = transfer(folder, workers=1, progress=False)
    assert left == runs[2:]
    assert "1 runs on real data are left out: real data are not part" in capsys.readouterr().out
    with pytest.raises(ValueError, match="1 of 3 results are missing"):
        stored(runs, folder)
    first, second = stored(runs[:2], folder)
    assert first["world"] == "toy" and first["energy_error"] > 0 and first != second
    monkeypatch.setattr(real, "perform", None) # nothing is computed again
    assert transfer(folder, workers=1, progress=False) == left
    Store(folder / "transfer.json").results # whole, with digests


def test_runs_repeat():
    run = Run("tiny", "a", "toy", 2, TINY)
    one, two = perform(run), perform(run)
    for result in (one, two):
        result.pop("seconds")
    assert one == two


def test_worlds():
    toy = real.all_of("crystal", "test")
    assert set(toy.groups()) == {"hot", "vacancy", "strained"}
    again = real.crystal(3, real.FRESH)
    np.testing.assert_array_equal(again.positions, toy[:3].positions)
    calm = real.chosen(toy, 8, 64, calm=True)
    assert np.abs(calm.forces).mean() < np.abs(toy.forces).mean()
    with pytest.raises(ValueError, match="world must be one of toy"):
        real.all_of("moon")
    with pytest.raises(ValueError, match="take fewer"):
        real.chosen(toy, 1000, 64)


def test_everything_stored_belongs_to_a_run():
    "The ranking is complete; the other studies may still lack seeds."
    found = set(Store(RESULTS / "transfer.json").results)
    assert found <= {run.key for run in runs_of()}
    assert {run.key for run in ranking.ranking_runs()} <= found


def test_lessons_are_named():
    with pytest.raises(ValueError, match="there is no row 'moon'"):
        lessons.lesson("moon", "toy", folder=RESULTS)
