"""Which rows of a store hold which object: by name, role and state, before any vector counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from procvid.memory.index import Rows
from procvid.memory.store import CropStore
from procvid.memory.words import canonical, state_fit
from procvid.types import Role


class Catalogue:
    """The rows of a store, grouped by (name, role, state)."""

    def __init__(self, store: CropStore) -> None:
        self.store = store
        groups: dict[tuple[str, Role, str], list[int]] = defaultdict(list)
        for row, crop in enumerate(store.crops.facts):
            groups[canonical(crop.name), crop.role, canonical(crop.state)].append(row)
        self._found: dict[tuple[str, Role, str | None], Rows] = {}
        self._groups = {key: np.array(rows, dtype=np.int64) for key, rows in groups.items()}

    def rows(self, name: str, role: Role, wanted_state: str | None) -> Rows:
        """Rows of crops of that very name and role whose state fits (None: in any state), in order."""
        name = canonical(name)
        key = (name, role, wanted_state)
        if key not in self._found:
            self._found[key] = _joined(
                [
                    rows
                    for (its_name, its_role, state), rows in self._groups.items()
                    if its_name == name
                    and its_role == role
                    and (wanted_state is None or state_fit(role, wanted_state, state) > 0)
                ]
            )
        return self._found[key]

    def kinds(self, name: str) -> list[tuple[Role, str]]:
        """The (role, state) pairs in which crops of that very name are there."""
        return [(role, state) for own, role, state in self._groups if own == canonical(name)]

    def pictures(self, name: str) -> Iterator[bytes]:
        """The pictures of crops of that very name, of those that have one."""
        for (own, _, _), rows in self._groups.items():
            if own == canonical(name):
                found = (self.store.crops.pictures[row] for row in rows.tolist())
                yield from (png for png in found if png is not None)


def _joined(groups: list[Rows]) -> Rows:
    return np.sort(np.concatenate(groups)) if groups else np.zeros(0, np.int64)
