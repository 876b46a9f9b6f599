"""Verification: every broken thing is caught by the check made for it, every sound one passes."""

import dataclasses
import json

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest
from models import handmade
from test_models import Spots

import pes_toy as pt
from pes_toy import conduct, consistency, invariances
from pes_toy.cli import main
from pes_toy.gallery import Exhibit, Says, broken, sound
from pes_toy.potentials import BuiltIn
from pes_toy.subjects import PASSES, Verification, grade, judged, subject_of
from pes_toy.verification import questions

BROKEN, SOUND = broken(), sound()


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def verify(thing, **how):
    return pt.verify(thing, progress=False, **how)


@pytest.mark.parametrize("one", BROKEN, ids=lambda one: one.name)
def test_each_fault_is_caught_by_its_check(one):
    found = verify(one.thing, checks=[one.caught_by], **one.how)
    assert found.failed == [one.caught_by], found
    check = found[one.caught_by]
    assert check.limit is None or not check.figure <= check.limit
    assert check.reason and not found and "Error" not in check.reason


RELATIVES = ("Morse", "LennardJones", "ProximityEigenvalues(orders=(-2, -3), R_0p=20.0)")
# of another that is verified here too: their turn is in `make stress`


def sound():
    "The sound things; relatives of others are for `make stress`."
    for one in SOUND:
        marks = [pytest.mark.stress] * (one.name in RELATIVES)
        yield pytest.param(one, id=one.name, marks=marks)


def test_relatives_are_sound_things():
    assert {*RELATIVES} < {one.name for one in SOUND}


@pytest.mark.parametrize("one", list(sound()))
def test_no_false_alarm(one):
    found = verify(one.thing)
    assert found and not found.failed, found
    assert list(found.checks) == list(questions(found.kind))


def test_no_false_alarm_of_models_of_ones_own():
    members = [handmade(pt.TrainingSpec("symmetry"), seed=seed) for seed in range(2)]
    for model in (Spots(0.3), pt.Average(members), pt.Committee(members)):
        found = verify(model, checks=[c for c in questions("model") if c != "compressed pair"])
        assert found, found


LARGE = [pytest.param(N, d, marks=pytest.mark.stress) for N, d in ((3, 1), (5, 3))]


@pytest.mark.parametrize("N,d", [(1, 2), *LARGE])
def test_other_shapes(N, d):
    for thing in (pt.ModifiedLennardJones(), pt.Morse()):
        found = verify(thing, n_particles=N, dimension=d)
        assert found, found
        assert found.settings["n_particles"] == N and found.settings["dimension"] == d
    some = ["forces", "translation"]
    assert verify(pt.SymmetryFunctions(), n_particles=N, dimension=d, checks=some)


def test_every_fault_has_a_check_and_most_checks_a_fault():
    "A check that never failed was never tested."
    known = {*questions("potential"), *questions("model"), *questions("descriptor")}
    caught = {one.caught_by for one in BROKEN}
    assert caught <= known
    untested = {name for name in invariances.INVARIANCES if name not in caught}
    assert untested <= {"inversion", "isolated particles", "scaling"}  # those have tests below


def test_inversion_is_asked():
    "In the plane it is a turn by 180 degrees; what it finds alone is an odd energy."

    def odd(x, w):
        v, f = pt.energy_and_forces(x, w)
        return v + 0.01 * np.sin(2 * np.pi * x / w[:, None, None]).sum(axis=(1, 2)), f

    found = verify(Says("odd", odd), checks=["inversion", "permutation"])
    assert found.failed == ["inversion"]


def test_isolated_particles_are_asked():
    def gravity(x, w):
        t = x[:, :, None] - x[:, None]
        r = np.linalg.norm(t, axis=-1) + 1e-9
        return -np.log(r + 1).sum(axis=(1, 2)), -2 * 4 * (t / (r * (r + 1))[..., None]).sum(axis=2)

    assert verify(Says("gravity", gravity), checks=["isolated particles"]).failed


def test_scaling_finds_a_length_that_does_not_scale():
    from pes_toy.engine.compile import kernel

    @kernel
    def fixed(p, r):
        rest = max(0.0, 2.0 - r) ** 3  # two R_c, whatever R_c is
        return p[0] * rest, -3 * p[0] * max(0.0, 2.0 - r) ** 2

    @dataclasses.dataclass(frozen=True)
    class Fixed(BuiltIn, pair=fixed):
        "A range that nothing sets."

        E_c: float = 1.0  # strength, in E_c
        R_c: float = 1.0  # characteristic distance
        pair_weight = 1.0
        triplet_weight = 0.0
        cutoff = 2.0

    pt.base.registry.POTENTIALS.forget("Fixed")
    found = verify(Fixed(), checks=["scaling"])
    assert found.failed == ["scaling"]
    assert verify(pt.Morse(D_e=2, k_e=30), checks=["scaling"])
    own = pt.Potential(lambda r: np.exp(-r), name="own")
    assert verify(own, checks=["scaling"])["scaling"].verdict == "n/a"


