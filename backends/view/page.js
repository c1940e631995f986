"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const sheet = document.getElementById("sheet"), svg = sheet.querySelector("svg"), panel = document.getElementById("panel");
const query = document.getElementById("query"), count = document.getElementById("count");
const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
const nodes = new Map([...svg.querySelectorAll(".node")].map(g => [g.dataset.id, g]));
const ids = [...nodes.keys()];
const view = { x: 0, y: 0, scale: 1 };
let chosen = null, found = [], at = -1, size = [sheet.clientWidth, sheet.clientHeight];

svg.removeAttribute("width");
svg.removeAttribute("height");
svg.querySelector(".paper").remove();
for (const [id, g] of nodes) {
  g.setAttribute("tabindex", "-1");
  g.setAttribute("role", "button");
  g.setAttribute("aria-label", `${data.items[id].kind} ${data.items[id].name}`);
}
if (ids.length) nodes.get(ids[0]).setAttribute("tabindex", "0");

function show() {
  const w = sheet.clientWidth / view.scale, h = sheet.clientHeight / view.scale;
  view.x = w >= width ? (width - w) / 2 : Math.min(Math.max(view.x, -40), width + 40 - w);
  view.y = h >= height ? 0 : Math.min(Math.max(view.y, -40), height + 40 - h);
  svg.setAttribute("viewBox", `${view.x} ${view.y} ${w} ${h}`);
}

function fit() {
  view.scale = Math.min(1, Math.max(0.6, sheet.clientWidth / width));
  view.x = (width - sheet.clientWidth / view.scale) / 2;
  view.y = 0;
  show();
}

function zoom(factor, x = sheet.clientWidth / 2, y = sheet.clientHeight / 2) {
  const scale = Math.min(4, Math.max(0.05, view.scale * factor));
  view.x += x / view.scale - x / scale;
  view.y += y / view.scale - y / scale;
  view.scale = scale;
  show();
}

function pan(dx, dy) {
  view.x += dx / view.scale;
  view.y += dy / view.scale;
  show();
}

function resized() {
  const before = size;
  size = [sheet.clientWidth, sheet.clientHeight];
  pan((before[0] - size[0]) / 2, (before[1] - size[1]) / 2);
}

function reveal(id) {
  const box = nodes.get(id).getBoundingClientRect(), frame = sheet.getBoundingClientRect();
  pan(outside(box.left, box.right, frame.left, frame.right), outside(box.top, box.bottom, frame.top, frame.bottom));
}

// How far [low, high] has to move to be in the middle of [from, to]; its beginning when it is too long; not at all inside.
function outside(low, high, from, to) {
  if (low >= from && high <= to) return 0;
  return high - low > to - from ? low - from - 16 : (low + high - from - to) / 2;
}

function choose(id) {
  for (const g of svg.querySelectorAll(".chosen, .near, .lit")) g.classList.remove("chosen", "near", "lit");
  if (chosen) nodes.get(chosen).setAttribute("tabindex", "-1");
  chosen = id;
  panel.hidden = id === null;
  if (id === null) return;
  const item = data.items[id], g = nodes.get(id);
  g.setAttribute("tabindex", "0");
  g.classList.add("chosen");
  for (const other of [...item.producers, ...item.consumers]) nodes.get(other).classList.add("near");
  for (const e of svg.querySelectorAll(`[data-from="${id}"], [data-to="${id}"]`)) {
    e.classList.add("lit");
    svg.querySelector(".node").before(e);
  }
  describe(item);
  resized();
  reveal(id);
  g.focus({ preventScroll: true });
}

function element(tag, text, parent) {
  const e = document.createElement(tag);
  if (text) e.textContent = text;
  parent.append(e);
  return e;
}

