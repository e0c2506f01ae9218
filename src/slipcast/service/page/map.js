// The map: a base (MapLibre, or a plain drawing) below, and on it marks that are elements of the page, so that a keyboard
// and a screen reader reach them.

import { coastLayers } from "./coast.js";
import { startGl, hasWebGl } from "./map_gl.js";
import { startSvg } from "./map_svg.js";
import { el, shape } from "./symbols.js";
import { colour, onTheme, slipColour } from "./theme.js";
import { hideTip, showTip, tipOf } from "./tooltip.js";
import { DASH, STATES, height, interval, levelWord, metres, place, placeName, sinceOrigin } from "./format.js";

const box = document.getElementById("map-base");
const marksBox = document.getElementById("map-marks");
const note = document.getElementById("map-note");
const legend = document.getElementById("map-legend");

let base = null;
let middle = 0;             // longitude around which all others lie
let region = null;
let coast = null;           // {land, lines, beyond} of coast.js
let marks = [];             // {element, label, point, sides, weight}
let sourceDots = [];
let slip = new Map();
let most = 1;
let onPoint = () => {};

// Longitude within 180 degrees of the region's middle, so that a region may lie across the date line.
const near = (lon) => middle + ((((lon - middle) % 360) + 540) % 360) - 180;
const unwrap = ([lon, lat]) => [near(lon), lat];

const closed = (ring) => (ring[0].every((value, axis) => value === ring.at(-1)[axis]) ? ring : [...ring, ring[0]]);
const hull = (points) => points.reduce(([w, s, e, n], [lon, lat]) => [Math.min(w, lon), Math.min(s, lat), Math.max(e, lon), Math.max(n, lat)], [Infinity, Infinity, -Infinity, -Infinity]);

function homeBounds() {
  const [west, south, east, north] = region.bounds;
  const inside = ({ lon, lat }) => {
    const across = ((((lon - west) % 360) + 360) % 360) <= ((((east - west) % 360) + 360) % 360);
    return across && lat >= south && lat <= north;
  };
  const gauges = region.gauges.filter(inside).map(({ lon, lat }) => unwrap([lon, lat]));
  return hull([...gauges, ...region.sources.flatMap(({ polygon }) => polygon.map(unwrap))]);
}

export const fitHome = () => base?.fit(homeBounds(), 44);
export const fitAll = () => base?.fit(hull([...region.gauges.map(({ lon, lat }) => unwrap([lon, lat])), ...region.sources.flatMap(({ polygon }) => polygon.map(unwrap))]), 60);

function hover(name, x, y) {
  base?.choose(name);
  if (name === null) hideTip();
  else showTip(sourceLines(name), x, y);
}

function sourceLines(name) {
  const found = slip.get(name);
  if (!found) return [name, "no slip found yet"];
  const lines = [name, `slip ${metres(found.slip_m)} m`];
  if (found.low_m !== null && found.high_m !== null) lines.push(`90 % interval ${interval(found.low_m, found.high_m)} m`);
  if (found.sd_m !== null) lines.push(`standard deviation ${metres(found.sd_m)} m`);
  else lines.push("this method gives no uncertainty");
  return lines;
}

function position(element, [x, y]) { element.style.transform = `translate(${x.toFixed(1)}px, ${y.toFixed(1)}px)`; }

// Put the marks where the base has them, and each label on the first side where it hides no other; the heaviest go first.
function placeMarks() {
  if (!base) return;
  const { width, height } = box.getBoundingClientRect();
  const taken = [];
  for (const mark of marks) {
    const at = base.project(mark.point);
    mark.at = at;
    position(mark.element, at);
    if (mark.weight >= 0) taken.push([at[0] - 11, at[1] - 11, at[0] + 11, at[1] + 11]);
  }
  for (const mark of marks) {
    if (!mark.label) continue;
    const [x, y] = mark.at;
    const w = mark.width ??= mark.label.offsetWidth;
    const h = mark.height ??= mark.label.offsetHeight;
    const places = { right: [x + 13, y - h / 2], left: [x - 13 - w, y - h / 2], below: [x - w / 2, y + 12], above: [x - w / 2, y - 12 - h] };
    const free = mark.sides.map((side) => places[side]).find(([left, top]) => {
      const room = [left, top, left + w, top + h];
      return left > 2 && top > 2 && room[2] < width - 2 && room[3] < height - 2
        && !(room[2] > width - 56 && top < 190) && !taken.some((other) => room[0] < other[2] && room[2] > other[0] && room[1] < other[3] && room[3] > other[1]);
    });
    mark.label.style.visibility = free ? "visible" : "hidden";
    if (free) {
      position(mark.label, free);
      taken.push([free[0], free[1], free[0] + w, free[1] + h]);
    }
  }
  for (const dot of sourceDots) position(dot.element, base.project(dot.point));
}

