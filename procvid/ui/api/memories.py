"""The endpoint /memories."""

from __future__ import annotations

from typing import cast

from procvid.ui.api.answers import Memories
from procvid.ui.api.typed import endpoint
from procvid.ui.server.context import AppContext
from procvid.ui.server.memory_answers import answer, read_asked


def mount(context: AppContext) -> None:
    """Add the endpoints to the enclosing Blocks."""

    def memories(
        memory: str = "",
        object_name: str = "",
        state: str = "",
        query: str = "",
        limit: int = 20,
        page: int = 1,
    ) -> Memories:
        """List the memories; for one of them its objects, states and crops, with their sources.

        Parameters:
            memory: "default" or the id of your own; omit it to get the list only
            object_name: only crops of this object, such as "carrot"
            state: only crops in this state, such as "sliced"
            query: words to search for; crops then come best first, with a score and its parts
            limit: crops on a page, 1 to 100
            page: from 1
        """
        asked = read_asked(memory, object_name, state, query, limit, page)
        return cast(Memories, answer(context, asked))

    endpoint(memories, Memories, concurrency_limit=4)
