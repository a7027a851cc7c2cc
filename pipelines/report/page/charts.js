/* Charts: intervals beside numbers, and figures with axes. Every mark has its numbers as a tooltip,
   and every figure says in words what it shows. */

/* A score with its interval on a common scale [from, to], as wide as its cell. */
function interval(model, from, to, value, low, high, name) {
  const at = v => (100 * (Math.min(Math.max(v, from), to) - from) / (to - from)).toFixed(2) + "%";
  const line = (a, b, y1, y2, kind) => el("line", {x1: a, x2: b, y1, y2, class: kind});
  const svg = el("svg", {class: "interval", role: "img", "aria-label": name},
    el("title", null, name), line("0%", "100%", 9, 9, null));
  for (const tick of from < 0 ? [0] : [0, .25, .5, .75, 1])
    svg.append(line(at(tick), at(tick), from < 0 ? 0 : 6, from < 0 ? 18 : 12,
      from < 0 ? "zero" : null));
  const dot = el("svg", {x: at(value), y: 9, overflow: "visible"}, mark(model, 0, 0, 3.6));
  svg.append(line(at(low), at(high), 9, 9, "bar"), dot);
  return svg;
}

/* Round numbers, about `count` of them, that cover [low, high]. */
function ticks(low, high, count) {
  if (!(high > low)) high = low + (Math.abs(low) || 1);
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map(m => m * power).find(s => s >= rough * .999);
  const first = Math.floor(low / step + 1e-9), last = Math.ceil(high / step - 1e-9);
  return Array.from({length: last - first + 1}, (_, i) => +((first + i) * step).toPrecision(12));
}

/* Powers of two that cover [low, high], thinned to about `count`. */
function octaves(low, high, count) {
  const first = Math.floor(Math.log2(low)), last = Math.max(first + 1, Math.ceil(Math.log2(high)));
  const step = Math.ceil((last - first) / count);
  return Array.from({length: last - first + 1}, (_, i) => 2 ** (first + i))
    .filter((_, i) => i % step === 0);
}

/* An axis over these ticks and this range; `log` for ratios. */
function axis(ticks, low, high, log) {
  const f = log ? Math.log : v => v;
  return {ticks, low, high, share: v => (f(v) - f(low)) / (f(high) - f(low) || 1)};
}

