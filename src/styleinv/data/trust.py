"""What a file from elsewhere must be: by its published hash, or as it was when it was first used.

A file whose publisher gives no hash, or only the beginning of one, is trusted on first use if it looks like what it
should be: its hash is written to a lock file {address: {"sha256", "size"}} and enforced ever after.
"""

from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, ValidationError

from styleinv.errors import UserError
from styleinv.files import alone, read_json, sha256, write_json
from styleinv.forms import Form, what_else
from styleinv.schema import Strict

DIGITS = 64  # of a whole SHA-256
SHORTEST = 8  # digits of a published beginning


class Entry(Strict):
    """What a lock file says of one file."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(ge=0)


def read_lock(lock: Path) -> dict[str, Entry]:
    """Read a lock file; one that does not exist is empty.

    Raises:
        UserError: it is broken.
    """
    if not lock.exists():
        return {}
    cure = "Bring it back from version control, or delete it to trust the next downloads anew."
    entries = read_json(lock, cure)
    if not isinstance(entries, dict):
        raise UserError('is no lock file: it must hold {address: {"sha256", "size"}}', file=lock, cure=cure)
    read = {}
    for key, entry in entries.items():
        try:
            read[key] = Entry.model_validate(entry)
        except ValidationError:
            raise UserError('must be {"sha256": 64 digits, "size": bytes}', file=lock, field=key, cure=cure) from None
    return read


@dataclass(frozen=True)
class Trust:
    """What is known of a file before it is here.

    Attributes:
        published: its hex SHA-256, or the first digits of it, at least 8; "" where nobody published any.
        lock: the lock file, which is asked unless the published hash is whole; None where nothing is written down.
        key: the name of its entry there.
        form: what it must look like, unless the published hash is whole.

    Raises:
        UserError: `published` is no such hash.
    """

    published: str = ""
    lock: Path | None = None
    key: str = ""
    form: Form | None = None

    def __post_init__(self) -> None:
        digits = self.published.lower()
        if digits and (not SHORTEST <= len(digits) <= DIGITS or set(digits) - set("0123456789abcdef")):
            raise UserError(f"{self.published!r} is no SHA-256", file=self.key or None)

    @property
    def locked(self) -> str | None:
        """The hash of its first use; None where it has not been used, or where the published one is whole.

        Raises:
            UserError: the lock file is broken.
        """
        if self.lock is None or len(self.published) == DIGITS:
            return None
        entry = read_lock(self.lock).get(self.key)
        return entry.sha256 if entry else None

    @property
    def whole(self) -> str | None:
        """The whole hash that a file must have, where it is known."""
        return self.published.lower() if len(self.published) == DIGITS else self.locked

    def check(self, file: Path, cure: str, source: str | None = None) -> str:
        """Compare a file with all that is known of it and return its SHA-256.

        Args:
            file: to be compared.
            cure: what to do about a wrong file.
            source: the address that has just given it, for the message.

        Raises:
            UserError: it is not there, another file, or does not look like what it should be.
        """
        if not file.is_file():
            raise UserError("does not exist", file=file, cure=cure)
        place, verb, noun = (source, "gave", "gave a file with") if source else (file, "is", "has")
        actual, locked = sha256(file), self.locked
        if not actual.startswith(self.published.lower()):
            expected = self.published.lower() + " at its beginning" * (len(self.published) < DIGITS)
            raise UserError(f"{noun} SHA-256 {actual}, expected {expected}", file=place, cure=cure)
        if locked and actual != locked:
            what = f"{noun} SHA-256 {actual}, expected {locked} as {self.lock} says of {self.key}"
            changed = "If its publisher has changed the file, delete that entry to trust the new one."
            raise UserError(what, file=place, cure=f"{cure} {changed}")
        if len(self.published) < DIGITS and (other := what_else(file, self.form)):
            wanted = f" instead of {self.form.name}" if self.form else ""
            raise UserError(f"{verb} {other}{wanted}", file=place, cure=cure)
        return actual

    def keep(self, file: Path, digest: str) -> None:
        """Write the hash of the first use to the lock file; an entry that is there already stays."""
        if self.lock is None or len(self.published) == DIGITS:
            return
        self.lock.parent.mkdir(parents=True, exist_ok=True)
        with alone(self.lock.parent):
            entries = read_lock(self.lock)
            if self.key not in entries:
                entries[self.key] = Entry(sha256=digest, size=file.stat().st_size)
                write_json(self.lock, {key: entry.model_dump() for key, entry in sorted(entries.items())})
