"""The frame store: its bytes, what other tools see in it, and what is refused."""

import io
import json
import mmap
import multiprocessing
import pickle
import struct
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from styleinv.data.raw_cache import use_raw
from styleinv.data.store import FrameStore, encode, new_store, write_store
from styleinv.data.stored_zip import StoredZipWriter, last_member, member, numbered_members, read_index
from styleinv.errors import SystemTrouble, UserError
from tests.data.conftest import pictures

VIDEOS = [("a-1", pictures(3, 32, 32)), ("a", pictures(5, 32, 32)), ("ü", pictures(4, 32, 32)[::-1])]


def make(path: Path, codec: str = "jpeg95") -> Path:
    write_store(path, ((name, iter(frames)) for name, frames in VIDEOS), {"fps": 25, "note": "ß"}, codec)
    return path


@pytest.mark.parametrize("codec", ["jpeg75", "jpeg95", "png"])
def test_same_input_same_bytes(tmp_path: Path, codec: str) -> None:
    assert make(tmp_path / "a.zip", codec).read_bytes() == make(tmp_path / "b.zip", codec).read_bytes()
    assert FrameStore(tmp_path / "a.zip").sha256 == FrameStore(tmp_path / "b.zip").sha256
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "b.zip"]


@pytest.mark.parametrize("codec", ["jpeg75", "jpeg95", "png"])
def test_frames_equal_what_pillow_reads(tmp_path: Path, codec: str) -> None:
    store = FrameStore(make(tmp_path / "s.zip", codec))
    assert store.names == ["a-1", "a", "ü"] and store.lengths.tolist() == [3, 5, 4] and len(store) == 3
    assert (store.resolution, store.fps, store.num_frames, store.codec) == (32, 25.0, 12, codec)
    assert store.meta == {"fps": 25, "note": "ß"}
    suffix = "png" if codec == "png" else "jpg"
    with zipfile.ZipFile(store.path) as archive:
        assert archive.testzip() is None
        for video, name in enumerate(store.names):
            want = [
                np.asarray(Image.open(io.BytesIO(archive.read(f"{name}/{frame:06d}.{suffix}")))) for frame in (2, 0, 2)
            ]
            assert np.array_equal(store.frames(video, [2, 0, 2]), np.stack(want))
    if codec == "png":
        assert np.array_equal(store.frames(1, range(5)), np.stack(VIDEOS[1][1]))
    store.verify()


def test_jpeg_bytes_are_pillows() -> None:
    frame = pictures(1, 64, 64)[0]
    for codec, options in (("jpeg75", {"quality": 75}), ("jpeg95", {"quality": 95, "subsampling": 0})):
        file = io.BytesIO()
        Image.fromarray(frame).save(file, "jpeg", **options)
        assert encode(frame, codec) == file.getvalue()


def test_other_tools_understand_the_listing(tmp_path: Path) -> None:
    with zipfile.ZipFile(make(tmp_path / "s.zip")) as archive:
        names = archive.namelist()
        assert all(entry.compress_type == zipfile.ZIP_STORED for entry in archive.infolist())
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert json.loads(archive.read("dataset.json"))["labels"] is None
    frames = [name for name in names if name != "dataset.json"]
    assert [name.split("/")[0] for name in frames] == ["a-1"] * 3 + ["a"] * 5 + ["ü"] * 4
    assert frames == sorted(frames) and all(name.count("/") == 1 for name in frames)


def test_pickle_threads_and_fork(tmp_path: Path) -> None:
    store = FrameStore(make(tmp_path / "s.zip"))
    want = store.frames(1, [0, 4])
    assert np.array_equal(pickle.loads(pickle.dumps(store)).frames(1, [0, 4]), want)
    with ThreadPoolExecutor(4) as pool:
        assert all(np.array_equal(got, want) for got in pool.map(lambda _: store.frames(1, [0, 4]), range(20)))
    with multiprocessing.get_context("fork").Pool(1) as workers:
        assert np.array_equal(workers.apply(store.frames, (1, [0, 4])), want)


