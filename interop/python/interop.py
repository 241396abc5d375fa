"""Calls the simulator with the unchanged official Python SDK. For each mode and method it prints one
line: mode, method, "ok" or "fails", text.

usage: interop.py MODE...; a mode is key or cert, followed by any of -rsa, -gbk, -aes and -port.
Environment: see run.sh.

The SDK fails on a URL with a port and can use only the ports 80 and 443 (mode key-port shows it).
So in the other modes it calls a host without a port, and connections to that host are redirected
to the simulator, as a name server and a port forward would do.
"""
import base64
import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request

from Crypto.PublicKey import RSA
from alipay.aop.api.AlipayClientConfig import AlipayClientConfig
from alipay.aop.api.DefaultAlipayClient import DefaultAlipayClient
from alipay.aop.api.request.AlipayTradeCreateRequest import AlipayTradeCreateRequest
from alipay.aop.api.request.AlipayTradeOrderinfoSyncRequest import AlipayTradeOrderinfoSyncRequest
from alipay.aop.api.request.AlipayTradeQueryRequest import AlipayTradeQueryRequest
from alipay.aop.api.request.KoubeiTradeItemorderQueryRequest import KoubeiTradeItemorderQueryRequest
from alipay.aop.api.util.SignatureUtils import get_sign_content, sign_with_rsa, sign_with_rsa2, verify_with_rsa

ENV = os.environ
HOST = "openapi.simulated"
SUBJECT = "\u6d4b\u8bd5 \"\u9326\u6a0a\" 50% +\\"

dial = socket.create_connection


def forward(address, *args, **kwargs):
    """Redirects connections, as the comment at the top says."""
    if address == (HOST, 80):
        at = urllib.parse.urlsplit(ENV["INTEROP_GATEWAY"])
        address = (at.hostname, at.port)
    return dial(address, *args, **kwargs)


socket.create_connection = forward


def key(name):
    """Returns a key as Base64 without the PEM header and footer."""
    with open(f"{ENV['INTEROP_DIR']}/keys/{name}", encoding="ascii") as f:
        text = f.read()
    lines = text[text.index("-----BEGIN"):].splitlines()
    return "".join(line for line in lines if not line.startswith("-----"))


def private_key(name):
    """Returns a private key in the form that the SDK requires: PKCS#1."""
    pem = RSA.import_key(base64.b64decode(key(name))).export_key("PEM", pkcs=1).decode()
    return "".join(line for line in pem.splitlines() if not line.startswith("-----"))


def config(mode):
    """Returns the SDK's settings for a mode."""
    c = AlipayClientConfig()
    c.server_url = f"http://{HOST}/gateway.do"
    if "-port" in mode:
        c.server_url = ENV["INTEROP_GATEWAY"] + "/gateway.do"
    c.charset = "gbk" if "-gbk" in mode else "utf-8"
    c.sign_type = "RSA" if "-rsa" in mode else "RSA2"
    c.app_id = ENV["INTEROP_APP"]
    c.app_private_key = private_key("app-private.pem")
    c.alipay_public_key = key("alipay-public.pem")
    if mode.startswith("cert"):
        # The SDK has no setting for certificates: it calls an app in certificate mode with a key.
        c.app_id = ENV["INTEROP_CERT_APP"]
        c.app_private_key = private_key("certified-private.pem")
    if "-aes" in mode:
        c.encrypt_type = "AES"
        with open(f"{ENV['INTEROP_DIR']}/keys/aes.key", encoding="ascii") as f:
            c.encrypt_key = f.read().strip()
    return c


def same(got, want):
    """Raises unless both are equal."""
    if got != want:
        raise ValueError(f"got {got!r}, want {want!r}")


