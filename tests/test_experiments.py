"""Experiments of the installed package: scores, baselines, sweeps."""
import dataclasses, json, math
from pathlib import Path

import numpy as np
import pytest

import matplotlib
matplotlib.use("agg")
import matplotlib.pyplot as plt

from models import TINY, Waves, handmade, in_process, slopes_of
from pes_toy import experiments as ex, networks as ns
from pes_toy.specification import DatabaseSpec
from pes_toy.generation import generate
from pes_toy.descriptors import ProximityEigenvalues
from pes_toy.energy import energy_and_forces, energy_per_particle
from pes_toy.potentials import Potential
from pes_toy.training import TrainingSpec, train


class Off(ns.Predictor):
    "The truth, and a known error."
    descriptor, n_particles, dimension, about = Waves(), 4, 2, {}
    def __init__(self, db, energy, forces): self.known = {x.tobytes(): (e, f) for x, e, f in zip(db.positions, db.energy + energy, (np.zeros_like(db.positions) if db.forces is None else db.forces) + forces)}
    def predict(self, x, w): return self.energy_and_forces(x, w)[0]
    def energy_and_forces(self, x, w):
        found = [self.known[a.tobytes()] for a in x.reshape(-1, 4, 2)]
        return np.array([f[0] for f in found]), np.array([f[1] for f in found])


def test_scores_of_known_errors():
    rng = np.random.default_rng(0)
    db = generate(DatabaseSpec(n_configurations=60, epochs=5, width=(3, 5), n_widths=3, forces=True), progress=False)
    e, f = rng.normal(size=60), rng.normal(size=(60, 4, 2))
    found = ex.score(Off(db, e, f), db)
    by_hand = [np.abs(e).mean(), np.sqrt((e**2).mean()), np.median(np.abs(e)), np.abs(f).mean(), np.abs(f).mean() / np.abs(db.forces).mean()]
    np.testing.assert_allclose([found.energy_mae, found.energy_rmse, found.energy_median, found.force_mae, found.force_error], by_hand, rtol=1e-9)
    assert list(found.by_width) == [3.0, 4.0, 5.0] and found.n_configurations == 60 and 0 < found.seconds_many and 0 < found.seconds_one
    np.testing.assert_allclose([*found.by_width.values()], [np.abs(e[db.width == w]).mean() for w in (3, 4, 5)], rtol=1e-9)
    assert f"{by_hand[0]:.4g} E_c" in repr(found) and "<td" in found._repr_html_() and "60 configurations" in repr(found)
    bare = dataclasses.replace(db[db.width == 3])
    bare.forces = None
    found = ex.score(Off(bare, 0.5, 0), bare)
    assert math.isnan(found.force_mae) and math.isnan(found.force_error) and found.by_width == {} and "force" not in repr(found)
    assert math.isclose(found.energy_mae, 0.5) and ex.score(Off(db, 0, 0), db).energy_mae == 0
    for wrong in (None, lambda x, w: 0, Off): pytest.raises(TypeError, ex.score, wrong, db).match("Predictor")
    with pytest.raises(ValueError, match="empty"): ex.score(Off(db, 0, 0), db[:0])


def test_averages_are_means(db):
    members = [handmade(TrainingSpec(), seed=s) for s in range(3)]
    mean, x, w = ex.Average(members), db.positions[:9], db.width[:9]
    np.testing.assert_allclose(mean.predict(x, w), np.mean([m.predict(x, w) for m in members], axis=0), rtol=1e-12)
    np.testing.assert_allclose(mean.forces(x, w), np.mean([m.forces(x, w) for m in members], axis=0), rtol=1e-9, atol=1e-9)
    assert mean.n_parameters == 3 * members[0].n_parameters


