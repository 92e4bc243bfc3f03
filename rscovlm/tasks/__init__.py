"""What a user asks for: ask, detect, classify."""
