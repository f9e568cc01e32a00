// A drawn or photographed digit prepared as in MNIST, with the steps and numbers of portanet/data/pictures/digit.py.

const SIDE = 28;

const middleOf = (values) => {
  const ordered = Float64Array.from(values).sort(), half = ordered.length >> 1;
  return ordered.length % 2 ? ordered[half] : (ordered[half - 1] + ordered[half]) / 2;
};

// A quantile of the values, without interpolation.
const quantile = (values, level) => Float64Array.from(values).sort()[Math.floor(level * (values.length - 1))];

// Means over blocks, so that no side is longer than 256.
function inBlocks({ values, rows, columns }) {
  const k = Math.ceil(Math.max(rows, columns) / 256), high = Math.min(k, rows), wide = Math.min(k, columns);
  const down = Math.floor(rows / high), across = Math.floor(columns / wide), means = new Float64Array(down * across);
  for (let y = 0; y < down * high; y++) {
    for (let x = 0; x < across * wide; x++) {
      means[Math.floor(y / high) * across + Math.floor(x / wide)] += values[y * columns + x];
    }
  }
  return { values: means.map((sum) => sum / (high * wide)), rows: down, columns: across };
}

// Removes light from one side, along the columns.
function levelled({ values, rows, columns }) {
  const strip = Math.max(1, Math.floor(columns / 8)), first = [], last = [];
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < strip; x++) {
      first.push(values[y * columns + x]);
      last.push(values[y * columns + columns - strip + x]);
    }
  }
  const slope = (quantile(last, 0.1) - quantile(first, 0.1)) / Math.max(1, columns - strip);
  return { values: values.map((value, i) => value - slope * ((i % columns) - (columns - 1) / 2)), rows, columns };
}

function turned({ values, rows, columns }) {
  const result = new Float64Array(values.length);
  values.forEach((value, i) => { result[(i % columns) * rows + Math.floor(i / columns)] = value; });
  return { values: result, rows: columns, columns: rows };
}

function meansOfNeighbours({ values, rows, columns }) {
  return values.map((_, i) => {
    const row = Math.floor(i / columns), column = i % columns;
    let sum = 0;
    for (let y = Math.max(0, row - 1); y <= Math.min(rows - 1, row + 1); y++) {
      for (let x = Math.max(0, column - 1); x <= Math.min(columns - 1, column + 1); x++) sum += values[y * columns + x];
    }
    return sum / 9;
  });
}

// The weights of the old pixels in each of `fitted` new ones, as [first, weights].
function areas(length, fitted) {
  return Array.from({ length: fitted }, (_, i) => {
    const start = (i * length) / fitted, stop = ((i + 1) * length) / fitted, first = Math.floor(start), weights = [];
    for (let at = first; at < Math.min(length, stop); at++) {
      weights.push(((Math.min(stop, at + 1) - Math.max(start, at)) * fitted) / length);
    }
    return [first, weights];
  });
}

function fitted({ values, rows, columns }, height, width) {
  const down = areas(rows, height), across = areas(columns, width), result = new Float64Array(height * width);
  down.forEach(([top, rowWeights], y) => across.forEach(([left, columnWeights], x) => {
    let sum = 0;
    rowWeights.forEach((p, i) => columnWeights.forEach((q, j) => {
      sum += p * q * values[(top + i) * columns + left + j];
    }));
    result[y * width + x] = sum;
  }));
  return result;
}

// A grey picture, 0 black to 255 white, as 28 x 28 pixels; null without ink.
function asDigit(picture) {
  const small = inBlocks(picture), [low, high] = small.values.reduce(
    ([a, b], value) => [Math.min(a, value), Math.max(b, value)], [Infinity, -Infinity],
  );
  if (middleOf(small.values) > (low + high) / 2) small.values = small.values.map((value) => 255 - value);
  let { values, rows, columns } = turned(levelled(turned(levelled(small))));
  const paper = quantile(values, 0.6);
  values = values.map((value) => Math.max(value - paper, 0));
  const smooth = meansOfNeighbours({ values, rows, columns }), strongest = smooth.reduce((a, b) => Math.max(a, b));
  if (!(strongest > 0)) return null;
  let top = rows, bottom = -1, left = columns, right = -1;
  smooth.forEach((value, i) => {
    if (value <= 0.3 * strongest) return;
    const row = Math.floor(i / columns), column = i % columns;
    top = Math.min(top, row), bottom = Math.max(bottom, row), left = Math.min(left, column), right = Math.max(right, column);
  });
  const crop = { rows: bottom - top + 1, columns: right - left + 1 };
  crop.values = Float64Array.from({ length: crop.rows * crop.columns }, (_, i) => {
    const at = (top + Math.floor(i / crop.columns)) * columns + left + (i % crop.columns);
    return Math.min(values[at] / strongest, 1);
  });
  const longest = Math.max(crop.rows, crop.columns);
  const height = Math.max(1, Math.floor((20 * crop.rows) / longest + 0.5));
  const width = Math.max(1, Math.floor((20 * crop.columns) / longest + 0.5));
  const shrunk = fitted(crop, height, width), most = shrunk.reduce((a, b) => Math.max(a, b));
  return centred(shrunk.map((value) => Math.floor((value / most) * 255 + 0.5)), height, width);
}

function centred(values, height, width) {
  let total = 0, down = 0, across = 0;
  values.forEach((mass, i) => { total += mass, down += mass * Math.floor(i / width), across += mass * (i % width); });
  const place = (centre, extent) => Math.min(Math.max(Math.floor(14 - centre + 0.5), 0), SIDE - extent);
  const y = place(down / total, height), x = place(across / total, width), digit = new Uint8Array(SIDE * SIDE);
  values.forEach((value, i) => { digit[(y + Math.floor(i / width)) * SIDE + x + (i % width)] = value; });
  return digit;
}
