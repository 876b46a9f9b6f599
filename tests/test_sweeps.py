"""Sweeps: what is stored, what is computed, tables."""
import dataclasses
import json
import math
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from models import TINY
from runs import BASELINE, KERNELS, NETWORK, QUICK, fake, made_up

from pes_toy import sweeps
from pes_toy.experiments import Experiment, vary
from pes_toy.potentials import Potential
from pes_toy.sweeps import STORE, Store, _plus_minus, plain_sweep, sweep
from pes_toy.training import TrainingSpec

MEASURED = {"seconds", "seconds_one", "seconds_many"}
TWO = vary(Experiment("", QUICK), "database.n_configurations", {"a": 10, "b": 20})


@pytest.fixture
def until(monkeypatch):
    "until(n): runs cost nothing, and are interrupted after n; until.done lists their keys."

    def allow(n):
        def run(experiment):
            if len(allow.done) == n:
                raise KeyboardInterrupt
            allow.done.append(experiment.key)
            return fake(experiment)

        monkeypatch.setattr(sweeps, "run_experiment", run)

    allow.done = []
    return allow


def errors(found):
    return found.values("energy_mae").tolist()


def test_a_sweep_goes_on_where_it_stopped(tmp_path, until):
    kept = dict(store=tmp_path / "results.json", progress=False)
    until(3)
    with pytest.raises(KeyboardInterrupt):
        sweep(TWO, **kept)
    assert len(Store(kept["store"]).results) == 3 and len(until.done) == 3
    with pytest.raises(ValueError, match="3 of 6 results are missing.*'b'"):
        sweep(TWO, compute=False, **kept)
    until(99)
    found = sweep(TWO, **kept)
    assert len(until.done) == len(set(until.done)) == 6
    assert errors(found) == [[10, 11, 12], [20, 21, 22]]


def test_names_decide_nothing(tmp_path, until):
    kept = dict(store=tmp_path / "results.json", progress=False)
    until(6)
    found = sweep(TWO, **kept)
    renamed = [dataclasses.replace(e, name=e.name * 2) for e in TWO]
    assert errors(sweep(renamed, **kept)) == errors(found)
    assert errors(sweep(TWO, compute=False, **kept)) == errors(found)
    assert sweep(renamed[:1], repeats=2, **kept)["aa"] == found["a"][:2]
    assert [p.name for p in tmp_path.iterdir()] == ["results.json"]
    until(9)
    four = sweep([*TWO, *renamed], repeats=4, **kept) # equal ones are computed once
    assert four.values("energy_mae").shape == (4, 4) and len(until.done) == 8


