"""Sources: a configuration of another program as a recipe, one module each."""
