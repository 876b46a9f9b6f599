"""The commands around networks: prepare, train, predict, as a terminal calls them."""
import dataclasses
import subprocess
import sys

import numpy as np
import pes_toy as pt
import pytest
from pes_toy.cli import main

TINY = ["--hidden", "8", "--epochs", "3", "--batch-size", "16"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    "A folder with databases of 4 and of 5 particles and a network of the first, all made by commands."
    home = tmp_path_factory.mktemp("cli")
    assert call(home, "generate", "db.parquet", "--n-configurations", "200", "--quiet") == 0
    assert call(home, "generate", "five.parquet", "--n-configurations", "50", "--n-particles", "5", "--quiet") == 0
    assert call(home, "train", "db.parquet", "network.npz", *TINY, "--quiet") == 0
    return home


def call(home, *words):
    "The exit code of a command; words that name files are taken to stand in the folder."
    files = (".parquet", ".npz", ".toml", ".json", ".csv", "pictures")
    return main([str(home / w) if w.endswith(files) and not w.startswith("-") else w for w in words])


def files(home): return {p: p.read_bytes() for p in home.rglob("*") if p.is_file()}


def python(code, *words, **more):
    return subprocess.run([sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, **more)


def test_prepare_train_predict(home, capsys):
    assert call(home, "prepare", "db.parquet", "ready.parquet", "--orders", "-2,-3,-4", "--R-0p", "3,3,6") == 0
    ready = pt.load(home / "ready.parquet")
    descriptor = pt.ProximityEigenvalues((-2, -3, -4), (3, 3, 6))
    np.testing.assert_array_equal(pt.inputs_of(ready, descriptor), descriptor.values(ready.positions, ready.width))

    assert call(home, "train", "ready.parquet", "three.npz", *TINY, "--orders", "-2,-3,-4", "--R-0p", "3,3,6", "--pictures", "pictures") == 0
    said = capsys.readouterr().out
    network = pt.load_network(home / "three.npz")
    assert network.descriptor == descriptor and repr(network) in said and "other settings" not in said
    assert {p.name for p in (home / "pictures").iterdir()} == {"history.png", "prediction.png", "sample.png", "drag.png"}
    for picture in (home / "pictures").iterdir(): assert pt.figure_settings(picture)["training"] == network.spec.to_dict()

    assert call(home, "predict", "three.npz", "db.parquet", "--forces", "out.parquet") == 0
    assert "Scores on 200 configurations" in capsys.readouterr().out
    out = pt.load(home / "out.parquet")
    energy, forces = network.energy_and_forces(out.positions, out.width)
    np.testing.assert_array_equal(out.extra["predicted_energy"], energy[:, None])
    np.testing.assert_array_equal(out.extra["predicted_forces"], forces.reshape(200, 8))
    assert out.about["predicted_by"]["training"] == network.spec.to_dict()

    assert call(home, "predict", "network.npz", "out.parquet", "out.parquet") == 0          # another network: nothing of the first stays
    assert set(pt.load(home / "out.parquet").extra) == {"predicted_energy"}


def test_fresh_configurations(home, capsys):
    assert call(home, "predict", "network.npz", "--fresh", "7", "fresh.parquet", "--n-configurations", "60") == 0
    fresh = pt.load(home / "fresh.parquet")
    assert fresh.spec == dataclasses.replace(pt.load(home / "db.parquet").spec, seed=7, n_configurations=60) and fresh.forces is not None
    mae = np.abs(fresh.extra["predicted_energy"][:, 0] - fresh.energy).mean()
    assert f"energy MAE {mae:.4g} E_c" in " ".join(capsys.readouterr().out.split())

    network = pt.load_network(home / "network.npz")
    for about, why in ((dict(database=None), "does not know"), (dict(labels="thesis"), "protocol 'thesis'")):
        network.about |= about
        network.save(home / "odd.npz")
        assert call(home, "predict", "odd.npz", "--fresh", "7") == 1
        assert why in capsys.readouterr().err
        network.about = dict(pt.load_network(home / "network.npz").about)


def test_predict_replaces_no_database(home, capsys):
    before = files(home)
    for words in (("--fresh", "7", "db.parquet"), ("db.parquet", "five.parquet")):
        assert call(home, "predict", "network.npz", *words) == 1
        assert "is not replaced" in capsys.readouterr().err
    assert files(home) == before


def test_judging_elsewhere_is_said(home, capsys):
    assert call(home, "generate", "wide.parquet", "--n-configurations", "20", "--width", "6", "--potential", "Morse", "--depth", "1", "--quiet") == 0
    assert call(home, "predict", "network.npz", "wide.parquet") == 0
    said = capsys.readouterr().err
    assert "trained with the potential" in said and "widths from 5 to 5" in said


def test_a_closed_pipe_is_no_error(home):
    ended = subprocess.run(f"{sys.executable} -m pes_toy info {home / 'db.parquet'} | true", shell=True, capture_output=True, text=True)
    assert "Broken pipe" not in ended.stderr and "Traceback" not in ended.stderr


def test_options_win_over_the_file_and_that_over_the_preset(home):
    (home / "s.toml").write_text('optimizer = "nadam"\nhidden = [4, 4]\nepochs = 2\n')
    assert call(home, "train", "db.parquet", "s.npz", "--preset", "thesis", "--settings", "s.toml", "--hidden", "none", "--inputs", "symmetry", "--standardise-energy", "--quiet") == 0
    expected = pt.TrainingSpec.thesis(inputs="symmetry", orders=None, R_0p=None, optimizer="nadam", hidden=(), epochs=2, standardise_energy=True)
    assert pt.load_network(home / "s.npz").spec == expected


def test_forces_are_added_where_they_can_be(home, capsys):
    assert call(home, "train", "db.parquet", "f.npz", *TINY, "--force-weight", "0.1") == 0
    assert "they were computed" in capsys.readouterr().out and pt.load_network(home / "f.npz").about["validation_force_error"] > 0
    assert call(home, "generate", "thesis.parquet", "--preset", "thesis", "--n-configurations", "50", "--quiet") == 0
    before = files(home)
    assert call(home, "train", "thesis.parquet", "x.npz", *TINY, "--force-weight", "0.1", "--quiet") == 1
    assert "needs forces" in capsys.readouterr().err and files(home) == before


@pytest.mark.parametrize("words, why", [
    (["train", "db.parquet", "x.csv"], "must end in .npz"),
    (["train", "db.parquet", "no/x.npz"], "there is no folder"),
    (["train", "db.parquet", "x.npz", "--optimizer", "adamm"], "optimizer must be one of"),
    (["train", "db.parquet", "x.npz", "--orders", "-1"], "orders must be -2 or below"),
    (["train", "db.parquet", "x.npz", "--batch-size", "500"], "fewer than one batch"),
    (["train", "db.parquet", "x.npz", "--pictures", "db.parquet"], "is a file"),
    (["train", "five.npz", "x.npz"], "must end in .parquet or .json"),
    (["prepare", "db.parquet", "x.json"], "must end in .parquet"),
    (["predict", "short.npz", "db.parquet", "x.parquet"], "damaged or cut short"),
    (["predict", "network.npz", "five.parquet", "x.parquet"], "5 particles"),
    (["predict", "network.npz", "--fresh", "0", "x.parquet"], "is the seed of the training database"),
    (["predict", "network.npz", "--fresh", "1", "--n-configurations", "0"], "n_configurations must be"),
    (["predict", "network.npz", "db.parquet", "--n-configurations", "5"], "belongs to --fresh"),
    (["predict", "network.npz", "db.parquet", "x.parquet", "--fresh", "1"], "one file too many"),
    (["predict", "network.npz"], "needs a DATABASE"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_errors_are_one_line_and_leave_nothing(home, capsys, monkeypatch, words, why):
    def never(*given, **more): raise AssertionError("the training began")
    monkeypatch.setattr("pes_toy.training.build_model", never)
    (home / "short.npz").write_bytes((home / "network.npz").read_bytes()[:-100])
    before = files(home)
    capsys.readouterr()
    assert call(home, *words, *(["--quiet"] if words[0] != "predict" else [])) == 1
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and said.err.startswith("pes_toy: ") and why in said.err
    assert files(home) == before


def test_ctrl_c_keeps_the_best_network(home, capsys, monkeypatch):
    rates = pt.training.learning_rates
    def interrupt_in(last):
        def stopped(spec, epoch, *more):
            if epoch == last: raise KeyboardInterrupt
            return rates(spec, epoch, *more)
        monkeypatch.setattr(pt.training, "learning_rates", stopped)
    interrupt_in(2)
    assert call(home, "train", "db.parquet", "early.npz", *TINY, "--quiet") == 0
    assert "interrupted after 2 epochs" in capsys.readouterr().err and pt.load_network(home / "early.npz").about["ended"] == "interrupted"
    interrupt_in(0)
    before = files(home)
    assert call(home, "train", "db.parquet", "none.npz", *TINY, "--quiet") == 130
    assert "nothing was written" in capsys.readouterr().err and files(home) == before


def test_without_tensorflow(home):
    "Training says in a line what to install; predicting does not need it, and `--help` needs next to nothing."
    code = "import sys; sys.modules.update(tensorflow=None, keras=None); from pes_toy.cli import main; sys.exit(main())"
    train = python(code, "train", home / "db.parquet", home / "x.npz", "--quiet")
    assert train.returncode == 1 and train.stderr.count("\n") == 1 and 'pip install "pes_toy[networks]"' in train.stderr and not (home / "x.npz").exists()
    predict = python(code, "predict", home / "network.npz", home / "db.parquet")
    assert predict.returncode == 0 and "Scores on 200" in predict.stdout, predict.stderr
    helped = python("import sys; from pes_toy.cli import main\ntry: main(['train', '--help'])\nfinally: print(*sys.modules, file=sys.stderr)")
    assert "--force-weight" in helped.stdout and not {"tensorflow", "keras", "matplotlib", "pandas", "numba"} & set(helped.stderr.split())
