"""In front of the pages: security middleware, sessions, the sign-in gate, errors, setup."""
