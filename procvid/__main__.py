"""`python -m procvid` is the command `procvid`."""

import sys

from procvid.cli import main

sys.exit(main())
