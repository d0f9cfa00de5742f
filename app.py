"""The app: `python app.py`, then open the address that it prints."""

import sys
from pathlib import Path

from procvid.errors import ProcvidError
from procvid.storage.text import show_any_text
from procvid.ui.server.address import check_surroundings


def main() -> int:
    """Serve the app until it is stopped; the exit code."""
    show_any_text()
    try:
        # Gradio reads environment variables when it is imported.
        check_surroundings()
        from procvid.ui.app import serve
        from procvid.ui.server.context import open_context

        serve(open_context(Path(__file__).parent / "examples"))
    except ProcvidError as error:
        print(f"procvid: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
