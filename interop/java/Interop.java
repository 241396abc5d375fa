import com.alipay.api.AlipayApiException;
import com.alipay.api.AlipayClient;
import com.alipay.api.AlipayConfig;
import com.alipay.api.AlipayRequest;
import com.alipay.api.AlipayResponse;
import com.alipay.api.DefaultAlipayClient;
import com.alipay.api.domain.AlipayTradeCreateModel;
import com.alipay.api.domain.AlipayTradeOrderinfoSyncModel;
import com.alipay.api.domain.AlipayTradeQueryModel;
import com.alipay.api.domain.KoubeiTradeItemorderQueryModel;
import com.alipay.api.internal.util.AlipaySignature;
import com.alipay.api.internal.util.AntCertificationUtil;
import com.alipay.api.request.AlipayTradeCreateRequest;
import com.alipay.api.request.AlipayTradeOrderinfoSyncRequest;
import com.alipay.api.request.AlipayTradeQueryRequest;
import com.alipay.api.request.KoubeiTradeItemorderQueryRequest;
import com.alipay.api.response.AlipayTradeCreateResponse;
import com.alipay.api.response.AlipayTradeOrderinfoSyncResponse;
import com.alipay.api.response.AlipayTradeQueryResponse;
import com.alipay.api.response.KoubeiTradeItemorderQueryResponse;
import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.TimeUnit;

/**
 * Calls the simulator with the unchanged official Java SDK. For each mode and method it prints one
 * line: mode, method, "ok" or "fails", text.
 *
 * <p>usage: java -cp 'lib/*' Interop.java MODE...; a mode is key or cert, followed by any of -rsa,
 * -gbk, -gb2312 and -aes. Environment: see run.sh.
 */
public class Interop {
    static final String DIR = System.getenv("INTEROP_DIR");
    static final String GATEWAY = System.getenv("INTEROP_GATEWAY") + "/gateway.do";
    /** Chinese, a quote, and two characters whose second GBK byte is a backslash or a brace. */
    static final String SUBJECT = "\u6d4b\u8bd5 \"\u9326\u6a0a\" 50% +\\";
    /** The same for gb2312, which lacks one of the two: the SDK sends a question mark for it. */
    static final String NARROW_SUBJECT = "\u6d4b\u8bd5 \"\u6a0a\" 50% +\\";

    final String mode;
    final AlipayClient client;
    final boolean aes;

    Interop(String mode) throws Exception {
        this.mode = mode;
        this.aes = mode.contains("-aes");
        this.client = new DefaultAlipayClient(config(mode));
    }

    public static void main(String[] modes) throws Exception {
        for (String mode : modes) {
            new Interop(mode).run();
        }
        System.exit(0); // threads of the SDK's connection pool are still running
    }

    static AlipayConfig config(String mode) throws Exception {
        boolean rsa = mode.contains("-rsa");
        AlipayConfig c = new AlipayConfig();
        c.setServerUrl(GATEWAY);
        c.setSignType(rsa ? "RSA" : "RSA2");
        c.setCharset(mode.contains("-gbk") ? "GBK" : mode.contains("-gb2312") ? "GB2312" : "UTF-8");
        c.setFormat("json");
        if (mode.startsWith("cert")) {
            c.setAppId(System.getenv("INTEROP_CERT_APP"));
            c.setPrivateKey(key("certified-private.pem"));
            c.setAppCertPath(DIR + "/keys/app.crt");
            c.setAlipayPublicCertPath(DIR + "/keys/alipay.crt");
            c.setRootCertPath(DIR + "/keys/root.crt");
        } else {
            c.setAppId(System.getenv("INTEROP_APP"));
            c.setPrivateKey(key("app-private.pem"));
            c.setAlipayPublicKey(key("alipay-public.pem"));
        }
        if (mode.contains("-aes")) {
            c.setEncryptType("AES");
            c.setEncryptKey(Files.readString(Path.of(DIR, "keys", "aes.key")).strip());
        }
        return c;
    }

