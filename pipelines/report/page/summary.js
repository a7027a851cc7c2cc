/* Scores, differences, and accuracy against the tokens it took. */

/* A score as a cell with its number, one with its dot and line, and one with its interval. */
const scoreCells = (model, r) => [
  el("td", {class: "number score"}, percent(r.value)),
  el("td", {class: "wide", style: {color: colors(model)}}, interval(model, 0, 1, r.value, r.low, r.high,
    `${percent(r.value)}, 95% interval ${range(r.low, r.high)}`)),
  el("td", {class: "range"}, range(r.low, r.high))];

function results(section) {
  if (!report.results.length) return;
  heading(section, "Results", "Accuracy is the share of correct replies, averaged over problems " +
    "(pass@1). The line is its 95% interval. Cut replies count as wrong.");
  for (const dataset of datasets) {
    const rows = report.results.filter(r => r.dataset === dataset);
    const single = rows.every(r => r.samples === 1), counts = distinct(rows.map(r => r.problems));
    const uneven = counts.length > 1, first = rows.find(r => r.total > r.problems);
    const size = first ? `the first ${whole(first.problems)} of its ${plural(first.total, "problem")}` : plural(counts[0], "problem");
    section.append(el("table", {class: "cards"},
      el("caption", null, visible(dataset), el("small", null, uneven ? "" : size,
        single ? (uneven ? "one reply each" : ", one reply each") : "",
        rows.some(r => r.interval === "exact") ? ", exact intervals" : "")),
      columns(["Model"], ["Accuracy", "number"], ["0 to 100%", "wide"], ["95% interval"],
        ["Truncated", "number"], ["No answer", "number"], ["Tokens", "number"],
        [single ? null : "Replies each", "number"], [uneven ? "Problems" : null, "number"]),
      el("tbody", null, rows.map(r => el("tr", null,
        el("th", {scope: "row"}, modelName(r.model)),
        scoreCells(r.model, {value: r.pass_at_1, low: r.low, high: r.high}),
        small("truncated", percent(r.truncated)), small("no answer", percent(r.no_answer)),
        small("tokens", whole(r.mean_tokens)),
        single ? null : small("replies each", whole(r.samples)),
        uneven ? small("problems", whole(r.problems)) : null)))));
    section.append(...notesOf(dataset, false));
    manySamples(section, rows.filter(r => r.samples > 1 && r.pass_at && r.pass_at.length));
  }
}

/* maj@k and pass@k, where there are several replies to a problem. */
function manySamples(section, rows) {
  if (!rows.length) return;
  const ks = distinct(rows.flatMap(r => r.pass_at.map(p => p.k))).sort((a, b) => a - b);
  section.append(el("details", {open: true}, el("summary", null, "Several replies to a problem: maj@k, pass@k"),
    el("p", {class: "note"}, "maj@k: whether the answer that most of the k replies give is correct; " +
      "tied: the problems where that took a lot. pass@k: whether any of k replies is correct, unbiased."),
    el("div", {class: "scroll"}, el("table", {class: "dense"},
      columns(["Model"], ["", "number"], ["0 to 100%", "wide"], ["95% interval"], ["Tied", "number"],
        ...ks.map(k => ["pass@" + k, "number"])),
      el("tbody", null, rows.map(r => el("tr", null, el("th", {scope: "row"}, modelName(r.model)),
        r.majority ? [el("td", {class: "number"}, el("span", {class: "role"}, "maj@" + r.samples + " "),
          el("b", null, percent(r.majority.value))), scoreCells(r.model, r.majority).slice(1),
          el("td", {class: "number"}, percent(r.majority.tied))] : el("td", {colspan: 4}),
        ks.map(k => {
          const pass = r.pass_at.find(p => p.k === k);
          return el("td", {class: "number"}, pass
            ? [el("b", null, percent(pass.value)), el("span", {class: "under"}, range(pass.low, pass.high))] : none);
        }))))))));
}

/* ---- pairs ---- */

/* A pair as rows: the accuracies, and what else it says of votes and passes where it has them. */
function pairRow(p, reach) {
  const sure = p.p < .05;
  return el("tr", null,
    el("th", {scope: "row"}, visible(p.a), el("span", {class: "role"}, "against "), visible(p.b)),
    el("td", {class: "number score"}, points(p.difference)),
    el("td", {class: "wide", style: {color: !sure ? "var(--none)" : colors(p.difference > 0 ? p.a : p.b)}},
      interval(p.difference > 0 ? p.a : p.b, -reach, reach, p.difference, p.low, p.high,
        `${points(p.difference)} points, 95% interval ${pointRange(p.low, p.high)}`)),
    el("td", {class: "range"}, pointRange(p.low, p.high)),
    small("p", pValue(p.p) + (sure ? "" : " (not significant)")),
    small("detectable", isNumber(p.detectable) ? (100 * p.detectable).toFixed(1) : none),
    small("won, lost", whole(p.a_better) + ", " + whole(p.b_better)));
}