// Unit sources by keyboard: one stop of the tab key, arrows go from one to the next.
function makeSourceDots() {
  sourceDots = region.sources.map(({ name, polygon }, index) => {
    const corners = polygon.slice(0, 4).map(unwrap);
    const point = [0, 1].map((axis) => corners.reduce((sum, corner) => sum + corner[axis], 0) / corners.length);
    const element = el("button", { type: "button", className: "mark source-dot", tabindex: index === 0 ? "0" : "-1", "aria-label": `Unit source ${name}` });
    element.addEventListener("focus", () => base?.choose(name));
    element.addEventListener("blur", () => base?.choose(null));
    element.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const next = sourceDots[(index + step + sourceDots.length) % sourceDots.length].element;
      element.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    });
    tipOf(element, () => sourceLines(name));
    return { element, point };
  });
}

function paintSources() {
  if (!base || !region) return;
  base.setSources(region.sources.map(({ name, polygon }) => ({
    name,
    polygon: closed(polygon.map(unwrap)),
    colour: slip.has(name) ? slipColour(slip.get(name).slip_m, most) : colour("slip-0"),
  })));
}

// A round number not below the largest slip, for the end of the scale.
function roundUp(value) {
  const unit = 10 ** Math.floor(Math.log10(Math.max(value, 0.1)));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((times) => times * unit).find((end) => end >= value - 1e-9) ?? 10 * unit;
}

function drawLegend(hasSlip) {
  const item = (kind, word) => el("span", { className: "item" }, [shape(kind), word]);
  legend.replaceChildren(
    el("span", { className: "group" }, [el("span", { text: "Slip 0" }), el("i", { className: "ramp" }), el("span", { text: hasSlip ? `${most} m` : `${DASH} m` })]),
    el("span", { className: "group" }, [el("b", { text: "Buoys" }), ...STATES.map((state) => item(state, state))]),
    el("span", { className: "group" }, [el("b", { text: "Points" }), ...["warning", "advisory", "information", "none"].map((level) => item(level, levelWord[level].toLowerCase()))]),
  );
}

function gaugeMark({ gauge, point, kind, words, more, lines, weight, sides, pick }) {
  const element = el("button", { type: "button", className: "mark", "aria-label": `${words} ${more}`, "data-gauge": gauge, "data-shape": kind }, [shape(kind)]);
  if (pick) element.addEventListener("click", () => onPoint(gauge));
  tipOf(element, () => lines);
  const label = el("span", { className: "mark-label", "aria-hidden": "true" }, [words, " ", el("span", { className: "more", text: more })]);
  return { element, label, point, sides, weight };
}

