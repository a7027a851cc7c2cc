/* The map: a column for each problem, in the order of the table, a square for each model in it. The
   share of correct replies is the colour and, for eyes and printers that see no colours, the lightness
   too: light is solved, dark is not. */

const mapCell = {width: 7, height: 11, gap: 9};

function problemMap() {
  const canvas = el("canvas", {id: "map", role: "img", onclick: openAt, onpointermove: nameAt});
  return el("figure", {class: "map"}, canvas,
    el("ul", {class: "legend"},
      [["1", "all replies correct"], ["0.5", "half"], ["0", "none"]].map(([value, name]) =>
        el("li", null, el("i", {class: "block", style: {background: mapColor(+value)}}), name)),
      el("li", null, el("i", {class: "block empty"}), "no reply"),
      el("li", null, "rows from the top: ", index.models.map((m, i) => [i ? ", " : "", visible(m)]))));
}

/* From dark red over sand to pale green: the lightness rises all the way. */
function mapColor(value) {
  const stops = [[126, 40, 32], [222, 178, 106], [176, 224, 196]];
  const at = value * 2, low = Math.min(1, Math.floor(at)), part = at - low;
  const mix = stops[low].map((a, i) => Math.round(a + (stops[low + 1][i] - a) * part));
  return `rgb(${mix.join(" ")})`;
}

/* How many problems stand in a line, and the height of a block of lines. */
function mapLayout() {
  const width = Math.max(280, byId("map").parentNode.clientWidth);
  const across = Math.max(1, Math.min(shown.length, Math.floor(width / mapCell.width)));
  const block = index.models.length * mapCell.height + mapCell.gap;
  return {across, block, width: across * mapCell.width, height: Math.ceil(shown.length / across) * block};
}

function drawMap() {
  const canvas = byId("map"), {across, block, width, height} = mapLayout(), scale = devicePixelRatio || 1;
  canvas.hidden = shown.length < 2;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  canvas.style.width = width + "px";
  canvas.style.height = height + "px";
  canvas.setAttribute("aria-label", `${plural(shown.length, "problem")}; mean share correct: ` +
    index.models.map((m, i) => `${visible(m)} ${percent(mean(shown.map(n => share(index.problems[n - 1], i)).filter(s => !isNaN(s))))}`).join(", "));
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  shown.forEach((number, i) => {
    const x = i % across * mapCell.width, y = Math.floor(i / across) * block;
    index.models.forEach((_, m) => {
      const value = share(index.problems[number - 1], m);
      if (isNaN(value)) return;
      pen.fillStyle = mapColor(value);
      pen.fillRect(x, y + m * mapCell.height, mapCell.width - 1, mapCell.height - 1);
    });
  });
}

function problemAt(event) {
  const box = event.currentTarget.getBoundingClientRect(), {across, block} = mapLayout();
  const column = Math.floor((event.clientX - box.left) / mapCell.width);
  return column < across ? shown[Math.floor((event.clientY - box.top) / block) * across + column] : undefined;
}

function openAt(event) {
  const number = problemAt(event);
  if (number) location.hash = "problem=" + number;
}

function nameAt(event) {
  const number = problemAt(event), p = number && index.problems[number - 1];
  event.currentTarget.title = p ? `Problem ${number}: ` + index.models.map((m, i) => p.m[i]
    ? `${visible(m)} ${[...p.m[i][0]].map(c => signs[c]).join("")}` : "").filter(Boolean).join(", ") : "";
}
