"""Models at work: find, convert, tokenise, render, answer. Their table is in `store`."""
