"""The commands around networks: prepare, train, predict, as a terminal calls them."""

import dataclasses
import subprocess
import sys

import ase.io
import numpy as np
import pes_toy as pt
import pytest
from pes_toy.cli import main

TINY = ["--hidden", "8", "--epochs", "3", "--batch-size", "16"]
THREE = ["--orders", "-2,-3,-4", "--R-0p", "3,3,6"]
FILES = (".parquet", ".npz", ".toml", ".json", ".csv", "pictures")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    "A folder with databases of 4 and of 5 particles and a network of the first, all by commands."
    home = tmp_path_factory.mktemp("cli")
    generate(home, "db.parquet", "--n-configurations", "200")
    generate(home, "five.parquet", "--n-configurations", "50", "--n-particles", "5")
    assert call(home, "train", "db.parquet", "network.npz", *TINY, "--quiet") == 0
    return home


def generate(home, *words):
    assert call(home, "generate", *words, "--quiet") == 0


def call(home, *words):
    "The exit code of a command; words that name files are taken to stand in the folder."
    return main([str(home / word) if is_file(word) else word for word in words])


def is_file(word):
    return word.endswith(FILES) and not word.startswith("-")


def files(home):
    return {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}


def python(code, *words, **more):
    command = [sys.executable, "-c", code, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, **more)


def test_prepare_makes_the_inputs_of_a_descriptor(home):
    assert call(home, "prepare", "db.parquet", "ready.parquet", *THREE) == 0
    ready = pt.load(home / "ready.parquet")
    descriptor = pt.ProximityEigenvalues((-2, -3, -4), (3, 3, 6))
    values = descriptor.values(ready.positions, ready.width)
    np.testing.assert_array_equal(pt.inputs_of(ready, descriptor), values)


def test_train_uses_prepared_inputs_and_draws(home, capsys):
    assert call(home, "prepare", "db.parquet", "used.parquet", *THREE, "--quiet") == 0
    words = [*TINY, *THREE, "--pictures", "pictures"]
    assert call(home, "train", "used.parquet", "three.npz", *words) == 0
    said = capsys.readouterr().out
    network = pt.load_network(home / "three.npz")
    assert network.descriptor == pt.ProximityEigenvalues((-2, -3, -4), (3, 3, 6))
    assert repr(network) in said and "other settings" not in said
    drawn = list((home / "pictures").iterdir())
    assert {p.stem for p in drawn} == {"history", "prediction", "sample", "drag"}
    for picture in drawn:
        assert pt.figure_settings(picture)["training"] == network.spec.to_dict()


def test_predict_writes_what_the_network_says(home, capsys):
    assert call(home, "predict", "network.npz", "db.parquet", "--forces", "out.parquet") == 0
    assert "Scores on 200 configurations" in capsys.readouterr().out
    network = pt.load_network(home / "network.npz")
    out = pt.load(home / "out.parquet")
    energy, forces = network.energy_and_forces(out.positions, out.width)
    np.testing.assert_array_equal(out.extra["predicted_energy"], energy[:, None])
    np.testing.assert_array_equal(out.extra["predicted_forces"], forces.reshape(200, 8))
    assert out.about["predicted_by"]["training"] == network.spec.to_dict()


def test_predictions_of_another_network_replace_the_first(home):
    call(home, "predict", "network.npz", "db.parquet", "--forces", "again.parquet")
    assert call(home, "predict", "network.npz", "again.parquet", "again.parquet") == 0
    assert {*pt.load(home / "again.parquet").extra} == {"predicted_energy"}


def test_fresh_configurations(home, capsys):
    words = ["--fresh", "7", "fresh.parquet", "--n-configurations", "60"]
    assert call(home, "predict", "network.npz", *words) == 0
    fresh = pt.load(home / "fresh.parquet")
    known = pt.load(home / "db.parquet").spec
    assert fresh.spec == dataclasses.replace(known, seed=7, n_configurations=60)
    assert fresh.forces is not None
    mae = np.abs(fresh.extra["predicted_energy"][:, 0] - fresh.energy).mean()
    assert f"energy MAE {mae:.4g} E_c" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    "about, why",
    [
        (dict(database=None), "does not know"),
        (dict(labels="thesis"), "protocol 'thesis'"),
    ],
)
def test_fresh_configurations_need_a_known_database(home, capsys, about, why):
    network = pt.load_network(home / "network.npz")
    network.about = {**network.about, **about}
    network.save(home / "odd.npz")
    assert call(home, "predict", "odd.npz", "--fresh", "7") == 1
    assert why in capsys.readouterr().err


