"""Where the webhook is put together: a thread that reads what the monitor beside it wrote.

Decides when it begins and ends. Holds no logic of the path.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from stream_app.adapters.monitor.alert_topic import AlertFeedReader
from stream_app.adapters.monitor.webhook_post import WebhookPost
from stream_app.core.drift.alerts import Level
from stream_app.ports import Clock, Telemetry
from stream_app.settings import Settings
from stream_app.webhook import Webhook

_JOIN_S: Final = 2.0


@contextmanager
def webhook_thread(
    settings: Settings,
    partitions: int,
    clock: Clock,
    telemetry: Telemetry,
    begin: Callable[[Callable[[], None]], None],
) -> Iterator[Mapping[str, object] | None]:
    """The webhook, if there is one; yields what it says of itself.

    Args:
        settings: Of the monitor.
        partitions: Of the alerts topic.
        clock: For the feed.
        telemetry: Where attempts are counted.
        begin: Does what needs a broker, and waits for one.
    """
    given = settings.monitor
    if given.webhook_url is None:
        yield None
        return
    over = threading.Event()
    feed = AlertFeedReader(settings, f"{settings.monitor_group}.webhook", partitions, clock)
    url = given.webhook_url.get_secret_value()
    post = WebhookPost(url, given.webhook_token_file, given.webhook_timeout_s)
    webhook = Webhook(
        feed,
        post,
        Level[given.webhook_level.upper()],
        telemetry,
        lambda seconds: not over.wait(seconds),
    )
    # Before the first alert is written: else where the reading begins could be behind it.
    begin(feed.begin)

    def run() -> None:
        try:
            webhook.run()
        finally:
            feed.close()
            post.close()

    thread = threading.Thread(target=run, name="webhook", daemon=True)
    thread.start()
    try:
        yield webhook.state
    finally:
        over.set()
        thread.join(_JOIN_S)  # an answer that is waited for is not taken as given
