"""Files of databases: everything comes back, and what is damaged is refused."""
import json
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pes_toy as pt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from databases import SPECS, make, same
from pes_toy.base.tables import columns_of, read_table, write_table

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
    with pytest.warns(UserWarning, match="no checksums"):
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
    with pytest.raises(ValueError, match="db.parquet.*digest"):
        pt.load(path)


@pytest.mark.parametrize(
    "old, new",
    [
        (b'"E_c": 1.0', b'"E_c": 3.0'),
        (b'"seed": 0', b'"seed": 1'),
        (b'"mine": "numbers"', b'"mine": "letters"'),
        (b'"pes_toy": "', b'"pes_toy": "1'),
    ],
)
def test_a_changed_header_is_noticed(old, new, tmp_path):
    db = make(n_configurations=5)
    db.about["mine"] = "numbers"
    path = db.save(tmp_path / "db.parquet")
    table = pq.read_table(path)
    header = table.schema.metadata[b"pes_toy"]
    assert header.count(old) == 1
    changed = table.replace_schema_metadata({b"pes_toy": header.replace(old, new)})
    pq.write_table(changed, path)
    with pytest.raises(ValueError, match="db.parquet.*digest"):
        pt.load(path)


def test_files_of_schema_1_are_read_with_a_warning(tmp_path):
    old = Path(__file__).parent / "data" / "database_of_schema_1.parquet"
    with pytest.warns(UserWarning, match="schema_1.parquet.*save it again"):
        db = pt.load(old)
    assert len(db) == 12 and db.spec.n_particles == 3 and db.about["mine"] == "twice the energy"
    assert np.array_equal(db.extra["mine"][:, 0], 2 * db.energy)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = pt.load(db.save(tmp_path / "new.parquet"))
    assert same(db, again) and again.spec == db.spec
    table = pq.read_table(old)
    header = json.loads(table.schema.metadata[b"pes_toy"])
    claimed = table.replace_schema_metadata({"pes_toy": json.dumps({**header, "schema": 2})})
    pq.write_table(claimed, tmp_path / "claimed.parquet")
    with pytest.raises(ValueError, match="claimed.parquet"):
        pt.load(tmp_path / "claimed.parquet")


def rewritten(path, change):
    "A whole file whose header somebody else wrote."
    table, header = read_table(path)
    change(header)
    write_table(path, columns_of(table), header)
    return path


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header["spec"].update(temperature=3.0),
        lambda header: header["spec"].update(relaxer="annealing"),
        lambda header: header["spec"]["potential"].update(type="Tersoff"),
        lambda header: header["spec"]["potential"].update(screening=0.5),
        lambda header: header.update(schema=3),
    ],
    ids=["setting", "relaxer", "potential", "parameter", "schema"],
)
def test_what_a_later_version_writes_asks_for_an_update(change, tmp_path):
    path = rewritten(make(n_configurations=5).save(tmp_path / "db.parquet"), change)
    with pytest.raises(ValueError, match="db.parquet.*update") as said:
        pt.load(path)
    assert "damaged" not in str(said.value) and "make it again" not in str(said.value)


def test_a_folder_like_a_partition(tmp_path):
    folder = tmp_path / "run=1"
    folder.mkdir()
    db = make(n_configurations=20)
    assert same(db, pt.load(db.save(folder / "energy=2.parquet")))


REPLACER = """
import sys
import pes_toy as pt
one, two, target = sys.argv[1:]
files = [pt.load(one), pt.load(two)]
print("begun", flush=True)
while True:
    for db in files:
        db.save(target)
"""


@pytest.mark.parametrize("suffix", [".parquet", ".json"])
def test_a_file_that_is_being_replaced_is_whole(suffix, tmp_path):
    wanted = [make(n_configurations=n) for n in (40, 300)]
    names = [db.save(tmp_path / f"{len(db)}.parquet") for db in wanted]
    target = tmp_path / f"target{suffix}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted[0].save(target)
    command = [sys.executable, "-W", "ignore", "-c", REPLACER, *map(str, [*names, target])]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        process.stdout.readline()
        seen, end = [], time.monotonic() + 60
        while (len(seen) < 250 or len(set(seen)) < 2) and time.monotonic() < end:
            seen.append(len(pt.load(target)))
    finally:
        process.kill()
        process.wait()
    assert set(seen) == {40, 300}


def test_names_that_mean_something_else_in_json(tmp_path):
    for name in ("widthOfCell", "checksum"):
        db = make(n_configurations=5)
        db.extra[name] = np.zeros((5, 1))
        with pytest.raises(ValueError, match=name):
            db.save(tmp_path / "db.json")


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
