"""``rscovlm data``: published data sets to sample files, and looks into them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detection_eval.words import counted
from rscovlm.cli.failures import Incomplete
from rscovlm.cli.options import AsJson, Classes, Seed, read_list
from rscovlm.cli.outputs import Overwrite, check_file, check_outputs
from rscovlm.errors import DataError, UsageError

if TYPE_CHECKING:
    from rscovlm.data.broken import Broken
    from rscovlm.data.preview import Panel
    from rscovlm.data.readers import Account, Options
    from rscovlm.data.sample import Sample
    from rscovlm.data.store import SampleFile

data = typer.Typer(name="data", help="Make, inspect and draw training samples.", no_args_is_help=True)

_EXAMPLES = 3
_GEOMETRIES = ("auto", "hbb", "obb", "polygon")

SampleFileArgument = Annotated[Path, typer.Argument(help="A sample file.", metavar="FILE")]


@data.command()
def convert(
    path: Annotated[Path, typer.Argument(help="File or folder of annotations.", metavar="PATH")],
    output: Annotated[Path, typer.Option(help="The sample file.", metavar="FILE.jsonl|FILE.parquet")],
    form: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="The format of PATH; by default recognised by its content.",
            metavar="FORMAT",
        ),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(help="Where image names start from; the folder of PATH by default.", metavar="FOLDER"),
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Most samples.", metavar="N", min=1)] = None,
    source: Annotated[
        str, typer.Option(help="Name that the samples carry; the format by default.", metavar="NAME")
    ] = "",
    classes: Classes = None,
    geometry: Annotated[
        str, typer.Option(help="Boxes as annotated (auto), or hbb, obb or polygon.", metavar="GEOMETRY")
    ] = "auto",
    boxes: Annotated[
        str | None,
        typer.Option(
            help="How conversations write boxes: geochat, 0-100, 0-1000, 0-1, 0-1-padded, pixels or none; "
            "the format's own by default.",
            metavar="FORM",
        ),
    ] = None,
    clockwise: Annotated[
        bool, typer.Option("--clockwise", help="GeoChat's angles turn clockwise on the image.")
    ] = False,
    unreadable: Annotated[
        str,
        typer.Option(help="Samples with unreadable box text: drop, or keep as plain text.", metavar="HOW"),
    ] = "drop",
    task: Annotated[str | None, typer.Option(help="What conversations teach.", metavar="TASK")] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(help="REO-Instruct: a numeric target and its field.", metavar="NAME=FIELD"),
    ] = None,
    fields: Annotated[
        list[str] | None,
        typer.Option(
            help="Any table: the field of each of question, answer, image, id, choices.",
            metavar="NAME=FIELD",
        ),
    ] = None,
    crop_margin: Annotated[
        float,
        typer.Option(
            help="LRS-VQA-Zoom: widen the boxes that are zoomed to on each side, in pixels of the image.",
            min=0,
            metavar="PX",
        ),
    ] = 0.0,
    report: Annotated[
        Path | None, typer.Option(help="List all that was left out, and why.", metavar="FILE.json")
    ] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Read a published data set and write a sample file.

    Formats: dota, dior-r, fair1m, hrsc2016, coco, srsdd, rsar, yolo-obb; refgeo, dior-rsvg; folders, vhm;
    rsvqa, vrsbench, lrs-vqa-zoom; lrs-vqa, xlrs-bench, mme-realworld, rsitmd; llava, ms-swift, geochat,
    teochat, reo-instruct, chat; fields. docs/data.md says what each holds. Conversations and questions may be
    JSON, CSV, Parquet, Arrow, tar or zip; images inside are written to a folder beside the output.
    Exits with 1 where records had to be left out, which are counted by reason.
    """
    check_file(output, "--output", (".jsonl", ".parquet"))
    check_file(report, "--report", (".json",))
    check_outputs({"--output": output, "--report": report}, (path,), overwrite=overwrite)
    options = _options(source, classes, geometry, boxes, clockwise, unreadable, task, target, fields)
    options = replace(options, crop_margin_px=crop_margin)
    form = form or ("fields" if fields else None)
    from rscovlm.data.readers import convert as run

    written = run(form, path, output, options, images=images, limit=limit)
    account = options.account
    if report is not None:
        _write_report(report, account)
    left_out = sum(account.left_out.values())
    if as_json:
        summary = {
            "output": str(output),
            **vars(written),
            "left_out": dict(account.left_out),
            "changed": dict(account.changed),
        }
        print(json.dumps(summary, ensure_ascii=False, indent=1))
    else:
        tasks = ", ".join(f"{name} {count:,}" for name, count in written.tasks.items())
        print(
            f"{output}: {counted(written.samples, 'sample')} ({tasks}), {counted(written.images, 'image')}, "
            f"{counted(written.boxes, 'box')}; {left_out:,} left out"
        )
    _tell(account)
    if left_out:
        raise Incomplete(f"{counted(left_out, 'record')} of {path} made no sample")


