// Light or dark: as the system has it, until the button says otherwise.

const button = document.getElementById("theme");
const system = matchMedia("(prefers-color-scheme: dark)");
const listeners = [];
let chosen = null;

export const isDark = () => document.documentElement.dataset.theme === "dark";
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
export function onTheme(listener) { listeners.push(listener); }

function apply() {
  const dark = chosen === null ? system.matches : chosen === "dark";
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  button.textContent = dark ? "Light" : "Dark";
  listeners.forEach((listener) => listener());
}

export function startTheme() {
  try { chosen = localStorage.getItem("slipcast-theme"); } catch { chosen = null; }
  system.addEventListener("change", apply);
  button.addEventListener("click", () => {
    chosen = isDark() ? "light" : "dark";
    try { localStorage.setItem("slipcast-theme", chosen); } catch { /* a browser may refuse; the choice then lasts as long as the page */ }
    apply();
  });
  apply();
}

const channels = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

// Colour of slip between 0 and most: straight lines between the four colours of the theme.
export function slipColour(slip, most) {
  const stops = [0, 1, 2, 3].map((index) => channels(colour(`slip-${index}`)));
  const at = Math.min(1, Math.max(0, slip / most)) * 3;
  const low = Math.min(2, Math.floor(at));
  const mixed = stops[low].map((value, index) => Math.round(value + (at - low) * (stops[low + 1][index] - value)));
  return `#${mixed.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}
