"""Every potential passes the battery: the built-in ones, a new one made like them, a user's own."""

import dataclasses
import functools
import math
import pickle
import subprocess
import sys

import numpy as np
import pes_toy as pt
import pytest
from battery_potentials import CHECKS, LATTICE_CHECKS, refused, triangles
from pes_toy.base.registry import POTENTIALS
from pes_toy.base.settings import setting
from pes_toy.engine.compile import kernel
from pes_toy.potentials import BuiltIn, plain_modified_lennard_jones

# as if it were built in: functions and a class, nothing else


@kernel
def _basin(p, r):
    "A bell upside down that ends at p[2]; p = E_c, R_c, R_0."
    if r >= p[2]:
        return 0.0, 0.0
    t = 1.0 - r / p[2]
    u = (r - p[1]) / p[1]
    bell = -p[0] * math.exp(-4.0 * u * u)
    return bell * t**3, bell * t**2 * (-8.0 * u / p[1] * t - 3.0 / p[2])


@kernel
def _soft(p, a, b, c):
    "A repulsion of triangles by their perimeter."
    s = (a + b + c) / 3.0
    if s >= p[2]:
        return 0.0, 0.0, 0.0, 0.0
    t = 1.0 - s / p[2]
    slope = -p[0] * t**2 / p[2]
    return p[0] * t**3, slope, slope, slope


@dataclasses.dataclass(frozen=True)
class Basin(BuiltIn, pair=_basin, triplet=_soft):
    "A smooth well, and triangles that keep apart."

    E_c: float = setting(1.0, above=0)  # energy
    R_c: float = setting(1.0, above=0)  # length
    R_0: float = setting(1.8, above=0, slider=(1.1, 3, 0.1))  # where it ends
    pair_weight = 0.25
    triplet_weight = 0.75

    @property
    def cutoff(self):
        return self.R_0


# a user's own


def soft(r):
    return 3.0 * (1 - r / 1.5) ** 3 if r < 1.5 else 0.0


def soft_slope(r):
    return -6.0 * (1 - r / 1.5) ** 2 if r < 1.5 else 0.0


def cosy(a, b, c):
    s = a + b + c
    return -math.exp(-s) * (1 - s / 4.5) ** 3 if s < 4.5 else 0.0


def far(r):
    return math.exp(-r) / r


def short_sides(a, b, c):
    "Ends by its longest side."
    if max(a, b, c) >= 1.9:
        return 0.0
    return ((1.9 - a) * (1.9 - b) * (1.9 - c)) ** 3


TABLE = np.linspace(0.05, 2.0, 400)
tabulated = functools.partial(np.interp, xp=TABLE, fp=(2 - TABLE) ** 3)

BUILT_IN = [POTENTIALS[name]() for name in POTENTIALS.names()]
OTHER_PARAMETERS = [
    pt.Morse(2.0, 1.1, 40.0),
    pt.LennardJones(0.5, 1.2),
    pt.AreaPair(2.0, 1.3),
    pt.AreaPerimeter(2.0, 1.3),
    pt.PairArea(2.0, 1.3),
    pt.ModifiedLennardJones(2.0, 1.2, 4.5, 2.6),
    Basin(2.0, 1.2, 2.4),
]
BOTH = pt.Potential(soft, cosy, cutoff=1.5, name="both")
OWN = [
    BOTH,
    pt.Potential(soft, pair_derivative=soft_slope, cutoff=1.5, name="pairs with slope"),
    pt.Potential(triplet=short_sides, cutoff=1.9, reach=1.9, name="sides"),
    pt.Potential(far, name="no end"),
    pt.Potential(soft, cosy, cutoff=1.5, pair_weight=1.0, triplet_weight=0.2, name="weights"),
]
ALL = BUILT_IN + OTHER_PARAMETERS + OWN


def test_the_battery_meets_all_that_are_built_in():
    ours = {p.name for p in BUILT_IN if type(p).__module__.startswith("pes_toy.")}
    public = {"Morse", "LennardJones", "AreaPair", "AreaPerimeter", "PairArea"}
    assert ours >= public | {"ModifiedLennardJones"}
    assert "Basin" in {p.name for p in BUILT_IN}


@pytest.mark.quick
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("potential", ALL, ids=str)
def test_functions(potential, check):
    check(potential)


# one of each kind (with an end, without, one's own): each is compiled into the kernels anew
ON_THE_LATTICE = [pt.ModifiedLennardJones(), pt.PairArea(), BOTH]


