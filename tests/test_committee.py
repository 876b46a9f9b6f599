"""Committees: what their members say, how far apart they are, and what that is worth."""

import dataclasses
import json

import numpy as np
import pes_toy as pt
import pytest
from models import handmade, spread
from pes_toy.committee import (
    LEVELS, calibrated, held_back, plain_spread, rank_correlation)
from pes_toy.exchange import figure_settings
from pes_toy.cli import main
from pes_toy.models import NotFiniteError

SPEC = pt.TrainingSpec.recommended(hidden=(8,), epochs=4, batch_size=32)
DIVERSE = pt.DatabaseSpec.diverse(n_configurations=1500)


@pytest.fixture(scope="module")
def members():
    return [handmade(pt.TrainingSpec("symmetry"), seed=seed) for seed in range(4)]


@pytest.fixture(scope="module")
def db():
    return pt.generate(DIVERSE, progress=False)


@pytest.fixture(scope="module")
def trained(db):
    return pt.train_committee(db, SPEC, 3, calibration=2 / 3, progress=False)


@pytest.fixture(scope="module")
def batch():
    return spread(4, 2, 12, np.random.default_rng(5), low=3.5)


def test_mean_and_spread_are_those_of_the_members(members, batch):
    x, w = batch
    committee = pt.Committee(members)
    energies = np.array([one.predict(x, w) for one in members])
    forces = np.array([one.forces(x, w) for one in members])
    mean, apart = plain_spread(energies)
    np.testing.assert_allclose(committee.each(x, w), energies, rtol=1e-12)
    np.testing.assert_allclose(committee.each(x, w, "forces"), forces, atol=1e-9)
    np.testing.assert_allclose(committee.predict(x, w), mean, rtol=1e-12)
    np.testing.assert_allclose(committee.spread(x, w), apart, rtol=1e-9)
    of_components = forces.std(axis=0, ddof=1)
    of_particles = np.sqrt((of_components**2).mean(axis=-1))
    np.testing.assert_allclose(committee.spread(x, w, "forces"), of_particles, rtol=1e-9)


def test_members_of_unlike_inputs_and_one_configuration(members, batch):
    x, w = batch
    mixed = pt.Committee([members[0], handmade(pt.TrainingSpec(), seed=9)])
    assert mixed.descriptor is None and not mixed.any_number
    assert mixed.each(x, w, "forces").shape == (2, *x.shape)
    one = mixed.spread(x[0], w[0])
    assert type(one) is float and np.isclose(one, mixed.spread(x, w)[0], rtol=1e-9)
    assert mixed.each(x[0], w[0]).shape == (2,)
    assert mixed.spread(x[0], w[0], "forces").shape == (4,)
    assert mixed.spread(x[:0], w[:0]).shape == (0,)
    assert mixed.spread(x[:0], w[:0], "forces").shape == (0, 4)


def test_any_number_any_cell_and_in_parts(members, monkeypatch):
    committee = pt.Committee(members)
    rng = np.random.default_rng(0)
    cells = np.array([[4.0, 0.0], [1.5, 4.0]])
    x = rng.uniform(0, 4, (7, 5, 2))
    whole = committee.spread(x, cells, "forces")
    assert whole.shape == (7, 5) and committee.any_number and committee.any_cell
    turned = np.array([[0.0, 1.0], [-1.0, 0.0]])
    again = committee.spread(x @ turned, cells @ turned, "forces")
    np.testing.assert_allclose(again, whole, rtol=1e-9)
    monkeypatch.setattr("pes_toy.committee.CHUNK", 10)
    np.testing.assert_allclose(committee.spread(x, cells, "forces"), whole, rtol=1e-12)


def test_no_number_is_an_error(members, batch):
    broken = handmade(pt.TrainingSpec("symmetry"), seed=1)
    broken.from_inputs = lambda values, with_slopes=False: (np.full(len(values), np.nan), None)
    with pytest.raises(NotFiniteError, match="member 1 of the Committee"):
        pt.Committee([members[0], broken]).spread(*batch)


