"""What people hand over by mistake, and the public functions that must say so."""

import dataclasses
import functools
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pes_toy as pt
from pes_toy.active import Plan

X = np.array([[0.5, 0.5], [1.6, 0.6], [0.7, 1.8], [2.5, 2.4]])
BATCH = np.array([X, X[:, ::-1] + 0.1])

NUMBERS = [
    0, -1, 1, 2, 3, 1.5, -0.0, 5e-324, 1e-300, 1e-9, 1e9, 1e300, float("nan"), float("inf"),
    -float("inf"), 10**400, -(10**400), 2**63, 2**64, True, np.True_, np.float32(2.5), np.int8(3),
    np.uint64(2**64 - 1), np.float16(2), np.longdouble(2.5), Decimal("2.5"), Decimal("nan"),
    Fraction(5, 2), 1 + 1j, np.complex128(2), np.datetime64("2026-01-01"), np.timedelta64(3, "s")]
WORDS = [
    "", "5", "abc", b"5", "nan", "\x1b[31m", "\ud800", "a\0b", "\u00e4" * 300, "descent", "exact",
    Path("x"), bytearray(b"1")]
LISTS = [
    [], (), [1], [1, 2], (-2, -3), [5, 3], [3, 5, 7], [[1, 2], [3]], [[]], [None], ["a", "b"],
    [float("nan")], [-2, float("nan")], [10**400], {}, {"a": 1}, set(), {1, 2}, range(3),
    np.array(5.0), np.array([5.0]), np.array([]), np.zeros((0, 2)), np.zeros((2, 0)),
    np.zeros((3, 4, 0)), np.ones((1, 1)), np.ones((2, 2, 2, 2)), np.full((4, 2), np.nan),
    np.full((4, 2), np.inf), np.full((4, 2), 1e200), np.zeros((4, 2)), np.array(["a"]),
    np.array([None, 1]), np.array([1 + 1j]), np.ma.masked_array([5.0], [True]), pd.Series([5.0]),
    np.arange(8).reshape(4, 2), np.ones((4, 5)), np.ones((4, 2), bool), [[None] * 2] * 4,
    np.zeros((4, 2), "M8[s]"), np.full((4, 2), 10**400, object), np.zeros(3, [("a", float)])]
THINGS = [None, ..., NotImplemented, object(), object, int, len, lambda *a: 0, slice(1, 2),
          np.random.default_rng(0), iter([1]), pt.ModifiedLennardJones, pt.ModifiedLennardJones(),
          pt.DatabaseSpec(), pt.ProximityEigenvalues]
VALUES = NUMBERS + WORDS + LISTS + THINGS


@dataclasses.dataclass(repr=False)
class Target:
    "A public function or class with arguments that it takes, and the errors it may raise."

    call: object
    good: dict
    others: tuple = ()  # names that an error may say beside the argument's
    errors: tuple = (ValueError, TypeError)
    calls: tuple = ()  # arguments that may be functions, whose errors are their own

    def __repr__(self):
        return f"Target of {', '.join(self.good)}"

    def _repr_pretty_(self, printer, cycle):
        "What hypothesis prints of a case that failed: not all the good arguments of everything."
        printer.text(repr(self))


def _small(**more):
    return dict(positions=X, width=3.0, **more)


def _quietly(call):
    return functools.partial(call, progress=False)


def database():
    return pt.generate(pt.DatabaseSpec(n_configurations=12, epochs=2, forces=True), progress=False)


def in_chunks(folder):
    "A dataset in a folder."
    spec = pt.DatabaseSpec(n_configurations=12, epochs=2)
    return pt.generate(spec, checkpoint=folder / "chunks", progress=False).folder


def unlike():
    "Two structures of different cells."
    cells = [3.0 * np.eye(2), np.array([[3.0, 0], [1, 3]])]
    return pt.Structures.from_arrays([X, X[:3]], cells, group=["a", "b"],
                                     potential=pt.ModifiedLennardJones())


