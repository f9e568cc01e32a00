// The operators of an exported graph, as defined by ONNX (opset 17): from tensors and attributes to a tensor.

const SELU = { scale: 1.0507009873554805, alpha: 1.6732632423543772 };
const sigmoidOf = (x) => 0.5 + 0.5 * Math.tanh(0.5 * x);
const softplusOf = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const eluOf = (x, alpha) => (x > 0 ? x : alpha * Math.expm1(x));

const OPERATORS = {
  Add: ([a, b]) => zip(a, b, (p, q) => p + q),
  And: ([a, b]) => zip(a, b, (p, q) => p && q, "bool"),
  ArgMax: ([x]) => {
    const [n, k] = x.shape, y = tensor("int64", [n]);
    for (let row = 0; row < n; row++) {
      for (let i = 1; i < k; i++) if (x.data[row * k + i] > x.data[row * k + y.data[row]]) y.data[row] = i;
    }
    return y;
  },
  AveragePool: ([x], { kernel_shape }) => {
    const sums = [];
    const shape = eachSquare(x, kernel_shape, (to, from) => { sums[to] = (sums[to] ?? 0) + x.data[from]; });
    return tensor("float32", shape, Float32Array.from(sums, (sum) => sum / size(kernel_shape)));
  },
  BatchNormalization: ([x, scale, shift, mean, variance], { epsilon }) => {
    const y = tensor("float32", x.shape), [n, channels] = x.shape, block = size(x.shape.slice(2));
    for (let i = 0, at = 0; i < n * channels; i++) {
      const c = i % channels, factor = scale.data[c] / Math.sqrt(variance.data[c] + epsilon);
      for (let j = 0; j < block; j++, at++) y.data[at] = (x.data[at] - mean.data[c]) * factor + shift.data[c];
    }
    return y;
  },
  Cast: ([x], { to }) => tensor(to, x.shape, to.startsWith("int") ? Float64Array.from(x.data, Math.trunc) : ARRAYS[to].from(x.data)),
  Concat: (parts, { axis }) => {
    const shape = [...parts[0].shape];
    shape[axis] = parts.reduce((sum, part) => sum + part.shape[axis], 0);
    const y = tensor(floatType(...parts), shape), [before, , after] = split(shape, axis);
    for (let block = 0, at = 0; block < before; block++) {
      for (const part of parts) {
        const length = part.shape[axis] * after;
        y.data.set(part.data.subarray(block * length, (block + 1) * length), at);
        at += length;
      }
    }
    return y;
  },
  Conv: ([x, weight, bias], attributes) => {
    const shape = convShape(x, weight, attributes), sums = new Float64Array(size(shape));
    eachConv(x, weight, attributes, (to, from, at) => { sums[to] += x.data[from] * weight.data[at]; });
    const block = shape[2] * shape[3];
    const y = Float32Array.from(sums, (sum, i) => sum + bias.data[Math.floor(i / block) % shape[1]]);
    return tensor("float32", shape, y);
  },
  Cos: ([x]) => map(x, Math.cos),
  Div: ([a, b]) => zip(a, b, (p, q) => p / q),
  Elu: ([x], { alpha }) => map(x, (v) => eluOf(v, alpha)),
  Equal: ([a, b]) => zip(a, b, (p, q) => p === q, "bool"),
  Exp: ([x]) => map(x, Math.exp),
  Flatten: ([x]) => tensor(x.type, [x.shape[0], size(x.shape.slice(1))], x.data),
  Floor: ([x]) => map(x, Math.floor),
  Gather: ([x, index], { axis }) => {
    const shape = [...x.shape.slice(0, axis), ...index.shape, ...x.shape.slice(axis + 1)];
    const [before, length, after] = split(x.shape, axis), indices = [...index.data];
    if (Array.isArray(x.data)) return { type: "str", shape, data: indices.map((i) => x.data[i]) };
    const y = tensor(x.type, shape);
    for (let block = 0, at = 0; block < before; block++) {
      for (const i of indices) {
        const from = (block * length + i) * after;
        y.data.set(x.data.subarray(from, from + after), at);
        at += after;
      }
    }
    return y;
  },
  Gemm: ([x, weight, bias]) => {
    const [n, inputs] = x.shape, units = weight.shape[1], y = tensor("float32", [n, units]);
    for (let row = 0; row < n; row++) {
      const sums = Float64Array.from(bias.data);
      for (let i = 0; i < inputs; i++) {
        const value = x.data[row * inputs + i], at = i * units;
        if (value !== 0) for (let j = 0; j < units; j++) sums[j] += value * weight.data[at + j];
      }
      y.data.set(sums, row * units);
    }
    return y;
  },
  Greater: ([a, b]) => zip(a, b, (p, q) => p > q, "bool"),
  GreaterOrEqual: ([a, b]) => zip(a, b, (p, q) => p >= q, "bool"),
  IsNaN: ([x]) => map(x, Number.isNaN, "bool"),
  LayerNormalization: ([x, scale, shift], { epsilon }) => {
    const y = tensor("float32", x.shape), length = size(x.shape.slice(1));
    for (let row = 0; row < x.shape[0]; row++) {
      const { mean, deviation } = moments(x.data.subarray(row * length, (row + 1) * length), epsilon);
      for (let i = 0; i < length; i++) {
        y.data[row * length + i] = ((x.data[row * length + i] - mean) / deviation) * scale.data[i] + shift.data[i];
      }
    }
    return y;
  },
  LeakyRelu: ([x], { alpha }) => map(x, (v) => (v > 0 ? v : alpha * v)),
  Less: ([a, b]) => zip(a, b, (p, q) => p < q, "bool"),
  Max: ([a, b]) => zip(a, b, Math.max),
  MaxPool: ([x], { kernel_shape }) => {
    const best = [];
    const shape = eachSquare(x, kernel_shape, (to, from) => { best[to] = Math.max(best[to] ?? -Infinity, x.data[from]); });
    return tensor("float32", shape, Float32Array.from(best));
  },
  Min: ([a, b]) => zip(a, b, Math.min),
  Mul: ([a, b]) => zip(a, b, (p, q) => p * q),
  ReduceMean: ([x], { axes, keepdims }) => {
    const kept = x.shape.map((length, axis) => (axes.includes(axis) ? 1 : length));
    const sums = new Float64Array(size(kept)), count = size(x.shape) / sums.length;
    eachPosition([{ shape: kept }], x.shape, (i, to) => { sums[to] += x.data[i]; });
    const shape = keepdims ? kept : x.shape.filter((_, axis) => !axes.includes(axis));
    return tensor("float32", shape, Float32Array.from(sums, (sum) => sum / count));
  },
  Relu: ([x]) => map(x, (v) => (v > 0 ? v : 0)),
  Reshape: ([x], { shape }) => {
    const wanted = shape.map((length, axis) => (length === 0 ? x.shape[axis] : length));
    const known = size(wanted.filter((length) => length >= 0));
    return tensor(x.type, wanted.map((length) => (length < 0 ? x.data.length / known : length)), x.data);
  },
  Selu: ([x]) => map(x, (v) => SELU.scale * eluOf(v, SELU.alpha)),
  Sigmoid: ([x]) => map(x, sigmoidOf),
  Softmax: ([x]) => {
    const [n, k] = x.shape, y = tensor("float32", x.shape);
    for (let row = 0; row < n; row++) {
      const logits = x.data.subarray(row * k, (row + 1) * k), largest = logits.reduce((p, q) => Math.max(p, q));
      const exponentials = Array.from(logits, (logit) => Math.exp(logit - largest));
      const sum = exponentials.reduce((p, q) => p + q);
      exponentials.forEach((value, i) => { y.data[row * k + i] = value / sum; });
    }
    return y;
  },
  Softplus: ([x]) => map(x, softplusOf),
  Sqrt: ([x]) => map(x, Math.sqrt),
  Sub: ([a, b]) => zip(a, b, (p, q) => p - q),
  Tanh: ([x]) => map(x, Math.tanh),
  Where: ([condition, a, b]) => {
    const shape = broadcastShape([condition, a, b]), y = tensor(floatType(a, b), shape);
    eachPosition([condition, a, b], shape, (i, c, p, q) => { y.data[i] = condition.data[c] ? a.data[p] : b.data[q]; });
    return y;
  },
};

function moments(values, epsilon) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, deviation: Math.sqrt(variance + epsilon) };
}
