// Cells of a CSV as the network's numbers, read as portanet/data reads them.

const TIME_OF_DAY = "(?:[T ]+(?<H>\\d{1,2}):(?<M>\\d{2})(?::(?<S>\\d{2})(?:[.,]\\d{1,9})?)?(?<P> ?[AaPp]\\.?[Mm]\\.?)?(?: ?(?:Z|UTC|[+-]\\d{2}:?\\d{2}))?)?";
const MONTH_NAME = "(?<name>[A-Za-z]{3})[a-z]*\\.?", WEEKDAY = "(?:[A-Za-z]{3,9},? )?", YEAR = "(?<y>1[5-9]\\d\\d|2[01]\\d\\d)";
const YEAR_FIRST = "(?<y>\\d{4})(?<s>[-/.])(?<m>\\d{1,2})\\k<s>(?<d>\\d{1,2})";
const DATE_FORMS = {
  "year-month-day": YEAR_FIRST + TIME_OF_DAY,
  "datetime64": YEAR_FIRST + TIME_OF_DAY,
  "day.month.year": `(?<d>\\d{1,2})(?<s>[-/.])(?<m>\\d{1,2})\\k<s>(?<y>\\d{4}|\\d{2})${TIME_OF_DAY}`,
  "month/day/year": `(?<m>\\d{1,2})(?<s>[-/.])(?<d>\\d{1,2})\\k<s>(?<y>\\d{4}|\\d{2})${TIME_OF_DAY}`,
  "day month-name year": `${WEEKDAY}(?<d>\\d{1,2})[- ]${MONTH_NAME}[- ,]+(?<y>\\d{4}|\\d{2})${TIME_OF_DAY}`,
  "month-name day year": `${WEEKDAY}${MONTH_NAME} (?<d>\\d{1,2}),? (?<y>\\d{4})${TIME_OF_DAY}`,
  "year-month": `${YEAR}[-/.](?<m>\\d{1,2})`,
  "month/year": `(?<m>\\d{1,2})[-/.]${YEAR}`,
  "month-name year": `${MONTH_NAME}[- ,]+${YEAR}`,
  "hour:minute": "(?<H>\\d{1,2})(?::(?<M>\\d{2})(?::(?<S>\\d{2})(?:[.,]\\d{1,9})?)?|\\.(?<minutes>\\d{2})\\.(?<seconds>\\d{2}))(?<P> ?[AaPp]\\.?[Mm]\\.?)?",
  "yearmonthday": "(?<y>\\d{4})(?<m>\\d{2})(?<d>\\d{2})",
  "unix seconds": "(?<u>[+-]?\\d{1,11})(?:\\.0*)?",
};
const LARGEST_NUMBER = 3.4028234663852886e38; // in float32
const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

// The moment of a text of this form, without its time zone; null for any other text.
function momentOf(text, form) {
  const match = text.length <= 60 && new RegExp(`^(?:${DATE_FORMS[form.replace(" time", "")]})$`).exec(text);
  if (!match) return null;
  const { y = "1970", m = 1, d = 1, name, H = 0, M, S, minutes = 0, seconds = 0, P, u } = match.groups, moment = new Date(0);
  if (u) {
    moment.setTime(1000 * Number(u));
    return moment.getUTCFullYear() >= 1 ? moment : null;
  }
  const year = Number(y) + (y.length === 4 ? 0 : Number(y) < 69 ? 2000 : 1900);
  const month = name ? MONTHS.indexOf(name.toLowerCase()) : Number(m) - 1, later = P?.trim()[0].toLowerCase() === "p";
  const [hour, minute, second] = [P ? (Number(H) % 12) + 12 * later : Number(H), Number(M ?? minutes), Number(S ?? seconds)];
  moment.setUTCFullYear(year, month, Number(d)); // a day beyond the end of the month changes the month
  if (year < 1 || moment.getUTCMonth() !== month || hour > 23 || minute > 59 || second > 59) return null;
  moment.setUTCHours(hour, minute, second);
  return moment;
}

