/* How the models came to be: data, training, cost, lineage. Of several runs one after the other. */

const ofRun = (section, run) => { if (several) section.append(el("h3", {class: "run"}, visible(run.name))); };

/* ---- data ---- */

/* The names that results have for why a trace is not kept. */
const reasons = {test_split: "of a test split", verdict: "by verdict", finish_reason: "by finish reason",
  tokens: "by length", share_correct: "by difficulty", repetition: "repetitions",
  per_question: "enough for their question", count: "enough in all"};

function funnelStep(step, most) {
  const parts = step.parts.filter(p => p.count > 0);
  return [
    el("dt", null, el("b", null, whole(step.count)), el("span", null, step.label)),
    el("dd", null,
      el("div", {class: "track"}, parts.map(p =>
        el("i", {class: p.kind, style: {width: 100 * p.count / most + "%"}}))),
      el("div", {class: "parts"}, parts.map(p => el("span", null, el("i", {class: "swatch " + p.kind}),
        `${reasons[p.name] || p.name.replaceAll("_", " ")} ${whole(p.count)}`)),
        step.note ? el("span", null, step.note.replace(/\d+/g, n => whole(+n))) : null))];
}

/* What each trained model learnt from: its stage and those before it, in order. */
function chainsOf(run) {
  const byId = Object.fromEntries(run.funnel.map(s => [s.stage, s]));
  const before = id => !byId[id] ? [] : distinct([...byId[id].inputs.flatMap(before), id]);
  const chains = run.funnel.filter(s => s.kind === "train").map(s => [s.stage, before(s.stage)]);
  return chains.length || !run.funnel.length ? chains : [["", run.funnel.map(s => s.stage)]];
}

function funnel(section) {
  if (!report.runs.some(run => run.funnel.length)) return;
  heading(section, "Data", "From prompts to training rows, and why the rest was left out.");
  for (const run of report.runs) {
    ofRun(section, run);
    for (const [name, chain] of chainsOf(run)) {
      const steps = run.funnel.filter(s => chain.includes(s.stage));
      const most = Math.max(1, ...steps.map(s => s.parts.reduce((sum, p) => sum + p.count, 0)));
      if (name) section.append(el("h3", null, visible(name)));
      section.append(el("dl", {class: "funnel"}, steps.map(s => funnelStep(s, most))));
    }
  }
}

/* ---- training ---- */

function trainingFigure(train, run) {
  const loss = train.points.filter(p => isNumber(p[1])), series = [], r = train.result || {};
  const color = colors(several ? run.name + ":" + train.stage : train.stage), many = loss.length > 200;
  if (many) series.push({name: "", color, values: loss, faint: true});
  if (loss.length) series.push({name: "training loss", color, values: many ? smooth(loss) : loss});
  if (train.validation.length) series.push({name: "validation loss", color: "var(--ink)", dashed: true,
    values: train.validation, dots: train.validation.length < 40});
  const facts = [r.parameters && whole(r.parameters) + " parameters", r.examples && plural(r.examples, "trace"),
    r.targets && whole(r.targets) + " target tokens",
    isNumber(train.tokens_per_second) && whole(train.tokens_per_second) + " tokens/s",
    r.best_step > 0 && "lowest validation loss at step " + whole(r.best_step)];
  return curves({title: visible((several ? run.name + ":" : "") + train.stage), xLabel: "step", series,
    note: facts.filter(Boolean).join(" \u00b7 ")});
}

function training(section) {
  const figures = report.runs.flatMap(run => run.train
    .filter(t => t.points.length || t.validation.length).map(t => trainingFigure(t, run)));
  if (!figures.length) return;
  heading(section, "Training", "Cross-entropy a target token, in nats.");
  section.append(el("div", {class: "plots"}, figures));
}

/* ---- cost ---- */

