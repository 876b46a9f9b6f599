// What the moving figures are drawn with: SVG, controls, plots, and cells of particles.
"use strict";

// A new element in a parent; SVG for names of SVG, "on..." attributes are listeners.
function add(parent, tag, attributes = {}, text) {
  const svg = parent.namespaceURI.endsWith("svg") || tag === "svg";
  const element = document.createElementNS(
    svg ? "http://www.w3.org/2000/svg" : "http://www.w3.org/1999/xhtml", tag);
  for (const [name, value] of Object.entries(attributes))
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  if (text !== undefined) write(element, `${text}`);
  parent.append(element);
  return element;
}

// Text with subscripts, as in R_c, and true minus signs.
function write(element, text) {
  element.replaceChildren();
  const svg = element.namespaceURI.endsWith("svg");
  text.replace(/-(?=\d)/g, "\u2212").split(/_(\w)/).forEach((part, i) => {
    if (i % 2) add(element, svg ? "tspan" : "sub", svg ? { dy: 3, "font-size": "75%" } : {}, part);
    else if (svg && i) add(element, "tspan", { dy: -3 }, part);
    else element.append(part);
  });
}

// Not a number (two particles on one place) becomes the highest.
const clamp = (v, low, high) => (v < high ? Math.max(v, low) : high);
function rounded(v, digits = 3) {
  if (!Number.isFinite(v)) return "\u221e";
  const text = Math.abs(v) < 1e5 ? v.toFixed(digits) : v.toExponential(1);
  return Number(text) ? text : text.replace("-", "");
}
const range = (n, low, high) =>
  Array.from({ length: n }, (_, i) => low + ((high - low) * i) / (n - 1));

let made = 0;

// Radio buttons in a row; calls back with the value that is chosen.
function radios(parent, title, values, chosen, change) {
  const set = add(parent, "div", { role: "radiogroup", "aria-label": title });
  add(set, "span", {}, `${title}:`);
  const name = `live-${(made += 1)}`;
  for (const value of values) {
    const label = add(set, "label");
    const more = value === chosen ? { checked: "" } : {};
    add(label, "input", { type: "radio", name, value, onchange: () => change(value), ...more });
    add(label, "span", {}, value);
  }
}

// A slider with its name and value before it; calls back with the number.
function slider(parent, title, [min, max, step], value, change) {
  const label = add(parent, "label", { class: "slider" });
  const text = add(label, "span");
  const input = add(label, "input", { type: "range", min, max, step, value });
  const say = () => write(text, `${title} = ${input.value}`);
  input.addEventListener("input", () => {
    say();
    change(Number(input.value));
  });
  say();
  return { input, set: (v) => { input.value = v; say(); } };
}

// A plot. Without bend the y axis is linear, with it like asinh(y / bend). curve(name, xs, ys)
// draws a line of the class name, dot(name, x, y) a point; both replace what they drew before.
function plot(parent, { x, y, xlabel, ylabel, ticks, height = 190, bend, alt }) {
  const [W, left, right, top, bottom] = [340, 58, 14, 8, 36];
  const svg = add(parent, "svg", { viewBox: `0 0 ${W} ${height}`, role: "img", "aria-label": alt });
  const id = `live-${(made += 1)}`;
  const up = (v) => (bend ? Math.asinh(v / bend) : v);
  const X = (v) => left + ((v - x[0]) / (x[1] - x[0])) * (W - left - right);
  const Y = (v) => {
    const share = (up(v) - up(y[0])) / (up(y[1]) - up(y[0]));
    return height - bottom - clamp(share, -9, 9) * (height - top - bottom);
  };
  add(add(svg, "clipPath", { id }), "rect", {
    x: left, y: top - 4, width: W - left - right + 5, height: height - top - bottom + 8 });
  for (const v of ticks.x) {
    add(svg, "path", { class: "grid", d: `M${X(v)} ${top}V${height - bottom}` });
    add(svg, "text", { x: X(v), y: height - bottom + 14, "text-anchor": "middle" }, v);
  }
  for (const v of ticks.y) {
    add(svg, "path", { class: "grid", d: `M${left} ${Y(v)}H${W - right}` });
    const at = { x: left - 5, y: Y(v) + 4, "text-anchor": "end" };
    add(svg, "text", at, v);
  }
  add(svg, "text", { x: (left + W) / 2, y: height - 5, "text-anchor": "middle" }, xlabel);
  const turned = `translate(10 ${(height - bottom + top) / 2}) rotate(-90)`;
  add(svg, "text", { transform: turned, "text-anchor": "middle" }, ylabel);
  const body = add(svg, "g", { "clip-path": `url(#${id})` });
  const known = {};
  const get = (tag, name) => (known[tag + name] ??= add(body, tag, { class: name }));
  return {
    svg,
    clear: () => Object.values(known).forEach((e) => e.setAttribute("visibility", "hidden")),
    curve: (name, xs, ys) => {
      const points = xs.map((v, i) => `${X(v).toFixed(1)} ${Y(ys[i]).toFixed(1)}`);
      const path = get("path", `line ${name}`);
      path.setAttribute("visibility", "visible");
      path.setAttribute("d", `M${points.join("L")}`);
    },
    dot: (name, v, u) => {
      const at = { cx: X(v), cy: clamp(Y(u), top, height - bottom), r: 4, visibility: "visible" };
      for (const [key, value] of Object.entries(at))
        get("circle", `dot ${name}`).setAttribute(key, value);
    },
  };
}

