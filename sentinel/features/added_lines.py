"""Features of the added lines; NaN where no patch is known."""

import math
from collections.abc import Callable

from sentinel.content import Content
from sentinel.features.feature import count_feature, surprise
from sentinel.features.situation import Situation


def _of_content(read: Callable[[Content], float]) -> Callable[[Situation], float]:
    def compute(situation: Situation) -> float:
        content = situation.facts.content
        return math.nan if content is None else float(read(content))
    return compute


CONTENT = (
    surprise("pipe_to_shell_surprise", "piping", "pipes a download into a shell", "GuardDog",
             _of_content(lambda c: min(c.pipes_to_shell, 4)), 4),
    surprise("new_piped_host_surprise", "piping", "runs a download from an address never seen here", "GuardDog",
             lambda s: float(min(s.added.new_piped_hosts, 4)), 4),
    surprise("new_host_surprise", "address", "brings network addresses never seen here", "Apiiro ruleset",
             lambda s: math.log1p(s.added.new_hosts), 4),
    surprise("numbered_host_surprise", "address", "names an address by number, port or punycode", "GuardDog",
             _of_content(lambda c: min(c.numbered_hosts, 4)), 4),
    surprise("secret_sent_surprise", "secret", "has a secret's name and an address in one line",
             "GhostAction and tj-actions incidents", _of_content(lambda c: min(c.secrets_sent, 4)), 4),
    surprise("process_surprise", "execution", "starts processes", "GuardDog",
             _of_content(lambda c: math.log1p(c.processes)), 4),
    surprise("evaluation_surprise", "execution", "evaluates text as code", "Apiiro ruleset",
             _of_content(lambda c: math.log1p(c.evaluations)), 4),
    surprise("decoding_surprise", "encoding", "decodes hidden text", "Apiiro ruleset",
             _of_content(lambda c: math.log1p(c.decodings)), 4),
    surprise("encoded_surprise", "encoding", "holds a long encoded string", "Apiiro ruleset",
             _of_content(lambda c: math.log1p(c.longest_encoded)), 10),
    surprise("long_line_surprise", "encoding", "adds a line this long", "Apiiro ruleset",
             _of_content(lambda c: math.log1p(c.longest_line)), 10),
    surprise("out_of_sight_surprise", "encoding", "goes on after blanks so many that it is out of sight",
             "Trojan Source", _of_content(lambda c: math.log1p(c.lines_out_of_sight)), 4),
    surprise("self_start_surprise", "self-starting", "adds something that runs by itself (install hook, initialiser)",
             "GuardDog", _of_content(lambda c: math.log1p(c.self_starting)), 4),
    surprise("weakened_check_surprise", "weakening", "weakens a check", "OpenSSF alert on xz",
             _of_content(lambda c: math.log1p(c.weakened_checks)), 4),
    surprise("new_dependency_surprise", "dependency", "brings dependencies never seen here", "Socket",
             lambda s: math.log1p(s.added.new_dependencies), 4),
    surprise("new_source_surprise", "dependency", "takes packages from an address never seen here", "lockfile-lint",
             lambda s: math.log1p(s.added.new_sources), 4),
    surprise("downgrade_surprise", "version", "goes back to an earlier version of a dependency",
             "TUF, rollback attack", _of_content(lambda c: math.log1p(c.downgrades)), 4),
    count_feature("look_alike_dependencies", "dependency", "brings {} with a name close to a popular one", "dependency",
                  "GuardDog", lambda s: float(s.added.look_alike_dependencies)),
    count_feature("hidden_characters", "wording", "adds {}", "invisible or text-reversing character", "Trojan Source",
                  _of_content(lambda c: c.hidden_characters)),
    surprise("new_word_surprise", "wording", "adds code in words never seen here", "Ray et al. 2016",
             lambda s: s.added.new_words, 1),
)
