"""Generation: the same bits always, exact numbers, the thesis's table 2, the version before."""
import dataclasses
import json

import numpy as np
import pes_toy as pt
import pytest
from databases import SPECS, make, same
from notebooks import ROOT

# rows that version 0.1 made from eleven unlike specifications
ROWS = ROOT / "tests" / "data" / "rows_of_version_0.1.npz"


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_same_bits_with_any_number_of_workers(spec, monkeypatch):
    one = pt.generate(spec, workers=1, progress=False)
    assert len(one) == spec.n_configurations
    assert same(one, pt.generate(spec, workers=2, progress=False))
    monkeypatch.setattr(pt.generation, "BLOCK", 37)  # cut the work into other pieces
    assert same(one, pt.generate(spec, workers=5, progress=False))
    other = pt.generate(dataclasses.replace(spec, seed=spec.seed + 1), progress=False)
    assert not {x.tobytes() for x in one.positions} & {x.tobytes() for x in other.positions}
    assert ((one.positions >= 0) & (one.positions < one.width[:, None, None])).all()


def rows_by_place(widths, epochs, indices):
    "Numbers of rows by width, epochs and index; each place exists once."
    return {place: row for row, place in enumerate(zip(widths, epochs, indices))}


def near_rows(db, stored, name):
    "How many rows are shared with stored ones, and how many of those agree to 1e-9."
    found = rows_by_place(db.width, db.epochs, db.index)
    places = zip(stored[f"{name}/width"], db.epochs, stored[f"{name}/index"])
    shared = near = 0
    for row, place in enumerate(places):
        if place not in found:
            continue
        shared += 1
        mine, width = found[place], place[0]
        moved = db.positions[mine] - stored[f"{name}/positions"][row]
        moved -= width * np.round(moved / width)
        energy = stored[f"{name}/energy"][row]
        off = abs(db.energy[mine] - energy) / max(1, abs(energy))
        near += abs(moved).max() < 1e-9 and off < 1e-9
    return shared, near


@pytest.mark.quick
def test_the_rows_of_the_version_before():
    "At least 99.9 % of the rows that are shared agree to 1e-9, and nearly all are shared."
    with np.load(ROWS) as file:
        stored = dict(file)
    specs = json.loads(str(stored["specs"]))
    total = shared = near = 0
    for name, settings in specs.items():
        db = pt.generate(pt.DatabaseSpec.from_dict(settings), progress=False)
        assert len(db) == len(stored[f"{name}/energy"])
        total += len(db)
        found = near_rows(db, stored, name)
        shared += found[0]
        near += found[1]
    assert len(specs) >= 9 and shared >= 0.99 * total
    assert near >= 0.999 * shared, f"{near} of {shared} rows agree"


@pytest.mark.quick
def test_the_lowest_stay_and_the_high_are_redrawn():
    everything = make(n_configurations=1000, keep=1.0)
    kept = make(n_configurations=900, keep=0.9)
    lowest = np.sort(np.argsort(everything.energy, kind="stable")[:900])
    assert np.array_equal(kept.positions, everything.positions[lowest])
    below = make(n_configurations=300, keep=1.0, max_energy=-1.5)
    passing = everything.energy <= -1.5
    n = min(passing.sum(), 300)
    assert below.energy.max() <= -1.5
    assert np.array_equal(below.positions[:n], everything.positions[passing][:n])
    with pytest.raises(ValueError, match="max_energy"):
        make(n_configurations=10, max_energy=-50.0, epochs=1)


@pytest.mark.quick
def test_the_labels_are_the_energies_and_the_forces_their_slopes():
    for spec in SPECS.values():
        db = pt.generate(spec, progress=False)
        settings = dict(potential=spec.potential, depth=spec.depth)
        energy = pt.energy_per_particle(
            db.positions, db.width, protocol=spec.protocol, **settings
        )
        np.testing.assert_allclose(db.energy, energy, rtol=1e-10, atol=1e-12)
        assert (db.forces is None) == (not spec.forces)
        if spec.forces:
            forces = pt.forces(db.positions, db.width, **settings)
            scale = np.abs(forces).max()
            np.testing.assert_allclose(db.forces, forces, rtol=0, atol=1e-12 * scale)


@pytest.mark.quick
def test_what_is_no_specification_is_refused():
    for run in (pt.generate, pt.estimate):
        with pytest.raises(TypeError, match="DatabaseSpec"):
            run(dict(n_configurations=3))
    with pytest.raises(ValueError, match="workers"):
        pt.generate(pt.DatabaseSpec(n_configurations=3), workers=0, progress=False)


def test_an_estimate_counts_what_is_drawn(capsys):
    guess = pt.estimate(pt.DatabaseSpec(n_configurations=1000, epochs=(0, 10, 40), keep=0.5))
    assert guess.drawn == 668 + 666 + 666 and guess.seconds > 0
    assert "2,000" in str(guess) and "2,000" in guess._repr_html_()
    pt.generate(pt.DatabaseSpec(n_configurations=20), progress=True)
    assert "configurations to draw" in capsys.readouterr().err


TABLE_2 = {  # (epochs, width): rate and its standard error in per cent; the chapter has all rows
    (20, 5.0): (32.0, 4.7),
    (40, 2.5): (15.8, 3.9),
    (50, 10.0): (58.1, 4.9),
    (100, 5.0): (9.2, 2.9),
    (100, 20.0): (85.2, 3.5),
    (200, 10.0): (40.9, 4.9),
}


def test_table_2():
    "The thesis's acceptance rates, 500 configurations a cell."
    off = []
    for (epochs, width), (rate, error) in TABLE_2.items():
        spec = pt.DatabaseSpec.thesis(n_configurations=500, width=width, epochs=epochs, keep=1.0)
        ours = 100 * pt.generate(spec, progress=False).acceptance.mean()
        off.append(abs(ours - rate) / error)
    assert np.mean(off) < 1