def test_baselines_that_make_no_sense(db):
    for wrong, message in ((dict(method="boosting"), "method"), (dict(transform="log"), "transform"), (dict(inputs="eigenvalues"), "inputs"), (dict(inputs="symmetry", R_0p=4.0), "R_0p"), (dict(orders=(-1,)), "orders"), (dict(max_configurations=3), "max_configurations"), (dict(validation=0), "validation")):
        with pytest.raises(ValueError, match=message): ex.BaselineSpec(**wrong)
    for wrong, message in ((dict(max_configurations="all"), "max_configurations"), (dict(validation=None), "validation")):
        with pytest.raises(TypeError, match=message): ex.BaselineSpec(**wrong)
    with pytest.raises(dataclasses.FrozenInstanceError): ex.BaselineSpec().seed = 3
    with pytest.raises(ValueError, match="0 configurations"): ex.fit_baseline(db[:0])
    with pytest.raises(TypeError, match="Database"): ex.fit_baseline(db.positions)
    assert hash(ex.BaselineSpec(inputs=Waves())) and json.loads(json.dumps(ex.BaselineSpec(inputs=Waves()).to_dict()))["inputs"] == Waves().settings


@pytest.mark.parametrize("method", ex.METHODS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_baselines(db, method):
    copy = dataclasses.replace(db)
    train_part, _ = copy.split(0.4)
    for inputs, transform in (("proximity", "asinh"), ("symmetry", "standardised"), (Waves(), "raw")):
        model = ex.fit_baseline(copy, ex.BaselineSpec(method, inputs, transform=transform, max_configurations=50))
        values = model.descriptor.values(train_part.positions, train_part.width)
        X = ns.apply_transform(values, transform, *ns.fit_transform(values, transform))
        X = X.mean(axis=1) if X.ndim == 3 else X
        v, f = model.energy_and_forces(train_part.positions, train_part.width)
        if method == "least squares":                                                   # the witness: numpy's least squares
            A = np.column_stack([X, np.ones(120)])
            np.testing.assert_allclose(v, A @ np.linalg.lstsq(A, train_part.energy, rcond=None)[0], rtol=0, atol=1e-9 if inputs != "symmetry" else 3e-3)       # symmetry functions are almost dependent: scikit-learn cuts earlier
        else:                                                                           # the sum over configurations, term by term, and their number
            assert model.centres.shape == (50, X.shape[1]) and {c.tobytes() for c in model.centres} <= {r.tobytes() for r in X}
            K = np.exp(-model.gamma * ((X[:, None] - model.centres) ** 2).sum(axis=2))
            np.testing.assert_allclose(v, model.mean + model.deviation * K @ model.coefficients, rtol=0, atol=1e-6 * np.abs(model.coefficients).max() * model.deviation)
            assert np.abs(v - train_part.energy).mean() < np.abs(train_part.energy - train_part.energy.mean()).mean()
        some = slice(0, 4)
        np.testing.assert_allclose(f[some], slopes_of(model.predict, train_part.positions[some], train_part.width[some], 3e-5), rtol=0, atol=1e-4 * np.abs(f[some]).max())
        assert model.about["trained_on"] == (120 if method == "least squares" else 50) and method in repr(model)


CHANGES = dict(database=[DatabaseSpec(seed=1), DatabaseSpec(epochs=39), DatabaseSpec(width=5.5), DatabaseSpec.thesis()], labels=["thesis", "exact"], networks=[2], n_fresh=[9999], elsewhere=[(4.0,), (4.0, 6.0)], seed=[1],
               training=[TrainingSpec(**c) for c in (dict(orders=(-2, -4)), dict(R_0p=4), dict(inputs="symmetry"), dict(inputs=Waves()), dict(inputs=Waves((1,))), dict(transform="raw"), dict(hidden=(64, 64)), dict(activation="tanh"), dict(optimizer="sgd"), dict(learning_rate=0.00301), dict(schedule="constant"), dict(loss="mse"),
                         dict(force_weight=1e-9), dict(batch_size=127), dict(epochs=301), dict(patience=300), dict(validation=0.21), dict(standardise_energy=False), dict(seed=1))] + [ex.BaselineSpec(), ex.BaselineSpec("kernel ridge"), ex.BaselineSpec(max_configurations=1999)])


def test_keys_of_experiments():
    base = ex.Experiment("a", DatabaseSpec())
    others = [dataclasses.replace(base, **{field: value}) for field, values in CHANGES.items() for value in values]
    keys = [base.key, *(e.key for e in others)]
    assert len(set(keys)) == len(keys) and {*CHANGES, "name"} == {f.name for f in dataclasses.fields(ex.Experiment)}
    assert dataclasses.replace(base, name="b").key == base.key == ex.Experiment("c", DatabaseSpec(), TrainingSpec()).key
    for wrong, error in ((dict(database=None), TypeError), (dict(training="adam"), TypeError), (dict(labels="true"), ValueError), (dict(networks=0), ValueError), (dict(n_fresh=0), ValueError), (dict(seed=-1), ValueError), (dict(elsewhere=(0,)), ValueError)):
        with pytest.raises(error, match=[*wrong][0]): dataclasses.replace(base, **wrong)


def test_labels_of_both_protocols():
    live, thesis = (generate(spec, progress=False) for spec in (DatabaseSpec(n_configurations=30, epochs=3), DatabaseSpec.thesis(n_configurations=30, epochs=3)))
    for db in (live, thesis):
        exact, frozen = ex.labelled(db, "exact"), ex.labelled(db, "thesis")
        np.testing.assert_allclose(exact.energy, energy_per_particle(db.positions, db.width), rtol=1e-12)
        np.testing.assert_allclose(frozen.energy, energy_per_particle(db.positions, db.width, depth=3, protocol="thesis"), rtol=1e-12)
        np.testing.assert_array_equal(frozen.positions, db.positions)
        assert frozen.forces is None and ex.labelled(db, None) is db and np.abs(frozen.energy - exact.energy).max() > 1e-3
        assert ex.labelled(frozen, "thesis") is frozen
    np.testing.assert_allclose(ex.labelled(thesis, "exact").forces, energy_and_forces(thesis.positions, thesis.width)[1])
    assert ex.labelled(live, "exact") is live and ex.labelled(thesis, "thesis") is thesis


QUICK = DatabaseSpec(n_configurations=60, epochs=4)
NETWORK, BASELINE = ex.Experiment("network", QUICK, TrainingSpec(**{**TINY, "batch_size": 16}), n_fresh=40), ex.Experiment("baseline", QUICK, ex.BaselineSpec(), n_fresh=40, elsewhere=(6.0,))
MEASURED = {"seconds", "seconds_one", "seconds_many"}
lasting = lambda found: [[{k: v for k, v in json.loads(json.dumps(r)).items() if k not in MEASURED} for r in results] for _, results in found.runs]


def fake(experiment):
    "A result without work, that tells its seed and number of configurations."
    return dict(energy_mae=float(experiment.seed + experiment.database.n_configurations), seconds=1.0)


def test_a_sweep_goes_on_where_it_stopped(tmp_path, monkeypatch):
    done, store = [], tmp_path / "results.json"
    experiments = ex.vary(ex.Experiment("", QUICK), "database.n_configurations", {"a": 10, "b": 20})
    def until(n):
        def run(experiment):
            if len(done) == n: raise KeyboardInterrupt
            done.append(experiment.key)
            return fake(experiment)
        monkeypatch.setattr(ex, "run_experiment", run)
    until(3)
    with pytest.raises(KeyboardInterrupt): ex.sweep(experiments, store=store, progress=False)
    assert len(json.loads(store.read_text())) == 3 and len(done) == 3
    with pytest.raises(ValueError, match="3 of 6 results are missing.*'b'"): ex.sweep(experiments, store=store, compute=False, progress=False)
    until(99)
    found = ex.sweep(experiments, store=store, progress=False)
    assert len(done) == len(set(done)) == 6 and found.values("energy_mae").tolist() == [[10, 11, 12], [20, 21, 22]]
    until(6)                                                                  # nothing is left to do, whatever the names
    renamed = [dataclasses.replace(e, name=e.name * 2) for e in experiments]
    assert ex.sweep(renamed, store=store, progress=False).values("energy_mae").tolist() == found.values("energy_mae").tolist() == ex.sweep(experiments, store=store, compute=False, progress=False).values("energy_mae").tolist()
    assert ex.sweep(renamed[:1], repeats=2, store=store, progress=False)["aa"] == found["a"][:2] and sorted(p.name for p in tmp_path.iterdir()) == ["results.json"]
    until(9)
    assert ex.sweep([*experiments, *renamed], repeats=4, store=store, progress=False).values("energy_mae").shape == (4, 4) and len(done) == 8      # equal ones are computed once
    whole = store.read_text()
    for n in (0, 1, 20, len(whole) // 2, len(whole) - 3):
        store.write_text(whole[:n])
        with pytest.raises(ValueError, match="results.json.*remove it"): ex.sweep(experiments, store=store, progress=False)
        assert store.read_text() == whole[:n]
    with pytest.raises(TypeError, match="list of Experiment"): ex.sweep([QUICK], progress=False)
    for wrong in (dict(repeats=0), dict(workers=0), dict(workers=1.5)):
        with pytest.raises(ValueError, match=[*wrong][0]): ex.sweep(experiments, progress=False, **wrong)


def test_processes_give_the_same_numbers(tmp_path):
    from joblib.externals.loky import get_reusable_executor
    alone = ex.sweep([NETWORK, BASELINE], repeats=2, store=tmp_path / "one.json", progress=False)
    try: together = ex.sweep([NETWORK, BASELINE], repeats=2, workers=2, store=tmp_path / "two.json", progress=False)
    finally: get_reusable_executor().shutdown(wait=True)
    without = lambda found: [[{k: {a: b for a, b in v.items() if a != "seconds"} if k == "history" else v for k, v in r.items()} for r in results] for results in lasting(found)]
    assert without(alone) == without(together)
    one, two = (json.loads((tmp_path / f"{n}.json").read_text()) for n in ("one", "two"))
    assert list(one) == list(two) == sorted(one) and len(one) == 4
    assert len({r["energy_mae"] for results in lasting(alone) for r in results}) == 4                       # seeds and methods differ
    judged = alone["network"][0]
    db, fresh = generate(QUICK, progress=False), generate(dataclasses.replace(QUICK, n_configurations=40, seed=ex.FRESH, forces=True), progress=False)
    by_hand = ex.score(train(db, NETWORK.training, progress=False), fresh)                                    # what an experiment is, step by step
    np.testing.assert_allclose([judged["energy_mae"], judged["force_error"], judged["trained_on"]], [by_hand.energy_mae, by_hand.force_error, 48], rtol=1e-3)


def test_a_training_that_diverges_is_a_result(tmp_path):
    bad = dataclasses.replace(NETWORK, name="bad", training=TrainingSpec(transform="raw", optimizer="sgd", loss="mse", **{**TINY, "batch_size": 16, "learning_rate": 1e30}))
    found = ex.sweep([bad, BASELINE], repeats=1, store=tmp_path / "r.json", progress=False)
    assert "learning_rate" in found["bad"][0]["diverged"] and np.isnan(found.values("energy_mae")[0]).all() and np.isfinite(found.values("energy_mae")[1]).all()
    table = found.table(["energy_mae", "seconds"])
    assert (table.loc["bad"] == "diverged").all() and not (table.loc["baseline"] == "diverged").any() and "diverged" in found._repr_html_()
    assert len(found.frame()) == 2 and found.frame().set_index("name").loc["bad", "diverged"].startswith("training diverged")
    ax = found.plot()
    assert [t.get_text() for t in ax.texts] == ["diverged"] and ax.texts[0].get_position()[1] == 0 and len(ax.lines) == 3
    again = ex.sweep([bad, BASELINE], repeats=1, store=tmp_path / "r.json", compute=False, progress=False)
    assert np.array_equal(again.values("energy_mae"), found.values("energy_mae"), equal_nan=True)


def made_up():
    "A sweep of numbers without work: two lines of three amounts, two seeds."
    base, rng, runs = ex.Experiment("", QUICK), np.random.default_rng(0), []
    for label, training in (("plain", TrainingSpec()), ("local", TrainingSpec("symmetry"))):
        for e in ex.vary(dataclasses.replace(base, training=training), "database.n_configurations", {n: n for n in (400, 100, 200)}):
            draw = lambda *shape: rng.uniform(0.1, 1, shape).tolist()
            results = [dict(energy_mae=float(rng.uniform(0.1, 1)), force_error=None, seconds=2.0, by_width={"3.0": float(rng.uniform(0.1, 1)), "5.0": float(rng.uniform(0.1, 1))}, parity=[draw(7), draw(7)], history=dict(epoch=[1, 5, 9], loss=draw(3), validation_mae=draw(3)),
                            drag={k: draw(11) for k in ("y", "energy", "predicted", "gradient", "predicted_gradient")}) for _ in range(2)]
            runs.append((dataclasses.replace(e, name=label), results))
    return ex.Sweep(runs)


def test_pictures_of_sweeps():
    found = made_up()
    mae = found.values("energy_mae")
    assert mae.shape == (6, 2) and np.isnan(found.values("force_error")).all() and found.values("energy_mae", "local").tolist() == mae[3:].tolist()
    assert math.isclose(found.mean("plain"), mae[0].mean()) and found["local"] is found.runs[3][1] and len(found) == 6
    with pytest.raises(KeyError, match="'third'.*plain, local"): found["third"]
    fig, ax = plt.subplots()
    assert found.plot(ax=ax, reference=0.47) is ax and ax.get_xscale() == "log"
    np.testing.assert_array_equal([line.get_xydata() for line in ax.lines[:-1:2]], [[[v, row] for v in both] for row, both in enumerate(mae)])
    np.testing.assert_allclose([line.get_xdata()[0] for line in ax.lines[1:-1:2]], mae.mean(axis=1))
    assert list(ax.lines[-1].get_xdata()) == [0.47, 0.47] and [t.get_text() for t in ax.get_yticklabels()] == ["plain"] * 3 + ["local"] * 3
    lines = (ax := found.plot_against("database.n_configurations")).lines
    order = [1, 2, 0]
    for line, rows, label in zip(lines, (mae[:3], mae[3:]), ("plain", "local"), strict=True):
        np.testing.assert_allclose(line.get_xydata(), np.stack([[100, 200, 400], rows.mean(axis=1)[order]], axis=1))
        assert line.get_label() == label and ax.get_xlabel() == "number of configurations"
    for band, rows in zip(ax.collections, (mae[:3], mae[3:]), strict=True): np.testing.assert_allclose(band.get_paths()[0].vertices[:, 1].max(), rows.max())
    names = ["plain", "local"]
    drag = [found[n][0]["drag"] for n in names]
    for what, predicted in (("gradient", "predicted_gradient"), ("energy", "predicted")):
        drawn = found.plot_drag(names, what).lines
        for line, source, key in zip(drawn, (drag[0], *drag), (what, predicted, predicted), strict=True): assert line.get_xydata().tolist() == [[*p] for p in zip(source["y"], source[key])]
    for line, n in zip(found.plot_history(names).lines, names, strict=True): assert line.get_ydata().tolist() == found[n][0]["history"]["validation_mae"] and line.get_xdata().tolist() == [1, 5, 9]
    for line, n in zip(found.plot_widths(names).lines, names, strict=True): np.testing.assert_allclose(line.get_xydata(), [[w, np.mean([r["by_width"][f"{w}.0"] for r in found[n]])] for w in (3, 5)])
    parity = found.plot_parity("local").lines
    assert parity[0].get_xydata().tolist() == [[*p] for p in zip(*found["local"][0]["parity"])] and parity[1].get_xdata().tolist() == parity[1].get_ydata().tolist()


def test_tables_of_sweeps():
    found = made_up()
    table, frame = found.table(), found.frame()
    v = found.values("energy_mae")[0]
    said = table["energy MAE"].iloc[0].split(" ± ")
    half = 0.5001 * 10.0 ** math.floor(math.log10(v.std(ddof=1)))                      # of the one digit of the deviation that is shown
    assert abs(float(said[0]) - v.mean()) <= half and abs(float(said[1]) - v.std(ddof=1)) <= half and table["training (s)"].iloc[0] == "2"
    assert list(table.index) == ["plain"] * 3 + ["local"] * 3 and "force error" not in table.columns and found._repr_html_().count("<tr") >= 7
    assert len(frame) == 12 and frame["energy_mae"].tolist() == found.values("energy_mae").ravel().tolist() and frame["seed"].tolist() == [0, 1] * 6
    assert frame["database.n_configurations"].tolist() == [400, 400, 100, 100, 200, 200] * 2 and set(frame["training.inputs"]) == {"proximity", "symmetry"}
    for values, text in (([0.05, 0.05], "0.05"), ([0.1], "0.1"), ([1.234, 1.257], "1.25 ± 0.02"), ([100.0, 300.0], "200 ± 141"), ([0.5, math.nan], "0.5")): assert ex._plus_minus(np.array(values)) == text


def test_vary():
    base = ex.Experiment("base", QUICK, TrainingSpec(), seed=3)
    rates = ex.vary(base, "training.learning_rate", (0.1, 0.01), name="rate {value}")
    assert [e.name for e in rates] == ["rate 0.1", "rate 0.01"] and [e.training.learning_rate for e in rates] == [0.1, 0.01] and {e.seed for e in rates} == {3}
    assert [e.database.epochs for e in ex.vary(base, "database.epochs", {"none": 0, "both": (0, 3)})] == [0, (0, 3)] and [e.labels for e in ex.vary(base, "labels", ["exact", None])] == ["exact", None]
    assert [e.name for e in ex.vary(base, "networks", [1, 2])] == ["1", "2"] and base == ex.Experiment("base", QUICK, TrainingSpec(), seed=3)
    for setting in ("training.rate", "database.size", "rate"): pytest.raises(ValueError, ex.vary, base, setting, [1]).match(f"'{setting}' does not exist")
    for setting in ("trainings.epochs", "training.inputs.cutoff", "score.n"): pytest.raises(ValueError, ex.vary, base, setting, [1]).match("setting must be")
    with pytest.raises(ValueError, match="learning_rate"): ex.vary(base, "training.learning_rate", [1, -1])


def test_baseline_specifications():
    for wrong in (dict(validation=1.5), dict(validation=1), dict(seed=-1), dict(seed="a")):
        with pytest.raises((ValueError, TypeError), match=[*wrong][0]): ex.BaselineSpec(**wrong)


def test_fit_baseline_wants_its_specification(db):
    with pytest.raises(TypeError, match="BaselineSpec"): ex.fit_baseline(db, TrainingSpec())


def test_one_name_for_a_line():
    found = ex.vary(ex.Experiment("", QUICK), "database.n_configurations", [100, 200], name="one line")
    assert [(e.name, e.database.n_configurations) for e in found] == [("one line", 100), ("one line", 200)]


def test_a_wrong_type_is_not_an_unknown_setting():
    with pytest.raises(TypeError, match="learning_rate must be"): ex.vary(ex.Experiment("", QUICK), "training.learning_rate", ["fast"])


def test_results_are_the_same_after_reading(tmp_path):
    once, again = (ex.sweep([BASELINE], repeats=1, store=tmp_path / "r.json", progress=False) for _ in range(2))
    assert once.runs[0][1] == again.runs[0][1]


OWN = [Potential(pair=lambda r: (1 / r - r / 9) ** 2 if r < 3.0 else 0.0, cutoff=3.0, name="mine"), Potential(pair=lambda r: (2 / r - 2 * r / 9) ** 2 if r < 3.0 else 0.0, cutoff=3.0, name="mine")]


def test_potentials_of_ones_own_have_keys():
    assert len({dataclasses.replace(BASELINE, database=dataclasses.replace(QUICK, potential=p)).key for p in OWN}) == 2


def test_experiments_with_a_potential_of_ones_own():
    assert ex.run_experiment(dataclasses.replace(BASELINE, database=dataclasses.replace(QUICK, potential=OWN[0]), elsewhere=()))["drag_energy"] > 0


def test_a_network_of_a_potential_of_ones_own_knows_its_truth(tmp_path):
    db = generate(dataclasses.replace(QUICK, potential=OWN[0], depth=2), progress=False)
    network = ex.fit_baseline(db, ex.BaselineSpec())
    assert ns.truth_of(network) == (OWN[0], 2, "exact")                               # its depth too: without a cutoff nothing else would tell
    np.testing.assert_array_equal(network.drag().energy, network.drag(OWN[0]).energy)
    network.truth = None                                                              # as in a file
    with pytest.raises(ValueError, match="'mine'.*give potential="): network.drag()


@pytest.mark.parametrize("where, said", [(dict(width=6.0), "widths from 5 to 5"), (dict(protocol="thesis"), "protocol exact"), (dict(potential=OWN[0]), "potential")], ids=["width", "protocol", "potential"])
def test_judging_elsewhere_warns(where, said):
    model = ex.fit_baseline(generate(QUICK, progress=False), ex.BaselineSpec())
    with pytest.warns(UserWarning, match=said): ex.score(model, generate(dataclasses.replace(QUICK, n_configurations=20, **where), progress=False))


@pytest.mark.parametrize("content", [b"[1]", b"null", b"5", b"\xff\xfe", b'"text"'])
def test_a_store_of_something_else(tmp_path, content):
    (tmp_path / "r.json").write_bytes(content)
    with pytest.raises(ValueError, match="r.json.*remove it"): ex.sweep([BASELINE], repeats=1, store=tmp_path / "r.json", progress=False)


def test_a_store_nowhere_is_an_error_at_once(tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr(ex, "run_experiment", lambda e: ran.append(e) or fake(e))
    with pytest.raises(FileNotFoundError): ex.sweep([BASELINE], store=tmp_path / "nowhere" / "r.json", progress=False)
    assert not ran


def test_no_experiments():
    with pytest.raises(ValueError, match="empty"): ex.sweep([], progress=False)


def test_pictures_with_a_diverged_training():
    found = made_up()
    lost = ex.Sweep([(dataclasses.replace(found.runs[0][0], name="lost"), [dict(diverged="training diverged in epoch 1")] * 2), *found.runs])
    for draw in (lost.plot_drag, lost.plot_history, lost.plot_widths): assert len(draw().lines) >= 6
    for draw in (lost.plot_drag, lost.plot_history, lost.plot_widths):
        with pytest.raises(ValueError, match="'lost'.*diverged"): draw(["lost"])
    with pytest.raises(ValueError, match="'lost'.*diverged"): lost.plot_parity("lost")


def test_pictures_with_a_baseline():
    found = ex.sweep([BASELINE, NETWORK], repeats=1, progress=False)
    assert len(found.plot_history().lines) == 1


def test_forces_with_energies_of_the_thesis():
    with pytest.raises(ValueError, match="force_weight"): ex.Experiment("", QUICK, TrainingSpec(force_weight=1.0), labels="thesis")


@pytest.mark.parametrize("wrong", [None, 3, ProximityEigenvalues, np.zeros(2), ["proximity"]], ids=str)
def test_inputs_of_baselines_are_named(wrong):
    with pytest.raises(TypeError, match="inputs must be"): ex.BaselineSpec(inputs=wrong)


def test_keys_are_the_same_in_another_process():
    found = in_process("""
import sys
sys.path.insert(0, sys.argv[1])
from models import Waves
from pes_toy.specification import DatabaseSpec
from pes_toy.experiments import Experiment
from pes_toy.training import TrainingSpec
print(Experiment("b", DatabaseSpec(), TrainingSpec(Waves())).key)""", Path(__file__).parent, PYTHONHASHSEED="42")
    assert found.strip() == ex.Experiment("a", DatabaseSpec(), TrainingSpec(Waves())).key
