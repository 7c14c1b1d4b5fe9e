"""Configuration: strictness, one-line errors, resolution order, environment files in step."""

import re
from pathlib import Path

import pytest
import yaml

from styleinv import methods
from styleinv.config import Experiment, Scale, Study, lineage, load_dataset, load_method, load_scale
from styleinv.errors import UserError
from styleinv.runs import parse_run
from styleinv.schema import merge
from tests.project import ROOT, make_project


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def refused(call, *parts: str) -> None:
    with pytest.raises(UserError) as caught:
        call()
    line = str(caught.value)
    assert "\n" not in line and len(line) < 500
    for part in parts:
        assert part in line, line


def resolve(folder: Path, run: str, scale: str = "tiny"):
    parsed = parse_run(run)
    return load_method(parsed, folder / "config" / f"{scale}.yaml", methods.get(parsed.method).Config)


@pytest.mark.parametrize("scale", ["demo", "laptop", "small", "paper"])
@pytest.mark.parametrize("method", ["stylegan2", "inversion", "styleinv"])
def test_shipped_configurations_are_valid(scale: str, method: str) -> None:
    for dataset in sorted((ROOT / "config" / "datasets").glob("*.yaml")):
        run = f"{dataset.stem}/{method}"
        resolve(ROOT, run, scale)
        load_dataset(dataset.stem, ROOT / "config" / f"{scale}.yaml")


def test_every_variant_is_valid() -> None:
    for file in sorted((ROOT / "config" / "methods").glob("*.yaml")):
        for variant in yaml.safe_load(file.read_text()).get("variants", {}):
            resolve(ROOT, f"talking_faces/{file.stem}-{variant}", "paper")


def test_later_files_win(tmp_path: Path) -> None:
    folder = make_project(tmp_path)
    assert resolve(folder, "talking_faces/styleinv").motion.z_dim == 16
    dataset = folder / "config/datasets/talking_faces.yaml"
    dataset.write_text(dataset.read_text() + "methods:\n  styleinv: {lambda_recon: 7, motion: {kernel_size: 5}}\n")
    config = resolve(folder, "talking_faces/styleinv-no_ffa_ape")
    assert (config.lambda_recon, config.motion.kernel_size, config.motion.z_dim) == (7, 5, 16)
    assert config.motion.first_frame_aware is False


def test_merge_is_deep_and_leaves_its_arguments_alone() -> None:
    base = {"a": {"b": 1, "c": [1, 2]}, "d": 1}
    assert merge(base, {"a": {"c": [3]}}, {"d": 2}) == {"a": {"b": 1, "c": [3]}, "d": 2}
    assert base == {"a": {"b": 1, "c": [1, 2]}, "d": 1}
    assert merge({"a": {"type": "x", "b": 1}}, {"a": {"type": "y"}}, {"a": {"c": 2}}) == {"a": {"type": "y", "c": 2}}
    assert merge({"a": {"type": "x", "b": 1}}, {"a": {"type": "x", "b": 2}}) == {"a": {"type": "x", "b": 2}}


def test_typos_and_impossible_values_are_one_clear_line(tmp_path: Path) -> None:
    folder = make_project(tmp_path)
    scale = folder / "config/tiny.yaml"
    original = scale.read_text()
    edit(scale, "r1_gamma", "r1_gama") if "r1_gamma" in original else edit(scale, "ada: {p: 0.2", "adaa: {p: 0.2")
    refused(
        lambda: resolve(folder, "talking_faces/stylegan2"), "tiny.yaml: methods.stylegan2.adaa:", "unknown key", "ada"
    )
    scale.write_text(original.replace("z_dim: 16, w_dim", "z_dim: -1, w_dim", 1))
    refused(lambda: resolve(folder, "talking_faces/stylegan2"), "tiny.yaml: methods.stylegan2.networks.z_dim:", "-1")
    scale.write_text(original.replace("batch: 4, group_size: 2", "batch: many, group_size: 2", 1))
    refused(lambda: resolve(folder, "talking_faces/stylegan2"), "training.batch", "many")
    scale.write_text(original + "sed: 1\n")
    refused(lambda: load_scale(scale), "tiny.yaml", "sed", "seed")
    scale.write_text(original + "seed: 1\n")
    refused(lambda: load_scale(scale), "tiny.yaml", "twice")
    scale.write_text("methods: [")
    refused(lambda: load_scale(scale), "tiny.yaml", "not valid YAML")


