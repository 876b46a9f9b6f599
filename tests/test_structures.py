"""Sets of unlike configurations: rows, labels, atoms in and out, files."""

import dataclasses
import json
import os
import pickle
import warnings
from pathlib import Path

import ase
import ase.io
import numpy as np
import pes_toy as pt
import pyarrow.parquet as pq
import pytest
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms
from pes_toy.base.show import same
from pes_toy.structure_files import far_off
from pes_toy.structures import Structure, Structures

POTENTIAL = pt.ModifiedLennardJones()


def cell_of(d, rng):
    "A compact cell of some shape."
    return 3.0 * np.eye(d) + rng.uniform(-0.6, 0.6, (d, d))


def unlike(d=2, counts=(3, 5, 3, 4), seed=0, group=True, labels=True):
    "Some structures of different numbers of particles and cells."
    rng = np.random.default_rng(seed)
    cells = [cell_of(d, rng) for _ in counts]
    positions = [rng.uniform(0, 1, (N, d)) @ cell for N, cell in zip(counts, cells)]
    names = [f"of {N}" for N in counts] if group else None
    made = Structures.from_arrays(positions, cells, group=names)
    return made.labelled(POTENTIAL, stress=True, progress=False) if labels else made


@pytest.fixture(scope="module")
def plane():
    return unlike()


@pytest.fixture(scope="module")
def space():
    return unlike(d=3, seed=1)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_labels_are_those_of_each_structure(d):
    some = unlike(d)
    for one in some:
        assert one.energy == pytest.approx(pt.energy_per_particle(one.positions, one.cell))
        scale = np.abs(one.forces).max()
        forces = pt.forces(one.positions, one.cell)
        np.testing.assert_allclose(one.forces, forces, rtol=0, atol=1e-12 * scale)
        stress = pt.stress(one.positions, one.cell)
        np.testing.assert_allclose(one.stress, stress, rtol=1e-10, atol=1e-12 * scale)
        assert one.volume == pytest.approx(abs(np.linalg.det(one.cell)) / len(one.positions))
    without = some.labelled(POTENTIAL, forces=False, progress=False)
    assert without.forces is None and without.stress is None
    np.testing.assert_allclose(without.energy, some.energy, rtol=1e-12)


def test_a_predictor_labels_too(plane):
    class Sum(pt.Predictor):
        n_particles, dimension, any_number, any_cell = 4, 2, True, True
        about = {}

        def evaluate(self, x, w, with_forces=False):
            return x.sum(axis=(1, 2)) / x.shape[1], -np.ones_like(x) if with_forces else None

    found = plane.labelled(Sum(), progress=False)
    sums = [one.positions.sum() / len(one.positions) for one in plane]
    np.testing.assert_allclose(found.energy, sums)
    assert (found.forces == -1).all() and found.stress is None
    with pytest.raises(TypeError, match="potential"):
        plane.labelled("Morse", progress=False)


def test_one_potential_in_pieces(monkeypatch, plane):
    monkeypatch.setattr("pes_toy.structures.PIECE", 4)
    again = plane.labelled(POTENTIAL, stress=True, progress=False)
    np.testing.assert_allclose(again.energy, plane.energy, rtol=1e-12)
    np.testing.assert_allclose(again.forces, plane.forces, rtol=1e-9)


def test_rows(plane):
    starts = np.cumsum([0, 3, 5, 3, 4])
    assert plane.starts.tolist() == starts.tolist() and len(plane) == 4
    assert plane.owner.tolist() == [0] * 3 + [1] * 5 + [2] * 3 + [3] * 4
    assert isinstance(plane[1], Structure) and isinstance(plane[1:2], Structures)
    for rows in ([3, 0], slice(None, None, -2), np.array([False, True, True, False]), [-1]):
        some = plane[rows]
        numbers = np.arange(4)[rows]
        for one, m in zip(some, numbers):
            assert one == plane[int(m)]
    assert len(plane[[]]) == 0 and plane[[]].forces.shape == (0, 2)
    for wrong in (4, -5, "a", [0.5], [[0]], 1.0, None):
        with pytest.raises(IndexError):
            plane[wrong]


