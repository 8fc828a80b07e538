"""Prometheus metrics, right under several workers: each writes its own files, one answers for all."""

from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """The scorer's metrics; with a folder they are shared by all processes that write into it.

    prometheus_client looks at PROMETHEUS_MULTIPROC_DIR when it is imported: set it before this module is.
    """

    def __init__(self, shared_folder: str | None = None) -> None:
        """Create the metrics in a registry of their own."""
        self._shared_folder = shared_folder
        self._registry = CollectorRegistry()
        self._by_request: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}  # looking labels up costs more
        self.requests = Counter("sentinel_serving_requests_total", "Requests answered.",
                                ("route", "method", "status"), registry=self._registry)
        self.seconds = Histogram("sentinel_serving_request_seconds", "Time to answer, from the first byte read.",
                                 ("route",), buckets=SECONDS, registry=self._registry)
        self.turned_away = Counter("sentinel_serving_turned_away_total", "Requests refused because of overload.",
                                   registry=self._registry)
        self.is_ready = Gauge("sentinel_serving_ready", "Workers with a model that answers.",
                              multiprocess_mode="livesum", registry=self._registry)
        # Of all workers that live the newest: the master, and a worker that has just begun, still say 0.
        self.trained_at = Gauge("sentinel_serving_model_trained_timestamp_seconds",
                                "When the model that answers was trained; 0 is not known.",
                                multiprocess_mode="livemax", registry=self._registry)
        self.last_good_look_at = Gauge("sentinel_serving_last_good_look_timestamp_seconds",
                                       "When MLflow and the object store last gave what was asked; 0 is not known.",
                                       multiprocess_mode="livemax", registry=self._registry)

    def count(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        key = route, method, status
        if key not in self._by_request:
            self._by_request[key] = self.requests.labels(*key), self.seconds.labels(route)
        total, duration = self._by_request[key]
        total.inc()
        duration.observe(seconds)

    def tell_age(self, trained_at: datetime | None, last_good_look_at: datetime | None) -> None:
        """Show how old the model of this worker is, and since when nobody has seen a newer one."""
        self.trained_at.set(trained_at.timestamp() if trained_at else 0)
        self.last_good_look_at.set(last_good_look_at.timestamp() if last_good_look_at else 0)

    def exposition(self) -> bytes:
        """Return all metrics as text."""
        if self._shared_folder is None:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry, self._shared_folder)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
