"""Who may sign in, where, and who is signed in."""
