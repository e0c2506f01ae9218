// The panel of records: one chart per buoy, with its state in words and shape.

import { LevelChart } from "./charts.js";
import { el, shape } from "./symbols.js";
import { metres, placeName, sinceOrigin } from "./format.js";

const box = document.getElementById("records");
const empty = document.getElementById("records-empty");
const cards = new Map();
let point = null;

// State of every buoy at the time shown. The service gives it for now, and since when a wave has been seen, which tells it when
// looking back (cutS).
export function buoyStates(records, cutS) {
  return new Map((records?.gauges ?? []).map(({ gauge, state, wave_since_s: since, seconds, last_s: last }) => {
    if (cutS === null) return [gauge, { state, last_s: last }];
    const sent = seconds.filter((time) => time >= 0 && time <= cutS + 0.5);
    if (!sent.length) return [gauge, { state: "no data", last_s: null }];
    return [gauge, { state: since !== null && since <= cutS + 0.5 ? "wave detected" : "no wave detected", last_s: sent.at(-1) }];
  }));
}

function newCard(gauge) {
  const title = el("h3");
  const words = el("p", { className: "muted" });
  const chartBox = el("div", { className: "chart" });
  const card = el("article", { className: "record", "data-gauge": gauge }, [el("div", { className: "chart-head" }, [title, words]), chartBox]);
  box.append(card);
  return { card, title, words, chartBox, chart: null };
}

// End of the time axis, min: an hour ahead of now, and never less than an hour and a half.
export const axisEnd = (nowS) => Math.max(90, Math.ceil((nowS / 60 + 45) / 30) * 30);

export function showRecords({ records, states, series, cutMin, lastMin }) {
  const gauges = records?.gauges ?? [];
  empty.hidden = gauges.length > 0;
  for (const record of gauges) {
    const { gauge } = record;
    if (!cards.has(gauge)) cards.set(gauge, newCard(gauge));
    const entry = cards.get(gauge);
    const { state, last_s: last } = states.get(gauge);
    const found = series.get(gauge) ?? null;
    const bare = record.seconds.length === 0;
    if (entry.title.dataset.state !== state) {
      entry.title.dataset.state = state;
      entry.title.replaceChildren(shape(state), `DART ${gauge}`, el("span", { className: "muted", text: state }));
    }
    const index = last === null ? -1 : record.seconds.findLastIndex((time) => time <= last + 0.5);
    entry.words.textContent = index < 0 ? "no sample yet" : `${metres(record.sea_level_m[index])} m at ${sinceOrigin(last)}`;
    entry.card.classList.toggle("bare", bare);
    entry.chartBox.hidden = bare;
    if (bare) continue;   // a model without a sample beside it says nothing here
    entry.chart ??= new LevelChart(entry.chartBox);
    entry.chart.show({ name: `DART ${gauge}`, record, series: found, cutMin, lastMin });
  }
}

export function clearRecords() {
  cards.forEach(({ card, chart }) => { chart?.remove(); card.remove(); });
  cards.clear();
}

// The forecast at the point that was chosen in the table or on the map.
export function showPoint({ row, series, cutMin, lastMin }) {
  const pointBox = document.getElementById("point-box");
  pointBox.hidden = !row || !series;
  if (pointBox.hidden) return;
  document.getElementById("point-name").textContent = placeName(row.gauge);
  const crest = row.max_time_s === null ? "" : `, highest at ${sinceOrigin(row.max_time_s)}`;
  document.getElementById("point-words").textContent = `forecast sea level, m${series.low_m ? ", with 90 % interval" : ""}${crest}`;
  point ??= new LevelChart(document.getElementById("point-chart"));
  point.show({ name: placeName(row.gauge), record: null, series, cutMin, lastMin });
}
