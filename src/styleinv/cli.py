"""`styleinv <stage>`: parse, validate, call."""

import argparse
import errno
import json
import logging
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from styleinv.errors import UserError
from styleinv.methods import preparations
from styleinv.paths import Paths
from styleinv.runs import Run, parse_run
from styleinv.stages.setting import Setting

Command = Callable[[argparse.Namespace, Setting], None]


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the process exit code (0 done, 1 failed, 2 bad input, 3 no access, 75 stopped)."""
    args = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    try:
        args.command(args, Setting(Path(args.config), Paths(Path(args.results))))
        return 0
    except UserError as error:
        return _fail(args, str(error), error.exit_code)
    except OSError as error:
        place = error.filename or args.results
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _fail(
                args, f"{error.filename or args.results}: no space left on device. Free some and run again.", 1
            )
        if error.errno in (errno.EACCES, errno.EROFS):
            return _fail(args, f"{place}: cannot be written. Check its permissions.", 2)
        raise
    except MemoryError:
        return _fail(args, "out of memory. Lower batch_gpu in the method's YAML.", 1)
    except KeyboardInterrupt:
        return _fail(args, "interrupted", 130)


def _fail(args: argparse.Namespace, line: str, code: int) -> int:
    if args.debug:
        raise
    print(f"styleinv: {line}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--config", default="config/demo.yaml", metavar="FILE", help="scale file (default: %(default)s)"
    )
    common.add_argument("--results", default="results", metavar="DIR", help="results folder (default: %(default)s)")
    common.add_argument("--debug", action="store_true", help="show tracebacks")
    parser = argparse.ArgumentParser(prog="styleinv", description=__doc__)
    parser.add_argument("--version", action="version", version=f"styleinv {version('styleinv')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Command, help_: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, parents=[common], help=help_, description=help_)
        sub.set_defaults(command=run)
        return sub

    add("fetch", _fetch, "obtain the raw videos of a data set").add_argument("dataset")
    sub = add("crop", _crop, "crop the raw videos of a data set into a frame store, or the face out of one video file")
    sub.add_argument("what", metavar="dataset | FILE")
    of_file = sub.add_argument_group("FILE", "a data set's YAML says these things instead; see docs/cropping.md")
    of_file.add_argument("--out", type=Path, metavar="DIR", help="where the results go (default: cropped)")
    of_file.add_argument("--align", choices=["ffhq"], help="how (default: ffhq)")
    of_file.add_argument("--preset", choices=["ours", "naruniec", "single", "gaussian"], help="default: ours")
    of_file.add_argument("--set", action="append", metavar="KEY=VALUE", help="change a key of the preset")
    of_file.add_argument("--resolution", type=int, help="side of the crop (default: 256)")
    of_file.add_argument("--device", choices=["auto", "cpu", "cuda"], help="default: auto")
    of_file.add_argument("--report", action="store_true", help="also a comparison video and how much both shake")
    for preparation in preparations().values():
        sub = add(preparation.name, _prepare, preparation.help)
        sub.add_argument("what", metavar=preparation.per)
        sub.set_defaults(preparation=preparation)
    sub = add("train", _train, "train a run, or continue it")
    sub.add_argument("run", help="<dataset>/<method>[-<variant>]")
    sub.add_argument(
        "--verify-resume",
        type=int,
        metavar="STEPS",
        nargs="?",
        const=12,
        help="train so many steps twice in temporary folders, once killed half-way, and compare (default: %(const)s)",
    )
    sub = add("evaluate", _evaluate, "score a run, or one folder of videos against another")
    sub.add_argument("run", nargs="?", help="<dataset>/<method>[-<variant>]")
    sub.add_argument("--real", type=Path, metavar="DIR", help="folder or frame store of real videos")
    sub.add_argument("--fake", type=Path, metavar="DIR", help="folder or frame store of generated videos")
    sub.add_argument("--detectors", default="official", help="official or stand-in (default: %(default)s)")
    sub.add_argument("--protocol", default="styleinv", choices=["styleinv", "lossless"])
    sub.add_argument("--out", type=Path, metavar="FILE", help="also write the scores to this JSON file")
    sub.add_argument("--keep", type=Path, metavar="DIR", help="keep the generated frames of a run here")
    sub = add("progress", _progress, "score the models that a run has kept along its training")
    sub.add_argument("run", help="<dataset>/<method>[-<variant>]")
    sub = add("table", _table, "write the table of an experiment beside the published numbers")
    sub.add_argument("experiment", help="name of a file in config/experiments")
    sub.add_argument("runs", nargs="+", metavar="run")
    for name, run, help_ in (
        ("figures", _figures, "draw curves and film strips of runs"),
        ("report", _report, "write the HTML report of runs"),
    ):
        add(name, run, help_).add_argument("runs", nargs="+", metavar="run")
    sub = add("cost", _cost, "measure parameters, memory and time of trainings before they run")
    sub.add_argument("runs", nargs="+", metavar="run")
    sub.add_argument("--batch-gpu", type=int, metavar="N", help="samples per micro-batch (default: the method's)")
    sub = add("plan", _plan, "say what runs will take: jobs, days, disk and wall time, from the table of `cost`")
    sub.add_argument("runs", nargs="+", metavar="run")
    sub.add_argument("--gpus", type=int, default=1, metavar="N", help="trainings at once (default: %(default)s)")
    sub = add("compare", _compare, "compare the scores of two runs or two metrics.json files")
    sub.add_argument("a")
    sub.add_argument("b")
    sub = add("generate", _generate, "write videos of a trained run")
    sub.add_argument("run")
    sub.add_argument("--out", type=Path, required=True, metavar="DIR")
    sub.add_argument("--seeds", default="0-7", help="such as 0-7 or 3,5 (default: %(default)s)")
    sub.add_argument("--seconds", type=float, default=5.0)
    sub.add_argument("--slowmo", type=float, default=1.0, help="2 doubles the frame rate by interpolation in time")
    sub.add_argument("--style", metavar="RUN", help="<style set>/style_transfer: show this style beside the video")
    sub = add("dataset", _dataset, "turn a folder of videos into a data set")
    sub.add_argument("folder", type=Path)
    sub.add_argument("--name", required=True, help="lower-case letters, digits and _")
    sub.add_argument("--resolution", type=int, default=256)
    sub = add("check", _check, "list what is wrong with a folder of videos before anything is trained on it")
    sub.add_argument("folder", type=Path)
    sub.add_argument("--min-frames", type=int, default=128)
    sub = add("data", _data, "ask whether the sources of data sets are there")
    sub.add_argument("action", choices=["doctor"])
    sub.add_argument("names", nargs="*", help="data sets (default: all of config/datasets)")
    sub = add("import", _import, "read an official checkpoint without running anything in it")
    sub.add_argument("file", type=Path)
    sub.add_argument("--out", type=Path, required=True, metavar="DIR")
    sub = add("export", _export, "write the image generator of a model for rosinality's tools")
    sub.add_argument("model", type=Path, help="model.safetensors")
    sub.add_argument("--out", type=Path, required=True, metavar="FILE")
    sub = add("weights", _weights, "fetch, verify or locate published weights")
    sub.add_argument("action", choices=["fetch", "verify", "where"])
    sub.add_argument("names", nargs="*", help="default: all")
    sub = add("track", _track, "bring all results into MLflow")
    sub.add_argument("--uri", help="tracking store (default: MLFLOW_TRACKING_URI, else sqlite:///mlflow.db)")
    add("selftest", _selftest, "check the metric code against known answers")
    return parser


def _fetch(args: argparse.Namespace, setting: Setting) -> None:
    from styleinv.stages.fetch import fetch

    fetch(args.dataset, setting)


def _crop(args: argparse.Namespace, setting: Setting) -> None:
    from styleinv.data.video import is_video

    if not (is_video(args.what) or Path(args.what).is_file()):
        from styleinv.stages.crop import crop

        for option in ("out", "align", "preset", "set", "resolution", "device", "report"):
            if getattr(args, option):
                cure = f"Say it in config/datasets/{args.what}.yaml, or name a file that exists."
                raise UserError(
                    f"is for a video file, not for the data set {args.what}", field=f"--{option}", cure=cure
                )
        crop(args.what, setting)
        return
    from styleinv.stages.crop_video import crop_video

    keys = {"preset": args.preset or "ours", **dict(_key_and_value(word) for word in args.set or ())}
    resolution = 256 if args.resolution is None else args.resolution
    out, device = args.out or Path("cropped"), args.device or "auto"
    print(crop_video(Path(args.what), out, keys, resolution, args.report, device, setting))


def _key_and_value(word: str) -> tuple[str, str]:
    key, given, value = word.partition("=")
    if not given:
        raise UserError(f"{word!r} sets nothing", field="--set", cure="Write --set KEY=VALUE, such as jitters=20.")
    return key, value


def _train(args: argparse.Namespace, setting: Setting) -> None:
    if args.verify_resume is not None:
        from styleinv.stages.verify_resume import verify_resume

        print(verify_resume(parse_run(args.run), setting, args.verify_resume))
        return
    from styleinv.stages.train import train

    train(parse_run(args.run), setting)


def _evaluate(args: argparse.Namespace, setting: Setting) -> None:
    from styleinv.files import write_json
    from styleinv.stages.evaluate import evaluate, evaluate_folders

    if args.run:
        evaluate(parse_run(args.run), setting, args.keep)
        return
    if args.real is None or args.fake is None:
        raise UserError("nothing to evaluate", cure="Name a run, or give --real DIR and --fake DIR.")
    scores = evaluate_folders(args.real, args.fake, setting, args.detectors, args.protocol)
    if args.out:
        write_json(args.out, scores)
    print(json.dumps(scores, indent=2))


def _prepare(args: argparse.Namespace, setting: Setting) -> None:
    from styleinv.stages.prepare import prepare

    of_run = args.preparation.per == "run"
    prepare(args.preparation.name, parse_run(args.what) if of_run else Run(dataset=args.what, method=""), setting)


def _progress(args: argparse.Namespace, setting: Setting) -> None:
    from styleinv.stages.progress import progress

    progress(parse_run(args.run), setting)


def _table(args: argparse.Namespace, setting: Setting) -> None:
    from styleinv.stages.summary import table

    table(args.experiment, [parse_run(run) for run in args.runs], setting)


def _cost(args: argparse.Namespace, setting: Setting) -> None:
    from styleinv.stages.cost import cost

    print(cost([parse_run(run) for run in args.runs], setting, args.batch_gpu).read_text())


def _plan(args: argparse.Namespace, setting: Setting) -> None:
    from styleinv.stages.plan import plan

    print(plan([parse_run(run) for run in args.runs], setting, args.gpus))


def _figures(args: argparse.Namespace, setting: Setting) -> None:
    from styleinv.stages.summary import figures

    figures([parse_run(run) for run in args.runs], setting)


def _report(args: argparse.Namespace, setting: Setting) -> None:
    from styleinv.stages.summary import report

    report([parse_run(run) for run in args.runs], setting)


def _compare(args: argparse.Namespace, setting: Setting) -> None:
    from styleinv.stages.compare import compare

    print(compare(args.a, args.b, setting))


def _generate(args: argparse.Namespace, setting: Setting) -> None:
    from styleinv.stages.generate import generate, parse_seeds

    style = parse_run(args.style) if args.style else None
    generate(parse_run(args.run), setting, args.out, parse_seeds(args.seeds), args.seconds, args.slowmo, style)


def _dataset(args: argparse.Namespace, setting: Setting) -> None:
    from styleinv.stages.dataset import write_dataset

    print(write_dataset(args.folder, args.name, args.resolution, setting))


def _check(args: argparse.Namespace, setting: Setting) -> None:
    from styleinv.stages.dataset import check

    print(check(args.folder, args.min_frames))


def _data(args: argparse.Namespace, setting: Setting) -> None:
    from styleinv.stages.doctor import doctor

    for line in doctor(args.names, setting):
        print(line, flush=True)


def _import(args: argparse.Namespace, setting: Setting) -> None:
    from styleinv.stages.importing import import_file

    for path in import_file(args.file, args.out):
        print(path)


def _export(args: argparse.Namespace, setting: Setting) -> None:
    from styleinv.stages.importing import export_file

    export_file(args.model, args.out)
    print(args.out)


def _weights(args: argparse.Namespace, setting: Setting) -> None:
    from styleinv.data.weights import WEIGHTS, fetch_weights, verify, where

    names = args.names or sorted(WEIGHTS)
    if args.action == "fetch":
        fetch_weights(names, setting.paths.weights)
    for name in names:
        print(name, where(name, setting.paths.weights), verify(name, setting.paths.weights))


def _track(args: argparse.Namespace, setting: Setting) -> None:
    from styleinv.tracking import tracking_uri
    from styleinv.tracking.sync import sync

    print(sync(setting.paths.root, args.uri or tracking_uri(), setting.config.parent / "published.csv"))


def _selftest(args: argparse.Namespace, setting: Setting) -> None:
    from styleinv.evaluation.selftest import selftest

    checks = selftest()
    for check in checks:
        verdict = "ok" if check.passed else "WRONG"
        print(f"{check.name:40} {check.value:.10g}  expected {check.expected:.10g}  {verdict}")
    if not all(check.passed for check in checks):
        raise UserError("the metric code gives wrong numbers here", cure="Do not trust scores from this installation.")


if __name__ == "__main__":
    sys.exit(main())
