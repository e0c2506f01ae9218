// The map as a plain drawing, for where WebGL is missing. Same data, same calls as map_gl.js.

import { svgEl } from "./symbols.js";

const WORLD = 4096;   // width of the whole world in units of the drawing
const FURTHEST = 24;  // largest zoom over the whole world's

const mercator = (lat) => Math.log(Math.tan(Math.PI / 4 + (Math.max(-85, Math.min(85, lat)) * Math.PI) / 360));
export const toWorld = ([lon, lat]) => [(lon / 360) * WORLD, (-mercator(lat) / (2 * Math.PI)) * WORLD];

const pathOf = (lines, closed) => lines.map((line) => `M${line.map((point) => toWorld(point).map((v) => v.toFixed(3)).join(" ")).join("L")}${closed ? "Z" : ""}`).join("");

export function startSvg(box, { onMove, onHover }) {
  const svg = svgEl("svg", { role: "presentation" });
  const group = svgEl("g");
  const coast = svgEl("g");
  const sources = svgEl("g");
  group.append(coast, sources);
  svg.append(group);
  box.append(svg);
  const drawn = new Map();
  let view = { scale: 1, x: 0, y: 0 };
  let grip = null;

  const draw = () => {
    group.setAttribute("transform", `translate(${view.x} ${view.y}) scale(${view.scale})`);
    onMove();
  };
  const zoomAt = (factor, x, y) => {
    const scale = Math.min(FURTHEST * 40, Math.max(0.15, view.scale * factor));
    view = { scale, x: x - (x - view.x) * (scale / view.scale), y: y - (y - view.y) * (scale / view.scale) };
    draw();
  };
  svg.addEventListener("pointerdown", (event) => { grip = { id: event.pointerId, x: event.clientX, y: event.clientY }; });
  svg.addEventListener("pointermove", (event) => {
    if (grip?.id !== event.pointerId) return;
    view = { ...view, x: view.x + event.clientX - grip.x, y: view.y + event.clientY - grip.y };
    grip = { ...grip, x: event.clientX, y: event.clientY };
    draw();
  });
  for (const end of ["pointerup", "pointerleave", "pointercancel"]) svg.addEventListener(end, () => { grip = null; });
  svg.addEventListener("wheel", (event) => {
    event.preventDefault();
    const at = svg.getBoundingClientRect();
    zoomAt(2 ** (-event.deltaY / 300), event.clientX - at.left, event.clientY - at.top);
  }, { passive: false });

  return {
    kind: "drawing",
    project(point) {
      const [x, y] = toWorld(point);
      return [x * view.scale + view.x, y * view.scale + view.y];
    },
    fit([west, south, east, north], margin) {
      const { width, height } = box.getBoundingClientRect();
      const [left, bottom] = toWorld([west, south]);
      const [right, top] = toWorld([east, north]);
      const scale = Math.min((width - 2 * margin) / Math.max(1, right - left), (height - 2 * margin) / Math.max(1, bottom - top));
      view = { scale, x: width / 2 - ((left + right) / 2) * scale, y: height / 2 - ((top + bottom) / 2) * scale };
      draw();
    },
    zoomBy(steps) {
      const { width, height } = box.getBoundingClientRect();
      zoomAt(2 ** steps, width / 2, height / 2);
    },
    setCoast({ land, lines, beyond }) {
      coast.replaceChildren(
        ...land.map((rings) => svgEl("path", { class: "land", d: pathOf(rings, true), "fill-rule": "evenodd" })),
        svgEl("path", { class: "coast", d: pathOf(lines, false) }),
        svgEl("path", { class: "beyond", d: pathOf(beyond, true), "fill-rule": "evenodd" }),
      );
    },
    clear() {
      coast.replaceChildren();
      sources.replaceChildren();
      drawn.clear();
    },
    setSources(features) {
      for (const { name, polygon, colour } of features) {
        if (!drawn.has(name)) {
          const path = svgEl("path", { class: "source", d: pathOf([polygon], true) });
          path.addEventListener("pointermove", (event) => onHover(name, event.clientX, event.clientY));
          path.addEventListener("pointerleave", () => onHover(null));
          drawn.set(name, path);
          sources.append(path);
        }
        drawn.get(name).setAttribute("fill", colour);
      }
    },
    choose(name) { drawn.forEach((path, key) => path.classList.toggle("chosen", key === name)); },
    setTheme() {},
    resize: onMove,
    remove() { svg.remove(); },
  };
}