def test_units_of_parameters():
    powers = invariances.powers_of
    assert powers("k_e", "spring at the minimum, in E_c/R_c^2") == (1, -2)
    assert powers("L", "how far") is None and powers("n", "exponent") == (0, 0)


def test_a_truncated_potential_is_named():
    by_name = {one.name: one for one in BROKEN}
    shifted = by_name["Lennard-Jones, cut and shifted"].thing
    found = verify(shifted, checks=["pair: value", "pair: slope"])
    assert found.failed == ["pair: slope"]
    check = found["pair: slope"]
    assert "2 R_c" in check.reason and "truncated where its slope is not zero" in check.reason
    steps = consistency.walked(subject_of(shifted), "pair")[0]["pair"][1]
    np.testing.assert_allclose(steps.slope, 2 * 12 * (2**-7 - 2**-13), rtol=1e-6)
    cut = verify(by_name["Lennard-Jones, cut"].thing, checks=["pair: value"])["pair: value"]
    assert "cut off" in cut.reason


def test_letters_are_those_of_openkim():
    eps = np.finfo(float).eps
    letters = [grade(10**k * eps) for k in (0, 7.49, 7.51, 9.99, 10.01, 12.51, 15.01)]
    assert "".join(letters) == "AABBCDF"
    assert grade(0) == "A" and grade(np.nan) == grade(np.inf) == "F"
    assert grade(PASSES) == "C" and grade(1.01 * PASSES) == "D"


PRECISIONS = [(np.float64, "A"), (np.float32, "BC"), (np.float16, "DF")]


@pytest.mark.parametrize("kind,letters", PRECISIONS)
def test_precision_gives_the_letter(kind, letters):
    def rounded(x, w):
        v, f = pt.energy_and_forces(x, w)
        return v.astype(kind).astype(float), f.astype(kind).astype(float)

    check = verify(Says("rounded", rounded), checks=["forces"])["forces"]
    assert check.grade in letters and (check.verdict == "pass") == (letters != "DF")


def test_richardson_beats_a_central_difference():
    value, unsure = consistency.richardson(lambda t: np.sin(1 + t), 0.1)
    assert abs(value - np.cos(1)) < 1e-11 and unsure < 1e-8
    _, unsure = consistency.richardson(lambda t: np.abs(t - 0.003), 0.1)
    assert unsure > 1e-6  # a kink beside the place is no slope to be trusted


def test_memory_sees_what_is_kept():
    kept = []
    counted, _, calls = conduct.growth(lambda: kept.append(np.ones(500)), seconds=0.05)
    assert 4000 < counted < 4400 and calls >= 3
    counted, _, _ = conduct.growth(lambda: np.ones(500), seconds=0.05)
    assert counted < 10


def test_what_is_not_a_number_fails():
    def hole(x, w):
        v, f = pt.energy_and_forces(x, w)
        return np.where(w > 50, np.nan, v), f

    found = verify(Says("hole", hole))
    assert {"any rotation", "separate clusters", "widened cell"} <= set(found.failed)
    assert judged(float("nan"), 1, "").verdict == "fail"


def test_errors_and_refusals():
    class Narrow(Spots):
        def evaluate(self, x, w, with_forces=False):
            if (w != 5.0).any():
                raise ValueError("trained at width 5 only")
            return super().evaluate(x, w, with_forces)

    class Breaks(Spots):
        def evaluate(self, x, w, with_forces=False):
            if len(x) == 1:
                raise RuntimeError("one is no batch")
            return super().evaluate(x, w, with_forces)

    class Never(Spots):
        def evaluate(self, x, w, with_forces=False):
            raise ValueError("not today")

    found = verify(Narrow(0.3), checks=["any rotation", "translation", "periodicity"])
    assert found and found["any rotation"].reason.startswith("it refuses: trained at width 5")
    found = verify(Breaks(0.3), checks=["alone and among others", "permutation"])
    assert found.failed == ["alone and among others"]
    assert "RuntimeError: one is no batch" in found["alone and among others"].reason
    with pytest.raises(ValueError, match="not today"):
        verify(Never(0.3))


def test_bad_arguments_are_named():
    for thing in ("Morse", pt.Morse, 3, None):
        with pytest.raises(TypeError, match="must be a potential such as"):
            verify(thing)
    with pytest.raises(ValueError, match="checks holds"):
        verify(pt.Morse(), checks=["beauty"])
    with pytest.raises(ValueError, match="protocol must be one of"):
        verify(pt.Morse(), protocol="mine")
    with pytest.raises(ValueError, match="belong to potentials"):
        verify(pt.SymmetryFunctions(), depth=2)
    with pytest.raises(ValueError, match="has a reach"):
        verify(pt.ModifiedLennardJones(), depth=2)
    with pytest.raises(ValueError, match="there is no check|KeyError|checks"):
        verify(pt.Morse(), checks="nothing")


