// A page that was open when the sign-in ended leads to the sign-in instead of failing.
(() => {
  const { src } = document.currentScript; // signs in under the same prefix
  const before = window.fetch;
  window.fetch = async (...asked) => {
    const got = await before(...asked);
    if (got.status === 401 && got.headers.get('x-tuneloop') === 'signed-out')
      location.assign(new URL('../account/sign-in', src));
    return got;
  };
})();
