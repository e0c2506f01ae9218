// The numbers that must be read from two metres.

import { el, levelChip, shape } from "./symbols.js";
import { tableRows } from "./table.js";
import { DASH, STATES, clockTime, countdownParts, height, interval, levelWord, magnitude, magnitudeFine, placeName } from "./format.js";

const at = (id) => document.getElementById(id);
const put = (id, text) => { if (at(id).textContent !== text) at(id).textContent = text; };

function putLevel(id, level) {
  if (at(id).dataset.level === level) return;
  at(id).dataset.level = level;
  at(id).replaceChildren(...(level ? [levelChip(level, levelWord[level])] : []));
}

function showMagnitude(result) {
  put("magnitude", result?.below_range && result.magnitude === null ? "low" : magnitude(result?.magnitude ?? null));
  if (!result) put("magnitude-interval", "waiting for the first result");
  else if (result.magnitude_low === null) put("magnitude-interval", result.below_range ? "below the range of this model" : "no interval from this method");
  else put("magnitude-interval", `90 % ${interval(result.magnitude_low, result.magnitude_high, magnitudeFine)}${result.below_range ? ", below the model's range" : ""}`);
}

function showWorst(result) {
  const worst = result ? tableRows(result)[0] : undefined;
  put("worst-height", height(worst));
  put("worst-name", worst ? placeName(worst.gauge) : "");
  put("worst-interval", !worst ? "no forecast yet" : worst.beyond_m != null ? "beyond what the model can make" : worst.low_m === null ? "no interval from this method" : `90 % ${interval(worst.low_m, worst.high_m)} m`);
  putLevel("worst-alert", worst?.alert ?? "");
  at("worst-height").closest(".tile").dataset.alert = worst?.alert ?? "";
}

// The point where a wave of some height comes next.
export function nextArrival(result, clockS) {
  const coming = (result ? tableRows(result) : []).filter((row) => row.alert !== "none" && row.arrival_s !== null && row.arrival_s > clockS);
  return coming.sort((a, b) => a.arrival_s - b.arrival_s)[0];
}

export function showNext({ result, clock, originMs }) {
  const next = nextArrival(result, clock.seconds);
  const any = result ? tableRows(result).some((row) => row.alert !== "none" && row.arrival_s !== null) : false;
  const [large, unit] = next ? countdownParts(next.arrival_s - clock.seconds, clock.kind === "wall") : [any ? "arrived" : DASH, ""];
  put("next-time", large);
  put("next-unit", unit);
  put("next-name", next ? placeName(next.gauge) : "");
  put("next-clock", next ? `${clockTime(originMs + 1000 * next.arrival_s)} UTC, first wave` : any ? "at all points" : result ? "no wave expected at the points" : "");
  putLevel("next-alert", next?.alert ?? "");
  at("next-time").closest(".tile").dataset.alert = next?.alert ?? "";
}

function showBuoys(states) {
  const all = [...states.values()].map(({ state }) => state);
  const seen = all.filter((state) => state === "wave detected").length;
  at("buoys").replaceChildren(...(all.length ? [String(seen), el("span", { className: "unit", text: ` of ${all.length}` })] : [DASH]));
  const words = STATES.map((state) => [state, all.filter((other) => other === state).length]).filter(([, count]) => count > 0);
  at("buoy-states").replaceChildren(...words.map(([state, count]) => el("span", {}, [shape(state), `${count} ${state}`])));
  at("buoy-states").querySelectorAll("svg").forEach((svg) => { svg.setAttribute("width", "20"); svg.setAttribute("height", "20"); });
}

export function showTiles({ result, states, clock, originMs }) {
  showMagnitude(result);
  showWorst(result);
  showNext({ result, clock, originMs });
  showBuoys(states);
}
