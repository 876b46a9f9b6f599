"""Datasets: what is killed, removed, cut short or full goes on to the same bits."""
import dataclasses
import errno
import itertools
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pes_toy as pt
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
from databases import SPECS, same
from pes_toy import datasets, many
from pes_toy.base.files import digest_of

SMALL = pt.DatabaseSpec(n_configurations=60, n_widths=2, width=(4.0, 5.0), epochs=(0, 3), keep=0.8,
                        max_energy=3.0, forces=True)
TINY = dataclasses.replace(SMALL, n_configurations=44)
SETTINGS = dict(progress=False, chunk=9)


@pytest.fixture(scope="module")
def expected():
    return pt.generate(SMALL, progress=False)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    "A complete dataset, to copy."
    folder = tmp_path_factory.mktemp("whole") / "data"
    pt.generate(SMALL, checkpoint=folder, **SETTINGS)
    return folder


@pytest.fixture
def copy(whole, tmp_path):
    return Path(shutil.copytree(whole, tmp_path / "copy"))


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_chunks_hold_the_same_bits(spec, tmp_path):
    plain = pt.generate(spec, progress=False)
    for chunk in (17, 1000):
        made = pt.generate(spec, checkpoint=tmp_path / str(chunk), chunk=chunk, progress=False)
        assert isinstance(made, pt.Dataset) and len(made) == len(plain)
        assert same(made[:], plain) and made[:].spec == spec and made.spec == spec
        assert (len(made.paths) > 1) == (chunk == 17)