def test_batches_of_equal_numbers(plane):
    seen = np.zeros(len(plane), int)
    copied = np.full_like(plane.positions, np.nan)
    for rows, x, cells, places in plane.by_count():
        seen[rows] += 1
        copied[places] = x
        assert (plane.counts[rows] == x.shape[1]).all() and x.shape[0] == len(rows)
        np.testing.assert_array_equal(cells, plane.cell[rows])
        x[:] = 0
        cells[:] = 0
    assert (seen == 1).all()
    np.testing.assert_array_equal(copied, plane.positions)


def test_parts(plane):
    first, second = plane.split(0.5, seed=3)
    assert sorted([*first.energy, *second.energy]) == sorted(plane.energy)
    assert same(plane.split(0.5, seed=3)[0].energy, first.energy)
    assert [len(part) for part in plane.split((0.25, 0.5, 0.25))] == [1, 2, 1]
    assert plane.filter(group=["of 3", "of 4"]).counts.tolist() == [3, 3, 4]
    assert plane.filter(lambda s: s.counts > 3).counts.tolist() == [5, 4]
    assert len(plane.filter(energy=(None, plane.energy.min()))) == 1
    assert len(plane.sample(2, seed=1)) == 2 and len(plane.sample(99)) == 4
    assert pt.concat([first, second[[]], second]).counts.sum() == 15
    for wrong in (0.0, 1.0, (0.5, 0.6), (0.999, 0.001), "a", float("nan"), ()):
        with pytest.raises((ValueError, TypeError), match="fractions"):
            plane.split(wrong)
    with pytest.raises(ValueError, match="group must be one of 'of 3'"):
        plane.filter(group="of 7")


def test_data_are_values(plane):
    before = pickle.loads(pickle.dumps(plane))
    assert before == plane
    for part in (plane[:], plane[[0, 1]], plane.filter(), dataclasses.replace(plane)):
        part.positions[:] = 0
        part.energy[:] = 0
        part.cell[:] = 0
    one = plane[0]
    one.positions[:] = 0
    one.units["length"] = "m"
    assert plane == before and plane != plane[:2]
    given = [np.zeros((1, 2))]
    made = Structures.from_arrays(given, np.eye(2))
    given[0][:] = 1
    assert (made.positions == 0).all()
    with pytest.raises(dataclasses.FrozenInstanceError):
        plane.energy = None
    with pytest.raises(TypeError):
        hash(plane)


def test_arrays_of_many_forms():
    x = np.random.default_rng(0).uniform(0, 2, (3, 2, 2))
    one = Structures.from_arrays(x, 2.0, group="a")
    others = [Structures.from_arrays(list(x), 2.0 * np.eye(2), group=["a"] * 3),
              Structures.from_arrays(x.reshape(-1, 2), [2.0] * 3, counts=[2, 2, 2], group="a"),
              Structures.from_arrays(x.tolist(), [2.0 * np.eye(2)] * 3, group="a")]
    for other in others:
        assert other == one
    db = pt.Database.from_arrays(x, 2.0, potential=POTENTIAL)
    there = Structures.from_database(db)
    assert same(there.to_database().positions, db.positions)
    np.testing.assert_allclose(there.labelled(POTENTIAL, progress=False).energy, db.energy)


