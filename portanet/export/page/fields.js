// The columns of a table as inputs of a form.

// The input of one column: {target, sync(row), curve(row, index)}.
function control(field, changed) {
  const id = `field-${field.first}`, curve = field.kind === "date" ? null : canvas(160, 44, "", { class: "curve smooth" });
  const { head, input, sync } = { number: numberInput, category: menuInput, "yes/no": menuInput, date: dateInput }[field.kind](field, id, changed);
  const target = element("div", { class: "field" }, head, input, curve);
  return { target, field, picture: curve, sync, line: (row, index) => curve && curveOf(field, row, index) };
}

// A range with a margin on both sides.
const spread = (low, high) => [low - 0.08 * (high - low || 1), high + 0.08 * (high - low || 1)];

function numberInput(field, id, changed) {
  const [low, high] = field.range, step = field.whole ? 1 : (high - low) / 200 || 1;
  const slider = element("input", { type: "range", id, min: low, max: high, step,
    oninput: () => { box.value = figure(Number(slider.value)); changed([Number(slider.value)]); } });
  const box = element("input", { type: "number", step: "any", "aria-label": `${field.name}, as a number`, placeholder: "missing",
    oninput: () => { const value = box.value === "" ? NaN : Number(box.value); if (value === value) slider.value = value; changed([value]); } });
  return { head: element("div", { class: "row" }, element("label", { for: id }, field.name), box), input: slider,
    sync: (row) => {
      const value = row[field.first];
      box.value = Number.isNaN(value) ? "" : figure(value);
      if (!Number.isNaN(value)) slider.value = value;
    } };
}

function menuInput(field, id, changed) {
  const menu = element("select", { id, onchange: () => changed([Number(menu.value)]) }, element("option", { value: 0 }, "(missing or another)"),
    ...field.values.map((name, i) => element("option", { value: i + 1 }, name)));
  return { head: element("label", { for: id }, field.name), input: menu, sync: (row) => { menu.value = row[field.first] || 0; } };
}

function clockInput(field, id, changed) {
  const time = element("input", { type: "time", id,
    onchange: () => changed(momentParts(time.value ? new Date(`1970-01-01T${time.value}Z`) : null, 1)) });
  return { head: element("label", { for: id }, field.name), input: time, sync: (row) => {
    const hour = row[field.first];
    time.value = Number.isNaN(hour) ? "" : new Date(Math.round(hour * 3600) * 1e3).toISOString().slice(11, 16);
  } };
}

function dateInput(field, id, changed) {
  if (field.parts === 1) return clockInput(field, id, changed);
  const day = element("input", { type: field.parts > 4 ? "datetime-local" : "date", id,
    onchange: () => changed(momentParts(day.value ? new Date(`${day.value}${day.value.includes("T") ? "" : "T00:00"}Z`) : null, field.parts)) });
  return { head: element("label", { for: id }, field.name), input: day, sync: (row) => {
    const [days, hour] = [row[field.first + 3], field.parts > 4 ? row[field.first + 4] : 0];
    day.value = Number.isNaN(days) ? "" : new Date((days * 24 + hour) * 3600e3).toISOString().slice(0, field.parts > 4 ? 16 : 10);
  } };
}
