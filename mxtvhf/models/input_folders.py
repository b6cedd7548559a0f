"""Folders from which the inputs of a run may be read."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from mxtvhf.errors import InvalidInput


class InputFolders(NamedTuple):
    """Folders from which inputs may be read; all paths are resolved.

    Attributes
    ----------
    roots
        The folders. All below them may be read, except the state folder.
    state
        State folder, which contains secrets: of it only ``roots`` inside it may be read; None for no
        exception.
    """

    roots: tuple[Path, ...]
    state: Path | None = None

    def check(self, path: Path) -> None:
        """Check that a file may be read.

        Parameters
        ----------
        path
            The file, resolved.

        Raises
        ------
        InvalidInput
            The file lies outside the roots, or in a closed part of the state folder.
        """
        roots = [root for root in self.roots if path.is_relative_to(root)]
        if not roots:
            raise InvalidInput(
                f"outside the folders that may be read ({', '.join(map(str, self.roots))}); "
                "add its folder to MXTVHF_INPUT_ROOTS"
            )
        state = self.state
        if state and path.is_relative_to(state) and not any(root.is_relative_to(state) for root in roots):
            raise InvalidInput(f"in the state folder {state}, of which only archive and inputs may be read")
