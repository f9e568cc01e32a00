// CSV: from text to rows of cells and back.

// Excel's first line, such as sep=; names the separator and is no row.
function csvRows(content) {
  const [line, declared] = /^sep=(.)(?:\r\n|\r|\n|$)/.exec(content) ?? [""], text = content.slice(line.length);
  const separator = declared ?? separatorOf(text), rows = [[]];
  let cell = "", quoted = false;
  for (let i = 0; i < text.length; i++) {
    const letter = text[i];
    if (quoted) {
      if (letter !== '"') cell += letter;
      else if (text[i + 1] === '"') cell += '"', i++;
      else quoted = false;
    } else if (letter === '"' && cell === "") quoted = true;
    else if (letter === separator) rows.at(-1).push(cell), cell = "";
    else if (letter === "\n" || letter === "\r") {
      if (letter === "\r" && text[i + 1] === "\n") i++;
      rows.at(-1).push(cell), cell = "";
      rows.push([]);
    } else cell += letter;
  }
  rows.at(-1).push(cell);
  return rows.filter((row) => row.length > 1 || row[0] !== "");
}

// The most frequent separator in the first line.
function separatorOf(text) {
  const line = text.split("\n", 1)[0];
  return [",", ";", "\t"].reduce((best, each) => (line.split(each).length > line.split(best).length ? each : best));
}

function csvText(rows) {
  const cell = (value) => (/[",\r\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : String(value));
  return rows.map((row) => `${row.map(cell).join(",")}\n`).join("");
}

function download(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

const MISSING = new Set(["", "?", "na", "n/a", "#n/a", "#na", "<na>", "nan", "-nan", "nat", "null", "none", "-"]);
const NUMERAL = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/;
const MOST_SHOWN = 200;

// Many rows at once: a CSV that is opened, dropped or pasted, and the predictions as a table and as a file.
function manyCard() {
  const text = element("textarea", { id: "many", spellcheck: "false", "aria-describedby": "many-status" });
  const status = element("p", { class: "quiet", id: "many-status", role: "status" }), shown = element("div");
  const save = element("button", { hidden: true, onclick: () => download("answers.csv", csvText(target.rows)) }, "Download the answers");
  const target = card("Several rows at once",
    element("p", { class: "quiet" }, "Drop or open a CSV file with a header, or paste one here."),
    element("label", { for: "many", class: "hidden-text" }, "Rows as CSV"), text,
    element("div", { class: "row" }, element("button", { class: "main", onclick: () => run(text.value) }, "Answer all rows"), save), status, shown);
  target.rows = [];

  function run(content) {
    shown.replaceChildren();
    save.hidden = true;
    try {
      target.rows = answersOf(csvRows(content.replace(/^\ufeff/, "")));
    } catch (error) {
      status.textContent = error.message;
      return;
    }
    const [head, ...rows] = target.rows, cut = rows.length > MOST_SHOWN ? `; the first ${MOST_SHOWN} are shown` : "";
    status.textContent = `${rows.length} rows answered${cut}.`;
    save.hidden = false;
    shown.append(element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "The answers" }, element("table", {},
      element("thead", {}, element("tr", {}, ...head.map((name) => element("th", { scope: "col" }, name)))),
      element("tbody", {}, ...rows.slice(0, MOST_SHOWN).map((row) => element("tr", {}, ...row.map((cell) => element("td", {}, String(cell)))))))));
  }

  target.read = (content) => {
    text.value = content.length < 20000 ? content : `${content.slice(0, 2000)}\n...`;
    run(content);
    target.scrollIntoView({ behavior: "smooth", block: "nearest" });
  };
  return target;
}

// The predictions for a CSV (header first) as rows of a table (header first).
function answersOf([head, ...rows]) {
  if (!head || !rows.length) throw new Error("The CSV has no rows below its header.");
  const encode = facts.fields && (facts.table || facts.columns) ? tableReader(head) : numbersReader(head), length = size(network.inputs[0].shape), table = [];
  const names = HAS_CLASSES ? ["Label", ...facts.classes.map((name) => `probability of ${name}`)]
    : ["", ...(facts.coverage ? [" lower", " upper"] : [])].flatMap((name) => (facts.targets.length ? facts.targets.map((target) => target + name) : name.trim() || facts.label || "Prediction"));
  table.push(["Row", ...names]);
  for (let start = 0; start < rows.length; start += 256) {
    const block = rows.slice(start, start + 256), flat = new Float64Array(block.length * length);
    block.forEach((row, i) => flat.set(encode(row, start + i + 1), i * length));
    const values = answer(network, flat);
    block.forEach((_, i) => {
      const result = answerOf(values, i);
      table.push([start + i + 1, ...(result.numbers?.concat(...(result.bounds ?? [])) ?? [textOf(result), ...result.shares.map((share) => share.toFixed(6))])]);
    });
  }
  return table;
}

// A reader of rows of plain numbers, by the order of their columns.
function numbersReader(head) {
  const length = size(network.inputs[0].shape), names = head.map((name) => name.trim());
  const columns = names.map((_, i) => i).filter((i) => names[i] !== (facts.label || "label") && !facts.targets.includes(names[i]));
  if (columns.length !== length) throw new Error(`The network takes ${length} numbers in a row, but the header names ${columns.length}.`);
  return (row, number) => columns.map((column) => {
    const cell = (row[column] ?? "").trim();
    if (!NUMERAL.test(cell)) throw new Error(`Row ${number}, column ${head[column]}: "${cell.slice(0, 40)}" is not a number.`);
    return Number(cell);
  });
}