def _options(
    source: str,
    classes: str | None,
    geometry: str,
    boxes: str | None,
    clockwise: bool,
    unreadable: str,
    task: str | None,
    target: list[str] | None,
    field: list[str] | None,
) -> Options:
    from rscovlm.data.readers import Options
    from rscovlm.data.readers.boxtext import NONE, box_form
    from rscovlm.data.readers.fields import FIELDS
    from rscovlm.data.sample import TASKS

    _among("--geometry", geometry, _GEOMETRIES)
    _among("--unreadable", unreadable, ("drop", "keep"))
    if task is not None:
        _among("--task", task, TASKS)
    box_form(boxes or NONE)
    targets = {}
    for pair in target or ():
        name, _, fieldname = pair.partition("=")
        if not (name.isidentifier() and fieldname):
            raise UsageError(f"--target {pair!r} is not understood; give NAME=FIELD, such as height_m=rh98")
        targets[fieldname] = name
    fields = {}
    for pair in (part for text in field or () for part in text.replace(",", " ").split()):
        name, _, fieldname = pair.partition("=")
        if not (name in FIELDS and fieldname):
            raise UsageError(
                f"--fields {pair!r} is not understood; give NAME=FIELD, NAME one of {', '.join(FIELDS)}"
            )
        fields[name] = fieldname
    names = _class_names(classes)
    return Options(source, names, geometry, boxes, clockwise, unreadable, task, targets, fields)  # type: ignore[arg-type]


def _class_names(text: str | None) -> tuple[str, ...] | None:
    """Names separated by commas, or the names of a list that detection_eval knows."""
    from detection_eval.formats.class_lists import CLASS_LISTS

    return CLASS_LISTS[text] if text in CLASS_LISTS else read_list(text, "--classes")


