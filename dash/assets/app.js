"use strict";
// The page draws what /events sends each second, and asks for the shapes every two.

const $ = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const percent = (x) => (x >= 0.9995 && x < 1 ? (100 * x).toFixed(2) : (100 * x).toFixed(x > 0.1 ? 1 : 2)).replace(/\.0+$/, "") + " %";

function micros(us) {
  if (!us) return "–";
  if (us < 1000) return (us < 10 ? us.toFixed(1) : us.toFixed(0)) + " µs";
  return us < 1e6 ? (us / 1000).toPrecision(3) + " ms" : (us / 1e6).toPrecision(3) + " s";
}
function seconds(s) {
  if (s < 0.0005) return "0 s";
  if (s < 1) return (s * 1000).toPrecision(2) * 1 + " ms";
  return s < 600 ? number.format(s) + " s" : s < 36000 ? number.format(s / 60) + " min" : number.format(s / 3600) + " h";
}
function bytes(n) {
  if (n < 1000) return n + " B";
  for (const unit of ["kB", "MB", "GB"]) { n /= 1000; if (n < 1000 || unit === "GB") return n.toPrecision(3) + " " + unit; }
}

const unbroken = (text) => text.replaceAll(" ", "\u00a0");

// make makes an element; text is never taken for markup.
function make(name, attrs, ...children) {
  const svg = ["svg", "path", "rect", "line", "text", "title", "g"].includes(name);
  const e = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [k, v] of Object.entries(attrs || {})) e.setAttribute(k, v);
  e.append(...children.filter((c) => c !== null && c !== undefined));
  return e;
}

function tiles(into, list) {
  into.replaceChildren(...list.map(([name, value, cls, hint]) =>
    make("div", { class: cls || "", title: hint || "" }, make("dt", {}, name), make("dd", {}, value))));
}

// stacked draws areas on top of each other, over seconds.
function stacked(into, points, keys, step) {
  const w = 600, h = 150, top = 14;
  const sums = points.map((p) => keys.reduce((n, k) => n + p[k], 0));
  const most = Math.max(1, ...sums);
  const svg = make("svg", { viewBox: `0 0 ${w} ${h + 16}`, preserveAspectRatio: "none", role: "img" });
  const slots = Math.max(points.length - 1, 1);
  const x = (i) => (w * i) / slots, y = (v) => h - ((h - top) * v) / most;
  let below = points.map(() => 0);
  for (const key of keys) {
    const above = points.map((p, i) => below[i] + p[key]);
    const up = above.map((v, i) => `${x(i).toFixed(1)},${y(v).toFixed(1)}`);
    const down = below.map((v, i) => `${x(i).toFixed(1)},${y(v).toFixed(1)}`).reverse();
    if (points.length > 1) svg.append(make("path", { d: "M" + up.concat(down).join("L") + "Z", class: "f-" + key }));
    below = above;
  }
  svg.append(make("line", { x1: 0, x2: w, y1: h, y2: h }));
  into.replaceChildren(svg);
  label(svg, short.format(most), "start", 0, 10);
  label(svg, points.length > 1 ? "-" + span(slots * step) : "", "start", 0, h + 14);
  label(svg, "now", "end", w, h + 14);
}
const span = (s) => (s < 120 ? Math.round(s) + " s" : Math.round(s / 60) + " min");

// label writes text that isn't stretched with its chart.
function label(svg, text, anchor, x, y) {
  const box = svg.getBoundingClientRect(), view = svg.viewBox.baseVal;
  const sx = box.width ? view.width / box.width : 1, sy = box.height ? view.height / box.height : 1;
  svg.append(make("text", { "text-anchor": anchor, transform: `translate(${x} ${y}) scale(${sx} ${sy})` }, text));
}

// histogram draws two sets of steps beside each other, each as shares of its own.
function histogram(into, hits, rest) {
  const sum = (l) => l.reduce((a, b) => a + b, 0) || 1;
  const used = hits.map((n, i) => n + rest[i] > 0);
  let from = used.indexOf(true), to = used.lastIndexOf(true);
  if (from < 0) { into.replaceChildren(make("p", { class: "soft" }, "nothing yet")); return; }
  from = Math.max(0, from - 1); to = Math.min(hits.length - 1, Math.max(to + 1, from + 5));
  const w = 300, h = 150, top = 12, n = to - from + 1, step = w / n;
  const most = Math.max(...hits.map((v) => v / sum(hits)), ...rest.map((v) => v / sum(rest)));
  const svg = make("svg", { viewBox: `0 0 ${w} ${h + 16}`, preserveAspectRatio: "none", role: "img" });
  for (let i = from; i <= to; i++) {
    [["hits", hits], ["misses", rest]].forEach(([key, list], k) => {
      const height = ((h - top) * list[i]) / sum(list) / most;
      const bar = make("rect", { x: (i - from) * step + (k * step) / 2.2 + 1, y: h - height, width: Math.max(step / 2.2 - 1, 1), height, class: "f-" + key });
      bar.append(make("title", {}, `${short.format(list[i])} below ${micros(2 ** i)}`));
      svg.append(bar);
    });
  }
  svg.append(make("line", { x1: 0, x2: w, y1: h, y2: h }));
  into.replaceChildren(svg);
  label(svg, micros(2 ** Math.max(from - 1, 0)), "start", 0, h + 14);
  label(svg, micros(2 ** to), "end", w, h + 14);
}