/* The frame of a figure: x and y map values to places in the drawing. */
function frame({x: xAxis, y: yAxis, xLabel, xText = whole, yText = String, name, height, left = 46}) {
  const width = Math.max(300, Math.min(560, innerWidth - 32));
  const right = 14, top = 10, bottom = xLabel ? 40 : 24;
  height = height || Math.round(150 + width / 5);
  const x = v => left + (width - left - right) * xAxis.share(v);
  const y = v => height - bottom - (height - top - bottom) * yAxis.share(v);
  const svg = el("svg", {class: "plot", viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": name});
  for (const t of yAxis.ticks) svg.append(
    el("line", {class: t === yAxis.low ? "axis" : "grid", x1: left, x2: width - right, y1: y(t), y2: y(t)}),
    el("text", {x: left - 8, y: y(t) + 4, "text-anchor": "end"}, yText(t)));
  for (const t of xAxis.ticks) if (t >= xAxis.low && t <= xAxis.high) svg.append(
    el("line", {class: "axis", x1: x(t), x2: x(t), y1: y(yAxis.low), y2: y(yAxis.low) + 5}),
    el("text", {x: x(t), y: y(yAxis.low) + 18, "text-anchor": "middle"}, xText(t)));
  if (xLabel) svg.append(el("text", {x: (left + width - right) / 2, y: height - 4,
    "text-anchor": "middle"}, xLabel));
  return {svg, x, y, width, height, left, right, top, bottom};
}

const figure = (title, ...parts) =>
  el("figure", null, title ? el("figcaption", null, title) : null, parts);
const pathOf = (places) => places.map(([a, b], i) => (i ? "L" : "M") + a.toFixed(1) + " " +
  b.toFixed(1)).join("");

/* ---- curves over training steps ---- */

/* A run of noisy values, each the mean of about a fiftieth of the run around it. */
function smooth(values) {
  const reach = Math.floor(values.length / 100);
  return values.map(([x], i) => {
    const part = values.slice(Math.max(0, i - reach), i + reach + 1);
    return [x, part.reduce((sum, p) => sum + p[1], 0) / part.length];
  });
}

/* series: {name, color, values: [[x, y]], dots, faint, dashed}. */
function curves({title, xLabel, series, note}) {
  const named = series.filter(s => !s.faint), all = series.flatMap(s => s.values);
  const most = all.reduce((m, p) => Math.max(m, p[0]), 1);
  const ys = all.map(p => p[1]).sort((a, b) => a - b), least = ys[0], top = ys[ys.length - 1];
  const xTicks = ticks(0, most, 5), yTicks = ticks(least < top / 2 ? Math.min(0, least) : least, top, 5);
  const ends = named.map(s => `${s.name} ends at ${s.values[s.values.length - 1][1].toPrecision(4)}`);
  const f = frame({x: axis(xTicks, 0, most), y: axis(yTicks, yTicks[0], yTicks[yTicks.length - 1]),
    xLabel, name: title + ": " + ends.join(", ")});
  for (const s of series) {
    f.svg.append(el("path", {d: pathOf(s.values.map(([a, b]) => [f.x(a), f.y(b)])),
      class: s.faint ? "faint" : s.dashed ? "dashed" : null, style: {color: s.color}}));
    if (s.dots) for (const [a, b] of s.values)
      f.svg.append(el("circle", {cx: f.x(a), cy: f.y(b), r: 3, style: {color: s.color}}));
  }
  return figure(title, note ? el("p", {class: "note"}, note) : null, f.svg, legend(named),
    readout(f, named, most));
}

const legend = series => el("ul", {class: "legend"}, series.map(s =>
  el("li", null, el("i", {class: s.dashed ? "dashed" : null, style: {color: s.color}}), s.name)));

/* The values under the pointer, in words. */
function readout(f, named, most) {
  const words = el("div", {class: "readout", "aria-hidden": "true"});
  const cursor = el("line", {class: "axis", y1: f.top, y2: f.height - f.bottom, visibility: "hidden"});
  f.svg.append(cursor);
  f.svg.addEventListener("pointermove", event => {
    const box = f.svg.getBoundingClientRect(), place = (event.clientX - box.left) * f.width / box.width;
    const at = most * (place - f.left) / (f.width - f.left - f.right);
    const near = named.map(s => [s.name, s.values.reduce((a, b) =>
      Math.abs(b[0] - at) < Math.abs(a[0] - at) ? b : a)]);
    cursor.setAttribute("x1", f.x(near[0][1][0]));
    cursor.setAttribute("x2", f.x(near[0][1][0]));
    cursor.setAttribute("visibility", "visible");
    words.textContent = near.map(([name, p]) =>
      `${name} ${p[1].toPrecision(4)} at step ${whole(p[0])}`).join(" \u00b7 ");
  });
  f.svg.addEventListener("pointerleave", () => {
    cursor.setAttribute("visibility", "hidden");
    words.textContent = "";
  });
  return words;
}

/* ---- accuracy against tokens ---- */

/* results of one data set; a model with limits is a line that ends in its point. */
function scatter(rows, title) {
  const path = r => [...(r.limits || []), r];
  const xs = rows.flatMap(r => path(r).map(p => Math.max(1, p.mean_tokens)));
  const least = Math.min(...xs), most = Math.max(...xs), log = most > 6 * least;
  const yTicks = ticks(0, Math.min(1, Math.max(.04, ...rows.flatMap(r => path(r).map(p => p.high)))), 4);
  const marks = log ? octaves(least / 1.15, most * 1.15, 8) : ticks(0, most * 1.05, 5);
  const f = frame({xLabel: "mean tokens of a reply" + (log ? ", ratio scale" : ""),
    x: axis(marks, log ? least / 1.25 : 0, log ? most * 1.35 : marks[marks.length - 1], log),
    y: axis(yTicks, 0, yTicks[yTicks.length - 1]), yText: v => +(100 * v).toFixed(1) + "%",
    name: title + ": " + rows.map(r => `${r.model} ${percent(r.pass_at_1)} with ${whole(r.mean_tokens)} tokens`).join(", ")});
  const labels = [];
  for (const of of distinct(rows.filter(r => r.budget).map(r => r.of))) { /* one model, several budgets */
    const line = rows.filter(r => r.of === of).sort((a, b) => a.mean_tokens - b.mean_tokens);
    f.svg.append(el("path", {class: "dashed", style: {color: colors(of)},
      d: pathOf(line.map(r => [f.x(Math.max(1, r.mean_tokens)), f.y(r.pass_at_1)]))}));
  }
  for (const r of rows) {
    const color = {color: colors(r.model)}, places = path(r).map(p => [f.x(Math.max(1, p.mean_tokens)), f.y(p.pass_at_1)]);
    if (places.length > 1) f.svg.append(el("path", {d: pathOf(places), style: color}));
    path(r).forEach((p, i) => {
      const [x, y] = places[i], last = i === places.length - 1;
      const words = `${r.model}${last && places.length === 1 ? "" : `, max_tokens ${whole(p.max_tokens)}`}: ` +
        `${percent(p.pass_at_1)} (${range(p.low, p.high)}), ${whole(p.mean_tokens)} tokens, ${percent(p.truncated)} truncated`;
      f.svg.append(el("g", {style: color}, el("title", null, visible(words)),
        el("line", {class: "bar", x1: x, x2: x, y1: f.y(p.low), y2: f.y(p.high)}),
        mark(r.model, x, y, last ? 5 : 3)));
      if (last) labels.push({model: r.model, x, y});
    });
  }
  labelPoints(f, labels);
  return figure(title, f.svg);
}

/* Names beside points, moved apart where they would meet. */
function labelPoints(f, labels) {
  labels.sort((a, b) => a.y - b.y);
  const placed = [];
  for (const l of labels) {
    const width = 6.6 * l.model.length, left = l.x + 10 + width > f.width;
    const x0 = left ? l.x - 10 - width : l.x + 10;
    let y = l.y + 4;
    while (placed.some(p => Math.abs(p.y - y) < 14 && x0 < p.x1 && p.x0 < x0 + width)) y += 3;
    placed.push({x0, x1: x0 + width, y});
    f.svg.append(el("text", {class: "name", x: left ? l.x - 10 : l.x + 10, y,
      "text-anchor": left ? "end" : "start", style: {color: colors(l.model)}}, visible(l.model)));
  }
}

/* ---- histograms ---- */

/* The bins of one model: {edges, correct, wrong, truncated}. */
function histogram(lengths) {
  const {edges} = lengths, bins = lengths.correct.length, last = edges[bins];
  const log = edges.length > 3 && edges[2] - edges[1] < (edges[bins] - edges[bins - 1]) / 3;
  const first = log ? Math.max(1, edges[0]) : edges[0];
  const marks = log ? octaves(first, last, 7) : ticks(first, last, 6);
  const most = Math.max(...lengths.correct.map((c, i) => c + lengths.wrong[i] + lengths.truncated[i]));
  const yTicks = ticks(0, most, 3), sum = list => list.reduce((a, b) => a + b, 0);
  const kinds = [["correct", lengths.correct], ["wrong", lengths.wrong], ["truncated", lengths.truncated]];
  const f = frame({x: axis(marks, first, last, log), y: axis(yTicks, 0, yTicks[yTicks.length - 1]),
    yText: whole, height: 150,
    name: `${lengths.model}: ` + kinds.map(([k, list]) => `${sum(list)} ${k}`).join(", ")});
  for (let i = 0; i < bins; i++) {
    let below = 0;
    const x = f.x(Math.max(first, edges[i])), width = f.x(edges[i + 1]) - x - 1;
    for (const [kind, list] of kinds) {
      if (!list[i]) continue;
      const words = `${whole(edges[i])} to ${whole(edges[i + 1])} tokens: ${whole(list[i])} ${kind}`;
      f.svg.append(el("rect", {class: "bin " + kind, x, width: Math.max(1, width),
        y: f.y(below + list[i]), height: f.y(below) - f.y(below + list[i])}, el("title", null, words)));
      below += list[i];
    }
  }
  const medians = [isNumber(lengths.median_correct) ? `correct ${whole(lengths.median_correct)}` : "",
    isNumber(lengths.median_wrong) ? `wrong ${whole(lengths.median_wrong)}` : ""].filter(Boolean);
  return figure([chip(lengths.model), visible(lengths.model),
    el("small", null, medians.length ? "median tokens: " + medians.join(", ") : "all replies were cut")], f.svg);
}
