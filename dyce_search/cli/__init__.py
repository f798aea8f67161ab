"""The command line `dyce-search`: arguments, one file of commands a noun, and what is printed.

May import everything below but the runtime.
"""

from dyce_search.cli.program import main, parser

__all__ = ["main", "parser"]
