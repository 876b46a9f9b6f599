"""Files: whole or not at all, and columns that come back as they were."""
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pes_toy.base.files import MARK, from_json, locked, read_text, remove_left, whole_file
from pes_toy.base.tables import (
    CHECK,
    columns_of,
    read_arrays,
    read_json,
    read_table,
    write_arrays,
    write_json,
    write_table,
)

pytestmark = pytest.mark.quick
COLUMNS = {
    "a": np.linspace(0, 1, 5) ** 7,
    "b": np.arange(5),
    "c": np.random.default_rng(0).normal(size=(5, 3, 2)),
}


def text_writer(text):
    def write(temporary):
        Path(temporary).write_text(text)

    return write


def half(temporary):
    Path(temporary).write_text("half")
    raise RuntimeError("power failure")


def test_a_file_is_whole_or_as_it_was(tmp_path):
    path = tmp_path / "a.txt"
    whole_file(path, text_writer("first"))
    with pytest.raises(RuntimeError):
        whole_file(path, half)
    assert path.read_text() == "first" and os.listdir(tmp_path) == ["a.txt"]
    whole_file(str(path), text_writer("second"))
    assert path.read_text() == "second"
    with pytest.raises(FileNotFoundError, match="no folder"):
        whole_file(tmp_path / "nowhere" / "a.txt", text_writer("x"))


def test_a_file_may_be_read_by_whom_the_umask_says(tmp_path):
    path = tmp_path / "a.txt"
    before = os.umask(0o027)
    try:
        whole_file(path, text_writer("x"))
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)


