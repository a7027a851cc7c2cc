/* The summary: tables, curves, funnel, lineage. */

const data = id => document.getElementById("data-" + id).textContent;
const report = JSON.parse(data("report"));
const distinct = list => [...new Set(list)];
const models = distinct(report.results.map(r => r.model));
const roles = Object.fromEntries(report.results.map(r => [r.model, r.role]));

/* A colour for each model: by its role, where no other has taken it. */
const colors = (() => {
  const free = ["student", "other", "fifth", "sixth", "teacher", "base"], given = {};
  for (const pass of [1, 2]) for (const model of models) {
    if (given[model]) continue;
    let i = pass === 1 ? free.indexOf(roles[model]) : 0;
    if (i < 0 || (pass === 2 && !free.length)) continue;
    given[model] = `var(--${free.splice(i, 1)[0]})`;
  }
  return model => given[model] || "var(--base)";
})();

const chip = model => el("i", {class: "chip", style: {color: colors(model)}});
const heading = (section, title, note) => section.append(el("h2", null, title), note ? el("p", {class: "note"}, note) : "");
const columns = (...names) => el("thead", null, el("tr", null, names.map(([name, kind]) => el("th", {scope: "col", class: kind}, name))));

function results(section) {
  if (!report.results.length) return;
  heading(section, "Results", "Accuracy is the share of correct replies, averaged over problems. The line is its 95% interval. Cut replies count as wrong.");
  for (const dataset of distinct(report.results.map(r => r.dataset))) {
    const rows = report.results.filter(r => r.dataset === dataset);
    section.append(el("table", {class: "cards"},
      el("caption", null, dataset, el("small", null, plural(rows[0].problems, "problem", "problems"),
        rows.every(r => r.samples === 1) ? ", one reply each" : "")),
      columns(["Model"], ["Accuracy", "number"], ["0 to 100%", "wide"], ["95% interval"], ["Truncated", "number"], ["No answer", "number"], ["Tokens", "number"],
        ...(rows.every(r => r.samples === 1) ? [] : [["Replies each", "number"]])),
      el("tbody", null, rows.map(r => el("tr", null,
        el("th", {scope: "row"}, chip(r.model), visible(r.model), r.role && r.role !== r.model ? el("span", {class: "role"}, r.role) : null),
        el("td", {class: "number score"}, percent(r.pass_at_1)),
        el("td", {class: "wide", style: {color: colors(r.model)}}, interval(0, 1, r.pass_at_1, r.low, r.high, `${percent(r.pass_at_1)}, interval ${percent(r.low)} to ${percent(r.high)}`)),
        el("td", {class: "range"}, (100 * r.low).toFixed(1) + " \u2013 " + percent(r.high)),
        el("td", {class: "number small", "data-label": "truncated"}, percent(r.truncated)),
        el("td", {class: "number small", "data-label": "no answer"}, percent(r.no_answer)),
        el("td", {class: "number small", "data-label": "tokens"}, whole(r.mean_tokens)),
        rows.every(q => q.samples === 1) ? null : el("td", {class: "number small", "data-label": "replies each"}, whole(r.samples)))))));
  }
}

function differences(section) {
  if (!report.pairs.length) return;
  heading(section, "Differences", "In percentage points, on the same problems. p is the chance of a difference at least this large if the two models were equally good: exact McNemar test at one reply a problem, a sign-flip test at more. A true difference below the last column would often go unnoticed with so many problems.");
  for (const dataset of distinct(report.pairs.map(p => p.dataset))) {
    const rows = report.pairs.filter(p => p.dataset === dataset);
    const reach = Math.min(1, Math.ceil(20 * Math.max(.05, ...rows.map(p => Math.max(Math.abs(p.low), Math.abs(p.high)))) * 1.02) / 20);
    section.append(el("table", {class: "cards"}, el("caption", null, dataset),
      columns(["Compared"], ["Points", "number"], ["\u2212" + (100 * reach).toFixed(0) + " to +" + (100 * reach).toFixed(0) + " points", "wide"], ["95% interval"], ["p", "number"], ["Detectable", "number"]),
      el("tbody", null, rows.map(p => {
        const sure = p.p < .05;
        return el("tr", null,
          el("th", {scope: "row"}, visible(p.a), el("span", {class: "role"}, "against "), visible(p.b)),
          el("td", {class: "number score"}, points(p.difference)),
          el("td", {class: "wide", style: {color: !sure ? "var(--none)" : p.difference > 0 ? colors(p.a) : colors(p.b)}}, interval(-reach, reach, p.difference, p.low, p.high, `${points(p.difference)} points, interval ${points(p.low)} to ${points(p.high)}`)),
          el("td", {class: "range"}, points(p.low) + " to " + points(p.high)),
          el("td", {class: "number small", "data-label": "p"}, pValue(p.p) + (sure ? "" : " (not significant)")),
          el("td", {class: "number small", "data-label": "detectable"}, isNumber(p.detectable) ? (100 * p.detectable).toFixed(1) : "\u2013"));
      }))));
  }
}

