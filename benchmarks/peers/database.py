"""Databases: 4 particles in the plane, w = 5, 40 epochs of the descent.

JAX and numpy do what the package does: protocol "exact", and for each move only the terms of the
moved particle. What they leave out is what anybody sees: two images of one particle are 5 apart,
and no triangle with a side of 3 counts. In `as one writes it` all nine images of each other
particle take part; `by hand for this cell` knows that only four of them can be near. The thesis's
algorithm computes the whole energy for every move, from all pairs and triplets, in plain Python.
"""

import functools
import math

import numpy as np
import pes_toy as pt
from pes_toy.engine.streams import Draw, uniforms
from pes_toy.lattice import cells
from pes_toy.relaxation import Recipe, relax_batch

from peers import equation_10
from peers.contest import Entry, contest, deliver, entered

N, D, W = 4, 2, 5.0
EPOCHS = 40
MOVES = EPOCHS * N
STEP = 0.1
SHIFTS = W * cells(D, 1).astype(float)
SEED = 3
PAIRS = ((0, 1), (0, 2), (1, 2))  # of the three other particles
SAME = (
    "4 particles, w = 5, 40 epochs, double precision; drawing, relaxing, energies; the same moves"
)


def numbers(count, seed=SEED):
    "Starting positions (count, N, D), and the uniform numbers of the moves (MOVES, count, D)."
    u = np.array([uniforms(seed, 0, m, N * D + MOVES * D) for m in range(count)])
    start = W * u[:, : N * D].reshape(count, N, D)
    return start, u[:, N * D :].reshape(count, MOVES, D).swapaxes(0, 1)


def relaxed(count, protocol="exact"):
    "Positions that the package makes of the same numbers."
    x = np.empty((count, N, D))
    recipe = Recipe(epochs=EPOCHS, depth=1, protocol=protocol)
    relax_batch(x, np.full(count, W), pt.ModifiedLennardJones(), recipe, Draw(SEED, 0, 0, True))
    return x


def agreement(x, expected):
    "How many configurations end in the same place, in words."
    apart = np.abs(x - expected).max(axis=(1, 2))
    return f"{(apart < 1e-9).sum()} of {len(x)} configurations end within 1e-9"


# all images, as one writes it, and four images, by hand


def all_images(np, x, i):
    "The others as particle i sees them: two coordinates, (..., 3, 9)."
    others = (i + np.arange(1, N)) % N
    near = x[..., others, :] - x[..., i, None, :]
    return [near[..., c, None] + SHIFTS[:, c] for c in range(D)]


def four_images(np, x, i):
    "The nearest image along each axis and the one on the other side, (..., 3, 4)."
    others = (i + np.arange(1, N)) % N
    near = x[..., others, :] - x[..., i, None, :]
    near = near - W * np.round(near / W)
    far = near - W * np.sign(near)
    first = np.stack([near[..., 0], near[..., 0], far[..., 0], far[..., 0]], -1)
    second = np.stack([near[..., 1], far[..., 1], near[..., 1], far[..., 1]], -1)
    return first, second


def sides(np, images, x, i):
    "Distances of particle i, and mean sides of its triangles with each two others."
    u, v = images(np, x, i)
    r = np.sqrt(u * u + v * v)
    means = []
    for a, b in PAIRS:
        du = u[..., a, :, None] - u[..., b, None, :]
        dv = v[..., a, :, None] - v[..., b, None, :]
        third = np.sqrt(du * du + dv * dv)
        means.append((r[..., a, :, None] + r[..., b, None, :] + third) / 3.0)
    return r, means


def terms(np, images, x, i):
    "The terms of N v that particle i takes part in: its pairs, and its triangles."
    r, means = sides(np, images, x, i)
    triangles = sum(equation_10.value(np, s).sum((-1, -2)) for s in means)
    return 0.5 * equation_10.value(np, r).sum((-1, -2)), 4.5 * triangles


def of_particle(np, images, x, i):
    return sum(terms(np, images, x, i))


def whole(np, images, x):
    "Energy per particle: of all of them, each pair is met twice and each triangle three times."
    total = 0.0
    for i in range(N):
        pairs, triangles = terms(np, images, x, i)
        total = total + pairs / 2.0 + triangles / 3.0
    return total / N


def inside(np, x):
    "Back into the cell."
    return np.where(x < 0.0, x + W, np.where(x > W, x - W, x))


# numpy


def numpy_descent(images, x, u):
    "All configurations at once, move by move; their positions and energies."
    x = x.copy()
    for step, of_step in enumerate(u):
        i = step % N
        new = x.copy()
        new[:, i] = inside(np, x[:, i] + STEP * (2.0 * of_step - 1.0))
        keep = of_particle(np, images, new, i) <= of_particle(np, images, x, i)
        x[keep] = new[keep]
    return x, whole(np, images, x)


