"""Recipes that leave and arrive: a finished run as files of other programs, their files as one."""
