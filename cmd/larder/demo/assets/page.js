"use strict";

// The page works without this script, but for reads and writes as they happen. With it, forms
// and links change the list in place, so that these stay in view.

const entries = document.getElementById("entries");
const state = document.getElementById("state");
const notice = document.getElementById("notice");
const mostEntries = 60;

// make returns an element with a class and a text.
function make(tag, className, text) {
  const e = document.createElement(tag);
  e.className = className;
  if (text !== undefined) e.textContent = text;
  return e;
}

// micros writes microseconds.
function micros(us) {
  if (us < 10) return us.toFixed(1) + " µs";
  return Math.round(us).toLocaleString("en") + " µs";
}

// ---- reads and writes

let newest = 0; // number of the newest entry
let last = null; // its data, element and how often it was repeated

function same(a, b) {
  return a.who === b.who && a.sql === b.sql && a.outcome === b.outcome && a.why === b.why && !a.error && !b.error;
}

function showEntry(e) {
  if (newest && e.n > newest + 1) {
    entries.prepend(make("li", "missed", (e.n - newest - 1).toLocaleString("en") + " more were too quick to show"));
    last = null;
  }
  newest = e.n;
  if (e.kind === "page") {
    pages.set(e.sql, e);
    showPage();
  }
  const times = last && same(last.entry, e) ? last.times + 1 : 1;
  const element = draw(e, times);
  if (times > 1) last.element.replaceWith(element);
  else entries.prepend(element);
  last = { entry: e, element, times };
  while (entries.children.length > mostEntries) entries.lastChild.remove();
}

function draw(e, times) {
  const li = make("li", "fresh " + e.kind);
  const what = make("div", "what");
  what.append(drawBadge(e), make("span", "by", e.who));
  if (times > 1) what.append(make("span", "repeat", "× " + times.toLocaleString("en")));
  if (e.us) what.append(drawTook(e));
  li.append(what, make("code", "sql", e.sql));
  if (e.bareUs) li.append(drawBars(e));
  li.append(drawWhy(e));
  if (e.error) li.append(make("div", "error", e.error));
  return li;
}

function drawBadge(e) {
  return make("span", "badge " + (e.outcome === "304" ? "hit" : e.outcome), e.outcome);
}

function drawTook(e) {
  const took = make("span", "took", micros(e.us));
  if (e.bareUs) {
    let text = " bare " + micros(e.bareUs);
    if (e.bareUs / e.us >= 1.5) text += " · " + (e.bareUs / e.us).toFixed(e.bareUs / e.us < 10 ? 1 : 0) + "×";
    took.append(make("small", "", text));
  }
  return took;
}

function drawBars(e) {
  const bars = make("div", "bars");
  const most = Math.max(e.us, e.bareUs);
  for (const [name, us] of [["cached", e.us], ["bare", e.bareUs]]) {
    const bar = make("i", name);
    bar.style.width = (100 * us / most) + "%";
    bars.append(bar);
  }
  return bars;
}

function drawWhy(e) {
  const why = make("div", "why");
  const relations = [["reads", e.reads], ["wrote", e.writes]];
  for (const [verb, names] of relations) {
    if (!names || !names.length) continue;
    why.append(verb + " ", make("b", "", names.map((n) => n === "*" ? "anything" : n).join(", ")), " · ");
  }
  why.append(e.why);
  return why;
}

// ---- the page

const pages = new Map(); // the newest entry of each page, by its request

// showPage says beside the list what became of the page that is shown.
function showPage() {
  const e = pages.get("GET " + location.pathname + location.search), line = document.getElementById("kept");
  line.hidden = !e;
  if (e) line.replaceChildren("This page: ", drawBadge(e), " " + e.why);
}

// ---- counts

const writeCount = {
  ratio: (n) => (100 * n).toFixed(1) + " %",
  bytes: (n) => n < 1e6 ? Math.round(n / 1e3) + " kB" : (n / 1e6).toFixed(1) + " MB",
};

function showCounts(counts) {
  for (const dd of document.querySelectorAll("[data-count]")) {
    const name = dd.dataset.count;
    const write = writeCount[name] || ((n) => n.toLocaleString("en"));
    dd.textContent = write(counts[name]);
  }
}

function listen() {
  const source = new EventSource("/events?after=" + newest);
  source.addEventListener("statement", (m) => showEntry(JSON.parse(m.data)));
  source.addEventListener("counts", (m) => showCounts(JSON.parse(m.data)));
  source.onopen = () => { state.textContent = "live"; state.classList.add("live"); };
  source.onerror = () => { state.textContent = "the demo doesn’t answer"; state.classList.remove("live"); };
}

// ---- the list

// values tells what a row shows, by its number.
function values(root) {
  const rows = new Map();
  for (const li of root.querySelectorAll("#things li[data-id]")) {
    rows.set(li.dataset.id, [...li.querySelectorAll("input.name, input.number")].map((i) => i.getAttribute("value")).join("\u0000"));
  }
  return rows;
}

let asked = 0; // requests for the list so far: an answer that is overtaken is not shown

// load shows the list that a request answers with.
async function load(url, options) {
  const turn = ++asked;
  let response;
  try {
    response = await fetch(url, options);
  } catch {
    complain("The demo doesn’t answer.");
    return;
  }
  const text = await response.text();
  if (!response.ok) {
    complain(text);
    return;
  }
  notice.hidden = true;
  if (turn !== asked) return;
  swap(new DOMParser().parseFromString(text, "text/html"));
  history.replaceState(null, "", response.url);
  showPage();
}

function complain(text) {
  notice.textContent = text;
  notice.hidden = false;
}

// swap puts another list in the place of the one shown, and marks what has changed.
function swap(page) {
  const shop = document.getElementById("shop"), next = page.getElementById("shop");
  if (!next) return;
  const sameUser = shop.querySelector("[name=user]").value === next.querySelector("[name=user]").value;
  const before = values(shop), after = values(next);
  const keep = document.getElementById("keep").checked;
  shop.replaceWith(document.adoptNode(next));
  document.title = page.title;
  document.getElementById("keep").checked = keep;
  if (!sameUser) return;
  for (const [id, value] of after) {
    if (before.get(id) !== value) next.querySelector(`li[data-id="${id}"]`).classList.add("changed");
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  event.preventDefault();
  const data = new URLSearchParams(new FormData(form, event.submitter));
  const action = event.submitter?.hasAttribute("formaction") ? event.submitter.formAction : form.action;
  if (form.method === "get") load(action + "?" + data);
  else load(action, { method: "POST", body: data });
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("#shop a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  load(link.href);
});

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
});

document.addEventListener("input", (event) => {
  event.target.closest("#things li")?.classList.add("edited");
});

// keep reading, unless someone is writing into the list, or nobody looks
setInterval(() => {
  const busy = document.querySelector("#shop .edited, #shop input:focus:not(#keep), #shop select:focus");
  if (document.getElementById("keep").checked && !busy && !document.hidden) load(location.href);
}, 500);

listen(); // which begins with the last entries: the page itself is kept, and knows none
