"""Regression from forest plots: predictions of trained heads as tables, and baselines."""
