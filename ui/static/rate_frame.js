/* What a rater sees: the question, the answers, the buttons and the help. */

// Nothing in here comes from a person or a model.
const text = (label) =>
  `<div class="tl-rate-text" tabindex="0" role="region" aria-label="${label}" dir="auto"></div>`;
const quiet = (what, label, key, more = "") =>
  `<button type="button" class="tl-rate-quiet" data-do="${what}" aria-keyshortcuts="${key}" ${more}>` +
  `<span>${label}</span><kbd aria-hidden="true">${key}</kbd></button>`;
const article = (side, label) => `
  <article data-side="${side}">
    <div class="tl-rate-head"><button type="button" class="tl-rate-rank" data-rank="${side}" hidden></button><h3>${label}</h3><span class="tl-rate-edited" hidden>your edit goes with your vote</span>
      <button type="button" class="tl-rate-small" data-edit="${side}" aria-label="Edit ${label}" hidden>Edit</button></div>
    ${text(label)}
  </article>`;
export const FRAME = `
  <div class="tl-rate-top" hidden>
    <span class="tl-rate-count"></span>
    <span class="tl-rate-bar" role="progressbar" aria-label="Comparisons rated" aria-valuemin="0"><i></i></span>
    <span class="tl-rate-saved" role="status" aria-live="polite"></span>
    ${quiet("guidelines", "Guidelines", "G", "hidden")}
    <button type="button" class="tl-rate-quiet" data-do="help" aria-label="Keys and how to judge">
      <kbd>?</kbd><span>Help</span></button>
  </div>
  <div class="tl-rate-guest" role="note" hidden>You rate as a guest: your votes are kept, but they do not count.
    Open an invitation link in this browser, and those after it do.</div>
  <div class="tl-rate-trouble" role="alert" hidden></div>
  <div class="tl-rate-note" role="status" hidden></div>
  <section class="tl-rate-pair" tabindex="-1" hidden>
    <div class="tl-rate-prompt"><div class="tl-rate-head"><h3>Question</h3>
      <button type="button" class="tl-rate-small" data-do="raw" aria-pressed="false" aria-keyshortcuts="R" hidden>Plain text<kbd aria-hidden="true">R</kbd></button></div>
      ${text("Question")}</div>
    <div class="tl-rate-switch" role="group" aria-label="Go to an answer" hidden>
      <button type="button" data-go="left" aria-pressed="true">Answer 1</button>
      <button type="button" data-go="right" aria-pressed="false">Answer 2</button>
    </div>
    <div class="tl-rate-answers">${article("left", "Answer 1")}${article("right", "Answer 2")}${article("third", "Answer 3")}${article("fourth", "Answer 4")}</div>
  </section>
  <div class="tl-rate-actions" hidden>
    <div class="tl-rate-why" role="group" aria-label="Why? Optional" hidden></div>
    <div class="tl-rate-order" role="group" aria-label="Your order, the best first" aria-live="polite" hidden></div>
    <div class="tl-rate-votes" role="group" aria-label="Your judgement">
      <button type="button" data-vote="left" aria-keyshortcuts="ArrowLeft 1 A"><kbd aria-hidden="true">←</kbd><span>Answer 1 is better</span></button>
      <button type="button" data-vote="tie" aria-keyshortcuts="T 0"><span>Tie</span><kbd aria-hidden="true">T</kbd></button>
      <button type="button" data-vote="both_bad" aria-keyshortcuts="X"><span>Both bad</span><kbd aria-hidden="true">X</kbd></button>
      <button type="button" data-vote="ranked" aria-keyshortcuts="Enter" hidden><span>Save this order</span><kbd aria-hidden="true">Enter</kbd></button>
      <button type="button" data-vote="right" aria-keyshortcuts="ArrowRight 2 B"><span>Answer 2 is better</span><kbd aria-hidden="true">→</kbd></button>
      <button type="button" data-vote="good" aria-keyshortcuts="ArrowLeft 1" hidden><kbd aria-hidden="true">←</kbd><span>Good</span></button>
      <button type="button" data-vote="bad" aria-keyshortcuts="ArrowRight 2" hidden><span>Bad</span><kbd aria-hidden="true">→</kbd></button>
    </div>
    <div class="tl-rate-more">
      <button type="button" class="tl-rate-quiet" data-do="clearly" aria-pressed="false" hidden>Clearly better</button>
      ${quiet("equal", "Next one ties", "=", 'aria-pressed="false" hidden')}
      ${quiet("why", "Why?", "W", 'aria-expanded="false" hidden')}
      ${quiet("flag", "Flag", "F", "hidden")}
      ${quiet("skip", "Skip", "S")}
      ${quiet("undo", "Undo", "U")}
    </div>
  </div>
  <div class="tl-rate-state" tabindex="-1" hidden></div>
  <dialog class="tl-rate-keys" aria-label="Keys and how to judge">
    <div class="tl-rate-how">
    <h2>How to judge</h2>
    <ol>
      <li><b>Is it right?</b> A wrong answer loses, however well it is written.</li>
      <li><b>Does it do what was asked?</b> All of it, in the form that was asked for.</li>
      <li><b>Is anything missing?</b></li>
      <li><b>Is it pleasant to read?</b> Only if the rest is even. Longer is not better.</li>
    </ol>
    <p><b>Tie</b>: both are good, neither is better. <b>Both bad</b>: you would send neither.
       <b>Skip</b>: you can’t judge this one; somebody else will.</p>
    </div>
    <h2>Keys</h2>
    <dl>
      <dt data-mode="pair"><kbd>←</kbd> <kbd>1</kbd> <kbd>A</kbd></dt><dd data-mode="pair">Answer 1 is better</dd>
      <dt data-mode="pair"><kbd>→</kbd> <kbd>2</kbd> <kbd>B</kbd></dt><dd data-mode="pair">Answer 2 is better</dd>
      <dt data-new data-mode="pair"><kbd>Shift</kbd> with one of these</dt><dd data-new data-mode="pair">It is clearly better</dd>
      <dt data-mode="rank"><kbd>1</kbd> to <kbd>4</kbd></dt><dd data-mode="rank">The best answer, then the next; again: take its rank away</dd>
      <dt data-mode="rank"><kbd>Shift</kbd> with one of these, or <kbd>=</kbd> before it</dt><dd data-mode="rank">It is as good as the one before</dd>
      <dt data-mode="rank"><kbd>Enter</kbd></dt><dd data-mode="rank">Save the order</dd>
      <dt data-mode="rank"><kbd>Backspace</kbd></dt><dd data-mode="rank">Take the last one out of the order</dd>
      <dt data-mode="rank"><kbd>T</kbd> <kbd>0</kbd></dt><dd data-mode="rank">All tie</dd>
      <dt data-mode="rank"><kbd>X</kbd></dt><dd data-mode="rank">All bad</dd>
      <dt data-mode="pair"><kbd>T</kbd> <kbd>0</kbd></dt><dd data-mode="pair">Tie</dd>
      <dt data-mode="pair"><kbd>X</kbd></dt><dd data-mode="pair">Both bad</dd>
      <dt data-mode="single"><kbd>←</kbd> <kbd>1</kbd></dt><dd data-mode="single">Good</dd>
      <dt data-mode="single"><kbd>→</kbd> <kbd>2</kbd></dt><dd data-mode="single">Bad</dd>
      <dt><kbd>S</kbd></dt><dd>Skip</dd>
      <dt><kbd>U</kbd> <kbd>Ctrl</kbd>+<kbd>Z</kbd></dt><dd>Undo</dd>
      <dt data-new hidden><kbd>W</kbd></dt><dd data-new hidden>Say why</dd>
      <dt data-new hidden><kbd>F</kbd></dt><dd data-new hidden>Flag a problem</dd>
      <dt data-new hidden><kbd>E</kbd></dt><dd data-new hidden>Edit an answer, to make it better</dd>
      <dt data-new hidden><kbd>R</kbd></dt><dd data-new hidden>Plain text, as it was written</dd>
      <dt data-new hidden><kbd>G</kbd></dt><dd data-new hidden>Guidelines</dd>
    </dl>
    <form method="dialog"><button class="tl-rate-main">Back to rating</button></form>
  </dialog>`;
