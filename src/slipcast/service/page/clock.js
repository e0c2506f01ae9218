// What time it is in an event. A watched event goes by the clock on the wall, a replay by its newest sample.

const DAY_S = 86_400;
const AHEAD_S = 120;     // samples from the future: played faster than they came
const BEHIND_S = 1_800;  // an exercise whose samples lie this far back is not played now

// Newest sample of all records, s since origin.
export function newestSample(records) {
  const last = (records?.gauges ?? []).map((gauge) => gauge.last_s).filter((value) => value !== null);
  return last.length ? Math.max(...last) : null;
}

// Time of the event in s since origin, and the kind of clock: "wall", "replay" (an exercise or a recording that is played)
// or "past" (a real event of more than a day ago). A real event never waits for its samples: the wave does not either.
export function eventClock(event, dataS, nowMs) {
  const wall = (nowMs - Date.parse(event.origin_time)) / 1000;
  const newest = dataS ?? 0;
  if (wall > DAY_S || wall < -AHEAD_S) return { seconds: newest, kind: event.simulation ? "replay" : "past" };
  if (newest - wall > AHEAD_S) return { seconds: newest, kind: "replay" };
  if (event.simulation && dataS !== null && wall - newest > BEHIND_S) return { seconds: newest, kind: "replay" };
  return { seconds: wall, kind: "wall" };
}
