/* Blind rating. Mounts on every <div class="tl-rate" data-round="…">, now or later in the page.

   A vote is kept until the server has it: its key is made when the pair is shown, and the same key
   sent twice is one vote. The pair after this one is here already, so a vote shows it at once while
   one queue tells the server, in order. A field that the server does not send is a thing that this
   round does not have. The other files: its frame, its words, its queue, and what goes beside a vote. */
(async () => {
  "use strict";
  if (window.tuneloopRating) return;
  window.tuneloopRating = true;

  const { src } = document.currentScript;
  const parts = ["frame", "words", "outbox", "extras", "ranking"];
  const [{ FRAME }, { STATES, NEXT, SAID, TAKEN, ALL_RATED, LABELS }, { call, Outbox }, extras, ranking] =
    await Promise.all(parts.map((name) => import(new URL(`rate_${name}.js`, src))));

  const GUARD_MS = 300; // a second press of the same key must not reach the next pair
  const NARROW_PX = 700; // one answer under the other
  const POLL_MS = 4000;
  const BEAT_MS = 60000; // a pair that is being looked at stays this rater's
  const FLASH_MS = 160;
  const BREAK_MS = 20 * 60 * 1000;
  const VOTES = {
    arrowleft: "left", 1: "left", a: "left",
    arrowright: "right", 2: "right", b: "right",
    t: "tie", 0: "tie", x: "both_bad",
  };
  const PICKS = {
    1: "left", a: "left", 2: "right", b: "right", 3: "third", c: "third", 4: "fourth", d: "fourth",
  };
  const THUMBS = { left: "good", right: "bad" }; // where there is one answer
  const OTHERS = {
    s: "skip", u: "undo", w: "why", f: "flag", e: "edit", g: "guidelines", r: "raw",
  };
  const TYPING = "input, textarea, select, [contenteditable]:not([contenteditable='false']), " +
    "[role=slider], [role=listbox], [role=combobox]";

  class Rating {
    constructor(root) {
      this.root = root;
      this.round = root.dataset.round;
      this.pair = null;
      this.ahead = null; // the pair after this one
      this.outbox = new Outbox(this);
      this.busy = false;
      this.known = null; // the round's progress
      this.raw = false;
      this.order = { groups: [], equal: false }; // of answers that are ranked
      this.practice = true; // until a vote was answered without a lesson
      this.rested = { votes: 0, active: 0 }; // since the last break
      root.innerHTML = FRAME;
      this.find = (selector) => root.querySelector(selector);
      this.texts = [".tl-rate-prompt", ...ranking.SIDES.map((side) => `[data-side=${side}]`)]
        .map((part) => this.find(`${part} .tl-rate-text`));
      ranking.draggable(this);
      root.addEventListener("click", (event) => this.clicked(event));
      this.onKey = (event) => this.pressed(event);
      this.onSeen = () => this.clock();
      document.addEventListener("keydown", this.onKey);
      document.addEventListener("visibilitychange", this.onSeen);
      this.watcher = new IntersectionObserver(this.onSeen);
      this.watcher.observe(root);
      this.sizer = new ResizeObserver(() => this.fit());
      this.sizer.observe(root);
      this.beat = setInterval(() => this.stay(), BEAT_MS);
      this.onScroll = () => this.mark();
      document.addEventListener("scroll", this.onScroll, { passive: true, capture: true });
      this.start();
    }

    /** True once the page has thrown this away; lets go of the document then. */
    gone() {
      if (this.root.isConnected) return false;
      document.removeEventListener("keydown", this.onKey);
      document.removeEventListener("visibilitychange", this.onSeen);
      document.removeEventListener("scroll", this.onScroll, { capture: true });
      this.watcher.disconnect();
      this.sizer.disconnect();
      clearInterval(this.beat);
      return true;
    }

    seen() {
      return document.visibilityState === "visible" && this.root.getClientRects().length > 0;
    }

    /** Whether the server takes more than a choice with a vote. */
    rich() {
      return Boolean(this.known && this.known.mode);
    }

    single() {
      return Boolean(this.pair) && this.pair.mode === "single";
    }

    ranked() {
      return Boolean(this.pair) && this.pair.mode === "rank";
    }

    narrow() {
      return this.root.classList.contains("is-narrow");
    }

    // -- what is shown ------------------------------------------------------------------------

    async start() {
      if (this.gone()) return;
      const round = encodeURIComponent(this.round);
      try {
        this.known = await call(`${round}/progress`);
        if (this.known.status === "open") {
          this.offer();
          this.outbox.restore();
          if (!this.outbox.empty) await this.outbox.deliver();
          else this.take(await call(`${round}/next`));
          return;
        }
        this.state(this.known.status);
        if (this.known.status === "preparing") setTimeout(() => this.start(), POLL_MS);
      } catch (error) {
        if (error.temporary) {
          this.trouble("No connection. Trying again …");
          setTimeout(() => this.start(), POLL_MS);
        } else if (error.status === 404) this.state("gone");
        else this.trouble(error.message, "Try again", () => this.start());
      }
    }

    /** Show the controls for what this round has. */
    offer() {
      const rich = this.rich();
      this.find(".tl-rate-guest").hidden = !this.known.guest;
      this.root.querySelectorAll("[data-new], [data-do=why], [data-do=flag]").forEach((each) => {
        each.hidden = !rich;
      });
      this.find("[data-do=guidelines]").hidden = !this.guided();
      this.find(".tl-rate-how").hidden = this.guided(); // this round has its own
      this.keys(this.known.mode || "pair");
    }

    /** The help tells the keys of what is shown. */
    keys(mode) {
      this.root.querySelectorAll("[data-mode]").forEach((each) => {
        each.hidden = each.dataset.mode !== mode || ("new" in each.dataset && !this.rich());
      });
    }

    guided() {
      return Boolean(this.known && this.known.guidelines && this.known.guidelines.html);
    }

    /** Take the server's answer: what stands in front of the rater, and what comes after it. */
    take(answer) {
      let { comparison: pair, ahead = null } = answer;
      const at = this.pair && !this.busy ? this.pair.token : "";
      if (at && ahead && ahead.token === at) [pair, ahead] = [ahead, pair];
      this.ahead = ahead;
      if (answer.pause) this.paused(answer.pause);
      else if (at && pair && pair.token === at) this.renew(pair);
      else this.show(pair);
    }

    renew(pair) {
      this.pair.can_undo = pair.can_undo;
      this.count(pair.done, pair.total);
      this.find("[data-do=undo]").disabled = !pair.can_undo;
    }

    show(pair) {
      this.pair = pair;
      this.busy = false;
      this.order = { groups: [], equal: false };
      this.said = { reasons: new Set(), fine: {}, rationale: "", edit: null, clearly: false };
      if (this.outbox.empty) this.trouble("");
      this.calm();
      if (!pair) {
        this.finished();
        return;
      }
      this.fill();
      this.part("pair");
      this.count(pair.done, pair.total);
      this.find("[data-do=undo]").disabled = !pair.can_undo;
      this.key = crypto.randomUUID();
      this.shownAt = performance.now();
      this.active = 0;
      this.since = null;
      this.clock();
      this.focus();
      this.welcome();
    }

    /** The texts of the pair, all in one frame; engine/services/rating/safe_text.py cleaned them. */
    fill() {
      const { pair } = this;
      const [single, ranked] = [this.single(), this.ranked()];
      const [third, fourth] = pair.more_html || [];
      this.root.classList.toggle("is-single", single);
      this.root.classList.toggle("is-ranked", ranked);
      this.root.classList.toggle("is-four", fourth !== undefined);
      this.find("[data-side=left] h3").textContent = single ? "Answer" : "Answer 1";
      this.find("[data-side=right]").hidden = single;
      this.find("[data-side=third]").hidden = third === undefined;
      this.find("[data-side=fourth]").hidden = fourth === undefined;
      const offered = single ? ["good", "bad"]
        : ranked ? ["tie", "both_bad", "ranked"] : ["left", "right", "tie", "both_bad"];
      this.root.querySelectorAll("[data-vote]").forEach((each) => {
        each.hidden = !offered.includes(each.dataset.vote);
      });
      Object.entries(LABELS).forEach(([choice, [two, more]]) => {
        this.find(`[data-vote=${choice}] span`).textContent = ranked ? more : two;
      });
      this.keys(pair.mode || "pair");
      const plain = { left: pair.left_text, right: pair.right_text };
      [plain.third, plain.fourth] = pair.more_text || [];
      this.find("[data-do=raw]").hidden = plain.left === undefined;
      this.find("[data-do=clearly]").hidden = single || ranked || !this.rich();
      this.find("[data-do=equal]").hidden = !ranked;
      this.root.querySelectorAll("[data-edit]").forEach((each) => {
        each.hidden = !this.rich() || plain[each.dataset.edit] === undefined;
      });
      [pair.prompt_html, pair.left_html, pair.right_html, third, fourth].forEach((html, n) => {
        const side = [null, ...ranking.SIDES][n];
        this.write(this.texts[n], html || "", side && this.raw ? plain[side] : undefined);
      });
      extras.refresh(this);
      ranking.draw(this);
      this.fit();
    }

    write(box, html, plain) {
      if (plain === undefined) box.innerHTML = html;
      else {
        const raw = Object.assign(document.createElement("div"), { textContent: plain });
        raw.className = "tl-rate-raw";
        box.replaceChildren(raw);
      }
      box.scrollTop = 0;
      box.querySelectorAll("a").forEach((link) => { link.target = "_blank"; });
    }

    /** One answer under the other where there is little room, with a switch where they are long. */
    fit() {
      const width = this.root.clientWidth;
      if (!width) return;
      this.root.classList.toggle("is-narrow", width <= NARROW_PX);
      const long = this.find(".tl-rate-answers").offsetHeight > window.innerHeight * 0.4;
      this.find(".tl-rate-switch").hidden = !this.narrow() || this.single() || this.ranked() || !long;
      if (this.ranked()) ranking.draw(this); // its hint is about keys or taps
      this.mark();
    }

    /** Which answer the switch says is being read. */
    mark() {
      if (!this.narrow()) return;
      const top = this.find("[data-side=right]").getBoundingClientRect().top;
      const second = top < window.innerHeight * 0.4;
      this.find("[data-go=left]").setAttribute("aria-pressed", String(!second));
      this.find("[data-go=right]").setAttribute("aria-pressed", String(second));
    }

    focus() {
      const at = document.activeElement;
      const taken = at && at !== document.body && !this.root.contains(at) && at.matches(TYPING);
      if (!this.seen() || taken || !this.pair) return;
      this.find(".tl-rate-pair").focus({ preventScroll: true });
      if (this.root.getBoundingClientRect().top < 0) this.root.scrollIntoView({ block: "start" });
    }

    /** The guidelines open by themselves once for each of their versions, whatever the round. */
    welcome() {
      if (!this.guided() || !this.seen()) return;
      const name = `tl-rate-guidelines-${this.known.guidelines.version}`;
      if (localStorage.getItem(name)) return;
      localStorage.setItem(name, "read");
      this.act("guidelines");
    }

    count(done, total) {
      this.find(".tl-rate-count").textContent = `${done} of ${total} rated`;
      const bar = this.find(".tl-rate-bar");
      bar.setAttribute("aria-valuemax", total);
      bar.setAttribute("aria-valuenow", done);
      bar.firstElementChild.style.width = `${total ? (100 * done) / total : 0}%`;
      this.find(".tl-rate-pair").setAttribute("aria-label", `Comparison ${done + 1} of ${total}`);
    }

    part(name) {
      [".tl-rate-top", ".tl-rate-pair", ".tl-rate-actions"].forEach((each) => {
        this.find(each).hidden = name !== "pair";
      });
      this.find(".tl-rate-state").hidden = name === "pair";
      if (name !== "pair") this.find(".tl-rate-note").hidden = true;
    }

    state(name) {
      const [title, text] = STATES[name];
      this.message(title, [text], name === "preparing" ? "wait" : "");
    }

    message(title, sentences, mark = "") {
      const box = this.find(".tl-rate-state");
      box.replaceChildren();
      box.dataset.mark = mark;
      const head = document.createElement("h2");
      head.textContent = title;
      box.append(head, ...sentences.map((text) =>
        Object.assign(document.createElement("p"), { textContent: text })));
      this.pair = null;
      this.part("state");
      return box;
    }

    paused(sentence) {
      this.busy = false;
      this.calm();
      this.message("Your rating is paused", [sentence], "pause");
    }

    async finished() {
      await this.look();
      const { done, all_done: all, all_total: wanted, purpose } = this.known;
      const left = Math.max(0, wanted - all);
      const one = this.known.mode === "single" ? "answer" : "comparison";
      const yours = `You rated ${done} ${done === 1 ? one : `${one}s`}.`;
      const others = left ? ` ${left} of all ${wanted} votes are still to come from others.` : "";
      const more = [...this.standing(), NEXT[purpose]].filter(Boolean);
      const box = done
        ? this.message("That was the last one. Thank you!", [yours + others, ...more], "done")
        : this.message(...(left ? TAKEN : ALL_RATED));
      if (done) box.append(this.button("undo", "Undo the last vote", "U"));
      else if (left) box.append(this.button("again", "Look again"));
      if (this.seen()) box.focus({ preventScroll: true });
      this.root.dispatchEvent(new CustomEvent("tl-rate-finished", { bubbles: true }));
    }

    /** Ask how far the round is; the numbers known so far will do where there is no answer. */
    async look() {
      try {
        this.known = await call(`${encodeURIComponent(this.round)}/progress`);
      } catch { /* see above */ }
    }

    /** How this rater stands, in sentences. */
    standing() {
      const { agreement_with_gold: gold, left_today: left } = this.known;
      const said = [];
      if (gold && gold.of) said.push(`You agreed with ${gold.right} of ${gold.of} gold items.`);
      if (typeof left === "number") said.push(`You can rate ${left} more today.`);
      return said;
    }

    button(what, label, key = "") {
      const made = document.createElement("button");
      Object.assign(made, { type: "button", className: "tl-rate-quiet" });
      made.dataset.do = what;
      made.append(Object.assign(document.createElement("span"), { textContent: label }));
      if (key) made.append(Object.assign(document.createElement("kbd"), { textContent: key }));
      return made;
    }

    say(text, tone = "") {
      const line = this.find(".tl-rate-saved");
      line.textContent = text;
      line.dataset.tone = tone;
    }

    trouble(text, label = "", act = null) {
      const box = this.find(".tl-rate-trouble");
      box.hidden = !text;
      box.replaceChildren(text);
      if (!label) return;
      const button = document.createElement("button");
      Object.assign(button, { type: "button", textContent: label, onclick: act });
      box.append(button);
    }

    /** A remark above the pair, never in the way; gone with the next vote. */
    note(sentences, tone, what = "", label = "") {
      const box = this.find(".tl-rate-note");
      box.hidden = !sentences.length;
      box.dataset.tone = tone;
      box.replaceChildren(Object.assign(document.createElement("span"),
        { textContent: sentences.join(" ") }));
      if (what) box.append(this.button(what, label));
    }

    /** Say how a practice pair should have been judged, with the pair still there to look at.

        Nothing tells a practice pair before the vote, so the first vote of a page, and each after
        a lesson, waits for its answer. */
    teach(answer) {
      const { right, expected, reason } = answer.feedback;
      const said = SAID[expected] || expected;
      const words = [right ? `Right: ${said}.` : `Expected: ${said}.`, reason].filter(Boolean);
      if (!this.pair || !this.busy) {
        this.take(answer);
        this.note(["The previous comparison.", ...words], right ? "good" : "warn");
        return;
      }
      this.held = answer;
      const wanted = this.find(`article[data-side=${expected === "right" ? "right" : "left"}]`);
      if (["left", "right"].includes(expected)) wanted.classList.add("is-expected");
      this.note(words, right ? "good" : "warn", "next", "Next comparison");
      this.find(".tl-rate-note button").focus();
      this.find(".tl-rate-note").scrollIntoView({ block: "nearest" });
    }

    /** After 25 pairs, or 20 minutes of looking, say that a break would do good. */
    async rest(active) {
      const every = this.known && this.known.break_every;
      this.rested.votes += 1;
      this.rested.active += active;
      if (!every || (this.rested.votes < every && this.rested.active < BREAK_MS)) return;
      const minutes = Math.round(this.rested.active / 60000);
      const since = this.rested.votes >= every
        ? `${this.rested.votes} ratings without a break.` : `${minutes} minutes without a break.`;
      this.rested = { votes: 0, active: 0 };
      await this.look();
      if (!this.pair || this.held) return;
      this.note([since, "Look away for a minute.", ...this.standing()], "rest", "go-on", "Go on");
    }

    // -- time that the pair was looked at -----------------------------------------------------

    clock() {
      const now = performance.now();
      if (this.since != null) this.active += now - this.since;
      this.since = this.pair && this.seen() ? now : null;
    }

    /** Keep the pairs that this rater holds from going to others. */
    stay() {
      if (this.gone() || !this.seen() || !this.rich()) return;
      [this.pair, this.ahead].filter(Boolean).forEach(({ token }) => {
        call("beat", { token }).catch(() => {}); // a vote that comes late is kept all the same
      });
    }

    // -- what a person does -------------------------------------------------------------------

    clicked(event) {
      const button = event.target.closest("button");
      if (!button && this.ranked() && !event.target.closest("a, dialog")) {
        const card = event.target.closest("article");
        if (card && getSelection().isCollapsed) this.pick(card.dataset.side, event.shiftKey);
      }
      if (!button || button.closest("dialog")) return;
      const via = this.rich() && event.pointerType === "touch" ? "touch" : "button";
      const { vote, edit, go, rank, placed } = button.dataset;
      if (rank || placed) {
        this.pick(rank || placed, event.shiftKey);
        if (event.detail) button.blur(); // else Enter would press it again
      } else if (vote) this.vote(vote, via, event.shiftKey);
      else if (edit) extras.edit(this, edit);
      else if (go) this.find(`[data-side=${go}]`).scrollIntoView({ block: "start" });
      else if (button.dataset.do) this.act(button.dataset.do);
    }

    pressed(event) {
      if (this.gone() || !this.seen() || event.defaultPrevented) return;
      if (event.isComposing || event.keyCode === 229 || event.repeat || event.altKey) return;
      const at = event.target instanceof Element ? event.target : document.body;
      if (at.closest(TYPING)) return;
      const digit = event.shiftKey && /^Digit\d$/.test(event.code) ? event.code.slice(5) : "";
      const key = digit || event.key.toLowerCase();
      const dialog = this.find("dialog[open]");
      if (key === "?" || dialog) {
        if (key !== "?") return; // Escape and Enter are the dialog's own
        if (!dialog) this.act("help");
        else dialog.close();
        event.preventDefault();
        return;
      }
      const command = event.ctrlKey || event.metaKey;
      if (command && (key !== "z" || event.shiftKey)) return;
      if (event.shiftKey && key.startsWith("arrow") && !getSelection().isCollapsed) return;
      if (command) this.act("undo");
      else if (this.ranked() && this.ordered(key, event.shiftKey, at)) event.preventDefault();
      else if (this.ranked() && ["left", "right"].includes(VOTES[key])) return;
      else if (VOTES[key] && key.startsWith("arrow") && at.closest("[role=tablist]")) return;
      else if (VOTES[key]) this.vote(this.meant(VOTES[key]), "key", event.shiftKey);
      else if (key === "escape" && !this.find(".tl-rate-why").hidden) this.act("why");
      else if (OTHERS[key]) this.act(OTHERS[key]);
      else return;
      event.preventDefault();
    }

    /** Do what a key means where answers are put in order; whether it means anything. */
    ordered(key, shift, at) {
      if (PICKS[key]) this.pick(PICKS[key], shift);
      else if (key === "=") this.act("equal");
      else if (key === "backspace") ranking.unpick(this);
      else if (key === "enter" && !at.closest("button")) this.vote("ranked", "key");
      else return false;
      return true;
    }

    pick(side, tie) {
      if (this.ready()) ranking.pick(this, side, tie);
    }

    meant(choice) {
      return this.single() ? THUMBS[choice] : choice;
    }

    act(what) {
      if (what === "help") this.open(this.find(".tl-rate-keys"));
      else if (what === "undo") {
        if (!this.ranked() || !ranking.unpick(this)) this.undo();
      } else if (what === "equal") ranking.equal(this);
      else if (what === "skip") this.skip();
      else if (what === "again") this.start();
      else if (what === "next") this.onward();
      else if (what === "go-on") this.note([], "");
      else if (what === "raw") this.plain();
      else if (what === "clearly" && this.pair) {
        this.said.clearly = !this.said.clearly;
        extras.refresh(this);
      } else if (this.pair && !this.busy && !this.find(`[data-do=${what}]`)?.hidden) {
        extras[what](this);
      }
      if (what === "go-on") this.focus();
    }

    /** Show a dialog; the pair has the focus again when it closes. */
    open(dialog) {
      dialog.addEventListener("close", () => this.focus(), { once: true });
      dialog.showModal();
    }

    plain() {
      if (!this.pair || this.pair.left_text === undefined) return;
      this.raw = !this.raw;
      this.find("[data-do=raw]").setAttribute("aria-pressed", String(this.raw));
      this.fill();
    }

    onward() {
      const { held } = this;
      this.held = null;
      this.note([], "");
      if (held) this.take(held);
    }

    ready() {
      return !this.busy && (!this.pair || performance.now() - this.shownAt >= GUARD_MS);
    }

    vote(choice, via, clearly) {
      if (!choice || !this.pair || !this.ready()) return;
      if (this.single() !== ["good", "bad"].includes(choice)) return;
      if (choice === "ranked" && !(this.ranked() && ranking.whole(this))) return;
      this.clock();
      const active = Math.round(this.active);
      const cast = { token: this.pair.token, key: this.key, choice, active_ms: active, via };
      if (this.rich()) Object.assign(cast, this.beside(choice, clearly));
      this.send("vote", cast, `[data-vote=${choice}]`);
      this.rest(active);
    }

    /** What goes with a choice; nothing that was not said. */
    beside(choice, clearly) {
      const { reasons, fine, rationale, edit, clearly: toggled } = this.said;
      const more = { layout: this.narrow() && !this.single() ? "stacked" : "side" };
      if (["left", "right"].includes(choice)) more.strength = clearly || toggled ? 2 : 1;
      ["left", "right"].forEach((side) => {
        if (this.single() || this.ranked()) return;
        if (fine[side] || choice === "both_bad") more[`acceptable_${side}`] = Boolean(fine[side]);
      });
      if (choice === "ranked") more.ranks = ranking.ranks(this);
      if (reasons.size) more.reasons = [...reasons];
      if (rationale.trim()) more.rationale = rationale.trim();
      if (edit) more.edit = edit;
      return more;
    }

    skip() {
      if (!this.pair || !this.ready()) return;
      this.send("skip", { token: this.pair.token }, "[data-do=skip]");
    }

    /** Leave the pair to a person who looks at what is wrong with it. */
    flag(target, kind, note) {
      if (!this.pair || !this.ready()) return;
      this.send("flag", { token: this.pair.token, target, kind, note }, "[data-do=flag]");
    }

    undo() {
      const possible = this.pair ? this.pair.can_undo : this.find(".tl-rate-state [data-do=undo]");
      if (!possible || !this.ready()) return;
      this.send("undo", {}, "[data-do=undo]");
    }

    press(selector) {
      const pressed = this.find(selector);
      pressed.classList.add("is-pressed");
      this.pressedAt = performance.now();
    }

    /** Let the buttons go; one that was only just pressed stays lit long enough to be seen. */
    calm() {
      this.find(".tl-rate-answers").querySelectorAll(".is-chosen, .is-expected").forEach((each) =>
        each.classList.remove("is-chosen", "is-expected"));
      const wait = FLASH_MS - (performance.now() - (this.pressedAt || 0));
      this.root.querySelectorAll(".is-pressed").forEach((each) =>
        setTimeout(() => each.classList.remove("is-pressed"), Math.max(0, wait)));
    }

    // -- on its way to the server -------------------------------------------------------------

    /** Tell the server, and show the next pair without waiting for it where it is here. */
    send(path, body, pressed) {
      this.press(pressed);
      this.note([], "");
      const { ahead, pair } = this;
      this.busy = true;
      this.outbox.push(path, body);
      if (ahead && path !== "undo" && !this.practice) {
        this.ahead = null;
        const done = pair.done + (path === "vote" ? 1 : 0);
        this.show({ ...ahead, done, total: pair.total, can_undo: true });
      } else this.find(`article[data-side=${body.choice}]`)?.classList.add("is-chosen");
    }

    /** All is sent: `answer` is what the server said to the last, null where it did not take it. */
    async settle(path, answer, refusal) {
      this.say(...(answer ? this.saved(path) : [""]));
      if (answer) {
        this.trouble("");
        if (path === "vote") this.practice = Boolean(answer.feedback);
        if (answer.feedback) this.teach(answer);
        else this.take(answer);
      } else if (refusal.temporary) {
        this.busy = false; // an undo that never left: nothing has changed
        this.calm();
      } else {
        this.busy = true; // until it is known which pair, or which state, the server has
        await this.start();
      }
      if (!refusal || this.find(".tl-rate-pair").hidden) return;
      this.trouble(refusal.status ? refusal.message : "No connection. Try again in a moment.");
    }

    saved(path) {
      if (path === "vote") return ["saved", "good"];
      return [{ skip: "skipped", flag: "flagged" }[path] || "taken back"];
    }
  }

  const mount = () => document.querySelectorAll(".tl-rate[data-round]").forEach((root) => {
    if (!root.rating) root.rating = new Rating(root);
  });
  new MutationObserver(mount).observe(document.documentElement, { childList: true, subtree: true });
  mount();
})();
