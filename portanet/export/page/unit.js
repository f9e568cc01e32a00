// One unit in detail: its weights, and the input that maximises it.

const CLIMB_STEPS = 40;

function unitCard(stages) {
  const names = stages.map((stage, i) => {
    const layer = facts.layers.find((each) => each.name === stage.name);
    return i === stages.length - 1 ? `${stage.name}: the outputs` : `${stage.name}: ${layer.layer.split("(")[0]}`;
  });
  const stageMenu = element("select", { id: "unit-layer", onchange: () => show(Number(stageMenu.value), 0) },
    ...names.map((name, i) => element("option", { value: i }, name)));
  const unitBox = element("input", { id: "unit-number", type: "number", min: 0, value: 0,
    onchange: () => show(Number(stageMenu.value), Number(unitBox.value)) });
  const weights = canvas(1, 1, "The unit's weights"), best = canvas(1, 1, "The input that maximises the unit");
  const weightsNote = element("figcaption"), bestNote = element("figcaption"), about = element("p", { class: "quiet" });
  const hasImage = network.inputs[0].shape.length === 3;
  const bestFigure = element("figure", { hidden: !hasImage }, element("h3", {}, "The input that maximises it"), best, bestNote);
  const target = card("Look inside a unit",
    element("p", { class: "quiet" }, "Click a unit in the diagram, or choose one here."),
    element("div", { class: "row" }, element("label", { for: "unit-layer" }, "Layer"), stageMenu,
      element("label", { for: "unit-number" }, "Unit"), unitBox, about),
    element("div", { class: "unit" },
      element("figure", {}, element("h3", {}, "Its weights"), weights, weightsNote), bestFigure));
  let climbing = 0, shown = [0, 0];

  function show(stage, unit) {
    const values = answer(network, new Array(size(network.inputs[0].shape)).fill(0));
    const units = unitsOf(values[stages[stage].value].shape);
    unit = Math.min(Math.max(0, Math.floor(unit) || 0), units - 1);
    shown = [stage, unit];
    stageMenu.value = stage, unitBox.value = unit, unitBox.max = units - 1;
    about.textContent = stage === stages.length - 1 && HAS_CLASSES ? `the output for ${facts.classes[unit]}` : `one of ${units}`;
    paintWeights(stages[stage], unit, values);
    if (hasImage) climb(stages[stage], unit);
  }

  function paintWeights({ weights: node }, unit, values) {
    const weight = network.arrays[node.inputs[1]], source = network.inputs[0].shape;
    if (node.op === "Conv") {
      const filter = weight.data.subarray(unit * size(weight.shape.slice(1)), (unit + 1) * size(weight.shape.slice(1)));
      paintTiles(weights, filter, weight.shape.slice(1), signedOf(largestOf(filter)));
      weightsNote.textContent = `${weight.shape[1]} of ${weight.shape[2]} x ${weight.shape[3]}`;
      return;
    }
    const [inputs, units] = weight.shape;
    const column = Float32Array.from({ length: inputs }, (_, i) => weight.data[i * units + unit]);
    const colour = signedOf(largestOf(column)), before = values[node.inputs[0]], maps = mapsBefore(node, values);
    if (inputs === size(source) && source.length === 3) paintTiles(weights, column, source, colour);
    else if (maps) paintTiles(weights, column, maps, colour);
    else paintVector(weights, column, colour);
    weightsNote.textContent = `${before.shape[1]} weights, from ${figure(Math.min(...column))} to ${figure(Math.max(...column))}`;
  }

  // The shape (C, H, W) of the maps that were flattened before a Dense layer.
  function mapsBefore(node, values) {
    const flatten = network.nodes.find((each) => each.output === node.inputs[0]);
    return flatten?.op === "Flatten" && values[flatten.inputs[0]].shape.length === 4 ? values[flatten.inputs[0]].shape.slice(1) : null;
  }

  // Gradient ascent on the input, with smoothing, from noise that is the same each time: on plain grey the edges that a
  // convolution looks for are nowhere, and its gradient can be 0.
  function climb(stage, unit) {
    const [source] = network.inputs, turn = ++climbing, length = size(source.shape);
    const name = stages.indexOf(stage) === stages.length - 1 ? stage.value : stage.weights.output;
    let x = Float32Array.from({ length }, (_, i) => (((i + 1) * 2654435761) >>> 0) % 81), step = 0;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    function once() {
      const values = valuesOf(x), shape = values[name].shape, block = size(shape) / unitsOf(shape);
      const g = gradients(network, values, name, unit * block + (shape.length === 4 ? middle(shape) : 0))[source.name];
      const largest = largestOf(g);
      if (largest === 0) return finish("its gradient is 0 here");
      x = smoothed(x.map((value, i) => value + (30 * (1 - step / CLIMB_STEPS) + 6) * (g[i] / largest)), source.shape);
      step++;
      if (!still || step === CLIMB_STEPS) paintImage(best, x, source.shape, source.shape[0] === 1 ? greyOf(0, 255) : undefined);
      if (step < CLIMB_STEPS) return true;
      return finish(`after ${CLIMB_STEPS} steps of gradient ascent`);
    }
    function finish(text) {
      bestNote.textContent = text;
      return false;
    }
    bestNote.textContent = "climbing";
    const next = () => { if (turn === climbing && once()) setTimeout(next, 0); };
    next();
  }

  const middle = (shape) => Math.floor(shape[2] / 2) * shape[3] + Math.floor(shape[3] / 2);

  function smoothed(x, [channels, height, width]) {
    return x.map((value, i) => {
      const column = i % width, row = Math.floor(i / width) % height;
      let sum = 4 * value, count = 4;
      for (const [at, inside] of [[i - 1, column > 0], [i + 1, column < width - 1], [i - width, row > 0], [i + width, row < height - 1]]) {
        if (inside) sum += x[at], count++;
      }
      return Math.min(255, Math.max(0, 0.7 * value + 0.3 * (sum / count) - 0.5));
    });
  }

  target.show = show;
  target.again = () => show(...shown);
  return target;
}

// The graph's values for an input of float32.
function valuesOf(x) {
  const [source] = network.inputs, values = { ...network.arrays };
  values[source.name] = tensor("float32", [1, ...source.shape], x);
  for (const { op, inputs, output, attributes } of network.nodes) {
    values[output] = OPERATORS[op](inputs.map((name) => values[name]), attributes);
  }
  return values;
}
