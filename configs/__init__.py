"""Configurations that ship inside the wheel, resolved by name (``zoom/default``) or path."""