def test_predict_replaces_no_database(home, capsys):
    before = files(home)
    for words in (("--fresh", "7", "db.parquet"), ("db.parquet", "five.parquet")):
        assert call(home, "predict", "network.npz", *words) == 1
        assert "is not replaced" in capsys.readouterr().err
    assert files(home) == before


def test_judging_elsewhere_is_said(home, capsys):
    elsewhere = ["--width", "6", "--potential", "Morse", "--depth", "1"]
    generate(home, "wide.parquet", "--n-configurations", "20", *elsewhere)
    assert call(home, "predict", "network.npz", "wide.parquet") == 0
    said = capsys.readouterr().err
    assert "trained with the potential" in said and "widths from 5 to 5" in said


def test_a_closed_pipe_is_no_error(home):
    line = f"{sys.executable} -m pes_toy info {home / 'db.parquet'} | true"
    ended = subprocess.run(line, shell=True, capture_output=True, text=True)
    assert "Broken pipe" not in ended.stderr and "Traceback" not in ended.stderr


def test_options_win_over_the_file_and_that_over_the_preset(home):
    (home / "s.toml").write_text('optimizer = "nadam"\nhidden = [4, 4]\nepochs = 2\n')
    options = ["--hidden", "none", "--inputs", "symmetry", "--standardise-energy", "--quiet"]
    layers = ["--preset", "thesis", "--settings", "s.toml", *options]
    assert call(home, "train", "db.parquet", "s.npz", *layers) == 0
    changes = dict(optimizer="nadam", hidden=(), epochs=2, standardise_energy=True)
    inputs = dict(inputs="symmetry", orders=None, R_0p=None)
    expected = pt.TrainingSpec.thesis(**inputs, **changes)
    assert pt.load_network(home / "s.npz").spec == expected


def test_forces_are_added_where_they_can_be(home, capsys):
    weighted = [*TINY, "--force-weight", "0.1"]
    assert call(home, "train", "db.parquet", "f.npz", *weighted) == 0
    assert "they were computed" in capsys.readouterr().out
    assert pt.load_network(home / "f.npz").about["validation_force_error"] > 0
    generate(home, "thesis.parquet", "--preset", "thesis", "--n-configurations", "50")
    before = files(home)
    assert call(home, "train", "thesis.parquet", "x.npz", *weighted, "--quiet") == 1
    assert "needs forces" in capsys.readouterr().err and files(home) == before


@pytest.mark.parametrize(
    "line, why",
    [
        ("train db.parquet x.csv", "must end in .npz"),
        ("train db.parquet no/x.npz", "there is no folder"),
        ("train db.parquet x.npz --optimizer adamm", "optimizer must be one of"),
        ("train db.parquet x.npz --orders -1", "orders must be -2 or below"),
        ("train db.parquet x.npz --batch-size 500", "fewer than one batch"),
        ("train db.parquet x.npz --pictures db.parquet", "is a file"),
        ("train db.parquet x.npz --inputs letters", "inputs must be one of"),
        ("train five.npz x.npz", "must end in .parquet or .json"),
        ("prepare db.parquet x.json", "must end in .parquet"),
        ("predict short.npz db.parquet x.parquet", "damaged or cut short"),
        ("predict network.npz five.parquet x.parquet", "5 particles"),
        ("predict network.npz --fresh 0 x.parquet", "is the seed of the training database"),
        ("predict network.npz --fresh 1 --n-configurations 0", "n_configurations must be"),
        ("predict network.npz db.parquet --n-configurations 5", "belongs to --fresh"),
        ("predict network.npz db.parquet x.parquet --fresh 1", "one file too many"),
        ("predict network.npz", "needs a DATABASE"),
        ("predict network.npz db.parquet --import nowhere", "No module named"),
    ],
)
def test_errors_are_one_line_and_leave_nothing(home, capsys, monkeypatch, line, why):
    def never(*given, **more):
        raise AssertionError("the training began")

    monkeypatch.setattr("pes_toy.engine.epochs.build_model", never)
    (home / "short.npz").write_bytes((home / "network.npz").read_bytes()[:-100])
    before = files(home)
    capsys.readouterr()
    words = line.split()
    quiet = [] if words[0] == "predict" else ["--quiet"]
    assert call(home, *words, *quiet) == 1
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
    assert said.err.startswith("pes_toy: ") and why in said.err
    assert files(home) == before