def test_quantiles_are_conformal():
    "By counting: the k-th smallest of n ratios, k = ceil((n + 1) c)."
    rng = np.random.default_rng(1)
    for n in (100, 199, 1000):
        wrong, apart = rng.standard_t(3, n), rng.uniform(0.5, 2, n)
        found = calibrated(wrong, apart)
        ratios = np.sort(np.abs(wrong) / apart)
        for c in (1, 50, 80, 95, 99):
            k = -(-(n + 1) * c // 100)
            assert found.quantiles[c - 1] == ratios[k - 1]
        assert np.isclose(found.scale, np.sqrt(np.mean((wrong / apart) ** 2)))


def test_coverage_is_what_is_promised_for_any_distribution():
    "The mean over many calibrations is at least c, and at most c + 1/(n + 1)."
    rng = np.random.default_rng(2)
    n, covered = 100, []
    for _ in range(1500):
        wrong, apart = rng.standard_cauchy(2 * n), rng.uniform(0.1, 10, 2 * n)
        q = calibrated(wrong[:n], apart[:n]).quantiles
        ratios = np.abs(wrong[n:]) / apart[n:]
        covered.append([(ratios <= q[c - 1]).mean() for c in (50, 80, 95)])
    mean, error = np.mean(covered, axis=0), np.std(covered, axis=0) / np.sqrt(len(covered))
    promised = np.array([0.5, 0.8, 0.95])
    assert (mean > promised - 4 * error).all() and (mean < promised + 1 / n + 4 * error).all()


def test_fresh_configurations_of_the_same_kind(trained):
    "Within 5 points at 50, 80 and 95 %, energies and forces."
    fresh = pt.generate(dataclasses.replace(DIVERSE, n_configurations=3000, seed=1), progress=False)
    assert trained.calibration["energy"].n == 1000
    for of in ("energy", "forces"):
        judged = trained.judge(fresh, of)
        for level in (0.5, 0.8, 0.95):
            low, high = trained.interval(fresh.positions, fresh.width, level, of)
            true = fresh.energy if of == "energy" else fresh.forces
            inside = ((low <= true) & (true <= high)).mean()
            assert abs(inside - level) < 0.05, (of, level, inside)
            assert abs(judged.coverage(level) - inside) < 0.005


def test_a_judgement_by_hand(members, batch):
    x, w = batch
    committee = pt.Committee(members)
    mean, apart = plain_spread(committee.each(x, w))
    wrong = np.random.default_rng(3).normal(0, 2 * apart)
    truth = pt.Database.from_arrays(x, w, mean - wrong)
    found = committee.judge(truth)
    normal = (np.abs(wrong) <= 0.6744897501960817 * apart).mean()
    assert np.isclose(found.coverage(0.5), normal, atol=1e-12)
    assert np.isclose(found.mae, np.abs(wrong).mean(), rtol=1e-9)
    assert np.isclose(found.sharpness, 1.2815515655446004 * apart.mean(), rtol=1e-6)
    likely = np.log(apart * np.sqrt(2 * np.pi)) + wrong**2 / (2 * apart**2)
    assert np.isclose(found.nll, likely.mean(), rtol=1e-6)
    assert np.isclose(found.constant, np.log(np.sqrt(2 * np.pi * np.e * (wrong**2).mean())))
    assert np.isclose(found.correlation, rank_correlation(apart, np.abs(wrong)))
    assert np.isclose(found.area, np.abs(found.observed - LEVELS).mean()) and found.n == 12


def test_no_force_is_nothing_to_judge(members):
    "A particle that no other reaches feels none, and every member says so."
    x, w = np.array([[[0.0, 0.0], [9.0, 9.0]]] * 3), 30.0
    committee = pt.Committee(members)
    assert not committee.spread(x, w, "forces").any()
    truth = pt.Database.from_arrays(x, w, np.zeros(3), forces=np.zeros_like(x))
    with pytest.raises(ValueError, match="no particle of the database feels a force"):
        committee.judge(truth, "forces")


def test_structures_are_judged_as_databases_are(trained, db):
    some = db[:300]
    others = pt.Structures.from_database(some)
    for of in ("energy", "forces"):
        one, two = trained.judge(some, of), trained.judge(others, of)
        assert abs(one.mae - two.mae) < 1e-10 and one.n == two.n


def test_trained_on_structures(db):
    sets = pt.Structures.from_database(db[:300])
    spec = dataclasses.replace(SPEC, epochs=1)
    found = pt.train_committee(sets, spec, 2, calibration=0.4, progress=False)
    assert found.calibration["energy"].n == 120 and found.any_cell
    assert found.about["trained_on"] == 144
    assert found.judge(sets, "forces").n == 2400
    with pytest.raises(TypeError, match="bootstrap=True needs a Database"):
        pt.train_committee(sets, spec, 2, bootstrap=True)


def test_rows_are_held_back_from_all(db):
    held, rest = held_back(db, SPEC, 0.1)
    assert len(held) == 150 and len(rest) == 1350
    both = np.concatenate([held.energy, rest.energy])
    np.testing.assert_array_equal(np.sort(both), np.sort(db.energy))
    assert held_back(db, SPEC)[0] == held and held_back(db[:900], SPEC)[0] is None
    assert held_back(db, dataclasses.replace(SPEC, seed=1), 0.1)[0] != held


def test_members_differ_in_their_seeds(trained, db):
    assert [one.spec.seed for one in trained.members] == [0, 1, 2]
    again = pt.train_committee(db, SPEC, 3, calibration=2 / 3, progress=False)
    assert again.calibration == trained.calibration
    x, w = db.positions[:20], db.width[:20]
    np.testing.assert_array_equal(again.each(x, w), trained.each(x, w))
    assert trained.about["committee"] == dict(size=3, bootstrap=False)
    assert trained.about["trained_on"] == 400 and "validation_mae" not in trained.about


def test_bootstrap_draws_training_rows_only(db):
    from pes_toy.committee import _drawn

    few = db[:200]
    training, aside = pt.training.training_rows(few, 0.2, 0)
    drawn = _drawn(few, SPEC)
    assert (drawn.subset == 1).sum() == len(aside) and len(drawn) == 200
    assert {*drawn.energy[drawn.subset == 0]} < {*few.energy[training]}
    assert {*drawn.energy[drawn.subset == 1]} == {*few.energy[aside]}
    share = len({*drawn.energy[drawn.subset == 0]}) / len(training)
    assert 0.55 < share < 0.72  # 1 - 1/e
    spec = pt.BaselineSpec()
    for bootstrap, apart in ((False, False), (True, True)):
        split = dataclasses.replace(few, subset=np.arange(200) % 5 == 0)
        found = pt.train_committee(split, spec, 2, bootstrap=bootstrap, progress=False)
        assert (found.spread(few.positions, few.width).max() > 1e-9) == apart


def test_ctrl_c_keeps_what_there_is(db, monkeypatch):
    made = []

    def interrupted(database, spec):
        made.append(pt.fit_baseline(database, spec))
        if len(made) == stop:
            made[-1].about["ended"] = "interrupted"
        return made[-1]

    monkeypatch.setattr("pes_toy.committee.fit", interrupted)
    stop = 3
    found = pt.train_committee(db, pt.BaselineSpec(), 5, progress=False)
    assert len(found.members) == 3 and found.about["ended"] == "interrupted"
    made.clear()
    stop = 1
    with pytest.raises(KeyboardInterrupt):
        pt.train_committee(db, pt.BaselineSpec(), 5, progress=False)


def test_a_file_holds_the_calibration(trained, db, tmp_path):
    path = trained.save(tmp_path / "committee.npz")
    again = pt.load_network(path)
    assert type(again) is pt.Committee and again.calibration == trained.calibration
    assert again.about == json.loads(json.dumps(trained.about))
    x, w = db.positions[:5], db.width[:5]
    np.testing.assert_array_equal(again.interval(x, w), trained.interval(x, w))
    settings, arrays = trained.parts()
    spoilt = {
        "rise": arrays | dict(energy_quantiles=arrays["energy_quantiles"][::-1]),
        "99 numbers": arrays | dict(forces_quantiles=np.ones(3)),
        "from 0": arrays | dict(energy_quantiles=arrays["energy_quantiles"] * np.nan),
    }
    for said, parts in spoilt.items():
        with pytest.raises(ValueError, match=said):
            pt.Committee.from_parts(settings, parts)


def test_what_is_wrong_is_said(members, trained, db):
    committee = pt.Committee(members)
    x, w = db.positions[:5], db.width[:5]
    bare = dataclasses.replace(db, forces=None)
    for call, error, said in (
        (lambda: pt.Committee(members[:1]), ValueError, "at least two"),
        (lambda: pt.Committee(members, [1]), TypeError, "calibration must be a dictionary"),
        (lambda: committee.interval(x, w), ValueError, "not calibrated for energy"),
        (lambda: trained.interval(x, w, 1), ValueError, "coverage must be"),
        (lambda: trained.spread(x, w, "mass"), ValueError, "of must be one of energy, forces"),
        (lambda: trained.judge(x), TypeError, "database must be"),
        (lambda: trained.judge(db[:0]), ValueError, "empty"),
        (lambda: trained.judge(bare, "forces"), ValueError, "has no forces"),
        (lambda: committee.calibrate(db[:99]), ValueError, "too few"),
        (lambda: pt.Committee(members[:1] * 2).calibrate(db), ValueError, "say the same"),
        (lambda: pt.train_committee(db, SPEC, 1), ValueError, "size must be"),
        (lambda: pt.train_committee(db, "thesis"), TypeError, "spec must be"),
        (lambda: pt.train_committee(x, SPEC), TypeError, "database must be a Database"),
        (lambda: pt.train_committee(db, SPEC, calibration=0.01), ValueError, "15 of 1500"),
    ):
        with pytest.raises(error, match=said):
            call()
    energies_only = pt.Committee(members).calibrate(bare)
    with pytest.raises(ValueError, match="not calibrated for forces"):
        energies_only.interval(x, w, of="forces")


def test_pictures_show_what_was_found(trained, db):
    ax = trained.plot_spread(db[:400])
    points = ax.lines[0].get_xydata()
    apart = trained.spread(db.positions[:400], db.width[:400])
    np.testing.assert_allclose(np.sort(points[:, 0]), np.sort(apart))
    half, most = (line.get_ydata()[0] / line.get_xdata()[0] for line in ax.lines[1:3])
    q = trained.calibration["energy"].quantiles
    np.testing.assert_allclose([half, most], q[[49, 94]])
    axs = trained.plot_drag(points=101)
    bands = trained.drag_intervals(points=101)
    for ax, name in zip(axs, ("energy", "slope")):
        low, high = bands[name]
        drawn = ax.collections[0].get_paths()[0].vertices[:, 1]
        assert np.isclose(drawn.min(), low.min()) and np.isclose(drawn.max(), high.max())
    drag = trained.drag(points=101)
    assert ((bands["slope"][0] + bands["slope"][1]) / 2 - drag.predicted_gradient).max() < 1e-9
    judged = trained.judge(db[:400])
    ax = judged.plot(label="here")
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), judged.observed)


