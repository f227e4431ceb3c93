"""Drift's files: references, and the data that they are made from."""
