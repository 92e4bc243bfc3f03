"""A small nano that has learnt nothing, its tokenizer and its lessons."""

import pytest

from rscovlm.data.encoding import Encoder
from rscovlm.models.weights import read_tokenizer
from rscovlm.nano.base import write_base
from rscovlm.nano.source import Lessons
from tests.rscovlm.nano.material import SMALL, SPEC


@pytest.fixture(scope="session")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    write_base(folder, seed=1, shape=SMALL, lessons=200)
    return folder


@pytest.fixture(scope="session")
def tokenizer(base):
    return read_tokenizer(base)


@pytest.fixture(scope="session")
def lessons(tokenizer):
    return Lessons("lessons", Encoder(tokenizer, SPEC), seed=4, length=1000)
