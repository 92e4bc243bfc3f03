"""``python -m rscovlm``."""

import sys

from rscovlm.cli import main

if __name__ == "__main__":
    sys.exit(main())
