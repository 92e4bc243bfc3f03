"""Vision-language models for remote sensing: engines, training, tasks, synthetic scenes and the command line."""
