"""Turns rows of a shop's order table, as change data capture writes them, into order events.

usage: transform.py SCHEMA_ID < rows.jsonl     needs: pip install fastavro
       transform.py --schema                   prints the schema to register

It prints a line for each event: the record's key, a tab, and the value in hexadecimal: the five bytes of the
frame, then Avro. A producer sends both as they are. SCHEMA_ID is the id under which the registry lists
WRITER for the topic, as <topic>-value.
"""
import io, json, struct, sys, uuid
from datetime import datetime, timezone

import fastavro

# Only the fields that this shop has; the bridge knows the defaults of the others.
WRITER = fastavro.parse_schema({
    "type": "record", "name": "OrderEvent", "namespace": "com.example.shop",
    "fields": [
        {"name": "event_id", "type": "string"},
        {"name": "event_type", "type": "string"},  # text is read as the enum
        {"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "order_no", "type": "string"},
        {"name": "account", "type": "string"},
        {"name": "channel", "type": "string"},
        {"name": "total", "type": ["null", {"type": "record", "name": "Money", "fields": [
            {"name": "minor", "type": "long"}, {"name": "currency", "type": "string"}]}], "default": None},
        {"name": "subject", "type": "string"},
        {"name": "buyer_open_id", "type": "string"},
        {"name": "expires_at", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}], "default": None},
    ],
})

TYPES = {"NEW": "CREATED", "PAID": "PAID", "VOID": "CANCELLED"}


def instant(micros):
    """Debezium writes MicroTimestamp; the bridge refuses times in another unit than milliseconds."""
    return None if micros is None else datetime.fromtimestamp(micros / 1_000_000, timezone.utc)


def event(change):
    row = change["after"]
    return {
        # The same fact has the same id, however often it is captured.
        "event_id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"shop/orders/{row['id']}/{row['version']}")),
        "event_type": TYPES[row["state"]],
        "occurred_at": instant(row["updated_at"]),
        "order_no": f"S{row['id']}",
        "account": "shop-trade",
        "channel": "TRADE",
        "total": {"minor": row["total_cents"], "currency": "CNY"},
        # Alipay refuses / = & in a subject.
        "subject": row["title"].translate(str.maketrans("/=&", "   ")),
        "buyer_open_id": row["buyer"],
        "expires_at": instant(row.get("pay_until")),
    }


def value(schema_id, record):
    out = io.BytesIO(struct.pack(">bI", 0, schema_id))
    out.seek(5)
    fastavro.schemaless_writer(out, WRITER, record)
    return out.getvalue()


def main():
    for line in sys.stdin:
        change = json.loads(line)
        if change.get("op") not in ("c", "u") or change["after"]["state"] not in TYPES:
            continue  # deletes, and states that are none of the bridge's business
        record = event(change)
        print(record["order_no"], value(int(sys.argv[1]), record).hex(), sep="\t")


if __name__ == "__main__":
    if sys.argv[1:] == ["--schema"]:
        print(json.dumps({k: v for k, v in WRITER.items() if not k.startswith("__")}))  # to register it
    else:
        main()