@pytest.fixture(scope="module")
def thesis():
    return verify(pt.ModifiedLennardJones(), protocol="thesis")


def test_the_report_shows_and_saves_itself(thesis, tmp_path):
    assert isinstance(thesis, Verification)
    text, table = repr(thesis), thesis._repr_html_()
    for name, check in thesis.checks.items():
        assert name in text and name in table and check.verdict in text
    assert text.splitlines()[0].startswith("ModifiedLennardJones (potential): ")
    assert "protocol thesis" in text and "<table>" in table
    read = json.loads(thesis.save(tmp_path / "x.json").read_text())
    assert read["failed"] == thesis.failed and read["passed"] is False
    assert [c["name"] for c in read["checks"]] == list(thesis.checks)
    curve = next(c for c in read["checks"] if c["name"] == "continuous")["curve"]
    assert 100 < len(curve["x"]) <= 200 and len(curve["lines"]["energy"]) == len(curve["x"])
    with pytest.raises(ValueError, match="must end in .json"):
        thesis.save(tmp_path / "x.txt")
    with pytest.raises(TypeError, match="name of a file"):
        thesis.save(3)
    with pytest.raises(KeyError, match="there is no check 'beauty'"):
        thesis["beauty"]


def test_numbers_that_json_has_no_word_for_are_null(tmp_path):
    checks = {"a": judged(float("nan"), 1.0, "no number"), "b": judged(0.0, float("inf"), "none")}
    found = Verification("x", "model", {}, checks)
    read = json.loads(found.save(tmp_path / "x.json").read_text())
    assert [c["figure"] for c in read["checks"]] == [None, 0.0]
    assert read["checks"][1]["limit"] is None


def test_pictures(thesis):
    ax = thesis.plot("continuous")
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), thesis["continuous"].curve.y)
    assert ax.get_title() == "drag: fail"
    with pytest.raises(ValueError, match="has no curve"):
        thesis.plot("translation")
    ax = thesis.plot()
    labels = [label.get_text() for label in ax.get_yticklabels()]
    shown = [n for n, c in thesis.checks.items() if c.limit and c.figure is not None]
    assert labels == shown and ax.get_xscale() == "log"


def test_the_same_report_twice(thesis):
    again = verify(pt.ModifiedLennardJones(), protocol="thesis")
    for name, check in thesis.checks.items():
        if name != "memory":
            assert (again[name].figure, again[name].verdict) == (check.figure, check.verdict), name


def test_the_command(tmp_path, monkeypatch, capsys):
    "A report in the terminal, a file, and an exit status that a script sees."
    monkeypatch.chdir(tmp_path)
    few = ["--checks", "permutation,translation"]
    assert main(["verify", "ModifiedLennardJones", "R_0=1.8", *few, "--out", "x.json"]) == 0
    said = capsys.readouterr().out
    assert "2 pass" in said and "written to x.json" in said
    assert json.loads((tmp_path / "x.json").read_text())["passed"] is True
    assert main(["verify", "ModifiedLennardJones", "--protocol", "thesis", *few]) == 1
    told = capsys.readouterr()
    assert "1 fail" in told.out and "1 of 2 checks failed: translation" in told.err
    assert main(["verify", "ProximityEigenvalues", "orders=-2,-4", *few]) == 0
    pt.sample_network().save(tmp_path / "network.npz")
    assert main(["verify", "network.npz", *few]) == 0


def test_the_command_on_things_of_ones_own(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    code = """
import pes_toy as pt
from pes_toy.gallery import Says, numbered
unfair = Says("unfair", numbered)
"""
    (tmp_path / "things_of_mine.py").write_text(code)
    few = ["--checks", "permutation,inversion"]
    assert main(["verify", "things_of_mine:unfair", *few]) == 1
    assert "failed: permutation" in capsys.readouterr().err
    wrong = {
        "things_of_mine:nothing": "there is no 'nothing' in things_of_mine",
        "Beauty": "is no potential, descriptor or model",
        "none.npz": "there is no network file",
        "Morse depth": "must be written KEY=VALUE",
        "Morse depth=3": "does not take",
        "things_of_mine:unfair a=1": "has its settings already",
        "Morse --checks beauty": "checks holds",
        "Morse --out x.txt": "must end in .json",
    }
    for line, said in wrong.items():
        assert main(["verify", *line.split()]) == 1, line
        assert said in capsys.readouterr().err, line


def test_exhibits_are_what_they_say():
    assert all(isinstance(one, Exhibit) and one.fault and one.caught_by for one in BROKEN)
    assert not any(one.fault for one in SOUND)
    assert "SortedBySize" not in pt.base.registry.DESCRIPTORS.names()
