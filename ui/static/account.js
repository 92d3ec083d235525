// A page that was open when the sign-in ended leads to the sign-in instead of failing.
(() => {
  const before = window.fetch;
  window.fetch = async (...asked) => {
    const got = await before(...asked);
    if (got.status === 401 && got.headers.get('x-tuneloop') === 'signed-out')
      location.assign('/account/sign-in');
    return got;
  };
})();
