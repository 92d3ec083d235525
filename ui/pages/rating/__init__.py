"""Rating: start a round, rate blind, read the verdict."""
