"""What the task ``synthetic_scenes`` shows and how it judges."""

from pathlib import Path

from rscovlm.tasks.questions import is_right

IMAGES = Path("build/lmms-eval/images")


def picture(doc):
    """The path, not the pixels: the model reads the parts that it looks at from the file."""
    return [str(IMAGES / doc["image"])]


def judge(doc, replies):
    return {"accuracy": float(is_right(replies[0], doc["answer"]))}
