"""The commands of `styleinv`, in the order people work: what each does, calls, takes and writes, and an example of it.

A new command is one entry of a group of `GROUPS`; help, parser and shell completion follow from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from styleinv.evaluation.protocol import STORAGE, Kernel
from styleinv.generator import Format
from styleinv.methods import preparations
from styleinv.paths import Paths
from styleinv.runs import Run, parse_model, parse_run, parse_seeds

Argument = tuple[tuple[str, ...], dict[str, Any]]


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        call: `module:function` of `styleinv.stages`; each argument goes to the parameter of its name. Parameters named
            `setting` and `parser` get the setting and the parser of the whole command line.
        help: what it does, in at most 60 letters.
        example: a line that works after `make demo`, but for names of files.
        writes: the files it writes, or what it prints.
        arguments: as argparse takes them.
        more: what else its own help says.
    """

    call: str
    help: str
    example: str
    writes: str
    arguments: Sequence[Argument] = ()
    more: str = ""


def argument(*names: str, **options: Any) -> Argument:
    """Describe one argument as argparse takes it."""
    return names, options


DATASET = argument("dataset", help="name of a file in config/datasets")
RUN = argument("run", type=parse_run, help="<dataset>/<method>[-<variant>]")
RUNS = argument("runs", nargs="+", metavar="run", type=parse_run, help="<dataset>/<method>[-<variant>]")
FOLDER = argument("folder", type=Path)
OUT = argument("--out", type=Path, required=True, metavar="DIR")
SEEDS = argument("--seeds", type=parse_seeds, default="0-7", help="such as 0-7 or 3,5 (default: %(default)s)")
SECONDS = argument("--seconds", type=float, help="of each video (default: 5)")
FPS = argument("--fps", type=float, metavar="N", help="frames per second (default: the training's)")
MARK = argument("--mark", action="store_true", help="add a visible line that says: synthetic")
MODEL = argument("run", type=parse_model, help="<dataset>/<method>[-<variant>], or the folder of a packed run")
PHOTO = [
    argument("photo", type=Path, metavar="PHOTO"),
    MODEL,
    OUT,
    argument("--aligned", action="store_true", help="the photo is a square crop of the face already"),
    argument("--landmarks", type=Path, metavar="FILE.npz", help="`landmarks` [1, 68, 2], in the networks' place"),
    argument("--face", type=int, metavar="N", help="which of several, from 1 on, counted from left to right"),
    argument("--refine", type=int, default=0, metavar="STEPS", help="of optimisation after the encoder (default: 0)"),
]

# Where files lie is said by `Paths` alone; these stand for the names in them.
P, ANY_RUN, ANY_DATA = Paths(), Run(dataset="<dataset>", method="<method>"), "<dataset>"
PRINTS = "nothing: it prints"


def _prepares() -> dict[str, Command]:
    """Give each preparation its command; the method that declares it serves as example."""
    commands = {}
    for name, made in preparations().items():
        method = made.make.__module__.split(".")[-2]
        what = "talking_faces" if made.per == "dataset" else f"talking_faces/{method}"
        writes = str(made.output(P, ANY_RUN))
        metavar = argument("what", metavar=made.per)
        commands[name] = Command("prepare:prepare_for", made.help, f"styleinv {name} {what}", writes, [metavar])
    return commands


MACHINE = {
    "doctor": Command(
        "machine:report",
        "what this machine has and lacks, and what each lack means",
        "styleinv doctor",
        f"{PRINTS}; it ends with 1 where `make demo` or `make test` would fail",
    ),
    "weights": Command(
        "upkeep:weights",
        "fetch, verify or locate published weights",
        "styleinv weights fetch inception i3d",
        f"{P.weights}/, and config/weights.lock.json with the hashes that nobody published",
        [
            argument("action", choices=["fetch", "verify", "where"]),
            argument("names", nargs="*", help="default: all; `styleinv doctor` says what each is for"),
        ],
    ),
    "selftest": Command("upkeep:selftest", "check the metric code against known answers", "styleinv selftest", PRINTS),
    "completion": Command(
        "completion:completion",
        "write the completion of these commands for a shell",
        "styleinv completion bash > ~/.local/share/bash-completion/completions/styleinv",
        f"{PRINTS} a script; zsh: a file _styleinv in a folder of $fpath; tcsh: a file that ~/.tcshrc sources",
        [argument("shell", choices=["bash", "zsh", "tcsh"])],
    ),
}