def test_explorers_take_a_committee(trained):
    explorer = pt.explore.network(trained)
    assert explorer.view.network is trained
    low, high = explorer.view.compute()["band"]
    assert low.shape == (201,) and (low < high).all()
    uncalibrated = pt.explore.network(pt.sample_database(), network=pt.Committee(trained.members))
    assert uncalibrated.view.compute()["band"] is None
    explorer.close(), uncalibrated.close()


def test_the_command(db, tmp_path, capsys):
    path = db.save(tmp_path / "db.parquet")
    out, pictures = tmp_path / "committee.npz", tmp_path / "pictures"
    words = ["--preset", "recommended", "--hidden", "8", "--epochs", "2", "--batch-size", "32"]
    train = ["train", str(path), str(out), "--committee", "2", *words]
    assert main([*train, "--pictures", str(pictures)]) == 0
    committee = pt.load_network(out)
    assert len(committee.members) == 2 and committee.calibration["energy"].n == 150
    assert {p.stem for p in pictures.iterdir()} == {"spread", "prediction", "sample", "drag"}
    assert "2 predictors" in figure_settings(pictures / "drag.png")["training"]
    predicted = tmp_path / "predicted.parquet"
    capsys.readouterr()
    assert main(["predict", str(out), str(path), str(predicted)]) == 0
    said = capsys.readouterr().out
    assert "Reliability of 1,500 numbers (energy)" in said and "mean spread" in said
    assert "numbers (forces)" in said
    stored = pt.load(predicted).extra["predicted_spread"][:, 0]
    np.testing.assert_array_equal(stored, committee.spread(db.positions, db.width))
    assert main(["train", str(path), str(out), "--committee", "1", *words]) == 1
    assert "size must be" in capsys.readouterr().err


def test_equal_ranks_share_their_mean():
    "By hand: the places of 1, 2, 2, 3 are 0, 1.5, 1.5, 3."
    a, b = np.array([1.0, 2.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0, 4.0])
    assert np.isclose(rank_correlation(a, b), 4.5 / np.sqrt(4.5 * 5.0))
