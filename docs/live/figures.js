// The moving figures. A page asks for one by <div class="live" data-figure="drag">; what stands in
// that div is shown where this script does not run.
"use strict";

const WIDTH = 5;
const PROTOCOLS = ["exact", "thesis"];

// A table that is the legend too; say(name, texts) fills the row of a name.
function table(parent, columns) {
  const body = add(parent, "table");
  const head = add(body, "tr");
  for (const title of ["", ...columns]) add(head, "th", {}, title);
  const rows = {};
  return (name, values, label = name) => {
    if (!rows[name]) {
      const row = add(body, "tr");
      const first = add(row, "th", { scope: "row" });
      add(add(first, "svg", { viewBox: "0 0 30 8", class: "key" }), "path", {
        class: `line ${name}`, d: "M1 4H29" });
      add(first, "span", {}, label);
      rows[name] = columns.map(() => add(row, "td"));
    }
    rows[name].forEach((td, i) => write(td, values[i]));
  };
}

const columns = (box, more = "") => {
  const row = add(box, "div", { class: `columns ${more}` });
  return [add(row, "div"), add(row, "div")];
};
// Work for the next frame, once however often it is asked for.
function soon(work) {
  let waiting;
  return () => {
    waiting ??= requestAnimationFrame(() => {
      waiting = undefined;
      work();
    });
  };
}

const ends = { y: [-0.5, 5.5], ticks: [0, 1, 2, 3, 4, 5] };

