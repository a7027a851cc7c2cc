/* One problem: its prompt, the right answer, and every reply with the extracted answer marked. The
   texts of a problem are a line of base64 that holds zlib data (RFC 1950). They stand behind this
   script, so that the page is there before they are read. */

let lines = null, opener = null, current = 0; /* current: number of the open problem, 0: none */
const manyReplies = 6;

async function body(number) {
  if (document.readyState === "loading")
    await new Promise(done => document.addEventListener("DOMContentLoaded", done, {once: true}));
  lines ||= data("replies").split("\n");
  const bytes = Uint8Array.from(atob(lines[number - 1]), c => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

/* Texts come as [text] or, with the extracted answer inside, [before, answer, after]. */
function textOf(parts, kindOf) {
  return el("pre", {class: kindOf}, parts.map((part, i) => i === 1 ? el("mark", null, visible(part)) : visible(part)));
}

function reply(r, many) {
  const model = index.models[r.m], answer = r.x !== null && r.x !== undefined;
  const facts = [
    answer ? ["answer ", el("b", null, visible(r.x)), r.u ? " (" + r.u.replaceAll("_", " ") + ")" : "", r.w ? ": " + visible(r.w) : ""] : null,
    plural(r.t, "token"), r.f === "length" ? "cut by the token limit" : null];
  return el("article", {class: "reply", tabindex: -1, id: `reply-${r.m}-${r.s}`},
    el("h3", null, chip(model), visible(model), r.n > 0 ? el("small", null, "sample " + (r.s + 1)) : null,
      el("span", {class: "badge fill " + verdicts[r.v]}, signs[r.v] + " " + words(r.v))),
    el("p", {class: "facts"}, facts.filter(Boolean).map((f, i) => [i ? " \u00b7 " : "", f])),
    r.r ? el("details", {open: !many}, el("summary", null, "Reasoning"), textOf([r.r], "text reasoning")) : null,
    textOf(r.c, "text"),
    r.c.join("") === "" ? el("p", {class: "facts"}, r.r ? "Nothing after the reasoning." : "An empty reply.") : null);
}

function prompt(p, names, open) {
  const messages = Array.isArray(p.messages) ? p.messages : [];
  const message = (role, text) => el("div", {class: "message"}, el("b", null, visible(role)), el("pre", {class: "text"}, visible(text)));
  return el("details", {open}, el("summary", null, "Prompt", names ? el("span", {class: "role"}, visible(names)) : null),
    messages.map(m => message(m.role ?? "", typeof m.content === "string" ? m.content : JSON.stringify(m.content))),
    p.prefill ? message("begins the reply", p.prefill) : null);
}

/* A line a model with the sign of each reply, which leads to it. */
function jumps(replies) {
  return el("div", {class: "jumps"}, distinct(replies.map(r => r.m)).map(m => el("span", null,
    el("b", null, chip(index.models[m]), visible(index.models[m])), replies.filter(r => r.m === m).map(r =>
      el("button", {class: "fill " + verdicts[r.v], "aria-label": `${visible(index.models[m])}, sample ${r.s + 1}: ${words(r.v)}`,
        onclick: () => { const to = byId(`reply-${r.m}-${r.s}`); to.scrollIntoView({block: "start"}); to.focus({preventScroll: true}); }},
        signs[r.v])))));
}

function dialogHead(number, p) {
  const at = shown.indexOf(number), next = shown[at + 1], previous = at > 0 ? shown[at - 1] : 0;
  const go = to => () => { if (to) location.replace("#problem=" + to); };
  const facts = [index.datasets[p.d] + ", row " + p.n, p.l ? "level " + p.l.replace(/^level /i, "") : "", p.s || ""];
  return el("header", null,
    el("h2", {id: "problem-title"}, "Problem " + number, el("small", null, visible(facts.filter(Boolean).join(" \u00b7 ")))),
    el("button", {disabled: !previous, onclick: go(previous), "aria-keyshortcuts": "ArrowLeft"}, "\u2190 Previous"),
    el("button", {disabled: !next, onclick: go(next), "aria-keyshortcuts": "ArrowRight"}, "Next \u2192"),
    el("button", {onclick: closeProblem}, "Close"));
}

async function show(number) {
  const dialog = byId("problem"), p = index.problems[number - 1];
  current = number;
  let content;
  try {
    content = await body(number);
  } catch (why) {
    content = {prompts: [], replies: [], why: "This browser cannot unpack the replies (" + why.message + "). They are in evals.db."};
  }
  if (current !== number) return; /* another was opened while this one was unpacked */
  const users = i => distinct(content.replies.filter(r => r.p === i).map(r => index.models[r.m])).join(", ");
  const many = content.replies.length > manyReplies;
  dialog.replaceChildren(dialogHead(number, p),
    el("div", {class: "body", tabindex: 0},
      content.why ? el("p", {class: "caution"}, visible(content.why)) : null,
      content.prompts.map((one, i) => prompt(one, content.prompts.length > 1 ? users(i) : "", i === 0)),
      el("p", {class: "goldline"}, p.g === null || p.g === undefined ? "There is no gold answer."
        : ["The right answer is ", el("b", null, visible(p.g)), "."]),
      many ? jumps(content.replies) : null,
      el("div", {class: "replies"}, content.replies.map(r => reply(r, many)))));
  if (!dialog.open) dialog.showModal();
  dialog.querySelector(".body").focus();
}

/* The address says which problem is open, so that it can be sent to somebody and "back" closes it. */
function follow() {
  const dialog = byId("problem"), match = /^#problem=(\d{1,7})$/.exec(location.hash);
  if (match && index.problems[match[1] - 1]) show(+match[1]);
  else if (dialog.open) closeProblem();
}

/* Back to the table: after a button, "back", or the Escape key. */
function leave() {
  current = 0;
  if (location.hash.startsWith("#problem=")) history.replaceState(null, "", "#problems");
  if (opener && opener.isConnected) opener.focus({preventScroll: true});
}

/* The dialog's own event comes later, with the next picture. */
function closeProblem() {
  byId("problem").close();
  leave();
}

function watchDialog() {
  const dialog = byId("problem");
  dialog.addEventListener("close", () => { if (!dialog.open) leave(); });
  dialog.addEventListener("click", event => { if (event.target === dialog) closeProblem(); });
  document.addEventListener("keydown", event => {
    if (!current || !dialog.open || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = shown.indexOf(current);
    const to = event.key === "ArrowRight" ? shown[at + 1] : event.key === "ArrowLeft" ? shown[at - 1] : 0;
    if (to) location.replace("#problem=" + to);
  });
  window.addEventListener("hashchange", follow);
  follow();
}
