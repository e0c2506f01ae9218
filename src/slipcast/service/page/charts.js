// Charts by uPlot: a record with its model and interval, a point's forecast, magnitude against time.

import { colour, onTheme } from "./theme.js";
import { hideTip, showTip } from "./tooltip.js";
import { interval, magnitudeFine, metres, sinceOrigin } from "./format.js";

const FONT = '13px system-ui, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif';
const plots = new Set();
onTheme(() => plots.forEach((chart) => chart.plot?.redraw()));

const axis = (side, more) => ({
  side,
  font: FONT,
  stroke: () => colour("muted"),
  space: (plot, index, low, high, length) => Math.max(20, length / 6),
  grid: { stroke: () => colour("grid"), width: 1 },
  ticks: { show: false },
  gap: 4,
  ...more,
});

// Values of a model at the times of the chart, on straight lines between its minutes; null outside, or where it has none.
export function along(times, values, at) {
  let index = 0;
  return at.map((time) => {
    while (index < times.length - 2 && times[index + 1] < time) index += 1;
    if (!times.length || time < times[0] || time > times.at(-1)) return null;
    if (time === times[index]) return values[index];
    const [low, high] = [values[index], values[index + 1]];
    if (low === null || high === null || high === undefined) return null;
    return low + ((high - low) * (time - times[index])) / (times[index + 1] - times[index]);
  });
}

function verticalLine(plot, minute, name, dashed) {
  const x = plot.valToPos(minute, "x", true);
  const { left, top, width, height } = plot.bbox;
  if (!(x >= left && x <= left + width)) return;
  plot.ctx.save();
  plot.ctx.strokeStyle = colour(name);
  plot.ctx.lineWidth = 2 * devicePixelRatio;
  if (dashed) plot.ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
  plot.ctx.beginPath();
  plot.ctx.moveTo(x, top);
  plot.ctx.lineTo(x, top + height);
  plot.ctx.stroke();
  plot.ctx.restore();
}

// What comes after the minute shown lies on a ground of its own.
function shadeAfter(plot, minute) {
  const { left, top, width, height } = plot.bbox;
  const x = Math.min(left + width, Math.max(left, plot.valToPos(minute, "x", true)));
  plot.ctx.save();
  plot.ctx.fillStyle = colour("future");
  plot.ctx.fillRect(x, top, left + width - x, height);
  plot.ctx.restore();
}

// A chart in a box that follows its size; options are made by the caller, tip(plot, index) gives the lines at the pointer.
class Chart {
  constructor(box, options, tip) {
    this.box = box;
    this.state = {};
    box.setAttribute("role", "img");
    const cursor = { drag: { x: false, y: false }, y: false, points: { show: false } };
    const setCursor = (plot) => {
      const lines = plot.cursor.left >= 0 && plot.cursor.idx !== null && box.matches(":hover") ? tip(plot, plot.cursor.idx, this.state) : null;
      if (!lines) return;
      const at = plot.over.getBoundingClientRect();
      showTip(lines, at.left + plot.cursor.left, at.top + Math.max(0, plot.cursor.top));
    };
    const made = options(this);
    const hooks = { ...made.hooks, setCursor: [setCursor] };
    this.plot = new globalThis.uPlot({ ...made, ...this.size(), legend: { show: false }, cursor, hooks }, made.series.map(() => []), box);
    this.plot.over.addEventListener("pointerleave", hideTip);
    this.observer = new ResizeObserver(() => this.plot.setSize(this.size()));
    this.observer.observe(box);
    plots.add(this);
  }

  size() {
    const { width, height } = this.box.getBoundingClientRect();
    return { width: Math.max(120, Math.floor(width)), height: Math.max(60, Math.floor(height)) };
  }

  set(state, data, label) {
    this.state = state;
    this.box.setAttribute("aria-label", label);
    this.plot.setData(data);
  }

  remove() {
    this.observer.disconnect();
    plots.delete(this);
    this.plot.destroy();
  }
}

const finite = (values) => values.filter((value) => typeof value === "number");

function levelRange(plot) {
  const shown = plot.data.slice(1).flatMap(finite);
  const low = Math.min(-0.02, ...shown);
  const high = Math.max(0.02, ...shown);
  return [low - 0.06 * (high - low), high + 0.08 * (high - low)];
}

const recordOptions = (chart) => ({
  scales: { x: { time: false, range: () => [0, chart.state.lastMin ?? 90] }, y: { range: levelRange } },
  axes: [axis(2, { size: 24, values: (_, at) => at.map((minute) => (minute % 1 ? "" : `${minute}`)), space: 50 }), axis(3, { size: 52, values: (_, at) => at.map((level) => metres(level)) })],
  series: [
    {},
    { stroke: () => colour("model"), width: 2, points: { show: false } },
    { stroke: () => "transparent", width: 0, points: { show: false } },
    { stroke: () => "transparent", width: 0, points: { show: false } },
    { paths: () => null, points: { show: true, size: 4, width: 0, fill: () => colour("sample"), stroke: () => colour("sample") } },
    { paths: () => null, points: { show: true, size: 5, width: 1.5, fill: () => "transparent", stroke: () => colour("since") } },
  ],
  bands: [{ series: [3, 2], fill: () => colour("interval") }],
  hooks: {
    drawClear: [(plot) => chart.state.cutMin !== undefined && shadeAfter(plot, chart.state.cutMin)],
    draw: [(plot) => chart.state.cutMin !== undefined && verticalLine(plot, chart.state.cutMin, "cut", true)],
  },
});

