"""The lines of a dry run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rscovlm.cli.dry_run import print_memory, print_request
from rscovlm.models.checkpoints import resolve
from rscovlm.models.families import FAMILIES
from rscovlm.tasks.task import Prompt
from tiling.view import Size
from zoom_chain.chat import Generation, Sampling


@pytest.mark.parametrize(
    ("sampling", "rules"),
    [(None, "the checkpoint's own"), (Sampling(), "greedy"), (Sampling(temperature=0.5), "temperature 0.5")],
)
def test_a_request_is_told_in_full(capsys, sampling, rules):
    options = Generation(1234, sampling)
    print_request(Prompt("Be brief.", "Any ship?"), [Size(64, 128)], FAMILIES["nano"], options)
    # nano sees 16 x 16 px as one visual token.
    first, image, user, reply = capsys.readouterr().out.splitlines()
    assert (first, image) == ("system: Be brief.", "image: 128 x 64 px (32 visual tokens)")
    assert user == "user: Any ship?"
    assert reply.startswith(f"reply: at most 1,234 tokens, sampling {rules}")
    assert "matching" not in reply
    held = replace(options, pattern="yes|no")
    print_request(Prompt(None, "Any ship?"), [Size(64, 128)], FAMILIES["nano"], held)
    assert capsys.readouterr().out.endswith(", matching yes|no\n")


def test_memory_is_that_of_models_in_process(capsys):
    print_memory(resolve("http://127.0.0.1:9/v1#model", family="qwen3-vl"))
    assert capsys.readouterr().out == ""
    print_memory(resolve("nano"))
    assert capsys.readouterr().out.startswith("memory: weights ")
