// The coast as layers of the map: land to fill, lines to draw, and the ground beyond what the service has sent.

const FAR = 180;   // degrees about the middle of the region that "beyond" covers

// Lines of a line geometry, each a list of points.
function linesOf(geometry) {
  if (geometry.type === "MultiLineString") return geometry.coordinates;
  return geometry.type === "LineString" ? [geometry.coordinates] : [];
}

const torn = (line) => line.some(([lon], index) => index > 0 && Math.abs(lon - line[index - 1][0]) > 180);

const onSide = (side, [west, south, east, north], [lon, lat]) => ({ west: lon === west, south: lat === south, east: lon === east, north: lat === north })[side];
const SIDES = ["west", "south", "east", "north"];

// Sides of the box along which a ring of land runs: there the data is cut, it is no coast.
function cutSides(box, rings) {
  return new Set(SIDES.filter((side) => rings.some((ring) => ring.some((point, index) => index > 0 && onSide(side, box, point) && onSide(side, box, ring[index - 1])))));
}

// Pieces of a line that do not run along a cut.
function insideOf(box, cuts, line) {
  const pieces = [[]];
  line.forEach((point, index) => {
    if (index > 0 && [...cuts].some((side) => onSide(side, box, point) && onSide(side, box, line[index - 1]))) pieces.push([]);
    pieces.at(-1).push(point);
  });
  return pieces.filter((piece) => piece.length > 1);
}

function boxOf(points) {
  const box = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [lon, lat] of points) {
    box[0] = Math.min(box[0], lon);
    box[1] = Math.min(box[1], lat);
    box[2] = Math.max(box[2], lon);
    box[3] = Math.max(box[3], lat);
  }
  return box;
}

const frame = ([west, south, east, north]) => [[west, south], [east, south], [east, north], [west, north], [west, south]];

// Geometries with longitudes as unwrap() has them. A ring that would be torn across the map is left out.
export function coastLayers(geojson, unwrap) {
  const land = [];
  const lines = [];
  for (const { geometry } of geojson.features) {
    const polygons = { Polygon: [geometry.coordinates], MultiPolygon: geometry.coordinates }[geometry.type];
    if (polygons) land.push(...polygons.map((rings) => rings.map((ring) => ring.map(unwrap))).filter((rings) => !rings.some(torn)));
    else lines.push(...linesOf(geometry).map((line) => line.map(unwrap)).filter((line) => !torn(line)));
  }
  const rings = land.flat();
  if (!rings.length) return { land, lines, beyond: [] };
  const box = boxOf(rings.flat());
  const cuts = cutSides(box, rings);
  const middle = (box[0] + box[2]) / 2;
  const far = [middle - FAR, -85, middle + FAR, 85];
  const beyond = cuts.size ? [frame(far), frame(SIDES.map((side, index) => (cuts.has(side) ? box[index] : far[index])))] : [];
  const shores = lines.length ? lines : rings;   // where no lines are sent, the rings are the coast
  return { land, lines: shores.flatMap((line) => insideOf(box, cuts, line)), beyond };
}
