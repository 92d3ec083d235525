"""Votes and ratings of people, as tables and as other programs export them."""
