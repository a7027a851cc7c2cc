"use strict";
/* Elements, numbers and curves. Text from models and data reaches the page through text nodes alone,
   never as markup. */

const svgNames = new Set(["svg", "g", "line", "path", "circle", "text", "title"]);

/* An element; children are elements, texts or null. */
function el(name, attributes, ...children) {
  const node = svgNames.has(name) ? document.createElementNS("http://www.w3.org/2000/svg", name)
                                  : document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "style") for (const [property, text] of Object.entries(value)) node.style.setProperty(property, text);
    else node.setAttribute(key, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) if (child !== null && child !== undefined) node.append(child);
  return node;
}

/* Characters that have no shape of their own, or turn the direction of others, made visible. */
function visible(text) {
  return String(text).replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069\ufeff]/g, c => {
    const code = c.charCodeAt(0);
    return code === 13 ? "" : "\u27e8U+" + code.toString(16).toUpperCase().padStart(4, "0") + "\u27e9";
  });
}

const isNumber = x => typeof x === "number" && isFinite(x);
const whole = x => isNumber(x) ? Math.round(x).toLocaleString("en-US") : "\u2013";
const percent = x => isNumber(x) ? (100 * x).toFixed(1) + "%" : "\u2013";
const points = x => isNumber(x) ? (x < 0 ? "\u2212" : "+") + (100 * Math.abs(x)).toFixed(1) : "\u2013";
const pValue = p => !isNumber(p) ? "\u2013" : p < 0.001 ? "< 0.001" : p.toFixed(p < 0.095 ? 3 : 2);
const plural = (n, one, many) => whole(n) + " " + (n === 1 ? one : many);

function duration(seconds) {
  if (!isNumber(seconds)) return "\u2013";
  if (seconds < 60) return seconds.toFixed(seconds < 10 ? 1 : 0) + " s";
  if (seconds < 3600) return Math.floor(seconds / 60) + " min " + Math.round(seconds % 60) + " s";
  return Math.floor(seconds / 3600) + " h " + Math.round(seconds % 3600 / 60) + " min";
}

const date = seconds => new Date(1000 * seconds).toISOString().replace("T", " ").slice(0, 16) + " UTC";

/* A score with its interval on a common scale [low, high]. */
function interval(from, to, value, low, high, name) {
  const x = v => (100 * (Math.min(Math.max(v, from), to) - from) / (to - from)).toFixed(2) + "%";
  const line = (a, b, y, kind) => el("line", {x1: a, x2: b, y1: y[0], y2: y[1], class: kind});
  const svg = el("svg", {class: "interval", role: "img", "aria-label": name}, line("0%", "100%", [9, 9], null));
  const marks = from < 0 ? [0] : [0, .25, .5, .75, 1];
  for (const mark of marks) svg.append(line(x(mark), x(mark), from < 0 ? [0, 18] : [6, 12], from < 0 ? "zero" : null));
  svg.append(line(x(low), x(high), [9, 9], "bar"), el("circle", {cx: x(value), cy: 9, r: 4}));
  return svg;
}

/* Round numbers, about `count` of them, that cover [low, high]. */
function ticks(low, high, count) {
  if (!(high > low)) high = low + (Math.abs(low) || 1);
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map(m => m * power).find(s => s >= rough * .999);
  const first = Math.floor(low / step + 1e-9), last = Math.ceil(high / step - 1e-9);
  return Array.from({length: last - first + 1}, (_, i) => +((first + i) * step).toPrecision(12));
}

/* A run of noisy values, each the mean of about a fiftieth of the run around it. */
function smooth(values) {
  const reach = Math.floor(values.length / 100);
  return values.map(([x], i) => {
    const part = values.slice(Math.max(0, i - reach), i + reach + 1);
    return [x, part.reduce((sum, p) => sum + p[1], 0) / part.length];
  });
}

