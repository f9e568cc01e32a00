// What the network answers: in large, as bars, and as a sentence for screen readers.

const HAS_CLASSES = facts.task === "classify" || facts.task === "multilabel";
const MOST_BARS = 12;

// The first of the last layer's units that an answer is read from: of several quantiles the middle one is the answer.
const ANSWER_UNIT = HAS_CLASSES ? 0 : Math.floor(facts.levels / 2) * facts.classes.length;

// Of several numbers the one that curves and paths are of.
const chosen = { target: 0 };

// The answer for one row of the values; with intervals also its lower and upper bounds.
function answerOf(values, row = 0) {
  if (!HAS_CLASSES) {
    const of = ({ data, shape }) => Array.from(data.subarray((row * data.length) / shape[0], ((row + 1) * data.length) / shape[0]));
    return { numbers: of(values.prediction), bounds: facts.coverage ? [of(values.lower), of(values.upper)] : null, index: chosen.target };
  }
  const k = facts.classes.length, shares = Array.from(values.probabilities.data.subarray(row * k, (row + 1) * k));
  return { shares, index: shares.indexOf(Math.max(...shares)) };
}

function textOf({ shares, numbers, index }) {
  if (numbers) return numbers.map((number, i) => [facts.targets[i], figure(number)].filter(Boolean).join(" ")).join(", ");
  if (facts.task === "classify") return facts.classes[index];
  return facts.classes.filter((_, i) => shares[i] > 0.5).join(", ") || "none of them";
}

// How sure the answer is: the probability of its class, or the interval of its number.
function noteOf({ shares, numbers, bounds, index }) {
  if (shares) return `${percent(shares[index])} sure`;
  if (!bounds) return "";
  const spans = numbers.map((_, i) => `${figure(bounds[0][i])} and ${figure(bounds[1][i])}`);
  const named = spans.map((span, i) => [facts.targets[i], span].filter(Boolean).join(" "));
  return `${Math.round(100 * facts.coverage)} % lie between ${named.join(", ")}`;
}

function sentenceOf(answer) {
  if (answer.numbers) return `${facts.targets.length ? "The prediction" : facts.label || "The prediction"} is ${textOf(answer)}.`;
  const order = answer.shares.map((_, i) => i).sort((a, b) => answer.shares[b] - answer.shares[a]).slice(0, 3);
  return `The answer is ${textOf(answer)}. ${order.map((i) => `${facts.classes[i]}: ${percent(answer.shares[i])}`).join(", ")}.`;
}

// The card of the answer; its show(answer, note) without an answer says the note.
function answerCard() {
  const large = element("strong", {}), note = element("span", { class: "quiet" });
  const bars = element("ol", { class: facts.classes.every((name) => name.length < 3) ? "bars" : "bars named" });
  const spoken = element("p", { class: "hidden-text", role: "status", "aria-live": "polite" });
  const target = card("The answer", element("div", { class: "answer" }, large, note), bars, spoken);
  let waiting = 0;
  function speak(text) {
    clearTimeout(waiting);
    waiting = setTimeout(() => { spoken.textContent = text; }, 500);
  }
  target.show = (answer, text) => {
    large.textContent = answer ? textOf(answer) : "";
    large.className = large.textContent.length > 6 ? "long" : "";
    note.textContent = text;
    if (!answer || answer.numbers) bars.replaceChildren();
    else showBars(bars, answer);
    speak(answer ? `${sentenceOf(answer)} ${text}` : text);
  };
  return target;
}

function showBars(bars, { shares, index }) {
  let shown = shares.map((_, i) => i);
  if (shown.length > MOST_BARS) shown = shown.sort((a, b) => shares[b] - shares[a]).slice(0, MOST_BARS);
  while (bars.children.length > shown.length) bars.lastChild.remove();
  while (bars.children.length < shown.length) {
    bars.append(element("li", {}, element("span", { class: "name" }),
      element("span", { class: "track", "aria-hidden": "true" }, element("span", { class: "fill" })),
      element("span", { class: "share" })));
  }
  shown.forEach((i, place) => {
    const line = bars.children[place], [name, track, share] = line.children;
    name.textContent = name.title = facts.classes[i];
    track.firstChild.style.width = `${100 * shares[i]}%`;
    share.textContent = percent(shares[i]);
    line.className = (facts.task === "classify" ? i === index : shares[i] > 0.5) ? "first" : "";
  });
}