def numpy_entry(count=300):
    x, u = numbers(count)
    found, energy = numpy_descent(all_images, x, u)
    np.testing.assert_allclose(energy, pt.energy_per_particle(found, W), rtol=1e-9, atol=1e-12)
    rng = np.random.default_rng(0)

    def run():
        start = rng.uniform(0, W, (count, N, D))
        return numpy_descent(all_images, start, rng.random((MOVES, count, D)))

    agrees = agreement(found, relaxed(count))
    return Entry("numpy, vectorised over configurations", run, count * MOVES, agrees)


# JAX


def jax_descent(images):
    "A compiled function of starting positions and uniform numbers: positions and energies."
    import jax

    jax.config.update("jax_enable_x64", True)
    jnp = jax.numpy

    def move(x, step):
        number, u = step
        i = number % N
        new = x.at[i].set(inside(jnp, x[i] + STEP * (2.0 * u - 1.0)))
        keep = of_particle(jnp, images, new, i) <= of_particle(jnp, images, x, i)
        return jnp.where(keep, new, x), None

    def descent(x, u):
        x, _ = jax.lax.scan(move, x, (jnp.arange(MOVES), u))
        return x, whole(jnp, images, x)

    return jax.jit(jax.vmap(descent, in_axes=(0, 1)))


def jax_entry(name, images, count, asked):
    import jax

    descent = jax_descent(images)
    x, u = numbers(count)
    found, energy = (np.asarray(a) for a in descent(x, u))
    np.testing.assert_allclose(energy, pt.energy_per_particle(found, W), rtol=1e-9, atol=1e-12)

    @jax.jit
    def drawn(key):
        one, two = jax.random.split(key)
        start = jax.random.uniform(one, (count, N, D)) * W
        return start, jax.random.uniform(two, (MOVES, count, D))

    def run(keys=iter(range(10**6))):
        return jax.block_until_ready(descent(*drawn(jax.random.key(next(keys)))))

    return Entry(name, run, count * MOVES, agreement(found, relaxed(count)), asked)


# the thesis's algorithm


def lattice(points, depth):
    "The images of points in the cells around the central one."
    steps = range(-depth, depth + 1)
    return [
        (x + W * i, y + W * j) for i in steps for j in steps if (i, j) != (0, 0) for x, y in points
    ]


def plain_energy(points, outside):
    "Equation (9) word for word: N v of the points in the cell, with these images around them."
    distance = math.dist
    f = equation_10.plain
    both = [*points, *outside]
    n = len(points)
    pairs = triplets = 0.0
    for i, a in enumerate(points):
        for j, b in enumerate(both):
            if j == i:
                continue
            ab = distance(a, b)
            pairs += f(ab)
            for k, c in enumerate(both):
                if k == i or k == j or (j >= n and k < n):
                    continue  # V_c2 is summed over (i, j inside, k outside) only
                triplets += f((ab + distance(b, c) + distance(a, c)) / 3.0)
    return 0.25 * pairs + 0.75 * triplets


def thesis_descent(start, u, energy_depth=3):
    "One configuration: images stay where they started. Positions and energy per particle."
    points = [tuple(p) for p in start.tolist()]
    outside = lattice(points, 1)
    old = plain_energy(points, outside)
    for step, of_step in enumerate(u.tolist()):
        i = step % N
        moved = []
        for coordinate, t in zip(points[i], of_step):
            t = coordinate + STEP * (2.0 * t - 1.0)
            moved.append(t + W if t < 0.0 else t - W if t > W else t)
        new = [*points[:i], tuple(moved), *points[i + 1 :]]
        energy = plain_energy(new, outside)
        if energy <= old:
            points, old = new, energy
    return np.array(points), plain_energy(points, lattice(points, energy_depth)) / N


def thesis_entry(count=2):
    x, u = numbers(count)
    found = [thesis_descent(x[m], u[:, m]) for m in range(count)]
    positions, energies = (np.array(part) for part in zip(*found))
    expected = pt.energy_per_particle(positions, W, protocol="thesis", depth=3)
    np.testing.assert_allclose(energies, expected, rtol=1e-9)
    agrees = agreement(positions, relaxed(count, "thesis"))
    return Entry("the thesis's algorithm, plain Python",
                 functools.partial(thesis_descent, x[0], u[:, 0]), MOVES, agrees)


def ours(count, **settings):
    spec = pt.DatabaseSpec(n_configurations=count, keep=1.0, **settings)

    def run():
        pt.generate(spec, workers=1, progress=False)

    return Entry("package", run, count * MOVES)


def main():
    names = {"JAX, jit and vmap, as one writes it": (all_images, 512, 15.0),
             "JAX, jit and vmap, by hand for this cell": (four_images, 2048, None)}
    peers = [entered(name, functools.partial(jax_entry, name, *how), how[-1])
             for name, how in names.items()]
    peers.append(entered("numpy, vectorised over configurations", numpy_entry))
    jobs = [contest("database", "move", SAME, ours(20_000), peers)]
    published = ours(5_000, protocol="thesis", depth=3, relaxation_depth=1)
    plain = [entered("the thesis's algorithm, plain Python", thesis_entry)]
    same = 'as above in protocol "thesis", images that stay behind, final energies at depth 3'
    jobs.append(contest("database as published", "move", same, published, plain, rounds=3))
    deliver(jobs)


if __name__ == "__main__":
    main()
