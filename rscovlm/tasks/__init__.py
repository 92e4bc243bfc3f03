"""Tasks: ask, detect, classify, ground."""
