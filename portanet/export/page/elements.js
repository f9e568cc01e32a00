// Elements of the page, made without markup: whatever comes from data is text.

const facts = JSON.parse(document.getElementById("facts").textContent);

// element("button", {class: "main", onclick: f}, "Clear", child, ...)
function element(name, settings = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(settings)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

function canvas(width, height, label, settings = {}) {
  return element("canvas", { width, height, role: "img", "aria-label": label, ...settings });
}

function card(title, ...children) {
  return element("section", { class: "card" }, element("h2", {}, title), ...children);
}

const percent = (share) => (share > 0.9995 ? "> 99.9 %" : share < 0.0005 ? "< 0.1 %" : `${(100 * share).toFixed(1)} %`);

// A number as people read it.
function figure(value) {
  if (!Number.isFinite(value)) return "none";
  const distance = Math.abs(value);
  if (distance >= 1e9 || (distance !== 0 && distance < 1e-3)) return value.toPrecision(4).replace(/e\+?/, "e");
  return String(distance >= 1e5 ? Math.round(value) : Number(value.toPrecision(5)));
}

const cssColour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// [r, g, b] of a "#rrggbb".
const rgb = (text) => [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));

// Calls f once the browser draws next, however often it was asked to.
function coalesced(f) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; f(); });
  };
}