def of_structures(some, potential):
    "What makes and takes sets of unlike configurations."
    atoms = some.to_atoms()
    parts = dict(mask=some.energy < 0, group="a", energy=(-100.0, 100.0), counts=(1, 9))
    return {
        "from_arrays": Target(pt.Structures.from_arrays, dict(
            positions=[X, X[:3]], cell=3.0 * np.eye(2), energy=[1.0, 2], counts=[4, 3],
            forces=np.zeros((7, 2)), stress=np.zeros((2, 2, 2)), group=["a", "b"], potential=None,
            units={}, about={})),
        "from_atoms of structures": Target(
            pt.Structures.from_atoms, dict(
                atoms=atoms, energy_key=None, forces_key=None, stress_key=None, group_key="group",
                length=2.0, energy=3.0, labels=True, units=None),
            ("atoms", "key", "file", "File"), errors=(ValueError, TypeError, OSError)),
        "labelled": Target(_quietly(some.labelled), dict(
            model=potential, forces=True, stress=False, depth=None), ("potential",)),
        "filter structures": Target(some.filter, parts, calls=("mask",)),
        "split structures": Target(some.split, dict(fractions=0.5, seed=0)),
        "sample structures": Target(some.sample, dict(n=2, seed=0)),
        "inputs": Target(some.inputs, dict(descriptor=pt.SymmetryFunctions())),
        "rows of structures": Target(some.__getitem__, dict(rows=slice(0, 2)), ("row",),
                                     errors=(IndexError,)),
        "concat structures": Target(pt.concat, dict(databases=[some, some])),
        "train_last_layer": Target(_quietly(pt.train_last_layer), dict(
            structures=some, spec=pt.TrainingSpec.recommended(hidden=(3,)), slope=0.3,
            ridge=1e-6)),
    }