WRONG = [
    (dict(positions=[[[0.0, 0]]], cell=[[1.0, 0], [2, 0]]), "cell must be a cell with a volume"),
    (dict(positions=[[[0.0, 0]]], cell=0.0), "cell must be widths above 0"),
    (dict(positions=[[[0.0, 0]]], cell="a"), "cell must be numbers"),
    (dict(positions=[[[0.0, np.nan]]], cell=1.0), "positions must be finite"),
    (dict(positions=[[[0.0, 0]], [[0.0]]], cell=1.0), "positions must agree"),
    (dict(positions=[[[0.0, 0]]], cell=np.ones((2, 2, 2))), "cell must be numbers with the shape"),
    (dict(positions=np.zeros((3, 2)), cell=1.0), "counts is missing"),
    (dict(positions=np.zeros((3, 2)), cell=1.0, counts=[1, 1]), "counts must add up"),
    (dict(positions=np.zeros((3, 2)), cell=1.0, counts=[3, 0]), "counts must be whole numbers"),
    (dict(positions=np.zeros((3, 2)), cell=1.0, counts=[1.5, 1.5]), "counts must be whole"),
    (dict(positions=[[[0.0, 0]]], cell=1.0, energy=[np.inf]), "energy must be finite"),
    (dict(positions=[[[0.0, 0]]], cell=1.0, energy=[1.0, 2]), "energy must be numbers"),
    (dict(positions=[[[0.0, 0]]], cell=1.0, forces=[[[0.0, 0], [0, 0]]]), "forces must be numbers"),
    (dict(positions=[[[0.0, 0]]], cell=1.0, stress=np.eye(2)), "stress must be numbers"),
    (dict(positions=[[[0.0, 0]]], cell=1.0, group=["a", "b"]), "group must be 1 names"),
    (dict(positions=[[[0.0, 0]]], cell=1.0, group=[3]), "group must be 1 names"),
    (dict(positions=[[[0.0, 0]]], cell=1.0, units={"mass": "u"}), "units must be a dictionary"),
    (dict(positions=[[[0.0, 0]]], cell=1.0, units={"length": 2.35}), "units"),
    (dict(positions=[[[0.0, 0]]], cell=1.0, units={"length": "0 m"}), "units"),
    (dict(positions=[[[0.0, 0]]], cell=1.0, about=[1]), "about must be a dictionary"),
    (dict(positions=5.0, cell=1.0), "positions"),
    (dict(positions=[], cell=1.0), "positions"),
    (dict(positions="abc", cell=1.0), "positions"),
]


@pytest.mark.parametrize("given, match", WRONG, ids=[match[:20] for _, match in WRONG])
def test_what_cannot_be(given, match):
    with pytest.raises((ValueError, TypeError), match=match):
        Structures.from_arrays(**given)


def turned(rng, d):
    "A rotation."
    q = np.linalg.qr(rng.normal(size=(d, d)))[0]
    return q * np.sign(np.linalg.det(q))


def repeated(one, times):
    "A supercell."
    d = len(one.cell)
    steps = np.stack(np.meshgrid(*map(np.arange, times), indexing="ij"), axis=-1).reshape(-1, 1, d)
    return (one.positions + steps @ one.cell).reshape(-1, d), np.array(times)[:, None] * one.cell


def other_cell(one, rng):
    "Other vectors of the same lattice, in another order, particles in other cells."
    d = len(one.cell)
    whole = np.eye(d, dtype=int)[rng.permutation(d)] + np.triu(rng.integers(-1, 2, (d, d)), 1) * 0
    for _ in range(3):
        i, j = rng.choice(d, 2, replace=False)
        whole[i] += rng.choice([-1, 1]) * whole[j]
    return one.positions + rng.integers(-2, 3, one.positions.shape) @ one.cell, whole @ one.cell


@pytest.mark.parametrize("d", [2, 3])
def test_what_does_not_matter(d):
    "Rotations, the choice of cell vectors and supercells, to eleven digits."
    some = unlike(d, counts=(2, 3, 3), seed=5)
    rng = np.random.default_rng(2)
    turn = turned(rng, d)
    ways = dict(turned=[(one.positions @ turn, one.cell @ turn) for one in some],
                chosen=[other_cell(one, rng) for one in some],
                larger=[repeated(one, (2, *[1] * (d - 1))) for one in some])
    inputs = pt.SymmetryFunctions()
    before = some.inputs(inputs)
    scale = np.abs(before).max(axis=0)
    for name, way in ways.items():
        changed = Structures.from_arrays(*zip(*way)).labelled(POTENTIAL, progress=False)
        np.testing.assert_allclose(changed.energy, some.energy, rtol=1e-11, err_msg=name)
        now = changed.inputs(inputs)
        if name == "larger":
            now = np.concatenate([now[changed.owner == m][:N] for m, N in enumerate(some.counts)])
        np.testing.assert_allclose(now / scale, before / scale, rtol=0, atol=1e-11, err_msg=name)


