/* Puts the sections into the page, and what surrounds them. */

/* Light, dark, or as the system says; remembered where the browser lets a file remember. */
function themeSwitch() {
  const names = {auto: "\u25d0 Auto", light: "\u25cb Light", dark: "\u25cf Dark"}, order = Object.keys(names);
  const remember = value => { try { localStorage.setItem("potstill-theme", value); } catch { /* a private file */ } };
  let theme = "auto";
  try { theme = localStorage.getItem("potstill-theme") || "auto"; } catch { /* as above */ }
  const button = el("button", {id: "theme", title: "Light, dark, or as the system says", onclick: () => {
    theme = order[(order.indexOf(theme) + 1) % order.length];
    remember(theme);
    apply();
  }});
  const apply = () => {
    document.documentElement.dataset.theme = theme;
    button.textContent = names[theme] || names.auto;
  };
  apply();
  return button;
}

/* A printed page has all its settings open, and is left as it was. */
function watchPrinting() {
  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const details of opened) details.open = true;
  });
  window.addEventListener("afterprint", () => { for (const details of opened) details.open = false; });
}

function start() {
  byId("when").textContent = date(report.generated);
  byId("more").append(...report.headline.details.slice(0, 8).map(text => el("li", null, visible(text))));
  const parts = {results, differences, tokens, groups, gains, lengths, training, funnel, costs, problems, lineage};
  for (const [id, fill] of Object.entries(parts)) fill(byId(id));
  const filled = [...document.querySelectorAll("main > section")].filter(s => s.firstChild);
  byId("contents").append(el("div", null, filled.map(s => el("a", {href: "#" + s.id}, s.dataset.title)), themeSwitch()));
  for (const table of document.querySelectorAll(".scroll")) table.tabIndex = table.scrollWidth > table.clientWidth ? 0 : -1;
  let width = innerWidth;
  window.addEventListener("resize", () => {
    if (innerWidth === width || !index.problems.length) return;
    width = innerWidth;
    drawMap();
  });
  watchPrinting();
  watchDialog();
  document.documentElement.dataset.ready = Math.round(performance.now()); /* for tests and benchmarks */
}

start();
