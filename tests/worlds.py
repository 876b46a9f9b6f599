"""Random cells, a second witness of their energies, and what may come of a call."""

import contextlib
import faulthandler
import os
import sys
import time
import traceback
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pes_toy as pt
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from pes_toy.lattice import cells

STRESS = float(os.environ.get("PES_TOY_STRESS", 0))  # 1: 10,000 cases and more; 2: twice as many
PACKAGE = str(Path(pt.__file__).parent)
SECONDS = 5.0  # of CPU time that an answer or an error may take
REFUSED = (ValueError, TypeError)


def cases(few, many):
    "So many random cases: the same few in `make test`, others each time in `make stress`."
    return settings(
        max_examples=int(many * STRESS) or few, derandomize=not STRESS, deadline=None,
        database=None, print_blob=True, suppress_health_check=list(HealthCheck))


class Outcome(NamedTuple):
    "What came of a call: an answer, or a clear error."
    answer: object
    error: Exception | None


def outcome(call, *named, seconds=SECONDS, errors=REFUSED):
    "Calls. A hang, a crash, an error from deep within or one that does not name an argument fails."
    found, took = _timed(call, errors)
    if took > seconds:  # the first time kernels may be compiled
        found, took = _timed(call, errors)
    assert took < seconds, f"{took:.1f} s of CPU time"
    if found.error:
        inner = traceback.extract_tb(found.error.__traceback__)[-1]
        ours = inner.filename.startswith(PACKAGE) or isinstance(found.error, OSError)
        ours = ours and not type(found.error).__module__.startswith("numpy")
        assert ours, f"from deep within, {inner}: {found.error!r}"
        said = any(name in str(found.error) for name in named)
        assert said or not named, f"names none of {named}: {found.error!r}"
    return found


def _timed(call, errors):
    "What comes of a call, and the CPU time that it takes."
    faulthandler.dump_traceback_later(900, exit=True, file=sys.__stderr__)  # it hangs
    start = time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            found = Outcome(call(), None)
    except errors as error:
        found = Outcome(None, error)
    finally:
        faulthandler.cancel_dump_traceback_later()
    return found, time.process_time() - start


class World(NamedTuple):
    "One configuration."
    x: np.ndarray  # (N, d)
    w: float

    def __repr__(self):
        return f"World(w={self.w!r}, N={len(self.x)}, d={self.x.shape[1]}, x={self.x.tolist()})"


def _uniform(rng, N, d, w):
    return rng.uniform(0, w, (N, d))


def _cluster(rng, N, d, w):
    "Steps of about R_c from one particle to the next, anywhere in the cell."
    steps = rng.normal(size=(N, d))
    steps *= rng.uniform(0.8, 1.3, (N, 1)) / np.linalg.norm(steps, axis=1, keepdims=True)
    return np.cumsum(steps, axis=0) + rng.uniform(0, w, d)


