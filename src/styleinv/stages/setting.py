"""What every stage needs to know: where the configuration and the results are."""

from dataclasses import dataclass
from pathlib import Path

from styleinv.config import DatasetConfig, Scale, load_dataset, load_scale, seed_of
from styleinv.paths import Paths
from styleinv.runs import Run


@dataclass(frozen=True)
class Setting:
    """One scale file and one results folder."""

    config: Path = Path("config/demo.yaml")
    paths: Paths = Paths()

    @property
    def scale(self) -> Scale:
        """What the scale's file says."""
        return load_scale(self.config)

    def seed(self, run: Run) -> int:
        """Return the seed of a run's training."""
        return seed_of(run, self.scale)

    def dataset(self, name: str) -> DatasetConfig:
        """Resolve a data set at this scale."""
        return load_dataset(name, self.config)

    def method_file(self, run: Run) -> Path:
        """Return the path of the YAML of a run's method."""
        return self.config.parent / "methods" / f"{run.method}.yaml"
