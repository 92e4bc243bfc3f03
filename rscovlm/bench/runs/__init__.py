"""Running a benchmark: what is asked and shown, the log of replies, and what it will cost."""
