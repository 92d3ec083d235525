/* Putting three or four answers in order: by keys, by taps, by dragging. `groups` holds the answers
   placed so far, best first; those of one group are as good as each other. Where one answer is left
   it is the last, so three picks order four answers. Nothing is sent before the order is saved. */

export const SIDES = ["left", "right", "third", "fourth"];
const EDGE = 0.3; // of a place: there a dragged answer goes before or after it, between it ties
const named = (side) => `Answer ${SIDES.indexOf(side) + 1}`;

/** The answers on the screen. */
export function shown(rating) {
  const number = rating.pair ? 2 + (rating.pair.more_html || []).length : 0;
  return rating.ranked() ? SIDES.slice(0, number) : [];
}

/** All answers in groups, best first; null while two or more are not placed. */
export function whole(rating) {
  const { groups } = rating.order;
  const open = unplaced(rating);
  if (open.length > 1 || (open.length && !groups.length)) return null;
  return open.length ? [...groups, open] : groups;
}

/** The rank of each answer as it stands, 1 for the best. */
export function ranks(rating) {
  const groups = whole(rating);
  return shown(rating).map((side) => 1 + groups.findIndex((group) => group.includes(side)));
}

function unplaced(rating) {
  const placed = rating.order.groups.flat();
  return shown(rating).filter((side) => !placed.includes(side));
}

function lift(rating, side) {
  rating.order.groups = rating.order.groups
    .map((group) => group.filter((each) => each !== side)).filter((group) => group.length);
}

/** Give an answer the next rank, or the last one given with `tie`; take its rank away if it has one. */
export function pick(rating, side, tie = false) {
  if (!shown(rating).includes(side)) return;
  const { order } = rating;
  const equal = (tie || order.equal) && order.groups.length;
  order.equal = false;
  if (order.groups.flat().includes(side)) lift(rating, side);
  else if (equal) order.groups.at(-1).push(side);
  else order.groups.push([side]);
  draw(rating);
}

/** Take the last answer that was placed off again; false where none was. */
export function unpick(rating) {
  const last = rating.order.groups.at(-1);
  if (!last) return false;
  lift(rating, last.at(-1));
  draw(rating);
  return true;
}

/** The next answer is as good as the last one placed. */
export function equal(rating) {
  rating.order.equal = !rating.order.equal && rating.order.groups.length > 0;
  draw(rating);
}

function make(tag, className, text = "") {
  return Object.assign(document.createElement(tag), { className, textContent: text });
}

/** Draw ranks on the answers, the order below them, and whether it can be saved. */
export function draw(rating) {
  const box = rating.find(".tl-rate-order");
  const on = rating.ranked();
  box.hidden = !on;
  rating.root.querySelectorAll("[data-rank]").forEach((each) => { each.hidden = !on; });
  rating.root.querySelectorAll("article .tl-rate-head").forEach((each) => { each.draggable = on; });
  if (!on) return;
  const { groups } = rating.order;
  const all = whole(rating) || groups;
  shown(rating).forEach((side) => {
    const rank = 1 + all.findIndex((group) => group.includes(side));
    const badge = rating.find(`[data-rank=${side}]`);
    badge.textContent = rank || "–";
    badge.classList.toggle("is-set", rank > 0);
    badge.classList.toggle("is-last", !groups.flat().includes(side));
    badge.setAttribute("aria-label",
      rank ? `${named(side)}: rank ${rank}. Take it away` : `${named(side)}: give the next rank`);
  });
  box.replaceChildren(...all.map((group, n) => place(rating, group, n)), ...hint(rating, all));
  rating.find("[data-vote=ranked]").disabled = !whole(rating);
  rating.find("[data-do=undo]").disabled = !(rating.pair.can_undo || groups.length);
  const tie = rating.find("[data-do=equal]");
  tie.setAttribute("aria-pressed", String(rating.order.equal));
  tie.disabled = !groups.length || !unplaced(rating).length;
}

function hint(rating, all) {
  const left = shown(rating).length - all.flat().length;
  if (!left) return [];
  const [what, how] = all.length ? ["next", ""] : ["best", "first "];
  const words = rating.narrow() ? `Tap the ${what} answer${how && " first"}`
    : `Press the number of the ${what} answer ${how}or drag its title here`;
  return [make("span", "tl-rate-hint", words)];
}

function place(rating, group, number) {
  const box = make("span", "tl-rate-place");
  box.dataset.place = number;
  box.append(make("b", "", `${number + 1}.`));
  group.forEach((side, n) => {
    if (n) box.append(make("i", "", "="));
    const chip = make("button", "tl-rate-placed");
    chip.append(make("span", "", "Answer "), `${SIDES.indexOf(side) + 1}`); // a phone has the number
    chip.type = "button";
    chip.dataset.placed = side;
    chip.draggable = true;
    chip.setAttribute("aria-label", `Take ${named(side)} out of the order`);
    box.append(chip);
  });
  return box;
}

// -- dragging -----------------------------------------------------------------------------------

/** Where a drag is over the order: [the place, "before" | "tie" | "after"]; null for its end. */
function over(event) {
  const at = event.target.closest?.("[data-place]");
  if (!at) return null;
  const { left, width } = at.getBoundingClientRect();
  const part = (event.clientX - left) / width;
  return [at, part < EDGE ? "before" : part > 1 - EDGE ? "after" : "tie"];
}

function clear(box) {
  box.classList.remove("is-over");
  box.querySelectorAll("[data-drop]").forEach((each) => delete each.dataset.drop);
}

/** Let titles of answers, and placed answers, be dragged into the order. */
export function draggable(rating) {
  const box = rating.find(".tl-rate-order");
  let dragged = null;
  rating.root.addEventListener("dragstart", (event) => {
    const from = event.target.closest?.("[data-placed], .tl-rate-head");
    const side = from?.dataset.placed || from?.closest("article")?.dataset.side;
    if (!side || !rating.ranked()) return;
    dragged = side;
    event.dataTransfer.setData("text/plain", named(side));
    event.dataTransfer.effectAllowed = "move";
  });
  rating.root.addEventListener("dragend", () => {
    dragged = null;
    clear(box);
  });
  box.addEventListener("dragover", (event) => {
    if (!dragged) return;
    event.preventDefault();
    clear(box);
    const there = over(event);
    if (there) [there[0].dataset.drop] = [there[1]];
    else box.classList.add("is-over");
  });
  box.addEventListener("dragleave", (event) => {
    if (!box.contains(event.relatedTarget)) clear(box);
  });
  box.addEventListener("drop", (event) => {
    if (!dragged) return;
    event.preventDefault();
    const there = over(event);
    const side = dragged;
    dragged = null;
    drop(rating, side, there && Number(there[0].dataset.place), there && there[1]);
  });
}

function drop(rating, side, number, how) {
  const { order } = rating;
  const all = (whole(rating) || order.groups).map((group) => [...group]);
  const target = number === null ? null : all[number];
  const [first] = target ? target.filter((each) => each !== side) : [];
  order.groups = all;
  lift(rating, side);
  const at = order.groups.findIndex((group) => group.includes(first));
  if (at < 0) order.groups.splice(number ?? order.groups.length, 0, [side]);
  else if (how === "tie") order.groups[at].push(side);
  else order.groups.splice(at + (how === "after" ? 1 : 0), 0, [side]);
  draw(rating);
}
