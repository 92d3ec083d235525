"""Models: the bases and adapters of a project, import, model cards."""
