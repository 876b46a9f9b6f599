"""Active learning: what is chosen, what is judged, and what is compared."""

import dataclasses
import functools

import numpy as np
import pes_toy as pt
import pytest
from notebooks import ROOT
from pes_toy import active
from pes_toy.active import (
    STRATEGIES, LearningCurves, Plan, Round, active_learning, active_study, farthest_of,
    features_of, in_motion, mean_with_interval, plain_active_learning, student)
from pes_toy.sweeps import Store

POOL = pt.DatabaseSpec.diverse(n_configurations=200)
LINEAR = pt.BaselineSpec(inputs="symmetry", transform="standardised")
SHORT = Plan(start=40, batch=20, rounds=2, members=2)
learn = functools.partial(active_learning, POOL, LINEAR, plan=SHORT, seeds=2, progress=False)


@pytest.fixture(scope="module")
def pool():
    return pt.generate(POOL, progress=False)


@pytest.fixture(scope="module")
def judge():
    return pt.generate(dataclasses.replace(POOL, n_configurations=100, seed=9), progress=False)


@pytest.fixture(scope="module")
def curves(judge):
    return learn({"here": judge, "there": judge[:50]})


@pytest.fixture
def state(pool):
    committee = pt.train_committee(pool[:40], LINEAR, 3, calibration=0, progress=False)
    features = features_of(pool, LINEAR.descriptor)
    return Round(pool, features, np.arange(40), committee, "energy", np.random.default_rng(0))


def test_what_is_chosen(state):
    committee, pool = state.committee, state.pool
    spread = committee.spread(pool.positions, pool.width)
    wrong = np.abs(committee.predict(pool.positions, pool.width) - pool.energy)
    for name, by in (("spread", spread), ("error", wrong)):
        rows = STRATEGIES[name](state, 10)
        rest = np.setdiff1d(state.open, rows)
        assert np.isin(rows, state.open).all() and by[rows].min() >= by[rest].max()
    rows = STRATEGIES["random"](state, 10)
    assert len({*rows}) == 10 and np.isin(rows, state.open).all()
    again = dataclasses.replace(state, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(STRATEGIES["random"](again, 10), rows)


def test_of_forces(state):
    "The root of the mean square over the particles of a configuration."
    state = dataclasses.replace(state, of="forces")
    x, w = state.pool.positions, state.pool.width
    spread = np.sqrt((state.committee.spread(x, w, "forces") ** 2).mean(axis=1))
    wrong = ((state.committee.forces(x, w) - state.pool.forces) ** 2).mean(axis=(1, 2))
    for name, by in (("spread", spread), ("error", wrong)):
        rows = STRATEGIES[name](state, 7)
        assert by[rows].min() >= by[np.setdiff1d(state.open, rows)].max()


def test_farthest_is_farthest(state):
    "Each in turn by brute force."
    rows = STRATEGIES["farthest"](state, 6)
    known = [*range(40)]
    for row in rows:
        gaps = state.features[:, None] - state.features[known]
        distance = np.linalg.norm(gaps, axis=2).min(axis=1)
        assert np.isclose(distance[row], distance.max(), rtol=1e-6)
        known.append(row)
    same = np.zeros((5, 3))
    assert sorted(farthest_of(same, np.array([0]), np.arange(1, 5), 4)) == [1, 2, 3, 4]


def test_features_are_means_over_particles(pool):
    values = LINEAR.descriptor.values(pool.positions, pool.width).mean(axis=1)
    found = features_of(pool, LINEAR.descriptor)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-12)
    varies = values.std(axis=0) > 0
    np.testing.assert_allclose(found.std(axis=0)[varies], 1, rtol=1e-9)
    of_all = features_of(pool, pt.ProximityEigenvalues())
    assert of_all.shape == (200, 8)


