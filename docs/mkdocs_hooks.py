"""What `make docs` does besides: the README becomes the first page, other files of the project pages of their own."""

import json
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
# Files beside docs/ that the pages lead to, and what they are called there.
BESIDE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "LICENSE": "LICENSE",
    "CITATION.cff": "CITATION.cff",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files beside docs/, with links that lead from there."""
    for name, page in BESIDE.items():
        files.append(File.generated(config, page, content=_moved((ROOT / name).read_text())))
    files.append(File.generated(config, "notebook.md", content=_read_notebook(ROOT / "docs/notebook.ipynb")))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Turn links to files that are no pages, such as records of measurements, into their names."""
    markdown = markdown.replace("(notebook.ipynb)", "(notebook.md)")
    return re.sub(r"\[([^\]]*)\]\(\.\./[^)]*\)", r"\1", markdown)


def _read_notebook(file: Path) -> str:
    """Write the cells of a notebook as a page."""
    cells = json.loads(file.read_text())["cells"]
    texts = ("".join(cell["source"]) for cell in cells)
    pairs = zip(cells, texts, strict=True)
    return "\n\n".join(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```" for cell, text in pairs)


def _moved(text: str) -> str:
    for name, page in BESIDE.items():
        text = text.replace(f"]({name})", f"]({page})")
    return re.sub(r"\]\(docs/", "](", text)