function levels(section) {
  if (!report.levels.length) return;
  heading(section, "By level", "Levels as the data set counts them. The lines are 95% intervals; with few problems they are wide.");
  for (const dataset of distinct(report.levels.map(l => l.dataset))) {
    const rows = report.levels.filter(l => l.dataset === dataset);
    const shown = models.filter(m => rows.some(r => r.model === m));
    section.append(el("div", {class: "scroll"}, el("table", null, el("caption", null, dataset),
      el("thead", null, el("tr", null, el("th", {scope: "col"}, "Level"), el("th", {scope: "col", class: "number"}, "Problems"), shown.map(m => el("th", {scope: "col"}, chip(m), visible(m))))),
      el("tbody", null, distinct(rows.map(r => r.level)).map(level => el("tr", null,
        el("th", {scope: "row"}, String(level)),
        el("td", {class: "number"}, whole(Math.max(...rows.filter(r => r.level === level).map(r => r.problems)))),
        shown.map(model => {
          const r = rows.find(q => q.level === level && q.model === model);
          return el("td", {class: "level"}, r ? [el("span", {class: "score"}, percent(r.pass_at_1)), el("div", {style: {color: colors(model)}}, interval(0, 1, r.pass_at_1, r.low, r.high, `${percent(r.low)} to ${percent(r.high)}`))] : "\u2013");
        })))))));
  }
}

function training(section) {
  const runs = report.train.filter(t => t.points.length || t.validation.length);
  if (!runs.length) return;
  heading(section, "Training");
  const figures = runs.map(run => {
    const loss = run.points.filter(p => isNumber(p[1])), series = [], r = run.result || {};
    const color = colors(run.stage);
    if (loss.length > 200) series.push({name: "", color, values: loss, faint: true});
    if (loss.length) series.push({name: "training loss", color, values: loss.length > 200 ? smooth(loss) : loss});
    if (run.validation.length) series.push({name: "validation loss", color: "var(--other)", values: run.validation, dots: run.validation.length < 40});
    const facts = [r.parameters && whole(r.parameters) + " parameters", r.examples && whole(r.examples) + " traces", r.targets && whole(r.targets) + " target tokens",
      isNumber(run.tokens_per_second) && whole(run.tokens_per_second) + " tokens/s", r.best_step > 0 && "best at step " + whole(r.best_step)];
    return plot({title: visible(run.stage), xLabel: "step", series, note: facts.filter(Boolean).join(" \u00b7 ")});
  });
  section.append(el("div", {class: "plots"}, figures));
}

/* The names that results have for why a trace is not kept. */
const reasons = {test_split: "of a test split", verdict: "by verdict", finish_reason: "by finish reason", tokens: "by length", share_correct: "by difficulty",
  repetition: "repetitions", per_question: "enough for their question", count: "enough in all"};