def test_all_strategies_begin_alike_and_are_judged_alike(curves, pool, judge):
    assert curves.labels == [40, 60, 80] and curves.strategies == [*STRATEGIES]
    for column in ("energy_mae", "force_error"):
        first = [curves.values(name, "here", column)[:, 0] for name in curves.strategies]
        assert all((one == first[0]).all() for one in first)
    errors, first = plain_active_learning(
        pool, LINEAR, STRATEGIES["spread"], {"here": judge}, SHORT, seed=0)
    found = [one["energy_mae"] for one in errors["here"]]
    np.testing.assert_allclose(curves.values("spread", "here")[0], found, rtol=6e-4)
    direct = np.abs(first.predict(judge.positions, judge.width) - judge.energy).mean()
    assert np.isclose(found[0], direct)
    assert (curves.values("random", "here") != curves.values("random", "there")).any()


def test_only_what_is_missing_is_computed(judge, tmp_path, monkeypatch):
    store = tmp_path / "active.json"
    judges = {"here": judge}
    one = learn(judges, strategies="random", store=store)
    before = Store(store).results
    assert len(before) == 2
    both = learn(judges, strategies=("random", "farthest"), store=store)
    assert both.values("random", "here").tolist() == one.values("random", "here").tolist()
    assert len(Store(store).results) == 4
    monkeypatch.setattr(active, "_run", None)
    again = learn(judges, strategies=("random", "farthest"), store=store, compute=False)
    assert again == both
    for change in (dict(seeds=3), dict(plan=dataclasses.replace(SHORT, batch=10)),
                   dict(oracle=pt.ModifiedLennardJones(R_0=1.8)), dict(strategies="spread")):
        with pytest.raises(ValueError, match="results are missing"):
            learn(judges, **(dict(strategies="random", store=store, compute=False) | change))
    with pytest.raises(ValueError, match="results are missing"):
        learn({"here": judge[:99]}, strategies="random", store=store, compute=False)


def test_an_oracle_and_a_strategy_of_ones_own(judge):
    def lowest(state, n):
        asked.append(state)
        return state.open[np.argsort(state.pool.energy[state.open])[:n]]

    asked = []
    short = pt.ModifiedLennardJones(R_0=1.8)
    found = learn({"here": judge}, strategies=(lowest,), oracle=short, seeds=1)
    assert found.strategies == ["lowest"] and len(asked) == 2
    pool = asked[0].pool
    np.testing.assert_allclose(
        pool.energy[:5], pt.energy_per_particle(pool.positions[:5], pool.width[:5], short))
    assert len(asked[1].known) == 60 and len({*asked[1].known}) == 60


def test_judges_may_be_specifications_and_functions(judge):
    spec = dataclasses.replace(POOL, n_configurations=30, seed=4)
    how = dict(strategies="random", seeds=1, plan=Plan(40, 20, 1, 2))
    found = learn({"spec": spec, "made": lambda: judge}, **how)
    assert found.values("random", "spec", "force_error").shape == (1, 2)
    usual = learn(**how)
    assert [*usual.errors] == ["fresh"]


def test_intervals():
    "Quantiles of Student's t from tables, and the interval holds the mean 95 times in a hundred."
    tables = {1: 12.706, 2: 4.3027, 4: 2.7764, 9: 2.2622, 29: 2.0452}
    for degrees, t in tables.items():
        assert np.isclose(student(degrees), t, rtol=3e-4)
    assert np.isclose(student(9, 0.8), 1.383, rtol=1e-3)
    rng = np.random.default_rng(0)
    mean, half = mean_with_interval(rng.normal(3, 2, (10, 20_000)))
    inside = (np.abs(mean - 3) < half).mean()
    assert abs(inside - 0.95) < 0.005
    assert np.isnan(mean_with_interval(np.ones((1, 3)))[1]).all()


