"""Data are values: what went in or came out can be changed, and what is stored still belongs."""

import copy
import dataclasses
import json
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pes_toy as pt
import pytest
from models import TINY, handmade
from pes_toy.base.settings import Settings, described
from pes_toy.base.show import same
from pes_toy.descriptors import Descriptor
from pes_toy.prepared import MADE_FROM, inputs_of, prepare
from pes_toy.training import TrainingSpec, inputs_for


SPEC = pt.DatabaseSpec(n_configurations=40, width=(4.0, 6.0), n_widths=2, epochs=3, forces=True)


@pytest.fixture(scope="module")
def made():
    return pt.generate(SPEC, progress=False)


@pytest.fixture
def db(made):
    return made[:]


def arrays_of(db):
    return {**db.columns(), **db.extra}


PARTS = {
    "slice": lambda db: db[:10],
    "all": lambda db: db[:],
    "row": lambda db: db[3],
    "mask": lambda db: db[db.energy < np.inf],
    "filter": lambda db: db.filter(),
    "split": lambda db: db.split(0.2)[0],
    "concat of one": lambda db: pt.concat([db]),
    "with forces": lambda db: db.with_forces(),
    "prepared": lambda db: prepare(db, progress=False),
    "replaced": lambda db: dataclasses.replace(db, about={}),
    "copied": copy.copy,
}


@pytest.mark.parametrize("part", [name for name in PARTS if name != "copied"])
def test_parts_share_nothing_with_the_whole(part, db):
    db = prepare(db, pt.RelativeDistances(), name="more", progress=False)
    db.split(0.2)
    before = pickle.loads(pickle.dumps(db))
    taken = PARTS[part](db)
    taken.energy -= 1
    taken.forces *= 2
    for array in arrays_of(taken).values():
        array[:] = 0
    taken.about.setdefault("inputs", {}).clear()
    assert same(arrays_of(db), arrays_of(before)) and db.about == before.about and db == before
    table = db.frame()
    table.iloc[:, :] = 0
    assert db == before


def test_a_temporary_part_leaves_the_database_as_it_is(db):
    energy, forces, positions = db.energy.copy(), db.forces.copy(), db.positions.copy()
    db[:10].energy -= 1
    db[:10].forces -= 1
    db[:10].positions -= 1
    for now, before in zip((db.energy, db.forces, db.positions), (energy, forces, positions)):
        assert np.array_equal(now, before)


def test_what_goes_in_is_copied():
    x, w = np.random.default_rng(0).uniform(0, 5, (6, 4, 2)), np.full(6, 5.0)
    given = dict(energy=np.zeros(6), forces=np.zeros((6, 4, 2)), acceptance=np.zeros(6))
    given |= dict(depth=np.ones(6, int), epochs=np.ones(6, int), index=np.arange(6))
    given |= dict(subset=np.zeros(6, int), extra=dict(a=np.zeros((6, 2))), about=dict(a=[1]))
    for db in (pt.Database(x, w, **given), pt.Database.from_arrays(x, w, **given)):
        before = pickle.loads(pickle.dumps(db))
        for array in (x, w, *given.values(), given["extra"]["a"]):
            if isinstance(array, np.ndarray):
                array += 1
        given["about"]["a"].append(2)
        assert db == before
        for array in (x, w, *given.values(), given["extra"]["a"]):
            if isinstance(array, np.ndarray):
                array -= 1
        given["about"]["a"].pop()


def test_results_of_functions_share_nothing_with_their_arguments():
    x, w = np.random.default_rng(0).uniform(0, 5, (6, 4, 2)), np.full(6, 5.0)
    kept = x.copy(), w.copy()
    relaxed = pt.relax(x, w, epochs=0)
    relaxed.positions[:] = 0
    relaxed.width[:] = 0
    for found in (pt.wrap(x, w), pt.forces(x, w), pt.proximity_eigenvalues(x, w)):
        found[:] = 0
    assert np.array_equal(x, kept[0]) and np.array_equal(w, kept[1])
    first = pt.cells(2, 1)
    first[:] = 7
    assert (pt.cells(2, 1) != 7).all()
    verdict = pt.verdicts.continuous(pt.Morse(), depth=1)
    verdict.curve.y[:] = 0
    assert pt.verdicts.continuous(pt.Morse(), depth=1).curve.y.any()


