"""Where everything made lies: the one place that command line, Snakemake and DVC take paths from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from styleinv.runs import Run

# Of the videos of the report's gallery.
GALLERY_SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Paths:
    """Paths under the results folder; each depends on names alone."""

    root: Path = Path("results")

    def data(self, dataset: str) -> Path:
        """Folder of one data set."""
        return self.root / "data" / dataset

    def raw(self, dataset: str) -> Path:
        """Manifest of the raw videos (output of `fetch`); the videos lie in `raw/` beside it."""
        return self.data(dataset) / "raw.json"

    def raw_videos(self, dataset: str) -> Path:
        """Folder of the raw videos."""
        return self.data(dataset) / "raw"

    def frames(self, dataset: str) -> Path:
        """Frame store (output of `crop`)."""
        return self.data(dataset) / "frames.zip"

    def census(self, dataset: str) -> Path:
        """What was kept and dropped (output of `crop`)."""
        return self.data(dataset) / "census.json"

    def shake(self, dataset: str) -> Path:
        """How much the crops shake (written by `crop` beside the census, for FFHQ crops)."""
        return self.data(dataset) / "shake.json"

    def settings(self, stage: str, what: str = "") -> Path:
        """What one stage is told of the configuration; written by the workflow whenever it changes.

        Each has a folder of its own: Snakemake looks at the files of a folder once, and then sees no new ones.
        """
        return self.root / "settings" / stage / what / "settings.yaml"

    def run(self, run: Run) -> Path:
        """Folder of one run."""
        return self.root / run.dataset / run.folder

    def model(self, run: Run) -> Path:
        """Trained networks (output of `train`)."""
        return self.run(run) / "model.safetensors"

    def curves(self, run: Run) -> Path:
        """Training curves (output of `train`)."""
        return self.run(run) / "curves.csv"

    def samples(self, run: Run) -> Path:
        """A picture of what the run makes (output of `train`)."""
        return self.run(run) / "samples.png"

    def state(self, run: Run) -> Path:
        """Folder from which a training continues; an output of no stage."""
        return self.run(run) / "state"

    def tick(self, run: Run) -> Path:
        """How far a training is and how fast; an output of no stage."""
        return self.state(run) / "tick.json"

    def snapshots(self, run: Run) -> Path:
        """Folder of pictures and models along the training; an output of no stage."""
        return self.run(run) / "snapshots"

    def progress(self, run: Run) -> Path:
        """Scores of the models along the training (output of `progress`)."""
        return self.run(run) / "progress.csv"

    def metrics(self, run: Run) -> Path:
        """Scores, and the ids of their protocol records (output of `evaluate`)."""
        return self.run(run) / "metrics.json"

    def protocol(self, run: Run) -> Path:
        """The protocol records of the scores (output of `evaluate`)."""
        return self.run(run) / "protocol.json"

    def provenance(self, folder: Path, stage: str) -> Path:
        """How the outputs of a stage in a folder came to be."""
        return folder / ("provenance.json" if stage == "train" else f"{stage}.provenance.json")

    def config(self, run: Run) -> Path:
        """The resolved settings of a run (output of `train`)."""
        return self.run(run) / "config.yaml"

    def fetched(self, dataset: str) -> list[Path]:
        """All outputs of `fetch`, the manifest first."""
        return [self.raw(dataset), self.provenance(self.data(dataset), "fetch")]

    def cropped(self, dataset: str, aligned: bool) -> list[Path]:
        """All outputs of `crop`, the frame store first."""
        shake = [self.shake(dataset)] if aligned else []
        return [self.frames(dataset), self.census(dataset), *shake, self.provenance(self.data(dataset), "crop")]

    def trained(self, run: Run, videos: bool) -> list[Path]:
        """All outputs of `train`, the model first."""
        samples = [self.samples(run), *([self.samples(run).with_suffix(".mp4")] if videos else [])]
        return [
            self.model(run),
            self.curves(run),
            *samples,
            self.config(run),
            self.provenance(self.run(run), "train"),
        ]

    def evaluated(self, run: Run) -> list[Path]:
        """All outputs of `evaluate`, the scores first."""
        scores = [self.metrics(run), self.protocol(run), self.diagnostics(run)]
        return [*scores, self.provenance(self.run(run), "evaluate")]

    def progressed(self, run: Run) -> list[Path]:
        """All outputs of `progress`, the scores first."""
        return [self.progress(run), self.provenance(self.run(run), "progress")]

    @property
    def study(self) -> Path:
        """The jobs of the study that was started last; written by the workflow when it starts and when it ends."""
        return self.root / "logs" / "study.json"

    def estimates(self, scale: str) -> "Paths":
        """Results of a trial: what trainings cost at a scale, measured for an estimate."""
        return Paths(self.root / "cache" / "estimates" / scale)

    @property
    def features(self) -> Path:
        """Cache of detector features by content."""
        return self.root / "cache" / "features"

    @property
    def raw_frames(self) -> Path:
        """Cache of decoded frames by the hash of their store."""
        return self.root / "cache" / "raw"

    @property
    def hashes(self) -> Path:
        """Cache of the hashes of large inputs."""
        return self.root / "cache" / "hashes"

    @property
    def weights(self) -> Path:
        """Downloaded detector and backbone weights."""
        return self.root / "weights"

    def diagnostics(self, run: Run) -> Path:
        """What the scored videos do, one row each (output of `evaluate`)."""
        return self.run(run) / "diagnostics.csv"

    def what_if(self, run: Run) -> Path:
        """Scores of a run by other rules (output of `evaluate --what-if`); a plot of them is the .png beside it."""
        return self.run(run) / "what_if.csv"

    def varied(self, run: Run) -> list[Path]:
        """All outputs of `evaluate --what-if`, the scores first."""
        plot = self.what_if(run).with_suffix(".png")
        return [self.what_if(run), plot, self.provenance(self.run(run), "what_if")]

    def table(self, experiment: str) -> Path:
        """Table of an experiment, for programs; the same for people is a .md beside it."""
        return self.root / "tables" / f"{experiment}.csv"

    def film(self, dataset: str, who: str, seed: int) -> Path:
        """A video of the report's gallery (output of `gallery`); `who` is a run without its data set, or `real`."""
        return self.root / "gallery" / f"{dataset}-{who}-{seed}.mp4"

    def films(self, runs: Sequence[Run]) -> list[Path]:
        """All outputs of `gallery`: real videos of each data set, and those of each run."""
        whose = [(name, "real") for name in dict.fromkeys(run.dataset for run in runs)]
        whose += [(run.dataset, run.folder) for run in runs]
        return [self.film(dataset, who, seed) for dataset, who in whose for seed in GALLERY_SEEDS]

    def figure(self, name: str) -> Path:
        """A figure of the paper (output of `figures`); what it shows is in the .json beside it."""
        return self.root / "figures" / f"{name}.png"

    def answer(self, question: str) -> Path:
        """What a question has measured (output of `question`), for programs; a .md for people and a .json beside it."""
        return self.root / "questions" / f"{question}.csv"

    @property
    def report(self) -> Path:
        """The report (output of `report`)."""
        return self.root / "report.html"