/* Curves over a common x. series: {name, color, values: [[x, y]], dots, faint}. */
function plot({title, xLabel, series, note}) {
  const width = Math.max(300, Math.min(560, innerWidth - 32)), height = Math.round(150 + width / 5), left = 46, right = 12, top = 8, bottom = 40;
  const all = series.flatMap(s => s.values);
  const xs = all.map(p => p[0]), ys = all.map(p => p[1]).sort((a, b) => a - b);
  const xTicks = ticks(Math.min(0, ...xs.slice(0, 1)), xs.reduce((a, b) => Math.max(a, b), 1), 5);
  const yTicks = ticks(Math.min(ys[0], 0) < 0 || ys[0] < ys[ys.length - 1] / 2 ? Math.min(0, ys[0]) : ys[0], ys[ys.length - 1], 5);
  const x0 = xTicks[0], x1 = xs.reduce((a, b) => Math.max(a, b), 1), y0 = yTicks[0], y1 = yTicks[yTicks.length - 1];
  const x = v => left + (width - left - right) * (v - x0) / (x1 - x0 || 1);
  const y = v => top + (height - top - bottom) * (y1 - v) / (y1 - y0 || 1);
  const svg = el("svg", {class: "plot", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title + ": " + series.filter(s => !s.faint).map(s => `${s.name} ends at ${s.values[s.values.length - 1][1].toPrecision(4)}`).join(", ")});
  for (const t of yTicks) svg.append(el("line", {class: "grid", x1: left, x2: width - right, y1: y(t), y2: y(t)}),
                                     el("text", {x: left - 8, y: y(t) + 4, "text-anchor": "end"}, String(t)));
  for (const t of xTicks) if (t <= x1) svg.append(el("line", {class: "axis", x1: x(t), x2: x(t), y1: y(y0), y2: y(y0) + 5}),
                                                 el("text", {x: x(t), y: y(y0) + 18, "text-anchor": "middle"}, whole(t)));
  svg.append(el("line", {class: "axis", x1: left, x2: width - right, y1: y(y0), y2: y(y0)}),
             el("text", {x: (left + width - right) / 2, y: height - 4, "text-anchor": "middle"}, xLabel));
  for (const s of series) {
    const path = s.values.map(([a, b], i) => (i ? "L" : "M") + x(a).toFixed(1) + " " + y(b).toFixed(1)).join("");
    svg.append(el("path", {d: path, class: s.faint ? "faint" : null, style: {color: s.color}}));
    if (s.dots) for (const [a, b] of s.values) svg.append(el("circle", {cx: x(a), cy: y(b), r: 3, style: {color: s.color}}));
  }
  const readout = el("div", {class: "readout", "aria-hidden": "true"});
  const cursor = el("line", {class: "axis", y1: top, y2: y(y0), visibility: "hidden"});
  svg.append(cursor);
  svg.addEventListener("pointermove", event => {
    const box = svg.getBoundingClientRect();
    const at = x0 + (x1 - x0) * ((event.clientX - box.left) * width / box.width - left) / (width - left - right);
    const near = series.filter(s => !s.faint).map(s => [s.name, s.values.reduce((a, b) => Math.abs(b[0] - at) < Math.abs(a[0] - at) ? b : a)]);
    cursor.setAttribute("x1", x(near[0][1][0]));
    cursor.setAttribute("x2", x(near[0][1][0]));
    cursor.setAttribute("visibility", "visible");
    readout.textContent = near.map(([name, p]) => `${name} ${p[1].toPrecision(4)} at step ${whole(p[0])}`).join(" \u00b7 ");
  });
  svg.addEventListener("pointerleave", () => { cursor.setAttribute("visibility", "hidden"); readout.textContent = ""; });
  const legend = el("ul", {class: "legend"}, series.filter(s => !s.faint).map(s => el("li", null, el("i", {style: {color: s.color}}), s.name)));
  return el("figure", null, el("figcaption", null, title), note ? el("p", {class: "note"}, note) : null, svg, legend, readout);
}
