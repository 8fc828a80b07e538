"""What the simulated GitHub does wrong, and when: a plan, so that a failure can be repeated."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Fault(StrEnum):
    """One way to fail, as GitHub or the network between fails."""

    BAD_GATEWAY = "502 with an HTML body"
    GATEWAY_TIMEOUT = "504 with a JSON message"
    SERVER_ERROR = "500"
    UNAVAILABLE = "503"
    SECONDARY_RETRY_AFTER = "403 secondary rate limit with Retry-After"
    SECONDARY = "403 secondary rate limit without Retry-After"
    SECONDARY_429 = "429 secondary rate limit with Retry-After"
    SECONDARY_IN_200 = "200 whose GraphQL error is the secondary rate limit"
    ABUSE_PAGE = "403 abuse detection as an HTML page"
    RATE_LIMITED = "200 whose GraphQL error is the primary rate limit"
    RESOURCE_LIMITS = "200 with partial data and RESOURCE_LIMITS_EXCEEDED"
    TRUNCATED = "a body that ends before its length"
    BROKEN_JSON = "a whole body that is half a JSON text"
    RESET = "the connection is reset before any answer"
    SLOW_DRIP = "a byte now and then, for ever"
    BAD_CREDENTIALS = "401"
    SSO_REQUIRED = "403 because the organisation enforces SAML"
    REDIRECT_ELSEWHERE = "302 to another host"
    LINK_ELSEWHERE = "200 whose link to the next page leads to another host"
    FORBIDDEN_FORK = "200 with one head repository that the token may not see"
    LOST_NODE = "200 with one pull request nulled by an error"
    REFUSED_CURSOR = "200 whose GraphQL error is a cursor no longer valid"


# What a run survives by itself, without a person.
PASSING_FAULTS = (
    Fault.BAD_GATEWAY, Fault.GATEWAY_TIMEOUT, Fault.SERVER_ERROR, Fault.UNAVAILABLE, Fault.SECONDARY_RETRY_AFTER,
    Fault.SECONDARY_429, Fault.SECONDARY_IN_200, Fault.RESOURCE_LIMITS, Fault.TRUNCATED, Fault.BROKEN_JSON,
    Fault.RESET,
)


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Which request fails how: `by_request` counts from 1; `share` of all others fail by `seed`."""

    by_request: Mapping[int, Fault] = field(default_factory=dict)
    always: Fault | None = None
    share: float = 0.0
    seed: int = 0
    kinds: tuple[Fault, ...] = PASSING_FAULTS
    heaviest_page: int | None = None  # larger pages get 502, as GitHub's 10 s limit does
    heaviest_page_with_files: int | None = None
    points: int | None = None  # requests until the primary rate limit; None for no limit
    reset_seconds: int = 3600
    retry_after_seconds: int = 1
    drip_seconds: float = 0.05
    latency_seconds: float = 0.0

    def fault_of(self, request: int) -> Fault | None:
        """Return how the `request`-th request fails, or None."""
        planned = self.by_request.get(request, self.always)
        if planned is not None or not self.share:
            return planned
        draw = random.Random(self.seed * 1_000_003 + request)
        return draw.choice(self.kinds) if draw.random() < self.share else None
