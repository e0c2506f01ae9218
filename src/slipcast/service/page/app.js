// The watch floor: what is known is loaded into one state, and every panel draws from it.

import { ApiError, follow, getJson, paths, serverNow, setToken } from "./api.js";
import { MagnitudeChart } from "./charts.js";
import { eventClock, newestSample } from "./clock.js";
import { showClock, showConnection, showEvent, showExport, showNotice, showPicker, showProvenance } from "./header.js";
import { setCoast, setRegion, showOnMap, startMap } from "./map.js";
import { axisEnd, buoyStates, clearRecords, showPoint, showRecords } from "./records.js";
import { clearTable, showTable, startTable, tableRows, tickTable } from "./table.js";
import { startTheme } from "./theme.js";
import { showNext, showTiles } from "./tiles.js";
import { showTimeline, startTimeline } from "./timeline.js";

const LIST_MS = 15_000;    // between two looks at the list of events
const LEAST_MS = 700;      // between two readings of one event, however fast it is replayed
const KEPT = 80;           // results kept in memory for looking back

const state = {
  regions: [], events: [], event: null, region: null,
  records: null, results: [], result: null, series: new Map(),
  shown: null,             // number of the result shown, null for the newest
  chosen: null,            // forecast point chosen by hand
  link: "starting", newestMs: null,
  stale: true,             // the whole history is to be read again
  newSamples: true,        // the records are
};
const query = new URLSearchParams(location.search);
const kept = new Map();    // path to JSON of what never changes: results and their series
let watch = null;          // AbortController of the event that is watched
let dirty = false;
let busy = false;
let history = null;
let trouble = false;       // the line across the page says that the service does not answer

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function getKept(path) {
  if (!kept.has(path)) kept.set(path, await getJson(path));
  while (kept.size > KEPT * 6) kept.delete(kept.keys().next().value);
  return kept.get(path);
}

// ---- drawing

function clocks() {
  const now = eventClock(state.event, newestSample(state.records), serverNow());
  const asAt = state.shown !== null && state.result !== null;
  return { now, asAt, clock: asAt ? { seconds: state.result.minute * 60, kind: "replay" } : now };
}

function draw() {
  const { event, region, result, records } = state;
  showEvent(event, region);
  showTimeline(state.results, state.shown);
  if (!event) { showClock(null, false); return; }
  const { now, asAt, clock } = clocks();
  const originMs = Date.parse(event.origin_time);
  const states = buoyStates(records, asAt ? clock.seconds : null);
  const chosen = state.chosen ?? (result && tableRows(result)[0]?.gauge) ?? null;
  const row = result?.forecast.find((other) => other.gauge === chosen) ?? null;
  const cutMin = asAt ? result.minute : (newestSample(records) ?? 0) / 60;
  const lastMin = axisEnd(Math.max(newestSample(records) ?? 0, Math.min(now.seconds, 6 * 3600)));
  const pointEnd = Math.max(lastMin, row?.arrival_s ? Math.ceil((row.arrival_s / 60 + 120) / 30) * 30 : 0);
  showClock(clock, asAt);
  showTiles({ result, states, clock, originMs });
  showTable({ result, clock, originMs, chosen });
  showRecords({ records, states, series: state.series, cutMin, lastMin });
  showPoint({ row, series: state.series.get(chosen), cutMin, lastMin: pointEnd });
  history.show(state.results, result);
  if (region) showOnMap({ event, states, result, clockS: clock.seconds });
  showProvenance(result);
  showExport(event.id, result?.number ?? null);
  tick();
}

// Every second: what runs by itself.
function tick() {
  const { event, result } = state;
  if (event) {
    const { now, asAt, clock } = clocks();
    const originMs = Date.parse(event.origin_time);
    showClock(clock, asAt);
    if (!asAt && now.kind === "wall") {
      tickTable({ result, clock, originMs });
      showNext({ result, clock, originMs });
    }
  }
  const past = event !== null && !event.simulation && serverNow() - Date.parse(event.origin_time) > 86_400_000;
  showConnection({ link: state.link, newestMs: state.newestMs, past });
}

// ---- reading

async function readShown(event) {
  const last = state.results.at(-1);
  const number = state.shown ?? last?.number;
  if (number === undefined) return { result: null, series: new Map() };
  const result = await getKept(paths.result(event.id, number));
  const chosen = state.chosen ?? tableRows(result)[0]?.gauge;
  const known = new Set(result.forecast.map((row) => row.gauge));
  const gauges = [...new Set([...(state.records?.gauges ?? []).map((record) => record.gauge), chosen])].filter((gauge) => known.has(gauge));
  const series = await Promise.allSettled(gauges.map((gauge) => getKept(paths.series(event.id, number, gauge))));
  const missing = series.find((one) => one.status === "rejected");   // the numbers are shown also without a curve
  return { result, series: new Map(series.filter((one) => one.status === "fulfilled").map((one) => [one.value.gauge, one.value])), missing };
}

// Read again what may have changed and draw it. Calls in the meantime are one more reading after this one.
async function refresh({ history: all = false } = {}) {
  dirty = true;
  if (all) state.stale = true;
  if (busy) return;
  busy = true;
  while (dirty) {
    dirty = false;
    const { event } = state;
    if (!event) break;
    const began = Date.now();
    try {
      const wholeHistory = state.stale;
      const wantedSamples = state.newSamples;
      state.stale = false;
      state.newSamples = false;
      const [records, results] = await Promise.all([
        wantedSamples ? getJson(paths.records(event.id)) : state.records,
        wholeHistory ? getJson(paths.results(event.id)).then((said) => said.results) : null,
      ]);
      if (state.event !== event) continue;
      state.records = records;
      if (results) mergeResults(results);
      const { result, series, missing } = await readShown(event);
      if (state.event !== event) continue;
      Object.assign(state, { result, series });
      draw();
      if (missing) throw missing.reason;
      recovered();
    } catch (error) {
      if (!(await handle(error))) break;
      dirty = true;
      state.stale = true;
      state.newSamples = true;
    }
    if (dirty) await sleep(Math.max(0, LEAST_MS - (Date.now() - began)));
  }
  busy = false;
}

