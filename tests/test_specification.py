"""Specifications: limits, meanings, presets, and their way through plain values."""
import dataclasses
import json

import numpy as np
import pes_toy as pt
import pytest
from databases import SPECS
from pes_toy.base.registry import POTENTIALS
from pes_toy.specification import plain_database

pytestmark = pytest.mark.quick


def test_every_setting_says_what_it_means_and_what_it_may_be():
    "The command and the explorers read nothing else."
    for name, one in pt.DatabaseSpec.described().items():
        assert one.meaning, name
        assert one.default == getattr(pt.DatabaseSpec(), name)
    described = pt.DatabaseSpec.described()
    assert set(described["relaxer"].limits.choices) >= {"descent", "fire"}
    assert tuple(described["protocol"].limits.choices) == ("exact", "thesis")
    assert described["potential"].limits.free and described["forces"].limits.flag
    for name, one in described.items():
        if one.limits.slider is not None:
            low, high, step = one.limits.slider
            assert low < high and step > 0, name
            for end in (low, high):
                one.limits.number(name, end)


@pytest.mark.parametrize(
    "wrong, error, said",
    [
        (dict(n_configurations=2.5), ValueError, "whole number"),
        (dict(n_configurations=True), TypeError, "whole number"),
        (dict(width="5"), TypeError, "width"),
        (dict(width=(1, 2, 3), n_widths=3), ValueError, "width must be"),
        (dict(width=(2.0, 2.0), n_widths=2), ValueError, "low < high"),
        (dict(epochs=()), ValueError, "several different"),
        (dict(epochs=(3, 2.5)), ValueError, r"epochs\[1\]"),
        (dict(forces=1), TypeError, "forces"),
        (dict(keep=0), ValueError, "keep"),
        (dict(protocol="both"), ValueError, "exact, thesis|'exact' or 'thesis'"),
        (dict(relaxer="fire", protocol="thesis"), ValueError, "fire"),
        (dict(potential="Morse"), TypeError, "potential"),
        (dict(potential=pt.Morse), TypeError, "potential"),
        (dict(width=1e-3, max_delta=1e-4), ValueError, "wider"),
        (dict(seed=2**63), ValueError, "seed"),
    ],
)
def test_what_cannot_be_made_is_refused(wrong, error, said):
    with pytest.raises(error, match=said):
        pt.DatabaseSpec(**wrong)


def test_values_become_plain():
    spec = pt.DatabaseSpec(
        n_configurations=np.int32(8), width=np.array([2.0, 4.0]), n_widths=3, epochs=[0, 5]
    )
    assert spec == pt.DatabaseSpec(n_configurations=8, width=(2.0, 4.0), n_widths=3, epochs=(0, 5))
    assert type(spec.n_configurations) is int and spec.widths.tolist() == [2, 3, 4]
    assert dataclasses.replace(spec, epochs=7).epochs == 7
    assert hash(spec) == hash(dataclasses.replace(spec))


def test_shares_add_up():
    for spec in SPECS.values():
        counts = [share.count for share in spec.shares()]
        assert sum(counts) == spec.n_configurations and max(counts) - min(counts) <= 1
    shares = pt.DatabaseSpec(n_configurations=10, epochs=(0, 3, 6)).shares()
    assert [count for _, _, count in shares] == [4, 3, 3]


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_a_specification_travels_as_plain_values(spec):
    assert pt.DatabaseSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


@pytest.mark.parametrize("name", POTENTIALS.names())
def test_every_registered_potential_travels(name):
    spec = pt.DatabaseSpec(potential=POTENTIALS[name](), depth=2)
    assert pt.DatabaseSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
    assert pt.DatabaseSpec.from_dict(dict(potential=name, depth=2)) == spec


def test_what_plain_values_cannot_say_is_refused():
    read = pt.DatabaseSpec.from_dict
    with pytest.raises(ValueError, match="ModifiedLennardJones"):
        read(dict(potential="Coulomb"))
    with pytest.raises(ValueError, match="does not take"):
        read(dict(potential=dict(type="Morse", n=6)))
    with pytest.raises(ValueError, match="'spring'"):
        read(dict(potential=dict(type="Potential", name="spring")))
    with pytest.raises(ValueError, match="no setting of a database"):
        read(dict(widths=3))


@pytest.mark.parametrize("spec", ["default", "widths", "3-D", "Lennard-Jones"])
def test_the_bare_loop_fills_what_the_shares_say(spec):
    spec = dataclasses.replace(SPECS[spec], n_configurations=12)
    if spec.n_widths > 12:
        spec = dataclasses.replace(spec, n_widths=4)
    positions, widths, energies = plain_database(spec)
    assert positions.shape == (12, spec.n_particles, spec.dimension)
    expected = [share.width for share in spec.shares() for _ in range(share.count)]
    assert widths.tolist() == expected
    again = pt.energy_per_particle(
        positions, widths, spec.potential, depth=spec.depth, protocol=spec.protocol
    )
    np.testing.assert_allclose(energies, again, rtol=1e-12)
