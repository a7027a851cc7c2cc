/* The table of problems, and one problem with every model's reply. The index is small and read at
   once; prompts and replies lie one problem a line and are parsed when they are looked at. */

const index = JSON.parse(data("problems"));
const verdicts = {c: "correct", w: "wrong", a: "no_answer", t: "truncated", g: "gold_unreadable", u: "undecided", n: "no_gold", "-": "none"};
const signs = {c: "\u2713", w: "\u2717", a: "\u2013", t: "\u2702", g: "?", u: "?", n: "?", "-": "\u00b7"};
const words = code => code === "-" ? "not graded" : verdicts[code].replaceAll("_", " ");
const pageSize = 200;
let lines = null, shown = [], limit = pageSize, opener = null;
let current = 0; /* number of the open problem, 0: none */

const body = number => JSON.parse((lines ||= data("replies").split("\n"))[number - 1]);
const solved = (problem, m) => problem.m[m] ? problem.m[m][0].split("c").length - 1 : -1;

function kind(codes) {
  if ([...codes].every(c => c === codes[0])) return verdicts[codes[0]];
  return "mixed";
}

function cell(problem, number, m) {
  const got = problem.m[m];
  if (!got) return el("td", {class: "m"});
  const [codes, extracted] = got, one = codes.length === 1;
  const text = one ? extracted || words(codes) : `${solved(problem, m)} of ${codes.length}`;
  return el("td", {class: "m"}, el("button", {class: "cell fill " + kind(codes), "data-number": number,
    "aria-label": `problem ${number}, ${index.models[m]}: ${one ? words(codes) : text + " correct"}${one && extracted ? ", " + visible(extracted) : ""}`},
    one ? signs[codes] + " " : "", el("span", null, visible(text))));
}

function fillTable() {
  const bodyNode = document.querySelector("#grid tbody"), many = index.datasets.length > 1;
  bodyNode.replaceChildren(...shown.slice(0, limit).map(number => {
    const p = index.problems[number - 1];
    return el("tr", {"data-number": number},
      el("td", {class: "n"}, String(number)), many ? el("td", {class: "d"}, visible(index.datasets[p.d])) : null,
      index.levels ? el("td", {class: "l"}, p.l ?? "") : null,
      el("td", {class: "q"}, visible(p.q)), el("td", {class: "gold"}, visible(p.g ?? "")),
      index.models.map((_, m) => cell(p, number, m)));
  }));
  document.getElementById("count").textContent = plural(shown.length, "problem", "problems");
  document.getElementById("show-more").hidden = shown.length <= limit;
}

function applyFilters() {
  const dataset = +document.getElementById("by-dataset").value, who = document.getElementById("by-solved").value;
  const text = document.getElementById("by-text").value.trim().toLowerCase();
  const test = problem => {
    const [rule, a, b] = who.split(" "), marks = index.models.map((_, m) => solved(problem, m)).filter(n => n >= 0);
    if (rule === "all") return marks.every(n => n > 0);
    if (rule === "nobody") return marks.every(n => n === 0);
    if (rule === "by") return solved(problem, +a) > 0;
    if (rule === "not") return solved(problem, +a) === 0;
    if (rule === "more") return solved(problem, +a) > Math.max(0, solved(problem, +b)) && solved(problem, +b) >= 0;
    return true;
  };
  shown = [];
  index.problems.forEach((p, i) => {
    if ((dataset < 0 || p.d === dataset) && test(p) && (!text || p.q.toLowerCase().includes(text) || String(p.g).toLowerCase() === text)) shown.push(i + 1);
  });
  limit = pageSize;
  fillTable();
}

function explorer(section) {
  if (!index.problems.length) return;
  heading(section, "Problems", "Each row is a problem, each coloured cell what a model answered. A click or Enter shows the prompt and every reply as it was written.");
  if (index.shortened) section.append(el("p", {class: "note"}, `Long texts are shortened in the middle (${whole(index.shortened)} of them); potstill traces show has them whole.`));
  const option = (value, text) => el("option", {value}, visible(text));
  const pairs = [];
  index.models.forEach((a, i) => index.models.forEach((b, j) => { if (i !== j) pairs.push(option(`more ${i} ${j}`, `more often by ${a} than by ${b}`)); }));
  const many = index.datasets.length > 1;
  section.append(
    el("div", {class: "filters"},
      el("label", {style: many ? {} : {display: "none"}}, "Data set", el("select", {id: "by-dataset", onchange: applyFilters}, option(-1, "all"), index.datasets.map((d, i) => option(i, d)))),
      el("label", null, "Solved", el("select", {id: "by-solved", onchange: applyFilters}, option("any", "any"), option("all", "by all"), option("nobody", "by nobody"),
        index.models.map((m, i) => option("by " + i, "by " + m)), index.models.map((m, i) => option("not " + i, "not by " + m)), pairs)),
      el("label", null, "Question contains, or answer is", el("input", {id: "by-text", type: "search", oninput: applyFilters})),
      el("output", {id: "count"})),
    el("table", {id: "grid"},
      el("thead", null, el("tr", null, el("th", {class: "n", scope: "col"}, "#"), many ? el("th", {class: "d", scope: "col"}, "Data set") : null,
        index.levels ? el("th", {class: "l", scope: "col"}, "Level") : null, el("th", {class: "q", scope: "col"}, "Question"), el("th", {class: "gold", scope: "col"}, "Gold"),
        index.models.map(m => el("th", {class: "m", scope: "col"}, chip(m), visible(m))))),
      el("tbody", {onclick: event => { const row = event.target.closest("tr"); opener = event.target.closest("button") || row.querySelector("button"); location.hash = "problem=" + row.dataset.number; }})),
    el("p", {class: "more"}, el("button", {id: "show-more", onclick: () => { limit += pageSize; fillTable(); }}, "Show more")));
  applyFilters();
}

