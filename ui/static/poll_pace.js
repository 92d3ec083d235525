/* How often a page polls. A timer of the page asks the server every two seconds while there is something to see: a job
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
