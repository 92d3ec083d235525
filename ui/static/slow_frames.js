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
