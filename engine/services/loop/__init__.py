"""The loop: generations, champion, gate, stop rules and the next step."""