// Figures 3, 10 and 16: a particle is dragged, its energy looked at as both protocols and the
// packaged network see it.
function drag(box, { plot: first = "slope" }) {
  const potential = live.potential();
  const x = [[1.5, 2.5], [3.4, 4.5], [3.5, 2], [2.5, 1.1]];
  let [chosen, arrows, below, known] = [3, "exact", first, ""];
  const [left, right] = columns(box);
  const alt = "Four particles in their cell, with images and forces";
  const view = cell(left, { w: WIDTH, alt, move: (i, at) => {
    chosen = i;
    x[i] = at.map((v) => clamp(v, ...ends.y));
    update();
  } });
  const say = table(left, ["energy v (E_c)", "force (x, y)"]);
  const xlabel = "height y of the chosen particle (R_c)";
  const kinds = {
    slope: { ylabel: "slope dv/dy (E_c/R_c)", times: 1 },
    "as figure 16": { ylabel: "dv/dy, true ones times 4", times: 4 },
    "order -2": { y: [-1000, 5000], ylabel: "eigenvalues", ticks: [-1000, -100, 0, 100, 1000],
      bend: 50, order: -2 },
    "order -3": { y: [-3e4, 3e5], ylabel: "eigenvalues", bend: 500, order: -3,
      ticks: [-1e4, -1000, 0, 1000, 1e4, 1e5] },
  };
  const places = [add(right, "div"), add(right, "div")];
  let [energies, lower, shown] = [null, null, ""];
  const axes = (place, { ticks, ...more }) => {
    place.replaceChildren();
    const alt = `${more.ylabel} against the height of the chosen particle`;
    return plot(place, { x: ends.y, xlabel, alt, ...more, ticks: { x: ends.ticks, y: ticks } });
  };
  // Axes for energies down to low.
  function zoom(to) {
    if (shown === to + below) return;
    shown = to + below;
    energies = axes(places[0], { y: [1.1 * to, -0.6 * to], ylabel: "energy v (E_c)",
      ticks: [to, to / 2, 0, -to / 2] });
    const far = to * (kinds[below].times || 1);
    const usual = { y: [1.3 * far, -1.3 * far], ticks: [far, far / 2, 0, -far / 2, -far] };
    lower = axes(places[1], { ...usual, ...kinds[below] });
  }
  let dots;
  const later = soon(() => {
    curves();
    dots();
  });
  const at = (y) => x.map((p, i) => (i === chosen ? [p[0], y] : p));

  // Curves along the vertical line through the chosen particle; only where that line is another.
  function curves() {
    const line = JSON.stringify([chosen, at(0), below]);
    if (line === known) return;
    known = line;
    const { order, times } = kinds[below];
    const fine = range(121, ...ends.y);
    const found = PROTOCOLS.map((protocol) =>
      fine.map((y) => live.energy(at(y), WIDTH, potential, protocol)));
    const lowest = Math.min(...found.flat());
    zoom([-0.5, -1, -2, -4].find((to) => to < lowest) || -8);
    PROTOCOLS.forEach((protocol, i) => {
      energies.curve(protocol, fine, found[i]);
      if (times) lower.curve(protocol, fine, fine.map((y) =>
        (-times * live.forces(at(y), WIDTH, potential, protocol)[chosen][1]) / x.length));
    });
    if (order) {
      const all = fine.map((y) => live.eigenvalues(at(y), WIDTH, order));
      x.forEach((_, k) => lower.curve(`eigen${k}`, fine, all.map((values) => values[k])));
    }
    const coarse = range(61, ...ends.y);
    const seen = (h) => coarse.map((y) => live.predict(at(y + h), WIDTH));
    const [under, over] = [seen(-1e-4), seen(1e-4)];
    energies.curve("network", coarse, over);
    if (times) lower.curve("network", coarse, over.map((v, i) => (v - under[i]) / 2e-4));
  }

  // What is drawn of x as it is, at once; curves follow in the next frame.
  function update() {
    if (!energies) curves();
    else later();
    const forces = { network: live.predictedForces(x, WIDTH) };
    const found = { network: [live.predict(x, WIDTH), forces.network[chosen]] };
    for (const protocol of PROTOCOLS) {
      const all = live.forces(x, WIDTH, potential, protocol);
      if (protocol === arrows) forces[protocol] = all;
      found[protocol] = [live.energy(x, WIDTH, potential, protocol), all[chosen]];
    }
    dots = () => {
      for (const name of [...PROTOCOLS, "network"]) {
        const [v, force] = found[name];
        say(name, [rounded(v), force.map((f) => rounded(f, 2)).join(", ")]);
        energies.dot(name, x[chosen][1], v);
        const times = name === "network" ? 1 : kinds[below].times;
        if (kinds[below].times) lower.dot(name, x[chosen][1], (-times * force[1]) / x.length);
      }
      if (kinds[below].order) live.eigenvalues(x, WIDTH, kinds[below].order).forEach((v, k) =>
        lower.dot(`eigen${k}`, x[chosen][1], v));
    };
    dots();
    const path = [[x[chosen][0], -0.5], [x[chosen][0], 5.5]];
    view.draw(x, { chosen, forces, shapes: [["path", path]] });
  }
  const row = add(box, "div", { class: "controls" });
  radios(row, "arrows", PROTOCOLS, arrows, (v) => { arrows = v; update(); });
  radios(row, "below", Object.keys(kinds), below, (v) => { below = v; curves(); update(); });
  update();
}

