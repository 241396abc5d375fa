import com.alipay.global.api.BaseAlipayClient;
import com.alipay.global.api.DefaultAlipayClient;
import com.alipay.global.api.base64.Base64Encryptor;
import com.alipay.global.api.base64.DefaultBase64Encryptor;
import com.alipay.global.api.net.HttpRpcResult;
import com.alipay.global.api.request.AlipayRequest;
import com.alipay.global.api.response.AlipayResponse;
import com.alipay.global.api.tools.SignatureTool;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.Map;
import java.util.UUID;

/**
 * Calls the AlipayHK gateway of the simulator with the official global Java SDK. The SDK does not
 * have "Synchronize Order", but its client signs and verifies any request. For each mode and method
 * it prints one line: mode, method, "ok" or "fails", text.
 *
 * <p>usage: java -cp 'lib/*' Global.java MODE...; a mode is signer (the SDK signs and verifies, another
 * client sends over HTTP), https (the SDK's own transport), http (the same with an http URL), or
 * own-base64 (signer with the SDK's own Base64). Environment: see run.sh.
 */
public class Global {
    static final String PATH = "/api/open/alipay/v1/merchant/order/sync";
    static final String CLIENT = System.getenv("INTEROP_HK_CLIENT");

    /** Synchronize Order, request. */
    public static class Sync extends AlipayRequest<Synced> {
        public String requestId = UUID.randomUUID().toString().replace("-", "");
        public String tradeNo = "2024052222001412345678901234";
        public String merchantBizNo;
        public String merchantBizType = "TRADE_ORDER";
        public String orderStatus = "PAID";
        public long orderCreateTime = System.currentTimeMillis() - 1000;
        public long orderModifyTime = System.currentTimeMillis();
        public String userId = "2160120051483575";
        public Map<String, String> extInfo = Map.of("note", "\u8336 & <b> \"x\"");

        Sync(String no) {
            merchantBizNo = no;
            setPath(PATH);
            setHttpMethod("POST");
            setClientId(CLIENT);
            setKeyVersion(1);
        }

        @Override
        public Class<Synced> getResponseClass() {
            return Synced.class;
        }
    }

    /** Synchronize Order, response. */
    public static class Synced extends AlipayResponse {
        public String orderId;
    }

    /** The SDK's client with another transport: its own supports only HTTPS. */
    static class Signer extends BaseAlipayClient {
        private final HttpClient http = HttpClient.newHttpClient();

        Signer(String url) throws Exception {
            super(url, key("hk-private.pem"), key("alipayhk-public.pem"));
        }

        @Override
        public Map<String, String> buildCustomHeader() {
            return Map.of();
        }

        @Override
        public HttpRpcResult sendRequest(String url, String method, Map<String, String> header, String body) {
            try {
                // The SDK's client has replaced http by https.
                HttpRequest.Builder b = HttpRequest.newBuilder(URI.create(url.replaceFirst("^https", "http")));
                header.forEach(b::header);
                b.method(method, HttpRequest.BodyPublishers.ofString(body));
                HttpResponse<String> r = http.send(b.build(), HttpResponse.BodyHandlers.ofString());
                HttpRpcResult out = new HttpRpcResult();
                out.setRspCode(r.statusCode());
                out.setRspBody(r.body());
                // As in the SDK's own transport: the value of the third item.
                String[] items = r.headers().firstValue("Signature").orElse("").split(",");
                out.setRspSign(items.length < 3 ? "" : items[2].substring(items[2].indexOf('=') + 1));
                out.setResponseTime(r.headers().firstValue("Response-Time").orElse(""));
                return out;
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        }
    }

    /** Base64 of Java 8 and later. */
    static class Base64Of8 implements Base64Encryptor {
        @Override
        public String encodeToString(byte[] src) {
            return Base64.getEncoder().encodeToString(src);
        }

        @Override
        public byte[] decode(String src) {
            return Base64.getDecoder().decode(src);
        }
    }

