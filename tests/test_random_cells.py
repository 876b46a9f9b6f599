"""Random cells: energies, forces and relaxations are right, or the error says what is wrong."""

import numpy as np
import pes_toy as pt
import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st
from worlds import ENDLESS, POTENTIALS, World, cases, outcome, quiet, witness, work, worlds

pytestmark = pytest.mark.random
EASY = 5e4  # terms that the witness sums
LONG = 5e7  # terms that take a second
NAMES = "positions", "width", "depth"


@st.composite
def sums(draw, potentials=tuple(POTENTIALS + ENDLESS)):
    "A cell, a potential, a depth and a protocol that belong together."
    potential = draw(st.sampled_from(potentials))
    world = draw(worlds())
    depth = draw(st.sampled_from([None, 0, 1, 2]))
    if potential.reach is None and depth is None:
        depth = 1
    return world, potential, depth, draw(st.sampled_from(["exact", "exact", "thesis"]))


@given(sums())
@cases(30, 3000)
def test_energies_are_those_of_the_witness(case):
    world, potential, depth, protocol = case
    points, terms = work(world, potential, depth, protocol)
    assume(terms < LONG)
    found = outcome(lambda: pt.energy_per_particle(*world, potential, depth=depth,
                                                   protocol=protocol), *NAMES)
    if points > 1e4 or terms > EASY:
        event("too large for the witness")
        assert found.error or np.isfinite(found.answer)
        return
    with quiet():
        try:
            right = witness(world, potential, depth, protocol)
        except ValueError:  # a distance or an energy that is no number
            right = None
    if "coincide" in str(found.error):  # wrapped: they may stand apart for stale images
        event("coincide")
        x = pt.wrap(world.x, world.w)
        gaps = np.abs(x[:, None] - x)
        gaps = np.minimum(gaps, world.w - gaps).max(axis=-1)
        assert (gaps + np.eye(len(x))).min() < 1e-9 * max(1, world.w)
        return
    if found.error:
        event("refused")
        assert right is None or not (right.sound and np.isfinite(right.energy)), found.error
        return
    event("answered")
    assert np.isfinite(found.answer)
    if right and right.sound:
        event("compared")
        assert abs(found.answer - right.energy) <= right.tolerance


@st.composite
def small_sums(draw, most=12):
    "Cells that the witness can do, potentials with a reach (those are promised to be invariant)."
    world = draw(worlds(most=most))
    potential = draw(st.sampled_from(POTENTIALS))
    points, terms = work(world, potential, None)
    assume(points < 1e4 and terms < EASY)
    return world, potential


def sound(world, potential):
    "What the witness says, where rounding is small beside distances and the energy is a number."
    with quiet():
        try:
            right = witness(world, potential)
        except ValueError:
            right = None
    assume(right and right.sound and np.isfinite(right.energy) and right.tolerance < np.inf)
    return right


@given(small_sums())
@cases(20, 1500)
def test_forces_are_those_of_the_witness_and_add_up_to_nothing(case):
    world, potential = case
    right = sound(world, potential)
    energy, forces = pt.energy_and_forces(*world, potential)
    assert abs(energy - right.energy) <= right.tolerance
    assert np.abs(forces - right.forces).max() <= right.of_forces
    assert np.abs(forces.sum(axis=0)).max() <= right.of_forces * len(forces)
    assert energy == pytest.approx(pt.energy_per_particle(*world, potential), abs=right.tolerance)


def _moved(world, rng):
    shift = rng.uniform(-2, 2, world.x.shape[1]) * world.w
    return World(world.x + shift, world.w), lambda f: f


def _wrapped(world, rng):
    return World(pt.wrap(*world), world.w), lambda f: f


def _other_images(world, rng):
    return World(world.x + world.w * rng.integers(-3, 4, world.x.shape), world.w), lambda f: f


def _numbered_otherwise(world, rng):
    order = rng.permutation(len(world.x))
    return World(world.x[order], world.w), lambda f: f[np.argsort(order)]


def _mirrored(world, rng):
    signs = rng.choice([-1.0, 1.0], world.x.shape[1])
    return World(world.x * signs, world.w), lambda f: f * signs


def _turned(world, rng):
    axes = rng.permutation(world.x.shape[1])
    return World(world.x[:, axes], world.w), lambda f: f[:, np.argsort(axes)]


def _doubled(world, rng):
    "The cell with its 2^d - 1 next images."
    N, d = world.x.shape
    corners = np.stack(np.meshgrid(*[[0, 1]] * d, indexing="ij"), axis=-1).reshape(-1, 1, d)
    x = pt.wrap(*world) + world.w * corners
    return World(x.reshape(-1, d), 2 * world.w), lambda f: f[:N]


CHANGES = [_moved, _wrapped, _other_images, _numbered_otherwise, _mirrored, _turned, _doubled]


