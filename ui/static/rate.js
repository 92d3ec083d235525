/* Blind rating. Mounts on every <div class="tl-rate" data-round="…">, now or later in the page.

   A vote is kept until the server has it: its key is made when the pair is shown, and the same key
   sent twice is one vote. */
(() => {
  "use strict";
  if (window.tuneloopRating) return;
  window.tuneloopRating = true;

  const API = "/api/rate/";
  const GUARD_MS = 300; // a second press of the same key must not reach the next pair
  const SLOW_MS = 600;
  const NARROW_PX = 700; // one answer under the other
  const POLL_MS = 4000;
  const TIMEOUT_MS = 15000;
  const RETRY_MS = [1000, 2000, 4000, 8000, 15000];
  const VOTES = {
    arrowleft: "left", 1: "left", a: "left",
    arrowright: "right", 2: "right", b: "right",
    t: "tie", 0: "tie", x: "both_bad",
  };
  const OTHERS = { s: "skip", u: "undo" };
  const TYPING = "input, textarea, select, [contenteditable]:not([contenteditable='false']), " +
    "[role=slider], [role=listbox], [role=combobox]";

  // Nothing in here comes from a person or a model.
  const FRAME = `
    <div class="tl-rate-top" hidden>
      <span class="tl-rate-count"></span>
      <span class="tl-rate-bar" role="progressbar" aria-label="Pairs rated" aria-valuemin="0"><i></i></span>
      <span class="tl-rate-saved" role="status" aria-live="polite"></span>
      <button type="button" class="tl-rate-quiet" data-do="help" aria-label="Keys and how to judge">
        <kbd>?</kbd><span>Help</span></button>
    </div>
    <div class="tl-rate-trouble" role="alert" hidden></div>
    <section class="tl-rate-pair" tabindex="-1" hidden>
      <div class="tl-rate-prompt"><h3>Question</h3><div class="tl-rate-text" tabindex="0" role="region" aria-label="Question" dir="auto"></div></div>
      <div class="tl-rate-answers">
        <article data-side="left"><h3>Answer 1</h3><div class="tl-rate-text" tabindex="0" role="region" aria-label="Answer 1" dir="auto"></div></article>
        <article data-side="right"><h3>Answer 2</h3><div class="tl-rate-text" tabindex="0" role="region" aria-label="Answer 2" dir="auto"></div></article>
      </div>
    </section>
    <div class="tl-rate-actions" hidden>
      <div class="tl-rate-votes" role="group" aria-label="Your judgement">
        <button type="button" data-vote="left"><kbd>←</kbd><span>Answer 1 is better</span></button>
        <button type="button" data-vote="tie"><span>Tie</span><kbd>T</kbd></button>
        <button type="button" data-vote="both_bad"><span>Both bad</span><kbd>X</kbd></button>
        <button type="button" data-vote="right"><span>Answer 2 is better</span><kbd>→</kbd></button>
      </div>
      <div class="tl-rate-more">
        <button type="button" class="tl-rate-quiet" data-do="skip"><span>Skip</span><kbd>S</kbd></button>
        <button type="button" class="tl-rate-quiet" data-do="undo"><span>Undo</span><kbd>U</kbd></button>
      </div>
    </div>
    <div class="tl-rate-state" tabindex="-1" hidden></div>
    <dialog class="tl-rate-keys" aria-label="Keys and how to judge">
      <h2>How to judge</h2>
      <ol>
        <li><b>Is it right?</b> A wrong answer loses, however well it is written.</li>
        <li><b>Does it do what was asked?</b> All of it, in the form that was asked for.</li>
        <li><b>Is anything missing?</b></li>
        <li><b>Is it pleasant to read?</b> Only if the rest is even. Longer is not better.</li>
      </ol>
      <p><b>Tie</b>: both are good, neither is better. <b>Both bad</b>: you would send neither.
         <b>Skip</b>: you can’t judge this one; somebody else will.</p>
      <h2>Keys</h2>
      <dl>
        <dt><kbd>←</kbd> <kbd>1</kbd> <kbd>A</kbd></dt><dd>Answer 1 is better</dd>
        <dt><kbd>→</kbd> <kbd>2</kbd> <kbd>B</kbd></dt><dd>Answer 2 is better</dd>
        <dt><kbd>T</kbd> <kbd>0</kbd></dt><dd>Tie</dd>
        <dt><kbd>X</kbd></dt><dd>Both bad</dd>
        <dt><kbd>S</kbd></dt><dd>Skip</dd>
        <dt><kbd>U</kbd> <kbd>Ctrl</kbd>+<kbd>Z</kbd></dt><dd>Undo</dd>
      </dl>
      <form method="dialog"><button class="tl-rate-main">Back to rating</button></form>
    </dialog>`;
  const STATES = {
    preparing: ["The answers are still being written", "The first pair appears here by itself."],
    closed: ["This round is closed", "Thank you! It needs no more votes."],
    failed: ["This round has no answers", "Whoever started it can see why, and start another."],
    gone: ["Nothing to rate here", "Ask for a new link."],
  };
  const NEXT = {
    train_pairs: "Your choices become pairs of a better and a worse answer, and the model is trained " +
      "on them. A blind test then shows whether that helped.",
    blind_eval: "The result stays hidden until the round is closed, so that it can sway nobody. " +
      "Whoever started the round closes it and shares the verdict.",
  };

  const TAKEN = ["Nothing is left for you right now",
    ["Others are looking at the last pairs. If they leave one, you can rate it."]];
  const ALL_RATED = ["All pairs are rated", ["Thank you! This round needs no more votes."]];

  /** The server's answer; an error with `temporary` set where trying again may help. */
  async function call(path, body) {
    const options = { credentials: "same-origin", cache: "no-store",
      signal: AbortSignal.timeout(TIMEOUT_MS) };
    if (body !== undefined) {
      Object.assign(options, { method: "POST", body: JSON.stringify(body),
        headers: { "Content-Type": "application/json" } });
    }
    let response;
    let answer;
    try {
      response = await fetch(API + path, options);
      answer = await response.json();
    } catch {
      throw Object.assign(new Error("No connection."), { temporary: true, status: 0 });
    }
    if (response.ok) return answer;
    const said = [answer.problem, answer.fix].filter(Boolean).join(" ") || "That did not work.";
    const temporary = response.status >= 500 || response.status === 429;
    throw Object.assign(new Error(said), { temporary, status: response.status });
  }

  class Rating {
    constructor(root) {
      this.root = root;
      this.round = root.dataset.round;
      this.kept = `tl-rate-unsaved-${this.round}`;
      this.pair = null;
      this.busy = false;
      this.known = null; // the round's progress
      root.innerHTML = FRAME;
      this.find = (selector) => root.querySelector(selector);
      this.texts = ["prompt", "left", "right"].map((part) => this.find(
        part === "prompt" ? ".tl-rate-prompt .tl-rate-text" : `[data-side=${part}] .tl-rate-text`));
      root.addEventListener("click", (event) => this.clicked(event));
      this.onKey = (event) => this.pressed(event);
      this.onSeen = () => this.clock();
      document.addEventListener("keydown", this.onKey);
      document.addEventListener("visibilitychange", this.onSeen);
      this.watcher = new IntersectionObserver(this.onSeen);
      this.watcher.observe(root);
      this.sizer = new ResizeObserver(() => {
        if (root.clientWidth) root.classList.toggle("is-narrow", root.clientWidth <= NARROW_PX);
      });
      this.sizer.observe(root);
      this.start();
    }

    /** True once the page has thrown this away; lets go of the document then. */
    gone() {
      if (this.root.isConnected) return false;
      document.removeEventListener("keydown", this.onKey);
      document.removeEventListener("visibilitychange", this.onSeen);
      this.watcher.disconnect();
      this.sizer.disconnect();
      return true;
    }

    seen() {
      return document.visibilityState === "visible" && this.root.getClientRects().length > 0;
    }

    // -- what is shown ------------------------------------------------------------------------

    async start() {
      if (this.gone()) return;
      const round = encodeURIComponent(this.round);
      try {
        this.known = await call(`${round}/progress`);
        if (this.known.status === "open") {
          const left = this.unsaved();
          if (left) await this.deliver("vote", left);
          else this.show((await call(`${round}/next`)).pair);
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

    show(pair) {
      this.pair = pair;
      this.busy = false;
      this.trouble("");
      this.root.querySelectorAll(".is-pressed, .is-chosen").forEach((each) =>
        each.classList.remove("is-pressed", "is-chosen"));
      if (!pair) {
        this.finished();
        return;
      }
      // All three at once, in one frame; the server has cleaned them (engine/services/safe_text.py).
      [pair.prompt_html, pair.left_html, pair.right_html].forEach((html, n) => {
        this.texts[n].innerHTML = html;
        this.texts[n].scrollTop = 0;
        this.texts[n].querySelectorAll("a").forEach((link) => { link.target = "_blank"; });
      });
      this.part("pair");
      this.count(pair.done, pair.total);
      this.find("[data-do=undo]").disabled = !pair.can_undo;
      this.key = crypto.randomUUID();
      this.shownAt = performance.now();
      this.active = 0;
      this.since = null;
      this.clock();
      this.focus();
    }

    focus() {
      const at = document.activeElement;
      const taken = at && at !== document.body && !this.root.contains(at) && at.matches(TYPING);
      if (!this.seen() || taken) return;
      this.find(".tl-rate-pair").focus({ preventScroll: true });
      if (this.root.getBoundingClientRect().top < 0) this.root.scrollIntoView({ block: "start" });
    }

    count(done, total) {
      this.find(".tl-rate-count").textContent = `${done} of ${total} rated`;
      const bar = this.find(".tl-rate-bar");
      bar.setAttribute("aria-valuemax", total);
      bar.setAttribute("aria-valuenow", done);
      bar.firstElementChild.style.width = `${total ? (100 * done) / total : 0}%`;
      this.find(".tl-rate-pair").setAttribute("aria-label", `Pair ${done + 1} of ${total}`);
    }

    part(name) {
      this.find(".tl-rate-top").hidden = name !== "pair";
      this.find(".tl-rate-pair").hidden = name !== "pair";
      this.find(".tl-rate-actions").hidden = name !== "pair";
      this.find(".tl-rate-state").hidden = name === "pair";
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

    async finished() {
      try {
        this.known = await call(`${encodeURIComponent(this.round)}/progress`);
      } catch { /* the numbers of the start will do */ }
      const { done, all_done: all, all_total: wanted, purpose } = this.known;
      const left = Math.max(0, wanted - all);
      const yours = `You rated ${done} ${done === 1 ? "pair" : "pairs"}.`;
      const others = left ? ` ${left} of all ${wanted} votes are still to come from others.` : "";
      const box = done
        ? this.message("That was the last one. Thank you!", [yours + others, NEXT[purpose]], "done")
        : this.message(...(left ? TAKEN : ALL_RATED));
      if (done) box.append(this.button("undo", "Undo the last vote", "U"));
      else if (left) box.append(this.button("again", "Look again"));
      if (this.seen()) box.focus({ preventScroll: true });
      this.root.dispatchEvent(new CustomEvent("tl-rate-finished", { bubbles: true }));
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

    // -- time that the pair was looked at -----------------------------------------------------

    clock() {
      const now = performance.now();
      if (this.since != null) this.active += now - this.since;
      this.since = this.pair && this.seen() ? now : null;
    }

    // -- what a person does -------------------------------------------------------------------

    clicked(event) {
      const button = event.target.closest("button");
      if (!button) return;
      if (button.dataset.vote) this.vote(button.dataset.vote, "button");
      else if (button.dataset.do) this.act(button.dataset.do);
    }

    pressed(event) {
      if (this.gone() || !this.seen() || event.defaultPrevented) return;
      if (event.isComposing || event.keyCode === 229 || event.repeat || event.altKey) return;
      const at = event.target instanceof Element ? event.target : document.body;
      if (at.closest(TYPING)) return;
      const key = event.key.toLowerCase();
      const dialog = this.find("dialog");
      if (key === "?" || dialog.open) {
        if (key !== "?") return; // Escape and Enter are the dialog's own
        if (dialog.open) dialog.close();
        else this.act("help");
        event.preventDefault();
        return;
      }
      const command = event.ctrlKey || event.metaKey;
      if (command && key !== "z") return;
      if (event.shiftKey && (command || key.startsWith("arrow"))) return;
      if (command) this.act("undo");
      else if (VOTES[key] && key.startsWith("arrow") && at.closest("[role=tablist]")) return;
      else if (VOTES[key]) this.vote(VOTES[key], "key");
      else if (OTHERS[key]) this.act(OTHERS[key]);
      else return;
      event.preventDefault();
    }

    act(what) {
      if (what === "help") this.find("dialog").showModal();
      else if (what === "undo") this.undo();
      else if (what === "skip") this.skip();
      else if (what === "again") this.start();
    }

    ready() {
      return !this.busy && (!this.pair || performance.now() - this.shownAt >= GUARD_MS);
    }

    vote(choice, via) {
      if (!this.pair || !this.ready()) return;
      this.clock();
      this.press(`[data-vote=${choice}]`);
      const chosen = this.find(`article[data-side=${choice}]`);
      if (chosen) chosen.classList.add("is-chosen");
      const cast = { token: this.pair.token, key: this.key, choice,
        active_ms: Math.round(this.active), via };
      sessionStorage.setItem(this.kept, JSON.stringify(cast));
      this.deliver("vote", cast);
    }

    skip() {
      if (!this.pair || !this.ready()) return;
      this.press("[data-do=skip]");
      this.deliver("skip", { token: this.pair.token });
    }

    undo() {
      const possible = this.pair ? this.pair.can_undo : this.find(".tl-rate-state [data-do=undo]");
      if (!possible || !this.ready()) return;
      this.press("[data-do=undo]");
      this.deliver(`${encodeURIComponent(this.round)}/undo`, {});
    }

    press(selector) {
      this.find(selector).classList.add("is-pressed");
    }

    // -- on its way to the server -------------------------------------------------------------

    unsaved() {
      const text = sessionStorage.getItem(this.kept);
      return text ? JSON.parse(text) : null;
    }

    /** Send until the server has it. A skip or an undo is tried once: pressing again is safe. */
    async deliver(path, body) {
      this.busy = true;
      const slow = setTimeout(() => this.say("saving …"), SLOW_MS);
      for (let attempt = 0; ; attempt += 1) {
        try {
          const { pair } = await call(path, body);
          clearTimeout(slow);
          sessionStorage.removeItem(this.kept);
          this.say(...this.saved(path));
          this.show(pair);
          return;
        } catch (error) {
          clearTimeout(slow);
          if (!error.temporary || path !== "vote") {
            await this.refused(error);
            return;
          }
          await this.pause(RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)]);
          if (this.gone()) return;
        }
      }
    }

    saved(path) {
      if (path === "vote") return ["saved", "good"];
      return [path === "skip" ? "skipped" : "taken back"];
    }

    /** Wait, but not longer than until the connection is back or somebody asks to try now. */
    pause(milliseconds) {
      this.say("not saved yet", "warn");
      return new Promise((resolve) => {
        let timer = 0;
        const go = () => {
          clearTimeout(timer);
          window.removeEventListener("online", go);
          resolve();
        };
        timer = setTimeout(go, milliseconds);
        window.addEventListener("online", go);
        this.trouble("Your vote is not saved yet: no connection. It is kept and sent again.",
          "Try now", go);
      });
    }

    async refused(error) {
      this.busy = false;
      this.root.querySelectorAll(".is-pressed, .is-chosen").forEach((each) =>
        each.classList.remove("is-pressed", "is-chosen"));
      this.say("");
      if (error.temporary) {
        this.trouble("No connection. Try again in a moment.");
        return;
      }
      sessionStorage.removeItem(this.kept);
      await this.start(); // the pair, or the state, that the server knows of
      if (!this.find(".tl-rate-pair").hidden) this.trouble(error.message);
    }
  }

  const mount = () => document.querySelectorAll(".tl-rate[data-round]").forEach((root) => {
    if (!root.rating) root.rating = new Rating(root);
  });
  new MutationObserver(mount).observe(document.documentElement, { childList: true, subtree: true });
  mount();
})();
