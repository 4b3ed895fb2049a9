"""Thin adapters for mailers, each importing its framework alone."""
