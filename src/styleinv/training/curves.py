"""curves.csv: one row per tick, readable by DVC and MLflow, cut back to the checkpoint on resume."""

import csv
import io
from pathlib import Path

from styleinv.files import write_text


class Curves:
    """Keep the rows of curves.csv. A column may appear late; earlier rows stay empty there."""

    def __init__(self, path: Path, last_step: int):
        self.path = path
        self.rows: list[dict[str, str]] = []
        if path.exists():
            with open(path, newline="") as file:
                self.rows = [row for row in csv.DictReader(file) if int(row["step"]) <= last_step]

    def add(self, row: dict[str, float]) -> None:
        """Append a row and rewrite the file."""
        self.rows.append(
            {key: f"{value:.6g}" if isinstance(value, float) else str(value) for key, value in row.items()}
        )
        columns = list(dict.fromkeys(column for row in self.rows for column in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        write_text(self.path, text.getvalue())