def test_a_store_cut_or_thinned_anywhere_is_refused(tmp_path: Path) -> None:
    content = make(tmp_path / "s.zip").read_bytes()
    bad = tmp_path / "bad.zip"
    for size in range(1, len(content), 61):
        bad.write_bytes(content[:size])
        with pytest.raises(UserError, match="bad.zip"):
            FrameStore(bad)
    bad.write_bytes(content[:500] + content[600:])
    with pytest.raises(UserError, match="cut or damaged"):
        FrameStore(bad)


def test_what_the_writer_wrote_is_read_without_a_search(tmp_path: Path) -> None:
    """Names of several lengths and alphabets, more members than a pattern has rows, none, and one beyond 4 GiB."""
    path, lengths = tmp_path / "s.zip", {"a": 1500, "none": 0, "bcd": 3, "ü": 70, "zz": 2000}
    table = {"fps": 25, "resolution": 8, "codec": "jpeg95", "videos": lengths, "meta": {}}
    with open(path, "wb") as file:
        writer = StoredZipWriter(file)
        for name, length in lengths.items():
            for frame in range(length):
                if (name, frame) == ("zz", 1700):
                    writer._position += 5 << 30
                    file.seek(5 << 30, 1)  # a hole: the file takes no room on the disk
                writer.add(f"{name}/{frame:06d}.jpg", b"%d" % frame * (frame % 3 + 1))
        writer.add("dataset.json", json.dumps(table).encode())
        writer.finish()
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        content = memoryview(mapped)
        counts = np.array(list(lengths.values()))
        found = numbered_members(content, path, list(lengths), counts, ".jpg")
        index = read_index(content, path)
        assert found is not None and index.headers[-1] > 5 << 30 > index.headers[-400]
        for ours, theirs in zip(found, (index.headers, index.sizes, index.crcs), strict=True):
            assert np.array_equal(ours, theirs[:-1])
        assert last_member(content, path, "dataset.json") == (index.headers[-1], index.sizes[-1])
        assert last_member(content, path, "dataset.jsan") is None
        for other in (counts[::-1], counts - 1, np.array([1500, 0, 4, 69, 2000])):
            assert numbered_members(content, path, list(lengths), other, ".jpg") is None
        del index, found
        content.release()


def test_any_other_bytes_of_a_directory_are_searched(tmp_path: Path) -> None:
    """Each byte of the directory is changed: what is still taken for the writer's own is what a search finds."""
    path = make(tmp_path / "s.zip")
    content = bytearray(path.read_bytes())
    start, end = content.index(b"PK\1\2"), content.rindex(b"PK\1\2")  # but for the record of the table
    names, counts, taken = [name for name, _ in VIDEOS], np.array([len(frames) for _, frames in VIDEOS]), 0
    for at in range(start, end):
        content[at] ^= 0x41
        found = numbered_members(memoryview(content), path, names, counts, ".jpg")
        if found is not None:
            index = read_index(memoryview(content), path)
            for ours, theirs in zip(found, (index.headers, index.sizes, index.crcs), strict=True):
                assert np.array_equal(ours, theirs[:-1])
            taken += 1
        content[at] ^= 0x41
    # CRCs, and of a place what does not lead beyond the frames.
    assert 4 * 12 <= taken < (end - start) // 3


