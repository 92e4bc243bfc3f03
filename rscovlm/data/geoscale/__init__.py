"""Questions whose right answer depends on the scale at which an image is shown (GeoScale-VQA)."""