DATA = {
    "check": Command(
        "check:check",
        "list what is wrong with a folder of videos, before training",
        "styleinv check path/to/videos --min-frames 128",
        PRINTS,
        [
            FOLDER,
            argument("--min-frames", type=int, default=128),
            argument(
                "--fps", type=float, metavar="N", help="count frames at this rate, as `fps` of a data set resamples"
            ),
        ],
    ),
    "dataset": Command(
        "dataset:write_dataset",
        "turn a folder of videos into a data set",
        "styleinv dataset path/to/videos --name mine --resolution 32",
        "config/datasets/<name>.yaml",
        [
            FOLDER,
            argument("--name", required=True, help="lower-case letters, digits and _"),
            argument("--resolution", type=int, default=256),
        ],
    ),
    "data": Command(
        "doctor:doctor",
        "`data doctor`: ask the sources of data sets whether they answer",
        "styleinv data doctor talking_faces",
        f"{PRINTS} a dated line for each",
        [
            argument("_", metavar="doctor", choices=["doctor"]),
            argument("names", nargs="*", help="data sets (default: all of config/datasets)"),
        ],
        "What this machine has of data and all else: `styleinv doctor`.",
    ),
    "fetch": Command(
        "fetch:fetch",
        "obtain the raw videos of a data set",
        "styleinv fetch talking_faces",
        f"{P.raw(ANY_DATA)} and {P.raw_videos(ANY_DATA)}/",
        [DATASET],
    ),
    "crop": Command(
        "crop_any:crop_any",
        "make a data set's frame store, or crop the face of one video",
        "styleinv crop talking_faces",
        f"{P.frames(ANY_DATA)} and census.json; of FILE the crop, in --out",
        [
            argument("what", metavar="dataset | FILE"),
            argument("--out", type=Path, metavar="DIR", help="where the results go (default: cropped)"),
            argument("--align", choices=["ffhq"], help="how (default: ffhq)"),
            argument(
                "--landmarks", type=Path, metavar="FILE.npz", help="those of another detector, in the networks' place"
            ),
            argument("--boxes", type=Path, metavar="FILE.npz", help="likewise; the landmarks in them are found here"),
            argument("--preset", choices=["ours", "naruniec", "single", "gaussian"], help="default: ours"),
            argument("--set", dest="changes", action="append", metavar="KEY=VALUE", help="change a key of the preset"),
            argument("--resolution", type=int, help="side of the crop (default: 256)"),
            argument("--device", choices=["auto", "cpu", "cuda"], help="default: auto"),
            argument("--report", action="store_true", help="also a comparison video and how much both shake"),
        ],
        "The options are for a file; a data set's YAML says these things instead (docs/cropping.md).",
    ),
}

TRAIN = {
    "cost": Command(
        "cost:cost_text",
        "measure parameters, memory and time of trainings beforehand",
        "styleinv cost talking_faces/styleinv",
        f"{P.table('<table>')}, .md and .tex; prints the second",
        [
            RUNS,
            argument(
                "--group-size",
                type=int,
                metavar="N",
                dest="size",
                help="samples per group (default: the method's)",
            ),
            argument(
                "--table",
                default="cost",
                metavar="NAME",
                help="that is written; plans read the table cost (default: %(default)s)",
            ),
        ],
    ),
    **_prepares(),
    "train": Command(
        "train:train",
        "train a run, or continue it where it was stopped",
        "styleinv train talking_faces/styleinv",
        f"{P.run(ANY_RUN)}/: model.safetensors, curves.csv, samples, provenance.json; state/ to continue from",
        [
            RUN,
            argument(
                "--processes", type=int, default=1, metavar="N", help="one for each GPU of this machine (default: 1)"
            ),
            argument("--afresh", action="store_true", help="set the state of an earlier training aside"),
            argument("--same-code", action="store_true", help="set it aside also if other code made it"),
            argument(
                "--verify-resume",
                type=int,
                metavar="STEPS",
                nargs="?",
                const=12,
                help="train so many steps twice in temporary folders, once killed half-way, and compare (default: "
                "%(const)s)",
            ),
        ],
    ),
}