@pytest.fixture
def interrupted(monkeypatch):
    "Makes Ctrl-C come in an epoch."
    rates = pt.training.learning_rates

    def interrupt_in(last):
        def stopped(spec, epoch, *more):
            if epoch == last:
                raise KeyboardInterrupt
            return rates(spec, epoch, *more)

        monkeypatch.setattr(pt.training, "learning_rates", stopped)

    return interrupt_in


def test_ctrl_c_keeps_the_best_network(home, capsys, interrupted):
    interrupted(2)
    assert call(home, "train", "db.parquet", "early.npz", *TINY, "--quiet") == 0
    assert "interrupted after 2 epochs" in capsys.readouterr().err
    assert pt.load_network(home / "early.npz").about["ended"] == "interrupted"


def test_ctrl_c_before_the_first_epoch_writes_nothing(home, capsys, interrupted):
    interrupted(0)
    before = files(home)
    assert call(home, "train", "db.parquet", "none.npz", *TINY, "--quiet") == 130
    assert "nothing was written" in capsys.readouterr().err and files(home) == before


WITHOUT = "import sys; sys.modules.update(tensorflow=None, keras=None); "
COMMAND = "from pes_toy.cli import main; sys.exit(main())"


def test_without_tensorflow(home):
    "Training says in a line what to install; predicting does not need it."
    train = python(WITHOUT + COMMAND, "train", home / "db.parquet", home / "x.npz", "--quiet")
    assert train.returncode == 1 and train.stderr.count("\n") == 1
    assert 'pip install "pes_toy[networks]"' in train.stderr
    assert not (home / "x.npz").exists()
    predict = python(WITHOUT + COMMAND, "predict", home / "network.npz", home / "db.parquet")
    assert predict.returncode == 0 and "Scores on 200" in predict.stdout, predict.stderr


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    "A folder with unlike structures in extended XYZ, in Angstrom and eV, and a network of them."
    home = tmp_path_factory.mktemp("outside")
    rng = np.random.default_rng(3)
    corners = 1.2 * np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    x = [corners[: 2 + i % 3] + rng.uniform(-0.1, 0.1, (2 + i % 3, 3)) for i in range(12)]
    cells = 2.4 * np.eye(3) + rng.uniform(-0.2, 0.2, (12, 3, 3))
    some = pt.Structures.from_arrays(x, cells, potential=pt.ModifiedLennardJones(),
                                     group=["a", "b"] * 6)
    some = dataclasses.replace(some, units=dict(length="2.0 Angstrom", energy="3.0 eV"))
    ase.io.write(home / "all.xyz", some.to_atoms("Si"), format="extxyz")
    assert main(["train", str(home / "all.xyz"), str(home / "net.npz"), *LOCAL, *UNITS]) == 0
    return home, some


LOCAL = ["--inputs", "symmetry", "--hidden", "4", "--epochs", "2", "--batch-size", "4",
         "--force-weight", "0.1", "--quiet"]
UNITS = ["--length", "2", "--energy-unit", "3"]


def test_a_network_of_an_xyz_file_is_that_of_its_structures(outside):
    home, some = outside
    spec = pt.load_network(home / "net.npz").spec
    again = pt.train(pt.read(home / "all.xyz", length=2.0, energy=3.0), spec, progress=False)
    found = pt.load_network(home / "net.npz")
    assert found.about["units"] == again.about["units"]
    for one, other in zip(found.weights, again.weights):
        np.testing.assert_array_equal(one[0], other[0])


