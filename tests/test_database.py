"""Databases: reproducibility, files that survive, and the command under fire."""
import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pes_toy as pt
import pytest

SPECS = {"default": pt.DatabaseSpec(n_configurations=500), "thesis": pt.DatabaseSpec.thesis(n_configurations=200), "widths": pt.DatabaseSpec.thesis_widths(n_configurations=300),
         "diverse": pt.DatabaseSpec.diverse(n_configurations=300), "3-D": pt.DatabaseSpec(n_configurations=60, dimension=3, n_particles=5, width=3.2, epochs=10),
         "narrow": pt.DatabaseSpec(n_configurations=60, width=(1.5, 2.5), n_widths=3), "fire": pt.DatabaseSpec(n_configurations=60, relaxer="fire"),
         "Lennard-Jones": pt.DatabaseSpec(n_configurations=20, potential=pt.LennardJones(), depth=1, epochs=5, forces=True)}
COLUMNS = ("positions", "width", "energy", "forces", "acceptance", "depth", "epochs", "index")


def same(a, b): return all((getattr(a, c) is None) == (getattr(b, c) is None) and (getattr(a, c) is None or np.array_equal(getattr(a, c), getattr(b, c), equal_nan=True)) for c in COLUMNS)


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_same_bits_with_any_number_of_workers(spec, monkeypatch):
    one = pt.generate(spec, workers=1, progress=False)
    assert len(one) == spec.n_configurations and same(one, pt.generate(spec, workers=2, progress=False))
    monkeypatch.setattr(pt.database, "BLOCK", 37)           # cut the work into other pieces
    assert same(one, pt.generate(spec, workers=5, progress=False))
    other = pt.generate(dataclasses.replace(spec, seed=spec.seed + 1), progress=False)
    assert not {x.tobytes() for x in one.positions} & {x.tobytes() for x in other.positions}
    assert ((one.positions >= 0) & (one.positions < one.width[:, None, None])).all()


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_files_keep_everything(spec, tmp_path):
    db = pt.generate(spec, progress=False)
    db.split(0.25, seed=1)
    again = pt.load(db.save(tmp_path / "db.parquet"))
    assert same(db, again) and np.array_equal(db.subset, again.subset) and again.spec == spec
    with pytest.warns(UserWarning, match="no room"): db.save(tmp_path / "db.json")
    again = pt.load(tmp_path / "db.json")
    assert np.array_equal(db.positions, again.positions) and np.array_equal(db.energy, again.energy) and np.array_equal(db.depth, again.depth)


def test_the_lowest_stay_and_the_high_are_redrawn():
    everything = pt.generate(pt.DatabaseSpec(n_configurations=1000, keep=1.0), progress=False)
    kept = pt.generate(pt.DatabaseSpec(n_configurations=900, keep=0.9), progress=False)
    lowest = np.sort(np.argsort(everything.energy, kind="stable")[:900])
    assert np.array_equal(kept.positions, everything.positions[lowest])
    below = pt.generate(pt.DatabaseSpec(n_configurations=300, keep=1.0, max_energy=-1.5), progress=False)
    passing = everything.energy <= -1.5
    n = min(passing.sum(), 300)
    assert below.energy.max() <= -1.5 and np.array_equal(below.positions[:n], everything.positions[passing][:n])
    with pytest.raises(ValueError, match="max_energy"): pt.generate(pt.DatabaseSpec(n_configurations=10, max_energy=-50.0, epochs=1), progress=False)


def test_a_changed_file_is_noticed(tmp_path):
    import pyarrow.parquet as pq
    path = pt.generate(pt.DatabaseSpec(n_configurations=50), progress=False).save(tmp_path / "db.parquet")
    table = pq.read_table(path)
    energy = table["energy"].to_numpy().copy()
    energy[7] += 1e-9
    import pyarrow as pa
    pq.write_table(table.set_column(table.column_names.index("energy"), "energy", pa.array(energy)).replace_schema_metadata(table.schema.metadata), path)
    with pytest.raises(ValueError, match="hash"): pt.load(path)