    /** Returns a key in the form that the SDK requires: Base64 without the PEM header and footer. */
    static String key(String file) throws Exception {
        String text = Files.readString(Path.of(DIR, "keys", file));
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

    void run() {
        String no = "java_" + mode.replace('-', '_') + "_" + System.nanoTime();
        String[] tradeNo = new String[1];
        cell("alipay.trade.create", () -> tradeNo[0] = create(no, null));
        cell("alipay.trade.query", () -> query(no, tradeNo[0]));
        cell("alipay.trade.orderinfo.sync", () -> sync(no, tradeNo[0]));
        cell("koubei.trade.itemorder.query", this::itemOrder);
        cell("refusal", this::refusal);
        if (!aes) {
            cell("notification", this::notification);
            cell("forms", this::forms);
            cell("signed", this::signed);
        }
    }

    <T extends AlipayResponse> T call(AlipayRequest<T> r) throws AlipayApiException {
        r.setNeedEncrypt(aes);
        T out = execute(r);
        if (!out.isSuccess()) {
            throw new IllegalStateException(out.getCode() + " " + out.getSubCode() + " " + out.getSubMsg());
        }
        return out;
    }

    <T extends AlipayResponse> T execute(AlipayRequest<T> r) throws AlipayApiException {
        return mode.startsWith("cert") ? client.certificateExecute(r) : client.execute(r);
    }

    static void same(Object got, Object want) {
        if (!want.equals(got)) {
            throw new IllegalStateException("got " + got + ", want " + want);
        }
    }

    String subject() {
        return mode.contains("-gb2312") ? NARROW_SUBJECT : SUBJECT;
    }

    String create(String no, String notifyUrl) throws Exception {
        AlipayTradeCreateModel m = new AlipayTradeCreateModel();
        m.setOutTradeNo(no);
        m.setTotalAmount("88.88");
        m.setSubject(subject());
        m.setBuyerId("2088102146225135");
        AlipayTradeCreateRequest r = new AlipayTradeCreateRequest();
        r.setBizModel(m);
        r.setNotifyUrl(notifyUrl);
        AlipayTradeCreateResponse out = call(r);
        same(out.getOutTradeNo(), no);
        return out.getTradeNo();
    }

    void query(String no, String tradeNo) throws Exception {
        AlipayTradeQueryModel m = new AlipayTradeQueryModel();
        m.setOutTradeNo(no);
        AlipayTradeQueryRequest r = new AlipayTradeQueryRequest();
        r.setBizModel(m);
        AlipayTradeQueryResponse out = call(r);
        same(out.getTradeNo(), tradeNo);
        same(out.getTradeStatus(), "WAIT_BUYER_PAY");
        same(new java.math.BigDecimal(out.getTotalAmount()).setScale(2).toString(), "88.88");
    }

    void sync(String no, String tradeNo) throws Exception {
        AlipayTradeOrderinfoSyncModel m = new AlipayTradeOrderinfoSyncModel();
        m.setTradeNo(tradeNo);
        m.setOutRequestNo(no);
        m.setBizType("CREDIT_AUTH");
        m.setOrderBizInfo("{\"status\":\"COMPLETE\"}");
        AlipayTradeOrderinfoSyncRequest r = new AlipayTradeOrderinfoSyncRequest();
        r.setBizModel(m);
        AlipayTradeOrderinfoSyncResponse out = call(r);
        same(out.getOutTradeNo(), no);
    }

    void itemOrder() throws Exception {
        KoubeiTradeItemorderQueryModel m = new KoubeiTradeItemorderQueryModel();
        m.setOrderNo(System.getenv("INTEROP_ITEM_ORDER"));
        KoubeiTradeItemorderQueryRequest r = new KoubeiTradeItemorderQueryRequest();
        r.setBizModel(m);
        KoubeiTradeItemorderQueryResponse out = call(r);
        same(out.getStatus(), "PAID");
        same(out.getItemOrderVo().size(), 2);
        same(out.getItemOrderVo().get(1).getSkuId(), "sku-2");
    }

    /** The sub_code of a refusal must arrive, and its signature must verify. */
    void refusal() throws Exception {
        AlipayTradeQueryRequest r = new AlipayTradeQueryRequest();
        r.setBizContent("{\"out_trade_no\":\"never_" + System.nanoTime() + "\"}");
        r.setNeedEncrypt(aes);
        same(execute(r).getSubCode(), "ACQ.TRADE_NOT_EXIST");
    }

    /** Has a buyer pay, and verifies the notification with the SDK's own functions. */
    void notification() throws Exception {
        checkNotification(paid("java_n_" + System.nanoTime()));
    }

    /** Verifies notifications in forms that the create did not ask for: blanks as %20, another charset and sign_type. */
    void forms() throws Exception {
        for (String[] form : new String[][] {{"percent20", null, null}, {"gbk", "GBK", null}, {"rsa", null, "RSA"}, {"rsa2", null, "RSA2"}}) {
            String no = "java_f_" + System.nanoTime();
            admin("/notifications/faults", "[{kind: " + form[0] + ", order: " + no + "}]");
            byte[] body = paid(no);
            AlipayConfig c = config(mode);
            c.setCharset(form[1] == null ? c.getCharset() : form[1]);
            c.setSignType(form[2] == null ? c.getSignType() : form[2]);
            if (form[0].equals("percent20")) {
                same(new String(body, StandardCharsets.US_ASCII).contains("%20"), true);
            }
            checkNotification(body, c);
        }
    }

    /** Signs a notification with the SDK as Alipay does; the bridge accepts it, and not with another amount. */
    void signed() throws Exception {
        AlipayConfig c = config(mode);
        Map<String, String> form = new HashMap<>(Map.of(
                "notify_type", "trade_status_sync", "notify_id", "n" + System.nanoTime(), "notify_time", "2026-01-01 18:00:00",
                "app_id", c.getAppId(), "charset", c.getCharset(), "out_trade_no", "java_s", "trade_no", "2026010122001400000000000001",
                "trade_status", "TRADE_SUCCESS", "total_amount", "88.88", "seller_id", System.getenv("INTEROP_SELLER")));
        form.put("subject", subject());
        boolean cert = mode.startsWith("cert");
        String key = key(cert ? "certified-alipay-private.pem" : "alipay-private.pem");
        if (cert) {
            form.put("alipay_cert_sn", AntCertificationUtil.getCertSN(
                    AntCertificationUtil.getCertFromPath(DIR + "/keys/alipay.crt")));
        }
        String text = AlipaySignature.getSignCheckContentV1(form); // without sign and sign_type
        form.put("sign", AlipaySignature.rsaSign(text, key, c.getCharset(), c.getSignType()));
        form.put("sign_type", c.getSignType());
        same(accepted(form, c), true);
        form.put("total_amount", "0.01");
        same(accepted(form, c), false);
    }

    boolean accepted(Map<String, String> form, AlipayConfig c) throws Exception {
        StringBuilder body = new StringBuilder();
        for (Map.Entry<String, String> e : form.entrySet()) {
            body.append(body.length() == 0 ? "" : "&").append(e.getKey()).append('=').append(URLEncoder.encode(e.getValue(), c.getCharset()));
        }
        Path file = Files.createTempFile(Path.of(DIR), "java", ".body");
        Files.writeString(file, body);
        return new ProcessBuilder(System.getenv("INTEROP_ACCEPTS"), mode, file.toString()).start().waitFor() == 0;
    }

    static void admin(String path, String body) throws Exception {
        HttpRequest r = HttpRequest.newBuilder(URI.create(System.getenv("INTEROP_ADMIN") + path))
                .POST(HttpRequest.BodyPublishers.ofString(body)).build();
        same(HttpClient.newHttpClient().send(r, HttpResponse.BodyHandlers.ofString()).statusCode(), 200);
    }

    /** Has a buyer pay a new order, and returns the body of the notification. */
    byte[] paid(String no) throws Exception {
        SynchronousQueue<byte[]> came = new SynchronousQueue<>();
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        server.createContext("/notify", exchange -> {
            byte[] body = exchange.getRequestBody().readAllBytes();
            exchange.sendResponseHeaders(200, 7);
            exchange.getResponseBody().write("success".getBytes());
            exchange.close();
            try {
                came.offer(body, 10, TimeUnit.SECONDS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        server.start();
        try {
            create(no, "http://127.0.0.1:" + server.getAddress().getPort() + "/notify");
            admin("/trades/" + no + "/pay", "");
            byte[] body = came.poll(10, TimeUnit.SECONDS);
            if (body == null) {
                throw new IllegalStateException("no notification within 10 s");
            }
            return body;
        } finally {
            server.stop(0);
        }
    }

    void checkNotification(byte[] body) throws Exception {
        checkNotification(body, config(mode));
    }

    void checkNotification(byte[] body, AlipayConfig c) throws Exception {
        Map<String, String> form = new HashMap<>();
        for (String pair : new String(body, StandardCharsets.US_ASCII).split("&")) {
            int cut = pair.indexOf('=');
            form.put(pair.substring(0, cut), URLDecoder.decode(pair.substring(cut + 1), c.getCharset()));
        }
        same(form.get("trade_status"), "TRADE_SUCCESS");
        same(form.get("subject"), subject());
        same(verified(form, c), true);
        form.put("total_amount", "0.01");
        same(verified(form, c), false);
    }

    boolean verified(Map<String, String> form, AlipayConfig c) throws Exception {
        Map<String, String> copy = new HashMap<>(form); // the SDK removes members
        return mode.startsWith("cert")
                ? AlipaySignature.certVerifyV1(copy, DIR + "/keys/alipay.crt", c.getCharset(), form.get("sign_type"))
                : AlipaySignature.verifyV1(copy, key("alipay-public.pem"), c.getCharset(), form.get("sign_type"));
    }
}
