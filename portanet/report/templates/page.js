"use strict";
// The page works without this script, which adds chart readings, saving charts and filtering mistakes.

const SVG = "http://www.w3.org/2000/svg";
const READINGS = JSON.parse(document.getElementById("readings").textContent);

function make(tag, attributes, parent, namespace) {
  const element = namespace ? document.createElementNS(namespace, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (parent) parent.append(element);
  return element;
}

// Reading a chart: a pointer, a finger or the arrow keys select the nearest point.
function readable(figure, points, title) {
  const svg = figure.querySelector("svg");
  const tip = make("div", { class: "tip", role: "status" }, figure);
  const marks = make("g", { "pointer-events": "none" }, svg, SVG);
  const xs = points.map((point) => point[0]);
  let chosen = -1;
  svg.setAttribute("tabindex", "0");
  svg.setAttribute("aria-label", `${svg.getAttribute("aria-label")}. The arrow keys read its values.`);

  function show(index) {
    chosen = index;
    marks.replaceChildren();
    tip.replaceChildren();
    if (index < 0) return;
    const [x, heading, lines] = points[index];
    const ys = lines.map((line) => line[0]);
    const [, , , height] = svg.getAttribute("viewBox").split(" ").map(Number);
    make("path", { class: "guide", d: `M${x} ${Math.min(...ys)}V${height - 44}` }, marks, SVG);
    for (const y of ys) make("circle", { class: "spot", cx: x, cy: y, r: 3.5 }, marks, SVG);
    make("b", {}, tip).textContent = heading;
    for (const [, name, text] of lines) make("div", {}, tip).textContent = `${name} ${text}`;
    const pixel = (x / svg.viewBox.baseVal.width) * svg.clientWidth;
    const left = pixel > svg.clientWidth / 2 ? pixel - tip.offsetWidth - 12 : pixel + 12;
    tip.style.left = `${Math.max(0, left)}px`;
  }

  function nearest(event) {
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
    let best = 0;
    for (let i = 1; i < xs.length; i += 1) if (Math.abs(xs[i] - x) < Math.abs(xs[best] - x)) best = i;
    return best;
  }

  svg.addEventListener("pointermove", (event) => show(nearest(event)));
  svg.addEventListener("pointerdown", (event) => show(nearest(event)));
  svg.addEventListener("pointerleave", () => show(-1));
  svg.addEventListener("blur", () => show(-1));
  svg.addEventListener("keydown", (event) => {
    const last = points.length - 1;
    const goals = {
      ArrowLeft: chosen < 0 ? last : Math.max(0, chosen - 1),
      ArrowRight: Math.min(last, chosen + 1),
      Home: 0,
      End: last,
      Escape: -1,
    };
    if (!(event.key in goals)) return;
    show(goals[event.key]);
    event.preventDefault();
  });
}

// Saving a chart: its styles are inlined in a copy, since an image file has no style sheet.
const STYLES = [
  "fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin", "stroke-linecap",
  "font-family", "font-size", "font-weight", "text-anchor",
];

function standalone(svg) {
  const copy = svg.cloneNode(true);
  const [from, to] = [svg, copy].map((root) => [root, ...root.querySelectorAll("*")]);
  from.forEach((element, index) => {
    const computed = getComputedStyle(element);
    for (const name of STYLES) to[index].setAttribute(name, computed.getPropertyValue(name));
    to[index].removeAttribute("class");
  });
  const { width, height } = svg.viewBox.baseVal;
  for (const [name, value] of Object.entries({ xmlns: SVG, width: 2 * width, height: 2 * height }))
    copy.setAttribute(name, value);
  copy.setAttribute("viewBox", `-8 -8 ${width + 16} ${height + 16}`);
  return copy;
}

async function save(figure) {
  const svg = standalone(figure.querySelector("svg"));
  const source = URL.createObjectURL(new Blob([new XMLSerializer().serializeToString(svg)], { type: "image/svg+xml" }));
  const image = new Image();
  image.src = source;
  await image.decode();
  const canvas = make("canvas", { width: svg.getAttribute("width"), height: svg.getAttribute("height") });
  const context = canvas.getContext("2d");
  context.fillStyle = getComputedStyle(document.body).backgroundColor;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, 0, 0);
  URL.revokeObjectURL(source);
  const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
  const link = make("a", { download: `${document.body.dataset.name}-${figure.dataset.chart}.png` });
  link.href = URL.createObjectURL(blob);
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

for (const figure of document.querySelectorAll("figure[data-chart]")) {
  const reading = READINGS[figure.dataset.chart];
  if (reading && reading.points.length) readable(figure, reading.points, reading.title);
  const button = make("button", { class: "save", type: "button", "aria-label": `Save ${reading ? reading.title : "chart"} as an image` }, figure);
  button.textContent = "Save image";
  button.addEventListener("click", () => save(figure));
}

// A count in the confusion matrix filters the mistakes that it counts.
const gallery = document.querySelector('[data-group="mistakes"]');
const pictures = gallery ? [...gallery.querySelectorAll("li")] : [];
for (const cell of document.querySelectorAll("td[data-pair]")) {
  if (!pictures.some((picture) => picture.dataset.pair === cell.dataset.pair)) continue;
  const button = make("button", { type: "button", "aria-label": `Show ${cell.title}` });
  button.textContent = cell.textContent;
  cell.replaceChildren(button);
  button.addEventListener("click", () => choose(cell));
}

function choose(cell) {
  for (const picture of pictures) picture.hidden = cell !== null && picture.dataset.pair !== cell.dataset.pair;
  const folded = gallery.querySelector("details");
  if (folded) folded.open = cell !== null;
  gallery.toggleAttribute("data-chosen", cell !== null);
  document.getElementById("chosen")?.remove();
  if (cell === null) return;
  const shown = pictures.filter((picture) => !picture.hidden).length;
  const hidden = Number(cell.textContent.replaceAll(",", "")) - shown;
  const line = make("p", { id: "chosen", class: "quiet" });
  line.textContent = `${cell.title}${hidden ? `; ${shown} of them are on this page` : ""}. `;
  const all = make("button", { type: "button" }, line);
  all.textContent = "Show all mistakes";
  all.addEventListener("click", () => choose(null));
  gallery.before(line);
  all.focus({ preventScroll: true });
  gallery.parentElement.scrollIntoView({ block: "start" });
}

// Folded sections are printed too.
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  for (const each of folded) each.open = true;
});
addEventListener("afterprint", () => {
  for (const each of folded) each.open = false;
});

document.documentElement.dataset.ready = "";
