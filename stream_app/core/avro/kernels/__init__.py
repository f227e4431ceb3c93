"""Compiled loops over bytes and columns; each is Python that numba turns into machine code."""