// A table that is sorted by the head that was pressed last.
class Table {
  constructor(id, columns, sort) {
    this.table = $(id); this.columns = columns; this.sort = sort; this.up = false; this.rows = [];
    const row = make("tr");
    columns.forEach((c, i) => {
      const button = make("button", { type: "button", title: c.hint || "" }, c.name);
      button.addEventListener("click", () => {
        this.up = this.sort === i ? !this.up : !!c.text; this.sort = i; this.draw();
      });
      row.append(make("th", { class: c.text ? "text" : "", scope: "col" }, button));
    });
    this.table.tHead.append(row);
  }
  show(rows) { this.rows = rows; this.draw(); }
  draw() {
    const by = this.columns[this.sort].value, sign = this.up ? 1 : -1;
    const rows = [...this.rows].sort((a, b) => {
      const x = by(a), y = by(b);
      return sign * (typeof x === "string" ? x.localeCompare(y) : x - y);
    });
    this.table.tHead.querySelectorAll("th").forEach((th, i) => {
      if (i === this.sort) th.setAttribute("aria-sort", this.up ? "ascending" : "descending"); else th.removeAttribute("aria-sort");
    });
    this.table.tBodies[0].replaceChildren(...rows.map((row) =>
      make("tr", row.fingerprint ? { "data-shape": row.fingerprint } : {}, ...this.columns.map((c) => {
        const shown = c.show(row);
        return make("td", { class: c.class || (c.text ? "text" : "") }, ...(Array.isArray(shown) ? shown : [shown]));
      }))));
  }
}

const link = (row) => make("a", { href: "#/shape/" + row.fingerprint }, row.text);
const removal = (r) => r.relation + (r.text ? ", by " + r.text : r.by ? ", by " + r.by : ", from elsewhere or by hand");
const whyText = (s) => s.why.slice(0, 3).map((w) => `${short.format(w.n)} × ${w.what}`).join(", ");
const removedText = (s) => s.removed.slice(0, 2).map((r) => `${short.format(r.n)} × ${removal(r)}`).join("; ");

const shapes = new Table("shapes", [
  { name: "what", text: true, value: (s) => s.text, show: (s) => [s.kind === "statement" ? null : make("span", { class: "badge" }, s.kind), link(s)].filter(Boolean) },
  { name: "calls", value: (s) => s.calls, show: (s) => short.format(s.calls) },
  { name: "hits", hint: "share of reads answered from the cache", value: (s) => s.hitRatio, show: (s) => (s.kind === "write" ? "" : percent(s.hitRatio)) },
  { name: "miss takes", hint: "mean", value: (s) => s.missUs, show: (s) => micros(s.missUs) },
  { name: "hit takes", hint: "mean", value: (s) => s.hitUs, show: (s) => micros(s.hitUs) },
  { name: "saved", hint: "database time", value: (s) => s.saved, show: (s) => (s.saved ? seconds(s.saved) : "") },
  { name: "entry", hint: "bytes in memory", value: (s) => s.bytes, show: (s) => (s.bytes ? bytes(s.bytes) : "") },
  { name: "why missed", class: "why", text: true, value: (s) => whyText(s), show: whyText },
  { name: "removed by", class: "why", text: true, value: (s) => removedText(s), show: removedText },
], 1);

const relations = new Table("relations", [
  { name: "relation", text: true, class: "text", value: (r) => r.name, show: (r) => r.name },
  { name: "writes / s", value: (r) => r.rate, show: (r) => (r.rate < 0.05 ? "0" : number.format(r.rate)) },
  { name: "writes", value: (r) => r.writes, show: (r) => short.format(r.writes) },
  { name: "precise", hint: "share of writes that removed no more than the results of the rows that they changed", value: (r) => (r.writes ? r.precise : -1), show: (r) => (r.writes ? percent(r.precise) : "") },
  { name: "removed", hint: "results that a write removed and that were asked for again", value: (r) => r.removed, show: (r) => short.format(r.removed) },
  { name: "read by", hint: "shapes of statements", value: (r) => r.shapes, show: (r) => r.shapes },
  { name: "told apart by", hint: "columns by which a write is told which results it changes", text: true, class: "why", value: (r) => (r.inUse || []).join("; "), show: (r) => (r.inUse || []).join("; ") },
], 2);

