"""How far a window is from the reference: one statistic a file, from counts alone.

Each is given ``reference``, int64 of shape ``(bins,)``, and ``current``, int64 of shape
``(..., bins)``, where the leading axes are windows, and answers float64 of shape ``(...)``. A side
without any valid row has no distribution: the answer is NaN, never "no drift".
"""
