"""`python -m dyce_search`, the same as `dyce-search`."""

import sys

from dyce_search.cli import main

sys.exit(main())
