"""Disks that can be full: a small tmpfs where this user may mount one, else a plain directory that never is."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

_ROOMY = "4g"


class Disk:
    """A file system at `directory`. is_real: whether it is one of its own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True)
        self.is_real = _succeeds("mount", "-t", "tmpfs", "-o", f"size={_ROOMY},mode=700", "tmpfs", str(directory))

    def fill(self) -> bool:
        """Leave no room; false if that cannot be had here."""
        for _ in range(20 if self.is_real else 0):  # whoever writes meanwhile makes the size too small
            status = os.statvfs(self._directory)
            used = max(1, status.f_blocks - status.f_bfree) * status.f_bsize  # a size of 0 would be no limit at all
            if _succeeds("mount", "-o", f"remount,size={used}", str(self._directory)):
                return True
        return False

    def empty(self) -> None:
        """There is room again."""
        if self.is_real:
            subprocess.run(["mount", "-o", f"remount,size={_ROOMY}", self._directory], check=True)

    def remove(self) -> None:
        """Unmount it; what it held is gone."""
        if self.is_real:
            subprocess.run(["umount", "-l", self._directory], check=True)
            self.is_real = False


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
