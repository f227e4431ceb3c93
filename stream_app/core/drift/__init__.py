"""Drift: what events looked like at training, what they look like in a window, and the distance."""
