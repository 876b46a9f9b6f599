// The toy energy of pes_toy in plain JavaScript: what the moving figures of this site compute with.
// Nothing here draws. Lengths in R_c, energies in E_c; positions are arrays of [x, y], w is the
// width of the cell. The tests compare every function with the package.
"use strict";
const live = {};

// Equation 10 of a mean side s: its value, its slope, and how far two particles still matter.
live.potential = (n = 6, R0 = 2) => {
  const end = R0 ** -n;
  const tilt = (-2 * n * end * (1 - end)) / R0;
  const shift = end * (2 - end) - tilt * R0;
  const lowered = (s) => (s < R0 ? s ** -n * (s ** -n - 2) + end * (2 - end) : 0);
  const value = (s) => {
    if (s >= R0) return 0;
    const y = s ** -n;
    return y * (y - 2) + shift + tilt * s;
  };
  const slope = (s) => {
    if (s >= R0) return 0;
    const y = s ** -n;
    return ((-2 * n) / s) * y * (y - 1) + tilt;
  };
  return { n, R0, reach: 1.5 * R0, lowered, value, slope };
};

const wrapped = (t, w) => {
  const inside = t - w * Math.floor(t / w);
  return inside >= w || inside < 0 ? 0 : inside;
};
live.wrap = (x, w) => x.map(([a, b]) => [wrapped(a, w), wrapped(b, w)]);

// The images of x in the cells around the central one, as [x, y, whose].
live.images = (x, w, depth) => {
  const found = [];
  for (let p = -depth; p <= depth; p++)
    for (let q = -depth; q <= depth; q++)
      if (p || q) x.forEach(([a, b], i) => found.push([a + p * w, b + q * w, i]));
  return found;
};

const distance = (p, q) => Math.sqrt((p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2);

// Force on two points from the slope of a function of their distance, onto those they belong to.
function pull(forces, p, q, r, slope) {
  for (let c = 0; c < 2; c++) {
    const f = (-slope * (p[c] - q[c])) / r;
    forces[p[2]][c] += f;
    forces[q[2]][c] -= f;
  }
}

// Equation 9, N v, of particles x among images; adds to forces where they are given. Seen from
// particle i a triangle counts twice, (i, j, k) and (i, k, j); in the published sum it counts once
// where one of j and k is inside the cell and the other outside (NOTES: V_c2 without its factor).
live.sum = (x, images, potential, protocol, forces) => {
  const N = x.length;
  const points = x.map(([a, b], i) => [a, b, i]).concat(images);
  const { reach, value, slope } = potential;
  const side = 3 * potential.R0;
  let total = 0;
  for (let i = 0; i < N; i++) {
    const near = [];
    for (let j = 0; j < points.length; j++) {
      const r = distance(points[i], points[j]);
      if (j !== i && r < reach) near.push([j, r]);
    }
    for (let a = 0; a < near.length; a++) {
      const [j, ij] = near[a];
      total += 0.25 * value(ij);
      if (forces) pull(forces, points[i], points[j], ij, 0.25 * slope(ij));
      for (let b = 0; b < a; b++) {
        const [k, ik] = near[b];
        const jk = distance(points[j], points[k]);
        if (ij + ik + jk >= side) continue;
        const weight = 0.75 * (protocol === "thesis" && j < N !== k < N ? 1 : 2);
        total += weight * value((ij + ik + jk) / 3);
        if (!forces) continue;
        const third = (weight * slope((ij + ik + jk) / 3)) / 3;
        pull(forces, points[i], points[j], ij, third);
        pull(forces, points[i], points[k], ik, third);
        pull(forces, points[j], points[k], jk, third);
      }
    }
  }
  return total;
};

const depthOf = (potential, w) => Math.ceil(potential.reach / w);

// Energy per particle. "exact" wraps positions into the cell, "thesis" takes them as they are.
live.energy = (x, w, potential, protocol = "exact") => {
  const at = protocol === "exact" ? live.wrap(x, w) : x;
  const images = live.images(at, w, depthOf(potential, w));
  return live.sum(at, images, potential, protocol) / x.length;
};

// Minus the derivative of N v; images move with their particle.
live.forces = (x, w, potential, protocol = "exact") => {
  const forces = x.map(() => [0, 0]);
  const at = protocol === "exact" ? live.wrap(x, w) : x;
  live.sum(at, live.images(at, w, depthOf(potential, w)), potential, protocol, forces);
  return forces;
};

// The descent of the thesis: in each epoch every particle tries one random step, and keeps it if
// the energy does not rise. In protocol "thesis" the images stay where the particles began.
// random() gives numbers in [0, 1). Returns the positions and the energy N v that was looked at,
// at the start and after each epoch.
live.relax = (start, w, potential, protocol, epochs, random, longest = 0.1) => {
  let x = protocol === "exact" ? live.wrap(start, w) : start;
  const depth = depthOf(potential, w);
  const stale = live.images(x, w, depth);
  const energy = (y) =>
    live.sum(y, protocol === "exact" ? live.images(y, w, depth) : stale, potential, protocol);
  let old = energy(x);
  const path = [{ x, seen: old }];
  for (let epoch = 0; epoch < epochs; epoch++) {
    for (let i = 0; i < x.length; i++) {
      const moved = x[i].map((c) => {
        const t = c + longest * (2 * random() - 1);
        return t < 0 ? t + w : t > w ? t - w : t;
      });
      const tried = x.map((p, j) => (j === i ? moved : p));
      const there = energy(tried);
      if (there <= old + 1e-13 * Math.max(1, Math.abs(old))) [x, old] = [tried, there];
    }
    path.push({ x, seen: old });
  }
  return path;
};

// Numbers that look random, the same for the same seed (mulberry32).
live.random = (seed) => () => {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), seed | 1);
  t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
};

// Equation 11: the proximity matrix of an order.
live.proximity = (x, w, order, range = 20) => {
  const at = live.wrap(x, w);
  const images = live.images(at, w, Math.ceil(range / w) + 1);
  const points = at.map(([a, b], i) => [a, b, i]).concat(images);
  const P = x.map(() => x.map(() => 0));
  at.forEach((p, i) => {
    points.forEach((q, j) => {
      const r = distance(p, q);
      if (j !== i && r < range) P[i][q[2]] += (range / r - r / range) ** -order;
    });
  });
  return P;
};

// Turns rows and columns p, q of a symmetric matrix so that A[p][q] becomes zero.
function turn(A, p, q) {
  const theta = (A[q][q] - A[p][p]) / (2 * A[p][q]);
  const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const c = 1 / Math.sqrt(t * t + 1);
  const s = t * c;
  for (const row of A) [row[p], row[q]] = [c * row[p] - s * row[q], s * row[p] + c * row[q]];
  const [P, Q] = [A[p].slice(), A[q].slice()];
  A[p] = P.map((v, k) => c * v - s * Q[k]);
  A[q] = P.map((v, k) => s * v + c * Q[k]);
}

// Eigenvalues of the proximity matrix, ascending, by Jacobi's rotations.
live.eigenvalues = (x, w, order, range = 20) => {
  const A = live.proximity(x, w, order, range);
  for (let sweep = 0; sweep < 30; sweep++) {
    let off = 0;
    for (let p = 0; p < A.length; p++)
      for (let q = p + 1; q < A.length; q++) {
        if (Math.abs(A[p][q]) < 1e-17 * Math.abs(A[p][p] + A[q][q])) continue;
        off += 1;
        turn(A, p, q);
      }
    if (!off) break;
  }
  return A.map((row, i) => row[i]).sort((a, b) => a - b);
};