def _among(option: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UsageError(f"{option} {value!r} is unknown; choose from {', '.join(choices)}")


def _tell(account: Account) -> None:
    """Report omissions and changes, with the first places, on stderr."""
    for line in account.lines(_EXAMPLES, "; --report lists all"):
        print(line, file=sys.stderr)


def _write_report(path: Path, account: Account) -> None:
    from detection_eval.files import write_json

    content = {
        "left_out": dict(account.left_out),
        "changed": dict(account.changed),
        "places": [{"reason": reason, "place": place} for reason, place in account.places],
    }
    write_json(path, content, indent=1)


@data.command()
def inspect(
    path: SampleFileArgument,
    index: Annotated[
        int | None, typer.Option(help="Which sample, from 0; from the end below it.", metavar="N")
    ] = None,
    name: Annotated[str | None, typer.Option("--id", help="The sample of an id.", metavar="ID")] = None,
) -> None:
    """Print one sample as JSON, by default the first. Exits with 1 where its image does not fit it."""
    from rscovlm.data.broken import Files
    from rscovlm.data.store import SampleFile

    if index is not None and name is not None:
        raise UsageError("--index and --id both say which sample; give one of them")
    file = SampleFile(path)
    if name is not None:
        found = file.find(name)
        if found is None:
            raise UsageError(f"{path} holds no sample {name!r}")
        index = found
    index = index or 0
    if not -len(file) <= index < len(file):
        raise UsageError(f"{path} holds {counted(len(file), 'sample')}; there is no sample {index}")
    sample = file[index]
    print(file.place(index % len(file)), file=sys.stderr)
    print(_pretty(sample))
    try:
        Files().check(sample, file.resolve)
    except DataError as error:
        raise Incomplete(f"{file.place(index % len(file))}: {error}") from error


def _pretty(sample: Sample) -> str:
    """A sample as JSON, one turn, box and image a line."""
    record = sample.to_json()
    lines = []
    for name, value in record.items():
        parts = value if isinstance(value, list) and name in ("turns", "boxes", "images") else None
        text = json.dumps(value, ensure_ascii=False)
        if parts:
            text = "[\n" + ",\n".join(f"  {json.dumps(part, ensure_ascii=False)}" for part in parts) + "\n ]"
        lines.append(f" {json.dumps(name)}: {text}")
    return "{\n" + ",\n".join(lines) + "\n}"


@data.command()
def stats(
    paths: Annotated[list[Path], typer.Argument(help="Sample files.", metavar="FILE...")],
    open_images: Annotated[
        bool,
        typer.Option("--open-images/--no-open-images", help="Whether image files are opened and checked."),
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Count tasks, images and their sizes, boxes, labels, turns and words, and samples that are broken.

    Broken are records that are no samples, and samples whose image is missing or of another size than stated.
    They are counted by reason on stderr with their first places, and the exit code is 1 where there are some.
    """
    from rscovlm.data.broken import Broken
    from rscovlm.data.statistics import Statistics, as_text
    from rscovlm.data.store import SampleFile

    files = [SampleFile(path) for path in paths]
    broken, found = Broken(), Statistics()
    found.update(_usable(files, broken, open_images))
    if broken and not found.samples:
        raise DataError(f"none of {counted(len(broken), 'sample')} can be used; first {broken.first()}")
    report = found.to_json()
    whole = report | ({"broken": broken.to_json()} if broken else {})
    print(json.dumps(whole, ensure_ascii=False, indent=1) if as_json else as_text(report))
    for line in broken.lines():
        print(line, file=sys.stderr)
    if broken:
        raise Incomplete(f"{len(broken):,} of {counted(sum(map(len, files)), 'sample')} are broken")


def _usable(files: list[SampleFile], broken: Broken, open_images: bool) -> Iterator[Sample]:
    """The samples of files, without those that are broken, which are put down in the account."""
    from rscovlm.data.broken import Files
    from rscovlm.progress import Progress

    total, done, images = sum(map(len, files)), 0, Files()
    with Progress("counting", "sample") as progress:
        for file in files:
            for index in range(len(file)):
                try:
                    sample = file[index]
                    if open_images:
                        images.check(sample, file.resolve)
                except DataError as error:
                    place = file.place(index)
                    broken.add(str(error) if str(error).startswith(place) else f"{place}: {error}")
                else:
                    yield sample
                done += 1
                if done % 1000 == 0:
                    progress(done, total)


@data.command()
def preview(
    path: SampleFileArgument,
    output: Annotated[Path, typer.Option(help="The PNG to write, or a folder.", metavar="FILE.png|FOLDER")],
    count: Annotated[int, typer.Option(help="Number of samples.", min=1, max=100, metavar="N")] = 12,
    seed: Seed = 0,
    family: Annotated[
        str | None, typer.Option(help="Draw what a model of this family would be shown.", metavar="NAME")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Draw samples drawn at random, with their boxes and words, on one contact sheet."""
    target = output / f"{path.stem}.png" if output.is_dir() else output
    check_file(target, "--output", (".png",))
    check_outputs({"--output": target}, (path,), overwrite=overwrite)
    from detection_eval.files import atomic_path
    from rscovlm.data.preview import draw_sheet
    from rscovlm.data.randomness import generator
    from rscovlm.data.store import SampleFile

    file = SampleFile(path)
    if not len(file):
        raise UsageError(f"{path} holds no samples")
    chosen = generator(seed, "preview").permutation(len(file))[:count].tolist()
    panels = _rendered(file, chosen, family, seed) if family else _canonical(file, chosen)
    sheet = draw_sheet(list(panels))
    with atomic_path(target) as temporary:
        sheet.save(temporary, format="PNG")
    print(target)


def _canonical(file: SampleFile, chosen: list[int]) -> Iterator[Panel]:
    from rscovlm.data.preview import panel_of_sample

    for index in chosen:
        yield panel_of_sample(file[index], file.resolve)


def _rendered(file: SampleFile, chosen: list[int], name: str, seed: int) -> Iterator[Panel]:
    from rscovlm.data.example import Key
    from rscovlm.data.preview import panel_of_example, panel_of_failure
    from rscovlm.data.rendering import Rules, render_example
    from rscovlm.data.templates import load_templates
    from rscovlm.models.families import FAMILIES
    from tiling.errors import SceneError

    _among("--family", name, tuple(FAMILIES))
    family = FAMILIES[name]
    rules = Rules(family, family.resolution, load_templates("varied"))
    for index in chosen:
        sample = file[index]
        key = Key(sample.source, index, 0)
        try:
            yield panel_of_example(render_example(sample, rules, key, seed, file.resolve), sample)
        except (DataError, SceneError) as error:
            yield panel_of_failure(sample, error)
