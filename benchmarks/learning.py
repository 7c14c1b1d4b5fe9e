"""Train the demo's set-up longer, score it along the way, and write docs/learning.csv and its figures.

    python benchmarks/learning.py [--factor 2] [--folder /tmp/learning] [run ...]

The DAG runs in a folder of its own, so `results/` stays as it is; the same command continues an interrupted one. With
runs named, the others keep what docs/learning.csv has of them.
"""

import argparse
import os
import shutil
import subprocess
import tempfile
import textwrap
from pathlib import Path
from typing import Any

import pandas as pd

from styleinv.files import write_text
from styleinv.report.figures import curves_figure
from styleinv.schema import merge, read_yaml

ROOT = Path(__file__).parent.parent
DATASET = "talking_faces"
RUNS = ["styleinv", "styleinv-no_ffa_ape", "styleinv-no_ffa_st_no_recon", "styleinv-no_ffa_st"]
RUNS += ["stylegan_v", "digan", "mocogan_hd", "long_video_gan", "stylegan2"]
ABLATIONS = {
    "styleinv": "StyleInV",
    "styleinv-no_ffa_ape": "without FFA-APE (`no_ffa_ape`)",
    "styleinv-no_ffa_st": "first frame not in the discriminator (`no_ffa_st`)",
    "styleinv-no_ffa_st_no_recon": "nor reconstructed (`no_ffa_st_no_recon`)",
}
METHODS = {
    "styleinv": "StyleInV, 54 kimg of frames",
    "stylegan_v": "StyleGAN-V, 60 kimg of frames",
    "digan": "DIGAN, 15 kimg of pairs",
    "mocogan_hd": "MoCoGAN-HD, 3 kimg of 16-frame clips",
    "long_video_gan": "Long-Video-GAN, 5 kimg of low-resolution clips, 2 of super-resolution",
}
SNAPSHOTS = 5
PANELS = ["fid", "fvd16", "fvd128", "motion_energy", "motion_roughness", "identity_drift", "first_frame_error"]


def scale(factor: float) -> dict[str, Any]:
    """The demo's scale with longer trainings and more videos to score."""
    demo = read_yaml(ROOT / "config/demo.yaml")
    longer = {
        name: {"training": {"total_kimg": method["training"]["total_kimg"] * factor}}
        for name, method in demo["methods"].items()
    }
    return merge(demo, {"snapshots": SNAPSHOTS, "methods": longer, "evaluation": {"n_fake": 256, "also": []}})


def prepare(folder: Path, factor: float) -> None:
    """A working copy of the workflow in `folder`, at that scale."""
    import yaml

    folder.mkdir(parents=True, exist_ok=True)
    for name in ("Snakefile", "workflow", "profiles", "config"):
        source, target = ROOT / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
        else:
            shutil.copy2(source, target)
    write_text(folder / "config/learning.yaml", yaml.safe_dump(scale(factor), sort_keys=False))


def collect(tables: dict[str, Path], out: Path) -> None:
    """One table of everything, one figure of StyleInV and its ablations, one of the methods."""
    table = out / "learning.csv"
    old = pd.read_csv(table) if table.exists() else pd.DataFrame({"run": []})
    new = [pd.read_csv(file).assign(run=run) for run, file in tables.items()]
    merged = pd.concat([old[~old["run"].isin(tables)], *new])
    merged.to_csv(table, index=False)
    names = sorted(set(merged["run"]) - {"real"}, key=RUNS.index)
    ours = [run for run in names if run.startswith("styleinv")]
    methods = [run for run in names if "-" not in run and run != "stylegan2"]
    with tempfile.TemporaryDirectory() as folder:
        files = {run: Path(folder) / f"{run}.csv" for run in names}
        for run, file in files.items():
            merged[merged["run"] == run].drop(columns="run").to_csv(file, index=False)
        for name, group in (("ablations", ours), ("methods", methods)):
            curves_figure({run: files[run] for run in group}, out / f"learning-{name}.png", PANELS)


def at_step(curves: pd.DataFrame, run: str, step: int) -> pd.Series:
    """Numbers of a run at a step, interpolated linearly between the models that were scored."""
    own = curves[curves["run"] == run].sort_values("step").set_index("step")[PANELS]
    return own.reindex(own.index.union([step])).interpolate("index").loc[step]


def tables(csv: Path) -> tuple[str, str]:
    """Write both tables of docs/learning.md: StyleInV and its ablations at equal steps, all methods at their end."""
    curves = pd.read_csv(csv)
    last = {run: int(group["step"].max()) for run, group in curves.groupby("run")}
    step = last["styleinv"]
    formats = dict(zip(PANELS, (".1f", ".2f", ".2f", ".4f", ".2f", ".3f", ".3f"), strict=True))
    shown = [name for name in PANELS if name != "motion_roughness"]

    def cells(run: str, step: int, names: list[str]) -> list[str]:
        row = at_step(curves, run, step)
        return [format(row[name], formats[name]) for name in names]

    rows = [[title, *cells(run, step, shown)] for run, title in ABLATIONS.items()]
    head = ["", "FID", "FVD16", "FVD128", "motion energy", "identity drift", "first-frame error (rms, 0..1)"]
    ablations = _markdown(f"at step {step:,}", head, rows)
    rows = [[title, *cells(run, last[run], shown[:-1])] for run, title in METHODS.items()]
    return ablations, _markdown("", ["", *head[1:6]], rows)