def test_a_fault_is_found_in_the_file_that_holds_it(tmp_path: Path) -> None:
    """Not in the method's or data set's file when the scale, or the data set, overrides its good value."""
    folder = make_project(tmp_path)
    scale, dataset = folder / "config/tiny.yaml", folder / "config/datasets/talking_faces.yaml"
    method = folder / "config/methods/styleinv.yaml"
    files = {file: file.read_text() for file in (scale, dataset, method)}
    run = "talking_faces/styleinv-no_ffa_ape"

    def fault(file: Path, text: str, *parts: str) -> None:
        file.write_text(text)
        refused(lambda: resolve(folder, run), *parts)
        file.write_text(files[file])

    fault(scale, files[scale].replace("style_dim: 16", "style_dim: -3"), "tiny.yaml: methods.styleinv.style_dim:", "-3")
    wrong = "  styleinv-no_ffa_ape: {lr: fast}\nevaluation:"
    fault(scale, files[scale].replace("evaluation:", wrong), "tiny.yaml: methods.styleinv-no_ffa_ape.lr:", "fast")
    fault(
        scale, files[scale].replace("resolution: 32", "resolution: 2"), "tiny.yaml: datasets.talking_faces.resol", "2"
    )
    fault(scale, files[scale].replace("frames: 20", "frames: no"), "tiny.yaml: datasets.talking_faces.source.frames:")
    wrong = files[dataset] + "methods:\n  styleinv: {motion: {kernel_size: 0}}\n"
    fault(dataset, wrong, "talking_faces.yaml: methods.styleinv.motion.kernel_size:", "0")
    fault(dataset, files[dataset].replace("codec: jpeg95", "codec: gif"), "talking_faces.yaml: codec:", "gif")
    fault(method, files[method].replace("lambda_recon: 10", "lambda_recon: ten"), "styleinv.yaml: lambda_recon:", "ten")
    fault(dataset, files[dataset].replace("title:", "titel:"), "talking_faces.yaml: tit")


def test_settings_that_nothing_would_read_are_refused(tmp_path: Path) -> None:
    """A misspelt name in a scale would otherwise train at the paper's size."""
    folder = make_project(tmp_path)
    scale, dataset = folder / "config/tiny.yaml", folder / "config/datasets/talking_faces.yaml"
    original = scale.read_text()
    scale.write_text(original.replace("  styleinv:", "  styleinvv:"))
    refused(lambda: load_scale(scale), "tiny.yaml: methods.styleinvv:", "unknown method", " styleinv")
    scale.write_text(original.replace("digan-clip128:", "digan-clip182:"))
    refused(lambda: load_scale(scale), "tiny.yaml: methods.digan-clip182:", "unknown variant", "clip128")
    scale.write_text(original.replace("  talking_faces:", "  talking_face:"))
    refused(lambda: load_scale(scale), "tiny.yaml: datasets.talking_face:", "unknown data set", "taichi")
    scale.write_text(original)
    dataset.write_text(dataset.read_text() + "methods: {digann: {lr: 1}}\n")
    refused(lambda: load_dataset("talking_faces", scale), "talking_faces.yaml: methods.digann:", "unknown method")


def test_a_scale_may_extend_another(tmp_path: Path) -> None:
    folder = make_project(tmp_path)
    file, run = folder / "config/wide.yaml", "talking_faces/styleinv"
    file.write_text("extends: tiny\nseed: 5\nmethods:\n  styleinv: {motion: {v_dim: 24}}\n")
    config, base = resolve(folder, run, "wide"), resolve(folder, run)
    assert (config.motion.v_dim, config.motion.z_dim) == (24, base.motion.z_dim) and base.motion.v_dim != 24
    assert (
        load_scale(file).seed == 5 and load_scale(file).evaluation == load_scale(folder / "config/tiny.yaml").evaluation
    )
    method = folder / "config/methods/styleinv.yaml"
    edit(method, "variants:", "scales: {tiny: {lambda_recon: 6}}\nvariants:")
    assert resolve(folder, run, "wide").lambda_recon == 6
    edit(folder / "config/tiny.yaml", "methods:\n", "methods:\n  digann: {lr: 1}\n")
    refused(lambda: load_scale(file), "tiny.yaml: methods.digann:", "unknown method")
    file.write_text("extends: huge\n")
    refused(lambda: load_scale(file), "wide.yaml: extends:", "there is no scale 'huge'")
    file.write_text("extends: wide\n")
    refused(lambda: load_scale(file), "wide.yaml: extends:", "extends itself")


def test_a_data_set_may_change_a_variant(tmp_path: Path) -> None:
    folder = make_project(tmp_path)
    dataset = folder / "config/datasets/talking_faces.yaml"
    said = "methods:\n  styleinv-no_ffa_ape: {lambda_recon: 3, builds_on: inversion-no_noise}\n"
    dataset.write_text(dataset.read_text() + said)
    assert resolve(folder, "talking_faces/styleinv-no_ffa_ape").lambda_recon == 3
    assert resolve(folder, "talking_faces/styleinv").lambda_recon == 10
    for variant, below in (("-no_ffa_ape", "-no_noise"), ("-no_ffa_st", "")):
        chain = lineage(parse_run(f"talking_faces/styleinv{variant}"), folder / "config")
        names = [f"stylegan2{below}", f"inversion{below}", f"styleinv{variant}"]
        assert [str(run) for run in chain] == [f"talking_faces/{name}" for name in names]