def _lattice(rng, N, d, w):
    n = int(np.ceil(N ** (1 / d)))
    corners = np.stack([np.arange(N) // n**c % n for c in range(d)], axis=1)
    return (corners + rng.uniform(0, 0.3, (N, d))) * (w / n)


def _close(rng, N, d, w):
    "Two particles very close to each other, or in one place."
    x = _uniform(rng, N, d, w)
    apart = 0.0 if rng.random() < 0.2 else w * 10.0 ** -rng.uniform(0, 18)
    x[0] = x[-1] + apart * np.eye(d)[0]
    return x


def _borders(rng, N, d, w):
    "Coordinates on and beside the borders of the cell."
    ends = [0.0, -0.0, w, w / 2, np.nextafter(w, 0), np.nextafter(0, 1), -1e-17, -w, 2 * w]
    return np.where(rng.random((N, d)) < 0.6, rng.choice(ends, (N, d)), rng.uniform(0, w, (N, d)))


def _line(rng, N, d, w):
    "All on one axis, equally spaced: degenerate triangles."
    x = np.full((N, d), rng.uniform(0, w))
    x[:, rng.integers(d)] = np.arange(N) * min(1.0, w / N)
    return x


def _outside(rng, N, d, w):
    return _lattice(rng, N, d, w) + w * rng.integers(-1000, 1000, (N, d))


PLACES = [_uniform, _cluster, _lattice, _close, _borders, _line, _outside]


@st.composite
def worlds(draw, most=50, dimensions=(1, 2, 3, 4), narrow=0.3, wide=1e6):
    "Configurations of 1 to `most` particles in cells of 0.3 to 10^6."
    d = draw(st.sampled_from(dimensions))
    N = draw(st.one_of(st.integers(1, min(6, most)), st.integers(1, most)))
    low, high = np.log10(narrow), np.log10(wide)
    w = 10 ** draw(st.one_of(st.floats(low, high), st.floats(max(low, 0), 1.0)))
    w = draw(st.sampled_from([w, float(np.round(w, 1)) or w]))
    w = min(max(w, narrow), wide)
    place = draw(st.sampled_from(PLACES))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return World(place(rng, N, d, w), float(w))


POTENTIALS = [pt.ModifiedLennardJones(), pt.ModifiedLennardJones(R_0=2.5, R_c=1.1, E_c=0.3)]
ENDLESS = [pt.LennardJones()]
if STRESS:  # these take long to compile
    POTENTIALS.append(pt.ModifiedLennardJones(n=7.5, R_0=2.2))
    ENDLESS.append(pt.AreaPair())


def depth_of(potential, w, depth, protocol="exact"):
    "The depth that must come of the depth that was given."
    if potential.reach is None or (protocol == "thesis" and depth is not None):
        return depth
    return max(int(np.ceil(potential.reach / w)), depth or 0)


def work(world, potential, depth, protocol="exact"):
    "Points that are listed, and about how many triangles or pairs there are."
    N, d = world.x.shape
    deep = depth_of(potential, world.w, depth, protocol)
    points = N * (2.0 * deep + 1) ** d
    reach = np.inf if potential.reach is None else potential.reach
    near = min(points, N * (2.0 * reach / world.w + 1) ** d)
    return points, N * near ** (2 if potential.triplet_weight else 1)


class Witness(NamedTuple):
    "Energy per particle and forces, with what they may differ by."
    energy: float
    forces: np.ndarray
    tolerance: float  # of the energy
    of_forces: float
    sound: bool  # is rounding small beside the shortest distance?


def witness(world, potential, depth=None, protocol="exact"):
    "Equations (5) and (9) by arrays, particle by particle; and the slopes of each term."
    x, w = world
    N, d = x.shape
    if protocol == "exact":
        x = x - w * np.floor(x / w)
        x = np.where((x < 0) | (x >= w), 0.0, x)
    k = cells(d, depth_of(potential, w, depth, protocol))
    points = (x + w * k[:, None]).reshape(-1, d)
    owner = np.tile(np.arange(N), len(k))
    central = np.repeat((k == 0).all(axis=1), N)
    slack = 8 * np.finfo(float).eps * (np.abs(points).max() + w)
    reach = np.inf if potential.reach is None else potential.reach
    total = size = steep = 0.0
    terms = 0
    closest = np.inf
    gradient = np.zeros((N, d))
    for i in range(N):
        v = points - x[i]
        r = np.linalg.norm(v, axis=1)
        seen = (r < reach) & ~(central & (owner == i))
        v, r, o, inside = v[seen], r[seen], owner[seen], central[seen]
        closest = min(closest, r.min(initial=np.inf))
        if closest <= slack:
            return Witness(np.nan, gradient, np.inf, np.inf, False)
        for values, slopes, lines, ends in _terms(potential, v, r, o, i, inside, protocol):
            total += values.sum()
            size += np.abs(values).sum()
            terms += len(values)
            steep += np.abs(slopes).sum() + np.abs(values / closest).sum() * 1e-3
            for slope, line, (to, of) in zip(slopes, lines, ends):
                pull = (slope / np.linalg.norm(line, axis=1))[:, None] * line
                np.add.at(gradient, to, pull)
                np.add.at(gradient, of, -pull)
    rounded = np.finfo(float).eps * terms  # of an E_c: just inside the reach all but that cancels
    tolerance = 1e-11 * size + 8 * slack * steep + rounded
    of_forces = 1e-10 * steep + 200 * slack * steep / closest
    return Witness(total / N, -gradient, tolerance / N, of_forces, slack < 1e-4 * closest)


def _terms(potential, v, r, o, i, inside, protocol):
    "Weighted values (n,), slopes (sides, n), the sides as vectors and whom they join."
    me = np.full(len(r), i)
    if potential.pair_weight and len(r):
        w2 = potential.pair_weight
        yield w2 * potential.pair(r), [w2 * potential.pair_derivative(r)], [v], [(o, me)]
    a, b = np.triu_indices(len(r), 1)
    c = np.linalg.norm(v[a] - v[b], axis=1)
    seen = c > 0
    a, b, c = a[seen], b[seen], c[seen]
    if potential.triplet_weight and len(a):
        weight = np.full(len(a), 2 * potential.triplet_weight)
        if protocol == "thesis":
            weight[inside[a] != inside[b]] /= 2
        sides = r[a], r[b], c
        slopes = [weight * s for s in potential.triplet_derivatives(*sides)]
        who = [(o[a], me[a]), (o[b], me[b]), (o[a], o[b])]
        yield weight * potential.triplet(*sides), slopes, [v[a], v[b], v[a] - v[b]], who


@contextlib.contextmanager
def quiet():
    "No warnings of the witness's own."
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
