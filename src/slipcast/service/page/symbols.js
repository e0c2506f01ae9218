// Shapes: squares are buoys, the others are forecast points by level. Every shape differs from every other without colour.

const NS = "http://www.w3.org/2000/svg";

export function svgEl(name, attributes = {}) {
  const element = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

export function el(name, { text, className, ...attributes } = {}, children = []) {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

const SHAPES = {
  warning: [["path", { d: "M12 2 22.5 21H1.5Z" }], ["path", { d: "M11 9h2v6h-2zM11 16.5h2v2h-2z", class: "ink-warning" }]],
  advisory: [["path", { d: "M12 1.5 22.5 12 12 22.5 1.5 12Z" }], ["path", { d: "M11 7h2v6.5h-2zM11 15h2v2h-2z", class: "ink-advisory" }]],
  information: [["circle", { cx: 12, cy: 12, r: 8 }], ["path", { d: "M11 11h2v6h-2zM11 7.5h2v2h-2z", class: "ink-information" }]],
  none: [["circle", { cx: 12, cy: 12, r: 6, "stroke-width": 2.5 }]],
  "wave detected": [["rect", { x: 3, y: 3, width: 18, height: 18, rx: 2 }], ["path", { d: "M5.5 14c2.5-6 4.5-6 6.5-2s4 4 6.5-2", "stroke-width": 2.6, class: "ink-wave" }]],
  "no wave detected": [["rect", { x: 4, y: 4, width: 16, height: 16, rx: 2, "stroke-width": 2.5 }], ["circle", { cx: 12, cy: 12, r: 3, class: "ink-reporting" }]],
  "no data": [["rect", { x: 4, y: 4, width: 16, height: 16, rx: 2, "stroke-width": 2.5 }], ["path", { d: "M8 8l8 8M16 8l-8 8", "stroke-width": 2.4, class: "ink-no-data" }]],
  epicentre: [["path", { d: "M12 1l3 7.6 8.2.5-6.3 5.2 2.1 8-7-4.5-7 4.5 2.1-8L.8 9.100l8.200-.5Z" }]],
};

const CLASSES = { "wave detected": "wave", "no wave detected": "reporting", "no data": "no-data" };

export function shape(kind) {
  const svg = svgEl("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" });
  SHAPES[kind].forEach(([name, attributes], index) => {
    const more = index === 0 ? { class: `shape-${CLASSES[kind] ?? kind}`, "stroke-width": 1.5 } : {};
    svg.append(svgEl(name, { ...more, ...attributes }));
  });
  return svg;
}

// A level as shape and word.
export function levelChip(level, word) {
  return el("span", { className: `level level-${level}` }, [shape(level), word]);
}