def test_unknown_names_list_the_known_ones(tmp_path: Path) -> None:
    folder = make_project(tmp_path)
    refused(lambda: load_dataset("tachi", folder / "config/tiny.yaml"), "tachi.yaml", "talking_faces")
    refused(lambda: methods.get("stylgan2"), "stylgan2", "stylegan2")
    refused(lambda: resolve(folder, "talking_faces/styleinv-nonsense"), "nonsense", "no_ffa_ape")
    refused(lambda: lineage(parse_run("talking_faces/nothing"), folder / "config"), "nothing.yaml", "styleinv")
    for text in (
        "styleinv",
        "a/b/c",
        "A/b",
        "a/",
        "a/b-",
        "../x/y",
        "a/b-c-d",
        "a/b-seed1-c",
        "a/b-c-seed01",
        "a/seed1-",
    ):
        refused(lambda text=text: parse_run(text), "no run")


def test_numbers_read_as_numbers(tmp_path: Path) -> None:
    folder = make_project(tmp_path)
    edit(folder / "config/tiny.yaml", "lr: 0.001", "lr: 1e-3")
    assert resolve(folder, "talking_faces/inversion").lr == 0.001


def test_lineage() -> None:
    runs = lineage(parse_run("taichi/styleinv-no_ffa_ape"), ROOT / "config")
    assert [str(run) for run in runs] == ["taichi/stylegan2", "taichi/inversion", "taichi/styleinv-no_ffa_ape"]


def test_a_seed_is_part_of_the_name_of_a_run_and_of_all_that_it_builds_on(tmp_path: Path) -> None:
    for text, variant, seed in (("a/b-seed0", "", 0), ("a/b-c-seed12", "c", 12), ("a/b-seedling", "seedling", None)):
        run = parse_run(text)
        assert (run.variant, run.seed, str(run)) == (variant, seed, text)
    runs = lineage(parse_run("taichi/styleinv-no_ffa_ape-seed2"), ROOT / "config")
    names = ["taichi/stylegan2-seed2", "taichi/inversion-seed2", "taichi/styleinv-no_ffa_ape-seed2"]
    assert [str(run) for run in runs] == names
    # Settings know no seed.
    folder = make_project(tmp_path)
    assert resolve(folder, "talking_faces/styleinv-no_ffa_ape-seed2") == resolve(
        folder, "talking_faces/styleinv-no_ffa_ape"
    )


def test_a_study_of_several_seeds_keeps_the_runs_of_one() -> None:
    for seeds, names in (((3, 0, 1), ["styleinv", "styleinv-seed0", "styleinv-seed1"]), ((), ["styleinv"])):
        study = Study(scale="x", datasets=("sky",), methods=("digan",), seeds=seeds)
        rows = study.rows(Experiment(title="", runs=("styleinv",)), Scale(seed=3))
        assert [run.folder for run in rows] == names


def test_environment_files_are_in_step() -> None:
    """environment.yml installs the lock; the lock satisfies pyproject.toml."""
    import tomllib

    from packaging.requirements import Requirement
    from packaging.version import Version

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = {Requirement(line).name: line for line in lines if re.match(r"[A-Za-z0-9]", line)}
    assert all("==" in line for line in pins.values())
    extras = [text for extra in project["optional-dependencies"].values() for text in extra]
    for text in project["dependencies"] + extras:
        wanted = Requirement(text)
        if wanted.name == project["name"]:
            continue  # an extra that holds others
        version = Version(pins[wanted.name].split("==")[1].split(";")[0].strip())
        assert version in wanted.specifier, text
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    python, _, pip = environment["dependencies"]
    assert pip == {"pip": ["-r requirements.lock"]}
    assert Version(python.split("=")[1]) in Requirement(f"x{project['requires-python']}").specifier


