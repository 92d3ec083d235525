"""The only door for the pages and the command line; every service takes an `Actor`."""
