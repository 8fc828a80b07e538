"""The words of the made-up history; nobody and nothing real is meant."""

FIRST_HALVES = (
    "amber", "bramble", "cobalt", "copper", "cinder", "drift", "ember", "fable", "fennel", "flint", "frost", "gale",
    "hazel", "heron", "indigo", "juniper", "kelp", "lantern", "larch", "lichen", "marble", "meadow", "mist", "moss",
    "north", "ochre", "opal", "pebble", "pine", "quartz", "raven", "reed", "saffron", "sedge", "slate", "sorrel",
    "tansy", "thistle", "umber", "velvet", "willow", "winter", "wren", "yarrow",
)
SECOND_HALVES = (
    "anchor", "badger", "beacon", "brook", "carver", "castle", "comet", "crane", "dune", "falcon", "fern", "field",
    "finch", "ford", "fox", "garden", "grove", "hare", "harbor", "hill", "kite", "lark", "loom", "maple", "marten",
    "mill", "otter", "owl", "path", "petal", "pond", "ridge", "river", "robin", "shore", "smith", "spark", "stone",
    "swift", "tide", "vale", "wagon", "wharf", "wind",
)
THINGS = (
    "retry", "session", "cache", "cursor", "upload", "token", "queue", "index", "parser", "router", "worker", "bucket",
    "reader", "writer", "schema", "filter", "report", "metric", "limit", "lease", "channel", "digest", "header",
    "layout", "batch", "merge", "window", "cluster", "snapshot", "timer", "probe", "policy", "mapper", "stream",
    "column", "ticket", "badge", "chart", "legend", "form", "table", "panel", "dialog", "menu", "avatar", "signal",
)
FEATURE_TITLES = (
    "Add {a} support to the {b}", "Let the {b} use a {a}", "Show the {a} in the {b}", "New {a} for {b}",
    "Support several {a}s per {b}", "Make the {a} {b} configurable", "Introduce {a} {b}",
)
FIX_TITLES = (
    "Fix {a} when the {b} is empty", "Do not lose the {a} after a {b} restart", "Handle missing {b} in {a}",
    "Correct off-by-one in {a} {b}", "Avoid a race between {a} and {b}", "Close the {a} when the {b} fails",
    "{a}: fix wrong {b} on Windows", "Fix flaky {a} {b} test",
)
REFACTOR_TITLES = (
    "Split the {a} out of the {b}", "Simplify {a} handling", "Rename {a} to {b} internally", "Move {a} next to {b}",
    "Remove unused {a} code", "Use one {b} type everywhere",
)
DOCS_TITLES = (
    "Describe the {a}", "Update the {a} guide", "Fix typo in {a} docs", "Fix typo", "Clarify how the {b} finds its {a}",
    "Document {a} options", "Fix broken link in the {a} page", "Correct grammar in README", "Add an example for {a}",
)
TEST_TITLES = ("Test the {a} with an empty {b}", "Cover {a} errors", "Speed up the {a} tests", "Add missing {b} test")
BUILD_TITLES = (
    "Cache the {a} step in CI", "Run the {a} checks on pull requests", "Shorten the build of the {b}",
    "Pin the build image", "Update the lint settings", "CI: run {a} tests in parallel",
)
SENTENCES = (
    "This came up while working on the {a}.", "The {b} kept an old {a} until it was restarted.",
    "Nothing changes for callers that pass no {a}.", "I measured no difference in speed.",
    "The new test fails without this change.", "See the discussion in the last meeting.", "Closes #{n}.",
    "Fixes #{n}", "Part of #{n}, the rest follows.", "Tested locally with two {a}s.", "Happy to split this if wanted.",
    "The {a} page explains the new option.", "Before, the {b} was asked twice.", "Screenshots below.",
    "I am not sure about the name, suggestions welcome 🙂", "No user-visible change.", "Follow-up to #{n}.",
)
CHECKLIST = "\r\n\r\n- [x] I have read the contributing guide\r\n- [x] Tests pass\r\n- [ ] The changelog is updated"
EMOJI = ("✨", "🐛", "📝", "♻️", "🚀", "🔧", "✅", "🎨")
LIBRARIES = (
    "cobaltmap", "fastledger", "quillstream", "tinyhash", "orbit-router", "plainform", "seedbank", "wirelog",
    "papertest", "glassui", "mintchart", "riverbuf", "stonecrypt", "loomtime", "brightlint", "foldkit",
)