def test_an_average_has_facts_of_its_own():
    member = handmade(TrainingSpec(**TINY), about=dict(widths=[3.0, 5.0]))
    average = pt.Average([member, member])
    average.about["widths"].append(9.0)
    average.about["database"] = 1
    assert member.about == dict(widths=[3.0, 5.0])


DESCRIPTORS = [pt.ProximityEigenvalues(), pt.SymmetryFunctions(), pt.RelativeDistances()]


@pytest.mark.parametrize("descriptor", DESCRIPTORS, ids=lambda d: type(d).__name__)
def test_prepared_inputs_belong_to_their_rows(descriptor, db, tmp_path):
    ready = prepare(db, descriptor, progress=False)

    def right(db):
        return np.array_equal(inputs_for(db, descriptor), descriptor.values(db.positions, db.width))

    loaded = pt.load(ready.save(tmp_path / "ready.parquet"))
    shuffled = ready[np.random.default_rng(0).permutation(len(ready))]
    for kept in (ready, loaded, ready[::-2], shuffled, ready.split(0.3)[1], pt.concat([ready] * 2)):
        assert inputs_of(kept, descriptor).shape[0] == len(kept) and right(kept)
    moved = dataclasses.replace(ready, positions=(ready.positions + 0.01) % 4.0)
    wider = dataclasses.replace(ready, width=ready.width * (1 + 1e-15) + 1e-15)
    swapped = dataclasses.replace(ready, positions=ready.positions[::-1], width=ready.width[::-1])
    in_place, one, unknown = ready[:], ready[:], ready[:]
    in_place.positions = db.positions + 0.1
    one.positions[7, 1, 0] = np.nextafter(one.positions[7, 1, 0], 0)
    del unknown.extra["inputs" + MADE_FROM]
    for other in (moved, wider, swapped, in_place, one, unknown):
        with pytest.raises(ValueError, match="were made from other positions or widths"):
            inputs_of(other, descriptor)
        assert right(other)
    inputs_of(ready, descriptor)[:] = 0
    assert right(ready)


def test_a_network_is_not_trained_on_inputs_of_other_positions(db):
    spec = TrainingSpec(**{**TINY, "batch_size": 8, "epochs": 1})
    ready = prepare(db, spec.descriptor, progress=False)
    moved = dict(positions=(ready.positions + 0.3) % 4.0)
    stale, fresh = dataclasses.replace(ready, **moved), dataclasses.replace(db, **moved)
    one, other = (pt.train(each, spec, progress=False) for each in (stale, fresh))
    assert np.array_equal(one.shift, other.shift)
    assert np.array_equal(one.weights[0][0], other.weights[0][0])


def test_a_second_seed_splits_again(db):
    first, second = db.split(seed=0)[1], db.split(seed=1)[1]
    assert first != second and db.split(seed=0)[1] == first
    assert db.split()[1] == first  # remembered
    assert db.split(0.5)[1] == db.split(0.5, seed=0)[1] and len(db.split()[1]) == 20
    assert db.split(seed=np.int64(1))[1] == second