def test_decoded_frames_are_the_same(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    decoded, plain = FrameStore(make(tmp_path / "s.zip")), FrameStore(tmp_path / "s.zip")
    caplog.set_level("INFO")
    for _ in range(2):
        use_raw(decoded, tmp_path / "raw")
    assert caplog.text.count("decoding 12 frames") == 1
    assert [file.name for file in (tmp_path / "raw").iterdir()] == [f"{plain.sha256}.npy"]
    decoded._content = memoryview(b"")  # nothing of the zip is read any more
    for video, length in enumerate(plain.lengths):
        numbers = [int(length) - 1, 0, 1, 0]
        assert np.array_equal(decoded.frames(video, numbers), plain.frames(video, numbers))
        for mirrored in (False, True):
            planes = [np.empty((4, 3, 32, 32), np.uint8) for _ in range(2)]
            for store, out in zip((decoded, plain), planes, strict=True):
                store.planes(video, numbers, mirrored, out)
            want = plain.frames(video, numbers)[:, :, :: -1 if mirrored else 1].transpose(0, 3, 1, 2)
            assert np.array_equal(planes[0], want) and np.array_equal(planes[1], want)
        for bad in ([length], [-1]):
            with pytest.raises(IndexError):
                decoded.planes(video, bad, False, np.empty((1, 3, 32, 32), np.uint8))
    again = pickle.loads(pickle.dumps(decoded))
    assert np.array_equal(again.frames(1, [3]), plain.frames(1, [3])) and isinstance(again._raw, np.memmap)


def test_decoded_frames_that_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FrameStore(make(tmp_path / "s.zip"))
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=12 * 3 * 32 * 32 - 1))
    with pytest.raises(SystemTrouble, match=r"raw: 3.69e-05 GB of decoded frames do not fit .* raw_cache: false"):
        use_raw(store, tmp_path / "raw")
    assert not list((tmp_path / "raw").iterdir())
    monkeypatch.undo()
    use_raw(store, tmp_path / "raw")
    (file,) = (tmp_path / "raw").iterdir()
    whole = file.read_bytes()
    np.save(file, np.zeros((11, 3, 32, 32), np.uint8))
    with pytest.raises(UserError, match=r"holds uint8 \[11, 3, 32, 32\]. Delete it"):
        use_raw(store, tmp_path / "raw")
    for broken in (b"", whole[:20], whole[:-1]):
        file.write_bytes(broken)
        with pytest.raises(UserError, match="is damaged .* Delete it"):
            use_raw(store, tmp_path / "raw")


def test_damaged_frames_are_named(tmp_path: Path) -> None:
    path = make(tmp_path / "s.zip")
    content = bytearray(path.read_bytes())
    start = content.index(b"a/000002.jpg") + len(b"a/000002.jpg")
    content[start : start + 300] = bytes(300)
    path.write_bytes(content)
    store = FrameStore(path)
    store.frames(1, [0])
    with pytest.raises(UserError, match="s.zip: a, frame 2"):
        store.frames(1, [2])
    with pytest.raises(UserError, match="s.zip: a, frame 2: is damaged"):
        store.verify()


