// For two numeric columns: a map of the answer over the plane, with the data on it.
function regionsCard(fields, choose) {
  if (fields.length !== 2 || fields.some((field) => field.kind !== "number")) return element("div", { hidden: true });
  const cells = 90, map = canvas(cells, cells, `The answer for every ${fields[0].name} (across) and ${fields[1].name} (up)`, { class: "regions smooth" });
  const target = card("Map of the answer", map, element("p", { class: "quiet" }, `Across: ${fields[0].name}. Up: ${fields[1].name}. Points: rows of the data. Click to try a point.`));
  const [[left, right], [low, high]] = fields.map((field) => field.range);
  target.show = (row) => {
    const rows = new Float64Array(2 * cells * cells);
    for (let i = 0; i < cells * cells; i++) {
      rows[2 * i] = left + ((right - left) * ((i % cells) + 0.5)) / cells;
      rows[2 * i + 1] = high - ((high - low) * (Math.floor(i / cells) + 0.5)) / cells;
    }
    const values = answer(network, rows), small = element("canvas"), results = Array.from({ length: cells * cells }, (_, i) => answerOf(values, i));
    const ofNumbers = HAS_CLASSES ? null : signedOf(largestOf(results.map(({ numbers }) => numbers[0])));
    paint(small, results, cells, cells, ({ numbers, index, shares }) => (ofNumbers ? ofNumbers(numbers[0]) : classColour(index, shares[index])));
    const side = 360, context = map.getContext("2d");
    map.width = map.height = side;
    context.drawImage(small, 0, 0, side, side);
    const place = (x, y) => [((x - left) / (right - left)) * side, ((high - y) / (high - low)) * side];
    drawPoints(context, place);
    context.strokeStyle = cssColour("--text");
    context.lineWidth = 2.5;
    context.beginPath();
    context.arc(...place(row[0], row[1]), 7, 0, 7);
    context.stroke();
  };
  map.addEventListener("click", (event) => {
    const box = map.getBoundingClientRect();
    choose(left + ((right - left) * (event.clientX - box.left)) / box.width, high - ((high - low) * (event.clientY - box.top)) / box.height);
  });
  return target;
}

function drawPoints(context, place) {
  const { examples } = facts;
  if (!examples) return;
  const x = network.arrays[examples.array].data;
  examples.labels.forEach((label, i) => {
    const index = facts.classes.indexOf(String(label));
    context.fillStyle = index < 0 ? cssColour("--text") : `rgb(${classColour(index, 1).map(Math.round).join(",")})`;
    context.strokeStyle = cssColour("--card");
    context.beginPath();
    context.arc(...place(x[2 * i], x[2 * i + 1]), 4, 0, 7);
    context.fill();
    context.stroke();
  });
}

// The colour of a class, paler for a less confident answer.
function classColour(index, share) {
  const hue = [[217, 96, 11], [35, 104, 201], [20, 140, 100], [150, 60, 190], [190, 150, 0], [90, 100, 110]][index % 6];
  const back = rgb(cssColour("--card")), strength = 0.12 + 0.6 * Math.max(0, 2 * share - 1) + (share >= 1 ? 0.28 : 0);
  return hue.map((level, i) => back[i] + (level - back[i]) * Math.min(1, strength));
}