def test_inputs_of_global_descriptors(plane):
    three = plane.filter(counts=(3, 3))
    values = three.inputs(pt.ProximityEigenvalues())
    assert values.shape == (2, 6)
    with pytest.raises(ValueError, match="is global"):
        plane.inputs(pt.ProximityEigenvalues())
    with pytest.raises(ValueError, match="empty"):
        plane[[]].inputs(pt.SymmetryFunctions())


@pytest.mark.parametrize("length, energy", [(1.0, 1.0), (2.35, 0.7)])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_there_and_back(d, length, energy):
    "Through atoms in other units and back, to twelve digits."
    some = unlike(d)
    atoms = some.to_atoms("Si")
    there = Structures.from_atoms(atoms, length=length, energy=energy)
    assert there.about["element"] == "Si"
    scales = dict(positions=length, cell=length, energy=energy, forces=energy / length,
                  stress=energy / length**d)
    for name, scale in scales.items():
        now, before = scale * getattr(there, name), getattr(some, name)
        np.testing.assert_allclose(now, before, rtol=1e-12, atol=1e-12 * np.abs(before).max())
    assert there.group.tolist() == some.group.tolist()
    for one, other in zip(there.to_atoms(), atoms):
        assert one.symbols.get_chemical_formula() == other.symbols.get_chemical_formula()
        np.testing.assert_allclose(one.positions, other.positions, rtol=0, atol=1e-12)
        np.testing.assert_allclose(one.cell.array, other.cell.array, rtol=0, atol=1e-12)
        assert one.get_potential_energy() == pytest.approx(other.get_potential_energy(), rel=1e-12)
        np.testing.assert_allclose(one.get_stress(), other.get_stress(), rtol=1e-11, atol=1e-12)
    assert pt.to_atoms(there)[0].symbols[0] == "Si" and pt.to_atoms(some)[0].symbols[0] == "H"


def test_a_plane_that_is_turned_in_space(plane):
    atoms = plane.to_atoms()
    for frame in atoms:
        for array in (frame.calc.results, ):
            array.pop("stress")
    flat = Structures.from_atoms(atoms)
    for frame in atoms:
        forces = frame.calc.results.pop("forces")
        frame.set_constraint()
        frame.arrays["push"] = forces
        turn = turned(np.random.default_rng(3), 3)
        energy = frame.calc.results["energy"]
        frame.calc = None
        frame.info["E"] = energy
        frame.set_cell(frame.cell.array @ turn)
        frame.positions = frame.positions @ turn
        frame.arrays["push"] = frame.arrays["push"] @ turn
    found = Structures.from_atoms(atoms, energy_key="E", forces_key="push")
    again = found.labelled(POTENTIAL, progress=False)
    np.testing.assert_allclose(again.energy, flat.energy, rtol=1e-10)
    scale = np.abs(flat.forces).max()
    np.testing.assert_allclose(again.forces, found.forces, rtol=0, atol=1e-9 * scale)


def argon(energy=-0.1, **more):
    "A frame with labels."
    frame = ase.Atoms("Ar2", [[0, 0, 0], [2, 2, 2.5]], cell=[4, 4.5, 5], pbc=True)
    frame.calc = SinglePointCalculator(frame, energy=energy, forces=np.ones((2, 3)), **more)
    return frame


def test_constraints_do_not_change_labels():
    frame = argon()
    frame.set_constraint(FixAtoms([0]))
    assert (Structures.from_atoms(frame).forces == 1).all()


@pytest.mark.parametrize("key", ["virial", "virials", "DFT_virial"])
@pytest.mark.parametrize("shape", [(6,), (9,), (3, 3)])
def test_virials_are_minus_the_stress_times_the_volume(key, shape):
    stress = np.array([[1.0, 0.2, 0.3], [0.2, 2.0, 0.4], [0.3, 0.4, 3.0]])
    given = stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]] if shape == (6,) else stress
    frame = argon()
    frame.info[key] = -given.reshape(shape) * frame.get_volume()
    frame.info["own_stress"] = given.reshape(shape)
    for name in (key, "own_stress"):
        found = Structures.from_atoms(frame, stress_key=name, length=2.0, energy=3.0)
        np.testing.assert_allclose(found.stress[0], stress / (3 / 8), rtol=1e-12)