def test_what_is_no_store(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with pytest.raises(UserError, match="does not exist"):
        FrameStore(path)
    with pytest.raises(UserError, match="folder"):
        FrameStore(tmp_path)
    for content, says in ((b"", "empty"), (b"no zip" * 20, "not a zip")):
        path.write_bytes(content)
        with pytest.raises(UserError, match=says):
            FrameStore(path)
    frame = encode(VIDEOS[0][1][0], "jpeg95")
    table = {"labels": None, "fps": 25, "resolution": 32, "codec": "jpeg95", "videos": {"a": 1}, "meta": {}}

    def rewritten(compression: int, **members: bytes) -> Path:
        with zipfile.ZipFile(path, "w", compression) as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        return path

    entry = "a/000000.jpg"
    assert FrameStore(rewritten(zipfile.ZIP_STORED, **{"dataset.json": json.dumps(table).encode(), entry: frame}))
    for compression, members, says in (
        (zipfile.ZIP_DEFLATED, {entry: frame, "dataset.json": b"{}"}, "compressed"),
        (zipfile.ZIP_STORED, {entry: frame}, "dataset.json: is missing"),
        (zipfile.ZIP_STORED, {"dataset.json": b"{", entry: frame}, "not JSON"),
        (zipfile.ZIP_STORED, {"dataset.json": b'{"labels": null}', entry: frame}, "lacks or garbles"),
        (zipfile.ZIP_STORED, {"dataset.json": json.dumps(table).encode()}, "frame 0 is missing"),
    ):
        with pytest.raises(UserError, match=says):
            FrameStore(rewritten(compression, **members))
    small = encode(pictures(1, 16, 16)[0], "jpeg95")
    store = FrameStore(rewritten(zipfile.ZIP_STORED, **{"dataset.json": json.dumps(table).encode(), entry: small}))
    with pytest.raises(UserError, match="a, frame 0: is 16 x 16, not 32 x 32"):
        store.frames(0, [0])
    with pytest.raises(IndexError):
        store.frames(0, [1])
    with pytest.raises(IndexError):
        store.frames(1, [0])


@pytest.mark.parametrize(
    ("videos", "meta", "says"),
    [
        ([], {"fps": 25}, "no video"),
        ([("a", [])], {"fps": 25}, "no frames"),
        ([("a", pictures(1, 32, 32))], {}, "fps"),
        ([("a", pictures(1, 32, 16))], {"fps": 25}, "square"),
        ([("a", [np.zeros((8, 8, 3), np.float32)])], {"fps": 25}, "uint8"),
        ([("a", pictures(1, 32, 32)), ("b", pictures(1, 16, 16))], {"fps": 25}, "16 pixels wide"),
        ([("b", pictures(1, 32, 32)), ("a", pictures(1, 32, 32))], {"fps": 25}, "sorted"),
        ([("a", pictures(1, 32, 32)), ("a", pictures(1, 32, 32))], {"fps": 25}, "sorted"),
        ([("a/b", pictures(1, 32, 32))], {"fps": 25}, "cannot name"),
    ],
)
def test_what_cannot_be_stored(tmp_path: Path, videos: list, meta: dict, says: str) -> None:
    with pytest.raises(UserError, match=says):
        write_store(tmp_path / "s.zip", videos, meta, "png")
    assert not list(tmp_path.iterdir())


def test_a_video_that_fails_leaves_no_trace(tmp_path: Path) -> None:
    def failing():
        yield from pictures(3, 32, 32)
        raise EOFError

    with new_store(tmp_path / "a.zip", "png") as store:
        with pytest.raises(EOFError):
            store.add("a", failing())
        store.add("b", pictures(2, 32, 32))
        store.finish({"fps": 25})
    write_store(tmp_path / "b.zip", [("b", pictures(2, 32, 32))], {"fps": 25}, "png")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_more_members_than_a_plain_zip_can_count(tmp_path: Path) -> None:
    path = tmp_path / "many.zip"
    with open(path, "wb") as file:
        writer = StoredZipWriter(file)
        for number in range(70_000):
            writer.add(f"{number:06d}", b"%d" % number)
        writer.finish()
    content = memoryview(path.read_bytes())
    index = read_index(content, path)
    assert len(index) == 70_000
    assert bytes(member(content, int(index.headers[-1]), int(index.sizes[-1]), path)) == b"69999"
    with zipfile.ZipFile(path) as archive:
        assert archive.read("066000") == b"66000"


def test_an_index_is_what_zipfile_reads(tmp_path: Path) -> None:
    """Extra fields, comments, folders, and names that look like records, of another tool and in its order."""
    path = tmp_path / "other.zip"
    frame = encode(VIDEOS[0][1][0], "jpeg95")
    strange = "PK\1\2" * 30
    table = {"fps": 25, "resolution": 32, "codec": "jpeg95", "videos": {strange: 2, "ü": 1}, "meta": {}}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ü/", b"")
        for name in ("ü/000000.jpg", f"{strange}/000001.jpg", f"{strange}/000000.jpg", "PK\1\2", "other.txt"):
            info = zipfile.ZipInfo(name)
            info.extra, info.comment = struct.pack("<2H", 0x5455, 5) + b"\1PK\1\2", b"PK\1\2" * 20
            archive.writestr(info, frame + name.encode())
        archive.writestr("dataset.json", json.dumps(table))
        files = [info for info in archive.infolist() if not info.is_dir()]
    index = read_index(memoryview(path.read_bytes()), path)
    assert [index.name(entry) for entry in range(len(index))] == [info.filename for info in files]
    assert index.headers.tolist() == [info.header_offset for info in files]
    assert index.sizes.tolist() == [info.file_size for info in files]
    assert index.crcs.tolist() == [info.CRC for info in files]
    assert (index.find("other.txt"), index.find("none")) == (4, None)
    store = FrameStore(path)
    store.verify()
    assert store.lengths.tolist() == [2, 1] and store.frames(0, [0, 1]).shape == (2, 32, 32, 3)


def test_a_table_of_no_videos(tmp_path: Path) -> None:
    path = tmp_path / "s.zip"
    table = {"fps": 25, "resolution": 32, "codec": "jpeg95", "videos": {}, "meta": {}}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("dataset.json", json.dumps(table))
    assert (len(FrameStore(path)), FrameStore(path).num_frames) == (0, 0)


def test_a_renamed_frame_is_missed(tmp_path: Path) -> None:
    path = make(tmp_path / "s.zip")
    content = path.read_bytes()
    for old, new, says in (
        (b"a-1/000001", b"b-1/000001", "a-1: frame 1 is missing"),
        (b"a/000004.jpg", b"a/000003.jpg", "a: frame 4 is missing"),
        (b"a/000004.jpg", b"a/000004.jpe", "a: frame 4 is missing"),
    ):
        path.write_bytes(content.replace(old, new))
        with pytest.raises(UserError, match=says):
            FrameStore(path)


def test_encrypted_members_are_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "s.zip")
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="a-1/000000.jpg: is encrypted"):
        FrameStore(path)


