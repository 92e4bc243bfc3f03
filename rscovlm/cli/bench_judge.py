"""``rscovlm bench judge``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detection_eval.words import counted
from rscovlm.cli.failures import Incomplete
from rscovlm.cli.opening import open_model
from rscovlm.cli.options import AsJson, Device, Family, Model
from rscovlm.errors import UsageError
from rscovlm.progress import Progress

if TYPE_CHECKING:
    from rscovlm.bench.protocols.judging import Judgement
    from rscovlm.bench.row import Row
    from rscovlm.bench.runs.folder import Run
    from rscovlm.models.checkpoints import Checkpoint

JUDGEMENTS = "judgements.jsonl"


def judge(
    folder: Annotated[Path, typer.Argument(help="Folder of a run of vrsbench-vqa.", metavar="DIR")],
    model: Model,
    device: Device = None,
    family: Family = None,
    resume: Annotated[bool, typer.Option("--resume", help="Ask about what is not judged yet.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Judge all of it anew.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let a model judge what VRSBench's rule leaves open, and score the run with its verdicts.

    Prompts and verdicts are kept in judgements.jsonl beside the log. The scores are those of two models
    together, and stand under the protocol vrsbench-vqa/judged/1.
    """
    from rscovlm.bench.protocols.judging import BENCHMARK, judged, left_open
    from rscovlm.bench.runs.folder import read_run
    from rscovlm.models.checkpoints import resolve

    run = read_run(folder)
    if run.benchmark != BENCHMARK:
        raise UsageError(f"{folder} is of {run.benchmark}; a judge has a part in {BENCHMARK} alone")
    if resume and overwrite:
        raise UsageError("--resume continues what --overwrite would replace; give one of them")
    checkpoint = resolve(model, family=family)
    rows = left_open(run.rows)
    judgements = _judgements(run, rows, checkpoint, device, resume=resume, overwrite=overwrite)
    protocol = judged(judgements)
    summary = protocol.summarise(run.rows, [protocol.judge(row) for row in run.rows])
    record = {
        "protocol": protocol.id,
        "judge": checkpoint.identity,
        "judged": sum(each.right is not None for each in judgements.values()),
        "left_open": len(rows),
        "metrics": {name: None if value != value else value for name, value in summary.metrics.items()},
    }
    if as_json:
        print(json.dumps(record, ensure_ascii=False, indent=1))
    else:
        print(
            f"{protocol.id}, judge {checkpoint.identity}: {record['judged']} "
            f"of {counted(len(rows), 'reply')} judged"
        )
        for name in ("macro", "micro", "unjudged"):
            print(f"{name}: {100 * summary.metrics[name]:.2f} %")
    if missing := len(rows) - len(judgements):
        raise Incomplete(f"{missing} of {counted(len(rows), 'request')} failed; ask again with --resume")


def _judgements(
    run: Run, rows: list[Row], checkpoint: Checkpoint, device: str | None, *, resume: bool, overwrite: bool
) -> dict[str, Judgement]:
    """Judgements by key, those that are there already and new ones."""
    from rscovlm.bench.protocols.judging import WORDS, Judgement, ask_judge, to_json
    from rscovlm.journal import Journal
    from rscovlm.tasks.provenance import text_hash

    facts = {"judge": checkpoint.identity, "prompt": text_hash(WORDS), "run": run.manifest["hash"]}
    path = run.path / JUDGEMENTS
    with Journal(path, facts, resume=resume, overwrite=overwrite) as journal:
        done = {key: Judgement.from_json(value) for key, value in journal.done.items()}
        asked = [row for row in rows if row.item.key not in done]
        if not asked:
            return done
        with open_model(checkpoint, device) as engine, Progress("judging", "reply") as progress:
            for batch in ask_judge(engine, asked):
                journal.append(to_json(batch))
                done |= batch
                progress(len(done), len(rows))
    print(f"wrote {path}", file=sys.stderr)
    return done
