/* The table of problems: a map of all of them at a glance, and a row for each, filtered and sorted.
   The index is small and read at once; prompts and replies are unpacked when they are looked at. */

const verdicts = {c: "correct", w: "wrong", a: "no_answer", t: "truncated", g: "gold_unreadable",
  u: "undecided", n: "no_gold"};
const signs = {c: "\u2713", w: "\u2717", a: "\u2013", t: "\u2702", g: "?", u: "?", n: "?"};
const words = letter => verdicts[letter].replaceAll("_", " ");
const pageSize = 200;
let shown = [], limit = pageSize;

const byId = id => document.getElementById(id);
const count = (letters, letter) => letters.split(letter).length - 1;
const solved = (problem, m) => problem.m[m] ? count(problem.m[m][0], "c") : -1;
const share = (problem, m) => problem.m[m] ? solved(problem, m) / problem.m[m][0].length : NaN;
const shares = problem => index.models.map((_, m) => share(problem, m)).filter(s => !isNaN(s));
const spread = problem => { const s = shares(problem); return Math.max(...s) - Math.min(...s); };
const mean = list => list.reduce((a, b) => a + b, 0) / list.length;
const tokensOf = problem => Math.max(...problem.m.map(got => got ? got[2] : 0));

/* ---- cells ---- */

/* The verdict that all replies share, else "mixed". */
const kind = letters => [...letters].every(c => c === letters[0]) ? verdicts[letters[0]] : "mixed";

function cell(problem, number, m) {
  const got = problem.m[m];
  if (!got) return el("td", {class: "m"}, el("span", {class: "role"}, none));
  const [letters, extracted] = got, one = letters.length === 1;
  const right = solved(problem, m), part = 100 * right / letters.length + "%";
  const text = one ? extracted ?? words(letters) : `${right} of ${letters.length}`;
  return el("td", {class: "m"}, el("button", {class: "cell fill " + kind(letters), tabindex: -1, "data-number": number,
    title: one ? words(letters) : [...letters].map(c => signs[c]).join(" "),
    style: one ? null : {"--part": part},
    "aria-label": `problem ${number}, ${visible(index.models[m])}: ${one ? words(letters) : text + " correct"}` +
      (one && extracted ? ", " + visible(extracted) : "")},
    one ? el("span", {class: "sign"}, signs[letters]) : null, el("span", null, visible(text))));
}

function tableRow(number) {
  const p = index.problems[number - 1];
  return el("tr", {"data-number": number},
    el("td", {class: "n"}, String(number)),
    index.datasets.length > 1 ? el("td", {class: "d"}, visible(index.datasets[p.d])) : null,
    index.levels ? el("td", {class: "l"}, visible(p.l ?? "")) : null,
    el("td", {class: "q"}, visible(p.q)), el("td", {class: "gold"}, visible(p.g ?? "")),
    index.models.map((_, m) => cell(p, number, m)));
}

function fillTable() {
  const body = document.querySelector("#grid tbody");
  body.replaceChildren(...shown.slice(0, limit).map(tableRow));
  const first = body.querySelector(".cell");
  if (first) first.tabIndex = 0;
  byId("count").textContent = plural(shown.length, "problem");
  byId("show-more").hidden = shown.length <= limit;
}

/* ---- what is shown, and in which order ---- */

const tests = {
  any: () => true,
  differ: p => spread(p) > 0,
  all: p => shares(p).every(s => s > 0),
  nobody: p => shares(p).every(s => s === 0),
  by: (p, a) => solved(p, a) > 0,
  not: (p, a) => solved(p, a) === 0,
  more: (p, a, b) => share(p, a) > share(p, b),
  verdict: (p, letter) => p.m.some(got => got && got[0].includes(letter)),
};

const orders = {
  row: () => 0,
  differ: (p, q) => spread(q) - spread(p),
  hard: (p, q) => mean(shares(p)) - mean(shares(q)),
  long: (p, q) => tokensOf(q) - tokensOf(p),
  level: (p, q) => String(p.l ?? "").localeCompare(String(q.l ?? ""), "en", {numeric: true}),
  subject: (p, q) => String(p.s ?? "").localeCompare(String(q.s ?? ""), "en"),
};