/* The same pairs by what several replies are worth together. */
function manyDifferences(rows) {
  const several = rows.filter(p => p.pass_at && p.pass_at.length);
  if (!several.length) return null;
  const ks = distinct(several.flatMap(p => p.pass_at.map(d => d.k))).sort((a, b) => a - b);
  const cell = d => el("td", {class: "number"}, d ? [el("b", null, points(d.value)),
    el("span", {class: "under"}, pointRange(d.low, d.high)), el("span", {class: "under"}, "p " + pValue(d.p))] : none);
  return el("details", null, el("summary", null, "Differences of maj@k and pass@k"),
    el("div", {class: "scroll"}, el("table", {class: "dense"},
      columns(["Compared"], ["maj@k", "number"], ...ks.map(k => ["pass@" + k, "number"])),
      el("tbody", null, several.map(p => el("tr", null,
        el("th", {scope: "row"}, visible(p.a), el("span", {class: "role"}, "against "), visible(p.b)),
        cell(p.majority), ks.map(k => cell(p.pass_at.find(d => d.k === k)))))))));
}

function differences(section) {
  if (!report.pairs.length) return;
  const exact = report.pairs.some(p => p.test === "mcnemar");
  heading(section, "Differences", "In percentage points, on the same problems. p is the chance of a " +
    "difference at least this large if the two were equally good (" +
    (exact ? "exact McNemar test" : "sign-flip test over problems") + "). Detectable is the smallest " +
    "true difference that so many problems show four times out of five: a smaller one often goes " +
    "unnoticed. Won and lost: problems that the first, or the second, solved more often.");
  for (const dataset of distinct(report.pairs.map(p => p.dataset))) {
    const rows = report.pairs.filter(p => p.dataset === dataset);
    const most = Math.max(.05, ...rows.map(p => Math.max(Math.abs(p.low), Math.abs(p.high))));
    const reach = Math.min(1, Math.ceil(20 * most * 1.02) / 20);
    section.append(el("table", {class: "cards"}, el("caption", null, visible(dataset)),
      columns(["Compared"], ["Points", "number"],
        [`\u2212${(100 * reach).toFixed(0)} to +${(100 * reach).toFixed(0)} points`, "wide"],
        ["95% interval"], ["p", "number"], ["Detectable", "number"], ["Won, lost", "number"]),
      el("tbody", null, rows.map(p => pairRow(p, reach)))), manyDifferences(rows) || "",
      ...notesOf(dataset, true));
  }
}

/* ---- accuracy against tokens ---- */

function tokens(section) {
  const rows = report.results.filter(r => isNumber(r.mean_tokens));
  if (rows.length < 2) return;
  const sweep = rows.some(r => r.limits && r.limits.length);
  heading(section, "Accuracy against tokens", "Up is better, left is cheaper; lines are 95% intervals. " +
    (sweep ? "A curve is one model as if max_tokens had been smaller: the same replies, cut there. " : "") + (rows.some(r => r.budget) ? "A dashed line joins one model under several thinking budgets." : ""));
  section.append(el("div", {class: "plots"}, datasets.map(d =>
    scatter(rows.filter(r => r.dataset === d), visible(d)))));
  if (!sweep) return;
  section.append(el("details", null, el("summary", null, "The numbers of each limit"),
    el("div", {class: "scroll"}, el("table", {class: "dense"},
      columns(["Data set"], ["Model"], ["max_tokens", "number"], ["Accuracy", "number"], ["95% interval"],
        ["Truncated", "number"], ["No answer", "number"], ["Tokens", "number"]),
      el("tbody", null, rows.flatMap(r => [...(r.limits || []), r].map(limit => el("tr", null,
        el("td", null, visible(r.dataset)), el("th", {scope: "row"}, modelName(r.model)),
        el("td", {class: "number"}, whole(limit.max_tokens)),
        el("td", {class: "number score"}, percent(limit.pass_at_1)),
        el("td", {class: "range"}, range(limit.low, limit.high)),
        el("td", {class: "number"}, percent(limit.truncated)),
        el("td", {class: "number"}, percent(limit.no_answer)),
        el("td", {class: "number"}, whole(limit.mean_tokens))))))))));
}