def test_results_compare_by_value():
    x = pt.sample_database().positions[:3]
    one, again, other = (pt.relax(x, 5.0, epochs=2, seed=seed) for seed in (0, 0, 1))
    assert one == again and not one != again and one != other and one != 3
    assert pt.relax(x[0], 5.0, epochs=2) == pt.relax(x[0], 5.0, epochs=2)
    fire = [pt.relax(x, 5.0, epochs=2, relaxer="fire") for _ in range(2)]
    assert np.isnan(fire[0].acceptance).all() and fire[0] == fire[1]
    for result in (one, pt.sample_database()):
        with pytest.raises(TypeError, match="unhashable"):
            hash(result)
    assert one in [other, again] and pickle.loads(pickle.dumps(one)) == one
    assert pt.sample_database() == pt.sample_database() != pt.sample_database()[:5]
    network = pt.sample_network()
    assert network.drag(points=5) == network.drag(points=5) != network.drag(points=7)
    assert network == network and hash(network) == hash(network)


def test_every_public_result_compares_and_says_whether_it_has_a_hash():
    for name in dir(pt):
        kind = getattr(pt, name)
        if not isinstance(kind, type) or not dataclasses.is_dataclass(kind):
            continue
        arrays = any("ndarray" in str(field.type) for field in dataclasses.fields(kind))
        by_value = kind.__eq__ is not object.__eq__
        if arrays and by_value:
            assert kind.__hash__ is None, f"{name} compares arrays, and has a hash"
            assert kind.__eq__.__qualname__ == "Valued.__eq__", name


def numpy_of(value):
    "The same value as numpy has it."
    if isinstance(value, bool):
        return np.bool_(value)
    if isinstance(value, int):
        return np.int32(value)
    if isinstance(value, float):
        return np.float64(value)
    if isinstance(value, str):
        return np.str_(value)
    if isinstance(value, tuple) and value and not isinstance(value[0], tuple):
        return np.array(value)
    return value


def is_plain(value):
    if isinstance(value, (tuple, list)):
        return all(map(is_plain, value))
    return value is None or type(value) in (bool, int, float, str)


def settings_classes():
    found = [pt.DatabaseSpec, pt.TrainingSpec, pt.BaselineSpec, *DESCRIPTORS]
    found += [pt.ModifiedLennardJones, pt.Morse, pt.LennardJones, pt.AreaPair, pt.PairArea]
    return [kind if isinstance(kind, type) else type(kind) for kind in found]


@pytest.mark.parametrize("kind", settings_classes(), ids=lambda k: k.__name__)
def test_settings_are_made_plain_when_they_are_given(kind):
    plain = kind()
    names = [field.name for field in dataclasses.fields(kind)]
    given = {name: numpy_of(getattr(plain, name)) for name in names}
    assert any(isinstance(value, (np.generic, np.ndarray)) for value in given.values())
    numpy = kind(**given)
    assert numpy == plain and hash(numpy) == hash(plain)
    for name in names:
        value = getattr(numpy, name)
        if not isinstance(value, (Settings, Descriptor)):
            assert is_plain(value), (name, value)
    if hasattr(numpy, "to_dict"):
        assert json.loads(json.dumps(numpy.to_dict())) == json.loads(json.dumps(plain.to_dict()))
    if isinstance(numpy, Descriptor):
        assert numpy.settings == plain.settings


def test_every_number_of_numpy_in_every_setting():
    for kind in (pt.DatabaseSpec, pt.TrainingSpec, pt.BaselineSpec):
        for one in described(kind).values():
            if type(one.default) not in (bool, int, float):
                continue
            for convert in (np.asarray, numpy_of):
                value = getattr(kind(**{one.name: convert(one.default)}), one.name)
                assert type(value) is type(one.default) and value == one.default, one.name


def test_a_specification_with_numpy_in_it_is_saved(tmp_path):
    spec = pt.DatabaseSpec(
        n_configurations=np.int64(4), forces=np.True_, width=np.array(5.0), epochs=np.uint8(1),
        keep=np.float32(1), protocol=np.str_("exact"), max_energy=np.float64(1e6),
    )
    db = pt.generate(spec, progress=False)
    again = pt.load(db.save(tmp_path / "a.parquet"))
    assert again.spec == spec == db.spec and again == db and type(spec.forces) is bool


# ------------------------------------------------------------------------------- values at the edge


