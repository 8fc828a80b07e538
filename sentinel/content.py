"""What the added lines of a change show: by patterns and statistics, in linear time, never running anything.

Patterns know no language and no incident; what they find is counted against the repository's own past.
Every pattern is guarded by a plain substring that must be there, so that ordinary text costs next to nothing.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sentinel.manifests import count_downgrades, dependencies_of, sources_of
from sentinel.paths import PathFacts
from sentinel.pull_request import ChangedFile


@dataclass(frozen=True, slots=True)
class Hinted:
    """A pattern for one line, and the substrings of which one must be there; the text decides the case."""

    hints: tuple[str, ...]
    expression: re.Pattern[str]


# What begins with plain characters is looked for at once, so the scheme is looked back at.
HOST = re.compile(r"://(?:(?<=\bhttps://)|(?<=\bhttp://)|(?<=\bwss://)|(?<=\bws://)|(?<=\bftp://))"
                  r"(?:[^\s/@\"'`<>]{0,64}@)?([A-Za-z0-9._\[\]:-]{3,253})")
NUMBERED_HOST = re.compile(r"(?:^|\D)\d{1,3}([.-])\d{1,3}\1\d{1,3}\1\d{1,3}(?:\D|$)|:\d{2,5}$|^xn--|\.xn--")
LOCAL_HOST = re.compile(r"^(localhost|127\.|0\.0\.0\.0|\[|10\.|192\.168\.|example\.|host\.docker)"
                        r"|\.(local|test|example|localhost|internal|invalid)$|(^|\.)example\.(com|org|net)$")
PIPED_TO_SHELL = Hinted(("curl", "wget", "iwr ", "irm ", "fetch ", "invoke-webrequest"), re.compile(
    r"(?:curl|wget|fetch|iwr|invoke-webrequest|irm)\b[^|]{0,400}\|\s*(?:sudo\s+(?:-\S+\s+)*)?(?:env\s+\S+\s+)?"
    r"(?:/\S{0,40}/)?(?:bash|sh|zsh|dash|ksh|python[23]?|perl|ruby|node|php|iex)\b"
    r"|(?:bash|sh|zsh|source|eval|\.)\s+(?:-\w+\s+)?[\"']?(?:<\(|\$\(|`)\s*(?:curl|wget)\b"))
PROCESS = Hinted(
    ("exec.command", "os.system", "subprocess.", "child_process", "execsync", "execfile", "spawn", "popen",
     "getruntime", "processbuilder", "process.start", "shell_exec", "passthru", "proc_open", "pcntl_exec",
     "shellexecute", "os.exec", "command::new", "wscript.shell", "execv", "execl", "system(", "bash", "powershell",
     "/sh", "sh -c", "cmd /c", "cmd.exe"), re.compile(
        r"\b(?:exec\.command|os\.system|subprocess\.\w+|child_process|execsync|execfile\w*|spawn(?:sync)?\s*\("
        r"|popen\w*\s*\(|runtime\.getruntime|processbuilder|process\.start|shell_exec|passthru|proc_open|pcntl_exec"
        r"|shellexecute\w*|os\.exec\w*|command::new|wscript\.shell|posix_spawn\w*|exec[vl][pe]*\s*\()"
        r"|(?:^|[^.\w>])system\s*\(|\b(?:bash|sh|cmd|powershell)(?:\.exe)?[\"']?\s*,?\s*[\"']?[-/]c\b"))
EVALUATION = Hinted(
    ("eval", "new function", "exec(", "exec (", "create_function", "runin", "marshal.loads", "pickle.loads",
     "unserialize", "assert(", "invoke-expression", "__import__"), re.compile(
        r"\b\w{0,24}eval(?:_string\w*|uate\w*script)?\s*\(|\bnew\s+function\s*\(|\bexec\s*\(\s*(?:compile|base64"
        r"|bytes|codecs|zlib|__import__)|\bcreate_function\s*\(|\brunin(?:newcontext|thiscontext)\s*\("
        r"|\bmarshal\.loads|\bpickle\.loads|\bunserialize\s*\(|\bassert\s*\(\s*\$_|\binvoke-expression\b"
        r"|__import__\s*\("))
DECODING = Hinted(
    ("atob", "b64decode", "base64", "decodestring", "fromcharcode", "unhexlify", "fromhex", "gzinflate", "str_rot13",
     "codecs.decode", "xxd "), re.compile(
        r"\batob\s*\(|b64decode|base64_decode|base64\s+(?:-d|--decode)\b|base64\.\w{0,12}decode|decodestring\s*\("
        r"|fromcharcode|unhexlify|bytes\.fromhex|gzinflate|str_rot13|codecs\.decode|frombase64string|xxd\s+-r"
        r"|[\"']base64[\"']\s*\)"))
SELF_STARTING = Hinted(
    ("func init", "install\"", "\"prepare", "\"prepublish", "cmdclass", "constructor", "dllmain", "ctor::ctor",
     "post_install", "post-install-cmd", "ld_preload", "sitecustomize", "crontab", "systemctl", ".bashrc",
     "authorized_keys"), re.compile(
        r"\bfunc\s+init\s*\(\s*\)|\"(?:pre|post)?install\"\s*:|\"(?:prepare|prepublish(?:only)?|preuninstall)\"\s*:"
        r"|\bcmdclass\b|__attribute__\s*\(\(\s*constructor|\bdllmain\b|\bctor::ctor\b|\bpost_install\b"
        r"|\bpost-install-cmd\b|\bld_preload\b|\bsitecustomize\b|\bcrontab\b|\bsystemctl\s+enable\b|\.bashrc\b"
        r"|\bauthorized_keys\b"))
SECRET_NAME = Hinted(
    ("secrets.", "TOKEN", "SECRET", "PASSW", "_KEY", "APIKEY", "CREDENTIAL", ".npmrc", ".aws/", "id_rsa", "/etc/",
     "169.254."), re.compile(
        r"\bsecrets\.[A-Za-z_]\w*|\b[A-Z0-9_]*(?:TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY"
        r"|CREDENTIALS?)\b|\.npmrc\b|\.aws/credentials|\bid_rsa\b|/etc/(?:passwd|shadow)\b|169\.254\.169\.254"))
SENDING = re.compile(r"https?://|\b(?:curl|wget|nc|ncat|scp|fetch|requests\.post|urlopen)\b", re.IGNORECASE)
WEAKENED = Hinted(
    ("verify", "insecure", "rejectunauthorized", "strict-ssl", "tls_reject_unauthorized", "no-check-certificate",
     "trusted-host", "write-all", "pull_request_target", "chmod", "continue-on-error", "set +e", "|| true",
     "allow-unauthenticated", "nosec", "persist-credentials", "allow_unsecure", "ignore-scripts"),
    re.compile(
        r"--no-verify\b|\bverify\s*=\s*false|insecureskipverify\s*:\s*true|rejectunauthorized\s*:\s*false"
        r"|strict-ssl[ =]+false|tls_reject_unauthorized|ssl_no_verify|sslverify\s*=?\s*false|\s--insecure\b"
        r"|--no-check-certificate|--trusted-host|permissions:\s*write-all|\bpull_request_target\b"
        r"|chmod\s+(?:-r\s+)?0?777|continue-on-error:\s*true|\bset \+e\b|\|\| true\b|--allow-unauthenticated"
        r"|\bnosec\b|ssl_verifypeer\b|persist-credentials:\s*true|allow_unsecure_commands|ignore-scripts[= ]false"
        r"|\bverify_ssl\s*[=:]\s*false"))
ENCODED = re.compile(r"[\"'`]([A-Za-z0-9+/_-]{40,}={0,2})[\"'`]|((?:\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}){16,})")
SHORTEST_ENCODED = 40  # characters, its quotes not counted
HASH_LIKE = re.compile(r"^(?:sha\d+-|h1:)|^[0-9a-f]{40}$|^[0-9a-f]{64}$|^[0-9a-f]{96}$|^[0-9a-f]{128}$")
HIDDEN_CHARACTER = re.compile("[\u200b\u200c\u2060\u2066-\u2069\u202a-\u202e\u00ad\ufff9-\ufffb\U000e0000-\U000e007f]")
ADDED = re.compile(r"\n\+([^\n]*)")
WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{3,39}")
MOST_OF_ONE_KIND = 64
MOST_LOOKED_AT = 512  # lines with one hint in one change
HALF_WINDOW = 1_024  # characters around a hint, in lines without end
MOST_WORDS = 4_096
BLANKS = (" " * 100, "\t" * 25)  # what follows them in a line is out of sight on most screens


@dataclass(frozen=True, slots=True)
class Content:
    """What the added lines show; counts of lines or names, lengths in characters."""

    hosts: frozenset[str]  # outside documentation
    numbered_hosts: int  # addresses by number, with a port or in punycode, outside documentation
    piped_hosts: frozenset[str]
    pipes_to_shell: int
    processes: int
    evaluations: int
    decodings: int
    self_starting: int
    secrets_sent: int
    weakened_checks: int
    hidden_characters: int
    longest_encoded: float  # characters, weighted by their entropy
    longest_line: int  # in code and configuration
    lines_out_of_sight: int  # of code, that go on after many blanks
    dependencies: frozenset[str]
    sources: frozenset[str]  # hosts that packages come from, lock files among the places
    downgrades: int
    words: frozenset[str]  # in code and configuration


class Names(NamedTuple):
    """What the added lines name, that is remembered when they land."""

    hosts: frozenset[str] = frozenset()
    dependencies: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class AddedText:
    """The added lines of a change, by what is looked for in them."""

    written: str  # by people, outside documentation
    code: str  # of these, what is no data
    manifests: str  # of dependencies, and their lock files
    manifest_patches: tuple[str, ...]  # with the lines that are removed


def read_content(files: Sequence[ChangedFile], paths: Sequence[PathFacts]) -> Content | None:
    """Return what the added lines show; None where no file has its patch."""
    added = read_added_text(files, paths)
    return None if added is None else _content(added)


def read_names(files: Sequence[ChangedFile], paths: Sequence[PathFacts]) -> Names:
    """Return the names of `read_content`, at a fraction of its time; none where no patch is known."""
    added = read_added_text(files, paths)
    return Names() if added is None else Names(
        frozenset(_hosts(added.written)), dependencies_of(added.manifests), sources_of(added.manifests))


def read_added_text(files: Sequence[ChangedFile], paths: Sequence[PathFacts]) -> AddedText | None:
    """Return the added lines of all files; None where no file has its patch."""
    if all([file.patch is None for file in files]):
        return None
    written, code, manifests, manifest_patches = [], [], [], []
    for file, path in zip(files, paths, strict=True):
        if not file.patch or path.is_generated and path.sensitive != "dependency":
            continue
        added = _added_lines(file.patch)
        if path.sensitive == "dependency":
            manifests.append(added)
            manifest_patches.append(file.patch)
        if path.is_generated or path.kind == "docs" and not path.sensitive:
            continue
        written.append(added)
        if path.kind != "data":
            code.append(added)
    return AddedText("\n".join(written), "\n".join(code), "\n".join(manifests), tuple(manifest_patches))


def _added_lines(patch: str) -> str:
    """Return the lines that begin with a plus sign, without it."""
    return "\n".join(ADDED.findall(f"\n{patch}"))


def _content(added: AddedText) -> Content:
    written, code, lines = added.written, added.code, added.code.split("\n")
    long_lines = "\n".join([line for line in lines if len(line) > SHORTEST_ENCODED])
    hosts, lowered = _hosts(written), written.lower()
    piped = _lines_with(PIPED_TO_SHELL, lowered)
    return Content(
        hosts=frozenset(hosts), numbered_hosts=sum(NUMBERED_HOST.search(host) is not None for host in hosts),
        piped_hosts=frozenset(host for line in piped for host in _hosts(line)), pipes_to_shell=len(piped),
        processes=len(_lines_with(PROCESS, lowered)), evaluations=len(_lines_with(EVALUATION, lowered)),
        decodings=len(_lines_with(DECODING, lowered)), self_starting=len(_lines_with(SELF_STARTING, lowered)),
        secrets_sent=sum(SENDING.search(line) is not None for line in _lines_with(SECRET_NAME, written)),
        weakened_checks=len(_lines_with(WEAKENED, lowered)),
        hidden_characters=0 if written.isascii() else len(HIDDEN_CHARACTER.findall(written)),
        longest_encoded=_longest_encoded(long_lines), longest_line=max(map(len, lines)),
        lines_out_of_sight=_lines_out_of_sight(code), dependencies=dependencies_of(added.manifests),
        sources=sources_of(added.manifests), downgrades=sum(map(count_downgrades, added.manifest_patches)),
        words=_words(code),
    )


def _lines_with(pattern: Hinted, text: str) -> list[str]:
    """Return the lines where `pattern` is found, at most MOST_OF_ONE_KIND; only lines with a hint are looked at."""
    lines: dict[int, str] = {}
    for hint in pattern.hints:
        if hint not in text:
            continue
        place, looked_at = text.find(hint), 0
        while place >= 0 and looked_at < MOST_LOOKED_AT:
            start, end = text.rfind("\n", 0, place) + 1, text.find("\n", place)
            start, end = max(start, place - HALF_WINDOW), min(end if end >= 0 else len(text), place + HALF_WINDOW)
            if start not in lines and pattern.expression.search(text[start:end]):
                lines[start] = text[start:end]
            place, looked_at = text.find(hint, end), looked_at + 1
    return [lines[start] for start in sorted(lines)[:MOST_OF_ONE_KIND]]


def _hosts(text: str) -> set[str]:
    if "://" not in text:
        return set()
    hosts = {found.lower().rstrip(".:") for found in HOST.findall(text)}
    return {host for host in sorted(hosts)[:MOST_OF_ONE_KIND] if not LOCAL_HOST.search(host)}


def _longest_encoded(text: str) -> float:
    """Return the greatest length of an encoded string, times its entropy over that of base64."""
    longest, long_words = 0.0, [word for word in text.split() if len(word) > SHORTEST_ENCODED]  # it holds no space
    for quoted, escaped in ENCODED.findall("\n".join(long_words)) if long_words else ():
        if escaped:
            longest = max(longest, len(escaped) / 4)
        elif not HASH_LIKE.search(quoted) and any(c.isdigit() for c in quoted) and not quoted.islower():
            longest = max(longest, len(quoted) * _entropy_of(quoted) / 6.0)
    return longest


def _entropy_of(text: str) -> float:
    """Return the entropy of the characters in bits each."""
    few = text[:1_024]
    shares = [few.count(character) / len(few) for character in set(few)]
    return -sum(share * math.log2(share) for share in shares)


def _lines_out_of_sight(code: str) -> int:
    """Count the lines that go on after many blanks."""
    if not any(blanks in code for blanks in BLANKS):
        return 0
    return sum(any(blanks in line for blanks in BLANKS) for line in map(str.rstrip, code.split("\n")))


def _words(code: str) -> frozenset[str]:
    words = set(WORD.findall(code))
    return frozenset(words if len(words) <= MOST_WORDS else sorted(words)[:MOST_WORDS])
