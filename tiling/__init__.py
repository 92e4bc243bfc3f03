"""Large rasters: windowed reading, views and coordinate frames, tile grids, merging, georeferenced output."""
