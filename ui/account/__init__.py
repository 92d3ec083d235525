"""Signing in, and the page of one's account; plain HTML and forms, no script."""
