"""Training data: canonical samples, mixes of them, their rendering for a model family, and packs of them."""
