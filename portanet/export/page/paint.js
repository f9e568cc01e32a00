// Arrays as pictures: grey for pixels; for signed numbers orange is positive and blue negative.

const greyOf = (low, high) => (value) => {
  const level = high > low ? (255 * (value - low)) / (high - low) : 0;
  return [level, level, level];
};

// From blue (negative) over the card's colour (0) to orange (positive).
function signedOf(largest) {
  const [zero, up, down] = ["--card", "--for", "--against"].map((name) => rgb(cssColour(name)));
  return (value) => {
    const strength = largest > 0 ? Math.min(1, Math.abs(value) / largest) : 0, end = value > 0 ? up : down;
    return zero.map((level, i) => level + (end[i] - level) * strength);
  };
}

const largestOf = (values) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

// Draws rows x columns numbers on the canvas, one pixel each.
function paint(target, values, rows, columns, colour) {
  target.width = columns, target.height = rows;
  const context = target.getContext("2d"), image = context.createImageData(columns, rows);
  for (let i = 0; i < rows * columns; i++) {
    const [r, g, b] = colour(values[i]);
    image.data.set([r, g, b, 255], 4 * i);
  }
  context.putImageData(image, 0, 0);
}

// Draws an image (C, H, W): three channels of bytes in colour, others side by side.
function paintImage(target, values, [channels, height, width], colour) {
  if (channels === 3 && !colour) {
    target.width = width, target.height = height;
    const context = target.getContext("2d"), image = context.createImageData(width, height), block = height * width;
    for (let i = 0; i < block; i++) image.data.set([values[i], values[block + i], values[2 * block + i], 255], 4 * i);
    context.putImageData(image, 0, 0);
    return;
  }
  paintTiles(target, values, [channels, height, width], colour ?? greyOf(0, 255));
}

// Draws maps (C, H, W) as tiles one pixel apart, about as wide as high together.
function paintTiles(target, values, [channels, height, width], colour) {
  const across = Math.ceil(Math.sqrt((channels * height) / width)), down = Math.ceil(channels / across);
  const gap = channels > 1 ? 1 : 0, columns = across * (width + gap) - gap, rows = down * (height + gap) - gap;
  target.width = columns, target.height = rows;
  const context = target.getContext("2d"), image = context.createImageData(columns, rows);
  for (let c = 0; c < channels; c++) {
    const top = Math.floor(c / across) * (height + gap), left = (c % across) * (width + gap);
    for (let i = 0; i < height * width; i++) {
      const at = (top + Math.floor(i / width)) * columns + left + (i % width);
      const [r, g, b] = colour(values[c * height * width + i]);
      image.data.set([r, g, b, 255], 4 * at);
    }
  }
  context.putImageData(image, 0, 0);
}

// Draws a vector as a block of cells.
function paintVector(target, values, colour) {
  const columns = Math.ceil(Math.sqrt(values.length * 1.6)), rows = Math.ceil(values.length / columns);
  const [empty] = [rgb(cssColour("--card"))];
  paint(target, values, rows, columns, (value) => (value === undefined ? empty : colour(value)));
}

// Draws a layer's output for one row.
function paintValue(target, values, shape) {
  const colour = signedOf(largestOf(values));
  if (shape.length === 3) paintTiles(target, values, shape, colour);
  else paintVector(target, values, colour);
}