def frames_that_are_wrong():
    nan_forces, nan_energy, mixed, no_energy, none, open_cell = (argon() for _ in range(6))
    nan_forces.calc.results["forces"][0, 0] = np.nan
    nan_energy.calc.results["energy"] = np.nan
    mixed.symbols[0] = "Ne"
    mixed.calc.atoms.symbols[0] = "Ne"
    del no_energy.calc.results["energy"]
    none.calc = None
    open_cell.pbc = False
    flat = argon()
    flat.set_cell([[4, 0, 0], [8, 0, 0], [0, 0, 5]])
    plane = argon()
    plane.pbc = [True, True, False]
    return {
        "forces of atoms.1. must be finite": [argon(), nan_forces],
        "energy of atoms.0. must be a finite number": nan_energy,
        "elements Ar, Ne": mixed,
        "atoms.0. has no energy, but nothing": no_energy,
        "atoms.1. has no energy": [argon(), none],
        "atoms.0. must be periodic": open_cell,
        "volume|independent vectors": flat,
        "same number of directions": [argon(), plane],
        "do not lie in one plane": plane,
        "atoms is empty": [],
        "there is no file": "none.xyz",
        "must be ase.Atoms": 5,
        "must be ase.Atoms, a list": [argon(), "a"],
    }


@pytest.mark.parametrize("match", list(frames_that_are_wrong()))
def test_atoms_that_are_wrong(match):
    with pytest.raises((ValueError, TypeError, FileNotFoundError), match=match):
        Structures.from_atoms(frames_that_are_wrong()[match])


KEYS = [(dict(energy_key="REF"), "'REF', but 'energy'"),
        (dict(forces_key="REF"), "no forces 'REF', but 'forces'"),
        (dict(stress_key="REF"), "no stress 'REF', but nothing like it"),
        (dict(group_key="REF"), "group_key 'REF' is in no frame"),
        (dict(length=0.0), "length"), (dict(energy=-1.0), "energy"), (dict(length="a"), "length"),
        (dict(labels=3), "labels"), (dict(units=3), "units")]


@pytest.mark.parametrize("how, match", KEYS, ids=[match for _, match in KEYS])
def test_keys_that_are_wrong(how, match):
    with pytest.raises((ValueError, TypeError), match=match):
        Structures.from_atoms(argon(), **how)


def test_what_is_told_of():
    left = argon()
    left.set_cell(left.cell.array[[1, 0, 2]] * [[1], [-1], [1]])
    left.calc = argon().calc
    left.calc.atoms = left.copy()
    mirrored = argon()
    mirrored.set_cell([4, 4.5, -5])
    mirrored.calc.atoms = mirrored.copy()
    with pytest.warns(UserWarning, match="1 of 2 cells .first: atoms.1.. are left-handed"):
        some = Structures.from_atoms([argon(), mirrored])
    assert some.cell[1, 2, 2] == -5 and (some.volume == 45).all()
    partly = argon()
    del partly.calc.results["forces"]
    with pytest.warns(UserWarning, match="1 of 2 atoms .first: 1. have no forces"):
        assert Structures.from_atoms([argon(), partly]).forces is None
    named = argon()
    named.info["virial"] = np.ones((3, 3))
    with pytest.warns(UserWarning, match="'virial', but no stress under the name"):
        assert Structures.from_atoms(named).stress is None
    with pytest.warns(UserWarning, match="energies of 5 of 25 structures .first: 20.*subtract"):
        Structures.from_atoms([argon(-0.1 - 0.001 * i) for i in range(20)] + [argon(-900.0)] * 5)


def test_energies_of_another_reference():
    rng = np.random.default_rng(0)
    near = rng.normal(-5, 0.3, 50)
    assert not far_off(near).any()
    assert not far_off(np.array([])).any() and not far_off(np.ones(20)).any()
    assert not far_off(np.array([1.0, 100.0])).any() and not far_off(near[:4]).any()
    for shift in (30.0, -4000.0):
        moved = near.copy()
        moved[:8] += shift
        assert (far_off(moved) == (np.arange(50) < 8)).all()
    two = np.concatenate([near, near[:10] + 100, near[:10] - 200])
    assert (far_off(two) == (np.arange(70) >= 50)).all()
    assert not far_off(np.concatenate([near, near + 2])).any()


