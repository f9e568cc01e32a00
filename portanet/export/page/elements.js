// Elements of the page, created without markup, so that all data are text.

const facts = JSON.parse(document.getElementById("facts").textContent);

// element("button", {class: "main", onclick: f}, "Clear", child, ...)
function element(name, settings = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(settings)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

function canvas(width, height, label, settings = {}) {
  return element("canvas", { width, height, role: "img", "aria-label": label, ...settings });
}

function card(title, ...children) {
  return element("section", { class: "card" }, element("h2", {}, title), ...children);
}

const percent = (fraction) => (fraction > 0.9995 ? "> 99.9 %" : fraction < 0.0005 ? "< 0.1 %" : `${(100 * fraction).toFixed(1)} %`);

// A number as short text.
function figure(value) {
  if (!Number.isFinite(value)) return "none";
  const distance = Math.abs(value);
  if (distance >= 1e9 || (distance !== 0 && distance < 1e-3)) return value.toPrecision(4).replace(/e\+?/, "e");
  return String(distance >= 1e5 ? Math.round(value) : Number(value.toPrecision(5)));
}

const cssColour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// [r, g, b] of a "#rrggbb".
const rgb = (text) => [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));

// Returns a function that calls f once before the next repaint, however often it is called.
function coalesced(f) {
  let isPending = false;
  return () => {
    if (isPending) return;
    isPending = true;
    requestAnimationFrame(() => { isPending = false; f(); });
  };
}
