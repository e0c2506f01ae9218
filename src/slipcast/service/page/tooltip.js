// One tooltip for all: lines of text beside the pointer or the thing that has the focus.

const box = document.getElementById("tip");

export function showTip(lines, x, y) {
  box.replaceChildren(...lines.map((line) => Object.assign(document.createElement("p"), { textContent: line })));
  box.hidden = false;
  const { width, height } = box.getBoundingClientRect();
  const left = x + 14 + width > innerWidth ? x - 14 - width : x + 14;
  const top = y + 14 + height > innerHeight ? y - 14 - height : y + 14;
  box.style.transform = `translate(${Math.max(4, left)}px, ${Math.max(4, top)}px)`;
}

export function hideTip() { box.hidden = true; }

// Show lines() while the element is pointed at or has the focus; Escape hides them.
export function tipOf(element, lines) {
  const beside = () => {
    const at = element.getBoundingClientRect();
    showTip(lines(), at.right, at.top + at.height / 2);
  };
  element.setAttribute("aria-describedby", "tip");
  element.addEventListener("pointerenter", beside);
  element.addEventListener("focus", beside);
  for (const end of ["pointerleave", "blur"]) element.addEventListener(end, hideTip);
  element.addEventListener("keydown", (key) => { if (key.key === "Escape") hideTip(); });
}