def test_a_damaged_store_is_named_and_kept(tmp_path, until):
    store = tmp_path / "results.json"
    until(99)
    sweep(TWO, store=store, progress=False)
    whole = store.read_text()
    for n in (0, 1, 20, len(whole) // 2, len(whole) - 3):
        store.write_text(whole[:n])
        with pytest.raises(ValueError, match="results.json.*remove it"):
            sweep(TWO, store=store, progress=False)
        assert store.read_text() == whole[:n]


@pytest.mark.parametrize(
    "content",
    [b"[1]", b"null", b"5", b"\xff\xfe", b'"text"', b"[" * 9**6, b'{"format": "a"}', b'{"a": 1}'],
)
def test_a_store_of_something_else(tmp_path, content):
    (tmp_path / "r.json").write_bytes(content)
    with pytest.raises(ValueError, match="r.json.*remove it"):
        sweep([BASELINE], repeats=1, store=tmp_path / "r.json", progress=False)


def test_changed_results_are_noticed(tmp_path, until):
    store = tmp_path / "results.json"
    until(99)
    sweep(TWO, store=store, progress=False)
    whole = json.loads(store.read_text())
    key = max(whole.keys() - {"format"})
    for change in (
        {key: {**whole[key], "energy_mae": 0.5}},
        {key: {**whole[key], "more": 1}},
        {key: {**whole[key], "digest": None}},
        {"0" * 20: whole[key]},
        {"format": 1.5},
    ):
        store.write_text(json.dumps({**whole, **change}))
        with pytest.raises(ValueError, match="results.json.*damaged"):
            sweep(TWO, store=store, progress=False)
    store.write_text(json.dumps({**whole, "format": STORE + 1}))
    with pytest.raises(ValueError, match="results.json.*update pes_toy"):
        sweep(TWO, store=store, progress=False)


def test_a_store_without_digests_is_read_with_a_warning(tmp_path, until):
    store = tmp_path / "results.json"
    until(99)
    found = sweep(TWO, store=store, progress=False)
    whole = json.loads(store.read_text())
    del whole["format"]
    for result in whole.values():
        del result["digest"]
    store.write_text(json.dumps(whole))
    with pytest.warns(UserWarning, match="results.json.*no digests"):
        assert errors(sweep(TWO, store=store, compute=False)) == errors(found)
    with pytest.warns(UserWarning, match="no digests"):
        sweep(TWO, repeats=4, store=store, progress=False)
    assert len(Store(store).results) == 8 and len(until.done) == 8


def test_two_stores_of_one_file_lose_nothing(tmp_path):
    path = tmp_path / "results.json"
    one, other = Store(path), Store(path)
    one.put("a", dict(energy_mae=1.0))
    other.put("b", dict(energy_mae=2.0))
    other.put("a", dict(energy_mae=3.0))  # what is stored stays
    one.put("c", dict(energy_mae=4.0))
    wanted = {"a": dict(energy_mae=1.0), "b": dict(energy_mae=2.0), "c": dict(energy_mae=4.0)}
    assert Store(path).results == one.results == wanted


PROCESS = """
import os, sys, time
sys.path.insert(0, sys.argv[3])
from runs import QUICK, fake
from pes_toy import sweeps
from pes_toy.experiments import Experiment, vary

def run(experiment):
    print("runs", flush=True)
    time.sleep(0.02)
    return fake(experiment)

sweeps.run_experiment = run
ours = vary(Experiment("", QUICK), "database.n_configurations", eval(sys.argv[2]))
found = sweeps.sweep(ours, repeats=2, store=sys.argv[1], progress=False)
print("done", found.values("energy_mae").size)
"""


def sweeping(store, amounts):
    "A process that sweeps over some amounts."
    here = str(Path(__file__).parent)
    command = [sys.executable, "-c", PROCESS, str(store), repr(amounts), here]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_sweeps_share_a_store(tmp_path):
    store = tmp_path / "results.json"
    both = [sweeping(store, range(10, 30)), sweeping(store, range(20, 40))]
    said = [process.communicate()[0] for process in both]
    assert all("done 40" in text for text in said)
    stored = Store(store).results
    assert sorted({int(result["energy_mae"]) for result in stored.values()}) == [*range(10, 41)]
    assert len(stored) == 60 and os.listdir(tmp_path) == ["results.json"]


def test_a_killed_sweep_is_no_obstacle(tmp_path):
    store = tmp_path / "results.json"
    for seen in (3, 9):
        process = sweeping(store, range(10, 40))
        for _ in range(seen):
            assert process.stdout.readline() == "runs\n"
        process.kill()
        process.wait()
    already = len(Store(store).results)
    text = sweeping(store, range(10, 40)).communicate()[0]
    assert text.count("runs") == 60 - already and "done 60" in text and already >= 10
    assert os.listdir(tmp_path) == ["results.json"]


def test_what_cannot_travel_is_an_error_at_once():
    own = Potential(pair=lambda r: (r - 1.0) ** 2 if r < 1.0 else 0.0, cutoff=1.0, name="mine")
    base = Experiment("own", dataclasses.replace(QUICK, potential=own))
    with pytest.raises(pickle.PicklingError, match="'mine' cannot travel.*top of a module"):
        sweep([base], workers=2, progress=False)


def test_a_store_nowhere_is_an_error_at_once(tmp_path, until):
    until(99)
    with pytest.raises(FileNotFoundError):
        sweep([BASELINE], store=tmp_path / "nowhere" / "r.json", progress=False)
    assert not until.done


def test_what_cannot_be_swept():
    with pytest.raises(ValueError, match="empty"):
        sweep([], progress=False)
    with pytest.raises(TypeError, match="list of Experiment"):
        sweep([QUICK], progress=False)
    for wrong in (dict(repeats=0), dict(workers=0), dict(workers=1.5)):
        with pytest.raises(ValueError, match=[*wrong][0]):
            sweep(TWO, progress=False, **wrong)


def lasting(found):
    "Everything but times, as a file has it."
    kept = []
    for _, results in found.runs:
        for result in json.loads(json.dumps(results)):
            result["history"] = {**result.get("history", {}), "seconds": None}
            kept.append({k: v for k, v in result.items() if k not in MEASURED})
    return kept


@pytest.mark.parametrize("first", [KERNELS, pytest.param(NETWORK, marks=pytest.mark.stress)])
def test_processes_give_the_same_numbers(first, tmp_path):
    from joblib.externals.loky import get_reusable_executor

    both = dict(repeats=2, progress=False)
    alone = sweep([first, BASELINE], store=tmp_path / "one.json", **both)
    try:
        together = sweep([first, BASELINE], workers=2, store=tmp_path / "two.json", **both)
    finally:
        get_reusable_executor().shutdown(wait=True)
    assert lasting(alone) == lasting(together)
    one, two = (Store(tmp_path / f"{n}.json").results for n in ("one", "two"))
    assert list(one) == list(two) == sorted(one) and len(one) == 4
    assert len({result["energy_mae"] for result in lasting(alone)}) == 4 # seeds, methods differ


def test_a_sweep_is_a_loop():
    found = sweep([BASELINE], repeats=2, progress=False)
    loop = plain_sweep(QUICK, {"baseline": BASELINE.training}, repeats=2, n_fresh=40)
    np.testing.assert_allclose(found.values("energy_mae")[0], loop["baseline"], rtol=1e-3)


def test_results_are_the_same_after_reading(tmp_path):
    kept = dict(repeats=1, store=tmp_path / "r.json", progress=False)
    once = sweep([BASELINE], **kept)
    again = sweep([BASELINE], **kept)
    assert once.runs[0][1] == again.runs[0][1]


@pytest.fixture(scope="module")
def lost(tmp_path_factory):
    "A sweep with a training that diverges, and its store."
    settings = {**TINY, "batch_size": 16, "learning_rate": 1e30}
    training = TrainingSpec(transform="raw", optimizer="sgd", loss="mse", **settings)
    bad = dataclasses.replace(NETWORK, name="bad", training=training)
    store = tmp_path_factory.mktemp("lost") / "r.json"
    found = sweep([bad, BASELINE], repeats=1, store=store, progress=False)
    return found, [bad, BASELINE], store


def test_a_training_that_diverges_is_a_result(lost):
    found, experiments, store = lost
    assert "learning_rate" in found["bad"][0]["diverged"]
    finite = np.isfinite(found.values("energy_mae"))
    assert not finite[0].any() and finite[1].all()
    again = sweep(experiments, repeats=1, store=store, compute=False, progress=False)
    np.testing.assert_array_equal(again.values("energy_mae"), found.values("energy_mae"))


def test_a_training_that_diverges_is_shown(lost):
    found = lost[0]
    table = found.table(["energy_mae", "seconds"])
    assert (table.loc["bad"] == "diverged").all()
    assert not (table.loc["baseline"] == "diverged").any()
    assert "diverged" in found._repr_html_()
    frame = found.frame()
    assert len(frame) == 2
    assert frame.set_index("name").loc["bad", "diverged"].startswith("training diverged")
    ax = found.plot()
    assert [t.get_text() for t in ax.texts] == ["diverged"]
    assert ax.texts[0].get_position()[1] == 0 and len(ax.lines) == 3


def test_values_of_sweeps():
    found = made_up()
    mae = found.values("energy_mae")
    assert mae.shape == (6, 2) and len(found) == 6
    assert np.isnan(found.values("force_error")).all()
    assert found.values("energy_mae", "local").tolist() == mae[3:].tolist()
    assert math.isclose(found.mean("plain"), mae[0].mean())
    assert found["local"] is found.runs[3][1] and found.names() == ["plain", "local"]
    with pytest.raises(KeyError, match="'third'.*plain, local"):
        found["third"]


def test_errors_elsewhere():
    found = sweep([BASELINE], repeats=2, progress=False)
    each = [result["elsewhere"]["6.0"] for result in found["baseline"]]
    assert found.elsewhere("baseline") == {6.0: np.mean(each)}


def test_tables_of_sweeps():
    found = made_up()
    table = found.table()
    v = found.values("energy_mae")[0]
    mean, spread = map(float, table["energy MAE (E_c)"].iloc[0].split(" ± "))
    half = 0.5001 * 10.0 ** math.floor(math.log10(v.std(ddof=1))) # of the digit that is shown
    assert abs(mean - v.mean()) <= half and abs(spread - v.std(ddof=1)) <= half
    assert table["training (s)"].iloc[0] == "2"
    assert list(table.index) == ["plain"] * 3 + ["local"] * 3
    assert "force error (%)" not in table.columns
    assert found._repr_html_().count("<tr") >= 7


def test_errors_of_forces_are_in_per_cent():
    found = made_up()
    for _, results in found.runs:
        for result in results:
            result |= dict(force_error=0.123, drag_gradient=0.5, drag_energy=1.5)
    row = found.table().iloc[0]
    shown = [row[name] for name in ("force error (%)", "drag, gradient (%)", "drag, energy (%)")]
    assert shown == ["12.3", "50", "150"]
    ax = found.plot("force_error")
    np.testing.assert_allclose(ax.lines[0].get_xdata(), 12.3)
    assert "%" in ax.get_xlabel()
    assert found.frame()["force_error"].tolist() == [0.123] * 12


def test_frames_of_sweeps():
    found = made_up()
    frame = found.frame()
    assert len(frame) == 12
    assert frame["energy_mae"].tolist() == found.values("energy_mae").ravel().tolist()
    assert frame["seed"].tolist() == [0, 1] * 6
    assert frame["database.n_configurations"].tolist() == [400, 400, 100, 100, 200, 200] * 2
    assert set(frame["training.inputs"]) == {"proximity", "symmetry"}


SHOWN = {
    (0.05, 0.05): "0.05",
    (0.1,): "0.1",
    (1.234, 1.257): "1.25 ± 0.02",
    (100.0, 300.0): "200 ± 141",
    (0.5, math.nan): "0.5",
    (1234.0,): "1,234",
}


@pytest.mark.parametrize("values", SHOWN, ids=str)
def test_mean_and_spread(values):
    assert _plus_minus(np.array(values)) == SHOWN[values]
