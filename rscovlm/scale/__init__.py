"""The experiment on scale: ways of conditioning on ground sampling distance, trained and measured alike."""
