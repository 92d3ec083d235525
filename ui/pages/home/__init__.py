"""Home: where a project stands, and the one next step."""