let known = [];
function filtered() {
  const word = $("filter").value.trim().toLowerCase(), kind = $("kind").value;
  shapes.show(known.filter((s) => (!kind || s.kind === kind) &&
    (!word || s.text.toLowerCase().includes(word) || (s.reads || []).some((r) => r.toLowerCase().includes(word)))));
}
$("filter").addEventListener("input", filtered);
$("kind").addEventListener("change", filtered);

// nines is how many nines of hits are right, as far as they were checked: three are 99.9 %. None wrong of a thousand says no more than that.
function nines(checked, wrong) {
  const n = Math.floor(Math.log10(checked / Math.max(wrong, 1)) + 1e-9);
  return n === 1 ? "one nine" : `${n} nines`;
}

function headline(o) {
  const s = o.stats, wrong = s.Wrong > 0;
  const parts = [make("b", {}, unbroken(percent(o.hitRatio))), " of reads answered from the cache, saving ", make("b", {}, unbroken(seconds(o.savedRate))), " of database time a minute"];
  if (s.Verified > 0) parts.push("; ", make("b", { class: wrong ? "bad" : "" }, `${number.format(s.Wrong)} of ${number.format(s.Verified)}`), " checked wrong: ", unbroken(nines(s.Verified, s.Wrong)));
  $("headline").replaceChildren(...(o.allReads ? parts : ["Nothing was read yet."]), ".");
}

function overview(o) {
  const s = o.stats;
  headline(o);
  tiles($("tiles"), [
    ["hits", short.format(s.Hits), "hit"], ["misses", short.format(s.Misses), "miss"],
    ["held", short.format(s.Held), "held", "a write was in flight"], ["bypasses", short.format(s.Bypasses), "", "not cacheable, or not wanted"],
    ["writes", short.format(s.Writes), "write"], ["saved", seconds(o.saved), "", "database time, since this page was first opened"],
    ["entries", short.format(s.Entries)], ["memory", bytes(s.Bytes) + (s.MaxBytes ? " of " + bytes(s.MaxBytes) : "")], ["evictions", short.format(s.Evictions)],
    ["checked", number.format(s.Verified), "", "hits of which the database was asked as well"], ["wrong", number.format(s.Wrong), s.Wrong ? "bad" : ""],
    ["stuck", number.format(s.Stuck), s.Stuck ? "bad" : "", "writes, of those that were checked, that held what they had changed after they had ended"],
    ["unannounced", number.format(s.Unannounced), s.Unannounced ? "bad" : "", "writes that the store could not be told of yet"],
    ["abandoned", number.format(s.Abandoned), s.Abandoned ? "bad" : "", "writes whose outcome is unknown"],
  ]);
  if ($("overview").hidden) return;
  advise(o.advice || []);
  shared(o.shared, o.points);
  stacked($("reads"), o.points, ["hits", "misses", "held", "bypasses"], 1);
  stacked($("saved"), o.points, ["saved"], 1);
  histogram($("times"), o.hitTimes, o.missTimes);
  relations.show(o.relations);
  $("recent").replaceChildren(...o.recent.slice().reverse().map((n) => {
    const what = n.why === "wrong" ? "wrong" : n.what;
    let why = n.what === "write" ? (n.relation ? "announced " + n.relation : "changed nothing that is cached") : n.why;
    if (n.why === "changed") why = "removed: " + removal({ relation: n.relation, by: n.by, text: textOf(n.by) });
    return make("li", {}, make("span", { class: "w-" + n.what }, what), " ", make("a", { href: "#/shape/" + n.fingerprint }, n.text), " ",
      make("span", { class: "why" }, `${why} · ${micros(n.us)}`));
  }));
}
// advise lists what is worth a change, the worst first.
function advise(list) {
  $("advice-card").hidden = !list.length;
  $("advice").replaceChildren(...list.map((a) => make("li", { "data-kind": a.kind },
    make("span", { class: "badge a-" + a.kind }, adviceKinds[a.kind] || a.kind), " ",
    a.fingerprint && a.kind !== "wide" ? make("a", { href: "#/shape/" + a.fingerprint }, a.text) : make("b", {}, a.text),
    make("p", {}, a.what + ": " + a.why + "."), make("p", { class: "do" }, a.do))));
}
const adviceKinds = {
  wrong: "wrong", store: "store", costs: "costs more than it saves", bypass: "not cached", whole: "removed by any write", texts: "literals differ",
  held: "waits for writes", wide: "writes remove much", memory: "memory",
};

