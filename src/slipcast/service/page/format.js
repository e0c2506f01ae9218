// Numbers and names as an operator reads them.

export const DASH = "–";
const known = (value) => typeof value === "number" && Number.isFinite(value);

export const LEVELS = ["none", "information", "advisory", "warning"];
export const levelWord = { none: "None", information: "Information", advisory: "Advisory", warning: "Warning" };
export const STATES = ["wave detected", "no wave detected", "no data"]; // of a buoy

// "neah_bay" to "Neah Bay", "hilo1" to "Hilo 1"; "32412" to "DART 32412".
export function placeName(gauge) {
  if (/^\d+$/.test(gauge)) return `DART ${gauge}`;
  return gauge.replaceAll("_", " ").replace(/([a-z])(\d)/g, "$1 $2").replace(/(^| )([a-z])/g, (_, gap, letter) => gap + letter.toUpperCase());
}

export const magnitude = (value) => (known(value) ? value.toFixed(1) : DASH);
export const magnitudeFine = (value) => (known(value) ? value.toFixed(2) : DASH);

// Metres with as many digits as say something: 12.3, 1.24, 0.05.
export function metres(value) {
  if (!known(value)) return DASH;
  return Math.abs(value) >= 9.95 ? value.toFixed(1) : value.toFixed(2);
}
export const interval = (low, high, say = metres) => (known(low) && known(high) ? `${say(low)} to ${say(high)}` : DASH);

// The height of a forecast; where it is beyond what the model can make, that alone.
export const height = (row) => (known(row?.beyond_m) ? `> ${metres(row.beyond_m)}` : metres(row?.max_amplitude_m ?? null));
export const heightInterval = (row) => (known(row.beyond_m) ? "beyond the model" : interval(row.low_m, row.high_m));

const two = (value) => String(Math.floor(value)).padStart(2, "0");

// Time since the origin: "T+00:23:41", or to the minute "T+00:23".
export function sinceOrigin(seconds, toSecond) {
  if (!known(seconds)) return "T+--:--";
  const all = Math.floor(Math.abs(seconds));
  const text = `${two(all / 3600)}:${two((all % 3600) / 60)}`;
  return `T${seconds < 0 ? "-" : "+"}${toSecond ? `${text}:${two(all % 60)}` : text}`;
}

// A countdown: "4:05" min:s below an hour, "3 h 20 min" above; to the minute where the clock goes by minutes.
export function countdown(seconds, toSecond) {
  if (seconds >= 3600) return `${Math.floor(seconds / 3600)} h ${two((seconds % 3600) / 60)} min`;
  return toSecond ? `${Math.floor(seconds / 60)}:${two(seconds % 60)}` : `${Math.ceil(seconds / 60)} min`;
}

// The same in two parts, for large type: ["3:20", "h:min"].
export function countdownParts(seconds, toSecond) {
  if (seconds >= 3600) return [`${Math.floor(seconds / 3600)}:${two((seconds % 3600) / 60)}`, "h:min"];
  return toSecond ? [`${Math.floor(seconds / 60)}:${two(seconds % 60)}`, "min:s"] : [String(Math.ceil(seconds / 60)), "min"];
}

export function age(seconds) {
  if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} days`;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
export const clockTime = (ms) => new Date(ms).toISOString().slice(11, 16);
export function dateTime(iso) {
  const at = new Date(iso);
  return `${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]} ${at.getUTCFullYear()}, ${at.toISOString().slice(11, 19)} UTC`;
}
export function dayTime(iso) {
  const at = new Date(iso);
  return `${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]} ${clockTime(at)}`;
}
export function place(longitude, latitude) {
  const lat = `${Math.abs(latitude).toFixed(1)}° ${latitude < 0 ? "S" : "N"}`;
  return `${lat} ${Math.abs(longitude).toFixed(1)}° ${longitude < 0 ? "W" : "E"}`;
}
