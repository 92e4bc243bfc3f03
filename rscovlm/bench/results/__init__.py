"""Results of runs, from their logs alone: scores, comparisons, tables and the page."""
