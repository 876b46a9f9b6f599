"""What people hand over by mistake: a right answer, or an error that names the argument."""

import dataclasses
import inspect
import itertools
import warnings

import numpy as np
import pandas as pd
import pes_toy as pt
import pytest
from hostile import VALUES, targets
from hypothesis import assume, given
from hypothesis import strategies as st
from pes_toy.cli import main
from worlds import cases, outcome

pytestmark = pytest.mark.random
PHYSICS = {"positions", "width", "potential", "depth", "protocol", "orders", "R_0p", "spec"}
UNKNOWN = ("acceptance", "stress_mae", "stress_error")  # of FIRE; where the truth has no stress
ELSEWHERE = {"plot_lattice", "plot_cell", "estimate", "report", "verify",  # pictures, long work
             "xtb_structures"}  # tblite, see test_xtb


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    return targets(tmp_path_factory.mktemp("arguments"))


def holds_nan(value, deep=0):
    "Is a number that is none anywhere in a result? What is unknown may be, see UNKNOWN."
    if isinstance(value, (float, np.floating)):
        return bool(np.isnan(value))
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "fc" and bool(np.isnan(value).any())
    if isinstance(value, (tuple, list)):
        return any(holds_nan(v, deep + 1) for v in value)
    if isinstance(value, pt.Trajectory):  # nan from where a replica has ended
        value = value[value.failed < 0]
    if dataclasses.is_dataclass(value) and not isinstance(value, type) and deep < 3:
        fields = [f.name for f in dataclasses.fields(value) if f.name not in UNKNOWN]
        return any(holds_nan(getattr(value, name), deep + 1) for name in fields)
    return False


def test_every_function_of_physics_is_tried(named):
    tried = {target.call for target in named.values()}
    for name in pt.__all__:
        thing = getattr(pt, name)
        if not inspect.isfunction(thing) or name in ELSEWHERE:
            continue
        if PHYSICS & {*inspect.signature(thing).parameters}:
            assert thing in tried or name in named, name


def test_the_right_arguments_are_right(named):
    for name, target in named.items():
        assert not holds_nan(target.call(**target.good)), name


RAGGED = [[1, 2], [3]]
FOUND = [  # what was found in this way, and mended
    ("cells", "depth", 10**9), ("cells", "dimension", 40), ("lattice_points", "depth", 10**9),
    ("cells", "depth", np.timedelta64(3, "s")), ("brute_force_energy", "depth", 1000),
    ("brute_force_energy", "positions", np.zeros((4, 2))), ("cost", "dimension", 10**9),
    ("cost", "protocol", np.zeros((4, 2))), ("energy_per_particle", "protocol", np.array([])),
    ("energy_per_particle", "depth", 2**63), ("drag_path", "n", 1.5), ("drag_path", "x", np.nan),
    ("drag_path", "width", "5"), ("ProximityEigenvalues", "orders", np.array("a")),
    ("SymmetryFunctions", "radial", np.array(5.0)), ("DatabaseSpec", "width", RAGGED),
    ("DatabaseSpec", "dimension", 1e300), ("TrainingSpec", "hidden", RAGGED),
    ("Database", "energy", RAGGED), ("Database", "extra", 5), ("Database", "about", np.nan),
    ("Database", "spec", np.nan), ("Database.from_arrays", "energy", RAGGED),
    ("Database.from_arrays", "depth", RAGGED), ("Database.from_arrays", "depth", []),
    ("concat", "databases", 5), ("filter", "mask", RAGGED), ("filter", "energy", ("a", "b")),
    ("filter", "width", RAGGED), ("rows", "rows", RAGGED), ("rows", "rows", True),
    ("rows", "rows", [[]]), ("inputs_of", "database", 5), ("inputs_of", "name", []),
    ("prepare", "database", 5), ("prepare", "name", 5), ("Experiment", "name", np.nan),
    ("Average", "members", iter([1])), ("Average", "members", np.array([])),
    ("descriptor_from_settings", "settings", "abc"), ("Morse.pair", "r", RAGGED),
    ("Morse.triplet", "b", RAGGED), ("proximity_matrices", "R_0p", 1e300),
    ("numerical_gradients", "step", 0), ("numerical_gradients", "values", 5),
    ("RelativeDistances.pullback", "g", np.nan), ("RelativeDistances.pullback", "g", []),
    ("split", "seed", np.zeros(3)), ("split", "seed", []), ("split", "seed", pd.Series([5.0])),
    ("split", "seed", "a"), ("sample", "seed", "abc"), ("sample", "n", -1),
    ("animate", "seconds", 1e9), ("distances of a trajectory", "r_max", 1e-300),
    ("displacement of a trajectory", "lags", 10**9), ("rows of a trajectory", "replicas", None),
    ("dynamics", "every", 2**64), ("relax_cell", "width", 1e300), ("active_learning", "oracle", 5),
    ("active_learning", "seeds", 10**9), ("active_learning", "strategies", 5),
    ("active_learning", "compute", "no"), ("train_committee", "size", 10**9),
    ("train_committee", "spec", pt.DatabaseSpec()), ("train_last_layer", "slope", 1e-300),
    ("train on structures", "callback", 5),
    ("relax", "relaxer", []), ("relax", "relaxer", np.zeros(3)),
    ("ProximityEigenvalues.pullback", "g", None), ("SymmetryFunctions.pullback", "g", 10**400)]


