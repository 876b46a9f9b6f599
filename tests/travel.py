"""A script that sends methods and results to other processes: travel.py fork (or spawn, ...)."""

import dataclasses
import multiprocessing
import sys

import numpy as np
import pes_toy as pt
from pes_toy.relaxation import Relaxer


def spring(r):
    return (r - 1.0) ** 2 - 0.25 if r < 1.5 else 0.0


@dataclasses.dataclass(frozen=True)
class Spread(pt.Descriptor):
    power: int = 1

    def values(self, positions, width):
        spread = positions.std(axis=(1, 2)) / width
        return np.stack([spread, spread**self.power], axis=1)


class Rest(Relaxer, name="rest"):
    @staticmethod
    def run(batch, potential, recipe, draw_of, workers):
        pass


class Springs(pt.Predictor):
    n_particles, dimension, any_number = 4, 2, True
    about = {}

    def evaluate(self, x, w, with_forces=False):
        return x.sum(axis=(1, 2)), np.zeros_like(x) if with_forces else None


def same(thing):
    "What arrives goes back."
    return thing


def with_lambda(_):
    "A result that cannot travel."
    return pt.Potential(lambda r: 0.0 * r, cutoff=1.0, name="at fault")


def jobs():
    "Functions with their arguments."
    db = pt.sample_database()[:4]
    x, w, r = db.positions, db.width, np.array([0.9, 1.2])
    network, own = pt.sample_network(), pt.Potential(spring, cutoff=1.5, name="spring")
    spec = pt.DatabaseSpec(n_configurations=5, relaxer="rest", potential=own)
    yield network.predict, (x, w)
    yield network.forces, (x, w)
    yield Springs().predict, (x, w)
    yield pt.fit_baseline(db, pt.BaselineSpec()).predict, (x, w)
    yield pt.Average([network, network]).predict, (x, w)
    yield pt.Committee([network, network]).spread, (x, w)
    yield own.pair, (r,)
    yield own.pair_derivative, (r,)
    yield pt.ModifiedLennardJones().triplet, (r, r, r)
    yield pt.ProximityEigenvalues().gradients, (x, w)
    yield pt.SymmetryFunctions().values, (x, w)
    yield Spread(2).values, (x, w)
    yield db.statistics, ()
    yield spec.to_dict, ()
    if sys.argv[1] == "fork":
        yield pt.energy_per_particle, (x, w, own)  # compiled in both
    yield pt.relax, (x, w)


def things():
    "What somebody may want to send."
    db, network = pt.sample_database()[:4], pt.sample_network()
    own = pt.Potential(spring, cutoff=1.5, name="spring")
    spec = pt.DatabaseSpec(n_configurations=5, relaxer="rest", potential=own)
    yield from (db, network, own, spec, Spread(3), Rest, Springs(), network.drag(points=5))
    yield from (pt.Experiment("a", spec, pt.TrainingSpec(Spread(2))), pt.TrainingSpec.thesis())
    yield from (pt.Morse(), pt.report(pt.RelativeDistances()), pt.relax(db.positions, 5.0))
    yield from (pt.calculator(network), pt.calculator(own), *pt.to_atoms(db))


def main(method):
    context = multiprocessing.get_context(method)
    with context.Pool(2) as pool:
        for function, given in jobs():
            here, there = function(*given), pool.apply_async(function, given).get(120)
            assert type(here) is type(there) and repr(here) == repr(there), function
            print(getattr(function, "__qualname__", function), "is the same")
        for thing in things():
            again = pool.apply_async(same, (thing,)).get(120)
            assert repr(again).split(" at 0x")[0] == repr(thing).split(" at 0x")[0]
        for ask in (lambda: with_lambda(0), lambda: (pool.apply_async(with_lambda, (0,)).get(60))):
            try:
                pool.apply_async(same, (ask(),)).get(60)
                raise AssertionError("a lambda travelled")
            except Exception as error:
                assert "'at fault' cannot travel" in str(error), error
    print("all arrived")


if __name__ == "__main__":
    main(sys.argv[1])