# in a process of its own: dies at the n-th time that a file is written, replaced or removed
def _dies_at(n, folder):
    steps = iter(range(n + 1))
    write, replace, unlink = pq.write_table, os.replace, os.unlink

    def step():
        if next(steps) == n:
            os.kill(os.getpid(), signal.SIGKILL)

    def half(table, where, **settings):
        write(table, where, **settings)
        whole = Path(where).read_bytes()
        Path(where).write_bytes(whole[: len(whole) // 2])
        step()
        Path(where).write_bytes(whole)

    def counted(run):
        def call(*args, **settings):
            step()
            return run(*args, **settings)

        return call

    pq.write_table, os.replace, os.unlink = half, counted(replace), counted(unlink)
    pt.generate(TINY, checkpoint=folder, **SETTINGS)
    os._exit(0)  # the work was done before the n-th step


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_at_every_step_it_resumes_to_the_same_bits(tmp_path):
    "Every eleventh step at which the folder changes; every other time killed again on the way."
    expected = pt.generate(TINY, progress=False)
    fork = multiprocessing.get_context("fork")
    for n in itertools.count(0, 11):
        folder = tmp_path / f"at-{n}"
        for step in (n, n // 2)[: 1 + n % 2]:
            child = fork.Process(target=_dies_at, args=(step, folder))
            child.start()
            child.join(60)
            assert child.exitcode in (0, -signal.SIGKILL)
            try:
                found = pt.load(folder)
            except (ValueError, FileNotFoundError):
                assert child.exitcode  # it says that it is not complete
            else:
                assert same(found[:], expected)
        resumed = pt.generate(TINY, checkpoint=folder, **SETTINGS)
        assert same(resumed[:], expected), n
        left = {p.name for p in folder.iterdir()}
        listed = {name for name, *_ in resumed.manifest.chunks}
        assert left == {*listed, "_manifest.json"}, n
        if child.exitcode == 0 and n % 2 == 0:
            break
    assert n > 40


SCRIPT = """
import sys
import pes_toy as pt
spec = pt.DatabaseSpec(n_configurations=4000, epochs=(0, 40), keep=0.8, forces=True)
print("begins", flush=True)
pt.generate(spec, checkpoint=sys.argv[1], chunk=100, workers=1, progress=False)
"""


def _process(folder):
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(folder)], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline() == "begins\n"
    return process


def test_a_process_that_is_killed_and_one_that_comes_too_late(tmp_path):
    "A real process, killed in the middle; while it runs, a second one is refused."
    spec = pt.DatabaseSpec(n_configurations=4000, epochs=(0, 40), keep=0.8, forces=True)
    folder = tmp_path / "data"
    first = _process(folder)
    begun = time.monotonic()
    while len(list(folder.glob("*.parquet"))) < 5 and time.monotonic() < begun + 60:
        time.sleep(0.01)
    second = _process(folder)
    said = second.communicate(timeout=60)[1]
    alive = first.poll() is None
    first.kill()
    first.communicate()
    if alive:
        assert second.returncode == 1 and "another process writes to" in said
        assert first.returncode == -signal.SIGKILL
    there = {p.name: p.stat().st_mtime_ns for p in folder.glob("*.parquet")}
    made = pt.generate(spec, checkpoint=folder, progress=False)
    assert same(made[:], pt.generate(spec, progress=False)) and len(there) >= 5


def test_what_is_there_is_not_made_again(copy, expected, monkeypatch):
    made = []
    do_task = many.do_task

    def noted(task, advance):
        made.append(task.piece)
        return do_task(task, advance)

    monkeypatch.setattr(many, "do_task", noted)
    times = {p.name: p.stat().st_mtime_ns for p in copy.glob("*.parquet")}
    assert same(pt.generate(SMALL, checkpoint=copy, **SETTINGS)[:], expected) and not made
    name = sorted(times)[3]
    (copy / name).unlink()
    assert same(pt.generate(SMALL, checkpoint=copy, **SETTINGS)[:], expected) and len(made) == 1
    again = {p.name: p.stat().st_mtime_ns for p in copy.glob("*.parquet")}
    assert {n for n in times if times[n] != again[n]} == {name}


def _flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 4
    path.write_bytes(content)


DAMAGE = {
    "removed": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "cut short": lambda path: os.truncate(path, path.stat().st_size // 2),
    "filled with zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "one bit": _flip,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_chunk_is_seen_and_made_again(damage, copy, expected):
    for path in sorted(copy.glob("chunk-*"))[:2]:
        damage(path)
    with pytest.raises(ValueError, match="generate.spec, checkpoint"):
        dataset = pt.load(copy)
        list(dataset.chunks())
    with pytest.raises(ValueError, match="chunk"):
        pt.load(copy).check()
    assert same(pt.generate(SMALL, checkpoint=copy, **SETTINGS)[:], expected)
    assert same(pt.load(copy).check()[:], expected)


def test_a_damaged_or_lost_manifest(copy, expected):
    manifest = copy / datasets.MANIFEST
    text = manifest.read_text()
    flipped = text.replace("n_configurations", "n_konfigurations")
    for bad in ("", text[: len(text) // 2], "[]", "{}", flipped, "[" * 10_000):
        manifest.write_text(bad)
        with pytest.raises(ValueError, match="_manifest.json.*remove it"):
            pt.load(copy)
        with pytest.raises(ValueError, match="_manifest.json.*remove it"):
            pt.generate(SMALL, checkpoint=copy, **SETTINGS)
    newer = {**json.loads(text), "schema": 99, "later": 1}
    del newer["digest"]
    manifest.write_text(json.dumps({**newer, "digest": digest_of(newer)}))
    with pytest.raises(ValueError, match="99.*update pes_toy"):
        pt.load(copy)
    manifest.unlink()
    assert same(pt.generate(SMALL, checkpoint=copy, **SETTINGS)[:], expected)


def test_another_database_is_not_mixed_in(copy, tmp_path):
    def go(spec=SMALL, folder=copy, **settings):
        return pt.generate(spec, checkpoint=folder, progress=False, **settings)

    with pytest.raises(ValueError, match="another database.*seed"):
        go(dataclasses.replace(SMALL, seed=1))
    with pytest.raises(ValueError, match="chunks of 9"):
        go(chunk=10)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.pdf").write_text("mine")
    with pytest.raises(ValueError, match="'thesis.pdf'.*empty folder"):
        go(folder=tmp_path / "full")
    with pytest.raises(ValueError, match="is a file"):
        go(folder=tmp_path / "full" / "thesis.pdf")
    with pytest.raises(FileNotFoundError, match="make it first"):
        go(folder=tmp_path / "nowhere" / "data")
    with pytest.raises(TypeError, match="name of a folder"):
        go(folder=3)
    with pytest.raises(ValueError, match="chunk=10 belongs to"):
        pt.generate(SMALL, chunk=10)
    with pytest.raises(ValueError, match="chunk must be"):
        go(chunk=0)


def _steep(r):
    return (1 / r - r / 9) ** 2 if r < 3.0 else 0.0


def _steeper(r):
    return (2 / r - 2 * r / 9) ** 2 if r < 3.0 else 0.0


def test_a_potential_of_ones_own(tmp_path):
    mine, other = (pt.Potential(pair=p, cutoff=3.0, name="mine") for p in (_steep, _steeper))
    spec = dataclasses.replace(SMALL, potential=mine, max_energy=None)
    made = pt.generate(spec, checkpoint=tmp_path / "own", **SETTINGS)
    assert same(made[:], pt.generate(spec, progress=False)) and made.spec == spec
    with pytest.raises(ValueError, match="another database.*potential"):
        pt.generate(dataclasses.replace(spec, potential=other), checkpoint=tmp_path / "own",
                    **SETTINGS)
    with pytest.warns(UserWarning, match="mine"):
        assert pt.load(tmp_path / "own").spec is None
    assert pt.load(tmp_path / "own", potential=mine).spec == spec
    with pytest.raises(ValueError, match="its values differ"):
        pt.load(tmp_path / "own", potential=other)


def test_a_limit_that_nothing_meets_ends(tmp_path):
    spec = pt.DatabaseSpec(n_configurations=500, max_energy=-50.0, epochs=0)
    with pytest.raises(ValueError, match="max_energy=-50.0 is met by 0"):
        pt.generate(spec, checkpoint=tmp_path / "none", chunk=400, progress=False)


@pytest.fixture
def tiny_disk(tmp_path):
    "A disk of its own with a megabyte."
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)],
                             capture_output=True)
    if mounted.returncode:
        pytest.skip("needs the right to mount a disk")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk(tiny_disk, expected, monkeypatch):
    spec = dataclasses.replace(SMALL, n_configurations=20_000)
    with pytest.raises(OSError, match="needs about.*are free"):
        pt.generate(spec, checkpoint=tiny_disk / "data", progress=False, chunk=1000)
    spec = dataclasses.replace(SMALL, n_configurations=3000)
    ballast = tiny_disk / "ballast"
    do_task = many.do_task

    def fills(task, advance):
        if task.piece.share == 2:  # the disk is filled by somebody else meanwhile
            free = shutil.disk_usage(tiny_disk).free
            ballast.write_bytes(bytes(max(0, free - 8192)))
        return do_task(task, advance)

    with monkeypatch.context() as patched:
        patched.setattr(many, "do_task", fills)
        with pytest.raises(OSError, match="disk is full.*are kept.*same call goes on") as error:
            pt.generate(spec, checkpoint=tiny_disk / "data", progress=False, chunk=100)
    assert error.value.errno == errno.ENOSPC
    with pytest.raises(ValueError, match="not complete"):
        pt.load(tiny_disk / "data")
    assert list((tiny_disk / "data").glob("*.parquet"))
    ballast.unlink()
    made = pt.generate(spec, checkpoint=tiny_disk / "data", progress=False)
    assert same(made[:], pt.generate(spec, progress=False))


def test_rows_are_read_when_they_are_asked_for(whole, expected, monkeypatch):
    dataset = pt.load(whole)
    assert len(dataset) == 60 and dataset.n_particles == 4 and dataset.dimension == 2
    mask = expected.energy < np.median(expected.energy)
    for rows in (3, -1, slice(5, 40, 7), slice(None, None, -1), [50, 2, 2, 31], mask, []):
        assert same(dataset[rows], expected[rows if np.size(rows) else slice(0)])
    for rows in (60, [-61], "a", np.ones(59, bool), [0.5]):
        with pytest.raises(IndexError):
            dataset[rows]
    joined = pt.concat(list(dataset.chunks()))
    assert same(joined, expected) and joined.spec == SMALL
    energies = np.concatenate(list(dataset.column("energy")))
    assert np.array_equal(energies, expected.energy)
    with pytest.raises(ValueError, match="name must be one of positions"):
        list(dataset.column("mass"))
    few = dataset.sample(20, seed=3)
    assert len(few) == 20 and set(few.energy) <= set(expected.energy)
    table = pyarrow.dataset.dataset(whole).to_table()  # any reader of Parquet folders
    assert np.array_equal(table["energy"].to_numpy(), expected.energy)


def test_statistics_are_those_of_the_rows(whole, expected):
    found, wanted = pt.load(whole).statistics(), expected.statistics()
    assert list(found) == list(wanted)
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-14)
    exact = ("energy_min", "energy_5%", "energy_median", "energy_95%", "energy_max", "widths")
    assert all(found[name] == wanted[name] for name in exact)
    shown = pt.load(whole)
    assert "60 configurations" in repr(shown) and "with forces" in repr(shown)
    assert "DatabaseSpec(" in shown._repr_html_()


def test_windows_hold_every_row_once(whole, expected, monkeypatch):
    seen = []
    for epoch in range(2):
        rng = np.random.default_rng(epoch)
        parts = list(pt.load(whole).windows(rng, rows=5000)) # one group at a time
        seen.append(np.concatenate([part.energy for part in parts]))
        assert np.array_equal(np.sort(seen[-1]), np.sort(expected.energy))
    assert not np.array_equal(*seen) and not np.array_equal(seen[0], expected.energy)


def test_what_needs_memory_says_so(whole):
    with pytest.raises(AttributeError, match="not in memory.*dataset.sample"):
        pt.load(whole).positions
    with pytest.raises(AttributeError, match="no attribute 'colour'"):
        pt.load(whole).colour
    with pytest.raises(TypeError, match="got Dataset.*train makes the inputs.*dataset.chunks"):
        pt.prepare(pt.load(whole))


def test_inputs_of_chunks_are_those_of_the_whole(whole, expected):
    dataset = pt.load(whole)
    descriptor = pt.SymmetryFunctions()
    parts = [pt.prepare(chunk, descriptor, progress=False) for chunk in dataset.chunks()]
    at_once = pt.prepare(expected, descriptor, progress=False)
    found = np.concatenate([pt.inputs_of(part, descriptor) for part in parts])
    assert len(parts) > 1 and found.tobytes() == pt.inputs_of(at_once, descriptor).tobytes()


def test_rows_that_do_not_fit_are_refused(whole, monkeypatch):
    from pes_toy.base import limits

    dataset = pt.load(whole)
    monkeypatch.setattr(limits, "available_memory", lambda: 1e8)
    many = np.zeros(10**7, int)
    with pytest.raises(ValueError, match="10,000,000 rows.*GB of memory.*chunks"):
        dataset[many]


def test_the_command_writes_and_reads_datasets(tmp_path, capsys, monkeypatch):
    from pes_toy.cli import main

    monkeypatch.chdir(tmp_path)
    settings = ["--n-configurations", "200", "--epochs", "3", "--forces"]
    assert main(["generate", "--checkpoint", "large", "--chunk", "50", *settings]) == 0
    assert "200 configurations" in capsys.readouterr().out
    assert main(["info", "large", "--pictures", "drawn"]) == 0
    assert "energy_median" in capsys.readouterr().out and len(list(Path("drawn").iterdir())) == 3
    assert main(["convert", "large", "one.parquet"]) == 0
    assert same(pt.load("one.parquet"), pt.load("large")[:])
    assert main(["generate", "one.parquet", "--checkpoint", "large"]) == 1
    assert main(["generate"]) == 1
    assert "file or --checkpoint FOLDER" in capsys.readouterr().err


def test_training_lets_a_dataset_pass_by_in_windows(whole, monkeypatch):
    from pes_toy import streamed

    monkeypatch.setattr(streamed, "WINDOW", 20)
    monkeypatch.setattr(streamed, "ASIDE", 8)
    spec = pt.TrainingSpec(hidden=(8,), epochs=3, batch_size=5, force_weight=1.0)
    dataset = pt.load(whole)
    one, two = (pt.train(dataset, spec, progress=False) for _ in range(2))
    assert one.about["trained_on"] == 52 and one.about["validated_on"] == 8
    assert one.history["loss"] == two.history["loss"] and len(one.history["loss"]) == 3
    assert one.history["loss"][-1] < one.history["loss"][0]
    assert pt.score(one, dataset).n_configurations == 60
    few = dataset[:3]
    assert np.array_equal(one.predict(few.positions, few.width),
                          two.predict(few.positions, few.width))
    with pytest.raises(ValueError, match="fewer than one batch"):
        pt.train(dataset, dataclasses.replace(spec, batch_size=53), progress=False)
    with pytest.raises(TypeError, match="TrainingSpec"):
        pt.train(dataset, {"epochs": 3})
