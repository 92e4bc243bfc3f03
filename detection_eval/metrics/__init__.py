"""Matching and scores, with and without confidences."""
