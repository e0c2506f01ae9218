// The map by MapLibre GL, from the data of the service alone: no tiles, no fonts, no network.

import { colour } from "./theme.js";

const feature = (type, coordinates, properties = {}) => ({ type: "Feature", properties, geometry: { type, coordinates } });
const collection = (features) => ({ type: "FeatureCollection", features });

// True if the browser can draw with WebGL 2; MapLibre needs it.
export function hasWebGl() {
  const context = document.createElement("canvas").getContext("webgl2");
  context?.getExtension("WEBGL_lose_context")?.loseContext();
  return context !== null;
}

const paints = () => [
  ["sea", "background-color", colour("sea")],
  ["land", "fill-color", colour("land")],
  ["coast", "line-color", colour("coast")],
  ["beyond", "fill-color", colour("beyond")],
  ["source-line", "line-color", colour("source-line")],
  ["source-chosen", "line-color", colour("text")],
];

export async function startGl(box, { onMove, onHover, onLost }) {
  const { Map } = await import("./vendor/maplibre-gl.mjs");
  const empty = () => ({ type: "geojson", data: collection([]) });
  const map = new Map({
    container: box,
    style: {
      version: 8,
      sources: { coast: empty(), beyond: empty(), sources: empty() },
      layers: [
        { id: "sea", type: "background" },
        { id: "land", type: "fill", source: "coast", filter: ["==", ["geometry-type"], "Polygon"] },
        { id: "coast", type: "line", source: "coast", filter: ["==", ["geometry-type"], "LineString"] },
        { id: "beyond", type: "fill", source: "beyond" },
        { id: "source", type: "fill", source: "sources", paint: { "fill-color": ["get", "colour"], "fill-opacity": 0.92 } },
        { id: "source-line", type: "line", source: "sources" },
        { id: "source-chosen", type: "line", source: "sources", filter: ["==", ["get", "name"], ""], paint: { "line-width": 3 } },
      ],
    },
    attributionControl: false,
    dragRotate: false,
    pitchWithRotate: false,
    touchPitch: false,
    renderWorldCopies: false,
    fadeDuration: 0,
    cooperativeGestures: matchMedia("(pointer: coarse)").matches,
  });
  map.touchZoomRotate.disableRotation();
  map.getCanvas().setAttribute("aria-label", "Map; arrow keys move it, + and - zoom");
  await new Promise((resolve, reject) => {
    map.once("load", resolve);
    map.once("error", ({ error }) => reject(error));
  });
  map.on("move", onMove);
  map.on("webglcontextlost", onLost);
  map.on("mousemove", "source", ({ features, originalEvent }) => onHover(features[0].properties.name, originalEvent.clientX, originalEvent.clientY));
  map.on("mouseleave", "source", () => onHover(null));

  const base = {
    kind: "webgl",
    project(point) {
      const { x, y } = map.project(point);
      return [x, y];
    },
    fit([west, south, east, north], margin) { map.fitBounds([[west, south], [east, north]], { padding: margin, animate: false }); },
    zoomBy(steps) { map.zoomTo(map.getZoom() + steps, { duration: 150 }); },
    setCoast({ land, lines, beyond }) {
      map.getSource("coast").setData(collection([
        ...land.map((coordinates) => feature("Polygon", coordinates)),
        feature("MultiLineString", lines),
      ]));
      map.getSource("beyond").setData(collection(beyond.length ? [feature("Polygon", beyond)] : []));
    },
    clear() { ["coast", "beyond", "sources"].forEach((name) => map.getSource(name).setData(collection([]))); },
    setSources(features) {
      map.getSource("sources").setData(collection(features.map(({ name, polygon, colour: fill }) => feature("Polygon", [polygon], { name, colour: fill }))));
    },
    choose(name) { map.setFilter("source-chosen", ["==", ["get", "name"], name ?? ""]); },
    setTheme() { paints().forEach(([layer, property, value]) => map.setPaintProperty(layer, property, value)); },
    resize() { map.resize(); },
    remove() { map.remove(); },
  };
  base.setTheme();
  return base;
}
