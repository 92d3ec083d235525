"""Loop: the generations, the champion and the auto loop."""
