"""Run the command `procvid` as `python -m procvid`."""

import sys

from procvid.cli import main

sys.exit(main())