// shared shows the store that processes share, if there is one.
function shared(s, points) {
  $("shared-card").hidden = !s;
  if (!s) return;
  const late = points.slice(-10), rate = late.reduce((n, p) => n + p.calls, 0) / Math.max(late.length, 1);
  tiles($("shared"), [
    ["state", s.away ? "left alone for " + seconds(s.away) : "answers", s.away ? "bad" : "hit", "a store that keeps calls waiting is left alone for a moment"],
    ["calls / s", number.format(rate), "", "round trips of this process, of late"], ["calls", short.format(s.calls)], ["a call takes", micros(s.us)],
    ["errors", short.format(s.errors), s.errors ? "bad" : ""], ["not made", short.format(s.skipped), s.skipped ? "bad" : "", "calls while it was left alone"],
    ["servers' memory", s.bytes ? bytes(s.bytes) + (s.maxBytes ? " of " + bytes(s.maxBytes) : "") : "–", "", "whoever uses them"],
    ["servers' evictions", short.format(s.evictions), "", "whoever's"], ["servers' items", s.items ? short.format(s.items) : "–", "", "whoever's; Redis doesn't say"],
  ]);
  stacked($("calls"), points.map((p) => ({ answered: p.calls - p.errors, failed: p.errors })), ["answered", "failed"], 1);
}
const textOf = (fingerprint) => (known.find((s) => s.fingerprint === fingerprint) || {}).text;

function one(s) {
  $("shape-text").textContent = s.text;
  tiles($("shape-tiles"), [
    ["calls", number.format(s.calls)], ["hits", percent(s.hitRatio), "hit"], ["misses", short.format(s.misses), "miss"], ["held", short.format(s.held), "held"],
    ["bypasses", short.format(s.bypasses)], ["hit takes", micros(s.hitUs)], ["miss takes", micros(s.missUs)], ["saved", seconds(s.saved)], ["entry", bytes(s.bytes)],
    ["checked", `${number.format(s.wrong)} of ${number.format(s.checked)} wrong`, s.wrong ? "bad" : ""], ["errors", short.format(s.errors)], ["fingerprint", s.fingerprint],
  ]);
  stacked($("shape-spark"), (s.spark || []).map((p) => ({ hits: p.hits, misses: p.rest })), ["hits", "misses"], 5);
  histogram($("shape-times"), s.hitTimes, s.missTimes);
  const list = (id, rows, none) => $(id).replaceChildren(...(rows.length ? rows : [make("li", { class: "soft" }, none)]));
  list("shape-why", s.why.map((w) => make("li", {}, make("b", {}, number.format(w.n)), w.what)), "nothing yet");
  list("shape-removed", s.removed.map((r) => make("li", {}, make("b", {}, number.format(r.n)), r.relation + " ",
    r.by ? make("a", { href: "#/shape/" + r.by }, make("code", {}, r.text || r.by)) : "from elsewhere or by hand")), "no write yet");
  const x = s.explanation, lines = [];
  if (!x) lines.push(make("p", { class: "soft" }, s.unexplained));
  else {
    if (s.kind !== "write") lines.push(make("p", {}, x.cacheable ? "Its results can be cached." : `Its results can't be cached: ${x.reason}${x.detail ? " (" + x.detail + ")" : ""}.`));
    for (const [name, items] of [["depends on", x.rows], ["announces", x.changes && x.changes.length ? x.changes : x.writes]])
      if (items && items.length) lines.push(make("p", { class: "soft" }, name), make("ul", {}, ...items.map((i) => make("li", {}, make("code", {}, i)))));
  }
  $("shape-explanation").replaceChildren(...lines);
}

async function ask(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

// refresh asks for what is shown beside the stream.
async function refresh() {
  const shape = location.hash.startsWith("#/shape/") ? location.hash.slice(8) : "";
  $("overview").hidden = !!shape; $("shape").hidden = !shape;
  try {
    if (shape) one(await ask("api/shapes/" + encodeURIComponent(shape)));
    else { known = await ask("api/shapes"); filtered(); }
  } catch (e) {
    if (shape) { $("shape-text").textContent = String(e.message); }
  }
}
window.addEventListener("hashchange", refresh);
setInterval(() => { if (!document.hidden) refresh(); }, 2000);
refresh();

const source = new EventSource("events");
source.onmessage = (m) => { $("state").textContent = "live"; document.body.dataset.live = "yes"; overview(JSON.parse(m.data)); };
source.onerror = () => { $("state").textContent = "not connected; trying again …"; };
