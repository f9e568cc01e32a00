// Backward passes: from the gradient of an operator's output to those of its inputs; null for an input without one.

// The gradient of an input that was broadcast: the sum over its copies.
function folded(g, x, others, factor) {
  const sum = new Float64Array(x.data.length), shape = broadcastShape([x, ...others]);
  eachPosition([x, ...others], shape, (i, at, ...places) => { sum[at] += g[i] * factor(at, ...places); });
  return sum;
}

const each = (slope) => (g, [x], y, attributes) => [g.map((value, i) => value * slope(x.data[i], y.data[i], attributes))];
const same = (g) => [g];
const none = () => [];

function pairwise(slopeA, slopeB) {
  return (g, [a, b]) => [
    folded(g, a, [b], (p, q) => slopeA(a.data[p], b.data[q])), folded(g, b, [a], (q, p) => slopeB(a.data[p], b.data[q])),
  ];
}

const BACKWARD = {
  Add: pairwise(() => 1, () => 1),
  And: none,
  ArgMax: none,
  AveragePool: (g, [x], y, { kernel_shape }) => {
    const dx = new Float64Array(x.data.length);
    eachSquare(x, kernel_shape, (to, from) => { dx[from] = g[to] / size(kernel_shape); });
    return [dx];
  },
  BatchNormalization: (g, [x, scale, , , variance], y, { epsilon }) => {
    const block = size(x.shape.slice(2)), channels = x.shape[1];
    return [g.map((value, i) => {
      const c = Math.floor(i / block) % channels;
      return (value * scale.data[c]) / Math.sqrt(variance.data[c] + epsilon);
    })];
  },
  Cast: (g, [x]) => (x.type === "bool" ? [] : [g]),
  Concat: (g, parts, y, { axis }) => {
    const [before, , after] = split(y.shape, axis), grads = parts.map((part) => new Float64Array(part.data.length));
    for (let block = 0, at = 0; block < before; block++) {
      parts.forEach((part, i) => {
        const length = part.shape[axis] * after;
        grads[i].set(g.subarray(at, at + length), block * length);
        at += length;
      });
    }
    return grads;
  },
  Conv: (g, [x, weight], y, attributes) => {
    const dx = new Float64Array(x.data.length);
    eachConv(x, weight, attributes, (to, from, at) => { dx[from] += g[to] * weight.data[at]; });
    return [dx];
  },
  Cos: each((x) => -Math.sin(x)),
  Div: pairwise((a, b) => 1 / b, (a, b) => -a / (b * b)),
  Elu: each((x, y, { alpha }) => (x > 0 ? 1 : y + alpha)),
  Equal: none,
  Exp: each((x, y) => y),
  Flatten: same,
  Floor: none,
  Gather: (g, [x, index], y, { axis }) => {
    const dx = new Float64Array(x.data.length), [before, length, after] = split(x.shape, axis);
    let at = 0;
    for (let block = 0; block < before; block++) {
      for (const i of index.data) {
        for (let j = 0; j < after; j++, at++) dx[(block * length + i) * after + j] += g[at];
      }
    }
    return [dx];
  },
  Gemm: (g, [x, weight]) => {
    const [n, inputs] = x.shape, units = weight.shape[1], dx = new Float64Array(n * inputs);
    for (let row = 0; row < n; row++) {
      for (let i = 0; i < inputs; i++) {
        let sum = 0;
        for (let j = 0; j < units; j++) sum += g[row * units + j] * weight.data[i * units + j];
        dx[row * inputs + i] = sum;
      }
    }
    return [dx];
  },
  Greater: none,
  GreaterOrEqual: none,
  IsNaN: none,
  LayerNormalization: (g, [x, scale], y, { epsilon }) => {
    const dx = new Float64Array(x.data.length), length = size(x.shape.slice(1));
    for (let start = 0; start < dx.length; start += length) {
      const { mean, deviation } = moments(x.data.subarray(start, start + length), epsilon);
      let sum = 0, along = 0;
      for (let i = 0; i < length; i++) {
        const slope = g[start + i] * scale.data[i];
        sum += slope;
        along += slope * (x.data[start + i] - mean) / deviation;
      }
      for (let i = 0; i < length; i++) {
        const normal = (x.data[start + i] - mean) / deviation;
        dx[start + i] = (g[start + i] * scale.data[i] - sum / length - (normal * along) / length) / deviation;
      }
    }
    return [dx];
  },
  LeakyRelu: each((x, y, { alpha }) => (x > 0 ? 1 : alpha)),
  Less: none,
  Max: pairwise((a, b) => Number(a >= b), (a, b) => Number(b > a)),
  MaxPool: (g, [x], y, { kernel_shape }) => {
    const dx = new Float64Array(x.data.length), taken = new Uint8Array(g.length);
    eachSquare(x, kernel_shape, (to, from) => {
      if (!taken[to] && x.data[from] === y.data[to]) dx[from] = g[to], taken[to] = 1;
    });
    return [dx];
  },
  Min: pairwise((a, b) => Number(a <= b), (a, b) => Number(b < a)),
  Mul: pairwise((a, b) => b, (a) => a),
  ReduceMean: (g, [x], y, { axes }) => {
    const kept = x.shape.map((length, axis) => (axes.includes(axis) ? 1 : length)), dx = new Float64Array(x.data.length);
    eachPosition([{ shape: kept }], x.shape, (i, to) => { dx[i] = (g[to] * g.length) / dx.length; });
    return [dx];
  },
  Relu: each((x) => Number(x > 0)),
  Reshape: same,
  Selu: each((x, y) => (x > 0 ? SELU.scale : y + SELU.scale * SELU.alpha)),
  Sigmoid: each((x, y) => y * (1 - y)),
  Softmax: (g, [x], y) => {
    const dx = new Float64Array(g.length), k = x.shape[1];
    for (let start = 0; start < g.length; start += k) {
      let sum = 0;
      for (let i = start; i < start + k; i++) sum += g[i] * y.data[i];
      for (let i = start; i < start + k; i++) dx[i] = y.data[i] * (g[i] - sum);
    }
    return [dx];
  },
  Softplus: each((x) => sigmoidOf(x)),
  Sqrt: each((x, y) => 0.5 / y),
  Sub: pairwise(() => 1, () => -1),
  Tanh: each((x, y) => 1 - y * y),
  Where: (g, [condition, a, b]) => [
    null,
    folded(g, a, [condition, b], (p, c) => Number(condition.data[c] !== 0)),
    folded(g, b, [condition, a], (q, c) => Number(condition.data[c] === 0)),
  ],
};

// The names of the values that depend on the network's input.
function variables(network) {
  const names = new Set(network.inputs.map((input) => input.name));
  for (const { inputs, output } of network.nodes) if (inputs.some((name) => names.has(name))) names.add(output);
  return names;
}

// The gradient of element `index` of the value `name` with respect to every value it depends on: name -> Float64Array.
function gradients(network, values, name, index) {
  const free = variables(network), grads = { [name]: new Float64Array(values[name].data.length) };
  grads[name][index] = 1;
  for (const { op, inputs, output, attributes } of [...network.nodes].reverse()) {
    const g = grads[output];
    if (!g || !inputs.some((input) => free.has(input))) continue;
    const parts = BACKWARD[op](g, inputs.map((input) => values[input]), values[output], attributes);
    inputs.forEach((input, i) => {
      if (!parts[i] || !free.has(input)) return;
      grads[input] = grads[input] ? grads[input].map((value, j) => value + parts[i][j]) : parts[i];
    });
  }
  return grads;
}
