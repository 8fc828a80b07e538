"""The two made-up projects: a server with a web page, and a library for Python."""

from sentinel.sources.simulated.code_base import Area, Layout

HARBOUR = Layout(
    repository="saltmarsh/harbour",
    areas={
        "api": Area("server/api", ".go", 34, "{directory}/{name}_test.go"),
        "store": Area("server/store", ".go", 28, "{directory}/{name}_test.go", folders=("", "postgres", "cache")),
        "auth": Area("server/auth", ".go", 9, "{directory}/{name}_test.go", first_files=("server/auth/session.go",)),
        "command": Area("cmd/harbour", ".go", 16, "{directory}/{name}_test.go"),
        "web": Area("web/src", ".tsx", 70, "{directory}/__tests__/{name}.test.tsx",
                    folders=("components", "pages", "hooks")),
        "docs": Area("docs", ".md", 30, folders=("", "guides", "reference")),
        "generated": Area("web/src/generated", ".ts", 130, is_product=False),
        "build": Area("scripts", ".sh", 6, is_product=False, first_files=("scripts/install.sh",)),
    },
    dependencies=(("go.mod", "go.sum"), ("web/package.json", "web/package-lock.json")),
    build_files=(".github/workflows/test.yml", ".github/workflows/lint.yml", "Makefile", "Dockerfile",
                 "web/vite.config.ts", ".github/workflows/release.yml", ".golangci.yml"),
    release_files=("CHANGELOG.md", "server/version.go", "web/package.json"),
    sensitive_source="server/auth/session.go",
    install_script="scripts/install.sh",
)
TIDEPOOL = Layout(
    repository="saltmarsh/tidepool",
    areas={
        "readers": Area("src/tidepool/readers", ".py", 22, "tests/readers/test_{name}.py",
                        first_files=("src/tidepool/readers/remote.py",)),
        "models": Area("src/tidepool/models", ".py", 26, "tests/models/test_{name}.py"),
        "plots": Area("src/tidepool/plots", ".py", 18, "tests/plots/test_{name}.py"),
        "native": Area("src/native", ".c", 10),
        "docs": Area("docs", ".rst", 24, folders=("", "tutorials")),
        "generated": Area("src/tidepool/generated", ".py", 60, is_product=False),
        "build": Area("tools", ".sh", 4, is_product=False, first_files=("tools/install_native.sh",)),
    },
    dependencies=(("pyproject.toml", "uv.lock"), ("docs/requirements.in", "docs/requirements.txt")),
    build_files=(".github/workflows/tests.yml", ".github/workflows/wheels.yml", "Makefile", "meson.build", "tox.ini",
                 "pyproject.toml"),
    release_files=("CHANGES.rst", "src/tidepool/__init__.py"),
    sensitive_source="src/tidepool/readers/remote.py",
    install_script="tools/install_native.sh",
)
LAYOUTS = {layout.repository: layout for layout in (HARBOUR, TIDEPOOL)}
DEFAULT_PULL_REQUESTS = {"saltmarsh/harbour": 1_500, "saltmarsh/tidepool": 700}