// Draw what is known: buoys by state, forecast points by level, slip on the unit sources.
export function showOnMap({ event, states, result, clockS }) {
  slip = new Map((result?.slip ?? []).map((row) => [row.source, row]));
  most = roundUp(Math.max(0, ...[...slip.values()].map((row) => row.slip_m)));
  paintSources();
  drawLegend(slip.size > 0);
  const forecast = new Map((result?.forecast ?? []).map((row) => [row.gauge, row]));
  const made = [];
  for (const { name, kind, lon, lat } of region.gauges) {
    const point = unwrap([lon, lat]);
    if (states.has(name)) {
      const { state, last_s: last } = states.get(name);
      const lines = [`DART ${name}`, state, last === null ? "no sample yet" : `last sample at ${sinceOrigin(last)}`];
      made.push(gaugeMark({ gauge: name, point, kind: state, words: name, more: state, lines, weight: 100, sides: ["left", "below", "above", "right"], pick: false }));
    } else if (kind === "forecast") {
      const row = forecast.get(name);
      const level = row?.alert ?? "none";
      const lines = [placeName(name)];
      if (row) {
        lines.push(`${levelWord[level]}: ${height(row)} m${row.beyond_m != null ? ", beyond what the model can make" : row.low_m === null ? "" : ` (90 %: ${interval(row.low_m, row.high_m)})`}`);
        if (row.arrival_s !== null) lines.push(row.arrival_s <= clockS ? "the wave has arrived" : `arrival at ${sinceOrigin(row.arrival_s)}`);
      } else lines.push("no forecast yet");
      const more = row ? `${height(row)} m` : "";
      made.push(gaugeMark({ gauge: name, point, kind: level, words: placeName(name), more, lines, weight: row?.max_amplitude_m ?? 0, sides: ["right", "below", "above", "left"], pick: true }));
    }
  }
  const star = gaugeMark({ gauge: "epicentre", point: unwrap([event.longitude, event.latitude]), kind: "epicentre", words: "Epicentre", more: "", lines: ["Epicentre", place(event.longitude, event.latitude)], weight: -1, sides: ["below", "right", "left", "above"], pick: false });
  made.push(star);
  replaceMarks(made);
}

// New marks for old; the one that had the focus has it again.
function replaceMarks(made) {
  const focused = marksBox.contains(document.activeElement) ? document.activeElement.dataset.gauge : undefined;
  marks = made.sort((a, b) => b.weight - a.weight);
  marks.forEach((mark, index) => { mark.element.style.zIndex = String(marks.length - index); });
  marksBox.querySelectorAll(".mark:not(.source-dot), .mark-label").forEach((old) => old.remove());
  marksBox.append(...marks.map((mark) => mark.label), ...marks.map((mark) => mark.element));
  if (focused) marks.find((mark) => mark.element.dataset.gauge === focused)?.element.focus();
  placeMarks();
}

function fill() {
  base.setTheme();
  if (coast) base.setCoast(coast);
  paintSources();
  if (region) fitHome();
}

function fallBack() {
  base?.remove();
  box.replaceChildren();
  base = startSvg(box, { onMove: placeMarks, onHover: hover });
  note.textContent = "plain drawing: no WebGL here";
  fill();
}

export function setRegion(newRegion) {
  region = newRegion;
  const corners = region.sources.flatMap(({ polygon }) => polygon);
  const [first] = corners[0];
  middle = first + corners.reduce((sum, [lon]) => sum + ((((lon - first) % 360) + 540) % 360) - 180, 0) / corners.length;
  coast = null;
  makeSourceDots();
  marksBox.replaceChildren(...sourceDots.map((dot) => dot.element));
  marks = [];
  base?.clear();
  if (base) fill();
}

// Land or coast lines near the region (GeoJSON); what lies beyond them is shown as unmapped.
export function setCoast(geojson) {
  coast = coastLayers(geojson, unwrap);
  base?.setCoast(coast);
}

export async function startMap({ plain, onPick }) {
  onPoint = onPick;
  document.getElementById("zoom-in").addEventListener("click", () => base?.zoomBy(0.7));
  document.getElementById("zoom-out").addEventListener("click", () => base?.zoomBy(-0.7));
  document.getElementById("zoom-home").addEventListener("click", fitHome);
  document.getElementById("zoom-all").addEventListener("click", fitAll);
  onTheme(() => { base?.setTheme(); paintSources(); });
  let size = "";
  new ResizeObserver(() => {
    const { width, height } = box.getBoundingClientRect();
    if (`${width}x${height}` === size || !base) return;
    size = `${width}x${height}`;
    base.resize();
    if (region) fitHome();
  }).observe(box);
  if (plain || !hasWebGl()) { fallBack(); return; }
  try {
    base = await startGl(box, { onMove: placeMarks, onHover: hover, onLost: fallBack });
    fill();
  } catch (error) {
    console.warn("MapLibre did not start", error);
    fallBack();
  }
}
