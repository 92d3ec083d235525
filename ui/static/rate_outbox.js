/* What a rater said, on its way to the server: one queue, in order, each until it is there. */

const API = new URL("../api/rate/", import.meta.url).pathname; // under whatever prefix
const SLOW_MS = 600;
const TIMEOUT_MS = 15000;
const RETRY_MS = [1000, 2000, 4000, 8000, 15000];

/** The server's answer; an error with `temporary` set where trying again may help. */
export async function call(path, body) {
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

export class Outbox {
  constructor(rating) {
    this.rating = rating;
    this.kept = `tl-rate-unsaved-${rating.round}`;
    this.busy = false;
    this.queue = []; // oldest first
  }

  get empty() {
    return !this.queue.length;
  }

  /** Take up what an earlier page could not deliver. */
  restore() {
    const text = sessionStorage.getItem(this.kept);
    this.queue = text ? JSON.parse(text) : [];
  }

  keep() {
    const kept = this.queue.filter((each) => each.path !== "undo");
    if (kept.length) sessionStorage.setItem(this.kept, JSON.stringify(kept));
    else sessionStorage.removeItem(this.kept);
  }

  push(path, body) {
    this.queue.push({ path, body });
    this.keep();
    this.deliver();
  }

  /** Send one after the other; then hand over what the server said to the last. */
  async deliver() {
    if (this.busy) return;
    this.busy = true;
    let path;
    let answer = null;
    let refusal = null;
    while (this.queue.length) {
      ({ path } = this.queue[0]);
      try {
        answer = await this.tried(this.queue[0]);
      } catch (error) {
        [answer, refusal] = [null, error];
      }
      if (this.rating.gone()) return; // what is kept waits for the next page
      this.queue.shift();
      this.keep();
    }
    this.busy = false;
    await this.rating.settle(path, answer, refusal);
  }

  /** Send until the server has it. Only an undo is tried once: it is not the same twice. */
  async tried({ path, body }) {
    const where = path === "undo" ? `${encodeURIComponent(this.rating.round)}/undo` : path;
    const slow = setTimeout(() => this.rating.say("saving …"), SLOW_MS);
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await call(where, body);
      } catch (error) {
        if (!error.temporary || path === "undo" || this.rating.gone()) throw error;
        clearTimeout(slow);
        await this.pause(path, error, RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)]);
      } finally {
        clearTimeout(slow);
      }
    }
  }

  /** Wait, but not longer than until the connection is back or somebody asks to try now. */
  pause(path, error, milliseconds) {
    this.rating.say("not saved yet", "warn");
    return new Promise((resolve) => {
      let timer = 0;
      const go = () => {
        clearTimeout(timer);
        window.removeEventListener("online", go);
        resolve();
      };
      timer = setTimeout(go, milliseconds);
      window.addEventListener("online", go);
      const why = error.status ? `Not saved yet. ${error.message} Your ${path}`
        : `Your ${path} is not saved yet: no connection. It`;
      this.rating.trouble(`${why} is kept and sent again.`, "Try now", go);
    });
  }
}