SCORE = {
    "evaluate": Command(
        "evaluate:evaluate_any",
        "score a run, or one folder of videos against another",
        "styleinv evaluate talking_faces/styleinv",
        f"{P.metrics(ANY_RUN)}, protocol.json and diagnostics.csv; of folders it prints, and writes --out",
        [
            argument("run", nargs="?", type=parse_run, help="<dataset>/<method>[-<variant>]"),
            argument("--real", type=Path, metavar="DIR", help="folder or frame store of real videos"),
            argument("--fake", type=Path, metavar="DIR", help="folder or frame store of generated videos"),
            argument("--detectors", choices=["official", "stand-in"], help="of folders (default: official)"),
            argument("--protocol", choices=list(STORAGE), help="of folders (default: styleinv)"),
            argument("--n", type=int, metavar="N", help="videos of each folder (default: the protocol's 2048)"),
            argument("--lengths", type=int, nargs="+", metavar="L", help="clips of FVD on folders (default: 16 128)"),
            argument("--metrics", nargs="+", metavar="M", help="of folders, such as kvd (default: fid fvd)"),
            argument("--resize", choices=get_args(Kernel), help="bring generated folders to the size of the real one"),
            argument("--out", type=Path, metavar="FILE", help="also write the scores of folders to this JSON file"),
            argument("--keep", type=Path, metavar="DIR", help="keep the generated frames of a run here"),
            argument(
                "--what-if",
                dest="other_rules",
                action="store_true",
                help="score a run with each rule changed: what_if.csv, what_if.png",
            ),
        ],
    ),
    "progress": Command(
        "progress:progress",
        "score the models that a run has kept along its training",
        "styleinv progress talking_faces/styleinv",
        str(P.progress(ANY_RUN)),
        [RUN],
        "Those of scales with `snapshots`, such as paper.",
    ),
    "compare": Command(
        "compare:compare",
        "compare the scores of two runs or two metrics.json files",
        "styleinv compare talking_faces/styleinv talking_faces/stylegan_v",
        PRINTS,
        [argument("a"), argument("b")],
    ),
}

