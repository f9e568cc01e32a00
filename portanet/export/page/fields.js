// The columns of a table: inputs of a form, and cells of a CSV, as the numbers that the network takes.

// The input of one column: {target, sync(row), curve(row, index)}.
function control(field, changed) {
  const id = `field-${field.first}`, curve = field.kind === "date" ? null : canvas(160, 44, "", { class: "curve smooth" });
  const made = { number: numberInput, category: menuInput, "yes/no": menuInput, date: dateInput }[field.kind](field, id, changed);
  const target = element("div", { class: "field" }, made.head, made.input, curve);
  return { target, field, picture: curve, sync: made.sync, line: (row, index) => curve && curveOf(field, row, index) };
}

// A span with some room on both sides.
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

function dateInput(field, id, changed) {
  const day = element("input", { type: field.parts > 4 ? "datetime-local" : "date", id,
    onchange: () => changed(momentParts(day.value ? new Date(`${day.value}${day.value.includes("T") ? "" : "T00:00"}Z`) : null, field.parts)) });
  return { head: element("label", { for: id }, field.name), input: day, sync: (row) => {
    const [days, hour] = [row[field.first + 3], field.parts > 4 ? row[field.first + 4] : 0];
    day.value = Number.isNaN(days) ? "" : new Date((days * 24 + hour) * 3600e3).toISOString().slice(0, field.parts > 4 ? 16 : 10);
  } };
}

// Year, month, weekday from Monday, days since 1970, and the hour: as portanet/data/dates.py has them.
function momentParts(moment, parts) {
  if (!moment || Number.isNaN(moment.getTime())) return new Array(parts).fill(NaN);
  const hour = moment.getUTCHours() + moment.getUTCMinutes() / 60 + moment.getUTCSeconds() / 3600;
  const days = Math.floor(moment.getTime() / 864e5);
  return [moment.getUTCFullYear(), moment.getUTCMonth() + 1, (moment.getUTCDay() + 6) % 7, days, hour].slice(0, parts);
}

// Rows of a CSV for a table: each column is found by its name, and read as in training.
function tableReader(head) {
  const names = head.map((name) => name.trim());
  const places = facts.fields.map((field) => names.indexOf(field.name.trim()));
  const absent = places.indexOf(-1);
  if (absent >= 0) throw new Error(`There is no column ${facts.fields[absent].name}.`);
  return (row, number) => facts.fields.flatMap((field, i) => cellParts(field, (row[places[i]] ?? "").trim(), number));
}

function cellParts(field, cell, number) {
  if (MISSING.has(cell.toLowerCase())) return new Array(field.parts).fill(field.values.length ? 0 : NaN);
  if (field.kind === "date") return dateParts(field, cell, number);
  if (field.kind === "yes/no") return [field.values.map((name) => name.toLowerCase()).indexOf(cell.toLowerCase()) + 1];
  if (field.kind === "category") return [field.values.indexOf(cell) + 1];
  const { decimal, thousands } = facts.table?.dialect ?? { decimal: ".", thousands: "" };
  const plain = NUMERAL.test(cell) ? cell : (thousands ? cell.replaceAll(thousands, "") : cell).replace(decimal, ".");
  if (!NUMERAL.test(plain)) throw new Error(`Row ${number}, column ${field.name}: "${cell.slice(0, 40)}" is not a number.`);
  return [Number(plain)];
}

function dateParts(field, cell, number) {
  const form = field.form.replace(" time", ""), order = { "day.month.year": [3, 2, 1], "month/day/year": [3, 1, 2] }[form];
  let match = /^(\d{4})[-/.]?(\d{1,2})[-/.]?(\d{1,2})(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?/.exec(cell);
  if (order) {
    match = /^(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?/.exec(cell);
    if (match) match = [match[0], ...order.map((place) => match[place]), ...match.slice(4)];
  }
  const moment = form === "unix seconds" && NUMERAL.test(cell) ? new Date(Number(cell) * 1000)
    : match ? new Date(Date.UTC(match[1], match[2] - 1, match[3], match[4] || 0, match[5] || 0, match[6] || 0)) : new Date(`${cell} UTC`);
  if (Number.isNaN(moment.getTime())) throw new Error(`Row ${number}, column ${field.name}: "${cell.slice(0, 40)}" is not a date as ${field.form}.`);
  return momentParts(moment, field.parts);
}
