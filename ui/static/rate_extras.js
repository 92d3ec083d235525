/* What goes beside a vote: reasons, edits, flags, guidelines. Each is optional and none is in the
   way of a vote. Texts of people and models are only ever set as text; the guidelines are HTML that
   the server has cleaned. */

const CELLS = 1_500_000; // the largest table of a comparison; beyond it a part is shown as replaced
const FLAGS = {
  cannot_judge: "I can’t judge this",
  unsafe: "Harmful or unsafe",
  pii: "Names a private person",
  identity_leak: "Says which model wrote it",
  broken_render: "Looks broken",
  off_topic: "Off topic",
  duplicate: "The same as another",
};
const EDITABLE = 20_000; // characters; a longer answer was cut for the page

function make(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

function toggle(label, on, change) {
  const made = make("button", "tl-rate-chip", label);
  made.type = "button";
  made.setAttribute("aria-pressed", String(on));
  made.addEventListener("click", () => {
    const now = made.getAttribute("aria-pressed") !== "true";
    made.setAttribute("aria-pressed", String(now));
    change(now);
  });
  return made;
}

/** Radio buttons that look like chips: `choices` is {value: label}. */
function chips(name, legend, choices, chosen) {
  const group = make("fieldset", "tl-rate-chips");
  group.append(make("legend", "", legend));
  Object.entries(choices).forEach(([value, label]) => {
    const chip = make("label", "tl-rate-chip");
    const radio = Object.assign(make("input"), { type: "radio", name, value, required: true });
    radio.checked = value === chosen;
    chip.append(radio, make("span", "", label));
    group.append(chip);
  });
  return group;
}

/** A dialog that is thrown away when it closes; `done` is called when its form is sent. */
function dialog(rating, title, parts, label, done) {
  const box = make("dialog", "tl-rate-form");
  box.setAttribute("aria-label", title);
  const form = make("form");
  form.method = "dialog";
  const send = make("button", "tl-rate-main", label);
  const cancel = Object.assign(make("button", "tl-rate-quiet", "Cancel"), { type: "button" });
  cancel.addEventListener("click", () => box.close());
  const foot = make("div", "tl-rate-foot");
  foot.append(...(done ? [cancel, send] : [send]));
  form.append(make("h2", "", title), ...parts, foot);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    box.close();
    if (done) done();
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  box.append(form);
  box.addEventListener("close", () => box.remove());
  rating.root.append(box);
  return { box, form, send };
}

// -- reasons ----------------------------------------------------------------------------------

/** Show or hide the reasons; they stay open from pair to pair until they are closed. */
export function why(rating) {
  const drawer = rating.find(".tl-rate-why");
  drawer.hidden = !drawer.hidden;
  refresh(rating);
  const first = drawer.querySelector("button");
  if (drawer.hidden || !first) rating.focus();
  else first.focus({ preventScroll: true });
}

/** Draw what was said so far beside the vote to come. */
export function refresh(rating) {
  const { said } = rating;
  const drawer = rating.find(".tl-rate-why");
  rating.find("[data-do=why]").setAttribute("aria-expanded", String(!drawer.hidden));
  rating.find("[data-do=clearly]").setAttribute("aria-pressed", String(said.clearly));
  rating.root.querySelectorAll("article").forEach((each) => {
    const edited = said.edit?.side === each.dataset.side;
    each.querySelector(".tl-rate-edited").hidden = !edited;
  });
  if (!drawer.hidden && drawn.get(drawer) !== said) draw(rating, drawer);
}

const drawn = new WeakMap(); // what a drawer was drawn for: half a typed reason is not drawn over

function draw(rating, drawer) {
  const { said } = rating;
  drawn.set(drawer, said);
  const reasons = make("div", "tl-rate-chips");
  (rating.known.reasons || []).forEach((reason) => {
    reasons.append(toggle(reason, said.reasons.has(reason), (on) =>
      (on ? said.reasons.add(reason) : said.reasons.delete(reason))));
  });
  const words = Object.assign(make("input", "tl-rate-words"), {
    type: "text", maxLength: 2000, placeholder: "In your own words (optional)",
    value: said.rationale, oninput: () => { said.rationale = words.value; },
  });
  words.setAttribute("aria-label", "Why, in your own words");
  words.addEventListener("keydown", (event) => {
    if (!event.isComposing && ["Enter", "Escape"].includes(event.key)) rating.focus();
  });
  const two = !rating.single() && !rating.ranked();
  drawer.replaceChildren(reasons, ...(two ? [ticks(said)] : []), words);
}

function ticks(said) {
  const row = make("div", "tl-rate-chips tl-rate-ticks");
  row.append(make("span", "", "Good enough to send:"));
  [["left", "Answer 1"], ["right", "Answer 2"]].forEach(([side, label]) => {
    const tick = toggle(label, Boolean(said.fine[side]), (on) => { said.fine[side] = on; });
    tick.setAttribute("aria-label", `${label} is good enough to send`);
    row.append(tick);
  });
  return row;
}

// -- flags ------------------------------------------------------------------------------------

/** Ask what is wrong with the pair, and leave it to a person. */
export function flag(rating) {
  const where = rating.single()
    ? { prompt: "The question", left: "The answer" }
    : { prompt: "The question", ...answers(rating), comparison: "The whole comparison" };
  const note = make("textarea", "tl-rate-words");
  Object.assign(note, { rows: 2, maxLength: 1000, placeholder: "A note (optional)" });
  note.setAttribute("aria-label", "A note");
  const parts = [
    make("p", "", "You won’t rate this one. A person looks at what you found."),
    chips("kind", "What is wrong?", FLAGS),
    chips("target", "Where?", where, rating.single() ? "left" : "comparison"),
    note,
  ];
  const { box, form } = dialog(rating, "Flag a problem", parts, "Flag and go on", () => {
    const said = new FormData(form);
    rating.flag(said.get("target"), said.get("kind"), note.value.trim());
  });
  rating.open(box);
}

/** The answers on the screen by their places. */
function answers(rating) {
  const places = ["left", "right", "third", "fourth"].slice(0, 2 + (rating.pair.more_html || []).length);
  return Object.fromEntries(places.map((side, n) => [side, `Answer ${n + 1}`]));
}

// -- edits ------------------------------------------------------------------------------------

/** Let the rater make an answer better; the new text goes with the vote that follows. */
export function edit(rating, side = "") {
  const { pair, said } = rating;
  if (!pair || pair.left_text === undefined) return;
  const reading = rating.find("[data-go=right]").getAttribute("aria-pressed") === "true";
  const at = side || said.edit?.side || (rating.narrow() && reading ? "right" : "left");
  const texts = { left: pair.left_text, right: pair.right_text };
  [texts.third, texts.fourth] = pair.more_text || [];
  const before = texts[at];
  const name = rating.single() ? "the answer" : answers(rating)[at].replace("A", "a");
  const area = Object.assign(make("textarea", "tl-rate-area"), {
    value: said.edit?.side === at ? said.edit.text : before, rows: 9, maxLength: EDITABLE,
    dir: "auto",
  });
  area.setAttribute("aria-label", `Better text of ${name}`);
  const changes = make("div", "tl-rate-diff");
  changes.setAttribute("aria-label", "Your changes");
  changes.setAttribute("role", "region");
  changes.tabIndex = 0;
  const count = make("p", "tl-rate-changes");
  count.setAttribute("role", "status");
  const { box, form, send } = dialog(rating, `Make ${name} better`,
    [make("p", "", "Change as little as it needs. Then vote as you would have: the vote and your " +
      "text are kept together."), area, count, changes], "Keep my edit", () => {
      said.edit = { side: at, text: area.value };
      refresh(rating);
    });
  if (!rating.single()) form.querySelector(".tl-rate-foot").prepend(...others(rating, box, at));
  let asked = 0;
  const look = () => {
    asked = 0;
    const valid = area.value.trim() && area.value.trim() !== before.trim();
    send.disabled = !valid || before.length >= EDITABLE;
    const parts = wordDiff(before, area.value);
    count.textContent = before.length >= EDITABLE
      ? "This answer is too long to edit here." : summary(parts, area.value);
    changes.replaceChildren(...parts.map(([kind, text]) =>
      make({ "+": "ins", "-": "del", "=": "span" }[kind], "", text)));
  };
  area.addEventListener("input", () => { asked = asked || requestAnimationFrame(look); });
  look();
  rating.open(box);
  area.focus();
}

/** The buttons from one answer's edit to the others'; the text typed so far is dropped. */
function others(rating, box, side) {
  const places = Object.entries(answers(rating)).filter(([there]) => there !== side);
  return places.map(([there, label]) => {
    const swap = make("button", "tl-rate-quiet", `${label} instead`);
    swap.type = "button";
    swap.addEventListener("click", () => {
      box.close();
      edit(rating, there);
    });
    return swap;
  });
}

function summary(parts, after) {
  if (!after.trim()) return "An empty answer can’t be kept.";
  const words = (kind) => parts.filter(([each]) => each === kind)
    .reduce((sum, [, text]) => sum + (text.match(/[^\s]+/g) || []).length, 0);
  const [added, taken] = [words("+"), words("-")];
  return added + taken
    ? `${added} ${added === 1 ? "word" : "words"} added, ${taken} taken away.`
    : "Nothing is changed yet.";
}

function pieces(text) {
  const cut = new Intl.Segmenter(undefined, { granularity: "word" });
  return Array.from(cut.segment(text), ({ segment }) => segment);
}

/** [["=" | "-" | "+", text], …]: how `before` becomes `after`, word by word. */
export function wordDiff(before, after) {
  const [a, b] = [pieces(before), pieces(after)];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < Math.min(a.length, b.length) - start && a.at(-1 - end) === b.at(-1 - end)) end += 1;
  const same = (words) => words.map((word) => ["=", word]);
  const middle = between(a.slice(start, a.length - end), b.slice(start, b.length - end));
  const all = [...same(a.slice(0, start)), ...middle, ...same(a.slice(a.length - end))];
  return all.reduce((merged, [kind, text]) => {
    const last = merged.at(-1);
    if (last && last[0] === kind) last[1] += text;
    else merged.push([kind, text]);
    return merged;
  }, []);
}

