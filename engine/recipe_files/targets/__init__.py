"""Targets: a finished run as a folder of another program, one module each."""
