"""The commands put together."""

from __future__ import annotations

from typing import Annotated

import typer

from rscovlm.cli.ask import ask
from rscovlm.cli.bench import bench
from rscovlm.cli.bench_detections import detections
from rscovlm.cli.bench_info import info as bench_info
from rscovlm.cli.bench_info import list_benchmarks
from rscovlm.cli.bench_judge import judge
from rscovlm.cli.bench_protocols import protocols
from rscovlm.cli.bench_results import compare, report, score
from rscovlm.cli.bench_run import run
from rscovlm.cli.bench_scale import scale
from rscovlm.cli.bench_zoom import zoom
from rscovlm.cli.calibrate import calibrate
from rscovlm.cli.classify import classify
from rscovlm.cli.data import data
from rscovlm.cli.detect import detect
from rscovlm.cli.doctor import doctor
from rscovlm.cli.geoscale import geoscale
from rscovlm.cli.ground import ground
from rscovlm.cli.gsd import gsd
from rscovlm.cli.info import info
from rscovlm.cli.regress import regress
from rscovlm.cli.reo import reo
from rscovlm.cli.reo_baselines import baselines
from rscovlm.cli.reo_embed import embed
from rscovlm.cli.reo_plans import calibrate as calibrate_heads
from rscovlm.cli.reo_plans import stack, teach
from rscovlm.cli.reo_score import score as score_predictions
from rscovlm.cli.reo_sensitivity import sensitivity
from rscovlm.cli.synth import synth
from rscovlm.cli.train import export, train
from rscovlm.cli.zoom_data import zoom_data

app = typer.Typer(
    name="rscovlm",
    help="Ask about and detect in satellite and aerial scenes too large for a vision-language model.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(ask)
app.command()(detect)
app.command()(ground)
app.command()(classify)
app.command()(regress)
app.add_typer(synth)
for verb in (run, zoom, score, compare, report, detections):
    bench.command()(verb)
bench.command(name="info")(bench_info)
bench.command(name="list")(list_benchmarks)
bench.command()(judge)
bench.command()(protocols)
bench.command()(scale)
app.add_typer(bench)
for verb in (baselines, embed, teach, stack):
    reo.command()(verb)
reo.command("calibrate")(calibrate_heads)
reo.command()(sensitivity)
reo.command(name="score")(score_predictions)
app.add_typer(reo)
app.add_typer(data)
app.command()(train)
app.command()(export)
app.command(name="zoom-data")(zoom_data)
app.command()(geoscale)
app.command()(info)
app.command()(gsd)
app.command()(calibrate)
app.command()(doctor)


def _print_version(wanted: bool) -> None:
    if wanted:
        from rscovlm.tasks.provenance import version

        print(f"rscovlm {version()}")
        raise typer.Exit


@app.callback()
def _global(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error; anywhere in the line.")
    ] = False,
) -> None:
    """Ask about and detect in satellite and aerial scenes too large for a vision-language model."""
