// A replay of training: a slider over snapshots of the weights.

const MOST_FILTERS = 48;

// A card whose slider swaps the network's arrays; changed() redraws the page. Hidden without anything to show.
function replayCard(stages, changed) {
  const snapshots = facts.snapshots, shown = element("p", { class: "quiet", role: "status" });
  const filters = element("div", { class: "filters" }), target = card("Replay of training");
  const hasImage = network.inputs[0].shape.length === 3;
  if (!snapshots && !hasImage) return element("div", { hidden: true });
  const last = snapshots ? snapshots.steps.length : 0, final = { ...network.arrays };
  const slider = element("input", { type: "range", id: "replay", min: 0, max: last, value: last, oninput: () => show(Number(slider.value)) });
  const play = element("button", { class: "main", onclick: () => (timer ? stop() : start()) }, "Play");
  let timer = 0;

  function start() {
    if (Number(slider.value) === last) slider.value = 0, show(0);
    play.textContent = "Pause";
    timer = setInterval(() => {
      show(Number(slider.value) + 1);
      if (Number(slider.value) === last) stop();
    }, 250);
  }

  function stop() {
    clearInterval(timer);
    timer = 0, play.textContent = "Play";
  }

  function show(at) {
    slider.value = at;
    if (snapshots?.whole) {
      const prefix = at < last ? `${snapshots.steps[at]}/` : null;
      Object.assign(network.arrays, final);
      for (const [name, array] of Object.entries(final)) {
        if (prefix && name.startsWith(prefix)) network.arrays[name.slice(prefix.length)] = array;
      }
    }
    tell(at);
    drawFilters(snapshots && !snapshots.whole ? final[`${snapshots.steps[Math.min(at, last - 1)]}/first`] : firstWeights());
    if (snapshots?.whole) changed();
  }

  function tell(at) {
    if (!snapshots) return;
    const where = at < last ? `After step ${snapshots.steps[at].toLocaleString("en")} of ${snapshots.steps.at(-1).toLocaleString("en")}` : "The model as it was saved";
    shown.textContent = [where, snapshots.whole ? scoreNow() : "only the first layer of a network of this size was saved"].filter(Boolean).join(": ");
  }

  // The number of the page's examples that these weights get right.
  function scoreNow() {
    const { examples } = facts;
    if (!examples || facts.task !== "classify") return "";
    const values = answer(network, network.arrays[examples.array].data);
    const right = examples.labels.filter((label, i) => String(label) === textOf(answerOf(values, i))).length;
    return `${right} of ${examples.labels.length} examples are right`;
  }

  // The first layer's weights as pictures (units, C, H, W); null if it does not take images.
  function firstWeights() {
    const node = stages[0]?.weights, weight = node && network.arrays[node.inputs[1]], source = network.inputs[0].shape;
    if (!weight || !hasImage) return null;
    if (node.op === "Conv") return weight;
    const [inputs, units] = weight.shape;
    if (inputs !== size(source)) return null;
    const data = Float32Array.from({ length: inputs * Math.min(units, MOST_FILTERS) }, (_, i) => weight.data[(i % inputs) * units + Math.floor(i / inputs)]);
    return { data, shape: [Math.min(units, MOST_FILTERS), ...source] };
  }

  function drawFilters(weight) {
    if (!weight) return;
    const count = Math.min(weight.shape[0], MOST_FILTERS), block = size(weight.shape.slice(1));
    while (filters.children.length < count) filters.append(canvas(1, 1, `Weights of unit ${filters.children.length} of the first layer`));
    for (let unit = 0; unit < count; unit++) {
      const filter = weight.data.subarray(unit * block, (unit + 1) * block);
      paintTiles(filters.children[unit], filter, weight.shape.slice(1), signedOf(largestOf(filter)));
    }
  }

  if (snapshots) target.append(element("div", { class: "row" }, play, element("label", { for: "replay" }, "Weights")), slider, shown);
  else target.firstChild.textContent = "First-layer weights";
  target.append(filters);
  target.again = () => show(Number(slider.value));
  show(last);
  return target;
}
