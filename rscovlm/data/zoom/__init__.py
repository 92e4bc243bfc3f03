"""Zoom-in Chain training data from annotated images: LRS-VQA-Zoom's three ways (RSCoVLM, section 3.4)."""
