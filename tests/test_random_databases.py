"""Random specifications and damaged files: what DESIGN promises of a database, or a clear error."""

import dataclasses

import numpy as np
import pes_toy as pt
import pytest
from databases import same
from hypothesis import assume, event, given
from hypothesis import strategies as st
from worlds import cases, outcome

pytestmark = pytest.mark.random
NAMES = [field.name for field in dataclasses.fields(pt.DatabaseSpec)]


@st.composite
def specs(draw):
    "Small specifications; some of them are impossible."
    potential, depth = draw(st.sampled_from([
        (pt.ModifiedLennardJones(), None), (pt.ModifiedLennardJones(), 1),
        (pt.ModifiedLennardJones(R_0=2.5), None), (pt.LennardJones(), 1)]))
    several = draw(st.booleans())
    low = draw(st.floats(1.2, 30))
    return dict(
        n_configurations=draw(st.integers(1, 14)),
        n_particles=draw(st.integers(1, 5)),
        dimension=draw(st.integers(1, 3)),
        potential=potential,
        depth=depth,
        width=(low, low + draw(st.floats(0.1, 5))) if several else low,
        n_widths=draw(st.integers(2, 4)) if several else 1,
        relaxation_depth=draw(st.sampled_from([None, 1])),
        relaxer=draw(st.sampled_from(["descent", "descent", "fire"])),
        epochs=draw(st.sampled_from([0, 1, 3, (0, 2), (3, 1, 0)])),
        max_delta=draw(st.sampled_from([0.01, 0.1, 1.0])),
        keep=draw(st.sampled_from([1.0, 0.9, 0.5, 0.03])),
        max_energy=draw(st.sampled_from([None, 1e6, 0.5])),
        forces=draw(st.booleans()),
        protocol=draw(st.sampled_from(["exact", "exact", "thesis"])),
        seed=draw(st.integers(0, 2**63 - 1)))


def generated(settings):
    "A specification and its database, where both can be."
    spec = outcome(lambda: pt.DatabaseSpec(**settings), *NAMES)
    assume(spec.answer is not None)
    assume(spec.answer.dimension < 3 or spec.answer.widths.min() > 2)  # a dense cell takes long
    found = outcome(lambda: pt.generate(spec.answer, workers=1, progress=False), *NAMES)
    event("refused" if found.error else "generated")
    assume(found.answer is not None)
    return spec.answer, found.answer


def share_sizes(spec):
    "(width, epochs, count), as DESIGN says."
    epochs = spec.epochs if isinstance(spec.epochs, tuple) else (spec.epochs,)
    kinds = [(w, e) for w in spec.widths for e in epochs]
    counts = [len(part) for part in np.array_split(np.arange(spec.n_configurations), len(kinds))]
    return [(w, e, n) for (w, e), n in zip(kinds, counts)]


@given(specs())
@cases(10, 700)
def test_a_database_keeps_its_promises(settings):
    spec, db = generated(settings)
    N, d = spec.n_particles, spec.dimension
    assert db.positions.shape == (spec.n_configurations, N, d) and db.spec == spec
    first = 0
    for w, epochs, count in share_sizes(spec):
        rows = slice(first, first + count)
        first += count
        assert (db.width[rows] == w).all() and (db.epochs[rows] == epochs).all()
        assert (np.diff(db.index[rows]) > 0).all() and (db.index[rows] >= 0).all()
        moves = min(10, epochs * N)
        rate = db.acceptance[rows]
        if moves and spec.relaxer == "descent":
            assert ((rate >= 0) & (rate <= 1)).all()
            np.testing.assert_allclose(rate * moves, np.round(rate * moves), rtol=0, atol=1e-9)
        else:
            assert np.isnan(rate).all()
    assert (db.positions >= 0).all() and (db.positions < db.width[:, None, None]).all()
    how = dict(potential=spec.potential, depth=spec.depth)
    energy = pt.energy_per_particle(db.positions, db.width, protocol=spec.protocol, **how)
    np.testing.assert_allclose(db.energy, energy, rtol=1e-9, atol=1e-9)
    assert spec.max_energy is None or (db.energy <= spec.max_energy).all()
    assert (db.forces is not None) == spec.forces
    if spec.forces:
        pushed = pt.forces(db.positions, db.width, **how)
        np.testing.assert_allclose(db.forces, pushed, rtol=1e-9, atol=1e-9)


@given(specs())
@cases(8, 250)
def test_the_same_specification_gives_the_same_bits_with_more_threads(settings):
    spec, db = generated(settings)
    assert same(db, pt.generate(pt.DatabaseSpec.from_dict(spec.to_dict()), workers=2,
                                progress=False))


@given(specs())
@cases(8, 250)
def test_the_lowest_energies_stay(settings):
    "What is kept of the first share, against all configurations of the same streams."
    spec, db = generated({**settings, "keep": 0.5, "max_energy": None})
    count = share_sizes(spec)[0][2]
    alone = dataclasses.replace(spec, width=float(spec.widths[0]), n_widths=1, keep=1.0,
                                epochs=spec.epochs[0] if isinstance(spec.epochs, tuple)
                                else spec.epochs, n_configurations=2 * count)
    drawn = pt.generate(alone, workers=1, progress=False)
    lowest = np.sort(np.argsort(drawn.energy, kind="stable")[:count])
    assert np.array_equal(db.index[:count], lowest)
    assert np.array_equal(db.positions[:count], drawn.positions[lowest])


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    "A database and a network in each format, as (path, bytes, content)."
    folder = tmp_path_factory.mktemp("files")
    spec = pt.DatabaseSpec(n_configurations=9, epochs=2, forces=True)
    db = pt.generate(spec, progress=False)
    bare = pt.Database(db.positions, db.width, db.energy, depth=db.depth)
    found = {}
    for name, thing in (("d.parquet", db), ("d.json", bare), ("n.npz", pt.sample_network())):
        path = thing.save(folder / name)
        found[path.suffix] = path, path.read_bytes(), thing
    return found


