"""Dynamics: energy, momentum, the way back, temperature; alone, in batches, and beside ASE."""

import dataclasses
import os
import signal
import threading
import time

import numpy as np
import pes_toy as pt
import pyarrow.parquet as pq
import pytest
from databases import make
from pes_toy.motion import plain_dynamics

RNG = np.random.default_rng(11)
START = pt.relax(RNG.uniform(0, 5, (6, 4, 2)), 5.0, epochs=20).positions
KICK = RNG.normal(0, 0.5, START.shape)
SHEARED = np.array([[4.5, 0.0], [1.2, 4.0]])


def moved(positions=START, width=5.0, model=pt.ModifiedLennardJones(), **settings):
    return pt.dynamics(positions, width, model, **{"steps": 200, "dt": 2e-3, "progress": False,
                                                   **settings})


class Oracle(pt.Predictor):
    "The potential as a model, in any cell."

    n_particles, dimension, about, any_number, any_cell = 4, 2, {}, True, True

    def evaluate(self, x, w, with_forces=False):
        return pt.energy_and_forces(x, w)


class Spot(pt.Predictor):
    "Attracts to the middle of the cell; not a number in a spot there, or an error."

    n_particles, dimension, about, any_number = 1, 2, {}, True

    def __init__(self, error=None):
        self.error = error

    def evaluate(self, x, w, with_forces=False):
        away = x - w[:, None, None] / 2
        energy = (away**2).sum(axis=(1, 2)) / 2
        lost = energy < 0.02
        if self.error and lost.any():
            raise self.error("nothing is known of the middle")
        energy[lost] = np.nan
        return energy, -away


@pytest.mark.parametrize("heat", [None, 0.4])
@pytest.mark.parametrize("width", [5.0, SHEARED])
@pytest.mark.parametrize("potential", [pt.ModifiedLennardJones(), pt.Morse()])
def test_it_does_what_the_plain_one_does(heat, width, potential):
    settings = dict(steps=20, dt=4e-3, temperature=heat, velocities=KICK[0], seed=5)
    depth = None if potential.reach else 1
    found = moved(START[0], width, potential, every=1, depth=depth, **settings)
    if depth is None:
        x, v = plain_dynamics(START[0], width, potential, **settings)
        np.testing.assert_allclose(found.positions[0], x, rtol=0, atol=1e-9)
        np.testing.assert_allclose(found.velocities[0], v, rtol=0, atol=1e-9)
    energy = pt.energy_per_particle(found.positions[0], width, potential, depth=depth)
    np.testing.assert_allclose(found.potential_energy[0], energy, rtol=0, atol=1e-9)


def test_three_dimensions_and_particles_in_boxes():
    rng = np.random.default_rng(0)
    many = pt.relax(rng.uniform(0, 8, (40, 2)), 8.0, epochs=20).positions
    cubes = pt.relax(rng.uniform(0, 4, (8, 3)), 4.0, epochs=20).positions
    for x, width in ((many, 8.0), (cubes, 4.0)):
        found = moved(x, width, steps=100, dt=1e-3)
        plain, _ = plain_dynamics(x, width, steps=100, dt=1e-3)
        np.testing.assert_allclose(found.positions[0], plain, rtol=0, atol=1e-9)
        assert np.ptp(found.total_energy) < 1e-2 * np.ptp(found.kinetic_energy)


@pytest.mark.parametrize("width", [5.0, SHEARED])
def test_a_model_goes_where_its_potential_goes(width):
    settings = dict(steps=60, dt=4e-3, temperature=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6], every=7)
    one = moved(width=width, **settings)
    other = moved(width=width, model=Oracle(), **settings)
    np.testing.assert_allclose(one.positions, other.positions, rtol=0, atol=1e-10)
    assert other.time[1] == 7 * 4e-3 and other.positions.shape[1] == 60 // 7 + 1
    np.testing.assert_allclose(one.pressure(), moved(width=width, **settings).pressure())


