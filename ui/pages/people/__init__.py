"""People: signing in, and the page of an account; plain HTML forms, no script."""
