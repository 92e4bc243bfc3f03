"""Procedural remote-sensing scenes with exact ground truth."""
