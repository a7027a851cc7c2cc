/* Where the accuracy comes from: levels and subjects, difficulty, the length of replies. */

/* By level, by subject: a row for each value, a column for each model. */
function breakdown(rows, by) {
  const shown = models.filter(m => rows.some(r => r.model === m));
  return el("div", {class: "scroll"}, el("table", {class: "dense"},
    el("caption", null, visible(rows[0].dataset), el("small", null, "by " + by)),
    el("thead", null, el("tr", null, el("th", {scope: "col"}, by === "level" ? "Level" : "Subject"),
      el("th", {scope: "col", class: "number"}, "Problems"),
      shown.map(m => el("th", {scope: "col"}, chip(m), visible(m))))),
    el("tbody", null, distinct(rows.map(r => r.value)).map(value => {
      const line = rows.filter(r => r.value === value);
      return el("tr", null, el("th", {scope: "row"}, visible(value)),
        el("td", {class: "number"}, whole(Math.max(...line.map(r => r.problems)))),
        shown.map(model => {
          const r = line.find(q => q.model === model);
          if (!r) return el("td", {class: "level"}, none);
          return el("td", {class: "level"}, el("span", {class: "score"}, percent(r.pass_at_1)),
            el("span", {class: "under"}, range(r.low, r.high)),
            el("div", {style: {color: colors(model)}},
              interval(model, 0, 1, r.pass_at_1, r.low, r.high, `${percent(r.pass_at_1)}, 95% interval ${range(r.low, r.high)}`)));
        }));
    }))));
}

function groups(section) {
  if (!report.groups.length) return;
  heading(section, "Levels and subjects", "As the data set names them. The lines are 95% intervals: with " +
    "few problems they are wide, and of many rows one or two stand out by chance.");
  for (const dataset of distinct(report.groups.map(g => g.dataset)))
    for (const by of ["level", "subject"]) {
      const rows = report.groups.filter(g => g.dataset === dataset && g.by === by);
      if (rows.length) section.append(breakdown(rows, by));
    }
}

/* ---- difficulty against gain ---- */

const binName = b => b.high === 0 ? "never" : b.low === 1 ? "always"
  : b.low === 0 ? "up to " + 100 * b.high + "%"
  : b.high === 1 ? "over " + 100 * b.low + "%" : 100 * b.low + " \u2013 " + 100 * b.high + "%";

function gainTable(gain) {
  const rows = gain.bins;
  const most = Math.max(.05, ...rows.map(b => Math.max(Math.abs(b.difference_low), Math.abs(b.difference_high))));
  const reach = Math.min(1, Math.ceil(20 * most) / 20);
  return [el("table", {class: "cards"},
    el("caption", null, visible(gain.dataset), el("small", null,
      visible(gain.student), " less ", visible(gain.base), ", by how often ", visible(gain.by), " is right")),
    columns([`${visible(gain.by)} is right`], ["Points", "number"],
      [`\u2212${(100 * reach).toFixed(0)} to +${(100 * reach).toFixed(0)} points`, "wide"], ["95% interval"],
      ["Student", "number"], ["Base", "number"], ["Problems", "number"]),
    el("tbody", null, rows.map(b => el("tr", null, el("th", {scope: "row"}, binName(b)),
      el("td", {class: "number score"}, points(b.difference)),
      el("td", {class: "wide", style: {color: colors(gain.student)}},
        interval(gain.student, -reach, reach, b.difference, b.difference_low, b.difference_high,
          `${points(b.difference)} points, 95% interval ${pointRange(b.difference_low, b.difference_high)}`)),
      el("td", {class: "range"}, pointRange(b.difference_low, b.difference_high)),
      small("student", percent(b.student_rate)), small("base", percent(b.base_rate)),
      small("problems", whole(b.problems)))))),
  gain.by === gain.base ? el("p", {class: "caution"}, "The base judges its own problems here, as there is no " +
    "teacher. Chance alone then makes a slope: what it solved by luck looks like a loss.") : null];
}

function gains(section) {
  const shown = report.gains.filter(g => g.bins.length > 1);
  if (!shown.length) return;
  heading(section, "Difficulty against gain", "Which problems the student learnt to solve: those that the " +
    "teacher always solves, or hard ones as well?");
  for (const gain of shown) section.append(...gainTable(gain).filter(Boolean));
}

/* ---- lengths ---- */

function lengths(section) {
  if (!report.lengths.length) return;
  heading(section, "Length of replies", "Replies by their output tokens, stacked: correct at the bottom, " +
    "wrong above, cut by the token limit on top; each model to its own height. Wrong replies that are much longer than correct ones " +
    "often ramble; a pile at the right end asks for a larger max_tokens.");
  for (const dataset of distinct(report.lengths.map(l => l.dataset))) {
    const rows = report.lengths.filter(l => l.dataset === dataset);
    section.append(el("h3", null, visible(dataset)),
      el("div", {class: "plots lengths"}, rows.map(l => histogram(l))));
  }
  section.append(el("ul", {class: "legend"}, ["correct", "wrong", "truncated"].map(kind =>
    el("li", null, el("i", {class: "block bin " + kind}), kind))));
}