@pytest.mark.parametrize("before", [b"", struct.pack("<2HI", 0x5455, 4, 7)])
def test_sizes_and_places_in_extra_fields(before: bytes) -> None:
    big = 0xFFFFFFFF
    local = struct.pack("<4s5H3I2H", b"PK\3\4", 45, 0, 0, 0, 0, 0, 3, 3, 1, 0) + b"aabc"

    def archive(extra: bytes) -> memoryview:
        extra = before + extra
        lengths = (1, len(extra), 0, 0, 0)
        record = struct.pack("<4s6H3I5H2I", b"PK\1\2", 45, 45, 0, 0, 0, 0, 9, big, big, *lengths, 0, big) + b"a" + extra
        return memoryview(local + record + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(record), len(local), 0))

    index = read_index(archive(struct.pack("<2H3Q", 1, 24, 3, 3, 0)), __file__)
    assert (index.sizes.tolist(), index.headers.tolist()) == ([3], [0])
    for cut in (b"", struct.pack("<2H2Q", 1, 16, 3, 3), struct.pack("<2H2Q", 1, 24, 3, 3), b"\1"):
        with pytest.raises(UserError, match="cut or damaged"):
            read_index(archive(cut), __file__)


def test_offsets_beyond_four_gigabytes(tmp_path: Path) -> None:
    path = tmp_path / "far.zip"
    far = 5 << 30
    with open(path, "wb") as file:
        writer = StoredZipWriter(file)
        writer.add("near", b"1")
        file.seek(far)  # a hole: the file takes no room on the disk
        writer._position = far
        writer.add("far", b"2")
        writer.finish()
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        content = memoryview(mapped)
        index = read_index(content, path)
        assert index.headers.tolist() == [0, far]
        piece = member(content, far, 1, path)
        assert bytes(piece) == b"2"
        piece.release()
        content.release()
    with zipfile.ZipFile(path) as archive:
        assert archive.read("far") == b"2"
