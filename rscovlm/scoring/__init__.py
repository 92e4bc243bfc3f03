"""When an answer is right: words and numbers, without torch. Boxes are scored by ``detection_eval``."""