def test_predictions_go_to_xyz_in_the_units_of_the_file(outside, monkeypatch, capsys):
    home, some = outside
    monkeypatch.chdir(home)
    frames = ase.io.read("all.xyz", ":")
    for frame in frames:
        frame.calc = None
    ase.io.write("bare.xyz", frames, format="extxyz")
    network = pt.load_network("net.npz")
    wanted = some.labelled(network, forces=True, progress=False)
    for source in ("all.xyz", "bare.xyz"):  # the network knows the units
        (home / "out.xyz").unlink(missing_ok=True)  # no XYZ file is replaced
        capsys.readouterr()
        assert main(["predict", "net.npz", source, "out.xyz", "--forces"]) == 0
        assert ("MAE" in capsys.readouterr().out) == (source == "all.xyz")
        said = ase.io.read("out.xyz", ":")
        for m, frame in enumerate(said):
            assert frame.get_chemical_symbols() == ["Si"] * len(wanted[m].positions)
            per_atom = frame.get_potential_energy() / len(frame) / 3
            np.testing.assert_allclose(per_atom, wanted.energy[m], atol=1e-6)
            np.testing.assert_allclose(frame.get_forces() / 1.5, wanted[m].forces, atol=1e-6)
        assert main(["predict", "net.npz", source, "out.parquet"]) == 0
        again = pt.load("out.parquet")
        np.testing.assert_allclose(again.energy, wanted.energy, atol=1e-6)


def test_labels_by_other_names(outside, monkeypatch, capsys):
    home, some = outside
    monkeypatch.chdir(home)
    frames = ase.io.read("all.xyz", ":")
    for frame in frames:
        frame.info["REF_energy"] = frame.get_potential_energy()
        frame.arrays["REF_forces"] = frame.get_forces()
        frame.calc = None
    ase.io.write("ref.xyz", frames, format="extxyz")
    capsys.readouterr()
    assert main(["train", "ref.xyz", "ref.npz", *LOCAL, *UNITS]) == 1
    assert "REF_energy" in capsys.readouterr().err and not (home / "ref.npz").exists()
    keys = ["--energy-key", "REF_energy", "--forces-key", "REF_forces"]
    assert main(["train", "ref.xyz", "ref.npz", *LOCAL, *UNITS, *keys]) == 0
    one, other = (pt.load_network(name) for name in ("net.npz", "ref.npz"))
    np.testing.assert_allclose(one.weights[0][0], other.weights[0][0], atol=1e-6)


@pytest.mark.parametrize("words, said", [
    ("train none.xyz a.npz", "none.xyz"),
    ("train cut.xyz a.npz", "cut.xyz"),
    ("train all.xyz a.npz --energy-key nothing", "nothing"),
    ("train all.xyz a.npz --length 0", "length"),
    ("train all.xyz a.npz --inputs symmetry --stress-weight 1", "stress"),
    ("train all.xyz a.npz --inputs proximity", "unlike structures"),
    ("train all.xyz a.csv", "a.csv"),
    ("predict net.npz cut.xyz a.xyz", "cut.xyz"),
    ("predict net.npz two.xyz a.xyz", "C"),
    ("predict net.npz all.xyz net.npz", "net.npz"),
    ("predict net.npz all.xyz bare/a.xyz", "bare"),
])
def test_what_is_wrong_with_an_xyz_file_is_a_line(outside, words, said, monkeypatch, capsys):
    home, some = outside
    monkeypatch.chdir(home)
    text = (home / "all.xyz").read_text()
    (home / "cut.xyz").write_text(text[:-30])
    (home / "two.xyz").write_text(text.replace("Si", "C", 1))
    before = {path.name for path in home.iterdir()}
    capsys.readouterr()
    assert main(words.split()) == 1
    shown = capsys.readouterr().err
    assert said in shown and "Traceback" not in shown and shown.count("\n") == 1
    assert {path.name for path in home.iterdir()} == before