APPLY = {
    "generate": Command(
        "generate:generate",
        "write videos of a trained run",
        "styleinv generate talking_faces/styleinv --out videos --seeds 0-3 --seconds 10",
        "<out>/<seed>.mp4",
        [
            MODEL,
            OUT,
            SEEDS,
            SECONDS,
            argument("--frames", type=int, metavar="N", help="of each video, instead of --seconds"),
            FPS,
            argument("--start", type=float, default=0.0, metavar="SECONDS", help="where it begins (default: 0)"),
            argument("--speed", type=float, default=1.0, metavar="X", help="how fast things move (default: 1)"),
            argument("--format", choices=get_args(Format), default="mp4", help="png: a folder of frames each"),
            argument("--grid", dest="together", action="store_true", help="all seeds in one video, grid.mp4"),
            argument("--psi", type=float, default=1.0, help="truncation: towards 0, all become alike (default: 1)"),
            MARK,
        ],
    ),
    "animate": Command(
        "animate:animate",
        "make the face in a photo move",
        "styleinv animate photo.jpg talking_faces/styleinv --out moving --seeds 0-3",
        "<out>/<photo>_<seed>.mp4 and what `invert` writes",
        [
            *PHOTO,
            argument("--seeds", type=parse_seeds, default="0", help="of the motion (default: %(default)s)"),
            SECONDS,
            argument("--no-mark", dest="mark", action="store_false", help="leave out the line that says: synthetic"),
        ],
    ),
    "invert": Command(
        "animate:invert",
        "find the latent of the face in a photo",
        "styleinv invert photo.jpg talking_faces/styleinv --out latents --refine 200",
        "<out>/<photo>_aligned.png, _inverted.png and _inverted.json with w and the error",
        PHOTO,
    ),
    "interpolate": Command(
        "generate:interpolate",
        "write videos at a higher frame rate",
        "styleinv interpolate talking_faces/styleinv --out smooth --fps 60",
        "<out>/<seed>.mp4",
        [
            MODEL,
            OUT,
            SEEDS,
            argument("--fps", type=float, required=True, metavar="N", help="frames per second"),
            SECONDS,
        ],
    ),
    "long": Command(
        "long:long",
        "write an hour of video, or go on with it",
        "styleinv long talking_faces/styleinv --out hour --hours 1",
        "<out>/<seed>.mp4, and its parts in <out>/<seed>.parts/",
        [
            MODEL,
            OUT,
            argument("--hours", type=float, help="how long (default: 1)"),
            argument("--frames", type=int, metavar="N", help="how long, instead of --hours"),
            argument("--seed", type=int, default=0, help="default: %(default)s"),
            FPS,
        ],
    ),
    "stylize": Command(
        "generate:stylize",
        "write videos beside themselves in another style",
        "styleinv stylize taichi/styleinv --style cartoon/style_transfer --out styled",
        "<out>/<seed>.mp4",
        [
            MODEL,
            OUT,
            argument("--style", type=parse_run, required=True, metavar="RUN", help="<style set>/style_transfer"),
            SEEDS,
            SECONDS,
            MARK,
        ],
    ),
    "edit": Command(
        "animate:edit",
        "move whole videos along a direction of W",
        "styleinv edit talking_faces/styleinv --out edited --component 0 --strength 2",
        "<out>/<seed>.mp4: less, as it is, more",
        [
            MODEL,
            OUT,
            SEEDS,
            argument("--component", type=int, metavar="N", help="a principal component of W, from 0 on"),
            argument("--away", type=Path, metavar="DIR", help="or the way from these aligned pictures"),
            argument("--towards", type=Path, metavar="DIR", help="to these"),
            argument("--strength", type=float, default=2.0, help="standard deviations, or ways (default: %(default)s)"),
            SECONDS,
            MARK,
        ],
    ),
    "web": Command(
        "web:web",
        "try a run on a local page: seeds, styles, photos",
        "styleinv web talking_faces/styleinv",
        f"{PRINTS} the page's address, and serves it until Ctrl-C",
        [
            MODEL,
            argument("--port", type=int, default=7860, metavar="N", help="default: %(default)s"),
            argument("--host", default="127.0.0.1", metavar="ADDRESS", help="default: %(default)s, this machine alone"),
            argument("--no-browser", dest="open_browser", action="store_false", help="do not open it"),
        ],
        "Needs the extra `web` (Gradio). Nothing is asked of or told to anybody outside.",
    ),
    "pack": Command(
        "pack:pack",
        "write a run as a folder to share: weights, card, scores, samples",
        "styleinv pack talking_faces/styleinv --out shared",
        "<out>/: README.md, card.json with hashes, samples.mp4, the run's files",
        [RUN, OUT],
    ),
    "import": Command(
        "importing:import_file",
        "read an official checkpoint without running anything in it",
        "styleinv import network-snapshot.pkl --out imported",
        "<out>/model.safetensors and what is known of it",
        [argument("file", type=Path, metavar="FILE | DIR"), OUT],
    ),
    "export": Command(
        "importing:export_file",
        "write a model's image generator for rosinality's tools",
        "styleinv export results/talking_faces/stylegan2/model.safetensors --out g_ema.pt",
        "<out>",
        [
            argument("model", type=Path, metavar="FILE", help="model.safetensors"),
            argument("--out", type=Path, required=True, metavar="FILE"),
        ],
    ),
}