def claims(csv: Path) -> tuple[list[str], list[str]]:
    """Write what docs/learning.md says of StyleInV with its ablations, and of the methods, from the numbers.

    Raises:
        ValueError: the numbers no longer say it; the sentence is to be written anew.
    """
    curves = pd.read_csv(csv)
    last = {run: int(group["step"].max()) for run, group in curves.groupby("run")}
    ours = {run: at_step(curves, run, last["styleinv"]) for run in ABLATIONS}
    ends = {run: at_step(curves, run, last[run]) for run in METHODS}
    full, ape = ours["styleinv"], ours["styleinv-no_ffa_ape"]
    no_st, no_recon = ours["styleinv-no_ffa_st"], ours["styleinv-no_ffa_st_no_recon"]
    real = curves[curves["run"] == "real"].iloc[0]
    own = curves[curves["run"] == "styleinv"].sort_values("step")
    still, image = own.loc[own["motion_energy"].idxmin()], curves[curves["run"] == "stylegan2"]["fid"]
    gan, walk, long = (
        ends["stylegan_v"],
        curves[curves["run"] == "mocogan_hd"],
        curves[curves["run"] == "long_video_gan"],
    )
    facts = {
        "motion comes back": full["motion_energy"] > 2 * still["motion_energy"],
        "FFA-APE matters most": ape["fvd128"] > max(no_st["fvd128"], no_recon["fvd128"]),
        "reconstruction": no_recon["first_frame_error"] > full["first_frame_error"],
        "first frame in D": no_st["fvd16"] > full["fvd16"] and no_st["fvd128"] > full["fvd128"],
        "walks off": ends["mocogan_hd"]["identity_drift"] > 10 * real["identity_drift"],
        "no faces": ends["digan"]["fid"] > 2 * full["fid"],
        "hardly moves": max(gan["motion_energy"], ends["long_video_gan"]["motion_energy"]) < full["motion_energy"],
    }
    if wrong := [fact for fact, holds in facts.items() if not holds]:
        raise ValueError(f"the numbers do not say: {', '.join(wrong)}")

    def percent(value: float, of: float) -> str:
        return f"{100 * value / of:.0f} %"

    motion = {name: percent(row["motion_energy"], real["motion_energy"]) for name, row in (ours | ends).items()}
    lost = percent(still["motion_energy"], real["motion_energy"])
    ablations = [
        f"**Motion is lost and found.** By {still['kimg']:.0f} kimg it falls to {lost} of the real one (the "
        f"reconstruction and the pull towards w_0 win); then it comes back, to {motion['styleinv']}, and FVD16 falls "
        f"from {still['fvd16']:.2f} to {full['fvd16']:.2f}.",
        "**FFA-APE matters most here**, as in the paper's Table 3: without it the video freezes (motion "
        f"{motion['styleinv-no_ffa_ape']} of the real one), and FVD128 is {ape['fvd128'] / full['fvd128']:.1f} times "
        "as high. Its small identity drift is that of a still.",
        "**Reconstruction (Eq. 4) does what it says**: without it the first-frame error is "
        f"{no_recon['first_frame_error'] / full['first_frame_error']:.1f} times as large.",
        "**Showing the first frame to the discriminator (Eq. 3) helps**: without it FVD16 is higher by "
        f"{percent(no_st['fvd16'] - full['fvd16'], full['fvd16'])} and FVD128 by "
        f"{percent(no_st['fvd128'] - full['fvd128'], full['fvd128'])}. The paper's difference (FVD16 41.6 against "
        "86.3) is one of a long training.",
        f"FID of the image generator wanders between {image.min():.1f} and {image.max():.1f}: at this size it is "
        "limited by its width, not by time, and bounds the FID of every row above.",
    ]
    methods = [
        f"**StyleGAN-V** draws faces and moves them little ({motion['stylegan_v']} of real motion).",
        f"**DIGAN** finds colours and some motion, but no faces in this time (FID {ends['digan']['fid']:.0f}): every "
        "video has its own Fourier features, which take longer than minutes to agree on where eyes are.",
        "**MoCoGAN-HD** is good for the 16 frames it is trained on and then walks off: identity drift "
        f"{ends['mocogan_hd']['identity_drift']:.2f}, and an FID over 128 frames between {walk['fid'].min():.0f} and "
        f"{walk['fid'].max():.0f} along the training. The paper reports the same of it (FID 135 and FVD128 610 on "
        "DeeperForensics).",
        f"**Long-Video-GAN** learns the colours and places of hat, hair and face (FID from {long['fid'].iloc[0]:.0f} "
        f"to {long['fid'].iloc[-1]:.0f} along the training of its super-resolution) over a low-resolution generator "
        "that hardly moves yet.",
    ]
    return [_bullet(text) for text in ablations], [_bullet(text) for text in methods]


def _bullet(text: str) -> str:
    return textwrap.fill(text, 124, initial_indent="- ", subsequent_indent="  ")


def _markdown(corner: str, head: list[str], rows: list[list[str]]) -> str:
    lines = [[corner, *head[1:]], ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> None:
    """Run, collect, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--factor", type=float, default=2, help="length of every training in those of the demo")
    parser.add_argument("--folder", type=Path, default=Path("/tmp/learning"))
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="folder of the table and figures")
    parser.add_argument("runs", nargs="*", default=RUNS)
    args = parser.parse_args()
    prepare(args.folder, args.factor)
    files = {run: f"results/{DATASET}/{run}/progress.csv" for run in args.runs}
    settings = ["scale=learning", f"datasets=[{DATASET}]", f"methods=[{','.join(args.runs)}]"]
    command = ["snakemake", "--profile", "profiles/demo", "--no-hooks", "--config", *settings, "--", *files.values()]
    subprocess.run(command, cwd=args.folder, check=True, env=os.environ)
    collect({run: args.folder / file for run, file in files.items()}, args.out)


if __name__ == "__main__":
    main()