/* ---- one problem ---- */

/* Texts come as [text] or, with the extracted answer inside, [before, answer, after]. */
function textOf(parts, kindOf) {
  return el("pre", {class: kindOf}, parts.map((part, i) => i === 1 ? el("mark", null, visible(part)) : visible(part)));
}

function reply(r) {
  const model = index.models[r.m], code = r.v;
  const facts = [r.x !== null && r.x !== undefined ? "answer " + visible(r.x) + (r.u ? " (" + r.u.replaceAll("_", " ") + "): " + visible(r.w) : "") : null, plural(r.t, "token", "tokens"),
    r.f === "length" ? "cut by the token limit" : null, r.n > 0 ? "sample " + (r.s + 1) : null];
  return el("article", {class: "reply"},
    el("h3", null, chip(model), visible(model), el("span", {class: "badge fill " + verdicts[code]}, signs[code] + " " + words(code))),
    el("p", {class: "facts"}, facts.filter(Boolean).join(" \u00b7 ")),
    r.r ? el("details", {open: true}, el("summary", null, "Reasoning"), textOf([r.r], "text reasoning")) : null,
    textOf(r.c, "text"), r.c.join("") === "" ? el("p", {class: "facts"}, r.r ? "Nothing after the reasoning." : "An empty reply.") : null);
}

function prompt(p, names, open) {
  const messages = Array.isArray(p.messages) ? p.messages : [];
  return el("details", {open}, el("summary", null, "Prompt", names ? el("span", {class: "role"}, visible(names)) : null),
    messages.map(m => el("div", {class: "message"}, el("b", null, visible(m.role ?? "")), el("pre", {class: "text"}, visible(typeof m.content === "string" ? m.content : JSON.stringify(m.content))))),
    p.prefill ? el("div", {class: "message"}, el("b", null, "begins the reply"), el("pre", {class: "text"}, visible(p.prefill))) : null);
}

function show(number) {
  const dialog = document.getElementById("problem"), p = index.problems[number - 1], content = body(number);
  const level = index.levels && p.l !== undefined ? " \u00b7 level " + p.l : "";
  const users = i => distinct(content.replies.filter(r => r.p === i).map(r => index.models[r.m])).join(", ");
  const at = shown.indexOf(number), next = shown[at + 1], previous = at > 0 ? shown[at - 1] : 0;
  const go = to => () => { if (to) location.replace("#problem=" + to); };
  dialog.replaceChildren(
    el("header", null, el("h2", {id: "problem-title"}, "Problem " + number, el("small", null, visible(index.datasets[p.d]) + ", row " + p.n + level)),
      el("button", {disabled: !previous, onclick: go(previous), "aria-keyshortcuts": "ArrowLeft"}, "\u2190 Previous"),
      el("button", {disabled: !next, onclick: go(next), "aria-keyshortcuts": "ArrowRight"}, "Next \u2192"),
      el("button", {onclick: () => dialog.close()}, "Close")),
    el("div", {class: "body", tabindex: 0}, content.prompts.map((one, i) => prompt(one, content.prompts.length > 1 ? users(i) : "", i === 0)),
      el("p", {class: "goldline"}, p.g === null || p.g === undefined ? "There is no gold answer." : ["The right answer is ", el("b", null, visible(p.g)), "."]),
      el("div", {class: "replies"}, content.replies.map(reply))));
  current = number;
  if (!dialog.open) dialog.showModal();
  dialog.querySelector(".body").focus();
}

/* The address says which problem is open, so that it can be sent to somebody and "back" closes it. */
function follow() {
  const dialog = document.getElementById("problem"), match = /^#problem=(\d{1,7})$/.exec(location.hash);
  if (match && index.problems[match[1] - 1]) show(+match[1]);
  else if (dialog.open) dialog.close();
}

document.getElementById("problem").addEventListener("close", () => {
  current = 0;
  if (location.hash.startsWith("#problem=")) history.replaceState(null, "", "#problems");
  if (opener && opener.isConnected) opener.focus({preventScroll: true});
});
document.getElementById("problem").addEventListener("click", event => { if (event.target === event.currentTarget) event.currentTarget.close(); });
document.addEventListener("keydown", event => {
  if (!current || event.ctrlKey || event.metaKey || event.altKey) return;
  const at = shown.indexOf(current), to = event.key === "ArrowRight" ? shown[at + 1] : event.key === "ArrowLeft" ? shown[at - 1] : 0;
  if (to) location.replace("#problem=" + to);
});
explorer(document.getElementById("problems"));
const sections = [...document.querySelectorAll("main > section")].filter(s => s.firstChild);
document.getElementById("contents").append(el("div", null, sections.map(s => el("a", {href: "#" + s.id}, s.dataset.title))));
window.addEventListener("hashchange", follow);
follow();