@pytest.mark.parametrize("check", LATTICE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("potential", ON_THE_LATTICE, ids=str)
def test_on_the_lattice(potential, check):
    check(potential)


def test_a_function_called_through_python():
    own = pt.Potential(tabulated, cutoff=2.0, name="table")
    assert not own.compiled
    x = np.array([[0.5, 0.5], [1.4, 0.6], [0.6, 1.7]])
    r = [math.dist(x[i], x[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    expected = 2 * sum(tabulated(d) for d in r if d < 2) / 3
    assert pt.energy_per_particle(x, 9.0, own) == pytest.approx(expected, rel=1e-12)
    relaxed = pt.relax(x, 9.0, own, epochs=5)
    assert relaxed.energy < expected


# equation 10 once more, from outside


def equation_10(s):
    if s >= 2.0:
        return 0.0
    y = s**-6
    end = 2.0**-6
    tilt = -6.0 * end * (1.0 - end) * (s - 2.0)
    return y * y - end * end - 2.0 * (y - end) + tilt


def equation_10_of_triangles(a, b, c):
    return equation_10_mean((a + b + c) / 3.0)


equation_10_mean = kernel(equation_10)


@pytest.fixture(scope="module")
def twin():
    "The chosen potential as a user would write it."
    return pt.Potential(equation_10, equation_10_of_triangles, cutoff=2.0, name="twin")


CELLS = [(4, 2, 5.0), (4, 2, 3.2), (4, 2, 1.7), (8, 3, 4.6), (26, 2, 12.0)]


@pytest.mark.parametrize("N, d, w", CELLS)
def test_own_functions_relax_like_the_built_in_ones(twin, N, d, w):
    "Each kernel of the built-in potential takes the decisions of the general one, all but a few."
    start = np.random.default_rng(N).uniform(0, w, (40, N, d))
    built_in = pt.relax(start, w, epochs=3, seed=2)
    own = pt.relax(start, w, twin, epochs=3, seed=2)
    gap = np.abs(built_in.positions - own.positions).max(axis=(1, 2))
    assert (gap < 1e-9).mean() > 0.95
    np.testing.assert_allclose(np.median(own.energy - built_in.energy), 0, atol=1e-9)


@kernel
def _hill(p, r):
    "Equation 10 upside down, with a soft core."
    if r >= p[3]:
        return 0.0, 0.0
    t = 1.0 - r / p[3]
    return p[0] * t**2 * (r - 0.5), p[0] * (t**2 - 2.0 * t / p[3] * (r - 0.5))


@kernel
def _no_triangle(p, a, b, c):
    return 0.0, 0.0, 0.0, 0.0


class Hill(pt.ModifiedLennardJones, pair=_hill, triplet=_no_triangle):
    "A relative of the chosen potential with other functions."


def test_a_relative_of_the_chosen_potential_relaxes_by_its_own_functions():
    "No kernel that is made for equation (10) may take it, whatever its class."
    start = np.random.default_rng(0).uniform(0, 5.0, (8, 4, 2))
    relaxed = pt.relax(start, 5.0, Hill(), epochs=10)
    before = pt.energy_per_particle(start, 5.0, Hill())
    after = pt.energy_per_particle(relaxed.positions, 5.0, Hill())
    assert (after < before).all()


def test_plain_equation_10(twin):
    s = np.linspace(0.5, 2.5, 300)
    plain = plain_modified_lennard_jones(s)
    np.testing.assert_allclose(twin.pair(s), plain, rtol=1e-12, atol=1e-14)


# a potential is a value, and known by name


def test_a_new_potential_comes_back_from_a_file(tmp_path):
    potential = Basin(R_0=1.6)
    spec = pt.DatabaseSpec(n_configurations=20, potential=potential, epochs=2, forces=True)
    pt.generate(spec, progress=False).save(tmp_path / "db.parquet")
    again = pt.load(tmp_path / "db.parquet")
    assert again.spec == spec and again.spec.potential == potential
    np.testing.assert_allclose(
        again.energy, pt.energy_per_particle(again.positions, again.width, potential), rtol=1e-12
    )


def test_a_new_potential_says_what_its_parameters_may_be():
    described = Basin.described()
    assert list(described) == ["E_c", "R_c", "R_0"]
    assert described["R_0"].meaning == "where it ends"
    assert described["R_0"].limits.slider == (1.1, 3, 0.1)
    assert "above 0" in refused(Basin, -1.0)


def test_equation_10_has_the_same_values_with_functions_for_its_exponent():
    six, any_n = pt.ModifiedLennardJones(), pt.ModifiedLennardJones(n=6 + 1e-14)
    assert six.variant != any_n.variant
    sides = triangles(six)
    np.testing.assert_allclose(six.triplet(*sides), any_n.triplet(*sides), rtol=1e-11, atol=1e-11)
    slopes = six.triplet_derivatives(*sides)
    np.testing.assert_allclose(slopes, any_n.triplet_derivatives(*sides), rtol=1e-10, atol=1e-10)


def test_functions_of_a_class_are_kernels_and_are_inherited():
    with pytest.raises(TypeError, match="decorated with `kernel`"):

        class Plain(BuiltIn, pair=soft):
            "A function as it is written."

    class Deeper(Basin):
        "Another default, the same functions."

    assert Deeper().pair(1.0) == Basin().pair(1.0) != 0.0

    class Kin(pt.ModifiedLennardJones, pair=_basin):
        "Other pairs, the same triangles."

    assert Kin().triplet(1, 1, 1) == pt.ModifiedLennardJones().triplet(1, 1, 1)
    assert Kin().pair(1.0) != pt.ModifiedLennardJones().pair(1.0)


def test_a_built_in_name_cannot_be_taken():
    with pytest.raises(TypeError, match="exists already"):

        class Morse(BuiltIn):
            "Another one."


def test_built_in_potentials_describe_themselves():
    for potential in BUILT_IN:
        for name, one in type(potential).described().items():
            assert getattr(potential, name) == one.default
            assert one.meaning, (potential.name, name)


def test_equal_functions_and_numbers_make_equal_potentials():
    again = pt.Potential(soft, cosy, cutoff=1.5, name="both")
    assert again == BOTH and hash(again) == hash(BOTH) and again in {BOTH}
    for change in (dict(cutoff=1.6), dict(name="other"), dict(pair_weight=0.5), dict(reach=2.3)):
        given = {**dict(cutoff=1.5, name="both"), **change}
        assert pt.Potential(soft, cosy, **given) != BOTH
    assert pt.Potential(soft, cutoff=1.5, name="both") != BOTH
    one = pt.DatabaseSpec(potential=BOTH)
    assert one == pt.DatabaseSpec(potential=again) and hash(one) == hash(one)


def test_what_cannot_travel_says_so():
    for own in (
        pt.Potential(lambda r: math.exp(-r), name="a lambda"),
        pt.Potential(far, pair_derivative=lambda r: -math.exp(-r) * (1 / r + 1 / r**2)),
    ):
        with pytest.raises(pickle.PicklingError, match="cannot travel.*def"):
            pickle.dumps(own)


def test_it_works_in_another_process(tmp_path):
    "What is pickled here gives the same numbers there."
    (tmp_path / "mine.py").write_text("def soft(r):\n    return max(0.0, 1.5 - r) ** 3\n")
    code = (
        "import pickle, sys; sys.path.insert(0, sys.argv[1])\n"
        "import mine, pes_toy as pt\n"
        "own = pt.Potential(mine.soft, cutoff=1.5)\n"
        "sys.stdout.buffer.write(pickle.dumps(own))"
    )
    run = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, check=True)
    sys.path.insert(0, str(tmp_path))
    try:
        again = pickle.loads(run.stdout)
        assert again.pair(1.0) == 0.125
    finally:
        sys.path.remove(str(tmp_path))


# what is refused


def test_wrong_functions_are_refused():
    flat = "must be symmetric"
    for given, words in (
        (dict(), "both missing"),
        (dict(pair=3.0), "must be a function"),
        (dict(pair=lambda r: "near"), "must return a number"),
        (dict(pair=lambda r: math.log(-r) if r > 1 else 0.0), "must be finite"),
        (dict(triplet=lambda a, b, c: a), flat),
        (dict(triplet=lambda a, b, c: a * b + c), flat),
        (dict(pair=lambda r: r * r, pair_derivative=lambda r: r), "does not fit"),
        (dict(pair=far, pair_derivative=lambda r: r * np.nan), "pair_derivative must be finite"),
        (dict(pair=far, cutoff=2), "must be 0 beyond cutoff"),
        (dict(pair=far, reach=2), "must be 0 beyond"),
        (dict(pair=soft, cutoff=1.5, triplet_weight=1.0), "give triplet or leave"),
        (dict(pair=soft, cutoff=-1), "cutoff must be"),
    ):
        assert words in refused(potential_from, given), given


def potential_from(given):
    return pt.Potential(**given)


def test_the_numbers_of_a_failure_are_named():
    def broken(a, b, c):
        return 1.0 / (a + b + c - 3.0) if abs(a + b + c - 3.0) > 0.5 else np.nan

    message = refused(potential_from, dict(triplet=broken))
    sides = [float(word) for word in message.split(" at ")[1].split(", ")]
    assert len(sides) == 3 and abs(sum(sides) - 3.0) <= 0.5


def test_terms_of_both_signs_that_overflow():
    assert pt.AreaPair().triplet(1e-30, 1e-30, 1e-30) == np.inf
    assert "overflow" in refused(pt.AreaPair().triplet, 1e-60, 1e-60, 1e-60)
    assert "1e-60" in refused(pt.AreaPerimeter().triplet_derivatives, 1e-60, 1e-60, 1e-60)


def test_triangles_of_the_battery_are_triangles():
    a, b, c = np.sort(triangles(pt.Morse()), axis=0)
    assert len(a) > 200 and (a + b > c).all() and a.min() >= 0.6
