"""Pickles written without torch."""

import pickletools

import numpy as np
import pytest

from detection_eval.formats.pickling import dump_pickle


class Sink:
    def write(self, text):
        pass


def test_what_is_written_is_a_proper_pickle():
    for tensors in (False, True):
        pickletools.dis(dump_pickle([{"a": np.zeros((1, 5)), "b": (1.5, "é")}], tensors=tensors), out=Sink())
    with pytest.raises(TypeError, match="a set"):
        dump_pickle({1, 2}, tensors=False)
