"""Heads that give a map: a number for each cell of a grid over the images (perspective paper V-D, V-F).

| part | module | choices |
|---|---|---|
| what is read | ``grids`` | visual tokens of all images in their places, words of the prompt |
| decoder | ``diffusion`` | a mean, and residuals that a diffusion model denoises (as CorrDiff) |
| | ``codebook`` | patches of values as codes, said one after the other |
| | ``masked`` | patches of values filled in over some rounds, each from those that are there |

Shapes: S samples, I images of each, r x c visual tokens of an image, k cells along the side of a token, so
that a map is R x C = rk x ck cells; W width of hidden states, D of a decoder.
"""
