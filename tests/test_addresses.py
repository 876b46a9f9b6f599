"""Kernels that call a potential's functions by address, and those with the functions built in."""
import math
import subprocess
import sys

import numpy as np
import pytest

import pes_toy as pt
from pes_toy.engine import addresses
from pes_toy.engine.addresses import for_potential
from pes_toy.engine.potentials import pair_array
from pes_toy.engine.sums import once_energies


def well(r):
    return (r**-12 - 2 * r**-6) * (1 - (r / 2.2) ** 2) ** 3 if r < 2.2 else 0.0


def corner(a, b, c):
    s = (a + b + c) / 3
    return math.exp(-s) * (1.5 - s) ** 4 if s < 1.5 else 0.0


def inputs(d=2, n=6, width=4.6, many=3):
    x = np.random.default_rng(d).uniform(0, width, (many, n, d))
    return x, width


def everything(potential, d):
    "All that kernels compute of a potential."
    x, w = inputs(d)
    relaxed = [pt.relax(x, w, potential, relaxer=name, epochs=3) for name in ("descent", "fire")]
    return [
        pt.energy_per_particle(x, w, potential),
        pt.forces(x, w, potential),
        pt.stress(x, w, potential),
        *(result.positions for result in relaxed),
    ]


@pytest.fixture
def built(monkeypatch):
    "Functions are built in from the first call on."
    monkeypatch.setattr(addresses, "_addresses", lambda potential: None)


def fresh(scale):
    "A potential whose functions nobody has compiled yet."

    def mine(r):
        return scale * (1.0 - r) ** 2 if r < 1.0 else 0.0

    return pt.Potential(mine, cutoff=1.0)


def forget_kernels(potential):
    "As if nothing had been computed with it."
    for key in [key for key in potential.made if key[:1] == ("prepared",)]:
        del potential.made[key]


@pytest.mark.parametrize("d", [pytest.param(1, marks=pytest.mark.stress), 2,
                               pytest.param(3, marks=pytest.mark.stress)])  # fmt: skip
def test_both_ways_give_the_same_bits(d, monkeypatch):
    potential = pt.Potential(well, corner, cutoff=2.2)
    forget_kernels(potential)  # equal potentials share them
    first = everything(potential, d)
    assert for_potential(once_energies, potential).run is None
    forget_kernels(potential)
    monkeypatch.setattr(addresses, "_addresses", lambda potential: None)
    second = everything(potential, d)
    assert for_potential(once_energies, potential).run is not None
    for one, other in zip(first, second):
        np.testing.assert_array_equal(one, other)
    forget_kernels(potential)


def test_long_work_builds_the_functions_in(monkeypatch):
    potential = fresh(0.31)
    x, w = inputs()
    kernel = for_potential(once_energies, potential)
    first = pt.energy_per_particle(x, w, potential)
    assert kernel.run is None and kernel.spent == 0.0  # the first call may have compiled
    again = pt.energy_per_particle(x, w, potential)
    assert kernel.run is None and kernel.spent > 0.0
    monkeypatch.setattr(addresses, "WORK", 0.0)
    for _ in range(2):
        np.testing.assert_array_equal(pt.energy_per_particle(x, w, potential), first)
    assert kernel.run is not None
    np.testing.assert_array_equal(again, first)


def test_no_room_to_compile_leaves_it_by_address(monkeypatch):
    potential = fresh(0.32)
    x, w = inputs()
    first = pt.energy_per_particle(x, w, potential)
    kernel = for_potential(once_energies, potential)
    monkeypatch.setattr(addresses, "WORK", -1.0)

    def none_left():
        raise MemoryError("compiling needs more")

    monkeypatch.setattr(kernel, "_built", none_left)
    for _ in range(2):
        np.testing.assert_array_equal(pt.energy_per_particle(x, w, potential), first)
    assert kernel.run is None


@pytest.mark.parametrize("way", ["by address", "built in"])
def test_an_error_of_a_function_comes_through(way, request, monkeypatch):
    if way == "built in":
        request.getfixturevalue("built")
    width = {"by address": 0.9, "built in": 0.8}[way]

    def strict(r):
        if r < 0.01:
            raise ValueError("too close for me")
        return (width - r) ** 2 if r < width else 0.0

    potential = pt.Potential(strict, cutoff=width)
    x = np.array([[0.5, 0.5], [0.505, 0.5]])
    with pytest.raises(ValueError, match="too close for me"):
        pt.energy_per_particle(x, 4.0, potential)
    assert pt.energy_per_particle(x + [[0], [0.4]], 4.0, potential) > 0


def test_functions_that_return_whole_numbers():
    def step(r):
        return 1 if r < 1 else 0

    def no_slope(r):
        return 0

    potential = pt.Potential(step, pair_derivative=no_slope, cutoff=1.0)
    assert for_potential(pair_array, potential).run is not None  # built in
    assert potential.pair(0.5) == 1.0 and potential.pair_derivative(0.5) == 0.0


def test_functions_through_python():
    table = {}

    def looked_up(r):
        return table.setdefault(r, (1.0 - r) ** 2 if r < 1.0 else 0.0)

    potential = pt.Potential(looked_up, cutoff=1.0)
    assert not potential.compiled
    x = np.array([[0.5, 0.5], [1.0, 0.5]])
    assert pt.energy_per_particle(x, 4.0, potential) == pytest.approx(0.25)


def test_more_parameters_than_there_is_room_for():
    code = """
from dataclasses import dataclass
from pes_toy.engine.addresses import for_potential
from pes_toy.engine.compile import kernel
from pes_toy.engine.potentials import pair_array
from pes_toy.potentials import BuiltIn

@kernel
def many(p, r):
    return p[6] / r + 0.0 * p[0], -p[6] / r**2

@dataclass(frozen=True)
class Many(BuiltIn, pair=many):
    a: float = 1.0
    b: float = 2.0
    c: float = 3.0
    d: float = 4.0
    e: float = 5.0
    f: float = 6.0
    g: float = 7.0
    pair_weight = 1.0
    triplet_weight = 0.0
    cutoff = 1.0

print(Many().pair(2.0), Many(g=5.0).pair(2.0), for_potential(pair_array, Many()).run)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "3.5 2.5 None\n"  # by address


@pytest.mark.parametrize("name, value", [("USING_SVML", True), ("DISABLE_JIT", 1)])
def test_where_bits_could_differ_functions_are_built_in(name, value, monkeypatch):
    monkeypatch.setattr(addresses.config, name, value)
    assert for_potential(pair_array, fresh(0.33)).run is not None


def test_another_numba_builds_the_functions_in(monkeypatch):
    def other(*arguments):
        raise AttributeError("get_pointer_to_function")

    monkeypatch.setattr(addresses, "_address", other)
    potential = fresh(0.34)
    assert for_potential(pair_array, potential).run is not None
    assert potential.pair(0.5) == pytest.approx(0.34 / 4)
