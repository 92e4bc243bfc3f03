"""Vision-language models for remote sensing: engines, training, tasks, synthetic scenes, the command line."""