    final String mode;
    final BaseAlipayClient client;

    Global(String mode) throws Exception {
        this.mode = mode;
        String plain = System.getenv("INTEROP_GATEWAY");
        if (mode.equals("signer") || mode.equals("own-base64")) {
            client = new Signer(plain);
        } else {
            String url = mode.equals("https") ? System.getenv("INTEROP_TLS_GATEWAY") : plain;
            client = new DefaultAlipayClient(url, key("hk-private.pem"), key("alipayhk-public.pem"));
        }
    }

    public static void main(String[] modes) throws Exception {
        for (String mode : modes) {
            // The SDK's own Base64 uses a class that was removed in Java 11; it can be replaced.
            SignatureTool.setBase64Encryptor(mode.equals("own-base64") ? new DefaultBase64Encryptor() : new Base64Of8());
            Global g = new Global(mode);
            g.cell("order.sync", g::sync);
            if (mode.equals("signer")) {
                g.cell("repeat", g::repeat);
                g.cell("refusal", g::refusal);
                g.cell("unsigned", () -> g.doubtful("unsigned"));
                g.cell("wrong-key", () -> g.doubtful("wrong_key"));
                g.cell("accepted", g::accepted);
            }
        }
        System.exit(0);
    }

    /** Returns a key in the form that the SDK requires: Base64 without the PEM header and footer. */
    static String key(String file) throws Exception {
        String text = Files.readString(Path.of(System.getenv("INTEROP_DIR"), "keys", file));
        return text.substring(text.indexOf("-----BEGIN")).replaceAll("-----[A-Z ]+-----|\\s", "");
    }

    interface Cell {
        void run() throws Exception;
    }

    void cell(String method, Cell c) {
        try {
            c.run();
            System.out.println(mode + "\t" + method + "\tok\t");
        } catch (Throwable t) {
            System.out.println(mode + "\t" + method + "\tfails\t" + String.valueOf(t).replaceAll("\\s+", " "));
        }
    }

    static void same(Object got, Object want) {
        if (!want.equals(got)) {
            throw new IllegalStateException("got " + got + ", want " + want);
        }
    }

    static String number() {
        return "global_" + System.nanoTime();
    }

    /** Adds a fault to the simulator for the next request about an order. */
    static void fault(String kind, String no) throws Exception {
        HttpRequest r = HttpRequest.newBuilder(URI.create(System.getenv("INTEROP_ADMIN") + "/faults"))
                .POST(HttpRequest.BodyPublishers.ofString("[{kind: " + kind + ", order: " + no + "}]")).build();
        same(HttpClient.newHttpClient().send(r, HttpResponse.BodyHandlers.ofString()).statusCode(), 200);
    }

    void sync() throws Exception {
        Synced out = client.execute(new Sync(number()));
        same(out.getResult().getResultStatus().name(), "S");
        same(out.orderId.length() > 0, true);
    }

    void repeat() throws Exception {
        Sync r = new Sync(number());
        same(client.execute(r).orderId, client.execute(r).orderId);
    }

    /** A refusal is signed; the SDK verifies it. */
    void refusal() throws Exception {
        Sync r = new Sync(number());
        r.merchantBizType = "NO_SUCH_TYPE";
        Synced out = client.execute(r);
        same(out.getResult().getResultStatus().name(), "F");
        same(out.getResult().getResultCode(), "PARAM_ILLEGAL");
    }

    /** A success that is unsigned, or signed with another key, must not be believed. */
    void doubtful(String kind) throws Exception {
        String no = number();
        fault(kind, no);
        String result;
        try {
            result = client.execute(new Sync(no)).getResult().getResultStatus().name();
        } catch (Exception expected) {
            return;
        }
        throw new IllegalStateException("believed a success that is " + kind + ": " + result);
    }

    void accepted() throws Exception {
        String no = number();
        fault("accepted", no);
        same(String.valueOf(client.execute(new Sync(no)).getResult().getResultStatus()), "A");
    }
}
