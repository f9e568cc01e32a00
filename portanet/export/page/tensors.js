// Tensors {data, shape, type}, row-major, and helpers that several operators share.

const ARRAYS = {
  bool: Uint8Array, uint8: Uint8Array, int32: Float64Array, int64: Float64Array,
  float32: Float32Array, float64: Float64Array,
};

function size(shape) {
  return shape.reduce((product, length) => product * length, 1);
}

function tensor(type, shape, data) {
  return { type, shape, data: data ?? new ARRAYS[type](size(shape)) };
}

function floatType(...tensors) {
  return tensors.some((each) => each.type === "float64") ? "float64" : "float32";
}

// The strides of x broadcast to `shape`; 0 along an axis that is repeated.
function broadcastStrides(x, shape) {
  const strides = new Array(shape.length).fill(0);
  let step = 1;
  for (let axis = x.shape.length - 1, out = shape.length - 1; axis >= 0; axis--, out--) {
    if (x.shape[axis] !== 1) strides[out] = step;
    step *= x.shape[axis];
  }
  return strides;
}

function broadcastShape(tensors) {
  const length = Math.max(...tensors.map((each) => each.shape.length));
  const shape = new Array(length).fill(1);
  for (const each of tensors) {
    each.shape.forEach((extent, axis) => {
      const out = axis + length - each.shape.length;
      if (extent !== 1) shape[out] = extent;
    });
  }
  return shape;
}

// Calls visit(i, i0, i1, ...) with the positions in the result and in each tensor.
function eachPosition(tensors, shape, visit) {
  const total = size(shape), strides = tensors.map((each) => broadcastStrides(each, shape));
  const at = new Array(tensors.length).fill(0), index = new Array(shape.length).fill(0);
  for (let i = 0; i < total; i++) {
    visit(i, ...at);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis]++;
      for (let t = 0; t < at.length; t++) at[t] += strides[t][axis];
      if (index[axis] < shape[axis]) break;
      for (let t = 0; t < at.length; t++) at[t] -= strides[t][axis] * shape[axis];
      index[axis] = 0;
    }
  }
}

// An elementwise operator of two tensors, with broadcasting.
function zip(a, b, f, type = floatType(a, b)) {
  const shape = broadcastShape([a, b]), y = tensor(type, shape), out = y.data;
  const same = a.data.length === out.length && b.data.length === out.length;
  if (same) for (let i = 0; i < out.length; i++) out[i] = f(a.data[i], b.data[i]);
  else if (b.data.length === 1 && a.data.length === out.length) {
    for (let i = 0; i < out.length; i++) out[i] = f(a.data[i], b.data[0]);
  } else eachPosition([a, b], shape, (i, p, q) => { out[i] = f(a.data[p], b.data[q]); });
  return y;
}

function map(x, f, type = floatType(x)) {
  const y = tensor(type, x.shape);
  for (let i = 0; i < y.data.length; i++) y.data[i] = f(x.data[i]);
  return y;
}

// Calls visit(to, from) for each pixel of each window of images (N, C, H, W); windows do not overlap.
function eachSquare(x, [rows, columns], visit) {
  const [n, channels, height, width] = x.shape;
  const down = Math.floor(height / rows), across = Math.floor(width / columns);
  for (let image = 0, to = 0; image < n * channels; image++) {
    for (let i = 0; i < down; i++) {
      for (let j = 0; j < across; j++, to++) {
        for (let r = 0; r < rows; r++) {
          for (let c = 0; c < columns; c++) {
            visit(to, (image * height + i * rows + r) * width + j * columns + c);
          }
        }
      }
    }
  }
  return [n, channels, down, across];
}

// The output shape of a convolution of images (N, C, H, W) with filters (F, C, k, l).
function convShape(x, weight, { kernel_shape: [k, l], pads, strides }) {
  const height = Math.floor((x.shape[2] + pads[0] + pads[2] - k) / strides[0]) + 1;
  const width = Math.floor((x.shape[3] + pads[1] + pads[3] - l) / strides[1]) + 1;
  return [x.shape[0], weight.shape[0], height, width];
}

// Calls visit(to, pixel, weight) for each product of a convolution.
function eachConv(x, weight, attributes, visit) {
  const { kernel_shape: [k, l], pads, strides } = attributes;
  const [n, filters, height, width] = convShape(x, weight, attributes), [, channels, h, w] = x.shape;
  for (let image = 0; image < n; image++) {
    for (let filter = 0; filter < filters; filter++) {
      for (let channel = 0; channel < channels; channel++) {
        for (let r = 0; r < k; r++) {
          for (let c = 0; c < l; c++) {
            const at = ((filter * channels + channel) * k + r) * l + c;
            for (let i = 0; i < height; i++) {
              const row = i * strides[0] + r - pads[0];
              if (row < 0 || row >= h) continue;
              const from = (image * channels + channel) * h + row, to = (image * filters + filter) * height + i;
              for (let j = 0; j < width; j++) {
                const column = j * strides[1] + c - pads[1];
                if (column >= 0 && column < w) visit(to * width + j, from * w + column, at);
              }
            }
          }
        }
      }
    }
  }
}

// The shape around an axis: the product of the lengths before it, its length, and the product of those after it.
function split(shape, axis) {
  return [size(shape.slice(0, axis)), shape[axis], size(shape.slice(axis + 1))];
}
