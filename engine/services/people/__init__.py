"""Accounts: who may sign in, what they may do and where, and who is signed in."""