STUDY = {
    "plan": Command(
        "plan:plan",
        "say what a study will take: jobs, days, disk, wall time",
        "styleinv plan talking_faces/styleinv --gpus 8",
        f"{PRINTS}, from the table of `cost`",
        [
            argument("targets", nargs="+", metavar="target", help="such as table1, figure6, long_videos, all, or runs"),
            argument("--gpus", type=int, default=1, metavar="N", help="of all trainings together (default: 1)"),
            argument("--each", type=int, metavar="N", help="GPUs of a training (default: `gpus` of config.yaml)"),
            argument("--datasets", nargs="+", metavar="D", help="default: those of config.yaml, likewise:"),
            argument("--methods", nargs="+", metavar="M"),
            argument("--seeds", nargs="+", type=int, metavar="S"),
        ],
    ),
    "watch": Command(
        "watch:watch",
        "show how the running study stands: stages, rates, ETA, errors",
        "styleinv watch",
        f"{PRINTS}, until the study ends: a live view on a terminal, elsewhere a line every half minute",
        [
            argument("--mlflow", metavar="URI", help="ask this server, from any machine, instead of reading results"),
            argument("--once", action="store_true", help="show it once and end"),
        ],
        "It reads files alone, so it works on a study that runs through Slurm, too.",
    ),
    "table": Command(
        "summary:table",
        "write an experiment's table beside the published numbers",
        "styleinv table table1 talking_faces/styleinv talking_faces/stylegan_v",
        f"{P.table('<experiment>')}, .md and .tex",
        [argument("experiment", help="name of a file in config/experiments"), RUNS],
    ),
    "figures": Command(
        "figures:figures",
        "draw the paper's figures from the runs that there are",
        "styleinv figures figure6 --methods styleinv stylegan_v",
        f"{P.figure('<figure>')} and .json: caption, runs, seeds, frames",
        [
            argument("names", nargs="*", metavar="figure", help="of config/figures (default: all that the runs allow)"),
            argument("--datasets", nargs="+", metavar="D", help="default: those of config.yaml, likewise:"),
            argument("--methods", nargs="+", metavar="M"),
            argument("--seeds", nargs="+", type=int, metavar="S", help="of trainings; the first one is shown"),
            argument("--styles", nargs="*", metavar="D", help="style sets"),
            argument("--unseen", nargs="*", metavar="D", help="data sets of persons that no training sees"),
        ],
        "A figure that lacks a run says so in a line, with the command that makes it.",
    ),
    "question": Command(
        "questions:questions",
        "answer questions beyond the paper from the runs there are",
        "styleinv question long_videos",
        f"{P.answer('<question>')}, .md and .json: numbers, what they say, runs, seeds",
        [
            argument(
                "names", nargs="*", metavar="question", help="of config/questions (default: all that the runs allow)"
            ),
            argument("--datasets", nargs="+", metavar="D", help="of questions that name none (default: config.yaml's)"),
            argument("--seeds", nargs="+", type=int, metavar="S", help="of trainings (default: likewise)"),
        ],
        "A question that lacks a run says so in a line, with the command that makes it.",
    ),
    "gallery": Command(
        "summary:gallery",
        "make the report's videos: the same seeds of all runs",
        "styleinv gallery talking_faces/styleinv",
        f"{P.film('<dataset>', '<method>', 0).parent}/<dataset>-<method>-<seed>.mp4, and real videos beside them",
        [RUNS],
    ),
    "report": Command(
        "summary:report",
        "write the HTML report of runs",
        "styleinv report talking_faces/styleinv talking_faces/stylegan_v",
        str(P.report),
        [RUNS],
    ),
    "track": Command(
        "upkeep:track",
        "bring all results into MLflow",
        "styleinv track",
        "mlflow.db and mlartifacts/, or the server of MLFLOW_TRACKING_URI; prints where the runs are shown",
        [argument("--uri", help="tracking store (default: MLFLOW_TRACKING_URI, else sqlite:///mlflow.db)")],
    ),
    "verify": Command(
        "integrity:verify",
        "compare what stages wrote with the hashes of their record",
        "styleinv verify talking_faces/styleinv",
        PRINTS,
        [
            argument(
                "runs",
                nargs="*",
                metavar="run",
                type=parse_model,
                help="or the folder of a packed run (default: everything under the results)",
            )
        ],
    ),
}

# In the order in which people need them.
GROUPS = {"machine": MACHINE, "data": DATA, "train": TRAIN, "score": SCORE, "apply": APPLY, "study": STUDY}
COMMANDS = {name: command for group in GROUPS.values() for name, command in group.items()}
