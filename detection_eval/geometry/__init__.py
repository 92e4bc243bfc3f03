"""Quadrilaterals: order of vertices, areas, rotated boxes, overlap, validity."""
