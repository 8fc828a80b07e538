"""Load as clients make it, and a gate: `locust -f model_serving/locustfile.py --headless --host http://127.0.0.1:8080`.

The exit code is 1 where the gate is missed. The limits come from the environment:
SENTINEL_LOAD_P99_MILLISECONDS, SENTINEL_LOAD_ERROR_SHARE, SENTINEL_LOAD_REQUESTS_PER_SECOND and
SENTINEL_LOAD_LEAST_REQUESTS; SENTINEL_API_TOKEN where the scorer wants a token. Expected refusals are no errors.
"""

import functools
import random
from datetime import UTC, datetime, timedelta
from typing import Any

from locust import FastHttpUser, between, events, task
from locust.env import Environment
from pydantic import Field, SecretStr

from sentinel.settings import Settings, load_settings

BATCH = 50
FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)
BAD_BODIES = ("", "no JSON", "[]", '{"number": "nine"}', '{"number": 1, "number": 2}', '{"title": NaN}')


class LoadSettings(Settings):
    """What the scorer must keep to under load, and the token that it wants."""

    api_token: SecretStr | None = Field(default=None, description="token that every POST must carry")
    load_p99_milliseconds: float = Field(default=500.0, gt=0, description="99th percentile of all answers",
                                         examples=["500"])
    load_error_share: float = Field(default=0.001, ge=0, lt=1, description="largest share of wrong answers",
                                    examples=["0.001"])
    load_requests_per_second: float = Field(default=20.0, ge=0, description="least requests per second",
                                            examples=["20"])
    load_least_requests: int = Field(default=100, ge=1, description="requests below which nothing was measured",
                                     examples=["100"])


@functools.cache
def read_settings() -> LoadSettings:
    """Read them once for all clients: a login to Vault each would be too many."""
    return load_settings(LoadSettings)


class Client(FastHttpUser):
    """Mostly single pull requests; now and then a batch, somebody who looks at the page, and bad input."""

    wait_time = between(0.01, 0.1)

    def on_start(self) -> None:
        """Take the token, and a repository that the scorer knows."""
        token = read_settings().api_token
        self.bearer = {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}
        with self.client.get("/model", catch_response=True) as answer:
            known = answer.json()["repositories"] if answer.status_code == 200 else []
        self.repositories = [*known, "octo/unknown"]

    @task(60)
    def score(self) -> None:
        """Score one pull request."""
        self.client.post("/score", json=self._pull_request(), headers=self.bearer)

    @task(5)
    def score_batch(self) -> None:
        """Score a batch; every element must have its answer."""
        batch = [self._pull_request() for _ in range(BATCH)]
        with self.client.post("/score/batch", json=batch, headers=self.bearer, catch_response=True) as answer:
            if answer.status_code == 200 and len(answer.json()) != BATCH:
                answer.failure(f"seen {len(answer.json())} answers, expected {BATCH}")

    @task(10)
    def look_at_the_page(self) -> None:
        """Look at the ranked list."""
        self.client.get("/", headers=self.bearer)

    @task(10)
    def rank(self) -> None:
        """Ask for a page of the ranking."""
        self.client.get("/ranking?limit=25", headers=self.bearer)

    @task(10)
    def send_bad_input(self) -> None:
        """Send what cannot be read; a 400 is right, everything else is an error."""
        headers = {"Content-Type": "application/json", **self.bearer}
        with self.client.post("/score", data=random.choice(BAD_BODIES), headers=headers, name="/score (bad input)",
                              catch_response=True) as answer:
            if answer.status_code == 400:
                answer.success()
            else:
                answer.failure(f"seen {answer.status_code}, expected 400")

    @task(5)
    def probe(self) -> None:
        """Ask whether it is ready."""
        self.client.get("/readyz")

    def _pull_request(self) -> dict[str, Any]:
        files = [{"filename": f"src/part_{random.randrange(40)}/file_{number}.py", "status": "modified",
                  "additions": random.randrange(60), "deletions": random.randrange(30)}
                 for number in range(random.choice((1, 1, 2, 3, 5, 8, 30)))]
        opened_at = FIRST_DAY + timedelta(minutes=random.randrange(500_000))
        return {
            "number": random.randrange(1, 100_000), "title": "Mend what the load test found",
            "user": {"login": f"somebody-{random.randrange(50)}", "type": "User"}, "created_at": opened_at.isoformat(),
            "base": {"ref": "main", "repo": {"full_name": random.choice(self.repositories)}},
            "head": {"ref": "mend-it", "repo": None}, "commits": 1, "files": files,
        }


@events.quitting.add_listener
def check_gate(environment: Environment, **_: Any) -> None:
    """Set the exit code to 1 and say why, unless every limit was kept."""
    total, limits = environment.stats.total, read_settings()
    seen = {
        "requests": (total.num_requests, ">=", limits.load_least_requests),
        "share of errors": (total.fail_ratio, "<=", limits.load_error_share),
        "99th percentile, ms": (total.get_response_time_percentile(0.99) or 0.0, "<=", limits.load_p99_milliseconds),
        "requests per second": (total.total_rps, ">=", limits.load_requests_per_second),
    }
    kept = {name: value >= limit if sign == ">=" else value <= limit for name, (value, sign, limit) in seen.items()}
    for name, (value, sign, limit) in seen.items():
        print(f"{'kept  ' if kept[name] else 'MISSED'} {name}: {value:.4g} (expected {sign} {limit:g})")
    environment.process_exit_code = 0 if all(kept.values()) else 1
