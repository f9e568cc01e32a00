// The network: a graph of operators with its arrays. answer(network, rows) computes every value of the graph.

// The bytes of a text that is compressed by zlib and encoded in base64.
async function inflated(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// An array, as packed by export/packing.py.
function unpacked({ dtype, shape, form, start, stop, axis, scales, values }, bytes) {
  if (values) return { type: "str", shape, data: values };
  const raw = bytes.slice(start, stop).buffer, data = new ARRAYS[dtype](size(shape));
  if (form === "int8") {
    const factors = new Float32Array(bytes.slice(scales, scales + 4 * shape.at(axis)).buffer);
    const [, units, block] = split(shape, axis < 0 ? axis + shape.length : axis);
    new Int8Array(raw).forEach((code, i) => { data[i] = code * factors[Math.floor(i / block) % units]; });
  } else if (form === "float16") {
    new Uint16Array(raw).forEach((bits, i) => { data[i] = halfFloat(bits); });
  } else if (form === "int64") {
    new BigInt64Array(raw).forEach((integer, i) => { data[i] = Number(integer); });
  } else data.set(new ARRAYS[form](raw));
  return tensor(dtype, shape, data);
}

function halfFloat(bits) {
  const sign = bits >> 15 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
}

async function openNetwork(facts, text) {
  const bytes = await inflated(text), arrays = {};
  for (const entry of facts.arrays) arrays[entry.name] = unpacked(entry, bytes);
  return { ...facts, arrays };
}

// All values of the graph by name, for rows (N, ...) in one flat array.
function answer(network, rows) {
  const [source] = network.inputs, count = rows.length / size(source.shape);
  const values = { ...network.arrays };
  values[source.name] = tensor(source.dtype, [count, ...source.shape], ARRAYS[source.dtype].from(rows));
  for (const { op, inputs, output, attributes } of network.nodes) {
    values[output] = OPERATORS[op](inputs.map((name) => values[name]), attributes);
  }
  return values;
}