def targets(folder):
    "By name; files go to a folder."
    mlj = pt.ModifiedLennardJones()
    cell = dict(potential=mlj, depth=1)
    orders = dict(orders=(-2, -3), R_0p=3.0)
    matrices = _small(**orders, workers=1)
    db = database()
    network = pt.sample_network()
    files = dict(path=db.save(folder / "database.parquet"), potential=None)
    found = {
        "cells": Target(pt.cells, dict(dimension=2, depth=1)),
        "lattice_points": Target(pt.lattice_points, _small(depth=1)),
        "wrap": Target(pt.wrap, _small()),
        "energy_per_particle": Target(pt.energy_per_particle,
                                      _small(**cell, protocol="exact", workers=1)),
        "energy_per_particle, no reach": Target(
            pt.energy_per_particle,
            _small(potential=pt.LennardJones(), depth=1, protocol="thesis", workers=1)),
        "energy_and_forces": Target(pt.energy_and_forces, _small(**cell, workers=1)),
        "forces": Target(pt.forces, _small(**cell, workers=1)),
        "brute_force_energy": Target(pt.brute_force_energy, _small(potential=mlj, depth=0)),
        "cost": Target(pt.cost, dict(n_particles=4, dimension=2, depth=1, protocol="exact")),
        "relax": Target(pt.relax, _small(**cell, relaxer="descent", epochs=2, max_delta=0.1,
                                         protocol="exact", seed=0, workers=1)),
        "relax with fire": Target(pt.relax, _small(**cell, relaxer="fire", epochs=2, max_delta=0.1,
                                                   protocol="exact", seed=0, workers=1)),
        "relax_cell": Target(pt.relax_cell, _small(
            **cell, cell=True, pressure=0.0, tolerance=1e-3, steps=3, max_delta=0.05),
            ("max_delta",)),
        "proximity_matrices": Target(pt.proximity_matrices, matrices, ("range",)),
        "proximity_eigenvalues": Target(pt.proximity_eigenvalues, matrices, ("range",)),
        "proximity_eigenvalue_gradients": Target(
            pt.proximity_eigenvalue_gradients, matrices, ("range",)),
        "degenerate_eigenvalues": Target(pt.degenerate_eigenvalues, matrices, ("range",)),
        "numerical_gradients": Target(
            pt.numerical_gradients, dict(values=lambda x, w: x.sum(axis=(1, 2)), positions=BATCH,
                                         width=np.array([3.0, 3.0]), step=1e-5),
            calls=("values",)),
        "stress": Target(pt.stress, _small(**cell, workers=1)),
        "stress of cells": Target(pt.stress, dict(positions=X, width=[[3.0, 0.0], [1.0, 3.0]])),
        "pressure": Target(pt.pressure, _small(**cell, workers=1)),
        "strained": Target(pt.strained, _small(strain=[[0.1, 0.0], [0.2, 0.0]])),
        "equation_of_state": Target(
            pt.equation_of_state, dict(positions=np.zeros((1, 2)), width=0.8, potential=mlj,
                                       scales=(0.9, 1.0, 1.1, 1.2), depth=None), ("scales",)),
        "elastic_constants": Target(
            pt.elastic_constants, _small(**cell, relaxed=True, step=1e-4)),
        "hessian": Target(pt.hessian, _small(**cell, step=1e-4)),
        "vibrations": Target(pt.vibrations, _small(**cell)),
        "dynamics": Target(_quietly(pt.dynamics), _small(
            model=mlj, steps=5, dt=1e-3, temperature=0.1, friction=1.0, velocities=X, seed=0,
            every=2, depth=1, workers=1), ("potential", "replica")),
        "pair_distribution": Target(pt.pair_distribution, _small(r_max=2.0, bins=5)),
        "mean_square_displacement": Target(pt.mean_square_displacement, dict(
            positions=np.arange(80.0).reshape(1, 10, 4, 2), spacing=0.1, lags=3)),
        "mean_with_error": Target(pt.mean_with_error, dict(values=[1.0, 2.0, 4.0, 3.0])),
        "partition_function": Target(_quietly(pt.partition_function), dict(
            width=3.0, model=mlj, temperatures=[0.5, 1.0], points=4, symmetry=True, depth=1),
            ("potential",)),
        "stress of a network": Target(network.stress, dict(positions=X, width=5.0)),
        "drag_path": Target(pt.drag_path, dict(n=5, x=2.5, width=5.0)),
        "ProximityEigenvalues": Target(pt.ProximityEigenvalues, orders),
        "RelativeDistances": Target(pt.RelativeDistances, dict(orders=(-2, -3))),
        "SymmetryFunctions": Target(pt.SymmetryFunctions, dict(
            radial=((1.0, 0.0),), angular=((0.1, 0.0, 2.0, 1.0),), cutoff=3.0, third_side=True)),
        "Potential": Target(pt.Potential, dict(
            pair=lambda r: (1 - r / 2) ** 2 if r < 2 else 0.0, cutoff=2.0, reach=None,
            pair_weight=1.0, triplet_weight=0.0,
            name="mine", triplet=None, pair_derivative=None, triplet_derivative=None),
            ("function", "Potential"),
            calls=("pair", "triplet", "pair_derivative", "triplet_derivative")),
        "DatabaseSpec": Target(pt.DatabaseSpec, _fields(pt.DatabaseSpec()),
                               ("width", "depth", "n_widths", "lattice points")),
        "TrainingSpec": Target(pt.TrainingSpec, _fields(pt.TrainingSpec())),
        "BaselineSpec": Target(pt.BaselineSpec, _fields(pt.BaselineSpec())),
        "Database": Target(pt.Database, dict(
            positions=BATCH, width=3.0, energy=[1.0, 2.0], forces=BATCH, acceptance=[0.1, 0.2],
            depth=[1, 1], epochs=[3, 3], index=[0, 1], subset=[0, 1], extra={}, about={},
            spec=None)),
        "Database.from_arrays": Target(pt.Database.from_arrays, dict(
            positions=BATCH, width=3.0, energy=[1.0, 2.0], forces=BATCH, potential=mlj, depth=1),
            ("energy", "forces")),
        "generate": Target(_quietly(pt.generate),
                           dict(spec=pt.DatabaseSpec(n_configurations=3), workers=1)),
        "load": Target(pt.load, files, errors=(ValueError, TypeError, OSError)),
        "load_network": Target(pt.load_network, dict(path=network.save(folder / "network.npz")),
                               errors=(ValueError, TypeError, OSError)),
        "concat": Target(pt.concat, dict(databases=[db, db])),
        "filter": Target(db.filter, dict(mask=np.ones(12, bool), energy=(-3, 3), width=(1, 9)),
                         calls=("mask",)),
        "split": Target(db.split, dict(validation=0.25, seed=0)),
        "sample": Target(pt.load(in_chunks(folder)).sample, dict(n=4, seed=0)),
        "rows": Target(db.__getitem__, dict(rows=slice(2, 5)), ("row",), errors=(IndexError,)),
        "prepare": Target(_quietly(pt.prepare), dict(
            database=db, descriptor=pt.ProximityEigenvalues(), name="inputs")),
        "inputs_of": Target(pt.inputs_of, dict(
            database=pt.prepare(db, progress=False), descriptor=None, name="inputs"), ("inputs",)),
        "predict": Target(network.predict, dict(positions=X, width=5.0)),
        "energy_and_forces of a network": Target(network.energy_and_forces,
                                                 dict(positions=X, width=5.0)),
        "drag": Target(network.drag, dict(potential=None, width=5.0, points=11), ("n must",)),
        "score": Target(pt.score, dict(model=network, database=db)),
        "to_atoms": Target(pt.to_atoms, dict(database=db, symbol="H")),
        **of_structures(unlike(), mlj),
        "calculator": Target(pt.calculator, dict(model=mlj, depth=1), ("potential",)),
        "Experiment": Target(
            pt.Experiment, _fields(pt.Experiment("one", pt.DatabaseSpec())), ("name",)),
        "descriptor_from_settings": Target(
            pt.descriptor_from_settings, dict(settings=pt.ProximityEigenvalues().settings),
            ("descriptor", "type")),
        "train": Target(_quietly(pt.train), dict(database=db, spec=pt.TrainingSpec(
            epochs=1, batch_size=4, hidden=()))),
        "fit_baseline": Target(pt.fit_baseline, dict(database=db, spec=pt.BaselineSpec())),
        "Average": Target(pt.Average, dict(members=[network, network])),
        "Committee": Target(pt.Committee, dict(members=[network, network], calibration=None)),
        **of_committee(db),
        **of_learning(db, unlike()),
        **of_motion(),
    }
    for kind in (pt.Morse, pt.LennardJones, pt.AreaPair, pt.AreaPerimeter, pt.PairArea,
                 pt.ModifiedLennardJones):
        found[kind.__name__] = Target(kind, _fields(kind()), ("R_0",))
        found[f"{kind.__name__}.pair"] = Target(kind().pair, dict(r=1.2))
        found[f"{kind.__name__}.triplet"] = Target(kind().triplet, dict(a=1.0, b=1.0, c=1.2))
    for descriptor in (pt.ProximityEigenvalues(R_0p=3), pt.RelativeDistances(),
                       pt.SymmetryFunctions()):
        name = type(descriptor).__name__
        found[name + ".values"] = Target(descriptor.values, _small())
        found[name + ".gradients"] = Target(descriptor.gradients, _small())
        found[name + ", called"] = Target(descriptor, _small())
        g = np.ones_like(descriptor.values(X, 3.0))
        found[name + ".pullback"] = Target(descriptor.pullback, _small(g=g), ("g must",))
    return found