function describe(item) {
  panel.replaceChildren();
  const close = element("button", "Close", panel);
  close.className = "close";
  close.onclick = () => { choose(null); sheet.focus(); };
  element("h2", item.name, panel);
  element("p", item.kind, panel).className = "kind";
  const list = element("dl", "", panel);
  for (const [name, value] of item.details) {
    element("dt", name, list);
    for (const line of [value].flat()) element("dd", line, list);
  }
  for (const [title, others] of [["producers", item.producers], ["consumers", item.consumers]]) {
    if (!others.length) continue;
    element("dt", title, list);
    const lines = element("ul", "", element("dd", "", list));
    for (const id of others) {
      const go = element("button", `${data.items[id].name} (${data.items[id].kind})`, element("li", "", lines));
      go.onclick = () => choose(id);
    }
  }
}

function search() {
  const word = query.value.trim().toLowerCase();
  for (const g of svg.querySelectorAll(".found")) g.classList.remove("found");
  const hit = id => `${data.items[id].name} ${data.items[id].kind}`.toLowerCase().includes(word);
  found = word ? ids.filter(hit) : [];
  at = -1;
  for (const id of found) nodes.get(id).classList.add("found");
  count.textContent = word ? `${found.length} found` : "";
  if (found.length) reveal(found[0]);
}

function next() {
  if (!found.length) return;
  at = (at + 1) % found.length;
  choose(found[at]);
  count.textContent = `${at + 1} of ${found.length}`;
}

const keys = {
  "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8), "0": fit, "/": () => query.focus(),
  Escape: () => { choose(null); sheet.focus(); },
  ArrowDown: () => step(data.items[chosen]?.consumers[0], 0, 80),
  ArrowUp: () => step(data.items[chosen]?.producers[0], 0, -80),
  ArrowRight: () => step(ids[ids.indexOf(chosen) + 1], 80, 0),
  ArrowLeft: () => step(ids[ids.indexOf(chosen) - 1], -80, 0),
  PageDown: () => pan(0, sheet.clientHeight * 0.9), PageUp: () => pan(0, -sheet.clientHeight * 0.9),
  Home: () => pan(0, -1e9), End: () => pan(0, 1e9),
};

function step(id, dx, dy) {
  if (chosen === null) pan(dx, dy);
  else if (id) choose(id);
}

sheet.addEventListener("keydown", event => {
  const id = event.target.dataset.id;
  const act = id && (event.key === "Enter" || event.key === " ") ? () => choose(id) : keys[event.key];
  if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  act();
});
panel.addEventListener("keydown", event => { if (event.key === "Escape") keys.Escape(); });
query.addEventListener("keydown", event => { if (event.key === "Escape") { query.value = ""; search(); sheet.focus(); } });
query.addEventListener("input", search);
document.getElementById("search").addEventListener("submit", event => { event.preventDefault(); next(); });
document.getElementById("in").onclick = () => zoom(1.25);
document.getElementById("out").onclick = () => zoom(0.8);
document.getElementById("fit").onclick = fit;
sheet.addEventListener("wheel", event => {
  event.preventDefault();
  const box = sheet.getBoundingClientRect();
  if (event.ctrlKey || event.metaKey) zoom(Math.exp(-event.deltaY / 200), event.clientX - box.left, event.clientY - box.top);
  else pan(event.deltaX, event.deltaY);
}, { passive: false });

let drag = null;
sheet.addEventListener("pointerdown", event => { drag = { x: event.clientX, y: event.clientY, moved: false }; });
sheet.addEventListener("pointermove", event => {
  if (!drag || !(event.buttons & 1)) return;
  if (!drag.moved && Math.hypot(event.clientX - drag.x, event.clientY - drag.y) < 4) return;
  if (!drag.moved) sheet.setPointerCapture(event.pointerId);
  drag.moved = true;
  sheet.classList.add("dragged");
  pan(drag.x - event.clientX, drag.y - event.clientY);
  Object.assign(drag, { x: event.clientX, y: event.clientY });
});
sheet.addEventListener("pointerup", event => {
  const id = event.target.closest?.(".node")?.dataset.id;
  if (drag && !drag.moved) choose(id ?? null);
  drag = null;
  sheet.classList.remove("dragged");
});
new ResizeObserver(resized).observe(sheet);
fit();
const wanted = decodeURIComponent(location.hash.slice(1));
const linked = ids.find(id => data.items[id].name === wanted);
if (linked) choose(linked);
