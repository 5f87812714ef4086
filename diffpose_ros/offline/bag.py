"""Bags: rosbag2's MCAP written and read without a ROS installation."""

from collections.abc import Collection, Generator, Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
import shutil
from types import TracebackType
from typing import Any

from diffpose_ros.core.share import find_shared
from rosbags.interfaces import (
    Connection,
    MessageDefinitionFormat,
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import Reader, StoragePlugin, Writer
from rosbags.typesys import get_types_from_msg, get_typestore, Stores
from rosbags.typesys.store import Typestore

UNKNOWN_TYPE = f'RIHS01_{0:064x}'
FOREVER = QosTime(9223372036, 854775807)  # RMW_DURATION_INFINITE


@cache
def message_types() -> Typestore:
    """Return the message definitions of ROS 2 and of this package."""
    types: dict[str, Any] = {}
    for path in sorted(find_shared('msg').glob('*.msg')):
        types |= get_types_from_msg(path.read_text(), f'diffpose_ros/msg/{path.stem}')
    store = get_typestore(Stores.ROS2_JAZZY)
    store.register(types)
    return store


class BagWriter:
    """An MCAP file of serialised messages, whole or not at all; use it as a context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.counts: dict[str, int] = {}
        self._partial = path.with_name(f'.{path.stem}.partial')
        self._topics: dict[str, Connection] = {}

    def __enter__(self) -> 'BagWriter':
        shutil.rmtree(self._partial, ignore_errors=True)
        self._partial.mkdir(parents=True)
        # the writer names the file after its folder, and the name is written into the file
        self._folder = self._partial / self.path.stem
        self._bag = Writer(self._folder, version=9, storage_plugin=StoragePlugin.MCAP)
        self._bag.open()
        return self

    def add_topic(self, topic: str, type_name: str, latched: bool = False) -> None:
        """Announce a topic; type_name as package/msg/Type, latched: kept for late subscribers."""
        self.counts[topic] = 0
        self._topics[topic] = self._bag.add_connection(
            topic, type_name, typestore=message_types(), offered_qos_profiles=[_qos(latched)]
        )

    def copy_topic(self, source: Connection) -> None:
        """Announce a topic as another bag has it; ValueError when two types share it."""
        known = self._topics.get(source.topic)
        if known is None:
            self.counts[source.topic] = 0
            self._topics[source.topic] = self._bag.add_connection(
                source.topic,
                source.msgtype,
                **_definition(source),
                offered_qos_profiles=source.ext.offered_qos_profiles,
            )
        elif known.msgtype != source.msgtype:
            raise ValueError(
                f'{source.topic} is both {known.msgtype} and {source.msgtype}; leave one out'
            )

    def write(self, topic: str, received_ns: int, cdr: bytes) -> None:
        """Add one message as it came from the wire."""
        self._bag.write(self._topics[topic], received_ns, cdr)
        self.counts[topic] += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._bag.close()
            if kind is None:
                (self._folder / f'{self.path.stem}.mcap').replace(self.path)
        finally:
            shutil.rmtree(self._partial, ignore_errors=True)


class BagReader(Reader):
    """A bag that is open; ValueError where it is damaged."""

    def messages(
        self,
        connections: Collection[Connection] = (),
        start: int | None = None,
        stop: int | None = None,
    ) -> Generator[tuple[Connection, int, bytes], None, None]:
        """Yield topic, time of reception in ns and serialised message, as they were received."""
        with refusing(self.path):
            for connection, time_ns, cdr in super().messages(connections, start, stop):
                timed = isinstance(time_ns, int) and 0 <= time_ns < 2**63
                if not timed or not isinstance(cdr, bytes):  # SQLite keeps anything anywhere
                    raise ValueError(f'a message at {time_ns!r} ns is none')
                yield connection, time_ns, cdr


@contextmanager
def open_bag(path: Path) -> Iterator[BagReader]:
    """
    Open a bag: .mcap, .db3 or the folder of either.

    raises  FileNotFoundError when there is none, ValueError when it is damaged
    """
    if not (path.is_file() or (path / 'metadata.yaml').is_file()):
        raise FileNotFoundError(
            f'no bag {path}; give an .mcap or .db3 file, or the folder with its metadata.yaml'
        )
    with refusing(path):
        bag = BagReader(path)
        bag.open()
    with closing(bag):
        yield bag


@contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Tell whatever reading a bag stumbles over as ValueError: the bytes are a stranger's."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise ValueError(
            f'{path} is not a readable bag ({type(error).__name__}: {error}); give an .mcap or '
            '.db3 file, or their folder; an .mcap that was cut off: mcap recover FILE -o WHOLE'
        ) from error


def read_bag(path: Path, topics: set[str]) -> Iterator[tuple[str, int, Any]]:
    """
    Yield topic, time of reception in ns and message of a bag, in the order of reception.

    topics  names; others are passed over
    raises  ValueError when the file is no bag
    """
    with open_bag(path) as bag:
        with refusing(path):
            types = {c.id: _types_of(c) for c in bag.connections if c.topic in topics}
        for connection, received_ns, cdr in bag.messages():
            if connection.topic in topics:
                with refusing(path):
                    message = types[connection.id].deserialize_cdr(cdr, connection.msgtype)
                yield connection.topic, received_ns, message


def canonical(cdr: bytes, type_name: str) -> bytes:
    """
    Return a serialised message with zeros between its fields.

    What ROS serialises holds there whatever was in memory, so that equal messages may differ.
    """
    types = message_types()
    return bytes(types.serialize_cdr(types.deserialize_cdr(cdr, type_name), type_name))


def _types_of(topic: Connection) -> Typestore:
    """Return the definitions to read a topic with: ours gain fields, the bag has those of then."""
    definition = topic.msgdef
    own = topic.msgtype.startswith('diffpose_ros/')
    if not own or not definition.data or definition.format is not MessageDefinitionFormat.MSG:
        return message_types()
    store = get_typestore(Stores.EMPTY)
    store.register(get_types_from_msg(definition.data, topic.msgtype))
    return store


def _definition(source: Connection) -> dict[str, Any]:
    """Return the type of a topic as the bag states it, or as we know it, or unknown."""
    if source.msgdef.data and source.digest:
        return {'msgdef': source.msgdef.data, 'rihs01': source.digest}
    if source.msgtype in message_types().types:
        return {'typestore': message_types()}
    return {'msgdef': source.msgdef.data, 'rihs01': source.digest or UNKNOWN_TYPE}


def _qos(latched: bool) -> Qos:
    durability = QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE
    return Qos(
        history=QosHistory.KEEP_LAST,
        depth=1 if latched else 10,
        reliability=QosReliability.RELIABLE,
        durability=durability,
        deadline=FOREVER,
        lifespan=FOREVER,
        liveliness=QosLiveliness.AUTOMATIC,
        liveliness_lease_duration=FOREVER,
        avoid_ros_namespace_conventions=False,
    )
