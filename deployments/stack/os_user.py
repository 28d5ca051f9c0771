"""An unprivileged OS user for PostgreSQL, which refuses to run as root."""

from __future__ import annotations

import errno
import os
import pwd
import shutil
import struct
import subprocess
from pathlib import Path

from lib.errors import Rejected

NAME = "potok"

# Linux ACL as the kernel keeps it: version, then (tag, permissions, id) in this order of tags.
ACL = "system.posix_acl_access"
USER_OBJ, USER, GROUP_OBJ, MASK, OTHER = 0x01, 0x02, 0x04, 0x10, 0x20
NO_ID = 0xFFFFFFFF
TRAVERSE = 0o1


def needed_user() -> str | None:
    """The OS user to run PostgreSQL as: ``None`` when we are not root and can run it ourselves.

    Raises:
        Rejected: the user is missing and cannot be made here.
    """
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(NAME).pw_name
    except KeyError:
        pass
    adder = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if adder is None:
        raise Rejected(f"PostgreSQL does not run as root: create an OS user named {NAME}")
    command = [adder, "--system", "--user-group", "--no-create-home"]
    made = subprocess.run(
        [*command, "--shell", "/usr/sbin/nologin", NAME],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode not in (0, 9):  # 9: another stack made it meanwhile
        raise Rejected(f"the OS user {NAME} cannot be created: {made.stderr.strip()}")
    return pwd.getpwnam(NAME).pw_name


def can_reach(user: str, path: Path, access: str = "-r") -> bool:
    """Whether the kernel lets the user read (``-r``) or enter and run (``-x``) a path."""
    done = subprocess.run(
        ["/usr/bin/test", access, str(path)],
        user=user, group=user, extra_groups=[], cwd="/", check=False,
    )  # fmt: skip
    return done.returncode == 0


def let_reach(user: str, path: Path) -> None:
    """Let the user, and nobody else, pass through the directories above a path.

    A checkout under /root (mode 0700) is the usual case. Nobody gets more rights than passing.

    Raises:
        Rejected: the file system keeps no ACL.
    """
    for directory in reversed(path.resolve().parents):
        if can_reach(user, directory, "-x"):
            continue
        try:
            _grant_traverse(directory, pwd.getpwnam(user).pw_uid)
        except OSError as exc:
            raise Rejected(
                f"the OS user {user} cannot pass {directory} ({exc.strerror}): "
                f"set POTOK_HOME to a directory it can reach, or run `chmod o+x {directory}`"
            ) from exc


def _grant_traverse(directory: Path, uid: int) -> None:
    entries = _acl(directory)
    entries[USER, uid] = TRAVERSE
    entries[MASK, NO_ID] = entries.get((MASK, NO_ID), entries[GROUP_OBJ, NO_ID]) | TRAVERSE
    packed = (struct.pack("<HHI", tag, perm, id_) for (tag, id_), perm in sorted(entries.items()))
    os.setxattr(directory, ACL, struct.pack("<I", 2) + b"".join(packed))


def _acl(directory: Path) -> dict[tuple[int, int], int]:
    """The ACL of a directory as {(tag, id): permissions}; made of its mode when it has none."""
    try:
        raw = os.getxattr(directory, ACL)
    except OSError as exc:
        if exc.errno != errno.ENODATA:
            raise
        mode = directory.stat().st_mode
        return {
            (USER_OBJ, NO_ID): mode >> 6 & 7,
            (GROUP_OBJ, NO_ID): mode >> 3 & 7,
            (OTHER, NO_ID): mode & 7,
        }
    return {(tag, id_): perm for tag, perm, id_ in struct.iter_unpack("<HHI", raw[4:])}