function applyFilters() {
  const dataset = +byId("by-dataset").value, text = byId("by-text").value.trim().toLowerCase();
  const [rule, ...of] = byId("by-rule").value.split(" ");
  const [seen, letter] = byId("by-verdict").value.split(" ");
  const fits = p => (dataset < 0 || p.d === dataset) && tests[rule](p, ...of) && tests[seen](p, letter) &&
    (!text || p.q.toLowerCase().includes(text) || String(p.g).toLowerCase() === text ||
      String(p.s ?? "").toLowerCase().includes(text));
  const order = orders[byId("by-order").value], problem = n => index.problems[n - 1];
  shown = index.problems.flatMap((p, i) => fits(p) ? [i + 1] : []);
  shown.sort((a, b) => order(problem(a), problem(b)) || a - b);
  limit = pageSize;
  fillTable();
  drawMap();
}

function filterBar() {
  const option = (value, text) => el("option", {value}, visible(text));
  const names = index.models, pairs = names.flatMap((a, i) => names.flatMap((b, j) =>
    i === j ? [] : [option(`more ${i} ${j}`, `more often by ${a} than by ${b}`)]));
  const choice = (id, label, options, hidden) => el("label", {hidden}, label,
    el("select", {id, onchange: applyFilters}, options));
  const present = [..."cwatgun"].filter(c => index.problems.some(p => tests.verdict(p, c)));
  return el("div", {class: "filters", role: "search", "aria-label": "Filter the problems"},
    choice("by-dataset", "Data set", [option(-1, "all"), index.datasets.map((d, i) => option(i, d))],
      index.datasets.length < 2),
    choice("by-rule", "Solved", [option("any", "any"), names.length > 1 ? option("differ", "the models differ") : null,
      option("all", "by all"), option("nobody", "by nobody"), names.map((m, i) => option("by " + i, "by " + m)),
      names.map((m, i) => option("not " + i, "not by " + m)), pairs].flat()),
    choice("by-verdict", "Some reply is", [option("any", "any"), present.map(c => option("verdict " + c, words(c)))]),
    choice("by-order", "Order", [option("row", "as in the data set"),
      names.length > 1 ? option("differ", "most different first") : null,
      option("hard", "hardest first"), option("long", "longest replies first"),
      index.levels ? option("level", "by level") : null, index.subjects ? option("subject", "by subject") : null]),
    el("label", null, "Question or answer", el("input", {id: "by-text", type: "search", oninput: applyFilters})),
    el("output", {id: "count"}));
}

/* ---- the table ---- */

/* One stop for the tab key; arrows, Home and End move between the cells. */
function moveInGrid(event) {
  const from = event.target.closest(".cell");
  if (!from || event.ctrlKey || event.metaKey || event.altKey) return;
  const row = from.closest("tr"), cells = [...row.querySelectorAll(".cell")], at = cells.indexOf(from);
  const inRow = r => r ? [...r.querySelectorAll(".cell")][Math.min(at, r.querySelectorAll(".cell").length - 1)] : null;
  const to = {ArrowLeft: () => cells[at - 1], ArrowRight: () => cells[at + 1],
    ArrowUp: () => inRow(row.previousElementSibling), ArrowDown: () => inRow(row.nextElementSibling),
    Home: () => inRow(row.parentNode.firstElementChild), End: () => inRow(row.parentNode.lastElementChild)}[event.key];
  if (!to) return;
  event.preventDefault();
  const next = to();
  if (!next) return;
  from.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

function openRow(event) {
  const row = event.target.closest("tr");
  if (!row) return;
  opener = event.target.closest("button") || row.querySelector("button");
  location.hash = "problem=" + row.dataset.number;
}

function problems(section) {
  if (!index.problems.length) return;
  heading(section, "Problems", "Each row is a problem, each cell what a model answered. A click or Enter shows " +
    "the prompt and every reply as it was written; the arrow keys move.");
  if (index.shortened) section.append(el("p", {class: "note"}, "Long texts are shortened in the middle " +
    `(${whole(index.shortened)} of them); potstill traces show has them whole.`));
  const head = (kindOf, text) => el("th", {class: kindOf, scope: "col"}, text);
  section.append(problemMap(), filterBar(),
    el("table", {id: "grid"},
      el("thead", null, el("tr", null, head("n", "#"), index.datasets.length > 1 ? head("d", "Data set") : null,
        index.levels ? head("l", "Level") : null, head("q", "Question"), head("gold", "Gold"),
        index.models.map(m => head("m", [chip(m), visible(m)])))),
      el("tbody", {onclick: openRow, onkeydown: moveInGrid})),
    el("p", {class: "more"}, el("button", {id: "show-more", onclick: () => { limit += 1000; fillTable(); }}, "Show more")));
  applyFilters();
}
