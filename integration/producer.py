"""Produces order events as a team with its own schema would, and shares no code with the bridge.

The schema is the bridge's OrderEvent with another namespace, one field less and one more.
Confluent's client and serializer (fastavro) register it for the topic. Events are JSON lines on
standard input, with the field names of the schema.
"""

import argparse
import datetime
import json
import sys
import warnings

from confluent_kafka import Producer
from confluent_kafka.serialization import MessageField, SerializationContext

with warnings.catch_warnings(record=True):  # Authlib warns of its own deprecations in spite of -W
    from confluent_kafka.schema_registry import SchemaRegistryClient
    from confluent_kafka.schema_registry.avro import AvroSerializer


def arguments():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("topic")
    p.add_argument("--brokers", default="127.0.0.1:9092")
    p.add_argument("--registry", default="http://127.0.0.1:8081/apis/ccompat/v7")
    p.add_argument("--schema", required=True, help="the bridge's order_event.avsc")
    p.add_argument("--namespace", required=True)
    p.add_argument("--without", required=True, help="a field that this team does not write")
    p.add_argument("--extra", required=True, help="an additional field of this team, an optional text")
    return p.parse_args()


def own_schema(a):
    with open(a.schema, encoding="utf-8") as f:
        schema = json.load(f)
    fields = [f for f in schema["fields"] if f["name"] != a.without]
    if len(fields) + 1 != len(schema["fields"]):
        sys.exit(f"producer: the schema has no field {a.without}")
    fields.append({"name": a.extra, "type": ["null", "string"], "default": None})
    return json.dumps({**schema, "namespace": a.namespace, "fields": fields})


def event(line):
    e = json.loads(line)
    e["occurred_at"] = datetime.datetime.fromisoformat(e["occurred_at"])
    return e


def main():
    a = arguments()
    encode = AvroSerializer(SchemaRegistryClient({"url": a.registry}), own_schema(a))
    producer = Producer({"bootstrap.servers": a.brokers, "enable.idempotence": True})
    errors = []
    for line in sys.stdin:
        e = event(line)
        value = encode(e, SerializationContext(a.topic, MessageField.VALUE))
        producer.produce(a.topic, key=e["order_no"], value=value, on_delivery=lambda err, _: err and errors.append(err.str()))
    producer.flush(30)
    if errors or len(producer):
        sys.exit(f"producer: {errors or f'{len(producer)} events were not delivered within 30 s'}")


if __name__ == "__main__":
    main()
