"""Files of databases: everything comes back, and what is damaged is refused."""
import json
import os
from pathlib import Path

import numpy as np
import pes_toy as pt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from databases import SPECS, make, same

pytestmark = pytest.mark.quick


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_files_keep_everything(spec, tmp_path):
    db = pt.generate(spec, progress=False)
    db.split(0.25, seed=1)
    again = pt.load(db.save(tmp_path / "db.parquet"))
    assert same(db, again) and np.array_equal(db.subset, again.subset) and again.spec == spec
    with pytest.warns(UserWarning, match="no room"):
        db.save(tmp_path / "db.json")
    again = pt.load(tmp_path / "db.json")
    for name in ("positions", "energy", "depth"):
        assert np.array_equal(getattr(db, name), getattr(again, name))


def test_the_sample_of_the_version_before_loads():
    sample = pt.sample_database()
    assert len(sample) == 3000 and sample.spec == pt.DatabaseSpec.diverse(n_configurations=3000)
    assert sample.energy.max() <= 3 and sample.forces.shape == (3000, 4, 2)


def test_files_of_the_thesis_load(tmp_path):
    columns = dict(
        particleCoordinates={"0": [[1.0, 2.0], [3.0, 4.0]], "1": [[0.5, 0.5], [1.0, 4.0]]},
        widthOfCell={"0": 5.0, "1": 5.0},
        numberOfSurroundingCells={"0": 3, "1": 3},
        potentialEnergy={"0": -0.5, "1": 0.25},
        relativeDistances={"0": [1.0, 2.0], "1": [3.0, 4.0]},
    )
    path = tmp_path / "old.json"
    path.write_text(json.dumps(columns))
    old = pt.load(path)
    assert old.depth.tolist() == [3, 3] and old.energy.tolist() == [-0.5, 0.25]
    assert old.extra["relativeDistances"].tolist() == [[1, 2], [3, 4]]
    assert old.spec is None and old.forces is None


@pytest.mark.parametrize(
    "changes, said",
    [
        (dict(widthOfCell=None), "lacks the columns"),
        (dict(widthOfCell={"0": 5.0}), "different rows"),
        (dict(potentialEnergy={"0": -1.0, "1": "low"}), "without numbers"),
        (dict(particleCoordinates={"0": [[1.0, 2.0]], "1": [[1.0]]}), "different shapes"),
        (dict(particleCoordinates={"0": [1.0], "1": [2.0]}), "list of positions"),
    ],
)
def test_json_that_does_not_fit_is_refused(changes, said, tmp_path):
    columns = dict(
        particleCoordinates={"0": [[1.0, 2.0]], "1": [[3.0, 4.0]]},
        widthOfCell={"0": 5.0, "1": 5.0},
        potentialEnergy={"0": -0.5, "1": -1.0},
    )
    columns |= changes
    path = tmp_path / "db.json"
    path.write_text(json.dumps({k: v for k, v in columns.items() if v is not None}))
    with pytest.raises(ValueError, match=said):
        pt.load(path)


def test_a_changed_file_is_noticed(tmp_path):
    path = make(n_configurations=50).save(tmp_path / "db.parquet")
    table = pq.read_table(path)
    energy = table["energy"].to_numpy().copy()
    energy[7] += 1e-9
    changed = table.set_column(table.column_names.index("energy"), "energy", pa.array(energy))
    pq.write_table(changed.replace_schema_metadata(table.schema.metadata), path)
    with pytest.raises(ValueError, match="hash"):
        pt.load(path)


def test_foreign_and_later_files_are_refused(tmp_path):
    path = tmp_path / "other.parquet"
    pq.write_table(pa.table(dict(energy=[1.0, 2.0])), path)
    with pytest.raises(ValueError, match="something else"):
        pt.load(path)
    table = pq.read_table(make(n_configurations=5).save(path))
    header = json.loads(table.schema.metadata[b"pes_toy"])
    later = table.replace_schema_metadata({"pes_toy": json.dumps({**header, "schema": 99})})
    pq.write_table(later, path)
    with pytest.raises(ValueError, match="schema version 99"):
        pt.load(path)
    pq.write_table(table.replace_schema_metadata({"pes_toy": "{cut"}), path)
    with pytest.raises(ValueError, match="other.parquet"):
        pt.load(path)


def test_damaged_files_are_value_errors(tmp_path):
    path = make(n_configurations=200).save(tmp_path / "db.parquet")
    good = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(60):
        bad = bytearray(good)
        bad[rng.integers(len(bad))] ^= 1 << rng.integers(8)
        path.write_bytes(bad)
        try:
            pt.load(path)
        except ValueError as error:
            refused += "db.parquet" in str(error)
    assert refused > 30  # the others changed bytes that mean nothing


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = make(n_configurations=30).save(tmp_path / "db.parquet")
    before = path.read_bytes()

    def broken(table, where, **settings):
        Path(where).write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(pq, "write_table", broken)
    with pytest.raises(OSError):
        make(n_configurations=31).save(path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["db.parquet"]


def test_paths_are_looked_at_first(tmp_path):
    db = make(n_configurations=5)
    with pytest.raises(ValueError, match="folder"):
        db.save(tmp_path)
    with pytest.raises(ValueError, match=".parquet or .json"):
        db.save(tmp_path / "db.csv")
    with pytest.raises(TypeError, match="name of a file"):
        pt.load(db)
    with pytest.raises(FileNotFoundError, match="no folder"):
        db.save(tmp_path / "nowhere" / "db.parquet")
    with pytest.raises(ValueError, match="empty"):
        db[:0].save(tmp_path / "db.json")
    assert not list(tmp_path.iterdir())


def spring_pair(r):
    return (r - 1.0) ** 2 - 0.25 if r < 1.5 else 0.0


def test_a_user_potential_makes_a_database(tmp_path):
    spring = pt.Potential(spring_pair, cutoff=1.5, name="spring")
    db = make(n_configurations=40, potential=spring, forces=True)
    path = db.save(tmp_path / "spring.parquet")
    with pytest.warns(UserWarning, match="'spring'.*load.path, potential"):
        again = pt.load(path)
    assert same(db, again) and again.spec is None
    assert pt.load(path, potential=spring).spec == db.spec
    with pytest.raises(TypeError, match="potential"):
        pt.load(path, potential="spring")


def test_parts_and_empties(tmp_path):
    db = make(n_configurations=100)
    db.extra["mine"] = np.arange(200.0).reshape(100, 2)
    db.about["mine"] = {"kind": "numbers"}
    mask = np.ones(100, bool)
    part = db.filter(mask, energy=(None, -2.0))
    rows = np.flatnonzero(db.energy <= -2.0)
    assert mask.all() and np.array_equal(part.extra["mine"][:, 0] // 2, rows)
    assert part.about == db.about
    again = pt.load(db.save(tmp_path / "a.parquet"))
    assert np.array_equal(again.extra["mine"], db.extra["mine"]) and again.about == db.about
    empty = pt.load(db[:0].save(tmp_path / "empty.parquet"))
    assert len(empty) == 0 and empty.extra["mine"].shape == (0, 2) and "empty" in repr(empty)
