"""Questions from files."""

from __future__ import annotations

import pytest

from rscovlm.cli.ask_questions import read_questions
from rscovlm.errors import UsageError


def test_questions_come_from_text_files_and_json_lines(tmp_path):
    text = tmp_path / "questions.txt"
    text.write_text("one?\n\n two? \n")
    assert [item.question for item in read_questions(text)] == ["one?", "two?"]
    lines = tmp_path / "questions.jsonl"
    lines.write_text('{"question": "how many?", "answer": 3, "topic": "count"}\n{"question": "why?"}\n')
    assert [(item.question, item.expected) for item in read_questions(lines)] == [
        ("how many?", "3"),
        ("why?", None),
    ]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", "\n \n", "holds no questions"),
        ("a.jsonl", '{"answer": 3}\n', 'no "question"; give objects such as'),
        ("a.jsonl", '{"question": "one?", "options": "red"}\n', "\"options\" is 'red'; give a list of texts"),
    ],
)
def test_a_file_without_questions_is_refused_by_its_name_or_line(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=f"{name}.*{message}"):
        read_questions(tmp_path / name)
