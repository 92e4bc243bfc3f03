"""Settings of fresh gates; no torch, so that configurations are checked without it."""

TIERS_M = (0.5, 5.0, 50.0)
"""Metres per pixel at which the thresholds of objects, structures and semantics begin.

The paper names the tiers and not their values; with a sharpness of 5 these leave objects 0.97, 0.18 and 0.001
at 0.1, 1 and 10 m.
"""

SHARPNESS = 5.0
"""Slope of a fresh gate, per decade of GSD: 1 hardly gates, 10 is nearly a step."""

NEUTRAL_M = 1.0
"""Metres per pixel that a gate takes an image of unknown GSD for."""
