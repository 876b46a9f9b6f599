"""Files: whole or not at all, and columns that come back as they were."""
import os
import stat
from pathlib import Path

import numpy as np
import pytest
from pes_toy.base.files import whole_file
from pes_toy.base.tables import columns_of, read_json, read_table, write_json, write_table

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


def test_tables_keep_every_bit(tmp_path):
    path = tmp_path / "a.parquet"
    write_table(path, COLUMNS, dict(note="é", shape=[5, 3, 2]))
    table, header = read_table(path)
    found = columns_of(table)
    assert header == dict(note="é", shape=[5, 3, 2]) and list(found) == list(COLUMNS)
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