def test_a_source_is_checked_by_the_schema_of_its_kind(tmp_path: Path) -> None:
    folder = make_project(tmp_path)
    scale, dataset = folder / "config/tiny.yaml", folder / "config/datasets/talking_faces.yaml"
    files = {file: file.read_text() for file in (scale, dataset)}

    def fault(file: Path, old: str, new: str, *parts: str) -> None:
        edit(file, old, new)
        refused(lambda: load_dataset("talking_faces", scale), *parts)
        file.write_text(files[file])

    fault(dataset, "type: synthetic", "type: synthetik", "talking_faces.yaml: source.type: unknown kind", " taichi")
    fault(dataset, "type: synthetic", "type: [a]", "talking_faces.yaml: source.type: unknown kind")
    fault(dataset, "  type: synthetic\n", "", "talking_faces.yaml: source.type: Field required")
    fault(
        dataset,
        "  identities: 80",
        "  identites: 80",
        "source.identites: unknown key",
        "identities, seed, shots, size, type",
    )
    wrong = "tiny.yaml: datasets.talking_faces.source.type: unknown kind 'none'"
    fault(scale, "source: {videos: 6", "source: {type: none, videos: 6", wrong)
    fault(scale, "source: {videos: 6", "source: {videos: 0", "tiny.yaml: datasets.talking_faces.source.videos:", "0")
    assert type(load_dataset("talking_faces", scale).source).__module__ == "styleinv.data.sources.synthetic"


def test_each_type_of_crop_has_its_own_keys(tmp_path: Path) -> None:
    folder = make_project(tmp_path)
    scale, dataset = folder / "config/tiny.yaml", folder / "config/datasets/talking_faces.yaml"
    texts = {file: file.read_text() for file in (scale, dataset)}

    def crop(keys: str, file: Path = scale):
        for path, text in texts.items():
            path.write_text(text)
        old = "    resolution: 32\n" if file == scale else "  type: mask\n  border: faithful\n"
        edit(file, old, f"{old}    crop: {keys}\n" if file == scale else f"  {keys}\n")
        return load_dataset("talking_faces", scale).crop

    single = crop("{type: ffhq, preset: single, jitters: 5}")
    assert (single.decoding, single.flip, single.jitters, single.radius) == ("library", True, 5, 0.0)
    assert crop("{border: fixed}").border == "fixed"
    assert crop("{type: centre}").model_dump() == {"type": "centre"}  # what the data set's file says of masks is gone
    where = "tiny.yaml: datasets.talking_faces.crop."
    refused(lambda: crop("{jitters: 3}"), f"{where}jitters: unknown key. Known keys: border, type.")
    refused(lambda: crop("{type: centre, border: fixed}"), f"{where}border: unknown key. Known keys: type.")
    refused(lambda: crop("{type: ffhq, border: fixed}"), f"{where}border: unknown key", "jitters, landmarks")
    refused(lambda: crop("{type: ffhq, preset: theirs}"), f"{where}preset: must be one of ours, naruniec", "'theirs'")
    refused(lambda: crop("{type: ffhq, radius: 7}"), f"{where}radius:", "7")
    refused(lambda: crop("{type: middle}"), "tiny.yaml: datasets.talking_faces.crop", "'centre', 'box', 'mask', 'ffhq'")
    refused(lambda: crop("border: fixed", dataset), "talking_faces.yaml: crop", "type")


def test_a_source_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module put into the folder is a kind; nothing lists it."""
    from styleinv.data import sources

    folder = make_project(tmp_path)
    (tmp_path / "kinds").mkdir()
    code = "from styleinv.data.source import SourceConfig\n\n\nclass Config(SourceConfig):\n    station: int\n"
    (tmp_path / "kinds/weather.py").write_text(code)
    monkeypatch.setattr(sources, "__path__", [*sources.__path__, str(tmp_path / "kinds")])
    file = folder / "config/datasets/talking_faces.yaml"
    text = file.read_text()
    file.write_text(
        text.replace(text[text.index("source:") : text.index("crop:")], "source: {type: weather, station: 7}\n")
    )
    assert load_dataset("talking_faces", folder / "config/paper.yaml").source.station == 7
    edit(file, "station: 7", "station: north")
    refused(lambda: load_dataset("talking_faces", folder / "config/paper.yaml"), "source.station:", "north")


def test_configuration_is_read_without_the_heavy_packages() -> None:
    import subprocess
    import sys

    code = "import styleinv.config, sys; print({'torch', 'cv2', 'yt_dlp'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


def test_the_paper_scale_has_the_settings_that_were_decided() -> None:
    """FFA-APE of SkyTimelapse and TaiChi is the released one, since the paper states none for them."""
    for dataset in ("sky", "sky_original", "taichi"):
        config = resolve(ROOT, f"{dataset}/styleinv", "paper")
        motion = config.motion
        assert (motion.motion_z_distance, motion.min_period_len, motion.max_period_len) == (128, 32, 1024), dataset
        assert config.sampling.max_dist == 128
    faces = resolve(ROOT, "deeperforensics/styleinv", "paper")
    assert (faces.motion.motion_z_distance, faces.motion.max_period_len, faces.sampling.max_dist) == (16, 128, 32)
