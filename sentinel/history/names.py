"""Names that look like other names: of authors, and of popular packages."""

from collections.abc import Iterable
from functools import lru_cache

REMEMBERED_LOGINS = 4_096
SAME_LOOK = str.maketrans({"0": "o", "1": "l", "i": "l", "5": "s", "-": None, "_": None, "|": "l", ".": None})
POPULAR_PACKAGES = (
    "axios", "babel", "body-parser", "boto3", "chalk", "colors", "commander", "cross-env", "cryptography", "debug",
    "discord.js", "django", "dotenv", "electron", "eslint", "express", "fastapi", "flask", "fs-extra", "glob", "jest",
    "jsonwebtoken", "lodash", "matplotlib", "minimist", "moment", "mongodb", "mongoose", "numpy", "openai", "pandas",
    "pillow", "prettier", "puppeteer", "pydantic", "pytest", "pyyaml", "react", "react-dom", "redis", "requests",
    "rimraf", "rollup", "scikit-learn", "selenium", "semver", "setuptools", "socket.io", "sqlalchemy", "tensorflow",
    "torch", "typescript", "underscore", "urllib3", "uuid", "vite", "webpack", "winston", "yargs", "zod",
)


@lru_cache(maxsize=REMEMBERED_LOGINS)
def skeleton_of(login: str) -> str:
    """Return a login with look-alike characters made equal."""
    return login.translate(SAME_LOOK)


def look_alikes_of(names: Iterable[str]) -> int:
    """Count the names that are one edit away from a popular package without being one."""
    return sum(name not in POPULAR_PACKAGES and len(name) >= 4 and _is_near_popular(name) for name in names)


def _is_near_popular(name: str) -> bool:
    return not _one_less(name).isdisjoint(_NEIGHBOURS)


def _one_less(name: str) -> set[str]:
    """Return a name and what is left of it without any one character: near names share one of these."""
    return {name, *(name[:place] + name[place + 1:] for place in range(min(len(name), 40)))}


_NEIGHBOURS = frozenset(less for package in POPULAR_PACKAGES if len(package) > 4 for less in _one_less(package))