def test_the_umask_of_the_process_is_left_alone(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(os, "umask", asked.append)
    whole_file(tmp_path / "a.txt", text_writer("x"))
    assert not asked  # another thread would make files that everybody can write to


def test_a_file_keeps_the_mode_of_the_one_before(tmp_path):
    path = tmp_path / "a.txt"
    for mode in (0o600, 0o664, 0o755):
        path.write_text("old")
        path.chmod(mode)
        whole_file(path, text_writer("new"))
        assert stat.S_IMODE(path.stat().st_mode) == mode and path.read_text() == "new"


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far" / "data.txt", tmp_path / "link.txt"
    link.symlink_to(target)
    for text in ("first", "second"):  # a link to nothing is filled
        whole_file(link, text_writer(text))
        assert link.is_symlink() and target.read_text() == text
    assert os.listdir(tmp_path / "far") == ["data.txt"]


def test_devices_and_folders_are_not_replaced(tmp_path):
    fifo = tmp_path / "fifo.txt"
    os.mkfifo(fifo)
    for odd in (fifo, tmp_path):
        with pytest.raises(ValueError, match="name a file"):
            whole_file(odd, text_writer("x"))
    assert os.listdir(tmp_path) == ["fifo.txt"] and stat.S_ISFIFO(fifo.stat().st_mode)


@pytest.mark.parametrize("name", ["a" * 251 + ".txt", "a" * 240 + ".parquet", "ü" * 125 + ".npz"])
def test_long_names(name, tmp_path):
    path = tmp_path / name
    with locked(path):
        whole_file(path, text_writer("x"))
    assert path.read_text() == "x" and os.listdir(tmp_path) == [name]


WRITER = """
import os, signal, sys, time
from pes_toy.base.files import locked, whole_file

def write(temporary):
    with open(temporary, "w") as file:
        file.write("half")
        file.flush()
        print("begun", flush=True)
        if sys.argv[2] == "dies": os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)

with locked(sys.argv[1]):
    whole_file(sys.argv[1], write)
"""


def writer(path, fate):
    "A process that has begun to write."
    command = [sys.executable, "-c", WRITER, str(path), fate]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "begun\n"
    return process


def test_what_a_killed_process_leaves_is_removed(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    assert writer(path, "dies").wait(30) == -signal.SIGKILL
    left = [name for name in os.listdir(tmp_path) if name.startswith(MARK)]
    assert len(left) == 2 and path.read_text() == "old"  # half a file, and a lock
    with locked(path):  # which keeps nobody out
        whole_file(path, text_writer("new"))
    assert path.read_text() == "new" and os.listdir(tmp_path) == ["a.txt"]


def test_what_another_process_writes_is_left_alone(tmp_path):
    path, other = tmp_path / "a.txt", tmp_path / "b.txt"
    process = writer(other, "lives")
    try:
        before = sorted(os.listdir(tmp_path))
        assert len(before) == 2
        whole_file(path, text_writer("new"))
        remove_left(tmp_path)
        assert sorted(os.listdir(tmp_path)) == [*before, "a.txt"]
    finally:
        process.kill()
        process.wait()
    remove_left(tmp_path)
    assert os.listdir(tmp_path) == ["a.txt"]


KILLED = """
import sys
from pathlib import Path
from pes_toy.base.files import whole_file
print("begun", flush=True)
for n in range(10**9):
    whole_file(sys.argv[1], lambda temporary: Path(temporary).write_text(f"{n}\\n" * 20_000))
"""


def test_kills_at_any_moment(tmp_path):
    path = tmp_path / "a.txt"
    rng = np.random.default_rng(0)
    for _ in range(6):
        command = [sys.executable, "-c", KILLED, str(path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        process.stdout.readline()
        time.sleep(rng.uniform(0.01, 0.1))
        process.kill()
        process.wait()
        assert len(os.listdir(tmp_path)) <= 2
        if path.exists():
            lines = path.read_text().splitlines()
            assert len(lines) == 20_000 and len(set(lines)) == 1
    whole_file(path, text_writer("new"))
    assert os.listdir(tmp_path) == ["a.txt"]


def test_one_at_a_time(tmp_path):
    path, seen = tmp_path / "n.txt", []
    path.write_text("0")

    def add():
        for _ in range(25):
            with locked(path):
                n = int(path.read_text())
                time.sleep(0.0005)
                path.write_text(str(n + 1))
            seen.append(n)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == list(range(100)) and os.listdir(tmp_path) == ["n.txt"]


def test_text_of_any_system(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes('{"é": 1}'.encode("utf-8-sig"))
    assert from_json(read_text(path)) == {"é": 1}
    code = f"from pes_toy.base.files import read_text; print(ascii(read_text({str(path)!r})))"
    plain = dict(LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    said = subprocess.run([sys.executable, "-c", code], env={**os.environ, **plain},
                          capture_output=True, text=True)
    assert said.stdout == "'{\"\\xe9\": 1}'\n"
    for encoding in ("latin-1", "utf-16"):
        path.write_bytes("é".encode(encoding))
        with pytest.raises(ValueError, match="a.json.*UTF-8"):
            read_text(path)


@pytest.mark.parametrize("text", ["[" * 10**6, '{"a":' * 10**5, "[" * 5000 + "]" * 5000])
def test_deep_json(text):
    with pytest.raises(ValueError, match="too deeply"):
        from_json(text)


def test_tables_keep_every_bit(tmp_path):
    path = tmp_path / "a.parquet"
    write_table(path, COLUMNS, dict(note="é", shape=[5, 3, 2]))
    table, header = read_table(path)
    found = columns_of(table)
    digest = header.pop("digest")
    assert header == dict(note="é", shape=[5, 3, 2]) and list(found) == list(COLUMNS)
    write_table(path, COLUMNS, dict(note="e", shape=[5, 3, 2]))
    assert read_table(path)[1]["digest"] != digest
    for name, column in COLUMNS.items():
        assert found[name].dtype == column.dtype and found[name].flags.writeable
        assert np.array_equal(found[name].reshape(column.shape), column)


def test_tables_without_rows(tmp_path):
    path = tmp_path / "a.parquet"
    write_table(path, {name: column[:0] for name, column in COLUMNS.items()}, {})
    found = columns_of(read_table(path)[0])
    assert found["a"].shape == (0,) and found["c"].shape == (0, 6)


def test_json_keeps_every_bit(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, COLUMNS)
    found = read_json(path, wanted=("a", "c"))
    for name, column in COLUMNS.items():
        assert np.array_equal(found[name], column)
    with pytest.raises(ValueError, match=r"lacks the columns \['d'\]"):
        read_json(path, wanted=("a", "d"))


def test_json_has_checksums_for_programs_that_know_columns(tmp_path):
    path = tmp_path / "a.json"
    columns = {**COLUMNS, "nan": np.full(5, np.nan)}
    write_json(path, columns)
    table = pd.read_json(path, orient="columns", dtype=False)
    assert list(table) == [*columns, CHECK] and table[CHECK].nunique() == 5
    again = read_json(path)
    assert list(again) == list(columns) and np.isnan(again["nan"]).all()
    tables = json.loads(path.read_text())
    some = {name: {row: column[row] for row in "31"} for name, column in tables.items()}
    path.write_text(json.dumps(some))  # rows may be taken out
    assert read_json(path)["a"].tolist() == COLUMNS["a"][[3, 1]].tolist()
    some["b"]["1"] = 7
    path.write_text(json.dumps(some))
    with pytest.raises(ValueError, match="a.json.*checksum of row 1"):
        read_json(path)


def test_json_without_checksums_is_read_with_a_warning(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, COLUMNS)
    tables = json.loads(path.read_text())
    checks = tables.pop(CHECK)
    path.write_text(json.dumps(tables))
    with pytest.warns(UserWarning, match="a.json.*no checksums"):
        assert list(read_json(path)) == list(COLUMNS)
    path.write_text(json.dumps({**tables, "checksun": checks}))
    with pytest.raises(ValueError, match="called 'checksun'"):
        read_json(path)


def test_json_with_numbers_beyond_the_floats(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"a": {"0": 1' + "0" * 400 + "}}")
    with pytest.raises(ValueError, match="a.json"):
        read_json(path)


def test_arrays_keep_every_bit(tmp_path):
    path = tmp_path / "a.npz"
    more = dict(text=np.array("é"), none=np.zeros((0, 3)), columns=np.asfortranarray(COLUMNS["c"]))
    write_arrays(path, {**COLUMNS, **more})
    found = read_arrays(path)
    with np.load(path) as file:
        for name in file.files:
            assert found[name].dtype == file[name].dtype and found[name].flags.writeable
            np.testing.assert_array_equal(found[name], file[name])
    assert set(found) == {*COLUMNS, *more}
