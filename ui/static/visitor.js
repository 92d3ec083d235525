// A browser that keeps no cookie in this frame is nobody here: say so, and how to go on.
(() => {
  const before = window.fetch;
  const tell = () => {
    if (document.querySelector('.tl-no-cookie')) return;
    const note = document.createElement('div');
    note.className = 'tl-no-cookie';
    note.setAttribute('role', 'alert');
    note.append('This browser keeps no cookies of this page, so nothing here can be yours. Reload it. If this note stays: ');
    const link = document.createElement('a');
    link.href = location.href;
    link.target = '_blank';
    link.rel = 'noopener';
    link.textContent = 'open Tuneloop in a tab of its own';
    note.append(link, '.');
    document.body.prepend(note);
  };
  window.fetch = async (...asked) => {
    const got = await before(...asked);
    if (got.status === 401 && got.headers.get('x-tuneloop') === 'no-cookie') tell();
    return got;
  };
})();
