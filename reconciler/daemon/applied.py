"""Remembers which documents a local run has applied, so that starting again does not undo what was changed since."""

import hashlib
from pathlib import Path

from reconciler.daemon.local import write_private

FILE = "applied.sha256"


def fingerprint(folder: Path) -> str:
    """Hash the names and contents of every file of a folder, templates included."""
    digest = hashlib.sha256(str(folder.resolve()).encode())
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        content = path.read_bytes()
        digest.update(f"\0{path.relative_to(folder)}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def is_news(home: Path, folder: Path) -> bool:
    """Say whether the folder is another than the one applied last, or was edited since."""
    path = home / FILE
    return not path.exists() or path.read_text().strip() != fingerprint(folder)


def remember(home: Path, folder: Path) -> None:
    """Keep in mind that the folder, as it stands, was applied."""
    write_private(home / FILE, fingerprint(folder) + "\n")