def test_ratios_are_paired(curves):
    a, b = (curves.values(name, "here", "force_mae") for name in ("spread", "random"))
    ratio, low, high = curves.ratio("spread", "here", "force_mae")
    np.testing.assert_allclose(ratio, np.exp(np.log(a / b).mean(axis=0)))
    assert (low <= ratio).all() and (ratio <= high).all() and ratio[0] == low[0] == high[0] == 1
    back = curves.ratio("random", "here", "force_mae", versus="spread")[0]
    np.testing.assert_allclose(back, 1 / ratio)
    table = curves.table("here")
    assert list(table.index) == [*STRATEGIES] and table.iloc[0, 1] == ""
    assert f"{curves.values('spread', 'here')[:, -1].mean():.3g}" == table.iloc[2, 0]
    assert "over random" in repr(curves) and "<table" in curves._repr_html_()


def test_a_file(curves, tmp_path):
    path = curves.save(tmp_path / "curves.json")
    assert LearningCurves.load(path) == curves
    text = path.read_text()
    for spoilt in (text[:-9], text.replace('"labels": [40', '"labels": [41'), "[]", "{}"):
        path.write_text(spoilt)
        with pytest.raises(ValueError, match="curves.json"):
            LearningCurves.load(path)
    with pytest.raises(ValueError, match="must end in .json"):
        curves.save(tmp_path / "curves.txt")
    with pytest.raises(FileNotFoundError):
        LearningCurves.load(tmp_path / "none.json")


def test_pictures(curves):
    ax = curves.plot("here", "force_error")
    for line, name in zip(ax.lines, curves.strategies):
        mean = np.exp(np.log(100 * curves.values(name, "here", "force_error")).mean(axis=0))
        np.testing.assert_allclose(line.get_xydata(), np.transpose([curves.labels, mean]))
    ax = curves.plot_ratios("here")
    drawn = ax.containers[1].lines[0].get_ydata()
    np.testing.assert_allclose(drawn, curves.ratio("spread", "here")[0][1:])


def test_what_is_wrong_is_said(pool, judge):
    judges = {"here": judge}

    def greedy(state, n):
        return state.known[:n]

    for call, error, said in (
        (lambda: active_learning([1], LINEAR, judges), TypeError, "pool must be a Database"),
        (lambda: active_learning(pool, LINEAR), ValueError, "judges must be given"),
        (lambda: learn({}), TypeError, "judges must be a dictionary"),
        (lambda: learn({"a": 3}), TypeError, "a judge must be"),
        (lambda: learn(judges, strategies="best"), ValueError, "strategies must be one of random"),
        (lambda: learn(judges, strategies=()), ValueError, "strategies is empty"),
        (lambda: learn(judges, strategies=(greedy,)), ValueError, "not labelled yet"),
        (lambda: learn(judges, plan=(1, 2)), TypeError, "plan must be a Plan"),
        (lambda: learn(judges, plan=Plan(members=1)), ValueError, "members must be"),
        (lambda: learn(judges, plan=Plan(100, 100, 2, 2)), ValueError, "holds 200 candidates"),
        (lambda: learn(judges, seeds=0), ValueError, "seeds must be"),
        (lambda: active_learning(POOL, "thesis", judges), TypeError, "training must be"),
    ):
        with pytest.raises(error, match=said):
            call()


def test_moments_of_dynamics_are_labelled():
    found = in_motion(replicas=5, temperature=0.2, seed=3)
    assert len(found) == 25 and (found.positions >= 0).all() and (found.positions < 5).all()
    energy, forces = pt.energy_and_forces(found.positions, found.width)
    np.testing.assert_allclose(found.energy, energy)
    np.testing.assert_allclose(found.forces, forces, atol=1e-9)


def test_the_stored_study_is_whole():
    "Every result is found, and nothing else is stored."
    found = active_study(ROOT / "nbs" / "results", progress=False)
    assert found.strategies == [*STRATEGIES] and [*found.errors] == ["relaxed", "dynamics"]
    assert found.values("random", "relaxed").shape == (10, 5)
    assert len(Store(ROOT / "nbs" / "results" / "active.json").results) == 40