/* What each trained model learnt from: its stage and those before it, in order. */
function funnel(section) {
  const byId = Object.fromEntries(report.funnel.map(s => [s.stage, s]));
  const before = id => !byId[id] ? [] : distinct([...byId[id].inputs.flatMap(before), id]);
  let chains = report.funnel.filter(s => s.kind === "train").map(s => [s.stage, before(s.stage)]);
  if (!chains.length && report.funnel.length) chains = [["", report.funnel.map(s => s.stage)]];
  if (!chains.length) return;
  heading(section, "Data", "From prompts to training rows, and why the rest was left out.");
  for (const [name, chain] of chains) {
    const steps = report.funnel.filter(s => chain.includes(s.stage));
    const most = Math.max(1, ...steps.map(s => s.parts.reduce((sum, p) => sum + p.count, 0)));
    if (name) section.append(el("h3", null, chip(name), visible(name)));
    section.append(el("dl", {class: "funnel"}, steps.map(s => [
      el("dt", null, el("b", null, whole(s.count)), el("span", null, s.label)),
      el("dd", null,
        el("div", {class: "track"}, s.parts.filter(p => p.count > 0).map(p => el("i", {class: p.kind, style: {width: 100 * p.count / most + "%"}}))),
        el("div", {class: "parts"}, s.parts.filter(p => p.count > 0).map(p => el("span", null, el("i", {class: "chip " + p.kind}), `${reasons[p.name] || p.name.replaceAll("_", " ")} ${whole(p.count)}`)),
          s.note ? el("span", null, s.note.replace(/\d+/g, n => whole(+n))) : null))])));
  }
}

function rows(pairs) {
  return el("table", {class: "facts-table"}, el("tbody", null, pairs.filter(p => p[1] !== null && p[1] !== undefined && p[1] !== "").map(([key, value]) =>
    el("tr", null, el("th", {scope: "row"}, key), el("td", null, typeof value === "string" ? visible(value) : value)))));
}

function lineage(section) {
  const {run, store, stages, pipeline} = report.lineage, machine = run.machine || {};
  const code = text => el("code", null, visible(text));
  const known = new Set(["potstill", "name", "pipeline", "limit", "seed", "date", "store", "started", "machine", "stages"]);
  heading(section, "Lineage", "What this report was made from, so that it can be made again.");
  section.append(rows([
    ["Pipeline", run.name + (run.pipeline ? " (" + run.pipeline + ")" : "")],
    ["Smoke run", run.limit ? "at most " + whole(run.limit) + " prompts and steps: not a result" : null],
    ["Date, seed", [run.date, isNumber(run.seed) ? "seed " + run.seed : null].filter(Boolean).join(", ")],
    ["Started", run.started ? date(run.started) : null],
    ["potstill", report.potstill],
    ["Machine", [machine.processor, machine.processors ? plural(machine.processors, "processor", "processors") : "", machine.system].filter(Boolean).join(" \u00b7 ")],
    ["Kernels", [machine.kernels, machine.kernels_because].filter(Boolean).join(": ")],
    ["Libraries", Object.entries(machine.libraries || {}).map(library => library.join(" ")).join(", ")],
    ...Object.entries(run).filter(([key]) => !known.has(key)).map(([key, value]) => [key, typeof value === "string" ? value : JSON.stringify(value)]),
    ["Store", store.path || null],
    ["Traces hash", store.hash ? el("span", null, code(store.hash), store.traces ? ` (${plural(store.traces, "trace", "traces")})` : "") : store.why || null],
  ]));
  section.append(el("h3", null, "Stages"));
  for (const s of stages) section.append(el("details", null,
    el("summary", null, visible(s.id), el("span", {class: "role"}, `${s.kind}, ${duration(s.seconds)}${s.finished ? ", " + date(s.finished) : ""}`)),
    rows([["Fingerprint", code(s.fingerprint)],
      ...Object.entries(s.identity && s.identity.inputs || {}).map(([id, hash]) => ["from " + id, code(hash)]),
      ...Object.entries(s.identity && s.identity.references || {}).map(([id, hash]) => [id, code(String(hash))]),
      ...Object.entries(s.identity && s.identity.settings || {}).map(([key, value]) => [key, code(typeof value === "string" ? value : JSON.stringify(value))])])));
  if (pipeline) section.append(el("h3", null, "Pipeline, every default filled in"), el("details", null, el("summary", null, "pipeline.resolved.yaml"), el("pre", {class: "code", tabindex: 0}, visible(pipeline))));
}

document.getElementById("when").textContent = date(report.generated);
document.getElementById("more").append(...report.headline.details.map(text => el("li", null, visible(text))));
for (const [id, fill] of Object.entries({results, differences, levels, training, funnel, lineage})) fill(document.getElementById(id));
