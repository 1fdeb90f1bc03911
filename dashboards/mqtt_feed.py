"""GPS in over MQTT: the topics of OwnTracks at the broker that the settings name.

The session is a persistent one (fixed client id) with QoS 1, and a message is acknowledged to the
broker only when its fix is committed. So what is published while the server is down waits at the
broker, and a kill loses nothing: what was not acknowledged comes again, and a fix that comes twice
is a duplicate. Where a commit fails the connection is closed, for a broker sends again only after
that. The broker decides who may publish what: tokens are not asked for, the topic names the device.

paho-mqtt comes with the extra `mqtt`; without it a set `mqtt_host` is refused at the start.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

from dashboards.settings import Settings
from geo.errors import SettingsError, StoreError
from geo.io.fixbook import FixBook
from geo.protocols import ProtocolError, parse_owntracks

log = logging.getLogger(__name__)

SOURCE = "mqtt"
KEEP_ALIVE_S = 30
LOOP_S = 1.0
"""The thread looks so often whether it shall stop."""
BACKOFF_S = (1.0, 60.0)
"""Between two attempts to connect: doubled from the first to the last."""


def _load_paho() -> ModuleType:
    try:
        from paho.mqtt import client
    except ImportError as error:
        raise SettingsError(
            "mqtt_host is set, but paho-mqtt is not installed: install wangge[mqtt],"
            " or leave mqtt_host empty"
        ) from error
    module: ModuleType = client
    return module


class MqttFeed:
    """Follows the broker of the settings in a thread of its own, from `start` to `stop`."""

    def __init__(
        self,
        book: FixBook,
        settings: Settings,
        *,
        backoff_s: tuple[float, float] = BACKOFF_S,
        load: Callable[[], ModuleType] = _load_paho,
    ) -> None:
        self._book = book
        self._settings = settings
        self._backoff_s = backoff_s
        self._load = load
        self._stop = threading.Event()
        self._connected = threading.Event()
        self._thread: threading.Thread | None = None
        self._client: Any = None

    @property
    def is_connected(self) -> bool:
        """Whether the broker has taken our subscription."""
        return self._connected.is_set()

    def start(self) -> None:
        """Connect, and connect again for ever.

        Raises
        ------
        SettingsError
            If the extra `mqtt` is not installed.
        """
        mqtt = self._load()
        self._client = self._make_client(mqtt)
        self._thread = threading.Thread(target=self._run, name="wangge-mqtt", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Leave the broker, which keeps what comes, and wait for the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._client.disconnect()

    def _make_client(self, mqtt: ModuleType) -> Any:
        # The same city is the same session, also after a restart.
        folder = str(self._book.workspace.path.resolve())
        mark = hashlib.blake2b(folder.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
        client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id=f"wangge-{mark}", clean_session=False,
            manual_ack=True, reconnect_on_failure=False,
        )  # fmt: skip
        settings = self._settings
        if settings.mqtt_user:
            client.username_pw_set(settings.mqtt_user, settings.mqtt_password)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        return client

    def _run(self) -> None:
        pause, longest = self._backoff_s
        where = f"{self._settings.mqtt_host}:{self._settings.mqtt_port}"
        while not self._stop.is_set():
            try:
                host, port = self._settings.mqtt_host, self._settings.mqtt_port
                self._client.connect(host, port, keepalive=KEEP_ALIVE_S)
                # Ends by itself when the connection does; `connect` is ours to call again.
                while not self._stop.is_set() and self._client.loop(LOOP_S) == 0:
                    pass
            except (OSError, ValueError) as error:
                log.warning("mqtt: %s cannot be reached: %s", where, error)
            # The end of a thread: whatever comes is told, and the broker is tried again.
            except Exception:
                log.exception("mqtt: the connection to %s broke", where)
            if self._connected.is_set():
                pause = self._backoff_s[0]
                self._connected.clear()
            if self._stop.wait(pause):
                break
            pause = min(2 * pause, longest)

    # --- what the broker tells -------------------------------------------------------------------

    def _on_connect(self, client: Any, _: Any, flags: Any, code: Any, props: Any) -> None:
        if code.is_failure:
            log.warning("mqtt: the broker refuses us: %s", code)
            return
        client.subscribe(self._settings.mqtt_topic, qos=1)

    def _on_subscribe(self, client: Any, _: Any, mid: int, codes: Any, props: Any) -> None:
        if any(code.is_failure for code in codes):
            log.warning("mqtt: the broker refuses topic %s", self._settings.mqtt_topic)
            return
        log.info("mqtt: following %s", self._settings.mqtt_topic)
        self._connected.set()

    def _on_disconnect(self, client: Any, _: Any, flags: Any, code: Any, props: Any) -> None:
        if not self._stop.is_set():
            log.warning("mqtt: connection lost: %s", code)

    def _on_message(self, client: Any, _: Any, message: Any) -> None:
        mid, qos = message.mid, message.qos

        def then(reasons: list[str] | None) -> None:
            if reasons is None:
                # Sent again after the next connect.
                client.disconnect()
            elif qos:
                client.ack(mid, qos)

        try:
            found = parse_owntracks(message.payload, topic=message.topic, source=SOURCE)
            if isinstance(found, str):
                self._book.submit_note(SOURCE, found, then)
            else:
                self._book.submit([found], then, is_trusted=True)
        except ProtocolError:
            self._book.submit_note(SOURCE, "malformed", then)
        except StoreError as error:
            log.warning("mqtt: not stored, left at the broker: %s", error)