// A cell with its surroundings. move(i, [x, y]) is called when particle i is dragged, or pushed by
// arrow keys (a twentieth of R_c, with Shift a hundredth); without move it only shows.
function cell(parent, { w, margin = 0.8, move, alt }) {
  const size = 340;
  const svg = add(parent, "svg", {
    viewBox: `0 0 ${size} ${size}`, class: "cell", role: "group", "aria-label": alt });
  const unit = size / (w + 2 * margin);
  const X = (v) => (v + margin) * unit;
  const Y = (v) => size - X(v);
  const border = { x: X(0), y: Y(w), width: w * unit, height: w * unit, class: "border" };
  add(svg, "rect", border);
  const below = add(svg, "g");
  const particles = [];
  const arrows = add(svg, "g", { class: "arrows" });

  function particle(i) {
    const g = add(svg, "g", { class: "particle" });
    add(g, "circle", { class: "grip", r: 20 });
    add(g, "circle", { r: 7.5 });
    if (!move) return g;
    const at = (event) => {
      const box = svg.getBoundingClientRect();
      const scale = size / box.width / unit;
      return [(event.clientX - box.left) * scale - margin,
        (box.bottom - event.clientY) * scale - margin];
    };
    let held = null;
    // Chromium scrolls the page in spite of touch-action on a part of a picture.
    g.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });
    g.addEventListener("pointerdown", (event) => {
      const [a, b] = at(event);
      held = [g.at[0] - a, g.at[1] - b];
      g.setPointerCapture(event.pointerId);
      g.focus({ preventScroll: true });
      event.preventDefault();
    });
    g.addEventListener("pointermove", (event) => {
      if (held) move(i, at(event).map((v, c) => v + held[c]));
    });
    for (const name of ["pointerup", "pointercancel"])
      g.addEventListener(name, () => (held = null));
    g.addEventListener("keydown", (event) => {
      const step = event.shiftKey ? 0.01 : 0.05;
      const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
      if (!way[event.key]) return;
      event.preventDefault();
      move(i, g.at.map((v, c) => v + step * way[event.key][c]));
    });
    g.addEventListener("focus", () => move(i, g.at));
    g.setAttribute("tabindex", 0);
    g.setAttribute("role", "slider");
    g.setAttribute("aria-label", `particle ${i + 1}, arrow keys move it`);
    return g;
  }

  // An arrow for a force; its length says something up to about 3 E_c/R_c, and then saturates.
  function arrow([a, b], [f, g], name) {
    const size = Math.hypot(f, g);
    if (!(size > 0.02 && size < Infinity)) return;
    const long = (65 * size) / (size + 1.5) + 9;
    const turned = (-Math.atan2(g, f) * 180) / Math.PI;
    add(arrows, "path", {
      class: `arrow ${name}`, transform: `translate(${X(a)} ${Y(b)}) rotate(${turned})`,
      d: `M9 0H${long + 2}M${long - 4} -4L${long + 3} 0L${long - 4} 4` });
  }

  // Draws particles x and their images; squares are images that stayed behind, chosen is marked.
  function draw(x, { chosen, squares = [], forces = {}, shapes = [] } = {}) {
    below.replaceChildren();
    for (const [name, points, text] of shapes) {
      const at = points.map(([a, b]) => `${X(a)} ${Y(b)}`);
      add(below, "path", { class: name, d: `M${at.join("L")}${text ? "Z" : ""}` });
    }
    const around = (points, show) => live.images(points, w, 1).forEach(([a, b]) => {
      const far = Math.max(Math.abs(a - w / 2), Math.abs(b - w / 2));
      if (far < w / 2 + margin + 0.05) show(X(a), Y(b));
    });
    around(x, (cx, cy) => add(below, "circle", { class: "image", cx, cy, r: 7 }));
    around(squares, (u, v) => add(below, "rect", {
      class: "image", x: u - 7, y: v - 7, width: 14, height: 14 }));
    while (particles.length > x.length) particles.pop().remove();
    x.forEach((p, i) => {
      const g = (particles[i] ??= particle(i));
      g.at = p;
      g.setAttribute("transform", `translate(${X(p[0])} ${Y(p[1])})`);
      g.classList.toggle("chosen", i === chosen);
      if (!move) return;
      g.setAttribute("aria-valuenow", p[1].toFixed(2));
      g.setAttribute("aria-valuetext", `x ${p[0].toFixed(2)}, y ${p[1].toFixed(2)}`);
    });
    arrows.replaceChildren();
    for (const [name, all] of Object.entries(forces))
      x.forEach((p, i) => arrow(p, all[i], name));
  }
  return { svg, draw };
}
