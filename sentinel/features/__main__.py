"""Print docs/features.md: `python -m sentinel.features > docs/features.md`."""

import sys

from sentinel.features.document import features_document

if __name__ == "__main__":
    sys.stdout.write(features_document())
