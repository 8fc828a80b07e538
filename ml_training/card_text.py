"""The model card that people read, in Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ml_training.rows import Floats
from sentinel.model import ModelCard
from sentinel.provenance import Provenance

INTRODUCTION = (
    "Says how unusual a pull request is in its repository, and which features make it so.",
    "It does not say that one is malicious, and most of what it flags is harmless: it is for ordering what people "
    "read, and decides nothing by itself.",
)
LIMITS = (
    "Planted oddities are rows with a few rare values; finding them promises nothing about real attacks.",
    "It knows nothing of a repository's first pull requests (`warm_up`), and judges a repository that it never met by "
    "all others together.",
    "A change under a regular's name that is ordinary in size, place and hour is not found.",
    "It sees counts, names and times, and of added lines only the signs that the features count.",
)


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What the card tells beside the model's own card."""

    provenance: Provenance
    figures: Mapping[str, float]  # as logged with the run
    gate: str  # what the gate said
    budgets: Sequence[float]
    really_flagged: Mapping[str, Floats]  # (n_budgets,) by repository
    environment: Mapping[str, str]


def describe(card: ModelCard, facts: CardFacts) -> str:
    """Return the card: what the model is for, its data, figures, limits and environment."""
    sections = {
        "What it is for": list(INTRODUCTION), "Data": _data(card, facts), "Figures": _figures(facts),
        "Alert budgets": _budgets(facts), "Limits": [f"- {limit}" for limit in LIMITS],
        "Thresholds": [f"Rule {card.threshold_rule}, {card.threshold:.3f} where a repository has none of its own.", "",
                       *_table(("compared with", "scores", "threshold"),
                               [(name, f"{count:,}", f"{card.thresholds.get(name, card.threshold):.3f}")
                                for name, count in sorted(card.n_references.items())])],
        "Environment": _table(("", ""), list(facts.environment.items())),
    }
    lines = [f"# Model {card.version}", ""]
    for title, text in sections.items():
        lines += [f"## {title}", "", *text, ""]
    return "\n".join(lines)


def _data(card: ModelCard, facts: CardFacts) -> list[str]:
    provenance, figures = facts.provenance, facts.figures
    n_repositories = len(provenance.repositories)
    return _table(("", ""), [
        ("pull requests", f"{provenance.n_pull_requests:,} of {n_repositories:,} "
                          f"{'repository' if n_repositories == 1 else 'repositories'}, opened from "
                          f"{provenance.opened_from} until {provenance.opened_until}"),
        ("unreadable, left out", f"{provenance.n_rejected:,}"),
        ("snapshot of the input", f"`{provenance.input_snapshot}`"),
        ("features", f"{len(card.feature_names)}, run `{card.features_run_id}` by code {provenance.code_version}, "
                     f"fingerprint `{card.feature_fingerprint}`, weighed by `{card.score_fingerprint}`"),
        ("fitted on", f"{figures['n_train']:,.0f}, opened until {card.trained_until}"),
        ("decided when to stop", f"{figures['n_validation']:,.0f} later ones"),
        ("judged on", f"{figures['n_test']:,.0f}, the last of each repository"),
    ])


def _figures(facts: CardFacts) -> list[str]:
    rows = [(f"flagged of {words}", f"{facts.figures[name]:.2%}") for name, words in (
        ("flagged_share_train", "the fitted ones"), ("flagged_share_validation", "those that decided when to stop"),
        ("flagged_share_test", "the judged ones")) if name in facts.figures]
    for who, words in (("challenger", "this model"), ("champion", "the champion before")):
        if f"gate_{who}_planted_recall" in facts.figures:
            rows += [(f"planted oddities among the highest 5 %, {words}",
                      f"{facts.figures[f'gate_{who}_planted_recall']:.0%}"),
                     (f"time per row, {words}", f"{1e6 * facts.figures[f'gate_{who}_seconds_per_row']:.0f} µs")]
    return _table(("", ""), [*rows, ("the gate", facts.gate)])


def _budgets(facts: CardFacts) -> list[str]:
    if not facts.really_flagged:
        return ["Too few later pull requests to say what a budget really flags."]
    return ["Share really flagged on the judged ones, with thresholds from those that decided when to stop.", "",
            *_table(("", *(f"{budget:.1%}" for budget in facts.budgets)),
                    [(name, *(f"{share:.2%}" for share in shares)) for name, shares in facts.really_flagged.items()])]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]