def test_a_histogram_says_what_it_leaves_out():
    db = pt.generate(pt.DatabaseSpec(n_configurations=400), progress=False)
    assert f"highest 0.5 %, up to {db.energy.max():.4g}" in db.plot_histogram().get_xlabel()
    assert "highest" not in db.plot_histogram(keep=1.0).get_xlabel()


def test_a_user_potential_makes_a_database(tmp_path):
    spring = pt.Potential(lambda r: (r - 1.0) ** 2 - 0.25 if r < 1.5 else 0.0, cutoff=1.5, name="spring")
    db = pt.generate(pt.DatabaseSpec(n_configurations=40, potential=spring, forces=True), progress=False)
    path = db.save(tmp_path / "spring.parquet")
    with pytest.warns(UserWarning, match="'spring'.*load.path, potential"): again = pt.load(path)
    assert same(db, again) and again.spec is None
    assert pt.load(path, potential=spring).spec == db.spec
    with pytest.raises(TypeError, match="potential"): pt.load(path, potential="spring")


def run(*argv, **kw): return subprocess.run([sys.executable, "-c", "import sys; from pes_toy.cli import main; sys.exit(main())", *map(str, argv)], capture_output=True, text=True, **kw)


def test_ctrl_c_leaves_no_file(tmp_path):
    code = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); from pes_toy.cli import main; sys.exit(main())"  # a job in the background ignores it
    process = subprocess.Popen([sys.executable, "-c", code, "generate", str(tmp_path / "big.parquet"), "--n-configurations", "30000000"], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    while "configurations/s" not in (seen := process.stderr.readline(200)): assert seen, process.communicate()         # until the bar moves
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and "nothing was written" in said and not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = pt.generate(pt.DatabaseSpec(n_configurations=30), progress=False).save(tmp_path / "db.parquet")
    before = path.read_bytes()
    import pyarrow.parquet as pq
    def broken(table, where, **kw):
        Path(where).write_bytes(b"half")
        raise OSError("no space left on device")
    monkeypatch.setattr(pq, "write_table", broken)
    with pytest.raises(OSError): pt.generate(pt.DatabaseSpec(n_configurations=31), progress=False).save(path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["db.parquet"]


def test_the_command_makes_what_python_makes(tmp_path):
    answer = run("generate", tmp_path / "a.parquet", "--n-configurations", 70, "--seed", 5, "--epochs", "0,4", "--keep", 1, "--workers", 1)
    assert answer.returncode == 0, answer.stderr
    assert same(pt.load(tmp_path / "a.parquet"), pt.generate(pt.DatabaseSpec(n_configurations=70, seed=5, epochs=(0, 4), keep=1.0), progress=False))
    for command in ("generate", "info", "convert"): assert "example" in run(command, "--help").stdout
    said = run("generate", tmp_path / "a.csv")
    assert said.returncode == 1 and ".parquet or .json" in said.stderr


def test_table_2(tmp_path):
    "The thesis's acceptance rates, 500 configurations a cell; a few of its rows (the chapter has all)."
    published = {(20, 5.0): (32.0, 4.7), (40, 2.5): (15.8, 3.9), (50, 10.0): (58.1, 4.9), (100, 5.0): (9.2, 2.9), (100, 20.0): (85.2, 3.5), (200, 10.0): (40.9, 4.9)}
    off = [abs(100 * pt.generate(pt.DatabaseSpec.thesis(n_configurations=500, width=w, epochs=e, keep=1.0), progress=False).acceptance.mean() - rate) / error for (e, w), (rate, error) in published.items()]
    assert np.mean(off) < 1


def test_side_by_side_is_one_by_one():
    "The kernel for 32 configurations at a time against the one for a single configuration, same streams, from its narrowest cell on."
    from pes_toy import relaxation as R
    p = pt.ModifiedLennardJones()
    for N in (2, 3, 4, 6, 8):
        for w in (4.5, 4.6, 5.0, 5.5, 6.0, 10.0):
            M = 300
            which, widths = np.arange(M), np.full(M, w)
            a, b = np.empty((M, N, 2)), np.empty((M, N, 2))
            none, bits, other, energy = np.zeros((M, 0), np.int32), np.zeros(M, np.uint64), np.zeros(M, np.uint64), np.empty(M)
            R._descend_lanes(a, widths, which, p.parameters, 25, 0.1, 3, 0, 0, True, none, bits, energy)
            R._descend_batch(b, widths, which, pt.cells(2, 1).astype(float), p.kind, p.parameters, 0.25, 0.75, p.reach, R.LIVE, 25, 0.1, 3, 0, 0, True, none, other)
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-11)
            assert np.array_equal(bits, other)
            v = pt.energy_per_particle(a, w)
            assert (np.abs(energy - v) <= 1e-12 * np.maximum(np.abs(v), 1e-3)).all()


@pytest.mark.parametrize("w", [1.6, 2.5, 3.0, 3.3, 3.9, 4.0, 4.5, 7.0])
def test_the_descent_never_raises_the_energy(w):
    x = np.random.default_rng(1).uniform(0, w, (1000, 4, 2))
    last = pt.energy_per_particle(x, w)
    for epochs in range(2, 40, 4):
        v = pt.relax(x, w, epochs=epochs, seed=9).energy
        assert (v <= last + 1e-11 * np.maximum(1, np.abs(last))).all()
        last = v


def test_fire_survives_overflow():
    db = pt.generate(pt.DatabaseSpec(n_configurations=10, n_particles=30, width=12.0, relaxer="fire", epochs=5, keep=1.0, potential=pt.ModifiedLennardJones(n=60)), progress=False)
    assert np.isfinite(db.energy).all()
    steep = pt.ModifiedLennardJones(n=400)
    x = np.random.default_rng(0).uniform(0, 12, (30, 2))
    with pytest.raises(ValueError, match="too large"): pt.relax(x, 12.0, steep, relaxer="fire", epochs=20)


def test_damaged_files_are_value_errors(tmp_path):
    path = pt.generate(pt.DatabaseSpec(n_configurations=200), progress=False).save(tmp_path / "db.parquet")
    good, rng, refused = path.read_bytes(), np.random.default_rng(0), 0
    for _ in range(60):
        bad = bytearray(good)
        bad[rng.integers(len(bad))] ^= 1 << rng.integers(8)
        path.write_bytes(bad)
        try: pt.load(path)
        except ValueError as error: refused += "db.parquet" in str(error)
    assert refused > 30                                    # the others changed bytes that mean nothing


def test_parts_and_empties(tmp_path):
    db = pt.generate(pt.DatabaseSpec(n_configurations=100), progress=False)
    db.extra["mine"], db.about["mine"] = np.arange(200.0).reshape(100, 2), {"kind": "numbers"}
    mask = np.ones(100, bool)
    part = db.filter(mask, energy=(None, -2.0))
    assert mask.all() and np.array_equal(part.extra["mine"][:, 0] // 2, np.flatnonzero(db.energy <= -2.0)) and part.about == db.about
    again = pt.load(db.save(tmp_path / "a.parquet"))
    assert np.array_equal(again.extra["mine"], db.extra["mine"]) and again.about == db.about
    empty = pt.load(db[:0].save(tmp_path / "empty.parquet"))
    assert len(empty) == 0 and empty.extra["mine"].shape == (0, 2) and "empty" in repr(empty)
    with pytest.raises(ValueError, match="thesis"): pt.generate(pt.DatabaseSpec.thesis(n_configurations=10), progress=False).with_forces()
    with pytest.raises(ValueError, match="finite"): pt.Database.from_arrays(db.positions, db.width, np.full(100, np.nan))
