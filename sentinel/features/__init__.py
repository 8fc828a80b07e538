"""What a careful maintainer would notice about a pull request, as an ordered list of numbers."""

from sentinel.features.catalogue import CATALOGUE, FEATURE_NAMES, sentence
from sentinel.features.feature import Feature


def feature_fingerprint() -> str:
    """Return a hash of the names and of the vectors of built-in probe records; it tells behaviour, not text."""
    from sentinel.features.probes import fingerprint_of_probes  # the history itself imports the features
    return fingerprint_of_probes()


__all__ = ["CATALOGUE", "FEATURE_NAMES", "Feature", "feature_fingerprint", "sentence"]
