"""Rotated detections: geometry, text to boxes and back, dataset formats, confidence-free scoring."""
