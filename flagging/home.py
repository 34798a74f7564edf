"""The data folder: where the ledger, the weights and everything else a running Hoodwink writes lies."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flagging.attempts import Refused
from flagging.ledger import Ledger

MIN_KEY_LENGTH = 16


@dataclass(frozen=True)
class Home:
    folder: Path
    annotator_key: bytes | None = None  # None: kept in the folder, made the first time

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Home":
        """HOODWINK_HOME (default data/) and HOODWINK_ANNOTATOR_KEY, which a Space (SPACE_ID) must have."""
        key = environment.get("HOODWINK_ANNOTATOR_KEY")
        if not key and environment.get("SPACE_ID"):
            raise ValueError(
                "HOODWINK_ANNOTATOR_KEY is not set; a Space forgets its disk at a restart, and with a new key nobody could "
                f"withdraw what they drew before: make {MIN_KEY_LENGTH} random characters or more a secret of the Space"
            )
        if key and len(key) < MIN_KEY_LENGTH:
            raise ValueError(
                f"HOODWINK_ANNOTATOR_KEY has {len(key)} characters; use {MIN_KEY_LENGTH} random ones or more"
            )
        return cls(Path(environment.get("HOODWINK_HOME") or "data"), key.encode() if key else None)

    @property
    def weights(self) -> Path:
        return self.folder / "weights"

    @property
    def ledger_path(self) -> Path:
        return self.folder / "ledger.sqlite"

    def open_ledger(self, *, create: bool = False) -> Ledger:
        """The ledger of this folder. Raises Refused if there is none and it shall not be created."""
        if not create and not self.ledger_path.exists():
            raise Refused(f"there is no ledger in {self.folder}; start the app once or set HOODWINK_HOME")
        return Ledger(self.ledger_path, self.annotator_key or kept_key(self.folder))


def kept_key(folder: Path) -> bytes:
    """The key annotators are hashed with, made in the folder the first time. Raises ValueError if it is damaged."""
    path = folder / "annotator.key"
    folder.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        # Linked into place complete, so that of two first starts at once one wins and both read the same key.
        beside = folder / f".annotator.key.{secrets.token_hex(4)}"
        beside.touch(mode=0o600)
        beside.write_text(secrets.token_hex(32))
        try:
            path.hardlink_to(beside)
        except FileExistsError:
            pass
        finally:
            beside.unlink()
    key = path.read_text().strip()
    if len(key) < MIN_KEY_LENGTH:
        raise ValueError(f"{path} holds {len(key)} characters instead of 64; restore it, or delete it for a new key")
    return key.encode()