// Figure 3 and the first defect: a square is pushed through its cell. The numbers beside its
// triangles say how often the published sum counts each.
function push(box) {
  const potential = live.potential();
  const square = [[0, 0], [1, 0], [0, 1], [1, 1]];
  let corner = [4.5, 2];
  const place = ([a, b]) => square.map(([p, q]) => [p + a, q + b]);
  const [left, right] = columns(box);
  const alt = "A square of particles in its cell";
  const view = cell(left, { w: WIDTH, alt, move: (i, at) => {
    const here = live.wrap(place(corner), WIDTH)[i];
    corner = live.wrap([corner.map((v, c) => v + at[c] - here[c])], WIDTH)[0];
    update();
  } });
  const energies = plot(right, { x: [0, WIDTH], y: [-3.5, -1.5], height: 290,
    xlabel: "left side of the square (R_c)", ylabel: "energy v (E_c)",
    ticks: { x: ends.ticks, y: [-3.5, -3, -2.5, -2, -1.5] },
    alt: "Energy per particle against the place of the square" });
  const say = table(right, ["energy v (E_c)"]);
  const seers = { network: (x) => live.predict(x, WIDTH) };
  for (const protocol of PROTOCOLS)
    seers[protocol] = (x) => live.energy(x, WIDTH, potential, protocol);

  const energy = (name, a) => seers[name](live.wrap(place([a, corner[1]]), WIDTH));
  function curves() {
    for (const name of Object.keys(seers)) {
      const at = range(name === "network" ? 21 : 201, 0, WIDTH);
      energies.curve(name, at, at.map((a) => energy(name, a)));
    }
  }
  const later = soon(curves);
  function update() {
    later();
    for (const name of [...PROTOCOLS, "network"]) {
      const v = energy(name, corner[0]);
      energies.dot(name, corner[0], v);
      say(name, [rounded(v)]);
    }
    const whole = place(corner);
    const shapes = [];
    for (const [a, b] of live.images([[0, 0]], WIDTH, 1).concat([[0, 0]]))
      for (const left of [0, 3]) {
        const three = whole.filter((_, i) => i !== left).map(([p, q]) => [p + a, q + b]);
        const cells = new Set(three.map((p) => String(p.map((v) => Math.floor(v / WIDTH)))));
        shapes.push([cells.size === 2 ? "triangle four" : "triangle six", three, true]);
      }
    view.draw(live.wrap(whole, WIDTH), { shapes });
  }
  update();
}

// Sizes of the groups of particles nearer than 1.5 R_c, largest first.
function groups(x, w) {
  const name = x.map((_, i) => i);
  const near = (t) => Math.min(Math.abs(t), w - Math.abs(t));
  x.forEach((p, i) => x.slice(0, i).forEach((q, j) => {
    if (Math.hypot(near(p[0] - q[0]), near(p[1] - q[1])) > 1.5) return;
    const [mine, other] = [name[i], name[j]];
    name.forEach((n, k) => { if (n === mine) name[k] = other; });
  }));
  const sizes = name.map((_, i) => name.filter((n) => n === i).length).filter((size) => size);
  return sizes.sort((a, b) => b - a).join(" + ");
}

const START = 13; // one of the starts, more than a quarter, that end badly as published