def places():
    "Every way for positions to come in."
    network = pt.sample_network()
    yield "energy", lambda x: pt.energy_per_particle(x, 5.0)
    yield "thesis", lambda x: pt.energy_per_particle(x, 5.0, protocol="thesis", depth=1)
    yield "forces", lambda x: pt.forces(x, 5.0)
    yield "relax", lambda x: pt.relax(x, 5.0, epochs=1).positions
    yield "fire", lambda x: pt.relax(x, 5.0, epochs=1, relaxer="fire").positions
    yield "predict", lambda x: network.predict(x, 5.0)
    yield "network's forces", lambda x: network.forces(x, 5.0)
    yield "from_arrays", lambda x: pt.Database.from_arrays(x, 5.0, np.zeros(len(x))).positions
    yield "Database", lambda x: pt.Database(x, 5.0, np.zeros(len(x))).positions
    for descriptor in DESCRIPTORS:
        yield type(descriptor).__name__, lambda x, d=descriptor: d(x, 5.0)
        yield type(descriptor).__name__ + ".values", lambda x, d=descriptor: d.values(x, 5.0)
        yield type(descriptor).__name__ + ".gradients", lambda x, d=descriptor: d.gradients(x, 5.0)


@pytest.mark.parametrize("place", [name for name, _ in places()])
def test_positions_whose_digits_are_lost(place):
    call = dict(places())[place]
    x = pt.sample_database().positions[:3]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        call(x + 5e5 * 5.0)
    with pytest.warns(UserWarning, match=r"configuration 1 lie 1e\+08 widths from the cell"):
        call(x + np.array([0.0, 5e8, 0.0])[:, None, None])
    for far in (5e12 * 5.0, -5e12 * 5.0, 1e300):
        with pytest.raises(ValueError, match="configuration 2 lie .* wrap them into the cell"):
            call(x + np.array([0.0, 0.0, far])[:, None, None])


def test_one_configuration_far_away():
    with pytest.warns(UserWarning, match="where floats are 2e-04 widths apart"):
        assert 0 <= pt.wrap([[5e12]], 5.0)[0, 0] < 5.0
    x = pt.sample_database().positions[0]
    with pytest.raises(ValueError, match="wrap them into the cell"):
        pt.energy_per_particle(x + 2.5e13, 5.0)
    with pytest.warns(UserWarning, match="5e-10 widths apart|4e-10 widths apart"):
        pt.energy_per_particle(x + 1e7, 5.0)


def test_whole_numbers_are_whole():
    x = np.zeros((2, 1, 2))
    for name, wrong in [("depth", 1.7), ("epochs", 0.5), ("index", 1e30)]:
        with pytest.raises(ValueError, match=f"{name} must be whole numbers, got"):
            pt.Database(x, 5.0, [0.0, 0.0], **{name: [1, wrong]})
    assert pt.Database(x, 5.0, [0.0, 0.0], depth=[1.0, 2.0]).depth.tolist() == [1, 2]


@pytest.mark.parametrize("depths, found", [((None, None), None), ((None, 3), [-1, 3])])
def test_a_thesis_file_with_a_null_depth(depths, found, tmp_path):
    x = pt.sample_database().positions[:2].tolist()
    columns = dict(particleCoordinates=x, widthOfCell=[5.0, 5.0], potentialEnergy=[-1.0, -2.0])
    columns["depthOfSurroundingCells"] = depths
    tables = {name: {str(i): v for i, v in enumerate(rows)} for name, rows in columns.items()}
    path = tmp_path / "null.json"
    path.write_text(json.dumps(tables))
    depth = pt.load(path).depth
    assert (None if depth is None else depth.tolist()) == found


@pytest.mark.parametrize("column", [np.zeros((3, 0)), np.zeros(3), np.zeros((2, 1)), [["a"]] * 3])
def test_extra_columns_that_no_file_can_hold(column):
    x = pt.sample_database().positions[:3]
    with pytest.raises(ValueError, match=r"extra\['a'\] must be numbers with the shape \(3, k\)"):
        pt.Database.from_arrays(x, 5.0, np.zeros(3), extra=dict(a=column))