def test_nothing_is_said_of_the_toys_own(plane):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        db = pt.generate(pt.DatabaseSpec(n_configurations=60, max_energy=None), progress=False)
        pt.concat([Structures.from_database(db[:30]), Structures.from_database(db[30:])])


def test_sets_that_do_not_fit(plane, space):
    with pytest.raises(ValueError, match="same dimension"):
        pt.concat([plane, space])
    with pytest.raises(ValueError, match="same units"):
        pt.concat([plane, dataclasses.replace(plane, units={"energy": "eV"})])
    with pytest.raises(TypeError, match="must be Structures"):
        pt.concat([plane, pt.sample_database()])
    with pytest.warns(UserWarning, match="forces of some sets is left out"):
        assert pt.concat([plane, dataclasses.replace(plane, forces=None)]).forces is None


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("labels", [True, False])
def test_files_keep_every_bit(d, labels, tmp_path):
    some = unlike(d, group=labels, labels=labels)
    some = dataclasses.replace(some, units={"length": "2.35 Angstrom"}, about={"element": "Si"})
    assert pt.load(some.save(tmp_path / "some.parquet")) == some
    none = some[[]]
    assert pt.load(none.save(tmp_path / "none.parquet")) == none
    assert sorted(path.name for path in tmp_path.iterdir()) == ["none.parquet", "some.parquet"]


def test_other_programs_read_the_files(plane, tmp_path):
    table = pq.read_table(plane.save(tmp_path / "some.parquet")).to_pandas()
    assert table["energy"].tolist() == plane.energy.tolist()
    assert [len(row) for row in table["positions"]] == (2 * plane.counts).tolist()
    np.testing.assert_array_equal(np.concatenate(table["forces"]), plane.forces.ravel())


def test_damage_is_found(plane, tmp_path):
    path = plane.save(tmp_path / "some.parquet")
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(whole), 60):
        content = bytearray(whole)
        content[place] ^= 1 << rng.integers(8)
        path.write_bytes(content)
        try:
            assert pt.load(path) == plane # names of the writing program, say
        except ValueError as error:
            assert "some.parquet" in str(error)
    for end in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(ValueError, match="some.parquet"):
            pt.load(path)


@pytest.mark.parametrize("change", [
    dict(kind="molecules"), dict(schema=4), dict(groups=[]), dict(dimension=5),
    dict(units={"mass": "u"})], ids=str)
def test_what_a_later_version_writes(change, plane, tmp_path):
    from pes_toy.base.tables import columns_of, read_table, write_table

    table, header = read_table(plane.save(tmp_path / "some.parquet"))
    write_table(tmp_path / "some.parquet", columns_of(table), {**header, **change})
    with pytest.raises(ValueError, match="some.parquet.*update"):
        pt.load(tmp_path / "some.parquet")


def test_rows_exchanged_between_lists(plane, tmp_path):
    "The digest knows where a list ends, not the numbers alone."
    path = plane.save(tmp_path / "some.parquet")
    from pes_toy.base.tables import Ragged, columns_of, read_table

    table, header = read_table(path)
    columns = columns_of(table)
    flat, lengths = columns["positions"]
    assert lengths.tolist() == [6, 10, 6, 8]
    from pes_toy.base.tables import _digest_of, _to_arrow
    import pyarrow as pa

    moved = {**columns, "positions": Ragged(flat, lengths[::-1].copy())}
    other = pa.table({name: _to_arrow(array) for name, array in moved.items()})
    other = other.replace_schema_metadata({b"pes_toy": json.dumps(header)})
    assert _digest_of(other, header) != header["digest"]
    pq.write_table(other, path)
    with pytest.raises(ValueError, match="digest"):
        pt.load(path)


def test_paths_that_are_wrong(plane, tmp_path):
    for path in (tmp_path / "a.json", tmp_path / "a.xyz", tmp_path, 5):
        with pytest.raises((ValueError, TypeError), match="path"):
            plane.save(path)
    assert not list(tmp_path.iterdir())
    (tmp_path / "a.parquet").write_text("x")
    with pytest.raises(ValueError, match="cannot be read by ASE"):
        pt.read(tmp_path / "a.parquet")