// Figures 12 and 13: one start, relaxed by both protocols with the same random numbers.
function relax(box) {
  const potential = live.potential();
  const LAST = 200;
  let [seed, N, epoch, runs, falls, timer] = [START, 4, LAST, {}, [], null];
  const cells = {};
  const sides = columns(box, "pair");
  const notes = {};
  ["thesis", "exact"].forEach((protocol, i) => {
    notes[protocol] = add(sides[i], "p", { class: "caption" });
    cells[protocol] = cell(sides[i], { w: WIDTH, alt: `Relaxation, protocol ${protocol}` });
  });
  const [left, right] = columns(box);
  const energies = plot(left, { x: [0, LAST], y: [-8, 1e4], bend: 1, height: 220,
    xlabel: "epochs", ylabel: "energy v (E_c)",
    ticks: { x: [0, 50, 100, 150, 200], y: [-5, -1, 0, 1, 10, 100, 1000, 10000] },
    alt: "Energy per particle against the epochs of relaxation" });
  const row = add(right, "div", { class: "controls" });
  const time = slider(row, "epoch", [0, LAST, 1], epoch, (v) => { epoch = v; stop(); update(); });
  const play = add(row, "button", { type: "button", onclick: () => timer ? stop() : start() });
  add(row, "button", { type: "button", onclick: () => { seed += 1; later(); } }, "another start");
  slider(row, "particles", [3, 6, 1], N, (v) => { N = v; later(); });
  const say = table(right, ["energy v (E_c)", "groups"]);
  const count = add(right, "button", { type: "button", onclick: () => many(40, {}) }, "40 starts");
  const counted = add(right, "p", { role: "status" });

  const later = soon(run);

  function start() {
    if (epoch === LAST) epoch = 0;
    timer = setInterval(() => {
      epoch += 1;
      if (epoch >= LAST) stop();
      update();
    }, 50);
    play.textContent = "pause";
  }
  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = "play";
  }
  function relaxed(seed, protocol) {
    const random = live.random(seed);
    const x = range(N, 0, 1).map(() => [WIDTH * random(), WIDTH * random()]);
    return live.relax(x, WIDTH, potential, protocol, LAST, random);
  }
  const energy = (x, protocol) => live.energy(live.wrap(x, WIDTH), WIDTH, potential, protocol);
  function run() {
    const epochs = range(LAST + 1, 0, LAST);
    energies.clear();
    counted.textContent = "";
    for (const protocol of PROTOCOLS) {
      const path = relaxed(seed, protocol);
      runs[protocol] = path.map(({ x }) => [x, energy(x, protocol)]);
      energies.curve(protocol, epochs, runs[protocol].map(([, v]) => v));
      if (protocol === "thesis") falls = path.map(({ seen }) => seen / N);
    }
    energies.curve("seen", epochs, falls);
    update();
  }
  function update() {
    time.set(epoch);
    for (const protocol of ["thesis", "exact"]) {
      const [x, v] = runs[protocol][epoch];
      const stale = protocol === "thesis";
      cells[protocol].draw(x, { squares: stale ? runs.thesis[0][0] : [] });
      energies.dot(protocol, epoch, v);
      const kind = groups(live.wrap(x, WIDTH), WIDTH);
      write(notes[protocol], `${protocol}: ${rounded(v, 2)} E_c`);
      say(protocol, [rounded(v, 2), kind]);
      if (stale) say("seen", [rounded(falls[epoch], 2), ""], "what it sees");
    }
  }
  // Many starts, one after another, so that the page stays at hand.
  function many(left, ended) {
    count.disabled = left > 0;
    for (const protocol of PROTOCOLS) {
      const x = left && relaxed(1000 + left, protocol)[LAST].x;
      if (left) (ended[protocol] ??= []).push(energy(x, protocol));
    }
    const texts = PROTOCOLS.map((protocol) => {
      const v = ended[protocol].sort((a, b) => a - b);
      const above = v.filter((u) => u > 0).length;
      return `${protocol}: ${above} end above 0, the highest at ${rounded(v[v.length - 1], 1)} E_c`;
    });
    write(counted, `Of ${ended.exact.length} other starts, ${texts.join("; ")}.`);
    if (left > 1) setTimeout(() => many(left - 1, ended));
    else count.disabled = false;
  }
  stop();
  run();
}

// Colours of energies from -0.8 to 0.4.
const COLOURS = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];
function colour(v) {
  const place = clamp((v + 0.8) / 1.2, 0, 1) * (COLOURS.length - 1);
  const k = Math.min(Math.floor(place), COLOURS.length - 2);
  return COLOURS[k].map((c, i) => c + (COLOURS[k + 1][i] - c) * (place - k));
}

