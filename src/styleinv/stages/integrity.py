"""verify: whether the files of stages are still those that they wrote."""

from collections.abc import Iterator
from pathlib import Path

from styleinv.errors import UserError
from styleinv.files import check_unchanged, read_outputs
from styleinv.runs import Run
from styleinv.stages.pack import verify_folder
from styleinv.stages.setting import Setting
from styleinv.tracking.records import provenance_files


def verify(runs: list[Run | Path], setting: Setting) -> Iterator[str]:
    """Compare files with the hashes that were taken of them: of packed runs, of some runs, or of all under the results.

    Of runs these are in the provenance of their stages. Files that are not there are passed over: a clone holds what
    it has pulled. The folder of a packed run must hold just what its card names.

    Yields:
        Each file that differs, then how many were compared.

    Raises:
        UserError: some differ, or a run has none.
    """
    packs = [one for one in runs if isinstance(one, Path)]
    for pack in packs:
        yield from verify_folder(pack)
    if not runs or len(packs) < len(runs):
        yield from _verify_runs([one for one in runs if isinstance(one, Run)], setting)


def _verify_runs(runs: list[Run], setting: Setting) -> Iterator[str]:
    folders = [setting.paths.run(run) for run in runs]
    records = [file for file in provenance_files(setting.paths.root) if not runs or file.parent in folders]
    if absent := [folder for folder in folders if folder not in {file.parent for file in records}]:
        raise UserError("holds no provenance", file=absent[0], cure="Run its training first.")
    outputs = [record.parent / name.rpartition("/")[2] for record in records for name in read_outputs(record)]
    there, differing = [file for file in outputs if file.exists()], 0
    for file in there:
        try:
            check_unchanged(file)
        except UserError as error:
            differing += 1
            yield str(error)
    if differing:
        raise UserError(
            f"{differing} of {len(there)} files are not what their stages wrote",
            cure="Run their stages again, or restore them by `dvc checkout`.",
        )
    yield f"{len(there)} files are what their stages wrote"
