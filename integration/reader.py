"""Reads topics with a consumer that shares no code with the bridge, and prints JSON lines.

It uses Confluent's own client and deserializer, read_committed, and schemas from the registry. It
stops at the end of all partitions; with --count it waits for that many records. A value that is
not an Avro frame is printed as Base64 in "raw", with "error".
"""

import argparse
import base64
import datetime
import json
import sys
import time
import warnings

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition
from confluent_kafka.serialization import MessageField, SerializationContext

with warnings.catch_warnings(record=True):  # Authlib warns of its own deprecations in spite of -W
    from confluent_kafka.schema_registry import SchemaRegistryClient
    from confluent_kafka.schema_registry.avro import AvroDeserializer


def arguments():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("topics", nargs="+", metavar="TOPIC")
    p.add_argument("--brokers", default="127.0.0.1:9092")
    p.add_argument("--registry", default="http://127.0.0.1:8081/apis/ccompat/v7")
    p.add_argument("--count", type=int, default=0, help="wait for this many records, then stop")
    p.add_argument("--wait", type=float, default=60, help="wait at most this many seconds, then exit 1 [60]")
    p.add_argument("--no-values", action="store_true", help="keys, offsets and headers only")
    return p.parse_args()


def plain(v):
    """Converts what fastavro returns for bytes and logical types to JSON."""
    if isinstance(v, bytes):
        return base64.b64encode(v).decode()
    if isinstance(v, datetime.datetime):
        return v.isoformat(timespec="milliseconds")
    return str(v)


def text(b):
    return None if b is None else b.decode("utf-8", "backslashreplace")


def record(m, decode):
    """Returns one record as a dict. decode is None or the deserializer."""
    out = {
        "topic": m.topic(), "partition": m.partition(), "offset": m.offset(), "timestamp": m.timestamp()[1],
        "key": text(m.key()), "headers": [[k, text(v)] for k, v in m.headers() or []],
    }
    if decode is None:
        return out
    try:
        out["value"] = decode(m.value(), SerializationContext(m.topic(), MessageField.VALUE))
    except Exception as e:  # any error of the library is a result
        out["error"], out["raw"] = str(e)[:200], base64.b64encode(m.value() or b"").decode()
    return out


def assign(consumer, topics):
    """Assigns all partitions from their start, without joining a group or committing offsets."""
    parts = []
    for topic in topics:
        found = consumer.list_topics(topic, timeout=60).topics[topic]
        if found.error is not None:
            sys.exit(f"reader: {topic}: {found.error.str()}")
        parts += [TopicPartition(topic, p, OFFSET_BEGINNING) for p in found.partitions]
    consumer.assign(parts)
    return len(parts)


def main():
    a = arguments()
    consumer = Consumer({
        "bootstrap.servers": a.brokers, "group.id": "reader", "isolation.level": "read_committed",
        "enable.auto.commit": False, "enable.partition.eof": True,
    })
    decode = None if a.no_values else AvroDeserializer(SchemaRegistryClient({"url": a.registry}))
    left, ended, seen = assign(consumer, a.topics), set(), 0
    end = time.monotonic() + a.wait
    while seen < a.count if a.count else len(ended) < left:
        if time.monotonic() > end:
            sys.exit(f"reader: only {seen} records after {a.wait:g} s")
        m = consumer.poll(0.2)
        if m is None:
            continue
        if m.error():
            if m.error().code() != KafkaError._PARTITION_EOF:
                sys.exit(f"reader: {m.error().str()}")
            ended.add((m.topic(), m.partition()))
            continue
        print(json.dumps(record(m, decode), default=plain, ensure_ascii=False))
        seen += 1
    consumer.close()


if __name__ == "__main__":
    main()
