"""Models: their families, checkpoints, weights, patches, positions, prompts and cost."""
