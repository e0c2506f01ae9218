// The forecast table: highest wave first.

import { el, levelChip, svgEl } from "./symbols.js";
import { DASH, clockTime, countdown, height, heightInterval, levelWord, metres, placeName } from "./format.js";

const body = document.getElementById("forecast-rows");
const empty = document.getElementById("forecast-empty");
const barMax = document.getElementById("bar-max");
const rows = new Map();
let onPick = () => {};

export function startTable(pick) { onPick = pick; }

// Points of the table: forecast points; where a region has none, all of its gauges.
export function tableRows(result) {
  const points = result.forecast.filter((row) => row.kind === "forecast");
  return points.length ? points : result.forecast;
}

// Words of an arrival: [what is large, what is small].
export function arrivalWords(row, clock, originMs) {
  if (row.arrival_s === null) return [DASH, ""];
  const at = clockTime(originMs + 1000 * row.arrival_s);
  if (row.arrival_s < 60) return ["at once", "source area"];
  if (row.arrival_s <= clock.seconds) return ["arrived", at];
  return [`in ${countdown(row.arrival_s - clock.seconds, clock.kind === "wall")}`, at];
}

function bar(row, most) {
  const svg = svgEl("svg", { viewBox: "0 0 100 20", preserveAspectRatio: "none", "aria-hidden": "true" });
  const x = (value) => Math.min(100, Math.max(0, (100 * (value ?? 0)) / most));
  if (row.low_m !== null && row.high_m !== null) svg.append(svgEl("line", { class: "bar-line", x1: x(row.low_m), x2: x(row.high_m), y1: 10, y2: 10 }));
  if (row.q25_m !== null && row.q75_m !== null) svg.append(svgEl("rect", { class: "bar-half", x: x(row.q25_m), width: Math.max(0, x(row.q75_m) - x(row.q25_m)), y: 4, height: 12 }));
  svg.append(svgEl("line", { class: "bar-mean", x1: x(row.max_amplitude_m), x2: x(row.max_amplitude_m), y1: 2, y2: 18 }));
  return svg;
}

function newRow(gauge) {
  const cell = (className) => el("td", { className });
  const cells = { level: cell("level-cell"), point: el("th", { className: "point", scope: "row" }), height: cell("number height"), range: cell("number range"), bar: cell("bar"), arrival: cell("number arrival") };
  cells.point.append(el("button", { type: "button", text: placeName(gauge) }), el("span", { className: "narrow-level" }));
  const row = el("tr", { "data-gauge": gauge }, Object.values(cells));
  row.addEventListener("click", () => onPick(gauge));
  return { row, cells };
}

export function showTable({ result, clock, originMs, chosen }) {
  const points = result ? tableRows(result) : [];
  empty.hidden = points.length > 0;
  const most = Math.max(0.1, ...points.map((row) => row.high_m ?? row.max_amplitude_m ?? 0));
  barMax.textContent = points.length ? `${metres(most)} m` : "";
  const focused = body.contains(document.activeElement) ? document.activeElement : null;
  const order = points.map((row) => {
    if (!rows.has(row.gauge)) rows.set(row.gauge, newRow(row.gauge));
    const { row: line, cells } = rows.get(row.gauge);
    line.className = `${row.gauge === chosen ? "chosen" : ""}`;
    line.dataset.alert = row.alert;
    cells.level.replaceChildren(levelChip(row.alert, levelWord[row.alert]));
    cells.point.lastChild.replaceChildren(levelChip(row.alert, levelWord[row.alert]));   // where there is no room for a column
    cells.height.replaceChildren(height(row), el("small", { text: heightInterval(row) }));
    cells.range.textContent = heightInterval(row);
    cells.bar.replaceChildren(bar(row, most));
    cells.point.firstChild.setAttribute("aria-pressed", String(row.gauge === chosen));
    showArrival(row, line, cells, clock, originMs);
    return line;
  });
  const same = order.length === body.children.length && order.every((line, index) => body.children[index] === line);
  if (!same) {
    body.replaceChildren(...order);
    focused?.focus();
  }
}

function showArrival(row, line, cells, clock, originMs) {
  const [large, small] = arrivalWords(row, clock, originMs);
  line.classList.toggle("arrived", large === "arrived" || large === "at once");
  cells.arrival.replaceChildren(el("strong", { text: large }), el("small", { text: small }));
}

// The countdowns alone, every second.
export function tickTable({ result, clock, originMs }) {
  for (const row of result ? tableRows(result) : []) {
    const found = rows.get(row.gauge);
    if (found) showArrival(row, found.row, found.cells, clock, originMs);
  }
}

export function clearTable() {
  rows.clear();
  body.replaceChildren();
}
