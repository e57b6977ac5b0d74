"""Run the command as ``python -m sklearn_robust``."""

import sys

from .cli import main

if __name__ == "__main__":  # processes of a comparison import this file again
    sys.exit(main())
