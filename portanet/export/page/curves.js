// One-at-a-time curves.

const CURVE_POINTS = 33;

// How the answer changes with one column, all others as they are: where the column is, and what is answered there.
function curveOf(field, row, index) {
  const isNumber = field.kind === "number", [low, high] = isNumber ? field.range : [1, field.values.length];
  const count = isNumber ? CURVE_POINTS : Math.min(field.values.length, 60), rows = new Float64Array(count * row.length);
  const x = Array.from({ length: count }, (_, i) => (isNumber ? low + ((high - low) * i) / (count - 1) : i + 1));
  x.forEach((value, i) => { rows.set(row, i * row.length); rows[i * row.length + field.first] = value; });
  const values = answer(network, rows);
  const y = x.map((_, i) => { const given = answerOf(values, i); return (given.shares ?? given.numbers)[index]; });
  return { x, y, now: row[field.first], what: HAS_CLASSES ? `the probability of ${facts.classes[index]}` : facts.targets[index] || facts.label || "the prediction" };
}

function drawCurve({ picture, field }, { x, y, now, what }, [bottom, top]) {
  const scale = devicePixelRatio || 1, width = picture.clientWidth || 160, height = picture.clientHeight || 44;
  picture.width = width * scale, picture.height = height * scale;
  const context = picture.getContext("2d"), isNumber = field.kind === "number", low = x[0], high = x.at(-1);
  const across = (value) => 3 + ((width - 6) * (value - low)) / (high - low || 1);
  const up = (value) => 3 + (height - 6) * (1 - (value - bottom) / (top - bottom));
  context.scale(scale, scale);
  context.strokeStyle = context.fillStyle = cssColour("--accent");
  context.lineWidth = 2;
  if (isNumber) {
    context.beginPath();
    x.forEach((value, i) => context.lineTo(across(value), up(y[i])));
    context.stroke();
  } else x.forEach((value, i) => {
    context.globalAlpha = value === now ? 1 : 0.4;
    context.fillRect(3 + ((width - 6) * i) / x.length, up(y[i]), Math.max(2, (width - 6) / x.length - 2), height - 3 - up(y[i]));
  });
  if (isNumber && now >= low && now <= high) {
    context.globalAlpha = 0.6, context.fillStyle = cssColour("--text");
    context.fillRect(across(now) - 0.5, 0, 1, height);
  }
  const [first, last] = isNumber ? [figure(low), figure(high)] : [field.values[0], field.values.at(-1)];
  picture.setAttribute("aria-label", `${what} by ${field.name}: ${figure(y[0])} at ${first}, ${figure(y.at(-1))} at ${last}`);
}
