// The head of the page: which event, what time in it, and whether the page still hears from the service.

import { getBlob, hasToken, paths, serverNow } from "./api.js";
import { el } from "./symbols.js";
import { age, dateTime, dayTime, magnitude, place, sinceOrigin } from "./format.js";

const at = (id) => document.getElementById(id);
const put = (id, text) => { if (at(id).textContent !== text) at(id).textContent = text; };
const STALE_S = 180;   // a watched event sends samples every minute

export function showEvent(event, region) {
  at("simulation").hidden = !event?.simulation;
  put("region", region ? `· ${region.title ?? region.name}` : "");
  put("event-name", event ? event.name || `Event of ${dateTime(event.origin_time)}` : "Waiting for an event");
  document.title = event ? `${event.simulation ? "SIMULATION: " : ""}${event.name || event.id}, slipcast` : "slipcast watch floor";
  const facts = event ? [`origin ${dateTime(event.origin_time)}`, place(event.longitude, event.latitude)] : [];
  if (event && event.magnitude !== null) facts.push(`first magnitude ${magnitude(event.magnitude)}`);
  put("event-facts", facts.join(" · "));
}

const CLOCK_LABEL = { wall: "Since origin", replay: "Since origin, replay clock", past: "Since origin, newest sample" };

export function showClock(clock, asAt) {
  put("clock-label", asAt ? "As it was at" : CLOCK_LABEL[clock?.kind ?? "wall"]);
  put("clock", sinceOrigin(clock?.seconds ?? null, !asAt && clock?.kind === "wall"));
}

// link: "starting", "live" or "lost"; newestMs: when the newest result or sample came, by the clock of the service.
export function showConnection({ link, newestMs, past }) {
  const quiet = newestMs === null ? null : (serverNow() - newestMs) / 1000;
  let state = link;
  if (link === "live" && past) state = "past";
  else if (link === "live" && quiet !== null && quiet > STALE_S) state = "stale";
  const words = { starting: "Starting", live: "Live", past: "Connected, past event", stale: "No new data", lost: "Reconnecting" };
  at("connection").dataset.state = state;
  put("connection-word", words[state]);
  if (quiet === null || state === "past") put("connection-age", "");
  else put("connection-age", state === "stale" ? `for ${age(quiet)}` : `updated ${age(quiet)} ago`);
}

export function showPicker(events, id, onPick) {
  at("picker-box").hidden = events.length < 2;
  const picker = at("picker");
  picker.replaceChildren(...events.map((event) => el("option", { value: event.id, text: `${dayTime(event.origin_time)} ${event.name || event.id}${event.simulation ? " (simulation)" : ""}` })));
  picker.value = id ?? "";
  picker.onchange = () => onPick(picker.value);
}

const FILES = { "records.nc": "Records, netCDF", "slip.nc": "Slip, netCDF", "forecast.nc": "Forecast, netCDF", "slip.geojson": "Slip, GeoJSON", "forecast.geojson": "Forecast, GeoJSON" };

// Links to the files of the result shown. A private service gives them only with the token, so then the page fetches them.
export function showExport(id, number) {
  at("export").hidden = number === null;
  if (number === null || at("export-list").dataset.shown === `${id}/${number}`) return;
  at("export-list").dataset.shown = `${id}/${number}`;
  at("export-list").replaceChildren(...Object.entries(FILES).map(([name, words]) => {
    const link = el("a", { href: paths.file(id, name, number), download: name, text: words });
    link.addEventListener("click", async (click) => {
      if (!hasToken()) return;
      click.preventDefault();
      const url = URL.createObjectURL(await getBlob(paths.file(id, name, number)));
      Object.assign(document.createElement("a"), { href: url, download: name }).click();
      setTimeout(() => URL.revokeObjectURL(url), 10_000);
    });
    return el("li", {}, [link]);
  }));
}

export function showProvenance(result) {
  put("flags", (result?.flags ?? []).map((flag) => flag.replaceAll("_", " ")).join("; "));
  if (!result) { put("provenance", ""); return; }
  const parts = [`Result ${result.number}`, `method ${result.method}`, result.model && `model ${result.model}`, result.bank && `bank ${result.bank}`, `window ${result.window_min} min`,
    `buoys used ${result.gauges_used.join(", ") || "none"}`, typeof result.latency_ms === "number" && `answered in ${Math.round(result.latency_ms)} ms`];
  put("provenance", parts.filter(Boolean).join(" · "));
}

// A line across the page with one button: a new event, or what went wrong.
export function showNotice(text, button, onClick) {
  at("notice").hidden = text === null;
  put("notice-text", text ?? "");
  at("notice-button").hidden = !button;
  at("notice-button").textContent = button ?? "";
  at("notice-button").onclick = onClick ?? null;
}