// Figures 8, 18 and 19: equation 10 and its parameters.
function parameters(box) {
  let [n, R0, protocol, timer] = [6, 2, "exact", null];
  const fixed = [[1.5, 2.5], [3.4, 4.5], [3.5, 2]];
  const s = range(341, 0.6, 4);
  const [left, right] = columns(box);
  const energies = plot(left, { x: [0.6, 4], y: [-1.1, 1], height: 340,
    xlabel: "mean side s (R_c)", ylabel: "energy (E_c)",
    ticks: { x: [1, 2, 3, 4], y: [-1, -0.5, 0, 0.5, 1] },
    alt: "Equation 10 against the mean side, and the steps that lead to it" });
  const canvas = add(right, "canvas", { width: 340, height: 340, role: "img",
    "aria-label": "Energy of four particles against the place of the fourth" });
  const bar = add(right, "p", { class: "bar" });
  add(bar, "span", {}, "-0.8 E_c");
  const stops = COLOURS.map((c) => `rgb(${c})`);
  add(bar, "i", { style: `background: linear-gradient(90deg, ${stops})` });
  add(bar, "span", {}, "0.4 E_c or more");
  const row = add(box, "div", { class: "controls" });
  slider(row, "n", [2, 12, 0.5], n, (v) => { n = v; update(); });
  slider(row, "R_0", [1.2, 4, 0.05], R0, (v) => { R0 = v; update(); });
  radios(row, "surface", PROTOCOLS, protocol, (v) => { protocol = v; update(); });
  const say = table(box, ["lowest (E_c)", "at s =", "slope at R_0"]);
  const note = add(box, "p", { class: "caption" });

  // The surface with so many points a side, for some milliseconds at a time after the first.
  function surface(potential, size, image = new ImageData(size, size), done = 0) {
    const began = performance.now();
    for (; done < size && (size < 30 || performance.now() - began < 12); done++)
      for (let i = 0; i < size; i++) {
        const at = [((i + 0.5) * WIDTH) / size, WIDTH - ((done + 0.5) * WIDTH) / size];
        const v = live.energy([...fixed, at], WIDTH, potential, protocol);
        image.data.set([...colour(v), 255], 4 * (done * size + i));
      }
    if (done < size) timer = setTimeout(() => surface(potential, size, image, done));
    else paint(image, size);
  }
  function paint(image, size) {
    const small = Object.assign(document.createElement("canvas"), { width: size, height: size });
    small.getContext("2d").putImageData(image, 0, 0);
    const pen = canvas.getContext("2d");
    pen.drawImage(small, 0, 0, 340, 340);
    pen.fillStyle = "#fff";
    for (const [a, b] of fixed) {
      pen.beginPath();
      pen.arc(a * 68, 340 - b * 68, 4, 0, 7);
      pen.fill();
    }
  }
  function update() {
    const potential = live.potential(n, R0);
    const lines = [
      ["kept", "equation 10", potential.value],
      ["lowered", "figure 19", potential.lowered],
      ["area", "figure 18", (r) => 3 * r ** -8 - 4 * r ** -6]];
    for (const [name, label, f] of lines) {
      const v = s.map(f);
      energies.curve(name, s, v);
      const low = Math.min(...v);
      const slope = (f(R0 - 1e-6) - f(R0 - 2e-6)) / 1e-6;
      const last = name === "area" ? "" : (Math.abs(slope) < 5e-4 ? 0 : slope).toFixed(3);
      say(name, [rounded(low), s[v.indexOf(low)].toFixed(2), last], label);
    }
    const depth = Math.ceil(potential.reach / WIDTH);
    write(note, `No side beyond 3 R_0 / 2 = ${potential.reach.toFixed(2)} R_c counts: ` +
      `${depth} surrounding cell${depth > 1 ? "s" : ""} each way at w = 5.`);
    clearTimeout(timer);
    surface(potential, 17);
    timer = setTimeout(() => surface(potential, 68), 150);
  }
  update();
}

// Two pictures after each other, one for each protocol: both, or one of them in the same place.
// The choice moves from before the code to before the pictures.
function choice(box, made) {
  const names = box.dataset.switch.split(" ");
  const pictures = [];
  for (let next = box.nextElementSibling; next; next = next.nextElementSibling) {
    if (pictures.length >= names.length) break;
    pictures.push(...next.querySelectorAll("img"));
  }
  if (pictures.length < names.length) throw Error(`a switch needs ${names.length} pictures`);
  const show = (chosen) => names.forEach((name, i) =>
    (pictures[i].hidden = chosen !== "both" && chosen !== name));
  pictures[0].before(box);
  radios(add(made, "div", { class: "controls" }), "protocol", ["both", ...names], "both", show);
}

// Puts a figure into its place; where that fails the page stays as it is without scripts.
live.show = (box) => {
  const made = add(box, "div");
  try {
    if (box.dataset.switch) choice(box, made);
    else ({ drag, push, relax, potential: parameters })[box.dataset.figure](made, box.dataset);
    box.querySelector(".still")?.remove();
  } catch (error) {
    made.remove();
    console.error(error);
  }
};

window.live = live;
const showAll = () => document.querySelectorAll(".live").forEach(live.show);
if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", showAll);
else showAll();
