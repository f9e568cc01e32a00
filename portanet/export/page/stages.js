// The stages of the network diagram: each layer with weights, with its output after the activation.

// Each is {name, value, weights}: the last value before the next layer with weights, in its original shape, and the
// node of the weights.
function stagesOf(network) {
  const producers = new Map(network.nodes.map((node) => [node.output, node])), stages = [];
  for (const layer of facts.layers) {
    const value = network.values[layer.name], node = producers.get(value);
    if (!value || !node || layer.name.split(".").length > 2) continue;
    if (node.op === "Gemm" || node.op === "Conv") stages.push({ name: layer.name, value, weights: node });
    else if (stages.length && node.op !== "Flatten" && node.op !== "Reshape") stages.at(-1).value = value;
  }
  return stages;
}

const unitsOf = (shape) => (shape.length === 4 ? shape[1] : size(shape.slice(1)));

// One number for each unit, of one row's value; of a map its mean.
function perUnit(values, shape) {
  const units = unitsOf(shape), block = values.length / units;
  return Float64Array.from({ length: units }, (_, unit) => {
    let sum = 0;
    for (let i = unit * block; i < (unit + 1) * block; i++) sum += values[i];
    return sum / block;
  });
}

// The relevance of each unit for a logit: the sum of value times gradient.
function relevance(tensorOf, gradient) {
  const products = Float64Array.from(tensorOf.data, (value, i) => value * gradient[i]);
  const block = products.length / unitsOf(tensorOf.shape);
  return perUnit(products, tensorOf.shape).map((mean) => mean * block);
}

// The name of the value that an answer is read from.
function logitsOf(network) {
  const output = facts.task === "classify" || facts.task === "multilabel" ? "probabilities" : "prediction";
  const node = network.nodes.find((each) => each.output === output);
  return HAS_CLASSES ? node.inputs[0] : output;
}

// The units that contribute most to a logit, and the edges between them.
function pathsOf(stages, values, grads, index, count = 5) {
  const most = (scores) => Array.from(scores.keys()).sort((a, b) => Math.abs(scores[b]) - Math.abs(scores[a])).slice(0, count);
  const picked = stages.map((stage, i) => {
    if (i === stages.length - 1) return [index];
    return grads[stage.value] ? most(relevance(values[stage.value], grads[stage.value])) : [];
  });
  const edges = [];
  for (let i = 1; i < stages.length; i++) {
    const from = stages[i - 1], to = stages[i], node = to.weights, out = grads[node.output];
    for (const unit of picked[i]) {
      for (const source of picked[i - 1]) {
        edges.push({ stage: i, from: source, to: unit, share: shareOf(values, from, node, out, source, unit) });
      }
    }
  }
  const largest = edges.reduce((most, edge) => { most[edge.stage] = Math.max(most[edge.stage] ?? 0, Math.abs(edge.share)); return most; }, {});
  return { picked, edges: edges.map((edge) => ({ ...edge, share: largest[edge.stage] ? edge.share / largest[edge.stage] : 0 })) };
}

// The contribution of one unit through another: its values times the weights, times the gradient there.
function shareOf(values, from, node, out, source, unit) {
  if (!out) return 0;
  const input = values[node.inputs[0]], weight = values[node.inputs[1]];
  if (node.op === "Gemm") {
    const block = weight.shape[0] / unitsOf(values[from.value].shape), units = weight.shape[1];
    let sum = 0;
    for (let i = source * block; i < (source + 1) * block; i++) sum += input.data[i] * weight.data[i * units + unit];
    return sum * out[unit];
  }
  const { shape } = values[node.output], block = shape[2] * shape[3];
  const filter = { ...weight, shape: [1, 1, ...weight.shape.slice(2)] }, k = weight.shape[2] * weight.shape[3];
  filter.data = weight.data.subarray((unit * weight.shape[1] + source) * k, (unit * weight.shape[1] + source + 1) * k);
  const area = input.shape[2] * input.shape[3];
  const map = tensor("float32", [1, 1, ...input.shape.slice(2)], input.data.subarray(source * area, (source + 1) * area));
  let sum = 0;
  eachConv(map, filter, node.attributes, (to, pixel, at) => { sum += map.data[pixel] * filter.data[at] * out[unit * block + to]; });
  return sum;
}
