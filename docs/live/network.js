// The network that comes with the package: symmetry functions of each particle, layers with silu,
// the mean over the particles. Its weights stand in weights.js, which docs/live_weights.py writes.
"use strict";

// A whole number in base 91; the digits are the characters from # to ~ without the backslash.
const digit = (code) => code - (code > 92 ? 36 : 35);
function number(text) {
  let n = 0;
  for (let i = 0; i < text.length; i++) n = 91 * n + digit(text.charCodeAt(i));
  return n;
}

// A layer, its last row the bias: a digit for the scale of each column, 2^(digit / 4 - 12), and the
// weights over these scales, -1 to 1, in four digits each; from the second layer on, two in seven.
function unpack({ text, rows, columns }, place) {
  const scales = [...text.slice(0, columns)].map((c) => 2 ** (number(c) / 4 - 12));
  const two = place > 0;
  const most = two ? Math.floor(Math.sqrt(91 ** 7)) : 91 ** 4;
  const flat = [];
  for (let at = columns; at < text.length; at += two ? 7 : 4) {
    const n = number(text.slice(at, at + (two ? 7 : 4)));
    if (two) flat.push(Math.floor(n / most));
    flat.push(n % most);
  }
  return Array.from({ length: rows }, (_, i) =>
    Float64Array.from(scales, (s, j) => s * ((2 * flat[i * columns + j]) / (most - 1) - 1)));
}

// The network, unpacked when it is first asked for.
let unpacked;
function network() {
  unpacked ??= { ...live.weights, layers: live.weights.layers.map(unpack) };
  return unpacked;
}

// Gaussians of a distance, (steepness, middle) each, that fade out smoothly at the cutoff.
function gaussians(r, table, cutoff) {
  const t = r / cutoff;
  const fade = 1 - t * t * t * (10 - t * (15 - 6 * t));
  return table.map((f) => fade * Math.exp(-f[0] * (r - f[1]) ** 2));
}

// Symmetry functions of the particle at p: sums over its neighbours, and over pairs of them.
function surroundings(p, points, { radial, shells, turns, cutoff }) {
  const near = [];
  const sums = new Float64Array(radial.length + shells.length * turns.length);
  for (const q of points) {
    const v = [q[0] - p[0], q[1] - p[1]];
    const r = Math.sqrt(v[0] * v[0] + v[1] * v[1]);
    if (!(r > 0 && r < cutoff)) continue;
    gaussians(r, radial, cutoff).forEach((g, k) => (sums[k] += g));
    const g = gaussians(r, shells, cutoff);
    for (const b of near) {
      const third = distance(v, b.v);
      if (third >= cutoff) continue;
      const cosine = (v[0] * b.v[0] + v[1] * b.v[1]) / (r * b.r);
      const sides = gaussians(third, shells, cutoff).map((h, k) => h * g[k] * b.g[k]);
      turns.forEach(([zeta, sign], l) => {
        const bend = 2 ** (1 - zeta) * Math.max(1 + sign * cosine, 0) ** zeta;
        for (let k = 0; k < sides.length; k++)
          sums[radial.length + k * turns.length + l] += bend * sides[k];
      });
    }
    near.push({ v, r, g });
  }
  return sums;
}

// Energy per particle as the network sees it.
live.predict = (x, w) => {
  const { layers, units, cutoff, shift, scale } = network();
  const at = live.wrap(x, w);
  const points = at.concat(live.images(at, w, Math.ceil(cutoff / w)));
  let sum = 0;
  for (const p of at) {
    let values = surroundings(p, points, unpacked).map((v, i) => v * units[i]);
    layers.forEach((rows, l) => {
      const out = rows[values.length].slice();
      for (let i = 0; i < values.length; i++) {
        const [v, row] = [values[i], rows[i]];
        for (let j = 0; j < out.length; j++) out[j] += v * row[j];
      }
      values = l < layers.length - 1 ? out.map((z) => z / (1 + Math.exp(-z))) : out;
    });
    sum += values[0];
  }
  return shift + (scale * sum) / x.length;
};

// Its forces, by central differences: good to about 1e-6 of their size, enough for an arrow.
live.predictedForces = (x, w, only, h = 1e-5) =>
  x.map((p, i) => p.map((_, c) => {
    if (only !== undefined && only !== i) return 0;
    const at = (t) => live.predict(x.map((q, j) =>
      (j === i ? q.map((v, k) => (k === c ? v + t : v)) : q)), w);
    return (-x.length * (at(h) - at(-h))) / (2 * h);
  }));