// Year, month, weekday from Monday, days since 1970 and hour, or the hour alone, as in portanet/data/dates.py.
function momentParts(moment, parts) {
  if (!moment || Number.isNaN(moment.getTime())) return new Array(parts).fill(NaN);
  const hour = moment.getUTCHours() + moment.getUTCMinutes() / 60 + moment.getUTCSeconds() / 3600;
  const days = Math.floor(moment.getTime() / 864e5);
  return [moment.getUTCFullYear(), moment.getUTCMonth() + 1, (moment.getUTCDay() + 6) % 7, days, hour].slice(...(parts === 1 ? [4] : [0, parts]));
}

// A reader of CSV rows for a table: columns are found by name and read as in training.
function tableReader(head) {
  const names = head.map((name) => name.trim());
  const indices = facts.fields.map((field) => names.indexOf(field.name.trim()));
  const absent = indices.indexOf(-1);
  if (absent >= 0) throw new Error(`The column ${facts.fields[absent].name} is missing.`);
  return (row, number) => facts.fields.flatMap((field, i) => cellParts(field, (row[indices[i]] ?? "").trim(), number));
}

function cellParts(field, cell, number) {
  const dialect = facts.table?.dialect ?? {}, lowered = cell.toLowerCase();
  if (field.values.length) return [codeOf(field, cell)];
  if (MISSING.has(lowered) || dialect.missing?.includes(lowered)) return new Array(field.parts).fill(NaN);
  const invalid = (expected) => new Error(`Row ${number}, column ${field.name}: "${cell.slice(0, 40)}" is not a ${expected}.`);
  if (field.kind === "date") {
    const moment = momentOf(cell, field.form);
    if (!moment) throw invalid(`date of the form ${field.form}`);
    return momentParts(moment, field.parts);
  }
  const plain = plainNumber(cell, dialect, field.sign);
  if (!NUMERAL.test(plain) || Math.abs(Number(plain)) > LARGEST_NUMBER) throw invalid("number");
  return [Number(plain)];
}

// A number in JavaScript's notation, from the sign of its column and the marks of the training file.
function plainNumber(cell, { decimal = ".", thousands = "" }, sign = "") {
  const mark = thousands || (sign && { ".": ",", ",": "." }[decimal]), grouped = `^[+-]?\\d{1,3}([${mark}]\\d{2,3})*[${mark}]\\d{3}([${decimal}]\\d*)?$`;
  let text = sign ? withoutSign(cell, sign) : cell;
  if (mark && text.includes(mark)) text = text.replaceAll(mark, new RegExp(grouped).test(text) ? "" : "x");
  return decimal === "." ? text : text.replaceAll(".", "x").replaceAll(decimal, ".");
}

// A number's text without its sign, and with a minus for parentheses, as in portanet/data/signs.py.
function withoutSign(cell, sign) {
  const negative = /^\(.*\)$/.test(cell), inner = negative ? cell.slice(1, -1) : cell;
  const minus = negative ? "-" : /^[+-]/.exec(inner)?.[0] ?? "", text = (negative ? inner : inner.slice(minus.length)).trim();
  const bare = text.startsWith(sign) ? text.slice(sign.length) : text.endsWith(sign) ? text.slice(0, -sign.length) : text;
  return minus + bare.trim();
}

const TRUTHS = [["no", "n", "false", "f", "off", "0"], ["yes", "y", "true", "t", "on", "1"]];

// The code of a category; 0 for a missing or unknown one.
function codeOf(field, cell) {
  const { kind, values } = field, pairs = values.map((text, i) => [text, i + 1]);
  field.codes ??= new Map([...pairs.map(([text, code]) => [shortest(text), code]).reverse(), ...pairs]);
  const code = field.codes.get(cell) ?? field.codes.get(shortest(cell));
  if (code) return code;
  return kind === "yes/no" ? TRUTHS.findIndex((texts) => texts.includes(cell.toLowerCase())) + 1 : 0;
}

// An integer in its shortest form, so that "07" and "7.0" are "7"; other text unchanged.
function shortest(text) {
  if (/^[+-]?\d{1,300}$/.test(text)) return String(BigInt(text.replace("+", "")));
  const value = NUMERAL.test(text) ? Number(text) : NaN;
  return Number.isInteger(value) && Math.abs(value) < 2 ** 53 ? String(BigInt(value)) : text;
}
