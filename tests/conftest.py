"""Settings that every test shares."""

import logging
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# No deadline: on a busy machine the first example of a slow path would look like a failure.
# `make test` runs the profile "ci": the same examples every time, so that a red run is repeatable.
settings.register_profile(
    "default", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("ci", settings.get_profile("default"), derandomize=True, print_blob=True)
settings.load_profile("default")


@pytest.fixture(scope="module", autouse=True)
def logs_as_before() -> Iterator[None]:
    """Campaigns silence what they play; whoever is tested after them in this process may speak."""
    disabled = logging.root.manager.disable
    yield
    logging.disable(disabled)
