// The diagram of the network: the input, the units of every stage, and the paths that contribute most to the answer.

const FLOW_HEIGHT = 340, FLOW_INSIDE = 330;

// The layout of the units of a stage: rows x columns of squares.
function arrangement(shape, last) {
  const units = Math.min(unitsOf(shape), 1024);
  if (last) return { units, rows: Math.min(units, 20), columns: Math.ceil(units / 20), side: Math.min(22, FLOW_INSIDE / Math.min(units, 20) - 3), gap: 3 };
  if (shape.length === 4) {
    const columns = Math.ceil(units / 8), rows = Math.ceil(units / columns);
    return { units, rows, columns, side: Math.min(46, FLOW_INSIDE / rows - 3), gap: 3 };
  }
  const rows = Math.min(units, 32), columns = Math.ceil(units / rows);
  return { units, rows, columns, side: Math.min(18, FLOW_INSIDE / rows - 1.5), gap: 1.5 };
}

function makeFlow(stages, select) {
  const target = canvas(800, FLOW_HEIGHT, "The network: its layers from left to right", { class: "flow smooth", tabindex: "-1" });
  const hasImage = network.inputs[0].shape.length === 3, start = hasImage ? network.inputs[0].name : stages[0].weights.inputs[0];
  let boxes = [];

  function layout(values, width) {
    const first = hasImage ? { units: 1, rows: 1, columns: 1, side: Math.min(112, width / 5), gap: 0 }
      : arrangement(values[start].shape, false);
    const all = [first, ...stages.map((stage, i) => arrangement(values[stage.value].shape, i === stages.length - 1))];
    const labels = HAS_CLASSES ? Math.min(90, width / 6) : 0;
    const wide = all.map(({ columns, side, gap }) => columns * (side + gap));
    const factor = Math.min(1, (width - labels - 24 * stages.length) / wide.reduce((a, b) => a + b, 0));
    const space = (width - labels - factor * wide.reduce((a, b) => a + b, 0)) / stages.length;
    let left = 0;
    return all.map((each, i) => {
      const box = { ...each, side: each.side * factor, gap: each.gap * factor, left };
      box.top = (FLOW_HEIGHT - box.rows * (box.side + box.gap)) / 2;
      left += wide[i] * factor + space;
      return box;
    });
  }

  const spot = (box, unit) => [
    box.left + Math.floor(unit / box.rows) * (box.side + box.gap), box.top + (unit % box.rows) * (box.side + box.gap),
  ];

  function draw(values, paths, index) {
    const width = target.clientWidth || 800, scale = devicePixelRatio || 1, context = target.getContext("2d");
    target.width = width * scale, target.height = FLOW_HEIGHT * scale;
    target.style.height = `${FLOW_HEIGHT}px`;
    context.scale(scale, scale);
    boxes = layout(values, width);
    const [up, down, text, line] = ["--for", "--against", "--text", "--line"].map(cssColour);
    if (paths) drawPaths(context, paths, up, down);
    drawInput(context, values, boxes[0]);
    stages.forEach((stage, i) => drawStage(context, values[stage.value], boxes[i + 1], line));
    const last = boxes.at(-1);
    context.textBaseline = "middle";
    for (let unit = 0; HAS_CLASSES && unit < last.units && last.columns === 1; unit++) {
      const [x, y] = spot(last, unit);
      context.fillStyle = text;
      context.font = `${paths && unit === index ? "700 " : ""}13px system-ui, sans-serif`;
      context.fillText(facts.classes[unit].slice(0, 12), x + last.side + 6, y + last.side / 2);
    }
    if (paths) paths.picked.forEach((units, i) => units.forEach((unit) => {
      const [x, y] = spot(boxes[i + 1], unit), { side } = boxes[i + 1];
      context.strokeStyle = text;
      context.lineWidth = 1.5;
      context.strokeRect(x - 1, y - 1, side + 2, side + 2);
    }));
  }

  function drawInput(context, values, box) {
    const source = values[start], small = element("canvas");
    if (!hasImage) return drawStage(context, source, box, cssColour("--line"));
    paintImage(small, source.data, source.shape.slice(1));
    context.imageSmoothingEnabled = false;
    context.drawImage(small, box.left, box.top, box.side, box.side);
  }

  function drawStage(context, value, box, line) {
    const colour = signedOf(largestOf(value.data)), block = value.data.length / unitsOf(value.shape);
    for (let unit = 0; unit < box.units; unit++) {
      const [x, y] = spot(box, unit);
      if (value.shape.length === 4) {
        const small = element("canvas"), part = value.data.subarray(unit * block, (unit + 1) * block);
        paint(small, part, value.shape[2], value.shape[3], colour);
        context.imageSmoothingEnabled = false;
        context.drawImage(small, x, y, box.side, box.side);
      } else {
        context.fillStyle = `rgb(${colour(value.data[unit]).map(Math.round).join(",")})`;
        context.fillRect(x, y, box.side, box.side);
      }
      context.strokeStyle = line;
      context.lineWidth = 0.75;
      context.strokeRect(x, y, box.side, box.side);
    }
  }

  function drawPaths(context, { edges, picked }, up, down) {
    const centre = (box, unit, right) => { const [x, y] = spot(box, unit); return [x + (right ? box.side : 0), y + box.side / 2]; };
    const curve = (from, to, share) => {
      const bend = (to[0] - from[0]) / 2;
      context.strokeStyle = share > 0 ? up : down;
      context.globalAlpha = 0.15 + 0.75 * Math.abs(share);
      context.lineWidth = 0.5 + 4 * Math.abs(share);
      context.beginPath();
      context.moveTo(...from);
      context.bezierCurveTo(from[0] + bend, from[1], to[0] - bend, to[1], ...to);
      context.stroke();
    };
    const middle = [boxes[0].left + boxes[0].columns * (boxes[0].side + boxes[0].gap), FLOW_HEIGHT / 2];
    picked[0].forEach((unit) => curve(middle, centre(boxes[1], unit, false), 0.3));
    edges.forEach(({ stage, from, to, share }) => {
      curve(centre(boxes[stage], from, true), centre(boxes[stage + 1], to, false), share);
    });
    context.globalAlpha = 1;
  }

  target.addEventListener("click", (event) => {
    const box = target.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    for (let stage = 0; stage < stages.length; stage++) {
      const { left, top, side, gap, rows, columns, units } = boxes[stage + 1];
      const column = Math.floor((x - left) / (side + gap)), row = Math.floor((y - top) / (side + gap));
      const unit = column * rows + row;
      if (row >= 0 && row < rows && column >= 0 && column < columns && unit < units) select(stage, unit);
    }
  });
  return { target, draw };
}

function legend() {
  const mark = (name) => { const swatch = element("i"); swatch.style.background = `var(${name})`; return swatch; };
  return element("div", { class: "legend" },
    element("span", {}, mark("--for"), "positive: a unit's value, or a path in favour of the answer"),
    element("span", {}, mark("--against"), "negative: a unit's value, or a path against the answer"),
    element("span", {}, "Framed: the units that contribute most"));
}
