"""Benchmarks: every task scored in one place."""