const withInterval = (low, high) => (typeof low === "number" ? ` (90 %: ${interval(low, high)})` : "");

function recordTip(plot, index) {
  const [times, mean, low, high, used, since] = plot.data;
  const lines = [`${sinceOrigin(times[index] * 60)}`];
  const sample = used[index] ?? since[index];
  if (sample !== null && sample !== undefined) lines.push(`sample ${metres(sample)} m`);
  if (mean[index] !== null && mean[index] !== undefined) lines.push(`model ${metres(mean[index])} m${withInterval(low[index], high[index])}`);
  return lines;
}

export class LevelChart extends Chart {
  constructor(box) { super(box, recordOptions, recordTip); }

  // record: {seconds, sea_level_m} or null; series: the model's, or null; cutMin: minute shown; lastMin: end of the axis.
  show({ name, record, series, cutMin, lastMin }) {
    const seconds = [...new Set([...(record?.seconds ?? []), ...(series?.seconds ?? [])])].sort((a, b) => a - b).filter((time) => time >= 0 && time <= lastMin * 60);
    const level = new Map((record?.seconds ?? []).map((time, index) => [time, record.sea_level_m[index]]));
    const model = (key) => (series?.[key] ? along(series.seconds, series[key], seconds) : seconds.map(() => null));
    const sample = (wanted) => seconds.map((time) => ((time <= cutMin * 60 + 0.5) === wanted ? level.get(time) ?? null : null));
    const data = [seconds.map((time) => time / 60), model("sea_level_m"), model("low_m"), model("high_m"), sample(true), sample(false)];
    const last = record?.seconds.length ? `last sample ${metres(record.sea_level_m.at(-1))} m at ${sinceOrigin(record.seconds.at(-1))}` : "no samples";
    this.set({ cutMin, lastMin }, data, `Sea level at ${name} against minutes since origin: ${last}; ${series ? `with the model${series.low_m ? " and its 90 % interval" : ""}` : "no model yet"}`);
  }
}

const historyOptions = (chart) => ({
  scales: {
    x: { time: false, range: () => [0, chart.state.lastMin ?? 30] },
    y: {
      range: (plot) => {
        const shown = plot.data.slice(1).flatMap(finite);
        // before a wave is there, a magnitude may be next to nothing: the axis does not follow it
        return shown.length ? [Math.max(6.5, Math.floor(2 * Math.min(...shown) - 0.2) / 2), Math.max(8, Math.ceil(2 * Math.max(...shown) + 0.2) / 2)] : [7, 9.5];
      },
    },
  },
  axes: [axis(2, { size: 24, space: 50 }), axis(3, { size: 40, incrs: [0.5, 1, 2], values: (_, at) => at.map((value) => value.toFixed(1)) })],
  series: [
    {},
    { stroke: () => colour("model"), width: 2.5, points: { show: true, size: 4, fill: () => colour("model"), stroke: () => colour("model") } },
    { stroke: () => "transparent", width: 0, points: { show: false } },
    { stroke: () => "transparent", width: 0, points: { show: false } },
  ],
  bands: [{ series: [3, 2], fill: () => colour("interval") }],
  hooks: { draw: [(plot) => chart.state.cutMin !== undefined && verticalLine(plot, chart.state.cutMin, "cut", true)] },
});

const historyTip = (plot, index) => [
  sinceOrigin(plot.data[0][index] * 60),
  `Mw ${magnitudeFine(plot.data[1][index])}`,
  ...(typeof plot.data[2][index] === "number" ? [`90 %: ${interval(plot.data[2][index], plot.data[3][index], magnitudeFine)}`] : []),
];

export class MagnitudeChart extends Chart {
  // onPick(index) is called with the place in the history of the result that was clicked.
  constructor(box, onPick) {
    super(box, historyOptions, historyTip);
    this.plot.over.addEventListener("click", () => {
      const number = this.state.numbers?.[this.plot.cursor.idx];
      if (number !== undefined) onPick(number);
    });
  }

  show(results, shown) {
    // Several results of one minute: the newest stands for it.
    const byMinute = [...new Map(results.map((row) => [row.minute, row])).values()].sort((a, b) => a.minute - b.minute);
    const column = (key) => byMinute.map((row) => row[key]);
    const last = byMinute.at(-1);
    const state = { cutMin: shown?.minute, lastMin: Math.max(30, Math.ceil((last?.minute ?? 0) / 30) * 30), numbers: column("number") };
    const label = last ? `Magnitude against minutes since origin: ${byMinute.length} results, the last Mw ${magnitudeFine(last.magnitude)}` : "Magnitude: no result yet";
    this.set(state, [column("minute"), column("magnitude"), column("magnitude_low"), column("magnitude_high")], label);
  }
}
