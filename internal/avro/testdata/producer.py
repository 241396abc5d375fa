"""Writes fastavro.json: order events as a producer in Python writes them, by its own schema.

It takes the bridge's schema file as its first argument and changes it as producers do.
"""

import copy
import io
import json
import sys

import fastavro

EVENT = {
    "event_id": "0d1c7f2e-1111-4222-8333-444455556666", "event_type": "CREATED", "occurred_at": 1700000000123, "order_no": "o_1",
    "total": {"minor": 8888, "currency": "CNY"}, "subject": "\u8336", "items": [{"goods_id": "tea", "price": {"minor": 8888, "currency": "CNY"}}],
}


def field(schema, name):
    return next(f for f in schema["fields"] if f["name"] == name)


def own_namespace(s):
    s["namespace"] = "com.shop.orders"


def one_more_one_less(s):
    s["namespace"] = "com.shop.orders"
    s["fields"] = [f for f in s["fields"] if f["name"] != "settle_period_time"]
    s["fields"].insert(3, {"name": "shop_note", "type": ["null", "string"], "default": None})


def newer_symbol(s):
    field(s, "event_type")["type"]["symbols"].append("TELEPORTED")


def other_order(s):
    s["fields"] = s["fields"][4:] + s["fields"][:4]


def plain_longs(s):
    field(s, "occurred_at")["type"] = "long"
    field(s, "order_version")["type"] = "int"


def nullable(s):
    field(s, "subject")["type"] = ["null", "string"]
    field(s, "subject")["default"] = None


VERSIONS = {
    "its own namespace": (own_namespace, {}),
    "one field more and one less": (one_more_one_less, {"shop_note": "\u8336"}),
    "a newer symbol": (newer_symbol, {"event_type": "TELEPORTED"}),
    "another order": (other_order, {}),
    "plain longs and an int": (plain_longs, {"order_version": 7}),
    "null for no text": (nullable, {"subject": None}),
}


def without_docs(v):
    if isinstance(v, dict):
        return {k: without_docs(m) for k, m in v.items() if k != "doc"}
    return [without_docs(m) for m in v] if isinstance(v, list) else v


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        ours = without_docs(json.load(f))
    out = []
    for name, (change, more) in VERSIONS.items():
        schema = copy.deepcopy(ours)
        change(schema)
        b = io.BytesIO()
        # A copy: fastavro writes a longer form of the schema into what it parses.
        fastavro.schemaless_writer(b, fastavro.parse_schema(copy.deepcopy(schema)), EVENT | more)
        out.append({"name": name, "schema": json.dumps(schema), "hex": b.getvalue().hex()})
    with open("fastavro.json", "w", encoding="utf-8") as f:
        json.dump({"fastavro": fastavro.__version__, "records": out}, f, indent=1)


main()
