"use strict";
/* Elements, numbers and words. Text from models and data reaches the page through text nodes alone,
   never as markup. */

const svgNames = new Set(["svg", "g", "line", "path", "circle", "rect", "text", "title"]);

/* An element; children are elements, texts or null, in lists of any depth. */
function el(name, attributes, ...children) {
  const node = svgNames.has(name) ? document.createElementNS("http://www.w3.org/2000/svg", name)
                                  : document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "style")
      for (const [property, text] of Object.entries(value)) node.style.setProperty(property, text);
    else node.setAttribute(key, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity))
    if (child !== null && child !== undefined && child !== false) node.append(child);
  return node;
}

/* Characters that have no shape of their own, or turn the direction of others, made visible. */
const shapeless =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u202a-\u202e\u2028\u2029\u2060-\u2069\ufeff\ufff9-\ufffb]/g;
function visible(text) {
  return String(text).replace(shapeless, c => {
    const code = c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0");
    return c === "\r" ? "" : "\u27e8U+" + code + "\u27e9";
  });
}

/* ---- numbers ---- */

const none = "\u2013";
const isNumber = x => typeof x === "number" && isFinite(x);
const whole = x => isNumber(x) ? Math.round(x).toLocaleString("en-US") : none;
const percent = x => isNumber(x) ? (100 * x).toFixed(1) + "%" : none;
const range = (low, high) =>
  isNumber(low) && isNumber(high) ? (100 * low).toFixed(1) + " \u2013 " + percent(high) : none;
const points = x => isNumber(x) ? (x < 0 ? "\u2212" : "+") + (100 * Math.abs(x)).toFixed(1) : none;
const pointRange = (low, high) =>
  isNumber(low) && isNumber(high) ? points(low) + " to " + points(high) : none;
const pValue = p => !isNumber(p) ? none : p < 0.001 ? "< 0.001" : p.toFixed(p < 0.095 ? 3 : 2);
const plural = (n, one, many) => whole(n) + " " + (n === 1 ? one : many || one + "s");
const date = seconds =>
  new Date(1000 * seconds).toISOString().replace("T", " ").slice(0, 16) + " UTC";

function duration(seconds) {
  if (!isNumber(seconds)) return none;
  if (seconds < 59.5) return seconds.toFixed(seconds < 9.95 ? 1 : 0) + " s";
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return Math.floor(seconds / 60) + " min " + Math.floor(seconds % 60) + " s";
  return Math.floor(minutes / 60) + " h " + minutes % 60 + " min";
}

/* ---- the data ---- */

const data = id => document.getElementById("data-" + id).textContent;
const report = JSON.parse(data("report"));
const index = JSON.parse(data("problems"));
const distinct = list => [...new Set(list)];
const models = distinct([...report.results.map(r => r.model), ...index.models]);
const datasets = distinct(report.results.map(r => r.dataset));
const roles = Object.fromEntries(report.results.map(r => [r.model, r.role]));
const ofModel = Object.fromEntries(report.results.map(r => [r.model, r.of ?? r.model]));
const several = report.runs.length > 1;

/* ---- one colour and one shape for each model ---- */

/* A colour by role where no other model has taken it; a model under several thinking budgets keeps
   its colour, and of several runs each has a shape. */
const colors = (() => {
  const free = ["student", "third", "fourth", "fifth", "sixth", "seventh", "teacher", "base"];
  const given = {}, owners = distinct(models.map(m => ofModel[m] ?? m));
  const roleOf = owner => (report.results.find(r => (r.of ?? r.model) === owner) || {}).role;
  for (const owner of owners) {
    const i = free.indexOf(roleOf(owner));
    if (i >= 0) given[owner] = `var(--${free.splice(i, 1)[0]})`;
  }
  for (const owner of owners)
    if (!given[owner]) given[owner] = free.length ? `var(--${free.shift()})` : "var(--soft)";
  return model => given[ofModel[model] ?? model] || "var(--soft)";
})();

const runOf = model => several ? report.runs.findIndex(r => model.startsWith(r.name + ":")) : 0;

/* A mark at (x, y) of radius r: circle, square, diamond, triangle by run. */
function mark(model, x, y, r) {
  const shape = Math.max(0, runOf(model)) % 4, a = r * .89, d = r * 1.25;
  if (shape === 0) return el("circle", {class: "mark", cx: x, cy: y, r});
  const path = shape === 1 ? `M${x - a} ${y - a}h${2 * a}v${2 * a}h${-2 * a}z`
    : shape === 2 ? `M${x} ${y - d}L${x + d} ${y}L${x} ${y + d}L${x - d} ${y}z`
    : `M${x} ${y - d}L${x + d} ${y + a}L${x - d} ${y + a}z`;
  return el("path", {class: "mark", d: path});
}

const chip = model => el("svg", {class: "chip", viewBox: "0 0 12 12", "aria-hidden": "true",
  style: {color: colors(model)}}, mark(model, 6, 6, 4.6));

/* A model's name, with its role where the name does not say it. */
function modelName(model) {
  const role = roles[model], plain = several ? model.slice(model.indexOf(":") + 1) : model;
  return [chip(model), visible(model),
    role && role !== plain && role !== "other" ? el("span", {class: "role"}, role) : null];
}

/* ---- parts of a section ---- */

const heading = (section, title, note) =>
  section.append(el("h2", null, title), note ? el("p", {class: "note"}, note) : "");
const columns = (...names) => el("thead", null, el("tr", null,
  names.map(([name, kind]) => name === null ? null : el("th", {scope: "col", class: kind}, name))));
const small = (label, text) => el("td", {class: "number small", "data-label": label}, text);
const notesOf = (dataset, pairs) => report.notes
  .filter(n => n.dataset === dataset && Boolean(n.a) === pairs)
  .map(n => el("p", {class: "caution"}, n.a ? visible(n.a) + " against " + visible(n.b) + ": " : "",
    visible(n.text)));
