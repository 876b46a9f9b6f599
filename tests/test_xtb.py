"""Sets of cells by tight binding: with tblite where it is installed, else with a stand-in."""

import os
import re
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pes_toy as pt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pes_toy.cli import main
from pes_toy.xtb import CORE, ELEMENTS, Xtb, XtbSpec, draw, start
from pes_toy.xtb_sets import Parts, first_good, forget, is_good

STANDINS = Path(__file__).with_name("standins")
HAS_TBLITE = find_spec("tblite") is not None
needs_tblite = pytest.mark.skipif(
    not HAS_TBLITE, reason='tblite is not installed: pip install "pes_toy[xtb]"'
)


@pytest.fixture
def standin(monkeypatch):
    "tblite, or what stands in for it, here and in helpers."
    monkeypatch.syspath_prepend(str(STANDINS))
    for name in ("tblite", "tblite.interface"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield
    for name in ("tblite", "tblite.interface"):
        sys.modules.pop(name, None)


# what is drawn


def test_a_cell_depends_on_seed_and_index_alone():
    for index in range(6):
        one = start(XtbSpec(n=5), index)
        two = start(XtbSpec(n=5000, max_force=1.0), index)
        assert one[0] == two[0] and one[2:] == two[2:]
        np.testing.assert_array_equal(one[1], two[1])
        assert not np.array_equal(one[1], start(XtbSpec(seed=1), index)[1])


@pytest.mark.parametrize("element", ELEMENTS)
def test_random_atoms_are_never_near(element):
    spec = XtbSpec(element=element, n_atoms=(2, 9))
    counts = set()
    for index in range(len(ELEMENTS[element].crystals), 90, len(ELEMENTS[element].crystals) + 1):
        group, x, width, steps = start(spec, index)
        away = x[:, None] - x
        away = np.linalg.norm(away - width * np.round(away / width), axis=-1)
        assert group == "random" and away[~np.eye(len(x), dtype=bool)].min() >= CORE
        assert 0 <= steps <= spec.steps and (x >= 0).all() and (x < width).all()
        counts.add(len(x))
    assert counts <= {*range(2, 10)} and len(counts) > 4


def test_volumes_stay_within_their_limits():
    for index in range(60):
        group, x, width, _ = start(XtbSpec(), index)
        volumes = {name: volume for name, (_, volume) in ELEMENTS["C"].crystals.items()}
        low, high = min(volumes.values()), max(volumes.values())
        if group != "random":
            low = high = volumes[group]
        assert 0.85 * low <= width**3 / len(x) <= 1.4 * high


@pytest.mark.parametrize(
    "changes, words",
    [
        (dict(n=0), "n must be a whole number of at least 1"),
        (dict(element="Si"), "element must be one of C, Ar"),
        (dict(n_atoms=(8, 4)), "low < high"),
        (dict(volume=0.1), "volume must be"),
        (dict(displacement=(0.1, 2.0)), "displacement"),
        (dict(temperature=0), "temperature must be"),
        (dict(seed=-1), "seed must be"),
    ],
)
def test_impossible_settings(changes, words):
    with pytest.raises(ValueError, match=words):
        XtbSpec(**changes)


def test_settings_that_leave_no_room():
    with pytest.raises(ValueError, match="find no room"):
        start(XtbSpec(volume=0.3, n_atoms=60, element="Ar"), 1)
    with pytest.raises(ValueError, match="must be one of n, element"):
        XtbSpec.from_dict(dict(atoms=3))
    with pytest.raises(ValueError, match="element must be one of"):
        Xtb("H")


# which cells


class Shuffled:
    "Answers in any order; cells whose number is in `bad` fail."

    def __init__(self, bad, rng):
        self.bad, self.rng = bad, rng
        self.asked, self.seen = [], []

    @property
    def waiting(self):
        return len(self.asked)

    def ask(self, index):
        self.asked.append(index)
        self.seen.append(index)

    def answer(self):
        index = self.asked.pop(self.rng.integers(len(self.asked)))
        return index, dict(failed="bad") if index in self.bad else dict(number=index)


@settings(max_examples=150, deadline=None)
@given(
    n=st.integers(1, 12),
    bad=st.sets(st.integers(0, 30)),
    known=st.sets(st.integers(0, 30)),
    ahead=st.integers(1, 6),
    seed=st.integers(0, 99),
)
def test_the_set_depends_on_no_order_and_no_interruption(n, bad, known, ahead, seed):
    def cell(index):
        return dict(failed="bad") if index in bad else dict(number=index)

    good = [index for index in range(50) if index not in bad][:n]
    expected = [cell(index) for index in range(good[-1] + 1)]
    maker = Shuffled(bad, np.random.default_rng(seed))
    found = first_good(n, {index: cell(index) for index in known}, maker, ahead)
    assert found == expected and sum(map(is_good, found)) == n
    assert not {*maker.seen} & known and max(maker.seen, default=-1) < len(expected)


# a folder of parts


def test_parts_come_back_and_others_are_refused(tmp_path):
    folder = tmp_path / "parts"
    parts = Parts(folder, dict(seed=1))
    for index in range(5):
        parts.keep(index, dict(number=index / 3))
        parts.write()
    assert Parts(folder, dict(seed=1)).read() == {i: dict(number=i / 3) for i in range(5)}
    with pytest.raises(ValueError, match="other settings"):
        Parts(folder, dict(seed=2))
    with pytest.raises(ValueError, match="is a file"):
        Parts(folder / "spec.json", {})
    with pytest.raises(TypeError, match="name of a folder"):
        Parts(3, {})
    with pytest.raises(FileNotFoundError, match="make it first"):
        Parts(tmp_path / "no" / "folder", {})
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("mine")
    with pytest.raises(ValueError, match="holds other things"):
        Parts(tmp_path / "full", {})
    forget(folder)
    assert not folder.exists()
    forget(tmp_path / "full")
    assert (tmp_path / "full" / "letter.txt").read_text() == "mine"


def test_damaged_parts_are_never_believed(tmp_path):
    parts = Parts(tmp_path / "parts", dict(seed=1))
    parts.keep(3, dict(energy=-7.25, positions=[[0.5, 1.0, 2.0]]))
    parts.write()
    name = tmp_path / "parts" / "part-00000.json"
    whole = name.read_bytes()
    rng = np.random.default_rng(0)
    damages = [whole[:-9], b"", b"[]", b"{}", whole.replace(b"-7.25", b"-7.35"), b"\xff" + whole]
    for _ in range(60):
        at = rng.integers(len(whole))
        damages.append(whole[:at] + bytes([whole[at] ^ (1 << rng.integers(7))]) + whole[at + 1:])
    for damage in damages:
        name.write_bytes(damage)
        with pytest.raises(ValueError, match="damaged"):
            Parts(tmp_path / "parts", dict(seed=1)).read()


# the whole, with a stand-in


def test_the_set_is_the_same_in_every_way(standin, tmp_path):
    spec = XtbSpec(n=20, steps=1, n_atoms=5)
    made = pt.xtb_structures(spec, workers=1, progress=False)
    assert len(made) == 20 and made.about["spec"] == spec.to_dict()
    assert made.about["failed"] == {"not self-consistent": made.about["drawn"] - 20}
    assert made.about["drawn"] > 20
    pt.xtb_structures(XtbSpec(n=7, steps=1, n_atoms=5), checkpoint=tmp_path / "c", progress=False)
    again = pt.xtb_structures(spec, workers=3, checkpoint=tmp_path / "c", progress=False)
    assert again == made
    plain = [start(spec, index) for index in range(made.about["drawn"])]
    kept = [cell for cell in plain if int(1e6 * cell[2] * 1.54 / 0.529177210903) % 7]
    assert [cell[0] for cell in kept] == made.group.tolist()
    np.testing.assert_array_equal([len(cell[1]) for cell in kept], made.counts)


def test_forces_beyond_the_limit_are_counted(standin):
    found = draw(0, XtbSpec(max_force=1e-9).to_dict())
    assert found == dict(group="diamond", failed="beyond max_force")
    with pytest.raises(ValueError, match="cells are good; raise max_force"):
        pt.xtb_structures(XtbSpec(n=200, max_force=1e-9), workers=2, progress=False)


@pytest.mark.parametrize(
    "arguments, words",
    [
        (dict(spec=3), "must be an XtbSpec"),
        (dict(workers=0), "workers must be"),
        (dict(progress=1), "progress must be True or False"),
        (dict(checkpoint=3), "name of a folder"),
    ],
)
def test_impossible_arguments(standin, arguments, words):
    with pytest.raises((TypeError, ValueError), match=words):
        pt.xtb_structures(**{"spec": XtbSpec(n=2), "progress": False, **arguments})


def test_without_tblite(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tblite", None)
    monkeypatch.setitem(sys.modules, "tblite.interface", None)
    with pytest.raises(ImportError, match=r'pip install "pes_toy\[xtb\]"'):
        pt.xtb_structures(XtbSpec(n=2), checkpoint=tmp_path / "c", progress=False)
    assert not list(tmp_path.iterdir())
    assert repr(Xtb()).startswith("Xtb")


CALL = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
CALL += "import sys; from pes_toy.cli import main; sys.exit(main())"


def command(*words, seconds=0.0, **more):
    where = {"PYTHONPATH": os.pathsep.join([str(STANDINS), *sys.path])}
    environment = {**os.environ, **where, "STANDIN_SECONDS": str(seconds)}
    return subprocess.Popen([sys.executable, "-c", CALL, *map(str, words)], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, **more)


def test_ctrl_c_keeps_what_was_made_and_the_same_command_goes_on(tmp_path):
    out = tmp_path / "carbon.parquet"
    words = ["real", out, "--n", "40", "--steps", "0", "--workers", "2"]
    process = command(*words, seconds=0.3)
    while not re.search(r" [1-9]\d*/40", seen := process.stderr.readline(120)):
        assert seen, process.communicate()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and "the same command goes on" in said
    assert not out.exists() and (tmp_path / "carbon.parquet.parts" / "spec.json").exists()
    again = command(*words)
    said, errors = again.communicate(timeout=100)
    assert again.returncode == 0, errors
    assert "written to" in said and "left out: " in said
    assert [path.name for path in tmp_path.iterdir()] == ["carbon.parquet"]
    whole = command(words[0], tmp_path / "whole.parquet", *words[2:], "--quiet")
    assert whole.communicate(timeout=100)[0] == "" and whole.returncode == 0
    assert pt.load(out) == pt.load(tmp_path / "whole.parquet")


@pytest.mark.parametrize(
    "line, code, why",
    [
        ("real x.csv", 1, "must end in .parquet"),
        ("real no/x.parquet", 1, "there is no folder"),
        ("real x.parquet --element Xx", 1, "element must be one of"),
        ("real x.parquet --n 0", 1, "n must be a whole number"),
        ("real x.parquet --n many", 2, "usage:"),
        ("real", 2, "usage:"),
    ],
)
def test_wrong_commands_leave_nothing(tmp_path, monkeypatch, capsys, line, code, why):
    monkeypatch.chdir(tmp_path)
    try:
        found = main(line.split())
    except SystemExit as ended:
        found = ended.code
    said = capsys.readouterr()
    assert found == code and why in said.err and not said.out
    assert not list(tmp_path.iterdir())


# the sample


def test_the_sample_is_small_and_sound():
    sample = pt.sample_real()
    assert len(sample) == 300 and sample.about["spec"] == XtbSpec(n=300).to_dict()
    assert Path(pt.__file__).with_name("sample").joinpath("carbon.parquet").stat().st_size < 300_000
    assert "tblite 0.8.0" in sample.about["made_by"]
    assert sample.about["drawn"] == 300 + sum(sample.about["failed"].values())
    for one in sample:
        assert np.abs(one.forces.sum(axis=0)).max() < 1e-6
        np.testing.assert_allclose(one.stress, one.stress.T, atol=1e-9)
    for row, index in ((0, 0), (1, 1)):
        group, x, width, _ = start(XtbSpec(n=300), index)
        np.testing.assert_allclose(sample[row].positions, x % width, atol=1e-12)
        assert sample.group[row] == group


@needs_tblite
def test_the_sample_is_what_tblite_says():
    sample = pt.sample_real()
    model = Xtb()
    for row in (0, 1, 5, 200):
        one = sample[row]
        energy, forces = model.energy_and_forces(one.positions, one.cell)
        assert abs(energy - one.energy) < 1e-5
        np.testing.assert_allclose(forces, one.forces, atol=1e-3)
        np.testing.assert_allclose(model.stress(one.positions, one.cell), one.stress, atol=1e-3)


@needs_tblite
@pytest.mark.parametrize("element", ELEMENTS)
def test_tblite_is_consistent(element):
    model = Xtb(element)
    _, x, width, _ = start(XtbSpec(element=element), 0)
    energy, forces = model.energy_and_forces(x, width)
    h = 1e-4
    up = np.zeros_like(x)
    up[1, 2] = h
    slope = len(x) * (model.predict(x + up, width) - model.predict(x - up, width)) / (2 * h)
    assert abs(forces[1, 2] + slope) < 1e-4 * max(1, abs(forces).max())
    assert abs(model.predict(x[::-1] + 0.2, width) - energy) < 1e-5
    began = time.monotonic()
    model.predict(x, width)
    assert time.monotonic() - began < 20