@pytest.mark.parametrize("name, argument, value", FOUND, ids=lambda v: str(v)[:20])
def test_a_fault_that_was_found_is_an_error_that_names_the_argument(named, name, argument, value):
    target = named[name]
    found = outcome(lambda: target.call(**{**target.good, argument: value}), argument,
                    *target.others, errors=target.errors)
    assert found.error


def handed_over(target, argument, value):
    "A call with one argument in the place of a good one: it answers, or says what is wrong."
    names = [argument, *target.others]
    if argument in ("positions", "width"):  # they belong together
        names += ["positions", "width"]

    def call():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return target.call(**{**target.good, argument: value})

    found = outcome(call, *names, errors=target.errors)
    assert not holds_nan(found.answer)
    if isinstance(found.answer, (pt.DatabaseSpec, pt.TrainingSpec, pt.BaselineSpec)):
        spec = found.answer
        assert hash(spec) == hash(dataclasses.replace(spec)) and repr(spec) and spec.rows()
        if not isinstance(value, pt.Potential):
            assert type(spec).from_dict(spec.to_dict()) == spec


@given(st.data())
@cases(80, 4000)
def test_what_is_handed_over_by_mistake(named, data):
    target = named[data.draw(st.sampled_from(sorted(named)))]
    argument = data.draw(st.sampled_from(sorted(target.good)))
    value = VALUES[data.draw(st.integers(0, len(VALUES) - 1))]
    assume(not (argument in target.calls and callable(value)))
    handed_over(target, argument, value)


A_BILLION = next(value for value in VALUES if value == 1e9)
LASTING = ("epochs", "steps", "every")  # so many would take minutes, which nobody refuses


@pytest.mark.stress
def test_whatever_is_handed_over_by_mistake(named):
    "Each value for each argument of each function; all that is wrong is told at once."
    wrong = []
    for name, target in named.items():
        for argument, value in itertools.product(target.good, VALUES):
            if argument in target.calls and callable(value):
                continue
            if argument in LASTING and value is A_BILLION:
                continue
            try:
                handed_over(target, argument, value)
            except Exception as error:
                wrong.append(f"{name}, {argument}={value!r:.60}: {str(error)[:200]!r}")
    assert not wrong, "\n".join(wrong)


WORDS = [
    "", " ", "-", "--", "-1", "0", "1", "3", "nan", "inf", "1e400", "0x10", "1_000", "5,", ",",
    "2,1", "3,5", "(3, 5)", "[1", "None", "True", "abc", "descent", "thesis", "exact", "\u00e4",
    "a\0b", "{}", "..", "/", "/dev/null", "/nowhere/out.parquet", "out.parquet", "out.json",
    "out.txt", "db.parquet", "network.npz", "--help", "-h", "--version", "--seed", "--forces",
    "--width", "--epochs", "--hidden", "--fresh", "--quiet", "--inputs", "--orders", "--keep",
    "--no-forces", "--preset", "--import", "--pictures", "--workers", "--potential", "--n"]
COMMANDS = ["generate", "info", "convert", "prepare", "train", "predict", "verify", "nonsense"]
BASES = {
    "generate": ["out.parquet", "--n-configurations", "3", "--epochs", "1"],
    "info": ["db.parquet"], "convert": ["db.parquet", "out.json"],
    "prepare": ["db.parquet", "out.parquet"],
    "train": ["db.parquet", "out.npz", "--epochs", "1", "--batch-size", "4", "--hidden", "2"],
    "predict": ["network.npz", "db.parquet"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    "A folder with a database and a network."
    where = tmp_path_factory.mktemp("command")
    spec = pt.DatabaseSpec(n_configurations=8, epochs=1)
    pt.generate(spec, progress=False).save(where / "db.parquet")
    pt.sample_network().save(where / "network.npz")
    return where


@given(st.sampled_from(COMMANDS), st.lists(st.sampled_from(WORDS), max_size=3), st.booleans())
@cases(20, 1200)
def test_the_command_ends_with_a_word_and_a_code(folder, capsys, command, words, right):
    "0, 1 or 2; nothing printed by Python itself; never silent about what it did not do."
    argv = [command, *(BASES.get(command, []) if right else []), *words]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("COLUMNS", "200")
        try:
            code = main(argv)
        except SystemExit as end:
            code = end.code
    printed = capsys.readouterr()
    assert code in (0, 1, 2)
    assert "Traceback" not in printed.out + printed.err
    assert not code or printed.err.strip()
