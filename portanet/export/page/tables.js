// The page for tables: a form with a curve for each column, the answer, and the network at work.

function tablePage(main) {
  const fields = facts.fields, start = Float64Array.from(facts.fields.flatMap((field) => field.typical.map((value) => value ?? NaN)));
  const state = { row: start }, update = coalesced(refresh), stages = stagesOf(network);
  const answers = answerCard(), many = manyCard(), regions = regionsCard(fields, (x, y) => set(fields[0], [x], set(fields[1], [y])));
  const unit = stages.length ? unitCard(stages) : null;
  const flow = makeFlow(stages, (stage, number) => unit.show(stage, number));
  const replay = replayCard(stages, () => { update(); unit?.again(); });
  const controls = fields.map((field) => control(field, (parts) => set(field, parts)));
  const reset = () => { state.row = start.slice(), sync(); };

  function set(field, parts) {
    state.row = state.row.slice();
    parts.forEach((value, i) => { state.row[field.first + i] = value; });
    update();
  }

  function sync() {
    controls.forEach((each) => each.sync(state.row));
    update();
  }

  function refresh() {
    const values = answer(network, state.row), given = answerOf(values);
    answers.show(given, noteOf(given));
    if (stages.length) {
      const grads = gradients(network, values, logitsOf(network), given.index);
      flow.draw(values, pathsOf(stages, values, grads, ANSWER_UNIT + given.index), given.index);
    }
    const lines = controls.map((each) => each.line(state.row, given.index)), heights = lines.flatMap((line) => line?.y ?? []);
    const span = HAS_CLASSES ? [0, 1] : spread(Math.min(...heights), Math.max(...heights));
    controls.forEach((each, i) => { if (lines[i]) drawCurve(each, lines[i], span); });
    regions.show?.(state.row);
  }

  const pick = (row) => { state.row = Float64Array.from(row), sync(); };
  main.append(
    element("div", { class: "play turned" },
      card("The columns", element("div", { class: "row" }, exampleMenu(pick), element("button", { onclick: reset }, "Typical values"), targetMenu(update)),
        element("p", { class: "quiet" }, "Each curve shows how the answer changes with that column alone."),
        element("div", { class: "form" }, ...controls.map((each) => each.target))),
      element("div", { class: "stack" }, answers, regions)),
    replay, ...(stages.length ? [card("The network at work", flow.target, legend()), unit] : []), many);
  listenForFiles(async (file) => file && many.read(await file.text()));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", update);
  new ResizeObserver(update).observe(main);
  unit?.show(0, 0);
  sync();
  return { network, state, set, fields };
}

// Which of several numbers the curves are of.
function targetMenu(update) {
  if (HAS_CLASSES || !facts.targets.length) return null;
  const menu = element("select", { id: "target", onchange: () => { chosen.target = Number(menu.value), update(); } },
    ...facts.targets.map((name, i) => element("option", { value: i }, name)));
  return element("span", { class: "row" }, element("label", { for: "target" }, "Curves of"), menu);
}

function exampleMenu(pick) {
  const given = facts.examples;
  if (!given) return null;
  const x = network.arrays[given.array], length = x.shape[1];
  const menu = element("select", { id: "row", onchange: () => {
    const i = Number(menu.value);
    if (i >= 0) pick(x.data.subarray(i * length, (i + 1) * length));
  } }, element("option", { value: -1 }, "a row of the data"),
  ...given.labels.map((label, i) => element("option", { value: i }, `row ${i + 1}: ${label}`)));
  return element("span", { class: "row" }, element("label", { for: "row" }, "Take"), menu);
}