@st.composite
def damages(draw):
    "What happens to the bytes of a file, at fractions of its length."
    kind = draw(st.sampled_from(["flip", "flip", "cut", "drop", "double", "zeros", "noise"]))
    where = draw(st.one_of(st.floats(0, 1), st.floats(0.9, 1), st.floats(0, 0.05)))
    return kind, where, draw(st.integers(1, 64)), draw(st.integers(0, 2**32))


def damaged(content, kind, where, size, seed):
    "The bytes of a file after that."
    rng = np.random.default_rng(seed)
    at = min(int(where * len(content)), len(content) - 1)
    if kind == "flip":
        return content[:at] + bytes([content[at] ^ 1 << size % 8]) + content[at + 1:]
    if kind == "cut":
        return content[:at]
    middle = {"drop": b"", "double": 2 * content[at:at + size], "zeros": bytes(size),
              "noise": rng.bytes(size)}[kind]
    return content[:at] + middle + content[at + size:]


@given(st.sampled_from([".parquet", ".json", ".npz"]), damages())
@cases(30, 3500)
def test_a_damaged_file_is_read_as_it_was_or_refused(files, suffix, damage):
    path, content, thing = files[suffix]
    spoilt = path.with_name("spoilt" + suffix)
    spoilt.write_bytes(damaged(content, *damage))
    load = pt.load_network if suffix == ".npz" else pt.load
    found = outcome(lambda: load(spoilt), "spoilt")
    if found.error:
        event(f"{suffix} refused")
        return
    event(f"{suffix} read")
    if suffix == ".npz":
        for (W, b), (V, c) in zip(found.answer.weights, thing.weights, strict=True):
            assert np.array_equal(W, V) and np.array_equal(b, c)
        assert found.answer.spec == thing.spec and found.answer.about == thing.about
    else:
        assert same(found.answer, thing) and found.answer.spec == thing.spec


@given(specs(), st.sampled_from([".parquet", ".json"]))
@cases(8, 250)
def test_what_is_saved_comes_back(tmp_path_factory, settings, suffix):
    spec, db = generated({**settings, "n_configurations": 3})
    path = tmp_path_factory.getbasetemp() / f"again{suffix}"
    if suffix == ".json":
        db = pt.Database(db.positions, db.width, db.energy, depth=db.depth)
    again = pt.load(db.save(path))
    assert same(db, again) and again.spec == db.spec
    assert repr(again) == repr(db) and again.statistics() == pytest.approx(
        db.statistics(), nan_ok=True)


@st.composite
def databases(draw):
    "Rows of any kind, without a specification."
    M, N, d = draw(st.integers(0, 12)), draw(st.integers(1, 4)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    w = rng.choice([1.0, 2.5, 7.0], M)
    columns = dict(
        forces=rng.normal(size=(M, N, d)), acceptance=rng.uniform(0, 1, M),
        depth=rng.integers(0, 9, M), epochs=rng.integers(0, 9, M), index=np.arange(M))
    some = draw(st.sets(st.sampled_from(sorted(columns))))
    kept = {name: column for name, column in columns.items() if name in some}
    return pt.Database.from_arrays(rng.normal(size=(M, N, d)), w, rng.normal(size=M), **kept,
                                   extra={"more": rng.normal(size=(M, 2))})


@given(databases(), st.integers(0, 99), st.data())
@cases(10, 700)
def test_parts_of_a_database_are_its_rows(db, seed, data):
    rng = np.random.default_rng(seed)
    M = len(db)
    mask = rng.random(M) < 0.5
    cut = data.draw(st.integers(0, M))
    assert same(pt.concat([db[:cut], db[cut:]]), db)
    for rows in (mask, np.flatnonzero(mask), slice(cut, None, 2), slice(None, None, -1)):
        part = db[rows]
        assert np.array_equal(part.positions, db.positions[rows])
        assert np.array_equal(part.extra["more"], db.extra["more"][rows])
        for name, column in part.columns().items():
            assert np.array_equal(column, getattr(db, name)[rows])
            assert not np.shares_memory(column, getattr(db, name))
    low, high = sorted(rng.normal(size=2))
    within = (db.energy >= low) & (db.energy <= high) & mask
    assert same(db.filter(mask, energy=(low, high)), db[within])
    assert same(db.filter(lambda db: db.width > 2), db[db.width > 2])
    halves = outcome(lambda: db.split(0.4, seed=seed), "validation")
    if halves.error:
        assert M < 3
        return
    training, validation = halves.answer
    assert len(validation) == round(0.4 * M) and len(training) + len(validation) == M
    together = np.concatenate([training.energy, validation.energy])
    assert np.array_equal(np.sort(together), np.sort(db.energy))