/** The longest common subsequence of what is left between the common ends. */
function between(a, b) {
  const [taken, added] = [a.map((word) => ["-", word]), b.map((word) => ["+", word])];
  if (!a.length || !b.length || a.length * b.length > CELLS) return [...taken, ...added];
  const wide = b.length + 1;
  const longest = new Uint16Array((a.length + 1) * wide);
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      longest[i * wide + j] = a[i] === b[j]
        ? longest[(i + 1) * wide + j + 1] + 1
        : Math.max(longest[(i + 1) * wide + j], longest[i * wide + j + 1]);
    }
  }
  const found = [];
  let [i, j] = [0, 0];
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) {
      found.push(["=", a[i]]);
      [i, j] = [i + 1, j + 1];
    } else if (longest[(i + 1) * wide + j] >= longest[i * wide + j + 1]) found.push(taken[i++]);
    else found.push(added[j++]);
  }
  return [...found, ...taken.slice(i), ...added.slice(j)];
}

// -- guidelines -------------------------------------------------------------------------------

/** Show how this round is to be judged. */
export function guidelines(rating) {
  const text = make("div", "tl-rate-text");
  text.innerHTML = rating.known.guidelines.html;
  text.tabIndex = 0;
  const { box, send } = dialog(rating, "How to judge", [text], "Start rating", null);
  rating.open(box);
  send.focus();
}
