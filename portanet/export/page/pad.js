// The pad: drawing in white on black with a mouse, pen or finger.

const PAD = 252; // pixels of a side: nine for each of MNIST's 28
const BRUSH = 20;

function makePad(changed) {
  const target = element("canvas", { width: PAD, height: PAD, class: "pad smooth", role: "img",
    "aria-label": "Pad to draw on with a mouse or by touch; the examples below work with the keyboard" });
  const context = target.getContext("2d", { willReadFrequently: true });
  let strokes = [], under = null; // `under`: a picture below the strokes

  function redraw() {
    context.fillStyle = "#000";
    context.fillRect(0, 0, PAD, PAD);
    if (under) context.drawImage(under, 0, 0, PAD, PAD);
    strokes.forEach(drawStroke);
  }

  function drawStroke(points) {
    context.strokeStyle = context.fillStyle = "#fff";
    context.lineWidth = BRUSH, context.lineCap = context.lineJoin = "round";
    context.beginPath();
    context.moveTo(...points[0]);
    points.forEach((point) => context.lineTo(...point));
    context.stroke();
  }

  function place(event) {
    const box = target.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * PAD, ((event.clientY - box.top) / box.height) * PAD];
  }

  target.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    target.setPointerCapture(event.pointerId);
    strokes.push([place(event)]);
    redraw();
    changed();
  });
  target.addEventListener("pointermove", (event) => {
    if (!target.hasPointerCapture(event.pointerId)) return;
    for (const each of event.getCoalescedEvents?.() ?? [event]) strokes.at(-1).push(place(each));
    redraw();
    changed();
  });

  redraw();
  return {
    target,
    undo() { strokes.pop(), redraw(), changed(); },
    clear() { strokes = [], under = null, redraw(), changed(); },
    // Puts a canvas or an image of any size in the middle of the pad.
    put(picture) {
      strokes = [], under = element("canvas", { width: PAD, height: PAD });
      const { width, height } = picture, factor = PAD / Math.max(width, height), below = under.getContext("2d");
      below.imageSmoothingEnabled = factor < 1;
      below.drawImage(picture, (PAD - width * factor) / 2, (PAD - height * factor) / 2, width * factor, height * factor);
      redraw();
    },
    isEmpty: () => !strokes.length && !under,
    values: () => greyValues(context.getImageData(0, 0, PAD, PAD)),
    image: () => context.getImageData(0, 0, PAD, PAD),
  };
}

// An ImageData in grey, as Pillow converts it (ITU-R 601-2).
function greyValues({ data, width, height }) {
  const values = new Float64Array(width * height);
  for (let i = 0; i < values.length; i++) {
    values[i] = Math.floor((data[4 * i] * 19595 + data[4 * i + 1] * 38470 + data[4 * i + 2] * 7471 + 32768) / 65536);
  }
  return { values, rows: height, columns: width };
}

// A picture as the network's input: prepared as in MNIST, or only resized; null without ink.
function asInput(picture) {
  const [channels, height, width] = network.inputs[0].shape;
  if (facts.digits) return asDigit(greyValues(picture));
  const area = (values) => fitted({ values, rows: picture.height, columns: picture.width }, height, width);
  const planes = channels === 1 ? [greyValues(picture).values]
    : [0, 1, 2].map((c) => Float64Array.from({ length: picture.width * picture.height }, (_, i) => picture.data[4 * i + c]));
  const pixels = planes.flatMap((plane) => Array.from(area(plane), (value) => Math.floor(value + 0.5)));
  return pixels.some((value) => value > 0) ? pixels : null;
}
