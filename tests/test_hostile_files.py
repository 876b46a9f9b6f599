"""Files that were damaged or made to harm: refused with their names, or read as they were."""

import dataclasses
import io
import json
import re
import subprocess
import sys
import warnings
import zipfile
import zlib

import numpy as np
import pes_toy as pt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from databases import make
from hostile import committee, unlike
from memory import beside_tests
from pes_toy.base.tables import read_arrays, read_table, write_arrays, write_table
from pes_toy.cli import main
from pes_toy.sweeps import Store

import matplotlib

matplotlib.use("agg")


def database():
    "A small one with all kinds of columns."
    db = make(n_configurations=12, n_particles=3, epochs=3, forces=True)
    db.split(0.25)
    db.extra["mine"] = 2 * db.energy[:, None]
    db.about["mine"] = "twice the energy"
    return db


def save_parquet(path):
    return database().save(path)


def save_json(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return database().save(path)


def said_of_database(path):
    "Everything in a database, as text."
    db = pt.load(path)
    columns = {**db.columns(), **db.extra}
    return repr([(name, column.tolist()) for name, column in columns.items()] + [db.spec, db.about])


def save_store(path):
    store = Store(path)
    for key in "abcd":
        store.put(5 * key, dict(energy_mae=ord(key) / 7, history=dict(loss=[1.5, None])))


def said_of_store(path):
    return json.dumps(Store(path).results)


def save_network(path):
    pt.sample_network().save(path)


def said_of_network(path):
    network = pt.load_network(path)
    arrays = [array.tobytes() for pair in network.weights for array in pair]
    numbers = (network.shift.tobytes(), network.scale.tobytes(), network.energy_shift)
    return repr([arrays, numbers, network.spec, network.about, network.history])


def save_picture(path):
    pt.save_figure(make(n_configurations=5).plot_percentiles(), path, dict(a=1.5, b=["x"]), dpi=20)


def said_of_picture(path):
    return repr(pt.figure_settings(path))


def save_trajectory(path):
    "One that failed, in a sheared cell, and one that did not."
    x = np.array([[[0.5, 0.5], [1.6, 0.6], [0.7, 1.8]], [[0.5, 0.5], [0.8, 0.5], [0.7, 1.8]]])
    cell = np.array([[3.0, 0.1], [0.2, 3.1]])
    pt.dynamics(x, cell, steps=30, dt=1e-2, every=5, temperature=[0.1, 0.2],
                progress=False).save(path)


def said_of_trajectory(path):
    "Everything in a trajectory, as text."
    found = pt.load(path)
    columns = {f.name: getattr(found, f.name) for f in dataclasses.fields(found)}
    arrays = [columns.pop(name).tolist() for name in list(columns)
              if isinstance(columns[name], np.ndarray)]
    return repr([arrays, columns])


def save_structures(path):
    unlike().save(path)


def said_of_structures(path):
    found = pt.load(path)
    return repr([found.statistics(), found.positions.tolist(), found.forces.tolist(),
                 found.cell.tolist(), found.group.tolist(), found.units, found.about])


def save_committee(path):
    committee().save(path)


def said_of_committee(path):
    found = pt.load_network(path)
    parts = [(model.parts()[0], *map(np.ndarray.tobytes, model.parts()[1].values()))
             for model in (found, *found.members)]
    return repr([parts, found.about])


def save_curves(path):
    errors = {"relaxed": {"energy_mae": {"random": np.array([[0.2, 0.1], [0.3, 1 / 7]])}}}
    pt.LearningCurves([50, 100], errors, dict(seeds=2)).save(path)


def said_of_curves(path):
    found = pt.LearningCurves.load(path)
    return repr([found.labels, found.errors, found.settings])


KINDS = {
    "a.parquet": (save_parquet, said_of_database),
    "a.json": (save_json, said_of_database),
    "moved.parquet": (save_trajectory, said_of_trajectory),
    "unlike.parquet": (save_structures, said_of_structures),
    "committee.npz": (save_committee, said_of_committee),
    "curves.json": (save_curves, said_of_curves),
    "store.json": (save_store, said_of_store),
    "a.npz": (save_network, said_of_network),
    "a.png": (save_picture, said_of_picture),
}


def flipped(path, read, places):
    "How many flips of single bits are refused; none may pass with another content."
    good, wanted = path.read_bytes(), read(path)
    refused = 0
    for place in places:
        bad = bytearray(good)
        bad[place // 8] ^= 1 << place % 8
        path.write_bytes(bad)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                assert read(path) == wanted, f"bit {place} of {path.name}"
        except ValueError as error:
            assert path.name in str(error)
            refused += 1
    path.write_bytes(good)
    return refused


def places_in(path, n, seed=0):
    "Half of them anywhere, half in the last two thousand bytes, where Parquet has its header."
    data = path.read_bytes()
    bits = 8 * (data.index(b"IDAT") if path.suffix == ".png" else len(data))
    rng = np.random.default_rng(seed)
    some = rng.integers(0, bits, n // 2), rng.integers(max(0, bits - 16_000), bits, n - n // 2)
    return np.concatenate(some)


@pytest.mark.quick
@pytest.mark.parametrize("name", KINDS)
def test_flipped_bits_are_noticed(name, tmp_path):
    save, read = KINDS[name]
    path = tmp_path / name
    save(path)
    n = 40 if name.endswith(("npz", "png")) else 120
    refused = flipped(path, read, places_in(path, n))
    assert refused > n // 2  # the others mean nothing


@pytest.mark.stress
@pytest.mark.parametrize("name", KINDS)
def test_many_flipped_bits_are_noticed(name, tmp_path):
    save, read = KINDS[name]
    path = tmp_path / name
    save(path)
    assert flipped(path, read, places_in(path, 4000, seed=1)) > 2000


@pytest.mark.quick
def test_an_archive_that_swells_is_refused_before_it_is_unpacked(tmp_path):
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("W0.npy", "w", force_zip64=True) as part:
            shape = dict(descr="<f8", fortran_order=False, shape=(2**28,))
            np.lib.format.write_array_header_1_0(part, shape)
            for _ in range(2**9):
                part.write(bytes(2**22))
    assert path.stat().st_size < 3e6
    code = (
        "import sys, pes_toy as pt\n"
        "from memory import held_at_most\n"
        "before = held_at_most()\n"
        "try: pt.load_network(sys.argv[1])\n"
        "except ValueError as error: print(error)\n"
        "print(held_at_most() - before)"
    )
    said = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True,
                          env=beside_tests())
    message, grown = said.stdout.splitlines()
    assert "bomb.npz" in message and "unpack" in message and int(grown) < 1e8


def stored(data, size):
    "An archive of one array whose directory says another size."
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(data) + packer.flush()
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("W0.npy", data)
    whole, wrong = file.getvalue(), size.to_bytes(4, "little")
    assert packed in whole and whole.count(len(data).to_bytes(4, "little")) == 2
    return whole.replace(len(data).to_bytes(4, "little"), wrong)


@pytest.mark.quick
def test_sizes_that_are_not_true(tmp_path):
    path = tmp_path / "a.npz"
    file = io.BytesIO()
    np.save(file, np.zeros(2**20))
    path.write_bytes(stored(file.getvalue(), 1000))
    with pytest.raises((ValueError, zipfile.BadZipFile)):
        read_arrays(path)
    file = io.BytesIO()
    shape = dict(descr="<f8", fortran_order=False, shape=(2**40,))
    np.lib.format.write_array_header_1_0(file, shape)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("W0.npy", file.getvalue() + bytes(64))
    with pytest.raises(ValueError, match="1099511627776"):
        read_arrays(path)


@pytest.mark.quick
def test_a_table_that_swells_is_refused_before_it_is_unpacked(tmp_path):
    path = tmp_path / "bomb.parquet"
    column = pa.array(np.zeros(2**24))
    table = pa.table(dict(energy=column)).replace_schema_metadata({"pes_toy": '{"schema": 2}'})
    pq.write_table(table, path)
    before = pa.total_allocated_bytes()
    with pytest.raises(ValueError, match="bomb.parquet.*unpack"):
        pt.load(path)
    assert path.stat().st_size < 1e6 and pa.total_allocated_bytes() - before < 1e6
    rows = pa.table(dict(energy=["a", "b"])).replace_schema_metadata({"pes_toy": "{}"})
    pq.write_table(rows, path)
    with pytest.raises(ValueError, match="bomb.parquet.*not numbers"):
        pt.load(path)


@pytest.mark.quick
def test_what_shrinks_a_lot_is_written_so_that_it_can_be_read(tmp_path):
    zeros = np.zeros((2**20, 9))
    write_arrays(tmp_path / "a.npz", dict(W=zeros))
    assert read_arrays(tmp_path / "a.npz")["W"].shape == zeros.shape
    write_table(tmp_path / "a.parquet", dict(x=zeros), {})
    assert read_table(tmp_path / "a.parquet")[0].num_rows == len(zeros)


def picture_of(text, path):
    "A picture that says it was made with this."
    from PIL import Image, PngImagePlugin

    info = PngImagePlugin.PngInfo()
    info.add_text("Description", text)
    Image.new("L", (4, 4)).save(path, pnginfo=info)


@pytest.mark.quick
def test_deep_texts_are_value_errors(tmp_path):
    deep = "[" * 100_000
    path = tmp_path / "a.json"
    for text in (deep, '{"energy": ' + deep, deep + "]" * 100_000):
        path.write_text(text)
        with pytest.raises(ValueError, match="a.json"):
            pt.load(path)
    picture_of(deep, tmp_path / "a.png")
    picture_of(json.dumps(dict(a=1)), tmp_path / "b.png")
    assert pt.figure_settings(tmp_path / "b.png") == dict(a=1)
    svg = '<svg xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:description>{}</dc:description></svg>'
    (tmp_path / "a.svg").write_text(svg.format(deep))
    (tmp_path / "b.svg").write_text("<a>" * 50_000 + "</a>" * 50_000)
    (tmp_path / "a.pdf").write_text(f"/Subject ({deep})")
    (tmp_path / "c.png").write_bytes(b"no picture")
    for name in ("a.png", "a.svg", "b.svg", "a.pdf", "c.png"):
        with pytest.raises(ValueError, match=name):
            pt.figure_settings(tmp_path / name)


@pytest.mark.quick
def test_a_header_that_is_deep(tmp_path):
    path = tmp_path / "a.parquet"
    table = pa.table(dict(energy=[1.0])).replace_schema_metadata({"pes_toy": "[" * 100_000})
    pq.write_table(table, path)
    with pytest.raises(ValueError, match="a.parquet.*too deeply"):
        pt.load(path)
    write_arrays(tmp_path / "a.npz", dict(header=np.array("[" * 100_000)))
    with pytest.raises(ValueError, match="a.npz.*too deeply"):
        pt.load_network(tmp_path / "a.npz")


SETTINGS = {
    "latin-1": ("# für\n".encode("latin-1"), "UTF-8"),
    "utf-16": ("epochs = 3\n".encode("utf-16"), "UTF-8"),
    "deep": (b"epochs = " + b"[" * 100_000, "too deeply"),
    "deep tables": (b"epochs = " + b"{a=" * 100_000, "too deeply"),
    "later": (b"temperature = 3.0\n", "temperature.*update"),
    "later word": (b'relaxer = "annealing"\n', "annealing.*update"),
    "later potential": (b'potential = "Tersoff"\n', "Tersoff.*update"),
    "text": (b"epochs 3\n", "no valid TOML"),
}


@pytest.mark.quick
@pytest.mark.parametrize("name", SETTINGS)
def test_settings_that_cannot_be_read(name, tmp_path, capsys):
    content, why = SETTINGS[name]
    path = tmp_path / "s.toml"
    path.write_bytes(content)
    assert main(["generate", str(tmp_path / "a.parquet"), "--settings", str(path), "--quiet"]) == 1
    said = capsys.readouterr()
    assert not said.out and said.err.count("\n") == 1 and "s.toml" in said.err
    assert re.search(why, said.err)


@pytest.mark.quick
def test_settings_with_a_byte_order_mark(tmp_path):
    path, out = tmp_path / "s.toml", tmp_path / "a.parquet"
    text = "# für\nn_configurations = 7\nepochs = 1\n"
    for encoding in ("utf-8", "utf-8-sig"):
        path.write_text(text, encoding=encoding)
        assert main(["generate", str(out), "--settings", str(path), "--quiet"]) == 0
        assert len(pt.load(out)) == 7


ESCAPE = "\x1b[2J\x1b]0;title\x07\u202e\x9b31m"


def harmless(text):
    return all(c.isprintable() or c == "\n" for c in text)


@pytest.mark.quick
def test_escape_sequences_stay_in_the_file(tmp_path, capsys):
    db = make(n_configurations=5)
    db.extra[f"mine{ESCAPE}"] = np.zeros((5, 2))
    db.about[f"mine{ESCAPE}"] = f"made by {ESCAPE}"
    path = db.save(tmp_path / "a.parquet")
    assert f"mine{ESCAPE}" in pt.load(path).extra
    assert main(["info", str(path)]) == 0
    said = capsys.readouterr()
    assert "mine\\x1b[2J" in said.out and harmless(said.out + said.err)
    table, header = read_table(path)
    own = dict(type="Potential", name=ESCAPE)
    header["spec"]["potential"] = own
    columns = {name: table[name].to_numpy() for name in ("energy", "width")}
    positions = np.array(table["positions"].to_pylist())
    write_table(path, dict(**columns, positions=positions), header)
    assert main(["info", str(path)]) == 0
    said = capsys.readouterr()
    assert "somebody's own" in said.err and harmless(said.out + said.err)
    foreign = {f"a{ESCAPE}": {"0": 1.0}}
    (tmp_path / "a.json").write_text(json.dumps(foreign, ensure_ascii=False), encoding="utf-8")
    assert main(["info", str(tmp_path / "a.json")]) == 1
    said = capsys.readouterr()
    assert "lacks the columns" in said.err and harmless(said.err)


@pytest.mark.quick
def test_what_a_network_says_of_itself_is_harmless():
    network = pt.sample_network()
    network.rows = lambda: [("inputs", f"seen {ESCAPE}")]
    assert harmless(repr(network)) and "\\x1b" in repr(network)


def say_twice(path):
    "The same file, in which a name stands twice and the second hides the first."
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        pq.write_table(table.append_column("energy", table["energy"]), path)
    elif path.suffix == ".json":
        path.write_text(path.read_text().replace('"checksum"', '"potentialEnergy"'))
    else:
        parts = read_zip(path)
        with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
            warnings.simplefilter("ignore")  # of zipfile itself
            for name, content in [*parts.items(), ("b0.npy", parts["b1.npy"])]:
                archive.writestr(name, content)


def read_zip(path):
    with zipfile.ZipFile(path) as archive:
        return {part.filename: archive.read(part) for part in archive.infolist()}


@pytest.mark.parametrize("name", ["d.parquet", "d.json", "structures.parquet", "n.npz"])
def test_a_name_that_stands_twice_hides_nothing(tmp_path, name):
    save = {"d.parquet": save_parquet, "d.json": save_json, "n.npz": pt.sample_network().save,
            "structures.parquet": pt.Structures.from_database(database()).save}[name]
    path = save(tmp_path / name)
    say_twice(path)
    load = pt.load_network if name == "n.npz" else pt.load
    with pytest.raises(ValueError, match=f"{name}.* stands in it twice"):
        load(path)
