/* Gradio's sign of a page that loads counts its seconds on every frame, and goes on for as long as
   the page is open, long after it was taken away: a tenth of a core for nothing. What reads the
   clock on frame after frame for five seconds does so once a second from then on; after a pause it
   begins anew. Other callers get every frame. */
(() => {
  const FRAMES = 300, PAUSE_MS = 2500, SLOW_MS = 1000, LONGEST = 200;
  const next = window.requestAnimationFrame.bind(window);
  const seen = new Map();
  window.requestAnimationFrame = (draw) => {
    const code = Function.prototype.toString.call(draw);
    if (code.length > LONGEST || !code.includes("performance.now()")) return next(draw);
    const now = performance.now(), known = seen.get(code);
    const count = known && now - known.at < PAUSE_MS ? known.count + 1 : 1;
    seen.set(code, { count, at: now });
    if (count < FRAMES) return next(draw);
    return setTimeout(() => next(draw), SLOW_MS);
  };
})();
/* Polls. A timer of the page asks the server every two seconds while there is something to see: a job
   that runs or waits, a notice of work, an action of the person in the last seconds. Otherwise it
   asks every twelve, and at once when the tab is looked at again; in a hidden tab it never asks. */
(() => {
  const QUICK_MS = 15000, SLOW_MS = 12000;
  const GOING = "[data-going], .tl-notice.tl-busy";
  const timers = new Map(), begin = window.setInterval.bind(window), end = window.clearInterval.bind(window);
  let acted = performance.now();
  const note = () => { acted = performance.now(); };
  ["pointerdown", "keydown", "input"].forEach((kind) => addEventListener(kind, note, { capture: true, passive: true }));

  const busy = (now) => now - acted < QUICK_MS || document.querySelector(GOING) !== null;
  const ask = (timer, now) => { timer.last = now; timer.run(); };
  const look = (timer) => {
    const now = performance.now();
    if (document.hidden || !(busy(now) || now - timer.last >= SLOW_MS)) return;
    ask(timer, now);
  };

  window.setInterval = (run, every, ...more) => {
    const code = typeof run === "function" ? Function.prototype.toString.call(run) : "";
    if (!(code.includes("visibilityState") && code.includes("tick"))) return begin(run, every, ...more);
    const timer = { run, every, last: performance.now() };
    const id = begin(look, every, timer);
    timers.set(id, timer);
    return id;
  };
  window.clearInterval = (id) => { timers.delete(id); end(id); };
  document.addEventListener("visibilitychange", () => {
    const now = performance.now();
    if (document.hidden) return;
    timers.forEach((timer) => { if (now - timer.last >= timer.every) ask(timer, now); });
  });
})();