@pytest.mark.parametrize("descriptor", DESCRIPTORS, ids=lambda d: type(d).__name__)
def test_widths_that_are_next_to_nothing(descriptor):
    x = pt.sample_database().positions[0]
    for call in (descriptor, descriptor.values, descriptor.gradients):
        with pytest.raises(ValueError, match="width must be between 1e-100 and 1e100"):
            call(x * 1e-300, 1e-300)


def test_particles_in_one_place_and_sides_next_to_nothing():
    for orders in ((-1,), (-2, -3)):
        distances = pt.RelativeDistances(orders=orders)
        for call in (distances, distances.values, distances.gradients):
            with pytest.raises(ValueError, match="coincide"):
                call(np.zeros((1, 2, 2)), 5.0)
    assert np.isfinite(pt.RelativeDistances((-1,)).gradients(np.eye(2)[None], 5.0)).all()
    for kind in (pt.AreaPair, pt.AreaPerimeter):
        assert kind().triplet(1e-30, 1e-30, 1e-30) == np.inf
        with pytest.raises(ValueError, match="take larger distances"):
            kind().triplet_derivatives(1e-30, 1e-30, 1e-30)
    assert pt.PairArea().triplet(1e-30, 1e-30, 1e-30) == np.inf
    np.testing.assert_allclose(pt.AreaPair().triplet(1e-20, 1e-20, 1e-20), 3e160, rtol=1e-12)


def test_more_shares_than_configurations():
    with pytest.warns(UserWarning, match="n_configurations is 3 for 10 shares .* at least 10"):
        spec = pt.DatabaseSpec(n_configurations=3, width=(4.0, 5.0), n_widths=10, epochs=1)
    assert [share.count for share in spec.shares()] == [1] * 3 + [0] * 7
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pt.DatabaseSpec(n_configurations=10, width=(4.0, 5.0), n_widths=10, epochs=1)
        pt.DatabaseSpec(n_configurations=3, epochs=(1, 2, 3))
    with pytest.warns(UserWarning, match="for 4 shares"):
        pt.DatabaseSpec(n_configurations=3, epochs=(1, 2, 3, 4))


POLICY = """
import hashlib, sys
import numpy as np
import keras
import pes_toy as pt

db = pt.sample_database()[:96]
specs = [pt.TrainingSpec(epochs=2, batch_size=32, hidden=(8,)),
         pt.TrainingSpec(epochs=1, batch_size=32, hidden=(8,), force_weight=1.0)]

def trained():
    found = []
    for spec in specs:
        network = pt.train(db, spec, progress=False)
        network = pt.load_network(network.save(sys.argv[1]))
        scaled = np.arcsinh(spec.descriptor.values(db.positions, db.width)) - network.shift
        energy = np.asarray(network.keras_model()(scaled / network.scale))[:, 0]
        energy = energy * network.energy_scale + network.energy_shift
        assert np.abs(energy - network.predict(db.positions, db.width)).max() < 1e-4
        arrays = [array for layer in network.weights for array in layer]
        assert {array.dtype for array in arrays} == {np.dtype(np.float32)}
        found += [array.tobytes() for array in arrays]
    return b"".join(found)

usual = trained()
keras.config.set_dtype_policy("mixed_float16")
assert trained() == usual
keras.config.set_dtype_policy("float32")
keras.config.set_floatx("float64")
assert trained() == usual
print("the same")
"""


def test_a_precision_set_for_all_of_keras_is_not_that_of_networks(tmp_path):
    "The same bits, whatever is set, in a process of its own."
    command = [sys.executable, "-c", POLICY, str(tmp_path / "a.npz")]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.stdout.strip() == "the same", run.stderr[-2000:]