@pytest.mark.parametrize("model", [pt.ModifiedLennardJones(), pt.sample_network()])
def test_the_same_bits_however_it_is_done(model):
    settings = dict(temperature=0.3, seed=9, steps=30)
    whole = moved(model=model, workers=1, **settings)
    assert (moved(model=model, workers=2, **settings).positions == whole.positions).all()
    assert (moved(START[:2], model=model, **settings).positions == whole.positions[:2]).all()
    sooner = moved(model=model, every=10, **settings)
    assert (sooner.positions == whole.positions[:, ::10]).all()
    assert (moved(model=model, **{**settings, "seed": 8}).positions != whole.positions).any()
    assert whole == moved(model=model, **settings)


def test_replicas_have_streams_of_their_own():
    same = moved(np.repeat(START[:1], 3, axis=0), temperature=0.3)
    end = same.positions[:, -1]
    for a, b in ((0, 1), (1, 2), (0, 2)):
        assert np.abs(end[a] - end[b]).max() > 1e-3


def test_energy_momentum_and_the_way_back():
    kick = KICK - KICK.mean(axis=1, keepdims=True)
    there = moved(velocities=kick, steps=2000, dt=1e-3)
    assert (np.abs(there.drift) < 1e-4).all()
    assert np.abs(there.velocities.sum(axis=2)).max() < 1e-11
    back = moved(there.positions[:, -1], velocities=-there.velocities[:, -1], steps=2000, dt=1e-3)
    np.testing.assert_allclose(back.positions[:, -1], START, rtol=0, atol=1e-6)


