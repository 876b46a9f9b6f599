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

// A Gaussian of a distance that fades out smoothly at the cutoff.
function shell(r, eta, middle, cutoff) {
  const t = Math.min(r / cutoff, 1);
  return (1 - t * t * t * (10 - t * (15 - 6 * t))) * Math.exp(-eta * (r - middle) ** 2);
}

// Symmetry functions of the particle at p: sums over its neighbours, and over pairs of them.
function surroundings(p, points, { radial, shells, turns, cutoff }) {
  const near = [];
  for (const q of points) {
    const v = [q[0] - p[0], q[1] - p[1]];
    const r = Math.sqrt(v[0] * v[0] + v[1] * v[1]);
    if (r > 0 && r < cutoff) near.push({ v, r, g: shells.map((s) => shell(r, ...s, cutoff)) });
  }
  const sums = radial.map((f) => near.reduce((sum, { r }) => sum + shell(r, ...f, cutoff), 0));
  const angular = shells.map(() => turns.map(() => 0));
  near.forEach((a, i) => {
    for (const b of near.slice(0, i)) {
      const third = distance(a.v, b.v);
      if (third >= cutoff) continue;
      const cosine = (a.v[0] * b.v[0] + a.v[1] * b.v[1]) / (a.r * b.r);
      const bends = turns.map(([zeta, sign]) =>
        2 ** (1 - zeta) * Math.max(1 + sign * cosine, 0) ** zeta);
      shells.forEach((s, k) => {
        const sides = a.g[k] * b.g[k] * shell(third, ...s, cutoff);
        bends.forEach((bend, l) => (angular[k][l] += bend * sides));
      });
    }
  });
  return sums.concat(angular.flat());
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
      const out = rows[rows.length - 1].slice();
      for (let i = 0; i < values.length; i++)
        for (let j = 0; j < out.length; j++) out[j] += values[i] * rows[i][j];
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
