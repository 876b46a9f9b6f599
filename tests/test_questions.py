"""Questions that the thesis left open: what is stored belongs to a trial; tools count right."""

import json

import numpy as np
import pytest
from notebooks import ROOT

import pes_toy as pt
from pes_toy.sweeps import Store
from pes_toy.thesis import questions
from pes_toy.thesis.questions import (
    LEVELS,
    TRIALS,
    Trial,
    compute_trials,
    coverage,
    effective,
    mean_and_error,
    mending_factor,
    plus_minus,
    student,
    trial,
)

RESULTS = ROOT / "nbs" / "results"


def counting(n):
    "A trial that says how often it was computed."
    counting.times += 1
    return dict(n=n)


@pytest.fixture
def one_trial(monkeypatch):
    counting.times = 0
    monkeypatch.setattr(questions, "TRIALS", {"one": Trial(counting, dict(n=3))})


def test_every_stored_result_belongs_to_a_trial():
    stored = Store(RESULTS / "questions.json").results
    assert {one.key for one in TRIALS.values()} == set(stored)


def test_a_trial_is_computed_once(one_trial, tmp_path):
    with pytest.raises(ValueError, match="compute=True"):
        trial("one", tmp_path)
    assert trial("one", tmp_path, compute=True) == dict(n=3)
    assert trial("one", tmp_path) == dict(n=3)
    assert counting.times == 1


def test_what_belongs_to_no_trial_is_forgotten(one_trial, tmp_path):
    store = Store(tmp_path / "questions.json")
    store.put("0123456789abcdef0123", dict(old=1))
    compute_trials(tmp_path, progress=False)
    compute_trials(tmp_path, progress=False)
    assert list(Store(tmp_path / "questions.json").results.values()) == [dict(n=3)]
    assert counting.times == 1


def test_another_setting_is_another_trial(one_trial, tmp_path, monkeypatch):
    trial("one", tmp_path, compute=True)
    monkeypatch.setitem(questions.TRIALS, "one", Trial(counting, dict(n=4)))
    with pytest.raises(ValueError, match="is missing"):
        trial("one", tmp_path)
    with pytest.raises(ValueError, match="must be one of one"):
        trial("two", tmp_path)


def test_results_are_plain():
    for result in Store(RESULTS / "questions.json").results.values():
        assert json.loads(json.dumps(result)) == result
        assert "NaN" not in json.dumps(result)


@pytest.mark.parametrize("R_0p", (20, 3))
def test_no_network_beats_its_floor(R_0p):
    "All stored networks of eight eigenvalues of relaxed configurations, and the floor of theirs."
    floor, error = mean_and_error(trial(f"floor, R_0p = {R_0p}", RESULTS)["error"])
    seen = []
    for name in ("causes", "one_width", "inputs", "scaling", "layers", "rates"):
        for experiment, results in pt.study(name, RESULTS, progress=False).runs:
            training, database = experiment.training, experiment.database
            same = experiment.labels is None and database == pt.DatabaseSpec()
            if same and training.orders == (-2, -3) and training.R_0p == R_0p:
                seen += [one["energy_mae"] for one in results]
    if R_0p == 20:
        seen += list(np.ravel(trial("much data", RESULTS)["energy_mae"]))
    assert len(seen) >= 9 and min(seen) > floor - 3 * error


def test_intervals_of_students_t():
    known = {0.5: 0.7407, 0.9: 2.1318, 0.95: 2.7764, 0.99: 4.6041}
    for level, width in known.items():
        assert abs(student(level) - width) < 1e-4
    rng = np.random.default_rng(0)
    told = rng.normal(size=(50_000, 5))
    wrong, spread = told.mean(axis=1), told.std(axis=1, ddof=1)
    np.testing.assert_allclose(coverage(wrong, spread), LEVELS, atol=0.01)
    assert abs(mending_factor(wrong, spread) - 1) < 0.02
    assert abs(mending_factor(3 * wrong, spread) - 3) < 0.06
    np.testing.assert_allclose(coverage(3 * wrong, spread, 3.0), LEVELS, atol=0.01)
    assert (coverage(3 * wrong, spread) < np.array(LEVELS) - 0.2).all()


def test_errors_and_kinds():
    assert effective(np.full(5, 0.2)) == pytest.approx(5)
    assert effective(np.array([1.0, 0, 0])) == pytest.approx(1)
    assert mean_and_error([1.0, 2.0, 3.0]) == pytest.approx((2, 3**-0.5))
    assert plus_minus([1.0, 2.0, 3.0], 2) == "2.00 ± 0.58"