def test_a_step_half_as_long_has_a_quarter_of_the_error():
    ends = [moved(dt=1 / n, steps=n // 2, every=n // 2).positions[:, -1]
            for n in (256, 512, 1024, 16384)]
    wrong = [np.abs(end - ends[-1]).max() for end in ends[:-1]]
    np.testing.assert_allclose(np.log2(np.divide(wrong[:-1], wrong[1:])), 2, atol=0.1)


def test_a_bath_gives_its_temperature():
    "To four times the error that the spread of independent replicas tells."
    start = np.repeat(START[:1], 48, axis=0)
    heats = np.repeat([0.1, 0.4], 24)
    found = moved(start, temperature=heats, steps=6000, dt=4e-3, every=10, seed=2).after(8.0)
    for heat in (0.1, 0.4):
        each = found.temperature[heats == heat].mean(axis=1)
        assert abs(each.mean() - heat) < 4 * each.std(ddof=1) / np.sqrt(24)


def test_ase_goes_the_same_way():
    pytest.importorskip("ase")
    from ase.md.verlet import VelocityVerlet

    db = pt.Database.from_arrays(START[:1], 5.0, potential=pt.ModifiedLennardJones())
    atoms = pt.to_atoms(db, "H")[0]
    atoms.set_masses(np.ones(4))
    velocities = np.zeros((4, 3))
    velocities[:, :2] = KICK[0]
    atoms.set_velocities(velocities)
    atoms.calc = pt.calculator(pt.ModifiedLennardJones())
    before = atoms.positions.copy()
    VelocityVerlet(atoms, timestep=2e-3).run(200)
    ours = moved(START[0], velocities=KICK[0], steps=200).positions[0]
    np.testing.assert_allclose((atoms.positions - before)[:, :2], ours[-1] - ours[0], atol=1e-9)


@pytest.mark.parametrize("error", [None, ValueError, np.linalg.LinAlgError])
def test_a_replica_that_fails_ends_and_the_others_go_on(error):
    "One is aimed at the middle, the other passes it by."
    x = np.array([[[1.0, 2.0]], [[1.0, 2.0]]])
    v = np.array([[[3.0, 0.0]], [[0.0, 3.0]]])
    found = moved(x, 4.0, Spot(error), velocities=v, steps=400, dt=2e-3, every=1)
    assert found.failed[0] > 10 and found.failed[1] == -1
    step = found.failed[0]
    for column in (found.positions, found.velocities, found.potential_energy):
        assert np.isfinite(column[0, :step]).all() and np.isnan(column[0, step:]).all()
        assert np.isfinite(column[1]).all()
    assert "1 of 2" in repr(found) and np.isfinite(found.drift[1])
    assert len(found[1]) == 1 and found[1].failed[0] == -1
    found.plot_energy(0)
    found.plot_drift()
    found.plot_temperature()
    alone = moved(x[1], 4.0, Spot(error), velocities=v[1], steps=400, dt=2e-3, every=1)
    assert (alone.positions == found.positions[1]).all()


def test_what_a_model_says_of_the_start_is_an_error():
    with pytest.raises(ValueError, match="middle"):
        moved(np.full((1, 2), 2.0), 4.0, Spot(ValueError))
    with pytest.raises(ValueError, match="particles 0 and 1"):
        moved(np.zeros((2, 2)), 4.0)


def test_all_may_fail():
    close = START.copy()
    close[:, 0] = close[:, 1] + 0.05
    found = moved(close, steps=2000)
    assert (found.failed == 1).all() and np.isnan(found.positions[:, 1:]).all()


def test_a_database_of_what_was_met():
    found = moved(temperature=0.5, every=20)
    db = found.to_database(forces=True)
    assert len(db) == 6 * 11 and (db.positions >= 0).all() and (db.positions < 5).all()
    np.testing.assert_allclose(db.forces, pt.forces(db.positions, 5.0), atol=1e-9)
    with pytest.raises(ValueError, match="width"):
        moved(width=SHEARED, every=20).to_database()


@pytest.mark.parametrize("heat", [None, 0.3])
@pytest.mark.parametrize("width", [5.0, SHEARED])
@pytest.mark.parametrize("model", [pt.Morse(), pt.sample_network()])
def test_files_keep_every_bit(heat, width, model, tmp_path):
    kept = moved(START[:2], width, model, steps=20, temperature=heat, depth=1).after(0.02)
    found = pt.load(kept.save(tmp_path / "moved.parquet"))
    for field in dataclasses.fields(kept):
        one, other = getattr(kept, field.name), getattr(found, field.name)
        if isinstance(one, np.ndarray):
            assert (one.dtype, one.shape, one.tobytes()) == (
                other.dtype, other.shape, other.tobytes())
        elif field.name != "model":
            assert one == other
    assert repr(found) == repr(kept) and os.listdir(tmp_path) == ["moved.parquet"]
    np.testing.assert_array_equal(found.pressure(), kept.pressure())


def test_cells_on_a_line_stay_cells(tmp_path):
    kept = moved(np.zeros((1, 2, 1)) + [[[0.0], [1.1]]], [[[4.0]]], steps=3)
    found = pt.load(kept[[0, 0]].save(tmp_path / "moved.parquet"))
    assert found.width.shape == kept[[0, 0]].width.shape


def test_a_model_that_no_file_can_hold(tmp_path):
    own = pt.Potential(lambda r: (1 - r / 2) ** 2 if r < 2 else 0.0, cutoff=2.0, name="mine")
    for model in (own, Oracle()):
        kept = moved(START[:1], 5.0, model, steps=10)
        name = "mine" if model is own else "Oracle"
        with pytest.warns(UserWarning, match=f"{name}.*replace"):
            found = pt.load(kept.save(tmp_path / "moved.parquet"))
        assert found.model is None
        for call in (found.pressure, lambda: found.to_database(forces=True)):
            with pytest.raises(ValueError, match="model is unknown.*replace"):
                call()
        again = dataclasses.replace(found, model=model)
        np.testing.assert_array_equal(again.pressure(), kept.pressure())
        assert len(found.to_database()) == 11


def test_files_that_are_wrong(tmp_path):
    from pes_toy.base.tables import columns_of, read_table, write_table

    kept = moved(START[:2], steps=4)
    for path in (tmp_path / "a.json", tmp_path, 5):
        with pytest.raises((ValueError, TypeError), match="path"):
            kept.save(path)
    with pytest.raises(ValueError, match="no replicas"):
        kept[:0].save(tmp_path / "a.parquet")
    path = kept.save(tmp_path / "moved.parquet")
    table, header = read_table(path)
    unheard = {"potential": {"type": "Unheard"}}
    for change in (dict(schema=4), dict(shape=[2, 9, 4, 2]), dict(settings={}),
                   dict(model={"x": 1}), dict(model=unheard), dict(shape=None)):
        write_table(path, columns_of(table), {**header, **change})
        with pytest.raises(ValueError, match="moved.parquet.*update"):
            pt.load(path)
    frame = pq.read_table(kept.save(path)).to_pandas()
    np.testing.assert_array_equal(frame["time"], np.tile(kept.time, 2))
    np.testing.assert_array_equal(np.stack(frame["velocities"]).ravel(), kept.velocities.ravel())


def test_the_command_keeps_a_trajectory(tmp_path, capsys, monkeypatch):
    from pes_toy.cli import main

    monkeypatch.chdir(tmp_path)
    make(n_configurations=5).save("db.parquet")
    run = ["dynamics", "ModifiedLennardJones", "db.parquet", "out.parquet", "--steps", "50"]
    assert main([*run, "--trajectory", "moved.parquet", "--replicas", "2"]) == 0
    assert "out.parquet and moved.parquet" in capsys.readouterr().out
    kept = pt.load("moved.parquet")
    np.testing.assert_array_equal(kept.potential_energy.ravel(), pt.load("out.parquet").energy)
    assert main(["info", "moved.parquet", "--pictures", "drawn"]) == 0
    assert "2 of 4 particles" in capsys.readouterr().out and len(os.listdir("drawn")) == 2
    for wrong in ([*run, "--trajectory", "out.parquet"], [*run, "--trajectory", "a.csv"],
                  ["train", "moved.parquet", "a.npz"], ["convert", "moved.parquet", "a.xyz"],
                  ["dynamics", "Morse", "moved.parquet", "a.parquet"]):
        assert main(wrong) == 1
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and any(f in said for f in wrong if "." in f)


def test_a_moving_picture(tmp_path):
    from PIL import Image

    for width in (5.0, SHEARED):
        picture = moved(width=width).animate(1, frames=5)
        path = picture.save(tmp_path / "moving.gif")
        assert Image.open(path).n_frames == 5 == picture.frames
        assert "data:image/gif" in picture._repr_html_()
    with pytest.raises(ValueError, match="gif"):
        picture.save(tmp_path / "moving.png")


@pytest.mark.parametrize("changes, word", [
    (dict(steps=0), "steps"), (dict(dt=0.0), "dt"), (dict(dt="1"), "dt"),
    (dict(temperature=-1), "temperature"), (dict(temperature=[0.1, 0.2]), "temperature"),
    (dict(friction=-1), "friction"), (dict(velocities=np.zeros((3, 2))), "velocities"),
    (dict(seed=-1), "seed"), (dict(every=0), "every"), (dict(model=3), "potential"),
    (dict(model=pt.LennardJones()), "depth"), (dict(width=-1.0), "width")])
def test_what_cannot_be_is_an_error_that_names_it(changes, word):
    with pytest.raises((ValueError, TypeError), match=word):
        moved(**changes)


def test_what_does_not_fit_into_memory_is_refused():
    with pytest.raises(ValueError, match="memory"):
        moved(steps=10**9, every=1)


@pytest.mark.parametrize("model", [pt.ModifiedLennardJones(), pt.sample_network()])
def test_it_can_be_interrupted(model):
    moved(model=model, steps=2)
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        moved(model=model, steps=10_000_000, every=10_000)
    assert time.monotonic() - began < 10