def test_extended_xyz(space, tmp_path):
    ase.io.write(tmp_path / "some.xyz", space.to_atoms("Li"), format="extxyz")
    found = pt.read(tmp_path / "some.xyz", units={})
    np.testing.assert_allclose(found.positions, space.positions, atol=1e-7)
    np.testing.assert_allclose(found.energy, space.energy, rtol=1e-7)
    np.testing.assert_allclose(found.stress, space.stress, rtol=1e-6, atol=1e-6)
    assert found.about == {"element": "Li"} and found.group.tolist() == space.group.tolist()
    assert len(pt.read(tmp_path / "some.xyz", labels=False, group_key=None)) == 4


def test_what_is_shown(plane):
    text = repr(plane)
    assert "4 in 2-D" in text and "group 'of 5'" in text and "energy per particle" in text
    assert "of 5" in plane._repr_html_() and "group" in repr(plane[0])
    many = Structures.from_arrays([[[0.0]]] * 40, 1.0, group=[str(i) for i in range(40)])
    assert len(many.rows()) < 20
    assert plane[[]].rows() == [("structures", "0 in 2-D")]
    assert plane.statistics()["count_high"] == 5 and plane[[]].statistics()["structures"] == 0
    json.dumps(plane.statistics(), allow_nan=False)


def test_pictures(plane):
    ax = plane.plot_energies()
    drawn = {line.get_label(): line.get_xydata() for line in ax.lines}
    np.testing.assert_allclose(drawn["of 5"], [[plane.volume[1], plane.energy[1]]])
    assert "$R_c$" in ax.get_xlabel() and "$E_c$" in ax.get_ylabel()
    for what in ("energy", "forces", "stress", "volume", "counts"):
        ax = plane.plot_histogram(what, bins=7)
        assert len(ax.patches) == 3 and ax.get_legend() is not None
    with pytest.raises(ValueError, match="what must be one of"):
        plane.plot_histogram("mass")
    with pytest.raises(ValueError, match="no energy.*labelled"):
        unlike(labels=False).plot_energies()
    with pytest.raises(ValueError, match="empty"):
        plane[[]].plot_histogram()
    units = dataclasses.replace(plane, units={"length": "2.35 Angstrom", "energy": "eV"})
    assert "eV" in units.plot_energies().get_ylabel()


def test_the_command_tells_of_a_file(plane, tmp_path, capsys):
    from pes_toy.cli import main

    path = plane.save(tmp_path / "some.parquet")
    assert not main(["info", str(path), "--pictures", str(tmp_path / "pictures")])
    said = capsys.readouterr().out
    assert "group 'of 4'" in said and "volume_high" in said
    assert len(list((tmp_path / "pictures").iterdir())) == 5
    settings = pt.figure_settings(tmp_path / "pictures" / "energy.png")
    assert settings["structures"]["particles"] == 15


REAL = os.environ.get("PES_TOY_REAL")


@pytest.mark.skipif(not REAL, reason="PES_TOY_REAL names no folder with si_training.xyz")
@pytest.mark.parametrize("name, count", [("si_training", 214), ("li_training", 241)])
def test_real_data(name, count, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = pt.read(Path(REAL) / f"{name}.xyz", length=2.35)
    assert len(found) == count and set(found.groups()) == {
        "AIMD-NVT", "Elastic", "Surface", "Vacancy"}
    assert pt.load(found.save(tmp_path / "real.parquet")) == found
    atoms = ase.io.read(Path(REAL) / f"{name}.xyz", index=":")
    for one, other in zip(found.to_atoms(), atoms):
        np.testing.assert_allclose(one.positions, other.positions, rtol=0, atol=1e-12)
        np.testing.assert_allclose(one.get_forces(), other.get_forces(), rtol=0, atol=1e-12)
        assert abs(one.get_potential_energy() - other.get_potential_energy()) < 1e-12 * 300
    moved = found.energy.copy()
    moved[found.groups()["Surface"]] += 20
    assert (far_off(moved) == (found.group == "Surface")).all()