function mergeResults(rows) {
  const all = new Map(state.results.map((row) => [row.number, row]));
  rows.forEach((row) => all.set(row.number, row));
  state.results = [...all.values()].sort((a, b) => a.number - b.number);
  const last = state.results.at(-1);
  if (last) state.newestMs = Math.max(state.newestMs ?? 0, Date.parse(last.created));
}

// False for what is known already: a stream that opens says where things stand.
function isNews(kind, data) {
  if (kind === "result") return data.number > (state.results.at(-1)?.number ?? 0) && !state.stale;
  const known = new Map((state.records?.gauges ?? []).map((record) => [record.gauge, record.last_s ?? -Infinity]));
  return state.records !== null && Object.entries(data).some(([gauge, last]) => last > (known.get(gauge) ?? -Infinity));
}

function recovered() {
  if (trouble) showNotice(null);
  trouble = false;
}

// A refused reading: ask for the token, or say what is wrong and try again. True if it is worth another try.
async function handle(error) {
  if (error instanceof ApiError && error.status === 401) { await askToken(); return true; }
  console.warn(error);
  trouble = true;
  showNotice(`The service does not answer as it should (${error.message}). Trying again.`);
  await sleep(4000);
  return true;
}

// ---- events

function watchEvent(id) {
  watch?.abort();
  watch = new AbortController();
  const { signal } = watch;
  const event = state.events.find((other) => other.id === id) ?? null;
  Object.assign(state, { event, records: null, results: [], result: null, series: new Map(), shown: null, chosen: null, newestMs: null, stale: true, newSamples: true });
  kept.clear();
  clearRecords();
  clearTable();
  showPicker(state.events, id, choose);
  if (!event) { draw(); return; }
  const region = state.regions.find((other) => other.name === event.region) ?? null;
  if (region && region !== state.region) {
    setRegion(region);
    getJson(paths.coast(region.name)).then((coast) => { if (state.region === region) setCoast(coast); }, handle);
  }
  state.region = region;
  draw();
  refresh({ history: true });
  follow(paths.stream(id), {
    lastId: null,
    signal,
    onState(link, again) {
      if (link === "token") { askToken().then(() => watchEvent(id)); return; }
      state.link = link;
      if (again) { state.newSamples = true; refresh({ history: true }); }
      tick();
    },
    onEvent(kind, data) {
      if (!isNews(kind, data)) return;
      state.newSamples = true;
      if (kind === "result") mergeResults([data]);
      else state.newestMs = serverNow();
      refresh();
    },
  });
}

function choose(id) {
  const url = new URL(location.href);
  url.searchParams.set("event", id);
  window.history.replaceState(null, "", url);
  showNotice(null);
  watchEvent(id);
}

// The list of events, for ever: the first one is watched at once, a later one is announced.
async function listEvents() {
  const announced = new Set();
  for (;;) {
    try {
      if (!state.regions.length) state.regions = await getJson(paths.regions());
      state.events = (await getJson(paths.events())).events;
      recovered();
      const ids = state.events.map((event) => event.id);
      if (!state.event && ids.length) {
        ids.forEach((id) => announced.add(id));
        const wanted = query.get("event");
        watchEvent(ids.includes(wanted) ? wanted : ids[0]);
      } else if (!ids.length) {
        state.link = "live";
        if (!state.region && state.regions.length) {
          [state.region] = state.regions;
          setRegion(state.region);
          setCoast(await getJson(paths.coast(state.region.name)));
        }
        draw();
      } else if (!state.events.some((event) => event.id === state.event.id)) {
        state.events.push(state.event);
      }
      const fresh = state.events.find((event) => !announced.has(event.id));
      if (fresh && state.event && fresh.id !== state.event.id) showNotice(`New event: ${fresh.simulation ? "SIMULATION, " : ""}${fresh.name || fresh.id}`, "Watch it", () => choose(fresh.id));
      ids.forEach((id) => announced.add(id));
      if (state.event) showPicker(state.events, state.event.id, choose);
    } catch (error) {
      await handle(error);
      continue;
    }
    await sleep(state.event ? LIST_MS : 2000);
  }
}

// ---- a private service

let asking = null;
function askToken() {
  asking ??= new Promise((resolve) => {
    const dialog = document.getElementById("token-dialog");
    const field = document.getElementById("token");
    const error = document.getElementById("token-error");
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    document.getElementById("token-form").onsubmit = async (event) => {
      event.preventDefault();
      setToken(field.value.trim());
      try {
        await getJson(paths.regions());
      } catch (refused) {
        setToken(null);
        error.textContent = refused.status === 401 ? "This token is not the service's." : `The service said: ${refused.message}`;
        return;
      }
      field.value = "";
      error.textContent = "";
      dialog.close();
      asking = null;
      resolve();
    };
    if (!dialog.open) dialog.showModal();
    field.focus();
  });
  return asking;
}

// ---- start

function pickPoint(gauge) {
  state.chosen = gauge;
  refresh();
}

function showResult(number) {
  state.shown = number;
  showTimeline(state.results, number);
  refresh();
}

startTheme();
startTable(pickPoint);
startTimeline(showResult);
history = new MagnitudeChart(document.getElementById("history"), (number) => showResult(number === state.results.at(-1)?.number ? null : number));
startMap({ plain: query.get("map") === "plain", onPick: pickPoint });
setInterval(tick, 1000);
listEvents();
