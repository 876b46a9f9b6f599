"""Equation (10) with n = 6, R_0 = 2 in large square cells of the plane, and nothing else.

What one writes who needs only that. Particles are sorted into boxes as wide as the reach; each
looks at later ones, and gives the force of a triangle to three corners at once.
"""
import math

import numpy as np
from numba import njit

SHARED = dict(nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "arcp", "nsz"})
Y = 2.0**-6
TILT = -6.0 * Y * (1.0 - Y)
LIFT = Y * (2.0 - Y) - 2.0 * TILT


@njit(inline="always")
def equation_10(s):
    "Value and slope of the mean side."
    inverse = 1.0 / s
    y = inverse**6
    return y * (y - 2.0) + LIFT + TILT * s, TILT - 12.0 * inverse * y * (y - 1.0)


@njit(**SHARED)
def sort(x, w, n):
    "Particles in the order of their boxes, and where each box begins."
    box = np.empty(len(x), np.int64)
    start = np.zeros(n * n + 2, np.int64)
    for i in range(len(x)):
        box[i] = min(int(x[i, 0] * n / w), n - 1) * n + min(int(x[i, 1] * n / w), n - 1)
        start[box[i] + 2] += 1
    for b in range(n * n):
        start[b + 2] += start[b + 1]
    order = np.empty(len(x), np.int64)
    for i in range(len(x)):
        order[start[box[i] + 1]] = i
        start[box[i] + 1] += 1
    return order, x[order], start


@njit(inline="always")
def nearest(t, w):
    return t - w if t > 0.5 * w else t + w if t < -0.5 * w else t


@njit(**SHARED)
def neighbours(p, i, boxes, w, found):
    "Later particles within 3 of particle i: number, x, y, distance."
    b, n, start, around = boxes
    count = 0
    for c in around:
        if c < b: continue
        for j in range(max(i + 1, start[c]), start[c + 1]):
            dx = nearest(p[j, 0] - p[i, 0], w)
            dy = nearest(p[j, 1] - p[i, 1], w)
            r2 = dx * dx + dy * dy
            found[0, count], found[1, count], found[2, count] = j, dx, dy
            found[3, count] = math.sqrt(r2)
            count += r2 < 9.0
    return count


@njit(**SHARED)
def one_particle(i, found, count, f):
    "Energy of the pairs and triangles of particle i with later ones; adds the forces."
    energy = 0.0
    for a in range(count):
        j, ax, ay, ra = int(found[0, a]), found[1, a], found[2, a], found[3, a]
        pull = 0.0
        if ra < 2.0:
            v, slope = equation_10(ra)
            energy += 0.5 * v
            pull = 0.5 * slope / ra
        fx, fy = pull * ax, pull * ay
        for b in range(a):
            k, bx, by, rb = int(found[0, b]), found[1, b], found[2, b], found[3, b]
            cx, cy = ax - bx, ay - by
            rc = math.sqrt(cx * cx + cy * cy)
            if ra + rb + rc >= 6.0: continue
            v, slope = equation_10((ra + rb + rc) / 3.0)
            energy += 4.5 * v
            slope *= 1.5
            fx += slope * (ax / ra + cx / rc)
            fy += slope * (ay / ra + cy / rc)
            gx = slope * (bx / rb - cx / rc)
            gy = slope * (by / rb - cy / rc)
            f[k, 0] -= gx
            f[k, 1] -= gy
            f[i, 0] += gx
            f[i, 1] += gy
        f[j, 0] -= fx
        f[j, 1] -= fy
        f[i, 0] += fx
        f[i, 1] += fy
    return energy


@njit(**SHARED)
def energy_and_forces_in_the_plane(x, w):
    "Energy of the cell and forces (N, 2)."
    n = int(w / 3.0)
    order, p, start = sort(x, w, n)
    f = np.zeros(p.shape)
    found = np.empty((4, 512))
    energy = 0.0
    around = np.empty(9, np.int64)
    for b in range(n * n):
        for shift in range(9):
            row, column = (b // n + shift // 3 - 1) % n, (b % n + shift % 3 - 1) % n
            around[shift] = row * n + column
        for i in range(start[b], start[b + 1]):
            count = neighbours(p, i, (b, n, start, around), w, found)
            energy += one_particle(i, found, count, f)
    forces = np.empty(p.shape)
    forces[order] = f
    return energy, forces
