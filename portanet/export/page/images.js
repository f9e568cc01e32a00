// The page for images: the pad, examples, the answer, the network diagram, and dropped files.

function imagesPage(main) {
  const stages = stagesOf(network), shape = network.inputs[0].shape;
  const invitation = facts.digits ? "Draw a digit, and the network answers as you draw." : "Draw something, or open a picture.";
  const state = { pixels: null, label: null, problem: null };
  const update = coalesced(refresh);
  const pad = makePad(() => take(pad.isEmpty() ? null : asInput(pad.image())));
  const seen = canvas(shape[2], shape[1], "What the network sees"), saliency = canvas(shape[2], shape[1], "The influence of each pixel");
  const answers = answerCard(), unit = unitCard(stages), flow = makeFlow(stages, (stage, number) => {
    unit.show(stage, number);
    unit.scrollIntoView({ behavior: "smooth", block: "nearest" });
  });
  const replay = replayCard(stages, () => { update(); unit.again(); });
  const every = layersCard(), examples = examplesCard(example), many = manyCard();
  const picker = element("label", { class: "file" }, "Open a picture or CSV",
    element("input", { type: "file", accept: "image/*,.csv", onchange: (event) => { open(event.target.files[0]); event.target.value = ""; } }));

  main.append(
    element("div", { class: "play drawing" },
      element("section", { class: "card" }, element("h2", {}, facts.digits ? "Draw a digit" : "Draw, or open a picture"), pad.target,
        element("div", { class: "row" },
          element("button", { class: "main", onclick: pad.clear }, "Clear"), element("button", { onclick: pad.undo }, "Undo"), picker)),
      answers,
      card("Input and saliency", element("div", { class: "pair" },
        element("figure", {}, seen, element("figcaption", {}, `${shape[1]} x ${shape[2]} pixels`)),
        element("figure", {}, saliency, element("figcaption", {}, "Orange pixels favour the answer, blue ones oppose it")))),
      examples),
    card("The network at work", flow.target, legend()), replay, unit, every, many);
  listenForFiles(open);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { update(); unit.again(); replay.again?.(); });
  new ResizeObserver(update).observe(main);
  unit.show(stages.length - 1, 0);
  update();

  function take(pixels, label = null) {
    Object.assign(state, { pixels, label, problem: null });
    update();
  }

  function example(pixels, label) {
    const picture = element("canvas");
    paintImage(picture, pixels, shape);
    pad.put(picture);
    take(pixels, label);
  }

  async function open(file) {
    if (!file) return;
    if (/\.csv$/i.test(file.name) || file.type === "text/csv") return many.read(await file.text());
    try {
      const bitmap = await createImageBitmap(file), drawn = element("canvas", { width: bitmap.width, height: bitmap.height });
      const context = drawn.getContext("2d");
      context.fillStyle = "#fff";
      context.fillRect(0, 0, drawn.width, drawn.height);
      context.drawImage(bitmap, 0, 0);
      const pixels = asInput(context.getImageData(0, 0, drawn.width, drawn.height));
      pad.put(drawn);
      take(pixels);
    } catch {
      state.problem = `This browser cannot open ${file.name} as a picture.`;
      update();
    }
  }

  function refresh() {
    if (network.inputs[0].shape.length !== 3) return;
    const blank = new Uint8Array(size(shape)), pixels = state.pixels ?? blank, values = answer(network, pixels);
    paintImage(seen, pixels, shape);
    if (!state.pixels) {
      paint(saliency, blank, shape[1], shape[2], signedOf(1));
      answers.show(null, state.problem ?? invitation);
      flow.draw(values, null, 0);
      every.show(values);
      return;
    }
    const result = answerOf(values), grads = gradients(network, values, logitsOf(network), result.index);
    const toPixels = grads[network.inputs[0].name] ?? new Float64Array(size(shape)), block = shape[1] * shape[2];
    const summed = Float64Array.from({ length: block }, (_, i) => toPixels.reduce((sum, g, at) => (at % block === i ? sum + g : sum), 0));
    const influence = shape[0] === 1 ? toPixels : summed;
    paint(saliency, influence, shape[1], shape[2], signedOf(largestOf(influence)));
    if (state.problem) answers.show(null, state.problem);
    else answers.show(result, labelled(result));
    flow.draw(values, pathsOf(stages, values, grads, ANSWER_UNIT + result.index), result.index);
    every.show(values);
  }

  function labelled(result) {
    const note = noteOf(result);
    if (state.label === null) return note;
    if (result.numbers) return [note, `labelled ${state.label}`].filter(Boolean).join("; ");
    return `${note}; labelled ${state.label}, so it is ${textOf(result) === String(state.label) ? "right" : "wrong"}`;
  }
  return { network, pad, state, take, example };
}

// The output of every layer, live.
function layersCard() {
  const rows = facts.layers.filter((layer) => network.values[layer.name]).map((layer) => {
    const picture = canvas(1, 1, `The output of layer ${layer.name}`);
    const shape = layer.output_shape.join(" x ");
    return { value: network.values[layer.name], picture, figure: element("figure", {}, picture,
      element("figcaption", {}, element("code", {}, `${layer.name}: ${layer.layer}`), element("br"), shape)) };
  });
  const details = element("details", { open: true }, element("summary", {}, "Every layer, live"),
    element("div", { class: "layers" }, ...rows.map((row) => row.figure)));
  const target = element("section", { class: "card" }, details);
  let last = null;
  target.show = (values) => {
    last = values;
    if (!details.open) return;
    for (const { value, picture } of rows) {
      const { data, shape } = values[value];
      paintValue(picture, data, shape.slice(1));
    }
  };
  details.addEventListener("toggle", () => last && target.show(last));
  return target;
}

function examplesCard(choose) {
  const { examples } = facts;
  if (!examples) return element("div");
  const x = network.arrays[examples.array], length = size(x.shape.slice(1));
  const buttons = examples.labels.map((label, i) => {
    const pixels = x.data.subarray(i * length, (i + 1) * length), picture = element("canvas");
    paintImage(picture, pixels, x.shape.slice(1));
    const name = `Example: ${label}${examples.wrong[i] ? ", which the network gets wrong" : ""}`;
    const button = element("button", { "aria-label": name, title: name, "aria-pressed": "false", class: examples.wrong[i] ? "wrong" : null,
      onclick: () => {
        buttons.forEach((each) => each.setAttribute("aria-pressed", each === button));
        choose(pixels, label);
      } }, picture);
    return button;
  });
  const marked = examples.wrong.some(Boolean) ? " A dot marks those that the network gets wrong." : "";
  return card("Examples", element("p", { class: "quiet" }, `${examples.source}.${marked}`), element("div", { class: "examples" }, ...buttons));
}
