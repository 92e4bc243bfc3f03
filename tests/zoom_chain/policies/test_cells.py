"""Cells of an indexed overview: which ones a reply names, however it does, and where they lie."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tiling.view import Size, View, Window
from zoom_chain.policies.cells import CELLS, MOST_CELLS, cells_in, indexed, region_of


@pytest.mark.parametrize(
    ("reply", "cells"),
    [
        ("6", (6,)),
        ("6.", (6,)),
        ("Cells 6 and 7.", (6, 7)),
        ("3, 3, 99, 0, 16, 1", (3, 16)),
        ("<think>1 or 2?</think> 5", (5,)),
        ("<answer>6, 7</answer>", (6, 7)),
        (r"\boxed{6}", (6,)),
        ("**6**, **7**", (6, 7)),
        ("#6 & #7", (6, 7)),
        ("Cell6 and cell_7", (6, 7)),
        ("[6, 7]", (6, 7)),
        ('{"cells": [6, 7]}', (6, 7)),
        ("5-6", (5, 6)),
        ("cells 5 to 6", (5, 6)),
        ("1. 6\n2. 7", (6, 7)),
        ("1. Cell 6\n2. Cell 7", (6, 7)),
        ("In the 4 x 4 grid, cell 6", (6,)),
        ("The 2 cells 6 and 7", (6, 7)),
        ("The cells that have to be seen closer are 6 and 7.", (6, 7)),
        ("cell 6 (row 2, column 2)", (6,)),
        # By rows and columns.
        ("row 2, column 3", (7,)),
        ("column 3, row 2", (7,)),
        ('{"row": 2, "column": 3}', (7,)),
        ("R2C3", (7,)),
        ("(row 2, col 3) and (row 3, col 4)", (7, 12)),
        # By letters, as in a spreadsheet: B3 is the second cell of the third row, and not cell 3.
        ("B3", (10,)),
        ("cells b3 and c-3", (10, 11)),
        ('```json\n{"cells": ["B3", "C3"]}\n```', (10, 11)),
        # None of these names a cell.
        ("", ()),
        ("The top left", ()),
        ("There are 3 planes here, so that I would need a closer view.", ()),
        ("6.5", ()),
        ("50%", ()),
        ('<tool_call>{"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [100, 200, 300, 400]}}', ()),
        ("cell 17", ()),
        ("E5", ()),
        ("row 5, column 1", ()),
        ("9" * 5000, ()),
    ],
)
def test_cells_are_read_from_a_reply(reply, cells):
    assert cells_in(reply).cells == cells


@pytest.mark.parametrize(
    ("reply", "note"),
    [
        ("cells 6 and 17", "there is no cell 17"),
        ("row 5, column 1", "there is no cell in row 5, column 1"),
        ("E5", "there is no cell E5"),
        ("1, 2, 3", "of 3 cells the first 2 count"),
        ("B3", "the cells were named by letters, which are read as columns, and rows"),
    ],
)
def test_what_is_no_cell_or_one_too_many_is_said(reply, note):
    assert note in cells_in(reply).notes


@given(st.one_of(st.text(), st.from_regex(r"([A-F]?[0-9]{1,3}[-, ]{0,2}){1,5}"), st.just("cells " * 99)))
def test_any_text_names_cells_that_exist_each_once(reply):
    cells = cells_in(reply).cells
    assert len(cells) == len(set(cells)) <= MOST_CELLS
    assert all(1 <= cell <= CELLS**2 for cell in cells)


def test_cells_are_numbered_row_by_row():
    overview = View(Window(0, 0, 2048, 1024), Size(128, 256))
    assert region_of(overview, (1,)) == Window(0, 0, 512, 256)
    assert region_of(overview, (7,)) == Window(1024, 256, 512, 256)
    # The smallest part that holds both.
    assert region_of(overview, (6, 12)) == Window(512, 256, 1536, 512)


def test_the_index_leaves_the_picture_its_size_and_most_of_its_pixels():
    plain = np.full((256, 512, 3), 90, np.uint8)
    drawn = indexed(plain)
    assert drawn.shape == plain.shape
    assert 0.01 < (drawn != plain).any(axis=-1).mean() < 0.2
    assert (drawn[:, 128] == 255).any()
    assert Image.fromarray(drawn).getpixel((64, 32)) is not None