@given(small_sums(most=6), st.sampled_from(CHANGES), st.integers(0, 99))
@cases(25, 2000)
def test_what_changes_nothing_changes_nothing(case, change, seed):
    world, potential = case
    right = sound(world, potential)
    other, back = change(world, np.random.default_rng(seed))
    far = (np.abs(other.x).max() + world.w) / (np.abs(world.x).max() + world.w)
    energy, forces = pt.energy_and_forces(*world, potential)
    e, f = pt.energy_and_forces(*other, potential)
    assert abs(e - energy) <= 4 * (1 + far) * right.tolerance
    assert np.abs(back(f) - forces).max() <= 4 * (1 + far) * right.of_forces


FORMS = {
    "list": lambda x: x.tolist(),
    "tuple": lambda x: tuple(map(tuple, x.tolist())),
    "Fortran": np.asfortranarray,
    "strided": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "backwards": lambda x: x[..., ::-1].copy()[..., ::-1],
    "big-endian": lambda x: x.astype(">f8"),
    "longdouble": lambda x: x.astype(np.longdouble),
    "read-only": lambda x: _read_only(x),
}


def _read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


@given(small_sums(), st.sampled_from(sorted(FORMS)), st.sampled_from([1, 2, 3]))
@cases(12, 800)
def test_the_form_of_the_arguments_makes_no_difference(case, form, workers):
    world, potential = case
    first = outcome(lambda: pt.energy_and_forces(*world, potential), *NAMES)
    x = FORMS[form](world.x)
    before = np.array(x, float)
    other = outcome(lambda: pt.energy_and_forces(x, world.w, potential, workers=workers), *NAMES)
    assert np.array_equal(before, np.array(x, float)), "the positions were changed"
    assert str(first.error) == str(other.error)
    if first.answer:
        assert first.answer[0] == other.answer[0]
        assert np.array_equal(first.answer[1], other.answer[1])


@given(st.lists(small_sums(most=8), min_size=1, max_size=5), st.sampled_from([1, 2]))
@cases(12, 800)
def test_a_batch_has_the_bits_of_its_configurations(found, workers):
    potential = found[0][1]
    N, d = found[0][0].x.shape
    same = [world for world, _ in found if world.x.shape == (N, d)]
    alone = [outcome(lambda: pt.energy_and_forces(*world, potential), *NAMES) for world in same]
    x, w = np.array([world.x for world in same]), np.array([world.w for world in same])
    batch = outcome(lambda: pt.energy_and_forces(x, w, potential, workers=workers), *NAMES)
    if any(one.error for one in alone):
        assert batch.error
        return
    assert np.array_equal(batch.answer[0], [one.answer[0] for one in alone])
    assert np.array_equal(batch.answer[1], [one.answer[1] for one in alone])


@st.composite
def relaxations(draw):
    "A cell, and how to relax it."
    world = draw(worlds(most=30))
    potential = draw(st.sampled_from([*POTENTIALS[:2], pt.LennardJones()]))
    settings = dict(
        relaxer=draw(st.sampled_from(["descent", "fire"])),
        epochs=draw(st.integers(0, 5)),
        max_delta=draw(st.sampled_from([1e-6, 0.01, 0.1, world.w])),
        depth=draw(st.sampled_from([None, 1, 2])),
        protocol=draw(st.sampled_from(["exact", "exact", "thesis"])),
        seed=draw(st.integers(0, 2**63 - 1)))
    return world, potential, settings


@given(relaxations())
@cases(15, 1500)
def test_a_relaxation_goes_downhill_and_says_where_it_is(case):
    world, potential, settings = case
    how = dict(depth=settings["depth"], protocol=settings["protocol"])
    N, d = world.x.shape
    deep = how["depth"] or 1
    assume(work(world, potential, deep, how["protocol"])[1] * (1 + settings["epochs"] * N) < LONG)
    names = (*NAMES, "relaxer", "max_delta")
    found = outcome(lambda: pt.relax(*world, potential, **settings), *names)
    if found.error:
        event("refused")
        return
    event("answered")
    x, energy, rate = found.answer.positions, found.answer.energy, found.answer.acceptance
    assert np.isfinite(x).all() and (x >= 0).all() and (x < world.w).all()
    assert rate.shape == (settings["epochs"],)
    if settings["relaxer"] == "fire":
        assert np.isnan(rate).all()
    else:
        assert ((rate >= 0) & (rate <= 1)).all()
    now = pt.energy_per_particle(x, world.w, potential, **how)
    assert energy == pytest.approx(now, rel=1e-9, abs=1e-9)
    if settings["protocol"] == "thesis":
        return
    began = outcome(lambda: pt.energy_per_particle(*world, potential, **how))
    if began.answer is not None and potential.reach:
        assert energy <= began.answer + 1e-9 * max(1, abs(began.answer))
    again = pt.relax(*world, potential, **settings, workers=2)
    assert np.array_equal(again.positions, x) and again.energy == energy
