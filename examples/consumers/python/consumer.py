"""Reads trade-status: what is paid, refunded or held, one current state per order.

Copy it, and replace Store with your database and act with what your system does. The environment has BROKERS,
REGISTRY, TOPIC, GROUP, ENVIRONMENT (production, sandbox or simulator) and STORE (a file). With --to-end it stops at the
end of the topic and prints order, version and state.
"""
import os
import signal
import sys
import threading

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

ENV = {"BROKERS": "127.0.0.1:9092", "REGISTRY": "http://127.0.0.1:8081/apis/ccompat/v7", "TOPIC": "trade-status",
       "GROUP": "shop-python", "ENVIRONMENT": "production", "STORE": "orders-python.tsv", **os.environ}


class Store:
    """Stands for your database: the last version and state of each order, in a file that only grows. With more
    than one instance it must be shared, because a partition may move from one to another."""

    def __init__(self, path):
        self.orders = {}
        with open(path, "a+", encoding="utf-8") as f:
            f.seek(0)
            text = f.read()
        whole = text[:text.rfind("\n") + 1]  # a crash may have cut the last line; its record comes again
        for line in whole.splitlines():
            self._set(*line.split("\t"))
        self.file = open(path, "r+", encoding="utf-8")
        self.file.truncate(len(whole.encode()))
        self.file.seek(0, os.SEEK_END)

    def _set(self, key, version, state):
        if version == "0":
            self.orders.pop(key, None)
        else:
            self.orders[key] = (int(version), state)

    def version(self, key):
        return self.orders.get(key, (0, ""))[0]

    def put(self, key, version, state):
        self.file.write(f"{key}\t{version}\t{state}\n")
        self._set(key, str(version), state)

    def sync(self):
        self.file.flush()
        os.fsync(self.file.fileno())


def act(key, status):
    """Does what a new state asks for. It may run twice for one version after a crash: make it harmless."""
    state = status["state"]
    if state == "HELD":  # never ship: Alipay says paid, but something is not as ordered
        print(f"HELD {key}: {','.join(status['anomalies'])}: a person must decide", file=sys.stderr)
    elif status["anomalies"]:
        print(f"look at {key}, {state}: {','.join(status['anomalies'])}", file=sys.stderr)
    # PAID, FINISHED: ship. PARTIALLY_REFUNDED, REFUNDED: book the refund, status["refunded"] is the total so far.
    # CLOSED, CLOSED_UNPAID, FAILED: give the goods free. A state that you do not know: do nothing, ask a person.


def handle(store, message, decode):
    key = message.key().decode()
    if message.value() is None:  # a tombstone: the order is forgotten, and its versions begin again
        if store.version(key):
            store.put(key, 0, "")
        return
    status = decode(message.value(), SerializationContext(message.topic(), MessageField.VALUE))
    if status["environment"] != ENV["ENVIRONMENT"]:
        sys.exit(f"{key} is of environment {status['environment']!r}: this reader has another environment's topic")
    # Compaction leaves gaps in the versions, a restart repeats some; only a higher one is news.
    if status["version"] > store.version(key):
        act(key, status)
        store.put(key, status["version"], status["state"])


def main():
    store, to_end = Store(ENV["STORE"]), "--to-end" in sys.argv
    decode = AvroDeserializer(SchemaRegistryClient({"url": ENV["REGISTRY"]}))
    consumer = Consumer({
        "bootstrap.servers": ENV["BROKERS"], "group.id": ENV["GROUP"],
        "isolation.level": "read_committed",  # others see records of transactions that were aborted
        "enable.auto.commit": False,  # offsets are committed after the work, not before it
        "session.timeout.ms": 10_000,  # after a crash, the next one waits so long
        "auto.offset.reset": "earliest",  # a new reader begins with the state of every order
        "enable.partition.eof": True,
    })
    consumer.subscribe([ENV["TOPIC"]])
    stop, ended = threading.Event(), set()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    while not stop.is_set():
        done = {}
        for m in consumer.consume(500, timeout=1.0):
            if m.error():
                if m.error().code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(m.error())
                ended.add(m.partition())
                continue
            ended.discard(m.partition())
            handle(store, m, decode)
            done[m.partition()] = TopicPartition(m.topic(), m.partition(), m.offset() + 1)
        if done:
            store.sync()  # first the work, then the offsets: a crash between them repeats, and loses nothing
            consumer.commit(offsets=list(done.values()), asynchronous=False)
        assigned = {p.partition for p in consumer.assignment()}
        if to_end and assigned and assigned <= ended:
            for key in sorted(store.orders):
                print(key, *store.orders[key], sep="\t")
            break
    consumer.close()


if __name__ == "__main__":
    main()
