// The slider that looks back, and the button that returns to now.

import { magnitudeFine, sinceOrigin } from "./format.js";

const at = (id) => document.getElementById(id);
const slider = at("slider");
let results = [];
let onShow = () => {};   // called with a result's number, or null for live

function place(number) {
  const index = results.findIndex((row) => row.number === number);
  return number === null || index < 0 ? results.length - 1 : index;
}

function go(index) {
  const last = results.length - 1;
  const to = Math.min(last, Math.max(0, index));
  onShow(to >= last ? null : results[to].number);
}

export function startTimeline(show) {
  onShow = show;
  slider.addEventListener("input", () => go(Number(slider.value)));
  at("live").addEventListener("click", () => onShow(null));
  at("back").addEventListener("click", () => go(Number(slider.value) - 1));
  at("forward").addEventListener("click", () => go(Number(slider.value) + 1));
}

export function showTimeline(history, shownNumber) {
  results = history;
  const index = place(shownNumber);
  const back = shownNumber !== null;
  slider.max = String(Math.max(0, results.length - 1));
  slider.value = String(Math.max(0, index));
  slider.disabled = results.length < 2;
  at("back").disabled = index <= 0;
  at("forward").disabled = index >= results.length - 1;
  at("live").setAttribute("aria-pressed", String(!back));
  at("timeline").classList.toggle("looking-back", back);
  const row = results[index];
  const words = row ? `${back ? "Looking back: " : ""}${sinceOrigin(row.minute * 60)}, result ${index + 1} of ${results.length}` : "No result yet";
  at("as-at").textContent = words;
  slider.setAttribute("aria-valuetext", row ? `${words}, Mw ${magnitudeFine(row.magnitude)}` : words);
}
