"""Finds out who listens on a TCP port, for the message about an occupied one; Linux's /proc is its only source."""

from pathlib import Path

LISTEN = "0A"
PROC = Path("/proc")


def holder_of(port: int) -> str:
    """Name the process that listens on a port, as `postgres (pid 4711)`; empty when that cannot be seen."""
    inodes = _listening(port)
    if not inodes:
        return ""
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for process in PROC.glob("[0-9]*"):
        if _has(process, wanted):
            return f"{_name(process)} (pid {process.name})"
    return ""


def _listening(port: int) -> set[str]:
    found: set[str] = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = (PROC / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in (line.split() for line in lines):
            if fields[3] == LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(fields[9])
    return found


def _has(process: Path, wanted: set[str]) -> bool:
    try:
        return any(str(link.readlink()) in wanted for link in (process / "fd").iterdir())
    except OSError:  # another user's process, or one that has just ended
        return False


def _name(process: Path) -> str:
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
        shown = [word.decode(errors="replace") for word in words if word][:3]
    except OSError:
        return "a process"
    return " ".join(word if word.isprintable() else repr(word) for word in shown) or "a process"
