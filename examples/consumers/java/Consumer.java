import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Reads trade-status: what is paid, refunded or held, one current state per order.
 *
 * <p>Copy it, and replace the file with your database and act with what your system does. The environment has BROKERS, REGISTRY,
 * TOPIC, GROUP, ENVIRONMENT (production, sandbox or simulator) and STORE (a file). With --to-end it stops at the end and prints.
 */
public class Consumer {
    record Entry(long version, String state) {}

    static final ObjectMapper JSON = new ObjectMapper();
    static final HttpClient HTTP = HttpClient.newHttpClient();

    final Map<Integer, Schema> schemas = new HashMap<>(); // by their id
    final TreeMap<String, Entry> orders = new TreeMap<>();
    final RandomAccessFile file; // stands for your database; with more than one instance it must be shared

    static String env(String name, String fallback) {
        return System.getenv().getOrDefault(name, fallback);
    }

    public static void main(String[] args) throws Exception {
        new Consumer(env("STORE", "orders-java.tsv")).run(Arrays.asList(args).contains("--to-end"));
    }

    Consumer(String path) throws IOException {
        file = new RandomAccessFile(path, "rw");
        byte[] bytes = new byte[(int) file.length()];
        file.readFully(bytes);
        String text = new String(bytes, StandardCharsets.UTF_8);
        String whole = text.substring(0, text.lastIndexOf('\n') + 1); // a crash may have cut the last line; its record comes again
        whole.lines().map(line -> line.split("\t", -1)).forEach(p -> set(p[0], Long.parseLong(p[1]), p[2]));
        file.setLength(whole.getBytes(StandardCharsets.UTF_8).length);
        file.seek(file.length());
    }

    void run(boolean toEnd) throws Exception {
        Map<String, Object> settings = Map.of(
                "bootstrap.servers", env("BROKERS", "127.0.0.1:9092"), "group.id", env("GROUP", "shop-java"),
                "isolation.level", "read_committed", // others see records of transactions that were aborted
                "enable.auto.commit", false, // offsets are committed after the work, not before it
                "session.timeout.ms", 10_000, // after a crash or a stop at any moment, the next one waits so long
                "auto.offset.reset", "earliest"); // a new reader begins with the state of every order
        try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new ByteArrayDeserializer())) {
            consumer.subscribe(List.of(env("TOPIC", "trade-status")));
            while (!toEnd || !atEnd(consumer)) {
                ConsumerRecords<String, byte[]> batch = consumer.poll(Duration.ofSeconds(1));
                StringBuilder lines = new StringBuilder();
                for (ConsumerRecord<String, byte[]> r : batch) {
                    lines.append(handle(r.key(), r.value()));
                }
                if (!batch.isEmpty()) {
                    file.write(lines.toString().getBytes(StandardCharsets.UTF_8));
                    file.getFD().sync(); // first the work, then the offsets: a crash between them repeats, and loses nothing
                    consumer.commitSync();
                }
            }
            orders.forEach((key, e) -> System.out.println(key + "\t" + e.version + "\t" + e.state));
        }
    }

    static boolean atEnd(KafkaConsumer<?, ?> consumer) {
        Set<TopicPartition> all = consumer.assignment();
        return !all.isEmpty() && consumer.endOffsets(all).entrySet().stream().allMatch(e -> consumer.position(e.getKey()) >= e.getValue());
    }

    /** Handles one record, and returns what is to be stored. */
    String handle(String key, byte[] value) throws Exception {
        Entry seen = orders.get(key);
        if (value == null) { // a tombstone: the order is forgotten, and its versions begin again
            return seen == null ? "" : set(key, 0, "");
        }
        GenericRecord status = decode(value);
        if (!env("ENVIRONMENT", "production").equals(status.get("environment").toString())) {
            throw new IllegalStateException(key + " is of environment " + status.get("environment") + ": this reader has another environment's topic");
        }
        long version = (Long) status.get("version");
        if (seen != null && version <= seen.version) { // compaction leaves gaps in the versions, a restart repeats some
            return "";
        }
        act(key, status);
        return set(key, version, status.get("state").toString());
    }

    String set(String key, long version, String state) {
        if (version == 0) {
            orders.remove(key);
        } else {
            orders.put(key, new Entry(version, state));
        }
        return key + "\t" + version + "\t" + state + "\n";
    }

    /** Does what a new state asks for. It may run twice for one version after a crash: make it harmless. */
    static void act(String key, GenericRecord status) {
        List<?> anomalies = (List<?>) status.get("anomalies");
        if (status.get("state").toString().equals("HELD")) { // never ship: Alipay says paid, but something is not as ordered
            System.err.println("HELD " + key + ": " + anomalies + ": a person must decide");
        } else if (!anomalies.isEmpty()) {
            System.err.println("look at " + key + ", " + status.get("state") + ": " + anomalies);
        }
        // PAID, FINISHED: ship. PARTIALLY_REFUNDED, REFUNDED: book the refund, the field refunded is the total so far.
        // CLOSED, CLOSED_UNPAID, FAILED: give the goods free. A state that you do not know: do nothing, ask a person.
    }

    /** Reads Confluent's frame: zero, the id of the schema in four bytes, Avro. */
    GenericRecord decode(byte[] value) throws Exception {
        ByteBuffer frame = ByteBuffer.wrap(value);
        if (frame.get() != 0) {
            throw new IOException("not an Avro record in Confluent's frame");
        }
        int id = frame.getInt();
        if (!schemas.containsKey(id)) {
            var ask = HttpRequest.newBuilder(URI.create(env("REGISTRY", "http://127.0.0.1:8081/apis/ccompat/v7") + "/schemas/ids/" + id)).build();
            var answer = HTTP.send(ask, HttpResponse.BodyHandlers.ofString());
            if (answer.statusCode() != 200) {
                throw new IOException("the registry has no schema " + id + ": status " + answer.statusCode());
            }
            schemas.put(id, new Schema.Parser().parse(JSON.readTree(answer.body()).get("schema").asText()));
        }
        return new GenericDatumReader<GenericRecord>(schemas.get(id)).read(null, DecoderFactory.get().binaryDecoder(value, 5, value.length - 5, null));
    }
}