function costs(section) {
  if (!report.runs.some(run => run.costs.length)) return;
  heading(section, "Cost", "Time is by the clock, of the last call of a stage: one that was interrupted and " +
    "resumed took longer. Tokens are those of the result, whenever they were sampled.");
  for (const run of report.runs.filter(r => r.costs.length)) {
    const money = run.costs.some(c => isNumber(c.money)), total = key =>
      run.costs.reduce((sum, c) => sum + (isNumber(c[key]) ? c[key] : 0), 0);
    const speed = c => isNumber(c.tokens_per_second) ? c.tokens_per_second
      : (run.train.find(t => t.stage === c.stage) || {}).tokens_per_second;
    ofRun(section, run);
    section.append(el("div", {class: "scroll"}, el("table", {class: "dense"},
      columns(["Stage"], ["Time", "number"], ["Tokens read", "number"], ["Tokens written", "number"],
        ["Tokens/s", "number"], [money ? "Money" : null, "number"]),
      el("tbody", null, run.costs.map(c => el("tr", null,
        el("th", {scope: "row"}, visible(c.stage), c.kind !== c.stage ? el("span", {class: "role"}, c.kind) : null),
        el("td", {class: "number"}, duration(c.seconds)), el("td", {class: "number"}, whole(c.prompt_tokens)),
        el("td", {class: "number"}, whole(c.output_tokens)), el("td", {class: "number"}, whole(speed(c))),
        money ? el("td", {class: "number"}, isNumber(c.money) ? "$" + c.money.toFixed(2) : none) : null))),
      el("tfoot", null, el("tr", null, el("th", {scope: "row"}, "All"),
        el("td", {class: "number"}, duration(total("seconds"))), el("td", {class: "number"}, whole(total("prompt_tokens"))),
        el("td", {class: "number"}, whole(total("output_tokens"))), el("td", {class: "number"}),
        money ? el("td", {class: "number"}, "$" + total("money").toFixed(2)) : null)))));
  }
}

/* ---- lineage ---- */

const code = text => el("code", null, visible(text));
const textOrJson = value => typeof value === "string" ? value : JSON.stringify(value);

function factTable(pairs) {
  const known = pairs.filter(p => p[1] !== null && p[1] !== undefined && p[1] !== "");
  return el("table", {class: "facts-table"}, el("tbody", null, known.map(([key, value]) => el("tr", null,
    el("th", {scope: "row"}, visible(key)), el("td", null, typeof value === "string" ? visible(value) : value)))));
}

const runFacts = new Set(["potstill", "name", "pipeline", "limit", "seed", "date", "store", "started",
  "machine", "stages"]);

function runTable(source, {run, store}) {
  const machine = run.machine || {};
  return factTable([
    ["Run", source.path],
    ["Pipeline", run.name ? run.name + (run.pipeline ? " (" + run.pipeline + ")" : "") : null],
    ["Smoke run", run.limit ? "at most " + whole(run.limit) + " prompts and steps: not a result" : null],
    ["Date, seed", [run.date, isNumber(run.seed) ? "seed " + run.seed : null].filter(Boolean).join(", ")],
    ["Started", run.started ? date(run.started) : null],
    ["potstill", run.potstill && run.potstill !== report.potstill
      ? `run by ${run.potstill}, report by ${report.potstill}` : report.potstill],
    ["Machine", [machine.processor, machine.processors ? plural(machine.processors, "processor") : "",
      machine.system].filter(Boolean).join(" \u00b7 ")],
    ["Kernels", [machine.kernels, machine.kernels_because].filter(Boolean).join(": ")],
    ["Libraries", Object.entries(machine.libraries || {}).map(library => library.join(" ")).join(", ")],
    ...Object.entries(run).filter(([key]) => !runFacts.has(key)).map(([key, value]) => [key, textOrJson(value)]),
    ["Store", store.path || null],
    ["Traces hash", store.hash ? el("span", null, code(store.hash),
      store.traces ? ` (${plural(store.traces, "trace")})` : "") : store.why || null],
  ]);
}

function stageDetails(s) {
  const identity = s.identity || {};
  return el("details", {class: "stage"},
    el("summary", null, visible(s.id), el("span", {class: "role"},
      `${s.kind}, ${duration(s.seconds)}${s.finished ? ", " + date(s.finished) : ""}`)),
    factTable([["Fingerprint", code(s.fingerprint)],
      ...Object.entries(identity.inputs || {}).map(([id, hash]) => ["from " + id, code(hash)]),
      ...Object.entries(identity.references || {}).map(([id, hash]) => [id, code(String(hash))]),
      ...Object.entries(identity.settings || {}).map(([key, value]) => [key, code(textOrJson(value))])]));
}

function lineage(section) {
  heading(section, "Lineage", "What this report was made from, so that it can be made again.");
  for (const run of report.runs) {
    const {stages, pipeline} = run.lineage;
    ofRun(section, run);
    section.append(runTable(run, run.lineage));
    if (stages.length) section.append(el("h3", null, "Stages"), ...stages.map(stageDetails));
    if (pipeline) section.append(el("h3", null, "Pipeline, every default filled in"),
      el("details", null, el("summary", null, "pipeline.resolved.yaml"),
        el("pre", {class: "code", tabindex: 0}, visible(pipeline))));
  }
}