def committee():
    "Two handmade predictors, calibrated."
    members = [pt.fit_baseline(pt.sample_database(), pt.BaselineSpec(seed=s)) for s in range(2)]
    return pt.Committee(members).calibrate(pt.sample_database()[:200])


def of_committee(db):
    "What a committee is asked."
    model = committee()
    asked = dict(positions=X, width=5.0, of="forces")
    return {
        "each": Target(model.each, asked),
        "spread": Target(model.spread, asked),
        "interval": Target(model.interval, dict(coverage=0.8, **asked)),
        "judge": Target(model.judge, dict(database=db, of="forces")),
        "calibrate": Target(committee().calibrate, dict(database=pt.sample_database()[:200])),
        "drag_intervals": Target(model.drag_intervals, dict(coverage=0.8, width=5.0, points=11)),
        "train_committee": Target(_quietly(pt.train_committee), dict(
            database=db, spec=pt.BaselineSpec(), size=2, bootstrap=False, calibration=0.0)),
    }


def of_learning(db, some):
    "What learns from unlike structures, and what chooses."
    spec = pt.TrainingSpec(inputs=pt.SymmetryFunctions(), transform="standardised", hidden=(2,),
                           epochs=1, batch_size=1, validation=0.5)
    network = _quietly(pt.train)(some, spec)
    known = ("rows", "structures", "configurations", "inputs", "hidden", "batch")
    return {
        "train on structures": Target(
            _quietly(pt.train), dict(database=some, spec=spec, start=network, callback=None),
            known, calls=("callback",)),
        "score of structures": Target(pt.score, dict(model=network, database=some)),
        "predictions of structures": Target(
            _quietly(some.labelled), dict(model=network, forces=True, stress=True, depth=None),
            ("potential",)),
        "relax_cell of a network": Target(pt.relax_cell, dict(
            positions=X, width=[[3.0, 0.0], [1.0, 3.0]], potential=network, cell=True, steps=2),
            ("max_delta",)),
        "active_learning": Target(
            _quietly(pt.active_learning), dict(
                pool=db, training=pt.BaselineSpec(), judges={"here": db}, strategies=("random",),
                plan=Plan(10, 1, 1, 2), oracle=pt.ModifiedLennardJones(), seeds=1, compute=True,
                workers=1),
            ("judge",), calls=("strategies",)),
    }


def of_motion():
    "What a trajectory is asked."
    moved = _quietly(pt.dynamics)(BATCH, 3.0, steps=6, dt=1e-3, every=1)
    return {
        "rows of a trajectory": Target(moved.__getitem__, dict(replicas=slice(0, 1)), ("row",),
                                       errors=(IndexError,)),
        "after": Target(moved.after, dict(time=0.002)),
        "to_database": Target(moved.to_database, dict(every=2, forces=True)),
        "animate": Target(moved.animate, dict(replica=0, frames=1, seconds=1.0)),
        "distances of a trajectory": Target(moved.pair_distribution, dict(r_max=1.0, bins=5)),
        "displacement of a trajectory": Target(moved.mean_square_displacement, dict(lags=2)),
        "dynamics of a network": Target(_quietly(pt.dynamics), dict(
            positions=X, width=5.0, model=pt.sample_network(), steps=2, dt=1e-3, every=1),
            ("potential", "replica")),
    }


def _fields(settings):
    return {field.name: getattr(settings, field.name) for field in dataclasses.fields(settings)
            if field.init}
