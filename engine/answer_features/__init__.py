"""Features of an answer that people may like or dislike, in words and as a number."""