class Mode:
    """One mode with all its cells."""

    def __init__(self, mode):
        self.mode = mode
        self.client = DefaultAlipayClient(config(mode))
        self.number = f"python_{mode.replace('-', '_')}_{time.time_ns()}"
        self.trade_no = "0"

    def cell(self, method, run):
        """Runs one cell and prints its line."""
        try:
            run()
            print(self.mode, method, "ok", "", sep="\t", flush=True)
        except Exception as err:  # any error of the SDK is the result of the cell
            text = " ".join(f"{type(err).__name__}: {err}".split())
            print(self.mode, method, "fails", text[:2000], sep="\t", flush=True)

    def run(self):
        """Runs all cells."""
        self.cell("alipay.trade.create", self.create)
        self.cell("alipay.trade.query", self.query)
        self.cell("alipay.trade.orderinfo.sync", self.sync)
        self.cell("koubei.trade.itemorder.query", self.item_order)
        self.cell("refusal", self.refusal)
        if "-aes" not in self.mode and "-port" not in self.mode:
            self.cell("notification", self.notification)
            if not self.mode.startswith("cert"):  # the SDK knows no certificates
                self.cell("signed", self.signed)

    def send(self, request, content, notify_url=None):
        """Executes a request and returns the node of the answer."""
        request.biz_content = content
        if notify_url:
            request.notify_url = notify_url
        return json.loads(self.client.execute(request))

    def call(self, request, content, notify_url=None):
        """Executes a request, and raises unless it succeeded."""
        out = self.send(request, content, notify_url)
        if out["code"] != "10000":
            raise ValueError(f"{out['code']} {out.get('sub_code')} {out.get('sub_msg')}")
        return out

    def create(self, number=None, notify_url=None):
        number = number or self.number
        out = self.call(AlipayTradeCreateRequest(), {
            "out_trade_no": number, "total_amount": "88.88", "subject": SUBJECT,
            "buyer_id": "2088102146225135"}, notify_url)
        same(out["out_trade_no"], number)
        self.trade_no = out["trade_no"]

    def query(self):
        out = self.call(AlipayTradeQueryRequest(), {"out_trade_no": self.number})
        same(out["trade_no"], self.trade_no)
        same(float(out["total_amount"]), 88.88)

    def sync(self):
        out = self.call(AlipayTradeOrderinfoSyncRequest(), {
            "trade_no": self.trade_no, "out_request_no": self.number, "biz_type": "CREDIT_AUTH",
            "order_biz_info": "{\"status\":\"COMPLETE\"}"})
        same(out["out_trade_no"], self.number)

    def item_order(self):
        out = self.call(KoubeiTradeItemorderQueryRequest(), {"order_no": ENV["INTEROP_ITEM_ORDER"]})
        same(out["status"], "PAID")

    def refusal(self):
        out = self.send(AlipayTradeQueryRequest(), {"out_trade_no": "never" + self.number})
        same(out["sub_code"], "ACQ.TRADE_NOT_EXIST")

    def notification(self):
        """Has a buyer pay, and verifies the notification with the SDK's functions. The SDK has no single
        function for it: the caller removes sign and sign_type, and joins the rest."""
        got, came = [], threading.Event()

        class Receiver(http.server.BaseHTTPRequestHandler):
            """Receives one notification."""

            def do_POST(self):
                got.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"success")
                came.set()

            def log_message(self, *args):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            number = self.number + "n"
            self.create(number, f"http://127.0.0.1:{server.server_port}/notify")
            urllib.request.urlopen(urllib.request.Request(
                f"{ENV['INTEROP_ADMIN']}/trades/{number}/pay", data=b"", method="POST"), timeout=10)
            if not came.wait(10):
                raise ValueError("no notification within 10 s")
        finally:
            server.shutdown()
        charset = config(self.mode).charset
        post = dict(urllib.parse.parse_qsl(got[0].decode("ascii"), encoding=charset))
        same(post["trade_status"], "TRADE_SUCCESS")
        same(post["subject"], SUBJECT)
        sign = post.pop("sign")
        post.pop("sign_type")
        same(verify_with_rsa(config(self.mode).alipay_public_key, get_sign_content(post).encode(charset), sign), True)

    def signed(self):
        """Signs a notification with the SDK's functions as Alipay does; the bridge accepts it, and not with
        another amount."""
        c = config(self.mode)
        post = {
            "notify_type": "trade_status_sync", "notify_id": f"n{time.time_ns()}", "notify_time": "2026-01-01 18:00:00",
            "app_id": c.app_id, "charset": c.charset, "out_trade_no": "python_s", "trade_no": "2026010122001400000000000001",
            "trade_status": "TRADE_SUCCESS", "total_amount": "88.88", "seller_id": ENV["INTEROP_SELLER"], "subject": SUBJECT}
        sign = sign_with_rsa if c.sign_type == "RSA" else sign_with_rsa2
        post["sign"] = sign(private_key("alipay-private.pem"), get_sign_content(post), c.charset)
        post["sign_type"] = c.sign_type
        same(self.accepted(post, c.charset), True)
        post["total_amount"] = "0.01"
        same(self.accepted(post, c.charset), False)

    def accepted(self, post, charset):
        """Reports whether the bridge accepts a notification."""
        path = f"{ENV['INTEROP_DIR']}/python{time.time_ns()}.body"
        with open(path, "w", encoding="ascii") as f:
            f.write(urllib.parse.urlencode(post, encoding=charset))
        return subprocess.run([ENV["INTEROP_ACCEPTS"], self.mode, path], check=False).returncode == 0


for name in sys.argv[1:]:
    Mode(name).run()
